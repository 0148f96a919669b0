/* A profile's samples as columns: read from the wire and written as arrays of numbers.
 *
 * `starts` holds n + 1 positions (int64) in `frames`, which holds location indices (uint32), leaf first; each column of
 * values is n int64. Everything here works on whole arrays that Python owns and passes as buffers; nothing is kept.
 *
 * `scan_profile` and `read_columns` read only the form that writers use, and return None for anything else, malformed
 * input included: the reader in Python then reads it, and knows every rule and message. Input may be hostile: a length
 * is compared with the rest before anything is read, an index with its table before it is used. */
#include "columns.h"
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_VARINT_BYTES = 10, MAX_FIELD = 15, STRING_FIELD = 6, SAMPLE_FIELD = 2, COMMENT_FIELD = 13, TIME_FIELD = 9 };

typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} Wire;

static inline bool read_number(Wire *wire, uint64_t *value) {
    if (wire->next < wire->end && *wire->next < 0x80) {
        *value = *wire->next++;
        return true;
    }
    uint64_t read = 0;
    for (unsigned shift = 0; shift < 7 * MAX_VARINT_BYTES && wire->next < wire->end; shift += 7) {
        uint8_t byte = *wire->next++;
        if (shift == 63 && byte > 1) return false; /* more than 64 bits: the reader in Python decides */
        read |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return false;
}

/* The content of a field with a length; false where it does not lie within the rest. */
static inline bool read_content(Wire *wire, Wire *content) {
    uint64_t size;
    if (!read_number(wire, &size) || size > (uint64_t)(wire->end - wire->next)) return false;
    *content = (Wire){wire->next, wire->next + size};
    wire->next = content->end;
    return true;
}

/* ── the top level ── */

typedef struct {
    PyObject *spans[MAX_FIELD + 1]; /* lists of (start, stop); NULL for fields that are no messages kept as spans */
    PyObject *strings;
    PyObject *numbers; /* (field, value, start) */
    int64_t *samples;
    size_t sample_numbers, sample_capacity; /* two numbers a sample */
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

static bool scan_number(Scan *scan, unsigned field, uint64_t value, Py_ssize_t start) {
    if (field < 7 || field == 11 || PyList_GET_SIZE(scan->numbers) >= scan->limit) return false;
    if (field == TIME_FIELD) {
        if (scan->has_time) return false;
        scan->has_time = value != 0;
    }
    return append_new(scan->numbers, Py_BuildValue("(InK)", field, start, value));
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

typedef struct {
    const uint32_t *index_of; /* by location id: index + 1, 0 where there is none */
    uint64_t ids;
    Py_ssize_t types;
    int64_t *starts;
    uint32_t *frames;
    size_t frame_count, frame_capacity, max_frames;
    int64_t *values; /* by type, then by sample */
    uint32_t *label_of;
    Wire *label_sets; /* the label fields of a set, with their tags */
    size_t set_capacity, label_count, max_labels;
    uint32_t sets;
    HashIndex set_index;
    PyObject *labels;
} Reader;

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

/* The number of a set of labels, by the bytes of its fields. */
static bool find_label_set(Reader *reader, Wire fields, uint32_t *number) {
    uint32_t hash = hash_of_bytes(fields), probe = 0;
    size_t size = (size_t)(fields.end - fields.next);
    for (uint32_t found; (found = hash_index_next(&reader->set_index, hash, &probe)) != HASH_NO_ENTRY;) {
        Wire known = reader->label_sets[found];
        if ((size_t)(known.end - known.next) == size && (size == 0 || !memcmp(known.next, fields.next, size))) {
            *number = found;
            return true;
        }
    }
    if (!hash_index_reserve(&reader->set_index) ||
        !array_reserve((void **)&reader->label_sets, &reader->set_capacity, (size_t)reader->sets + 1, sizeof(Wire))) {
        PyErr_NoMemory();
        return false;
    }
    hash_index_add(&reader->set_index, hash, reader->sets);
    reader->label_sets[reader->sets] = fields;
    *number = reader->sets++;
    return true;
}

static bool read_stack(Reader *reader, Wire packed) {
    size_t most = (size_t)(packed.end - packed.next);
    if (!array_reserve((void **)&reader->frames, &reader->frame_capacity, reader->frame_count + most,
                       sizeof(uint32_t))) {
        PyErr_NoMemory();
        return false;
    }
    while (packed.next < packed.end) {
        uint64_t id;
        if (!read_number(&packed, &id) || id >= reader->ids || reader->index_of[id] == 0) return false;
        reader->frames[reader->frame_count++] = reader->index_of[id] - 1;
    }
    return reader->frame_count <= reader->max_frames;
}

static bool read_values(Reader *reader, Wire packed, Py_ssize_t sample, Py_ssize_t samples) {
    for (Py_ssize_t type = 0; type < reader->types; type++) {
        uint64_t value;
        if (!read_number(&packed, &value)) return false;
        reader->values[type * samples + sample] = (int64_t)value;
    }
    return packed.next == packed.end;
}

/* One sample in the usual form: at most one packed stack, one packed row of values, then labels without a gap. */
static bool read_sample_row(Reader *reader, Wire wire, Py_ssize_t sample, Py_ssize_t samples) {
    bool has_stack = false, has_values = false;
    Wire labels = {wire.end, wire.end};
    while (wire.next < wire.end) {
        const uint8_t *start = wire.next;
        uint8_t tag = *wire.next++;
        Wire content;
        if (!read_content(&wire, &content)) return false;
        if (tag == 0x0A && !has_stack && labels.next == labels.end) {
            has_stack = true;
            if (!read_stack(reader, content)) return false;
        } else if (tag == 0x12 && !has_values && labels.next == labels.end) {
            has_values = true;
            if (!read_values(reader, content, sample, samples)) return false;
        } else if (tag == 0x1A) {
            if (labels.next == labels.end) labels = (Wire){start, start};
            labels.end = wire.next;
            if (++reader->label_count > reader->max_labels) return false;
        } else {
            return false;
        }
    }
    reader->starts[sample + 1] = (int64_t)reader->frame_count;
    return has_values && find_label_set(reader, labels, &reader->label_of[sample]);
}

/* The distinct sets as tuples of undecoded labels. */
static bool list_labels(Reader *reader) {
    reader->labels = PyList_New(0);
    if (reader->labels == NULL) return false;
    for (uint32_t i = 0; i < reader->sets; i++) {
        PyObject *set = PyList_New(0);
        Wire wire = reader->label_sets[i], content;
        bool good = set != NULL;
        while (good && wire.next < wire.end) {
            wire.next++;
            good = read_content(&wire, &content) &&
                   append_new(set, PyBytes_FromStringAndSize((const char *)content.next, content.end - content.next));
        }
        if (!good || PyList_Append(reader->labels, set) < 0) {
            Py_XDECREF(set);
            return false;
        }
        Py_DECREF(set);
    }
    return true;
}

static PyObject *bytes_of(const void *memory, size_t size) {
    return PyBytes_FromStringAndSize(memory, (Py_ssize_t)size);
}

static bool read_all(Reader *reader, const uint8_t *first, Py_ssize_t size, const int64_t *spans, Py_ssize_t samples) {
    for (Py_ssize_t i = 0; i < samples; i++) {
        int64_t start = spans[2 * i], stop = spans[2 * i + 1];
        if (start < 0 || stop < start || stop > size) return false;
        if (!read_sample_row(reader, (Wire){first + start, first + stop}, i, samples)) return false;
    }
    return list_labels(reader);
}

static PyObject *columns_result(Reader *reader, Py_ssize_t samples) {
    PyObject *starts = bytes_of(reader->starts, ((size_t)samples + 1) * sizeof(int64_t));
    PyObject *frames = bytes_of(reader->frames, reader->frame_count * sizeof(uint32_t));
    PyObject *values = PyList_New(reader->types);
    PyObject *label_of = bytes_of(reader->label_of, (size_t)samples * sizeof(uint32_t));
    bool good = starts != NULL && frames != NULL && values != NULL && label_of != NULL;
    for (Py_ssize_t type = 0; good && type < reader->types; type++) {
        PyObject *column = bytes_of(reader->values + type * samples, (size_t)samples * sizeof(int64_t));
        good = column != NULL;
        if (good) PyList_SET_ITEM(values, type, column);
    }
    PyObject *result = good ? PyTuple_Pack(5, starts, frames, values, label_of, reader->labels) : NULL;
    Py_XDECREF(starts);
    Py_XDECREF(frames);
    Py_XDECREF(values);
    Py_XDECREF(label_of);
    return result;
}

static PyObject *read_columns(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer data, spans, index_of;
    Py_ssize_t types, max_frames, max_labels;
    if (!PyArg_ParseTuple(arguments, "y*y*y*nnn", &data, &spans, &index_of, &types, &max_frames, &max_labels))
        return NULL;
    Py_ssize_t samples = spans.len / (Py_ssize_t)(2 * sizeof(int64_t));
    Reader reader = {
        .index_of = index_of.buf,
        .ids = (uint64_t)index_of.len / sizeof(uint32_t),
        .types = types,
        .max_frames = (size_t)max_frames,
        .max_labels = (size_t)max_labels,
    };
    PyObject *result = NULL;
    if (types < 1 || types > 64 || max_frames < 0 || max_labels < 0) {
        PyErr_SetString(PyExc_ValueError, "expected 1 to 64 sample types, and limits that are not negative");
        goto done;
    }
    reader.starts = calloc((size_t)samples + 1, sizeof(int64_t));
    reader.values = malloc(((size_t)samples * (size_t)types + 1) * sizeof(int64_t));
    reader.label_of = malloc(((size_t)samples + 1) * sizeof(uint32_t));
    if (reader.starts == NULL || reader.values == NULL || reader.label_of == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (read_all(&reader, data.buf, data.len, spans.buf, samples))
        result = columns_result(&reader, samples);
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
done:
    free(reader.starts);
    free(reader.frames);
    free(reader.values);
    free(reader.label_of);
    free(reader.label_sets);
    hash_index_clear(&reader.set_index);
    Py_XDECREF(reader.labels);
    PyBuffer_Release(&data);
    PyBuffer_Release(&spans);
    PyBuffer_Release(&index_of);
    return result;
}

/* ── locations ── */

/* A message of numbers: fields 1 to `count` into `numbers`; false for any other form. */
static bool read_plain_numbers(Wire wire, uint64_t *numbers, unsigned count) {
    while (wire.next < wire.end) {
        uint8_t tag = *wire.next++;
        if (tag >= 0x80 || (tag & 7) != 0 || tag >> 3 == 0 || tag >> 3 > count) return false;
        if (!read_number(&wire, &numbers[(tag >> 3) - 1])) return false;
    }
    return true;
}

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

static PyObject *read_locations(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *data, *spans;
    Py_ssize_t lines_left;
    if (!PyArg_ParseTuple(arguments, "SO!n", &data, &PyList_Type, &spans, &lines_left)) return NULL;
    const uint8_t *first = (const uint8_t *)PyBytes_AS_STRING(data);
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(spans); i++) {
        Py_ssize_t start, stop;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(spans, i), "nn", &start, &stop)) {
            Py_CLEAR(rows);
        } else if (start < 0 || stop < start || stop > PyBytes_GET_SIZE(data)) {
            PyErr_SetString(PyExc_ValueError, "a span does not lie within the document");
            Py_CLEAR(rows);
        } else if (!append_new(rows, read_location((Wire){first + start, first + stop}, &lines_left))) {
            Py_CLEAR(rows);
        }
    }
    if (rows == NULL && !PyErr_Occurred()) return Py_NewRef(Py_None);
    return rows;
}

/* ── writing ── */

static bool refuse(const char *reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return false;
}

typedef struct {
    uint8_t *bytes;
    size_t used, capacity;
} Output;

static inline uint8_t *room_for(Output *output, size_t more) {
    if (!array_reserve((void **)&output->bytes, &output->capacity, output->used + more, 1)) return NULL;
    return output->bytes + output->used;
}

static inline size_t number_size(uint64_t value) {
    size_t size = 1;
    while (value >= 0x80) value >>= 7, size++;
    return size;
}

static inline uint8_t *put_number(uint8_t *next, uint64_t value) {
    while (value >= 0x80) *next++ = (uint8_t)(value | 0x80), value >>= 7;
    *next++ = (uint8_t)value;
    return next;
}

typedef struct {
    Stacks stacks;
    const uint64_t *ids;
    size_t locations;
    const int64_t **columns;
    Py_ssize_t types;
    const uint32_t *label_of;
    PyObject *label_bytes; /* a list of bytes: the fields of each set */
} Writer;

/* Append sample `i`. Empty lists of numbers are left out, as everywhere in the format. */
static bool write_sample(const Writer *writer, Output *output, Py_ssize_t i) {
    const uint32_t *frames = writer->stacks.frames + writer->stacks.starts[i];
    size_t depth = (size_t)(writer->stacks.starts[i + 1] - writer->stacks.starts[i]), stack_size = 0, values_size = 0;
    for (size_t k = 0; k < depth; k++) {
        if (frames[k] >= writer->locations) return refuse("a location's index is beyond the table");
        stack_size += number_size(writer->ids[frames[k]]);
    }
    for (Py_ssize_t type = 0; type < writer->types; type++)
        values_size += number_size((uint64_t)writer->columns[type][i]);
    if (writer->label_of[i] >= (size_t)PyList_GET_SIZE(writer->label_bytes))
        return refuse("there is no such set of labels");
    PyObject *labels = PyList_GET_ITEM(writer->label_bytes, writer->label_of[i]);
    if (!PyBytes_Check(labels)) return refuse("a set of labels is not bytes");
    size_t label_size = (size_t)PyBytes_GET_SIZE(labels);
    size_t size = label_size + (depth ? 1 + number_size(stack_size) + stack_size : 0) +
                  (writer->types ? 1 + number_size(values_size) + values_size : 0);
    uint8_t *next = room_for(output, size + 2 + MAX_VARINT_BYTES);
    if (next == NULL) {
        PyErr_NoMemory();
        return false;
    }
    *next++ = 0x12;
    next = put_number(next, size);
    if (depth) {
        *next++ = 0x0A;
        next = put_number(next, stack_size);
        for (size_t k = 0; k < depth; k++) next = put_number(next, writer->ids[frames[k]]);
    }
    if (writer->types) {
        *next++ = 0x12;
        next = put_number(next, values_size);
        for (Py_ssize_t type = 0; type < writer->types; type++)
            next = put_number(next, (uint64_t)writer->columns[type][i]);
    }
    memcpy(next, PyBytes_AS_STRING(labels), label_size);
    output->used = (size_t)(next - output->bytes) + label_size;
    return true;
}

static PyObject *write_columns(PyObject *module, PyObject *arguments) {
    (void)module;
    Writer writer = {0};
    Py_buffer ids, label_of, values[64];
    PyObject *columns;
    if (!PyArg_ParseTuple(arguments, "y*y*y*O!y*O!", &writer.stacks.starts_buffer, &writer.stacks.frames_buffer, &ids,
                          &PyTuple_Type, &columns, &label_of, &PyList_Type, &writer.label_bytes))
        return NULL;
    const int64_t *opened[64];
    Output output = {0};
    PyObject *result = NULL;
    Py_ssize_t open = 0;
    bool good = open_stacks(&writer.stacks);
    writer.ids = ids.buf;
    writer.locations = (size_t)ids.len / sizeof(uint64_t);
    writer.label_of = label_of.buf;
    writer.columns = opened;
    writer.types = PyTuple_GET_SIZE(columns);
    if (good && (writer.types > 64 || label_of.len != writer.stacks.count * (Py_ssize_t)sizeof(uint32_t)))
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
    if (good) result = bytes_of(output.bytes, output.used);
    for (Py_ssize_t i = 0; i < open; i++) PyBuffer_Release(&values[i]);
    free(output.bytes);
    close_stacks(&writer.stacks);
    PyBuffer_Release(&ids);
    PyBuffer_Release(&label_of);
    return result;
}

PyMethodDef column_methods[] = {
    {"scan_profile", scan_profile, METH_VARARGS, NULL},
    {"read_columns", read_columns, METH_VARARGS, NULL},
    {"read_locations", read_locations, METH_VARARGS, NULL},
    {"write_columns", write_columns, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
