/* Where memory is allocated: a tree of calls, and at each of its nodes a site for each size and each
 * set of labels.
 *
 * Labels are numbers of sets (label_sets.h), which the owner keeps alive.
 *
 * Contract: not locked; the owner calls from one thread at a time, with the GIL. A zeroed tree is an empty one. A node
 * owns a reference to its code object, so the code object is not freed, and no other one gets its address. */
#ifndef CONDUIT_CALL_TREE_H
#define CONDUIT_CALL_TREE_H

#include "frames.h"
#include "hash_table.h"

typedef struct {
    PyCodeObject *code; /* owned; NULL in the root alone */
    int32_t instruction;
    uint32_t parent;
    uint32_t latest_child, latest_site; /* found by the last search: number + 1, or 0 */
} CallNode;

typedef struct {
    size_t size; /* bytes, or the upper end of their class */
    uint32_t node, labels;
    int64_t values[4]; /* the owner's sums */
} CallSite;

typedef struct {
    CallNode *nodes; /* the root comes first; a child comes after its parent */
    CallSite *sites;
    uint32_t node_count, site_count;
    size_t node_capacity, site_capacity;
    HashIndex node_index, site_index;
    Frame latest[MAX_DEPTH]; /* the stack of the last search, root first */
    uint32_t path[MAX_DEPTH]; /* its nodes */
    int latest_depth;
} CallTree;

#define NO_NODE HASH_NO_ENTRY
#define NO_SITE HASH_NO_ENTRY

/* The node of the calling thread's stack, added if it is new; NO_NODE where there is no memory. */
uint32_t call_tree_node(CallTree *tree, PyThreadState *thread);

/* The slow part of `call_tree_site`. */
uint32_t call_tree_search_site(CallTree *tree, uint32_t node, size_t size, uint32_t labels);

/* Write the frames from a node to the root, leaf first, at most MAX_DEPTH; return how many. */
uint32_t call_node_stack(const CallNode *nodes, uint32_t node, Frame *frames);

/* Give memory and references back, which may run the program: not under a lock, and not on a tree in use. */
void call_tree_release(CallTree *tree);

/* The number of the site of this size under these labels at this node; NO_SITE without memory, or without a node. */
static inline uint32_t call_tree_site(CallTree *tree, uint32_t node, size_t size, uint32_t labels) {
    if (UNLIKELY(node == NO_NODE)) return NO_SITE;
    uint32_t latest = tree->nodes[node].latest_site;
    if (LIKELY(latest != 0) && tree->sites[latest - 1].size == size && tree->sites[latest - 1].labels == labels)
        return latest - 1;
    return call_tree_search_site(tree, node, size, labels);
}

#endif
