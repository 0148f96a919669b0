/* Distinct stacks, numbered from 0 in the order they were first seen, each with four sums.
 *
 * Memory is libc's (this extension never hooks malloc itself) and grows by doubling. Not locked, and no references
 * are taken: the owner keeps the code objects alive and calls from one thread at a time. */
#include "stack_table.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const Frame *frames, int depth) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (int i = 0; i < depth; i++) {
        hash = (hash ^ (uintptr_t)frames[i].code) * UINT64_C(0x9E3779B97F4A7C15);
        hash = (hash ^ (uint32_t)frames[i].instruction ^ (hash >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    }
    return hash ^ (hash >> 32);
}

/* Compared field by field: a Frame has padding. */
static bool same_frames(const Frame *left, const Frame *right, int depth) {
    for (int i = 0; i < depth; i++)
        if (left[i].code != right[i].code || left[i].instruction != right[i].instruction) return false;
    return true;
}

static bool grow(void **memory, size_t *capacity, size_t needed, size_t item) {
    if (needed <= *capacity) return true;
    size_t larger = *capacity ? *capacity : 256;
    while (larger < needed) larger *= 2;
    void *moved = realloc(*memory, larger * item);
    if (moved == NULL) return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

static bool rehash(StackTable *table) {
    uint32_t count = table->bucket_count ? table->bucket_count * 2 : 512;
    uint32_t *buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) return false;
    for (uint32_t number = 0; number < table->stack_count; number++) {
        uint32_t bucket = (uint32_t)table->stacks[number].hash & (count - 1);
        while (buckets[bucket]) bucket = (bucket + 1) & (count - 1);
        buckets[bucket] = number + 1;
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
    return true;
}

static bool make_room(StackTable *table, int depth) {
    size_t stack_capacity = table->stack_capacity;
    bool room = grow((void **)&table->stacks, &stack_capacity, (size_t)table->stack_count + 1, sizeof(Stack)) &&
                grow((void **)&table->frames, &table->frame_capacity, table->frame_count + (size_t)depth, sizeof(Frame));
    table->stack_capacity = (uint32_t)stack_capacity;
    return room && table->frame_count + (size_t)depth < UINT32_MAX &&
           (2 * (table->stack_count + 1) <= table->bucket_count || rehash(table));
}

/* The number of this stack; NO_STACK where there was no memory for a new one. */
uint32_t stack_table_intern(StackTable *table, const Frame *frames, int depth, bool *is_new) {
    uint64_t hash = hash_of(frames, depth);
    *is_new = false;
    if (table->bucket_count) {
        uint32_t bucket = (uint32_t)hash & (table->bucket_count - 1);
        for (uint32_t entry; (entry = table->buckets[bucket]) != 0; bucket = (bucket + 1) & (table->bucket_count - 1)) {
            const Stack *stack = &table->stacks[entry - 1];
            if (stack->hash == hash && stack->depth == (uint32_t)depth &&
                same_frames(&table->frames[stack->first], frames, depth))
                return entry - 1;
        }
    }
    if (!make_room(table, depth)) return NO_STACK;
    uint32_t bucket = (uint32_t)hash & (table->bucket_count - 1);
    while (table->buckets[bucket]) bucket = (bucket + 1) & (table->bucket_count - 1);
    uint32_t number = table->stack_count++;
    table->buckets[bucket] = number + 1;
    table->stacks[number] = (Stack){.hash = hash, .first = (uint32_t)table->frame_count, .depth = (uint32_t)depth};
    if (depth > 0) memcpy(&table->frames[table->frame_count], frames, (size_t)depth * sizeof(Frame));
    table->frame_count += (size_t)depth;
    *is_new = true;
    return number;
}

void stack_table_clear(StackTable *table) {
    free(table->stacks);
    free(table->buckets);
    free(table->frames);
    *table = (StackTable){0};
}
