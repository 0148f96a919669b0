/* The questions to a loaded registry whose answers are kept: one to four dict lookups each.
 *
 * `Tables` is where a snapshot keeps its answers; `Questions` points at one and asks it. Both say what the Python classes
 * of the same names in conduit.metadata.questions say, which stand in where this extension is not; tests hold the two
 * against each other.
 *
 * Law: a kept answer is found, given a reference and returned: no lock, no allocation. What is not in a table is asked of
 * the snapshot's own method (`find_…`), which computes it and keeps it. Comparing keys may run the program (a str with an
 * __eq__ of its own), and the program may replace the document, so whatever is being looked into is owned meanwhile. */
#include "native.h"

#include <stdbool.h>
#include <stddef.h>
#include <structmember.h>

enum {
    SCHEMA, RESOURCES, BY_NAME,
    ROUTES_AT, ROUTES_OF, ROUTES_OF_AT, ROUTES_LIKE,
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
    Tables *snapshot;
} Questions;

/* ---- arguments: by position or by name, as a Python function takes them ---- */

#define MOST_PARAMETERS 4

typedef struct {
    const char *question;
    int required, count;
    const char *names[MOST_PARAMETERS];
    PyObject *interned[MOST_PARAMETERS];
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
            PyErr_Format(PyExc_TypeError, "Registry.%s() got an unexpected keyword argument '%U'", signature->question, name);
            return false;
        }
        if (bound[position] != NULL) {
            PyErr_Format(PyExc_TypeError, "Registry.%s() got multiple values for argument '%U'", signature->question, name);
            return false;
        }
        bound[position] = values[i];
    }
    return true;
}

/* Fills `bound`, NULL where an argument is not given; false with a TypeError for a wrong call. */
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
            PyErr_Format(PyExc_TypeError, "Registry.%s() missing 1 required positional argument: '%s'", signature->question,
                         signature->names[i]);
            return false;
        }
    return true;
}

/* ---- looking up ---- */

/* The value as a reference of the caller's. NULL: not there, or an error, which is then set. */
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

/* The snapshot that answers this question from first to last, owned. */
static inline Tables *current_snapshot(Questions *self) {
    if (UNLIKELY(self->snapshot == NULL)) {
        PyErr_SetString(PyExc_AttributeError, "snapshot");
        return NULL;
    }
    Py_INCREF(self->snapshot);
    return self->snapshot;
}

static inline bool is_missing(const PyObject *answer) { return UNLIKELY(answer == NULL) && !PyErr_Occurred(); }

static PyObject *empty_text, *zero; /* what a table has for an argument that is not given */

static inline bool is_given(PyObject *argument) {
    return argument != NULL && argument != Py_None && argument != empty_text &&
           !(PyUnicode_Check(argument) && PyUnicode_GET_LENGTH(argument) == 0);
}

/* ---- questions of one word ---- */

static PyObject *ask_of(Questions *self, int table, PyObject *key, PyObject *slow_way) {
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *answer = look_up(snapshot->tables[table], key);
    if (is_missing(answer)) answer = PyObject_CallMethodOneArg((PyObject *)snapshot, slow_way, key);
    Py_DECREF(snapshot);
    return answer;
}

#define QUESTION_OF_ONE(question, table, needs, parameter)                                                            \
    static Signature question##_signature = {#question, needs, 1, {parameter}, {NULL}};                               \
    static PyObject *question##_slow_way;                                                                             \
    static PyObject *question(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {          \
        PyObject *key;                                                                                                \
        if (!bind(&question##_signature, values, count, names, &key)) return NULL;                                    \
        return ask_of(self, table, key == NULL ? Py_None : key, question##_slow_way);                                 \
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

static void raise_not_found(Tables *snapshot, PyObject *name) {
    PyObject *arguments[] = {(PyObject *)snapshot, resource_kind, name};
    PyObject *error = PyObject_VectorcallMethod(not_found, arguments, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (error == NULL) return;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

static PyObject *resource(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *name;
    if (!bind(&resource_signature, values, count, names, &name)) return NULL;
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *answer = look_up(snapshot->tables[BY_NAME], name);
    if (is_missing(answer)) raise_not_found(snapshot, name);
    Py_DECREF(snapshot);
    return answer;
}

static PyObject *get(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *name;
    if (!bind(&get_signature, values, count, names, &name)) return NULL;
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *answer = look_up(snapshot->tables[BY_NAME], name);
    if (is_missing(answer)) answer = Py_NewRef(Py_None);
    Py_DECREF(snapshot);
    return answer;
}

/* ---- questions of none ---- */

static PyObject *whole(Questions *self, int table) {
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *answer = Py_XNewRef(snapshot->tables[table]);
    Py_DECREF(snapshot);
    if (answer == NULL) PyErr_SetString(PyExc_AttributeError, "the snapshot was not made whole");
    return answer;
}

static PyObject *schema(Questions *self, PyObject *Py_UNUSED(ignored)) { return whole(self, SCHEMA); }
static PyObject *resources(Questions *self, PyObject *Py_UNUSED(ignored)) { return whole(self, RESOURCES); }

/* ---- routes and dependencies ---- */

static Signature routes_signature = {"routes", 0, 3, {"method", "path", "resource"}, {NULL}};
static Signature dependencies_signature = {"dependencies", 1, 4, {"name", "depth", "reverse", "types"}, {NULL}};
static PyObject *find_routes, *find_dependencies;

static PyObject *look_up_routes(const Tables *snapshot, PyObject *method, PyObject *path, PyObject *resource) {
    if (resource == Py_None) return look_up_again(look_up(snapshot->tables[ROUTES_AT], path), method);
    if (!is_given(path)) return look_up_again(look_up(snapshot->tables[ROUTES_OF], resource), method);
    if (!is_given(method)) return look_up_again(look_up(snapshot->tables[ROUTES_OF_AT], resource), path);
    return look_up_again(look_up_again(look_up(snapshot->tables[ROUTES_LIKE], resource), path), method);
}

static PyObject *routes(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *given[3];
    if (!bind(&routes_signature, values, count, names, given)) return NULL;
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *method = given[0] == NULL ? empty_text : given[0], *path = given[1] == NULL ? empty_text : given[1];
    PyObject *resource = given[2] == NULL ? Py_None : given[2];
    PyObject *answer = look_up_routes(snapshot, method, path, resource);
    if (is_missing(answer)) {
        PyObject *arguments[] = {(PyObject *)snapshot, method, path, resource};
        answer = PyObject_VectorcallMethod(find_routes, arguments, 4 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_DECREF(snapshot);
    return answer;
}

static PyObject *look_up_dependencies(const Tables *snapshot, PyObject *name, PyObject *depth, bool reverse,
                                      PyObject *types) {
    PyObject *of_name;
    if (types == Py_None)
        of_name = look_up(snapshot->tables[reverse ? BACKWARD : FORWARD], name);
    else
        of_name = look_up_again(look_up(snapshot->tables[reverse ? BACKWARD_OF_TYPES : FORWARD_OF_TYPES], types), name);
    return look_up_again(of_name, depth);
}

static PyObject *dependencies(Questions *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
    PyObject *given[4];
    if (!bind(&dependencies_signature, values, count, names, given)) return NULL;
    PyObject *depth = given[1] == NULL ? zero : given[1], *types = given[3] == NULL ? Py_None : given[3];
    int reverse = given[2] == NULL ? false : PyObject_IsTrue(given[2]);
    if (reverse < 0) return NULL;
    Tables *snapshot = current_snapshot(self);
    if (snapshot == NULL) return NULL;
    PyObject *answer = look_up_dependencies(snapshot, given[0], depth, reverse, types);
    if (UNLIKELY(answer == NULL) && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear(); /* a list is no key */
    if (is_missing(answer)) {
        PyObject *arguments[] = {(PyObject *)snapshot, given[0], depth, reverse ? Py_True : Py_False, types};
        answer = PyObject_VectorcallMethod(find_dependencies, arguments, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_DECREF(snapshot);
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
    TABLE("_routes_at", ROUTES_AT),
    TABLE("_routes_of", ROUTES_OF),
    TABLE("_routes_of_at", ROUTES_OF_AT),
    TABLE("_routes_like", ROUTES_LIKE),
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
    .tp_doc = "Where a snapshot keeps its answers.",
    .tp_basicsize = sizeof(Tables),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)tables_traverse,
    .tp_clear = (inquiry)tables_clear,
    .tp_dealloc = (destructor)tables_dealloc,
    .tp_members = table_members,
};

static PyObject *point_at(Questions *self, PyObject *snapshot) {
    if (!PyObject_TypeCheck(snapshot, &tables_type))
        return PyErr_Format(PyExc_TypeError, "expected a snapshot, got %.100s", Py_TYPE(snapshot)->tp_name);
    Tables *before = self->snapshot;
    self->snapshot = (Tables *)Py_NewRef(snapshot);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static int questions_traverse(Questions *self, visitproc visit, void *arg) {
    Py_VISIT(self->snapshot);
    return 0;
}

static int questions_clear(Questions *self) {
    Py_CLEAR(self->snapshot);
    return 0;
}

static void questions_dealloc(Questions *self) {
    PyObject_GC_UnTrack(self);
    questions_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef questions_members[] = {
    {"snapshot", T_OBJECT_EX, offsetof(Questions, snapshot), READONLY,
     "What answers now. Whoever loops takes it once and reads `snapshot.by_name[name]` and `snapshot.schema`."},
    {NULL, 0, 0, 0, NULL},
};

#define FAST(name, parameters, doc) \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, #name parameters "\n--\n\n" doc}

static PyMethodDef questions_methods[] = {
    {"_point_at", (PyCFunction)point_at, METH_O, "_point_at($self, snapshot, /)\n--\n\nAnswers from another snapshot from now on."},
    {"schema", (PyCFunction)schema, METH_NOARGS, "schema($self)\n--\n\nThe whole document."},
    {"resources", (PyCFunction)resources, METH_NOARGS,
     "resources($self)\n--\n\nAll resources in document order, also those whose name is repeated."},
    FAST(resource, "($self, name)",
         "The resource of exactly this name, the last one where it is repeated; `NotFoundError` with near names."),
    FAST(get, "($self, name)",
         "The resource of exactly this name, or None: ten times cheaper than an error where misses are common."),
    FAST(routes, "($self, method='', path='', resource=None)",
         "The routes that meet all that is given, in document order; neither `\"\"` nor None is given.\n\n"
         "`method` is compared without case, `path` and `resource` exactly."),
    FAST(patterns, "($self, category=None)",
         "The document's own patterns of exactly this category, or all of them; what `conventions` finds is apart."),
    FAST(pattern, "($self, name)",
         "The document's pattern of exactly this name, the last one where it is repeated; `NotFoundError` if none."),
    FAST(conventions, "($self, options=None)",
         "What the application does again and again: middleware, validation, hook and field conventions with outliers."),
    FAST(relationships_to, "($self, name)",
         "Every relationship whose target is `name`, in document order; none for a name that nobody points at."),
    FAST(resources_matching, "($self, pattern)",
         "The resources whose name is `pattern` or matches it as a glob, in document order.\n\n"
         "`*` is any text, also none; `?` is one character; `[abc]`, `[a-z]` and `[!a]` are one character of a set. Case\n"
         "matters, and the whole name has to match."),
    FAST(fields_by_type, "($self, type)",
         "The fields whose type begins with `type` (`string` finds `string!`), with their resources, in document order."),
    FAST(dependencies, "($self, name, depth=0, reverse=False, types=None)",
         "What a resource depends on, or with `reverse` what depends on it, breadth first.\n\n"
         "`depth` 1 gives its own edges and their ends, `d` the edges of everything nearer than `d`, 0 all that can be\n"
         "reached. Edges keep their own direction also in reverse. `types` keeps to relationship types, `uses`\n"
         "(middleware) and `calls` (functions); a tuple is found fastest. Raises `NotFoundError` for an unknown resource,\n"
         "`ValueError` for a negative depth or a type that neither the format nor the document knows."),
    FAST(impact, "($self, name)",
         "What breaks when a row of the resource is deleted, transitively, each effect with its chain."),
    {NULL, NULL, 0, NULL},
};

static PyTypeObject questions_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.Questions",
    .tp_doc = "Asks a snapshot's tables.",
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
    {&find_routes, "find_routes"},
    {&find_dependencies, "find_dependencies"},
    {&patterns_slow_way, "find_patterns"},
    {&pattern_slow_way, "find_pattern"},
    {&conventions_slow_way, "find_conventions"},
    {&relationships_to_slow_way, "find_relationships_to"},
    {&resources_matching_slow_way, "find_matching"},
    {&fields_by_type_slow_way, "find_fields_by_type"},
    {&impact_slow_way, "find_impact"},
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
