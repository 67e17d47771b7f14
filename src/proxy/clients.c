#include "proxy/clients.h"

#include "base/check.h"

void client_counts_init(struct client_counts *c)
{
    lock_init(&c->lock, "clients");
    c->running = MAP_INIT;
}

void client_counts_destroy(struct client_counts *c)
{
    map_free(&c->running);
    lock_destroy(&c->lock);
}

bool client_counts_enter(struct client_counts *c, const char *name, size_t limit)
{
    struct str key = str_of(name);
    lock_get(&c->lock);
    uintptr_t n = (uintptr_t)map_get(&c->running, key);
    if (n < limit) map_put(&c->running, key, (void *)(n + 1));
    lock_put(&c->lock);
    return n < limit;
}

void client_counts_leave(struct client_counts *c, const char *name)
{
    struct str key = str_of(name);
    lock_get(&c->lock);
    uintptr_t n = (uintptr_t)map_get(&c->running, key);
    BUG_ON(n == 0);
    if (n == 1)
        map_remove(&c->running, key);
    else
        map_put(&c->running, key, (void *)(n - 1));
    lock_put(&c->lock);
}
