/* One timer for every thread of the process, which signals its own thread.
 *
 * Contract: each function takes a lock of its own, except where it says so. Between before_fork and after_fork the
 * lock is held. */
#ifndef CONDUIT_THREAD_TIMERS_H
#define CONDUIT_THREAD_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum { CLOCK_OF_CPU, CLOCK_OF_WALL } TimerClock;

typedef struct {
    int armed;   /* threads that have had a timer */
    int refused; /* timers that the kernel refused */
} TimerCounts;

/* Set clock, period and signal for the timers that are made from now on. */
void thread_timers_begin(TimerClock clock, int64_t period_ns, int signal_number);

/* Give one thread its timer, if it has none. False: the kernel refused (RLIMIT_SIGPENDING, most likely). */
bool thread_timers_arm(pid_t tid);

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
