/* The interpreter's own layout: the only file that includes its internal headers or tests its version.
 *
 * Contract: include it before anything that includes Python.h. Functions that take a copy of a structure read nothing
 * else, so that they are safe in a signal handler; the others say what they need.
 *
 * The layouts come from the headers of the interpreter that the extension is built for, one build for each minor
 * version. A version that is not named here does not compile. */
#ifndef CONDUIT_PYTHON_LAYOUT_H
#define CONDUIT_PYTHON_LAYOUT_H

#if defined(Py_PYTHON_H) && !defined(Py_BUILD_CORE)
#error "python_layout.h must be included before Python.h"
#endif
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "native.h"

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x03100000
#error "conduit knows the layout of CPython 3.11 to 3.15"
#endif
#ifdef Py_GIL_DISABLED
#error "conduit does not know the layout of a free-threaded build"
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* in the interpreter's own headers */
#include <internal/pycore_context.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_hamt.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_tstate.h>
#endif
#pragma GCC diagnostic pop

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what a version has ---- */

#define PYTHON_HAS_ONE_GIL (PY_VERSION_HEX < 0x030C0000)       /* later, an interpreter may have its own */
#define PYTHON_HAS_CODE_WATCHERS (PY_VERSION_HEX >= 0x030C0000)
#define PYTHON_HAS_ENTRY_FRAMES (PY_VERSION_HEX >= 0x030C0000) /* a call from C begins with a frame without code */
#define PYTHON_HAS_CFRAMES (PY_VERSION_HEX < 0x030D0000)       /* the newest frame is found through the C stack */
#define PYTHON_HAS_TASK_NUMBERS (PY_VERSION_HEX >= 0x030C0000) /* an unnamed task keeps the number of "Task-7" */
#define PYTHON_HAS_TASK_LISTS (PY_VERSION_HEX >= 0x030E0000)   /* a thread's state has its tasks and the running one */
#define PYTHON_BINDS_IN_WITH (PY_VERSION_HEX < 0x030E0000)     /* `with` makes two bound methods, later none */
#define PYTHON_HAS_PARKING_LOT (PY_VERSION_HEX >= 0x030D0000)  /* threads park on a semaphore of their own */
#define PYTHON_HAS_MUTEX_LOCKS (PY_VERSION_HEX >= 0x030E0000)  /* a lock object has a PyMutex, and waiters park */

/* ---- frames ---- */

#if PY_VERSION_HEX >= 0x030D0000
#define LAYOUT_FRAME_CODE f_executable
#define LAYOUT_FRAME_INSTRUCTION instr_ptr
#else
#define LAYOUT_FRAME_CODE f_code
#define LAYOUT_FRAME_INSTRUCTION prev_instr
#endif

#if PY_VERSION_HEX >= 0x030E0000
#define LAYOUT_OWNER_OF_ENTRY FRAME_OWNED_BY_INTERPRETER
#define LAYOUT_OWNER_OF_ROOT FRAME_OWNED_BY_INTERPRETER
#elif PY_VERSION_HEX >= 0x030C0000
#define LAYOUT_OWNER_OF_ENTRY FRAME_OWNED_BY_CSTACK
#define LAYOUT_OWNER_OF_ROOT FRAME_OWNED_BY_CSTACK
#else
#define LAYOUT_OWNER_OF_ROOT FRAME_OWNED_BY_THREAD
#endif

/* The object that a frame executes, mostly code; may be another object or NULL. */
static inline PyObject *layout_executable(const _PyInterpreterFrame *frame) {
#if PY_VERSION_HEX >= 0x030E0000
    /* A tagged reference: the low bits say how it is counted. */
    return (PyObject *)(frame->LAYOUT_FRAME_CODE.bits & ~(uintptr_t)3);
#else
    return (PyObject *)frame->LAYOUT_FRAME_CODE;
#endif
}

/* The instruction's offset in bytes, as `PyCode_Addr2Line` and `dis` count. */
static inline int32_t layout_instruction(const _PyInterpreterFrame *frame, const PyCodeObject *code) {
    return (int32_t)((const char *)frame->LAYOUT_FRAME_INSTRUCTION - code->co_code_adaptive);
}

/* Whether a frame is the entry from C, which executes no Python code. */
static inline bool layout_is_entry(const _PyInterpreterFrame *frame) {
#if PYTHON_HAS_ENTRY_FRAMES
    return frame->owner >= LAYOUT_OWNER_OF_ENTRY;
#else
    (void)frame;
    return false;
#endif
}

/* A thread's innermost frame. The thread must be the calling one, or stand still. */
static inline const _PyInterpreterFrame *layout_newest_frame(const PyThreadState *thread) {
#if PYTHON_HAS_CFRAMES
    return thread->cframe->current_frame;
#else
    return thread->current_frame;
#endif
}

/* The state of the calling thread where it holds the GIL, else NULL. */
static inline PyThreadState *layout_own_thread(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    PyThreadState *thread = _PyThreadState_UncheckedGet();
#if PY_VERSION_HEX < 0x030C0000
    /* 3.11 answers with the state of the thread that holds the GIL. */
    if (thread != NULL && thread->thread_id != PyThread_get_thread_ident() && !PyGILState_Check()) return NULL;
#endif
    return thread;
#endif
}

/* ---- tasks ---- */

#if PYTHON_HAS_TASK_LISTS
/* Offset in a thread's state of the task that it is running, or NULL. */
#define LAYOUT_RUNNING_TASK offsetof(_PyThreadStateImpl, asyncio_running_task)

/* The list of the tasks that a thread has made, and of those whose thread has ended. With the GIL. */
static inline struct llist_node *layout_tasks_of_thread(PyThreadState *thread) {
    return &((_PyThreadStateImpl *)thread)->asyncio_tasks_head;
}

static inline struct llist_node *layout_tasks_of_interpreter(PyInterpreterState *interpreter) {
    return &interpreter->asyncio_tasks_head;
}
#endif

/* ---- contexts ---- */

/* The thread's current context, the variables of a context, and the root of their tree; each may be NULL. */
#define LAYOUT_CONTEXT offsetof(PyThreadState, context)
#define LAYOUT_CONTEXT_VARIABLES offsetof(struct _pycontextobject, ctx_vars)
#define LAYOUT_VARIABLES_ROOT offsetof(PyHamtObject, h_root)

static inline bool layout_context_is_entered(const PyObject *context) {
    return ((const struct _pycontextobject *)context)->ctx_entered != 0;
}

/* Give a context the variables that it had before, and return those that it has now. Both references change hands. The
 * caller must be the context's thread, and `changed` the only variable in which the two differ. */
static inline PyObject *layout_restore_variables(PyObject *context, PyObject *variables, PyObject *changed) {
    PyHamtObject **at = &((struct _pycontextobject *)context)->ctx_vars;
    PyObject *now = (PyObject *)*at;
    *at = (PyHamtObject *)variables;
    ((struct _pycontextvarobject *)changed)->var_cached = NULL; /* borrowed from what it was set to last */
    return now;
}

/* The two kinds of nodes of that tree, a HAMT: each level takes five bits of the key's hash. The interpreter's headers
 * do not declare them on all versions; labels.c checks them at first use. */
#define LAYOUT_HAMT_BITS 5

typedef struct {
    PyObject_VAR_HEAD
    uint32_t bitmap;
    PyObject *pairs[1]; /* key and value, or NULL and a node */
} LayoutBitmapNode;

typedef struct {
    PyObject_HEAD
    PyObject *nodes[1 << LAYOUT_HAMT_BITS];
    Py_ssize_t count;
} LayoutArrayNode;

/* The hash of a key in the tree. */
static inline uint32_t layout_hamt_hash(Py_hash_t hash) {
    uint32_t folded = (uint32_t)((uint64_t)hash & UINT32_MAX) ^ (uint32_t)((uint64_t)hash >> 32);
    return folded == UINT32_MAX ? UINT32_MAX - 1 : folded;
}

/* ---- generators ---- */

#define LAYOUT_GENERATOR_STATE offsetof(PyGenObject, gi_frame_state)
#define LAYOUT_GENERATOR_RUNS FRAME_EXECUTING

/* The generator (not a coroutine) whose frame is the innermost one of the calling thread; borrowed, or NULL. */
static inline PyObject *layout_calling_generator(const PyThreadState *thread) {
    const _PyInterpreterFrame *frame = layout_newest_frame(thread);
    while (frame != NULL && layout_is_entry(frame)) frame = frame->previous;
    if (frame == NULL || frame->owner != FRAME_OWNED_BY_GENERATOR) return NULL;
    PyObject *executable = layout_executable(frame);
    if (!PyCode_Check(executable)) return NULL;
    if (!(((PyCodeObject *)executable)->co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR))) return NULL;
    return (PyObject *)((uintptr_t)frame - offsetof(PyGenObject, gi_iframe));
}

/* ---- locks ---- */

#if PYTHON_HAS_MUTEX_LOCKS
/* The offset of the PyMutex in an object of `_thread.lock` or `_thread.RLock`. */
#define LAYOUT_MUTEX_IN_LOCK sizeof(PyObject)
#endif

/* Whether a semaphore is that of a parked thread, which has it on its C stack; any other semaphore is a lock of its
 * own. `frame` is the frame address of a function that the thread calls on the semaphore. */
static inline bool layout_is_parked(const void *semaphore, const void *frame) {
#if PYTHON_HAS_PARKING_LOT
    return (uintptr_t)semaphore > (uintptr_t)frame && (uintptr_t)semaphore - (uintptr_t)frame < 65536;
#else
    (void)semaphore, (void)frame;
    return false;
#endif
}

/* The address of the lock that a thread waits for on this semaphore. A parked thread has
 * `struct wait_entry {void *park_arg; uintptr_t addr; sem_t sema; …}` on its stack, with the lock in `addr`. */
static inline uintptr_t layout_lock_behind(const void *semaphore, const void *frame) {
    uintptr_t lock = layout_is_parked(semaphore, frame) ? ((const uintptr_t *)semaphore)[-1] : 0;
    return lock != 0 ? lock : (uintptr_t)semaphore;
}

/* ---- objects ---- */

/* Whether a copied object head can be that of a living code object. A dead one has no references, and one on a free
 * list has a pointer in place of the count. */
static inline bool layout_is_code(const PyObject *head) {
#if PY_VERSION_HEX >= 0x030E0000
    /* 32 bits of count, then 16 bits that stay 0 here but not in a pointer, then 16 bits of flags. */
    return head->ob_type == &PyCode_Type && head->ob_refcnt != 0 && head->ob_overflow == 0;
#else
    return head->ob_type == &PyCode_Type && head->ob_refcnt > 0 && head->ob_refcnt <= ((Py_ssize_t)1 << 32);
#endif
}

#if PYTHON_HAS_TASK_NUMBERS
/* The value of a copied int below 2**30; -1 for any other. */
static inline long layout_small_int(const PyLongObject *number) {
    return number->long_value.lv_tag >> 3 == 1 ? (long)number->long_value.ob_digit[0] : -1;
}
#endif

/* ---- allocators ---- */

/* Exported by CPython 3.11 to 3.15, and declared in its internal headers only. NULL: another library's hooks are
 * installed. */
extern const char *_PyMem_GetCurrentAllocatorName(void);

#endif
