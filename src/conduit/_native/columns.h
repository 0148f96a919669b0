/* Stacks as two buffers, for the files that work on a profile's columns.
 *
 * Contract: `open_stacks` checks what a hostile caller could break (positions out of order or beyond the frames) and
 * sets an exception; after it succeeded, starts[i] <= starts[i + 1] <= the number of frames for every stack. The frames
 * themselves are unchecked: compare each with your table. `close_stacks` is called in either case. */
#ifndef CONDUIT_COLUMNS_H
#define CONDUIT_COLUMNS_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    Py_buffer starts_buffer, frames_buffer;
    const int64_t *starts;  /* count + 1 positions in frames */
    const uint32_t *frames; /* location indices, leaf first */
    Py_ssize_t count;
} Stacks;

bool open_stacks(Stacks *stacks);
void close_stacks(Stacks *stacks);

#endif
