/* The CPU sampler: every thread's own timer interrupts it with SIGPROF, and the handler records its Python stack.
 *
 * Three parts run in different contexts:
 *   the handler      in the interrupted thread, with or without the GIL. It reads by safe_load, writes one slot of the
 *                    ring, and touches nothing else but atomics and thread-local integers.
 *   the collector    a thread of ours without the GIL and with all signals blocked. Five times a second it moves
 *                    samples from the ring to the table (more often where they come faster), and half as often it
 *                    looks for threads without a timer; those of `threading` get theirs as they begin.
 *   start and stop   with the GIL, on any thread.
 *
 * Which signals become samples: every kernel tick signals the thread that it finds running. A thread's ticks are
 * divided into groups, whose size follows from the rate, and one tick of each group, chosen at random, becomes a
 * sample. A timer with the rate's period would be biased: it is silent until the period is used up, so a tick is more
 * likely to signal the longer the thread has run before it, which favours long calls over short ones. (In a thread that
 * runs for tenths of a millisecond between sleeps, the share of a function that takes ten times as long was up to 5
 * percentage points too large.) For the same reason a sample is not weighted by the CPU time before it; instead, the
 * time of a few consecutive samples of a thread is divided among them by the size of their groups. The time is used at
 * all because ticks are not equally frequent on a busy machine: a thread that computes without a pause is found by far
 * fewer of them than one that often waits.
 *
 * A recording's own work (its start, its end, what else it does around the program) is passed over: between `cpu_pause`
 * and `cpu_resume` no tick of the thread is a sample, and the time is taken out of its clock. A sample that fell there
 * would take with it the program's time since the sample before, a twentieth of a program that works for 0.2 s.
 *
 * Ownership: a slot of the ring belongs to its handler until the sample is published, and then to the holder of
 * `table_lock`. Code objects are known by address only; while sampling goes on, dying ones are parked (code_parking.c),
 * so no other object gets an address that is in the table. `handlers` counts the handlers that are running: stop waits
 * until there are none, and a sweep is skipped while there are any. */
#define _GNU_SOURCE
#include "address_map.h"
#include "code_parking.h"
#include "label_reader.h"
#include "native.h"
#include "random.h"
#include "registers.h"
#include "sample_ring.h"
#include "stack_columns.h"
#include "stack_table.h"
#include "thread_timers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define DRAIN_PERIOD_NS 200000000
#define LISTING_PERIOD_NS 400000000
#define MIN_WAIT_NS 1000000
#define MAX_QUIET_WAIT_NS INT64_C(5000000000)

/* Other facts about a stack follow its frames in the table, as frames whose instruction is one of these numbers. */
enum { MARK_THREAD = -1000, MARK_COUNTER = -1001, MARK_TASK = -1002, MARK_UNREADABLE = -1003, MARK_LABELS = -1004 };
enum { MARKS = 5 };

/* The sums of a stack: CPU time, number of samples, and their weight (the number of ticks that they stand for). */
enum { CPU_NS, SIGNALS, WEIGHT };
/* How many samples share their CPU time. */
enum { SHARING = 8 };
#define WEIGHT_OF_ONE 1024

/* Until a new thread has used this much CPU time, every tick in it is a sample, so that even a short thread has
 * enough. */
#define NEW_THREAD_NS INT64_C(100000000)
/* The weight, in ticks, of the guessed length of a tick in the average of a thread's ticks. */
#define GUESSED_TICKS 10
#define MIN_TICK_NS 1000000
#define MAX_TICK_NS 10000000
/* A thread that ran for so long without a tick was not passed over by chance. */
#define STALL_TICKS 4

static atomic_bool sampling;
static atomic_int handlers;
static atomic_uint session, next_thread;
static atomic_ullong walked, lost, unreadable, foreign, handler_ns, handler_calls, all_stalls_ns;

static bool active, stopping; /* with the GIL; building the answer may let other threads run */
static bool keep_counters;
static pid_t owner;
static PyInterpreterState *interpreter;
static struct sigaction action_before;
static int64_t sampling_period_ns;
static TimerClock sampling_clock;
static int64_t tick_guess_ns;
static struct timespec started, process_started;
static int64_t starter_began_ns; /* the clock of the thread that starts the recording, at the same moment */
static pthread_key_t end_key; /* its destructor runs in each thread that ends */

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static StackTable table; /* under `table_lock` */
/* The samples of one thread whose time is not divided yet. */
typedef struct {
    int64_t cpu_ns, weight, weights[SHARING];
    uint32_t stacks[SHARING];
    int count;
} Shared;
static Shared *shared_times; /* by the thread's number */
static size_t shared_capacity;
static char (*task_names)[TASK_NAME_BYTES];
static uint32_t task_count, task_capacity;

static pthread_t collector;
static bool collecting; /* under `collector_lock` */
static pthread_mutex_t collector_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t collector_wakes;
static int64_t collector_ns;

static THREAD_LOCAL atomic_ullong own_number; /* high half: the session; low half: the thread's number in it */
static THREAD_LOCAL pid_t own_tid;
static THREAD_LOCAL unsigned own_clock_session; /* the session in which `own_last_ns` is valid */
static THREAD_LOCAL unsigned own_ended_session;
static THREAD_LOCAL int64_t own_last_ns;      /* the thread's clock at its last sample */
static THREAD_LOCAL int64_t own_new_until_ns; /* until then every signal is a sample */
static THREAD_LOCAL int64_t own_ticks;        /* signals in this session */
static THREAD_LOCAL int64_t own_tick_ns;      /* the thread's clock at its last signal */
static THREAD_LOCAL int64_t own_tick_wall_ns; /* CLOCK_MONOTONIC at that signal, 0: unknown */
static THREAD_LOCAL int64_t own_stalls_ns;    /* the time of its stalls; see `stall_before` */
static THREAD_LOCAL int64_t own_group_end;    /* in ticks, of WEIGHT_OF_ONE each, like the next two */
static THREAD_LOCAL int64_t own_group_size;
static THREAD_LOCAL int64_t own_choice; /* the position of the next sample */
static THREAD_LOCAL int64_t own_first_ns;     /* the thread's clock when it got its timer */
static THREAD_LOCAL uint64_t own_random;
static THREAD_LOCAL volatile sig_atomic_t own_pauses; /* how many times its time is passed over, one in another */

static int64_t since(const struct timespec *begin, clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)(now.tv_sec - begin->tv_sec) * 1000000000 + (now.tv_nsec - begin->tv_nsec);
}

static int64_t clock_ns(clockid_t clock) {
    const struct timespec zero = {0, 0};
    return since(&zero, clock);
}

static int64_t own_clock_ns(void) {
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- in the handler ---- */

/* The calling thread's number; unlike the kernel's, it is not given to a later thread of this session. If the handler
 * of a signal that arrives in this function assigns a number first, the thread keeps that one. */
static uint32_t number_own_thread(void) {
    unsigned long long known = atomic_load(&own_number);
    unsigned current = atomic_load(&session);
    if (known >> 32 == current) return (uint32_t)known;
    own_tid = (pid_t)syscall(SYS_gettid);
    unsigned long long drawn = (unsigned long long)current << 32 | atomic_fetch_add(&next_thread, 1);
    return (uint32_t)(atomic_compare_exchange_strong(&own_number, &known, drawn) ? drawn : known);
}

/* Have `note_end` called when the calling thread ends. In a handler this is possible only for the first 32 keys,
 * because pthread_setspecific allocates memory for later ones. */
static void watch_own_end(bool in_handler) {
    if (!in_handler || end_key < 32) pthread_setspecific(end_key, &end_key);
}

/* The destructor of `end_key`: keep the clock of a thread that is about to end. This happens also while the recording
 * stops, until the clocks are read; once the timers have been deleted, the thread is unknown. */
static void note_end(void *Py_UNUSED(value)) {
    unsigned long long known = atomic_load(&own_number);
    unsigned current = atomic_load(&session);
    if (known >> 32 != current) return;
    own_ended_session = current; /* a signal from now on is ignored: its time is counted here */
    thread_timers_retire(own_tid, (uint32_t)known);
}

/* The average length of this thread's ticks; stalls are left out. */
static int64_t tick_length(int64_t now_ns) {
    int64_t used_ns = now_ns - own_first_ns - own_stalls_ns;
    return (GUESSED_TICKS * tick_guess_ns + used_ns) / (GUESSED_TICKS + own_ticks);
}

/* The number of this thread's ticks for each sample, from their average length. Between 1 and 1.25 all are taken:
 * otherwise the samples of two groups would often fall on the same tick. */
static int64_t group_size(int64_t now_ns) {
    if (sampling_clock == CLOCK_OF_WALL || now_ns < own_new_until_ns) return WEIGHT_OF_ONE;
    int64_t tick_ns = tick_length(now_ns);
    return tick_ns < sampling_period_ns / 5 * 4 ? sampling_period_ns * WEIGHT_OF_ONE / tick_ns : WEIGHT_OF_ONE;
}

static void begin_group(int64_t now_ns) {
    if (own_random == 0) own_random = random_seed(&own_random);
    own_group_size = group_size(now_ns);
    own_choice = own_group_end + 1 + (int64_t)(random_next(&own_random) % (uint64_t)own_group_size);
    own_group_end += own_group_size;
}

static void begin_own_clock(unsigned current, int64_t first_ns, int64_t wall_ns, int64_t new_until_ns) {
    own_first_ns = own_last_ns = own_tick_ns = first_ns;
    own_tick_wall_ns = wall_ns;
    own_ticks = own_group_end = own_stalls_ns = 0;
    own_new_until_ns = new_until_ns;
    own_clock_session = current;
    begin_group(first_ns);
}

/* How many ticks the one at `now_ns` stands for, in units of 1/WEIGHT_OF_ONE; 0: it is not sampled. */
static int64_t weight_of_tick(int64_t now_ns) {
    int64_t weight = 0, position = ++own_ticks * WEIGHT_OF_ONE;
    for (; own_choice <= position; begin_group(now_ns)) weight += own_group_size;
    return weight;
}

/* The CPU time for which the thread has been without the ticks that it should have had: it blocked the signal, or the
 * machine stood still. That is the time of the code that this tick interrupts, which may have no other.
 *
 * A thread on a busy processor may run between the ticks only. That is no stall, and shows in the time: others run as
 * well, and more of it passes than the thread uses. */
static int64_t stall_before(int64_t now_ns, const ucontext_t *context) {
    int64_t wall_ns = clock_ns(CLOCK_MONOTONIC), used_ns = now_ns - own_tick_ns, tick_ns = tick_length(own_tick_ns);
    bool ran_on = own_tick_wall_ns != 0 && used_ns * 3 > (wall_ns - own_tick_wall_ns) * 2;
    own_tick_ns = now_ns;
    own_tick_wall_ns = wall_ns;
    if (used_ns <= STALL_TICKS * tick_ns || !(ran_on || is_change_of_blocked_signals(context))) return 0;
    own_stalls_ns += used_ns - tick_ns;
    atomic_fetch_add(&all_stalls_ns, (unsigned long long)(used_ns - tick_ns));
    return used_ns - tick_ns;
}

static void take_sample(const siginfo_t *information, const ucontext_t *context, int64_t now_ns) {
    if (information->si_code != SI_TIMER || !thread_timers_is_ours(information->si_value.sival_ptr)) {
        atomic_fetch_add(&foreign, 1);
        return;
    }
    int64_t periods = 1 + (information->si_overrun > 0 ? information->si_overrun : 0);
    unsigned current = atomic_load(&session);
    if (own_ended_session == current || own_pauses) return;
    uint32_t thread_number = number_own_thread();
    if (own_clock_session != current) {
        int64_t used_ns = periods * TICK_PERIOD_NS;
        watch_own_end(true);
        begin_own_clock(current, used_ns < now_ns ? now_ns - used_ns : 0, 0, 0);
    }
    int64_t stall_ns = sampling_clock == CLOCK_OF_WALL ? 0 : stall_before(now_ns, context);
    int64_t weight = weight_of_tick(now_ns);
    if (weight == 0 && stall_ns == 0) return;
    Sample *sample = sample_ring_claim(thread_number);
    if (sample == NULL) {
        atomic_fetch_add(&lost, 1); /* the next sample gets its time */
        return;
    }
    sample->thread = thread_number;
    sample->tid = own_tid;
    sample->stall_ns = stall_ns;
    sample->cpu_ns = sampling_clock == CLOCK_OF_WALL ? periods * sampling_period_ns : now_ns - own_last_ns - stall_ns;
    sample->weight = weight;
    own_last_ns = now_ns;
    if (weight == 0) { /* its tick goes with the next sample */
        own_last_ns -= sample->cpu_ns;
        sample->cpu_ns = 0;
    }
    sample->counter = counter_of(context);
    sample->task[0] = 0;
    PyThreadState *thread = PyGILState_GetThisThreadState();
    if (thread != NULL && thread->interp != interpreter) thread = NULL; /* a subinterpreter's code is not parked */
    LoadMethod method = safe_load_method(&context->uc_sigmask);
    Coroutines coroutines;
    sample->depth = frames_walk_interrupted(thread, method, context, sample->frames, MAX_DEPTH, &coroutines);
    task_name_of(method, thread, &coroutines, sample->task);
    sample->labels = labels_interrupted(method, thread, LABELS_OF_CPU);
    atomic_fetch_add(&walked, 1);
    if (sample->depth < 0) atomic_fetch_add(&unreadable, 1);
    sample_ring_publish(sample);
}

static void on_profile_signal(int Py_UNUSED(signal_number), siginfo_t *information, void *context) {
    int error = errno;
    struct timespec begin;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    atomic_fetch_add(&handlers, 1);
    if (atomic_load(&sampling)) {
        take_sample(information, context, (int64_t)begin.tv_sec * 1000000000 + begin.tv_nsec);
        atomic_fetch_add(&handler_calls, 1);
        atomic_fetch_add(&handler_ns, (unsigned long long)since(&begin, CLOCK_THREAD_CPUTIME_ID));
    }
    atomic_fetch_sub(&handlers, 1);
    errno = error;
}

/* ---- from the ring to the table ---- */

static uint32_t task_number(const char *name) {
    for (uint32_t i = task_count; i-- > 0;)
        if (strcmp(task_names[i], name) == 0) return i;
    if (task_count == task_capacity) {
        uint32_t capacity = task_capacity ? task_capacity * 2 : 16;
        void *moved = realloc(task_names, capacity * sizeof *task_names);
        if (moved == NULL) return NO_STACK;
        task_names = moved;
        task_capacity = capacity;
    }
    strcpy(task_names[task_count], name);
    return task_count++;
}

/* Divide the CPU time of a thread's latest samples among them by weight. Needs `table_lock`. */
static void share_out(Shared *shared) {
    int64_t left_ns = shared->cpu_ns, left_weight = shared->weight;
    for (int i = 0; i < shared->count; i++) {
        int64_t part = (int64_t)((double)left_ns * (double)shared->weights[i] / (double)left_weight);
        if (i == shared->count - 1) part = left_ns;
        table.stacks[shared->stacks[i]].values[CPU_NS] += part;
        left_ns -= part;
        left_weight -= shared->weights[i];
    }
    shared->count = 0;
    shared->cpu_ns = shared->weight = 0;
}

static Shared *shared_of(uint32_t thread) {
    size_t had = shared_capacity;
    if (!array_reserve((void **)&shared_times, &shared_capacity, (size_t)thread + 1, sizeof *shared_times)) return NULL;
    if (shared_capacity > had) memset(shared_times + had, 0, (shared_capacity - had) * sizeof *shared_times);
    return &shared_times[thread];
}

static void share_time(const Sample *sample, uint32_t stack) {
    table.stacks[stack].values[CPU_NS] += sample->stall_ns;
    if (sample->weight == 0) return;
    Shared *shared = sampling_clock == CLOCK_OF_WALL ? NULL : shared_of(sample->thread);
    if (shared == NULL) {
        table.stacks[stack].values[CPU_NS] += sample->cpu_ns;
        return;
    }
    shared->cpu_ns += sample->cpu_ns;
    shared->weight += sample->weight;
    shared->weights[shared->count] = sample->weight;
    shared->stacks[shared->count++] = stack;
    if (shared->count == SHARING) share_out(shared);
}

static void share_out_all(void) {
    for (size_t i = 0; i < shared_capacity; i++) share_out(&shared_times[i]);
}

static void forget_shared(void) {
    free(shared_times);
    shared_times = NULL;
    shared_capacity = 0;
}

/* With `table_lock`. */
static void add_to_table(const Sample *sample) {
    static Frame frames[MAX_DEPTH + MARKS];
    int depth = sample->depth > 0 ? sample->depth : 0;
    memcpy(frames, sample->frames, (size_t)depth * sizeof(Frame));
    uintptr_t thread = ((uintptr_t)sample->thread << 32) | (uint32_t)sample->tid;
    frames[depth++] = (Frame){(PyCodeObject *)thread, MARK_THREAD};
    if (sample->depth < 0) frames[depth++] = (Frame){NULL, MARK_UNREADABLE};
    if (keep_counters) frames[depth++] = (Frame){(PyCodeObject *)sample->counter, MARK_COUNTER};
    uint32_t task = sample->task[0] ? task_number(sample->task) : NO_STACK;
    if (task != NO_STACK) frames[depth++] = (Frame){(PyCodeObject *)(uintptr_t)task, MARK_TASK};
    if (sample->labels) frames[depth++] = (Frame){(PyCodeObject *)(uintptr_t)sample->labels, MARK_LABELS};
    bool is_new;
    uint32_t stack = stack_table_intern(&table, frames, depth, &is_new);
    if (stack == NO_STACK) {
        atomic_fetch_add(&lost, 1);
    } else {
        share_time(sample, stack);
        table.stacks[stack].values[SIGNALS] += 1;
        table.stacks[stack].values[WEIGHT] += sample->weight;
    }
}

static double drain(void) {
    pthread_mutex_lock(&table_lock);
    double fullness = sample_ring_drain(add_to_table);
    pthread_mutex_unlock(&table_lock);
    return fullness;
}

static bool is_in_samples(const PyCodeObject *code, void *argument) {
    Block block;
    return address_map_find(argument, (uintptr_t)code, &block);
}

/* Release parked code that is in no sample. A running handler may have read the address of code that was alive then and
 * not have published it yet, so nothing is released while one runs. */
static void sweep_parked_code(void) {
    AddressMap known = {NULL, 0, 0};
    bool complete = true;
    if (atomic_load(&handlers) != 0) return;
    pthread_mutex_lock(&table_lock);
    sample_ring_drain(add_to_table);
    for (size_t i = 0; i < table.frame_count && complete; i++) {
        const Frame *frame = &table.frames[i];
        bool is_repeated = i > 0 && frame->code == frame[-1].code; /* most frames of a recursion */
        if (frame->instruction > MARK_THREAD && !is_repeated)
            complete = address_map_put(&known, (Block){.address = (uintptr_t)frame->code});
    }
    pthread_mutex_unlock(&table_lock);
    if (complete) code_parking_sweep(is_in_samples, &known);
    address_map_clear(&known);
}

/* Wait for `nanoseconds` or until the recording ends, whichever is first. With `collector_lock`. */
static void doze(int64_t nanoseconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)nanoseconds;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (collecting && pthread_cond_timedwait(&collector_wakes, &collector_lock, &until) == 0) continue;
}

/* Many threads or a high rate fill the ring sooner; it is then emptied more often. */
static int64_t next_wait(int64_t wait, double fullness) {
    if (fullness > 0.05) return wait / 8 > MIN_WAIT_NS ? wait / 8 : MIN_WAIT_NS;
    if (fullness < 0.01) return wait * 2 < DRAIN_PERIOD_NS ? wait * 2 : DRAIN_PERIOD_NS;
    return wait;
}

static void *collect(void *Py_UNUSED(argument)) {
    pid_t tid = (pid_t)syscall(SYS_gettid);
    int64_t until_listing = 0, wait = DRAIN_PERIOD_NS;
    pthread_mutex_lock(&collector_lock);
    while (collecting) {
        pthread_mutex_unlock(&collector_lock);
        wait = next_wait(wait, drain());
        if (until_listing <= 0) {
            thread_timers_arm_all(tid);
            until_listing = LISTING_PERIOD_NS;
        }
        until_listing -= wait;
        pthread_mutex_lock(&collector_lock);
        doze(wait);
    }
    collector_ns = own_clock_ns();
    pthread_mutex_unlock(&collector_lock);
    return NULL;
}

static bool init_condition(void) {
    pthread_condattr_t attributes;
    return pthread_condattr_init(&attributes) == 0 && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&collector_wakes, &attributes) == 0;
}

static bool start_collector(void) {
    sigset_t all, before;
    sigfillset(&all);
    collecting = true;
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: the collector takes no signals of the program */
    int status = pthread_create(&collector, NULL, collect, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0) collecting = false;
    return status == 0;
}

static void stop_collector(void) {
    pthread_mutex_lock(&collector_lock);
    bool was_collecting = collecting;
    collecting = false;
    pthread_cond_signal(&collector_wakes);
    pthread_mutex_unlock(&collector_lock);
    if (was_collecting) pthread_join(collector, NULL);
}

/* ---- start ---- */

static bool signal_is_free(void) {
    struct itimerval timer;
    sigaction(SIGPROF, NULL, &action_before);
    bool has_handler = (action_before.sa_flags & SA_SIGINFO) != 0 ||
                       (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN);
    bool has_timer = getitimer(ITIMER_PROF, &timer) == 0 && (timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0);
    if (!has_handler && !has_timer) return true;
    PyErr_Format(PyExc_RuntimeError,
                 "the CPU sampler needs the signal SIGPROF, and this program uses it already (%s): turn the other "
                 "profiler off, or take a wall profile",
                 has_handler ? "it has a handler" : "setitimer(ITIMER_PROF) is running");
    return false;
}

static bool is_only_interpreter(void) {
    PyInterpreterState *first = PyInterpreterState_Head();
    if (first != NULL && PyInterpreterState_Next(first) == NULL) return true;
    PyErr_SetString(PyExc_RuntimeError, "the CPU sampler does not work in a process with subinterpreters: their code "
                                        "objects could die unseen");
    return false;
}

static void install_handler(void) {
    struct sigaction mine;
    memset(&mine, 0, sizeof mine);
    mine.sa_sigaction = on_profile_signal;
    mine.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigaction(SIGPROF, &mine, NULL);
}

/* Leave the signal ignored, also where its action was the default. The kernel releases its lock between taking a
 * timer's signal from the queue and reading the action, so a signal on its way to another thread may still arrive
 * after its timer is gone; the default action would then end the program (seen once in thousands of stops). False:
 * another handler has been installed since, and stays. */
static bool restore_handler(void) {
    struct sigaction current, ignore;
    sigaction(SIGPROF, NULL, &current);
    if (!(current.sa_flags & SA_SIGINFO) || current.sa_sigaction != on_profile_signal) return false;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPROF, &ignore, NULL);
    return true;
}

/* Whether the signal is ignored now, and had its default action before the last recording. */
static bool left_signal_ignored(void) {
    struct sigaction current;
    if (active || (action_before.sa_flags & SA_SIGINFO) || action_before.sa_handler != SIG_DFL) return false;
    sigaction(SIGPROF, NULL, &current);
    return !(current.sa_flags & SA_SIGINFO) && current.sa_handler == SIG_IGN;
}

static PyObject *cpu_left_signal(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(left_signal_ignored());
}

/* Restore the signal's default action, for a process that is to be left as it was. Ignoring the signal has dropped
 * pending signals, and those that were being delivered have arrived during the caller's pause. */
static PyObject *cpu_restore_signal(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (left_signal_ignored()) sigaction(SIGPROF, &action_before, NULL);
    Py_RETURN_NONE;
}

static void reset_counts(void) {
    walked = lost = unreadable = foreign = handler_ns = handler_calls = all_stalls_ns = 0;
    next_thread = 0;
    collector_ns = 0;
    task_count = 0;
    atomic_fetch_add(&session, 1);
    clock_gettime(CLOCK_MONOTONIC, &started);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process_started);
    starter_began_ns = own_clock_ns();
}

/* Wait for the handlers that run on other threads. False: one of them has been stuck for seconds (a stopped thread). */
static bool wait_until_quiet(void) {
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (atomic_load(&handlers) != 0) {
        if (since(&begin, CLOCK_MONOTONIC) > MAX_QUIET_WAIT_NS) return false;
        sched_yield();
    }
    return true;
}

/* The kernel's coarse clocks advance by one tick, so their resolution is the guess, within limits. */
static int64_t guess_tick(void) {
    struct timespec step;
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &step) != 0 || step.tv_sec != 0) return MAX_TICK_NS;
    return step.tv_nsec < MIN_TICK_NS ? MIN_TICK_NS : step.tv_nsec > MAX_TICK_NS ? MAX_TICK_NS : step.tv_nsec;
}

static bool begin_signals(TimerClock clock, int64_t period_ns) {
    sampling_clock = clock;
    sampling_period_ns = period_ns;
    tick_guess_ns = guess_tick();
    install_handler();
    atomic_store(&sampling, true);
    thread_timers_begin(clock, period_ns, SIGPROF);
    if (thread_timers_arm((pid_t)syscall(SYS_gettid)) && start_collector()) {
        thread_timers_arm_all(0);
        if (own_pauses) thread_timers_pause((pid_t)syscall(SYS_gettid), starter_began_ns);
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError, "the kernel gives this process no more timers or threads: raise its limit of "
                                        "pending signals (ulimit -i) or of processes (ulimit -u)");
    return false;
}

static bool end_signals(void) {
    atomic_store(&sampling, false);
    stop_collector();
    thread_timers_end();
    return restore_handler();
}

/* [(number or None, tid, CPU ns, blocks the signal)] of every thread that was known, ended ones first. */
static PyObject *build_clocks(void) {
    ThreadClock *clocks;
    size_t count = thread_timers_clocks(&clocks);
    if (clocks == NULL) return PyErr_NoMemory();
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const ThreadClock *clock = &clocks[i];
        bool has_number = clock->number != NO_THREAD_NUMBER;
        PyObject *number = has_number ? PyLong_FromUnsignedLong(clock->number) : Py_NewRef(Py_None);
        PyObject *blocks = clock->blocks_signal ? Py_True : Py_False;
        PyObject *entry = NULL;
        if (number != NULL)
            entry = Py_BuildValue("(NiLO)", number, (int)clock->tid, (long long)clock->cpu_ns, blocks);
        if (entry == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, entry);
    }
    free(clocks);
    return list;
}

static PyObject *cpu_start(PyObject *Py_UNUSED(module), PyObject *arguments) {
    long long period_ns;
    int by_wall, counters;
    if (!PyArg_ParseTuple(arguments, "Lpp", &period_ns, &by_wall, &counters)) return NULL;
    if (period_ns <= 0) return PyErr_Format(PyExc_ValueError, "the period must be positive, got %lld ns", period_ns);
    if (active) {
        PyErr_SetString(PyExc_RuntimeError, "a CPU profile is being taken already: stop() the first one before "
                                            "starting another");
        return NULL;
    }
    if (!signal_is_free() || !is_only_interpreter()) return NULL;
    if (!sample_ring_prepare()) return PyErr_NoMemory();
    if (!safe_loads_begin()) {
        PyErr_SetString(PyExc_RuntimeError, "the CPU sampler cannot read memory safely on this machine: its processor "
                                            "is unknown to it and process_vm_readv is forbidden");
        return NULL;
    }
    if (!code_parking_begin(sweep_parked_code)) {
        safe_loads_end();
        return NULL;
    }
    interpreter = PyInterpreterState_Get();
    keep_counters = counters;
    owner = getpid();
    reset_counts();
    active = true;
    if (!begin_signals(by_wall ? CLOCK_OF_WALL : CLOCK_OF_CPU, period_ns)) {
        end_signals();
        code_parking_end(wait_until_quiet());
        safe_loads_end();
        active = false;
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- stop ---- */

/* The facts of a stack: numbers, one column after the other. */
enum { OF_THREAD, OF_TID, OF_COUNTER, OF_CPU_NS, OF_SIGNALS, OF_WEIGHT, OF_READABLE, FACTS };

/* The samples being built. */
typedef struct {
    StackColumns stacks;
    PyObject *facts, *tasks, *labels; /* bytes and lists, in the order of the table */
    PyObject *names;                  /* of the tasks, by number */
} SampleColumns;

static bool open_samples(SampleColumns *samples) {
    Py_ssize_t count = (Py_ssize_t)table.stack_count;
    *samples = (SampleColumns){
        .facts = PyBytes_FromStringAndSize(NULL, FACTS * count * (Py_ssize_t)sizeof(int64_t)),
        .tasks = PyList_New(count), .labels = PyList_New(count), .names = PyList_New(0)};
    if (samples->facts == NULL || samples->tasks == NULL || samples->labels == NULL || samples->names == NULL)
        return false;
    for (uint32_t i = 0; i < task_count; i++) {
        PyObject *name = PyUnicode_FromString(task_names[i]);
        bool added = name != NULL && PyList_Append(samples->names, name) == 0;
        Py_XDECREF(name);
        if (!added) return false;
    }
    return true;
}

static void close_samples(SampleColumns *samples) {
    stack_columns_clear(&samples->stacks);
    Py_XDECREF(samples->facts);
    Py_XDECREF(samples->tasks);
    Py_XDECREF(samples->labels);
    Py_XDECREF(samples->names);
}

static bool put_sample(SampleColumns *samples, uint32_t number) {
    const Stack *stack = &table.stacks[number];
    int64_t facts[FACTS] = {
        [OF_CPU_NS] = stack->values[CPU_NS], [OF_SIGNALS] = stack->values[SIGNALS],
        [OF_WEIGHT] = stack->values[WEIGHT], [OF_READABLE] = 1};
    PyObject *task = Py_None;
    uint32_t depth = stack->depth, labels = 0;
    for (; depth > 0 && table.frames[stack->first + depth - 1].instruction <= MARK_THREAD; depth--) {
        const Frame *mark = &table.frames[stack->first + depth - 1];
        uintptr_t fact = (uintptr_t)mark->code;
        if (mark->instruction == MARK_THREAD) {
            facts[OF_THREAD] = (int64_t)((unsigned long long)fact >> 32);
            facts[OF_TID] = (int64_t)(fact & UINT32_MAX);
        }
        if (mark->instruction == MARK_COUNTER) facts[OF_COUNTER] = (int64_t)fact;
        if (mark->instruction == MARK_TASK) task = PyList_GET_ITEM(samples->names, (Py_ssize_t)fact);
        if (mark->instruction == MARK_UNREADABLE) facts[OF_READABLE] = 0;
        if (mark->instruction == MARK_LABELS) labels = (uint32_t)fact;
    }
    int64_t *columns = (int64_t *)PyBytes_AS_STRING(samples->facts);
    for (int i = 0; i < FACTS; i++) columns[i * (size_t)table.stack_count + number] = facts[i];
    PyObject *pairs = label_set_pairs(labels);
    if (pairs == NULL) return false;
    PyList_SET_ITEM(samples->labels, (Py_ssize_t)number, pairs);
    PyList_SET_ITEM(samples->tasks, (Py_ssize_t)number, Py_NewRef(task));
    return stack_columns_add(&samples->stacks, &table.frames[stack->first], facts[OF_READABLE] ? depth : 0);
}

/* (stacks, facts, tasks, labels); see stack_columns.h and the module `sampler`. */
static PyObject *build_samples(void) {
    SampleColumns samples;
    PyObject *stacks = NULL, *built = NULL;
    bool good = open_samples(&samples);
    for (uint32_t i = 0; good && i < table.stack_count; i++) good = put_sample(&samples, i);
    if (good && (stacks = stack_columns_built(&samples.stacks)) != NULL)
        built = Py_BuildValue("(NOOO)", stacks, samples.facts, samples.tasks, samples.labels);
    close_samples(&samples);
    return built;
}

static PyObject *build_facts(bool kept_signal, int64_t process_ns, int64_t paused_ns, PyObject *clocks) {
    TimerCounts timers = thread_timers_counts();
    return Py_BuildValue(
        "{s:N,s:L,s:L,s:L,s:K,s:K,s:K,s:K,s:i,s:i,s:K,s:K,s:K,s:L,s:O}",
        "clocks", clocks,
        "process_ns", (long long)process_ns,
        "paused_ns", (long long)paused_ns,
        "duration_ns", (long long)since(&started, CLOCK_MONOTONIC),
        "samples", (unsigned long long)walked,
        "lost", (unsigned long long)lost,
        "unreadable", (unsigned long long)unreadable,
        "foreign_signals", (unsigned long long)foreign,
        "threads", timers.armed,
        "threads_refused", timers.refused,
        "handler_calls", (unsigned long long)handler_calls,
        "handler_ns", (unsigned long long)handler_ns,
        "stalls_ns", (unsigned long long)all_stalls_ns,
        "collector_ns", (long long)collector_ns,
        "signal_taken_over", kept_signal ? Py_False : Py_True);
}

/* The child of a fork has one thread, no timers, no collector, and a count of handlers that will never return. */
static void become_child(void) {
    atomic_store(&handlers, 0);
    init_condition(); /* its copy says that the parent's collector waits on it */
    thread_timers_forget();
    sample_ring_reset();
    collecting = false;
    stack_table_clear(&table);
    forget_shared();
    reset_counts();
    owner = getpid();
}

static PyObject *cpu_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!active) {
        PyErr_SetString(PyExc_RuntimeError, "no CPU profile is being taken: start() comes first");
        return NULL;
    }
    if (stopping) {
        PyErr_SetString(PyExc_RuntimeError, "the CPU profile is being stopped by another thread");
        return NULL;
    }
    stopping = true;
    if (owner != getpid()) become_child();
    atomic_store(&sampling, false);
    stop_collector();
    PyObject *clocks = build_clocks();
    int64_t paused_ns = thread_timers_paused_ns();
    int64_t process_ns = since(&process_started, CLOCK_PROCESS_CPUTIME_ID);
    bool kept_signal = end_signals();
    bool quiet = wait_until_quiet();
    drain();
    share_out_all();
    forget_shared();
    sample_ring_release();
    PyObject *facts = clocks == NULL ? NULL : build_facts(kept_signal, process_ns, paused_ns, clocks);
    PyObject *samples = facts == NULL ? NULL : build_samples();
    stack_table_clear(&table);
    code_parking_end(quiet);
    safe_loads_end();
    task_names_forget();
    labels_unuse(LABELS_OF_CPU);
    active = stopping = false;
    if (samples == NULL) {
        Py_XDECREF(facts);
        return NULL;
    }
    return Py_BuildValue("(NN)", samples, facts);
}

/* For os.register_at_fork: the child continues to sample, with empty tables. */
static PyObject *cpu_after_fork_in_child(PyObject *Py_UNUSED(module), PyObject *arguments) {
    long long period_ns;
    int by_wall;
    if (!PyArg_ParseTuple(arguments, "Lp", &period_ns, &by_wall)) return NULL;
    if (!active) Py_RETURN_NONE;
    become_child();
    if (!begin_signals(by_wall ? CLOCK_OF_WALL : CLOCK_OF_CPU, period_ns)) return NULL;
    Py_RETURN_NONE;
}

/* Called in a thread that has just begun: give it a timer at once, without waiting for the listing, and return its
 * number. */
static PyObject *cpu_thread_began(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!active || !sampling) Py_RETURN_NONE;
    uint32_t number = number_own_thread();
    struct timespec now;
    watch_own_end(false);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    begin_own_clock(atomic_load(&session), now_ns, clock_ns(CLOCK_MONOTONIC), now_ns + NEW_THREAD_NS);
    thread_timers_arm_new(own_tid, number);
    return PyLong_FromUnsignedLong(number);
}

/* Until the matching `cpu_resume`, no tick of the calling thread is a sample, and its time is passed over. */
static PyObject *cpu_pause(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (own_pauses++ == 0 && active) thread_timers_pause((pid_t)syscall(SYS_gettid), own_clock_ns());
    Py_RETURN_NONE;
}

static PyObject *cpu_resume(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (own_pauses == 0) {
        PyErr_SetString(PyExc_RuntimeError, "this thread's time is not passed over: pause() comes first");
        return NULL;
    }
    if (own_pauses == 1 && active) {
        int64_t passed = thread_timers_resume((pid_t)syscall(SYS_gettid));
        if (own_clock_session == atomic_load(&session)) {
            own_first_ns += passed;
            own_last_ns += passed;
            own_tick_ns += passed;
            own_tick_wall_ns += passed;
            own_new_until_ns += passed;
        }
    }
    own_pauses--;
    Py_RETURN_NONE;
}

PyMethodDef cpu_methods[] = {
    {"cpu_start", cpu_start, METH_VARARGS, "cpu_start(period_ns, by_wall, counters): start to sample every thread."},
    {"cpu_stop", cpu_stop, METH_NOARGS, "Stop sampling; return (samples, facts)."},
    {"cpu_left_signal", cpu_left_signal, METH_NOARGS, "Whether a recording has left SIGPROF ignored."},
    {"cpu_restore_signal", cpu_restore_signal, METH_NOARGS, "Give SIGPROF its default action back, if so."},
    {"cpu_pause", cpu_pause, METH_NOARGS, "Pass over the calling thread's CPU time until the matching cpu_resume."},
    {"cpu_resume", cpu_resume, METH_NOARGS, "End what the latest cpu_pause of this thread began."},
    {"cpu_thread_began", cpu_thread_began, METH_NOARGS, "Arm the calling thread; return its number, or None."},
    {"cpu_after_fork_in_child", cpu_after_fork_in_child, METH_VARARGS,
     "cpu_after_fork_in_child(period_ns, by_wall): arm the child after fork."},
    {NULL, NULL, 0, NULL},
};

static void before_fork(void) {
    pthread_mutex_lock(&collector_lock);
    pthread_mutex_lock(&table_lock);
    thread_timers_lock();
}

static void after_fork(void) {
    thread_timers_unlock();
    pthread_mutex_unlock(&table_lock);
    pthread_mutex_unlock(&collector_lock);
}

int attach_cpu(void) {
    bool made = init_condition() && pthread_key_create(&end_key, note_end) == 0 &&
                pthread_atfork(before_fork, after_fork, after_fork) == 0;
    if (!made) PyErr_SetString(PyExc_ImportError, "no memory for the CPU sampler's locks");
    return made ? 0 : -1;
}
