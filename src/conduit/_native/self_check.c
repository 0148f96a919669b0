/* The calling thread's stack as the walks see it, for a comparison with the interpreter's own answer
 * (self_check.py). */
#include "python_layout.h"

#include "frames.h"
#include "task_names.h"

#include <ucontext.h>

static PyObject *coroutines_as_tuple(const Coroutines *coroutines) {
    PyObject *tuple = PyTuple_New(coroutines->count);
    for (int i = 0; tuple != NULL && i < coroutines->count; i++) {
        PyObject *address = PyLong_FromSize_t(coroutines->addresses[i]);
        if (address == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, address);
    }
    return tuple;
}

/* The walk of a signal handler, made outside of one: the stack does not change, so its code objects are alive. */
static PyObject *own_stack(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    Frame plain[MAX_DEPTH], interrupted[MAX_DEPTH];
    Coroutines coroutines = {.count = 0};
    char task[TASK_NAME_BYTES] = "";
    ucontext_t context;
    PyThreadState *thread = PyThreadState_Get();
    int plain_depth = frames_walk(thread, plain, MAX_DEPTH), depth = -1;
    if (safe_loads_begin()) {
        LoadMethod method = safe_load_method(NULL);
        getcontext(&context);
        depth = frames_walk_interrupted(thread, method, &context, interrupted, MAX_DEPTH, &coroutines);
        task_name_of(method, thread, &coroutines, task);
        safe_loads_end();
    }
    return Py_BuildValue("(NNNs)", frames_as_tuple(plain, (uint32_t)plain_depth),
                         depth < 0 ? Py_NewRef(Py_None) : frames_as_tuple(interrupted, (uint32_t)depth),
                         coroutines_as_tuple(&coroutines), task);
}

PyMethodDef self_check_methods[] = {
    {"own_stack", own_stack, METH_NOARGS,
     "own_stack(): (stack, stack as a signal handler walks it or None, addresses of coroutines, name of the task)."},
    {NULL, NULL, 0, NULL},
};
