/* Random numbers for sampling: fast, not secure. Safe in a signal handler and in an allocator hook. */
#ifndef CONDUIT_RANDOM_H
#define CONDUIT_RANDOM_H

#include <stdint.h>
#include <time.h>

/* A state to start from, never 0; different for each call and each `salt`, such as the state's own address. */
static inline uint64_t random_seed(const void *salt) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t time = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    return (time * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)(uintptr_t)salt) | 1;
}

/* 64 random bits (xorshift). */
static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
