/* The threads that wait for a lock just now, so that the thread that releases it can be charged with their delay.
 *
 * Contract: safe with and without the GIL, on any thread. A waiter is a record on the waiting thread's own C stack,
 * listed from waiters_join to waiters_leave. */
#ifndef CONDUIT_WAITERS_H
#define CONDUIT_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Waiter {
    uintptr_t semaphore; /* that the thread sleeps on */
    uintptr_t lock;      /* that it waits for; most often the semaphore itself */
    uint64_t since;      /* nanoseconds; earlier time has been charged to a release */
    struct Waiter *next_by_semaphore, *next_by_lock;
} Waiter;

void waiters_join(Waiter *waiter);
void waiters_leave(Waiter *waiter);

/* Whether any thread waits; costs one load. */
bool waiters_any(void);

/* Called by the thread that is about to post a semaphore. Write the lock that this releases, and the total time that
 * its waiters have waited since the last charge; return the number of these waiters. */
int waiters_charge(uintptr_t semaphore, uint64_t now_ns, uintptr_t *lock, uint64_t *delay_ns);

void waiters_init(void);

/* In the child after fork: the records of the other threads were on stacks that are gone. */
void waiters_after_fork_in_child(void);

#endif
