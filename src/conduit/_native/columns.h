/* Stacks as two buffers, for the files that work on a profile's columns.
 *
 * Equal stacks may lie at the same place: `total` counts each of them, `size` the frames that are there.
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
