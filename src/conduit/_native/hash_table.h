/* Hashing for the whole extension: one mixer, one way to grow an array, one index.
 *
 * The index finds entries that its owner keeps in an array, by their hash; it holds numbers only. Open addressing
 * with linear probing, at most half full. Entries are never removed (address_map.c is the table that can do that).
 *
 * Contract: memory is libc's, which this extension never hooks. Nothing here locks: the owner calls from one thread
 * at a time. A zeroed structure is an empty one. */
#ifndef CONDUIT_HASH_TABLE_H
#define CONDUIT_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define HASH_NO_ENTRY UINT32_MAX

typedef struct {
    uint32_t hash;
    uint32_t entry; /* number + 1; 0: empty */
} HashBucket;

typedef struct {
    HashBucket *buckets;
    uint32_t capacity; /* a power of two, or 0 before the first entry */
    uint32_t used;
} HashIndex;

/* Add `value` to `hash`; begin with 0. Both halves of the result are mixed. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

/* Make room for `needed` items of `size` bytes, by doubling. False: no memory, and nothing has changed. */
static inline bool array_reserve(void **memory, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return true;
    size_t larger = *capacity ? *capacity : 256;
    while (larger < needed) larger *= 2;
    void *moved = realloc(*memory, larger * size);
    if (moved == NULL) return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

/* Add the entry with this number. There must be room. */
static inline void hash_index_add(HashIndex *index, uint32_t hash, uint32_t number) {
    uint32_t at = hash & (index->capacity - 1);
    while (index->buckets[at].entry) at = (at + 1) & (index->capacity - 1);
    index->buckets[at] = (HashBucket){hash, number + 1};
    index->used++;
}

/* Make room for one more entry. False: no memory, and nothing has changed. */
static inline bool hash_index_reserve(HashIndex *index) {
    if (2 * ((uint64_t)index->used + 1) <= index->capacity) return true;
    if (index->capacity > UINT32_MAX / 4) return false;
    HashIndex larger = {.capacity = index->capacity ? index->capacity * 2 : 512};
    larger.buckets = calloc(larger.capacity, sizeof *larger.buckets);
    if (larger.buckets == NULL) return false;
    for (uint32_t i = 0; i < index->capacity; i++)
        if (index->buckets[i].entry) hash_index_add(&larger, index->buckets[i].hash, index->buckets[i].entry - 1);
    free(index->buckets);
    *index = larger;
    return true;
}

/* The next entry with this hash, or HASH_NO_ENTRY. `*probe` is 0 at first and belongs to the search. */
static inline uint32_t hash_index_next(const HashIndex *index, uint32_t hash, uint32_t *probe) {
    while (*probe < index->capacity) {
        HashBucket bucket = index->buckets[(hash + (*probe)++) & (index->capacity - 1)];
        if (bucket.entry == 0) break;
        if (bucket.hash == hash) return bucket.entry - 1;
    }
    return HASH_NO_ENTRY;
}

static inline void hash_index_clear(HashIndex *index) {
    free(index->buckets);
    *index = (HashIndex){0};
}

#endif
