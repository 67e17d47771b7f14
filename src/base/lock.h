/* Mutexes with a rank. A thread holds at most one of them; debug builds (-DSFPROXY_DEBUG) abort on a second one and
 * lock_assert_held() is real. Nothing slow happens under a lock: no I/O, no allocation, no callback. */
#ifndef SFPROXY_BASE_LOCK_H
#define SFPROXY_BASE_LOCK_H

#include <pthread.h>

#include "base/base.h"

struct lock {
    pthread_mutex_t m;
    const char *name;
    pthread_t owner; /* valid while held; debug builds only */
    bool held;
};

void lock_init(struct lock *l, const char *name);
void lock_destroy(struct lock *l);
void lock_get(struct lock *l);
void lock_put(struct lock *l);
void lock_assert_held(const struct lock *l);

#endif
