/* A layer of functions before the interpreter's allocators (PyMem_SetAllocator), one function set a domain.
 *
 * Law: while a layer is put in or taken out, another thread may be inside PyMem_RawMalloc without the GIL and read
 * a new function with the old context or the other way round. A layer therefore keeps the context of the one
 * below it and finds its own data in static memory, which makes every such mixture a correct call.
 *
 * Somebody else (tracemalloc, a debugger) may have put a layer above ours since. It cannot be taken from under
 * them, so it stays, `installed` stays true, its functions pass every call on, and the next start wakes it up. */
#include "alloc_hook.h"

static const PyMemAllocatorDomain DOMAINS[DOMAIN_COUNT] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

/* Puts the layer on top, unless it is still in the chain. The GIL is held. */
void allocator_layer_install(AllocatorLayer *layer) {
    if (layer->installed) return;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        if (layer->hooks[domain].malloc == NULL) continue;
        PyMem_GetAllocator(DOMAINS[domain], &layer->originals[domain]);
        PyMemAllocatorEx hook = layer->hooks[domain];
        hook.ctx = layer->originals[domain].ctx;
        PyMem_SetAllocator(DOMAINS[domain], &hook);
    }
    layer->installed = true;
}

/* Takes the layer out if it is on top in every domain; else it stays and must pass calls on. The GIL is held. */
void allocator_layer_remove(AllocatorLayer *layer) {
    PyMemAllocatorEx current;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        if (layer->hooks[domain].malloc == NULL) continue;
        PyMem_GetAllocator(DOMAINS[domain], &current);
        if (current.malloc != layer->hooks[domain].malloc) return;
    }
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        if (layer->hooks[domain].malloc != NULL) PyMem_SetAllocator(DOMAINS[domain], &layer->originals[domain]);
    layer->installed = false;
}
