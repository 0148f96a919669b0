/* Memory that extensions report to tracemalloc. See reported_blocks.c. */
#ifndef CONDUIT_REPORTED_BLOCKS_H
#define CONDUIT_REPORTED_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

bool reported_blocks_begin(void);
void reported_blocks_end(void);
void reported_blocks_before_fork(void);
void reported_blocks_after_fork(void);

/* The heap profile's side of it, in heap.c. */
void heap_block_reported(void *block, size_t size);
void heap_block_withdrawn(const void *block);

#endif
