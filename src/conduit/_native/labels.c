/* Labels for the samples of a stretch of work, as Go's pprof.Do sets them.
 *
 * A context variable holds the innermost label of a context, so labels follow awaits, tasks and copied contexts as all
 * context variables do. Its value is a node (label_nodes.h): what was entered, the node that it was entered in, and the
 * number of the set that both make together (label_sets.c). Samples keep that number only; label_reader.c finds it.
 *
 * If no other variable has been set since, leaving restores the context's variables as they were before entering, which
 * costs half as much as setting one. Up to 3.13, `with` binds __enter__ and __exit__ before it calls them, and making
 * two bound methods costs as much as the rest; a label contains both methods instead. */
#include "python_layout.h"

#include "label_nodes.h"
#include "label_sets.h"

#define REMEMBERED 256 /* labels by the arguments that they were made of */

/* A bound method of a label, stored in the label. While something refers to the method, the method refers to the
 * label. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *label;
} BoundMethod;

typedef struct {
    PyObject_HEAD
    BoundMethod enter, exit;
    PyObject *own;   /* pairs, in the order of their keys */
    LabelNode *last; /* the node made by the last enter, reused inside the same outer label */
    bool is_late;
    uint32_t outer_number, number; /* the last two sets that were merged, while `has_merged` */
    bool has_merged;
    /* While it is entered (only for the first of several entries): the context, its variables before and since, and the
     * node. If the variables have not changed since when it is left, those from before are restored. */
    PyObject *context, *before, *since;
    const LabelNode *entered;
} Label;

static PyTypeObject label_type;
static PyObject *decorate, *trace_hook;

/* ---- nodes ---- */

static void node_dealloc(PyObject *self) {
    LabelNode *node = (LabelNode *)self;
    LabelNode *outer = node->outer;
    node->outer = NULL;
    label_set_disown(node->number);
    for (Py_ssize_t i = 0; node->older != NULL && i < PyList_GET_SIZE(node->older); i++)
        label_set_disown((uint32_t)PyLong_AsUnsignedLong(PyList_GET_ITEM(node->older, i)));
    Py_XDECREF(node->older);
    Py_XDECREF(node->generator);
    Py_XDECREF(node->own);
    Py_TYPE(self)->tp_free(self);
    while (outer != NULL && Py_REFCNT(outer) == 1) { /* not by recursion: the chain may be long */
        LabelNode *next = outer->outer;
        outer->outer = NULL;
        Py_DECREF(outer);
        outer = next;
    }
    Py_XDECREF(outer);
}

static PyObject *node_repr(PyObject *self) {
    PyObject *pairs = label_set_pairs(((LabelNode *)self)->number);
    PyObject *text = pairs == NULL ? NULL : PyUnicode_FromFormat("<labels %R>", pairs);
    Py_XDECREF(pairs);
    return text;
}

PyTypeObject label_node_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.LabelNode",
    .tp_basicsize = sizeof(LabelNode),
    .tp_dealloc = node_dealloc,
    .tp_repr = node_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "A label that has been entered.",
};

/* Make a node, which takes over the caller's reference to the set `number`. */
static LabelNode *make_node(LabelNode *outer, PyObject *own_pairs, const void *owner, uint32_t number) {
    LabelNode *node = PyObject_New(LabelNode, &label_node_type);
    if (node == NULL) {
        label_set_disown(number);
        return NULL;
    }
    node->outer = (LabelNode *)Py_XNewRef((PyObject *)outer);
    node->number = number;
    node->generator = NULL;
    node->context = NULL;
    node->own = Py_NewRef(own_pairs);
    node->owner = owner;
    node->older = NULL;
    return node;
}

static uint32_t number_of(const LabelNode *node) { return node == NULL ? 0 : node->number; }

/* Find the number of the label's set merged into the set `outer`; the caller gets a reference to it. The last result is
 * kept. */
static bool number_inside(Label *label, uint32_t outer, uint32_t *number) {
    if (!label->has_merged || label->outer_number != outer) {
        if (!label_set_merged(outer, label->own, number)) return false;
        if (label->has_merged) {
            label_set_disown(label->outer_number);
            label_set_disown(label->number);
        }
        label->outer_number = outer;
        label->number = *number;
        label->has_merged = true;
        label_set_own(outer);
    } else {
        *number = label->number;
    }
    label_set_own(label->number);
    return true;
}

/* Give a node another number; it keeps its reference to the old one. */
static bool renumber(LabelNode *node, uint32_t number) {
    if (node->older == NULL && (node->older = PyList_New(0)) == NULL) return false;
    PyObject *old = PyLong_FromUnsignedLong(node->number);
    bool kept = old != NULL && PyList_Append(node->older, old) == 0;
    Py_XDECREF(old);
    if (kept) node->number = number;
    return kept;
}

/* ---- labels ---- */

/* The current node, borrowed from its context, or NULL. */
static LabelNode *current_node(void) {
    PyObject *value = NULL;
    if (PyContextVar_Get(label_variable, NULL, &value) < 0) {
        PyErr_Clear();
        return NULL;
    }
    if (value == NULL) return NULL;
    Py_DECREF(value); /* its context has it */
    return Py_IS_TYPE(value, &label_node_type) ? (LabelNode *)value : NULL;
}

/* Whether the node of the last enter can be used again inside `outer`, whose labels may have become known since. */
static bool fits_again(const Label *label, const LabelNode *outer) {
    const LabelNode *last = label->last;
    if (last == NULL || last->outer != outer || label->is_late) return false;
    return label->outer_number == number_of(outer) && label->number == last->number;
}

static LabelNode *node_inside(Label *label, LabelNode *outer, const PyThreadState *thread) {
    PyObject *generator = layout_calling_generator(thread);
    if (LIKELY(generator == NULL && fits_again(label, outer))) return (LabelNode *)Py_NewRef((PyObject *)label->last);
    uint32_t number;
    if (!number_inside(label, number_of(outer), &number)) return NULL;
    LabelNode *node = make_node(outer, label->own, label, number);
    if (node == NULL) return NULL;
    if (generator != NULL) {
        node->generator = PyWeakref_NewRef(generator, NULL);
        node->context = thread->context;
        if (node->generator == NULL) Py_CLEAR(node);
        return node;
    }
    Py_INCREF(node);
    Py_XSETREF(label->last, node);
    return node;
}

/* Make a node the current one, and note how to undo it. */
static bool enter_node(Label *label, LabelNode *node, PyObject *context) {
    bool has_room = label->entered == NULL;
    PyObject *before = has_room ? Py_NewRef(label_variables_of(context)) : NULL;
    if (!label_put(label_variable, (PyObject *)node)) {
        Py_XDECREF(before);
        return false;
    }
    if (!has_room) return true;
    label->context = Py_NewRef(context);
    label->before = before;
    label->since = Py_NewRef(label_variables_of(context));
    label->entered = node; /* the context has it */
    return true;
}

static void forget_entry(Label *label) {
    label->entered = NULL;
    Py_CLEAR(label->before);
    Py_CLEAR(label->since);
    Py_CLEAR(label->context);
}

/* Undo `enter_node` where no variable has been set since. */
static bool leave_as_entered(Label *label, PyObject *context) {
    if (label->entered == NULL || label->context != context) return false;
    if (label_variables_of(context) != label->since) return false;
    PyObject *since = layout_restore_variables(context, label->before, label_variable);
    label->before = NULL;
    Py_DECREF(since);
    forget_entry(label);
    return true;
}

static int tell_trace(PyObject *self, PyObject *own_pairs, bool is_begin) {
    if (LIKELY(trace_hook == NULL)) return 0;
    PyObject *hook = Py_NewRef(trace_hook);
    PyObject *answer = PyObject_CallFunctionObjArgs(hook, self, own_pairs, is_begin ? Py_True : Py_False, NULL);
    Py_DECREF(hook);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

static PyObject *label_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    Label *label = (Label *)self;
    if (UNLIKELY(!label_layout_is_known())) return Py_NewRef(self);
    label_note_use();
    if (label->is_late && label->last != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "these labels have been entered already");
        return NULL;
    }
    PyThreadState *thread = PyThreadState_Get();
    if (UNLIKELY(thread->context == NULL) && !label_put(label_variable, Py_None)) return NULL; /* makes the context */
    LabelNode *outer = (LabelNode *)(uintptr_t)label_node_in(thread->context);
    LabelNode *node = node_inside(label, outer, thread);
    if (node == NULL) return NULL;
    bool entered = enter_node(label, node, thread->context);
    Py_DECREF(node);
    if (!entered || tell_trace(self, label->own, true) < 0) return NULL;
    return Py_NewRef(self);
}

/* The chain of `top` without the innermost node of this owner; a new reference, None for an empty one, or NULL with an
 * error. */
static PyObject *chain_without(LabelNode *top, const void *owner) {
    if (top->owner == owner) return Py_NewRef(top->outer != NULL ? (PyObject *)top->outer : Py_None);
    PyObject *rest = chain_without(top->outer, owner);
    if (rest == NULL) return NULL;
    LabelNode *outer = rest == Py_None ? NULL : (LabelNode *)rest;
    uint32_t number;
    LabelNode *copy = NULL;
    if (label_set_merged(number_of(outer), top->own, &number)) copy = make_node(outer, top->own, top->owner, number);
    if (copy != NULL) {
        copy->generator = Py_XNewRef(top->generator);
        copy->context = top->context;
    }
    Py_DECREF(rest);
    return (PyObject *)copy;
}

static bool is_entered(const LabelNode *top, const void *owner) {
    for (; top != NULL; top = top->outer)
        if (top->owner == owner) return true;
    return false;
}

/* Whether the label's innermost node is not the one in `entered`. */
static bool is_beside(const LabelNode *top, const Label *label) {
    while (top->owner != label) top = top->outer;
    return top != label->entered;
}

/* Leaving in a context in which the label was not entered (a generator that is closed elsewhere) changes nothing
 * there. */
static bool leave(Label *label) {
    PyObject *context = PyThreadState_Get()->context;
    if (LIKELY(leave_as_entered(label, context))) return true;
    LabelNode *top = current_node();
    if (UNLIKELY(!is_entered(top, label))) return true;
    PyObject *rest = chain_without(top, label);
    if (label->context == context && !is_beside(top, label)) forget_entry(label);
    bool left = rest != NULL && label_put(label_variable, rest);
    Py_XDECREF(rest);
    return left;
}

static PyObject *label_exit(PyObject *self, PyObject *const *Py_UNUSED(arguments), Py_ssize_t Py_UNUSED(count)) {
    if (UNLIKELY(!label_layout_is_known())) Py_RETURN_NONE;
    Label *label = (Label *)self;
    if (!leave(label) || tell_trace(self, label->own, false) < 0) return NULL;
    if (label->is_late) Py_CLEAR(label->last);
    Py_RETURN_NONE;
}

/* Add labels that became known after the label was entered: to its node, and to the nodes entered inside it in this
 * context. */
static PyObject *label_assign(PyObject *self, PyObject *pairs) {
    Label *label = (Label *)self;
    if (!PyTuple_Check(pairs) || !label->is_late) {
        PyErr_SetString(PyExc_TypeError, "expected labels that are known late, and a tuple of pairs");
        return NULL;
    }
    if (label->last == NULL) Py_RETURN_NONE;
    PyObject *merged = label_pairs_merged(label->own, pairs);
    if (merged == NULL) return NULL;
    Py_SETREF(label->own, merged);
    Py_SETREF(label->last->own, Py_NewRef(merged));
    LabelNode *chain[64];
    int count = 0;
    LabelNode *top = current_node();
    for (; top != NULL && top != label->last && count < 63; top = top->outer) chain[count++] = top;
    if (top != label->last) count = 0;
    chain[count++] = label->last;
    while (count-- > 0) {
        uint32_t number;
        if (!label_set_merged(number_of(chain[count]->outer), chain[count]->own, &number)) return NULL;
        if (!renumber(chain[count], number)) {
            label_set_disown(number);
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *label_call(PyObject *self, PyObject *arguments, PyObject *keywords) {
    PyObject *function;
    static char *names[] = {"function", NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:label", names, &function)) return NULL;
    if (decorate == NULL) return PyErr_Format(PyExc_RuntimeError, "conduit.record.labels is not loaded");
    return PyObject_CallFunctionObjArgs(decorate, self, function, NULL);
}

static void label_dealloc(PyObject *self) {
    Label *label = (Label *)self;
    if (label->has_merged) {
        label_set_disown(label->outer_number);
        label_set_disown(label->number);
    }
    forget_entry(label);
    Py_XDECREF(label->last);
    Py_XDECREF(label->own);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *label_repr(PyObject *self) { return PyUnicode_FromFormat("<label %R>", ((Label *)self)->own); }

static PyMethodDef label_methods[] = {
    {"__enter__", label_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))label_exit, METH_FASTCALL, NULL},
    {"assign", label_assign, METH_O, "assign(pairs): labels that became known inside, from now on."},
    {NULL, NULL, 0, NULL},
};

/* ---- bound methods ---- */

static PyObject *call_enter(PyObject *self, PyObject *const *Py_UNUSED(arguments), size_t flags, PyObject *names) {
    if (LIKELY(PyVectorcall_NARGS(flags) == 0 && names == NULL)) return label_enter(((BoundMethod *)self)->label, NULL);
    PyErr_SetString(PyExc_TypeError, "__enter__() takes no arguments");
    return NULL;
}

static PyObject *call_exit(PyObject *self, PyObject *const *arguments, size_t flags, PyObject *names) {
    if (LIKELY(names == NULL))
        return label_exit(((BoundMethod *)self)->label, arguments, PyVectorcall_NARGS(flags));
    PyErr_SetString(PyExc_TypeError, "__exit__() takes no keyword arguments");
    return NULL;
}

/* Only the reference to the label is dropped, which may free the label: the method's memory is part of it. */
static void bound_method_dealloc(PyObject *self) { Py_DECREF(((BoundMethod *)self)->label); }

static PyObject *bound_method_repr(PyObject *self) {
    const BoundMethod *method = (const BoundMethod *)self;
    const char *name = method->call == call_enter ? "__enter__" : "__exit__";
    return PyUnicode_FromFormat("<method %s of %R>", name, method->label);
}

static PyTypeObject bound_method_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.LabelMethod",
    .tp_basicsize = sizeof(BoundMethod),
    .tp_dealloc = bound_method_dealloc,
    .tp_repr = bound_method_repr,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(BoundMethod, call),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

static void make_bound_method(BoundMethod *method, PyObject *label, vectorcallfunc call) {
    /* A new object's memory is not cleared, and Py_SET_REFCNT leaves a count that looks like an immortal object's. */
    memset(method, 0, sizeof *method);
    Py_SET_TYPE((PyObject *)method, &bound_method_type);
    method->call = call;
    method->label = label;
}

/* In place of __enter__ or __exit__ in the type of labels. */
typedef struct {
    PyObject_HEAD
    PyObject *method; /* the original, which is returned for the type itself */
    size_t offset;    /* of the bound method in a label */
} Descriptor;

static PyObject *descriptor_get(PyObject *self, PyObject *label, PyObject *type) {
    const Descriptor *descriptor = (const Descriptor *)self;
    if (label == NULL || UNLIKELY(!Py_IS_TYPE(label, &label_type)))
        return Py_TYPE(descriptor->method)->tp_descr_get(descriptor->method, label, type);
    PyObject *method = (PyObject *)((char *)label + descriptor->offset);
    if (LIKELY(Py_REFCNT(method) == 0)) {
        Py_SET_REFCNT(method, 1);
        Py_INCREF(label);
        return method;
    }
    return Py_NewRef(method);
}

static PyTypeObject descriptor_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.LabelMethodDescriptor",
    .tp_basicsize = sizeof(Descriptor),
    .tp_descr_get = descriptor_get,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

static bool bind_early(const char *name, size_t offset) {
    PyObject *method = PyDict_GetItemString(label_type.tp_dict, name);
    Descriptor *descriptor = method == NULL ? NULL : PyObject_New(Descriptor, &descriptor_type);
    if (descriptor == NULL) return false;
    descriptor->method = Py_NewRef(method);
    descriptor->offset = offset;
    bool is_set = PyDict_SetItemString(label_type.tp_dict, name, (PyObject *)descriptor) == 0;
    Py_DECREF(descriptor);
    PyType_Modified(&label_type);
    return is_set;
}

static bool bind_methods(void) {
    if (!PYTHON_BINDS_IN_WITH) return true;
    return PyType_Ready(&bound_method_type) == 0 && PyType_Ready(&descriptor_type) == 0 &&
           bind_early("__enter__", offsetof(Label, enter)) && bind_early("__exit__", offsetof(Label, exit));
}

/* ---- making labels ---- */

static PyObject *make_label(PyObject *pairs, bool is_late) {
    Label *label = PyObject_New(Label, &label_type);
    if (label == NULL) return NULL;
    make_bound_method(&label->enter, (PyObject *)label, call_enter);
    make_bound_method(&label->exit, (PyObject *)label, call_exit);
    label->own = Py_NewRef(pairs);
    label->last = NULL;
    label->is_late = is_late;
    label->has_merged = false;
    label->context = label->before = label->since = NULL;
    label->entered = NULL;
    return (PyObject *)label;
}

static PyObject *check; /* the function of Python that makes pairs of keys and texts */

/* A label by the arguments that it was made of: labels are immutable, and a call mostly repeats the last one's. */
typedef struct {
    PyObject *names, *value, *label;
} Remembered;

static Remembered remembered[REMEMBERED];

static PyObject *new_label(PyObject *const *values, PyObject *names) {
    PyObject *keywords = PyDict_New(), *pairs = NULL, *label = NULL;
    for (Py_ssize_t i = 0; keywords != NULL && names != NULL && i < PyTuple_GET_SIZE(names); i++)
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), values[i]) < 0) Py_CLEAR(keywords);
    if (keywords != NULL) pairs = PyObject_CallFunctionObjArgs(check, keywords, NULL);
    if (pairs != NULL) label = make_label(pairs, false);
    Py_XDECREF(pairs);
    Py_XDECREF(keywords);
    return label;
}

static PyObject *label_vectorcall(PyObject *Py_UNUSED(type), PyObject *const *arguments, size_t flags,
                                  PyObject *names) {
    if (PyVectorcall_NARGS(flags) != 0) {
        PyErr_SetString(PyExc_TypeError, "labels are keywords: conduit.label(tenant=\"a\")");
        return NULL;
    }
    if (check == NULL) return PyErr_Format(PyExc_RuntimeError, "conduit.record.labels is not loaded");
    if (names == NULL || PyTuple_GET_SIZE(names) != 1 || !PyUnicode_CheckExact(arguments[0]))
        return new_label(arguments, names);
    uintptr_t mixed = ((uintptr_t)names >> 4) * 31 + ((uintptr_t)arguments[0] >> 4);
    Remembered *slot = &remembered[(mixed ^ mixed >> 8) % REMEMBERED];
    if (slot->names == names && slot->value == arguments[0]) return Py_NewRef(slot->label);
    PyObject *label = new_label(arguments, names);
    if (label == NULL) return NULL;
    Remembered before = *slot;
    *slot = (Remembered){Py_NewRef(names), Py_NewRef(arguments[0]), Py_NewRef(label)};
    Py_XDECREF(before.names);
    Py_XDECREF(before.value);
    Py_XDECREF(before.label);
    return label;
}

static PyTypeObject label_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit.label",
    .tp_basicsize = sizeof(Label),
    .tp_dealloc = label_dealloc,
    .tp_repr = label_repr,
    .tp_call = label_call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = label_methods,
    .tp_vectorcall = label_vectorcall,
    .tp_doc = PyDoc_STR("label(**labels)\n--\n\nLabel every sample that is taken inside, as a context manager or a "
                        "decorator.\n\nKeys are keywords; values are texts, others are taken as str() gives them. "
                        "Labels follow awaits, and tasks that are started inside; see conduit.carry_labels for "
                        "threads. Nested labels add up, and the inner one wins. In a generator, they hold while it "
                        "runs, and not for its caller between two values."),
};

/* ---- from Python ---- */

static PyObject *labels_install(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *new_check, *new_decorate;
    if (!PyArg_ParseTuple(arguments, "OO", &new_check, &new_decorate)) return NULL;
    Py_XSETREF(check, new_check == Py_None ? NULL : Py_NewRef(new_check));
    Py_XSETREF(decorate, new_decorate == Py_None ? NULL : Py_NewRef(new_decorate));
    Py_RETURN_NONE;
}

static PyObject *labels_trace(PyObject *Py_UNUSED(module), PyObject *hook) {
    Py_XSETREF(trace_hook, hook == Py_None ? NULL : Py_NewRef(hook));
    Py_RETURN_NONE;
}

static PyObject *labels_late(PyObject *Py_UNUSED(module), PyObject *pairs) {
    if (PyTuple_Check(pairs)) return make_label(pairs, true);
    PyErr_SetString(PyExc_TypeError, "expected a tuple of pairs");
    return NULL;
}

static PyObject *labels_refused(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(label_layout_is_refused());
}

static PyObject *labels_current(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    if (!label_was_used()) return PyTuple_New(0);
    return label_set_pairs(label_number_in(PyThreadState_Get()->context));
}

/* If the context is not entered now, its task is suspended, together with all generators that it is in. Labels entered
 * in a generator then apply only if it is an asynchronous generator that is awaiting. */
static PyObject *labels_of_context(PyObject *Py_UNUSED(module), PyObject *context) {
    if (!label_was_used() || !PyContext_CheckExact(context)) return PyTuple_New(0);
    if (layout_context_is_entered(context)) return label_set_pairs(label_number_in(context));
    const LabelNode *node = label_node_in(context);
    for (; node != NULL && node->generator != NULL; node = node->outer) {
        if (node->context != context) break; /* inherited, as in label_reader.c */
        PyObject *generator = PyObject_CallNoArgs(node->generator);
        PyObject *running = generator == NULL ? NULL : PyObject_GetAttrString(generator, "ag_running");
        bool holds = running == Py_True;
        Py_XDECREF(generator);
        Py_XDECREF(running);
        PyErr_Clear();
        if (holds) break;
    }
    return label_set_pairs(number_of(node));
}

/* (frames(), labels by thread ident): both from the same moment, because the GIL is not released between them. */
static PyObject *labels_beside(PyObject *Py_UNUSED(module), PyObject *frames) {
    PyObject *found = PyObject_CallNoArgs(frames), *labels = PyDict_New();
    if (!label_was_used() || found == NULL || labels == NULL) goto done;
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL && labels != NULL; thread = PyThreadState_Next(thread)) {
        uint32_t number = label_number_in(thread->context);
        if (number == 0) continue;
        PyObject *ident = PyLong_FromUnsignedLong(thread->thread_id), *pairs = label_set_pairs(number);
        if (ident == NULL || pairs == NULL || PyDict_SetItem(labels, ident, pairs) < 0) Py_CLEAR(labels);
        Py_XDECREF(ident);
        Py_XDECREF(pairs);
    }
done:
    if (found == NULL || labels == NULL) {
        Py_XDECREF(found);
        Py_XDECREF(labels);
        return NULL;
    }
    return Py_BuildValue("(NN)", found, labels);
}

/* How many sets there are, for tests. */
static PyObject *labels_count(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromSsize_t(label_set_count());
}

PyMethodDef label_functions[] = {
    {"labels_install", labels_install, METH_VARARGS,
     "labels_install(check, decorate): the functions in Python, or None for both."},
    {"labels_trace", labels_trace, METH_O, "labels_trace(hook or None): called as labels are entered and left."},
    {"labels_late", labels_late, METH_O, "labels_late(pairs): a label, entered once, to which others are assigned."},
    {"labels_refused", labels_refused, METH_NOARGS, "Whether labels were entered that this interpreter does not show."},
    {"labels_current", labels_current, METH_NOARGS, "The labels of this moment, as ((key, text), …)."},
    {"labels_of_context", labels_of_context, METH_O, "The labels of a context."},
    {"labels_beside", labels_beside, METH_O, "labels_beside(frames): (frames(), {thread ident: labels})."},
    {"labels_count", labels_count, METH_NOARGS, "How many sets of labels are kept."},
    {NULL, NULL, 0, NULL},
};

int add_labels(PyObject *module) {
    bool made = label_sets_begin() == 0 && PyType_Ready(&label_node_type) == 0 && PyType_Ready(&label_type) == 0 &&
                bind_methods() && PyModule_AddObjectRef(module, "label", (PyObject *)&label_type) == 0;
    return made ? 0 : -1;
}
