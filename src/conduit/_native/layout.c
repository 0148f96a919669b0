/* The offsets that reading another process needs, for processes of the same minor version as this one. */
#include "python_layout.h"

typedef struct {
    const char *name;
    size_t value;
} LayoutEntry;

static const LayoutEntry LAYOUT[] = {
    {"runtime.interpreters", offsetof(_PyRuntimeState, interpreters.head)},
    {"interpreter.next", offsetof(PyInterpreterState, next)},
    {"interpreter.threads", offsetof(PyInterpreterState, threads.head)},
    {"thread.next", offsetof(PyThreadState, next)},
    {"thread.ident", offsetof(PyThreadState, thread_id)},
    {"thread.native_id", offsetof(PyThreadState, native_thread_id)},
    {"owner.of_root", LAYOUT_OWNER_OF_ROOT}, /* of the frame in which a whole stack ends */
#if PYTHON_HAS_ENTRY_FRAMES
    {"owner.of_entry", LAYOUT_OWNER_OF_ENTRY},
#endif
#if PYTHON_HAS_CFRAMES
    {"thread.cframe", offsetof(PyThreadState, cframe)},
    {"cframe.frame", offsetof(_PyCFrame, current_frame)},
#else
    {"thread.frame", offsetof(PyThreadState, current_frame)},
#endif
    {"frame.code", offsetof(_PyInterpreterFrame, LAYOUT_FRAME_CODE)},
    {"frame.instruction", offsetof(_PyInterpreterFrame, LAYOUT_FRAME_INSTRUCTION)},
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
    PyObject *offsets = PyDict_New();
    for (size_t i = 0; offsets != NULL && i < sizeof(LAYOUT) / sizeof(LAYOUT[0]); i++) {
        PyObject *value = PyLong_FromSize_t(LAYOUT[i].value);
        if (value == NULL || PyDict_SetItemString(offsets, LAYOUT[i].name, value) < 0) Py_CLEAR(offsets);
        Py_XDECREF(value);
    }
    return offsets;
}

PyMethodDef layout_methods[] = {
    {"layout", layout, METH_NOARGS, "Offsets in the structures of an interpreter of this version, in bytes."},
    {NULL, NULL, 0, NULL},
};
