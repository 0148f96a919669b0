/* The labels of a profile's samples as rows of four numbers: the indices of key and text, the number's bits, and the
 * index of its unit; a row with a text has no number. `runs` (int64) has the first row of each set, `label_of` (uint32)
 * the set of each sample. Nothing is kept between calls; an index beyond its table raises ValueError. */
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

/* ── labels as text ── */

enum { START, BEFORE, BETWEEN, CLOSE, AFTER, MARKS };

typedef struct {
    PyObject *head; /* the same object for equal keys, and borrowed from the joiner */
    const uint64_t *row;
} Label;

typedef struct {
    const uint8_t *text; /* set once all groups of a set are written */
    size_t offset, size;
    bool is_number;
} Group;

typedef struct {
    const int64_t *runs;
    const uint64_t *rows;
    Py_ssize_t sets, row_count;
    PyObject *strings, *marks[MARKS], *head_of, *number_text;
    PyObject *heads;      /* by the key's text */
    PyObject **known;     /* the same heads by the key's index, borrowed */
    Label *labels;        /* those of one set */
    Group *groups;        /* their groups by key */
    size_t label_capacity, group_capacity, group_count;
    Output text; /* of the groups */
} Joiner;

static PyObject *string_at(PyObject *strings, uint64_t index) {
    if (index < (uint64_t)PyList_GET_SIZE(strings) && PyUnicode_Check(PyList_GET_ITEM(strings, (Py_ssize_t)index)))
        return PyList_GET_ITEM(strings, (Py_ssize_t)index);
    refuse("a label's string is not in the table");
    return NULL;
}

static bool check_bytes(PyObject *object) {
    return object != NULL && (PyBytes_Check(object) || refuse("expected bytes for the text of a label"));
}

static PyObject *head_of_key(Joiner *joiner, uint64_t key) {
    PyObject *text = string_at(joiner->strings, key);
    if (text == NULL || joiner->known[key] != NULL) return text == NULL ? NULL : joiner->known[key];
    PyObject *head = PyDict_GetItemWithError(joiner->heads, text);
    if (head == NULL && !PyErr_Occurred()) {
        PyObject *made = PyObject_CallFunctionObjArgs(joiner->head_of, text, NULL);
        if (check_bytes(made) && PyDict_SetItem(joiner->heads, text, made) == 0) head = made;
        Py_XDECREF(made); /* the dict keeps it */
    }
    return joiner->known[key] = head;
}

/* The order of labels: texts before numbers, then by key, then by row. */
static int compare_labels(const void *first, const void *second) {
    const Label *a = first, *b = second;
    bool a_is_number = a->row[TEXT] == 0, b_is_number = b->row[TEXT] == 0;
    if (a_is_number != b_is_number) return a_is_number ? 1 : -1;
    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int compare_groups(const void *first, const void *second) {
    const Group *a = first, *b = second;
    if (a->is_number != b->is_number) return a->is_number ? 1 : -1;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static bool add_value(Joiner *joiner, const uint64_t *row, bool has_units) {
    if (row[TEXT]) {
        PyObject *text = string_at(joiner->strings, row[TEXT]);
        return text != NULL && output_add_text(&joiner->text, text);
    }
    PyObject *unit = has_units ? string_at(joiner->strings, row[UNIT]) : Py_None;
    PyObject *key = string_at(joiner->strings, row[KEY]);
    if (unit == NULL || key == NULL) return false;
    PyObject *text = PyObject_CallFunction(joiner->number_text, "OLO", key, (long long)row[NUMBER], unit);
    bool good = check_bytes(text) && output_add_bytes(&joiner->text, text);
    Py_XDECREF(text);
    return good;
}

/* The labels with one key: its head, and their values with a space between them. */
static bool add_group(Joiner *joiner, const Label *labels, size_t count) {
    bool is_number = labels->row[TEXT] == 0, has_units = false;
    for (size_t i = 0; is_number && i < count; i++) has_units = has_units || labels[i].row[UNIT];
    size_t offset = joiner->text.used;
    if (!output_add_bytes(&joiner->text, labels->head)) return false;
    for (size_t i = 0; i < count; i++) {
        if (i && !output_add(&joiner->text, " ", 1)) return false;
        if (!add_value(joiner, labels[i].row, has_units)) return false;
    }
    if (!output_add_bytes(&joiner->text, joiner->marks[CLOSE])) return false;
    joiner->groups[joiner->group_count++] = (Group){NULL, offset, joiner->text.used - offset, is_number};
    return true;
}

static bool add_groups(Joiner *joiner, size_t count) {
    const Label *labels = joiner->labels;
    joiner->group_count = joiner->text.used = 0;
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && labels[next].head == labels[i].head &&
                           !labels[next].row[TEXT] == !labels[i].row[TEXT];)
            next++;
        if (!add_group(joiner, labels + i, next - i)) return false;
    }
    for (size_t i = 0; i < joiner->group_count; i++)
        joiner->groups[i].text = (const uint8_t *)PyBytes_AS_STRING(joiner->text.bytes) + joiner->groups[i].offset;
    if (joiner->group_count > 1) qsort(joiner->groups, joiner->group_count, sizeof(Group), compare_groups);
    return true;
}

static PyObject *join_groups(Joiner *joiner) {
    Output output = {0};
    bool good = output_add_bytes(&output, joiner->marks[START]);
    for (size_t i = 0; good && i < joiner->group_count; i++) {
        const Group *group = &joiner->groups[i];
        bool is_first = i == 0 || group[-1].is_number != group->is_number;
        bool is_last = i + 1 == joiner->group_count || group[1].is_number != group->is_number;
        good = output_add_bytes(&output, joiner->marks[is_first ? BEFORE : BETWEEN]) &&
               output_add(&output, group->text, group->size) &&
               (!is_last || output_add_bytes(&output, joiner->marks[AFTER]));
    }
    if (good) return output_take(&output);
    output_clear(&output);
    return NULL;
}

static PyObject *join_set(Joiner *joiner, Py_ssize_t set) {
    int64_t first = joiner->runs[set], last = joiner->runs[set + 1];
    if (first < 0 || last < first || last > joiner->row_count) {
        refuse("the positions of the labels do not lie within their rows");
        return NULL;
    }
    size_t count = (size_t)(last - first);
    if (!array_reserve((void **)&joiner->labels, &joiner->label_capacity, count, sizeof(Label)) ||
        !array_reserve((void **)&joiner->groups, &joiner->group_capacity, count, sizeof(Group)))
        return PyErr_NoMemory();
    for (size_t i = 0; i < count; i++) {
        const uint64_t *row = joiner->rows + ROW * ((size_t)first + i);
        joiner->labels[i] = (Label){head_of_key(joiner, row[KEY]), row};
        if (joiner->labels[i].head == NULL) return NULL;
    }
    if (count > 1) qsort(joiner->labels, count, sizeof(Label), compare_labels);
    return add_groups(joiner, count) ? join_groups(joiner) : NULL;
}

static PyObject *join_sets(Joiner *joiner) {
    PyObject *texts = PyList_New(0);
    for (Py_ssize_t set = 0; texts != NULL && set < joiner->sets; set++) {
        PyObject *text = join_set(joiner, set);
        if (text == NULL || PyList_Append(texts, text) < 0) Py_CLEAR(texts);
        Py_XDECREF(text);
    }
    return texts;
}

static PyObject *join_labels(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer runs, rows;
    Joiner joiner = {0};
    PyObject **marks = joiner.marks;
    if (!PyArg_ParseTuple(arguments, "y*y*O!(SSSSS)OO", &runs, &rows, &PyList_Type, &joiner.strings, &marks[START],
                          &marks[BEFORE], &marks[BETWEEN], &marks[CLOSE], &marks[AFTER], &joiner.head_of,
                          &joiner.number_text))
        return NULL;
    joiner.runs = runs.buf;
    joiner.rows = rows.buf;
    joiner.sets = runs.len / (Py_ssize_t)sizeof(int64_t) - 1;
    joiner.row_count = rows.len / (Py_ssize_t)(ROW * sizeof(uint64_t));
    joiner.heads = PyDict_New();
    joiner.known = calloc((size_t)PyList_GET_SIZE(joiner.strings) + 1, sizeof(PyObject *));
    PyObject *texts = NULL;
    if (joiner.known == NULL)
        PyErr_NoMemory();
    else if (joiner.heads != NULL)
        texts = join_sets(&joiner);
    Py_XDECREF(joiner.heads);
    free(joiner.known);
    free(joiner.labels);
    free(joiner.groups);
    output_clear(&joiner.text);
    PyBuffer_Release(&runs);
    PyBuffer_Release(&rows);
    return texts;
}

PyMethodDef column_label_methods[] = {
    {"join_labels", join_labels, METH_VARARGS, NULL},
    {"number_labels", number_labels, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
