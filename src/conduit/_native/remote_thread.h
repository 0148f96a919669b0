/* The kernel's account of a thread of another process: its CPU clock, and whether it ran throughout the time in which
 * something else was read.
 *
 * The kernel counts how often a thread was switched in (schedstat) and out (status). It is on a processor exactly while
 * the first number is one more than the second. So a thread that was switched in n times before something was read, and
 * is on a processor with the same n after it, was running throughout.
 *
 * Contract: one caller at a time. */
#ifndef CONDUIT_REMOTE_THREAD_H
#define CONDUIT_REMOTE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int pid, tid;
    int schedstat, status; /* files, or -1 where they are opened anew for each reading */
    uint64_t cpu_ns;       /* at the last reading; below, the last one reported */
    uint64_t told_ns;
    uint64_t runs;       /* how often it was switched in, at the last reading */
    uint64_t ended_runs; /* `runs` when it was last found switched out; it has not run since if they are equal */
    uint64_t yields, preemptions;
    bool is_told;
} RemoteThread;

typedef enum {
    REMOTE_ASLEEP,    /* or it gave up the processor in between */
    REMOTE_PREEMPTED, /* it waits for a processor, on the stack on which it last ran */
    REMOTE_RUNNING,   /* throughout */
} RemoteState;

/* Begin to observe a thread. With `keeps_files` its files stay open. */
void remote_thread_begin(RemoteThread *thread, int pid, int tid, bool keeps_files);
void remote_thread_end(RemoteThread *thread);

/* Read the clock. The interval that remote_thread_state judges begins here. False: the thread has ended. */
bool remote_thread_clock(RemoteThread *thread);

/* The state throughout the interval since the last reading of the clock. */
RemoteState remote_thread_state(RemoteThread *thread);

/* Whether it has been asleep ever since it was last found asleep. */
static inline bool remote_thread_sleeps_on(const RemoteThread *thread) {
    return thread->runs == thread->ended_runs;
}

#endif
