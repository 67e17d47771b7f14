/* Requests about pictures: images/generations, and chat/completions with a model that makes pictures.
 *
 *     SCAN -> parameters (image_params.c) -> PARTS: n parts at the same time, each  CALL -> (FETCH) -> made or failed
 *                                              all over, one made at least -> STREAM: the reply, as the client takes it
 *                                              none made                   -> the first failure, or a refused request
 *
 * The platform makes one picture a call and allows two a minute and account, so n calls go to n keys (part.c). With
 * b64_json or chat_images = inline each picture is fetched as soon as its call has answered (download.c). What was made
 * is delivered, even when it is fewer than asked for. Bytes of pictures are charged to limits.upload_memory and turned
 * into base64 while the reply is written (flow.c).
 *
 * Owner: the exchange (`e->images`), from image_start() to settle(), which calls image_stop(). Invariants: `open`
 * counts the parts that are neither made nor failed; nothing of a job runs after image_stop(). */
#include "base/check.h"
#include "base/mem.h"
#include "proxy/download.h"
#include "proxy/exchange.h"
#include "proxy/image_params.h"
#include "proxy/image_reply.h"

enum {
    RESULTS_MAX = IMAGE_N_MAX * ANSWER_PICTURES_MAX,
    PIECE = 32 * 1024, /* of the reply, at once */
    PATIENCE_MS = 5000,
};

struct image_part {
    struct image_job *job;
    struct exchange *call;     /* while it runs */
    struct download *fetching; /* of the picture `fetched` */
    struct buf bytes;          /* the platform's answer */
    struct image_answer answer;
    size_t fetched; /* pictures that were fetched, or could not be */
    struct body *picture[ANSWER_PICTURES_MAX];
    char type[ANSWER_PICTURES_MAX][64];
    bool made;
};

/* Why nothing could be delivered: the first failure, but rather the platform's own refusal of the request. */
struct image_failure {
    bool set, whole;
    enum verdict verdict;
    enum error_code code;
    char message[700];
    int64_t retry_after_ms;
    enum end_reason end;
};

struct image_job {
    struct exchange *e;
    struct image_ask ask;
    bool chat, fetch;
    unsigned open;
    struct image_failure failure;
    struct buf headers; /* the platform's, of the first good answer */
    struct image_part parts[IMAGE_N_MAX];
    struct flow flow;
};

/* --- which requests ---------------------------------------------------------------------------------------------- */

static bool makes_pictures(const struct exchange *e)
{
    struct str id = str_of(e->scan.model);
    const struct model *m = catalog_find(e->p->catalog, id);
    const char *type = m ? m->type : "", *sub_type;
    if (!m) model_guess_kind(id, &type, &sub_type);
    return strcmp(type, "image") == 0;
}

bool image_wanted(const struct exchange *e)
{
    if (e->route.kind != ROUTE_KIND_POOLED || !e->body) return false;
    if (strcmp(e->route.path, "images/generations") == 0) return true;
    return strcmp(e->route.path, "chat/completions") == 0 && makes_pictures(e);
}

/* --- the end of a part -------------------------------------------------------------------------------------------- */

static void reply(struct image_job *job);

static void all_over(struct image_job *job)
{
    struct exchange *e = job->e;
    const struct image_failure *f = &job->failure;
    bool made = false;
    for (unsigned i = 0; i < job->ask.n; i++) made = made || job->parts[i].made;
    if (made)
        reply(job);
    else if (f->whole)
        answer_whole(e, f->verdict);
    else
        answer_error(e, f->code, f->message, f->retry_after_ms, f->end);
}

static void part_over(struct image_part *p, bool made)
{
    p->made = made;
    if (--p->job->open == 0) all_over(p->job);
}

static bool says_more(const struct image_failure *f, bool whole)
{
    return !f->set || (whole && !f->whole);
}

static void fail_of_ours(struct image_part *p, enum error_code code, const char *message)
{
    struct image_failure *f = &p->job->failure;
    if (says_more(f, false)) {
        *f = (struct image_failure){.set = true, .code = code, .end = END_UPSTREAM_ERROR};
        if (code == ERR_busy_memory) f->retry_after_ms = 2000;
        snprintf(f->message, sizeof f->message, "%s", message);
    }
    part_over(p, false);
}

static void fail_of_call(struct image_part *p, struct exchange *call, const struct part_answer *a)
{
    struct image_failure *f = &p->job->failure;
    if (says_more(f, a->whole)) {
        *f = (struct image_failure){.set = true,
                                    .whole = a->whole,
                                    .verdict = a->verdict,
                                    .code = a->code,
                                    .retry_after_ms = a->retry_after_ms,
                                    .end = a->end};
        snprintf(f->message, sizeof f->message, "%s", a->message ? a->message : "");
        part_hand_over(call, a);
    }
    part_over(p, false);
}

/* --- fetching ----------------------------------------------------------------------------------------------------- */

static void fetch_next(struct image_part *p);

static void on_fetched(void *arg, struct download_end *end)
{
    struct image_part *p = arg;
    p->fetching = NULL;
    if (!end->body) {
        fail_of_ours(p, end->code, end->sentence);
        return;
    }
    p->picture[p->fetched] = end->body;
    snprintf(p->type[p->fetched], sizeof p->type[0], "%s", end->type);
    p->fetched++;
    fetch_next(p);
}

/* Chat delivers the first picture only. */
static size_t wanted_of(const struct image_part *p)
{
    return p->job->chat ? 1 : p->answer.count;
}

static void fetch_next(struct image_part *p)
{
    struct exchange *e = p->job->e;
    struct buf url = BUF_INIT(16384);
    if (p->fetched == wanted_of(p)) {
        part_over(p, true);
    } else if (!image_answer_url(&p->answer, p->fetched, &url)) {
        fail_of_ours(p, ERR_upstream_garbage, "the platform's answer holds a URL that is no text");
    } else {
        p->fetching = download_start(e->p, e->conf, buf_str(&url), on_fetched, p);
    }
    buf_free(&url);
}

/* --- the calls -----------------------------------------------------------------------------------------------------
 */

static void keep_headers(struct image_job *job, const struct exchange *call)
{
    struct str all = buf_str(&call->reply_headers);
    if (job->headers.len) return;
    buf_add(&job->headers, all.p + call->body_headers, all.n - call->body_headers);
}

static void on_answer(void *arg, const struct part_answer *a)
{
    struct image_part *p = arg;
    struct exchange *call = p->call;
    p->call = NULL;
    if (!a->whole || a->verdict != VERDICT_OK) {
        fail_of_call(p, call, a);
        return;
    }
    p->bytes = call->gate_bytes;
    call->gate_bytes = BUF_INIT(PART_BYTES);
    if (!image_answer_read(buf_str(&p->bytes), &p->answer)) {
        fail_of_ours(p, ERR_upstream_garbage, "the platform's answer holds no picture");
        return;
    }
    keep_headers(p->job, call);
    if (p->job->fetch)
        fetch_next(p);
    else
        part_over(p, true);
}

static void start_parts(struct image_job *job)
{
    struct exchange *e = job->e;
    unsigned n = job->ask.n;
    job->open = n;
    for (unsigned i = 0; i < n; i++) {
        job->parts[i].job = job;
        job->parts[i].call = part_new(e, "images/generations", e->body, on_answer, &job->parts[i]);
    }
    body_put(e->body); /* the parts hold it as long as they may need it */
    e->body = NULL;
    /* The parts keep the deadlines; the request's own is for what comes after them. */
    e->total_deadline = mono_add(e->total_deadline, DOWNLOAD_MS * ANSWER_PICTURES_MAX + PATIENCE_MS);
    for (unsigned i = 0; i < n && e->images == job; i++) part_go(job->parts[i].call);
}

/* Puts what goes to the platform in place of what the client sent. */
static bool exchange_body(struct exchange *e, struct buf *made)
{
    struct body *b = body_new(&e->p->shared->budget, made->len);
    b->bytes = *made;
    *made = BUF_INIT(0);
    if (!body_charge(b, (int64_t)b->bytes.len)) {
        body_put(b);
        return false;
    }
    body_put(e->body);
    e->body = b;
    return true;
}

static struct image_job *job_new(struct exchange *e, bool chat)
{
    struct image_job *job = xcalloc(1, sizeof *job);
    job->e = e;
    job->chat = chat;
    buf_init(&job->headers, 16384);
    flow_init(&job->flow, 64 * 1024 * 1024);
    for (unsigned i = 0; i < IMAGE_N_MAX; i++) buf_init(&job->parts[i].bytes, PART_BYTES);
    return job;
}

void image_start(struct exchange *e)
{
    bool chat = strcmp(e->route.path, "chat/completions") == 0;
    struct image_ask ask;
    struct buf made = BUF_INIT(e->body->bytes.len + 4096);
    struct str body = buf_str(&e->body->bytes), model = str_of(e->scan.model);
    bool good = chat ? image_params_of_chat(body, model, &ask, &made) : image_params(body, model, &ask, &made);
    if (!good) {
        answer_error(e, ERR_bad_request, ask.why, 0, END_CLIENT_ERROR);
    } else if (made.failed || (ask.changed && !exchange_body(e, &made))) {
        answer_error(e, ERR_busy_memory, "there is no memory for this request, try again soon", 2000,
                     END_UPSTREAM_ERROR);
    } else {
        e->images = job_new(e, chat);
        e->images->ask = ask;
        e->images->fetch = chat ? e->conf->models_chat_images == CHAT_IMAGES_INLINE : ask.b64;
        settle_admitted(e);
        exchange_step(e, STEP_PARTS);
        start_parts(e->images);
    }
    buf_free(&made);
}

void image_stop(struct exchange *e)
{
    struct image_job *job = e->images;
    if (!job) return;
    e->images = NULL;
    for (unsigned i = 0; i < IMAGE_N_MAX; i++) {
        struct image_part *p = &job->parts[i];
        if (p->call) part_give_up(p->call, END_CLIENT_ABORT);
        if (p->fetching) download_cancel(p->fetching);
        for (size_t k = 0; k < ANSWER_PICTURES_MAX; k++) body_put(p->picture[k]);
        buf_free(&p->bytes);
    }
    flow_free(&job->flow);
    buf_free(&job->headers);
    free(job);
}

/* --- the reply -----------------------------------------------------------------------------------------------------
 */

static size_t collect(struct image_job *job, struct image_result *r)
{
    size_t n = 0;
    for (unsigned i = 0; i < job->ask.n; i++) {
        struct image_part *p = &job->parts[i];
        for (size_t k = 0; p->made && k < wanted_of(p); k++)
            r[n++] = (struct image_result){&p->answer, k, p->picture[k], p->type[k]};
    }
    return n;
}

static void write_flow(struct image_job *job, const struct image_result *r, size_t count)
{
    struct exchange *e = job->e;
    int64_t created = wall_now().ms / 1000;
    char id[160];
    snprintf(id, sizeof id, "chatcmpl-%s", e->request_id);
    struct image_chat chat = {id, e->scan.model, created, e->scan.stream, job->ask.usage};
    if (job->chat)
        image_chat_reply(&job->flow, r, &chat);
    else
        image_reply(&job->flow, r, count, created);
}

static void write_head(struct image_job *job)
{
    struct exchange *e = job->e;
    struct buf headers = BUF_INIT(32768);
    e->is_stream = job->chat && e->scan.stream;
    buf_puts(&headers, e->is_stream ? "Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                                      "X-Accel-Buffering: no\r\n"
                                    : "Content-Type: application/json\r\n");
    buf_add_str(&headers, buf_str(&job->headers));
    answer_common_headers(&headers, e);
    e->client_status = 200;
    conn_start(e->conn, 200, buf_str(&headers), e->is_stream ? -1 : (int64_t)flow_length(&job->flow));
    buf_free(&headers);
}

/* Writes until the client is slow or has everything. */
static void pump(struct image_job *job)
{
    struct exchange *e = job->e;
    struct buf piece = BUF_INIT(2 * PIECE);
    bool more = true;
    e->paused = false;
    while (!e->paused && (more = flow_next(&job->flow, &piece, PIECE))) {
        if (!e->first_byte_us) e->first_byte_us = mono_us();
        e->bytes_down += piece.len;
        e->paused = !conn_write(e->conn, buf_str(&piece));
        buf_reset(&piece);
    }
    buf_free(&piece);
    if (more) return;
    struct conn *c = e->conn;
    e->conn = NULL;
    conn_end(c);
    settle(e, END_OK);
}

void image_drained(struct exchange *e)
{
    pump(e->images);
}

static void reply(struct image_job *job)
{
    struct exchange *e = job->e;
    struct image_result results[RESULTS_MAX];
    size_t count = collect(job, results);
    write_flow(job, results, count);
    if (job->flow.text.failed) {
        answer_error(e, ERR_busy_memory, "there is no memory for the reply, try again soon", 2000, END_UPSTREAM_ERROR);
        return;
    }
    e->units = (int64_t)count;
    exchange_step(e, STEP_STREAM);
    write_head(job);
    pump(job);
}
