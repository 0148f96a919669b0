/* The Python stack of a thread, as addresses. See frames.c. */
#ifndef CONDUIT_FRAMES_H
#define CONDUIT_FRAMES_H

#include "native.h"
#include "safe_load.h"

#include <ucontext.h>

#define MAX_DEPTH 512 /* frames kept of one stack, from the leaf; deeper ones lose their root */

typedef struct {
    PyCodeObject *code;  /* borrowed: valid while its frame lives, or while dying code is parked */
    int32_t instruction; /* byte offset of the instruction, as `PyCode_Addr2Line` and `dis` count */
} Frame;

/* The outermost coroutines and generators on a stack, which is where a task's own coroutine is. */
typedef struct {
    uintptr_t addresses[16];
    int count;
} Coroutines;

int frames_walk(PyThreadState *thread, Frame *frames, int capacity);
int frames_walk_raw(PyThreadState *thread, Frame *frames, int capacity);
PyThreadState *frames_own_thread(void);
int frames_walk_interrupted(PyThreadState *thread, LoadMethod method, const ucontext_t *context, Frame *frames,
                            int capacity, Coroutines *coroutines);
bool frame_is_complete(const Frame *frame);
PyObject *frames_as_tuple(const Frame *frames, uint32_t depth);

#endif
