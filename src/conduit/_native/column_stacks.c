/* The stacks of a profile's columns: opened, matched, selected, cut, wrapped, grouped. See columns.c for their form. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static PyObject *bytes_of(const void *memory, size_t size) {
    return PyBytes_FromStringAndSize(memory, (Py_ssize_t)size);
}

/* Fill in the fields from the two buffers; false, with an exception, if a stack does not lie within the frames. */
bool open_stacks(Stacks *stacks) {
    Py_ssize_t numbers = stacks->bounds_buffer.len / (Py_ssize_t)sizeof(int64_t);
    stacks->count = numbers / 2;
    stacks->starts = stacks->bounds_buffer.buf;
    stacks->stops = stacks->starts + stacks->count;
    stacks->frames = stacks->frames_buffer.buf;
    stacks->size = stacks->frames_buffer.len / (Py_ssize_t)sizeof(uint32_t);
    stacks->total = 0;
    bool good = numbers % 2 == 0;
    for (Py_ssize_t i = 0; good && i < stacks->count; i++)
        good = 0 <= stacks->starts[i] && stacks->starts[i] <= stacks->stops[i] && stacks->stops[i] <= stacks->size &&
               !__builtin_add_overflow(stacks->total, stacks->stops[i] - stacks->starts[i], &stacks->total);
    if (!good) PyErr_SetString(PyExc_ValueError, "the positions of the stacks do not lie within their frames");
    return good;
}

void close_stacks(Stacks *stacks) {
    PyBuffer_Release(&stacks->bounds_buffer);
    PyBuffer_Release(&stacks->frames_buffer);
}

static bool refuse(const char *reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

/* For each stack, the list of its frames' members of `table`. */
static PyObject *list_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    PyObject *table;
    if (!PyArg_ParseTuple(arguments, "y*y*O!", &stacks.bounds_buffer, &stacks.frames_buffer, &PyList_Type, &table))
        return NULL;
    PyObject *result = NULL;
    if (!open_stacks(&stacks) || (result = PyList_New(stacks.count)) == NULL) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        PyObject *stack = PyList_New(stacks.stops[i] - stacks.starts[i]);
        if (stack == NULL) goto failed;
        PyList_SET_ITEM(result, i, stack);
        for (int64_t k = stacks.starts[i]; k < stacks.stops[i]; k++) {
            if (stacks.frames[k] >= (size_t)PyList_GET_SIZE(table)) {
                PyErr_SetString(PyExc_IndexError, "a location's index is beyond the table");
                goto failed;
            }
            PyList_SET_ITEM(stack, k - stacks.starts[i], Py_NewRef(PyList_GET_ITEM(table, stacks.frames[k])));
        }
    }
    goto done;
failed:
    Py_CLEAR(result);
done:
    close_stacks(&stacks);
    return result;
}

/* One byte for each stack: 1 if a frame has its flag set in `any` and no frame in `none`. Flags are one byte for each
 * location. */
static PyObject *match_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer any, none;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*", &stacks.bounds_buffer, &stacks.frames_buffer, &any, &none))
        return NULL;
    PyObject *mask = NULL;
    const uint8_t *wanted = any.buf, *unwanted = none.buf;
    if (!open_stacks(&stacks) || (mask = PyBytes_FromStringAndSize(NULL, stacks.count)) == NULL) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        bool has = false, spoiled = false;
        for (int64_t k = stacks.starts[i]; k < stacks.stops[i] && !spoiled; k++) {
            uint32_t frame = stacks.frames[k];
            if (frame >= (size_t)any.len || frame >= (size_t)none.len) {
                PyErr_SetString(PyExc_IndexError, "a location's index is beyond the flags");
                Py_CLEAR(mask);
                goto done;
            }
            has |= wanted[frame] != 0;
            spoiled = unwanted[frame] != 0;
        }
        PyBytes_AS_STRING(mask)[i] = has && !spoiled;
    }
done:
    close_stacks(&stacks);
    PyBuffer_Release(&any);
    PyBuffer_Release(&none);
    return mask;
}

/* ── writing ── */

/* Stacks being written one after another. If stacks that are read share frames, so do the written ones: a stack at the
 * position of an earlier one gets the position at which that one was written. */
typedef struct {
    const Stacks *from;
    int64_t *starts, *stops;
    uint32_t *frames;
    size_t count, used, ended; /* `ended`: frames of the complete stacks */
    bool shares;
    HashIndex index; /* of the stacks in `ends`, by where they lie */
    struct {
        Py_ssize_t read;
        size_t written;
    } *ends;
    size_t ends_capacity;
} StackWriter;

/* Make room for the frames that are read and `more` others. */
static bool open_writer(StackWriter *writer, const Stacks *from, size_t more) {
    *writer = (StackWriter){.from = from, .shares = from->total > from->size};
    writer->starts = malloc(((size_t)from->count + 1) * sizeof(int64_t));
    writer->stops = malloc(((size_t)from->count + 1) * sizeof(int64_t));
    if ((size_t)from->total < PY_SSIZE_T_MAX / sizeof(uint32_t) - more)
        writer->frames = malloc(((size_t)from->total + more + 1) * sizeof(uint32_t));
    if (writer->starts != NULL && writer->stops != NULL && writer->frames != NULL) return true;
    PyErr_NoMemory();
    return false;
}

static void close_writer(StackWriter *writer) {
    free(writer->starts);
    free(writer->stops);
    free(writer->frames);
    free(writer->ends);
    hash_index_clear(&writer->index);
}

static uint32_t hash_of_place(const Stacks *stacks, Py_ssize_t i) {
    return (uint32_t)hash_mix(hash_mix(0, (uint64_t)stacks->starts[i]), (uint64_t)stacks->stops[i]);
}

static bool put_known(StackWriter *writer, Py_ssize_t i) {
    if (!writer->shares) return false;
    const Stacks *from = writer->from;
    uint32_t hash = hash_of_place(from, i), probe = 0;
    for (uint32_t found; (found = hash_index_next(&writer->index, hash, &probe)) != HASH_NO_ENTRY;) {
        Py_ssize_t read = writer->ends[found].read;
        if (from->starts[read] != from->starts[i] || from->stops[read] != from->stops[i]) continue;
        size_t written = writer->ends[found].written;
        writer->starts[writer->count] = writer->starts[written];
        writer->stops[writer->count++] = writer->stops[written];
        return true;
    }
    return false;
}

/* End the stack whose frames have been written: it is the result for stack `i`. */
static bool end_stack(StackWriter *writer, Py_ssize_t i) {
    size_t number = writer->count++;
    writer->starts[number] = (int64_t)writer->ended;
    writer->stops[number] = (int64_t)writer->used;
    writer->ended = writer->used;
    if (!writer->shares) return true;
    uint32_t entry = writer->index.used;
    if (!hash_index_reserve(&writer->index) || !array_reserve((void **)&writer->ends, &writer->ends_capacity,
                                                              (size_t)entry + 1, sizeof *writer->ends)) {
        PyErr_NoMemory();
        return false;
    }
    writer->ends[entry].read = i;
    writer->ends[entry].written = number;
    hash_index_add(&writer->index, hash_of_place(writer->from, i), entry);
    return true;
}

/* (bounds, frames) */
static PyObject *stacks_written(const StackWriter *writer) {
    size_t size = writer->count * sizeof(int64_t);
    PyObject *bounds = bytes_of(NULL, 2 * size), *frames = bytes_of(writer->frames, writer->used * sizeof(uint32_t));
    if (bounds == NULL || frames == NULL) {
        Py_XDECREF(bounds);
        Py_XDECREF(frames);
        return NULL;
    }
    memcpy(PyBytes_AS_STRING(bounds), writer->starts, size);
    memcpy(PyBytes_AS_STRING(bounds) + size, writer->stops, size);
    return Py_BuildValue("(NN)", bounds, frames);
}

/* (bounds, frames) of the stacks whose byte in `mask` is set, each frame replaced by `new_of[frame]`, or omitted if
 * that is -1. */
static PyObject *select_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer mask, new_of;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*", &stacks.bounds_buffer, &stacks.frames_buffer, &mask, &new_of))
        return NULL;
    PyObject *result = NULL;
    StackWriter writer = {0};
    const uint8_t *keep = mask.buf;
    const int32_t *map = new_of.buf;
    size_t locations = (size_t)new_of.len / sizeof(int32_t);
    if (!open_stacks(&stacks)) goto done;
    if (mask.len != stacks.count) {
        refuse("the mask is not as long as the stacks");
        goto done;
    }
    for (int64_t k = 0; k < stacks.size; k++)
        if (stacks.frames[k] >= locations) {
            PyErr_SetString(PyExc_IndexError, "a location's index is beyond the map");
            goto done;
        }
    if (!open_writer(&writer, &stacks, 0)) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        if (!keep[i] || put_known(&writer, i)) continue;
        for (int64_t k = stacks.starts[i]; k < stacks.stops[i]; k++) {
            int32_t frame = map[stacks.frames[k]];
            if (frame >= 0) writer.frames[writer.used++] = (uint32_t)frame;
        }
        if (!end_stack(&writer, i)) goto done;
    }
    result = stacks_written(&writer);
done:
    close_writer(&writer);
    close_stacks(&stacks);
    PyBuffer_Release(&mask);
    PyBuffer_Release(&new_of);
    return result;
}

/* The indices of the locations that occur, in order of first use: stack by stack, from the leaf or from the root on. */
static PyObject *first_uses(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_ssize_t locations;
    int from_root;
    if (!PyArg_ParseTuple(arguments, "y*y*np", &stacks.bounds_buffer, &stacks.frames_buffer, &locations, &from_root))
        return NULL;
    PyObject *result = NULL;
    uint8_t *seen = NULL;
    uint32_t *order = NULL;
    size_t found = 0;
    if (!open_stacks(&stacks)) goto done;
    seen = locations < 0 ? NULL : calloc((size_t)locations + 1, 1);
    order = locations < 0 ? NULL : malloc(((size_t)locations + 1) * sizeof(uint32_t));
    if (seen == NULL || order == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        int64_t depth = stacks.stops[i] - stacks.starts[i];
        for (int64_t k = 0; k < depth; k++) {
            uint32_t frame = stacks.frames[from_root ? stacks.stops[i] - 1 - k : stacks.starts[i] + k];
            if (frame >= (size_t)locations) {
                PyErr_SetString(PyExc_IndexError, "a location's index is beyond the table");
                goto done;
            }
            if (seen[frame]) continue;
            seen[frame] = 1;
            order[found++] = frame;
        }
    }
    result = bytes_of(order, found * sizeof(uint32_t));
done:
    free(seen);
    free(order);
    close_stacks(&stacks);
    return result;
}

/* The number of each stack's group (uint32): equal stacks with equal labels form one group; groups are numbered in
 * order of first use. */
static PyObject *group_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer label_of;
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &stacks.bounds_buffer, &stacks.frames_buffer, &label_of)) return NULL;
    PyObject *result = NULL;
    HashIndex index = {0};
    uint32_t *group_of = NULL, *first_of = NULL, groups = 0;
    const uint32_t *labels = label_of.buf;
    if (!open_stacks(&stacks)) goto done;
    if (label_of.len != stacks.count * (Py_ssize_t)sizeof(uint32_t)) {
        refuse("there is not one set of labels a stack");
        goto done;
    }
    group_of = malloc(((size_t)stacks.count + 1) * sizeof(uint32_t));
    first_of = malloc(((size_t)stacks.count + 1) * sizeof(uint32_t));
    if (group_of == NULL || first_of == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        const uint32_t *frames = stacks.frames + stacks.starts[i];
        size_t size = (size_t)(stacks.stops[i] - stacks.starts[i]);
        uint64_t hash = hash_mix(labels[i], size);
        for (size_t k = 0; k < size; k++) hash = hash_mix(hash, frames[k]);
        uint32_t probe = 0, found;
        while ((found = hash_index_next(&index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY) {
            uint32_t first = first_of[found];
            if (labels[first] == labels[i] && (size_t)(stacks.stops[first] - stacks.starts[first]) == size &&
                !memcmp(stacks.frames + stacks.starts[first], frames, size * sizeof(uint32_t)))
                break;
        }
        if (found == HASH_NO_ENTRY) {
            if (!hash_index_reserve(&index)) {
                PyErr_NoMemory();
                goto done;
            }
            hash_index_add(&index, (uint32_t)hash, groups);
            first_of[groups] = (uint32_t)i;
            found = groups++;
        }
        group_of[i] = found;
    }
    result = Py_BuildValue("(NN)", bytes_of(group_of, (size_t)stacks.count * sizeof(uint32_t)),
                           bytes_of(first_of, groups * sizeof(uint32_t)));
done:
    free(group_of);
    free(first_of);
    hash_index_clear(&index);
    close_stacks(&stacks);
    PyBuffer_Release(&label_of);
    return result;
}

/* The sums (int64, modulo 2**64) of a column's values by group. */
static PyObject *sum_groups(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer values, group_of;
    Py_ssize_t groups;
    if (!PyArg_ParseTuple(arguments, "y*y*n", &values, &group_of, &groups)) return NULL;
    PyObject *result = NULL;
    Py_ssize_t count = values.len / (Py_ssize_t)sizeof(int64_t);
    const int64_t *value = values.buf;
    const uint32_t *group = group_of.buf;
    uint64_t *sums = groups < 0 ? NULL : calloc((size_t)groups + 1, sizeof(uint64_t));
    if (sums == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (group_of.len != count * (Py_ssize_t)sizeof(uint32_t)) {
        refuse("there is not one group a value");
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (group[i] >= (size_t)groups) {
            PyErr_SetString(PyExc_IndexError, "a group's number is beyond the last group");
            goto done;
        }
        sums[group[i]] += (uint64_t)value[i];
    }
    result = bytes_of(sums, (size_t)groups * sizeof(uint64_t));
done:
    free(sums);
    PyBuffer_Release(&values);
    PyBuffer_Release(&group_of);
    return result;
}

/* ── cutting ── */

enum { FROM_ROOT, FROM_LEAF, BELOW_WANTED, TO_HARNESS };

/* The part [begin, end) that is kept of a stack whose frames have flags; see conduit.profile.loops. */
static void cut_range(const uint8_t *flags, const uint32_t *stack, int64_t depth, int how, int64_t *begin,
                      int64_t *end) {
    *begin = 0;
    *end = depth;
    if (how == FROM_LEAF) {
        int64_t k = 0;
        while (k < depth && !flags[stack[k]]) k++;
        if (k < depth) *begin = k;
        return;
    }
    if (how == TO_HARNESS) {
        int64_t k = 0;
        while (k < depth && flags[stack[k]] != 1) k++;
        *end = k;
        while (k > 0 && flags[stack[k - 1]] == 2) k--;
        if (k > 0) *end = k;
        return;
    }
    bool seen_wanted = false;
    for (int64_t k = depth; k-- > 0;) {
        uint8_t flag = flags[stack[k]];
        if (!flag) {
            seen_wanted = true;
        } else if (how == FROM_ROOT) {
            *end = k + 1;
            return;
        } else if (seen_wanted) {
            *begin = flag == 1 ? k : k + 1;
            return;
        }
    }
    if (how == FROM_ROOT) *end = 0;
}

static PyObject *cut_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer flags;
    int how;
    if (!PyArg_ParseTuple(arguments, "y*y*y*i", &stacks.bounds_buffer, &stacks.frames_buffer, &flags, &how))
        return NULL;
    PyObject *result = NULL;
    StackWriter writer = {0};
    if (!open_stacks(&stacks)) goto done;
    for (int64_t k = 0; k < stacks.size; k++)
        if (stacks.frames[k] >= (size_t)flags.len) {
            PyErr_SetString(PyExc_IndexError, "a location's index is beyond the flags");
            goto done;
        }
    if (!open_writer(&writer, &stacks, 0)) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        if (put_known(&writer, i)) continue;
        const uint32_t *stack = stacks.frames + stacks.starts[i];
        int64_t begin, end;
        cut_range(flags.buf, stack, stacks.stops[i] - stacks.starts[i], how, &begin, &end);
        for (int64_t k = begin; k < end; k++) writer.frames[writer.used++] = stack[k];
        if (!end_stack(&writer, i)) goto done;
    }
    result = stacks_written(&writer);
done:
    close_writer(&writer);
    close_stacks(&stacks);
    PyBuffer_Release(&flags);
    return result;
}

/* ── wrapping ── */

/* The frames to add for each set of labels: those of set i are numbers[runs[i]] to numbers[runs[i + 1] - 1]. */
typedef struct {
    Py_buffer runs, numbers;
    Py_ssize_t sets;
} Wrapping;

static bool check_wrapping(Wrapping *wrapping) {
    const int32_t *runs = wrapping->runs.buf;
    wrapping->sets = wrapping->runs.len / (Py_ssize_t)sizeof(int32_t) - 1;
    bool good = wrapping->sets >= 0 && runs[0] == 0 &&
                runs[wrapping->sets] == wrapping->numbers.len / (Py_ssize_t)sizeof(uint32_t);
    for (Py_ssize_t i = 0; good && i < wrapping->sets; i++) good = runs[i] <= runs[i + 1];
    return good || refuse("runs do not fit");
}

static inline size_t run_size(const Wrapping *wrapping, uint32_t set) {
    const int32_t *runs = wrapping->runs.buf;
    return (size_t)(runs[set + 1] - runs[set]);
}

static inline size_t put_run(const Wrapping *wrapping, uint32_t set, uint32_t *frames) {
    const int32_t *runs = wrapping->runs.buf;
    size_t size = run_size(wrapping, set);
    if (size) memcpy(frames, (const uint32_t *)wrapping->numbers.buf + runs[set], size * sizeof(uint32_t));
    return size;
}

static bool check_sets(const Stacks *stacks, const Py_buffer *label_of, const Wrapping *leaves,
                       const Wrapping *roots) {
    if (label_of->len != stacks->count * (Py_ssize_t)sizeof(uint32_t))
        return refuse("there is not one set of labels a stack");
    const uint32_t *sets = label_of->buf;
    for (Py_ssize_t i = 0; i < stacks->count; i++)
        if (sets[i] >= (size_t)leaves->sets || sets[i] >= (size_t)roots->sets)
            return refuse("there is no such set of labels");
    return true;
}

static PyObject *wrap_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer label_of;
    Wrapping leaves, roots;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*y*y*", &stacks.bounds_buffer, &stacks.frames_buffer, &label_of,
                          &leaves.runs, &leaves.numbers, &roots.runs, &roots.numbers))
        return NULL;
    PyObject *result = NULL;
    StackWriter writer = {0};
    bool good = open_stacks(&stacks) && check_wrapping(&leaves) && check_wrapping(&roots) &&
                check_sets(&stacks, &label_of, &leaves, &roots);
    if (!good) goto done;
    const uint32_t *sets = label_of.buf;
    size_t more = 0;
    for (Py_ssize_t i = 0; i < stacks.count; i++) more += run_size(&leaves, sets[i]) + run_size(&roots, sets[i]);
    if (!open_writer(&writer, &stacks, more)) goto done;
    writer.shares = false; /* what a stack becomes depends on its labels */
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        size_t depth = (size_t)(stacks.stops[i] - stacks.starts[i]);
        writer.used += put_run(&leaves, sets[i], writer.frames + writer.used);
        if (depth) memcpy(writer.frames + writer.used, stacks.frames + stacks.starts[i], depth * sizeof(uint32_t));
        writer.used += depth;
        writer.used += put_run(&roots, sets[i], writer.frames + writer.used);
        end_stack(&writer, i);
    }
    result = stacks_written(&writer);
done:
    close_writer(&writer);
    close_stacks(&stacks);
    PyBuffer_Release(&label_of);
    PyBuffer_Release(&leaves.runs);
    PyBuffer_Release(&leaves.numbers);
    PyBuffer_Release(&roots.runs);
    PyBuffer_Release(&roots.numbers);
    return result;
}

/* ── texts ── */

/* The texts of a report: for each stack one before, those of its frames, and one after. */
typedef struct {
    PyObject *first, *rest, *before, *after; /* lists of bytes */
} Texts;

static bool is_list_of_bytes(PyObject *list, Py_ssize_t size) {
    if (size >= 0 && PyList_GET_SIZE(list) != size) return refuse("there is not one text a stack");
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        if (!PyBytes_Check(PyList_GET_ITEM(list, i))) return refuse("a text is not bytes");
    return true;
}

static inline size_t put_text(PyObject *list, size_t number, char *at) {
    PyObject *text = PyList_GET_ITEM(list, number);
    size_t size = (size_t)PyBytes_GET_SIZE(text);
    if (at != NULL) memcpy(at, PyBytes_AS_STRING(text), size);
    return size;
}

/* Write all texts to `at` unless it is NULL; return their total size. */
static size_t put_texts(const Stacks *stacks, const Texts *texts, char *at) {
    size_t used = 0;
    for (Py_ssize_t i = 0; i < stacks->count; i++) {
        used += put_text(texts->before, (size_t)i, at ? at + used : NULL);
        for (int64_t k = stacks->starts[i]; k < stacks->stops[i]; k++)
            used += put_text(k == stacks->starts[i] ? texts->first : texts->rest, stacks->frames[k],
                             at ? at + used : NULL);
        used += put_text(texts->after, (size_t)i, at ? at + used : NULL);
    }
    return used;
}

static PyObject *join_texts(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Texts texts;
    if (!PyArg_ParseTuple(arguments, "y*y*O!O!O!O!", &stacks.bounds_buffer, &stacks.frames_buffer, &PyList_Type,
                          &texts.first, &PyList_Type, &texts.rest, &PyList_Type, &texts.before, &PyList_Type,
                          &texts.after))
        return NULL;
    PyObject *result = NULL;
    bool good = open_stacks(&stacks) && is_list_of_bytes(texts.first, -1) &&
                is_list_of_bytes(texts.rest, PyList_GET_SIZE(texts.first)) &&
                is_list_of_bytes(texts.before, stacks.count) && is_list_of_bytes(texts.after, stacks.count);
    for (int64_t k = 0; good && k < stacks.size; k++)
        if (stacks.frames[k] >= (size_t)PyList_GET_SIZE(texts.first))
            good = refuse("a location's index is beyond the texts");
    if (good && (result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)put_texts(&stacks, &texts, NULL))) != NULL)
        put_texts(&stacks, &texts, PyBytes_AS_STRING(result));
    close_stacks(&stacks);
    return result;
}

PyMethodDef column_stack_methods[] = {
    {"list_stacks", list_stacks, METH_VARARGS, NULL},
    {"match_stacks", match_stacks, METH_VARARGS, NULL},
    {"select_stacks", select_stacks, METH_VARARGS, NULL},
    {"cut_stacks", cut_stacks, METH_VARARGS, NULL},
    {"wrap_stacks", wrap_stacks, METH_VARARGS, NULL},
    {"first_uses", first_uses, METH_VARARGS, NULL},
    {"group_stacks", group_stacks, METH_VARARGS, NULL},
    {"sum_groups", sum_groups, METH_VARARGS, NULL},
    {"join_texts", join_texts, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
