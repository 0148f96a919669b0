/* Two tables of lists, by semaphore and by lock, each list under its own lock. A waiter whose lock is its semaphore
 * is in the second one only. No two of these locks are ever held together. */
#include "waiters.h"

#include "hash_table.h"

#include <pthread.h>
#include <stdatomic.h>

#define LISTS 256

typedef struct {
    pthread_mutex_t guard;
    Waiter *first;
} List;

static List by_semaphore[LISTS], by_lock[LISTS];
static atomic_int waiter_count;

static List *list_of(List *lists, uintptr_t key) { return &lists[hash_mix(0, key) % LISTS]; }

void waiters_join(Waiter *waiter) {
    if (waiter->lock != waiter->semaphore) {
        List *list = list_of(by_semaphore, waiter->semaphore);
        pthread_mutex_lock(&list->guard);
        waiter->next_by_semaphore = list->first;
        list->first = waiter;
        pthread_mutex_unlock(&list->guard);
    }
    List *list = list_of(by_lock, waiter->lock);
    pthread_mutex_lock(&list->guard);
    waiter->next_by_lock = list->first;
    list->first = waiter;
    pthread_mutex_unlock(&list->guard);
    atomic_fetch_add(&waiter_count, 1);
}

void waiters_leave(Waiter *waiter) {
    atomic_fetch_sub(&waiter_count, 1);
    List *list = list_of(by_lock, waiter->lock);
    pthread_mutex_lock(&list->guard);
    for (Waiter **link = &list->first; *link != NULL; link = &(*link)->next_by_lock)
        if (*link == waiter) {
            *link = waiter->next_by_lock;
            break;
        }
    pthread_mutex_unlock(&list->guard);
    if (waiter->lock == waiter->semaphore) return;
    list = list_of(by_semaphore, waiter->semaphore);
    pthread_mutex_lock(&list->guard);
    for (Waiter **link = &list->first; *link != NULL; link = &(*link)->next_by_semaphore)
        if (*link == waiter) {
            *link = waiter->next_by_semaphore;
            break;
        }
    pthread_mutex_unlock(&list->guard);
}

bool waiters_any(void) { return atomic_load_explicit(&waiter_count, memory_order_relaxed) > 0; }

/* The lock for which a thread sleeps on this semaphore; the semaphore itself if no other is known. */
static uintptr_t lock_behind(uintptr_t semaphore) {
    uintptr_t lock = semaphore;
    List *list = list_of(by_semaphore, semaphore);
    pthread_mutex_lock(&list->guard);
    for (const Waiter *waiter = list->first; waiter != NULL; waiter = waiter->next_by_semaphore)
        if (waiter->semaphore == semaphore) lock = waiter->lock;
    pthread_mutex_unlock(&list->guard);
    return lock;
}

int waiters_charge(uintptr_t semaphore, uint64_t now_ns, uintptr_t *lock, uint64_t *delay_ns) {
    int count = 0;
    *lock = lock_behind(semaphore);
    *delay_ns = 0;
    List *list = list_of(by_lock, *lock);
    pthread_mutex_lock(&list->guard);
    for (Waiter *waiter = list->first; waiter != NULL; waiter = waiter->next_by_lock)
        if (waiter->lock == *lock) {
            *delay_ns += now_ns > waiter->since ? now_ns - waiter->since : 0;
            waiter->since = now_ns;
            count++;
        }
    pthread_mutex_unlock(&list->guard);
    return count;
}

void waiters_init(void) {
    for (int i = 0; i < LISTS; i++) {
        pthread_mutex_init(&by_semaphore[i].guard, NULL);
        pthread_mutex_init(&by_lock[i].guard, NULL);
        by_semaphore[i].first = by_lock[i].first = NULL;
    }
}

void waiters_after_fork_in_child(void) {
    waiters_init();
    atomic_store(&waiter_count, 0);
}
