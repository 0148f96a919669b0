/* The heap profiler: who asked for memory (alloc_*), and whose is still there (inuse_*).
 *
 * Seen is what passes the interpreter's object and mem allocators, in the requested size. Not seen: what C libraries
 * and C extensions (numpy's arrays among them) take from malloc themselves, and blocks older than the recording.
 *
 * Sampled mode: a sample point falls on average every `rate` bytes, at exponentially distributed distances, so that a
 * block of n bytes is sampled with probability 1 - exp(-n/rate), as in Go's runtime; the reader scales back. An ordinary
 * allocation costs one subtraction from a thread-local counter. Exact mode (rate 1): every block is a sample, and the
 * live ones are found by their addresses in page tables.
 *
 * How a free block is known to be a sampled one, for which the ordinary free must pay next to nothing:
 *   aligned    a sampled block comes from libc, aligned to the size of pymalloc's pools. pymalloc never gives out such an
 *              address (a pool begins with its header), so one AND sorts out the rest. Whoever frees the block later,
 *              even with the hooks gone, hands it to libc: pymalloc does that with every address outside its arenas.
 *   filtered   for allocators that would not (debug hooks, strangers): blocks stay where they are, and a small table of
 *              counters by address hash says "certainly not sampled". Exact mode uses these hooks, and always looks.
 *
 * Law: hooks run with the GIL (both domains require it), and what they keep is under `lock` all the same, for
 * interpreters with a GIL of their own, which 3.12 brought: before, the one GIL is that lock. It spins, since with one GIL
 * nobody waits for it. Under the lock only libc is called. */
#define _GNU_SOURCE
#include "address_map.h"
#include "alloc_hook.h"
#include "block_pages.h"
#include "call_tree.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define POOL_SIZE 16384
#define FILTER_SIZE 65536
#define FIRST_LOOK (1 << 20)
#define STUCK 255 /* a counter that overflowed says "perhaps" for ever */

enum { MARK_SIZE = -1000 };
enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE }; /* each space after its objects */

static atomic_bool recording;
static bool exact;
static double rate;
static unsigned recording_number;

static CallTree tree;            /* under `lock`, like all below; its sites have the four sums */
static AddressMap live;          /* sampled blocks that are still there, and their sites */
static BlockPages exact_live;    /* all blocks that are still there, and their sites + 1 */
static uint8_t filter[FILTER_SIZE];
static uint64_t dropped;         /* samples for which there was no memory, or no GIL */

static THREAD_LOCAL int64_t until_sample; /* bytes that this thread may still ask for unsampled */
static THREAD_LOCAL unsigned own_recording;
static THREAD_LOCAL uint64_t random_state;
static THREAD_LOCAL bool pausing; /* this thread makes objects of the recording, not of the program */

/* Held for some nanoseconds, twice for each block in exact mode, where it would cost as much as all the rest. */
#if PY_VERSION_HEX >= 0x030C0000
static atomic_flag lock = ATOMIC_FLAG_INIT;

static inline void acquire(void) {
    while (UNLIKELY(atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))) sched_yield();
}

static inline void release(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }
#else
static inline void acquire(void) {}
static inline void release(void) {}
#endif

/* ---- sample points ---- */

static void seed_random(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    random_state = ((uint64_t)now.tv_nsec * UINT64_C(0x9E3779B97F4A7C15)) ^ (uint64_t)(uintptr_t)&random_state ^ 1;
}

/* Bytes to the next sample point: exponentially distributed, `rate` on average. */
static int64_t next_distance(void) {
    if (random_state == 0) seed_random();
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    double uniform = ((double)(random_state >> 11) + 1) / 9007199254740993.0; /* in (0, 1] */
    return (int64_t)(-log(uniform) * rate) + 1;
}

/* `until_sample` has just fallen below zero: whether this block is really a sample. */
static bool is_sample(size_t size) {
    if (!atomic_load_explicit(&recording, memory_order_relaxed)) {
        until_sample = FIRST_LOOK; /* our hooks lie under a stranger's, and only pass on */
        return false;
    }
    if (own_recording != recording_number) {
        own_recording = recording_number;
        until_sample = next_distance() - (int64_t)size;
        if (until_sample >= 0) return false;
    }
    until_sample = next_distance();
    return !pausing;
}

/* ---- the books, all under `lock` ---- */

static inline uint8_t *filter_of(const void *block) {
    return &filter[(((uintptr_t)block >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 48];
}

/* Sizes that share an entry when sampled: 16 bytes apart up to 1 KiB, then eight to an octave. A service that allocates
 * all sizes would otherwise add entries for as long as it runs. */
static size_t size_class(size_t size) {
    if (exact || size == 0) return size;
    size_t step = 16;
    if (size > 1024) step = (size_t)1 << (60 - __builtin_clzll((unsigned long long)size));
    return (size + step - 1) / step * step;
}

/* In exact mode all blocks of a site have its size, so that objects tell the space. */
static inline void count(uint32_t site, int objects_at, int64_t objects, size_t size) {
    int64_t *values = &tree.sites[site].values[objects_at];
    values[0] += objects;
    if (!exact) values[1] += objects * (int64_t)size;
}

static bool remember_sampled(void *block, size_t size, uint32_t site) {
    if (!address_map_put(&live, (Block){(uintptr_t)block, size, site})) return false;
    uint8_t *counter = filter_of(block);
    if (*counter < STUCK) ++*counter;
    return true;
}

static inline bool remember_exact(void *block, uint32_t site) {
    uint32_t *number = block_pages_find(&exact_live, (uintptr_t)block);
    if (UNLIKELY(number == NULL)) number = block_pages_add(&exact_live, (uintptr_t)block);
    if (UNLIKELY(number == NULL)) return false;
    *number = site + 1;
    return true;
}

/* In use from now on. False: for want of memory it will not be known. */
static inline bool enter(void *block, size_t size, uint32_t site) {
    if (LIKELY(site != NO_SITE && (exact ? remember_exact(block, site) : remember_sampled(block, size, site)))) {
        count(site, INUSE_OBJECTS, 1, size);
        return true;
    }
    dropped++;
    return false;
}

static bool take_sampled(void *block, Block *known) {
    if (!address_map_take(&live, (uintptr_t)block, known)) return false;
    uint8_t *counter = filter_of(block);
    if (*counter > 0 && *counter < STUCK) --*counter;
    return true;
}

static inline bool take_exact(void *block, Block *known) {
    uint32_t *number = block_pages_find(&exact_live, (uintptr_t)block);
    if (number == NULL || *number == 0) return false;
    *known = (Block){(uintptr_t)block, tree.sites[*number - 1].size, *number - 1};
    *number = 0;
    return true;
}

static bool note_gone(void *block, Block *known) {
    acquire();
    bool was_known = exact ? take_exact(block, known) : take_sampled(block, known);
    if (was_known) count(known->site, INUSE_OBJECTS, -1, known->size);
    release();
    return was_known;
}

/* What an ordinary free does in exact mode: nothing that needs the size. */
static inline void exact_gone(void *block) {
    acquire();
    uint32_t *number = block_pages_find(&exact_live, (uintptr_t)block);
    if (number != NULL && *number != 0) {
        tree.sites[*number - 1].values[INUSE_OBJECTS]--;
        *number = 0;
    }
    release();
}

static inline void note_new(void *block, size_t size) {
    if (UNLIKELY(block == NULL)) return;
    PyThreadState *thread = frames_own_thread();
    if (UNLIKELY(thread == NULL)) { /* against the law of these domains, and the books cannot bear it */
        dropped++;
        return;
    }
    acquire();
    uint32_t site = call_tree_site(&tree, call_tree_node(&tree, thread), size_class(size));
    if (LIKELY(enter(block, size, site))) count(site, ALLOC_OBJECTS, 1, size);
    release();
}

/* The block shrank where it is, or nearly: still the same allocation, with less in use. It stays counted as allocated
 * at the larger size it had then. */
static void note_shrunk(void *block, size_t size, const Block *known) {
    acquire();
    enter(block, size, call_tree_site(&tree, tree.sites[known->site].node, size_class(size)));
    release();
}

/* ---- aligned hooks: sampled blocks live apart ---- */

#define MAY_BE_DIVERTED(block) UNLIKELY(((uintptr_t)(block) & (POOL_SIZE - 1)) == 0)

static __attribute__((noinline)) void *divert(const PyMemAllocatorEx *below, size_t size) {
    void *block = is_sample(size) ? memalign(POOL_SIZE, size ? size : 1) : NULL;
    if (block == NULL) return below->malloc(below->ctx, size);
    note_new(block, size);
    return block;
}

static inline void *aligned_malloc(const PyMemAllocatorEx *below, size_t size) {
    until_sample -= (int64_t)size;
    if (UNLIKELY(until_sample < 0)) return divert(below, size);
    return below->malloc(below->ctx, size);
}

static inline void *aligned_calloc(const PyMemAllocatorEx *below, size_t count, size_t size) {
    until_sample -= (int64_t)(count * size);
    if (LIKELY(until_sample >= 0)) return below->calloc(below->ctx, count, size);
    void *block = divert(below, count * size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

/* A diverted block is let go by libc, whom it came from. False: it only looked like one. */
static __attribute__((noinline)) bool free_diverted(void *block) {
    Block known;
    if (block == NULL || !note_gone(block, &known)) return false;
    free(block);
    return true;
}

static inline void aligned_free(const PyMemAllocatorEx *below, void *block) {
    if (MAY_BE_DIVERTED(block) && free_diverted(block)) return;
    below->free(below->ctx, block);
}

/* A diverted block moves into whatever the new size draws. */
static __attribute__((noinline)) void *realloc_diverted(const PyMemAllocatorEx *below, void *old, size_t old_size,
                                                        size_t size) {
    void *block = aligned_malloc(below, size);
    if (block == NULL) return NULL;
    memcpy(block, old, old_size < size ? old_size : size);
    free_diverted(old);
    return block;
}

static bool find_diverted(const void *block, size_t *size) {
    Block known;
    acquire();
    bool found = address_map_find(&live, (uintptr_t)block, &known);
    release();
    if (found) *size = known.size;
    return found;
}

/* The old size is not ours to know, so the block below grows first and is copied from there. */
static __attribute__((noinline)) void *realloc_into_sample(const PyMemAllocatorEx *below, void *old, size_t size) {
    void *grown = below->realloc(below->ctx, old, size);
    if (grown == NULL || !is_sample(size)) return grown;
    void *block = memalign(POOL_SIZE, size ? size : 1);
    if (block == NULL) return grown;
    memcpy(block, grown, size);
    below->free(below->ctx, grown);
    note_new(block, size);
    return block;
}

static inline void *aligned_realloc(const PyMemAllocatorEx *below, void *old, size_t size) {
    size_t old_size;
    if (old == NULL) return aligned_malloc(below, size);
    if (MAY_BE_DIVERTED(old) && find_diverted(old, &old_size)) return realloc_diverted(below, old, old_size, size);
    until_sample -= (int64_t)size;
    if (UNLIKELY(until_sample < 0)) return realloc_into_sample(below, old, size);
    return below->realloc(below->ctx, old, size);
}

/* ---- filtered hooks: sampled blocks stay where they are ---- */

static inline bool draws_sample(size_t size) {
    if (exact) return atomic_load_explicit(&recording, memory_order_relaxed) && !pausing;
    until_sample -= (int64_t)size;
    return UNLIKELY(until_sample < 0) && is_sample(size);
}

static inline bool may_be_known(const void *block) {
    return exact ? block != NULL : block != NULL && *filter_of(block) != 0;
}

static inline void *filtered_malloc(const PyMemAllocatorEx *below, size_t size) {
    void *block = below->malloc(below->ctx, size);
    if (draws_sample(size)) note_new(block, size);
    return block;
}

static inline void *filtered_calloc(const PyMemAllocatorEx *below, size_t count, size_t size) {
    void *block = below->calloc(below->ctx, count, size);
    if (draws_sample(count * size)) note_new(block, count * size);
    return block;
}

static inline void filtered_free(const PyMemAllocatorEx *below, void *block) {
    Block known;
    if (LIKELY(exact)) {
        exact_gone(block);
    } else if (may_be_known(block)) {
        note_gone(block, &known);
    }
    below->free(below->ctx, block);
}

static inline void *filtered_realloc(const PyMemAllocatorEx *below, void *old, size_t size) {
    Block known;
    bool was_known = may_be_known(old) && note_gone(old, &known);
    void *block = below->realloc(below->ctx, old, size);
    if (block == NULL) {
        if (was_known) note_shrunk(old, known.size, &known); /* as it was */
        return NULL;
    }
    if (exact && was_known && size <= known.size)
        note_shrunk(block, size, &known);
    else if (draws_sample(size))
        note_new(block, size);
    return block;
}

/* The context is ignored (see alloc_hook.c), so each domain has functions of its own. */
static AllocatorLayer aligned_layer, filtered_layer;
#define HOOKS_OF(way, domain)                                                                                 \
    static void *way##_##domain##_malloc(void *Py_UNUSED(ctx), size_t size) {                                 \
        return way##_malloc(&way##_layer.originals[domain], size);                                            \
    }                                                                                                         \
    static void *way##_##domain##_calloc(void *Py_UNUSED(ctx), size_t count, size_t size) {                   \
        return way##_calloc(&way##_layer.originals[domain], count, size);                                     \
    }                                                                                                         \
    static void *way##_##domain##_realloc(void *Py_UNUSED(ctx), void *block, size_t size) {                   \
        return way##_realloc(&way##_layer.originals[domain], block, size);                                    \
    }                                                                                                         \
    static void way##_##domain##_free(void *Py_UNUSED(ctx), void *block) {                                    \
        way##_free(&way##_layer.originals[domain], block);                                                    \
    }
HOOKS_OF(aligned, DOMAIN_MEM)
HOOKS_OF(aligned, DOMAIN_OBJ)
HOOKS_OF(filtered, DOMAIN_MEM)
HOOKS_OF(filtered, DOMAIN_OBJ)
#define ENTRY_OF(way, domain)                                                                                 \
    [domain] = {NULL, way##_##domain##_malloc, way##_##domain##_calloc, way##_##domain##_realloc, way##_##domain##_free}
static AllocatorLayer aligned_layer = {.hooks = {ENTRY_OF(aligned, DOMAIN_MEM), ENTRY_OF(aligned, DOMAIN_OBJ)}};
static AllocatorLayer filtered_layer = {.hooks = {ENTRY_OF(filtered, DOMAIN_MEM), ENTRY_OF(filtered, DOMAIN_OBJ)}};

/* ---- start, read, stop ---- */

/* Exported by CPython 3.11 to 3.13, and declared in its internal headers only. NULL: somebody's hooks are installed. */
extern const char *_PyMem_GetCurrentAllocatorName(void);

static bool libc_frees_strangers(void) {
    const char *name = _PyMem_GetCurrentAllocatorName();
    return name != NULL && (strcmp(name, "pymalloc") == 0 || strcmp(name, "malloc") == 0);
}

static PyObject *heap_start(PyObject *Py_UNUSED(module), PyObject *argument) {
    long long bytes = PyLong_AsLongLong(argument);
    if (bytes == -1 && PyErr_Occurred()) return NULL;
    if (bytes < 1) return PyErr_Format(PyExc_ValueError, "the rate must be at least 1 byte, got %lld", bytes);
    if (recording) {
        PyErr_SetString(PyExc_RuntimeError, "a heap profile is being taken already: stop() the first one before starting "
                                            "another");
        return NULL;
    }
    if (bytes == 1 && aligned_layer.installed) {
        PyErr_SetString(PyExc_RuntimeError, "an exact heap profile needs hooks of another kind than those of the last "
                                            "recording, which lie under another tracer's (tracemalloc?): stop that first");
        return NULL;
    }
    rate = (double)bytes;
    exact = bytes == 1;
    dropped = 0;
    recording_number++;
    bool aligned = aligned_layer.installed || (!exact && !filtered_layer.installed && libc_frees_strangers());
    allocator_layer_install(aligned ? &aligned_layer : &filtered_layer);
    recording = true;
    until_sample = -1; /* this thread's turn to draw its first distance comes with its next block */
    return PyUnicode_FromString(aligned ? "aligned" : "filtered");
}

/* The site as (size, alloc_objects, alloc_space, inuse_objects, inuse_space, (code, instruction, …)). */
static PyObject *build_entry(const CallTree *copy, const CallSite *site) {
    Frame frames[MAX_DEPTH];
    PyObject *places = frames_as_tuple(frames, call_node_stack(copy->nodes, site->node, frames));
    if (places == NULL) return NULL;
    return Py_BuildValue("(KLLLLN)", (unsigned long long)site->size, (long long)site->values[ALLOC_OBJECTS],
                         (long long)site->values[ALLOC_SPACE], (long long)site->values[INUSE_OBJECTS],
                         (long long)site->values[INUSE_SPACE], places);
}

/* A copy, because building Python objects runs the program (collections, other threads), which changes the tree. */
static bool copy_tree(CallTree *copy) {
    acquire();
    copy->site_count = tree.site_count;
    copy->nodes = malloc((tree.node_count + 1) * sizeof(CallNode));
    copy->sites = malloc((tree.site_count + 1) * sizeof(CallSite));
    bool copied = copy->nodes != NULL && copy->sites != NULL;
    if (copied && tree.site_count > 0) {
        memcpy(copy->nodes, tree.nodes, tree.node_count * sizeof(CallNode));
        memcpy(copy->sites, tree.sites, tree.site_count * sizeof(CallSite));
    }
    release();
    for (uint32_t i = 0; copied && exact && i < copy->site_count; i++) {
        CallSite *site = &copy->sites[i];
        site->values[ALLOC_SPACE] = site->values[ALLOC_OBJECTS] * (int64_t)site->size;
        site->values[INUSE_SPACE] = site->values[INUSE_OBJECTS] * (int64_t)site->size;
    }
    return copied;
}

static PyObject *build_entries(void) {
    CallTree copy;
    PyObject *entries = NULL;
    if (copy_tree(&copy)) {
        entries = PyList_New(0);
        for (uint32_t i = 0; entries != NULL && i < copy.site_count; i++) {
            PyObject *entry = build_entry(&copy, &copy.sites[i]);
            if (entry == NULL || PyList_Append(entries, entry) < 0) Py_CLEAR(entries);
            Py_XDECREF(entry);
        }
    } else {
        PyErr_NoMemory();
    }
    free(copy.nodes);
    free(copy.sites);
    return entries;
}

static bool require_recording(void) {
    if (!recording) PyErr_SetString(PyExc_RuntimeError, "no heap profile is being taken: start() comes first");
    return recording;
}

static PyObject *heap_read(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!require_recording()) return NULL;
    bool was_pausing = pausing;
    pausing = true;
    PyObject *entries = build_entries();
    pausing = was_pausing;
    if (entries == NULL) return NULL;
    return Py_BuildValue("(NK)", entries, (unsigned long long)dropped);
}

static PyObject *heap_pause(PyObject *Py_UNUSED(module), PyObject *argument) {
    int wanted = PyObject_IsTrue(argument);
    if (wanted < 0) return NULL;
    bool was_pausing = pausing;
    pausing = wanted;
    return PyBool_FromLong(was_pausing);
}

static void forget_recording(void) {
    acquire();
    CallTree old = tree;
    memset(&tree, 0, sizeof tree);
    address_map_clear(&live);
    block_pages_clear(&exact_live);
    memset(filter, 0, sizeof filter);
    release();
    call_tree_release(&old);
}

static PyObject *heap_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!require_recording()) return NULL;
    recording = false;
    if (aligned_layer.installed) allocator_layer_remove(&aligned_layer);
    if (filtered_layer.installed) allocator_layer_remove(&filtered_layer);
    forget_recording();
    Py_RETURN_NONE;
}

PyMethodDef heap_methods[] = {
    {"heap_start", heap_start, METH_O, "heap_start(rate): begins to record; returns how, \"aligned\" or \"filtered\"."},
    {"heap_read", heap_read, METH_NOARGS, "What has been recorded so far, as (entries, samples dropped)."},
    {"heap_pause", heap_pause, METH_O, "heap_pause(bool): whether this thread's blocks are left out; returns what held before."},
    {"heap_stop", heap_stop, METH_NOARGS, "Ends the recording, forgets it, and takes the hooks away."},
    {NULL, NULL, 0, NULL},
};

static void before_fork(void) { acquire(); }
static void after_fork(void) { release(); }

int attach_heap(void) {
    if (pthread_atfork(before_fork, after_fork, after_fork) == 0) return 0;
    PyErr_SetString(PyExc_ImportError, "pthread_atfork failed: no memory");
    return -1;
}
