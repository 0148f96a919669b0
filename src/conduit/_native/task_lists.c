/* The tasks that asyncio keeps in lists of the threads' states, from 3.14 on, where no Python object has all of
 * them.
 *
 * Everything runs with the GIL, under which asyncio adds and removes tasks. The offset of the list's node in a task
 * is not public: it follows from the node that the newest task of the calling thread has added at the end of its
 * list. */
#include "python_layout.h"

#if PYTHON_HAS_TASK_LISTS
#define MAX_TASK_SIZE 4096

static bool add_tasks(PyObject *tasks, const struct llist_node *head, ptrdiff_t offset) {
    for (const struct llist_node *node = head->next; node != NULL && node != head; node = node->next) {
        PyObject *task = (PyObject *)((char *)node - offset);
        if (Py_REFCNT(task) > 0 && PyList_Append(tasks, task) < 0) return false;
    }
    return true;
}

static bool add_all_tasks(PyObject *tasks, ptrdiff_t offset) {
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter); thread != NULL;
         thread = PyThreadState_Next(thread))
        if (!add_tasks(tasks, layout_tasks_of_thread(thread), offset)) return false;
    return add_tasks(tasks, layout_tasks_of_interpreter(interpreter), offset);
}

static PyObject *tasks_all(PyObject *Py_UNUSED(module), PyObject *newest) {
    const struct llist_node *node = layout_tasks_of_thread(PyThreadState_Get())->prev;
    ptrdiff_t offset = (const char *)node - (const char *)newest;
    if (offset <= 0 || offset >= MAX_TASK_SIZE) Py_RETURN_NONE;
    PyObject *tasks = PyList_New(0);
    if (tasks != NULL && !add_all_tasks(tasks, offset)) Py_CLEAR(tasks);
    return tasks;
}
#else
static PyObject *tasks_all(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(newest)) { Py_RETURN_NONE; }
#endif

PyMethodDef task_list_methods[] = {
    {"tasks_all", tasks_all, METH_O,
     "tasks_all(newest): all tasks written in C, given this thread's newest one; None where there are no such lists."},
    {NULL, NULL, 0, NULL},
};
