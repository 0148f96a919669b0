/* The heap profiler: where memory is allocated (alloc_*), and which of it is still in use (inuse_*).
 *
 * It sees the requests to the interpreter's object and mem allocators, in the requested size, and the blocks that
 * extensions report to tracemalloc (reported_blocks.c: the contents of numpy's arrays). It does not see other memory
 * that C libraries and extensions take from malloc, nor blocks older than the recording.
 *
 * Sampled mode: a sample point falls on average every `rate` bytes, at exponentially distributed distances, so that
 * a block of n bytes is sampled with probability 1 - exp(-n/rate), as in Go's runtime; the reader scales back. An
 * ordinary allocation costs one subtraction from a thread-local counter. Exact mode (rate 1): every block is a
 * sample, and the live ones are found by their addresses in page tables.
 *
 * A free must find out whether its block was sampled, and cost almost nothing if it was not:
 *   aligned    a sampled block comes from libc, aligned to the size of pymalloc's pools. pymalloc never returns such
 *              an address (a pool begins with its header), so one AND rules out all other blocks.
 *              Under pymalloc the ordinary free is not hooked at all: pymalloc passes every block outside its arenas
 *              to the raw domain, whose free is hooked instead. A sampled block is requested through pymalloc too, as
 *              a block too large for its pools, so that its own count of blocks (sys.getallocatedblocks) stays right.
 *              Freeing the block later, even with the hooks gone, returns it to libc.
 *              With PYTHONMALLOC=malloc, where the object domain calls libc directly, its free is hooked.
 *   filtered   for other allocators (debug hooks, hooks of other libraries): blocks stay where they are, and a small
 *              table of counters by address hash says "certainly not sampled". Exact mode uses these hooks and always
 *              searches.
 *
 * The hooks of the object and mem domains run with the GIL (both require it), those of the raw domain without, and
 * from 3.12 on interpreters may have a GIL of their own. The tables are therefore under `lock`, which spins because
 * it is almost never contended. Under the lock only libc is called. */
#define _GNU_SOURCE
#include "python_layout.h"

#include "address_map.h"
#include "alloc_hook.h"
#include "block_pages.h"
#include "call_tree.h"
#include "label_reader.h"
#include "random.h"
#include "reported_blocks.h"
#include "stack_columns.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define POOL_ALIGNMENT 16384 /* pymalloc's pools have this alignment or a larger one */
#define FILTER_SIZE 65536
#define FIRST_DISTANCE (1 << 20)
#define MAX_COUNTER 255 /* a counter that overflowed keeps saying "perhaps" */

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE }; /* each space after its objects */

static atomic_bool recording;
static bool exact;
static double rate;
static unsigned recording_number;
static bool receives_reports; /* of memory that extensions take from elsewhere */

static CallTree tree;            /* under `lock`, like all below; its sites have the four sums */
static AddressMap live;          /* sampled blocks that are still there, and their sites */
static BlockPages exact_live;    /* all blocks that are still there, and their sites + 1 */
static uint8_t filter[FILTER_SIZE];
static uint64_t dropped;         /* samples for which there was no memory, or no GIL */

static THREAD_LOCAL int64_t until_sample; /* bytes that this thread may still request before its next sample */
static THREAD_LOCAL unsigned own_recording;
static THREAD_LOCAL uint64_t random_state;
static THREAD_LOCAL bool pausing; /* this thread is making objects of the recording, not of the program */

static THREAD_LOCAL size_t aligned_size; /* of the sampled block requested from pymalloc; 0: none */

static atomic_flag lock = ATOMIC_FLAG_INIT;

/* The holder may have a lower priority than this thread, and needs the processor to release the lock. */
static __attribute__((noinline)) void wait_for_lock(void) {
    for (int tries = 0; atomic_flag_test_and_set_explicit(&lock, memory_order_acquire); tries++) {
        if (tries < 100)
            sched_yield();
        else
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

static inline void lock_tables(void) {
    if (UNLIKELY(atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))) wait_for_lock();
}

static inline void unlock_tables(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }

/* For threads with the GIL. In exact mode the raw domain is not hooked, so if all interpreters share one GIL, the GIL
 * is the lock. A second lock, taken twice for each block, would cost as much as the rest of the hooks. */
#define GIL_IS_LOCK (PYTHON_HAS_ONE_GIL && exact)

static inline void acquire(void) {
    if (!GIL_IS_LOCK) lock_tables();
}

static inline void release(void) {
    if (!GIL_IS_LOCK) unlock_tables();
}

/* ---- sample points ---- */

/* Bytes to the next sample point: exponentially distributed, `rate` on average. */
static int64_t next_distance(void) {
    if (random_state == 0) random_state = random_seed(&random_state);
    double uniform = ((double)(random_next(&random_state) >> 11) + 1) / 9007199254740993.0; /* in (0, 1] */
    return (int64_t)(-log(uniform) * rate) + 1;
}

/* Whether the block with which `until_sample` fell below zero is a sample. */
static bool is_sample(size_t size) {
    if (!atomic_load_explicit(&recording, memory_order_relaxed)) {
        until_sample = FIRST_DISTANCE; /* our hooks had to stay below another library's, and only pass calls on */
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

/* ---- the tables, all under `lock` ---- */

static inline uint8_t *filter_of(const void *block) {
    return &filter[hash_mix(0, (uintptr_t)block >> 4) % FILTER_SIZE];
}

/* In sampled mode sizes are grouped: in steps of 16 bytes up to 1 KiB, then in eight steps from each power of two to
 * the next. A service that allocates all sizes would otherwise add entries for as long as it runs. */
static size_t size_class(size_t size) {
    if (exact || size == 0) return size;
    size_t step = 16;
    if (size > 1024) step = (size_t)1 << (60 - __builtin_clzll((unsigned long long)size));
    return (size + step - 1) / step * step;
}

/* In exact mode all blocks of a site have its size, so the space follows from the number of objects. */
static inline void count(uint32_t site, int objects_at, int64_t objects, size_t size) {
    int64_t *values = &tree.sites[site].values[objects_at];
    values[0] += objects;
    if (!exact) values[1] += objects * (int64_t)size;
}

static bool remember_sampled(void *block, size_t size, uint32_t site) {
    if (!address_map_put(&live, (Block){(uintptr_t)block, size, site})) return false;
    uint8_t *counter = filter_of(block);
    if (*counter < MAX_COUNTER) ++*counter;
    return true;
}

static inline bool remember_exact(void *block, uint32_t site) {
    uint32_t *number = block_pages_find(&exact_live, (uintptr_t)block);
    if (UNLIKELY(number == NULL)) number = block_pages_add(&exact_live, (uintptr_t)block);
    if (UNLIKELY(number == NULL)) return false;
    *number = site + 1;
    return true;
}

/* Note that a block is in use. False: there is no memory to note it. */
static inline bool enter(void *block, size_t size, uint32_t site) {
    if (LIKELY(site != NO_SITE && (exact ? remember_exact(block, site) : remember_sampled(block, size, site)))) {
        count(site, INUSE_OBJECTS, 1, size);
        return true;
    }
    dropped++;
    return false;
}

static bool take_sampled(const void *block, Block *known) {
    if (!address_map_take(&live, (uintptr_t)block, known)) return false;
    uint8_t *counter = filter_of(block);
    if (*counter > 0 && *counter < MAX_COUNTER) --*counter;
    return true;
}

static inline bool take_exact(const void *block, Block *known) {
    uint32_t *number = block_pages_find(&exact_live, (uintptr_t)block);
    if (number == NULL || *number == 0) return false;
    *known = (Block){(uintptr_t)block, tree.sites[*number - 1].size, *number - 1};
    *number = 0;
    return true;
}

static bool note_gone(const void *block, Block *known) {
    acquire();
    bool was_known = exact ? take_exact(block, known) : take_sampled(block, known);
    if (was_known) count(known->site, INUSE_OBJECTS, -1, known->size);
    release();
    return was_known;
}

/* An ordinary free in exact mode, which does not need the block's size. */
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
    PyThreadState *thread = layout_own_thread();
    if (UNLIKELY(thread == NULL)) { /* these domains require the GIL, and the tables do too */
        dropped++;
        return;
    }
    uint32_t labels = labels_at_rest(thread, LABELS_OF_HEAP);
    acquire();
    uint32_t site = call_tree_site(&tree, call_tree_node(&tree, thread), size_class(size), labels);
    if (LIKELY(enter(block, size, site))) count(site, ALLOC_OBJECTS, 1, size);
    release();
}

/* Note a block that shrank: it is still the same allocation, with fewer bytes in use, and stays counted as allocated at
 * its earlier, larger size. */
static void note_shrunk(void *block, size_t size, const Block *known) {
    acquire();
    const CallSite *site = &tree.sites[known->site];
    enter(block, size, call_tree_site(&tree, site->node, size_class(size), site->labels));
    release();
}

/* ---- aligned hooks: sampled blocks are aligned ---- */

#define MAX_POOLED_SIZE 512 /* bytes; pymalloc gets larger blocks from the raw domain */
#define IS_POOL_ALIGNED(block) (((uintptr_t)(block) & (POOL_ALIGNMENT - 1)) == 0)

static AllocatorLayer pymalloc_layer, libc_layer, filtered_layer; /* at most one of them is installed */

/* Allocate through pymalloc: it asks the raw domain, whose hook returns an aligned block of `aligned_size` bytes. */
static void *allocate_through_pymalloc(const PyMemAllocatorEx *below, size_t size) {
    aligned_size = size;
    void *block = below->malloc(below->ctx, size > MAX_POOLED_SIZE ? size : MAX_POOLED_SIZE + 1);
    aligned_size = 0;
    if (LIKELY(block == NULL || IS_POOL_ALIGNED(block))) return block;
    below->free(below->ctx, block); /* another library's hook lies above ours and answered instead */
    dropped++;
    return NULL;
}

static void *allocate_aligned(const PyMemAllocatorEx *below, size_t size) {
    if (size == 0) size = 1;
    return pymalloc_layer.installed ? allocate_through_pymalloc(below, size) : memalign(POOL_ALIGNMENT, size);
}

static __attribute__((noinline)) void *sample_allocation(const PyMemAllocatorEx *below, size_t size) {
    void *block = is_sample(size) ? allocate_aligned(below, size) : NULL;
    if (block == NULL) return below->malloc(below->ctx, size);
    note_new(block, size);
    return block;
}

/* Below are pymalloc or libc, which ignore the context: passing ours on saves loading theirs. */
static inline void *aligned_malloc(const PyMemAllocatorEx *below, void *context, size_t size) {
    until_sample -= (int64_t)size;
    if (UNLIKELY(until_sample < 0)) return sample_allocation(below, size);
    return below->malloc(context, size);
}

static inline void *aligned_calloc(const PyMemAllocatorEx *below, void *context, size_t count, size_t size) {
    until_sample -= (int64_t)(count * size);
    if (LIKELY(until_sample >= 0)) return below->calloc(context, count, size);
    void *block = sample_allocation(below, count * size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

/* Resizing a sampled block always makes a new one, which may or may not be a sample. */
static __attribute__((noinline)) void *realloc_sampled(const PyMemAllocatorEx *below, void *old, size_t old_size,
                                                        size_t size) {
    Block known;
    void *block = aligned_malloc(below, below->ctx, size);
    if (block == NULL) return NULL;
    memcpy(block, old, old_size < size ? old_size : size);
    note_gone(old, &known);
    below->free(below->ctx, old);
    return block;
}

static bool find_sampled(const void *block, size_t *size) {
    Block known;
    acquire();
    bool found = address_map_find(&live, (uintptr_t)block, &known);
    release();
    if (found) *size = known.size;
    return found;
}

/* The old size is unknown here, so the block is first resized by the allocator below and then copied. */
static __attribute__((noinline)) void *realloc_into_sample(const PyMemAllocatorEx *below, void *old, size_t size) {
    void *grown = below->realloc(below->ctx, old, size);
    if (grown == NULL || !is_sample(size)) return grown;
    void *block = allocate_aligned(below, size);
    if (block == NULL) return grown;
    memcpy(block, grown, size);
    below->free(below->ctx, grown);
    note_new(block, size);
    return block;
}

static __attribute__((noinline)) void *realloc_perhaps_sampled(const PyMemAllocatorEx *below, void *old, size_t size) {
    size_t old_size;
    if (find_sampled(old, &old_size)) return realloc_sampled(below, old, old_size, size);
    until_sample -= (int64_t)size;
    return until_sample < 0 ? realloc_into_sample(below, old, size) : below->realloc(below->ctx, old, size);
}

static inline void *aligned_realloc(const PyMemAllocatorEx *below, void *context, void *old, size_t size) {
    if (UNLIKELY(IS_POOL_ALIGNED(old))) /* NULL too */
        return old == NULL ? aligned_malloc(below, context, size) : realloc_perhaps_sampled(below, old, size);
    until_sample -= (int64_t)size;
    if (UNLIKELY(until_sample < 0)) return realloc_into_sample(below, old, size);
    return below->realloc(context, old, size);
}

/* May run without the GIL, and in a thread that entered the hook before the recording ended. */
static __attribute__((noinline)) void note_freed(const void *block) {
    Block known;
    if (block == NULL) return;
    lock_tables();
    if (take_sampled(block, &known)) count(known.site, INUSE_OBJECTS, -1, known.size);
    unlock_tables();
}

static inline void aligned_free(const PyMemAllocatorEx *below, void *context, void *block) {
    if (UNLIKELY(IS_POOL_ALIGNED(block))) note_freed(block);
    below->free(context, block);
}

/* pymalloc's own request for a sampled block, or an ordinary one. */
static inline void *raw_malloc(const PyMemAllocatorEx *below, void *context, size_t size) {
    size_t wanted = aligned_size;
    if (LIKELY(wanted == 0)) return below->malloc(context, size);
    aligned_size = 0;
    return memalign(POOL_ALIGNMENT, wanted);
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
        if (was_known) note_shrunk(old, known.size, &known); /* it is still there */
        return NULL;
    }
    if (exact && was_known && size <= known.size)
        note_shrunk(block, size, &known);
    else if (draws_sample(size))
        note_new(block, size);
    return block;
}

/* ---- blocks that extensions report: they too stay where they are ---- */

/* If the GIL is the lock, the tables must not be touched without it, and an extension may report without it. */
static bool can_note(void) {
    if (!atomic_load_explicit(&recording, memory_order_relaxed)) return false;
    if (!GIL_IS_LOCK || layout_own_thread() != NULL) return true;
    dropped++;
    return false;
}

/* A block of an allocator that is hooked already (an extension may report those, too) is not counted twice. Any
 * other block with a known address was resized in place, which counts as a new allocation. */
static void block_reported(void *block, size_t size) {
    Block known;
    if (block == NULL || !can_note()) return;
    if (may_be_known(block) && note_gone(block, &known) && known.size == size)
        note_shrunk(block, size, &known);
    else if (draws_sample(size))
        note_new(block, size);
}

static void block_withdrawn(const void *block) {
    Block known;
    if (can_note() && may_be_known(block)) note_gone(block, &known);
}

/* Each layer finds the functions below it in static memory (see alloc_hook.c), so each domain has hooks of its own. */
#define ALIGNED_HOOKS_OF(layer, domain)                                                                       \
    static void *layer##_##domain##_malloc(void *context, size_t size) {                                      \
        return aligned_malloc(&layer.originals[domain], context, size);                                       \
    }                                                                                                         \
    static void *layer##_##domain##_calloc(void *context, size_t count, size_t size) {                        \
        return aligned_calloc(&layer.originals[domain], context, count, size);                                \
    }                                                                                                         \
    static void *layer##_##domain##_realloc(void *context, void *block, size_t size) {                        \
        return aligned_realloc(&layer.originals[domain], context, block, size);                               \
    }
#define ALIGNED_FREE_OF(layer, domain)                                                                        \
    static void layer##_##domain##_free(void *context, void *block) {                                         \
        aligned_free(&layer.originals[domain], context, block);                                               \
    }
#define FILTERED_HOOKS_OF(domain)                                                                             \
    static void *filtered_layer_##domain##_malloc(void *Py_UNUSED(ctx), size_t size) {                        \
        return filtered_malloc(&filtered_layer.originals[domain], size);                                      \
    }                                                                                                         \
    static void *filtered_layer_##domain##_calloc(void *Py_UNUSED(ctx), size_t count, size_t size) {          \
        return filtered_calloc(&filtered_layer.originals[domain], count, size);                               \
    }                                                                                                         \
    static void *filtered_layer_##domain##_realloc(void *Py_UNUSED(ctx), void *block, size_t size) {          \
        return filtered_realloc(&filtered_layer.originals[domain], block, size);                              \
    }                                                                                                         \
    static void filtered_layer_##domain##_free(void *Py_UNUSED(ctx), void *block) {                           \
        filtered_free(&filtered_layer.originals[domain], block);                                              \
    }
static void *pymalloc_layer_DOMAIN_RAW_malloc(void *context, size_t size) {
    return raw_malloc(&pymalloc_layer.originals[DOMAIN_RAW], context, size);
}
ALIGNED_FREE_OF(pymalloc_layer, DOMAIN_RAW)
ALIGNED_HOOKS_OF(pymalloc_layer, DOMAIN_MEM)
ALIGNED_HOOKS_OF(pymalloc_layer, DOMAIN_OBJ)
ALIGNED_HOOKS_OF(libc_layer, DOMAIN_MEM)
ALIGNED_HOOKS_OF(libc_layer, DOMAIN_OBJ)
ALIGNED_FREE_OF(libc_layer, DOMAIN_MEM)
ALIGNED_FREE_OF(libc_layer, DOMAIN_OBJ)
FILTERED_HOOKS_OF(DOMAIN_MEM)
FILTERED_HOOKS_OF(DOMAIN_OBJ)
#define GIVERS_OF(layer, domain)                                                                              \
    .malloc = layer##_##domain##_malloc, .calloc = layer##_##domain##_calloc, .realloc = layer##_##domain##_realloc
/* The raw domain's realloc needs no hook: pymalloc is never asked to resize a sampled block, but to make a new one. */
static AllocatorLayer pymalloc_layer = {
    .hooks = {[DOMAIN_RAW] = {.malloc = pymalloc_layer_DOMAIN_RAW_malloc, .free = pymalloc_layer_DOMAIN_RAW_free},
              [DOMAIN_MEM] = {GIVERS_OF(pymalloc_layer, DOMAIN_MEM)},
              [DOMAIN_OBJ] = {GIVERS_OF(pymalloc_layer, DOMAIN_OBJ)}}};
static AllocatorLayer libc_layer = {
    .hooks = {[DOMAIN_MEM] = {GIVERS_OF(libc_layer, DOMAIN_MEM), .free = libc_layer_DOMAIN_MEM_free},
              [DOMAIN_OBJ] = {GIVERS_OF(libc_layer, DOMAIN_OBJ), .free = libc_layer_DOMAIN_OBJ_free}}};
static AllocatorLayer filtered_layer = {
    .hooks = {[DOMAIN_MEM] = {GIVERS_OF(filtered_layer, DOMAIN_MEM), .free = filtered_layer_DOMAIN_MEM_free},
              [DOMAIN_OBJ] = {GIVERS_OF(filtered_layer, DOMAIN_OBJ), .free = filtered_layer_DOMAIN_OBJ_free}}};
static AllocatorLayer *const LAYERS[] = {&pymalloc_layer, &libc_layer, &filtered_layer};
enum { LAYER_COUNT = sizeof LAYERS / sizeof *LAYERS };

/* ---- start, read, stop ---- */

/* The layer for the interpreter's allocators. One that had to stay below another library's hooks is used again. */
static AllocatorLayer *choose_layer(bool for_exact) {
    for (int i = 0; i < LAYER_COUNT; i++)
        if (LAYERS[i]->installed) return LAYERS[i];
    const char *name = _PyMem_GetCurrentAllocatorName();
    if (for_exact || name == NULL) return &filtered_layer;
    if (strcmp(name, "pymalloc") == 0) return &pymalloc_layer;
    return strcmp(name, "malloc") == 0 ? &libc_layer : &filtered_layer;
}

static PyObject *heap_start(PyObject *Py_UNUSED(module), PyObject *argument) {
    long long bytes = PyLong_AsLongLong(argument);
    if (bytes == -1 && PyErr_Occurred()) return NULL;
    if (bytes < 1) return PyErr_Format(PyExc_ValueError, "the rate must be at least 1 byte, got %lld", bytes);
    if (recording) {
        PyErr_SetString(PyExc_RuntimeError, "a heap profile is being taken already: stop() the first one before "
                                            "starting another");
        return NULL;
    }
    AllocatorLayer *layer = choose_layer(bytes == 1);
    if (bytes == 1 && layer != &filtered_layer) {
        PyErr_SetString(PyExc_RuntimeError, "an exact heap profile needs hooks of another kind than those of the last "
                                            "recording, which lie below another tracer's (tracemalloc?): stop that "
                                            "first");
        return NULL;
    }
    receives_reports = reported_blocks_begin(REPORTS_FOR_HEAP, block_reported, block_withdrawn);
    rate = (double)bytes;
    exact = bytes == 1;
    dropped = 0;
    recording_number++;
    allocator_layer_install(layer);
    recording = true;
    until_sample = -1; /* this thread draws its first distance at its next block */
    return PyUnicode_FromString(layer == &filtered_layer ? "filtered" : "aligned");
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

/* The sites' sizes and four sums (int64), one column after the other, and their labels. */
static bool put_sites(const CallTree *copy, StackColumns *stacks, PyObject *sums, PyObject *labels) {
    Frame frames[MAX_DEPTH];
    size_t count = copy->site_count;
    int64_t *columns = (int64_t *)PyBytes_AS_STRING(sums);
    for (size_t i = 0; i < count; i++) {
        const CallSite *site = &copy->sites[i];
        columns[i] = (int64_t)site->size;
        for (size_t k = 0; k < 4; k++) columns[(k + 1) * count + i] = site->values[k];
        PyObject *pairs = label_set_pairs(site->labels);
        if (pairs == NULL) return false;
        PyList_SET_ITEM(labels, (Py_ssize_t)i, pairs);
        if (!stack_columns_add(stacks, frames, call_node_stack(copy->nodes, site->node, frames))) return false;
    }
    return true;
}

/* (stacks, sums, labels); see stack_columns.h and the module `heap`. */
static PyObject *build_sites(void) {
    CallTree copy;
    StackColumns columns = {0};
    if (!copy_tree(&copy)) {
        free(copy.nodes);
        free(copy.sites);
        return PyErr_NoMemory();
    }
    Py_ssize_t count = (Py_ssize_t)copy.site_count;
    PyObject *sums = PyBytes_FromStringAndSize(NULL, 5 * count * (Py_ssize_t)sizeof(int64_t));
    PyObject *labels = PyList_New(count), *stacks = NULL, *built = NULL;
    if (sums != NULL && labels != NULL && put_sites(&copy, &columns, sums, labels) &&
        (stacks = stack_columns_built(&columns)) != NULL)
        built = Py_BuildValue("(NOO)", stacks, sums, labels);
    stack_columns_clear(&columns);
    Py_XDECREF(sums);
    Py_XDECREF(labels);
    free(copy.nodes);
    free(copy.sites);
    return built;
}

static bool require_recording(void) {
    if (!recording) PyErr_SetString(PyExc_RuntimeError, "no heap profile is being taken: start() comes first");
    return recording;
}

static PyObject *heap_read(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!require_recording()) return NULL;
    bool was_pausing = pausing;
    pausing = true;
    PyObject *sites = build_sites();
    pausing = was_pausing;
    if (sites == NULL) return NULL;
    return Py_BuildValue("(NKO)", sites, (unsigned long long)dropped, receives_reports ? Py_True : Py_False);
}

static PyObject *heap_pause(PyObject *Py_UNUSED(module), PyObject *argument) {
    int wanted = PyObject_IsTrue(argument);
    if (wanted < 0) return NULL;
    bool was_pausing = pausing;
    pausing = wanted;
    return PyBool_FromLong(was_pausing);
}

static void forget_recording(void) {
    lock_tables();
    CallTree old = tree;
    memset(&tree, 0, sizeof tree);
    address_map_clear(&live);
    block_pages_clear(&exact_live);
    memset(filter, 0, sizeof filter);
    unlock_tables();
    call_tree_release(&old);
    labels_unuse(LABELS_OF_HEAP);
}

static PyObject *heap_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!require_recording()) return NULL;
    recording = false;
    reported_blocks_end(REPORTS_FOR_HEAP);
    for (int i = 0; i < LAYER_COUNT; i++)
        if (LAYERS[i]->installed) allocator_layer_remove(LAYERS[i]);
    forget_recording();
    Py_RETURN_NONE;
}

PyMethodDef heap_methods[] = {
    {"heap_start", heap_start, METH_O, "heap_start(rate): start to record; return how, \"aligned\" or \"filtered\"."},
    {"heap_read", heap_read, METH_NOARGS,
     "The records so far, as (entries, samples dropped, whether the reports of extensions are received)."},
    {"heap_pause", heap_pause, METH_O,
     "heap_pause(bool): whether this thread's blocks are left out from now on; return the previous setting."},
    {"heap_stop", heap_stop, METH_NOARGS, "Stop recording, drop the records and remove the hooks."},
    {NULL, NULL, 0, NULL},
};

static void before_fork(void) {
    reported_blocks_before_fork();
    lock_tables();
}

static void after_fork(void) {
    unlock_tables();
    reported_blocks_after_fork();
}

int attach_heap(void) {
    if (pthread_atfork(before_fork, after_fork, after_fork) == 0) return 0;
    PyErr_SetString(PyExc_ImportError, "pthread_atfork failed: no memory");
    return -1;
}
