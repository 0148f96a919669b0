/* Stacks as two buffers, for the files that work on a profile's columns.
 *
 * Equal stacks may share their frames: `total` counts the frames of every stack, `size` the frames in the buffer.
 *
 * Contract: `open_stacks` checks what a hostile caller could break (a stack beyond the frames) and sets an exception;
 * after it succeeded, 0 <= starts[i] <= stops[i] <= size for every stack. The frames themselves are unchecked: compare
 * each with your table. `close_stacks` is called in either case. */
#ifndef CONDUIT_COLUMNS_H
#define CONDUIT_COLUMNS_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    Py_buffer bounds_buffer, frames_buffer;
    const int64_t *starts, *stops; /* where each stack lies in the frames */
    const uint32_t *frames;        /* location indices, leaf first */
    Py_ssize_t count;
    int64_t size, total;
} Stacks;

bool open_stacks(Stacks *stacks);
void close_stacks(Stacks *stacks);

#endif
