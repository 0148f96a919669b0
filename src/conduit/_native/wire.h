/* The protocol buffers wire format: numbers and contents read from bytes that may be hostile, numbers written.
 *
 * Contract: reading never passes `end`; false leaves `next` anywhere before it. Writing needs room for
 * MAX_VARINT_BYTES. */
#ifndef CONDUIT_WIRE_H
#define CONDUIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MAX_VARINT_BYTES = 10 };

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

/* The same bits in each part of 8, 16 or 32 bits of a word. */
#define EVERY(size, bits) (UINT64_MAX / ((UINT64_C(1) << (size)) - 1) * (bits))

/* As `read_number`, for many numbers of different lengths: without a branch for each byte where eight are left. */
static inline bool read_any_number(Wire *wire, uint64_t *value) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (wire->end - wire->next >= 8) {
        uint64_t word;
        memcpy(&word, wire->next, sizeof word);
        uint64_t ends = ~word & EVERY(8, 0x80);
        if (ends != 0) {
            wire->next += (__builtin_ctzll(ends) >> 3) + 1;
            word &= (ends ^ (ends - 1)) & EVERY(8, 0x7F); /* up to the first byte that ends a number */
            word = (word & EVERY(16, 0x7F)) | (word & EVERY(16, 0x7F00)) >> 1;
            word = (word & EVERY(32, 0x3FFF)) | (word & EVERY(32, 0x3FFF0000)) >> 2;
            *value = (word & 0x0FFFFFFF) | (word >> 32 & 0x0FFFFFFF) << 28;
            return true;
        }
    }
#endif
    return read_number(wire, value);
}

/* The content of a field with a length; false where it does not lie within the rest. */
static inline bool read_content(Wire *wire, Wire *content) {
    uint64_t size;
    if (!read_number(wire, &size) || size > (uint64_t)(wire->end - wire->next)) return false;
    *content = (Wire){wire->next, wire->next + size};
    wire->next = content->end;
    return true;
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

#endif
