/* JSON as YAML in block style, in one pass over the text.
 *
 * A string is written without quotes if YAML is certain to read the same text back, otherwise as in JSON, whose escapes
 * YAML has, too; characters that YAML forbids or takes for a line break (DEL, C1 controls, U+2028, U+2029, U+FEFF,
 * U+FFFE, U+FFFF) are escaped. Lists begin at the column of their key. `conduit.cli.introspect.yaml_text` does the same
 * in Python. The text is JSON without whitespace between its parts, as msgspec writes it; other text is a ValueError,
 * and only bytes inside the buffer are read. */
#include "native.h"
#include "output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { KEY_LIMIT = 512, DEPTH_LIMIT = 500 };

typedef struct {
    const unsigned char *at, *end;
    Output yaml, string;
} Writer;

static bool fail(void) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected JSON without whitespace, at most 500 deep");
    return false;
}

static inline bool next_is(Writer *writer, char byte) {
    if (writer->at == writer->end || *writer->at != byte) return false;
    writer->at++;
    return true;
}

static inline bool add(Writer *writer, const char *text) {
    return output_add(&writer->yaml, text, strlen(text));
}

static bool add_indent(Writer *writer, size_t columns) {
    uint8_t *room = output_reserve(&writer->yaml, columns);
    if (room == NULL) return false;
    memset(room, ' ', columns);
    writer->yaml.used += columns;
    return true;
}

static inline bool is_letter(unsigned char byte) {
    return (unsigned char)((byte | 0x20) - 'a') < 26;
}

/* Whether the text is a word of small letters, in any case. */
static bool equals_word(const unsigned char *text, const char *word, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 0x20) != (unsigned char)word[i]) return false;
    return true;
}

/* The letters, digits and marks that a string without quotes can have anywhere behind the first character; blanks and
 * colons depend on the next. */
static const bool IS_FREE[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    ['_'] = true, ['-'] = true, ['.'] = true, ['/'] = true, ['('] = true, [')'] = true, ['<'] = true, ['>'] = true,
    [','] = true, ['='] = true, ['+'] = true, ['*'] = true, ['@'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
    ['?'] = true, ['!'] = true, [';'] = true, ['['] = true, [']'] = true, ['{'] = true, ['}'] = true,
};

/* Whether the string, whose first `known` characters are free ones, can stand without quotes: it begins with a letter,
 * `_` or `/`, has nothing that YAML could read as something else, and is no word of YAML 1.1. */
static bool is_plain(const unsigned char *text, size_t size, size_t known) {
    static const char *const WORDS[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
    if (size == 0 || text[size - 1] == ' ' || text[size - 1] == ':') return false;
    if (!is_letter(text[0]) && text[0] != '_' && text[0] != '/') return false;
    for (size_t i = known; i < size; i++) {
        if (IS_FREE[text[i]]) continue;
        if (text[i] == ' ' ? text[i + 1] == '#' || text[i + 1] == ' ' : text[i] != ':' || text[i + 1] == ' ')
            return false;
    }
    if (size > 5) return true; /* longer than every word */
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (size == strlen(WORDS[i]) && equals_word(text, WORDS[i], size)) return false;
    return true;
}

/* The number of the character at `at` if YAML forbids it, otherwise 0. Only complete characters are checked. */
static unsigned forbidden(const unsigned char *at, const unsigned char *end) {
    if (*at == 0x7f) return 0x7f;
    if (*at == 0xc2 && end - at > 1 && at[1] < 0xa0) return at[1];
    if (*at == 0xe2 && end - at > 2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) return 0x2000u + (at[2] & 0x3fu);
    if (*at == 0xef && end - at > 2) {
        unsigned number = 0xf000u | ((at[1] & 0x3fu) << 6) | (at[2] & 0x3fu);
        if (number == 0xfeff || number >= 0xfffe) return number;
    }
    return 0;
}

/* Read the string after its opening quote into `string`: as in JSON, but with `<`, `>` and `&` unescaped. */
static bool read_string(Writer *writer) {
    Output *string = &writer->string;
    string->used = 0;
    while (writer->at < writer->end) {
        const unsigned char *start = writer->at;
        while (writer->at < writer->end && *writer->at != '"' && *writer->at != '\\' && *writer->at < 0x7f &&
               *writer->at >= 0x20)
            writer->at++;
        if (!output_add(string, start, (size_t)(writer->at - start))) return false;
        if (writer->at == writer->end) break;
        if (*writer->at == '"') {
            writer->at++;
            return true;
        }
        if (*writer->at < 0x20) break;
        if (*writer->at != '\\') {
            unsigned number = forbidden(writer->at, writer->end);
            char text[8];
            if (number == 0) {
                if (!output_add(string, writer->at++, 1)) return false;
                continue;
            }
            snprintf(text, sizeof text, "\\u%04x", number);
            if (!output_add(string, text, 6)) return false;
            writer->at += number == 0x7f ? 1 : number < 0xa0 ? 2 : 3;
            continue;
        }
        size_t left = (size_t)(writer->end - writer->at);
        if (left < 2) break;
        if (left >= 6 && memcmp(writer->at, "\\u00", 4) == 0 &&
            (memcmp(writer->at + 4, "3c", 2) == 0 || memcmp(writer->at + 4, "3e", 2) == 0 ||
             memcmp(writer->at + 4, "26", 2) == 0)) {
            char sign = writer->at[5] == 'c' ? '<' : writer->at[5] == 'e' ? '>' : '&';
            if (!output_add(string, &sign, 1)) return false;
            writer->at += 6;
        } else {
            if (!output_add(string, writer->at, 2)) return false;
            writer->at += 2;
        }
    }
    return fail();
}

/* Write the string that begins at the reader, quoted where it must be. Most have no escapes, and are copied at once. */
static bool add_string(Writer *writer) {
    if (!next_is(writer, '"')) return fail();
    const unsigned char *start = writer->at, *at = start;
    while (IS_FREE[*at]) at++; /* the zero behind the text ends it */
    size_t known = (size_t)(at - start);
    while (at < writer->end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\') at++;
    if (at < writer->end && *at == '"') { /* the quote ends look-ahead */
        size_t size = (size_t)(at - start), quote = is_plain(start, size, known) ? 0 : 1;
        uint8_t *room = output_reserve(&writer->yaml, size + 2);
        if (room == NULL) return false;
        *room = '"';
        memcpy(room + quote, start, size);
        room[quote + size] = '"';
        writer->yaml.used += size + 2 * quote;
        writer->at = at + 1;
        return true;
    }
    if (!read_string(writer)) return fail();
    size_t size = writer->string.used;
    if (!output_add(&writer->string, "", 1)) return false; /* a zero behind the end ends look-ahead */
    const unsigned char *text = (const unsigned char *)PyBytes_AS_STRING(writer->string.bytes);
    bool plain = memchr(text, '\\', size) == NULL && is_plain(text, size, 0);
    if (!plain && !add(writer, "\"")) return false;
    return output_add(&writer->yaml, text, size) && (plain || add(writer, "\""));
}

/* Write a number, `true`, `false` or `null`. In YAML 1.1, a number with an exponent needs a point and a sign of the
 * exponent. */
static bool add_word(Writer *writer) {
    const unsigned char *start = writer->at;
    const unsigned char *exponent = NULL;
    bool number = writer->at < writer->end && !is_letter(*writer->at);
    while (writer->at < writer->end && strchr(",]}", *writer->at) == NULL) {
        if (number && (*writer->at | 0x20) == 'e') exponent = writer->at;
        writer->at++;
    }
    if (start == writer->at) return fail();
    if (exponent == NULL) return output_add(&writer->yaml, start, (size_t)(writer->at - start));
    size_t size = (size_t)(exponent - start);
    if (!output_add(&writer->yaml, start, size)) return false;
    if (memchr(start, '.', size) == NULL && !add(writer, ".0")) return false;
    bool is_signed = exponent + 1 < writer->at && (exponent[1] == '-' || exponent[1] == '+');
    if (!add(writer, is_signed ? "e" : "e+")) return false;
    return output_add(&writer->yaml, exponent + 1, (size_t)(writer->at - exponent - 1));
}

static bool add_value(Writer *writer, size_t column, bool after_key, int depth);

static bool add_map(Writer *writer, size_t column, bool after_key, int depth) {
    bool first = !after_key;
    if (after_key && !add(writer, "\n")) return false;
    do {
        if (!first && !add_indent(writer, column)) return false;
        first = false;
        size_t before = writer->yaml.used;
        if (!add_string(writer)) return false;
        if (writer->yaml.used - before > KEY_LIMIT) { /* YAML allows 1,024 characters before a colon */
            size_t size = writer->yaml.used - before;
            if (output_reserve(&writer->yaml, 2) == NULL) return false;
            char *key = PyBytes_AS_STRING(writer->yaml.bytes) + before;
            memmove(key + 2, key, size);
            memcpy(key, "? ", 2);
            writer->yaml.used += 2;
            if (!add(writer, "\n") || !add_indent(writer, column)) return false;
        }
        if (!next_is(writer, ':') || !add(writer, ":") || !add_value(writer, column, true, depth)) return fail();
    } while (next_is(writer, ','));
    return next_is(writer, '}') || fail();
}

static bool add_list(Writer *writer, size_t column, bool after_key, int depth) {
    bool first = !after_key;
    if (after_key && !add(writer, "\n")) return false;
    do {
        if (!first && !add_indent(writer, column)) return false;
        first = false;
        if (!add(writer, "-") || !add_value(writer, column + 2, false, depth)) return fail();
    } while (next_is(writer, ','));
    return next_is(writer, ']') || fail();
}

/* Write a value behind `key:` or `-`, with the newline. `column` is where the key stands, or the value of an item. */
static bool add_value(Writer *writer, size_t column, bool after_key, int depth) {
    if (writer->at == writer->end || depth == DEPTH_LIMIT) return fail();
    bool is_map = *writer->at == '{';
    if (!is_map && *writer->at != '[') {
        if (depth > 0 && !add(writer, " ")) return false;
        return (*writer->at == '"' ? add_string(writer) : add_word(writer)) && add(writer, "\n");
    }
    writer->at++;
    if (next_is(writer, is_map ? '}' : ']')) 
        return (depth == 0 || add(writer, " ")) && add(writer, is_map ? "{}\n" : "[]\n");
    if (!after_key && depth > 0 && !add(writer, " ")) return false;
    if (is_map) return add_map(writer, after_key ? column + 2 : column, after_key, depth + 1);
    return add_list(writer, column, after_key, depth + 1);
}

static bool add_document(Writer *writer) {
    if (!add_value(writer, 0, false, 0)) return false;
    return writer->at == writer->end || fail();
}

static PyObject *yaml_of_json(PyObject *Py_UNUSED(module), PyObject *text) {
    if (!PyBytes_Check(text)) return PyErr_Format(PyExc_TypeError, "expected bytes, got %s", Py_TYPE(text)->tp_name);
    const unsigned char *start = (const unsigned char *)PyBytes_AS_STRING(text);
    Writer writer = {.at = start, .end = start + PyBytes_GET_SIZE(text)};
    bool good = add_document(&writer);
    output_clear(&writer.string);
    if (good) return output_take(&writer.yaml);
    output_clear(&writer.yaml);
    return NULL;
}

PyMethodDef yaml_text_methods[] = {
    {"yaml_of_json", yaml_of_json, METH_O, "yaml_of_json(text): compact JSON as YAML in block style."},
    {NULL, NULL, 0, NULL},
};
