/* The Python stack of a thread, as addresses.
 *
 * Contract of all walks: they write the code object and the instruction of each frame, leaf first, up to `capacity`
 * frames, and return how many. They allocate nothing, take no lock and no reference. `thread` is the calling thread's
 * own state, or NULL (no frames). */
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

/* The outermost coroutines and generators on a stack: a task's own coroutine is among them. */
typedef struct {
    uintptr_t addresses[16];
    int count;
} Coroutines;

/* The frames of a thread that is at rest inside one of our hooks (on an allocator or a wait). With or without the
 * GIL. */
int frames_walk(PyThreadState *thread, Frame *frames, int capacity);

/* As `frames_walk`, but without checking the code objects: `code` may be another object or NULL. */
int frames_walk_raw(PyThreadState *thread, Frame *frames, int capacity);

/* The frames of the thread that a signal has interrupted, and the coroutines on its stack; -1 where the stack cannot be
 * read. Safe in a signal handler, where any pointer may be invalid. `context` is what the signal interrupted. */
int frames_walk_interrupted(PyThreadState *thread, LoadMethod method, const ucontext_t *context, Frame *frames,
                            int capacity, Coroutines *coroutines);

/* Whether the frame has begun to run its own code; the interpreter's tracebacks leave the others out too. Needs the GIL
 * and a living code object. */
bool frame_is_complete(const Frame *frame);

/* The complete frames as (code, instruction, code, instruction, …), leaf first. Needs the GIL. */
PyObject *frames_as_tuple(const Frame *frames, uint32_t depth);

#endif
