/* Replacing functions that a loaded object calls. See got.c. */
#ifndef CONDUIT_GOT_H
#define CONDUIT_GOT_H

#include <stdbool.h>
#include <stddef.h>

/* Whose calls a hook takes. */
typedef enum {
    GOT_WAITING,     /* the interpreter's, and those of its modules that wait */
    GOT_INTERPRETER, /* the interpreter's alone */
    GOT_EXTENSIONS,  /* those of every object but the interpreter */
} GotReach;

typedef struct {
    const char *name;
    void *replacement;
    void **original; /* where the real function's address goes */
    GotReach reach;
    int places;      /* how many calls lead to the replacement */
} GotHook;

/* What one owner has patched; zeroed at first. */
typedef struct {
    struct GotSlot *slots;
    size_t count, capacity;
    size_t objects_seen;              /* loaded objects that need no second look */
    unsigned long long objects_gone;  /* how many had been unloaded then */
} GotPatches;

bool got_patch(GotPatches *patches, GotHook *hooks, int count);
bool got_patch_newly_loaded(GotPatches *patches, GotHook *hooks, int count);
void got_restore(GotPatches *patches);

#endif
