/* A profile's samples as columns, and its records, read from the wire.
 *
 * `bounds` holds n positions (int64) in `frames` at which the stacks start, and n at which they stop; `frames` holds
 * location indices (uint32), leaf first, those of equal stacks once; each column of values is n int64. Everything here
 * works on whole arrays that Python owns and passes as buffers; nothing is kept.
 *
 * `scan_profile` and `read_columns` read only the form that writers use, and return None for anything else, including
 * malformed input: the reader in Python, which has every rule and error message, then reads it. Input may be hostile: a
 * length is compared with the remaining bytes before anything is read, an index with its table before it is used. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"
#include "output.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_FIELD = 15, SAMPLE_FIELD = 2, STRING_FIELD = 6, COMMENT_FIELD = 13 };
enum { TIME_FIELD = 9, DURATION_FIELD = 10, PERIOD_FIELD = 12 }; /* these have a sign */

/* ── the top level ── */

typedef struct {
    PyObject *spans[MAX_FIELD + 1]; /* lists of (start, stop); NULL for fields that are not kept as spans */
    PyObject *strings;
    PyObject *numbers; /* (field, start, value) */
    int64_t *samples;
    size_t sample_numbers, sample_capacity; /* two numbers for each sample */
    Py_ssize_t limit;
    bool has_time;
} Scan;

static bool append_new(PyObject *list, PyObject *item) {
    if (item == NULL) return false;
    int failed = PyList_Append(list, item);
    Py_DECREF(item);
    return !failed;
}

static bool scan_string(Scan *scan, Wire content) {
    if (PyList_GET_SIZE(scan->strings) == 0 && content.next != content.end) return false;
    if (PyList_GET_SIZE(scan->strings) >= scan->limit) return false;
    return append_new(scan->strings,
                      PyUnicode_DecodeUTF8((const char *)content.next, content.end - content.next, "surrogateescape"));
}

static PyObject *new_number(uint64_t bits, bool has_sign) {
    return has_sign ? PyLong_FromLongLong((int64_t)bits) : PyLong_FromUnsignedLongLong(bits);
}

static bool scan_number(Scan *scan, unsigned field, uint64_t value, Py_ssize_t start) {
    if (field < 7 || field == 11 || PyList_GET_SIZE(scan->numbers) >= scan->limit) return false;
    if (field == TIME_FIELD) {
        if (scan->has_time) return false;
        scan->has_time = value != 0;
    }
    bool has_sign = field == TIME_FIELD || field == DURATION_FIELD || field == PERIOD_FIELD;
    return append_new(scan->numbers, Py_BuildValue("(InN)", field, start, new_number(value, has_sign)));
}

static bool scan_message(Scan *scan, unsigned field, Wire content, Py_ssize_t start, const uint8_t *first) {
    if (field == STRING_FIELD) return scan_string(scan, content);
    if (field == COMMENT_FIELD) {
        for (uint64_t value; content.next < content.end;)
            if (!read_number(&content, &value) || !scan_number(scan, field, value, start)) return false;
        return true;
    }
    if (field == SAMPLE_FIELD) {
        if (scan->sample_numbers / 2 >= (size_t)scan->limit) return false;
        if (!array_reserve((void **)&scan->samples, &scan->sample_capacity, scan->sample_numbers + 2,
                           sizeof(int64_t))) {
            PyErr_NoMemory();
            return false;
        }
        scan->samples[scan->sample_numbers++] = content.next - first;
        scan->samples[scan->sample_numbers++] = content.end - first;
        return true;
    }
    if (scan->spans[field] == NULL || PyList_GET_SIZE(scan->spans[field]) >= scan->limit) return false;
    return append_new(scan->spans[field], Py_BuildValue("(nn)", content.next - first, content.end - first));
}

static bool scan_fields(Scan *scan, Wire wire) {
    const uint8_t *first = wire.next;
    while (wire.next < wire.end) {
        const uint8_t *start = wire.next;
        uint8_t tag = *wire.next++;
        unsigned field = tag >> 3, kind = tag & 7;
        if (tag >= 0x80 || field == 0) return false;
        if (kind == 2) {
            Wire content;
            if (!read_content(&wire, &content) || !scan_message(scan, field, content, start - first, first))
                return false;
        } else {
            uint64_t value;
            if (kind != 0 || !read_number(&wire, &value) || !scan_number(scan, field, value, start - first))
                return false;
        }
    }
    return true;
}

static PyObject *scan_profile(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *data;
    Scan scan = {0};
    if (!PyArg_ParseTuple(arguments, "Sn", &data, &scan.limit)) return NULL;
    static const unsigned KEPT[] = {1, 3, 4, 5, 11};
    PyObject *result = NULL, *samples = NULL;
    bool made = (scan.strings = PyList_New(0)) != NULL && (scan.numbers = PyList_New(0)) != NULL;
    for (size_t i = 0; made && i < sizeof KEPT / sizeof *KEPT; i++)
        made = (scan.spans[KEPT[i]] = PyList_New(0)) != NULL;
    if (!made) goto done;
    const uint8_t *first = (const uint8_t *)PyBytes_AS_STRING(data);
    if (!scan_fields(&scan, (Wire){first, first + PyBytes_GET_SIZE(data)})) {
        if (!PyErr_Occurred()) result = Py_NewRef(Py_None);
        goto done;
    }
    samples =
        PyBytes_FromStringAndSize((const char *)scan.samples, (Py_ssize_t)(scan.sample_numbers * sizeof(int64_t)));
    if (samples != NULL)
        result = Py_BuildValue("((OOOOO)OOO)", scan.spans[1], scan.spans[3], scan.spans[4], scan.spans[5],
                               scan.spans[11], scan.strings, scan.numbers, samples);
done:
    Py_XDECREF(samples);
    Py_XDECREF(scan.strings);
    Py_XDECREF(scan.numbers);
    for (size_t i = 0; i <= MAX_FIELD; i++) Py_XDECREF(scan.spans[i]);
    free(scan.samples);
    return result;
}

/* ── the samples ── */

enum { LABEL_NUMBERS = 4, MAX_TYPES = 64, MAX_PROBES = 256 }; /* a label: key, text, number, unit */

/* Distinct runs of bytes of the document, by number. */
typedef struct {
    Wire *rows;
    size_t capacity;
    uint32_t count;
    HashIndex index;
} KnownRows;

typedef struct {
    const uint32_t *index_of; /* by location id: index + 1, 0 where there is none */
    uint64_t ids;
    Py_ssize_t types, samples;
    uint64_t strings;
    PyObject *bounds, *label_of, *values[MAX_TYPES]; /* bytes that are being filled */
    Output frames;
    size_t frame_count, max_frames; /* equal stacks counted separately */
    KnownRows stacks;
    Py_ssize_t *first_of; /* by distinct stack: the first sample that has it */
    size_t first_capacity;
    KnownRows label_sets; /* the label fields of a set, with their tags */
    size_t label_count, max_labels;
    Output label_runs, label_rows;
} Reader;

static int64_t *numbers_in(PyObject *bytes) { return (int64_t *)PyBytes_AS_STRING(bytes); }

static uint32_t hash_of_bytes(Wire bytes) {
    uint64_t hash = (uint64_t)(bytes.end - bytes.next);
    while (bytes.end - bytes.next >= 8) {
        uint64_t word;
        memcpy(&word, bytes.next, 8);
        hash = hash_mix(hash, word);
        bytes.next += 8;
    }
    while (bytes.next < bytes.end) hash = hash_mix(hash, *bytes.next++);
    return (uint32_t)hash_mix(hash, 1);
}

/* Find the number of these bytes, and add them if they are new. After many collisions, which only hostile input has,
 * they are not put into the index. */
static bool find_row(KnownRows *known, Wire row, uint32_t *number) {
    uint32_t hash = hash_of_bytes(row), probe = 0;
    size_t size = (size_t)(row.end - row.next);
    for (uint32_t found; (found = hash_index_next(&known->index, hash, &probe)) != HASH_NO_ENTRY;) {
        Wire other = known->rows[found];
        if ((size_t)(other.end - other.next) == size && (size == 0 || !memcmp(other.next, row.next, size))) {
            *number = found;
            return true;
        }
    }
    if (!hash_index_reserve(&known->index) ||
        !array_reserve((void **)&known->rows, &known->capacity, (size_t)known->count + 1, sizeof(Wire))) {
        PyErr_NoMemory();
        return false;
    }
    if (probe < MAX_PROBES) hash_index_add(&known->index, hash, known->count);
    known->rows[known->count] = row;
    *number = known->count++;
    return true;
}

static void clear_rows(KnownRows *known) {
    free(known->rows);
    hash_index_clear(&known->index);
}

/* Append the frames of a stack. */
static bool read_frames(Reader *reader, Wire packed) {
    size_t most = (size_t)(packed.end - packed.next);
    uint32_t *frames = (uint32_t *)output_reserve(&reader->frames, most * sizeof(uint32_t)), *next = frames;
    if (frames == NULL) return false;
    while (packed.next < packed.end) {
        uint64_t id;
        if (!read_any_number(&packed, &id) || id >= reader->ids || reader->index_of[id] == 0) return false;
        *next++ = reader->index_of[id] - 1;
    }
    reader->frames.used += (size_t)(next - frames) * sizeof(uint32_t);
    return true;
}

/* Note the position of a sample's frames: those of an equal stack, or newly added ones. */
static bool read_stack(Reader *reader, Wire packed, Py_ssize_t sample) {
    int64_t *starts = numbers_in(reader->bounds), *stops = starts + reader->samples;
    uint32_t before = reader->stacks.count, number;
    if (!find_row(&reader->stacks, packed, &number)) return false;
    if (number < before) {
        starts[sample] = starts[reader->first_of[number]];
        stops[sample] = stops[reader->first_of[number]];
    } else {
        if (!array_reserve((void **)&reader->first_of, &reader->first_capacity, (size_t)number + 1,
                           sizeof(Py_ssize_t))) {
            PyErr_NoMemory();
            return false;
        }
        reader->first_of[number] = sample;
        starts[sample] = (int64_t)(reader->frames.used / sizeof(uint32_t));
        if (!read_frames(reader, packed)) return false;
        stops[sample] = (int64_t)(reader->frames.used / sizeof(uint32_t));
    }
    reader->frame_count += (size_t)(stops[sample] - starts[sample]);
    return reader->frame_count <= reader->max_frames;
}

static bool read_values(Reader *reader, Wire packed, Py_ssize_t sample) {
    for (Py_ssize_t type = 0; type < reader->types; type++) {
        uint64_t value;
        if (!read_any_number(&packed, &value)) return false;
        numbers_in(reader->values[type])[sample] = (int64_t)value;
    }
    return packed.next == packed.end;
}

/* One sample in the usual form: at most one packed stack, one packed row of values, then labels without a gap. */
static bool read_sample_row(Reader *reader, Wire wire, Py_ssize_t sample) {
    bool has_stack = false, has_values = false;
    Wire labels = {wire.end, wire.end};
    while (wire.next < wire.end) {
        const uint8_t *start = wire.next;
        uint8_t tag = *wire.next++;
        Wire content;
        if (!read_content(&wire, &content)) return false;
        if (tag == 0x0A && !has_stack && labels.next == labels.end) {
            has_stack = true;
            if (!read_stack(reader, content, sample)) return false;
        } else if (tag == 0x12 && !has_values && labels.next == labels.end) {
            has_values = true;
            if (!read_values(reader, content, sample)) return false;
        } else if (tag == 0x1A) {
            if (labels.next == labels.end) labels = (Wire){start, start};
            labels.end = wire.next;
            if (++reader->label_count > reader->max_labels) return false;
        } else {
            return false;
        }
    }
    if (!has_stack) numbers_in(reader->bounds)[sample] = numbers_in(reader->bounds)[reader->samples + sample] = 0;
    uint32_t *label_of = (uint32_t *)PyBytes_AS_STRING(reader->label_of) + sample;
    return has_values && find_row(&reader->label_sets, labels, label_of);
}

/* A message of numbers: fields 1 to `count` into `numbers`; false for any other form. */
static bool read_plain_numbers(Wire wire, uint64_t *numbers, unsigned count) {
    while (wire.next < wire.end) {
        uint8_t tag = *wire.next++;
        if (tag >= 0x80 || (tag & 7) != 0 || tag >> 3 == 0 || tag >> 3 > count) return false;
        if (!read_number(&wire, &numbers[(tag >> 3) - 1])) return false;
    }
    return true;
}

/* Append a label, unless it has neither text nor number nor unit: key and text, or else key, number and unit. */
static bool read_label(Reader *reader, Wire content) {
    uint64_t label[LABEL_NUMBERS] = {0};
    if (!read_plain_numbers(content, label, LABEL_NUMBERS)) return false;
    if (label[0] >= reader->strings || label[1] >= reader->strings || label[3] >= reader->strings) return false;
    if (label[1]) label[2] = label[3] = 0;
    if (!label[1] && !label[2] && !label[3]) return true;
    uint8_t *next = output_reserve(&reader->label_rows, sizeof label);
    if (next == NULL) return false;
    memcpy(next, label, sizeof label);
    reader->label_rows.used += sizeof label;
    return true;
}

/* The labels of the distinct sets, one after another, and the position at which each set begins. */
static bool read_label_sets(Reader *reader) {
    size_t size = ((size_t)reader->label_sets.count + 1) * sizeof(int64_t);
    int64_t *runs = (int64_t *)output_reserve(&reader->label_runs, size);
    if (runs == NULL) return false;
    reader->label_runs.used += size;
    *runs = 0;
    for (uint32_t i = 0; i < reader->label_sets.count; i++) {
        Wire wire = reader->label_sets.rows[i], content;
        while (wire.next < wire.end) {
            wire.next++; /* the tag */
            if (!read_content(&wire, &content) || !read_label(reader, content)) return false;
        }
        runs[i + 1] = (int64_t)(reader->label_rows.used / (LABEL_NUMBERS * sizeof(uint64_t)));
    }
    return true;
}

static bool make_columns(Reader *reader) {
    Py_ssize_t samples = reader->samples;
    reader->bounds = PyBytes_FromStringAndSize(NULL, 2 * samples * (Py_ssize_t)sizeof(int64_t));
    reader->label_of = PyBytes_FromStringAndSize(NULL, samples * (Py_ssize_t)sizeof(uint32_t));
    if (reader->bounds == NULL || reader->label_of == NULL) return false;
    for (Py_ssize_t type = 0; type < reader->types; type++) {
        reader->values[type] = PyBytes_FromStringAndSize(NULL, samples * (Py_ssize_t)sizeof(int64_t));
        if (reader->values[type] == NULL) return false;
    }
    return true;
}

static bool read_all(Reader *reader, const uint8_t *first, Py_ssize_t size, const int64_t *spans) {
    for (Py_ssize_t i = 0; i < reader->samples; i++) {
        int64_t start = spans[2 * i], stop = spans[2 * i + 1];
        if (start < 0 || stop < start || stop > size) return false;
        if (!read_sample_row(reader, (Wire){first + start, first + stop}, i)) return false;
    }
    return read_label_sets(reader);
}

static PyObject *columns_result(Reader *reader) {
    PyObject *frames = output_take(&reader->frames), *values = PyTuple_New(reader->types);
    PyObject *runs = output_take(&reader->label_runs), *rows = output_take(&reader->label_rows), *result = NULL;
    if (frames != NULL && values != NULL && runs != NULL && rows != NULL) {
        for (Py_ssize_t type = 0; type < reader->types; type++)
            PyTuple_SET_ITEM(values, type, Py_NewRef(reader->values[type]));
        result = PyTuple_Pack(6, reader->bounds, frames, values, reader->label_of, runs, rows);
    }
    Py_XDECREF(frames);
    Py_XDECREF(values);
    Py_XDECREF(runs);
    Py_XDECREF(rows);
    return result;
}

static PyObject *read_columns(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer data, spans, index_of;
    Py_ssize_t types, strings, max_frames, max_labels;
    if (!PyArg_ParseTuple(arguments, "y*y*y*nnnn", &data, &spans, &index_of, &types, &strings, &max_frames,
                          &max_labels))
        return NULL;
    Reader reader = {
        .index_of = index_of.buf,
        .ids = (uint64_t)index_of.len / sizeof(uint32_t),
        .types = types,
        .samples = spans.len / (Py_ssize_t)(2 * sizeof(int64_t)),
        .strings = (uint64_t)strings,
        .max_frames = (size_t)max_frames,
        .max_labels = (size_t)max_labels,
    };
    PyObject *result = NULL;
    if (types < 1 || types > MAX_TYPES || strings < 0 || max_frames < 0 || max_labels < 0)
        PyErr_SetString(PyExc_ValueError, "expected 1 to 64 sample types, and limits that are not negative");
    else if (make_columns(&reader) && read_all(&reader, data.buf, data.len, spans.buf))
        result = columns_result(&reader);
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    Py_XDECREF(reader.bounds);
    Py_XDECREF(reader.label_of);
    for (size_t type = 0; type < MAX_TYPES; type++) Py_XDECREF(reader.values[type]);
    output_clear(&reader.frames);
    output_clear(&reader.label_runs);
    output_clear(&reader.label_rows);
    free(reader.first_of);
    clear_rows(&reader.stacks);
    clear_rows(&reader.label_sets);
    PyBuffer_Release(&data);
    PyBuffer_Release(&spans);
    PyBuffer_Release(&index_of);
    return result;
}

/* ── locations ── */

static PyObject *read_line(Wire wire) {
    uint64_t numbers[3] = {0}; /* function, line, column */
    if (!read_plain_numbers(wire, numbers, 3)) return NULL;
    return Py_BuildValue("(KLL)", (unsigned long long)numbers[0], (long long)numbers[1], (long long)numbers[2]);
}

/* (id, mapping, address, is folded, lines); NULL, with or without an exception. */
static PyObject *read_location(Wire wire, Py_ssize_t *lines_left) {
    uint64_t numbers[5] = {0};
    PyObject *lines = PyList_New(0);
    while (lines != NULL && wire.next < wire.end) {
        uint8_t tag = *wire.next++;
        Wire content;
        bool good;
        if (tag == 0x22)
            good = --*lines_left >= 0 && read_content(&wire, &content) && append_new(lines, read_line(content));
        else
            good = tag < 0x80 && (tag & 7) == 0 && tag >> 3 >= 1 && tag >> 3 <= 5 && tag >> 3 != 4 &&
                   read_number(&wire, &numbers[(tag >> 3) - 1]);
        if (!good) Py_CLEAR(lines);
    }
    if (lines == NULL) return NULL;
    return Py_BuildValue("(KKKNN)", (unsigned long long)numbers[0], (unsigned long long)numbers[1],
                         (unsigned long long)numbers[2], PyBool_FromLong(numbers[4] != 0), lines);
}

/* The bytes of a span (start, stop) of the document. */
static bool open_span(PyObject *data, PyObject *span, Wire *wire) {
    Py_ssize_t start, stop;
    if (!PyTuple_Check(span) || !PyArg_ParseTuple(span, "nn", &start, &stop)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a span is a pair of positions");
        return false;
    }
    if (start < 0 || stop < start || stop > PyBytes_GET_SIZE(data)) {
        PyErr_SetString(PyExc_ValueError, "a span does not lie within the document");
        return false;
    }
    const uint8_t *first = (const uint8_t *)PyBytes_AS_STRING(data);
    *wire = (Wire){first + start, first + stop};
    return true;
}

static PyObject *read_locations(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *data, *spans;
    Py_ssize_t lines_left;
    if (!PyArg_ParseTuple(arguments, "SO!n", &data, &PyList_Type, &spans, &lines_left)) return NULL;
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(spans); i++) {
        Wire wire;
        if (!open_span(data, PyList_GET_ITEM(spans, i), &wire) || !append_new(rows, read_location(wire, &lines_left)))
            Py_CLEAR(rows);
    }
    if (rows == NULL && !PyErr_Occurred()) return Py_NewRef(Py_None);
    return rows;
}

/* ── messages of numbers ── */

static PyObject *read_message(Wire wire, unsigned count, unsigned with_sign) {
    uint64_t numbers[MAX_FIELD] = {0};
    if (!read_plain_numbers(wire, numbers, count)) return NULL;
    PyObject *row = PyTuple_New(count);
    for (unsigned i = 0; row != NULL && i < count; i++) {
        PyObject *number = new_number(numbers[i], i + 1 == with_sign);
        if (number == NULL)
            Py_CLEAR(row);
        else
            PyTuple_SET_ITEM(row, i, number);
    }
    return row;
}

static PyObject *read_messages(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *data, *spans;
    unsigned count, with_sign;
    if (!PyArg_ParseTuple(arguments, "SO!II", &data, &PyList_Type, &spans, &count, &with_sign)) return NULL;
    if (count > MAX_FIELD) return PyErr_Format(PyExc_ValueError, "expected at most 15 fields, found %u", count);
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(spans); i++) {
        Wire wire;
        if (!open_span(data, PyList_GET_ITEM(spans, i), &wire) ||
            !append_new(rows, read_message(wire, count, with_sign)))
            Py_CLEAR(rows);
    }
    if (rows == NULL && !PyErr_Occurred()) return Py_NewRef(Py_None);
    return rows;
}

PyMethodDef column_methods[] = {
    {"scan_profile", scan_profile, METH_VARARGS, NULL},
    {"read_columns", read_columns, METH_VARARGS, NULL},
    {"read_messages", read_messages, METH_VARARGS, NULL},
    {"read_locations", read_locations, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
