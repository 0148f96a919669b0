/* The Python stack of a thread: the only file that knows how an interpreter lays out its frames.
 *
 * The walks give code object and instruction, leaf first, and neither allocates, locks or takes a reference. The
 * stack must be the calling thread's own. `frames_walk` is for a thread that is at rest in a call of ours (an
 * allocator hook, a wait): its frames are whole, and stay so even without the GIL, because nobody else pops them.
 * `frames_walk_interrupted` is for signal handlers, where any pointer may be rubbish: it loads through safe_load
 * and believes a code object only if its type and reference count look like one's.
 *
 * The layouts come from the interpreter's own headers, so each minor version needs its own build, which wheels
 * have anyhow; a version that is not named here does not compile. */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "frames.h"
#include "registers.h"

#include <internal/pycore_frame.h>
#include <stddef.h>
#include <string.h>

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030E0000
#error "conduit knows the frames of CPython 3.11, 3.12 and 3.13"
#endif
#ifdef Py_GIL_DISABLED
#error "conduit does not know the frames of a free-threaded build"
#endif

#define WORDS_OF(bytes) (((bytes) + sizeof(uintptr_t) - 1) / sizeof(uintptr_t))
#define FRAME_WORDS WORDS_OF(offsetof(_PyInterpreterFrame, localsplus))
#define LARGEST_STACK ((uintptr_t)1 << 30)
#define PLAUSIBLE_REFERENCES ((Py_ssize_t)1 << 32) /* more is a free list's pointer, less than one is a dead object */

/* Room for a frame's fixed part; the values on its stack are not copied. */
typedef union {
    uintptr_t words[FRAME_WORDS];
    _PyInterpreterFrame frame;
} FrameCopy;

static inline PyObject *executable_of(const _PyInterpreterFrame *frame) {
#if PY_VERSION_HEX >= 0x030D0000
    return frame->f_executable;
#else
    return (PyObject *)frame->f_code;
#endif
}

static inline int32_t instruction_of(const _PyInterpreterFrame *frame, const PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030D0000
    const _Py_CODEUNIT *at = frame->instr_ptr;
#else
    const _Py_CODEUNIT *at = frame->prev_instr;
#endif
    return (int32_t)((const char *)at - code->co_code_adaptive);
}

/* From 3.12 on, a call from C begins with a frame on the C stack that holds no Python code. */
static inline bool is_entry_shim(const _PyInterpreterFrame *frame) {
#if PY_VERSION_HEX >= 0x030C0000
    return frame->owner == FRAME_OWNED_BY_CSTACK;
#else
    (void)frame;
    return false;
#endif
}

static inline const _PyInterpreterFrame *newest_frame(const PyThreadState *thread) {
#if PY_VERSION_HEX >= 0x030D0000
    return thread->current_frame;
#else
    return thread->cframe->current_frame;
#endif
}

int frames_walk(PyThreadState *thread, Frame *frames, int capacity) {
    if (thread == NULL) return 0;
    int depth = 0;
    for (const _PyInterpreterFrame *frame = newest_frame(thread); frame != NULL && depth < capacity;
         frame = frame->previous) {
        PyObject *executable = executable_of(frame);
        if (is_entry_shim(frame) || executable == NULL || !PyCode_Check(executable)) continue;
        PyCodeObject *code = (PyCodeObject *)executable;
        frames[depth++] = (Frame){code, instruction_of(frame, code)};
    }
    return depth;
}

/* As `frames_walk`, but what stands for a code object is not looked at, and may be another object or NULL. */
int frames_walk_raw(PyThreadState *thread, Frame *frames, int capacity) {
    if (thread == NULL) return 0;
    int depth = 0;
    for (const _PyInterpreterFrame *frame = newest_frame(thread); frame != NULL && depth < capacity;
         frame = frame->previous) {
        if (is_entry_shim(frame)) continue;
        PyCodeObject *code = (PyCodeObject *)executable_of(frame);
        frames[depth++] = (Frame){code, instruction_of(frame, code)};
    }
    return depth;
}

/* The state of the calling thread where it holds the GIL, else NULL. */
PyThreadState *frames_own_thread(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    PyThreadState *thread = _PyThreadState_UncheckedGet();
#if PY_VERSION_HEX < 0x030C0000
    /* That is the state of whoever holds the GIL. */
    if (thread != NULL && thread->thread_id != PyThread_get_thread_ident() && !PyGILState_Check()) return NULL;
#endif
    return thread;
#endif
}

static bool looks_like_code(LoadMethod method, const PyObject *object) {
    uintptr_t copy[WORDS_OF(sizeof(PyObject))];
    if (object == NULL || ((uintptr_t)object & 7) != 0) return false;
    if (!safe_load(method, copy, object, sizeof copy / sizeof copy[0])) return false;
    PyObject head;
    memcpy(&head, copy, sizeof head);
    return head.ob_type == &PyCode_Type && head.ob_refcnt > 0 && head.ob_refcnt <= PLAUSIBLE_REFERENCES;
}

/* A generator's frame lies inside it. Of more than there is room for, the outermost stay. */
static void note_coroutine(const _PyInterpreterFrame *frame, Coroutines *coroutines) {
    int room = (int)(sizeof coroutines->addresses / sizeof coroutines->addresses[0]);
    if (coroutines->count == room) {
        memmove(&coroutines->addresses[0], &coroutines->addresses[1], sizeof coroutines->addresses - sizeof(uintptr_t));
        coroutines->count--;
    }
    coroutines->addresses[coroutines->count++] = (uintptr_t)frame - offsetof(PyGenObject, gi_iframe);
}

/* Walks from `at` to the root, or to the first frame that cannot be believed; `broken` tells which. */
static int walk_from(const _PyInterpreterFrame *at, LoadMethod method, Frame *frames, int capacity,
                     Coroutines *coroutines, bool *broken) {
    int depth = 0;
    *broken = false;
    coroutines->count = 0;
    /* Shims take steps too: the bound keeps rubbish that points at itself from holding the handler forever. */
    for (int steps = 0; at != NULL && depth < capacity && steps < 2 * MAX_DEPTH; steps++) {
        FrameCopy copy;
        if (((uintptr_t)at & 7) != 0 || !safe_load(method, copy.words, at, FRAME_WORDS)) {
            *broken = true;
            return depth;
        }
        if (copy.frame.owner == FRAME_OWNED_BY_GENERATOR) note_coroutine(at, coroutines);
        at = copy.frame.previous;
        if (is_entry_shim(&copy.frame)) continue;
        PyObject *executable = executable_of(&copy.frame);
        if (!looks_like_code(method, executable)) {
            *broken = true;
            return depth;
        }
        PyCodeObject *code = (PyCodeObject *)executable;
        int32_t instruction = instruction_of(&copy.frame, code);
        frames[depth++] = (Frame){code, instruction};
    }
    return depth;
}

#if PY_VERSION_HEX < 0x030D0000
static bool load_cframe(LoadMethod method, _PyCFrame *copy, const _PyCFrame *from) {
    uintptr_t words[WORDS_OF(sizeof(_PyCFrame))];
    if (((uintptr_t)from & 7) != 0 || !safe_load(method, words, from, sizeof words / sizeof words[0])) return false;
    memcpy(copy, words, sizeof *copy);
    return true;
}

/* A cframe lies on the C stack above all newer ones, and only the oldest is in the thread's own state. */
static bool may_be_older(const PyThreadState *thread, uintptr_t candidate, uintptr_t newer) {
    if (candidate == (uintptr_t)&thread->root_cframe) return true;
    return candidate > newer && candidate - newer < LARGEST_STACK;
}

/* The cframe below the newest, of which nothing has been written yet, its link to this one included. But it will be:
 * so the address is in a register. The nearest one from which a stack can be walked; NULL: none. */
static const _PyCFrame *find_cframe_below(const PyThreadState *thread, LoadMethod method, const ucontext_t *context,
                                          const _PyCFrame *newest) {
    uintptr_t words[MOST_REGISTERS];
    const _PyCFrame *found = NULL;
    int count = registers_of(context, words);
    for (int i = 0; i < count; i++) {
        const _PyCFrame *candidate = (const _PyCFrame *)words[i];
        _PyCFrame copy;
        Frame leaf;
        Coroutines ignored;
        bool broken;
        if (!may_be_older(thread, words[i], (uintptr_t)newest) || !load_cframe(method, &copy, candidate)) continue;
        if (candidate != &thread->root_cframe && !may_be_older(thread, (uintptr_t)copy.previous, words[i])) continue;
        walk_from(copy.current_frame, method, &leaf, 1, &ignored, &broken);
        bool is_nearer = candidate != &thread->root_cframe && (found == &thread->root_cframe || candidate < found);
        if (!broken && (found == NULL || is_nearer)) found = candidate;
    }
    return found;
}
#endif

/* Returns the depth, 0 for a thread without Python frames, or -1 where the stack could not be read. `context` is what the
 * signal interrupted. */
int frames_walk_interrupted(PyThreadState *thread, LoadMethod method, const ucontext_t *context, Frame *frames,
                            int capacity, Coroutines *coroutines) {
    bool broken;
    coroutines->count = 0;
    if (thread == NULL) return 0;
#if PY_VERSION_HEX >= 0x030D0000
    (void)context;
    int depth = walk_from(thread->current_frame, method, frames, capacity, coroutines, &broken);
    return broken ? -1 : depth;
#else
    /* Between `tstate->cframe = &cframe` and `cframe.current_frame = frame` the newest cframe is rubbish: the one
     * below it is then the truth, one call short. `cframe.previous` may be written before or with the other. */
    const _PyCFrame *newest = thread->cframe;
    _PyCFrame copy;
    if (newest == NULL || !load_cframe(method, &copy, newest)) return -1;
    int depth = walk_from(copy.current_frame, method, frames, capacity, coroutines, &broken);
    if (!broken) return depth;
    const _PyCFrame *below = copy.previous;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (below != NULL && load_cframe(method, &copy, below)) {
            depth = walk_from(copy.current_frame, method, frames, capacity, coroutines, &broken);
            if (!broken) return depth;
        }
        below = find_cframe_below(thread, method, context, newest);
    }
    return -1;
#endif
}

/* Whether the frame had begun to run its own code. The interpreter's own tracebacks leave the others out too. Needs
 * the GIL and a living code object. */
bool frame_is_complete(const Frame *frame) {
    return frame->instruction >= frame->code->_co_firsttraceable * (int)sizeof(_Py_CODEUNIT);
}

/* (code, instruction, code, instruction, …), leaf first, of the frames that are complete. Needs the GIL. */
PyObject *frames_as_tuple(const Frame *frames, uint32_t depth) {
    PyObject *flat = PyList_New(0);
    for (uint32_t i = 0; flat != NULL && i < depth; i++) {
        if (!frame_is_complete(&frames[i])) continue;
        PyObject *instruction = PyLong_FromLong(frames[i].instruction);
        if (instruction == NULL || PyList_Append(flat, (PyObject *)frames[i].code) < 0 ||
            PyList_Append(flat, instruction) < 0)
            Py_CLEAR(flat);
        Py_XDECREF(instruction);
    }
    PyObject *tuple = flat == NULL ? NULL : PyList_AsTuple(flat);
    Py_XDECREF(flat);
    return tuple;
}
