/* The asyncio task that a thread is running just now, found in a signal handler.
 *
 * asyncio keeps a dictionary from event loop to current task (`asyncio.tasks._current_tasks`), without saying which
 * loop is whose thread's. The task meant is the one whose coroutine stands on the interrupted stack. The dictionary
 * may change at any moment, so everything is read by safe_load, and a task is accepted only if its coroutine
 * matches; its name is copied at once, because the task may be gone when the sample is read.
 *
 * Where a task keeps its coroutine and its name is not public: Python finds the two offsets on a task of its own
 * making (conduit/record/task_names.py) and tells them here, with the dictionary, which it keeps alive. */
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

void task_name_of(LoadMethod method, const Coroutines *running, char *name) {
    PyDictKeysObject *keys, head;
    if (current_tasks == NULL || running->count == 0) return;
    if (!load_field(method, current_tasks, offsetof(PyDictObject, ma_keys), &keys, sizeof keys)) return;
    if (!load_field(method, keys, 0, &head, offsetof(PyDictKeysObject, dk_indices))) return;
    if (head.dk_kind != DICT_KEYS_GENERAL || head.dk_log2_index_bytes > 16) return;
    size_t entries = offsetof(PyDictKeysObject, dk_indices) + ((size_t)1 << head.dk_log2_index_bytes);
    for (Py_ssize_t i = 0; i < head.dk_nentries && i < MAX_LOOPS; i++) {
        PyDictKeyEntry entry;
        uintptr_t coroutine;
        PyObject *task_name;
        if (!load_field(method, keys, entries + (size_t)i * sizeof entry, &entry, sizeof entry)) return;
        if (entry.me_value == NULL) continue;
        if (!load_field(method, entry.me_value, coroutine_offset, &coroutine, sizeof coroutine)) continue;
        if (!is_running(running, coroutine)) continue;
        if (load_field(method, entry.me_value, name_offset, &task_name, sizeof task_name))
            copy_name(method, task_name, name);
        return;
    }
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

PyMethodDef task_methods[] = {
    {"tasks_watch", tasks_watch, METH_VARARGS,
     "tasks_watch(current_tasks, coroutine_offset, name_offset): before cpu_start; forgotten by cpu_stop."},
    {NULL, NULL, 0, NULL},
};
