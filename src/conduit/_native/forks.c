/* Calls Python code in a forked child and at the end of a process, where C code does not tell the interpreter of these.
 *
 * `os.register_at_fork` sees the forks of os.fork, and those after which PyOS_AfterFork_Child is called. uWSGI embeds
 * Python and forks its workers without either. The C library sees every fork: in the child a call is left for the
 * interpreter's main thread, which makes it before its next bytecode. In the same way a program that embeds Python may
 * call exit() and never finalize the interpreter. */
#include "native.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static PyObject *to_call, *to_call_at_exit;

static int call_in_child(void *Py_UNUSED(argument)) {
    PyObject *found = PyObject_CallNoArgs(to_call);
    if (found == NULL) PyErr_WriteUnraisable(to_call);
    Py_XDECREF(found);
    return 0;
}

/* A child that a thread forked in order to run another program never comes to the call; a full queue loses it. */
static void after_fork_in_child(void) {
    if (Py_IsInitialized()) (void)Py_AddPendingCall(call_in_child, NULL);
}

static PyObject *watch_forks(PyObject *Py_UNUSED(module), PyObject *callable) {
    static bool is_watching;
    if (!is_watching && pthread_atfork(NULL, NULL, after_fork_in_child) != 0) return PyErr_NoMemory();
    is_watching = true;
    Py_XSETREF(to_call, Py_NewRef(callable));
    Py_RETURN_NONE;
}

static void at_exit(void) {
    if (!Py_IsInitialized()) return;  // finalized, as usual: exit functions have been run
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *found = PyObject_CallNoArgs(to_call_at_exit);
    if (found == NULL) PyErr_WriteUnraisable(to_call_at_exit);
    Py_XDECREF(found);
    PyGILState_Release(state);
}

static PyObject *call_at_c_exit(PyObject *Py_UNUSED(module), PyObject *callable) {
    if (to_call_at_exit == NULL && atexit(at_exit) != 0) return PyErr_NoMemory();
    Py_XSETREF(to_call_at_exit, Py_NewRef(callable));
    Py_RETURN_NONE;
}

PyMethodDef forks_methods[] = {
    {"call_at_c_exit", call_at_c_exit, METH_O,
     "call_at_c_exit(callable): have it called by exit() where the interpreter is not finalized before."},
    {"watch_forks", watch_forks, METH_O, "watch_forks(callable): have it called in every forked child."},
    {NULL, NULL, 0, NULL},
};
