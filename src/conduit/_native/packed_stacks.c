/* Reading and summing the stacks of a profile: the two loops that run once for every frame of every sample.
 *
 * Law. Nothing here decides what a profile means. `read_sample` reads a sample in the one form that writers use
 * and answers None to any other, faults included, which the reader in Python then judges; `sum_stacks` does what
 * the same loop in Python does and answers None where a sum would not fit into 64 bits.
 * Input is hostile: every length is compared with what is left before anything is read. */
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LOCATIONS_TAG = 0x0A, VALUES_TAG = 0x12, LABEL_TAG = 0x1A, LONGEST_VARINT = 10 };

typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} Bytes;

static bool read_varint(Bytes *bytes, uint64_t *value) {
    uint64_t read = 0;
    for (unsigned shift = 0; shift < 7 * LONGEST_VARINT && bytes->next < bytes->end; shift += 7) {
        uint8_t byte = *bytes->next++;
        read |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return false;
}

static Py_ssize_t count_varints(Bytes bytes) {
    Py_ssize_t count = 0;
    for (const uint8_t *next = bytes.next; next < bytes.end; next++) count += *next < 0x80;
    return count;
}

/* A list of what `table` holds under the packed ids; NULL without an exception where an id is not in it. */
static PyObject *read_stack(Bytes packed, PyObject *table) {
    PyObject *stack = PyList_New(count_varints(packed));
    if (stack == NULL) return NULL;
    for (Py_ssize_t i = 0; packed.next < packed.end; i++) {
        uint64_t id;
        if (!read_varint(&packed, &id) || id >= (uint64_t)PyList_GET_SIZE(table) || i >= PyList_GET_SIZE(stack)) {
            Py_DECREF(stack);
            return NULL;
        }
        PyObject *location = PyList_GET_ITEM(table, (Py_ssize_t)id);
        if (location == Py_None) {
            Py_DECREF(stack);
            return NULL;
        }
        PyList_SET_ITEM(stack, i, Py_NewRef(location));
    }
    return stack;
}

/* A list of the packed numbers, signed; NULL without an exception where they are broken. */
static PyObject *read_values(Bytes packed) {
    PyObject *values = PyList_New(count_varints(packed));
    if (values == NULL) return NULL;
    for (Py_ssize_t i = 0; packed.next < packed.end; i++) {
        uint64_t value;
        PyObject *number = NULL;
        if (read_varint(&packed, &value) && i < PyList_GET_SIZE(values)) number = PyLong_FromLongLong((int64_t)value);
        if (number == NULL) {
            Py_DECREF(values);
            return NULL;
        }
        PyList_SET_ITEM(values, i, number);
    }
    return values;
}

typedef struct {
    PyObject *stack;
    PyObject *values;
    PyObject *labels;
} Parts;

/* Puts one field where it belongs; false for a second stack or row of values, and for any other field. */
static bool take_field(Parts *parts, uint8_t tag, Bytes content, PyObject *table) {
    if (tag == LOCATIONS_TAG && parts->stack == NULL) return (parts->stack = read_stack(content, table)) != NULL;
    if (tag == VALUES_TAG && parts->values == NULL) return (parts->values = read_values(content)) != NULL;
    if (tag != LABEL_TAG) return false;
    PyObject *label = PyBytes_FromStringAndSize((const char *)content.next, content.end - content.next);
    if (label == NULL) return false;
    int failed = PyList_Append(parts->labels, label);
    Py_DECREF(label);
    return !failed;
}

static bool take_fields(Parts *parts, Bytes bytes, PyObject *table) {
    while (bytes.next < bytes.end) {
        uint8_t tag = *bytes.next++;
        uint64_t size;
        if (!read_varint(&bytes, &size) || size > (uint64_t)(bytes.end - bytes.next)) return false;
        Bytes content = {bytes.next, bytes.next + size};
        bytes.next = content.end;
        if (!take_field(parts, tag, content, table)) return false;
    }
    if (parts->stack == NULL && (parts->stack = PyList_New(0)) == NULL) return false;
    return parts->values != NULL || (parts->values = PyList_New(0)) != NULL;
}

static PyObject *read_sample(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *data, *table;
    Py_ssize_t start, stop;
    if (!PyArg_ParseTuple(arguments, "SnnO!", &data, &start, &stop, &PyList_Type, &table)) return NULL;
    if (start < 0 || stop < start || stop > PyBytes_GET_SIZE(data)) {
        PyErr_SetString(PyExc_ValueError, "the sample does not lie within the data");
        return NULL;
    }
    const uint8_t *first = (const uint8_t *)PyBytes_AS_STRING(data);
    Parts parts = {.labels = PyList_New(0)};
    if (parts.labels == NULL) return NULL;
    PyObject *sample = NULL;
    if (take_fields(&parts, (Bytes){first + start, first + stop}, table))
        sample = PyTuple_Pack(3, parts.stack, parts.values, parts.labels);
    else if (!PyErr_Occurred())
        sample = Py_NewRef(Py_None);
    Py_XDECREF(parts.stack);
    Py_XDECREF(parts.values);
    Py_DECREF(parts.labels);
    return sample;
}

/* The sums of one call: by frame number, and which stack last added to each frame. */
typedef struct {
    Py_ssize_t frames;
    int64_t *flat;
    int64_t *cum;
    Py_ssize_t *last_stack;
} Sums;

static bool add_frame(Sums *sums, PyObject *number, Py_ssize_t stack, int64_t value, bool is_leaf) {
    Py_ssize_t frame = PyLong_AsSsize_t(number);
    if (frame < 0 || frame >= sums->frames) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "a frame's number is beyond the last frame");
        return false;
    }
    if (is_leaf && __builtin_add_overflow(sums->flat[frame], value, &sums->flat[frame])) return false;
    if (sums->last_stack[frame] == stack) return true;
    sums->last_stack[frame] = stack;
    return !__builtin_add_overflow(sums->cum[frame], value, &sums->cum[frame]);
}

/* Adds one stack, leaf first. False with an exception for bad arguments, without one where a sum overflows. */
static bool add_stack(Sums *sums, PyObject *locations, PyObject *frames_of, Py_ssize_t stack, int64_t value) {
    bool is_leaf = true;
    /* The size is read anew each time: looking a location up may run code that changes the list. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(locations); i++) {
        PyObject *location = Py_NewRef(PyList_GET_ITEM(locations, i));
        PyObject *frames = PyDict_GetItemWithError(frames_of, location);
        Py_XINCREF(frames);
        if (frames == NULL && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, location);
        Py_DECREF(location);
        if (frames == NULL) return false;
        bool good = PyTuple_Check(frames);
        if (!good) PyErr_SetString(PyExc_TypeError, "a location's frames are a tuple of numbers");
        for (Py_ssize_t k = 0; good && k < PyTuple_GET_SIZE(frames); k++) {
            good = add_frame(sums, PyTuple_GET_ITEM(frames, k), stack, value, is_leaf);
            is_leaf = false;
        }
        Py_DECREF(frames);
        if (!good) return false;
    }
    return true;
}

static PyObject *list_of(const int64_t *numbers, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromLongLong(numbers[i]);
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list;
}

static bool add_stacks(Sums *sums, PyObject *stacks, PyObject *values, PyObject *frames_of) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(stacks) && i < PyList_GET_SIZE(values); i++) {
        int overflow;
        PyObject *number = Py_NewRef(PyList_GET_ITEM(values, i));
        int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
        Py_DECREF(number);
        if (overflow || (value == -1 && PyErr_Occurred())) return false;
        PyObject *stack = Py_NewRef(PyList_GET_ITEM(stacks, i));
        bool good = PyList_Check(stack);
        if (!good)
            PyErr_SetString(PyExc_TypeError, "a stack is a list of locations");
        else
            good = add_stack(sums, stack, frames_of, i + 1, value);
        Py_DECREF(stack);
        if (!good) return false;
    }
    return true;
}

static PyObject *sum_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *stacks, *values, *frames_of;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(arguments, "O!O!O!n", &PyList_Type, &stacks, &PyList_Type, &values, &PyDict_Type,
                          &frames_of, &count))
        return NULL;
    if (count < 0) {
        PyErr_SetString(PyExc_ValueError, "there cannot be fewer than no frames");
        return NULL;
    }
    size_t size = (size_t)count + 1;
    Sums sums = {count, PyMem_Calloc(size, sizeof(int64_t)), PyMem_Calloc(size, sizeof(int64_t)),
                 PyMem_Calloc(size, sizeof(Py_ssize_t))};
    PyObject *result = NULL;
    if (sums.flat == NULL || sums.cum == NULL || sums.last_stack == NULL)
        PyErr_NoMemory();
    else if (add_stacks(&sums, stacks, values, frames_of)) {
        PyObject *flat = list_of(sums.flat, count);
        PyObject *cum = list_of(sums.cum, count);
        if (flat != NULL && cum != NULL) result = PyTuple_Pack(2, flat, cum);
        Py_XDECREF(flat);
        Py_XDECREF(cum);
    } else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    PyMem_Free(sums.flat);
    PyMem_Free(sums.cum);
    PyMem_Free(sums.last_stack);
    return result;
}

PyMethodDef packed_stack_methods[] = {
    {"read_sample", read_sample, METH_VARARGS,
     "read_sample(data, start, stop, table): (stack, values, labels) of a sample in the usual form, or None."},
    {"sum_stacks", sum_stacks, METH_VARARGS,
     "sum_stacks(stacks, values, frames_of, count): (flat, cum) by frame number, or None where one overflows."},
    {NULL, NULL, 0, NULL},
};
