/* Waiting: how long threads block, who made them wait, and who waits for the interpreter's lock.
 *
 * Every lock of CPython ends in a semaphore, and only an acquire that has to wait calls `sem_wait` or one of its kin: an
 * uncontended one never comes here. The calls are led to this file by got.c. Three profiles are kept:
 *   block   the waiting thread's stack, when it has waited: locks, and also sleep, select and sockets
 *   mutex   the stack that releases a semaphore while others wait for it, charged with what they waited since the last
 *           release; with it, where the lock was made, if that happened while recording
 *   gil     the stack of a thread that waits for the interpreter's lock
 *
 * Law: hooks run mostly without the GIL, so they touch no reference count and allocate nothing from Python. A thread
 * walks its own stack, which stands still while it waits, and whose code objects its frames keep alive. Names and lines
 * are copied the first time a frame is seen, so that nothing of Python's is remembered. What is under `guard` is short,
 * calls only libc, and takes no other lock; the hook on the GIL's own condition holds the GIL's mutex meanwhile.
 * Whoever waits is on a list, in a record on its own C stack, until it has waited. */
#define _GNU_SOURCE
#include "frames.h"
#include "got.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#define BUCKETS 256
#define CREATION_FRAMES 4
#define KEPT_FRAMES 128
#define NOT_A_WAIT_NS 5000 /* a system call that took less found its data there */

typedef enum { BLOCK, MUTEX, GIL, PROFILES } Profile;
typedef enum { ON_LOCK, ON_SLEEP, ON_SELECT, ON_SOCKET, ON_GIL } Reason;
static const char *const REASONS[] = {"lock", "sleep", "select", "socket", "gil"};

/* ---- frames by name ---- */

typedef struct {
    const void *code, *name, *file; /* with the numbers, a fingerprint: an address alone may be used again */
    int32_t instruction, first_line;
    int32_t line;
    char *name_text, *file_text; /* UTF-8, ours */
    uint64_t hash;
} NamedFrame;

typedef struct {
    uint64_t hash;
    uint32_t first, depth;       /* frame numbers in `stack_frames` */
    uint32_t creation_depth;     /* how many of them, at the end, say where the lock was made */
    Reason reason;
    double count, delay_ns;
} WaitStack;

typedef struct {
    WaitStack *stacks;
    uint32_t *buckets;
    uint32_t count, capacity, bucket_count;
    double lost;
} WaitTable;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static NamedFrame *names; /* under guard, like all tables below */
static uint32_t *name_buckets;
static uint32_t name_count, name_capacity, name_bucket_count;
static uint32_t *stack_frames;
static size_t stack_frame_count, stack_frame_capacity;
static WaitTable tables[PROFILES];

static atomic_bool recording, records_gil;
static atomic_ullong block_rate_ns;
static atomic_uint mutex_fraction;

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

static bool make_room(void **memory, size_t needed, size_t *capacity, size_t item) {
    if (needed <= *capacity) return true;
    size_t larger = *capacity ? *capacity * 2 : 256;
    while (larger < needed) larger *= 2;
    void *moved = realloc(*memory, larger * item);
    if (moved == NULL) return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

static char *copy_text(PyObject *text) {
    if (text == NULL || !PyUnicode_Check(text)) return strdup("?");
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    char *copy = malloc((size_t)length * 4 + 1), *to = copy;
    if (copy == NULL) return NULL;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 letter = PyUnicode_READ(kind, data, i);
        if (letter < 0x80) {
            *to++ = (char)letter;
        } else if (letter < 0x800) {
            *to++ = (char)(0xC0 | letter >> 6);
            *to++ = (char)(0x80 | (letter & 0x3F));
        } else if (letter < 0x10000) {
            *to++ = (char)(0xE0 | letter >> 12);
            *to++ = (char)(0x80 | (letter >> 6 & 0x3F));
            *to++ = (char)(0x80 | (letter & 0x3F));
        } else {
            *to++ = (char)(0xF0 | letter >> 18);
            *to++ = (char)(0x80 | (letter >> 12 & 0x3F));
            *to++ = (char)(0x80 | (letter >> 6 & 0x3F));
            *to++ = (char)(0x80 | (letter & 0x3F));
        }
    }
    *to = '\0';
    return copy;
}

/* Doubles an open table of numbers (0: empty) of `count` entries, whose hashes lie `stride` bytes apart. */
static bool double_buckets(uint32_t **buckets, uint32_t *bucket_count, const uint64_t *hash, size_t stride,
                           uint32_t count) {
    uint32_t doubled = *bucket_count ? *bucket_count * 2 : 512;
    uint32_t *made = calloc(doubled, sizeof *made);
    if (made == NULL) return false;
    for (uint32_t number = 1; number <= count; number++) {
        uint32_t at = (uint32_t)*hash & (doubled - 1);
        while (made[at]) at = (at + 1) & (doubled - 1);
        made[at] = number;
        hash = (const uint64_t *)((const char *)hash + stride);
    }
    free(*buckets);
    *buckets = made;
    *bucket_count = doubled;
    return true;
}

#define NONE UINT32_MAX

/* The number of a frame; NONE where there is no memory. Under guard, in the thread whose frame it is. */
static uint32_t number_of(const Frame *frame) {
    const PyCodeObject *code = frame->code;
    uint64_t hash = mix(mix(mix((uintptr_t)code, (uintptr_t)code->co_qualname), (uintptr_t)code->co_filename),
                        (uint64_t)(uint32_t)frame->instruction << 32 | (uint32_t)code->co_firstlineno);
    if (name_bucket_count) {
        uint32_t at = (uint32_t)hash & (name_bucket_count - 1);
        for (uint32_t entry; (entry = name_buckets[at]) != 0; at = (at + 1) & (name_bucket_count - 1)) {
            const NamedFrame *known = &names[entry - 1];
            if (known->hash == hash && known->code == code && known->instruction == frame->instruction &&
                known->name == code->co_qualname && known->file == code->co_filename &&
                known->first_line == code->co_firstlineno)
                return entry - 1;
        }
    }
    size_t capacity = name_capacity;
    if (!make_room((void **)&names, (size_t)name_count + 1, &capacity, sizeof *names)) return NONE;
    name_capacity = (uint32_t)capacity;
    if (2 * (name_count + 1) > name_bucket_count &&
        !double_buckets(&name_buckets, &name_bucket_count, &names->hash, sizeof *names, name_count))
        return NONE;
    NamedFrame made = {
        .code = code, .name = code->co_qualname, .file = code->co_filename, .instruction = frame->instruction,
        .first_line = code->co_firstlineno, .hash = hash,
        .line = PyCode_Addr2Line((PyCodeObject *)code, frame->instruction),
        .name_text = copy_text(code->co_qualname), .file_text = copy_text(code->co_filename)};
    if (made.name_text == NULL || made.file_text == NULL) {
        free(made.name_text);
        free(made.file_text);
        return NONE;
    }
    uint32_t at = (uint32_t)hash & (name_bucket_count - 1);
    while (name_buckets[at]) at = (at + 1) & (name_bucket_count - 1);
    names[name_count] = made;
    name_buckets[at] = ++name_count;
    return name_count - 1;
}

/* ---- stacks with what was waited ---- */

static WaitStack *find_stack(WaitTable *table, const uint32_t *frames, uint32_t depth, uint32_t creation, Reason reason) {
    uint64_t hash = mix(mix(depth, creation), reason);
    for (uint32_t i = 0; i < depth; i++) hash = mix(hash, frames[i]);
    if (table->bucket_count) {
        uint32_t at = (uint32_t)hash & (table->bucket_count - 1);
        for (uint32_t entry; (entry = table->buckets[at]) != 0; at = (at + 1) & (table->bucket_count - 1)) {
            WaitStack *known = &table->stacks[entry - 1];
            if (known->hash == hash && known->depth == depth && known->creation_depth == creation &&
                known->reason == reason &&
                memcmp(&stack_frames[known->first], frames, depth * sizeof *frames) == 0)
                return known;
        }
    }
    size_t capacity = table->capacity;
    if (!make_room((void **)&table->stacks, (size_t)table->count + 1, &capacity, sizeof *table->stacks)) return NULL;
    table->capacity = (uint32_t)capacity;
    if (!make_room((void **)&stack_frames, stack_frame_count + depth, &stack_frame_capacity, sizeof *stack_frames))
        return NULL;
    if (2 * (table->count + 1) > table->bucket_count &&
        !double_buckets(&table->buckets, &table->bucket_count, &table->stacks->hash, sizeof *table->stacks, table->count))
        return NULL;
    uint32_t at = (uint32_t)hash & (table->bucket_count - 1);
    while (table->buckets[at]) at = (at + 1) & (table->bucket_count - 1);
    WaitStack *made = &table->stacks[table->count];
    *made = (WaitStack){.hash = hash, .first = (uint32_t)stack_frame_count, .depth = depth,
                        .creation_depth = creation, .reason = reason};
    memcpy(&stack_frames[stack_frame_count], frames, depth * sizeof *frames);
    stack_frame_count += depth;
    table->buckets[at] = ++table->count;
    return made;
}

static THREAD_LOCAL bool inside; /* our own hooks call nothing that waits, but a signal handler of Python's may */

static int own_frames(Frame *frames) {
    return frames_walk(PyGILState_GetThisThreadState(), frames, KEPT_FRAMES);
}

/* ---- where locks were made ---- */

typedef struct {
    const sem_t *semaphore; /* NULL: empty */
    uint32_t frames[CREATION_FRAMES], depth;
} Creation;

static Creation *creations; /* under guard; open addressing, never more than half full */
static size_t creation_count, creation_capacity;

static size_t creation_place(const sem_t *semaphore) {
    size_t at = (size_t)mix(0, (uintptr_t)semaphore) & (creation_capacity - 1);
    while (creations[at].semaphore != NULL && creations[at].semaphore != semaphore)
        at = (at + 1) & (creation_capacity - 1);
    return at;
}

static bool grow_creations(void) {
    Creation *before = creations;
    size_t old = creation_capacity, capacity = old ? old * 2 : 1024;
    Creation *larger = calloc(capacity, sizeof *larger);
    if (larger == NULL) return false;
    creations = larger;
    creation_capacity = capacity;
    for (size_t i = 0; i < old; i++)
        if (before[i].semaphore != NULL) creations[creation_place(before[i].semaphore)] = before[i];
    free(before);
    return true;
}

/* The lock is gone, and its entry with it: what stood there only because this place was taken moves up. */
static void forget_creation(const sem_t *semaphore) {
    pthread_mutex_lock(&guard);
    size_t mask = creation_capacity - 1, hole = creation_capacity ? creation_place(semaphore) : 0;
    if (creation_capacity && creations[hole].semaphore != NULL) {
        for (size_t at = (hole + 1) & mask; creations[at].semaphore != NULL; at = (at + 1) & mask) {
            size_t home = (size_t)mix(0, (uintptr_t)creations[at].semaphore) & mask;
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            creations[hole] = creations[at];
            hole = at;
        }
        creations[hole].semaphore = NULL;
        creation_count--;
    }
    pthread_mutex_unlock(&guard);
}

/* An address that is used again simply gets its new place of creation. */
static void note_creation(const sem_t *semaphore) {
    Frame frames[KEPT_FRAMES];
    int depth = own_frames(frames);
    if (depth <= 0) return;
    if (depth > CREATION_FRAMES) depth = CREATION_FRAMES;
    pthread_mutex_lock(&guard);
    if (2 * (creation_count + 1) <= creation_capacity || grow_creations()) {
        Creation *entry = &creations[creation_place(semaphore)];
        if (entry->semaphore == NULL) creation_count++;
        *entry = (Creation){.semaphore = semaphore};
        for (int i = 0; i < depth; i++) {
            uint32_t number = number_of(&frames[i]);
            if (number != NONE) entry->frames[entry->depth++] = number;
        }
    }
    pthread_mutex_unlock(&guard);
}

/* ---- one wait ---- */

static void add(Profile profile, Reason reason, const sem_t *semaphore, double count, double delay_ns) {
    Frame frames[KEPT_FRAMES];
    uint32_t numbers[KEPT_FRAMES + CREATION_FRAMES];
    int depth = own_frames(frames);
    if (depth <= 0) return; /* a thread that begins or ends: there is no Python to charge */
    pthread_mutex_lock(&guard);
    uint32_t kept = 0, creation = 0;
    for (int i = 0; i < depth; i++) {
        uint32_t number = number_of(&frames[i]);
        if (number != NONE) numbers[kept++] = number;
    }
    if (semaphore != NULL && creation_capacity) {
        const Creation *made = &creations[creation_place(semaphore)];
        for (; made->semaphore != NULL && creation < made->depth; creation++) numbers[kept++] = made->frames[creation];
    }
    WaitStack *stack = find_stack(&tables[profile], numbers, kept, creation, reason);
    if (stack != NULL) {
        stack->count += count;
        stack->delay_ns += delay_ns;
    } else {
        tables[profile].lost += count;
    }
    pthread_mutex_unlock(&guard);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(void) {
    static THREAD_LOCAL uint64_t state;
    if (state == 0) state = now_ns() ^ (uintptr_t)&state;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Go's sampling: a wait of at least the rate always counts, a shorter one with the probability delay/rate, and then as
 * much as all its like together. */
static void add_blocked(Reason reason, uint64_t delay) {
    uint64_t rate = atomic_load_explicit(&block_rate_ns, memory_order_relaxed);
    if (rate == 0 || inside) return;
    double count = 1, total = (double)delay;
    if (delay < rate) {
        if (delay == 0 || next_random() % rate > delay) return;
        count = (double)rate / (double)delay;
        total = (double)rate;
    }
    inside = true;
    add(BLOCK, reason, NULL, count, total);
    inside = false;
}

/* ---- who waits for which semaphore ---- */

typedef struct Waiter {
    const sem_t *semaphore;
    uint64_t since; /* what came before has been charged to a release */
    struct Waiter *next;
} Waiter;

typedef struct {
    pthread_mutex_t lock;
    Waiter *first;
} Bucket;

static Bucket waiting[BUCKETS];
static atomic_int waiter_count;

static Bucket *bucket_of(const sem_t *semaphore) { return &waiting[mix(0, (uintptr_t)semaphore) % BUCKETS]; }

static void join(Waiter *waiter) {
    Bucket *bucket = bucket_of(waiter->semaphore);
    pthread_mutex_lock(&bucket->lock);
    waiter->next = bucket->first;
    bucket->first = waiter;
    pthread_mutex_unlock(&bucket->lock);
    atomic_fetch_add(&waiter_count, 1);
}

static void leave(const Waiter *waiter) {
    atomic_fetch_sub(&waiter_count, 1);
    Bucket *bucket = bucket_of(waiter->semaphore);
    pthread_mutex_lock(&bucket->lock);
    for (Waiter **link = &bucket->first; *link != NULL; link = &(*link)->next)
        if (*link == waiter) {
            *link = waiter->next;
            break;
        }
    pthread_mutex_unlock(&bucket->lock);
}

/* What all who wait for a semaphore have waited since somebody was last charged for it. */
static uint64_t take_charge(const sem_t *semaphore, int *waiters) {
    uint64_t sum = 0, now = now_ns();
    Bucket *bucket = bucket_of(semaphore);
    pthread_mutex_lock(&bucket->lock);
    for (Waiter *waiter = bucket->first; waiter != NULL; waiter = waiter->next)
        if (waiter->semaphore == semaphore) {
            sum += now - waiter->since;
            waiter->since = now;
            ++*waiters;
        }
    pthread_mutex_unlock(&bucket->lock);
    return sum;
}

/* ---- the hooks ---- */

static int (*real_sem_wait)(sem_t *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static int (*real_sem_clockwait)(sem_t *, clockid_t, const struct timespec *);
static int (*real_sem_post)(sem_t *);
static int (*real_sem_init)(sem_t *, int, unsigned);
static int (*real_sem_destroy)(sem_t *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
static ssize_t (*real_send)(int, const void *, size_t, int);
static int (*real_accept4)(int, struct sockaddr *, socklen_t *, int);
static int (*real_connect)(int, const struct sockaddr *, socklen_t);

/* Runs a call that may block and counts it if it did; errno stays the call's. */
#define TIMED(type, reason, least, call)                                                                  \
    uint64_t began = now_ns();                                                                             \
    type result = (call);                                                                                  \
    int error = errno;                                                                                     \
    uint64_t delay = now_ns() - began;                                                                     \
    if (delay >= (least)) add_blocked(reason, delay);                                                      \
    errno = error;                                                                                         \
    return result

#define ON_SEMAPHORE(call)                                                                                 \
    Waiter waiter = {.semaphore = semaphore, .since = now_ns()};                                           \
    uint64_t began = waiter.since;                                                                         \
    join(&waiter);                                                                                         \
    int result = (call);                                                                                   \
    int error = errno;                                                                                     \
    leave(&waiter);                                                                                        \
    add_blocked(ON_LOCK, now_ns() - began);                                                                \
    errno = error;                                                                                         \
    return result

static int on_sem_wait(sem_t *semaphore) { ON_SEMAPHORE(real_sem_wait(semaphore)); }

static int on_sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    ON_SEMAPHORE(real_sem_timedwait(semaphore, until));
}

static int on_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    ON_SEMAPHORE(real_sem_clockwait(semaphore, clock, until));
}

static int on_sem_post(sem_t *semaphore) {
    unsigned fraction = atomic_load_explicit(&mutex_fraction, memory_order_relaxed);
    if (UNLIKELY(atomic_load_explicit(&waiter_count, memory_order_relaxed) > 0) && fraction && !inside) {
        int waiters = 0;
        uint64_t delay = take_charge(semaphore, &waiters);
        if (waiters && (fraction == 1 || next_random() % fraction == 0)) {
            inside = true;
            add(MUTEX, ON_LOCK, semaphore, fraction, (double)delay * fraction);
            inside = false;
        }
    }
    return real_sem_post(semaphore);
}

static int on_sem_init(sem_t *semaphore, int shared, unsigned value) {
    if (atomic_load_explicit(&mutex_fraction, memory_order_relaxed) && !inside) {
        inside = true;
        note_creation(semaphore);
        inside = false;
    }
    return real_sem_init(semaphore, shared, value);
}

static int on_sem_destroy(sem_t *semaphore) {
    if (atomic_load_explicit(&mutex_fraction, memory_order_relaxed)) forget_creation(semaphore);
    return real_sem_destroy(semaphore);
}

/* The interpreter waits for its own lock in steps of the switch interval; each step is a call. */
static int on_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    if (!atomic_load_explicit(&records_gil, memory_order_relaxed) || inside)
        return real_cond_timedwait(condition, mutex, until);
    uint64_t began = now_ns();
    int result = real_cond_timedwait(condition, mutex, until);
    inside = true;
    add(GIL, ON_GIL, NULL, 1, (double)(now_ns() - began));
    inside = false;
    return result;
}

static int on_clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    TIMED(int, ON_SLEEP, 1, real_clock_nanosleep(clock, flags, until, left));
}

static int on_poll(struct pollfd *polled, nfds_t count, int timeout) {
    TIMED(int, ON_SELECT, NOT_A_WAIT_NS, real_poll(polled, count, timeout));
}

static int on_select(int count, fd_set *reading, fd_set *writing, fd_set *failing, struct timeval *timeout) {
    TIMED(int, ON_SELECT, NOT_A_WAIT_NS, real_select(count, reading, writing, failing, timeout));
}

static int on_epoll_wait(int set, struct epoll_event *events, int most, int timeout) {
    TIMED(int, ON_SELECT, NOT_A_WAIT_NS, real_epoll_wait(set, events, most, timeout));
}

static ssize_t on_recv(int socket, void *data, size_t size, int flags) {
    TIMED(ssize_t, ON_SOCKET, NOT_A_WAIT_NS, real_recv(socket, data, size, flags));
}

static ssize_t on_recvfrom(int socket, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    TIMED(ssize_t, ON_SOCKET, NOT_A_WAIT_NS, real_recvfrom(socket, data, size, flags, from, length));
}

static ssize_t on_send(int socket, const void *data, size_t size, int flags) {
    TIMED(ssize_t, ON_SOCKET, NOT_A_WAIT_NS, real_send(socket, data, size, flags));
}

static int on_accept4(int socket, struct sockaddr *from, socklen_t *length, int flags) {
    TIMED(int, ON_SOCKET, NOT_A_WAIT_NS, real_accept4(socket, from, length, flags));
}

static int on_connect(int socket, const struct sockaddr *to, socklen_t length) {
    TIMED(int, ON_SOCKET, NOT_A_WAIT_NS, real_connect(socket, to, length));
}

#define HOOK(name, hook, real, reach) {#name, (void *)(uintptr_t)(hook), (void **)(void *)&(real), reach, 0}

static GotPatches patches;
static GotHook hooks[] = {
    HOOK(sem_wait, on_sem_wait, real_sem_wait, GOT_INTERPRETER),
    HOOK(sem_timedwait, on_sem_timedwait, real_sem_timedwait, GOT_INTERPRETER),
    HOOK(sem_clockwait, on_sem_clockwait, real_sem_clockwait, GOT_INTERPRETER),
    HOOK(sem_post, on_sem_post, real_sem_post, GOT_INTERPRETER),
    HOOK(sem_init, on_sem_init, real_sem_init, GOT_INTERPRETER),
    HOOK(sem_destroy, on_sem_destroy, real_sem_destroy, GOT_INTERPRETER),
    HOOK(pthread_cond_timedwait, on_cond_timedwait, real_cond_timedwait, GOT_INTERPRETER),
    HOOK(clock_nanosleep, on_clock_nanosleep, real_clock_nanosleep, GOT_WAITING),
    HOOK(poll, on_poll, real_poll, GOT_WAITING),
    HOOK(select, on_select, real_select, GOT_WAITING),
    HOOK(epoll_wait, on_epoll_wait, real_epoll_wait, GOT_WAITING),
    HOOK(recv, on_recv, real_recv, GOT_WAITING),
    HOOK(recvfrom, on_recvfrom, real_recvfrom, GOT_WAITING),
    HOOK(send, on_send, real_send, GOT_WAITING),
    HOOK(accept4, on_accept4, real_accept4, GOT_WAITING),
    HOOK(connect, on_connect, real_connect, GOT_WAITING),
};
#define HOOK_COUNT ((int)(sizeof hooks / sizeof hooks[0]))

/* ---- fork ---- */

static void before_fork(void) { pthread_mutex_lock(&guard); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&guard); }

/* Only the forking thread lives on: the others' records were on stacks that are gone. */
static void after_fork_in_child(void) {
    pthread_mutex_unlock(&guard);
    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_init(&waiting[i].lock, NULL);
        waiting[i].first = NULL;
    }
    atomic_store(&waiter_count, 0);
}

/* ---- from Python ---- */

/* What was counted stays, for counters must not fall when a rate is set to 0 and back. Locks that were made and freed
 * unseen meanwhile have left their addresses to others, though. */
static void forget_creations(void) {
    pthread_mutex_lock(&guard);
    free(creations);
    creations = NULL;
    creation_count = creation_capacity = 0;
    pthread_mutex_unlock(&guard);
}

static PyObject *waits_start(PyObject *Py_UNUSED(module), PyObject *arguments) {
    unsigned long long rate;
    unsigned fraction;
    int with_gil;
    if (!PyArg_ParseTuple(arguments, "KIp", &rate, &fraction, &with_gil)) return NULL;
    if (fraction && !atomic_load(&mutex_fraction)) forget_creations();
    if (!atomic_load(&recording)) {
        if (!got_patch(&patches, hooks, HOOK_COUNT) || hooks[0].places + hooks[1].places + hooks[2].places == 0) {
            got_restore(&patches);
            PyErr_SetString(PyExc_RuntimeError, "this interpreter's calls to its semaphores could not be intercepted");
            return NULL;
        }
        atomic_store(&recording, true);
    }
    atomic_store(&block_rate_ns, rate);
    atomic_store(&mutex_fraction, fraction);
    atomic_store(&records_gil, with_gil != 0);
    Py_RETURN_NONE;
}

static PyObject *waits_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing)) {
    atomic_store(&block_rate_ns, 0);
    atomic_store(&mutex_fraction, 0);
    atomic_store(&records_gil, false);
    got_restore(&patches);
    atomic_store(&recording, false);
    Py_RETURN_NONE;
}

/* A copy of a table that needs no lock: building Python objects may let other threads run, and wait. */
typedef struct {
    WaitStack *stacks;
    uint32_t count;
    uint32_t *frames;
    NamedFrame *names; /* texts are never freed */
} Copy;

static void *copy_of(const void *memory, size_t size) {
    void *copy = malloc(size ? size : 1);
    if (copy != NULL && size) memcpy(copy, memory, size);
    return copy;
}

static PyObject *frame_tuple(const NamedFrame *frame) {
    return Py_BuildValue("(NNii)", PyUnicode_DecodeUTF8(frame->name_text, (Py_ssize_t)strlen(frame->name_text), "surrogatepass"),
                         PyUnicode_DecodeUTF8(frame->file_text, (Py_ssize_t)strlen(frame->file_text), "surrogatepass"),
                         (int)frame->line, (int)frame->first_line);
}

static PyObject *frames_tuple(const Copy *copy, uint32_t first, uint32_t depth) {
    PyObject *tuple = PyTuple_New(depth);
    for (uint32_t i = 0; tuple != NULL && i < depth; i++) {
        PyObject *frame = frame_tuple(&copy->names[copy->frames[first + i]]);
        if (frame == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, frame);
    }
    return tuple;
}

static PyObject *list_of(const Copy *copy) {
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < copy->count; i++) {
        const WaitStack *stack = &copy->stacks[i];
        uint32_t depth = stack->depth - stack->creation_depth;
        PyObject *entry = Py_BuildValue(
            "(ddsNN)", stack->count, stack->delay_ns, REASONS[stack->reason],
            frames_tuple(copy, stack->first, depth), frames_tuple(copy, stack->first + depth, stack->creation_depth));
        if (entry == NULL || PyList_Append(list, entry) < 0) Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

static PyObject *waits_read(PyObject *Py_UNUSED(module), PyObject *argument) {
    long profile = PyLong_AsLong(argument);
    if (profile == -1 && PyErr_Occurred()) return NULL;
    if (profile < 0 || profile >= PROFILES) {
        PyErr_SetString(PyExc_ValueError, "expected 0 (block), 1 (mutex) or 2 (gil)");
        return NULL;
    }
    pthread_mutex_lock(&guard);
    const WaitTable *table = &tables[profile];
    Copy copy = {
        .stacks = copy_of(table->stacks, table->count * sizeof *table->stacks),
        .count = table->count,
        .frames = copy_of(stack_frames, stack_frame_count * sizeof *stack_frames),
        .names = copy_of(names, name_count * sizeof *names)};
    pthread_mutex_unlock(&guard);
    PyObject *list = NULL;
    if (copy.stacks == NULL || copy.frames == NULL || copy.names == NULL)
        PyErr_NoMemory();
    else
        list = list_of(&copy);
    free(copy.stacks);
    free(copy.frames);
    free(copy.names);
    return list;
}

int attach_waits(void) {
    for (int i = 0; i < BUCKETS; i++) pthread_mutex_init(&waiting[i].lock, NULL);
    if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0) return 0;
    PyErr_NoMemory();
    return -1;
}

PyMethodDef wait_methods[] = {
    {"waits_start", waits_start, METH_VARARGS,
     "waits_start(block_rate_ns, mutex_fraction, gil): begins, or changes the rates; 0 records none of a kind."},
    {"waits_read", waits_read, METH_O,
     "waits_read(profile): [(count, delay_ns, reason, stack, where the lock was made)], cumulative."},
    {"waits_stop", waits_stop, METH_NOARGS, "waits_stop(): ends, and puts everything back. What was recorded stays."},
    {NULL, NULL, 0, NULL},
};
