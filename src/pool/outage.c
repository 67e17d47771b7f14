/* The breakers in the pool: which try is told to which, the census before one opens, and what is taken back then.
 *
 * Every try is told to its model's breaker and to the one of the whole upstream, once: at its gate when it passed one,
 * else when its lease comes back. While a breaker is open for a verdict, tries that end with this verdict have no
 * consequences for their keys.
 *
 * Opening takes back what the window did to keys in error: a cell keeps what its limit was before the first such
 * failure, a key refused with 401 keeps its class. What was taken back is remembered as doubted or struck, so that it
 * can be done after all when the breaker comes to believe it. */
#include "pool/pool_priv.h"

#include "base/log.h"

enum { PROVEN_MS = 24 * 3600000, FORBIDDEN_MS = 300000 };

struct lane *pool_lane(struct keypool *p, const struct lease *l)
{
    return l->lane >= 0 ? &p->lanes.at[l->lane] : NULL;
}

int64_t pool_outage_wait(struct keypool *p, const struct lane *lane, mono_t now, enum verdict *reason, bool *whole)
{
    int64_t all = breaker_wait(&p->breaker, now), one = lane ? breaker_wait(&lane->breaker, now) : 0;
    *whole = all >= one;
    *reason = all >= one ? p->breaker.reason : lane->breaker.reason;
    return MAX(all, one);
}

bool pool_outage_enter(struct keypool *p, struct lane *lane, uint64_t seq, mono_t now)
{
    bool of_all = breaker_enter(&p->breaker, seq, now), of_model = lane && breaker_enter(&lane->breaker, seq, now);
    return of_all || of_model;
}

static bool other_reason(const struct limit *l, enum verdict v, mono_t now)
{
    return limit_cooling(l, now) && l->reason != v;
}

/* Could the account be asked, if it were not for this verdict? `q` NULL: for anything at all. */
static bool account_usable(struct keypool *p, uint32_t account, const struct model_query *q, enum verdict v, mono_t now)
{
    struct account *a = &p->accounts[account];
    struct limit *limits[2] = {&a->scopes[ON_ACCOUNT]};
    size_t n = q ? pool_scopes(a, q, limits) : 1;
    for (size_t i = 0; i < n; i++)
        if (other_reason(limits[i], v, now)) return false;
    const struct cell *cell = q ? cells_find(&p->cells, account, q->hash, q->model) : NULL;
    return !cell || !other_reason(&cell->limit, v, now);
}

static struct breaker_census census(struct keypool *p, const struct breaker *b, const struct model_query *q,
                                    enum verdict v, mono_t now)
{
    struct breaker_census c = {0, 0};
    uint64_t stamp = ++p->stamp;
    for (size_t i = 0; i < p->count; i++) {
        const struct key *k = p->order[i];
        struct account *a = &p->accounts[k->account];
        if (!key_may_serve(k) || a->stamp == stamp) continue;
        a->stamp = stamp;
        if (!account_usable(p, k->account, q, v, now)) continue;
        c.usable++;
        c.covered += breaker_saw(b, v, k->account, now);
    }
    return c;
}

/* --- taking back, and believing after all --- */

void pool_strike(struct cell *cell, enum verdict v, mono_t now)
{
    if (cell->struck == v && mono_since(now, cell->struck_at) < BREAKER_WINDOW_MS) return;
    cell->struck = v;
    cell->struck_at = now;
    cell->before = cell->limit;
}

static void take_back(struct cell *cell, enum verdict v, mono_t now)
{
    bool lately = cell->struck == v && mono_since(now, cell->struck_at) < BREAKER_WINDOW_MS;
    if (lately && cell->limit.reason == v) cell->limit = cell->before;
}

static void take_back_cells(struct keypool *p, const struct lane *lane, enum verdict v, mono_t now)
{
    for (int32_t i = 0; i < p->cells.used; i++) {
        struct cell *cell = &p->cells.at[i];
        if (!lane || cell->hash == lane->hash) take_back(cell, v, now);
    }
}

static void take_back_keys(struct keypool *p, mono_t now, wall_t wall)
{
    for (size_t i = 0; i < p->count; i++) {
        struct key *k = p->order[i];
        bool lately = k->doubted.ms && mono_since(now, k->doubted) < BREAKER_WINDOW_MS;
        if (!lately || k->class != CLASS_INVALID) continue;
        pool_set_class(p, k, k->class_before, wall, "every key was refused at once");
        k->test_due = (mono_t){0};
    }
}

static void believe(struct keypool *p, const struct lane *lane, const struct lease_end *end)
{
    for (size_t i = 0; i < p->count && end->verdict == VERDICT_KEY_INVALID; i++) {
        struct key *k = p->order[i];
        if (k->doubted.ms) pool_invalidate(p, k, end->now, end->wall, false);
    }
    for (int32_t i = 0; i < p->cells.used && end->verdict == VERDICT_FORBIDDEN_OTHER; i++) {
        struct cell *cell = &p->cells.at[i];
        if (cell->struck == VERDICT_FORBIDDEN_OTHER && (!lane || cell->hash == lane->hash))
            limit_refuse(&cell->limit, VERDICT_FORBIDDEN_OTHER, 0, FORBIDDEN_MS, end->now);
    }
}

static void forget_doubts(struct keypool *p, const struct lane *lane)
{
    for (size_t i = 0; i < p->count && !lane; i++) p->order[i]->doubted = (mono_t){0};
    for (int32_t i = 0; i < p->cells.used; i++)
        if (!lane || p->cells.at[i].hash == lane->hash) p->cells.at[i].struck = VERDICT_OK;
}

/* --- telling --- */

static void note_news(struct outage_news *news, const struct lane *lane, enum verdict reason, bool opened,
                      bool believed)
{
    if (news->count == ARRAY_LEN(news->at)) return;
    struct outage_change *c = &news->at[news->count++];
    *c = (struct outage_change){.reason = reason, .opened = opened, .believed = believed, .whole = !lane};
    if (lane) memcpy(c->model, lane->model, sizeof c->model);
}

static void opened(struct keypool *p, const struct lane *lane, const struct lease_end *end, struct outage_news *news)
{
    note_news(news, lane, end->verdict, true, false);
    take_back_cells(p, lane, end->verdict, end->now);
    if (end->verdict == VERDICT_KEY_INVALID) take_back_keys(p, end->now, end->wall);
    pool_changed(p);
}

static void tell(struct keypool *p, struct breaker *b, struct lane *lane, const struct breaker_try *t,
                 const struct model_query *q, const struct lease_end *end, struct outage_news *news)
{
    enum verdict reason = b->reason;
    enum breaker_news heard = breaker_hear(b, t);
    if (heard == BREAKER_NOTHING) return;
    if (heard == BREAKER_SUSPECTS) {
        struct breaker_census c = census(p, b, lane ? q : NULL, t->verdict, t->now);
        if (breaker_judge(b, t, &c)) opened(p, lane, end, news);
        return;
    }
    if (heard == BREAKER_BELIEVES) believe(p, lane, end);
    forget_doubts(p, lane);
    note_news(news, lane, reason, false, heard == BREAKER_BELIEVES);
    pool_changed(p);
}

static void tell_both(struct keypool *p, const struct lease *l, const struct model_query *q,
                      const struct lease_end *end, struct outage_news *news)
{
    const struct account *a = &p->accounts[l->account];
    struct lane *lane = pool_lane(p, l);
    struct breaker_try t = {.verdict = end->verdict,
                            .code = end->code,
                            .model = lane ? lane->hash : 0,
                            .seq = l->seq,
                            .account = l->account,
                            .proven = a->worked_at.ms && end->wall.ms - a->worked_at.ms < PROVEN_MS,
                            .now = end->now};
    tell(p, &p->breaker, NULL, &t, q, end, news);
    if (lane) tell(p, &lane->breaker, lane, &t, q, end, news);
}

void pool_outage_gate(struct keypool *p, struct lease *l, mono_t now, struct outage_news *news)
{
    struct lease_end ok = {.verdict = VERDICT_OK, .now = now};
    if (l->gated) return;
    l->gated = true;
    tell_both(p, l, NULL, &ok, news);
}

bool pool_outage_end(struct keypool *p, struct key *k, struct cell *cell, const struct lease *l,
                     const struct model_query *q, const struct lease_end *end, struct outage_news *news)
{
    const struct lane *lane = pool_lane(p, l);
    if (end->verdict == VERDICT_KEY_INVALID) k->doubted = end->now;
    if (!l->gated) tell_both(p, l, q, end, news);
    bool excused =
        breaker_open_for(&p->breaker, end->verdict) || (lane && breaker_open_for(&lane->breaker, end->verdict));
    if (excused && cell && end->verdict == VERDICT_FORBIDDEN_OTHER) pool_strike(cell, end->verdict, end->now);
    return excused;
}

void pool_outage_log(const struct outage_news *news)
{
    for (unsigned i = 0; i < news->count; i++) {
        const struct outage_change *c = &news->at[i];
        const char *of = c->whole ? "the platform" : c->model[0] ? c->model : "calls without a model";
        if (c->opened)
            log_msg(LOG_WARN, "breaker open for %s: every account got '%s'; only probes go there now", of,
                    verdict_sentence(c->reason));
        else if (c->believed)
            log_msg(LOG_WARN, "breaker closed for %s: '%s' is believed now", of, verdict_sentence(c->reason));
        else
            log_msg(LOG_INFO, "breaker closed for %s: it answers again", of);
    }
}

/* --- from outside --- */

int64_t keypool_outage_ms(struct keypool *p, struct str model, mono_t now)
{
    struct model_query q = model_query(p, model, COST_UNKNOWN);
    enum verdict reason;
    bool whole;
    lock_get(&p->lock);
    int64_t ms = pool_outage_wait(p, lanes_find(&p->lanes, q.hash, q.model), now, &reason, &whole);
    lock_put(&p->lock);
    return ms;
}

void keypool_outage_view(struct keypool *p, const char *model, mono_t now, struct outage_view *out)
{
    struct model_query q = model_query(p, str_of(model ? model : ""), COST_UNKNOWN);
    lock_get(&p->lock);
    const struct lane *lane = model ? lanes_find(&p->lanes, q.hash, q.model) : NULL;
    const struct breaker *b = lane ? &lane->breaker : &p->breaker;
    *out = (struct outage_view){.waiting = lane ? lane->waiting : model ? 0 : p->lanes.waiting};
    if ((lane || !model) && b->open) {
        out->state = breaker_state(b, now);
        out->reason = b->reason;
        out->next_ms = breaker_wait(b, now);
        out->open_ms = mono_since(now, b->opened);
    }
    lock_put(&p->lock);
}

void keypool_outage_reset(struct keypool *p)
{
    lock_get(&p->lock);
    breaker_init(&p->breaker, true);
    for (int32_t i = 0; i < p->lanes.used; i++) breaker_init(&p->lanes.at[i].breaker, false);
    pool_changed(p);
    lock_put(&p->lock);
}
