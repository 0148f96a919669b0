/* Frames are adjacent in memory, each caller before its callee, so a page that is read up to the end of a frame has
 * many of its callers: one system call for many frames. */
#define _GNU_SOURCE
#include "remote_walk.h"

#include "hash_table.h"

#include <string.h>
#include <unistd.h>

#define REFERENCE_MASK (~(uint64_t)7) /* from 3.14 on the low bits of a reference say how it is counted */
#define MAX_STRUCTURE 512

bool remote_read(const RemoteMemory *memory, uint64_t address, void *to, size_t size) {
    if (address > INT64_MAX - size) return false;
    return pread(memory->memory, to, size, (off_t)address) == (ssize_t)size;
}

void remote_forget(RemoteMemory *memory) {
    for (unsigned i = 0; i < REMOTE_WINDOWS; i++) memory->windows[i].size = 0;
}

/* Whether a window has all of this piece. A torn pointer may be any number: `address + size` could be a small one. */
static bool holds(const RemoteWindow *window, uint64_t address, size_t size) {
    if (address < window->start || address - window->start > window->size) return false;
    return size <= window->size - (address - window->start);
}

/* Copied memory at an address, from the beginning of its page; NULL: nothing is mapped there. */
static const char *load(RemoteMemory *memory, uint64_t address, size_t size) {
    for (unsigned i = 0; i < REMOTE_WINDOWS; i++) {
        const RemoteWindow *window = &memory->windows[i];
        if (holds(window, address, size)) return window->bytes + (address - window->start);
    }
    RemoteWindow *window = &memory->windows[memory->next_window++ % REMOTE_WINDOWS];
    window->start = address & ~(uint64_t)(REMOTE_PAGE - 1);
    window->size = (size_t)(address - window->start) + size;
    if (size > REMOTE_PAGE || !remote_read(memory, window->start, window->bytes, window->size)) {
        window->size = 0;
        return NULL;
    }
    return window->bytes + (address - window->start);
}

static uint64_t word_at(const char *bytes, uint64_t offset) {
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

static bool read_word(const RemoteMemory *memory, uint64_t address, uint64_t *word) {
    return remote_read(memory, address, word, sizeof *word);
}

static bool newest_frame(RemoteMemory *memory, const RemoteLayout *at, uint64_t thread, uint64_t *frame) {
    if (at->cframe_frame == REMOTE_ABSENT) return read_word(memory, thread + at->thread_frame, frame);
    uint64_t cframe;
    return read_word(memory, thread + at->thread_cframe, &cframe) &&
           read_word(memory, cframe + at->cframe_frame, frame);
}

static bool read_frame(RemoteMemory *memory, const RemoteLayout *at, uint64_t address, RemoteFrame *frame) {
    const char *bytes = load(memory, address, at->frame_size);
    if (bytes == NULL) return false;
    *frame = (RemoteFrame){address, word_at(bytes, at->frame_previous), word_at(bytes, at->frame_code) & REFERENCE_MASK,
                           word_at(bytes, at->frame_instruction), (unsigned char)bytes[at->frame_owner]};
    return true;
}

static bool is_root(RemoteMemory *memory, const RemoteLayout *at, uint64_t thread, const RemoteFrame *frame) {
    if (at->thread_base_frame == REMOTE_ABSENT) return frame->identity == at->owner_of_root;
    uint64_t base;
    return read_word(memory, thread + at->thread_base_frame, &base) && base == frame->address;
}

static bool is_unchanged(RemoteMemory *memory, const RemoteLayout *at, const RemoteFrame *frame) {
    RemoteFrame now;
    return read_frame(memory, at, frame->address, &now) && memcmp(&now, frame, sizeof now) == 0;
}

/* Replace a frame's owner by the identity of its code. False: it has no code and is not an entry from C. */
static bool identify(const RemoteMemory *memory, const RemoteLayout *at, RemoteFrame *frame) {
    if (frame->identity >= at->owner_of_entry) {
        frame->code = frame->identity = 0;
        return true;
    }
    /* The part of a code object from its type to its table of lines has its sizes and names, which distinguish it from
     * others. */
    size_t begin = at->object_type, end = at->code_linetable + sizeof(uint64_t);
    char head[MAX_STRUCTURE];
    if (end - begin > sizeof head || !remote_read(memory, frame->code + begin, head, end - begin)) return false;
    if (word_at(head, 0) != at->code_type) return false;
    frame->identity = hash_mix(0, word_at(head, at->code_linetable - begin));
    for (uint64_t i = at->code_first_line; i < at->code_linetable; i += sizeof(uint64_t))
        frame->identity = hash_mix(frame->identity, word_at(head, i - begin));
    return true;
}

int remote_walk(RemoteMemory *memory, const RemoteLayout *at, uint64_t thread, RemoteFrame *frames, bool stands_still) {
    remote_forget(memory);
    uint64_t next;
    int count = 0;
    if (!newest_frame(memory, at, thread, &next)) return -1;
    for (; next != 0 && count < REMOTE_MAX_FRAMES; next = frames[count++].previous)
        if (!read_frame(memory, at, next, &frames[count])) return -1;
    if (count > 0 && next == 0 && !is_root(memory, at, thread, &frames[count - 1])) return -1;
    if (stands_still) return count;
    /* A caller stays at its call, so not even its instruction changes during the call. */
    remote_forget(memory);
    for (int i = 1; i < count; i++)
        if (!is_unchanged(memory, at, &frames[i])) return -1;
    return count;
}

bool remote_identify(const RemoteMemory *memory, const RemoteLayout *at, RemoteFrame *frames, int count) {
    for (int i = 0; i < count; i++)
        if (!identify(memory, at, &frames[i])) return false;
    return true;
}
