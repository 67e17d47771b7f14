/* Calls: one HTTP request to the upstream each, on a libcurl easy handle that is used again and again.
 *
 *     start() -> QUEUED --end of turn--> ADDED --PREREQ--> sending --> sent --> head --> body --> done -> free list
 *                   |                      |                                     |
 *                   +------ cancel() ------+------------- cancel() --------------+--> off at the end of the turn
 *
 * libcurl forbids adding, removing and resuming handles inside its callbacks. So nothing of that is ever done where it
 * is asked for: start, resume and cancel set a flag and put the call on `work`, which one task serves at the end of the
 * turn. A cancelled call has no ops any more, so the caller is rid of it at once.
 *
 * Sent? The cheapest correct answer: PREREQFUNCTION says that a connection stands and the request is about to be
 * written; after each run of libcurl the few calls on the shard's `sending` list compare CURLINFO_SIZE_UPLOAD_T with
 * their body. A request whose body is under 64 KiB leaves in one write with its head and is on that list for no longer
 * than the same socket action. No progress callback (it would run on every read of every stream).
 *
 * Retries by libcurl: when a pooled connection turns out to be dead, libcurl sends the request again by itself, unseen,
 * up to five times, and on the next pooled connection, which may be as dead as the first. PREREQ counts the sends: a
 * second one on a pooled connection is stopped and the call goes back to the queue with CURLOPT_FRESH_CONNECT, so that
 * whatever the platform did with its idle connections, a request is sent twice at most; a third is a RESET.
 *
 * Addresses: CURLOPT_RESOLVE replaces the entry in the multi's name cache in the same step of libcurl that looks it up,
 * so every call carries its own addresses and a change takes effect at once. (Leaving it out while the cache "should"
 * hold them saves about a microsecond and goes wrong when a call with newer ones cannot connect.)
 *
 * Secrets: the header lines of a call are one buffer, wiped when the call ends. */
#include "net/upstream.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spares.h"
#include "net/lines.h"
#include "net/outcome.h"
#include "net/reply.h"
#include "net/shard.h"
#include "net/urls.h"

enum {
    FREE_MAX = 256,     /* easy handles kept for reuse */
    SENDS_MAX = 2,      /* a first one on a dead pooled connection, a second on a fresh one */
    BIG_BODY = 1 << 20, /* from here on libcurl copies in larger steps */
    BIG_STEP = 512 << 10,
    STEP = 64 << 10,
};

struct upstream {
    struct loop *loop;
    struct shards *shards;
    struct upstream_options options; /* strings are ours */
    unsigned age;                    /* of the options */
    struct list calls;               /* every call not on the free list */
    struct list work;
    struct loop_task task;
    struct list spare;
    struct spares spares;
    unsigned count;
    struct urls urls;
};

struct call {
    struct upstream *up;
    struct list node; /* on calls or spare */
    struct list work, sending;
    CURL *easy;
    unsigned options_age;
    struct shard *shard;        /* NULL: not added */
    const struct call_ops *ops; /* &no_ops: cancelled */
    void *arg;
    const char *fault; /* our own sentence; then the result is fault_result, whatever libcurl says */
    enum call_result fault_result;
    bool paused; /* by on_body */
    bool held;   /* libcurl was told to pause: it must be told to go on */
    bool sent_told;
    bool refresh; /* ended by us, to start again */
    bool fresh;   /* started again, on a connection of its own */
    bool big_steps;
    unsigned sends;
    uint64_t bytes_down;
    struct body *body;
    struct addrs *addrs;
    struct parsed_url *url;
    struct reply reply;
    struct lines lines;
    struct curl_slist resolve;
    char errbuf[CURL_ERROR_SIZE];
};

static const struct call_ops no_ops;

static void queue_work(struct call *c);

/* --- libcurl's callbacks -------------------------------------------------------------------------------------- */

static void give_up(struct call *c, enum call_result r, const char *sentence)
{
    c->fault_result = r;
    c->fault = sentence;
}

/* Once it was sent and the final head is there, libcurl never reads it again: a long answer holds no upload. */
static void release_body(struct call *c)
{
    if (!c->body || !c->sent_told || !c->reply.complete) return;
    curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    body_put(c->body);
    c->body = NULL;
}

static void check_sent(struct call *c)
{
    curl_off_t up = 0;
    if (c->sent_told || c->sends == 0) return;
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    if (c->body && (uint64_t)up < c->body->bytes.len) return;
    c->sent_told = true;
    list_remove(&c->sending);
    release_body(c);
    if (c->ops->on_sent) c->ops->on_sent(c->arg);
}

static bool on_pooled_connection(const struct call *c)
{
    long connects = 0;
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

static int on_prereq(void *user, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip;
    (void)own_ip;
    (void)port;
    (void)own_port;
    struct call *c = user;
    if (c->ops == &no_ops) return CURL_PREREQFUNC_ABORT;
    if (c->sends == 1 && on_pooled_connection(c)) {
        c->refresh = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (++c->sends > SENDS_MAX) {
        c->sends--;
        give_up(c, CALL_RESET, "the upstream closed one connection after the other before answering");
        return CURL_PREREQFUNC_ABORT;
    }
    if (!c->sent_told && list_empty(&c->sending)) list_append(&c->shard->sending, &c->sending);
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    struct call *c = user;
    struct call_head head;
    const char *why = NULL;
    size_t len = size * n;
    if (c->ops == &no_ops) return 0;
    switch (reply_line(&c->reply, (struct str){data, len}, &head, &why)) {
    case REPLY_MORE: return len;
    case REPLY_BAD: give_up(c, CALL_GARBAGE, why); return 0;
    case REPLY_FINAL: break;
    }
    check_sent(c);
    release_body(c);
    if (c->ops->on_head) c->ops->on_head(c->arg, &head);
    return c->ops == &no_ops ? 0 : len;
}

/* Pausing is by return value only. on_body() took its piece, so libcurl learns of the pause with the next one, which it
 * keeps and delivers again after the resume. */
static size_t on_data(char *data, size_t size, size_t n, void *user)
{
    struct call *c = user;
    size_t len = size * n;
    if (c->ops == &no_ops) return 0;
    if (c->paused) {
        c->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    c->bytes_down += len;
    if (c->ops->on_body && !c->ops->on_body(c->arg, (struct str){data, len})) c->paused = true;
    return c->ops == &no_ops ? 0 : len;
}

/* --- handles -------------------------------------------------------------------------------------------------- */

static void set_fixed(struct call *c)
{
    CURL *e = c->easy;
    shards_adopt(c->up->shards, e);
    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->errbuf);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_prereq);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* removing a handle never waits for libcurl's own resolver */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes to one origin only */
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* the key is not for a proxy */
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 16384L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* addresses change by CURLOPT_RESOLVE only */
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 118L);
    curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, 300L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, -1L); /* the CA bundle is read once per shard */
}

/* What a reload may change. */
static void set_options(struct call *c)
{
    const struct upstream_options *o = &c->up->options;
    const char *protocols = o->allow_http ? "http,https" : "https";
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, o->proxy); /* "" also means: not from the environment */
    curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    if (o->ca_file[0]) {
        curl_easy_setopt(c->easy, CURLOPT_CAINFO, o->ca_file);
        curl_easy_setopt(c->easy, CURLOPT_PROXY_CAINFO, o->ca_file);
    }
    c->options_age = c->up->age;
}

static void call_destroy(struct call *c)
{
    if (c->easy) curl_easy_cleanup(c->easy);
    reply_free(&c->reply);
    lines_free(&c->lines);
    free(c);
}

static struct call *call_new(struct upstream *u)
{
    struct call *c = xcalloc(1, sizeof(*c));
    c->up = u;
    list_init(&c->node);
    list_init(&c->work);
    list_init(&c->sending);
    reply_init(&c->reply);
    lines_init(&c->lines);
    c->easy = curl_easy_init();
    if (c->easy) {
        set_fixed(c);
        set_options(c);
    }
    return c;
}

/* A spare one with the present options, or a new one. */
static struct call *call_take(struct upstream *u)
{
    while (!list_empty(&u->spare)) {
        struct call *c = LIST_ENTRY(u->spare.next, struct call, node);
        list_remove(&c->node);
        spares_taken(&u->spares);
        if (c->options_age == u->age) return c;
        call_destroy(c);
    }
    return call_new(u);
}

void upstream_reap(struct upstream *u)
{
    for (unsigned n = spares_unneeded(&u->spares); n > 0; n--) {
        struct call *c = LIST_ENTRY(u->spare.prev, struct call, node); /* the one that lay there longest */
        list_remove(&c->node);
        spares_taken(&u->spares);
        call_destroy(c);
    }
}

/* Forgets everything of the request; the handle is off its multi. */
static void call_recycle(struct call *c)
{
    struct upstream *u = c->up;
    list_remove(&c->work);
    list_remove(&c->sending);
    list_remove(&c->node);
    lines_wipe(&c->lines);
    url_put(c->url);
    c->url = NULL;
    if (!c->easy || u->spares.count >= FREE_MAX) {
        body_put(c->body);
        addrs_put(c->addrs);
        call_destroy(c);
        return;
    }
    if (c->sends > 1 || c->fresh) { /* libcurl counts its retries over the handle's life and would fail the sixth */
        curl_easy_reset(c->easy);
        set_fixed(c);
        set_options(c);
    }
    curl_easy_setopt(c->easy, CURLOPT_CURLU, NULL);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(c->easy, CURLOPT_RESOLVE, NULL);
    curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    if (c->big_steps) curl_easy_setopt(c->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)STEP);
    body_put(c->body);
    addrs_put(c->addrs);
    c->body = NULL;
    c->addrs = NULL;
    c->shard = NULL;
    c->fault = NULL;
    c->paused = c->held = c->sent_told = c->refresh = c->fresh = c->big_steps = false;
    c->sends = 0;
    c->bytes_down = 0;
    c->errbuf[0] = '\0';
    reply_reset(&c->reply);
    list_prepend(&u->spare, &c->node);
    spares_added(&u->spares);
}

/* --- how a call ends ------------------------------------------------------------------------------------------ */

/* Surely, when an allocation failed while libcurl ran: it has many codes for that (a name that cannot be kept is a name
 * not resolved). Its own code for it also means a header line over 100 KiB, for which an answer must have begun. */
static bool had_no_memory(const struct call *c, CURLcode code)
{
    curl_off_t first_byte = 0;
    if (code == CURLE_OK) return false;
    if (c->shard->starved) return true;
    curl_easy_getinfo(c->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    return code == CURLE_OUT_OF_MEMORY && first_byte == 0;
}

static enum call_result result_of(const struct call *c, CURLcode code)
{
    if (c->fault) return c->fault_result;
    if (had_no_memory(c, code)) return CALL_NO_MEMORY;
    return outcome_of(code, c->reply.complete ? OUTCOME_AFTER : c->sends > 0 ? OUTCOME_HEADLESS : OUTCOME_UNSENT);
}

static void write_sentence(const struct call *c, CURLcode code, char *out, size_t size)
{
    if (c->fault)
        str_copy(out, size, str_of(c->fault));
    else
        outcome_sentence(code, c->errbuf, out, size);
}

static void fill_end(const struct call *c, CURLcode code, struct call_end *end)
{
    curl_off_t up = 0, tcp = 0, tls = 0;
    long connects = 0;
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &tcp);
    curl_easy_getinfo(c->easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    *end = (struct call_end){.result = result_of(c, code), .bytes_up = (uint64_t)up, .bytes_down = c->bytes_down};
    end->sent = c->sends > 0;
    end->reused = c->sends > 0 && connects == 0;
    end->connect_us = connects == 0 ? 0 : (int64_t)MAX(tcp, tls);
    if (end->result != CALL_OK) write_sentence(c, code, end->sentence, sizeof(end->sentence));
}

static void call_leave(struct call *c)
{
    if (c->shard) shard_remove(c->shard, c->easy);
    c->shard = NULL;
}

static void start_again(struct call *c)
{
    c->refresh = false;
    c->fresh = true;
    list_remove(&c->sending);
    curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
    queue_work(c);
}

static void on_done(void *arg, void *user, CURLcode code)
{
    (void)arg;
    struct call *c = user;
    struct call_end end;
    if (c->refresh) {
        call_leave(c);
        if (c->ops != &no_ops) {
            start_again(c);
            return;
        }
    }
    const struct call_ops *ops = c->ops;
    void *call_arg = c->arg;
    if (ops != &no_ops) {
        if (code == CURLE_OK) check_sent(c);
        ops = c->ops;
    }
    fill_end(c, code, &end);
    call_leave(c);
    if (ops != &no_ops) c->up->count--;
    call_recycle(c);
    if (ops->on_done) ops->on_done(call_arg, &end);
}

/* A call that never reached libcurl. */
static void fail_start(struct call *c)
{
    struct call_end end = {.result = c->fault_result};
    const struct call_ops *ops = c->ops;
    void *arg = c->arg;
    str_copy(end.sentence, sizeof(end.sentence), str_of(c->fault));
    c->up->count--;
    call_recycle(c);
    if (ops->on_done) ops->on_done(arg, &end);
}

/* libcurl worked on the shard: which requests have left by now? on_sent() may cancel any call. */
static void on_progress(void *arg, struct shard *s)
{
    (void)arg;
    if (list_empty(&s->sending)) return;
    struct list seen;
    list_init(&seen);
    while (!list_empty(&s->sending)) {
        struct call *c = LIST_ENTRY(s->sending.next, struct call, sending);
        list_remove(&c->sending);
        list_append(&seen, &c->sending);
        check_sent(c);
    }
    while (!list_empty(&seen)) {
        struct list *it = seen.next;
        list_remove(it);
        list_append(&s->sending, it);
    }
}

/* --- the request ---------------------------------------------------------------------------------------------- */

static void set_headers(struct call *c, const struct call_spec *spec)
{
    const char *why = NULL;
    if (!lines_build(&c->lines, spec, &why))
        give_up(c, CALL_INTERNAL, why);
    else
        curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->lines.nodes);
}

static void set_body(struct call *c, const struct call_spec *spec)
{
    CURL *e = c->easy;
    bool has_body = spec->has_body || spec->body;
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L); /* also takes back what the handle did before */
    if (strcmp(spec->method, "HEAD") == 0) curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    if (has_body) {
        struct str bytes = c->body ? buf_str(&c->body->bytes) : STR("");
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bytes.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, bytes.p);
        c->big_steps = bytes.n >= BIG_BODY;
        if (c->big_steps) curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)BIG_STEP);
    }
    bool plain = strcmp(spec->method, has_body ? "POST" : "GET") == 0 || strcmp(spec->method, "HEAD") == 0;
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, plain ? NULL : spec->method);
}

/* As text too: that is what libcurl goes by when it sends a request again. */
static bool set_url(struct call *c, const char *url)
{
    c->url = urls_get(&c->up->urls, url);
    curl_easy_setopt(c->easy, CURLOPT_CURLU, url_parts(c->url));
    return curl_easy_setopt(c->easy, CURLOPT_URL, url) == CURLE_OK;
}

struct call *upstream_start(struct upstream *u, const struct call_spec *spec, const struct call_ops *ops, void *arg)
{
    struct call *c = call_take(u);
    c->ops = ops;
    c->arg = arg;
    list_append(&u->calls, &c->node);
    u->count++;
    if (spec->body) c->body = body_get(spec->body);
    if (spec->addrs) c->addrs = addrs_get(spec->addrs);
    if (!c->easy || !set_url(c, spec->url)) {
        give_up(c, CALL_NO_MEMORY, "libcurl has no memory for one more transfer");
    } else if (c->addrs && c->addrs->failed) {
        give_up(c, CALL_DNS, "the upstream's name has no address yet");
    } else {
        set_body(c, spec);
        set_headers(c, spec);
        c->resolve = (struct curl_slist){c->addrs ? c->addrs->resolve_entry : NULL, NULL};
        curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->resolve.data ? &c->resolve : NULL);
    }
    queue_work(c);
    return c;
}

/* --- the end of the turn --------------------------------------------------------------------------------------- */

static void call_add(struct call *c)
{
    c->shard = c->fault ? NULL : shard_pick(c->up->shards);
    if (c->shard && shard_add(c->shard, c->easy)) return;
    c->shard = NULL;
    if (!c->fault) give_up(c, CALL_NO_MEMORY, "libcurl takes no more transfers");
    fail_start(c);
}

static void serve(struct call *c)
{
    if (c->ops == &no_ops) {
        call_leave(c);
        call_recycle(c);
    } else if (!c->shard) {
        call_add(c);
    } else if (c->held && !c->paused) {
        c->held = false;
        shard_resume(c->shard, c->easy);
    }
}

static void run_work(void *arg)
{
    struct upstream *u = arg;
    while (!list_empty(&u->work)) {
        struct list *it = u->work.next;
        list_remove(it);
        serve(LIST_ENTRY(it, struct call, work));
    }
}

static void queue_work(struct call *c)
{
    if (list_empty(&c->work)) list_append(&c->up->work, &c->work);
    loop_defer(c->up->loop, &c->up->task, run_work, c->up);
}

void upstream_resume(struct call *c)
{
    if (!c->paused) return;
    c->paused = false;
    if (c->held) queue_work(c);
}

void upstream_cancel(struct call *c)
{
    if (!c || WARN_BUG(c->ops == &no_ops)) return;
    c->ops = &no_ops;
    c->arg = NULL;
    c->up->count--;
    queue_work(c);
}

unsigned upstream_count(const struct upstream *u)
{
    return u->count;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static void options_copy(struct upstream_options *to, const struct upstream_options *from)
{
    *to = *from;
    to->ca_file = xstrdup(from->ca_file ? from->ca_file : "");
    to->proxy = xstrdup(from->proxy ? from->proxy : "");
}

static void options_drop(struct upstream_options *o)
{
    free((char *)o->ca_file);
    free_secret((char *)o->proxy); /* may hold a password */
}

struct upstream *upstream_new(struct loop *l, const struct upstream_options *o)
{
    static const struct shard_ops ops = {on_progress, on_done};
    struct upstream *u = xcalloc(1, sizeof(*u));
    u->loop = l;
    options_copy(&u->options, o);
    list_init(&u->calls);
    list_init(&u->work);
    list_init(&u->spare);
    u->shards = shards_new(l, &ops, u);
    return u;
}

void upstream_set_options(struct upstream *u, const struct upstream_options *o)
{
    struct upstream_options before = u->options;
    options_copy(&u->options, o);
    u->age++;
    bool other = strcmp(before.ca_file, u->options.ca_file) != 0 || strcmp(before.proxy, u->options.proxy) != 0;
    if (other) shards_retire(u->shards);
    options_drop(&before);
}

void upstream_free(struct upstream *u)
{
    if (!u) return;
    while (!list_empty(&u->calls)) {
        struct call *c = LIST_ENTRY(u->calls.next, struct call, node);
        c->ops = &no_ops;
        call_leave(c);
        call_recycle(c);
    }
    while (!list_empty(&u->spare)) {
        struct call *c = LIST_ENTRY(u->spare.next, struct call, node);
        list_remove(&c->node);
        call_destroy(c);
    }
    shards_free(u->shards);
    urls_free(&u->urls);
    loop_task_cancel(u->loop, &u->task);
    options_drop(&u->options);
    free(u);
}

bool upstream_global_init(struct buf *why)
{
    /* libcurl would write the session keys to the first, and send keys through the others if an option failed to set.
     */
    static const char *const never[] = {"SSLKEYLOGFILE", "http_proxy", "https_proxy",
                                        "HTTPS_PROXY",   "all_proxy",  "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++) unsetenv(never[i]);
    CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (rc != CURLE_OK) {
        buf_printf(why, "libcurl does not start: %s", curl_easy_strerror(rc));
        return false;
    }
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (v->version_num < 0x075700) {
        buf_printf(why, "libcurl %s is too old, 7.87.0 is needed", v->version);
        return false;
    }
    if (!(v->features & CURL_VERSION_SSL)) {
        buf_puts(why, "this libcurl has no TLS");
        return false;
    }
    return true;
}
