/* A request body in memory, reference-counted within one thread, charged to the process-wide memory budget. The last
 * reference gives memory and charge back. */
#ifndef SFPROXY_NET_BODY_H
#define SFPROXY_NET_BODY_H

#include <stdatomic.h>

#include "base/buf.h"

struct memory_budget {
    _Atomic int64_t used; /* bytes */
    _Atomic int64_t limit;
};

/* Any thread. False: it does not fit (nothing was charged). */
bool budget_take(struct memory_budget *b, int64_t n);
void budget_give(struct memory_budget *b, int64_t n);

struct body {
    unsigned refs;
    struct buf bytes;
    struct memory_budget *budget;
    int64_t charged;
};

struct body *body_new(struct memory_budget *budget, size_t cap);
struct body *body_get(struct body *b);
void body_put(struct body *b); /* NULL is fine */
/* Replaces n bytes at `at`; nobody else may have a reference. False: no memory, or the budget is used up. */
bool body_replace(struct body *b, size_t at, size_t n, struct str text);
/* Raises the charge to at least n bytes. False: the budget is used up. */
bool body_charge(struct body *b, int64_t n);

#endif
