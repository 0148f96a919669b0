/* Exact counts of allocations: how many requests, how many bytes, for B/op and allocs/op.
 *
 * The program's requests to the interpreter's allocators (domains raw, mem and obj) are counted, in the requested size:
 * malloc, calloc, and a realloc that grows, which counts as one allocation of the whole new size, as Go's growslice
 * does. Not counted: shrinking in place, frees, objects from a free list, and memory that never passes these
 * allocators. pymalloc passes requests above 512 bytes on to the raw domain; a call from inside a hook is therefore
 * passed on uncounted, so that each request counts once.
 *
 * A map of the live blocks and their sizes tells whether a realloc grows. A block allocated before the counting began
 * has an unknown size, and its first realloc counts as growing.
 *
 * Each thread has counts of its own, so that a deterministic operation gives the same counts whatever other threads do;
 * a total counts all threads. The raw domain is used without the GIL, so map and total have a lock; only mmap is called
 * under it. */
#include "address_map.h"
#include "alloc_hook.h"
#include "reported_blocks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <structmember.h>

typedef struct {
    uint64_t allocations;
    uint64_t bytes;
} Counts;

/* Where a block of the map comes from, kept in its `site`. A withdrawn report removes only reported blocks. */
typedef enum { FROM_ALLOCATOR, FROM_REPORT } Origin;

static atomic_bool counting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static AddressMap sizes;   /* under `lock` */
static Counts total;       /* under `lock` */
static bool sizes_missing; /* under `lock`: the map could not grow, so the counts are no longer exact */
static int64_t held;       /* under `lock`: bytes of the live blocks that were counted */
static int64_t held_at_peak_start, peak;
static unsigned round_number;

static THREAD_LOCAL Counts own;
static THREAD_LOCAL unsigned own_round; /* the number of the counting in which `own` is valid */
static THREAD_LOCAL bool inside;

static void count(size_t size) {
    if (own_round != round_number) {
        own = (Counts){0, 0};
        own_round = round_number;
    }
    own.allocations++;
    own.bytes += size;
    total.allocations++;
    total.bytes += size;
}

static void remember(void *block, size_t size, Origin origin) {
    held += (int64_t)size;
    if (held > peak) peak = held;
    Block entry = {.address = (uintptr_t)block, .size = size, .site = (uint32_t)origin};
    if (!address_map_put(&sizes, entry)) sizes_missing = true;
}

static void note_new(void *block, size_t size) {
    if (block == NULL) return;
    pthread_mutex_lock(&lock);
    count(size);
    remember(block, size, FROM_ALLOCATOR);
    pthread_mutex_unlock(&lock);
}

static bool forget(void *block, Block *known) {
    pthread_mutex_lock(&lock);
    bool found = address_map_take(&sizes, (uintptr_t)block, known);
    if (found) held -= (int64_t)known->size;
    pthread_mutex_unlock(&lock);
    return found;
}

static inline bool passing(void) {
    return inside || !atomic_load_explicit(&counting, memory_order_relaxed);
}

static inline void *counted_malloc(const PyMemAllocatorEx *below, size_t size) {
    if (passing()) return below->malloc(below->ctx, size);
    inside = true;
    void *block = below->malloc(below->ctx, size);
    inside = false;
    note_new(block, size);
    return block;
}

static inline void *counted_calloc(const PyMemAllocatorEx *below, size_t count, size_t size) {
    if (passing()) return below->calloc(below->ctx, count, size);
    inside = true;
    void *block = below->calloc(below->ctx, count, size);
    inside = false;
    note_new(block, count * size);
    return block;
}

static void *counted_resize(const PyMemAllocatorEx *below, void *old, size_t size) {
    /* Forget the old block before the call: once it is free, another thread may get its address. */
    Block known;
    bool is_known = forget(old, &known);
    inside = true;
    void *block = below->realloc(below->ctx, old, size);
    inside = false;
    pthread_mutex_lock(&lock);
    if (block == NULL) {
        if (is_known) remember(old, known.size, FROM_ALLOCATOR);
    } else {
        if (!is_known || size > known.size) count(size);
        remember(block, size, FROM_ALLOCATOR);
    }
    pthread_mutex_unlock(&lock);
    return block;
}

static inline void *counted_realloc(const PyMemAllocatorEx *below, void *old, size_t size) {
    if (passing()) return below->realloc(below->ctx, old, size);
    if (old != NULL) return counted_resize(below, old, size);
    inside = true;
    void *block = below->realloc(below->ctx, NULL, size);
    inside = false;
    note_new(block, size);
    return block;
}

/* A free is noted even inside a hook: the map must not keep a block that has been freed. */
static inline void counted_free(const PyMemAllocatorEx *below, void *block) {
    Block known;
    if (block != NULL && atomic_load_explicit(&counting, memory_order_relaxed)) forget(block, &known);
    below->free(below->ctx, block);
}

/* Count memory that an extension allocates elsewhere and reports to tracemalloc, such as the contents of numpy's
 * arrays. A block that was resized is reported again. Newer versions of numpy allocate from the raw domain, withdraw
 * the block and report it under a domain of their own: such a block has been counted, and its free removes it. */
static void count_reported(void *block, size_t size) {
    if (passing()) return;
    Block known = {.site = FROM_REPORT};
    bool is_known = forget(block, &known);
    pthread_mutex_lock(&lock);
    if (!is_known || size > known.size) count(size);
    remember(block, size, (Origin)known.site);
    pthread_mutex_unlock(&lock);
}

static void withdraw_reported(const void *block) {
    Block known;
    if (!atomic_load_explicit(&counting, memory_order_relaxed)) return;
    pthread_mutex_lock(&lock);
    if (address_map_find(&sizes, (uintptr_t)block, &known) && known.site == FROM_REPORT) {
        address_map_take(&sizes, (uintptr_t)block, &known);
        held -= (int64_t)known.size;
    }
    pthread_mutex_unlock(&lock);
}

/* The context is ignored (see alloc_hook.c), so each domain has functions of its own. */
static AllocatorLayer layer;
#define HOOKS_OF(domain)                                                                                      \
    static void *domain##_malloc(void *Py_UNUSED(ctx), size_t size) {                                         \
        return counted_malloc(&layer.originals[domain], size);                                                \
    }                                                                                                         \
    static void *domain##_calloc(void *Py_UNUSED(ctx), size_t count, size_t size) {                           \
        return counted_calloc(&layer.originals[domain], count, size);                                         \
    }                                                                                                         \
    static void *domain##_realloc(void *Py_UNUSED(ctx), void *block, size_t size) {                           \
        return counted_realloc(&layer.originals[domain], block, size);                                        \
    }                                                                                                         \
    static void domain##_free(void *Py_UNUSED(ctx), void *block) {                                            \
        counted_free(&layer.originals[domain], block);                                                        \
    }
HOOKS_OF(DOMAIN_RAW)
HOOKS_OF(DOMAIN_MEM)
HOOKS_OF(DOMAIN_OBJ)
#define ENTRY_OF(domain) [domain] = {NULL, domain##_malloc, domain##_calloc, domain##_realloc, domain##_free}
static AllocatorLayer layer = {.hooks = {ENTRY_OF(DOMAIN_RAW), ENTRY_OF(DOMAIN_MEM), ENTRY_OF(DOMAIN_OBJ)}};

/* fork: the child must find the lock free and the map whole, whatever other threads were doing. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }

static PyObject *allocations_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (counting) {
        PyErr_SetString(PyExc_RuntimeError, "allocations are being counted already: stop() the first counting before "
                                            "starting another");
        return NULL;
    }
    pthread_mutex_lock(&lock);
    round_number++;
    total = (Counts){0, 0};
    sizes_missing = false;
    held = held_at_peak_start = peak = 0;
    pthread_mutex_unlock(&lock);
    bool receives_reports = reported_blocks_begin(REPORTS_FOR_COUNTS, count_reported, withdraw_reported);
    allocator_layer_install(&layer);
    counting = true;
    return PyBool_FromLong(receives_reports);
}

/* The two counts as a sequence whose ints are made when they are read: a tuple or an int made here could come from a
 * free list that the measured program uses (3.14 has one for ints). */
typedef struct {
    PyObject_HEAD
    Counts counts;
} CountsObject;

static PyObject *counts_item(PyObject *self, Py_ssize_t index) {
    const Counts *counts = &((CountsObject *)self)->counts;
    if (index == 0) return PyLong_FromUnsignedLongLong(counts->allocations);
    if (index == 1) return PyLong_FromUnsignedLongLong(counts->bytes);
    PyErr_SetString(PyExc_IndexError, "Counts are (allocations, bytes)");
    return NULL;
}

static Py_ssize_t counts_length(PyObject *Py_UNUSED(self)) { return 2; }

static PyObject *counts_repr(PyObject *self) {
    const Counts *counts = &((CountsObject *)self)->counts;
    return PyUnicode_FromFormat("conduit._native.Counts(allocations=%llu, bytes=%llu)",
                                (unsigned long long)counts->allocations, (unsigned long long)counts->bytes);
}

static PyObject *counts_compare(PyObject *self, PyObject *other, int operation) {
    if (!Py_IS_TYPE(other, Py_TYPE(self)) || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    const Counts *left = &((CountsObject *)self)->counts, *right = &((CountsObject *)other)->counts;
    bool same = left->allocations == right->allocations && left->bytes == right->bytes;
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static PyMemberDef counts_members[] = {
    {"allocations", T_ULONGLONG, offsetof(CountsObject, counts.allocations), READONLY,
     "Requests for memory, including growing reallocations."},
    {"bytes", T_ULONGLONG, offsetof(CountsObject, counts.bytes), READONLY, "Sum of the requested sizes."},
    {NULL, 0, 0, 0, NULL},
};

static PySequenceMethods counts_as_sequence = {.sq_length = counts_length, .sq_item = counts_item};

static PyTypeObject counts_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native.Counts",
    .tp_doc = "Allocations and their bytes since counting began, as a sequence of two.",
    .tp_basicsize = sizeof(CountsObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_members = counts_members,
    .tp_as_sequence = &counts_as_sequence,
    .tp_richcompare = counts_compare,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_repr = counts_repr,
};

/* The object is ours and not the program's, so its allocation is not counted. */
static PyObject *build_counts(Counts counts) {
    bool was_inside = inside;
    inside = true;
    CountsObject *answer = PyObject_New(CountsObject, &counts_type);
    inside = was_inside;
    if (answer != NULL) answer->counts = counts;
    return (PyObject *)answer;
}

static bool can_read(bool missing) {
    if (!counting) {
        PyErr_SetString(PyExc_RuntimeError, "allocations are not being counted: start() comes first");
        return false;
    }
    if (missing) {
        PyErr_SetString(PyExc_MemoryError, "no memory was left for the sizes of live blocks, so allocations can no "
                                           "longer be counted exactly: count fewer iterations");
        return false;
    }
    return true;
}

static PyObject *allocations_read(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!can_read(sizes_missing)) return NULL;
    return build_counts(own_round == round_number ? own : (Counts){0, 0});
}

static PyObject *allocations_read_all_threads(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    pthread_mutex_lock(&lock);
    Counts counts = total;
    bool missing = sizes_missing;
    pthread_mutex_unlock(&lock);
    return can_read(missing) ? build_counts(counts) : NULL;
}

static PyObject *allocations_start_peak(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!can_read(false)) return NULL;
    pthread_mutex_lock(&lock);
    held_at_peak_start = peak = held;
    pthread_mutex_unlock(&lock);
    Py_RETURN_NONE;
}

static PyObject *allocations_read_peak(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    pthread_mutex_lock(&lock);
    int64_t above = peak - held_at_peak_start;
    bool missing = sizes_missing;
    pthread_mutex_unlock(&lock);
    if (!can_read(missing)) return NULL;
    bool was_inside = inside;
    inside = true;
    PyObject *answer = PyLong_FromLongLong(above);
    inside = was_inside;
    return answer;
}

static PyObject *allocations_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!counting) {
        PyErr_SetString(PyExc_RuntimeError, "allocations are not being counted: start() comes first");
        return NULL;
    }
    counting = false;
    allocator_layer_remove(&layer);
    reported_blocks_end(REPORTS_FOR_COUNTS);
    pthread_mutex_lock(&lock);
    address_map_clear(&sizes);
    pthread_mutex_unlock(&lock);
    Py_RETURN_NONE;
}

PyMethodDef allocation_methods[] = {
    {"allocations_start", allocations_start, METH_NOARGS, "Start to count, from zero."},
    {"allocations_read", allocations_read, METH_NOARGS, "(allocations, bytes) of the calling thread since the start."},
    {"allocations_read_all_threads", allocations_read_all_threads, METH_NOARGS,
     "(allocations, bytes) of all threads since the start."},
    {"allocations_start_peak", allocations_start_peak, METH_NOARGS, "Measure the peak from the memory held now."},
    {"allocations_read_peak", allocations_read_peak, METH_NOARGS,
     "The most bytes held at once since allocations_start_peak, above those held then."},
    {"allocations_stop", allocations_stop, METH_NOARGS, "Stop counting and remove the hooks."},
    {NULL, NULL, 0, NULL},
};

int attach_allocations(void) {
    if (pthread_atfork(before_fork, after_fork, after_fork) != 0) {
        PyErr_SetString(PyExc_ImportError, "pthread_atfork failed: no memory");
        return -1;
    }
    return PyType_Ready(&counts_type);
}
