/* Counters are kept for the life of the process, because they must not fall when a rate is set to 0 and back.
 *
 * A stack is a list of numbers of named frames; at its end stand the frames in which the lock was made. The places
 * of locks are in a table by address, since locks die and their addresses are used again. */
#include "wait_table.h"

#include "address_map.h"
#include "hash_table.h"
#include "label_reader.h"
#include "named_frames.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CREATION_FRAMES 4
#define MAX_WAIT_FRAMES 128

static const char *const REASONS[] = {"lock", "sleep", "select", "socket", "gil"};

typedef struct {
    uint64_t hash;
    uint32_t first, depth;   /* numbers of frames in `stack_frames` */
    uint32_t creation_depth; /* how many of them, at the end, say where the lock was made */
    uint32_t labels;
    WaitReason reason;
    double count, delay_ns;
} WaitStack;

/* The part of a stack's key that is not its frames. */
typedef struct {
    uint32_t creation_depth, labels;
    WaitReason reason;
} WaitKind;

typedef struct {
    WaitStack *stacks;
    size_t capacity;
    uint32_t count;
    HashIndex index;
    double lost;
} WaitTable;

/* Where a lock was made, or the number + 1 of the next unused entry. */
typedef struct {
    uint32_t frames[MAX_CREATION_FRAMES], depth;
    uint32_t next_unused;
} Creation;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* and all below is under it */
static WaitTable tables[WAIT_PROFILES];
static uint32_t *stack_frames;
static size_t stack_frame_count, stack_frame_capacity;
static AddressMap locks; /* `site` is the number of the lock's creation */
static Creation *creations;
static size_t creation_capacity;
static uint32_t creation_count, unused_creation;

/* ---- where locks were made ---- */

/* The creation of the lock at this address, added if it is new; NULL where there is no memory. */
static Creation *creation_of(uintptr_t lock) {
    Block known;
    if (address_map_find(&locks, lock, &known)) return &creations[known.site];
    uint32_t number = unused_creation ? unused_creation - 1 : creation_count;
    if (!array_reserve((void **)&creations, &creation_capacity, (size_t)number + 1, sizeof *creations) ||
        !address_map_put(&locks, (Block){.address = lock, .site = number}))
        return NULL;
    if (unused_creation)
        unused_creation = creations[number].next_unused;
    else
        creation_count++;
    return &creations[number];
}

static int own_frames(Frame *frames) {
    return frames_walk(PyGILState_GetThisThreadState(), frames, MAX_WAIT_FRAMES);
}

void wait_table_lock_made(uintptr_t lock) {
    Frame frames[MAX_WAIT_FRAMES];
    int depth = own_frames(frames);
    if (depth <= 0) return;
    if (depth > MAX_CREATION_FRAMES) depth = MAX_CREATION_FRAMES;
    pthread_mutex_lock(&guard);
    Creation *creation = creation_of(lock);
    if (creation != NULL) {
        *creation = (Creation){.depth = 0};
        for (int i = 0; i < depth; i++) {
            uint32_t number = named_frame_number(&frames[i]);
            if (number != NO_FRAME) creation->frames[creation->depth++] = number;
        }
    }
    pthread_mutex_unlock(&guard);
}

void wait_table_lock_freed(uintptr_t lock) {
    Block known;
    pthread_mutex_lock(&guard);
    if (address_map_take(&locks, lock, &known)) {
        creations[known.site].next_unused = unused_creation;
        unused_creation = known.site + 1;
    }
    pthread_mutex_unlock(&guard);
}

void wait_table_forget_locks(void) {
    pthread_mutex_lock(&guard);
    address_map_clear(&locks);
    free(creations);
    creations = NULL;
    creation_capacity = 0;
    creation_count = unused_creation = 0;
    pthread_mutex_unlock(&guard);
}

/* ---- stacks ---- */

static uint64_t hash_of(const uint32_t *frames, uint32_t depth, WaitKind kind) {
    uint64_t hash = hash_mix(hash_mix(hash_mix(hash_mix(0, depth), kind.creation_depth), kind.reason), kind.labels);
    for (uint32_t i = 0; i < depth; i++) hash = hash_mix(hash, frames[i]);
    return hash;
}

static bool is_same(const WaitStack *known, uint64_t hash, const uint32_t *frames, uint32_t depth, WaitKind kind) {
    return known->hash == hash && known->depth == depth && known->creation_depth == kind.creation_depth &&
           known->reason == kind.reason && known->labels == kind.labels &&
           memcmp(&stack_frames[known->first], frames, depth * sizeof *frames) == 0;
}

/* The stack's entry, added if it is new; NULL where there is no memory. */
static WaitStack *find_stack(WaitTable *table, const uint32_t *frames, uint32_t depth, WaitKind kind) {
    uint64_t hash = hash_of(frames, depth, kind);
    uint32_t probe = 0;
    for (uint32_t found; (found = hash_index_next(&table->index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY;)
        if (is_same(&table->stacks[found], hash, frames, depth, kind)) return &table->stacks[found];
    if (stack_frame_count + depth > UINT32_MAX || table->count >= UINT32_MAX / 2 ||
        !array_reserve((void **)&table->stacks, &table->capacity, (size_t)table->count + 1, sizeof *table->stacks) ||
        !array_reserve((void **)&stack_frames, &stack_frame_capacity, stack_frame_count + depth,
                       sizeof *stack_frames) ||
        !hash_index_reserve(&table->index))
        return NULL;
    hash_index_add(&table->index, (uint32_t)hash, table->count);
    WaitStack *made = &table->stacks[table->count++];
    *made = (WaitStack){.hash = hash, .first = (uint32_t)stack_frame_count, .depth = depth, .labels = kind.labels,
                        .creation_depth = kind.creation_depth, .reason = kind.reason};
    if (depth > 0) memcpy(&stack_frames[stack_frame_count], frames, depth * sizeof *frames);
    stack_frame_count += depth;
    return made;
}

void wait_table_add(WaitProfile profile, WaitReason reason, uintptr_t lock, double count, double delay_ns) {
    Frame frames[MAX_WAIT_FRAMES];
    uint32_t numbers[MAX_WAIT_FRAMES + MAX_CREATION_FRAMES];
    int depth = own_frames(frames);
    if (depth <= 0) return;
    uint32_t labels = labels_at_rest(PyGILState_GetThisThreadState(), LABELS_OF_WAITS);
    pthread_mutex_lock(&guard);
    uint32_t kept = 0, creation = 0;
    Block known;
    for (int i = 0; i < depth; i++) {
        uint32_t number = named_frame_number(&frames[i]);
        if (number != NO_FRAME) numbers[kept++] = number;
    }
    if (lock != 0 && address_map_find(&locks, lock, &known))
        for (; creation < creations[known.site].depth; creation++)
            numbers[kept++] = creations[known.site].frames[creation];
    WaitKind kind = {.creation_depth = creation, .labels = labels, .reason = reason};
    WaitStack *stack = find_stack(&tables[profile], numbers, kept, kind);
    if (stack != NULL) {
        stack->count += count;
        stack->delay_ns += delay_ns;
    } else {
        tables[profile].lost += count;
    }
    pthread_mutex_unlock(&guard);
}

/* ---- reading ---- */

/* A copy of a table that can be read without the lock: building Python objects may let other threads run, and wait. */
typedef struct {
    WaitStack *stacks;
    uint32_t count;
    uint32_t *frames;
    size_t frame_count;
    NamedFrame *names;
    uint32_t name_count;
} Copy;

static void *copy_of(const void *memory, size_t size) {
    void *copy = malloc(size ? size : 1);
    if (copy != NULL && size) memcpy(copy, memory, size);
    return copy;
}

/* The named frames that stacks of the copy refer to, and empty ones for the others; see `named_frame_tuple`. */
static PyObject *names_of(const Copy *copy) {
    PyObject *names = PyList_New((Py_ssize_t)copy->name_count), *nothing = Py_BuildValue("(ssii)", "", "", 0, 0);
    if (nothing == NULL) Py_CLEAR(names);
    for (uint32_t i = 0; names != NULL && i < copy->name_count; i++) PyList_SET_ITEM(names, i, Py_NewRef(nothing));
    for (uint32_t i = 0; names != NULL && i < copy->count; i++)
        for (uint32_t k = 0; names != NULL && k < copy->stacks[i].depth; k++) {
            uint32_t number = copy->frames[copy->stacks[i].first + k];
            if (PyList_GET_ITEM(names, number) != nothing) continue;
            PyObject *name = named_frame_tuple(&copy->names[number]);
            if (name == NULL || PyList_SetItem(names, (Py_ssize_t)number, name) < 0) Py_CLEAR(names);
        }
    Py_XDECREF(nothing);
    return names;
}

/* Bounds of the stacks from where they start (0), or from where the frames begin that say where a lock was made (1). */
static PyObject *bounds_of(const Copy *copy, bool of_creation) {
    PyObject *bounds = PyBytes_FromStringAndSize(NULL, 2 * (Py_ssize_t)copy->count * (Py_ssize_t)sizeof(int64_t));
    if (bounds == NULL) return NULL;
    int64_t *starts = (int64_t *)PyBytes_AS_STRING(bounds), *stops = starts + copy->count;
    for (uint32_t i = 0; i < copy->count; i++) {
        const WaitStack *stack = &copy->stacks[i];
        int64_t middle = (int64_t)stack->first + stack->depth - stack->creation_depth;
        starts[i] = of_creation ? middle : (int64_t)stack->first;
        stops[i] = of_creation ? middle + stack->creation_depth : middle;
    }
    return bounds;
}

/* All counts, then all delays (double). */
static PyObject *sums_of(const Copy *copy) {
    PyObject *sums = PyBytes_FromStringAndSize(NULL, 2 * (Py_ssize_t)copy->count * (Py_ssize_t)sizeof(double));
    if (sums == NULL) return NULL;
    double *columns = (double *)PyBytes_AS_STRING(sums);
    for (uint32_t i = 0; i < copy->count; i++) {
        columns[i] = copy->stacks[i].count;
        columns[copy->count + i] = copy->stacks[i].delay_ns;
    }
    return sums;
}

static bool put_kinds(const Copy *copy, PyObject *reasons, PyObject *labels) {
    for (uint32_t i = 0; i < copy->count; i++) {
        PyObject *reason = PyUnicode_InternFromString(REASONS[copy->stacks[i].reason]);
        PyObject *pairs = label_set_pairs(copy->stacks[i].labels);
        if (reason != NULL) PyList_SET_ITEM(reasons, (Py_ssize_t)i, reason);
        if (pairs != NULL) PyList_SET_ITEM(labels, (Py_ssize_t)i, pairs);
        if (reason == NULL || pairs == NULL) return false;
    }
    return true;
}

static PyObject *columns_of(const Copy *copy) {
    PyObject *names = names_of(copy), *bounds = bounds_of(copy, false), *made_bounds = bounds_of(copy, true);
    PyObject *frames = PyBytes_FromStringAndSize((const char *)copy->frames,
                                                 (Py_ssize_t)(copy->frame_count * sizeof *copy->frames));
    PyObject *sums = sums_of(copy), *reasons = PyList_New(copy->count), *labels = PyList_New(copy->count);
    PyObject *columns = NULL;
    if (names != NULL && bounds != NULL && made_bounds != NULL && frames != NULL && sums != NULL && reasons != NULL &&
        labels != NULL && put_kinds(copy, reasons, labels))
        columns = PyTuple_Pack(7, names, bounds, made_bounds, frames, sums, reasons, labels);
    Py_XDECREF(names);
    Py_XDECREF(bounds);
    Py_XDECREF(made_bounds);
    Py_XDECREF(frames);
    Py_XDECREF(sums);
    Py_XDECREF(reasons);
    Py_XDECREF(labels);
    return columns;
}

PyObject *wait_table_read(WaitProfile profile) {
    pthread_mutex_lock(&guard);
    const WaitTable *table = &tables[profile];
    Copy copy = {
        .stacks = copy_of(table->stacks, table->count * sizeof *table->stacks),
        .count = table->count,
        .frames = copy_of(stack_frames, stack_frame_count * sizeof *stack_frames),
        .frame_count = stack_frame_count,
        .names = named_frames_copy(),
        .name_count = named_frames_count()};
    pthread_mutex_unlock(&guard);
    PyObject *columns = NULL;
    if (copy.stacks == NULL || copy.frames == NULL || copy.names == NULL)
        PyErr_NoMemory();
    else
        columns = columns_of(&copy);
    free(copy.stacks);
    free(copy.frames);
    free(copy.names);
    return columns;
}

void wait_table_before_fork(void) { pthread_mutex_lock(&guard); }
void wait_table_after_fork(void) { pthread_mutex_unlock(&guard); }
