/* A bytes object being written: it grows by doubling, and is handed out without a copy.
 *
 * Contract: `output_reserve` returns room for `more` bytes after those used, or NULL with an exception; the pointer
 * holds until the next call. `output_take` returns the object, cut to the bytes used, or NULL with an exception, and
 * leaves the output empty. `output_clear` drops it; a zeroed structure is an empty one. */
#ifndef CONDUIT_OUTPUT_H
#define CONDUIT_OUTPUT_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    PyObject *bytes;
    size_t used, capacity;
} Output;

static inline uint8_t *output_end(const Output *output) {
    return (uint8_t *)PyBytes_AS_STRING(output->bytes) + output->used;
}

static inline uint8_t *output_reserve(Output *output, size_t more) {
    if (LIKELY(output->capacity - output->used >= more && output->bytes != NULL)) return output_end(output);
    size_t larger = output->capacity ? output->capacity : 256;
    while (larger - output->used < more) {
        if (larger > PY_SSIZE_T_MAX / 2) {
            PyErr_NoMemory();
            return NULL;
        }
        larger *= 2;
    }
    if (output->bytes == NULL)
        output->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)larger);
    else if (_PyBytes_Resize(&output->bytes, (Py_ssize_t)larger) < 0)
        output->bytes = NULL;
    if (output->bytes == NULL) {
        *output = (Output){0};
        return NULL;
    }
    output->capacity = larger;
    return output_end(output);
}

/* The `output_add` functions append; false: an exception is set. */
static inline bool output_add(Output *output, const void *bytes, size_t size) {
    uint8_t *next = output_reserve(output, size);
    if (next == NULL) return false;
    memcpy(next, bytes, size);
    output->used += size;
    return true;
}

static inline bool output_add_bytes(Output *output, PyObject *bytes) {
    return output_add(output, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

/* A text in UTF-8, surrogates as the bytes that they stand for; half a character becomes a question mark. */
static inline bool output_add_text(Output *output, PyObject *text) {
    if (PyUnicode_IS_ASCII(text))
        return output_add(output, PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    if (bytes == NULL && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        PyErr_Clear();
        bytes = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    }
    bool good = bytes != NULL && output_add_bytes(output, bytes);
    Py_XDECREF(bytes);
    return good;
}

static inline PyObject *output_take(Output *output) {
    PyObject *bytes = output->bytes;
    size_t used = output->used;
    *output = (Output){0};
    if (bytes == NULL) return PyBytes_FromStringAndSize(NULL, 0);
    return _PyBytes_Resize(&bytes, (Py_ssize_t)used) < 0 ? NULL : bytes;
}

static inline void output_clear(Output *output) {
    Py_CLEAR(output->bytes);
    *output = (Output){0};
}

#endif
