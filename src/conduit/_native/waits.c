/* Waiting: how long threads block, which code makes them wait, and which threads wait for the GIL.
 *
 * Every lock of CPython ends in a semaphore, and only an acquire that has to wait calls `sem_wait` or one of its
 * variants; an uncontended one calls none. got.c routes these calls here. Three profiles are kept (wait_table.c):
 *   block   the stack of the waiting thread, once it has waited: for locks, and in sleep, select and sockets
 *   mutex   the stack that releases a lock while other threads wait for it, charged with their delay since the last
 *           release; and where the lock was made, if that happened while recording
 *   gil     the stack of a thread that waits for the GIL
 *
 * The hooks run mostly without the GIL, so they touch no reference count and allocate nothing from Python. The hook
 * on the GIL's own condition variable runs with the GIL's mutex held. */
#define _GNU_SOURCE
#include "python_layout.h"

#include "frames.h"
#include "got.h"
#include "lock_objects.h"
#include "random.h"
#include "wait_table.h"
#include "waiters.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#define MIN_WAIT_NS 5000 /* a shorter system call found its data ready */

static atomic_bool recording, records_gil;
static atomic_ullong block_rate_ns;
static atomic_uint mutex_fraction;

static THREAD_LOCAL atomic_uintptr_t *lock_seen; /* receives the lock of this thread's next wait, in the check */
static THREAD_LOCAL bool inside; /* our own hooks call nothing that waits, but a signal handler of Python's may */

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(void) {
    static THREAD_LOCAL uint64_t state;
    if (state == 0) state = random_seed(&state);
    return random_next(&state);
}

/* Go's sampling: a wait of at least the rate always counts; a shorter one counts with probability delay/rate, and then
 * stands for all waits of its length. */
static void add_blocked(WaitReason reason, uint64_t delay) {
    uint64_t rate = atomic_load_explicit(&block_rate_ns, memory_order_relaxed);
    if (rate == 0 || inside) return;
    double count = 1, total = (double)delay;
    if (delay < rate) {
        if (delay == 0 || next_random() % rate > delay) return;
        count = (double)rate / (double)delay;
        total = (double)rate;
    }
    inside = true;
    wait_table_add(WAITS_BLOCK, reason, 0, count, total);
    inside = false;
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

/* Run a call that may block, and add it if it took at least `least` nanoseconds; errno stays the call's. */
#define TIMED(type, reason, least, call)                                                                  \
    uint64_t began = now_ns();                                                                             \
    type result = (call);                                                                                  \
    int error = errno;                                                                                     \
    uint64_t delay = now_ns() - began;                                                                     \
    if (delay >= (least)) add_blocked(reason, delay);                                                      \
    errno = error;                                                                                         \
    return result

/* Fill in the waiter and list it. A thread without Python frames that parks is not listed: it is starting or ending,
 * and waits for the interpreter rather than for a lock of the program. `frame` is the hook's own. */
static bool begin_wait(Waiter *waiter, const sem_t *semaphore, const void *frame) {
    Frame leaf;
    *waiter = (Waiter){.semaphore = (uintptr_t)semaphore, .lock = layout_lock_behind(semaphore, frame)};
    if (UNLIKELY(lock_seen != NULL)) atomic_store(lock_seen, waiter->lock);
    waiter->since = now_ns();
    if (layout_is_parked(semaphore, frame) && frames_walk(PyGILState_GetThisThreadState(), &leaf, 1) == 0) return false;
    waiters_join(waiter);
    return true;
}

#define ON_SEMAPHORE(call)                                                                                 \
    Waiter waiter;                                                                                         \
    bool listed = begin_wait(&waiter, semaphore, __builtin_frame_address(0));                              \
    uint64_t began = waiter.since;                                                                         \
    int result = (call);                                                                                   \
    int error = errno;                                                                                     \
    if (listed) waiters_leave(&waiter);                                                                    \
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

static void charge_release(sem_t *semaphore, unsigned fraction) {
    uintptr_t lock;
    uint64_t delay;
    int waiters = waiters_charge((uintptr_t)semaphore, now_ns(), &lock, &delay);
    if (waiters == 0 || (fraction > 1 && next_random() % fraction != 0)) return;
    inside = true;
    wait_table_add(WAITS_MUTEX, ON_LOCK, lock, fraction, (double)delay * fraction);
    inside = false;
}

static int on_sem_post(sem_t *semaphore) {
    unsigned fraction = atomic_load_explicit(&mutex_fraction, memory_order_relaxed);
    if (UNLIKELY(waiters_any()) && fraction && !inside) charge_release(semaphore, fraction);
    return real_sem_post(semaphore);
}

static void on_lock_made(uintptr_t lock) {
    if (!atomic_load_explicit(&mutex_fraction, memory_order_relaxed) || inside) return;
    inside = true;
    wait_table_lock_made(lock);
    inside = false;
}

static void on_lock_freed(uintptr_t lock) {
    if (atomic_load_explicit(&mutex_fraction, memory_order_relaxed)) wait_table_lock_freed(lock);
}

static int on_sem_init(sem_t *semaphore, int shared, unsigned value) {
    if (!layout_is_parked(semaphore, __builtin_frame_address(0))) on_lock_made((uintptr_t)semaphore);
    return real_sem_init(semaphore, shared, value);
}

static int on_sem_destroy(sem_t *semaphore) {
    if (!layout_is_parked(semaphore, __builtin_frame_address(0))) on_lock_freed((uintptr_t)semaphore);
    return real_sem_destroy(semaphore);
}

/* The interpreter waits for the GIL in steps of the switch interval; each step is a call. */
static int on_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    if (!atomic_load_explicit(&records_gil, memory_order_relaxed) || inside)
        return real_cond_timedwait(condition, mutex, until);
    uint64_t began = now_ns();
    int result = real_cond_timedwait(condition, mutex, until);
    inside = true;
    wait_table_add(WAITS_GIL, ON_GIL, 0, 1, (double)(now_ns() - began));
    inside = false;
    return result;
}

static int on_clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    TIMED(int, ON_SLEEP, 1, real_clock_nanosleep(clock, flags, until, left));
}

static int on_poll(struct pollfd *polled, nfds_t count, int timeout) {
    TIMED(int, ON_SELECT, MIN_WAIT_NS, real_poll(polled, count, timeout));
}

static int on_select(int count, fd_set *reading, fd_set *writing, fd_set *failing, struct timeval *timeout) {
    TIMED(int, ON_SELECT, MIN_WAIT_NS, real_select(count, reading, writing, failing, timeout));
}

static int on_epoll_wait(int set, struct epoll_event *events, int max_events, int timeout) {
    TIMED(int, ON_SELECT, MIN_WAIT_NS, real_epoll_wait(set, events, max_events, timeout));
}

static ssize_t on_recv(int socket, void *data, size_t size, int flags) {
    TIMED(ssize_t, ON_SOCKET, MIN_WAIT_NS, real_recv(socket, data, size, flags));
}

static ssize_t on_recvfrom(int socket, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    TIMED(ssize_t, ON_SOCKET, MIN_WAIT_NS, real_recvfrom(socket, data, size, flags, from, length));
}

static ssize_t on_send(int socket, const void *data, size_t size, int flags) {
    TIMED(ssize_t, ON_SOCKET, MIN_WAIT_NS, real_send(socket, data, size, flags));
}

static int on_accept4(int socket, struct sockaddr *from, socklen_t *length, int flags) {
    TIMED(int, ON_SOCKET, MIN_WAIT_NS, real_accept4(socket, from, length, flags));
}

static int on_connect(int socket, const struct sockaddr *to, socklen_t length) {
    TIMED(int, ON_SOCKET, MIN_WAIT_NS, real_connect(socket, to, length));
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
#define GIL_HOOK 6

/* ---- from Python ---- */

static void see_own_waits(atomic_uintptr_t *seen) { lock_seen = seen; }

/* Whether waits for a known lock are seen as they should be, found out once. */
static bool knows_locks(void) {
    static enum { UNKNOWN, SEEN, NOT_SEEN } locks;
    inside = true; /* the check is not recorded */
    if (locks == UNKNOWN) locks = lock_objects_check(see_own_waits) ? SEEN : NOT_SEEN;
    inside = false;
    return locks == SEEN;
}

static bool patch_calls(void) {
    if (atomic_load(&recording)) return true;
    bool patched = got_patch(&patches, hooks, HOOK_COUNT) && hooks[0].calls + hooks[1].calls + hooks[2].calls > 0;
    if (!patched) {
        got_restore(&patches);
        PyErr_SetString(PyExc_RuntimeError, "this interpreter's calls to its semaphores could not be intercepted");
    }
    atomic_store(&recording, patched);
    return patched;
}

static void restore_calls(void) {
    atomic_store(&block_rate_ns, 0);
    atomic_store(&mutex_fraction, 0);
    atomic_store(&records_gil, false);
    lock_objects_unwatch();
    got_restore(&patches);
    atomic_store(&recording, false);
}

/* Raise an error where this interpreter is not as this build expects; it names the version. */
static bool can_record(unsigned fraction, int with_gil) {
    const char *kind = NULL;
    if (with_gil && hooks[GIL_HOOK].calls == 0)
        kind = "gil";
    else if (fraction && !knows_locks())
        kind = "mutex";
    if (kind == NULL) return true;
    PyErr_Format(PyExc_RuntimeError,
                 "no %s profile can be taken on Python %s: its locks are not as this version of conduit knows them; "
                 "profiles of other kinds are not affected", kind, PY_VERSION);
    return false;
}

static PyObject *waits_start(PyObject *Py_UNUSED(module), PyObject *arguments) {
    unsigned long long rate;
    unsigned fraction;
    int with_gil;
    if (!PyArg_ParseTuple(arguments, "KIp", &rate, &fraction, &with_gil)) return NULL;
    bool was_recording = atomic_load(&recording);
    if (!patch_calls()) return NULL;
    if (!can_record(fraction, with_gil) || (fraction && !lock_objects_watch(on_lock_made, on_lock_freed))) {
        if (!was_recording) restore_calls();
        return NULL;
    }
    /* Other locks may have the addresses of locks whose end was not seen. */
    if (fraction && !atomic_load(&mutex_fraction)) wait_table_forget_locks();
    if (!fraction) lock_objects_unwatch();
    atomic_store(&block_rate_ns, rate);
    atomic_store(&mutex_fraction, fraction);
    atomic_store(&records_gil, with_gil != 0);
    Py_RETURN_NONE;
}

static PyObject *waits_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing)) {
    restore_calls();
    Py_RETURN_NONE;
}

static PyObject *waits_read(PyObject *Py_UNUSED(module), PyObject *argument) {
    long profile = PyLong_AsLong(argument);
    if (profile == -1 && PyErr_Occurred()) return NULL;
    if (profile < 0 || profile >= WAIT_PROFILES) {
        PyErr_SetString(PyExc_ValueError, "expected 0 (block), 1 (mutex) or 2 (gil)");
        return NULL;
    }
    return wait_table_read((WaitProfile)profile);
}

static void after_fork_in_child(void) {
    wait_table_after_fork();
    waiters_after_fork_in_child();
}

int attach_waits(void) {
    waiters_init();
    if (pthread_atfork(wait_table_before_fork, wait_table_after_fork, after_fork_in_child) == 0) return 0;
    PyErr_NoMemory();
    return -1;
}

PyMethodDef wait_methods[] = {
    {"waits_start", waits_start, METH_VARARGS,
     "waits_start(block_rate_ns, mutex_fraction, gil): start, or change the rates; 0 records none of a kind."},
    {"waits_read", waits_read, METH_O,
     "waits_read(profile): (names, bounds, made_bounds, frames, sums, reasons, labels), cumulative."},
    {"waits_stop", waits_stop, METH_NOARGS, "waits_stop(): stop and restore all calls; the records stay."},
    {NULL, NULL, 0, NULL},
};
