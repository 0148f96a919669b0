/* Replacing functions that a loaded object calls. See got.c. */
#ifndef CONDUIT_GOT_H
#define CONDUIT_GOT_H

#include <stdbool.h>

typedef struct {
    const char *name;
    void *replacement;
    void **original;   /* where the real function's address goes */
    bool interpreter_only; /* leave modules such as _socket alone */
    int places;        /* how many calls lead to the replacement */
} GotHook;

bool got_patch(GotHook *hooks, int count);
void got_restore(void);

#endif
