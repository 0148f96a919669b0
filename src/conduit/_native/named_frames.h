/* Frames by name, numbered: function, file and lines are copied the first time a frame is seen, so that no code
 * object has to be kept.
 *
 * Contract: not locked; all calls are made under one lock of the owner, which is held briefly. Numbers and texts
 * stay valid for the life of the process. */
#ifndef CONDUIT_NAMED_FRAMES_H
#define CONDUIT_NAMED_FRAMES_H

#include "frames.h"

typedef struct {
    const void *code, *name, *file; /* with the numbers, a fingerprint: an address alone may be used again */
    int32_t instruction, first_line;
    int32_t line;
    char *name_text, *file_text; /* UTF-8, ours */
    uint64_t hash;
} NamedFrame;

#define NO_FRAME UINT32_MAX

/* The number of a frame of the calling thread, added if it is new; NO_FRAME where there is no memory. With or
 * without the GIL. */
uint32_t named_frame_number(const Frame *frame);

/* A copy of all frames, by number, to be freed by the caller; NULL where there is no memory. */
NamedFrame *named_frames_copy(void);
uint32_t named_frames_count(void);

/* The frame as (function, file, line, first line of the function). Needs the GIL. */
PyObject *named_frame_tuple(const NamedFrame *frame);

#endif
