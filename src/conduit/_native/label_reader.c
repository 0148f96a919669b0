/* Readers of labels: from a thread's context to the number of a set.
 *
 * A context's variables are an immutable tree (HAMT). Only the context's own thread replaces it, so it does not change
 * during a signal handler in that thread, nor for the thread itself without the GIL; the handler still loads everything
 * by safe_load and checks the types. At first use the readers are compared with the interpreter.
 *
 * A generator runs in its caller's context. A label that was entered in a generator applies only while the generator
 * runs: between two of its values, it does not apply to the caller. The node has a weak reference to the generator for
 * this. */
#include "python_layout.h"

#include "label_nodes.h"
#include "label_reader.h"

#include <string.h>

#define MAX_LEVELS 7     /* of the tree: 32 bits of hash, five at a time */
#define MAX_NESTING 1000 /* of labels that were entered in generators */

PyObject *label_variable;

static PyTypeObject *context_type, *variables_type, *bitmap_type, *array_type;
static uint32_t variable_hash;
static atomic_bool is_in_use; /* a label has been entered in this process */
static enum { UNKNOWN, KNOWN, NOT_KNOWN } layout_state;

/* ---- reading ---- */

/* Everything below loads through this: plainly where `method` is NULL. */
static inline __attribute__((always_inline)) bool load(const LoadMethod *method, void *to, const void *from,
                                                       size_t bytes) {
    if (method == NULL) {
        memcpy(to, from, bytes);
        return true;
    }
    return from != NULL && ((uintptr_t)from & 7) == 0 && safe_load(*method, to, from, bytes / sizeof(uintptr_t));
}

static inline __attribute__((always_inline)) const PyTypeObject *type_at(const LoadMethod *method,
                                                                         const void *object) {
    const PyTypeObject *type;
    const char *at = (const char *)object + offsetof(PyObject, ob_type);
    return object != NULL && load(method, &type, at, sizeof type) ? type : NULL;
}

static inline __attribute__((always_inline)) const void *field_at(const LoadMethod *method, const void *object,
                                                                  size_t offset) {
    const void *value;
    return load(method, &value, (const char *)object + offset, sizeof value) ? value : NULL;
}

typedef struct {
    uint32_t bitmap, padding;
} BitmapWord;

/* The variable's value below a node of the tree, or NULL. */
static inline __attribute__((always_inline)) const void *value_below(const LoadMethod *method, const void *node) {
    uint32_t hash = variable_hash;
    for (int level = 0; level < MAX_LEVELS; level++, hash >>= LAYOUT_HAMT_BITS) {
        const PyTypeObject *type = type_at(method, node);
        uint32_t digit = hash & ((1u << LAYOUT_HAMT_BITS) - 1);
        if (type == bitmap_type && type != NULL) {
            BitmapWord word;
            const PyObject *pair[2];
            if (!load(method, &word, (const char *)node + offsetof(LayoutBitmapNode, bitmap), sizeof word)) return NULL;
            if (!(word.bitmap >> digit & 1)) return NULL;
            size_t index = (size_t)__builtin_popcount(word.bitmap & ((1u << digit) - 1));
            size_t offset = offsetof(LayoutBitmapNode, pairs) + index * sizeof pair;
            if (!load(method, pair, (const char *)node + offset, sizeof pair)) return NULL;
            if (pair[0] == label_variable) return pair[1];
            if (pair[0] != NULL) return NULL;
            node = pair[1];
        } else if (type == array_type && type != NULL) {
            node = field_at(method, node, offsetof(LayoutArrayNode, nodes) + digit * sizeof(PyObject *));
        } else {
            return NULL;
        }
    }
    return NULL;
}

static inline __attribute__((always_inline)) const void *value_in_context(const LoadMethod *method,
                                                                          const void *context) {
    if (type_at(method, context) != context_type) return NULL;
    const void *variables = field_at(method, context, LAYOUT_CONTEXT_VARIABLES);
    if (type_at(method, variables) != variables_type) return NULL;
    return value_below(method, field_at(method, variables, LAYOUT_VARIABLES_ROOT));
}

/* Whether the generator in which a node was entered is running. In any context but the node's own, the node was
 * inherited, and applies whether the generator runs or not. */
static bool generator_runs(const LoadMethod *method, const LabelNode *node, const void *context) {
    if (node->context != context) return true;
    const void *generator = field_at(method, node->generator, offsetof(PyWeakReference, wr_object));
    if (generator == NULL || generator == Py_None) return false;
    uintptr_t word, at = (uintptr_t)generator + LAYOUT_GENERATOR_STATE;
    int8_t state;
    if (!load(method, &word, (const void *)(at & ~(uintptr_t)7), sizeof word)) return false;
    memcpy(&state, (const char *)&word + (at & 7), sizeof state);
    return state == LAYOUT_GENERATOR_RUNS;
}

/* The number of the innermost node that holds in this context. */
static inline __attribute__((always_inline)) uint32_t number_in_context(const LoadMethod *method,
                                                                        const void *context) {
    const void *at = value_in_context(method, context);
    for (int steps = 0; steps < MAX_NESTING; steps++) {
        LabelNode node;
        if (type_at(method, at) != &label_node_type || !load(method, &node, at, sizeof node)) return 0;
        if (LIKELY(node.generator == NULL) || generator_runs(method, &node, context)) return node.number;
        at = node.outer;
    }
    return 0;
}

uint32_t labels_at_rest(const PyThreadState *thread, LabelUser user) {
    if (LIKELY(!atomic_load_explicit(&is_in_use, memory_order_relaxed)) || thread == NULL) return 0;
    uint32_t number = number_in_context(NULL, field_at(NULL, thread, LAYOUT_CONTEXT));
    label_set_mark(number, user);
    return number;
}

uint32_t labels_interrupted(LoadMethod method, const PyThreadState *thread, LabelUser user) {
    if (!atomic_load_explicit(&is_in_use, memory_order_relaxed) || thread == NULL) return 0;
    uint32_t number = number_in_context(&method, field_at(&method, thread, LAYOUT_CONTEXT));
    if (!label_set_exists(number)) return 0;
    label_set_mark(number, user);
    return number;
}

/* ---- for a reader in another process (conduit/record/remote_labels.py) ---- */

/* How labels are stored in this process; a reader finds this table by the name of its section; all 0 until a label has
 * been entered. */
static struct {
    uint64_t size; /* of this table, in bytes: the version of its fields */
    const void *variable;
    uint64_t hash;
    const PyTypeObject *context_type, *variables_type, *bitmap_type, *array_type, *node_type;
    const PyTypeObject *generator_type, *async_generator_type;
    uint64_t thread_context, context_variables, variables_root, bitmap, bitmap_pairs, array_nodes;
    uint64_t node_outer, node_generator, node_context, node_own, referent, generator_state, generator_runs;
    uint64_t async_generator_runs, object_type, tuple_size, tuple_items;
} published_labels __attribute__((section(".ConduitLabels"), used));

static void publish_layout(void) {
    published_labels.variable = label_variable;
    published_labels.hash = variable_hash;
    published_labels.context_type = context_type;
    published_labels.variables_type = variables_type;
    published_labels.bitmap_type = bitmap_type;
    published_labels.array_type = array_type;
    published_labels.node_type = &label_node_type;
    published_labels.generator_type = &PyGen_Type;
    published_labels.async_generator_type = &PyAsyncGen_Type;
    published_labels.thread_context = LAYOUT_CONTEXT;
    published_labels.context_variables = LAYOUT_CONTEXT_VARIABLES;
    published_labels.variables_root = LAYOUT_VARIABLES_ROOT;
    published_labels.bitmap = offsetof(LayoutBitmapNode, bitmap);
    published_labels.bitmap_pairs = offsetof(LayoutBitmapNode, pairs);
    published_labels.array_nodes = offsetof(LayoutArrayNode, nodes);
    published_labels.node_outer = offsetof(LabelNode, outer);
    published_labels.node_generator = offsetof(LabelNode, generator);
    published_labels.node_context = offsetof(LabelNode, context);
    published_labels.node_own = offsetof(LabelNode, own);
    published_labels.referent = offsetof(PyWeakReference, wr_object);
    published_labels.generator_state = LAYOUT_GENERATOR_STATE;
    published_labels.generator_runs = (uint8_t)LAYOUT_GENERATOR_RUNS;
    published_labels.async_generator_runs = offsetof(PyAsyncGenObject, ag_running_async);
    published_labels.object_type = offsetof(PyObject, ob_type);
    published_labels.tuple_size = offsetof(PyVarObject, ob_size);
    published_labels.tuple_items = offsetof(PyTupleObject, ob_item);
    published_labels.size = sizeof published_labels; /* written last: the table is complete */
}

/* ---- the layout, at first use ---- */

PyObject *label_variables_of(const PyObject *context) {
    return (PyObject *)(uintptr_t)field_at(NULL, context, LAYOUT_CONTEXT_VARIABLES);
}

/* Learn the types of the tree's nodes from the variables of the current context. */
static void learn_types(void) {
    const PyThreadState *thread = PyThreadState_Get();
    const PyObject *variables = field_at(NULL, thread->context, LAYOUT_CONTEXT_VARIABLES);
    context_type = Py_TYPE(thread->context);
    variables_type = Py_TYPE(variables);
    const PyObject *root = field_at(NULL, variables, LAYOUT_VARIABLES_ROOT);
    if (bitmap_type == NULL)
        bitmap_type = Py_TYPE(root);
    else if (Py_TYPE(root) != bitmap_type)
        array_type = Py_TYPE(root);
}

static bool reads(const PyObject *expected) {
    return value_in_context(NULL, field_at(NULL, PyThreadState_Get(), LAYOUT_CONTEXT)) == expected;
}

bool label_put(PyObject *which, PyObject *value) {
    PyObject *token = PyContextVar_Set(which, value);
    Py_XDECREF(token);
    return token != NULL;
}

/* Whether the interpreter finds the earlier value of the variable once the context's variables have been restored. */
static bool restores(PyObject *value) {
    PyObject *context = PyThreadState_Get()->context, *before = Py_NewRef(label_variables_of(context)), *found = NULL;
    PyObject *expected = NULL;
    bool right = PyContextVar_Get(label_variable, NULL, &expected) == 0;
    right = right && label_put(label_variable, value) && reads(value);
    Py_DECREF(layout_restore_variables(context, before, label_variable));
    right = right && PyContextVar_Get(label_variable, NULL, &found) == 0 && found == expected;
    Py_XDECREF(found);
    Py_XDECREF(expected);
    return right;
}

/* Read the variable in a new context: alone, then among so many others that the tree has nodes of both kinds, then
 * reset. */
static bool check_layout(void) {
    PyObject *first = PyTuple_Pack(1, Py_None), *second = PyTuple_Pack(1, Py_True);
    bool right = first != NULL && second != NULL && label_put(label_variable, first);
    if (right) learn_types();
    right = right && strcmp(bitmap_type->tp_name, "hamt_bitmap_node") == 0 && reads(first);
    for (int i = 0; right && i < 200; i++) {
        PyObject *other = PyContextVar_New("conduit looks for its labels among these", NULL);
        right = other != NULL && label_put(other, Py_None);
        if (right && array_type == NULL) learn_types();
        right = right && reads(first);
        Py_XDECREF(other);
    }
    right = right && array_type != NULL && strcmp(array_type->tp_name, "hamt_array_node") == 0;
    right = right && restores(second) && reads(first) && label_put(label_variable, Py_None) && reads(Py_None);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return right;
}

static bool learn_layout(void) {
    PyObject *context = PyContext_New();
    if (label_variable == NULL) label_variable = PyContextVar_New("conduit.label", NULL);
    bool right = context != NULL && label_variable != NULL && PyContext_Enter(context) == 0;
    if (right) {
        variable_hash = layout_hamt_hash(PyObject_Hash(label_variable));
        right = check_layout();
        if (PyContext_Exit(context) < 0) right = false;
    }
    Py_XDECREF(context);
    if (PyErr_Occurred()) PyErr_Clear();
    return right;
}

/* Whether labels can be read on this interpreter, found out once. */
bool label_layout_is_known(void) {
    if (UNLIKELY(layout_state == UNKNOWN)) {
        layout_state = learn_layout() ? KNOWN : NOT_KNOWN;
        if (layout_state == KNOWN) publish_layout();
    }
    return layout_state == KNOWN;
}

bool label_layout_is_refused(void) { return layout_state == NOT_KNOWN; }

void label_note_use(void) { atomic_store_explicit(&is_in_use, true, memory_order_relaxed); }

bool label_was_used(void) { return atomic_load_explicit(&is_in_use, memory_order_relaxed); }

const LabelNode *label_node_in(const PyObject *context) {
    const void *value = value_in_context(NULL, context);
    return value != NULL && type_at(NULL, value) == &label_node_type ? value : NULL;
}

uint32_t label_number_in(const PyObject *context) { return number_in_context(NULL, context); }
