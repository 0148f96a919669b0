/* Samples on their way from signal handlers to the table: many writers, one reader, no lock.
 *
 * Contract: a slot goes free → claimed → published → free. A handler claims and publishes; only the reader frees.
 * Claiming never waits. */
#ifndef CONDUIT_SAMPLE_RING_H
#define CONDUIT_SAMPLE_RING_H

#include "task_names.h"

typedef struct {
    uint32_t thread; /* serial number of the thread within the session */
    int32_t tid;
    int64_t cpu_ns;    /* CPU time of the thread since its last sample */
    int64_t stall_ns;  /* and what it used without a tick before that, which is this stack's alone */
    int64_t weight;    /* how many ticks it stands for, in the owner's unit */
    uintptr_t counter; /* address of the interrupted machine instruction */
    int32_t depth;     /* frames; -1: the stack could not be read */
    uint32_t labels;   /* number of the set, 0 for none */
    char task[TASK_NAME_BYTES]; /* of the asyncio task, zero-terminated; empty where there is none */
    Frame frames[MAX_DEPTH];
} Sample;

typedef void (*SampleReader)(const Sample *sample);

/* Allocate the ring, or empty it. False: no memory. No handler may be running. */
bool sample_ring_prepare(void);

/* A slot to fill and publish, or NULL where none was found free at once. Safe in a signal handler. */
Sample *sample_ring_claim(uint32_t writer);
void sample_ring_publish(Sample *sample);

/* Read and free all published slots; return how full the ring was (0 to 1). One reader at a time. */
double sample_ring_drain(SampleReader read);

/* Empty the ring. No handler may be running. */
void sample_ring_reset(void);

/* Give the memory back; a handler that is still running may go on writing, and is not read. */
void sample_ring_release(void);

#endif
