/* Rows live in a ring; a row keeps the raw request head, which is only taken apart when someone asks. */
#include "report.h"
#include "script.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 20000, CANCELS = 2000 };

struct cancel {
    uint64_t seq;
    int64_t at;
    const char *phase, *how;
    char model[64];
};

struct totals totals;
static struct row *rows;
static uint64_t next_seq = 1;
static struct cancel cancels[CANCELS];
static uint64_t n_cancels;
static int64_t started;

void report_start(int64_t now)
{
    started = now;
    rows = xalloc(ROWS * sizeof *rows);
}

static void forget(struct row *r)
{
    free(r->head);
    free(r->model);
    *r = (struct row){0};
}

struct row *report_row(void)
{
    struct row *r = &rows[next_seq % ROWS];
    forget(r);
    r->seq = next_seq++;
    return r;
}

struct row *report_find(uint64_t seq)
{
    return seq && rows[seq % ROWS].seq == seq ? &rows[seq % ROWS] : NULL;
}

void report_cancel(uint64_t seq, const char *model, const char *phase, const char *how, int64_t now)
{
    struct cancel *c = &cancels[n_cancels++ % CANCELS];
    *c = (struct cancel){.seq = seq, .at = now, .phase = phase, .how = how};
    size_t n = strnlen(model, sizeof c->model - 1);
    memcpy(c->model, model, n);
}

/* Numbers of rows go on, so that a row of before cannot be taken for a new one. */
void report_reset(void)
{
    struct totals now = totals;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].seq) forget(&rows[i]);
    }
    n_cancels = 0;
    totals = (struct totals){
        .open_connections = now.open_connections, .in_flight = now.in_flight, .open_streams = now.open_streams};
    totals.max_connections = now.open_connections;
    totals.max_in_flight = now.in_flight;
    totals.max_streams = now.open_streams;
}

void report_totals(struct buf *o)
{
    const struct {
        const char *name;
        uint64_t n;
    } list[] = {{"requests", totals.requests},
                {"completed", totals.completed},
                {"cancelled", totals.cancelled},
                {"faulted", totals.faulted},
                {"bad_requests", totals.bad_requests},
                {"partial_requests", totals.partial_requests},
                {"bytes_in", totals.bytes_in},
                {"bytes_out", totals.bytes_out},
                {"events", totals.events},
                {"tokens_in", totals.tokens_in},
                {"tokens_out", totals.tokens_out},
                {"connections_accepted", totals.accepted},
                {"connections_open", totals.open_connections},
                {"max_connections", totals.max_connections},
                {"in_flight", totals.in_flight},
                {"max_in_flight", totals.max_in_flight},
                {"open_streams", totals.open_streams},
                {"max_streams", totals.max_streams}};
    buf_puts(o, "\"totals\":{");
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        buf_printf(o, "\"%s\":%llu,", list[i].name, (unsigned long long)list[i].n);
    buf_puts(o, "\"by_status\":{");
    const char *comma = "";
    for (int i = 0; i < MAX_STATUS; i++) {
        if (!totals.by_status[i]) continue;
        buf_printf(o, "%s\"%d\":%llu", comma, i, (unsigned long long)totals.by_status[i]);
        comma = ",";
    }
    buf_puts(o, "}}");
}

static void json_line(struct buf *o, const struct row *r)
{
    const char *p = r->head, *sp = memchr(p, ' ', r->head_len);
    const char *target = sp + 1, *end = memchr(target, ' ', (size_t)(p + r->head_len - target));
    const char *q = memchr(target, '?', (size_t)(end - target));
    buf_puts(o, "\"method\":");
    buf_json(o, p, (size_t)(sp - p));
    buf_puts(o, ",\"path\":");
    buf_json(o, target, (size_t)((q ? q : end) - target));
    buf_puts(o, ",\"query\":");
    buf_json(o, q ? q + 1 : "", q ? (size_t)(end - q - 1) : 0);
}

static void json_headers(struct buf *o, const struct row *r)
{
    const char *end = r->head + r->head_len, *p = memmem(r->head, r->head_len, "\r\n", 2);
    const char *comma = "";
    buf_puts(o, ",\"headers\":[");
    for (p += 2; p < end && *p != '\r'; comma = ",") {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2), *colon = memchr(p, ':', (size_t)(eol - p));
        const char *v = colon + 1;
        while (v < eol && (*v == ' ' || *v == '\t')) v++;
        buf_printf(o, "%s[", comma);
        buf_json(o, p, (size_t)(colon - p));
        buf_puts(o, ",");
        buf_json(o, v, (size_t)(eol - v));
        buf_puts(o, "]");
        p = eol + 2;
    }
    buf_puts(o, "]");
}

static double ms(int64_t t)
{
    return (double)(t - started) / 1e6;
}

static void json_row(struct buf *o, const struct row *r)
{
    static const char *const endings[] = {"running", "completed", "cancelled", "faulted"};
    buf_printf(o, "{\"seq\":%llu,\"time_ms\":%.3f,", (unsigned long long)r->seq, ms(r->start));
    if (r->end) buf_printf(o, "\"end_ms\":%.3f,", ms(r->end));
    json_line(o, r);
    buf_puts(o, ",\"key\":");
    buf_json_s(o, r->key ? r->key->name : NULL);
    buf_puts(o, ",\"account\":");
    buf_json_s(o, r->key ? r->key->account->name : NULL);
    buf_puts(o, ",\"model\":");
    buf_json_s(o, r->model);
    buf_printf(o, ",\"stream\":%s,\"body_bytes\":%llu,\"body_sha256\":\"", r->stream ? "true" : "false",
               (unsigned long long)r->body_bytes);
    for (int i = 0; i < 32; i++) buf_printf(o, "%02x", r->sha256[i]);
    buf_printf(o, "\",\"status\":%d,\"fault\":", r->status);
    buf_json_s(o, r->fault);
    buf_printf(o, ",\"ending\":\"%s\",\"completed\":%s,\"cancelled\":", endings[r->ending],
               r->ending == COMPLETED ? "true" : "false");
    if (r->ending == CANCELLED)
        buf_printf(o, "{\"phase\":\"%s\",\"how\":\"%s\",\"time_ms\":%.3f,\"monotonic_ns\":%lld}", r->phase, r->how,
                   ms(r->end), (long long)r->end);
    else
        buf_puts(o, "null");
    buf_printf(o, ",\"tokens_in\":%lld,\"tokens_out\":%lld,\"events\":%llu,\"connection\":%llu,\"nth\":%llu",
               (long long)r->tokens_in, (long long)r->tokens_out, (unsigned long long)r->events,
               (unsigned long long)r->connection, (unsigned long long)r->nth_on_connection);
    json_headers(o, r);
    buf_putc(o, '}');
}

static void json_cancels(struct buf *o)
{
    uint64_t from = n_cancels > CANCELS ? n_cancels - CANCELS : 0;
    buf_puts(o, "\"cancels\":[");
    for (uint64_t i = from; i < n_cancels; i++) {
        const struct cancel *c = &cancels[i % CANCELS];
        buf_printf(o,
                   "%s{\"seq\":%llu,\"phase\":\"%s\",\"how\":\"%s\",\"time_ms\":%.3f,\"monotonic_ns\":%lld,\"model\":",
                   i > from ? "," : "", (unsigned long long)c->seq, c->phase, c->how, ms(c->at), (long long)c->at);
        buf_json_s(o, c->model);
        buf_putc(o, '}');
    }
    buf_puts(o, "]");
}

void report_json(struct buf *o, long last)
{
    buf_putc(o, '{');
    report_totals(o);
    buf_putc(o, ',');
    accounts_report(o);
    buf_putc(o, ',');
    script_report(o);
    buf_putc(o, ',');
    json_cancels(o);
    buf_puts(o, ",\"requests\":[");
    if (last > ROWS) last = ROWS;
    uint64_t from = next_seq > (uint64_t)last ? next_seq - (uint64_t)last : 1;
    const char *comma = "";
    for (uint64_t s = from; s < next_seq; s++) {
        const struct row *r = report_find(s);
        if (!r) continue;
        buf_puts(o, comma);
        json_row(o, r);
        comma = ",";
    }
    buf_puts(o, "]}");
}
