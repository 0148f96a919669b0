/* Stacks as columns, built once a recording is read: each code object and each place in it once, stacks as numbers.
 *
 * Contract: needs the GIL, and code objects that are alive. A zeroed structure holds nothing. */
#ifndef CONDUIT_STACK_COLUMNS_H
#define CONDUIT_STACK_COLUMNS_H

#include "frames.h"
#include "hash_table.h"

/* An instruction of a code object, which is the member `number` of the list. */
typedef struct {
    const PyCodeObject *code;
    int32_t instruction, number, line;
} Place;

typedef struct {
    PyObject *codes;
    Place *places;
    uint32_t *frames;
    int64_t *stops;
    HashIndex code_index, place_index;
    uint32_t place_count;
    size_t place_capacity, frame_count, frame_capacity, stack_count, stack_capacity;
} StackColumns;

/* Add the complete frames of a stack, leaf first. False: an exception is set. */
bool stack_columns_add(StackColumns *columns, const Frame *frames, uint32_t depth);

/* (codes, places, bounds, frames): a list; for each place the number of its code and its line, which is not above 0
 * where it is unknown (int32); where each stack starts, then where each stops (int64); numbers of places (uint32). NULL
 * with an exception. */
PyObject *stack_columns_built(const StackColumns *columns);

void stack_columns_clear(StackColumns *columns);

#endif
