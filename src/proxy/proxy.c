/* The worker's share of the proxy: binds the server side, the upstream side and the exchanges together. */
#include "proxy/proxy.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proxy/exchange.h"
#include "proxy/fetch.h"

enum { RING_RECORDS = 2048, REAP_MS = 60000 };

struct ban_set *ban_set_new(char *const *models, size_t count)
{
    struct ban_set *b = xcalloc(1, sizeof *b + count * sizeof b->models[0]);
    atomic_init(&b->refs, 1);
    b->count = count;
    for (size_t i = 0; i < count; i++) b->models[i] = xstrdup(models[i]);
    return b;
}

struct ban_set *ban_set_get(struct ban_set *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void ban_set_put(struct ban_set *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
    for (size_t i = 0; i < b->count; i++) free(b->models[i]);
    free(b);
}

bool ban_set_has(const struct ban_set *b, struct str model)
{
    for (size_t i = 0; b && i < b->count; i++)
        if (str_is(model, b->models[i])) return true;
    return false;
}

static bool is_exchange(const struct conn *c)
{
    const unsigned *magic = conn_user(c);
    return magic && *magic == EXCHANGE_MAGIC;
}

static void not_found(struct conn *c, enum dialect d)
{
    answer_plain_error(c, d, ERR_not_found,
                       "there is nothing at this path; the API is at /v1, for example /v1/chat/completions", "");
}

static void bad_method(struct conn *c, enum dialect d, const char *allow)
{
    struct buf extra = BUF_INIT(256);
    buf_printf(&extra, "Allow: %s\r\n", allow);
    answer_plain_error(c, d, ERR_method_not_allowed, "this path does not take that method", buf_cstr(&extra));
    buf_free(&extra);
}

static void own_route(struct proxy *p, struct conn *c, const struct head *h, const struct route *r)
{
    char path[1100];
    bool client_route = strncmp(r->path, "models", 6) == 0 && (r->path[6] == '/' || r->path[6] == '\0');
    snprintf(path, sizeof path, "%s/%s", client_route ? "/v1" : "", r->path);
    if (!local_dispatch(p, c, h, path, r->dialect)) not_found(c, r->dialect);
}

/* Nothing of the page and the admin API is for pages of others: no CORS there. */
static bool is_for_ourselves(const struct head *h)
{
    static const char *const prefixes[] = {"/admin/", "/metrics", "/login", "/logout"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(h->path, prefixes[i])) return true;
    return false;
}

static void on_head(void *arg, struct conn *c, const struct head *h)
{
    struct proxy *p = arg;
    struct route route = {.dialect = DIALECT_OPENAI};
    const char *allow;
    if (str_is(h->method, "OPTIONS")) {
        if (is_for_ourselves(h))
            conn_reply(c, 204, STR("Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n"), STR(""));
        else
            answer_preflight(c, h);
        return;
    }
    switch (route_find(h, &route, &allow)) {
    case ROUTE_NOT_FOUND: not_found(c, route.dialect); return;
    case ROUTE_NOT_OFFERED: answer_plain_error(c, route.dialect, ERR_not_found, allow, ""); return;
    case ROUTE_BAD_METHOD: bad_method(c, route.dialect, allow); return;
    case ROUTE_FOUND: break;
    }
    if (str_is(h->method, "TRACE") || str_is(h->method, "CONNECT"))
        bad_method(c, route.dialect, "GET, HEAD, POST, OPTIONS");
    else if (route.kind == ROUTE_KIND_OWN)
        own_route(p, c, h, &route);
    else
        exchange_on_head(p, c, h, &route);
}

static void on_body(void *arg, struct conn *c)
{
    if (is_exchange(c))
        exchange_on_body(conn_user(c));
    else
        local_on_body(arg, c);
}

static const char *sentence_of_fault(enum request_fault fault, int status)
{
    switch (fault) {
    case FAULT_HEAD_TIMEOUT: return "the request's head did not arrive in time";
    case FAULT_BODY_TIMEOUT: return "the request's body did not arrive in time";
    case FAULT_BAD_CHUNK: return "the request's chunked body is malformed";
    case FAULT_BODY_TOO_LARGE: return "the request's body is larger than limits.max_body allows";
    case FAULT_NO_MEMORY: return "too many request bodies are in memory at once (limits.upload_memory); try again soon";
    case FAULT_BAD_HEAD: break;
    }
    switch (status) {
    case 414: return "the request line is too long";
    case 417: return "only 'Expect: 100-continue' is understood";
    case 431: return "the request's headers are too large";
    case 501: return "only the chunked transfer coding is understood";
    case 505: return "only HTTP/1.1 and HTTP/1.0 are spoken here";
    default: return "this is not a well-formed HTTP/1.1 request";
    }
}

/* Whoever types https:// for http:// tries again and again: one line a minute each. */
static void log_bad_head(const struct conn *c, int status)
{
    if (conn_said_tls(c))
        LOG_LIMITED(LOG_WARN, 1, "%s speaks TLS, but this address takes plain HTTP: use http:// in the client",
                    conn_peer(c));
    else
        LOG_LIMITED(LOG_INFO, 1, "%s sent what is no HTTP request: %s", conn_peer(c),
                    sentence_of_fault(FAULT_BAD_HEAD, status));
}

static void on_fault(void *arg, struct conn *c, const struct head *h, enum request_fault fault, int status)
{
    struct proxy *p = arg;
    enum dialect d = DIALECT_OPENAI;
    const char *sentence = sentence_of_fault(fault, status);
    if (!h && fault == FAULT_BAD_HEAD) log_bad_head(c, status);
    if (is_exchange(c)) {
        struct exchange *e = conn_user(c);
        d = e->route.dialect;
        if (fault == FAULT_BODY_TOO_LARGE && e->route.upload)
            sentence = "the request's body is larger than limits.max_upload allows";
        e->conn = NULL;
        settle(e, END_CLIENT_ERROR);
    } else if (conn_user(c)) {
        local_on_gone(p, c);
    }
    conn_set_user(c, NULL);
    answer_plain_error(c, d, error_of_status(status), sentence, status == 503 ? "Retry-After: 2\r\n" : "");
}

static void on_drain(void *arg, struct conn *c)
{
    (void)arg;
    if (is_exchange(c)) attempt_drained(conn_user(c));
}

static void on_gone(void *arg, struct conn *c, enum gone_reason why)
{
    if (is_exchange(c))
        exchange_on_gone(conn_user(c), why);
    else if (conn_user(c))
        local_on_gone(arg, c);
}

static struct server_limits server_limits_of(const struct conf *c)
{
    return (struct server_limits){
        .head = {(size_t)c->limits_max_head, (size_t)c->limits_max_line, (size_t)c->limits_max_headers},
        .head_timeout_ms = c->limits_head_timeout,
        .body_timeout_ms = c->limits_body_timeout,
        .keepalive_timeout_ms = c->limits_keepalive_timeout,
        .write_timeout_ms = c->limits_write_timeout,
        .client_queue = (size_t)c->limits_client_queue};
}

static struct upstream_options upstream_options_of(const struct conf *c)
{
    return (struct upstream_options){.ca_file = c->upstream_ca_file,
                                     .proxy = c->upstream_proxy,
                                     .connect_timeout_ms = c->upstream_connect_timeout,
                                     .allow_http = !c->upstream_tls};
}

static void flush_overflow(void *arg)
{
    settle_flush_overflow(arg);
}

/* Pools of spare things shrink to what the last minute needed. */
static void reap(void *arg)
{
    struct proxy *p = arg;
    server_reap(p->server);
    upstream_reap(p->upstream);
    exchange_reap(p);
    loop_timer_start(&p->reap_timer, REAP_MS);
}

struct proxy *proxy_new(struct loop *l, struct proxy_shared *shared, unsigned worker_id, struct conf *conf)
{
    static const struct server_ops ops = {on_head, on_body, on_fault, on_drain, on_gone};
    struct proxy *p = xcalloc(1, sizeof *p);
    struct server_limits limits = server_limits_of(conf);
    struct upstream_options options = upstream_options_of(conf);
    p->loop = l;
    p->shared = shared;
    p->worker_id = worker_id;
    p->conf = conf;
    buf_init(&p->filtered, FILTER_OUT_MAX);
    p->next_id = ID_STEP + worker_id;
    p->instance = (uint32_t)random_u64();
    struct list *lists[] = {&p->live, &p->waiting, &p->in_line, &p->dead, &p->fetches, &p->locals, &p->overflow};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) list_init(lists[i]);
    ring_init(&p->records, RING_RECORDS, sizeof(struct record));
    loop_timer_init(&p->overflow_timer, l, flush_overflow, p);
    loop_timer_init(&p->reap_timer, l, reap, p);
    loop_timer_start(&p->reap_timer, REAP_MS);
    p->server = server_new(l, &ops, p, &limits, &shared->budget);
    p->upstream = upstream_new(l, &options);
    return p;
}

void proxy_shutdown(struct proxy *p)
{
    proxy_kill_all(p, "sfproxy is shutting down");
    fetch_end_all(p);
    server_free(p->server);
    local_free_all(p);
    upstream_free(p->upstream);
    loop_run_tasks(p->loop);
    exchange_free_all(p);
    WARN_BUG(!list_empty(&p->live));
    loop_timer_destroy(&p->overflow_timer);
    loop_timer_destroy(&p->reap_timer);
    map_free(&p->known_models);
    conf_put(p->conf);
    addrs_put(p->addrs);
    ban_set_put(p->bans);
    catalog_put(p->catalog);
    p->server = NULL;
}

void proxy_free(struct proxy *p)
{
    struct record dropped;
    while (proxy_take_overflow(p, &dropped)) {
    }
    ring_destroy(&p->records);
    free(p);
}

bool proxy_take_overflow(struct proxy *p, struct record *out)
{
    return settle_take_overflow(p, out);
}

void proxy_adopt(struct proxy *p, int fd, const char *peer, bool is_local)
{
    server_adopt(p->server, fd, peer, is_local);
}

unsigned proxy_connections(const struct proxy *p)
{
    return p->server ? server_count(p->server) : 0;
}

unsigned proxy_idle_connections(const struct proxy *p)
{
    return p->server ? server_idle(p->server) : 0;
}

void proxy_make_room(struct proxy *p, void *unused)
{
    (void)unused;
    server_close_oldest_idle(p->server);
}

unsigned proxy_in_flight(const struct proxy *p)
{
    return atomic_load_explicit(&p->in_flight, memory_order_relaxed);
}

void proxy_set_conf(struct proxy *p, struct conf *conf)
{
    struct server_limits limits = server_limits_of(conf);
    struct upstream_options options = upstream_options_of(conf);
    bool other_host =
        strcmp(conf->upstream_host, p->conf->upstream_host) != 0 || conf->upstream_port != p->conf->upstream_port;
    conf_put(p->conf);
    p->conf = conf;
    server_set_limits(p->server, &limits);
    upstream_set_options(p->upstream, &options);
    if (other_host) {
        addrs_put(p->addrs); /* addresses belong to the configuration that asked */
        p->addrs = NULL;
    }
}

void proxy_set_addrs(struct proxy *p, struct addrs *a)
{
    addrs_put(p->addrs);
    p->addrs = a;
    if (!a->failed) exchange_resume_waiting(p);
}

void proxy_set_bans(struct proxy *p, struct ban_set *b)
{
    ban_set_put(p->bans);
    p->bans = b;
}

void proxy_set_catalog(struct proxy *p, struct catalog *c)
{
    catalog_put(p->catalog);
    p->catalog = c;
}

void proxy_wake(struct proxy *p, uint64_t exchange)
{
    LIST_FOR(it, &p->in_line)
    {
        struct exchange *e = LIST_ENTRY(it, struct exchange, wait_node);
        if (e->id != exchange) continue;
        list_remove(&e->wait_node);
        exchange_pick(e);
        return;
    }
}

void proxy_drain(struct proxy *p)
{
    p->is_draining = true;
    server_drain(p->server);
}

void proxy_kill_all(struct proxy *p, const char *why)
{
    LIST_FOR_SAFE(it, &p->live)
    {
        struct exchange *e = LIST_ENTRY(it, struct exchange, node);
        exchange_kill(e, e->step == STEP_STREAM ? ERR_upstream_lost : ERR_draining, why);
    }
}

bool proxy_cancel(struct proxy *p, uint64_t request_id, const char *why)
{
    LIST_FOR_SAFE(it, &p->live)
    {
        struct exchange *e = LIST_ENTRY(it, struct exchange, node);
        if (e->id != request_id || !e->admitted) continue;
        exchange_kill(e, ERR_cancelled, why);
        return true;
    }
    return false;
}

struct ring *proxy_records(struct proxy *p)
{
    return &p->records;
}

size_t proxy_live(struct proxy *p, struct live_request *out, size_t room)
{
    size_t n = 0;
    mono_t now = loop_now(p->loop);
    LIST_FOR(it, &p->live)
    {
        struct exchange *e = LIST_ENTRY(it, struct exchange, node);
        if (n >= room) break;
        if (!e->admitted) continue;
        memset(&out[n], 0, sizeof out[n]);
        settle_fill(e, &out[n].r);
        out[n].step = e->step;
        out[n].age_ms = mono_since(now, e->begun);
        n++;
    }
    return n;
}
