/*   start -> (end of turn) checked -> NAME (asked) -> GET -> done
 *              |                        |             |
 *              +--- refused             +--- no usable address, 30 s over, cancelled
 *
 * The host of base_url has known addresses, and through a proxy the proxy resolves; any other name is asked of the
 * resolver's thread, whose answer comes back by mail. The mail outlives a download that was given up (`d` is NULL
 * then). Invariant: no header but ours goes out; there is no Authorization line, whatever the host. */
#include "proxy/download.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "proxy/exchange.h"
#include "proxy/picture_url.h"

enum { STEP_BYTES = 1024 * 1024, TRIES_MAX = 2 };

struct name_mail {
    struct mail mail;
    struct resolver_question question;
    struct loop *loop;
    struct download *d; /* worker's thread only; NULL: given up */
    struct addrs *addrs;
    char host[256];
};

struct download {
    struct proxy *p;
    struct conf *conf;
    char *url;
    struct picture_url parts;
    struct loop_timer timer;
    struct loop_task begin_task, free_task;
    struct name_mail *name; /* asked, not answered yet */
    struct addrs *addrs;
    struct call *call;
    struct body *body;
    unsigned tries;
    int status;
    bool typed_image; /* Content-Type says so */
    char type[64];
    void (*done)(void *arg, struct download_end *end);
    void *arg;
};

static void download_free(void *arg)
{
    struct download *d = arg;
    loop_timer_destroy(&d->timer);
    addrs_put(d->addrs);
    body_put(d->body);
    conf_put(d->conf);
    free(d->url);
    free(d);
}

/* Nothing calls back any more; memory goes back at the end of the turn. */
static void stop(struct download *d)
{
    loop_timer_stop(&d->timer);
    loop_task_cancel(d->p->loop, &d->begin_task);
    if (d->name) d->name->d = NULL;
    d->name = NULL;
    if (d->call) upstream_cancel(d->call);
    d->call = NULL;
    loop_defer(d->p->loop, &d->free_task, download_free, d);
}

void download_cancel(struct download *d)
{
    stop(d);
}

static void fail(struct download *d, enum error_code code, const char *what)
{
    struct download_end end = {.code = code};
    const char *host = d->parts.host;
    snprintf(end.sentence, sizeof end.sentence,
             "the picture was made, but fetching it%s%.100s for b64_json or inline failed: %.200s",
             *host ? " from " : "", host, what);
    stop(d);
    d->done(d->arg, &end);
}

static void on_timeout(void *arg)
{
    struct download *d = arg;
    fail(d, ERR_upstream_picture, d->name ? "its name was not resolved within 30 s" : "it did not arrive within 30 s");
}

/* --- the call -------------------------------------------------------------------------------------------------- */

static void start_call(struct download *d);

static void on_head(void *arg, const struct call_head *h)
{
    struct download *d = arg;
    d->status = h->status;
    if (h->status != 200) return;
    if (h->content_length > DOWNLOAD_MAX) {
        fail(d, ERR_upstream_picture, "it is larger than 32 MiB");
        return;
    }
    str_copy(d->type, sizeof d->type, str_trim(h->content_type));
    d->type[strcspn(d->type, "; ")] = '\0';
    d->typed_image = str_ieq((struct str){d->type, MIN(strlen(d->type), (size_t)6)}, STR("image/")) &&
                     token_is_safe(str_of(d->type + 6));
    for (size_t i = 0; i < h->field_count; i++) {
        if (!str_ieq(h->fields[i].name, STR("content-encoding"))) continue;
        if (str_ieq(h->fields[i].value, STR("identity"))) continue;
        fail(d, ERR_upstream_picture, "it came in a content coding that nobody asked for");
        return;
    }
}

static bool on_body(void *arg, struct str data)
{
    struct download *d = arg;
    if (d->status != 200) return true;
    size_t n = d->body->bytes.len + data.n;
    if (n > DOWNLOAD_MAX)
        fail(d, ERR_upstream_picture, "it is larger than 32 MiB");
    else if (!body_charge(d->body, (int64_t)((n + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES)) ||
             !buf_add_str(&d->body->bytes, data))
        fail(d, ERR_busy_memory, "too many bodies are in memory at once (limits.upload_memory)");
    return true;
}

static void succeed(struct download *d)
{
    const char *known = picture_type(buf_str(&d->body->bytes));
    struct download_end end = {.type = known ? known : d->type};
    if (d->body->bytes.len == 0) {
        fail(d, ERR_upstream_picture, "it is empty");
        return;
    }
    if (!known && !d->typed_image) {
        fail(d, ERR_upstream_picture, "what came is no picture");
        return;
    }
    end.body = body_get(d->body);
    stop(d);
    d->done(d->arg, &end);
}

static bool again(struct download *d)
{
    if (d->tries >= TRIES_MAX) return false;
    start_call(d);
    return true;
}

static void on_done(void *arg, const struct call_end *end)
{
    struct download *d = arg;
    char what[200];
    d->call = NULL;
    if (end->result != CALL_OK) {
        if (!again(d)) fail(d, ERR_upstream_picture, end->sentence);
    } else if (d->status == 200) {
        succeed(d);
    } else if (d->status < 500 || !again(d)) {
        bool redirect = d->status >= 300 && d->status < 400;
        snprintf(what, sizeof what, "the host answered with status %d%s", d->status,
                 redirect ? ", and redirects are not followed" : "");
        fail(d, ERR_upstream_picture, what);
    }
}

static void start_call(struct download *d)
{
    static const struct call_ops ops = {NULL, on_head, on_body, on_done};
    static const char *const headers[] = {"Accept: image/*, */*;q=0.5"};
    struct call_spec spec = {.method = "GET", .url = d->url, .headers = headers, .header_count = 1, .addrs = d->addrs};
    d->tries++;
    d->status = 0;
    d->typed_image = false;
    d->type[0] = '\0';
    body_put(d->body);
    d->body = body_new(&d->p->shared->budget, DOWNLOAD_MAX);
    d->call = upstream_start(d->p->upstream, &spec, &ops, d);
}

/* --- the host -------------------------------------------------------------------------------------------------- */

/* Takes over the reference. */
static void got_addrs(struct download *d, struct addrs *a)
{
    d->addrs = a;
    if (a->failed)
        fail(d, ERR_upstream_picture, a->error);
    else
        start_call(d);
}

static void name_delivered(void *reader, struct mail *m)
{
    (void)reader;
    struct name_mail *n = CONTAINER_OF(m, struct name_mail, mail);
    if (n->d) {
        n->d->name = NULL;
        got_addrs(n->d, n->addrs);
    } else {
        addrs_put(n->addrs);
    }
    free(n);
}

/* Any thread. */
static void name_answered(struct resolver_question *q, struct addrs *a)
{
    struct name_mail *n = CONTAINER_OF(q, struct name_mail, question);
    n->addrs = a;
    if (loop_post(n->loop, &n->mail)) return;
    addrs_put(a);
    free(n);
}

static void ask_name(struct download *d)
{
    struct name_mail *n = xcalloc(1, sizeof *n);
    n->mail.deliver = name_delivered;
    n->loop = d->p->loop;
    n->d = d;
    snprintf(n->host, sizeof n->host, "%s", d->parts.host);
    list_init(&n->question.node);
    n->question.host = n->host;
    n->question.port = d->parts.port;
    n->question.public_only = !d->parts.of_base;
    n->question.answer = name_answered;
    d->name = n;
    d->p->shared->look_up(d->p->shared->arg, &n->question);
}

/* The worker's addresses are those of base_url, or of the proxy, which then resolves itself; both perhaps of a newer
 * configuration. */
static bool addresses_known(const struct download *d)
{
    const struct addrs *a = d->p->addrs;
    const char *host = d->conf->upstream_proxy[0] ? d->conf->proxy_host : d->parts.host;
    int port = d->conf->upstream_proxy[0] ? d->conf->proxy_port : d->parts.port;
    return a && !a->failed && strcmp(a->host, host) == 0 && a->port == port;
}

static void begin(void *arg)
{
    struct download *d = arg;
    const struct conf *c = d->conf;
    struct picture_base base = {c->upstream_host, c->upstream_port, c->upstream_tls};
    const char *wrong = picture_url_check(str_of(d->url), &base, &d->parts);
    if (wrong)
        fail(d, ERR_upstream_picture, wrong);
    else if (addresses_known(d))
        got_addrs(d, addrs_get(d->p->addrs));
    else if (c->upstream_proxy[0])
        fail(d, ERR_upstream_picture, "the address of upstream.proxy is not known");
    else if (d->parts.is_literal)
        got_addrs(d, addrs_literal(d->parts.host, d->parts.port));
    else
        ask_name(d);
}

struct download *download_start(struct proxy *p, struct conf *conf, struct str url,
                                void (*done)(void *arg, struct download_end *end), void *arg)
{
    struct download *d = xcalloc(1, sizeof *d);
    d->p = p;
    d->conf = conf_get(conf);
    d->url = str_dup(url);
    d->done = done;
    d->arg = arg;
    loop_timer_init(&d->timer, p->loop, on_timeout, d);
    loop_timer_start(&d->timer, DOWNLOAD_MS);
    loop_defer(p->loop, &d->begin_task, begin, d);
    return d;
}
