/* Source lines of instructions, and symbols of machine code. */
#define _GNU_SOURCE
#include "native.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>

static PyObject *line_of(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *code;
    int instruction;
    if (!PyArg_ParseTuple(arguments, "O!i", &PyCode_Type, &code, &instruction)) return NULL;
    return PyLong_FromLong(PyCode_Addr2Line((PyCodeObject *)code, instruction));
}

/* Whether the symbol covers the address. For a static function, the symbol found is the nearest exported one before it,
 * which does not. */
static bool covers(const Dl_info *information, const ElfW(Sym) *symbol, uintptr_t address) {
    if (information->dli_sname == NULL || symbol == NULL) return false;
    return address - (uintptr_t)information->dli_saddr < symbol->st_size;
}

static bool is_interpreter(const Dl_info *information) {
    Dl_info interpreter, extension;
    if (dladdr((void *)(uintptr_t)&PyEval_EvalCode, &interpreter) == 0) return false;
    if (dladdr((void *)(uintptr_t)&line_of, &extension) == 0) return false;
    return information->dli_fbase == interpreter.dli_fbase || information->dli_fbase == extension.dli_fbase;
}

/* (file, symbol or ""), or None for addresses in the interpreter, in this extension, and in no file at all. */
static PyObject *symbol_of(PyObject *Py_UNUSED(module), PyObject *argument) {
    void *address = PyLong_AsVoidPtr(argument);
    Dl_info information;
    const ElfW(Sym) *symbol = NULL;
    if (address == NULL && PyErr_Occurred()) return NULL;
    if (dladdr1(address, &information, (void **)&symbol, RTLD_DL_SYMENT) == 0 || is_interpreter(&information))
        Py_RETURN_NONE;
    const char *name = covers(&information, symbol, (uintptr_t)address) ? information.dli_sname : "";
    return Py_BuildValue("(NN)", PyUnicode_DecodeFSDefault(information.dli_fname),
                         PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace"));
}

PyMethodDef symbol_methods[] = {
    {"line_of", line_of, METH_VARARGS,
     "line_of(code, instruction): the source line of an instruction, by byte offset."},
    {"symbol_of", symbol_of, METH_O,
     "symbol_of(address): (file, symbol or \"\") of machine code outside the interpreter."},
    {NULL, NULL, 0, NULL},
};
