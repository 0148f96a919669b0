/* Distinct stacks, numbered. See stack_table.c. */
#ifndef CONDUIT_STACK_TABLE_H
#define CONDUIT_STACK_TABLE_H

#include "frames.h"

typedef struct {
    uint64_t hash;
    uint32_t first; /* where its frames begin in `frames` */
    uint32_t depth;
    int64_t values[4]; /* what the owner adds up for it */
} Stack;

typedef struct {
    Stack *stacks;
    uint32_t *buckets; /* stack number + 1; 0 is empty */
    Frame *frames;
    uint32_t stack_count, stack_capacity, bucket_count;
    size_t frame_count, frame_capacity;
} StackTable;

#define NO_STACK UINT32_MAX

uint32_t stack_table_intern(StackTable *table, const Frame *frames, int depth, bool *is_new);
void stack_table_clear(StackTable *table);

#endif
