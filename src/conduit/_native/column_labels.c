/* The labels of a profile's samples as rows of four numbers: the indices of key and text, the number's bits, and the
 * index of its unit; a row with a text has no number. `runs` says where the rows of each set begin (int64), `label_of`
 * which set a sample has (uint32). Nothing is kept; what does not lie within its table raises ValueError. */
#include "native.h"

#include "hash_table.h"
#include "output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KEY, TEXT, NUMBER, UNIT, ROW };

typedef struct {
    uint64_t key, unit;
} Pair;

typedef struct {
    Output pairs;
    HashIndex index;
} Pairs;

static bool add_pair(Pairs *pairs, Pair pair) {
    uint32_t hash = (uint32_t)hash_mix(hash_mix(0, pair.key), pair.unit), probe = 0;
    for (uint32_t found; (found = hash_index_next(&pairs->index, hash, &probe)) != HASH_NO_ENTRY;) {
        Pair known = ((const Pair *)PyBytes_AS_STRING(pairs->pairs.bytes))[found];
        if (known.key == pair.key && known.unit == pair.unit) return true;
    }
    Pair *next = (Pair *)output_reserve(&pairs->pairs, sizeof pair);
    if (next == NULL) return false;
    if (!hash_index_reserve(&pairs->index)) {
        PyErr_NoMemory();
        return false;
    }
    hash_index_add(&pairs->index, hash, (uint32_t)(pairs->pairs.used / sizeof pair));
    *next = pair;
    pairs->pairs.used += sizeof pair;
    return true;
}

static bool refuse(const char *reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

static bool add_set(Pairs *pairs, const int64_t *runs, uint32_t set, const uint64_t *rows, Py_ssize_t count) {
    if (runs[set] < 0 || runs[set + 1] < runs[set] || runs[set + 1] > count)
        return refuse("the positions of the labels do not lie within their rows");
    Pair last = {UINT64_MAX, 0};
    for (int64_t i = runs[set]; i < runs[set + 1]; i++) {
        const uint64_t *row = rows + ROW * i;
        Pair pair = {row[KEY], row[UNIT]};
        if (row[TEXT] || (pair.key == last.key && pair.unit == last.unit)) continue;
        if (!add_pair(pairs, pair)) return false;
        last = pair;
    }
    return true;
}

static PyObject *number_labels(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer runs, rows, label_of;
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &runs, &rows, &label_of)) return NULL;
    Pairs pairs = {0};
    Py_ssize_t sets = runs.len / (Py_ssize_t)sizeof(int64_t) - 1;
    Py_ssize_t samples = label_of.len / (Py_ssize_t)sizeof(uint32_t);
    bool *seen = calloc((size_t)(sets < 0 ? 0 : sets) + 1, sizeof *seen);
    bool good = seen != NULL;
    if (!good) PyErr_NoMemory();
    for (Py_ssize_t i = 0; good && i < samples; i++) {
        uint32_t set = ((const uint32_t *)label_of.buf)[i];
        if ((int64_t)set >= sets) {
            good = refuse("there is no such set of labels");
        } else if (!seen[set]) {
            seen[set] = true;
            good = add_set(&pairs, runs.buf, set, rows.buf, rows.len / (Py_ssize_t)(ROW * sizeof(uint64_t)));
        }
    }
    PyObject *result = good ? output_take(&pairs.pairs) : NULL;
    output_clear(&pairs.pairs);
    hash_index_clear(&pairs.index);
    free(seen);
    PyBuffer_Release(&runs);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&label_of);
    return result;
}

PyMethodDef column_label_methods[] = {
    {"number_labels", number_labels, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
