/* Samples on their way from signal handlers to the table: many writers, one reader, no lock.
 *
 * Law: a slot goes free → claimed → published → free. A handler claims by compare-and-swap and never waits: where the
 * few slots it tries are taken, its sample is lost, and the caller counts it. Only the reader frees. The states lie
 * apart from the slots, so that looking for published ones touches eight kilobytes and not seventeen megabytes. The address
 * space is mapped once and kept for the life of the process, because a handler that comes late may still look at it; its
 * memory goes back after each recording. */
#define _GNU_SOURCE
#include "sample_ring.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define SLOTS 2048 /* 17 MB of address space, of which only the slots in use are ever touched */
#define ATTEMPTS 512

enum { FREE, CLAIMED, PUBLISHED };

static Sample *slots;
static atomic_uint states[SLOTS];

bool sample_ring_prepare(void) {
    if (slots == NULL) {
        void *memory = mmap(NULL, SLOTS * sizeof(Sample), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return false;
        slots = memory;
    }
    sample_ring_reset();
    return true;
}

/* A slot to fill and publish, or NULL. Safe in a signal handler. A writer that begins its search at a place of its own
 * finds its last slot free again, with its memory still in the cache. */
Sample *sample_ring_claim(uint32_t writer) {
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        unsigned slot = (writer * 8 + attempt) % SLOTS;
        unsigned expected = FREE;
        if (atomic_load_explicit(&states[slot], memory_order_relaxed) != FREE) continue;
        if (atomic_compare_exchange_strong(&states[slot], &expected, CLAIMED)) return &slots[slot];
    }
    return NULL;
}

void sample_ring_publish(Sample *sample) {
    atomic_store_explicit(&states[sample - slots], PUBLISHED, memory_order_release);
}

/* Reads and frees whatever is published; returns how full the ring was (0 to 1). One reader at a time. */
double sample_ring_drain(SampleReader read) {
    int published = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (atomic_load_explicit(&states[slot], memory_order_acquire) != PUBLISHED) continue;
        read(&slots[slot]);
        atomic_store_explicit(&states[slot], FREE, memory_order_release);
        published++;
    }
    return (double)published / SLOTS;
}

/* Empties the ring. No handler may be running. */
void sample_ring_reset(void) {
    for (unsigned slot = 0; slot < SLOTS; slot++) atomic_store(&states[slot], FREE);
}

/* Gives the memory back, since new threads begin at other slots: a recording now and then would touch them all in time. A
 * handler that is late sees zeros, and what it writes is never read. */
void sample_ring_release(void) { madvise(slots, SLOTS * sizeof(Sample), MADV_DONTNEED); }
