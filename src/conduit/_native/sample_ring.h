/* Samples on their way from signal handlers to the table. See sample_ring.c. */
#ifndef CONDUIT_SAMPLE_RING_H
#define CONDUIT_SAMPLE_RING_H

#include "task_names.h"

typedef struct {
    uint32_t thread; /* serial number of the thread within the session */
    int32_t tid;
    int64_t weight;    /* timer periods that this sample stands for */
    uintptr_t counter; /* address of the interrupted machine instruction */
    int32_t depth;     /* frames; -1: the stack could not be read */
    char task[TASK_NAME_BYTES]; /* of the asyncio task, zero-terminated; empty where there is none */
    Frame frames[MAX_DEPTH];
} Sample;

typedef void (*SampleReader)(const Sample *sample);

bool sample_ring_prepare(void);
Sample *sample_ring_claim(uint32_t writer);
void sample_ring_publish(Sample *sample);
double sample_ring_drain(SampleReader read);
void sample_ring_reset(void);
void sample_ring_release(void);

#endif
