/* A fetch: a lease that counts nothing, one call, its answer judged like any other; with `any_key` the next key when
 * the platform refused this one.
 *
 *   begin -> (no key, no address) ----------------------------+
 *     |                                                       v
 *     +--> call --> answer, failure, timeout --> verdict --> done --> freed at the end of the turn
 *           ^                                       |
 *           +------- refused, any_key --------------+
 *
 * Invariants: the lease is out exactly while a call runs; done() runs once, or never after fetch_cancel(). */
#include "proxy/fetch.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/exchange.h"

enum { TIMEOUT_MS = 20000, BODY_MAX = 1024 * 1024 };

struct fetch {
    struct list node; /* p->fetches */
    struct proxy *p;
    struct fetch_ask ask; /* its texts are copies, below */
    char *path, *query, *secret_line, *api_url;
    struct key_owner owner;
    struct addrs *addrs;
    struct body *sent_body;
    struct call *call;
    struct lease lease;
    uint32_t tried[TRIED_MAX];
    size_t tried_count;
    struct loop_timer timer;
    struct loop_task task;
    struct buf body;
    mono_t begun;
    struct fetch_result result;
    void (*done)(void *, const struct fetch_result *);
    void *arg;
    bool over;
};

static void start(struct fetch *f);

static void fetch_free(void *arg)
{
    struct fetch *f = arg;
    loop_timer_destroy(&f->timer);
    buf_free(&f->body);
    body_put(f->sent_body);
    addrs_put(f->addrs);
    free(f->path);
    free(f->query);
    free_secret(f->secret_line);
    free(f->api_url);
    free(f);
}

/* The call is over, or never was: its lease goes back without a verdict. */
static void end_call(struct fetch *f)
{
    if (f->call) upstream_cancel(f->call);
    f->call = NULL;
    loop_timer_stop(&f->timer);
    if (!f->lease.seq) return;
    struct lease_end nothing = {.verdict = VERDICT_CANCELLED, .now = loop_now(f->p->loop), .wall = wall_now()};
    keypool_return(f->p->shared->pool, &f->lease, &nothing);
}

static void bury(struct fetch *f)
{
    f->over = true;
    end_call(f);
    list_remove(&f->node);
    loop_task_cancel(f->p->loop, &f->task);
    loop_defer(f->p->loop, &f->task, fetch_free, f);
}

static void report(struct fetch *f)
{
    f->result.took_ms = mono_since(loop_now(f->p->loop), f->begun);
    f->result.body = buf_str(&f->body);
    bury(f);
    f->done(f->arg, &f->result);
}

static bool may_go_on(const struct fetch *f)
{
    return f->ask.any_key && verdict_kind(f->result.verdict) == KIND_REFUSAL &&
           f->tried_count < MIN((size_t)f->p->conf->upstream_max_refusals + 1, (size_t)TRIED_MAX);
}

static void finish(struct fetch *f, enum verdict v)
{
    if (f->over) return;
    f->result.verdict = v;
    end_call(f);
    if (may_go_on(f))
        start(f);
    else
        report(f);
}

static void on_timeout(void *arg)
{
    struct fetch *f = arg;
    int64_t ms = f->ask.timeout_ms ? f->ask.timeout_ms : TIMEOUT_MS;
    snprintf(f->result.message, sizeof f->result.message, "no answer within %lld s", (long long)(ms + 999) / 1000);
    finish(f, VERDICT_GW_TIMEOUT);
}

static void on_sent(void *arg)
{
    (void)arg;
}

static void on_head(void *arg, const struct call_head *h)
{
    struct fetch *f = arg;
    f->result.status = h->status;
    for (size_t i = 0; i < h->field_count; i++) {
        uint64_t s;
        if (str_ieq(h->fields[i].name, STR("retry-after")) && str_u64(h->fields[i].value, &s))
            f->result.retry_after_ms = (int64_t)MIN(s, (uint64_t)86400) * 1000;
    }
}

static bool on_body(void *arg, struct str data)
{
    struct fetch *f = arg;
    buf_add_str(&f->body, data);
    return true;
}

/* Without memory nothing was learnt about the key. */
static enum verdict verdict_of_lost(const struct call_end *end)
{
    if (end->result == CALL_NO_MEMORY) return VERDICT_CANCELLED;
    if (end->result == CALL_GARBAGE) return VERDICT_GARBAGE;
    return end->sent ? VERDICT_RESET : VERDICT_CONNECT;
}

static void on_done(void *arg, const struct call_end *end)
{
    struct fetch *f = arg;
    f->call = NULL;
    if (end->result != CALL_OK) {
        snprintf(f->result.message, sizeof f->result.message, "%s", end->sentence);
        finish(f, verdict_of_lost(end));
        return;
    }
    if (f->body.failed) {
        snprintf(f->result.message, sizeof f->result.message, "the answer is too large");
        finish(f, VERDICT_GARBAGE);
        return;
    }
    struct upstream_error error = {0};
    enum verdict v = verdict_of_answer(f->result.status, true, buf_str(&f->body), &error);
    f->result.code = error.code;
    if (v != VERDICT_OK) snprintf(f->result.message, sizeof f->result.message, "%s", error.message);
    finish(f, v);
}

static void start_call(struct fetch *f)
{
    static const struct call_ops ops = {on_sent, on_head, on_body, on_done};
    static const char *const headers[] = {"Content-Type: application/json"};
    const char *base = f->api_url ? f->api_url : f->p->conf->api_url;
    char *url = *f->query ? xasprintf("%s/%s?%s", base, f->path, f->query) : xasprintf("%s/%s", base, f->path);
    struct call_spec spec = {.method = f->ask.method,
                             .url = url,
                             .headers = headers,
                             .header_count = f->sent_body ? 1 : 0,
                             .auth = f->secret_line ? f->secret_line : f->lease.auth,
                             .body = f->sent_body,
                             .has_body = f->sent_body != NULL,
                             .addrs = f->addrs ? f->addrs : f->p->addrs};
    buf_reset(&f->body);
    f->result.status = 0;
    f->result.code = f->result.retry_after_ms = 0;
    f->result.message[0] = '\0';
    loop_timer_start(&f->timer, f->ask.timeout_ms ? f->ask.timeout_ms : TIMEOUT_MS);
    f->call = upstream_start(f->p->upstream, &spec, &ops, f);
    free(url);
}

/* Takes a key. False: there is none (left); the result says why, unless one was tried before. */
static bool take_key(struct fetch *f)
{
    struct pick pick;
    struct pick_ask ask = {.model = {"", 0},
                           .tried = f->tried,
                           .tried_count = f->tried_count,
                           .only_key = f->ask.any_key ? NULL : f->result.key_id,
                           .owner = f->ask.owner ? &f->owner : NULL,
                           .ignore_state = !f->ask.any_key,
                           .own_call = f->ask.any_key,
                           .now = loop_now(f->p->loop)};
    keypool_acquire(f->p->shared->pool, &ask, &pick);
    if (pick.result != PICK_OK) {
        if (!f->tried_count)
            snprintf(f->result.message, sizeof f->result.message, "%s",
                     pick.result == PICK_OUTAGE ? "the platform fails for every key at the moment"
                     : f->ask.any_key           ? "no key can be used now"
                                                : "no such key");
        return false;
    }
    f->lease = pick.lease;
    f->tried[f->tried_count++] = pick.lease.slot;
    str_copy(f->result.key_id, sizeof f->result.key_id, str_of(pick.lease.key_id));
    return true;
}

static void start(struct fetch *f)
{
    const struct addrs *addrs = f->addrs ? f->addrs : f->p->addrs;
    if (!f->secret_line && !take_key(f)) {
        report(f); /* with the verdict of the last try, if any */
        return;
    }
    f->result.found = true;
    if (addrs && !addrs->failed) {
        start_call(f);
        return;
    }
    snprintf(f->result.message, sizeof f->result.message, "the address of %s is not known", f->p->conf->upstream_host);
    finish(f, VERDICT_CONNECT);
}

static void begin(void *arg)
{
    start(arg);
}

struct fetch *proxy_fetch(struct proxy *p, const struct fetch_ask *ask,
                          void (*done)(void *, const struct fetch_result *), void *arg)
{
    struct fetch *f = xcalloc(1, sizeof *f);
    BUG_ON((ask->key_id != NULL) + (ask->secret != NULL) + ask->any_key != 1);
    f->p = p;
    f->ask = *ask;
    f->done = done;
    f->arg = arg;
    if (ask->owner) f->owner = *ask->owner;
    f->path = xstrdup(ask->path);
    f->query = str_dup(ask->query.p ? ask->query : STR(""));
    f->api_url = ask->api_url ? xstrdup(ask->api_url) : NULL;
    f->addrs = ask->addrs ? addrs_get(ask->addrs) : NULL;
    f->secret_line = ask->secret ? xasprintf("Authorization: Bearer %s", ask->secret) : NULL;
    if (!f->ask.method) f->ask.method = ask->body.n ? "POST" : "GET";
    if (ask->body.n) {
        f->sent_body = body_new(&p->shared->budget, ask->body.n + 1);
        buf_add_str(&f->sent_body->bytes, ask->body);
    }
    f->result.verdict = VERDICT_CANCELLED;
    str_copy(f->result.key_id, sizeof f->result.key_id, str_of(ask->key_id));
    f->begun = loop_now(p->loop);
    buf_init(&f->body, ask->max_bytes ? ask->max_bytes : BODY_MAX);
    loop_timer_init(&f->timer, p->loop, on_timeout, f);
    list_append(&p->fetches, &f->node);
    loop_defer(p->loop, &f->task, begin, f);
    return f;
}

void fetch_cancel(struct fetch *f)
{
    if (f && !f->over) bury(f);
}

void fetch_end_all(struct proxy *p)
{
    LIST_FOR_SAFE(it, &p->fetches)
    {
        struct fetch *f = LIST_ENTRY(it, struct fetch, node);
        snprintf(f->result.message, sizeof f->result.message, "shutting down");
        f->ask.any_key = false;
        finish(f, VERDICT_CANCELLED);
    }
}
