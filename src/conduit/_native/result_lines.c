/* Lines of benchmark results in the form that programs write, added to lists of values without an object for the line.
 *
 * A plain line is ASCII, `Benchmark` and the rest of the name, a count of at most 18 digits, then values and units in
 * pairs, with blanks and tabs between them. A value has digits and at most one point behind the first of them, and at
 * most 15 digits in all, so it is a whole number below 2**53 divided by an exact power of ten, and the division rounds
 * as parsing the text does. Every other line is left to the reader in Python. */
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_DIGITS = 15, MAX_COUNT_DIGITS = 18, MAX_VALUES = 32, MAX_KEY = 1024 };

typedef struct {
    const char *text;
    size_t size;
} Word;

typedef struct {
    char key[MAX_KEY]; /* the name and the units, with a tab before each unit */
    size_t key_size;
    double values[MAX_VALUES];
    size_t count;
} Line;

static const char PREFIX[] = "Benchmark";

/* The next word; false at the end of the line, and before a character that may be white space to other readers. */
static bool next_word(const char **next, const char *end, Word *word) {
    while (*next < end && (**next == ' ' || **next == '\t')) ++*next;
    const char *start = *next;
    while (*next < end && (unsigned char)**next > ' ') ++*next;
    *word = (Word){start, (size_t)(*next - start)};
    return word->size > 0 && (*next == end || **next == ' ' || **next == '\t');
}

static bool is_count(Word word) {
    if (word.size > MAX_COUNT_DIGITS) return false;
    for (size_t i = 0; i < word.size; i++)
        if (word.text[i] < '0' || word.text[i] > '9') return false;
    return true;
}

static bool read_value(Word word, double *value) {
    static const double POWERS[MAX_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t number = 0;
    size_t digits = 0, decimals = 0;
    bool has_point = false;
    for (size_t i = 0; i < word.size; i++) {
        char character = word.text[i];
        if (character == '.' && digits && !has_point) {
            has_point = true;
        } else if (character >= '0' && character <= '9' && digits < MAX_DIGITS) {
            number = 10 * number + (character - '0');
            digits++;
            decimals += has_point;
        } else {
            return false;
        }
    }
    *value = (double)number / POWERS[decimals];
    return digits > 0;
}

static bool add_to_key(Line *line, Word word, bool is_unit) {
    if (line->key_size + is_unit + word.size > MAX_KEY) return false;
    if (is_unit) line->key[line->key_size++] = '\t';
    memcpy(line->key + line->key_size, word.text, word.size);
    line->key_size += word.size;
    return true;
}

static bool is_at_end(const char *next, const char *end) {
    while (next < end && (*next == ' ' || *next == '\t')) next++;
    return next == end;
}

static bool read_plain_line(PyObject *text, Line *line) {
    if (!PyUnicode_Check(text) || !PyUnicode_IS_ASCII(text)) return false;
    const char *next = (const char *)PyUnicode_1BYTE_DATA(text), *end = next + PyUnicode_GET_LENGTH(text);
    Word word;
    if ((size_t)(end - next) < sizeof PREFIX - 1 || memcmp(next, PREFIX, sizeof PREFIX - 1) != 0) return false;
    line->key_size = line->count = 0;
    if (!next_word(&next, end, &word) || !add_to_key(line, word, false)) return false;
    if (!next_word(&next, end, &word) || !is_count(word)) return false;
    while (!is_at_end(next, end)) {
        if (line->count == MAX_VALUES || !next_word(&next, end, &word)) return false;
        if (!read_value(word, &line->values[line->count++])) return false;
        if (!next_word(&next, end, &word) || !add_to_key(line, word, true)) return false;
    }
    return line->count > 0;
}

/* Append the values; `plan` is (lists, factors), with None for a value that is left out. */
static bool add_values(PyObject *plan, const Line *line) {
    PyObject *lists, *factors;
    if (!PyTuple_Check(plan) || !PyArg_ParseTuple(plan, "O!O!", &PyTuple_Type, &lists, &PyTuple_Type, &factors)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a plan is (lists, factors)");
        return false;
    }
    if (PyTuple_GET_SIZE(lists) != (Py_ssize_t)line->count || PyTuple_GET_SIZE(factors) != (Py_ssize_t)line->count) {
        PyErr_SetString(PyExc_ValueError, "a plan has another number of values than the line");
        return false;
    }
    for (size_t i = 0; i < line->count; i++) {
        PyObject *list = PyTuple_GET_ITEM(lists, (Py_ssize_t)i);
        if (list == Py_None) continue;
        double factor = PyFloat_AsDouble(PyTuple_GET_ITEM(factors, (Py_ssize_t)i));
        PyObject *value = factor == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(line->values[i] * factor);
        int failed = value == NULL || PyList_Append(list, value) < 0;
        Py_XDECREF(value);
        if (failed) return false;
    }
    return true;
}

/* Return the number of the first line from `at` on that is left to Python, and its key if the line is plain but has no
 * plan. */
static PyObject *add_results(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *lines, *plans;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(arguments, "O!nO!", &PyList_Type, &lines, &at, &PyDict_Type, &plans)) return NULL;
    if (at < 0) return PyErr_Format(PyExc_ValueError, "there is no line %zd", at);
    Line line;
    for (; at < PyList_GET_SIZE(lines); at++) {
        if (!read_plain_line(PyList_GET_ITEM(lines, at), &line)) break;
        PyObject *key = PyUnicode_FromStringAndSize(line.key, (Py_ssize_t)line.key_size);
        if (key == NULL) return NULL;
        PyObject *plan = PyDict_GetItemWithError(plans, key);
        if (plan == NULL) return PyErr_Occurred() ? (Py_DECREF(key), NULL) : Py_BuildValue("(nN)", at, key);
        Py_DECREF(key);
        if (!add_values(plan, &line)) return NULL;
    }
    return Py_BuildValue("(nO)", at, Py_None);
}

PyMethodDef result_line_methods[] = {
    {"add_results", add_results, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
