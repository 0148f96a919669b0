/* Gives the pages of memory that the calling thread's malloc arena keeps for later back to the system.
 *
 * glibc's malloc_trim leaves the end of every arena but the first one, and freeing returns that end only where it is
 * longer than twice the largest block that was ever freed as a mapping of its own, up to 64 MB. With a thread for each
 * request, each of eight arenas for each core would keep what the largest profile took. So the memory is allocated once
 * more, in blocks that come from the arena: their pages, which hold nothing yet, are given back before the blocks are
 * freed. This ends where pages have not been used since they were made, or have been given back already. */
#include "native.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)64 << 10) /* smaller than the smallest block that is a mapping of its own */
#define MAX_BLOCKS 128
#define UNUSED_BLOCKS 4 /* after so many in a row there is nothing more to give back */
#define MAX_PAGES 32

/* Give back the whole pages of a block; return how many of them were in memory. */
static int drop_pages(void *block, uintptr_t page) {
    uintptr_t start = ((uintptr_t)block + page - 1) & ~(page - 1), end = ((uintptr_t)block + BLOCK_SIZE) & ~(page - 1);
    unsigned char in_memory[MAX_PAGES];
    if (end <= start || (end - start) / page > MAX_PAGES) return 0;
    if (mincore((void *)start, end - start, in_memory) != 0) return 0;
    int used = 0;
    for (uintptr_t i = 0; i < (end - start) / page; i++) used += in_memory[i] & 1;
    return used > 0 && madvise((void *)start, end - start, MADV_DONTNEED) == 0 ? used : 0;
}

static Py_ssize_t drop_free_pages_of_arena(void) {
    void *blocks[MAX_BLOCKS];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    Py_ssize_t dropped = 0;
    int count = 0;
    for (int unused = 0; count < MAX_BLOCKS && unused < UNUSED_BLOCKS;) {
        if ((blocks[count] = malloc(BLOCK_SIZE)) == NULL) break;
        int used = drop_pages(blocks[count++], page);
        dropped += used;
        unused = used == 0 ? unused + 1 : 0;
    }
    while (count > 0) free(blocks[--count]);
    return dropped * (Py_ssize_t)page;
}

static PyObject *drop_free_pages(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    Py_ssize_t bytes;
    Py_BEGIN_ALLOW_THREADS;
    bytes = drop_free_pages_of_arena();
    Py_END_ALLOW_THREADS;
    return PyLong_FromSsize_t(bytes);
}

PyMethodDef free_pages_methods[] = {
    {"drop_free_pages", drop_free_pages, METH_NOARGS,
     "drop_free_pages(): give pages of this thread's malloc arena that hold nothing back; the bytes, at most 8 MB."},
    {NULL, NULL, 0, NULL},
};
