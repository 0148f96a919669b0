/* Distinct stacks, numbered from 0 in the order they were first seen, each with four sums.
 *
 * Contract: not locked, and no references are taken: the owner keeps the code objects alive and calls from one
 * thread at a time. A zeroed table is an empty one. */
#ifndef CONDUIT_STACK_TABLE_H
#define CONDUIT_STACK_TABLE_H

#include "frames.h"
#include "hash_table.h"

typedef struct {
    uint64_t hash;
    uint32_t first; /* index of its first frame in `frames` */
    uint32_t depth;
    int64_t values[4]; /* the owner's sums */
} Stack;

typedef struct {
    Stack *stacks;
    Frame *frames;
    HashIndex index;
    uint32_t stack_count;
    size_t stack_capacity, frame_count, frame_capacity;
} StackTable;

#define NO_STACK HASH_NO_ENTRY

/* Return the number of this stack, added if `*is_new`; NO_STACK where there is no memory for a new one. */
uint32_t stack_table_intern(StackTable *table, const Frame *frames, int depth, bool *is_new);

/* Remove all stacks and give the memory back. */
void stack_table_clear(StackTable *table);

#endif
