/* Which calls led to an allocation, as a tree that shares what stacks have in common.
 *
 * A stack is walked in full each time, because nothing in a frame tells one activation from the next. But most stacks
 * differ from the one before in their last calls only, so the walk is compared with it from the root on, and what is
 * equal needs no search. A node remembers the child and the site that were asked for last, so that the rest rarely needs
 * to search by hash either. An allocation where the last one was costs a few loads a frame.
 *
 * Memory is libc's and grows by doubling. Not locked: the owner calls from one thread at a time, with the GIL. A node
 * owns a reference to its code object, so what is compared can be neither freed nor be another code at the same address. */
#include "call_tree.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

static inline uint32_t hash_of(uint64_t first, uint64_t second) {
    uint64_t mixed = (first ^ second * UINT64_C(0xBF58476D1CE4E5B9)) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

static inline uint32_t node_hash(uint32_t parent, const Frame *frame) {
    return hash_of((uintptr_t)frame->code, ((uint64_t)parent << 32) ^ (uint32_t)frame->instruction);
}

static bool grow(void **memory, uint32_t *capacity, uint32_t count, size_t item) {
    if (count < *capacity) return true;
    if (count >= UINT32_MAX / 2) return false;
    uint32_t larger = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *moved = realloc(*memory, larger * item);
    if (moved == NULL) return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

static void index_put(CallIndex *index, CallBucket bucket) {
    uint32_t at = bucket.hash & (index->capacity - 1);
    while (index->buckets[at].entry) at = (at + 1) & (index->capacity - 1);
    index->buckets[at] = bucket;
}

/* Room for one more, at most half full. */
static bool index_grow(CallIndex *index) {
    if (2 * (index->used + 1) <= index->capacity) return true;
    CallIndex larger = {.capacity = index->capacity ? index->capacity * 2 : 2 * FIRST_CAPACITY, .used = index->used};
    larger.buckets = calloc(larger.capacity, sizeof *larger.buckets);
    if (larger.buckets == NULL) return false;
    for (uint32_t i = 0; i < index->capacity; i++)
        if (index->buckets[i].entry) index_put(&larger, index->buckets[i]);
    free(index->buckets);
    *index = larger;
    return true;
}

static uint32_t add_node(CallTree *tree, uint32_t parent, const Frame *frame, uint32_t hash) {
    if (!grow((void **)&tree->nodes, &tree->node_capacity, tree->node_count, sizeof(CallNode)) ||
        !index_grow(&tree->node_index))
        return NO_NODE;
    uint32_t number = tree->node_count++;
    Py_INCREF(frame->code);
    tree->nodes[number] = (CallNode){.code = frame->code, .instruction = frame->instruction, .parent = parent};
    index_put(&tree->node_index, (CallBucket){hash, number + 1});
    tree->node_index.used++;
    return number;
}

static inline bool is_child(const CallTree *tree, uint32_t number, uint32_t parent, const Frame *frame) {
    const CallNode *node = &tree->nodes[number];
    return node->code == frame->code && node->instruction == frame->instruction && node->parent == parent;
}

static uint32_t find_or_add_node(CallTree *tree, uint32_t parent, const Frame *frame) {
    uint32_t hash = node_hash(parent, frame);
    const CallIndex *index = &tree->node_index;
    for (uint32_t at = hash; index->capacity; at++) {
        CallBucket bucket = index->buckets[at & (index->capacity - 1)];
        if (bucket.entry == 0) break;
        if (bucket.hash == hash && is_child(tree, bucket.entry - 1, parent, frame)) return bucket.entry - 1;
    }
    return add_node(tree, parent, frame, hash);
}

static inline uint32_t child_of(CallTree *tree, uint32_t parent, const Frame *frame) {
    uint32_t latest = tree->nodes[parent].latest_child;
    if (LIKELY(latest != 0) && is_child(tree, latest - 1, parent, frame)) return latest - 1;
    uint32_t child = find_or_add_node(tree, parent, frame);
    if (child != NO_NODE) tree->nodes[parent].latest_child = child + 1;
    return child;
}

static bool plant(CallTree *tree) {
    if (!grow((void **)&tree->nodes, &tree->node_capacity, 0, sizeof(CallNode))) return false;
    tree->nodes[0] = (CallNode){.code = NULL};
    tree->node_count = 1;
    return true;
}

/* A code object that is dying just now (its weak references' callbacks allocate) is left out, and so are the frames
 * that hold no code. */
static inline bool is_living_code(PyCodeObject *code) {
    return code != NULL && PyCode_Check((PyObject *)code) && Py_REFCNT(code) > 0;
}

/* Where the thread stands (NULL: nowhere), which must be the calling one, with the GIL; NO_NODE without memory. */
uint32_t call_tree_node(CallTree *tree, PyThreadState *thread) {
    Frame frames[MAX_DEPTH];
    if (tree->node_count == 0 && !plant(tree)) return NO_NODE;
    int left = frames_walk_raw(thread, frames, MAX_DEPTH), depth = 0;
    while (left > 0 && depth < tree->latest_depth && frames[left - 1].code == tree->latest[depth].code &&
           frames[left - 1].instruction == tree->latest[depth].instruction)
        left--, depth++;
    uint32_t node = depth ? tree->path[depth - 1] : 0;
    while (left-- > 0) {
        if (!is_living_code(frames[left].code)) continue;
        node = child_of(tree, node, &frames[left]);
        if (node == NO_NODE) break;
        tree->latest[depth] = frames[left];
        tree->path[depth++] = node;
    }
    tree->latest_depth = depth;
    return node;
}

static uint32_t add_site(CallTree *tree, uint32_t node, size_t size, uint32_t hash) {
    if (!grow((void **)&tree->sites, &tree->site_capacity, tree->site_count, sizeof(CallSite)) ||
        !index_grow(&tree->site_index))
        return NO_SITE;
    uint32_t number = tree->site_count++;
    tree->sites[number] = (CallSite){.size = size, .node = node};
    index_put(&tree->site_index, (CallBucket){hash, number + 1});
    tree->site_index.used++;
    return number;
}

static inline bool is_site(const CallTree *tree, uint32_t number, uint32_t node, size_t size) {
    return tree->sites[number].size == size && tree->sites[number].node == node;
}

static uint32_t find_or_add_site(CallTree *tree, uint32_t node, size_t size) {
    uint32_t hash = hash_of(size, node);
    const CallIndex *index = &tree->site_index;
    for (uint32_t at = hash; index->capacity; at++) {
        CallBucket bucket = index->buckets[at & (index->capacity - 1)];
        if (bucket.entry == 0) break;
        if (bucket.hash == hash && is_site(tree, bucket.entry - 1, node, size)) return bucket.entry - 1;
    }
    return add_site(tree, node, size, hash);
}

/* Where `call_tree_site` has not found it at once. */
uint32_t call_tree_search_site(CallTree *tree, uint32_t node, size_t size) {
    uint32_t site = find_or_add_site(tree, node, size);
    if (site != NO_SITE) tree->nodes[node].latest_site = site + 1;
    return site;
}

/* The frames from the node to the root, leaf first, into room for MAX_DEPTH of them; returns how many. */
uint32_t call_node_stack(const CallNode *nodes, uint32_t node, Frame *frames) {
    uint32_t depth = 0;
    for (; node != 0 && depth < MAX_DEPTH; node = nodes[node].parent)
        frames[depth++] = (Frame){nodes[node].code, nodes[node].instruction};
    return depth;
}

/* Gives memory and references back, which may run the program: not under a lock, and not a tree that is still used. */
void call_tree_release(CallTree *tree) {
    for (uint32_t i = 1; i < tree->node_count; i++) Py_DECREF(tree->nodes[i].code);
    free(tree->nodes);
    free(tree->sites);
    free(tree->node_index.buckets);
    free(tree->site_index.buckets);
}
