/* POSIX timers on the CPU clock of each thread (or on the wall clock), with SIGEV_THREAD_ID.
 *
 * One timer for the process would serve the thread that happens to run when it expires, at the scheduler's tick, and
 * older kernels prefer the main thread. Timers do not survive fork and end with exec; the timer of a thread that has
 * ended stays allocated until it is deleted here.
 *
 * The kernel checks a CPU timer only at its ticks (every 1 to 10 ms), so a thread that ends before a tick is never
 * signalled, however short the period. The time that signals miss is in the thread's clock, which is read as the thread
 * ends. The period of CPU timers is so short that every tick which finds the thread running signals it; the receiver
 * chooses among these signals (cpu.c says why). */
#define _GNU_SOURCE
#include "thread_timers.h"

#include "hash_table.h"

#include "random.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc gives the field no public name */
#endif

typedef struct {
    pid_t tid;
    timer_t timer;
    uint32_t number;
    int64_t base_ns; /* the thread's clock when it got the timer */
    bool seen;       /* by the current listing of threads */
    bool is_paused;
    int64_t paused_from_ns; /* the thread's clock when its time began to be passed over */
    int64_t paused_ns;      /* what has been passed over before */
} ThreadTimer;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ThreadTimer *timers; /* under `lock`, like all below */
static int timer_count, timer_capacity;
static ThreadClock *ended;
static size_t ended_count, ended_capacity;
static TimerCounts counts;
static int64_t paused_ns; /* of all threads, without those that are paused now */
static TimerClock timer_clock;
static int64_t period_ns;
static int timer_signal;
static uint64_t random_state;
static char marker; /* its address in `si_value` tells our timers from other senders of the signal */

/* The CPU clock of one thread, by the kernel's own encoding: that of pthread_getcpuclockid, which wants a pthread_t. */
static clockid_t clock_of(pid_t tid) {
    if (timer_clock == CLOCK_OF_WALL) return CLOCK_MONOTONIC;
    return (clockid_t)((~(unsigned)tid << 3) | 6);
}

/* Random: threads should not all be sampled at once, nor a periodic program always at the same point of its period. */
static int64_t first_period(void) {
    return 1 + (int64_t)(random_next(&random_state) % (uint64_t)period_ns);
}

static struct timespec as_timespec(int64_t nanoseconds) {
    return (struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000};
}

/* A CPU timer reads as all zero once its thread has ended, even if another thread has the thread's number by now. */
static bool is_dead(timer_t timer) {
    struct itimerspec left;
    if (timer_clock == CLOCK_OF_WALL) return false;
    return timer_gettime(timer, &left) != 0 || (left.it_interval.tv_sec == 0 && left.it_interval.tv_nsec == 0);
}

static void drop(int index) {
    timer_delete(timers[index].timer);
    timers[index] = timers[--timer_count];
}


static int64_t clock_ns(pid_t tid) {
    struct timespec now;
    if (clock_gettime(clock_of(tid), &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool create(pid_t tid, timer_t *timer) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = timer_signal;
    event.sigev_value.sival_ptr = &marker;
    event.sigev_notify_thread_id = tid;
    if (timer_create(clock_of(tid), &event, timer) != 0) return false;
    struct itimerspec when = {as_timespec(period_ns), as_timespec(first_period())};
    if (timer_clock == CLOCK_OF_CPU) when = (struct itimerspec){as_timespec(TICK_PERIOD_NS), as_timespec(1)};
    if (timer_settime(*timer, 0, &when, NULL) == 0) return true;
    timer_delete(*timer);
    return false;
}

static bool make_room(void) {
    if (timer_count < timer_capacity) return true;
    int capacity = timer_capacity ? timer_capacity * 2 : 64;
    ThreadTimer *moved = realloc(timers, (size_t)capacity * sizeof *moved);
    if (moved == NULL) return false;
    timers = moved;
    timer_capacity = capacity;
    return true;
}

static int find(pid_t tid) {
    for (int i = 0; i < timer_count; i++)
        if (timers[i].tid == tid) return i;
    return -1;
}

static bool arm(pid_t tid, uint32_t number) {
    int index = find(tid);
    if (index >= 0 && is_dead(timers[index].timer)) {
        drop(index);
        index = -1;
    }
    if (index >= 0) {
        timers[index].seen = true;
        /* A listing may find a thread before the thread has told its number. */
        if (number != NO_THREAD_NUMBER) timers[index].number = number;
        return true;
    }
    timer_t timer;
    if (!make_room()) {
        counts.refused++;
        return false;
    }
    if (!create(tid, &timer)) {
        /* If the thread has ended since it was listed, the kernel did not refuse it. */
        if (errno == EAGAIN || errno == ENOMEM) counts.refused++;
        return false;
    }
    timers[timer_count++] =
        (ThreadTimer){.tid = tid, .timer = timer, .number = number, .base_ns = clock_ns(tid), .seen = true};
    counts.armed++;
    return true;
}

void thread_timers_begin(TimerClock clock, int64_t period, int signal_number) {
    pthread_mutex_lock(&lock);
    timer_clock = clock;
    period_ns = period;
    timer_signal = signal_number;
    counts = (TimerCounts){0, 0};
    ended_count = 0;
    paused_ns = 0;
    random_state = random_seed(&random_state);
    pthread_mutex_unlock(&lock);
}

bool thread_timers_arm(pid_t tid) {
    pthread_mutex_lock(&lock);
    bool armed = arm(tid, NO_THREAD_NUMBER);
    pthread_mutex_unlock(&lock);
    return armed;
}

bool thread_timers_arm_new(pid_t tid, uint32_t number) {
    pthread_mutex_lock(&lock);
    bool armed = arm(tid, number);
    pthread_mutex_unlock(&lock);
    return armed;
}

void thread_timers_pause(pid_t tid, int64_t from_ns) {
    pthread_mutex_lock(&lock);
    int index = find(tid);
    if (index >= 0 && !timers[index].is_paused) {
        ThreadTimer *timer = &timers[index];
        timer->is_paused = true;
        timer->paused_from_ns = from_ns;
        if (from_ns < timer->base_ns) timer->base_ns = from_ns;
    }
    pthread_mutex_unlock(&lock);
}

static int64_t open_pause_ns(const ThreadTimer *timer) {
    return timer->is_paused ? clock_ns(timer->tid) - timer->paused_from_ns : 0;
}

int64_t thread_timers_resume(pid_t tid) {
    int64_t passed = 0;
    pthread_mutex_lock(&lock);
    int index = find(tid);
    if (index >= 0) {
        passed = open_pause_ns(&timers[index]);
        timers[index].paused_ns += passed;
        timers[index].is_paused = false;
        paused_ns += passed;
    }
    pthread_mutex_unlock(&lock);
    return passed;
}

int64_t thread_timers_paused_ns(void) {
    pthread_mutex_lock(&lock);
    int64_t total = paused_ns;
    for (int i = 0; i < timer_count; i++) total += open_pause_ns(&timers[i]);
    pthread_mutex_unlock(&lock);
    return total;
}

/* What a thread has used since it got its timer, without what was passed over. */
static int64_t used_ns(const ThreadTimer *timer) {
    int64_t until = timer->is_paused ? timer->paused_from_ns : clock_ns(timer->tid);
    return until - timer->base_ns - timer->paused_ns;
}

static bool own_mask_has_signal(void) {
    sigset_t blocked;
    return pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, timer_signal) == 1;
}

void thread_timers_retire(pid_t tid, uint32_t number) {
    bool blocks = own_mask_has_signal();
    pthread_mutex_lock(&lock);
    int index = find(tid);
    if (index >= 0) {
        int64_t used = used_ns(&timers[index]);
        if (array_reserve((void **)&ended, &ended_capacity, ended_count + 1, sizeof *ended))
            ended[ended_count++] = (ThreadClock){number, tid, used, blocks};
        drop(index);
    }
    pthread_mutex_unlock(&lock);
}

/* Whether another thread blocks the signal, according to the kernel. */
static bool mask_has_signal(pid_t tid) {
    char path[64], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "SigBlk: %llx", &mask) == 1) break;
    fclose(file);
    return (mask >> (timer_signal - 1) & 1) != 0;
}

size_t thread_timers_clocks(ThreadClock **clocks) {
    size_t count = 0;
    pthread_mutex_lock(&lock);
    *clocks = malloc((ended_count + (size_t)timer_count + 1) * sizeof **clocks);
    if (*clocks != NULL) {
        for (; count < ended_count; count++) (*clocks)[count] = ended[count];
        for (int i = 0; i < timer_count; i++) {
            int64_t used = used_ns(&timers[i]);
            if (used <= 0) continue; /* it has not run, or is gone */
            (*clocks)[count++] = (ThreadClock){timers[i].number, timers[i].tid, used, mask_has_signal(timers[i].tid)};
        }
    }
    pthread_mutex_unlock(&lock);
    return count;
}

/* A listing of /proc may miss living threads while others end, so a thread that was not listed is checked itself. */
static bool is_gone(pid_t tid) { return syscall(SYS_tgkill, (long)getpid(), (long)tid, 0L) != 0 && errno == ESRCH; }

void thread_timers_arm_all(pid_t except) {
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < timer_count; i++) timers[i].seen = false;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid > 0 && tid != except) arm(tid, NO_THREAD_NUMBER);
    }
    for (int i = timer_count - 1; i >= 0; i--)
        if (!timers[i].seen && (timers[i].tid == except || is_gone(timers[i].tid))) drop(i);
    pthread_mutex_unlock(&lock);
    closedir(directory);
}

bool thread_timers_is_ours(const void *value) { return value == &marker; }

TimerCounts thread_timers_counts(void) {
    pthread_mutex_lock(&lock);
    TimerCounts now = counts;
    pthread_mutex_unlock(&lock);
    return now;
}

void thread_timers_end(void) {
    pthread_mutex_lock(&lock);
    while (timer_count > 0) drop(timer_count - 1);
    free(ended);
    ended = NULL;
    ended_count = ended_capacity = 0;
    pthread_mutex_unlock(&lock);
}

/* The parent's timers do not exist here. A timer of the calling thread was made since the fork, because `threading`
 * announces the thread before this is called. */
void thread_timers_forget(void) {
    pid_t own = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < timer_count; i++)
        if (timers[i].tid == own) timer_delete(timers[i].timer);
    timer_count = 0;
    ended_count = 0;
    counts = (TimerCounts){0, 0};
    pthread_mutex_unlock(&lock);
}

void thread_timers_lock(void) { pthread_mutex_lock(&lock); }
void thread_timers_unlock(void) { pthread_mutex_unlock(&lock); }
