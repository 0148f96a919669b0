/* Putting functions before the interpreter's allocators, and taking them away again. See alloc_hook.c. */
#ifndef CONDUIT_ALLOC_HOOK_H
#define CONDUIT_ALLOC_HOOK_H

#include "native.h"

#include <stdbool.h>

enum { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAIN_COUNT };

typedef struct {
    const PyMemAllocatorEx hooks[DOMAIN_COUNT]; /* `ctx` is ignored; a function that is missing stays the original */
    PyMemAllocatorEx originals[DOMAIN_COUNT];   /* whom each hook calls */
    bool installed;                             /* still in the chain, perhaps below a stranger's hook */
} AllocatorLayer;

void allocator_layer_install(AllocatorLayer *layer);
void allocator_layer_remove(AllocatorLayer *layer);

#endif
