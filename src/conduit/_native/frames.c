/* Walks over the Python stack of a thread.
 *
 * `frames_walk` is for a thread at rest in a call of ours: its frames are whole, and stay so even without the GIL,
 * because only their own thread pops them. `frames_walk_interrupted` is for signal handlers, where any pointer may
 * be invalid: it loads through safe_load, and accepts a code object only if its type and its reference count are
 * those of one. */
#include "python_layout.h"

#include "frames.h"
#include "registers.h"

#include <string.h>

#define WORDS_OF(bytes) (((bytes) + sizeof(uintptr_t) - 1) / sizeof(uintptr_t))
#define FRAME_WORDS WORDS_OF(offsetof(_PyInterpreterFrame, localsplus))
#define MAX_STACK_SIZE ((uintptr_t)1 << 30)

/* Room for a frame's fixed part; the values on its stack are not copied. */
typedef union {
    uintptr_t words[FRAME_WORDS];
    _PyInterpreterFrame frame;
} FrameCopy;

int frames_walk(PyThreadState *thread, Frame *frames, int capacity) {
    if (thread == NULL) return 0;
    int depth = 0;
    for (const _PyInterpreterFrame *frame = layout_newest_frame(thread); frame != NULL && depth < capacity;
         frame = frame->previous) {
        PyObject *executable = layout_executable(frame);
        if (layout_is_entry(frame) || executable == NULL || !PyCode_Check(executable)) continue;
        PyCodeObject *code = (PyCodeObject *)executable;
        frames[depth++] = (Frame){code, layout_instruction(frame, code)};
    }
    return depth;
}

int frames_walk_raw(PyThreadState *thread, Frame *frames, int capacity) {
    if (thread == NULL) return 0;
    int depth = 0;
    for (const _PyInterpreterFrame *frame = layout_newest_frame(thread); frame != NULL && depth < capacity;
         frame = frame->previous) {
        if (layout_is_entry(frame)) continue;
        PyCodeObject *code = (PyCodeObject *)layout_executable(frame);
        frames[depth++] = (Frame){code, layout_instruction(frame, code)};
    }
    return depth;
}

static bool may_be_code(LoadMethod method, const PyObject *object) {
    uintptr_t copy[WORDS_OF(sizeof(PyObject))];
    if (object == NULL || ((uintptr_t)object & 7) != 0) return false;
    if (!safe_load(method, copy, object, sizeof copy / sizeof copy[0])) return false;
    PyObject head;
    memcpy(&head, copy, sizeof head);
    return layout_is_code(&head);
}

/* A generator's frame lies inside the generator object. If there are more than fit, the outermost are kept. */
static void note_coroutine(const _PyInterpreterFrame *frame, Coroutines *coroutines) {
    int room = (int)(sizeof coroutines->addresses / sizeof coroutines->addresses[0]);
    if (coroutines->count == room) {
        memmove(&coroutines->addresses[0], &coroutines->addresses[1], sizeof coroutines->addresses - sizeof(uintptr_t));
        coroutines->count--;
    }
    coroutines->addresses[coroutines->count++] = (uintptr_t)frame - offsetof(PyGenObject, gi_iframe);
}

/* Walk from `at` to the root, or to the first frame that is not valid; `broken` tells which. */
static int walk_from(const _PyInterpreterFrame *at, LoadMethod method, Frame *frames, int capacity,
                     Coroutines *coroutines, bool *broken) {
    int depth = 0;
    *broken = false;
    coroutines->count = 0;
    /* Entry frames are steps too. The bound ends a walk over invalid frames that point at one another. */
    for (int steps = 0; at != NULL && depth < capacity && steps < 2 * MAX_DEPTH; steps++) {
        FrameCopy copy;
        if (((uintptr_t)at & 7) != 0 || !safe_load(method, copy.words, at, FRAME_WORDS)) {
            *broken = true;
            return depth;
        }
        if (copy.frame.owner == FRAME_OWNED_BY_GENERATOR) note_coroutine(at, coroutines);
        at = copy.frame.previous;
        if (layout_is_entry(&copy.frame)) continue;
        PyObject *executable = layout_executable(&copy.frame);
        if (!may_be_code(method, executable)) {
            *broken = true;
            return depth;
        }
        PyCodeObject *code = (PyCodeObject *)executable;
        int32_t instruction = layout_instruction(&copy.frame, code);
        frames[depth++] = (Frame){code, instruction};
    }
    return depth;
}

#if PYTHON_HAS_CFRAMES
static bool load_cframe(LoadMethod method, _PyCFrame *copy, const _PyCFrame *from) {
    uintptr_t words[WORDS_OF(sizeof(_PyCFrame))];
    if (((uintptr_t)from & 7) != 0 || !safe_load(method, words, from, sizeof words / sizeof words[0])) return false;
    memcpy(copy, words, sizeof *copy);
    return true;
}

/* A cframe lies on the C stack above all newer ones, and only the oldest is in the thread's own state. */
static bool may_be_older(const PyThreadState *thread, uintptr_t candidate, uintptr_t newer) {
    if (candidate == (uintptr_t)&thread->root_cframe) return true;
    return candidate > newer && candidate - newer < MAX_STACK_SIZE;
}

/* Find the cframe below the newest one when nothing of the newest has been written yet, not even its link to the one
 * below. That link is written next, so the address is in a register. Return the nearest one from which a stack can be
 * walked, or NULL. */
static const _PyCFrame *find_cframe_below(const PyThreadState *thread, LoadMethod method, const ucontext_t *context,
                                          const _PyCFrame *newest) {
    uintptr_t words[MAX_REGISTERS];
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

int frames_walk_interrupted(PyThreadState *thread, LoadMethod method, const ucontext_t *context, Frame *frames,
                            int capacity, Coroutines *coroutines) {
    bool broken;
    coroutines->count = 0;
    if (thread == NULL) return 0;
#if PYTHON_HAS_CFRAMES
    /* Between `tstate->cframe = &cframe` and `cframe.current_frame = frame` the newest cframe is not filled yet: the
     * one below it has the stack without the newest call. `cframe.previous` may be written before or with the other. */
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
#else
    (void)context;
    int depth = walk_from(thread->current_frame, method, frames, capacity, coroutines, &broken);
    return broken ? -1 : depth;
#endif
}

bool frame_is_complete(const Frame *frame) {
    return frame->instruction >= frame->code->_co_firsttraceable * (int)sizeof(_Py_CODEUNIT);
}

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
