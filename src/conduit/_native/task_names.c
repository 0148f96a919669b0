/* The running task, found in a signal handler.
 *
 * Up to 3.13 asyncio keeps a dictionary from event loop to running task (`asyncio.tasks._current_tasks`), without
 * saying which loop belongs to which thread. From 3.14 on, the state of a thread has its running task, and only
 * tasks written in Python are in the dictionary. In both, a task is accepted only if its coroutine is on the
 * interrupted stack. Everything may change at any moment, so it is read by safe_load, and the name is copied at
 * once, because the task may be gone when the sample is read.
 *
 * The offsets of coroutine and name in a task are not public: conduit/record/task_names.py finds them in a task that it
 * makes for this purpose, and passes them here with the dictionary. */
#include "python_layout.h"

#include "task_names.h"

#include <string.h>

#define MAX_LOOPS 16

static PyObject *current_tasks; /* a dictionary; a reference is held from tasks_watch to task_names_forget */
static size_t coroutine_offset, name_offset;

/* A field of `size` bytes, which need not begin at a word. */
static bool load_field(LoadMethod method, const void *object, size_t offset, void *to, size_t size) {
    uintptr_t words[16];
    uintptr_t begin = ((uintptr_t)object + offset) & ~(uintptr_t)7, end = (uintptr_t)object + offset + size;
    size_t count = (end - begin + 7) / 8;
    if (count > sizeof words / sizeof words[0] || !safe_load(method, words, (const void *)begin, count)) return false;
    memcpy(to, (const char *)words + ((uintptr_t)object + offset - begin), size);
    return true;
}

/* Only ASCII names are read (the layout of others differs); a longer one is cut. */
static void copy_text(LoadMethod method, const PyObject *text, char *name) {
    PyASCIIObject head;
    if (!load_field(method, text, 0, &head, sizeof head) || !head.state.ascii || !head.state.compact) return;
    if (head.length <= 0) return;
    size_t length = head.length < TASK_NAME_BYTES - 1 ? (size_t)head.length : TASK_NAME_BYTES - 1;
    char copy[TASK_NAME_BYTES];
    if (!load_field(method, text, sizeof(PyASCIIObject), copy, length)) return;
    copy[length] = 0;
    memcpy(name, copy, length + 1);
}

#if PYTHON_HAS_TASK_NUMBERS
/* "Task-7" for 7. */
static void write_number(unsigned long number, char *name) {
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    memcpy(name, "Task-", 5);
    for (int i = 0; i < count; i++) name[5 + i] = digits[count - 1 - i];
    name[5 + count] = 0;
}
#endif

/* A name is a string or, until it is first read (3.13), the number in "Task-7". */
static void copy_name(LoadMethod method, const PyObject *object, char *name) {
    PyObject head;
    if (object == NULL || !load_field(method, object, 0, &head, sizeof head)) return;
    if (head.ob_type == &PyUnicode_Type) {
        copy_text(method, object, name);
        return;
    }
#if PYTHON_HAS_TASK_NUMBERS
    PyLongObject number;
    if (head.ob_type != &PyLong_Type || !load_field(method, object, 0, &number, sizeof number)) return;
    long value = layout_small_int(&number);
    if (value >= 0) write_number((unsigned long)value, name);
#endif
}

static bool is_running(const Coroutines *running, uintptr_t coroutine) {
    for (int i = 0; i < running->count; i++)
        if (running->addresses[i] == coroutine) return true;
    return false;
}

/* Copy the task's name if its coroutine is on the stack. */
static bool name_if_running(LoadMethod method, const PyObject *task, const Coroutines *running, char *name) {
    uintptr_t coroutine;
    PyObject *task_name;
    if (!load_field(method, task, coroutine_offset, &coroutine, sizeof coroutine)) return false;
    if (!is_running(running, coroutine)) return false;
    if (load_field(method, task, name_offset, &task_name, sizeof task_name)) copy_name(method, task_name, name);
    return true;
}

static bool name_of_thread(LoadMethod method, const PyThreadState *thread, const Coroutines *running, char *name) {
#if PYTHON_HAS_TASK_LISTS
    PyObject *task;
    if (thread == NULL || !load_field(method, thread, LAYOUT_RUNNING_TASK, &task, sizeof task)) return false;
    return task != NULL && name_if_running(method, task, running, name);
#else
    (void)method, (void)thread, (void)running, (void)name;
    return false;
#endif
}

static void name_of_dictionary(LoadMethod method, const Coroutines *running, char *name) {
    PyDictKeysObject *keys, head;
    if (!load_field(method, current_tasks, offsetof(PyDictObject, ma_keys), &keys, sizeof keys)) return;
    if (!load_field(method, keys, 0, &head, offsetof(PyDictKeysObject, dk_indices))) return;
    if (head.dk_kind != DICT_KEYS_GENERAL || head.dk_log2_index_bytes > 16) return;
    size_t entries = offsetof(PyDictKeysObject, dk_indices) + ((size_t)1 << head.dk_log2_index_bytes);
    for (Py_ssize_t i = 0; i < head.dk_nentries && i < MAX_LOOPS; i++) {
        PyDictKeyEntry entry;
        if (!load_field(method, keys, entries + (size_t)i * sizeof entry, &entry, sizeof entry)) return;
        if (entry.me_value != NULL && name_if_running(method, entry.me_value, running, name)) return;
    }
}

void task_name_of(LoadMethod method, PyThreadState *thread, const Coroutines *running, char *name) {
    if (current_tasks == NULL || running->count == 0) return;
    if (!name_of_thread(method, thread, running, name)) name_of_dictionary(method, running, name);
}

static PyObject *tasks_watch(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *dictionary;
    Py_ssize_t coroutine, name;
    if (!PyArg_ParseTuple(arguments, "O!nn", &PyDict_Type, &dictionary, &coroutine, &name)) return NULL;
    if (coroutine <= 0 || name <= 0 || coroutine % 8 || name % 8)
        return PyErr_Format(PyExc_ValueError, "no fields of a task lie at %zd and %zd", coroutine, name);
    task_names_forget();
    coroutine_offset = (size_t)coroutine;
    name_offset = (size_t)name;
    current_tasks = Py_NewRef(dictionary);
    Py_RETURN_NONE;
}

/* No sampling goes on. */
void task_names_forget(void) { Py_CLEAR(current_tasks); }

static PyObject *tasks_forget(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    task_names_forget();
    Py_RETURN_NONE;
}

PyMethodDef task_methods[] = {
    {"tasks_forget", tasks_forget, METH_NOARGS, "tasks_forget(): samples get no names of tasks."},
    {"tasks_watch", tasks_watch, METH_VARARGS,
     "tasks_watch(current_tasks, coroutine_offset, name_offset): before cpu_start; forgotten by cpu_stop."},
    {NULL, NULL, 0, NULL},
};
