/* A profile's samples, records and strings as fields of a document.
 *
 * The functions take Python's lists of records and arrays of numbers, and return bytes; nothing is kept. Records are
 * objects of any class with the attributes named in `conduit.profile.loops`. A number may have any value from -2**63
 * to 2**64 - 1; others raise ValueError. A field with the number 0 is left out, which is the format's default. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"
#include "output.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELD_BYTES = 1 + MAX_VARINT_BYTES, VARINT = 0, DELIMITED = 2, MAX_TYPES = 64 };

static bool refuse(const char *reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

/* ── messages ── */

/* Begin a field whose length is not known yet: one byte is reserved for it. NO_MESSAGE: an exception is set. */
#define NO_MESSAGE SIZE_MAX

static size_t begin_message(Output *output, unsigned field) {
    uint8_t *next = output_reserve(output, 2);
    if (next == NULL) return NO_MESSAGE;
    next[0] = (uint8_t)(field << 3 | DELIMITED);
    output->used += 2;
    return output->used;
}

/* Fill in the length; if it takes more than a byte, the content is moved. */
static bool end_message(Output *output, size_t start) {
    size_t size = output->used - start, more = number_size(size) - 1;
    if (output_reserve(output, more) == NULL) return false;
    uint8_t *content = (uint8_t *)PyBytes_AS_STRING(output->bytes) + start;
    if (more) memmove(content + more, content, size);
    put_number(content - 1, size);
    output->used += more;
    return true;
}

static bool add_number(Output *output, unsigned field, uint64_t value) {
    if (value == 0) return true;
    uint8_t *next = output_reserve(output, MAX_FIELD_BYTES);
    if (next == NULL) return false;
    *next++ = (uint8_t)(field << 3 | VARINT);
    output->used = (size_t)(put_number(next, value) - (uint8_t *)PyBytes_AS_STRING(output->bytes));
    return true;
}

/* ── attributes of records ── */

/* The 64 bits that stand for a number. */
static bool bits_of(PyObject *number, uint64_t *bits) {
    int overflow;
    *bits = (uint64_t)PyLong_AsLongLongAndOverflow(number, &overflow);
    if (!overflow) return *bits != UINT64_MAX || !PyErr_Occurred();
    if (overflow > 0) {
        *bits = PyLong_AsUnsignedLongLong(number);
        if (*bits != UINT64_MAX || !PyErr_Occurred()) return true;
        PyErr_Clear();
    }
    PyErr_Format(PyExc_ValueError, "the number %R does not fit into the 64 bits that a profile has for it", number);
    return false;
}

/* The index of a text in the table, where it is added if it is new. */
static bool index_of_text(PyObject *strings, PyObject *text, uint64_t *index) {
    PyObject *known = PyDict_GetItemWithError(strings, text);
    if (known != NULL) return bits_of(known, index);
    if (PyErr_Occurred()) return false;
    *index = (uint64_t)PyDict_Size(strings);
    PyObject *number = PyLong_FromUnsignedLongLong(*index);
    int failed = number == NULL || PyDict_SetItem(strings, text, number) < 0;
    Py_XDECREF(number);
    return !failed;
}

static bool add_attribute(Output *output, unsigned field, PyObject *record, PyObject *name, PyObject *strings) {
    PyObject *value = PyObject_GetAttr(record, name);
    if (value == NULL) return false;
    uint64_t bits;
    bool is_text = strings != NULL && PyUnicode_Check(value);
    bool good = is_text ? index_of_text(strings, value, &bits) : bits_of(value, &bits);
    Py_DECREF(value);
    return good && add_number(output, field, bits);
}

/* The id of a record that an attribute refers to; nothing where it is None. */
static bool add_reference(Output *output, unsigned field, PyObject *record, PyObject *name, PyObject *id) {
    PyObject *other = PyObject_GetAttr(record, name);
    if (other == NULL) return false;
    bool good = other == Py_None || add_attribute(output, field, other, id, NULL);
    Py_DECREF(other);
    return good;
}

static bool add_unknown(Output *output, PyObject *record, PyObject *name) {
    PyObject *bytes = PyObject_GetAttr(record, name);
    if (bytes == NULL) return false;
    bool good = PyBytes_Check(bytes) || refuse("unknown fields are not bytes");
    good = good && output_add_bytes(output, bytes);
    Py_DECREF(bytes);
    return good;
}

/* The names of attributes as objects; false: an exception is set. Freed with `free_names` in either case. */
static bool make_names(PyObject **names, const char *const *texts, size_t count) {
    memset(names, 0, count * sizeof *names);
    for (size_t i = 0; i < count; i++)
        if ((names[i] = PyUnicode_InternFromString(texts[i])) == NULL) return false;
    return true;
}

static void free_names(PyObject **names, size_t count) {
    for (size_t i = 0; i < count; i++) Py_CLEAR(names[i]);
}

static PyObject *finish(Output *output, bool good) {
    if (good) return output_take(output);
    output_clear(output);
    return NULL;
}

static bool write_message(Output *output, unsigned field, PyObject *record, PyObject *names, PyObject *unknown,
                          PyObject *strings) {
    size_t start = begin_message(output, field);
    bool good = start != NO_MESSAGE;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(names); i++)
        good = add_attribute(output, (unsigned)i + 1, record, PyTuple_GET_ITEM(names, i), strings);
    return good && add_unknown(output, record, unknown) && end_message(output, start);
}

static PyObject *write_messages(PyObject *module, PyObject *arguments) {
    (void)module;
    unsigned field;
    PyObject *records, *names, *strings;
    if (!PyArg_ParseTuple(arguments, "IO!O!O!", &field, &PyList_Type, &records, &PyTuple_Type, &names, &PyDict_Type,
                          &strings))
        return NULL;
    if (field < 1 || field > 15 || PyTuple_GET_SIZE(names) > 15) {
        refuse("expected a field from 1 to 15, and at most 15 attributes");
        return NULL;
    }
    PyObject *unknown = PyUnicode_InternFromString("unknown");
    Output output = {0};
    bool good = unknown != NULL;
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(records); i++) {
        PyObject *record = Py_NewRef(PyList_GET_ITEM(records, i));
        good = write_message(&output, field, record, names, unknown, strings);
        Py_DECREF(record);
    }
    Py_XDECREF(unknown);
    return finish(&output, good);
}

/* ── locations ── */

enum { ID, MAPPING, ADDRESS, LINES, IS_FOLDED, FUNCTION, LINE, COLUMN, UNKNOWN, NAMES };
static const char *const LOCATION_NAMES[NAMES] = {
    "id", "mapping", "address", "lines", "is_folded", "function", "line", "column", "unknown",
};

static bool write_line(Output *output, PyObject *line, PyObject **names) {
    size_t start = begin_message(output, 4);
    return start != NO_MESSAGE && add_reference(output, 1, line, names[FUNCTION], names[ID]) &&
           add_attribute(output, 2, line, names[LINE], NULL) && add_attribute(output, 3, line, names[COLUMN], NULL) &&
           add_unknown(output, line, names[UNKNOWN]) && end_message(output, start);
}

static bool write_lines(Output *output, PyObject *location, PyObject **names) {
    PyObject *lines = PyObject_GetAttr(location, names[LINES]);
    if (lines == NULL) return false;
    bool good = PyList_Check(lines) || refuse("a location's lines are not a list");
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(lines); i++) {
        PyObject *line = Py_NewRef(PyList_GET_ITEM(lines, i));
        good = write_line(output, line, names);
        Py_DECREF(line);
    }
    Py_DECREF(lines);
    return good;
}

static bool write_location(Output *output, PyObject *location, PyObject **names) {
    size_t start = begin_message(output, 4);
    return start != NO_MESSAGE && add_attribute(output, 1, location, names[ID], NULL) &&
           add_reference(output, 2, location, names[MAPPING], names[ID]) &&
           add_attribute(output, 3, location, names[ADDRESS], NULL) && write_lines(output, location, names) &&
           add_attribute(output, 5, location, names[IS_FOLDED], NULL) &&
           add_unknown(output, location, names[UNKNOWN]) && end_message(output, start);
}

static PyObject *write_locations(PyObject *module, PyObject *locations) {
    (void)module;
    if (!PyList_Check(locations)) {
        PyErr_SetString(PyExc_TypeError, "expected a list of locations");
        return NULL;
    }
    PyObject *names[NAMES];
    Output output = {0};
    bool good = make_names(names, LOCATION_NAMES, NAMES);
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(locations); i++) {
        PyObject *location = Py_NewRef(PyList_GET_ITEM(locations, i));
        good = write_location(&output, location, names);
        Py_DECREF(location);
    }
    free_names(names, NAMES);
    return finish(&output, good);
}

/* ── strings ── */

static bool write_string(Output *output, PyObject *text) {
    size_t start = begin_message(output, 6);
    if (start == NO_MESSAGE) return false;
    if (!PyUnicode_Check(text)) return refuse("a string is not a text");
    return output_add_text(output, text) && end_message(output, start);
}

static PyObject *write_strings(PyObject *module, PyObject *strings) {
    (void)module;
    if (!PyDict_Check(strings)) {
        PyErr_SetString(PyExc_TypeError, "expected a dict of texts");
        return NULL;
    }
    Output output = {0};
    bool good = true;
    PyObject *text, *index;
    for (Py_ssize_t at = 0; good && PyDict_Next(strings, &at, &text, &index);) good = write_string(&output, text);
    return finish(&output, good);
}

/* ── labels ── */

typedef struct {
    PyObject *key;
    const uint64_t *row; /* key, text, number, unit: indices of strings and the number's bits */
} Label;

typedef struct {
    const int64_t *runs;
    const uint64_t *rows;
    Py_ssize_t sets, row_count;
    PyObject *strings; /* the list that the rows refer to */
    uint32_t *index_of; /* by index in that list: index in the new table + 1, or 0 */
    PyObject *table;
    Label *labels; /* those of one set */
    size_t capacity;
} LabelWriter;

/* The order of labels: texts before numbers, then by key, then by row. */
static int compare_labels(const void *first, const void *second) {
    const Label *a = first, *b = second;
    bool a_is_text = a->row[1] != 0, b_is_text = b->row[1] != 0;
    if (a_is_text != b_is_text) return a_is_text ? -1 : 1;
    int order = a->key == b->key ? 0 : PyUnicode_Compare(a->key, b->key);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

static PyObject *string_at(const LabelWriter *writer, uint64_t index) {
    if (index >= (uint64_t)PyList_GET_SIZE(writer->strings)) {
        PyErr_SetString(PyExc_IndexError, "a label's string is beyond the table");
        return NULL;
    }
    PyObject *text = PyList_GET_ITEM(writer->strings, (Py_ssize_t)index);
    if (PyUnicode_Check(text)) return text;
    refuse("a string is not a text");
    return NULL;
}

static bool new_index(LabelWriter *writer, uint64_t old, uint64_t *index) {
    if (writer->index_of[old] == 0) {
        if (!index_of_text(writer->table, PyList_GET_ITEM(writer->strings, (Py_ssize_t)old), index)) return false;
        if (*index >= UINT32_MAX) return refuse("there are too many strings");
        writer->index_of[old] = (uint32_t)*index + 1;
    }
    *index = writer->index_of[old] - 1;
    return true;
}

/* A label with an empty text, or with 0 and no unit, is not written: in the format it is the same as no value. */
static bool write_label(LabelWriter *writer, Output *output, const Label *label) {
    uint64_t text = label->row[1], number = label->row[2], unit = label->row[3], key;
    PyObject *name = string_at(writer, text ? text : unit);
    if (name == NULL) return false;
    bool is_empty = PyUnicode_GET_LENGTH(name) == 0;
    if (is_empty && (text || !number)) return true;
    size_t start = begin_message(output, 3);
    if (start == NO_MESSAGE || !new_index(writer, label->row[0], &key) || !add_number(output, 1, key)) return false;
    if (text) {
        if (!new_index(writer, text, &text) || !add_number(output, 2, text)) return false;
    } else if (!add_number(output, 3, number) || !new_index(writer, unit, &unit) || !add_number(output, 4, unit)) {
        return false;
    }
    return end_message(output, start);
}

static PyObject *write_label_set(LabelWriter *writer, uint32_t set) {
    if (set >= (uint64_t)writer->sets) {
        refuse("there is no such set of labels");
        return NULL;
    }
    int64_t first = writer->runs[set], last = writer->runs[set + 1];
    if (first < 0 || last < first || last > writer->row_count) {
        refuse("the positions of the labels do not lie within their rows");
        return NULL;
    }
    size_t count = (size_t)(last - first);
    if (!array_reserve((void **)&writer->labels, &writer->capacity, count, sizeof(Label))) return PyErr_NoMemory();
    for (size_t i = 0; i < count; i++) {
        const uint64_t *row = writer->rows + 4 * ((size_t)first + i);
        writer->labels[i] = (Label){string_at(writer, row[0]), row};
        if (writer->labels[i].key == NULL) return NULL;
    }
    if (count > 1) qsort(writer->labels, count, sizeof(Label), compare_labels);
    Output output = {0};
    bool good = true;
    for (size_t i = 0; good && i < count; i++) good = write_label(writer, &output, &writer->labels[i]);
    return finish(&output, good);
}

static PyObject *write_label_sets(LabelWriter *writer, const uint32_t *label_of, Py_ssize_t samples) {
    PyObject *fields = PyList_New(writer->sets);
    for (Py_ssize_t i = 0; fields != NULL && i < writer->sets; i++)
        PyList_SET_ITEM(fields, i, PyBytes_FromStringAndSize(NULL, 0)); /* the one empty bytes object */
    for (Py_ssize_t i = 0; fields != NULL && i < samples; i++) {
        uint32_t set = label_of[i];
        if (set < (uint64_t)writer->sets && PyBytes_GET_SIZE(PyList_GET_ITEM(fields, set))) continue;
        PyObject *written = write_label_set(writer, set);
        if (written == NULL)
            Py_CLEAR(fields);
        else
            PyList_SetItem(fields, set, written);
    }
    return fields;
}

static PyObject *write_labels(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer runs, rows, label_of;
    LabelWriter writer = {0};
    if (!PyArg_ParseTuple(arguments, "y*y*O!y*O!", &runs, &rows, &PyList_Type, &writer.strings, &label_of,
                          &PyDict_Type, &writer.table))
        return NULL;
    PyObject *fields = NULL;
    writer.runs = runs.buf;
    writer.rows = rows.buf;
    writer.sets = runs.len / (Py_ssize_t)sizeof(int64_t) - 1;
    writer.row_count = rows.len / (Py_ssize_t)(4 * sizeof(uint64_t));
    writer.index_of = calloc((size_t)PyList_GET_SIZE(writer.strings) + 1, sizeof(uint32_t));
    if (writer.index_of == NULL)
        PyErr_NoMemory();
    else if (writer.sets < 0)
        refuse("the positions of the labels are missing");
    else
        fields = write_label_sets(&writer, label_of.buf, label_of.len / (Py_ssize_t)sizeof(uint32_t));
    free(writer.index_of);
    free(writer.labels);
    PyBuffer_Release(&runs);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&label_of);
    return fields;
}

/* ── samples ── */

typedef struct {
    uint8_t bytes[15];
    uint8_t size;
} EncodedId;

typedef struct {
    Stacks stacks;
    EncodedId *ids;
    size_t locations;
    const int64_t **columns;
    Py_ssize_t types;
    const uint32_t *label_of;
    PyObject *label_bytes; /* a list of bytes: the fields of each set */
} Writer;

static bool encode_ids(Writer *writer, const uint64_t *ids, size_t count) {
    writer->locations = count;
    writer->ids = malloc((count + 1) * sizeof(EncodedId));
    if (writer->ids == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < count; i++)
        writer->ids[i].size = (uint8_t)(put_number(writer->ids[i].bytes, ids[i]) - writer->ids[i].bytes);
    return true;
}

static bool size_of_stack(const Writer *writer, Py_ssize_t i, size_t *size) {
    const uint32_t *frames = writer->stacks.frames;
    *size = 0;
    for (int64_t k = writer->stacks.starts[i]; k < writer->stacks.stops[i]; k++) {
        if (frames[k] >= writer->locations) return refuse("a location's index is beyond the table");
        *size += writer->ids[frames[k]].size;
    }
    return true;
}

/* Each id is copied at its full width, which is quicker than copying its size: the output has room for one more. */
static uint8_t *put_stack(const Writer *writer, Py_ssize_t i, uint8_t *next) {
    const uint32_t *frames = writer->stacks.frames;
    for (int64_t k = writer->stacks.starts[i]; k < writer->stacks.stops[i]; k++) {
        const EncodedId *id = &writer->ids[frames[k]];
        memcpy(next, id, sizeof *id);
        next += id->size;
    }
    return next;
}

/* Append sample `i`. Empty lists of numbers are left out, as everywhere in the format. */
static bool write_sample(const Writer *writer, Output *output, Py_ssize_t i) {
    size_t stack_size, values_size = 0;
    if (!size_of_stack(writer, i, &stack_size)) return false;
    for (Py_ssize_t type = 0; type < writer->types; type++)
        values_size += number_size((uint64_t)writer->columns[type][i]);
    if (writer->label_of[i] >= (size_t)PyList_GET_SIZE(writer->label_bytes))
        return refuse("there is no such set of labels");
    PyObject *labels = PyList_GET_ITEM(writer->label_bytes, writer->label_of[i]);
    if (!PyBytes_Check(labels)) return refuse("a set of labels is not bytes");
    size_t label_size = (size_t)PyBytes_GET_SIZE(labels);
    size_t size = label_size + (stack_size ? 1 + number_size(stack_size) + stack_size : 0) +
                  (writer->types ? 1 + number_size(values_size) + values_size : 0);
    uint8_t *next = output_reserve(output, size + MAX_FIELD_BYTES + sizeof(EncodedId));
    if (next == NULL) return false;
    *next++ = 2 << 3 | DELIMITED;
    next = put_number(next, size);
    if (stack_size) {
        *next++ = 1 << 3 | DELIMITED;
        next = put_stack(writer, i, put_number(next, stack_size));
    }
    if (writer->types) {
        *next++ = 2 << 3 | DELIMITED;
        next = put_number(next, values_size);
        for (Py_ssize_t type = 0; type < writer->types; type++)
            next = put_number(next, (uint64_t)writer->columns[type][i]);
    }
    memcpy(next, PyBytes_AS_STRING(labels), label_size);
    output->used = (size_t)(next - (uint8_t *)PyBytes_AS_STRING(output->bytes)) + label_size;
    return true;
}

static PyObject *write_columns(PyObject *module, PyObject *arguments) {
    (void)module;
    Writer writer = {0};
    Py_buffer ids, label_of, values[MAX_TYPES];
    PyObject *columns;
    if (!PyArg_ParseTuple(arguments, "y*y*y*O!y*O!", &writer.stacks.bounds_buffer, &writer.stacks.frames_buffer, &ids,
                          &PyTuple_Type, &columns, &label_of, &PyList_Type, &writer.label_bytes))
        return NULL;
    const int64_t *opened[MAX_TYPES];
    Output output = {0};
    Py_ssize_t open = 0;
    bool good = open_stacks(&writer.stacks) && encode_ids(&writer, ids.buf, (size_t)ids.len / sizeof(uint64_t));
    writer.label_of = label_of.buf;
    writer.columns = opened;
    writer.types = PyTuple_GET_SIZE(columns);
    if (good && (writer.types > MAX_TYPES || label_of.len != writer.stacks.count * (Py_ssize_t)sizeof(uint32_t)))
        good = refuse("expected at most 64 columns, and one set of labels a sample");
    for (; good && open < writer.types; open++) {
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns, open), &values[open], PyBUF_SIMPLE) < 0) {
            good = false;
            break;
        }
        opened[open] = values[open].buf;
        if (values[open].len != writer.stacks.count * (Py_ssize_t)sizeof(int64_t))
            good = refuse("a column is too short");
    }
    for (Py_ssize_t i = 0; good && i < writer.stacks.count; i++) good = write_sample(&writer, &output, i);
    for (Py_ssize_t i = 0; i < open; i++) PyBuffer_Release(&values[i]);
    free(writer.ids);
    close_stacks(&writer.stacks);
    PyBuffer_Release(&ids);
    PyBuffer_Release(&label_of);
    return finish(&output, good);
}

PyMethodDef profile_writer_methods[] = {
    {"write_columns", write_columns, METH_VARARGS, NULL},
    {"write_labels", write_labels, METH_VARARGS, NULL},
    {"write_locations", write_locations, METH_O, NULL},
    {"write_messages", write_messages, METH_VARARGS, NULL},
    {"write_strings", write_strings, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
