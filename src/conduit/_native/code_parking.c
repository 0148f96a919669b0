/* Dying code objects are parked while stacks are sampled: a sample holds their address without a reference.
 *
 * Law: parked code is resurrected (this list owns its one reference) and really dies at the next sweep that finds no
 * sample with its address, or at the end. 3.12 and later tell of a dying code object through a watcher, which may
 * resurrect it by taking a reference; 3.11 has no such thing, so there the type's `tp_dealloc` is ours meanwhile.
 * Everything here runs with the GIL. Where the list cannot grow, the code object is leaked: alive is safe. */
#include "code_parking.h"

#include <stdlib.h>

#define FIRST_LIMIT 1024

static PyCodeObject **parked;
static size_t parked_count, parked_capacity, limit = FIRST_LIMIT;
static bool parking, sweeping;
static const PyCodeObject *buried_now; /* the one parked object that is to die for good */
static ParkingFull on_full;

static void park(PyCodeObject *code) {
    if (parked_count == parked_capacity) {
        size_t capacity = parked_capacity ? parked_capacity * 2 : FIRST_LIMIT;
        PyCodeObject **moved = realloc(parked, capacity * sizeof *parked);
        if (moved == NULL) return;
        parked = moved;
        parked_capacity = capacity;
    }
    parked[parked_count++] = code;
    if (parked_count >= limit && !sweeping) on_full();
}

#if PY_VERSION_HEX >= 0x030C0000
static int watcher = -1;

static int on_code_event(PyCodeEvent event, PyCodeObject *code) {
    if (event != PY_CODE_EVENT_DESTROY || !parking || code == buried_now) return 0;
    Py_INCREF(code);
    park(code);
    return 0;
}

static bool begin_watching(void) {
    watcher = PyCode_AddWatcher(on_code_event);
    return watcher >= 0;
}

static void end_watching(void) {
    if (watcher >= 0 && PyCode_ClearWatcher(watcher) < 0) PyErr_WriteUnraisable(NULL);
    watcher = -1;
}
#else
static destructor real_dealloc;

static void parking_dealloc(PyObject *object) {
    if (!parking || object == (const PyObject *)buried_now) {
        real_dealloc(object);
        return;
    }
    Py_SET_REFCNT(object, 1);
    park((PyCodeObject *)object);
}

static bool begin_watching(void) {
    real_dealloc = PyCode_Type.tp_dealloc;
    PyCode_Type.tp_dealloc = parking_dealloc;
    return true;
}

static void end_watching(void) {
    /* Somebody who wrapped ours since keeps it; with `parking` off it only passes on. */
    if (PyCode_Type.tp_dealloc == parking_dealloc) PyCode_Type.tp_dealloc = real_dealloc;
}
#endif

/* Begins to park. False, with an exception: the interpreter has no room for another watcher. */
bool code_parking_begin(ParkingFull when_full) {
    on_full = when_full;
    limit = FIRST_LIMIT;
#if PY_VERSION_HEX < 0x030C0000
    bool watching = PyCode_Type.tp_dealloc == parking_dealloc || begin_watching();
#else
    bool watching = begin_watching();
#endif
    parking = watching;
    return watching;
}

/* Really ends a parked object. Code that was nested in it is parked in its turn: samples may know that one. */
static void bury(PyCodeObject *code) {
    buried_now = code;
    Py_DECREF(code);
    buried_now = NULL;
}

/* Buries whatever `is_referenced` denies, and parks on with the rest. */
void code_parking_sweep(StillReferenced is_referenced, void *argument) {
    if (sweeping) return;
    sweeping = true;
    PyCodeObject **examined = parked;
    size_t count = parked_count;
    parked = NULL;
    parked_count = parked_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_referenced(examined[i], argument))
            park(examined[i]);
        else
            bury(examined[i]);
    }
    free(examined);
    limit = parked_count * 2 > FIRST_LIMIT ? parked_count * 2 : FIRST_LIMIT;
    sweeping = false;
}

static bool nobody(const PyCodeObject *Py_UNUSED(code), void *Py_UNUSED(argument)) { return false; }

/* Stops parking and, unless a sample may still hold an address (then they are leaked), buries all. */
void code_parking_end(bool may_bury) {
    parking = false;
    end_watching();
    if (may_bury) code_parking_sweep(nobody, NULL);
    free(parked);
    parked = NULL;
    parked_count = parked_capacity = 0;
}
