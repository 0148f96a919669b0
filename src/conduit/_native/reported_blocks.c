/* Extensions announce their own memory by PyTraceMalloc_Track for each block and PyTraceMalloc_Untrack before they free
 * one, whether tracemalloc runs or not. Those calls go through the extension's own table (got.c), and during a heap
 * profile they come here first. Extensions that are loaded later are found when the import looks up their first symbol:
 * by then they are loaded and have not run.
 *
 * The replacements run on any thread, mostly with the GIL, and always pass the call on. The patches are under
 * `guard`, because interpreters may have a GIL of their own; only the linker is called under it. */
#include "reported_blocks.h"

#include "got.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { NOT_TRACING = -2 }; /* tracemalloc's answer when it is off */

static int (*real_track)(unsigned int, uintptr_t, size_t);
static int (*real_untrack)(unsigned int, uintptr_t);
static void *(*real_dlsym)(void *, const char *);

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static GotPatches patches; /* under `guard` */
static bool patching;      /* under `guard` */
static _Atomic(BlockReported) report[REPORT_USERS]; /* written under `guard` */
static _Atomic(BlockWithdrawn) withdraw[REPORT_USERS];

/* An extension may stop reporting when tracemalloc answers that it is off. */
static int tracemalloc_status(int answer) { return answer == NOT_TRACING ? 0 : answer; }

static int on_track(unsigned int domain, uintptr_t address, size_t size) {
    for (int user = 0; user < REPORT_USERS; user++) {
        BlockReported listener = atomic_load(&report[user]);
        if (listener != NULL) listener((void *)address, size);
    }
    return tracemalloc_status(real_track(domain, address, size));
}

static int on_untrack(unsigned int domain, uintptr_t address) {
    for (int user = 0; user < REPORT_USERS; user++) {
        BlockWithdrawn listener = atomic_load(&withdraw[user]);
        if (listener != NULL) listener((void *)address);
    }
    return tracemalloc_status(real_untrack(domain, address));
}

static void *on_dlsym(void *object, const char *name);

#define HOOK(name, hook, real, reach) {#name, (void *)(uintptr_t)(hook), (void **)(void *)&(real), reach, 0}
static GotHook hooks[] = {
    HOOK(PyTraceMalloc_Track, on_track, real_track, GOT_EXTENSIONS),
    HOOK(PyTraceMalloc_Untrack, on_untrack, real_untrack, GOT_EXTENSIONS),
    HOOK(dlsym, on_dlsym, real_dlsym, GOT_INTERPRETER),
};
enum { HOOK_COUNT = sizeof hooks / sizeof *hooks };

/* dlsym depends on its caller, which must be the interpreter, so this ends in a jump; dlopen could not be replaced.
 * Where a table cannot be written, the new extension's blocks are not seen. */
static void *on_dlsym(void *object, const char *name) {
    pthread_mutex_lock(&guard);
    if (patching) got_patch_newly_loaded(&patches, hooks, HOOK_COUNT);
    pthread_mutex_unlock(&guard);
    return real_dlsym(object, name);
}

static bool has_user(void) {
    for (int user = 0; user < REPORT_USERS; user++) {
        if (atomic_load(&report[user]) != NULL) return true;
    }
    return false;
}

bool reported_blocks_begin(ReportUser user, BlockReported on_reported, BlockWithdrawn on_withdrawn) {
    pthread_mutex_lock(&guard);
    if (!patching) patching = got_patch(&patches, hooks, HOOK_COUNT);
    bool begun = patching;
    if (begun) {
        atomic_store(&report[user], on_reported);
        atomic_store(&withdraw[user], on_withdrawn);
    }
    pthread_mutex_unlock(&guard);
    return begun;
}

void reported_blocks_end(ReportUser user) {
    pthread_mutex_lock(&guard);
    atomic_store(&report[user], NULL);
    atomic_store(&withdraw[user], NULL);
    if (patching && !has_user()) {
        patching = false;
        got_restore(&patches);
    }
    pthread_mutex_unlock(&guard);
}

void reported_blocks_before_fork(void) { pthread_mutex_lock(&guard); }
void reported_blocks_after_fork(void) { pthread_mutex_unlock(&guard); }
