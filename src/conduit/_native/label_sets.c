/* Interned sets with counts of the nodes and labels that refer to them, and marks of the recorders whose samples do.
 * Everything needs the GIL except the marks, by which a reader keeps a set alive; until the mark is made, the node from
 * which the reader has the number keeps it alive. Chunks of the table are never moved or freed, because readers hold no
 * lock. */
#include "label_sets.h"

#include <stdatomic.h>

#define CHUNK_BITS 8
#define CHUNK_SIZE (1u << CHUNK_BITS)
#define MAX_SETS (1u << 16)

typedef struct {
    PyObject *pairs; /* NULL: unused */
    Py_ssize_t owners;
    atomic_uint users; /* recorders (LabelUser) */
    uint32_t next_unused;
} LabelSet;

static LabelSet *chunks[MAX_SETS / CHUNK_SIZE];
static uint32_t set_count = 1, unused_set, overflow_set;
static PyObject *set_numbers; /* pairs → number */

static LabelSet *set_of(uint32_t number) { return &chunks[number >> CHUNK_BITS][number & (CHUNK_SIZE - 1)]; }

static void free_set(uint32_t number) {
    LabelSet *set = set_of(number);
    PyObject *pairs = set->pairs;
    if (PyDict_DelItem(set_numbers, pairs) < 0) PyErr_Clear();
    set->pairs = NULL;
    set->next_unused = unused_set;
    unused_set = number;
    Py_DECREF(pairs);
}

void label_set_disown(uint32_t number) {
    if (number == 0) return;
    LabelSet *set = set_of(number);
    if (--set->owners == 0 && atomic_load(&set->users) == 0) free_set(number);
}

void label_set_own(uint32_t number) {
    if (number != 0) set_of(number)->owners++;
}

/* A number that no set has, or 0 where there is no room for another. */
static uint32_t take_number(void) {
    uint32_t number = unused_set;
    if (number != 0) {
        unused_set = set_of(number)->next_unused;
        return number;
    }
    if (set_count == MAX_SETS) return 0;
    if (chunks[set_count >> CHUNK_BITS] == NULL) {
        LabelSet *chunk = PyMem_RawCalloc(CHUNK_SIZE, sizeof *chunk);
        if (chunk == NULL) return 0;
        chunks[set_count >> CHUNK_BITS] = chunk;
    }
    return set_count++;
}

static bool put_set(uint32_t number, PyObject *pairs) {
    PyObject *value = PyLong_FromUnsignedLong(number);
    bool put = value != NULL && PyDict_SetItem(set_numbers, pairs, value) == 0;
    Py_XDECREF(value);
    LabelSet *set = set_of(number);
    if (!put) {
        set->next_unused = unused_set;
        unused_set = number;
        return false;
    }
    set->pairs = Py_NewRef(pairs);
    set->owners = 1;
    atomic_store(&set->users, 0);
    return true;
}

bool label_set_intern(PyObject *pairs, uint32_t *number) {
    *number = 0;
    if (PyTuple_GET_SIZE(pairs) == 0) return true;
    PyObject *known = PyDict_GetItemWithError(set_numbers, pairs);
    if (known != NULL) {
        *number = (uint32_t)PyLong_AsUnsignedLong(known);
        label_set_own(*number);
        return true;
    }
    if (PyErr_Occurred()) return false;
    uint32_t taken = take_number();
    if (taken == 0) {
        *number = overflow_set;
        label_set_own(overflow_set);
        return true;
    }
    *number = taken;
    return put_set(taken, pairs);
}

PyObject *label_set_pairs(uint32_t number) {
    return number != 0 && set_of(number)->pairs != NULL ? Py_NewRef(set_of(number)->pairs) : PyTuple_New(0);
}

PyObject *label_pairs_merged(PyObject *outer, PyObject *inner) {
    Py_ssize_t outers = PyTuple_GET_SIZE(outer), inners = PyTuple_GET_SIZE(inner), at = 0, from = 0;
    PyObject *merged = PyList_New(0);
    while (merged != NULL && (at < outers || from < inners)) {
        int order = 0; /* below 0: the outer pair comes first; 0: the inner one takes its place */
        if (at == outers)
            order = 1;
        else if (from == inners)
            order = -1;
        else
            order = PyUnicode_Compare(PyTuple_GET_ITEM(PyTuple_GET_ITEM(outer, at), 0),
                                      PyTuple_GET_ITEM(PyTuple_GET_ITEM(inner, from), 0));
        PyObject *pair = order < 0 ? PyTuple_GET_ITEM(outer, at) : PyTuple_GET_ITEM(inner, from);
        at += order <= 0;
        from += order >= 0;
        if (PyList_Append(merged, pair) < 0) Py_CLEAR(merged);
    }
    if (merged == NULL) return NULL;
    PyObject *tuple = PyList_AsTuple(merged);
    Py_DECREF(merged);
    return tuple;
}

bool label_set_merged(uint32_t outer, PyObject *inner, uint32_t *number) {
    PyObject *pairs = label_set_pairs(outer);
    PyObject *merged = pairs == NULL ? NULL : label_pairs_merged(pairs, inner);
    bool made = merged != NULL && label_set_intern(merged, number);
    Py_XDECREF(pairs);
    Py_XDECREF(merged);
    return made;
}

void labels_unuse(LabelUser user) {
    for (uint32_t number = 1; number < set_count; number++) {
        LabelSet *set = set_of(number);
        if (set->pairs == NULL) continue;
        unsigned before = atomic_fetch_and(&set->users, ~(unsigned)user);
        if (before == (unsigned)user && set->owners == 0) free_set(number);
    }
}

void label_set_mark(uint32_t number, LabelUser user) {
    if (number == 0) return;
    atomic_uint *users = &set_of(number)->users;
    if (!(atomic_load_explicit(users, memory_order_relaxed) & user)) atomic_fetch_or(users, user);
}

bool label_set_exists(uint32_t number) { return number < MAX_SETS && chunks[number >> CHUNK_BITS] != NULL; }

Py_ssize_t label_set_count(void) { return PyDict_GET_SIZE(set_numbers); }

int label_sets_begin(void) {
    PyObject *pairs = Py_BuildValue("((ss))", "labels", "(too many to tell apart)");
    set_numbers = PyDict_New();
    bool made = pairs != NULL && set_numbers != NULL && label_set_intern(pairs, &overflow_set);
    Py_XDECREF(pairs);
    return made ? 0 : -1;
}
