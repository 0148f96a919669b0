/* RemoteReader: the stacks of another process, and which of its threads were running on them. */
#include "native.h"

#include "hash_table.h"
#include "remote_stop.h"
#include "remote_thread.h"
#include "remote_walk.h"

#include <errno.h>
#include <string.h>

#define MAX_THREADS 10000
#define MAX_THREADS_WITH_OPEN_FILES 200 /* two files each, and a process may often have 1024 */
#define MAX_ATTEMPTS 5

typedef struct {
    PyObject_HEAD
    int pid;
    bool stops;
    RemoteLayout at;
    RemoteMemory memory;
    RemoteThread *threads; /* in the order of the process's list, which changes at its beginning only */
    size_t count, capacity;
    RemoteThread *earlier; /* those of the previous look, during a look */
    size_t earlier_count, earlier_capacity, expected;
} RemoteReader;

/* ---- layout ---- */

typedef struct {
    const char *name;
    size_t offset;
} LayoutField;

#define FIELD(name, field) {name, offsetof(RemoteLayout, field)}

static const LayoutField FIELDS[] = {
    FIELD("runtime", runtime),
    FIELD("code_type", code_type),
    FIELD("runtime.interpreters", runtime_interpreters),
    FIELD("interpreter.next", interpreter_next),
    FIELD("interpreter.threads", interpreter_threads),
    FIELD("thread.next", thread_next),
    FIELD("thread.native_id", thread_native_id),
    FIELD("frame.code", frame_code),
    FIELD("frame.instruction", frame_instruction),
    FIELD("frame.previous", frame_previous),
    FIELD("frame.owner", frame_owner),
    FIELD("frame.size", frame_size),
    FIELD("owner.of_root", owner_of_root),
    FIELD("object.type", object_type),
    FIELD("code.first_line", code_first_line),
    FIELD("code.linetable", code_linetable),
    /* Those below are not in every version. */
    FIELD("thread.frame", thread_frame),
    FIELD("thread.cframe", thread_cframe),
    FIELD("cframe.frame", cframe_frame),
    FIELD("thread.base_frame", thread_base_frame),
    FIELD("owner.of_entry", owner_of_entry),
};
#define FIELD_COUNT (sizeof FIELDS / sizeof FIELDS[0])
#define OPTIONAL_COUNT 5

static bool read_layout(RemoteLayout *at, PyObject *offsets) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint64_t value = REMOTE_ABSENT;
        PyObject *given = PyDict_GetItemString(offsets, FIELDS[i].name);
        if (given == NULL && i < FIELD_COUNT - OPTIONAL_COUNT) {
            PyErr_Format(PyExc_KeyError, "no offset of %s", FIELDS[i].name);
            return false;
        }
        if (given != NULL) value = PyLong_AsUnsignedLongLong(given);
        if (given != NULL && PyErr_Occurred()) return false;
        memcpy((char *)at + FIELDS[i].offset, &value, sizeof value);
    }
    return true;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"pid", "memory", "layout", "stops", NULL};
    int pid, memory, stops = 0;
    PyObject *layout;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "iiO!|p", names, &pid, &memory, &PyDict_Type, &layout,
                                     &stops))
        return NULL;
    RemoteReader *self = (RemoteReader *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->pid = pid;
    self->stops = stops;
    self->memory.memory = memory;
    if (!read_layout(&self->at, layout)) Py_CLEAR(self);
    return (PyObject *)self;
}

static void reader_dealloc(PyObject *object) {
    RemoteReader *self = (RemoteReader *)object;
    for (size_t i = 0; i < self->count; i++) remote_thread_end(&self->threads[i]);
    free(self->threads);
    free(self->earlier);
    Py_TYPE(object)->tp_free(object);
}

/* ---- stacks ---- */

static PyObject *as_bytes(const RemoteFrame *frames, int count) {
    return PyBytes_FromStringAndSize((const char *)frames, count * (Py_ssize_t)sizeof *frames);
}

/* The frames of a thread, or None for a stack that kept changing. */
static PyObject *reader_stack(PyObject *object, PyObject *address) {
    RemoteReader *self = (RemoteReader *)object;
    uint64_t thread = PyLong_AsUnsignedLongLong(address);
    if (PyErr_Occurred()) return NULL;
    RemoteFrame frames[REMOTE_MAX_FRAMES];
    for (int i = 0; i < MAX_ATTEMPTS * 4; i++) {
        int count = remote_walk(&self->memory, &self->at, thread, frames, false);
        if (count >= 0 && remote_identify(&self->memory, &self->at, frames, count)) return as_bytes(frames, count);
    }
    Py_RETURN_NONE;
}

typedef struct {
    RemoteFrame frames[REMOTE_MAX_FRAMES];
    int count;         /* or -1: it could not be read */
    RemoteState state; /* while the frames were read */
} Look;

static void look_in_passing(RemoteReader *self, RemoteThread *thread, uint64_t address, Look *look) {
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        look->count = remote_walk(&self->memory, &self->at, address, look->frames, false);
        if (look->count >= 0) break;
        remote_thread_clock(thread);
    }
    look->state = remote_thread_state(thread);
}

/* False with an exception: threads may not be stopped. */
static bool look_while_stopped(RemoteReader *self, RemoteThread *thread, uint64_t address, Look *look) {
    look->state = remote_thread_state(thread);
    if (look->state == REMOTE_ASLEEP) return true;
    uint64_t yields = thread->yields;
    RemoteStop stop;
    if (!remote_stop(&stop, self->pid, thread->tid)) {
        look->state = REMOTE_ASLEEP;
        if (errno == ESRCH) return true;
        PyErr_SetFromErrno(PyExc_OSError);
        return false;
    }
    bool was_running = look->state == REMOTE_RUNNING;
    look->count = remote_walk(&self->memory, &self->at, address, look->frames, true);
    remote_thread_clock(thread);
    remote_thread_state(thread); /* brings the counters up to date */
    /* Outside of a system call the thread runs or waits for a processor. Inside one, it was running if the stop was its
     * only voluntary switch. */
    if (!remote_stop_is_in_system_call(&stop) || (was_running && thread->yields == yields + 1))
        look->state = REMOTE_RUNNING;
    else
        look->state = REMOTE_ASLEEP;
    remote_continue(&stop);
    return true;
}

/* ---- threads ---- */

static bool read_word(const RemoteReader *self, uint64_t address, uint64_t *word) {
    return remote_read(&self->memory, address, word, sizeof *word);
}

/* The record of a thread from the previous look, or NULL. The search begins behind the thread that was found last. */
static RemoteThread *find_earlier(RemoteReader *self, int tid) {
    for (size_t i = 0; i < self->earlier_count; i++) {
        RemoteThread *thread = &self->earlier[(self->expected + i) % self->earlier_count];
        if (thread->tid != tid) continue;
        self->expected += i + 1;
        return thread;
    }
    return NULL;
}

/* The thread with this number in the new list; NULL with an exception. */
static RemoteThread *add_thread(RemoteReader *self, int tid) {
    if (!array_reserve((void **)&self->threads, &self->capacity, self->count + 1, sizeof *self->threads)) {
        PyErr_NoMemory();
        return NULL;
    }
    RemoteThread *thread = &self->threads[self->count], *earlier = find_earlier(self, tid);
    if (earlier != NULL) {
        *thread = *earlier;
        earlier->tid = 0; /* its files belong to the new record */
    } else {
        remote_thread_begin(thread, self->pid, tid, self->count < MAX_THREADS_WITH_OPEN_FILES);
    }
    self->count++;
    return thread;
}

static bool append(PyObject *found, const RemoteThread *thread, const Look *look) {
    PyObject *frames = look->state == REMOTE_ASLEEP || look->count < 0 ? Py_NewRef(Py_None)
                                                                       : as_bytes(look->frames, look->count);
    if (frames == NULL) return false;
    PyObject *item = Py_BuildValue("(iKON)", thread->tid, (unsigned long long)thread->cpu_ns,
                                   look->state == REMOTE_ASLEEP ? Py_False : Py_True, frames);
    bool is_added = item != NULL && PyList_Append(found, item) == 0;
    Py_XDECREF(item);
    return is_added;
}

/* False with an exception. */
static bool look_at(RemoteReader *self, RemoteThread *thread, uint64_t address, PyObject *found) {
    Look look;
    look.count = -1;
    look.state = REMOTE_ASLEEP;
    if (!remote_thread_clock(thread)) return true;
    if (!remote_thread_sleeps_on(thread)) {
        if (!self->stops)
            look_in_passing(self, thread, address, &look);
        else if (!look_while_stopped(self, thread, address, &look))
            return false;
        if (look.state != REMOTE_ASLEEP && look.count >= 0 &&
            !remote_identify(&self->memory, &self->at, look.frames, look.count))
            look.count = -1;
    }
    bool has_news = !thread->is_told || thread->cpu_ns != thread->told_ns || look.state != REMOTE_ASLEEP;
    thread->is_told = true;
    thread->told_ns = thread->cpu_ns;
    return !has_news || append(found, thread, &look);
}

/* False with an exception. An address that cannot be read ends the list: it has just changed. */
static bool look_at_interpreter(RemoteReader *self, uint64_t interpreter, PyObject *found) {
    uint64_t address, number;
    if (!read_word(self, interpreter + self->at.interpreter_threads, &address)) return true;
    while (address != 0 && self->count < MAX_THREADS) {
        if (!read_word(self, address + self->at.thread_native_id, &number)) return true;
        if ((int)number > 0) {
            RemoteThread *thread = add_thread(self, (int)number);
            if (thread == NULL || !look_at(self, thread, address, found)) return false;
        }
        if (!read_word(self, address + self->at.thread_next, &address)) return true;
    }
    return true;
}

static bool look_at_all(RemoteReader *self, PyObject *found) {
    uint64_t interpreter;
    if (!read_word(self, self->at.runtime + self->at.runtime_interpreters, &interpreter)) return true;
    for (int i = 0; interpreter != 0 && i < MAX_THREADS; i++) {
        if (!look_at_interpreter(self, interpreter, found)) return false;
        if (!read_word(self, interpreter + self->at.interpreter_next, &interpreter)) return true;
    }
    return true;
}

static void swap_lists(RemoteReader *self) {
    RemoteThread *threads = self->earlier;
    size_t capacity = self->earlier_capacity;
    self->earlier = self->threads;
    self->earlier_count = self->count;
    self->earlier_capacity = self->capacity;
    self->threads = threads;
    self->capacity = capacity;
    self->count = self->expected = 0;
}

static PyObject *reader_look(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    RemoteReader *self = (RemoteReader *)object;
    PyObject *found = PyList_New(0);
    if (found == NULL) return NULL;
    swap_lists(self);
    bool is_whole = look_at_all(self, found);
    for (size_t i = 0; i < self->earlier_count; i++)
        if (self->earlier[i].tid != 0) remote_thread_end(&self->earlier[i]);
    self->earlier_count = 0;
    if (!is_whole) Py_CLEAR(found);
    return found;
}

static PyMethodDef reader_methods[] = {
    {"stack", reader_stack, METH_O,
     "stack(thread): the frames of the thread whose state is at this address, leaf first, as five words of 8 bytes "
     "each: address, the caller's, code (0: an entry from C), instruction, a number for the code's contents. None for "
     "a stack that kept changing."},
    {"look", reader_look, METH_NOARGS,
     "look(): (the kernel's number, CPU nanoseconds, whether it was running, frames or None) of each thread whose "
     "clock has moved since the last look or that was running; one that was preempted counts, and once."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject reader_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "conduit._native._core.RemoteReader",
    .tp_doc = "RemoteReader(pid, memory, layout, stops=False): reads the stacks of another process through its open "
              "/proc/PID/mem; `stops`: stop each running thread while it is read.",
    .tp_basicsize = sizeof(RemoteReader),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = reader_new,
    .tp_dealloc = reader_dealloc,
    .tp_methods = reader_methods,
};

int add_remote_reader(PyObject *module) { return PyModule_AddType(module, &reader_type); }
