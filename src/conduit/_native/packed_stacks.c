/* Reading and summing the stacks of a profile: the loops that run once for every frame of every sample.
 *
 * `read_sample` reads a sample in the one form that writers use and returns None for any other, malformed ones
 * included, which the reader in Python then handles. `sum_stacks` and `sum_calls` return the same as the loops in
 * Python, or None where a sum does not fit into 64 bits. Input may be hostile: each length is compared with the rest
 * before anything is read. */
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LOCATIONS_TAG = 0x0A, VALUES_TAG = 0x12, LABEL_TAG = 0x1A, MAX_VARINT = 10 };

typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} Bytes;

static bool read_varint(Bytes *bytes, uint64_t *value) {
    uint64_t read = 0;
    for (unsigned shift = 0; shift < 7 * MAX_VARINT && bytes->next < bytes->end; shift += 7) {
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

/* A list of the members of `table` with the packed ids; NULL without an exception where an id is not in it. */
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

/* A list of the packed numbers, signed; NULL without an exception where they are malformed. */
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

/* Read one field; false for a second stack or row of values, and for any other field. */
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

static bool make_sums(Sums *sums, Py_ssize_t frames) {
    size_t size = (size_t)frames + 1;
    *sums = (Sums){frames, PyMem_Calloc(size, sizeof(int64_t)), PyMem_Calloc(size, sizeof(int64_t)),
                   PyMem_Calloc(size, sizeof(Py_ssize_t))};
    if (sums->flat != NULL && sums->cum != NULL && sums->last_stack != NULL) return true;
    PyErr_NoMemory();
    return false;
}

static void free_sums(Sums *sums) {
    PyMem_Free(sums->flat);
    PyMem_Free(sums->cum);
    PyMem_Free(sums->last_stack);
}

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

/* The tuple of numbers of location `i` of a stack, owned; NULL with an exception. */
static PyObject *numbers_at(PyObject *locations, Py_ssize_t i, PyObject *numbers_of) {
    PyObject *location = Py_NewRef(PyList_GET_ITEM(locations, i));
    PyObject *numbers = PyDict_GetItemWithError(numbers_of, location);
    Py_XINCREF(numbers);
    if (numbers == NULL && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, location);
    Py_DECREF(location);
    if (numbers == NULL || PyTuple_Check(numbers)) return numbers;
    PyErr_SetString(PyExc_TypeError, "expected a tuple of numbers for each location");
    Py_DECREF(numbers);
    return NULL;
}

typedef struct CallTable CallTable;

/* The sums that stacks are added to. */
typedef struct {
    Sums *sums;
    CallTable *table;
    PyObject *numbers_of;
} Totals;

/* Add one stack, counted from 1. False: with an exception for bad arguments, without one where a sum overflows. */
typedef bool (*AddStack)(const Totals *totals, PyObject *locations, Py_ssize_t stack, int64_t value);

static bool add_each(const Totals *totals, PyObject *stacks, PyObject *values, AddStack add) {
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
            good = add(totals, stack, i + 1, value);
        Py_DECREF(stack);
        if (!good) return false;
    }
    return true;
}

/* Leaf first. */
static bool add_stack(const Totals *totals, PyObject *locations, Py_ssize_t stack, int64_t value) {
    bool is_leaf = true;
    /* The size is read anew each time: looking a location up may run code that changes the list. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(locations); i++) {
        PyObject *frames = numbers_at(locations, i, totals->numbers_of);
        bool good = frames != NULL;
        for (Py_ssize_t k = 0; good && k < PyTuple_GET_SIZE(frames); k++) {
            good = add_frame(totals->sums, PyTuple_GET_ITEM(frames, k), stack, value, is_leaf);
            is_leaf = false;
        }
        Py_XDECREF(frames);
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

static PyObject *sum_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *stacks, *values, *frames_of;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(arguments, "O!O!O!n", &PyList_Type, &stacks, &PyList_Type, &values, &PyDict_Type,
                          &frames_of, &count))
        return NULL;
    if (count < 0) {
        PyErr_SetString(PyExc_ValueError, "the number of frames is negative");
        return NULL;
    }
    Sums sums;
    PyObject *result = NULL;
    if (make_sums(&sums, count)) {
        if (add_each(&(Totals){&sums, NULL, frames_of}, stacks, values, add_stack))
            result = Py_BuildValue("(NN)", list_of(sums.flat, count), list_of(sums.cum, count));
        else if (!PyErr_Occurred())
            result = Py_NewRef(Py_None);
    }
    free_sums(&sums);
    return result;
}

/* One call from a frame to another, by caller * frames + callee, and its sum. */
typedef struct {
    uint64_t key;
    int64_t weight;
    Py_ssize_t last_stack;
    bool called;   /* at least once, the callee was not inlined */
    bool residual; /* at least once, a frame between the two was left out */
} Call;

/* Calls in order of first use. */
struct CallTable {
    Call *calls;
    size_t capacity;
    uint32_t count;
    HashIndex index;
};

/* The call with this key, added if it is new; NULL with an exception where there is no memory. */
static Call *find_call(CallTable *table, uint64_t key) {
    uint32_t hash = (uint32_t)hash_mix(0, key), probe = 0;
    for (uint32_t found; (found = hash_index_next(&table->index, hash, &probe)) != HASH_NO_ENTRY;)
        if (table->calls[found].key == key) return &table->calls[found];
    if (table->count >= UINT32_MAX / 2 || !hash_index_reserve(&table->index) ||
        !array_reserve((void **)&table->calls, &table->capacity, (size_t)table->count + 1, sizeof(Call))) {
        PyErr_NoMemory();
        return NULL;
    }
    hash_index_add(&table->index, hash, table->count);
    Call *call = &table->calls[table->count++];
    *call = (Call){.key = key};
    return call;
}

/* The state of a walk from the root of a stack. */
typedef struct {
    Py_ssize_t stack;
    int64_t value;
    Py_ssize_t parent; /* the last kept frame, or -1 */
    bool residual;     /* a frame was left out since */
} Walk;

static bool take_call(CallTable *table, const Sums *sums, const Walk *walk, Py_ssize_t frame, bool inlined) {
    Call *call = find_call(table, (uint64_t)walk->parent * (uint64_t)sums->frames + (uint64_t)frame);
    if (call == NULL) return false;
    if (call->last_stack == walk->stack) return true;
    call->last_stack = walk->stack;
    call->called |= !inlined;
    call->residual |= walk->residual;
    return !__builtin_add_overflow(call->weight, walk->value, &call->weight);
}

/* One step: -1 for a frame that is left out, else twice its number, plus one where it is inlined. */
static bool take_step(CallTable *table, Sums *sums, Walk *walk, PyObject *number) {
    Py_ssize_t step = PyLong_AsSsize_t(number);
    if (step == -1) {
        walk->residual = true;
        return !PyErr_Occurred();
    }
    Py_ssize_t frame = step >> 1;
    if (frame < 0 || frame >= sums->frames) {
        PyErr_SetString(PyExc_IndexError, "a frame's number is beyond the last frame");
        return false;
    }
    if (sums->last_stack[frame] != walk->stack) {
        sums->last_stack[frame] = walk->stack;
        if (__builtin_add_overflow(sums->cum[frame], walk->value, &sums->cum[frame])) return false;
    }
    if (walk->parent >= 0 && walk->parent != frame && !take_call(table, sums, walk, frame, step & 1)) return false;
    walk->parent = frame;
    walk->residual = false;
    return true;
}

/* The root first. */
static bool walk_stack(const Totals *totals, PyObject *locations, Py_ssize_t stack, int64_t value) {
    Walk walk = {stack, value, -1, false};
    for (Py_ssize_t i = PyList_GET_SIZE(locations); i-- > 0;) {
        if (i >= PyList_GET_SIZE(locations)) continue; /* it shrank while a location was looked up */
        PyObject *steps = numbers_at(locations, i, totals->numbers_of);
        bool good = steps != NULL;
        for (Py_ssize_t k = 0; good && k < PyTuple_GET_SIZE(steps); k++)
            good = take_step(totals->table, totals->sums, &walk, PyTuple_GET_ITEM(steps, k));
        Py_XDECREF(steps);
        if (!good) return false;
    }
    if (walk.residual || walk.parent < 0) return true; /* a leaf that is left out passes its value to no frame */
    int64_t *flat = &totals->sums->flat[walk.parent];
    return !__builtin_add_overflow(*flat, value, flat);
}

static PyObject *list_of_calls(const CallTable *table) {
    PyObject *list = PyList_New((Py_ssize_t)table->count);
    for (uint32_t i = 0; list != NULL && i < table->count; i++) {
        const Call *call = &table->calls[i];
        PyObject *row = Py_BuildValue("(KLNN)", (unsigned long long)call->key, (long long)call->weight,
                                      PyBool_FromLong(call->called), PyBool_FromLong(call->residual));
        if (row == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, row);
    }
    return list;
}

static PyObject *sum_calls(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *stacks, *values, *steps_of;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(arguments, "O!O!O!n", &PyList_Type, &stacks, &PyList_Type, &values, &PyDict_Type, &steps_of,
                          &count))
        return NULL;
    if (count < 0 || count > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "the number of frames is negative or beyond 31 bits");
        return NULL;
    }
    Sums sums;
    CallTable table = {0};
    PyObject *result = NULL;
    if (make_sums(&sums, count)) {
        if (add_each(&(Totals){&sums, &table, steps_of}, stacks, values, walk_stack))
            result = Py_BuildValue("(NNN)", list_of(sums.flat, count), list_of(sums.cum, count), list_of_calls(&table));
        else if (!PyErr_Occurred())
            result = Py_NewRef(Py_None);
    }
    free(table.calls);
    hash_index_clear(&table.index);
    free_sums(&sums);
    return result;
}

PyMethodDef packed_stack_methods[] = {
    {"read_sample", read_sample, METH_VARARGS,
     "read_sample(data, start, stop, table): (stack, values, labels) of a sample in the usual form, or None."},
    {"sum_stacks", sum_stacks, METH_VARARGS,
     "sum_stacks(stacks, values, frames_of, count): (flat, cum) by frame number, or None where one overflows."},
    {"sum_calls", sum_calls, METH_VARARGS,
     "sum_calls(stacks, values, steps_of, count): (flat, cum, calls), or None where a sum overflows."},
    {NULL, NULL, 0, NULL},
};
