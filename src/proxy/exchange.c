/* An exchange: one client request and everything done for it, on one worker from its head to its count.
 *
 *   ADMIT -> READ_BODY -> SCAN -> (WAIT) -> PICK -> SEND -> AWAIT -> STREAM -> SETTLE -> GONE
 *                                            ^                |
 *                                            +--- BACKOFF <---+      a try failed before the gate opened
 *
 * exchange.c is the life: creation, steps, picking a key, the timer, the end of memory. attempt.c runs one try
 * upstream, answer.c speaks to the client, settle.c counts. A request that needs several calls is served by parts:
 * exchanges without a client, which begin at PICK and answer the request instead (part.c).
 *
 * Invariants:
 *  - `conn` is set exactly while the client's request is open; whoever completes the reply sets it to NULL.
 *  - `lease.seq` is set exactly while a try runs (SEND, AWAIT, STREAM); attempt_end() returns it, once.
 *  - after the gate opened (STREAM) nothing is retried.
 *  - settle() runs exactly once; memory goes back at the end of the loop's turn, because callbacks of curl or of the
 *    server may still be on the stack.
 */
#include "proxy/exchange.h"

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "proxy/alias.h"
#include "proxy/auth.h"
#include "proxy/units.h"

enum { SPARE_MAX = 1024 };

const char *step_name(enum step s)
{
    static const char *const names[STEP_COUNT] = {
#define STEP_NAME(id, name, meaning) name,
        STEP_TABLE(STEP_NAME)};
    return names[s];
}

/* Bit per step: where it may be entered from. */
#define FROM(s) (1u << STEP_##s)
static const unsigned may_enter_from[STEP_COUNT] = {
    [STEP_ADMIT] = 0,
    [STEP_READ_BODY] = FROM(ADMIT),
    [STEP_SCAN] = FROM(READ_BODY),
    [STEP_WAIT] = FROM(PICK),
    [STEP_PICK] = FROM(ADMIT) /* a part */ | FROM(SCAN) | FROM(WAIT) | FROM(BACKOFF) | FROM(SEND) | FROM(AWAIT),
    [STEP_SEND] = FROM(PICK),
    [STEP_AWAIT] = FROM(SEND),
    [STEP_BACKOFF] = FROM(SEND) | FROM(AWAIT),
    [STEP_PARTS] = FROM(SCAN),
    [STEP_STREAM] = FROM(AWAIT) | FROM(SEND) | FROM(PARTS),
    [STEP_SETTLE] = ~0u & ~FROM(SETTLE) & ~FROM(GONE),
    [STEP_GONE] = FROM(SETTLE),
};

void exchange_step(struct exchange *e, enum step to)
{
    BUG_ON(e->magic != EXCHANGE_MAGIC);
    BUG_ON(to != STEP_ADMIT && !(may_enter_from[to] & (1u << e->step)));
    e->step = to;
}

static void on_timer(void *arg);

static struct exchange *take_spare(struct proxy *p)
{
    struct exchange *e = p->spare;
    if (!e) {
        e = xcalloc(1, sizeof *e);
        loop_timer_init(&e->timer, p->loop, on_timer, e);
        return e;
    }
    p->spare = (struct exchange *)e->node.next;
    spares_taken(&p->spares);
    struct loop_timer timer = e->timer;
    mono_t timer_at = e->timer_at;
    memset(e, 0, sizeof *e);
    e->timer = timer;
    e->timer_at = timer_at;
    return e;
}

static void set_request_id(struct exchange *e, const struct head *h)
{
    struct str theirs = head_value(h, "x-request-id");
    if (token_is_safe(theirs))
        str_copy(e->request_id, sizeof e->request_id, theirs);
    else
        snprintf(e->request_id, sizeof e->request_id, "sf-%08x-%llx", e->p->instance, (unsigned long long)e->id);
}

/* What every exchange begins with; one reference of `conf` is taken. */
static struct exchange *exchange_new(struct proxy *p, struct conf *conf, const char *path, size_t answer_max)
{
    struct exchange *e = take_spare(p);
    e->magic = EXCHANGE_MAGIC;
    e->p = p;
    e->id = p->next_id;
    p->next_id += ID_STEP;
    e->conf = conf_get(conf);
    e->route.path = xstrdup(path);
    buf_init(&e->gate_bytes, answer_max);
    buf_init(&e->reply_headers, 16384);
    tap_init(&e->tap);
    e->budget = (struct retry_budget){.max_refusals = (unsigned)conf->upstream_max_refusals,
                                      .max_attempts = (unsigned)conf->upstream_max_attempts,
                                      .retry_stalls = conf->upstream_retry_stalls};
    list_init(&e->node);
    list_init(&e->wait_node);
    exchange_step(e, STEP_ADMIT);
    return e;
}

static struct exchange *exchange_of_client(struct proxy *p, struct conn *c, const struct head *h,
                                           const struct route *route, const char *client)
{
    struct exchange *e = exchange_new(p, p->conf, route->path, 2 * GATE_BYTES);
    e->conn = c;
    e->route.kind = route->kind;
    e->route.body = route->body;
    e->route.dialect = route->dialect;
    e->route.upload = route->upload;
    e->budget.refusals_only = route->kind == ROUTE_KIND_FORWARD;
    str_copy(e->client, sizeof e->client, str_of(client));
    str_copy(e->method, sizeof e->method, h->method);
    set_request_id(e, h);
    e->begun = loop_now(p->loop);
    e->begun_wall = wall_now();
    e->total_deadline = mono_add(e->begun, p->conf->upstream_total_timeout);
    list_prepend(&p->live, &e->node);
    return e;
}

struct exchange *exchange_new_part(struct exchange *of, const char *path)
{
    struct exchange *e = exchange_new(of->p, of->conf, path, PART_BYTES);
    e->route.kind = of->route.kind;
    e->route.body = BODY_JSON;
    e->route.dialect = of->route.dialect;
    str_copy(e->client, sizeof e->client, str_of(of->client));
    str_copy(e->method, sizeof e->method, STR("POST"));
    snprintf(e->request_id, sizeof e->request_id, "%s", of->request_id);
    e->scan = of->scan;
    e->scan.stream = false;
    e->model_known = of->model_known;
    e->begun = of->begun;
    e->begun_wall = of->begun_wall;
    e->total_deadline = of->total_deadline;
    return e;
}

static bool encoded_body(const struct head *h)
{
    struct str coding = head_value(h, "content-encoding");
    return coding.n && !str_ieq(coding, STR("identity"));
}

void exchange_on_head(struct proxy *p, struct conn *c, const struct head *h, const struct route *route)
{
    const char *client = auth_client(p->conf, h, conn_peer(c));
    if (p->is_draining) {
        answer_plain_error(c, route->dialect, ERR_draining, "sfproxy is shutting down; try again in a moment",
                           "Retry-After: 5\r\n");
        return;
    }
    if (!client) {
        answer_plain_error(c, route->dialect, ERR_unauthorized,
                           "this proxy wants a client key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'",
                           "WWW-Authenticate: Bearer\r\n");
        return;
    }
    if (encoded_body(h)) {
        answer_plain_error(c, route->dialect, ERR_unsupported_encoding,
                           "compressed request bodies are not supported; send the body without Content-Encoding", "");
        return;
    }
    size_t most = (size_t)p->conf->limits_max_requests_per_client;
    if (most && !client_counts_enter(&p->shared->clients, client, most)) {
        answer_plain_error(c, route->dialect, ERR_client_busy,
                           "this client has as many requests running as it may (limits.max_requests_per_client); "
                           "send fewer at once",
                           "Retry-After: 1\r\n");
        return;
    }
    struct exchange *e = exchange_of_client(p, c, h, route, client);
    e->client_counted = most > 0;
    conn_set_user(c, e);
    exchange_step(e, STEP_READ_BODY);
    exchange_timer_arm(e);
    conn_read_body(c, (uint64_t)(route->upload ? p->conf->limits_max_upload : p->conf->limits_max_body));
}

static enum scan_result scan_body(struct exchange *e, struct str body, struct scan_text texts[OWNED_TEXTS])
{
    struct scan_limits limits = {.max_depth = (unsigned)e->conf->limits_max_json_depth,
                                 .max_model = (size_t)e->conf->limits_max_model_name};
    owned_texts(texts);
    if (owned_may_be(e->route.path)) {
        limits.texts = texts;
        limits.text_count = OWNED_TEXTS;
    }
    if (e->route.kind != ROUTE_KIND_POOLED) {
        /* Passed on whatever it is, with any model; what it names is good to know. */
        if (limits.texts && body.n) scan_json(body, &limits, &e->scan);
        e->scan = (struct scan){.has_model = false};
        return SCAN_OK;
    }
    if (e->route.body == BODY_JSON) return scan_json(body, &limits, &e->scan);
    return scan_multipart(body, head_value(conn_head(e->conn), "content-type"), &limits, &e->scan);
}

static enum error_code error_of_scan(enum scan_result r)
{
    switch (r) {
    case SCAN_DUPLICATE_KEY: return ERR_duplicate_key;
    case SCAN_BAD_MODEL:
    case SCAN_NO_MODEL: return ERR_bad_model;
    case SCAN_OK:
    case SCAN_BAD_JSON:
    case SCAN_TOO_DEEP:
    case SCAN_BAD_STREAM:
    case SCAN_BAD_MULTIPART: break;
    }
    return ERR_bad_json;
}

static bool model_is_known(void *proxy, struct str id)
{
    struct proxy *p = proxy;
    return catalog_find(p->catalog, id) || map_get(&p->known_models, id);
}

static bool refuse_banned(struct exchange *e)
{
    char message[400];
    if (!e->scan.has_model || !ban_set_has(e->p->bans, str_of(e->scan.model))) return false;
    snprintf(message, sizeof message, "the model %s is banned on this proxy", e->scan.model);
    answer_error(e, ERR_model_banned, message, 0, END_CLIENT_ERROR);
    return true;
}

/* When the client's name for the model is another one, the exchange is about the model that serves from here on. */
static void resolve_alias(struct exchange *e)
{
    struct alias a;
    bool chat = e->route.kind == ROUTE_KIND_POOLED && strcmp(e->route.path, "chat/completions") == 0;
    if (!e->scan.has_model || !alias_resolve(e->conf, str_of(e->scan.model), chat, model_is_known, e->p, &a)) return;
    e->asked = xstrdup(e->scan.model);
    char model[sizeof e->scan.model]; /* a.model may be a part of the name it replaces */
    str_copy(model, sizeof model, a.model);
    memcpy(e->scan.model, model, sizeof model);
    e->scan.model_len = strlen(model);
    if (!a.reasoning) return;
    e->filter = filter_reasoning(a.form, e->asked);
    e->gate_bytes.cap = FILTERED_BYTES;
}

/* The model in the body becomes the one that serves; every other byte stays. False: no memory, the client was told. */
static bool splice_model(struct exchange *e)
{
    struct buf text = BUF_INIT(2048);
    if (!e->asked) return true;
    if (e->route.body == BODY_JSON)
        json_quote(&text, str_of(e->scan.model));
    else
        buf_puts(&text, e->scan.model);
    bool ok = body_replace(e->body, e->scan.model_at, e->scan.model_size, buf_str(&text));
    e->scan.model_size = text.len;
    buf_free(&text);
    if (!ok)
        answer_error(e, ERR_busy_memory, "there is no memory for this request at the moment, try again soon", 2000,
                     END_CLIENT_ERROR);
    return ok;
}

void exchange_on_body(struct exchange *e)
{
    exchange_step(e, STEP_SCAN);
    struct scan_text texts[OWNED_TEXTS];
    enum scan_result r = scan_body(e, conn_body(e->conn), texts);
    if (r == SCAN_OK && e->route.kind == ROUTE_KIND_POOLED && !e->scan.has_model) r = SCAN_NO_MODEL;
    if (r != SCAN_OK) {
        answer_error(e, error_of_scan(r), scan_sentence(r), 0, END_CLIENT_ERROR);
        return;
    }
    if (refuse_banned(e)) return;
    resolve_alias(e);
    if (e->asked && refuse_banned(e)) return;
    if (!bound_prepare(e, texts)) return;
    e->body = conn_take_body(e->conn);
    e->bytes_up = e->body ? e->body->bytes.len : 0;
    if (!splice_model(e)) return;
    if (e->body && strcmp(e->route.path, "audio/speech") == 0) e->units = units_of_speech(buf_str(&e->body->bytes));
    e->model_known = e->scan.has_model && model_is_known(e->p, str_of(e->scan.model));
    if (image_wanted(e)) {
        image_start(e);
        return;
    }
    settle_admitted(e);
    if (bound_lists(e))
        listing_start(e);
    else
        exchange_pick(e);
}

static void wait_for_address(struct exchange *e)
{
    struct proxy *p = e->p;
    exchange_step(e, STEP_WAIT);
    list_append(&p->waiting, &e->wait_node);
    e->phase_deadline = mono_add(loop_now(p->loop), e->conf->upstream_connect_timeout);
    exchange_timer_arm(e);
    p->shared->connect_failed(p->shared->arg);
}

void exchange_resume_waiting(struct proxy *p)
{
    LIST_FOR_SAFE(it, &p->waiting)
    {
        struct exchange *e = LIST_ENTRY(it, struct exchange, wait_node);
        list_remove(&e->wait_node);
        exchange_pick(e);
    }
}

void exchange_leave_line(struct exchange *e)
{
    if (e->ticket) keypool_leave(e->p->shared->pool, e->ticket);
    e->ticket = 0;
}

/* How long the request may still wait for a key. */
static int64_t wait_left(const struct exchange *e)
{
    if (!e->wait_deadline.ms) return e->conf->pool_wait_for_key;
    return MAX(mono_since(e->wait_deadline, loop_now(e->p->loop)), 0);
}

static void wait_for_key(struct exchange *e, const struct pick *pick)
{
    mono_t now = loop_now(e->p->loop);
    exchange_step(e, STEP_WAIT);
    list_append(&e->p->in_line, &e->wait_node);
    e->ticket = pick->ticket;
    e->tried_count = 0; /* a key that refused it may serve it when its time has come */
    if (!e->wait_deadline.ms) e->wait_deadline = mono_add(now, e->conf->pool_wait_for_key);
    e->phase_deadline = e->wait_deadline;
    if (pick->look_ms) e->phase_deadline.ms = MIN(e->wait_deadline.ms, now.ms + pick->look_ms);
    exchange_timer_arm(e);
}

/* The parts of one request go to different keys as long as there are any: a limit of pictures per minute is small. */
static bool acquire_apart(struct exchange *e, struct pick_ask ask, struct pick *pick)
{
    const struct exchange *of = e->part.of;
    if (!of || e->ticket || !of->tried_count) return false;
    ask.tried = of->tried;
    ask.tried_count = of->tried_count;
    ask.wait_ms = 0;
    keypool_acquire(e->p->shared->pool, &ask, pick);
    return pick->result == PICK_OK;
}

static void note_tried(struct exchange *e, uint32_t slot)
{
    if (e->tried_count < TRIED_MAX) e->tried[e->tried_count++] = slot;
}

static void acquire(struct exchange *e, struct pick *pick)
{
    const char *evidence;
    e->cost = catalog_cost(e->p->catalog, str_of(e->scan.model), &evidence);
    e->cost_observed = strcmp(evidence, "observed") == 0;
    struct pick_ask ask = {.model = str_of(e->scan.model),
                           .cost = e->cost,
                           .tried = e->tried,
                           .tried_count = e->tried_count,
                           .under_way = e->tries > 0 && !e->trial,
                           .ticket = e->ticket,
                           .wait_ms = wait_left(e),
                           .waited = e->wait_deadline.ms != 0,
                           .wait_room = (size_t)e->conf->limits_wait_queue,
                           .worker = e->p->worker_id,
                           .exchange = e->id,
                           .now = loop_now(e->p->loop)};
    bound_ask(e, &ask);
    if (acquire_apart(e, ask, pick)) return;
    keypool_acquire(e->p->shared->pool, &ask, pick);
    e->ticket = ask.ticket = 0;
    if (pick->result != PICK_TRIED || verdict_kind(e->last_verdict) != KIND_ONCE) return;
    /* Overload and lost connections are no key's fault: the second try may use the same key. */
    ask.tried_count = e->tried_count = 0;
    keypool_acquire(e->p->shared->pool, &ask, pick);
}

/* A failure of the platform says more to the client than "its key is cooling down now". */
static bool last_try_says_more(const struct exchange *e)
{
    enum verdict_kind kind = verdict_kind(e->last_verdict);
    return e->tries > 0 && (kind == KIND_FAILURE || kind == KIND_ONCE || kind == KIND_STALL);
}

void exchange_pick(struct exchange *e)
{
    struct pick pick;
    exchange_step(e, STEP_PICK);
    e->phase_deadline = (mono_t){0};
    if (!e->p->addrs || e->p->addrs->failed) {
        exchange_leave_line(e);
        if (keypool_count(e->p->shared->pool))
            wait_for_address(e);
        else
            answer_no_key(e, &(struct pick){.result = PICK_NO_KEYS});
        return;
    }
    acquire(e, &pick);
    while (pick.result != PICK_OK && bound_next(e)) acquire(e, &pick);
    if (pick.result == PICK_OK) {
        e->lease = pick.lease;
        e->trial = pick.lease.trial;
        note_tried(e, pick.lease.slot);
        if (e->part.of) note_tried(e->part.of, pick.lease.slot);
        attempt_start(e);
    } else if (bound_asks_around(e)) {
        bound_answer_unknown(e);
    } else if (pick.result == PICK_WAIT) {
        wait_for_key(e, &pick);
    } else if (pick.result == PICK_TRIED || last_try_says_more(e)) {
        answer_verdict(e);
    } else {
        answer_no_key(e, &pick);
    }
}

void exchange_on_gone(struct exchange *e, enum gone_reason why)
{
    static const enum end_reason ends[] = {
        [GONE_CLOSED] = END_CLIENT_ABORT, [GONE_STALLED] = END_CLIENT_STALLED, [GONE_SHUTDOWN] = END_KILLED};
    e->conn = NULL;
    attempt_end(e, VERDICT_CANCELLED);
    settle(e, ends[why]);
}

void exchange_kill(struct exchange *e, enum error_code code, const char *why)
{
    if (e->step == STEP_SETTLE || e->step == STEP_GONE) return;
    if (e->step == STEP_STREAM) {
        answer_broken(e, code, why, END_KILLED);
        return;
    }
    attempt_end(e, VERDICT_CANCELLED);
    answer_error(e, code, why, 0, END_KILLED);
}

static void earlier(mono_t *t, mono_t other)
{
    if (other.ms && (!t->ms || other.ms < t->ms)) *t = other;
}

/* Lazy: a timer that fires too early looks again; only an earlier deadline needs a new start. A request that is over
 * leaves it armed for the exchange's next one: libevent's heap is not touched for each request. */
void exchange_timer_arm(struct exchange *e)
{
    mono_t next = {0}, now = loop_now(e->p->loop);
    earlier(&next, e->total_deadline);
    earlier(&next, e->phase_deadline);
    earlier(&next, e->gate_deadline);
    earlier(&next, e->comment_at);
    if (e->last_data.ms && !e->paused) earlier(&next, mono_add(e->last_data, e->conf->upstream_idle_timeout));
    if (e->timer_at.ms && e->timer_at.ms <= next.ms) return;
    e->timer_at = next;
    loop_timer_start(&e->timer, MAX(next.ms - now.ms, 0) + 1);
}

static void on_timer(void *arg)
{
    struct exchange *e = arg;
    e->timer_at = (mono_t){0};
    if (e->magic != EXCHANGE_MAGIC) return; /* between two requests */
    mono_t now = loop_now(e->p->loop);
    if (e->step == STEP_WAIT && e->ticket && now.ms >= e->phase_deadline.ms) {
        list_remove(&e->wait_node);
        exchange_pick(e);
    } else if (e->step == STEP_WAIT && now.ms >= e->phase_deadline.ms) {
        const struct addrs *a = e->p->addrs;
        char message[300];
        snprintf(message, sizeof message, "the address of %s is not known%s%s", e->conf->upstream_host,
                 a && a->failed ? ": " : " yet", a && a->failed ? a->error : "");
        answer_error(e, ERR_upstream_dns, message, 5000, END_UPSTREAM_ERROR);
    } else if (e->step == STEP_BACKOFF && now.ms >= e->phase_deadline.ms) {
        exchange_pick(e);
    } else if (e->step != STEP_SETTLE && e->step != STEP_GONE) {
        attempt_on_timer(e, now);
    }
    if (e->step != STEP_SETTLE && e->step != STEP_GONE) exchange_timer_arm(e);
}

static void exchange_free(struct proxy *p, struct exchange *e)
{
    BUG_ON(e->step != STEP_GONE);
    list_remove(&e->node);
    conf_put(e->conf);
    buf_free(&e->gate_bytes);
    buf_free(&e->reply_headers);
    tap_free(&e->tap);
    if (e->filter) e->filter->ops->free(e->filter);
    free(e->try_list);
    bound_free(e);
    free(e->route.path);
    free(e->asked);
    e->filter = NULL;
    e->try_list = NULL;
    e->route.path = e->asked = NULL;
    e->magic = 0;
    if (p->spares.count >= SPARE_MAX) {
        loop_timer_destroy(&e->timer);
        free(e);
        return;
    }
    e->node.next = (struct list *)p->spare;
    p->spare = e;
    spares_added(&p->spares);
}

void exchange_bury(void *arg)
{
    struct proxy *p = arg;
    LIST_FOR_SAFE(it, &p->dead) exchange_free(p, LIST_ENTRY(it, struct exchange, node));
}

void exchange_reap(struct proxy *p)
{
    for (unsigned n = spares_unneeded(&p->spares); n > 0; n--) {
        struct exchange *e = take_spare(p);
        loop_timer_destroy(&e->timer);
        free(e);
    }
}

void exchange_free_all(struct proxy *p)
{
    exchange_bury(p);
    free(p->scratch);
    buf_free(&p->filtered);
    p->scratch = NULL;
    p->scratch_room = 0;
    while (p->spare) {
        struct exchange *e = p->spare;
        p->spare = (struct exchange *)e->node.next;
        loop_timer_destroy(&e->timer);
        free(e);
    }
}

/* The platform's day ends at 00:00 Asia/Shanghai, UTC+8 without summer time. */
int64_t ms_to_platform_midnight(wall_t now)
{
    const int64_t day = 86400000, offset = 8 * 3600000;
    return day - (now.ms + offset) % day;
}
