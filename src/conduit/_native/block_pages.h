/* A number for each live block, by its address, for a recording in which nearly all blocks have one.
 *
 * Contract: blocks are multiples of 16, in the lower 48 bits of addresses. Not locked; the owner holds a lock or the
 * GIL around every call. */
#ifndef CONDUIT_BLOCK_PAGES_H
#define CONDUIT_BLOCK_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_ALIGNMENT_BITS 4
#define BLOCK_LEAF_BITS 10  /* a leaf is one page of memory, and covers 16 KiB of addresses */
#define BLOCK_DIRECTORY_BITS 16
#define BLOCK_ADDRESS_BITS 48
#define BLOCK_ROOT_BITS (BLOCK_ADDRESS_BITS - BLOCK_DIRECTORY_BITS - BLOCK_LEAF_BITS - BLOCK_ALIGNMENT_BITS)

typedef struct {
    uint32_t numbers[1 << BLOCK_LEAF_BITS];
} BlockLeaf;

typedef struct {
    BlockLeaf *leaves[1 << BLOCK_DIRECTORY_BITS];
} BlockDirectory;

/* Large and mostly untouched: make it a static variable. */
typedef struct {
    BlockDirectory *directories[1 << BLOCK_ROOT_BITS];
    struct BlockMemory *memory; /* all memory taken from the system */
} BlockPages;

/* As `block_pages_find`, adding the tables; NULL where there is no memory, or the address cannot be a block's. */
uint32_t *block_pages_add(BlockPages *pages, uintptr_t address);

/* Remove all numbers and give the memory back. */
void block_pages_clear(BlockPages *pages);

/* A pointer to the number of the block at this address (0: none); NULL if no block near it ever had a number. */
static inline uint32_t *block_pages_find(const BlockPages *pages, uintptr_t address) {
    const unsigned leaf_shift = BLOCK_ALIGNMENT_BITS, directory_shift = leaf_shift + BLOCK_LEAF_BITS;
    const unsigned root_shift = directory_shift + BLOCK_DIRECTORY_BITS;
    if ((address >> BLOCK_ADDRESS_BITS) != 0 || (address & ((1 << BLOCK_ALIGNMENT_BITS) - 1)) != 0) return NULL;
    const BlockDirectory *directory = pages->directories[address >> root_shift];
    if (directory == NULL) return NULL;
    BlockLeaf *leaf = directory->leaves[(address >> directory_shift) & ((1 << BLOCK_DIRECTORY_BITS) - 1)];
    return leaf == NULL ? NULL : &leaf->numbers[(address >> leaf_shift) & ((1 << BLOCK_LEAF_BITS) - 1)];
}

#endif
