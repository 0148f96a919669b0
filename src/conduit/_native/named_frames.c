/* An index over frames by code object, names, and instruction. Texts are encoded here, because most calls come from
 * threads without the GIL. */
#include "named_frames.h"

#include "hash_table.h"

#include <stdlib.h>
#include <string.h>

static NamedFrame *frames; /* under the owner's lock, like all below */
static size_t frame_capacity;
static uint32_t frame_count;
static HashIndex frame_index;

/* The text in UTF-8, in memory of libc; lone surrogates stay. NULL: no memory. */
static char *copy_text(PyObject *text) {
    if (text == NULL || !PyUnicode_Check(text)) return strdup("?");
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    char *copy = malloc((size_t)length * 4 + 1), *to = copy;
    if (copy == NULL) return NULL;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 letter = PyUnicode_READ(kind, data, i);
        if (letter < 0x80) {
            *to++ = (char)letter;
        } else if (letter < 0x800) {
            *to++ = (char)(0xC0 | letter >> 6);
            *to++ = (char)(0x80 | (letter & 0x3F));
        } else if (letter < 0x10000) {
            *to++ = (char)(0xE0 | letter >> 12);
            *to++ = (char)(0x80 | (letter >> 6 & 0x3F));
            *to++ = (char)(0x80 | (letter & 0x3F));
        } else {
            *to++ = (char)(0xF0 | letter >> 18);
            *to++ = (char)(0x80 | (letter >> 12 & 0x3F));
            *to++ = (char)(0x80 | (letter >> 6 & 0x3F));
            *to++ = (char)(0x80 | (letter & 0x3F));
        }
    }
    *to = '\0';
    return copy;
}

static bool is_same(const NamedFrame *known, uint64_t hash, const PyCodeObject *code, int32_t instruction) {
    return known->hash == hash && known->code == code && known->instruction == instruction &&
           known->name == code->co_qualname && known->file == code->co_filename &&
           known->first_line == code->co_firstlineno;
}

static bool make_named_frame(NamedFrame *made, const PyCodeObject *code, int32_t instruction, uint64_t hash) {
    *made = (NamedFrame){
        .code = code, .name = code->co_qualname, .file = code->co_filename, .instruction = instruction,
        .first_line = code->co_firstlineno, .hash = hash,
        .line = PyCode_Addr2Line((PyCodeObject *)code, instruction),
        .name_text = copy_text(code->co_qualname), .file_text = copy_text(code->co_filename)};
    if (made->name_text != NULL && made->file_text != NULL) return true;
    free(made->name_text);
    free(made->file_text);
    return false;
}

uint32_t named_frame_number(const Frame *frame) {
    const PyCodeObject *code = frame->code;
    uint64_t hash = hash_mix(hash_mix(0, (uintptr_t)code), (uintptr_t)code->co_qualname);
    hash = hash_mix(hash, (uintptr_t)code->co_filename);
    hash = hash_mix(hash, (uint64_t)(uint32_t)frame->instruction << 32 | (uint32_t)code->co_firstlineno);
    uint32_t probe = 0;
    for (uint32_t found; (found = hash_index_next(&frame_index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY;)
        if (is_same(&frames[found], hash, code, frame->instruction)) return found;
    if (frame_count >= UINT32_MAX / 2 || !hash_index_reserve(&frame_index) ||
        !array_reserve((void **)&frames, &frame_capacity, (size_t)frame_count + 1, sizeof *frames) ||
        !make_named_frame(&frames[frame_count], code, frame->instruction, hash))
        return NO_FRAME;
    hash_index_add(&frame_index, (uint32_t)hash, frame_count);
    return frame_count++;
}

NamedFrame *named_frames_copy(void) {
    NamedFrame *copy = malloc(((size_t)frame_count + 1) * sizeof *copy);
    if (copy != NULL && frame_count > 0) memcpy(copy, frames, (size_t)frame_count * sizeof *copy);
    return copy;
}

uint32_t named_frames_count(void) { return frame_count; }

static PyObject *text_of(const char *text) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogatepass");
}

PyObject *named_frame_tuple(const NamedFrame *frame) {
    return Py_BuildValue("(NNii)", text_of(frame->name_text), text_of(frame->file_text), (int)frame->line,
                         (int)frame->first_line);
}
