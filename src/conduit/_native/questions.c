/* Registry queries: one to four dict lookups when the answer is cached.
 *
 * `Tables` holds the cached answers of a loaded document; `Questions` points at one document and queries it. Both
 * behave as the Python classes of the same names in conduit.metadata.tables and conduit.metadata.questions, which
 * replace them where this extension is not loaded; tests compare the two.
 *
 * A cached answer is found, given a reference and returned, without a lock or an allocation. If no table has the
 * answer, the document's `compute_…` method is called, which computes and caches it. Comparing keys may run Python code
 * (a str with its own __eq__), and that code may replace the document, so everything being searched is owned during the
 * search. */
#include "native.h"

#include <stdbool.h>
#include <stddef.h>
#include <structmember.h>

enum {
    SCHEMA, RESOURCES, BY_NAME,
    BY_PATH_METHOD, BY_RESOURCE_METHOD, BY_RESOURCE_PATH, BY_RESOURCE_PATH_METHOD,
    PATTERNS, PATTERN_BY_NAME, CONVENTIONS,
    RELATIONSHIPS_TO, FIELDS_BY_TYPE, MATCHING, IMPACTS,
    FORWARD, BACKWARD, FORWARD_OF_TYPES, BACKWARD_OF_TYPES,
    TABLE_COUNT
};

typedef struct {
    PyObject_HEAD
    PyObject *tables[TABLE_COUNT];
} Tables;

typedef struct {
    PyObject_HEAD
    Tables *document;
} Questions;

/* ---- arguments: by position or by name, as a Python function takes them ---- */

#define MAX_PARAMETERS 4

typedef struct {
    const char *question;
    int required, count;
    const char *names[MAX_PARAMETERS];
    PyObject *interned[MAX_PARAMETERS];
} Signature;

static int position_of(const Signature *signature, PyObject *name) {
    for (int i = 0; i < signature->count; i++)
        if (signature->interned[i] == name) return i;
    for (int i = 0; i < signature->count; i++)
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0) return i;
    return -1;
}

static bool bind_named(const Signature *signature, PyObject *const *values, PyObject *names, PyObject **bound) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int position = position_of(signature, name);
        if (position < 0) {
            PyErr_Format(PyExc_TypeError, "Registry.%s() got an unexpected keyword argument '%U'", signature->question,
                         name);
            return false;
        }
        if (bound[position] != NULL) {
            PyErr_Format(PyExc_TypeError, "Registry.%s() got multiple values for argument '%U'", signature->question,
                         name);
            return false;
        }
        bound[position] = values[i];
    }
    return true;
}

/* Fill `bound`, with NULL for an argument that is not given; false, with a TypeError, for a wrong call. */
static inline bool bind(const Signature *signature, PyObject *const *values, Py_ssize_t count, PyObject *names,
                        PyObject **bound) {
    if (UNLIKELY(count > signature->count)) {
        PyErr_Format(PyExc_TypeError, "Registry.%s() takes at most %d arguments (%zd given)", signature->question,
                     signature->count, count);
        return false;
    }
    for (Py_ssize_t i = 0; i < signature->count; i++) bound[i] = i < count ? values[i] : NULL;
    if (names != NULL && !bind_named(signature, values + count, names, bound)) return false;
    for (int i = 0; i < signature->required; i++)
        if (UNLIKELY(bound[i] == NULL)) {
            PyErr_Format(PyExc_TypeError, "Registry.%s() missing 1 required positional argument: '%s'",
                         signature->question, signature->names[i]);
            return false;
        }
    return true;
}

/* ---- looking up ---- */

/* A new reference to the value. NULL: it is not in the table, or, with an exception set, the lookup failed. */
static inline PyObject *look_up(PyObject *table, PyObject *key) {
    if (UNLIKELY(table == NULL || !PyDict_Check(table))) return NULL;
    Py_INCREF(table);
    PyObject *value = PyDict_GetItemWithError(table, key);
    Py_XINCREF(value);
    Py_DECREF(table);
    return value;
}

static inline PyObject *look_up_again(PyObject *found, PyObject *key) {
    if (found == NULL) return NULL;
    PyObject *value = look_up(found, key);
    Py_DECREF(found);
    return value;
}

/* The document for the whole of this question; a new reference. */
static inline Tables *current_document(Questions *self) {
    if (UNLIKELY(self->document == NULL)) {
        PyErr_SetString(PyExc_AttributeError, "document");
        return NULL;
    }
    Py_INCREF(self->document);
    return self->document;
}

static inline bool is_missing(const PyObject *answer) { return UNLIKELY(answer == NULL) && !PyErr_Occurred(); }

static PyObject *empty_text, *zero; /* the keys for an argument that is not given */

static inline bool is_given(PyObject *argument) {
    return argument != NULL && argument != Py_None && argument != empty_text &&
           !(PyUnicode_Check(argument) && PyUnicode_GET_LENGTH(argument) == 0);
}

/* ---- questions with one argument ---- */

static PyObject *ask_of(Questions *self, int table, PyObject *key, PyObject *compute) {
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *answer = look_up(document->tables[table], key);
    if (is_missing(answer)) answer = PyObject_CallMethodOneArg((PyObject *)document, compute, key);
    Py_DECREF(document);
    return answer;
}

#define QUESTION_OF_ONE(question, table, needs, parameter)                                                            \
    static Signature question##_signature = {#question, needs, 1, {parameter}, {NULL}};                               \
    static PyObject *compute_##question;                                                                             \
    static PyObject *question(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {          \
        PyObject *key;                                                                                                \
        if (!bind(&question##_signature, values, count, names, &key)) return NULL;                                    \
        return ask_of(self, table, key == NULL ? Py_None : key, compute_##question);                                 \
    }

QUESTION_OF_ONE(patterns, PATTERNS, 0, "category")
QUESTION_OF_ONE(pattern, PATTERN_BY_NAME, 1, "name")
QUESTION_OF_ONE(conventions, CONVENTIONS, 0, "options")
QUESTION_OF_ONE(relationships_to, RELATIONSHIPS_TO, 1, "name")
QUESTION_OF_ONE(resources_matching, MATCHING, 1, "pattern")
QUESTION_OF_ONE(fields_by_type, FIELDS_BY_TYPE, 1, "type")
QUESTION_OF_ONE(impact, IMPACTS, 1, "name")

static Signature resource_signature = {"resource", 1, 1, {"name"}, {NULL}};
static Signature get_signature = {"get", 1, 1, {"name"}, {NULL}};
static PyObject *not_found, *resource_kind;

static void raise_not_found(Tables *document, PyObject *name) {
    PyObject *arguments[] = {(PyObject *)document, resource_kind, name};
    PyObject *error = PyObject_VectorcallMethod(not_found, arguments, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (error == NULL) return;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

static PyObject *resource(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *name;
    if (!bind(&resource_signature, values, count, names, &name)) return NULL;
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *answer = look_up(document->tables[BY_NAME], name);
    if (is_missing(answer)) raise_not_found(document, name);
    Py_DECREF(document);
    return answer;
}

static PyObject *get(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *name;
    if (!bind(&get_signature, values, count, names, &name)) return NULL;
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *answer = look_up(document->tables[BY_NAME], name);
    if (is_missing(answer)) answer = Py_NewRef(Py_None);
    Py_DECREF(document);
    return answer;
}

/* ---- questions without an argument ---- */

static PyObject *whole(Questions *self, int table) {
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *answer = Py_XNewRef(document->tables[table]);
    Py_DECREF(document);
    if (answer == NULL) PyErr_SetString(PyExc_AttributeError, "the document was not made whole");
    return answer;
}

static PyObject *schema(Questions *self, PyObject *Py_UNUSED(ignored)) { return whole(self, SCHEMA); }
static PyObject *resources(Questions *self, PyObject *Py_UNUSED(ignored)) { return whole(self, RESOURCES); }

/* ---- routes and dependencies ---- */

static Signature routes_signature = {"routes", 0, 3, {"method", "path", "resource"}, {NULL}};
static Signature dependencies_signature = {"dependencies", 1, 4, {"name", "depth", "reverse", "types"}, {NULL}};
static PyObject *compute_routes, *compute_dependencies;

static PyObject *look_up_routes(const Tables *document, PyObject *method, PyObject *path, PyObject *resource) {
    if (resource == Py_None) return look_up_again(look_up(document->tables[BY_PATH_METHOD], path), method);
    if (!is_given(path)) return look_up_again(look_up(document->tables[BY_RESOURCE_METHOD], resource), method);
    if (!is_given(method)) return look_up_again(look_up(document->tables[BY_RESOURCE_PATH], resource), path);
    return look_up_again(look_up_again(look_up(document->tables[BY_RESOURCE_PATH_METHOD], resource), path), method);
}

static PyObject *routes(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *given[3];
    if (!bind(&routes_signature, values, count, names, given)) return NULL;
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *method = given[0] == NULL ? empty_text : given[0], *path = given[1] == NULL ? empty_text : given[1];
    PyObject *resource = given[2] == NULL ? Py_None : given[2];
    PyObject *answer = look_up_routes(document, method, path, resource);
    if (is_missing(answer)) {
        PyObject *arguments[] = {(PyObject *)document, method, path, resource};
        answer = PyObject_VectorcallMethod(compute_routes, arguments, 4 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_DECREF(document);
    return answer;
}

static PyObject *look_up_dependencies(const Tables *document, PyObject *name, PyObject *depth, bool reverse,
                                      PyObject *types) {
    PyObject *of_name;
    if (types == Py_None)
        of_name = look_up(document->tables[reverse ? BACKWARD : FORWARD], name);
    else
        of_name = look_up_again(look_up(document->tables[reverse ? BACKWARD_OF_TYPES : FORWARD_OF_TYPES], types), name);
    return look_up_again(of_name, depth);
}

static PyObject *dependencies(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *given[4];
    if (!bind(&dependencies_signature, values, count, names, given)) return NULL;
    PyObject *depth = given[1] == NULL ? zero : given[1], *types = given[3] == NULL ? Py_None : given[3];
    int reverse = given[2] == NULL ? false : PyObject_IsTrue(given[2]);
    if (reverse < 0) return NULL;
    Tables *document = current_document(self);
    if (document == NULL) return NULL;
    PyObject *answer = look_up_dependencies(document, given[0], depth, reverse, types);
    if (UNLIKELY(answer == NULL) && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear(); /* a list is no key */
    if (is_missing(answer)) {
        PyObject *arguments[] = {(PyObject *)document, given[0], depth, reverse ? Py_True : Py_False, types};
        answer = PyObject_VectorcallMethod(compute_dependencies, arguments, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_DECREF(document);
    return answer;
}

/* ---- the types ---- */

static int tables_traverse(Tables *self, visitproc visit, void *arg) {
    for (int i = 0; i < TABLE_COUNT; i++) Py_VISIT(self->tables[i]);
    return 0;
}

static int tables_clear(Tables *self) {
    for (int i = 0; i < TABLE_COUNT; i++) Py_CLEAR(self->tables[i]);
    return 0;
}

static void tables_dealloc(Tables *self) {
    PyObject_GC_UnTrack(self);
    tables_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

#define TABLE(name, index) {name, T_OBJECT_EX, offsetof(Tables, tables) + sizeof(PyObject *) * (index), 0, NULL}

static PyMemberDef table_members[] = {
    TABLE("schema", SCHEMA),
    TABLE("resources", RESOURCES),
    TABLE("by_name", BY_NAME),
    TABLE("_by_path_method", BY_PATH_METHOD),
    TABLE("_by_resource_method", BY_RESOURCE_METHOD),
    TABLE("_by_resource_path", BY_RESOURCE_PATH),
    TABLE("_by_resource_path_method", BY_RESOURCE_PATH_METHOD),
    TABLE("_patterns", PATTERNS),
    TABLE("_pattern_by_name", PATTERN_BY_NAME),
    TABLE("_conventions", CONVENTIONS),
    TABLE("_relationships_to", RELATIONSHIPS_TO),
    TABLE("_fields_by_type", FIELDS_BY_TYPE),
    TABLE("_matching", MATCHING),
    TABLE("_impacts", IMPACTS),
    TABLE("_forward", FORWARD),
    TABLE("_backward", BACKWARD),
    TABLE("_forward_of_types", FORWARD_OF_TYPES),
    TABLE("_backward_of_types", BACKWARD_OF_TYPES),
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject tables_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.Tables",
    .tp_doc = "The cached answers of a loaded document.",
    .tp_basicsize = sizeof(Tables),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)tables_traverse,
    .tp_clear = (inquiry)tables_clear,
    .tp_dealloc = (destructor)tables_dealloc,
    .tp_members = table_members,
};

static PyObject *point_at(Questions *self, PyObject *document) {
    if (!PyObject_TypeCheck(document, &tables_type))
        return PyErr_Format(PyExc_TypeError, "expected a document, got %.100s", Py_TYPE(document)->tp_name);
    Tables *before = self->document;
    self->document = (Tables *)Py_NewRef(document);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static int questions_traverse(Questions *self, visitproc visit, void *arg) {
    Py_VISIT(self->document);
    return 0;
}

static int questions_clear(Questions *self) {
    Py_CLEAR(self->document);
    return 0;
}

static void questions_dealloc(Questions *self) {
    PyObject_GC_UnTrack(self);
    questions_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef questions_members[] = {
    {"document", T_OBJECT_EX, offsetof(Questions, document), READONLY,
     "The current document. In a loop, read it once and use `document.by_name[name]` and `document.schema`."},
    {NULL, 0, 0, 0, NULL},
};

#define FAST(name, parameters, doc) \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, #name parameters "\n--\n\n" doc}

static PyMethodDef questions_methods[] = {
    {"_point_at", (PyCFunction)point_at, METH_O, "_point_at($self, document, /)\n--\n\nSwitch to another document."},
    {"schema", (PyCFunction)schema, METH_NOARGS, "schema($self)\n--\n\nReturn the whole document."},
    {"resources", (PyCFunction)resources, METH_NOARGS,
     "resources($self)\n--\n\nReturn all resources in document order, including those with repeated names."},
    FAST(resource, "($self, name)",
         "Return the resource with this exact name, the last one if it is repeated; raise `NotFoundError` if none."),
    FAST(get, "($self, name)",
         "Return the resource with this exact name, or None; ten times cheaper than `resource` when it is missing."),
    FAST(routes, "($self, method='', path='', resource=None)",
         "Return the routes that match every given filter, in document order; `\"\"` and None mean no filter.\n\n"
         "`method` is compared case-insensitively, `path` and `resource` exactly."),
    FAST(patterns, "($self, category=None)",
         "Return the patterns written in the document, all or of one exact category; see also `conventions`."),
    FAST(pattern, "($self, name)",
         "Return the pattern with this exact name, the last one if it is repeated; raise `NotFoundError` if none."),
    FAST(conventions, "($self, options=None)",
         "Return the conventions found in the application, each with its outliers.\n\n"
         "They are those of middleware, validations, hooks and fields."),
    FAST(relationships_to, "($self, name)",
         "Return every relationship whose target is `name`, in document order; empty if there are none."),
    FAST(resources_matching, "($self, pattern)",
         "Return the resources whose name equals `pattern` or matches it as a glob, in document order.\n\n"
         "`*` matches any text, including none; `?` one character; `[abc]`, `[a-z]` and `[!a]` one character of "
         "a set. The\n"
         "match is case-sensitive and covers the whole name."),
    FAST(fields_by_type, "($self, type)",
         "Return the fields whose type starts with `type` (`string` finds `string!`), in document order."),
    FAST(dependencies, "($self, name, depth=0, reverse=False, types=None)",
         "Return the dependencies of a resource, or with `reverse` its dependents, breadth first.\n\n"
         "`depth` 1 gives its own edges and their ends, `d` the edges of all nodes nearer than `d`, 0 everything\n"
         "reachable. Edges keep their direction in reverse. `types` selects relationship types, `uses` "
         "(middleware) and\n"
         "`calls` (functions); pass a tuple for the fastest lookup. Raises `NotFoundError` for an unknown resource,\n"
         "`ValueError` for a negative depth or a type that neither the format nor the document has."),
    FAST(impact, "($self, name)",
         "Return what deleting a row of the resource affects, transitively; each effect has its chain."),
    {NULL, NULL, 0, NULL},
};

static PyTypeObject questions_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.Questions",
    .tp_doc = "Query methods over the current document.",
    .tp_basicsize = sizeof(Questions),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)questions_traverse,
    .tp_clear = (inquiry)questions_clear,
    .tp_dealloc = (destructor)questions_dealloc,
    .tp_members = questions_members,
    .tp_methods = questions_methods,
};

static const struct { PyObject **text; const char *is; } TEXTS[] = {
    {&empty_text, ""},
    {&resource_kind, "resource"},
    {&not_found, "not_found"},
    {&compute_routes, "compute_routes"},
    {&compute_dependencies, "compute_dependencies"},
    {&compute_patterns, "compute_patterns"},
    {&compute_pattern, "compute_pattern"},
    {&compute_conventions, "compute_conventions"},
    {&compute_relationships_to, "compute_relationships_to"},
    {&compute_resources_matching, "compute_matching"},
    {&compute_fields_by_type, "compute_fields_by_type"},
    {&compute_impact, "compute_impact"},
};

static Signature *const SIGNATURES[] = {
    &resource_signature, &get_signature, &routes_signature, &dependencies_signature, &patterns_signature,
    &pattern_signature, &conventions_signature, &relationships_to_signature, &resources_matching_signature,
    &fields_by_type_signature, &impact_signature,
};

static int intern_texts(void) {
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        if ((*TEXTS[i].text = PyUnicode_InternFromString(TEXTS[i].is)) == NULL) return -1;
    for (size_t i = 0; i < sizeof SIGNATURES / sizeof SIGNATURES[0]; i++)
        for (int at = 0; at < SIGNATURES[i]->count; at++)
            if ((SIGNATURES[i]->interned[at] = PyUnicode_InternFromString(SIGNATURES[i]->names[at])) == NULL) return -1;
    return (zero = PyLong_FromLong(0)) == NULL ? -1 : 0;
}

int add_questions(PyObject *module) {
    if (intern_texts() < 0 || PyModule_AddType(module, &tables_type) < 0) return -1;
    return PyModule_AddType(module, &questions_type);
}
