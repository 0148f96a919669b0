/* A layer of functions above the interpreter's allocators.
 *
 * Contract: with the GIL. Each hook passes on the context that it was called with, or that of `originals`, and finds
 * its own data in static memory (see alloc_hook.c for the reason). */
#ifndef CONDUIT_ALLOC_HOOK_H
#define CONDUIT_ALLOC_HOOK_H

#include "native.h"

#include <stdbool.h>

enum { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAIN_COUNT };

typedef struct {
    const PyMemAllocatorEx hooks[DOMAIN_COUNT]; /* `ctx` is ignored; a function that is missing stays the original */
    PyMemAllocatorEx originals[DOMAIN_COUNT];   /* the functions below */
    bool installed;                             /* in the chain, perhaps below another library's hooks */
} AllocatorLayer;

/* Put the layer on top, unless it is still in the chain. */
void allocator_layer_install(AllocatorLayer *layer);

/* Remove the layer if it is on top in every domain; else it stays, and must pass calls on. */
void allocator_layer_remove(AllocatorLayer *layer);

#endif
