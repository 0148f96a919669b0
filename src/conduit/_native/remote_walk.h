/* The Python stack of a thread of another process, read from its memory while it goes on.
 *
 * Contract: one caller at a time. Offsets are in bytes, addresses are those of the other process. */
#ifndef CONDUIT_REMOTE_WALK_H
#define CONDUIT_REMOTE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REMOTE_MAX_FRAMES 512
#define REMOTE_WINDOWS 4
#define REMOTE_PAGE 4096
#define REMOTE_ABSENT UINT64_MAX /* of an offset: this version has no such field */

/* Where the structures of the process's version have their fields. */
typedef struct {
    uint64_t runtime_interpreters, interpreter_next, interpreter_threads;
    uint64_t thread_next, thread_native_id, thread_frame, thread_cframe, cframe_frame, thread_base_frame;
    uint64_t frame_code, frame_instruction, frame_previous, frame_owner, frame_size;
    uint64_t owner_of_root, owner_of_entry;
    uint64_t object_type, code_first_line, code_linetable;
    uint64_t runtime, code_type; /* addresses */
} RemoteLayout;

/* A copied piece of the process's memory: neighbouring values are from the same moment and cost one system call. */
typedef struct {
    uint64_t start;
    size_t size;
    char bytes[2 * REMOTE_PAGE];
} RemoteWindow;

typedef struct {
    int memory; /* /proc/PID/mem, open for reading; the owner's */
    unsigned next_window;
    RemoteWindow windows[REMOTE_WINDOWS];
} RemoteMemory;

/* A frame as Python code of ours receives it. Entries from C have no code: their `code` is 0. */
typedef struct {
    uint64_t address, previous, code, instruction;
    uint64_t identity; /* the frame's owner, until remote_identify makes it a number for the contents of its code */
} RemoteFrame;

/* Read memory as it is now. False: nothing is mapped there. */
bool remote_read(const RemoteMemory *memory, uint64_t address, void *to, size_t size);

/* Forget what has been copied. */
void remote_forget(RemoteMemory *memory);

/* Write the frames of a thread, leaf first, at most REMOTE_MAX_FRAMES; return how many, or -1 for a stack that changed
 * while it was read. With `stands_still` the thread is stopped, so one reading is enough.
 *
 * The frames are from the same moment except for the leaf's instruction: a stack counts only if it reaches the thread's
 * outermost frame and its callers are unchanged when they are read again. */
int remote_walk(RemoteMemory *memory, const RemoteLayout *at, uint64_t thread, RemoteFrame *frames, bool stands_still);

/* Give each frame the identity of its code: another code object at the same address has another one. False: a frame has
 * no code, so this was not a stack. */
bool remote_identify(const RemoteMemory *memory, const RemoteLayout *at, RemoteFrame *frames, int count);

#endif
