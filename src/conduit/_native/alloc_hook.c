/* A layer is installed and removed by PyMem_SetAllocator, one set of functions for each domain.
 *
 * At that moment another thread may be inside PyMem_RawMalloc without the GIL, and read a new function with the old
 * context or the other way round. A layer therefore keeps the context of the one below it and finds its own data in
 * static memory, which makes every such mixture a correct call.
 *
 * Another library (tracemalloc, a debugger) may have put its layer above ours since. Ours cannot be removed from under
 * it, so it stays, `installed` stays true, its functions pass every call on, and the next start uses it again. */
#include "alloc_hook.h"

static const PyMemAllocatorDomain DOMAINS[DOMAIN_COUNT] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

static bool has_hooks(const PyMemAllocatorEx *hooks) {
    return hooks->malloc != NULL || hooks->calloc != NULL || hooks->realloc != NULL || hooks->free != NULL;
}

/* The domain's allocator while the layer is on top: the layer's functions, or the original ones where it has none. */
static PyMemAllocatorEx merged(const AllocatorLayer *layer, int domain) {
    const PyMemAllocatorEx *hooks = &layer->hooks[domain];
    PyMemAllocatorEx allocator = layer->originals[domain];
    if (hooks->malloc != NULL) allocator.malloc = hooks->malloc;
    if (hooks->calloc != NULL) allocator.calloc = hooks->calloc;
    if (hooks->realloc != NULL) allocator.realloc = hooks->realloc;
    if (hooks->free != NULL) allocator.free = hooks->free;
    return allocator;
}

static bool is_on_top(const AllocatorLayer *layer, int domain) {
    PyMemAllocatorEx current, own = merged(layer, domain);
    PyMem_GetAllocator(DOMAINS[domain], &current);
    return current.ctx == own.ctx && current.malloc == own.malloc && current.calloc == own.calloc &&
           current.realloc == own.realloc && current.free == own.free;
}

void allocator_layer_install(AllocatorLayer *layer) {
    if (layer->installed) return;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        if (!has_hooks(&layer->hooks[domain])) continue;
        PyMem_GetAllocator(DOMAINS[domain], &layer->originals[domain]);
        PyMemAllocatorEx allocator = merged(layer, domain);
        PyMem_SetAllocator(DOMAINS[domain], &allocator);
    }
    layer->installed = true;
}

void allocator_layer_remove(AllocatorLayer *layer) {
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        if (has_hooks(&layer->hooks[domain]) && !is_on_top(layer, domain)) return;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        if (has_hooks(&layer->hooks[domain])) PyMem_SetAllocator(DOMAINS[domain], &layer->originals[domain]);
    layer->installed = false;
}
