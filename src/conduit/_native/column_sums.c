/* Summing the stacks of a profile: the loops that run once for every frame of every sample.
 *
 * Each location has a run of numbers. In `sum_stacks` they are its frames, innermost first; in `sum_calls` its steps,
 * outermost first: -1 for a frame that is left out, otherwise twice the frame's number, plus one if it is inlined. Run
 * i of `numbers` (int32) lies between positions i and i + 1 of `runs` (int32). Both functions return the same as the
 * loops in Python, or None where a sum does not fit into 64 bits. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The sums that one call of a function returns, by frame number, and the stack that last added to each frame. */
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

/* The arguments of both functions, opened. */
typedef struct {
    Stacks stacks;
    Py_buffer values, others, runs, numbers;
    Py_ssize_t locations, frames;
} Input;

static bool refuse(const char *reason) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

static bool open_input(Input *input, PyObject *arguments) {
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*y*n", &input->stacks.bounds_buffer, &input->stacks.frames_buffer,
                          &input->values, &input->others, &input->runs, &input->numbers, &input->frames))
        return false;
    bool good = open_stacks(&input->stacks);
    Py_ssize_t size = input->stacks.count * (Py_ssize_t)sizeof(int64_t);
    if (good && (input->values.len != size || input->others.len != size))
        good = refuse("there is not one value a stack");
    if (good && (input->frames < 0 || input->frames > INT32_MAX / 2))
        good = refuse("the number of frames is negative or beyond 30 bits");
    const int32_t *runs = input->runs.buf;
    input->locations = input->runs.len / (Py_ssize_t)sizeof(int32_t) - 1;
    int32_t numbers = (int32_t)(input->numbers.len / (Py_ssize_t)sizeof(int32_t));
    if (good && (input->locations < 0 || runs[0] != 0 || runs[input->locations] != numbers))
        good = refuse("runs do not fit");
    for (Py_ssize_t i = 0; good && i < input->locations; i++)
        if (runs[i] > runs[i + 1]) good = refuse("runs do not fit");
    const int32_t *number = input->numbers.buf;
    for (int32_t i = 0; good && i < numbers; i++)
        if (number[i] < -1 || number[i] >= 2 * input->frames)
            good = refuse("a frame's number is beyond the last frame");
    for (int64_t k = 0; good && k < input->stacks.size; k++)
        if (input->stacks.frames[k] >= (size_t)input->locations)
            good = refuse("a location's index is beyond the table");
    if (good) return true;
    close_stacks(&input->stacks);
    PyBuffer_Release(&input->values);
    PyBuffer_Release(&input->others);
    PyBuffer_Release(&input->runs);
    PyBuffer_Release(&input->numbers);
    return false;
}

static void close_input(Input *input) {
    close_stacks(&input->stacks);
    PyBuffer_Release(&input->values);
    PyBuffer_Release(&input->others);
    PyBuffer_Release(&input->runs);
    PyBuffer_Release(&input->numbers);
}

/* Whether a sample has no weight: its value is 0, and so is the second value, by which a report divides. */
static bool is_weightless(const Input *input, Py_ssize_t stack) {
    return ((const int64_t *)input->values.buf)[stack] == 0 && ((const int64_t *)input->others.buf)[stack] == 0;
}

/* Leaf first. False where a sum overflows. */
static bool add_stack(const Input *input, Sums *sums, Py_ssize_t stack) {
    const int32_t *runs = input->runs.buf, *numbers = input->numbers.buf;
    int64_t value = ((const int64_t *)input->values.buf)[stack];
    bool is_leaf = true;
    for (int64_t k = input->stacks.starts[stack]; k < input->stacks.stops[stack]; k++) {
        uint32_t location = input->stacks.frames[k];
        for (int32_t n = runs[location]; n < runs[location + 1]; n++) {
            int32_t frame = numbers[n];
            if (frame < 0 || frame >= sums->frames) return refuse("a frame's number is beyond the last frame");
            if (is_leaf && __builtin_add_overflow(sums->flat[frame], value, &sums->flat[frame])) return false;
            is_leaf = false;
            if (sums->last_stack[frame] == stack + 1) continue;
            sums->last_stack[frame] = stack + 1;
            if (__builtin_add_overflow(sums->cum[frame], value, &sums->cum[frame])) return false;
        }
    }
    return true;
}

static PyObject *sum_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Input input;
    if (!open_input(&input, arguments)) return NULL;
    Sums sums;
    PyObject *result = NULL;
    bool good = make_sums(&sums, input.frames);
    for (Py_ssize_t i = 0; good && i < input.stacks.count; i++)
        good = is_weightless(&input, i) || add_stack(&input, &sums, i);
    if (good)
        result = Py_BuildValue("(NN)", list_of(sums.flat, input.frames), list_of(sums.cum, input.frames));
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    free_sums(&sums);
    close_input(&input);
    return result;
}

/* One call from a frame to another, with the key caller * frames + callee; or a frame's samples with one set of labels,
 * with the key frame * sets + set. */
typedef struct {
    uint64_t key;
    int64_t weight;
    int64_t own; /* with labels: the sum of the stacks in which the frame is the leaf */
    Py_ssize_t last_stack;
    bool called;   /* at least once, the callee was not inlined */
    bool residual; /* at least once, a frame between the two was left out */
} Call;

/* Calls in order of first use. */
typedef struct {
    Call *calls;
    size_t capacity;
    uint32_t count;
    HashIndex index;
} CallTable;

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

/* One step; false where a sum overflows, or with an exception. */
static bool take_step(CallTable *table, Sums *sums, Walk *walk, int32_t step) {
    if (step == -1) {
        walk->residual = true;
        return true;
    }
    Py_ssize_t frame = step >> 1;
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
static bool walk_stack(const Input *input, CallTable *table, Sums *sums, Py_ssize_t stack) {
    const int32_t *runs = input->runs.buf, *numbers = input->numbers.buf;
    Walk walk = {stack + 1, ((const int64_t *)input->values.buf)[stack], -1, false};
    for (int64_t k = input->stacks.stops[stack]; k-- > input->stacks.starts[stack];) {
        uint32_t location = input->stacks.frames[k];
        for (int32_t n = runs[location]; n < runs[location + 1]; n++)
            if (!take_step(table, sums, &walk, numbers[n])) return false;
    }
    if (walk.residual || walk.parent < 0) return true; /* a leaf that is left out passes its value to no frame */
    return !__builtin_add_overflow(sums->flat[walk.parent], walk.value, &sums->flat[walk.parent]);
}

enum { REAL_CALL = 1, RESIDUAL = 2 };

/* (keys, weights, flags) as bytes, in order of first use. */
static PyObject *calls_result(const CallTable *table, PyObject *flat, PyObject *cum) {
    Py_ssize_t size = (Py_ssize_t)table->count * (Py_ssize_t)sizeof(int64_t);
    PyObject *keys = PyBytes_FromStringAndSize(NULL, size), *weights = PyBytes_FromStringAndSize(NULL, size);
    PyObject *flags = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)table->count);
    if (keys == NULL || weights == NULL || flags == NULL) {
        PyErr_NoMemory();
        Py_XDECREF(keys);
        Py_XDECREF(weights);
        Py_XDECREF(flags);
        Py_XDECREF(flat);
        Py_XDECREF(cum);
        return NULL;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const Call *call = &table->calls[i];
        memcpy(PyBytes_AS_STRING(keys) + i * sizeof(int64_t), &call->key, sizeof(int64_t));
        memcpy(PyBytes_AS_STRING(weights) + i * sizeof(int64_t), &call->weight, sizeof(int64_t));
        PyBytes_AS_STRING(flags)[i] = (char)((call->called ? REAL_CALL : 0) | (call->residual ? RESIDUAL : 0));
    }
    return Py_BuildValue("(NNNNN)", flat, cum, keys, weights, flags);
}

static PyObject *sum_calls(PyObject *module, PyObject *arguments) {
    (void)module;
    Input input;
    if (!open_input(&input, arguments)) return NULL;
    Sums sums;
    CallTable table = {0};
    PyObject *result = NULL;
    bool good = make_sums(&sums, input.frames);
    for (Py_ssize_t i = 0; good && i < input.stacks.count; i++)
        good = is_weightless(&input, i) || walk_stack(&input, &table, &sums, i);
    if (good)
        result = calls_result(&table, list_of(sums.flat, input.frames), list_of(sums.cum, input.frames));
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    free(table.calls);
    hash_index_clear(&table.index);
    free_sums(&sums);
    close_input(&input);
    return result;
}

/* ── by labels ── */

/* Add a stack's value once to each of its frames under its set of labels, and to the leaf's own. */
static bool walk_labels(const Input *input, CallTable *cells, Sums *sums, Py_ssize_t stack, uint64_t sets,
                        uint32_t set) {
    const int32_t *runs = input->runs.buf, *numbers = input->numbers.buf;
    int64_t value = ((const int64_t *)input->values.buf)[stack];
    Py_ssize_t leaf = -1;
    for (int64_t k = input->stacks.stops[stack]; k-- > input->stacks.starts[stack];) {
        uint32_t location = input->stacks.frames[k];
        for (int32_t n = runs[location]; n < runs[location + 1]; n++) {
            leaf = numbers[n] < 0 ? -1 : numbers[n] >> 1;
            if (leaf < 0 || sums->last_stack[leaf] == stack + 1) continue;
            sums->last_stack[leaf] = stack + 1;
            Call *cell = find_call(cells, (uint64_t)leaf * sets + set);
            if (cell == NULL || __builtin_add_overflow(cell->weight, value, &cell->weight)) return false;
        }
    }
    if (leaf < 0) return true;
    Call *cell = find_call(cells, (uint64_t)leaf * sets + set);
    return cell != NULL && !__builtin_add_overflow(cell->own, value, &cell->own);
}

static PyObject *cells_result(const CallTable *cells) {
    Py_ssize_t size = (Py_ssize_t)cells->count * (Py_ssize_t)sizeof(int64_t);
    PyObject *keys = PyBytes_FromStringAndSize(NULL, size), *flat = PyBytes_FromStringAndSize(NULL, size);
    PyObject *cum = PyBytes_FromStringAndSize(NULL, size);
    if (keys == NULL || flat == NULL || cum == NULL) {
        Py_XDECREF(keys);
        Py_XDECREF(flat);
        Py_XDECREF(cum);
        return PyErr_NoMemory();
    }
    for (uint32_t i = 0; i < cells->count; i++) {
        memcpy(PyBytes_AS_STRING(keys) + i * sizeof(int64_t), &cells->calls[i].key, sizeof(int64_t));
        memcpy(PyBytes_AS_STRING(flat) + i * sizeof(int64_t), &cells->calls[i].own, sizeof(int64_t));
        memcpy(PyBytes_AS_STRING(cum) + i * sizeof(int64_t), &cells->calls[i].weight, sizeof(int64_t));
    }
    return Py_BuildValue("(NNN)", keys, flat, cum);
}

static PyObject *sum_labels(PyObject *module, PyObject *arguments) {
    (void)module;
    Input input;
    if (PyTuple_GET_SIZE(arguments) != 9) {
        PyErr_SetString(PyExc_TypeError, "sum_labels takes 9 arguments");
        return NULL;
    }
    PyObject *first = PyTuple_GetSlice(arguments, 0, 7), *rest = PyTuple_GetSlice(arguments, 7, 9), *result = NULL;
    Py_buffer label_of;
    Py_ssize_t sets;
    if (first == NULL || rest == NULL || !PyArg_ParseTuple(rest, "y*n", &label_of, &sets)) goto done;
    if (!open_input(&input, first)) {
        PyBuffer_Release(&label_of);
        goto done;
    }
    Sums sums;
    CallTable cells = {0};
    bool good = make_sums(&sums, input.frames);
    if (good && label_of.len != input.stacks.count * (Py_ssize_t)sizeof(uint32_t))
        good = refuse("there is not one set of labels a stack");
    const uint32_t *set = label_of.buf;
    for (Py_ssize_t i = 0; good && i < input.stacks.count; i++) {
        if (set[i] >= (uint64_t)(sets < 0 ? 0 : sets)) good = refuse("there is no such set of labels");
        good = good &&
               (is_weightless(&input, i) || walk_labels(&input, &cells, &sums, i, (uint64_t)sets, set[i]));
    }
    if (good)
        result = cells_result(&cells);
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    free(cells.calls);
    hash_index_clear(&cells.index);
    free_sums(&sums);
    close_input(&input);
    PyBuffer_Release(&label_of);
done:
    Py_XDECREF(first);
    Py_XDECREF(rest);
    return result;
}

/* ── calls in order ── */

/* A call of one frame, as it is sorted: largest weight first, then by the rank of the other frame, then by number. */
typedef struct {
    uint64_t size;
    uint32_t rank, number;
} Ranked;

static int compare_ranked(const void *first, const void *second) {
    const Ranked *a = first, *b = second;
    if (a->size != b->size) return a->size < b->size ? 1 : -1;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

typedef struct {
    Py_buffer keys, weights, ranks;
    Py_ssize_t calls, frames;
    uint32_t *runs; /* frames + 1 */
    Ranked *ranked;
} Sorting;

static inline size_t end_of(const Sorting *sorting, Py_ssize_t call, bool by_caller) {
    uint64_t key = ((const uint64_t *)sorting->keys.buf)[call], frames = (uint64_t)sorting->frames;
    return by_caller ? key / frames : key % frames;
}

/* (runs, numbers of the calls), as bytes: those of each caller, or of each callee. */
static PyObject *sort_by(Sorting *sorting, bool by_caller) {
    memset(sorting->runs, 0, ((size_t)sorting->frames + 1) * sizeof(uint32_t));
    for (Py_ssize_t i = 0; i < sorting->calls; i++) sorting->runs[end_of(sorting, i, by_caller) + 1]++;
    for (Py_ssize_t i = 0; i < sorting->frames; i++) sorting->runs[i + 1] += sorting->runs[i];
    Py_ssize_t size = (sorting->frames + 1) * (Py_ssize_t)sizeof(uint32_t);
    PyObject *runs = PyBytes_FromStringAndSize((const char *)sorting->runs, size);
    PyObject *numbers = PyBytes_FromStringAndSize(NULL, sorting->calls * (Py_ssize_t)sizeof(uint32_t));
    if (runs == NULL || numbers == NULL) {
        Py_XDECREF(runs);
        Py_XDECREF(numbers);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < sorting->calls; i++) {
        int64_t weight = ((const int64_t *)sorting->weights.buf)[i];
        uint32_t rank = ((const uint32_t *)sorting->ranks.buf)[end_of(sorting, i, !by_caller)];
        uint64_t size_of = weight < 0 ? 0 - (uint64_t)weight : (uint64_t)weight;
        sorting->ranked[sorting->runs[end_of(sorting, i, by_caller)]++] = (Ranked){size_of, rank, (uint32_t)i};
    }
    const uint32_t *bounds = (const uint32_t *)PyBytes_AS_STRING(runs);
    uint32_t *order = (uint32_t *)PyBytes_AS_STRING(numbers);
    for (Py_ssize_t i = 0; i < sorting->frames; i++)
        qsort(sorting->ranked + bounds[i], bounds[i + 1] - bounds[i], sizeof(Ranked), compare_ranked);
    for (Py_ssize_t i = 0; i < sorting->calls; i++) order[i] = sorting->ranked[i].number;
    return Py_BuildValue("(NN)", runs, numbers);
}

static bool check_sorting(Sorting *sorting) {
    sorting->calls = sorting->keys.len / (Py_ssize_t)sizeof(uint64_t);
    sorting->frames = sorting->ranks.len / (Py_ssize_t)sizeof(uint32_t);
    if (sorting->weights.len != sorting->keys.len) return refuse("there is not one weight a call");
    if (sorting->calls >= UINT32_MAX) return refuse("there are too many calls");
    uint64_t frames = (uint64_t)sorting->frames;
    for (Py_ssize_t i = 0; i < sorting->calls; i++)
        if (!frames || ((const uint64_t *)sorting->keys.buf)[i] / frames >= frames)
            return refuse("a frame's number is beyond the last frame");
    return true;
}

static PyObject *sort_calls(PyObject *module, PyObject *arguments) {
    (void)module;
    Sorting sorting = {0};
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &sorting.keys, &sorting.weights, &sorting.ranks)) return NULL;
    PyObject *outgoing = NULL, *incoming = NULL, *result = NULL;
    if (!check_sorting(&sorting)) goto done;
    sorting.runs = malloc(((size_t)sorting.frames + 1) * sizeof(uint32_t));
    sorting.ranked = malloc(((size_t)sorting.calls + 1) * sizeof(Ranked));
    if (sorting.runs == NULL || sorting.ranked == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    outgoing = sort_by(&sorting, true);
    incoming = outgoing == NULL ? NULL : sort_by(&sorting, false);
    if (incoming != NULL) result = PyTuple_Pack(2, outgoing, incoming);
done:
    Py_XDECREF(outgoing);
    Py_XDECREF(incoming);
    free(sorting.runs);
    free(sorting.ranked);
    PyBuffer_Release(&sorting.keys);
    PyBuffer_Release(&sorting.weights);
    PyBuffer_Release(&sorting.ranks);
    return result;
}

PyMethodDef column_sum_methods[] = {
    {"sum_stacks", sum_stacks, METH_VARARGS, NULL},
    {"sum_calls", sum_calls, METH_VARARGS, NULL},
    {"sum_labels", sum_labels, METH_VARARGS, NULL},
    {"sort_calls", sort_calls, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
