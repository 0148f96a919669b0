/* One number for each live block, by its address, for when nearly all blocks have one. See block_pages.c. */
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

/* Large, and mostly never touched: to be a static variable. */
typedef struct {
    BlockDirectory *directories[1 << BLOCK_ROOT_BITS];
    struct BlockMemory *memory; /* all that was taken from the system */
} BlockPages;

uint32_t *block_pages_add(BlockPages *pages, uintptr_t address);
void block_pages_clear(BlockPages *pages);

/* Where the number of the block at this address is kept; NULL where no block near it ever had one. */
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
