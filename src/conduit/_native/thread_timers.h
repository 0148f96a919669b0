/* One timer for every thread of the process, which signals its own thread.
 *
 * Contract: each function takes a lock of its own, except where it says so. Between before_fork and after_fork the
 * lock is held. */
#ifndef CONDUIT_THREAD_TIMERS_H
#define CONDUIT_THREAD_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum { CLOCK_OF_CPU, CLOCK_OF_WALL } TimerClock;

typedef struct {
    int armed;   /* threads that have had a timer */
    int refused; /* timers that the kernel refused */
} TimerCounts;

#define NO_THREAD_NUMBER UINT32_MAX

/* The CPU time of a thread since it got its timer, by its own clock, without the time that was passed over. */
typedef struct {
    uint32_t number; /* the owner's number for the thread, or NO_THREAD_NUMBER */
    pid_t tid;
    int64_t cpu_ns;
    bool blocks_signal; /* at its end or now, the timers' signal is blocked */
} ThreadClock;

/* The period of timers on the CPU clock: much shorter than a tick of the kernel, so that each tick which finds the
 * thread running signals it. */
#define TICK_PERIOD_NS INT64_C(100000)

/* Set clock and signal of the timers that are made from now on, and the period of those on the wall clock. */
void thread_timers_begin(TimerClock clock, int64_t period_ns, int signal_number);

/* Give one thread its timer, if it has none. False: the kernel refused (RLIMIT_SIGPENDING, most likely). */
bool thread_timers_arm(pid_t tid);

/* The same for the calling thread, which has just begun and is known by a number. */
bool thread_timers_arm_new(pid_t tid, uint32_t number);

/* Pass over the CPU time of a thread from `from_ns` of its clock until `thread_timers_resume`, which returns how much
 * it was. Does nothing for a thread without a timer, or whose time is passed over already. */
void thread_timers_pause(pid_t tid, int64_t from_ns);
int64_t thread_timers_resume(pid_t tid);

/* The CPU time of all threads that has been passed over, up to now. */
int64_t thread_timers_paused_ns(void);

/* In a thread that ends: delete its timer and keep its clock. */
void thread_timers_retire(pid_t tid, uint32_t number);

/* The clocks of the threads that have ended (retired ones), then of the living ones. Return how many; the array is the
 * caller's to free, NULL without memory. */
size_t thread_timers_clocks(ThreadClock **clocks);

/* Give every thread but one its timer, and delete those of threads that have ended. */
void thread_timers_arm_all(pid_t except);

/* Whether a signal with this value comes from one of our timers. Safe in a signal handler, takes no lock. */
bool thread_timers_is_ours(const void *value);

TimerCounts thread_timers_counts(void);
void thread_timers_end(void);

/* In a child after fork: the timers stayed with the parent, and their numbers mean nothing here. */
void thread_timers_forget(void);

/* Around fork, in parent and child. */
void thread_timers_lock(void);
void thread_timers_unlock(void);

#endif
