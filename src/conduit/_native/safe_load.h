/* Loads that survive an invalid address, for signal handlers.
 *
 * Contract: begin and end are called with the GIL, in pairs; everything else is safe in a signal handler, on any
 * thread, between them. */
#ifndef CONDUIT_SAFE_LOAD_H
#define CONDUIT_SAFE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    LOADS_RECOVER, /* plain loads; our handler turns a fault into a failed load */
    LOADS_COPY,    /* the kernel copies: tens of times slower, and no fault at all */
    LOADS_NEVER,   /* neither works here */
} LoadMethod;

/* Make loads possible. False: this machine allows neither method. */
bool safe_loads_begin(void);
void safe_loads_end(void);

/* The method for this thread, at this moment. `signal_mask`: the sigset_t of the interrupted code, or NULL. */
LoadMethod safe_load_method(const void *signal_mask);

/* Copy `words` words of 8 bytes. False: the address was invalid, and the copy is unspecified. */
bool safe_load(LoadMethod method, void *to, const void *from, size_t words);

#endif
