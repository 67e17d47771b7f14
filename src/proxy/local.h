/* Requests that we answer ourselves (page, admin API, health, model list), as seen by their handlers. The routes come
 * in a table handed to the proxy at start, so that the proxy includes nothing above it. Worker's thread throughout. */
#ifndef SFPROXY_PROXY_LOCAL_H
#define SFPROXY_PROXY_LOCAL_H

#include "conf/conf.h"
#include "net/server.h"

enum route_class {
    ROUTE_PUBLIC,  /* anybody */
    ROUTE_CLIENT,  /* a client key, when there are any */
    ROUTE_METRICS, /* admin.metrics_public, else like VIEW */
    ROUTE_VIEW,    /* admin cookie or token; open_on_loopback */
    ROUTE_ACT,     /* admin token, or cookie with the right Origin */
    ROUTE_OWN,     /* admin token or control.sock */
};

struct local_call;

struct local_route {
    const char *method; /* "GET", "POST", "DELETE"; GET serves HEAD too */
    const char *path;   /* exact; a segment "{id}" matches one segment without '/' */
    enum route_class class;
    void (*handle)(void *arg, struct local_call *lc); /* answers now or later, exactly once, with local_reply() */
};

struct local_table {
    const struct local_route *routes;
    size_t count;
    void *arg;
    /* The one gate for VIEW, ACT and OWN on TCP (control.sock passes), before a body is read. False: it has answered
     * with local_reply...(). NULL: these routes do not exist over TCP (404). */
    bool (*authorize)(void *arg, struct local_call *lc, enum route_class class);
};

const struct head *local_head(const struct local_call *lc);
struct str local_segment(const struct local_call *lc); /* what matched "{id}"; "" none */
struct str local_query(const struct local_call *lc);
struct str local_body(const struct local_call *lc);
const char *local_peer(const struct local_call *lc);
bool local_is_local(const struct local_call *lc);         /* control.sock */
bool local_peer_is_loopback(const struct local_call *lc); /* control.sock, 127.0.0.0/8 or ::1 */
const struct conf *local_conf(const struct local_call *lc);
struct loop *local_loop(const struct local_call *lc); /* to post an answer back to this worker */
struct proxy;
struct proxy *local_proxy(const struct local_call *lc); /* the worker's share: for handlers inside proxy/ */

/* The answer. Dropped when the client has left. `headers`: "Name: value\r\n" lines. */
void local_reply(struct local_call *lc, int status, struct str headers, struct str body);
/* JSON with no-store and nosniff. */
void local_reply_json(struct local_call *lc, int status, struct str json);
/* {"error":{"message","type","param":null,"code"}} */
void local_reply_error(struct local_call *lc, int status, const char *code, const char *message);
void local_reply_error_with(struct local_call *lc, int status, const char *code, const char *message,
                            struct str headers);
/* An answer without an end (event stream), 200. `gone(arg)` runs once, when the client has left, takes nothing for
 * limits.write_timeout, or the server stops; not after local_end(). */
void local_start(struct local_call *lc, struct str headers, void (*gone)(void *arg), void *arg);
/* Bytes that wait for the client: for whoever writes next to decide. After local_start(). */
size_t local_queued(const struct local_call *lc);
void local_write(struct local_call *lc, struct str data);
void local_end(struct local_call *lc);
/* For an answer that comes later: keeps lc valid until local_release(), even when the client leaves meanwhile. */
struct local_call *local_hold(struct local_call *lc);
void local_release(struct local_call *lc);

#endif
