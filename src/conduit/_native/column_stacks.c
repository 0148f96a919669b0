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

/* Take two buffers over; false with an exception where positions do not lie within the frames, or not in order. */
bool open_stacks(Stacks *stacks) {
    stacks->starts = stacks->starts_buffer.buf;
    stacks->frames = stacks->frames_buffer.buf;
    stacks->count = stacks->starts_buffer.len / (Py_ssize_t)sizeof(int64_t) - 1;
    int64_t frames = stacks->frames_buffer.len / (Py_ssize_t)sizeof(uint32_t);
    bool good = stacks->count >= 0 && stacks->starts[0] == 0 && stacks->starts[stacks->count] == frames;
    for (Py_ssize_t i = 0; good && i < stacks->count; i++) good = stacks->starts[i] <= stacks->starts[i + 1];
    if (!good) PyErr_SetString(PyExc_ValueError, "the positions of the stacks do not lie within their frames");
    return good;
}

void close_stacks(Stacks *stacks) {
    PyBuffer_Release(&stacks->starts_buffer);
    PyBuffer_Release(&stacks->frames_buffer);
}

static bool refuse(const char *reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

/* Lists of the members of `table`, one a stack. */
static PyObject *list_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    PyObject *table;
    if (!PyArg_ParseTuple(arguments, "y*y*O!", &stacks.starts_buffer, &stacks.frames_buffer, &PyList_Type, &table))
        return NULL;
    PyObject *result = NULL;
    if (!open_stacks(&stacks) || (result = PyList_New(stacks.count)) == NULL) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        PyObject *stack = PyList_New(stacks.starts[i + 1] - stacks.starts[i]);
        if (stack == NULL) goto failed;
        PyList_SET_ITEM(result, i, stack);
        for (int64_t k = stacks.starts[i]; k < stacks.starts[i + 1]; k++) {
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

/* A byte a stack: 1 where a frame's flag (a byte a location) is set in `any`, and none in `none`. */
static PyObject *match_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer any, none;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*", &stacks.starts_buffer, &stacks.frames_buffer, &any, &none))
        return NULL;
    PyObject *mask = NULL;
    const uint8_t *wanted = any.buf, *unwanted = none.buf;
    if (!open_stacks(&stacks) || (mask = PyBytes_FromStringAndSize(NULL, stacks.count)) == NULL) goto done;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        bool has = false, spoiled = false;
        for (int64_t k = stacks.starts[i]; k < stacks.starts[i + 1] && !spoiled; k++) {
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

/* (starts, frames) of the stacks whose byte in `mask` is set, each frame replaced by `new_of[frame]`, or left out (-1);
 * as they are where `new_of` is None. */
static PyObject *select_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer mask, new_of;
    if (!PyArg_ParseTuple(arguments, "y*y*y*z*", &stacks.starts_buffer, &stacks.frames_buffer, &mask, &new_of))
        return NULL;
    PyObject *result = NULL;
    int64_t *starts = NULL;
    uint32_t *frames = NULL;
    const uint8_t *keep = mask.buf;
    const int32_t *map = new_of.buf;
    size_t locations = (size_t)new_of.len / sizeof(int32_t), kept = 0, stack = 0;
    if (!open_stacks(&stacks)) goto done;
    if (mask.len != stacks.count) {
        refuse("the mask is not as long as the stacks");
        goto done;
    }
    starts = malloc(((size_t)stacks.count + 1) * sizeof(int64_t));
    frames = malloc((size_t)stacks.frames_buffer.len + 1);
    if (starts == NULL || frames == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    starts[0] = 0;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        if (!keep[i]) continue;
        for (int64_t k = stacks.starts[i]; k < stacks.starts[i + 1]; k++) {
            if (map == NULL) {
                frames[kept++] = stacks.frames[k];
                continue;
            }
            if (stacks.frames[k] >= locations) {
                PyErr_SetString(PyExc_IndexError, "a location's index is beyond the map");
                goto done;
            }
            int32_t frame = map[stacks.frames[k]];
            if (frame >= 0) frames[kept++] = (uint32_t)frame;
        }
        starts[++stack] = (int64_t)kept;
    }
    result = Py_BuildValue("(NN)", bytes_of(starts, (stack + 1) * sizeof(int64_t)),
                           bytes_of(frames, kept * sizeof(uint32_t)));
done:
    free(starts);
    free(frames);
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
    if (!PyArg_ParseTuple(arguments, "y*y*np", &stacks.starts_buffer, &stacks.frames_buffer, &locations, &from_root))
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
        int64_t depth = stacks.starts[i + 1] - stacks.starts[i];
        for (int64_t k = 0; k < depth; k++) {
            uint32_t frame = stacks.frames[from_root ? stacks.starts[i + 1] - 1 - k : stacks.starts[i] + k];
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

/* The number of each stack's group (uint32): equal stacks with equal labels are one, numbered in order of first use. */
static PyObject *group_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer label_of;
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &stacks.starts_buffer, &stacks.frames_buffer, &label_of)) return NULL;
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
        size_t size = (size_t)(stacks.starts[i + 1] - stacks.starts[i]);
        uint64_t hash = hash_mix(labels[i], size);
        for (size_t k = 0; k < size; k++) hash = hash_mix(hash, frames[k]);
        uint32_t probe = 0, found;
        while ((found = hash_index_next(&index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY) {
            uint32_t first = first_of[found];
            if (labels[first] == labels[i] && (size_t)(stacks.starts[first + 1] - stacks.starts[first]) == size &&
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

enum { FROM_ROOT, FROM_LEAF, BELOW_WANTED };

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
    if (!PyArg_ParseTuple(arguments, "y*y*y*i", &stacks.starts_buffer, &stacks.frames_buffer, &flags, &how))
        return NULL;
    PyObject *result = NULL;
    int64_t *starts = NULL;
    uint32_t *frames = NULL;
    size_t kept = 0;
    if (!open_stacks(&stacks)) goto done;
    for (int64_t k = 0; k < stacks.starts[stacks.count]; k++)
        if (stacks.frames[k] >= (size_t)flags.len) {
            PyErr_SetString(PyExc_IndexError, "a location's index is beyond the flags");
            goto done;
        }
    starts = malloc(((size_t)stacks.count + 1) * sizeof(int64_t));
    frames = malloc((size_t)stacks.frames_buffer.len + 1);
    if (starts == NULL || frames == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    starts[0] = 0;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        const uint32_t *stack = stacks.frames + stacks.starts[i];
        int64_t begin, end;
        cut_range(flags.buf, stack, stacks.starts[i + 1] - stacks.starts[i], how, &begin, &end);
        for (int64_t k = begin; k < end; k++) frames[kept++] = stack[k];
        starts[i + 1] = (int64_t)kept;
    }
    result = Py_BuildValue("(NN)", bytes_of(starts, ((size_t)stacks.count + 1) * sizeof(int64_t)),
                           bytes_of(frames, kept * sizeof(uint32_t)));
done:
    free(starts);
    free(frames);
    close_stacks(&stacks);
    PyBuffer_Release(&flags);
    return result;
}

/* ── wrapping ── */

/* Frames for each set of labels: those of set i lie between runs i and i + 1. */
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
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*y*y*", &stacks.starts_buffer, &stacks.frames_buffer, &label_of,
                          &leaves.runs, &leaves.numbers, &roots.runs, &roots.numbers))
        return NULL;
    PyObject *result = NULL;
    int64_t *starts = NULL;
    uint32_t *frames = NULL;
    size_t used = 0;
    bool good = open_stacks(&stacks) && check_wrapping(&leaves) && check_wrapping(&roots) &&
                check_sets(&stacks, &label_of, &leaves, &roots);
    if (!good) goto done;
    const uint32_t *sets = label_of.buf;
    size_t total = (size_t)stacks.starts[stacks.count];
    for (Py_ssize_t i = 0; i < stacks.count; i++) total += run_size(&leaves, sets[i]) + run_size(&roots, sets[i]);
    starts = malloc(((size_t)stacks.count + 1) * sizeof(int64_t));
    frames = malloc((total + 1) * sizeof(uint32_t));
    if (starts == NULL || frames == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    starts[0] = 0;
    for (Py_ssize_t i = 0; i < stacks.count; i++) {
        size_t depth = (size_t)(stacks.starts[i + 1] - stacks.starts[i]);
        used += put_run(&leaves, sets[i], frames + used);
        if (depth) memcpy(frames + used, stacks.frames + stacks.starts[i], depth * sizeof(uint32_t));
        used += depth;
        used += put_run(&roots, sets[i], frames + used);
        starts[i + 1] = (int64_t)used;
    }
    result = Py_BuildValue("(NN)", bytes_of(starts, ((size_t)stacks.count + 1) * sizeof(int64_t)),
                           bytes_of(frames, used * sizeof(uint32_t)));
done:
    free(starts);
    free(frames);
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

/* Put all texts at `at`, or nowhere if it is NULL; their size. */
static size_t put_texts(const Stacks *stacks, const Texts *texts, char *at) {
    size_t used = 0;
    for (Py_ssize_t i = 0; i < stacks->count; i++) {
        used += put_text(texts->before, (size_t)i, at ? at + used : NULL);
        for (int64_t k = stacks->starts[i]; k < stacks->starts[i + 1]; k++)
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
    if (!PyArg_ParseTuple(arguments, "y*y*O!O!O!O!", &stacks.starts_buffer, &stacks.frames_buffer, &PyList_Type,
                          &texts.first, &PyList_Type, &texts.rest, &PyList_Type, &texts.before, &PyList_Type,
                          &texts.after))
        return NULL;
    PyObject *result = NULL;
    bool good = open_stacks(&stacks) && is_list_of_bytes(texts.first, -1) &&
                is_list_of_bytes(texts.rest, PyList_GET_SIZE(texts.first)) &&
                is_list_of_bytes(texts.before, stacks.count) && is_list_of_bytes(texts.after, stacks.count);
    for (int64_t k = 0; good && k < stacks.starts[stacks.count]; k++)
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
