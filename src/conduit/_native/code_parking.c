/* Parked code is resurrected: this list owns its one reference. It is released at the next sweep that finds no sample
 * with its address, or at the end. 3.12 and later announce the destruction of a code object to a watcher, which may
 * resurrect it by taking a reference; on 3.11 the type's `tp_dealloc` is replaced while parking. If the list cannot
 * grow, the code object is leaked, which is safe. */
#include "python_layout.h"

#include "code_parking.h"

#include <stdlib.h>

#define MIN_LIMIT 1024

static PyCodeObject **parked;
static size_t parked_count, parked_capacity, limit = MIN_LIMIT;
static bool parking, sweeping;
static const PyCodeObject *released_now; /* the parked object that is being destroyed */
static ParkingFull on_full;

static void park(PyCodeObject *code) {
    if (parked_count == parked_capacity) {
        size_t capacity = parked_capacity ? parked_capacity * 2 : MIN_LIMIT;
        PyCodeObject **moved = realloc(parked, capacity * sizeof *parked);
        if (moved == NULL) return;
        parked = moved;
        parked_capacity = capacity;
    }
    parked[parked_count++] = code;
    if (parked_count >= limit && !sweeping) on_full();
}

#if PYTHON_HAS_CODE_WATCHERS
static int watcher = -1;

static int on_code_event(PyCodeEvent event, PyCodeObject *code) {
    if (event != PY_CODE_EVENT_DESTROY || !parking || code == released_now) return 0;
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
    if (!parking || object == (const PyObject *)released_now) {
        real_dealloc(object);
        return;
    }
    Py_SET_REFCNT(object, 1);
    park((PyCodeObject *)object);
}

static bool begin_watching(void) {
    if (PyCode_Type.tp_dealloc == parking_dealloc) return true; /* it had to stay the last time */
    real_dealloc = PyCode_Type.tp_dealloc;
    PyCode_Type.tp_dealloc = parking_dealloc;
    return true;
}

static void end_watching(void) {
    /* If another wrapper lies above ours by now, ours stays; while `parking` is off it only passes calls on. */
    if (PyCode_Type.tp_dealloc == parking_dealloc) PyCode_Type.tp_dealloc = real_dealloc;
}
#endif

bool code_parking_begin(ParkingFull when_full) {
    on_full = when_full;
    limit = MIN_LIMIT;
    parking = begin_watching();
    return parking;
}

/* Destroy a parked object. Code nested in it is parked in its turn, because samples may hold its address. */
static void release_parked(PyCodeObject *code) {
    released_now = code;
    Py_DECREF(code);
    released_now = NULL;
}

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
            release_parked(examined[i]);
    }
    free(examined);
    limit = parked_count * 2 > MIN_LIMIT ? parked_count * 2 : MIN_LIMIT;
    sweeping = false;
}

static bool is_never_referenced(const PyCodeObject *Py_UNUSED(code), void *Py_UNUSED(argument)) { return false; }

void code_parking_end(bool may_release) {
    parking = false;
    end_watching();
    if (may_release) code_parking_sweep(is_never_referenced, NULL);
    free(parked);
    parked = NULL;
    parked_count = parked_capacity = 0;
}
