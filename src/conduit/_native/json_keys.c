/* Whether an object in a JSON text has a key twice, answered without building any value.
 *
 * One pass over the bytes. A string followed by a colon is a key of the innermost open object; arrays need no
 * bookkeeping, because their objects open and close for themselves. The hashes of an object's keys lie next to each
 * other: a few are compared one by one after a 64-bit filter, many are sorted when the object closes. For equal hashes,
 * keys with escapes and text that is not JSON the answer is "perhaps"; the caller then checks in Python. Only bytes
 * inside the buffer are read, whatever it holds. */
#include "hash_table.h"
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINEAR_KEYS = 24 };

typedef struct {
    uint64_t filter;
    size_t first_key;
} OpenObject;

typedef struct {
    const unsigned char *at, *end;
    OpenObject *objects;
    size_t depth, object_capacity;
    uint64_t *keys;
    size_t key_count, key_capacity;
} KeyScan;

#define REPEATED(byte) (UINT64_MAX / 255 * (byte)) /* the byte eight times */

/* The lowest marked byte is a zero byte of `word`; higher marks may be false. */
static inline uint64_t mark_zero_bytes(uint64_t word) {
    return (word - REPEATED(0x01)) & ~word & REPEATED(0x80);
}

/* The closing quote of the string that begins at `at`, or NULL; `escaped` tells whether a backslash is in it. */
static const unsigned char *string_end(const unsigned char *at, const unsigned char *end, bool *escaped) {
    *escaped = false;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t marks = mark_zero_bytes(word ^ REPEATED('"')) | mark_zero_bytes(word ^ REPEATED('\\'));
        if (marks == 0) {
            at += 8;
            continue;
        }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        at += __builtin_ctzll(marks) >> 3;
#else
        while (*at != '"' && *at != '\\') at++;
#endif
        if (*at == '"') return at;
        *escaped = true;
        at += 2;
    }
    for (; at < end; at++) {
        if (*at == '"') return at;
        if (*at == '\\') {
            *escaped = true;
            at++;
        }
    }
    return NULL;
}

static uint64_t hash_key(const unsigned char *at, size_t length) {
    uint64_t hash = hash_mix(0, length + 1);
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = hash_mix(hash, word);
    }
    uint64_t rest = 0;
    memcpy(&rest, at, length);
    return hash_mix(hash, rest);
}

static bool open_object(KeyScan *scan) {
    if (!array_reserve((void **)&scan->objects, &scan->object_capacity, scan->depth + 1, sizeof(OpenObject)))
        return false;
    scan->objects[scan->depth++] = (OpenObject){0, scan->key_count};
    return true;
}

static int compare_hashes(const void *one, const void *other) {
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)other;
    return (left > right) - (left < right);
}

/* False where two keys of the object may be equal, or no object is open. */
static bool close_object(KeyScan *scan) {
    if (scan->depth == 0) return false;
    uint64_t *keys = scan->keys + scan->objects[--scan->depth].first_key;
    size_t count = (size_t)(scan->keys + scan->key_count - keys);
    scan->key_count -= count;
    if (count <= LINEAR_KEYS) return true;
    qsort(keys, count, sizeof(*keys), compare_hashes);
    for (size_t i = 1; i < count; i++)
        if (keys[i] == keys[i - 1]) return false;
    return true;
}

/* False where the key may equal an earlier one of the innermost object. */
static bool add_key(KeyScan *scan, uint64_t hash) {
    if (scan->depth == 0) return false;
    if (!array_reserve((void **)&scan->keys, &scan->key_capacity, scan->key_count + 1, sizeof(uint64_t))) return false;
    OpenObject *object = &scan->objects[scan->depth - 1];
    uint64_t bit = UINT64_C(1) << (hash & 63);
    size_t count = scan->key_count - object->first_key;
    if ((object->filter & bit) != 0 && count <= LINEAR_KEYS)
        for (size_t i = object->first_key; i < scan->key_count; i++)
            if (scan->keys[i] == hash) return false;
    object->filter |= bit;
    scan->keys[scan->key_count++] = hash;
    return true;
}

/* Skip one string, which begins at `at`; false where it may be a repeated key or does not end. */
static bool pass_string(KeyScan *scan) {
    bool escaped;
    const unsigned char *start = scan->at, *close = string_end(start, scan->end, &escaped);
    if (close == NULL) return false;
    const unsigned char *next = close + 1;
    while (next < scan->end && (*next == ' ' || *next == '\n' || *next == '\t' || *next == '\r')) next++;
    scan->at = next;
    if (next == scan->end || *next != ':') return true;
    scan->at = next + 1;
    return !escaped && add_key(scan, hash_key(start, (size_t)(close - start)));
}

/* True where no object has a key twice. */
static bool scan_keys(KeyScan *scan) {
    while (scan->at < scan->end) {
        switch (*scan->at++) {
            case '"':
                if (!pass_string(scan)) return false;
                break;
            case '{':
                if (!open_object(scan)) return false;
                break;
            case '}':
                if (!close_object(scan)) return false;
                break;
            default:
                break;
        }
    }
    return scan->depth == 0;
}

static PyObject *has_distinct_keys(PyObject *Py_UNUSED(module), PyObject *text) {
    if (!PyBytes_Check(text)) return PyErr_Format(PyExc_TypeError, "expected bytes, got %s", Py_TYPE(text)->tp_name);
    const unsigned char *start = (const unsigned char *)PyBytes_AS_STRING(text);
    KeyScan scan = {.at = start, .end = start + PyBytes_GET_SIZE(text)};
    bool distinct;
    Py_BEGIN_ALLOW_THREADS
    distinct = scan_keys(&scan);
    free(scan.objects);
    free(scan.keys);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(distinct);
}

PyMethodDef json_key_methods[] = {
    {"has_distinct_keys", has_distinct_keys, METH_O,
     "True if no object of a JSON text has a key twice; False if one may have."},
    {NULL, NULL, 0, NULL},
};
