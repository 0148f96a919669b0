/* From 3.14 on, a lock object begins with a PyMutex of one byte, which needs no initialisation that could be
 * intercepted. So `tp_alloc` and `tp_dealloc` of the two types are wrapped while locks are watched. A subclass of RLock
 * has its own `tp_alloc`, so the place where its locks are made is not known. */
#include "python_layout.h"

#include "lock_objects.h"

#include <pthread.h>
#include <time.h>

#define MAX_CHECKS 20000 /* of 100 microseconds */

#if PYTHON_HAS_MUTEX_LOCKS
static const char *const TYPE_NAMES[] = {"lock", "RLock"};
enum { TYPE_COUNT = sizeof TYPE_NAMES / sizeof *TYPE_NAMES };

static PyTypeObject *types[TYPE_COUNT]; /* owned; found at the first use */
static allocfunc real_alloc[TYPE_COUNT];
static destructor real_dealloc[TYPE_COUNT];
static LockEvent report_made, report_freed;

static uintptr_t lock_in(const PyObject *object) { return (uintptr_t)object + LAYOUT_MUTEX_IN_LOCK; }

static int index_of(const PyTypeObject *type) {
    for (; type != NULL; type = type->tp_base)
        for (int i = 0; i < TYPE_COUNT; i++)
            if (type == types[i]) return i;
    return 0; /* not reached: only these types have our functions, or inherit them */
}

static PyObject *on_alloc(PyTypeObject *type, Py_ssize_t items) {
    PyObject *object = real_alloc[index_of(type)](type, items);
    if (object != NULL) report_made(lock_in(object));
    return object;
}

static void on_dealloc(PyObject *object) {
    report_freed(lock_in(object));
    real_dealloc[index_of(Py_TYPE(object))](object);
}

static bool find_types(void) {
    PyObject *module = PyImport_ImportModule("_thread");
    for (int i = 0; module != NULL && i < TYPE_COUNT && (i == 0 || types[i - 1] != NULL); i++)
        if (types[i] == NULL) types[i] = (PyTypeObject *)PyObject_GetAttrString(module, TYPE_NAMES[i]);
    Py_XDECREF(module);
    return types[TYPE_COUNT - 1] != NULL;
}

bool lock_objects_watch(LockEvent on_made, LockEvent on_freed) {
    if (!find_types()) return false;
    report_made = on_made;
    report_freed = on_freed;
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (types[i]->tp_alloc == on_alloc) continue;
        real_alloc[i] = types[i]->tp_alloc;
        real_dealloc[i] = types[i]->tp_dealloc;
        types[i]->tp_alloc = on_alloc;
        types[i]->tp_dealloc = on_dealloc;
    }
    return true;
}

void lock_objects_unwatch(void) {
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (types[i] == NULL || types[i]->tp_alloc != on_alloc) continue;
        types[i]->tp_alloc = real_alloc[i];
        types[i]->tp_dealloc = real_dealloc[i];
    }
}

/* Whether acquiring and releasing the object changes the byte at which its mutex should be. */
static bool has_mutex(PyObject *object) {
    const volatile uint8_t *mutex = (const volatile uint8_t *)lock_in(object);
    bool was_free = *mutex == 0;
    PyObject *acquired = PyObject_CallMethod(object, "acquire", NULL);
    bool is_held = *mutex == 1;
    PyObject *released = acquired == NULL ? NULL : PyObject_CallMethod(object, "release", NULL);
    bool called = acquired != NULL && released != NULL;
    Py_XDECREF(acquired);
    Py_XDECREF(released);
    return called && was_free && is_held && *mutex == 0;
}

static bool check_objects(void) {
    bool good = find_types();
    for (int i = 0; good && i < TYPE_COUNT; i++) {
        PyObject *object = PyObject_CallNoArgs((PyObject *)types[i]);
        good = object != NULL && has_mutex(object);
        Py_XDECREF(object);
    }
    PyErr_Clear();
    return good;
}

typedef PyMutex KnownLock;
static bool known_lock_make(KnownLock *lock) {
    *lock = (PyMutex){0};
    return true;
}
static uintptr_t known_lock_address(KnownLock *lock) { return (uintptr_t)lock; }
static void known_lock_acquire(KnownLock *lock) { PyMutex_Lock(lock); }
static void known_lock_release(KnownLock *lock) { PyMutex_Unlock(lock); }
static void known_lock_free(KnownLock *lock) { (void)lock; }
#else
bool lock_objects_watch(LockEvent on_made, LockEvent on_freed) {
    (void)on_made, (void)on_freed;
    return true;
}
void lock_objects_unwatch(void) {}
static bool check_objects(void) { return true; }

typedef PyThread_type_lock KnownLock; /* what a lock object refers to: the address of a semaphore */
static bool known_lock_make(KnownLock *lock) { return (*lock = PyThread_allocate_lock()) != NULL; }
static uintptr_t known_lock_address(KnownLock *lock) { return (uintptr_t)*lock; }
static void known_lock_acquire(KnownLock *lock) { PyThread_acquire_lock(*lock, WAIT_LOCK); }
static void known_lock_release(KnownLock *lock) { PyThread_release_lock(*lock); }
static void known_lock_free(KnownLock *lock) { PyThread_free_lock(*lock); }
#endif

typedef struct {
    KnownLock lock;
    atomic_uintptr_t seen;
    void (*see_own_waits)(atomic_uintptr_t *seen);
} Check;

static void *wait_for_lock(void *argument) {
    Check *check = argument;
    check->see_own_waits(&check->seen);
    known_lock_acquire(&check->lock);
    known_lock_release(&check->lock);
    return NULL;
}

/* Make another thread wait for the lock until its wait has been seen. */
static bool sees_wait(Check *check) {
    pthread_t thread;
    known_lock_acquire(&check->lock);
    bool started = pthread_create(&thread, NULL, wait_for_lock, check) == 0;
    for (int i = 0; started && i < MAX_CHECKS && atomic_load(&check->seen) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    known_lock_release(&check->lock);
    if (started) pthread_join(thread, NULL);
    return started && atomic_load(&check->seen) == known_lock_address(&check->lock);
}

bool lock_objects_check(void (*see_own_waits)(atomic_uintptr_t *seen)) {
    Check check = {.seen = 0, .see_own_waits = see_own_waits};
    if (!check_objects() || !known_lock_make(&check.lock)) return false;
    bool good;
    Py_BEGIN_ALLOW_THREADS
    good = sees_wait(&check);
    Py_END_ALLOW_THREADS
    known_lock_free(&check.lock);
    return good;
}
