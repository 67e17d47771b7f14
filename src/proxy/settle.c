/* Counting: a request is admitted once and settled once, whatever ended it. Records go to the control thread through
 * the worker's ring; one that finds the ring full waits in a list of ours: never dropped, never waiting. */
#include "base/check.h"
#include "base/mem.h"
#include "proxy/exchange.h"

struct overflow_record {
    struct list node;
    struct record r;
};

static void keep_for_later(struct proxy *p, const struct record *r)
{
    struct overflow_record *o = xmalloc(sizeof *o);
    o->r = *r;
    list_append(&p->overflow, &o->node);
    if (!p->overflow_timer.armed) loop_timer_start(&p->overflow_timer, 20);
    p->shared->news(p->shared->arg);
}

/* The slot the next record is built in; NULL: the ring is full or older records still wait. */
static struct record *next_slot(struct proxy *p)
{
    return list_empty(&p->overflow) ? ring_slot(&p->records) : NULL;
}

static void pushed(struct proxy *p)
{
    ring_push(&p->records);
    if (ring_used(&p->records) == (p->records.mask + 1) / 2) p->shared->news(p->shared->arg);
}

void settle_flush_overflow(struct proxy *p)
{
    LIST_FOR_SAFE(it, &p->overflow)
    {
        struct record *slot = ring_slot(&p->records);
        if (!slot) break;
        struct overflow_record *o = LIST_ENTRY(it, struct overflow_record, node);
        *slot = o->r;
        pushed(p);
        list_remove(it);
        free(o);
    }
    if (!list_empty(&p->overflow)) loop_timer_start(&p->overflow_timer, 20);
}

bool settle_take_overflow(struct proxy *p, struct record *out)
{
    if (list_empty(&p->overflow)) return false;
    struct overflow_record *o = LIST_ENTRY(p->overflow.next, struct overflow_record, node);
    *out = o->r;
    list_remove(&o->node);
    free(o);
    return true;
}

static void fill_who(const struct exchange *e, struct record *r)
{
    r->id = e->part.of ? e->part.of->id : e->id;
    r->wall = e->begun_wall;
    r->at = loop_now(e->p->loop);
    str_copy(r->model, sizeof r->model, str_of(e->scan.model));
    str_copy(r->asked, sizeof r->asked, str_of(e->asked));
    r->model_known = e->model_known;
    str_copy(r->client, sizeof r->client, str_of(e->client));
    str_copy(r->key_id, sizeof r->key_id, str_of(e->lease.seq ? e->lease.key_id : ""));
}

static void put(struct exchange *e, enum record_kind kind, void (*fill)(const struct exchange *, struct record *))
{
    struct record here, *r = next_slot(e->p);
    struct record *to = r ? r : &here;
    memset(to, 0, offsetof(struct record, try_list));
    to->kind = kind;
    fill(e, to);
    if (r)
        pushed(e->p);
    else
        keep_for_later(e->p, to);
}

void settle_admitted(struct exchange *e)
{
    e->admitted = true;
    atomic_fetch_add_explicit(&e->p->in_flight, 1, memory_order_relaxed);
    put(e, RECORD_ADMITTED, fill_who);
}

void settle_try_began(struct exchange *e)
{
    put(e, RECORD_TRY, fill_who);
}

static int32_t ms_between(int64_t from_us, int64_t to_us)
{
    int64_t ms = (to_us - from_us) / 1000;
    return (int32_t)MIN(MAX(ms, 0), (int64_t)INT32_MAX);
}

void settle_fill(const struct exchange *e, struct record *r)
{
    int64_t now_us = mono_us(), begun_us = e->begun.ms * 1000;
    fill_who(e, r);
    if (!r->key_id[0] && e->tries) str_copy(r->key_id, sizeof r->key_id, str_of(e->try_list[e->tries - 1].key_id));
    r->path[0] = '/';
    str_copy(r->path + 1, sizeof r->path - 1, str_of(e->route.path));
    str_copy(r->method, sizeof r->method, str_of(e->method));
    r->stream = e->is_stream || e->scan.stream;
    r->status = e->client_status;
    r->usage = e->lease.seq || !e->usage.known ? tap_usage(&e->tap) : e->usage;
    r->usage.units = e->units;
    r->ttft_ms = e->first_byte_us ? ms_between(begun_us, e->first_byte_us) : -1;
    r->duration_ms = ms_between(begun_us, now_us);
    r->gen_ms = ms_between(e->tap.first_us, e->tap.last_us);
    r->bytes_up = e->bytes_up;
    r->bytes_down = e->bytes_down;
    r->tries = e->tries;
    if (e->tries) memcpy(r->try_list, e->try_list, e->tries * sizeof e->try_list[0]);
}

static void count_done(const struct exchange *e, struct record *r)
{
    settle_fill(e, r);
    r->end = e->end;
}

void settle(struct exchange *e, enum end_reason end)
{
    struct proxy *p = e->p;
    image_stop(e);
    exchange_step(e, STEP_SETTLE);
    WARN_BUG(e->lease.seq != 0);
    WARN_BUG(e->call != NULL);
    e->end = end;
    exchange_leave_line(e);
    if (e->bound) {
        listing_free(e->bound->listing);
        e->bound->listing = NULL;
    }
    if (e->client_counted) client_counts_leave(&p->shared->clients, e->client);
    e->client_counted = false;
    if (e->admitted) {
        put(e, RECORD_DONE, count_done);
        atomic_fetch_sub_explicit(&p->in_flight, 1, memory_order_relaxed);
    }
    if (e->part.of) part_settled(e);
    list_remove(&e->wait_node);
    body_put(e->body);
    e->body = NULL;
    e->conn = NULL;
    list_remove(&e->node);
    list_append(&p->dead, &e->node);
    exchange_step(e, STEP_GONE);
    loop_defer(p->loop, &p->bury_task, exchange_bury, p);
}
