/* Compact JSON with indentation, in one pass over the text, as `msgspec.json.format(text, indent=2)` writes it.
 *
 * The text is JSON of our own writing, and is not checked: only brackets, commas and colons outside of strings count.
 * Only bytes inside the buffer are read. More than 500 levels, unbalanced brackets, or a string without an end are a
 * ValueError. */
#include "native.h"
#include "output.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DEPTH_LIMIT = 500 };

static bool add_line(Output *json, int depth) {
    uint8_t *room = output_reserve(json, 1 + 2 * (size_t)depth);
    if (room == NULL) return false;
    room[0] = '\n';
    memset(room + 1, ' ', 2 * (size_t)depth);
    json->used += 1 + 2 * (size_t)depth;
    return true;
}

/* The end of the string that begins at `at`, behind its closing quote; NULL without one. */
static const char *end_of_string(const char *at, const char *end) {
    for (at++; at < end; at++) {
        if (*at == '"') return at + 1;
        if (*at == '\\') at++;
    }
    return NULL;
}

static bool is_plain(char byte) {
    return strchr("\"{}[],:", byte) == NULL; /* a zero is not */
}

static bool indent(Output *json, const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        const char *next = at + 1;
        if (*at == '"') {
            next = end_of_string(at, end);
            if (next == NULL) break;
        } else {
            while (is_plain(*at) && next < end && is_plain(*next)) next++;
        }
        bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';
        if (closes && (depth == 0 || !add_line(json, --depth))) break;
        if (!output_add(json, at, (size_t)(next - at))) return false;
        if (opens && next < end && (*next == '}' || *next == ']')) {
            if (!output_add(json, next++, 1)) return false;
        } else if (opens && (++depth > DEPTH_LIMIT || !add_line(json, depth))) {
            break;
        }
        if (*at == ',' && !add_line(json, depth)) return false;
        if (*at == ':' && !output_add(json, " ", 1)) return false;
        at = next;
    }
    if (at == end && depth == 0) return true;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected JSON without whitespace, at most 500 deep");
    return false;
}

static PyObject *indented_json(PyObject *Py_UNUSED(module), PyObject *text) {
    if (!PyBytes_Check(text))
        return PyErr_Format(PyExc_TypeError, "expected bytes, got %s", Py_TYPE(text)->tp_name);
    const char *start = PyBytes_AS_STRING(text);
    Output json = {0};
    if (indent(&json, start, start + PyBytes_GET_SIZE(text))) return output_take(&json);
    output_clear(&json);
    return NULL;
}

PyMethodDef json_text_methods[] = {
    {"indented_json", indented_json, METH_O, "indented_json(text): compact JSON with two blanks for each level."},
    {NULL, NULL, 0, NULL},
};
