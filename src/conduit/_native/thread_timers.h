/* One timer for every thread of the process. See thread_timers.c. */
#ifndef CONDUIT_THREAD_TIMERS_H
#define CONDUIT_THREAD_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum { CLOCK_OF_CPU, CLOCK_OF_WALL } TimerClock;

typedef struct {
    int armed;   /* threads that have had a timer */
    int refused; /* times the kernel would not give one */
} TimerCounts;

void thread_timers_begin(TimerClock clock, int64_t period_ns, int signal_number);
bool thread_timers_arm(pid_t tid);
void thread_timers_arm_all(pid_t except);
bool thread_timers_is_ours(const void *value);
TimerCounts thread_timers_counts(void);
void thread_timers_end(void);
void thread_timers_forget(void);
void thread_timers_lock(void);
void thread_timers_unlock(void);

#endif
