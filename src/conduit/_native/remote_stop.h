/* One thread of another process, stopped for the moment in which its stack is read, as a debugger stops it.
 *
 * The thread sees no signal of the stop, and a signal that arrives at that moment is still delivered. If this process
 * dies, the kernel lets the thread continue. Contract: stop and continue are called by one thread, in pairs. */
#ifndef CONDUIT_REMOTE_STOP_H
#define CONDUIT_REMOTE_STOP_H

#include <stdbool.h>

typedef struct {
    int pid, tid;
    int signal; /* to be delivered when it goes on, or 0 */
} RemoteStop;

/* Stop a thread. False with errno: ESRCH for one that has ended, EPERM where it is forbidden or another debugger is
 * attached. */
bool remote_stop(RemoteStop *stop, int pid, int tid);

/* Whether the stopped thread is inside a system call, in which it may have been asleep. */
bool remote_stop_is_in_system_call(const RemoteStop *stop);

void remote_continue(const RemoteStop *stop);

#endif
