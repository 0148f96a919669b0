/* Three levels of tables over the address, as processors map pages.
 *
 * They take a quarter of a byte for each byte of the heap, but need no hashing and no growing. The interpreter
 * allocates many blocks next to each other, and their numbers are next to each other too. Memory comes from mmap,
 * zeroed, in chunks that are given back all at once. */
#define _GNU_SOURCE
#include "block_pages.h"

#include <sys/mman.h>

#define CHUNK_SIZE ((size_t)1 << 18)

/* At the start of each chunk; `used` counts from there. */
typedef struct BlockMemory {
    struct BlockMemory *next;
    size_t size, used;
    uint32_t root; /* index of the chunk's directory, plus one; 0: it holds leaves */
} BlockMemory;

static BlockMemory *take_chunk(BlockPages *pages, size_t size) {
    BlockMemory *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) return NULL;
    *chunk = (BlockMemory){.next = pages->memory, .size = size, .used = sizeof(BlockLeaf)};
    pages->memory = chunk;
    return chunk;
}

static BlockDirectory *add_directory(BlockPages *pages, size_t root) {
    BlockMemory *chunk = take_chunk(pages, sizeof(BlockLeaf) + sizeof(BlockDirectory));
    if (chunk == NULL) return NULL;
    chunk->used = chunk->size;
    chunk->root = (uint32_t)root + 1;
    return pages->directories[root] = (BlockDirectory *)((char *)chunk + sizeof(BlockLeaf));
}

static BlockLeaf *add_leaf(BlockPages *pages) {
    BlockMemory *chunk = pages->memory;
    if (chunk->used + sizeof(BlockLeaf) > chunk->size) chunk = take_chunk(pages, CHUNK_SIZE);
    if (chunk == NULL) return NULL;
    BlockLeaf *leaf = (BlockLeaf *)((char *)chunk + chunk->used);
    chunk->used += sizeof(BlockLeaf);
    return leaf;
}

uint32_t *block_pages_add(BlockPages *pages, uintptr_t address) {
    uint32_t *known = block_pages_find(pages, address);
    if (known != NULL || (address >> BLOCK_ADDRESS_BITS) != 0) return known;
    size_t chunk = address >> (BLOCK_ALIGNMENT_BITS + BLOCK_LEAF_BITS), root = chunk >> BLOCK_DIRECTORY_BITS;
    BlockDirectory *directory = pages->directories[root];
    if (directory == NULL) directory = add_directory(pages, root);
    if (directory == NULL) return NULL;
    BlockLeaf **leaf = &directory->leaves[chunk & ((1 << BLOCK_DIRECTORY_BITS) - 1)];
    if (*leaf == NULL) *leaf = add_leaf(pages);
    return block_pages_find(pages, address);
}

void block_pages_clear(BlockPages *pages) {
    while (pages->memory != NULL) {
        BlockMemory *chunk = pages->memory;
        pages->memory = chunk->next;
        if (chunk->root) pages->directories[chunk->root - 1] = NULL;
        munmap(chunk, chunk->size);
    }
}
