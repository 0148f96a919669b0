/* A tree in which stacks with the same outer calls share nodes.
 *
 * A stack is walked in full each time, because nothing in a frame tells one activation from the next. But most stacks
 * differ from the previous one only in their last calls, so the walk is compared with it from the root on, and the
 * equal part needs no search. A node remembers the child and the site of its last search, so that the rest seldom needs
 * the index. An allocation at the same site as the last one costs a few loads for each frame. */
#include "call_tree.h"

#include <stdlib.h>

static inline uint32_t node_hash(uint32_t parent, const Frame *frame) {
    uint64_t hash = hash_mix(0, (uintptr_t)frame->code);
    return (uint32_t)hash_mix(hash, (uint64_t)parent << 32 ^ (uint32_t)frame->instruction);
}

static bool reserve_node(CallTree *tree) {
    return tree->node_count < UINT32_MAX / 2 &&
           array_reserve((void **)&tree->nodes, &tree->node_capacity, (size_t)tree->node_count + 1, sizeof(CallNode)) &&
           hash_index_reserve(&tree->node_index);
}

static bool reserve_site(CallTree *tree) {
    return tree->site_count < UINT32_MAX / 2 &&
           array_reserve((void **)&tree->sites, &tree->site_capacity, (size_t)tree->site_count + 1, sizeof(CallSite)) &&
           hash_index_reserve(&tree->site_index);
}

static uint32_t add_node(CallTree *tree, uint32_t parent, const Frame *frame, uint32_t hash) {
    if (!reserve_node(tree)) return NO_NODE;
    uint32_t number = tree->node_count++;
    Py_INCREF(frame->code);
    tree->nodes[number] = (CallNode){.code = frame->code, .instruction = frame->instruction, .parent = parent};
    hash_index_add(&tree->node_index, hash, number);
    return number;
}

static inline bool is_child(const CallTree *tree, uint32_t number, uint32_t parent, const Frame *frame) {
    const CallNode *node = &tree->nodes[number];
    return node->code == frame->code && node->instruction == frame->instruction && node->parent == parent;
}

static uint32_t find_or_add_node(CallTree *tree, uint32_t parent, const Frame *frame) {
    uint32_t hash = node_hash(parent, frame), probe = 0;
    for (uint32_t found; (found = hash_index_next(&tree->node_index, hash, &probe)) != HASH_NO_ENTRY;)
        if (is_child(tree, found, parent, frame)) return found;
    return add_node(tree, parent, frame, hash);
}

static inline uint32_t child_of(CallTree *tree, uint32_t parent, const Frame *frame) {
    uint32_t latest = tree->nodes[parent].latest_child;
    if (LIKELY(latest != 0) && is_child(tree, latest - 1, parent, frame)) return latest - 1;
    uint32_t child = find_or_add_node(tree, parent, frame);
    if (child != NO_NODE) tree->nodes[parent].latest_child = child + 1;
    return child;
}

static bool add_root(CallTree *tree) {
    if (!reserve_node(tree)) return false;
    tree->nodes[0] = (CallNode){.code = NULL};
    tree->node_count = 1;
    return true;
}

/* Omit frames without code, and those of a code object that is being destroyed (callbacks of its weak references may
 * allocate). */
static inline bool is_living_code(PyCodeObject *code) {
    return code != NULL && PyCode_Check((PyObject *)code) && Py_REFCNT(code) > 0;
}

uint32_t call_tree_node(CallTree *tree, PyThreadState *thread) {
    Frame frames[MAX_DEPTH];
    if (tree->node_count == 0 && !add_root(tree)) return NO_NODE;
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

static uint32_t add_site(CallTree *tree, uint32_t node, size_t size, uint32_t labels, uint32_t hash) {
    if (!reserve_site(tree)) return NO_SITE;
    uint32_t number = tree->site_count++;
    tree->sites[number] = (CallSite){.size = size, .node = node, .labels = labels};
    hash_index_add(&tree->site_index, hash, number);
    return number;
}

static inline bool is_site(const CallTree *tree, uint32_t number, uint32_t node, size_t size, uint32_t labels) {
    const CallSite *site = &tree->sites[number];
    return site->size == size && site->node == node && site->labels == labels;
}

static uint32_t find_or_add_site(CallTree *tree, uint32_t node, size_t size, uint32_t labels) {
    uint32_t hash = (uint32_t)hash_mix(hash_mix(0, size), (uint64_t)labels << 32 | node), probe = 0;
    for (uint32_t found; (found = hash_index_next(&tree->site_index, hash, &probe)) != HASH_NO_ENTRY;)
        if (is_site(tree, found, node, size, labels)) return found;
    return add_site(tree, node, size, labels, hash);
}

uint32_t call_tree_search_site(CallTree *tree, uint32_t node, size_t size, uint32_t labels) {
    uint32_t site = find_or_add_site(tree, node, size, labels);
    if (site != NO_SITE) tree->nodes[node].latest_site = site + 1;
    return site;
}

uint32_t call_node_stack(const CallNode *nodes, uint32_t node, Frame *frames) {
    uint32_t depth = 0;
    for (; node != 0 && depth < MAX_DEPTH; node = nodes[node].parent)
        frames[depth++] = (Frame){nodes[node].code, nodes[node].instruction};
    return depth;
}

void call_tree_release(CallTree *tree) {
    for (uint32_t i = 1; i < tree->node_count; i++) Py_DECREF(tree->nodes[i].code);
    free(tree->nodes);
    free(tree->sites);
    hash_index_clear(&tree->node_index);
    hash_index_clear(&tree->site_index);
}
