/* An index over stacks whose frames lie one after the other in one array. */
#include "stack_table.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const Frame *frames, int depth) {
    uint64_t hash = 0;
    for (int i = 0; i < depth; i++)
        hash = hash_mix(hash_mix(hash, (uintptr_t)frames[i].code), (uint32_t)frames[i].instruction);
    return hash;
}

/* Compared field by field: a Frame has padding. */
static bool same_frames(const Frame *left, const Frame *right, int depth) {
    for (int i = 0; i < depth; i++)
        if (left[i].code != right[i].code || left[i].instruction != right[i].instruction) return false;
    return true;
}

static bool make_room(StackTable *table, int depth) {
    size_t frames = table->frame_count + (size_t)depth;
    return frames < UINT32_MAX && table->stack_count < UINT32_MAX / 2 &&
           array_reserve((void **)&table->stacks, &table->stack_capacity, (size_t)table->stack_count + 1,
                         sizeof(Stack)) &&
           array_reserve((void **)&table->frames, &table->frame_capacity, frames, sizeof(Frame)) &&
           hash_index_reserve(&table->index);
}

uint32_t stack_table_intern(StackTable *table, const Frame *frames, int depth, bool *is_new) {
    uint64_t hash = hash_of(frames, depth);
    uint32_t probe = 0;
    *is_new = false;
    for (uint32_t found; (found = hash_index_next(&table->index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY;) {
        const Stack *stack = &table->stacks[found];
        if (stack->hash == hash && stack->depth == (uint32_t)depth &&
            same_frames(&table->frames[stack->first], frames, depth))
            return found;
    }
    if (!make_room(table, depth)) return NO_STACK;
    uint32_t number = table->stack_count++;
    hash_index_add(&table->index, (uint32_t)hash, number);
    table->stacks[number] = (Stack){.hash = hash, .first = (uint32_t)table->frame_count, .depth = (uint32_t)depth};
    if (depth > 0) memcpy(&table->frames[table->frame_count], frames, (size_t)depth * sizeof(Frame));
    table->frame_count += (size_t)depth;
    *is_new = true;
    return number;
}

void stack_table_clear(StackTable *table) {
    free(table->stacks);
    free(table->frames);
    hash_index_clear(&table->index);
    *table = (StackTable){0};
}
