#include "meter/money.h"

enum { MINUTE_MS = 60000, BURN_LEAST_MS = 600000, HOUR_MS = 3600000 };

void money_book(struct money *m, int64_t cost)
{
    if (cost < 0)
        m->unpriced++;
    else
        m->micro = money_add(m->micro, cost);
}

void money_merge(struct money *to, const struct money *m)
{
    to->micro = money_add(to->micro, m->micro);
    to->unpriced += m->unpriced;
}

static int64_t shown(const struct money *m)
{
    return !m->micro && m->unpriced ? -1 : m->micro;
}

struct spent spent_of(const struct money *today, const struct money *total)
{
    return (struct spent){shown(today), shown(total), today->unpriced, total->unpriced};
}

void burn_add(struct burn *b, mono_t now, int64_t cost)
{
    int64_t at = now.ms / MINUTE_MS;
    if (at - b->newest >= BURN_MINUTES) *b = (struct burn){.newest = at};
    while (b->newest < at) b->minutes[++b->newest % BURN_MINUTES] = 0;
    if (cost <= 0 || b->newest - at >= BURN_MINUTES) return;
    int64_t *slot = &b->minutes[at % BURN_MINUTES];
    *slot = money_add(*slot, cost);
}

int64_t burn_per_hour(const struct burn *b, mono_t started, mono_t now)
{
    int64_t at = now.ms / MINUTE_MS, sum = 0;
    int64_t span = MIN(MAX(mono_since(now, started), (int64_t)BURN_LEAST_MS), (int64_t)HOUR_MS);
    for (int64_t n = MAX(b->newest - BURN_MINUTES + 1, 0); n <= b->newest; n++)
        if (at - n < BURN_MINUTES) sum = money_add(sum, b->minutes[n % BURN_MINUTES]);
    __int128 hourly = (__int128)sum * HOUR_MS / span;
    return hourly > INT64_MAX ? INT64_MAX : (int64_t)hourly;
}

/* The platform did nothing that it asks money for. */
static bool did_no_work(enum end_reason end)
{
    return end == END_CLIENT_ERROR || end == END_UPSTREAM_ERROR || end == END_NO_KEY;
}

int64_t record_cost(const struct record *r, const struct price *p)
{
    struct price_use use = {.known = r->usage.known,
                            .in = r->usage.in,
                            .out = r->usage.out,
                            .cached = r->usage.cached,
                            .units = r->usage.units};
    if (!r->model[0]) return 0;
    if (did_no_work(r->end) && !use.known) return 0;
    if (p->unit > PRICE_TOKENS && did_no_work(r->end)) return 0;
    return price_cost(p, &use);
}
