/* Stacks joined to a call tree, level by level from the root; see `join_stacks` in conduit.profile.loops.
 *
 * First each stack is expanded into a path of numbers, the root first. Then each node's samples are walked once: a
 * sample whose path ends there adds its value to the node, the others are put into lists by their next number, in order
 * of first use. Only nodes whose samples are large enough are walked in turn. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NO_SAMPLE = -1 };

/* A node of the tree, and its samples as a list through `Tree.next`. */
typedef struct {
    int64_t parent, number, positive, negative;
    int64_t depth;
    int64_t first, last; /* samples */
    int64_t size;        /* sum of absolute values */
} Node;

/* The nodes that are left out below a node. */
typedef struct {
    int64_t node, nodes, size;
} Hidden;

typedef struct {
    const Stacks *stacks;
    const int64_t *values;
    int64_t cutoff;
    int64_t *path_starts;
    int32_t *paths;
    int64_t *next; /* the next sample of the same node */
    Node *nodes;
    size_t count, capacity;
    Hidden *hidden;
    size_t hidden_count, hidden_capacity;
    Node *groups; /* of the node being walked */
    size_t group_count, group_capacity;
    HashIndex index; /* of groups by number, while a node has many */
} Tree;

static bool out_of_memory(void) {
    PyErr_NoMemory();
    return false;
}

static bool spread_paths(Tree *tree, const Py_buffer *runs_buffer, const Py_buffer *numbers_buffer) {
    const Stacks *stacks = tree->stacks;
    const int32_t *runs = runs_buffer->buf, *numbers = numbers_buffer->buf;
    int64_t used = 0, total = 0;
    for (Py_ssize_t i = 0; i < stacks->count; i++)
        for (int64_t k = stacks->starts[i]; k < stacks->stops[i]; k++)
            total += runs[stacks->frames[k] + 1] - runs[stacks->frames[k]];
    tree->path_starts = malloc(((size_t)stacks->count + 1) * sizeof(int64_t));
    tree->next = malloc(((size_t)stacks->count + 1) * sizeof(int64_t));
    tree->paths = malloc(((size_t)total + 1) * sizeof(int32_t));
    if (tree->path_starts == NULL || tree->next == NULL || tree->paths == NULL) return out_of_memory();
    for (Py_ssize_t i = 0; i < stacks->count; i++) {
        tree->path_starts[i] = used;
        for (int64_t k = stacks->stops[i]; k-- > stacks->starts[i];)
            for (int32_t n = runs[stacks->frames[k]]; n < runs[stacks->frames[k] + 1]; n++)
                tree->paths[used++] = numbers[n];
    }
    tree->path_starts[stacks->count] = used;
    return true;
}

static bool add_node(Tree *tree, Node node) {
    if (!array_reserve((void **)&tree->nodes, &tree->capacity, tree->count + 1, sizeof(Node))) return out_of_memory();
    tree->nodes[tree->count++] = node;
    return true;
}

/* False where the sum does not fit into 64 bits. */
static bool end_at(Node *node, int64_t value) {
    if (value >= 0) return !__builtin_add_overflow(node->positive, value, &node->positive);
    return !__builtin_sub_overflow(node->negative, value, &node->negative);
}

/* The group of a number, made if there is none; NULL where there is no memory. */
static Node *find_group(Tree *tree, int32_t number) {
    uint32_t hash = (uint32_t)hash_mix(0, (uint64_t)number), probe = 0;
    for (uint32_t found; (found = hash_index_next(&tree->index, hash, &probe)) != HASH_NO_ENTRY;)
        if (tree->groups[found].number == number) return &tree->groups[found];
    if (!hash_index_reserve(&tree->index) ||
        !array_reserve((void **)&tree->groups, &tree->group_capacity, tree->group_count + 1, sizeof(Node))) {
        PyErr_NoMemory();
        return NULL;
    }
    hash_index_add(&tree->index, hash, (uint32_t)tree->group_count);
    Node *group = &tree->groups[tree->group_count++];
    *group = (Node){.number = number, .first = NO_SAMPLE, .last = NO_SAMPLE};
    return group;
}

static bool join_group(Tree *tree, Node *group, int64_t sample) {
    int64_t value = tree->values[sample], size = value < 0 ? -value : value;
    if (value == INT64_MIN || __builtin_add_overflow(group->size, size, &group->size)) return false;
    if (group->last == NO_SAMPLE)
        group->first = sample;
    else
        tree->next[group->last] = sample;
    group->last = sample;
    tree->next[sample] = NO_SAMPLE;
    return true;
}

/* Leave a group out: its samples end at the node. */
static bool hide_group(Tree *tree, size_t node, const Node *group) {
    if (tree->hidden_count == 0 || tree->hidden[tree->hidden_count - 1].node != (int64_t)node) {
        if (!array_reserve((void **)&tree->hidden, &tree->hidden_capacity, tree->hidden_count + 1, sizeof(Hidden)))
            return out_of_memory();
        tree->hidden[tree->hidden_count++] = (Hidden){(int64_t)node, 0, 0};
    }
    Hidden *hidden = &tree->hidden[tree->hidden_count - 1];
    hidden->nodes++;
    if (__builtin_add_overflow(hidden->size, group->size, &hidden->size)) return false;
    for (int64_t sample = group->first; sample != NO_SAMPLE; sample = tree->next[sample])
        if (!end_at(&tree->nodes[node], tree->values[sample])) return false;
    return true;
}

static bool walk_node(Tree *tree, size_t number) {
    int64_t depth = tree->nodes[number].depth;
    tree->group_count = 0;
    if (tree->index.used) memset(tree->index.buckets, 0, tree->index.capacity * sizeof *tree->index.buckets);
    tree->index.used = 0;
    for (int64_t sample = tree->nodes[number].first, next; sample != NO_SAMPLE; sample = next) {
        next = tree->next[sample];
        int64_t place = tree->path_starts[sample] + depth;
        if (place >= tree->path_starts[sample + 1]) {
            if (!end_at(&tree->nodes[number], tree->values[sample])) return false;
            continue;
        }
        Node *group = find_group(tree, tree->paths[place]);
        if (group == NULL || !join_group(tree, group, sample)) return false;
    }
    for (size_t i = 0; i < tree->group_count; i++) {
        Node group = tree->groups[i];
        group.parent = (int64_t)number;
        group.depth = depth + 1;
        if (group.size < tree->cutoff ? !hide_group(tree, number, &group) : !add_node(tree, group)) return false;
    }
    if (tree->index.capacity > 512 && tree->group_count < tree->index.capacity / 64) hash_index_clear(&tree->index);
    return true;
}

static bool grow_tree(Tree *tree) {
    Node root = {.first = NO_SAMPLE, .last = NO_SAMPLE};
    Py_ssize_t count = tree->stacks->count;
    for (Py_ssize_t i = 0; i < count; i++) tree->next[i] = i + 1 < count ? i + 1 : NO_SAMPLE;
    if (count) root.first = 0;
    if (!add_node(tree, root)) return false;
    for (size_t node = 0; node < tree->count; node++)
        if (!walk_node(tree, node)) return false;
    return true;
}

static PyObject *column_of(const void *records, size_t count, size_t size, size_t offset) {
    PyObject *column = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof(int64_t)));
    for (size_t i = 0; column != NULL && i < count; i++)
        memcpy(PyBytes_AS_STRING(column) + i * sizeof(int64_t), (const char *)records + i * size + offset,
               sizeof(int64_t));
    return column;
}

static PyObject *tree_result(const Tree *tree) {
#define NODE_COLUMN(field) column_of(tree->nodes, tree->count, sizeof(Node), offsetof(Node, field))
#define HIDDEN_COLUMN(field) column_of(tree->hidden, tree->hidden_count, sizeof(Hidden), offsetof(Hidden, field))
    return Py_BuildValue("(NNNN(NNN))", NODE_COLUMN(parent), NODE_COLUMN(number), NODE_COLUMN(positive),
                         NODE_COLUMN(negative), HIDDEN_COLUMN(node), HIDDEN_COLUMN(nodes), HIDDEN_COLUMN(size));
}

static bool check_input(const Stacks *stacks, const Py_buffer *values, const Py_buffer *runs,
                        const Py_buffer *numbers) {
    const char *fault = NULL;
    const int32_t *run = runs->buf;
    Py_ssize_t locations = runs->len / (Py_ssize_t)sizeof(int32_t) - 1;
    if (values->len != stacks->count * (Py_ssize_t)sizeof(int64_t)) fault = "there is not one value a stack";
    if (!fault && (locations < 0 || run[0] != 0 || run[locations] != numbers->len / (Py_ssize_t)sizeof(int32_t)))
        fault = "runs do not fit";
    for (Py_ssize_t i = 0; !fault && i < locations; i++)
        if (run[i] > run[i + 1]) fault = "runs do not fit";
    for (int64_t k = 0; !fault && k < stacks->size; k++)
        if (stacks->frames[k] >= (size_t)locations) fault = "a location's index is beyond the table";
    if (fault) PyErr_SetString(PyExc_ValueError, fault);
    return fault == NULL;
}

static PyObject *join_stacks(PyObject *module, PyObject *arguments) {
    (void)module;
    Stacks stacks;
    Py_buffer values, runs, numbers;
    long long cutoff;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*L", &stacks.bounds_buffer, &stacks.frames_buffer, &values, &runs,
                          &numbers, &cutoff))
        return NULL;
    PyObject *result = NULL;
    Tree tree = {.stacks = &stacks, .values = values.buf, .cutoff = cutoff};
    if (open_stacks(&stacks) && check_input(&stacks, &values, &runs, &numbers) &&
        spread_paths(&tree, &runs, &numbers) && grow_tree(&tree))
        result = tree_result(&tree);
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    free(tree.path_starts);
    free(tree.paths);
    free(tree.next);
    free(tree.nodes);
    free(tree.hidden);
    free(tree.groups);
    hash_index_clear(&tree.index);
    close_stacks(&stacks);
    PyBuffer_Release(&values);
    PyBuffer_Release(&runs);
    PyBuffer_Release(&numbers);
    return result;
}

PyMethodDef column_tree_methods[] = {
    {"join_stacks", join_stacks, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
