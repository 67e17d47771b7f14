#include "base/lock.h"

#include "base/check.h"

#ifdef SFPROXY_DEBUG
static _Thread_local const struct lock *held_by_me;
#endif

void lock_init(struct lock *l, const char *name)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
#ifdef SFPROXY_DEBUG
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
#endif
    BUG_ON(pthread_mutex_init(&l->m, &attr) != 0);
    pthread_mutexattr_destroy(&attr);
    l->name = name;
    l->held = false;
}

void lock_destroy(struct lock *l)
{
    pthread_mutex_destroy(&l->m);
}

void lock_get(struct lock *l)
{
#ifdef SFPROXY_DEBUG
    BUG_ON(held_by_me != NULL);
    held_by_me = l;
#endif
    BUG_ON(pthread_mutex_lock(&l->m) != 0);
#ifdef SFPROXY_DEBUG
    l->owner = pthread_self();
    l->held = true;
#endif
}

void lock_put(struct lock *l)
{
#ifdef SFPROXY_DEBUG
    held_by_me = NULL;
    l->held = false;
#endif
    BUG_ON(pthread_mutex_unlock(&l->m) != 0);
}

void lock_assert_held(const struct lock *l)
{
#ifdef SFPROXY_DEBUG
    BUG_ON(!l->held || !pthread_equal(l->owner, pthread_self()));
#else
    (void)l;
#endif
}
