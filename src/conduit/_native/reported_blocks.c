/* Memory that extensions take from elsewhere and report to tracemalloc: the contents of numpy's arrays above all.
 *
 * An extension that wants its memory seen calls PyTraceMalloc_Track for each block and PyTraceMalloc_Untrack before it lets
 * go of one, whether tracemalloc runs or not. Those calls lead through the extension's own table (got.c), and while a heap
 * profile is taken they come here first. Extensions that are loaded later are found when the import looks for their first
 * symbol, which is after they were loaded and before they run.
 *
 * Law: the replacements run wherever the extension calls them, mostly with the GIL, and always pass the call on. What is
 * patched is under `guard`, for interpreters with a GIL of their own; nothing is called under it but the linker. */
#include "reported_blocks.h"

#include "got.h"

#include <pthread.h>
#include <stdint.h>

enum { NOT_TRACING = -2 }; /* tracemalloc's answer when it is off */

static int (*real_track)(unsigned int, uintptr_t, size_t);
static int (*real_untrack)(unsigned int, uintptr_t);
static void *(*real_dlsym)(void *, const char *);

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static GotPatches patches; /* under `guard` */
static bool patching;      /* under `guard` */

/* A reporter may give up where nobody listens; but we do. */
static int heard(int answer) { return answer == NOT_TRACING ? 0 : answer; }

static int on_track(unsigned int domain, uintptr_t address, size_t size) {
    heap_block_reported((void *)address, size);
    return heard(real_track(domain, address, size));
}

static int on_untrack(unsigned int domain, uintptr_t address) {
    heap_block_withdrawn((void *)address);
    return heard(real_untrack(domain, address));
}

static void *on_dlsym(void *object, const char *name);

#define HOOK(name, hook, real, reach) {#name, (void *)(uintptr_t)(hook), (void **)(void *)&(real), reach, 0}
static GotHook hooks[] = {
    HOOK(PyTraceMalloc_Track, on_track, real_track, GOT_EXTENSIONS),
    HOOK(PyTraceMalloc_Untrack, on_untrack, real_untrack, GOT_EXTENSIONS),
    HOOK(dlsym, on_dlsym, real_dlsym, GOT_INTERPRETER),
};
enum { HOOK_COUNT = sizeof hooks / sizeof *hooks };

/* The real one must believe that the interpreter called it, so this ends in a jump, and not dlopen is replaced. Where a
 * table cannot be written, the new extension's blocks go unseen, as all did before. */
static void *on_dlsym(void *object, const char *name) {
    pthread_mutex_lock(&guard);
    if (patching) got_patch_newly_loaded(&patches, hooks, HOOK_COUNT);
    pthread_mutex_unlock(&guard);
    return real_dlsym(object, name);
}

/* Blocks are reported to the heap profile from now on. False: no memory, or the tables are not to be written. */
bool reported_blocks_begin(void) {
    pthread_mutex_lock(&guard);
    patching = got_patch(&patches, hooks, HOOK_COUNT);
    bool begun = patching;
    pthread_mutex_unlock(&guard);
    return begun;
}

void reported_blocks_end(void) {
    pthread_mutex_lock(&guard);
    patching = false;
    got_restore(&patches);
    pthread_mutex_unlock(&guard);
}

void reported_blocks_before_fork(void) { pthread_mutex_lock(&guard); }
void reported_blocks_after_fork(void) { pthread_mutex_unlock(&guard); }
