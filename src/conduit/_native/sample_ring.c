/* A handler tries a few slots by compare-and-swap; where all are taken, its sample is lost, and the caller counts it.
 * The states lie apart from the slots, so that searching for published ones touches 8 KB and not 17 MB. The address
 * space is mapped once and kept for the life of the process, because a late handler may still use it. */
#define _GNU_SOURCE
#include "sample_ring.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define SLOTS 2048 /* 17 MB of address space; only slots in use are touched */
#define MAX_ATTEMPTS 512

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

/* Each writer begins its search at another slot, and mostly finds its last one free again, still in the cache. */
Sample *sample_ring_claim(uint32_t writer) {
    for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
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

void sample_ring_reset(void) {
    for (unsigned slot = 0; slot < SLOTS; slot++) atomic_store(&states[slot], FREE);
}

/* New threads begin at other slots, so without this, recordings would touch all of the memory in time. */
void sample_ring_release(void) { madvise(slots, SLOTS * sizeof(Sample), MADV_DONTNEED); }
