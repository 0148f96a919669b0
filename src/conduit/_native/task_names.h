/* The asyncio task that a thread is running just now. See task_names.c. */
#ifndef CONDUIT_TASK_NAMES_H
#define CONDUIT_TASK_NAMES_H

#include "frames.h"

#define TASK_NAME_BYTES 64

void task_names_forget(void);
void task_name_of(LoadMethod method, const Coroutines *running, char *name);

#endif
