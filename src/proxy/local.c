/* Requests we answer ourselves: finding the route, the one gate before the handler, and a handle that outlives a client
 * that leaves while an answer is being made. */
#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "proxy/auth.h"
#include "proxy/exchange.h"

enum { LOCAL_BODY_MAX = 2 * 1024 * 1024 };

struct local_call {
    unsigned magic;
    unsigned refs;
    struct list node; /* p->locals while the client waits */
    struct proxy *p;
    struct conn *conn; /* NULL: answered, or the client is gone */
    struct conf *conf;
    const struct local_table *table;
    const struct local_route *route;
    char path[1024];
    char segment[512];
    struct str body;
    void (*gone)(void *arg); /* of an answer without an end */
    void *gone_arg;
};

/* Does `path` fit the pattern? "{id}" matches one segment, "{rest}" everything to the end; what it matched goes to
 * `segment`. */
static bool path_fits(const char *pattern, const char *path, char *segment, size_t size)
{
    const char *open = strchr(pattern, '{');
    size_t n = open ? (size_t)(open - pattern) : strlen(pattern);
    if (strncmp(pattern, path, n) != 0) return false;
    if (!open) return path[n] == '\0';
    const char *tail = strchr(open, '}') + 1;
    size_t len = strncmp(open, "{rest}", 6) == 0 ? strlen(path + n) : strcspn(path + n, "/");
    if (len == 0 || len >= size || strcmp(path + n + len, tail) != 0) return false;
    memcpy(segment, path + n, len);
    segment[len] = '\0';
    return true;
}

static bool method_fits(const struct local_route *r, const struct head *h)
{
    return str_is(h->method, r->method) || (h->is_head && strcmp(r->method, "GET") == 0);
}

static const struct local_route *find(const struct local_table *t, const struct head *h, const char *path,
                                      char *segment, size_t size, bool is_local, bool *path_known)
{
    bool see_guarded = is_local || t->authorize;
    for (size_t i = 0; i < t->count; i++) {
        if (!path_fits(t->routes[i].path, path, segment, size)) continue;
        bool guarded = t->routes[i].class != ROUTE_PUBLIC && t->routes[i].class != ROUTE_CLIENT;
        if (!guarded || see_guarded) *path_known = true; /* a 405 would tell that there is something */
        if (method_fits(&t->routes[i], h)) return &t->routes[i];
    }
    return NULL;
}

static struct local_call *call_new(struct proxy *p, struct conn *c, const struct local_table *t,
                                   const struct local_route *r, const char *path, const char *segment)
{
    struct local_call *lc = xcalloc(1, sizeof *lc);
    lc->magic = LOCAL_MAGIC;
    lc->refs = 1;
    lc->p = p;
    lc->conn = c;
    lc->conf = conf_get(p->conf);
    lc->table = t;
    lc->route = r;
    snprintf(lc->path, sizeof lc->path, "%s", path);
    snprintf(lc->segment, sizeof lc->segment, "%s", segment);
    list_append(&p->locals, &lc->node);
    return lc;
}

static void detach(struct local_call *lc)
{
    void (*gone)(void *) = lc->gone;
    lc->gone = NULL;
    lc->conn = NULL;
    lc->body = (struct str){NULL, 0};
    list_remove(&lc->node);
    if (gone) gone(lc->gone_arg);
    local_release(lc);
}

void local_refuse(struct local_call *lc, enum error_code code, const char *message)
{
    answer_plain_error(lc->conn, DIALECT_OPENAI, code, message,
                       code == ERR_unauthorized ? "WWW-Authenticate: Bearer\r\n" : "");
    detach(lc);
}

/* The one gate, before any body is read. False: it has answered, lc is gone. Without an `authorize` the guarded routes
 * do not exist for clients over TCP. */
static bool may_enter(struct local_call *lc)
{
    enum route_class class = lc->route->class;
    const struct local_table *t = lc->table;
    if (class == ROUTE_PUBLIC) return true;
    if (class == ROUTE_CLIENT) {
        if (auth_client(lc->conf, conn_head(lc->conn), conn_peer(lc->conn))) return true;
        local_refuse(lc, ERR_unauthorized,
                     "this proxy wants a client key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
        return false;
    }
    if (conn_is_local(lc->conn)) return true;
    if (t->authorize) return t->authorize(t->arg, lc, class);
    local_refuse(lc, ERR_not_found, "there is nothing at this path");
    return false;
}

static void handle(struct local_call *lc)
{
    lc->route->handle(lc->table->arg, lc);
}

/* 405 with the methods the path does take. */
static void bad_method(struct proxy *p, struct conn *c, const char *path, enum dialect d)
{
    struct buf allow = BUF_INIT(512);
    char segment[512];
    buf_puts(&allow, "Allow: OPTIONS");
    for (size_t i = 0; i < p->shared->table_count; i++) {
        const struct local_table *t = p->shared->tables[i];
        for (size_t k = 0; k < t->count; k++)
            if (path_fits(t->routes[k].path, path, segment, sizeof segment))
                buf_printf(&allow, ", %s%s", t->routes[k].method,
                           strcmp(t->routes[k].method, "GET") == 0 ? ", HEAD" : "");
    }
    buf_puts(&allow, "\r\n");
    answer_plain_error(c, d, ERR_method_not_allowed, "this path does not take that method", buf_cstr(&allow));
    buf_free(&allow);
}

bool local_dispatch(struct proxy *p, struct conn *c, const struct head *h, const char *path, enum dialect d)
{
    bool path_known = false;
    char segment[512] = "";
    for (size_t i = 0; i < p->shared->table_count; i++) {
        const struct local_table *t = p->shared->tables[i];
        const struct local_route *r = find(t, h, path, segment, sizeof segment, conn_is_local(c), &path_known);
        if (!r) continue;
        struct local_call *lc = call_new(p, c, t, r, path, segment);
        conn_set_user(c, lc);
        if (!may_enter(lc)) return true;
        if (strcmp(r->method, "GET") == 0)
            handle(lc);
        else
            conn_read_body(c, LOCAL_BODY_MAX);
        return true;
    }
    if (path_known) bad_method(p, c, path, d);
    return path_known;
}

void local_on_body(struct proxy *p, struct conn *c)
{
    (void)p;
    struct local_call *lc = conn_user(c);
    lc->body = conn_body(c);
    handle(lc);
}

void local_on_gone(struct proxy *p, struct conn *c)
{
    (void)p;
    detach(conn_user(c));
}

void local_free_all(struct proxy *p)
{
    LIST_FOR_SAFE(it, &p->locals) detach(LIST_ENTRY(it, struct local_call, node));
}

const struct head *local_head(const struct local_call *lc)
{
    return conn_head(lc->conn);
}

struct str local_segment(const struct local_call *lc)
{
    return str_of(lc->segment);
}

struct str local_query(const struct local_call *lc)
{
    return conn_head(lc->conn)->query;
}

struct str local_body(const struct local_call *lc)
{
    return lc->body;
}

const char *local_peer(const struct local_call *lc)
{
    return conn_peer(lc->conn);
}

bool local_is_local(const struct local_call *lc)
{
    return conn_is_local(lc->conn);
}

bool local_peer_is_loopback(const struct local_call *lc)
{
    const char *peer = conn_peer(lc->conn);
    return conn_is_local(lc->conn) || strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

const struct conf *local_conf(const struct local_call *lc)
{
    return lc->conf;
}

struct loop *local_loop(const struct local_call *lc)
{
    return lc->p->loop;
}

struct proxy *local_proxy(const struct local_call *lc)
{
    return lc->p;
}

void local_reply(struct local_call *lc, int status, struct str headers, struct str body)
{
    if (!lc->conn) return;
    struct conn *c = lc->conn;
    lc->conn = NULL;
    conn_reply(c, status, headers, body);
    detach(lc);
}

#define ADMIN_HEADERS                                                                                                  \
    "Content-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"                 \
    "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"

void local_reply_json(struct local_call *lc, int status, struct str json)
{
    local_reply(lc, status, STR(ADMIN_HEADERS), json);
}

void local_reply_error_with(struct local_call *lc, int status, const char *code, const char *message,
                            struct str headers)
{
    struct buf out = BUF_INIT(16384), all = BUF_INIT(4096);
    struct json j;
    buf_puts(&all, ADMIN_HEADERS);
    buf_add_str(&all, headers);
    json_init(&j, &out);
    json_object(&j);
    json_name(&j, "error");
    json_object(&j);
    json_put_str(&j, "message", message);
    json_put_str(&j, "type", status < 500 ? "invalid_request_error" : "server_error");
    json_put_str(&j, "param", NULL);
    json_put_str(&j, "code", code);
    json_object_end(&j);
    json_object_end(&j);
    local_reply(lc, status, buf_str(&all), buf_str(&out));
    buf_free(&all);
    buf_free(&out);
}

void local_reply_error(struct local_call *lc, int status, const char *code, const char *message)
{
    local_reply_error_with(lc, status, code, message, STR(""));
}

void local_start(struct local_call *lc, struct str headers, void (*gone)(void *arg), void *arg)
{
    if (!lc->conn) return;
    lc->gone = gone;
    lc->gone_arg = arg;
    conn_start(lc->conn, 200, headers, -1);
}

size_t local_queued(const struct local_call *lc)
{
    return lc->conn ? conn_queued(lc->conn) : 0;
}

void local_write(struct local_call *lc, struct str data)
{
    if (lc->conn) (void)conn_write(lc->conn, data);
}

void local_end(struct local_call *lc)
{
    if (!lc->conn) return;
    lc->gone = NULL;
    conn_end(lc->conn);
    detach(lc);
}

struct local_call *local_hold(struct local_call *lc)
{
    lc->refs++;
    return lc;
}

void local_release(struct local_call *lc)
{
    BUG_ON(lc->refs == 0);
    if (--lc->refs) return;
    conf_put(lc->conf);
    lc->magic = 0;
    free(lc);
}
