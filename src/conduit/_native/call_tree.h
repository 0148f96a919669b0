/* Who allocates: a tree of calls, and a site for each size at each of its nodes. See call_tree.c. */
#ifndef CONDUIT_CALL_TREE_H
#define CONDUIT_CALL_TREE_H

#include "frames.h"

typedef struct {
    PyCodeObject *code; /* owned; NULL in the root alone */
    int32_t instruction;
    uint32_t parent;
    uint32_t latest_child, latest_site; /* where the last search ended: number + 1, or 0 */
} CallNode;

typedef struct {
    size_t size; /* bytes, or the upper end of their class */
    uint32_t node;
    int64_t values[4]; /* what the owner adds up for it */
} CallSite;

typedef struct {
    uint32_t hash;
    uint32_t entry; /* number + 1; 0 is empty */
} CallBucket;

typedef struct {
    CallBucket *buckets;
    uint32_t capacity, used;
} CallIndex;

typedef struct {
    CallNode *nodes; /* the root comes first; a child comes after its parent */
    CallSite *sites;
    uint32_t node_count, node_capacity, site_count, site_capacity;
    CallIndex node_index, site_index;
    Frame latest[MAX_DEPTH]; /* the stack that was looked up last, root first */
    uint32_t path[MAX_DEPTH]; /* its nodes */
    int latest_depth;
} CallTree;

#define NO_NODE UINT32_MAX
#define NO_SITE UINT32_MAX

uint32_t call_tree_node(CallTree *tree, PyThreadState *thread);
uint32_t call_tree_search_site(CallTree *tree, uint32_t node, size_t size);
uint32_t call_node_stack(const CallNode *nodes, uint32_t node, Frame *frames);
void call_tree_release(CallTree *tree);

/* The number of the site of this size at this node; NO_SITE without memory, or without a node. */
static inline uint32_t call_tree_site(CallTree *tree, uint32_t node, size_t size) {
    if (UNLIKELY(node == NO_NODE)) return NO_SITE;
    uint32_t latest = tree->nodes[node].latest_site;
    if (LIKELY(latest != 0) && tree->sites[latest - 1].size == size) return latest - 1;
    return call_tree_search_site(tree, node, size);
}

#endif
