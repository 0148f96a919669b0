/* conduit._native._core: assembles the tables of the other files.
 *
 * Single-phase on purpose: allocator hooks, signal handlers and timers belong to the process, so an isolated
 * subinterpreter is refused by the interpreter itself with an ImportError that says so. */
#include "native.h"

#include <stdbool.h>

/* A fork hook cannot be unregistered, but the Python modules may be loaded again: this remembers that one was
 * registered. */
static PyObject *claim_fork_hook(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    static bool is_claimed;
    bool is_first = !is_claimed;
    is_claimed = true;
    return PyBool_FromLong(is_first);
}

/* An object that must outlive the Python modules, which may be loaded again. */
static PyObject *held_object;

static PyObject *hold(PyObject *Py_UNUSED(module), PyObject *object) {
    Py_XSETREF(held_object, Py_NewRef(object));
    Py_RETURN_NONE;
}

static PyObject *held(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return Py_NewRef(held_object == NULL ? Py_None : held_object);
}

static PyMethodDef module_methods[] = {
    {"hold", hold, METH_O, "hold(object): keep an object until another one is held."},
    {"held", held, METH_NOARGS, "held(): the object that is held, or None."},
    {"claim_fork_hook", claim_fork_hook, METH_NOARGS, "True the first time in a process, and False after that."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef *const METHOD_TABLES[] = {
    allocation_methods,
    cpu_methods,
    forks_methods,
    heap_methods,
    json_key_methods,
    label_functions,
    layout_methods,
    symbol_methods,
    task_methods,
    task_list_methods,
    column_label_methods,
    column_methods,
    column_stack_methods,
    column_sum_methods,
    column_tree_methods,
    free_pages_methods,
    priority_methods,
    profile_writer_methods,
    record_methods,
    repeated_signal_methods,
    result_line_methods,
    self_check_methods,
    module_methods,
    wait_methods,
    yaml_text_methods,
    json_text_methods,
};

static int (*const ATTACHMENTS[])(void) = {
    attach_allocations,
    attach_cpu,
    attach_heap,
    attach_waits,
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "conduit._native._core",
    .m_doc = "Allocation counts, CPU, heap and wait profiles, registry lookups; see the Python modules beside it.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__core(void) {
    for (size_t i = 0; i < COUNT_OF(ATTACHMENTS); i++)
        if (ATTACHMENTS[i]() < 0) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    for (size_t i = 0; i < COUNT_OF(METHOD_TABLES); i++)
        if (PyModule_AddFunctions(module, METHOD_TABLES[i]) < 0) goto failed;
    if (add_labels(module) < 0 || add_questions(module) < 0 || add_remote_reader(module) < 0) goto failed;
    return module;
failed:
    Py_DECREF(module);
    return NULL;
}
