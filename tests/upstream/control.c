/* /_standin/: scripts in, reports out. A wait holds its connection in a list that is looked through after each turn
 * of the loop, so that a test needs no polling. */
#include "api.h"
#include "events.h"
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum op { OP_SAME, OP_MIN, OP_MAX };

static const struct quantity {
    const char *name;
    const uint64_t *at;
    enum op op; /* of the bare name */
} quantities[] = {
    {"open_streams", &totals.open_streams, OP_SAME},
    {"in_flight", &totals.in_flight, OP_SAME},
    {"connections_open", &totals.open_connections, OP_SAME},
    {"requests", &totals.requests, OP_MIN},
    {"cancelled", &totals.cancelled, OP_MIN},
    {"completed", &totals.completed, OP_MIN},
    {"faulted", &totals.faulted, OP_MIN},
    {"events", &totals.events, OP_MIN},
    {"connections_accepted", &totals.accepted, OP_MIN},
    {"partial_requests", &totals.partial_requests, OP_MIN},
};

enum { N_QUANTITIES = sizeof quantities / sizeof *quantities, MAX_CONDITIONS = 8 };

struct wait {
    int n;
    struct {
        const uint64_t *at;
        enum op op;
        uint64_t than;
    } conditions[MAX_CONDITIONS];
};

static struct conn *waiters;

bool control_waiting(void)
{
    return waiters != NULL;
}

void control_forget(struct conn *c)
{
    struct conn **at = &waiters;
    while (*at && *at != c) at = &(*at)->next_waiter;
    if (*at) *at = c->next_waiter;
    free(c->wait);
    c->wait = NULL;
}

static void reply(struct conn *c, int status, const struct buf *body)
{
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status,
               http_reason(status), buf_size(body), c->rq.keep_alive ? "" : "Connection: close\r\n");
    buf_add(&c->out, buf_data(body), buf_size(body));
    c->ex.active = c->ex.control = c->ex.finished = true;
    c->ex.after = c->rq.keep_alive ? AFTER_KEEP : AFTER_CLOSE;
    c->phase = PH_ANSWER;
}

static void wait_over(struct conn *c, bool held)
{
    struct buf b = {0};
    control_forget(c);
    buf_printf(&b, "{\"ok\":%s,", held ? "true" : "false");
    report_totals(&b);
    buf_putc(&b, '}');
    reply(c, 200, &b);
    buf_free(&b);
}

static bool holds(const struct wait *w)
{
    for (int i = 0; i < w->n; i++) {
        uint64_t v = *w->conditions[i].at, t = w->conditions[i].than;
        enum op op = w->conditions[i].op;
        if (op == OP_SAME ? v != t : op == OP_MIN ? v < t : v > t) return false;
    }
    return true;
}

void control_check(void)
{
    for (struct conn *c = waiters, *next; c; c = next) {
        next = c->next_waiter;
        if (!holds(c->wait)) continue;
        conn_timer(c, 0);
        wait_over(c, true);
        conn_process(c);
    }
}

void control_timeout(struct conn *c)
{
    wait_over(c, false);
}

static struct wait *parse_wait(const char *query)
{
    static const char *const suffixes[] = {"", "_min", "_max"};
    struct wait *w = xalloc(sizeof *w);
    for (int i = 0; i < N_QUANTITIES; i++) {
        for (int k = 0; k < 3 && w->n < MAX_CONDITIONS; k++) {
            char name[48];
            snprintf(name, sizeof name, "%s%s", quantities[i].name, suffixes[k]);
            long v = http_query_long(query, name, -1);
            if (v < 0) continue;
            w->conditions[w->n].at = quantities[i].at;
            w->conditions[w->n].op = k ? (enum op)k : quantities[i].op;
            w->conditions[w->n++].than = (uint64_t)v;
        }
    }
    return w;
}

static void start_wait(struct conn *c)
{
    c->wait = parse_wait(c->rq.query);
    if (!c->wait->n) {
        struct buf b = {0};
        free(c->wait);
        c->wait = NULL;
        buf_puts(&b, "{\"error\":\"no condition\"}");
        reply(c, 400, &b);
        buf_free(&b);
        return;
    }
    c->ex.active = c->ex.control = true;
    c->phase = PH_WAIT;
    c->next_waiter = waiters;
    waiters = c;
    conn_timer(c, now_ns() + (int64_t)http_query_long(c->rq.query, "timeout_ms", 10000) * 1000000 + 1);
}

static void list_presets(struct buf *b)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < n_presets; i++) {
        buf_printf(b, "%s{\"name\":\"%s\",\"status\":%d,\"content_type\":\"%s\",\"meaning\":\"%s\",\"body\":",
                   i ? "," : "", presets[i].name, presets[i].status, presets[i].type, presets[i].meaning);
        buf_json_s(b, presets[i].body);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void show_text(struct conn *c, struct buf *b)
{
    long n = http_query_long(c->rq.query, "chunks", script.defaults.chunks);
    long bytes = http_query_long(c->rq.query, "chunk_bytes", script.defaults.chunk_bytes);
    buf_puts(b, "{\"content\":\"");
    text_all(b, (int)n, bytes, false);
    buf_puts(b, "\",\"reasoning\":\"");
    text_all(b, (int)(n + 1) / 2, bytes, true);
    buf_puts(b, "\"}");
}

static void reset(void)
{
    report_reset();
    accounts_reset();
    owned_reset();
}

static bool is(const struct conn *c, const char *method, const char *name)
{
    return strcmp(c->rq.method, method) == 0 && strcmp(c->rq.path + 10, name) == 0;
}

void control_request(struct conn *c, const char *body, size_t n)
{
    struct buf b = {0}, why = {0};
    int status = 200;
    if (!c->is_control) {
        c->is_control = true;
        totals.open_connections--;
        if (totals.accepted) totals.accepted--;
    }
    if (is(c, "GET", "wait")) {
        start_wait(c);
        return;
    }
    if (is(c, "POST", "script"))
        status = script_load(body, n, &why) ? 200 : 400;
    else if (is(c, "POST", "rules"))
        status = script_add_rules(body, n, &why) ? 200 : 400;
    else if (is(c, "POST", "reset"))
        reset();
    else if (is(c, "POST", "clear")) {
        script_clear();
        reset();
    } else if (is(c, "GET", "report"))
        report_json(&b, http_query_long(c->rq.query, "last", 100));
    else if (is(c, "GET", "presets"))
        list_presets(&b);
    else if (is(c, "GET", "text"))
        show_text(c, &b);
    else
        status = 404;
    if (status != 200) {
        buf_printf(&b, "{\"ok\":false,\"error\":");
        buf_json(&b, buf_size(&why) ? buf_data(&why) : "no such control", buf_size(&why) ? buf_size(&why) : 15);
        buf_putc(&b, '}');
    } else if (!buf_size(&b)) {
        buf_puts(&b, "{\"ok\":true}");
    }
    reply(c, status, &b);
    buf_free(&b);
    buf_free(&why);
}
