/* Loads that survive a bad address, for signal handlers. See safe_load.c. */
#ifndef CONDUIT_SAFE_LOAD_H
#define CONDUIT_SAFE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    LOADS_RECOVER, /* plain loads; a fault comes to our handler, which makes the load fail */
    LOADS_COPY,    /* the kernel copies: tens of times slower, and no fault at all */
    LOADS_NEVER,   /* neither can be had */
} LoadMethod;

bool safe_loads_begin(void);
void safe_loads_end(void);
LoadMethod safe_load_method(const void *signal_mask);
bool safe_load(LoadMethod method, void *to, const void *from, size_t words);

#endif
