/* The set of connections of one worker and what they share: pools of connections, input and output buffers, the
 * cached Date line. An idle connection holds neither input nor output buffer, only struct conn and its two events.
 * Dead connections stay on a list of their own until their task frees them. */
#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/conn.h"

/* ---- pools ---- */

struct input *input_take(struct server *s)
{
    struct input *in = s->inputs;
    if (!in) {
        in = xcalloc(1, sizeof *in);
    } else {
        s->inputs = in->next;
        spares_taken(&s->pooled_inputs);
    }
    /* A head is refused above max_head; one recv(), at most as large as what is there already, may lie behind. */
    in->bytes.cap = 2 * s->limits.head.max_head + SCRATCH_SIZE;
    in->next = NULL;
    return in;
}

static void input_free(struct input *in)
{
    buf_free(&in->bytes);
    free(in->head.fields);
    free(in);
}

void input_give(struct server *s, struct input *in)
{
    if (!in) return;
    if (s->pooled_inputs.count >= POOLED_MAX || in->bytes.room > BUFFER_KEPT_MAX) {
        input_free(in);
        return;
    }
    buf_reset(&in->bytes);
    in->pos = 0;
    in->next = s->inputs;
    s->inputs = in;
    spares_added(&s->pooled_inputs);
}

struct buf output_take(struct server *s)
{
    if (!s->pooled_outputs.count) return BUF_INIT((size_t)1 << 40);
    spares_taken(&s->pooled_outputs);
    return s->outputs[s->pooled_outputs.count];
}

void output_give(struct server *s, struct buf *b)
{
    if (b->room && b->room <= BUFFER_KEPT_MAX && s->pooled_outputs.count < POOLED_MAX) {
        buf_reset(b);
        s->outputs[s->pooled_outputs.count] = *b;
        spares_added(&s->pooled_outputs);
    } else {
        buf_free(b);
    }
    *b = BUF_INIT(0);
}

static void conn_free(struct conn *c)
{
    loop_timer_destroy(&c->timer);
    free(c);
}

void conn_destroy(struct conn *c)
{
    struct server *s = c->server;
    list_remove(&c->link);
    if (s->pooled_conns.count >= POOLED_MAX) {
        conn_free(c);
        return;
    }
    list_prepend(&s->pool, &c->link);
    spares_added(&s->pooled_conns);
}

static void conn_tick(void *arg)
{
    struct conn *c = arg;
    c->timer_fired = true;
    conn_kick(c);
}

static struct conn *conn_take(struct server *s)
{
    struct conn *c;
    if (list_empty(&s->pool)) {
        c = xcalloc(1, sizeof *c);
        loop_timer_init(&c->timer, s->loop, conn_tick, c);
    } else {
        c = LIST_ENTRY(s->pool.next, struct conn, link);
        list_remove(&c->link);
        spares_taken(&s->pooled_conns);
        struct loop_timer timer = c->timer; /* points to c, which stays where it is */
        *c = (struct conn){.timer = timer};
    }
    list_append(&s->open, &c->link);
    c->server = s;
    return c;
}

void server_reap(struct server *s)
{
    for (unsigned n = spares_unneeded(&s->pooled_inputs); n > 0; n--) input_free(input_take(s));
    for (unsigned n = spares_unneeded(&s->pooled_outputs); n > 0; n--) {
        struct buf b = output_take(s);
        buf_free(&b);
    }
    for (unsigned n = spares_unneeded(&s->pooled_conns); n > 0; n--) {
        struct conn *c = LIST_ENTRY(s->pool.next, struct conn, link);
        list_remove(&c->link);
        spares_taken(&s->pooled_conns);
        conn_free(c);
    }
}

/* ---- shared ---- */

struct str server_date_line(struct server *s)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t second = (time_t)(wall_now().ms / 1000);
    if (second != s->date_second) {
        struct tm tm;
        gmtime_r(&second, &tm);
        snprintf(s->date, sizeof s->date, "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n", days + 3 * tm.tm_wday,
                 (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
                 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
        s->date_second = second;
    }
    return str_of(s->date);
}

/* ---- the set ---- */

void server_set_limits(struct server *s, const struct server_limits *limits)
{
    s->limits = *limits;
    s->limits.head.max_fields = MIN(limits->head.max_fields, (size_t)HEAD_FIELDS_MAX);
}

struct server *server_new(struct loop *l, const struct server_ops *ops, void *arg, const struct server_limits *limits,
                          struct memory_budget *budget)
{
    struct server *s = xcalloc(1, sizeof *s);
    s->loop = l;
    s->ops = ops;
    s->arg = arg;
    s->budget = budget;
    s->date_second = -1;
    list_init(&s->open);
    list_init(&s->idle);
    list_init(&s->dead);
    list_init(&s->pool);
    server_set_limits(s, limits);
    return s;
}

void server_adopt(struct server *s, int fd, const char *peer, bool is_local)
{
    struct conn *c = conn_take(s);
    c->fd = fd;
    c->is_local = is_local;
    str_copy(c->peer, sizeof c->peer, str_of(peer));
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    int on = 1; /* output is collected per turn: nothing is won by waiting longer */
    if (!is_local) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_open(c);
}

unsigned server_count(const struct server *s)
{
    return atomic_load_explicit(&s->count, memory_order_relaxed);
}

void server_drain(struct server *s)
{
    s->draining = true;
    LIST_FOR(it, &s->open) conn_kick(LIST_ENTRY(it, struct conn, link));
    LIST_FOR(it, &s->idle) conn_kick(LIST_ENTRY(it, struct conn, link));
}

unsigned server_idle(const struct server *s)
{
    return atomic_load_explicit(&s->idle_count, memory_order_relaxed);
}

void server_close_oldest_idle(struct server *s)
{
    LIST_FOR(it, &s->idle)
    {
        struct conn *c = LIST_ENTRY(it, struct conn, link);
        if (conn_out_len(c)) continue; /* an earlier answer is still on its way */
        conn_close(c);
        return;
    }
}

static void free_pools(struct server *s)
{
    LIST_FOR_SAFE(it, &s->pool) conn_free(LIST_ENTRY(it, struct conn, link));
    while (s->inputs) {
        struct input *in = s->inputs;
        s->inputs = in->next;
        input_free(in);
    }
    while (s->pooled_outputs.count) buf_free(&s->outputs[--s->pooled_outputs.count]);
}

void server_free(struct server *s)
{
    if (!s) return;
    while (!list_empty(&s->idle)) conn_close(LIST_ENTRY(s->idle.next, struct conn, link));
    while (!list_empty(&s->open)) conn_gone(LIST_ENTRY(s->open.next, struct conn, link), GONE_SHUTDOWN);
    LIST_FOR_SAFE(it, &s->dead)
    {
        struct conn *c = LIST_ENTRY(it, struct conn, link);
        loop_task_cancel(s->loop, &c->task);
        conn_free(c);
    }
    free_pools(s);
    free(s);
}

/* ---- reason phrases ---- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {529, "Overloaded"},
};

const char *http_reason(int status)
{
    if (status == 200) return "OK";
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "";
}
