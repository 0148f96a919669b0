/* The lock objects of `_thread`: when they are made and freed, and whether this build sees their waits.
 *
 * Contract: everything here needs the GIL. Up to 3.13 making a lock initialises a semaphore, which waits.c sees by
 * itself, and watching does nothing. */
#ifndef CONDUIT_LOCK_OBJECTS_H
#define CONDUIT_LOCK_OBJECTS_H

#include "native.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Called in the thread that makes or frees a lock, with its address as waits.c knows it. */
typedef void (*LockEvent)(uintptr_t lock);

/* Report the lock objects that are made and freed from now on. False, with an exception: their types were not found. */
bool lock_objects_watch(LockEvent on_made, LockEvent on_freed);
void lock_objects_unwatch(void);

/* Whether a wait for a known lock is seen with the lock's own address, and a lock object has its lock where it
 * should be. Takes about a millisecond. `see_own_waits` makes the calling thread's waits known to its argument. */
bool lock_objects_check(void (*see_own_waits)(atomic_uintptr_t *seen));

#endif
