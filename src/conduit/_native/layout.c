/* Where things lie in an interpreter of this very version: for reading another process's from outside.
 *
 * The numbers come from the interpreter's own headers at build time, so they hold for processes of the same minor version,
 * which whoever uses them has to make sure of. */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "native.h"

#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#include <stddef.h>

typedef struct {
    const char *name;
    size_t value;
} Place;

static const Place PLACES[] = {
    {"runtime.interpreters", offsetof(_PyRuntimeState, interpreters.head)},
    {"interpreter.next", offsetof(PyInterpreterState, next)},
    {"interpreter.threads", offsetof(PyInterpreterState, threads.head)},
    {"thread.next", offsetof(PyThreadState, next)},
    {"thread.native_id", offsetof(PyThreadState, native_thread_id)},
    /* Which frame a whole stack ends in: from 3.12 on one of the C stack, that holds no Python code. */
#if PY_VERSION_HEX >= 0x030C0000
    {"owner.of_root", FRAME_OWNED_BY_CSTACK},
    {"owner.of_entry", FRAME_OWNED_BY_CSTACK},
#else
    {"owner.of_root", FRAME_OWNED_BY_THREAD},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {"thread.frame", offsetof(PyThreadState, current_frame)},
    {"frame.code", offsetof(_PyInterpreterFrame, f_executable)},
    {"frame.instruction", offsetof(_PyInterpreterFrame, instr_ptr)},
#else
    {"thread.cframe", offsetof(PyThreadState, cframe)},
    {"cframe.frame", offsetof(_PyCFrame, current_frame)},
    {"frame.code", offsetof(_PyInterpreterFrame, f_code)},
    {"frame.instruction", offsetof(_PyInterpreterFrame, prev_instr)},
#endif
    {"frame.previous", offsetof(_PyInterpreterFrame, previous)},
    {"frame.owner", offsetof(_PyInterpreterFrame, owner)},
    {"frame.size", offsetof(_PyInterpreterFrame, localsplus)},
    {"object.type", offsetof(PyObject, ob_type)},
    {"code.filename", offsetof(PyCodeObject, co_filename)},
    {"code.qualname", offsetof(PyCodeObject, co_qualname)},
    {"code.linetable", offsetof(PyCodeObject, co_linetable)},
    {"code.first_line", offsetof(PyCodeObject, co_firstlineno)},
    {"code.first_traceable", offsetof(PyCodeObject, _co_firsttraceable)},
    {"code.instructions", offsetof(PyCodeObject, co_code_adaptive)},
    {"bytes.size", offsetof(PyVarObject, ob_size)},
    {"bytes.data", offsetof(PyBytesObject, ob_sval)},
    {"text.length", offsetof(PyASCIIObject, length)},
    {"text.state", offsetof(PyASCIIObject, state)},
    {"text.ascii_data", sizeof(PyASCIIObject)},
    {"text.data", sizeof(PyCompactUnicodeObject)},
};

static PyObject *layout(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    PyObject *places = PyDict_New();
    for (size_t i = 0; places != NULL && i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        PyObject *value = PyLong_FromSize_t(PLACES[i].value);
        if (value == NULL || PyDict_SetItemString(places, PLACES[i].name, value) < 0) Py_CLEAR(places);
        Py_XDECREF(value);
    }
    return places;
}

PyMethodDef layout_methods[] = {
    {"layout", layout, METH_NOARGS, "Offsets in the structures of an interpreter of this version, in bytes."},
    {NULL, NULL, 0, NULL},
};
