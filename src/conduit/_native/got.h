/* Replacing the functions that loaded objects call.
 *
 * Contract: with the GIL, or under a lock of the owner; never in a hook. A thread that is inside a replacement while
 * it is restored returns normally, since this extension is never unloaded. */
#ifndef CONDUIT_GOT_H
#define CONDUIT_GOT_H

#include <stdbool.h>
#include <stddef.h>

/* The objects whose calls a hook replaces. */
typedef enum {
    GOT_WAITING,     /* the interpreter, and its modules that wait */
    GOT_INTERPRETER, /* the interpreter alone */
    GOT_EXTENSIONS,  /* every object but the interpreter */
} GotReach;

typedef struct {
    const char *name;
    void *replacement;
    void **original; /* receives the address of the real function */
    GotReach reach;
    int calls;       /* table slots that lead to the replacement */
} GotHook;

/* The slots that one owner has patched; zeroed at first. */
typedef struct {
    struct GotSlot *slots;
    size_t count, capacity;
    size_t objects_seen;              /* loaded objects that are patched already */
    unsigned long long objects_gone;  /* how many had been unloaded then */
} GotPatches;

/* Route the calls to the replacements. False: a table cannot be written, or there is no memory; nothing has changed. */
bool got_patch(GotPatches *patches, GotHook *hooks, int count);

/* The same for objects loaded since the last call. False: some of their calls are not routed. */
bool got_patch_newly_loaded(GotPatches *patches, GotHook *hooks, int count);

/* Restore all slots, except those that other code has changed since. */
void got_restore(GotPatches *patches);

#endif
