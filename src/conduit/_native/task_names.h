/* The asyncio task that a thread is running just now.
 *
 * Contract: tasks are watched from Python before sampling starts, and forgotten with the GIL after it has stopped. */
#ifndef CONDUIT_TASK_NAMES_H
#define CONDUIT_TASK_NAMES_H

#include "frames.h"

#define TASK_NAME_BYTES 64

void task_names_forget(void);

/* Write the name of the task whose coroutine is among these, which are on the stack of the calling thread; or
 * nothing. Safe in a signal handler. */
void task_name_of(LoadMethod method, PyThreadState *thread, const Coroutines *running, char *name);

#endif
