/* The waits that have been recorded: stacks with how often and how long they waited, and where each lock was made.
 *
 * Contract: every function may be called with or without the GIL, except where it says so. Each takes a lock of its
 * own, which is held briefly, calls only libc, and takes no other lock. The stack is always the calling thread's
 * own; it stands still during the call, and its frames keep its code objects alive. Nothing of Python's is
 * remembered. */
#ifndef CONDUIT_WAIT_TABLE_H
#define CONDUIT_WAIT_TABLE_H

#include "native.h"

#include <stdint.h>

typedef enum { WAITS_BLOCK, WAITS_MUTEX, WAITS_GIL, WAIT_PROFILES } WaitProfile;
typedef enum { ON_LOCK, ON_SLEEP, ON_SELECT, ON_SOCKET, ON_GIL } WaitReason;

/* Add waits to the calling thread's stack. `lock` is the address of the lock, for the place where it was made, or 0.
 * A thread without Python frames (it begins or ends) adds nothing. */
void wait_table_add(WaitProfile profile, WaitReason reason, uintptr_t lock, double count, double delay_ns);

/* Note that the calling thread is making the lock at this address. For an address that is used again, the new place
 * counts. */
void wait_table_lock_made(uintptr_t lock);
void wait_table_lock_freed(uintptr_t lock);

/* Forget where all locks were made. */
void wait_table_forget_locks(void);

/* Everything recorded so far, as columns, in the order in which the stacks were first seen; see the module `waits`.
 * Needs the GIL. */
PyObject *wait_table_read(WaitProfile profile);

/* Around fork, in the parent; the second one in the child too. */
void wait_table_before_fork(void);
void wait_table_after_fork(void);

#endif
