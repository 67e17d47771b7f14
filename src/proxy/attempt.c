/* One try: a lease, a call upstream, the judgement of its answer. Nothing reaches the client before the gate is open:
 * until then the answer is collected (at most 64 KiB, or the first event of a stream) and a verdict decides between
 * passing it on, the next key, and an error. After that bytes are passed on unchanged. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proxy/exchange.h"
#include "proxy/units.h"

enum {
    COMMENT_EVERY_MS = 15000,
    KNOWN_MODELS_MAX = 4096,
    REPLY_HEAD_FIRST = 250, /* room for what the platform usually says */
};

/* Header lines of the client that the platform may see. Everything else (credentials, cookies, hop-by-hop fields,
 * forwarding fields) stays here. */
static const struct str passed_up[] = {
    STR("Content-Type"), STR("Accept"),     STR("anthropic-version"), STR("anthropic-beta"),
    STR("Range"),        STR("X-Trace-Id"), STR("traceparent"),       STR("X-Enable-Watermark")};
enum { PASSED_BY_PARTS = 5 }; /* from here on they go up with a part too: its body is not the client's */
/* Header lines of the platform that the client may see: about the body, and others. */
static const struct str passed_with_body[] = {STR("content-type"), STR("content-encoding"), STR("content-disposition"),
                                              STR("content-range")};
static const struct str passed_down[] = {STR("retry-after"), STR("x-siliconcloud-trace-id"), STR("x-trace-id"),
                                         STR("x-siliconflow-trace-id")};

/* A request towards the platform as text, in the worker's scratch memory: nothing is allocated per try. */
struct request_text {
    const char *url;
    const char *lines[ARRAY_LEN(passed_up)];
    size_t count;
};

/* What Connection names is meant for us alone. */
static bool is_hop_by_hop(const struct head *h, struct str name)
{
    for (size_t i = 0; i < h->field_count; i++) {
        struct str options = h->fields[i].value, option;
        if (!str_ieq(h->fields[i].name, STR("connection"))) continue;
        while (str_split(&options, ',', &option))
            if (str_ieq(str_trim(option), name)) return true;
    }
    return false;
}

/* Index of the name, case ignored; `count` when it is not there. */
static size_t index_of(struct str name, const struct str names[], size_t count)
{
    size_t i = 0;
    while (i < count && !(names[i].n == name.n && str_ieq(names[i], name))) i++;
    return i;
}

/* values[i]: of the first field named passed_up[i]. Returns the bytes they need as lines. */
static size_t collect_headers(const struct head *h, struct str values[])
{
    bool seen[ARRAY_LEN(passed_up)] = {false};
    size_t need = 0;
    for (size_t i = 0; i < h->field_count; i++) {
        const struct head_field *f = &h->fields[i];
        size_t k = index_of(f->name, passed_up, ARRAY_LEN(passed_up));
        if (k == ARRAY_LEN(passed_up) || seen[k]) continue;
        seen[k] = true;
        if (is_hop_by_hop(h, passed_up[k])) continue;
        values[k] = f->value;
        need += passed_up[k].n + f->value.n + 3;
    }
    return need;
}

static char *put(char *to, struct str s)
{
    if (s.n) memcpy(to, s.p, s.n);
    return to + s.n;
}

/* A part sends JSON of ours to a path of ours. */
static void headers_of_part(struct str values[], struct str *query)
{
    for (size_t i = 0; i < PASSED_BY_PARTS; i++) values[i] = (struct str){NULL, 0};
    values[0] = STR("application/json");
    *query = (struct str){NULL, 0};
}

static void write_request(struct exchange *e, struct request_text *r)
{
    const struct head *h = conn_head(e->part.of ? e->part.of->conn : e->conn);
    struct str values[ARRAY_LEN(passed_up)] = {{NULL, 0}}, base = str_of(e->conf->api_url),
               path = str_of(e->route.path), query = h->query;
    size_t need = collect_headers(h, values) + sizeof "Content-Type: application/json" + base.n + path.n + query.n + 3;
    if (e->part.of) headers_of_part(values, &query);
    struct proxy *p = e->p;
    if (need > p->scratch_room) p->scratch = xrealloc(p->scratch, p->scratch_room = MAX(need, (size_t)4096), 1);
    char *at = p->scratch;
    *r = (struct request_text){.url = at};
    at = put(put(put(at, base), STR("/")), path);
    if (query.n) at = put(put(at, STR("?")), query);
    *at++ = '\0';
    for (size_t i = 0; i < ARRAY_LEN(passed_up); i++) {
        if (!values[i].n) continue;
        r->lines[r->count++] = at;
        at = put(put(put(at, passed_up[i]), STR(": ")), values[i]);
        *at++ = '\0';
    }
}

static void on_sent(void *arg)
{
    struct exchange *e = arg;
    if (e->step != STEP_SEND) return;
    exchange_step(e, STEP_AWAIT);
    e->sent = true;
    e->phase_deadline = mono_add(loop_now(e->p->loop), e->conf->upstream_first_byte_timeout);
    exchange_timer_arm(e);
}

static void on_head(void *arg, const struct call_head *h);
static bool on_body(void *arg, struct str data);
static void on_done(void *arg, const struct call_end *end);

static const struct call_ops ops = {on_sent, on_head, on_body, on_done};

static void forget_last_try(struct exchange *e)
{
    buf_reset(&e->gate_bytes);
    buf_reset(&e->reply_headers);
    tap_free(&e->tap);
    tap_init(&e->tap);
    e->gate = GATE_NONE;
    e->last_error = (struct upstream_error){0};
    e->last_sentence[0] = '\0';
    e->status = 0;
    e->content_length = -1;
    e->retry_after_ms = 0;
    e->is_stream = e->sent = false;
    e->gate_deadline = (mono_t){0};
}

void attempt_start(struct exchange *e)
{
    struct request_text text;
    write_request(e, &text);
    bool has_body = e->body != NULL || strcmp(e->method, "POST") == 0;
    struct call_spec spec = {.method = e->method,
                             .url = text.url,
                             .headers = text.lines,
                             .header_count = text.count,
                             .auth = e->lease.auth,
                             .body = e->body,
                             .has_body = has_body,
                             .addrs = e->p->addrs};
    forget_last_try(e);
    e->try_started_us = mono_us();
    exchange_step(e, STEP_SEND);
    settle_try_began(e);
    e->phase_deadline =
        mono_add(loop_now(e->p->loop), e->conf->upstream_connect_timeout + e->conf->upstream_first_byte_timeout);
    e->call = upstream_start(e->p->upstream, &spec, &ops, e);
    exchange_timer_arm(e);
}

static void record_try(struct exchange *e, enum verdict v)
{
    if (e->tries >= RECORD_TRIES) return;
    e->try_list = xrealloc(e->try_list, e->tries + 1u, sizeof *e->try_list);
    struct try_record *t = &e->try_list[e->tries++];
    int64_t now = mono_us();
    str_copy(t->key_id, sizeof t->key_id, str_of(e->lease.key_id));
    t->verdict = (uint8_t)v;
    t->status = (int16_t)e->status;
    t->at_ms = (int32_t)((e->try_started_us - e->begun.ms * 1000) / 1000);
    t->took_ms = (int32_t)((now - e->try_started_us) / 1000);
    text_clean(str_of(v == VERDICT_OK            ? ""
                      : e->last_error.message[0] ? e->last_error.message
                                                 : e->last_sentence),
               t->message, sizeof t->message);
}

static bool is_news(enum verdict v)
{
    return v != VERDICT_OK && v != VERDICT_CANCELLED && v != VERDICT_BAD_REQUEST;
}

static void return_lease(struct exchange *e, enum verdict v)
{
    wall_t wall = wall_now();
    e->usage = tap_usage(&e->tap);
    struct lease_end end = {.verdict = v,
                            .status = e->status,
                            .code = e->last_error.code,
                            .message = e->last_error.message[0] ? e->last_error.message : e->last_sentence,
                            .retry_after_ms = e->retry_after_ms,
                            .ms_to_midnight = ms_to_platform_midnight(wall),
                            .model = str_of(e->scan.model),
                            .cost = e->cost,
                            .cost_observed = e->cost_observed,
                            .tokens = e->usage.known ? (uint64_t)(e->usage.in + e->usage.out) : 0,
                            .now = loop_now(e->p->loop),
                            .wall = wall};
    if (is_news(v))
        LOG_LIMITED(LOG_INFO, 600, "%s key %s: %s%s%d%s%s (%s)", e->request_id, e->lease.key_id, verdict_name(v),
                    e->status ? ", status " : " ", e->status, end.message[0] ? ", " : "", end.message, e->scan.model);
    keypool_return(e->p->shared->pool, &e->lease, &end);
}

void attempt_end(struct exchange *e, enum verdict v)
{
    upstream_cancel(e->call);
    e->call = NULL;
    e->gate = GATE_DROP;
    e->gate_deadline = e->phase_deadline = e->comment_at = e->last_data = (mono_t){0};
    if (!e->lease.seq) return;
    record_try(e, v);
    return_lease(e, v);
}

void attempt_failed(struct exchange *e, enum verdict v)
{
    int64_t delay_ms;
    attempt_end(e, v);
    e->last_verdict = v;
    if (bound_asks_around(e)) {
        bound_failed(e, v);
        return;
    }
    switch (retry_after(&e->budget, v, (int64_t)(random_u64() % 1500), &delay_ms)) {
    case RETRY_NOW: exchange_pick(e); break;
    case RETRY_LATER:
        exchange_step(e, STEP_BACKOFF);
        e->phase_deadline = mono_add(loop_now(e->p->loop), delay_ms);
        exchange_timer_arm(e);
        break;
    case RETRY_END: answer_verdict(e); break;
    }
}

static bool type_is(struct str type, const char *prefix)
{
    size_t n = strlen(prefix);
    return type.n >= n && str_ieq((struct str){type.p, n}, str_of(prefix));
}

static bool type_is_text(struct str type)
{
    return !type.n || type_is(type, "application/json") || type_is(type, "text/") ||
           type_is(type, "application/problem");
}

static bool printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F) return false;
    return true;
}

static bool is_one_of(struct str name, const struct str names[], size_t count)
{
    return index_of(name, names, count) < count;
}

static void keep_header(struct exchange *e, const struct head_field *f)
{
    if (f->value.n >= 1024 || !printable(f->value)) return;
    if (!buf_reserve(&e->reply_headers, f->name.n + f->value.n + 4)) return; /* a whole line or nothing */
    buf_add_str(&e->reply_headers, f->name);
    buf_add(&e->reply_headers, ": ", 2);
    buf_add_str(&e->reply_headers, f->value);
    buf_add(&e->reply_headers, "\r\n", 2);
}

static void keep_headers(struct exchange *e, const struct call_head *h)
{
    buf_reserve(&e->reply_headers, REPLY_HEAD_FIRST);
    for (size_t i = 0; i < h->field_count; i++)
        if (is_one_of(h->fields[i].name, passed_with_body, ARRAY_LEN(passed_with_body))) keep_header(e, &h->fields[i]);
    e->body_headers = e->reply_headers.len;
    for (size_t i = 0; i < h->field_count; i++) {
        const struct head_field *f = &h->fields[i];
        bool is_limit = f->name.n > 12 && str_ieq((struct str){f->name.p, 12}, STR("x-ratelimit-"));
        if (is_limit || is_one_of(f->name, passed_down, ARRAY_LEN(passed_down))) keep_header(e, f);
        uint64_t seconds;
        if (str_ieq(f->name, STR("retry-after")) && str_u64(f->value, &seconds) && seconds <= 86400)
            e->retry_after_ms = (int64_t)seconds * 1000;
        if (str_ieq(f->name, STR("retry-after-ms")) && str_u64(f->value, &seconds) && seconds <= 86400000)
            e->retry_after_ms = (int64_t)seconds;
    }
}

/* The platform accepted the model: from now on it is counted under its own name. */
static void remember_model(struct exchange *e)
{
    struct map *known = &e->p->known_models;
    if (!e->scan.has_model || e->model_known) return;
    if (known->count < KNOWN_MODELS_MAX) map_put(known, str_of(e->scan.model), e->p);
    e->model_known = true;
}

static void open_gate(struct exchange *e)
{
    if (e->status >= 200 && e->status < 300) remember_model(e);
    bound_learn(e);
    if (e->status < 400) keypool_gate(e->p->shared->pool, &e->lease, loop_now(e->p->loop));
    body_put(e->body); /* nothing is retried any more; curl holds its own reference until it was sent */
    e->body = NULL;
    e->gate_deadline = e->phase_deadline = (mono_t){0};
    e->last_data = loop_now(e->p->loop);
    answer_begin(e);
    if (e->step != STEP_STREAM) return;
    exchange_timer_arm(e); /* the idle timeout may be the shortest of all */
}

static void on_head(void *arg, const struct call_head *h)
{
    struct exchange *e = arg;
    mono_t now = loop_now(e->p->loop);
    if (e->step == STEP_SEND) on_sent(e); /* an early answer: the body was not sent completely */
    e->status = h->status;
    e->content_length = h->content_length;
    e->body_is_text = type_is_text(h->content_type);
    keep_headers(e, h);
    bool success = h->status >= 200 && h->status < 300;
    if (h->status >= 300 && h->status < 400 && h->status != 304) {
        attempt_failed(e, VERDICT_REDIRECT);
    } else if (e->part.of) {
        e->gate = GATE_BODY;
    } else if (success && type_is(h->content_type, "text/event-stream")) {
        e->gate = GATE_EVENT;
        e->is_stream = true;
        e->gate_deadline = mono_add(now, e->conf->upstream_gate_timeout);
        exchange_timer_arm(e);
    } else if (success && !e->body_is_text && strcmp(e->method, "HEAD") != 0) {
        e->gate = GATE_OPEN;
        open_gate(e);
    } else {
        e->gate = GATE_BODY;
    }
}

struct first_event {
    bool seen;
    enum verdict verdict;
    struct upstream_error *error;
};

static void judge_first_event(void *arg, const struct sse_event *ev)
{
    struct first_event *f = arg;
    if (f->seen || ev->comment_only || !ev->data.n) return;
    f->seen = true;
    f->verdict = verdict_of_event(ev->data, f->error);
}

/* Verdict of the first event among the collected bytes. */
static enum verdict verdict_of_beginning(struct exchange *e)
{
    struct first_event f = {false, VERDICT_OK, &e->last_error};
    struct sse_reader reader;
    sse_init(&reader);
    sse_feed(&reader, buf_str(&e->gate_bytes), judge_first_event, &f);
    sse_free(&reader);
    return f.verdict;
}

/* Passes what was collected, or fails the try. The exchange may be over afterwards. */
static void gate_decide(struct exchange *e, enum verdict v)
{
    if (v == VERDICT_OK || verdict_kind(v) == KIND_FINAL) {
        e->gate = GATE_OPEN;
        open_gate(e);
    } else {
        attempt_failed(e, v);
    }
}

/* Nobody's fault but this machine's: no verdict on the key, no further try. */
static void no_memory(struct exchange *e)
{
    attempt_end(e, VERDICT_CANCELLED);
    answer_error(e, ERR_busy_memory, "there is no memory for this request at the moment, try again soon", 2000,
                 END_UPSTREAM_ERROR);
}

static void part_too_large(struct exchange *e)
{
    attempt_end(e, VERDICT_GARBAGE);
    answer_error(e, ERR_upstream_garbage, "the platform's answer is far larger than a list of pictures", 0,
                 END_UPSTREAM_ERROR);
}

static void alias_too_large(struct exchange *e)
{
    char message[700];
    snprintf(
        message, sizeof message,
        "the platform's answer is larger than %d MiB, too large to be rewritten for %s; ask for %s, or for a stream",
        FILTERED_BYTES >> 20, e->asked, e->scan.model);
    attempt_end(e, VERDICT_CANCELLED);
    answer_error(e, ERR_upstream_garbage, message, 0, END_UPSTREAM_ERROR);
}

static bool collect(struct exchange *e, struct str data)
{
    bool stream = e->gate == GATE_EVENT;
    if (!buf_add_str(&e->gate_bytes, data)) {
        if (e->part.of && e->gate_bytes.len + data.n > PART_BYTES)
            part_too_large(e);
        else if (e->filter && e->gate_bytes.len + data.n > FILTERED_BYTES)
            alias_too_large(e);
        else
            no_memory(e);
        return true;
    }
    e->last_data = loop_now(e->p->loop);
    if (stream) {
        tap_stream(&e->tap, data, mono_us());
        if (e->tap.events || e->gate_bytes.len >= GATE_BYTES)
            gate_decide(e, verdict_of_beginning(e));
        else
            e->last_data = (mono_t){0}; /* comments do not count as the first event */
    } else {
        tap_body(&e->tap, data);
        exchange_timer_arm(e);
        if (e->filter && e->gate_bytes.len >= GATE_BYTES) e->phase_deadline = (mono_t){0}; /* it is coming */
        if (e->gate_bytes.len >= GATE_BYTES && !e->part.of && !e->filter)
            gate_decide(e, verdict_of_answer(e->status, e->body_is_text, buf_str(&e->gate_bytes), &e->last_error));
    }
    return !e->paused;
}

static bool pass_on(struct exchange *e, struct str data)
{
    int64_t now = mono_us();
    if (e->is_stream)
        tap_stream(&e->tap, data, now);
    else
        tap_body(&e->tap, data);
    if (!e->first_byte_us) e->first_byte_us = now;
    if (e->comments_on && e->tap.events) {
        e->comments_on = false;
        e->phase_deadline = e->comment_at = (mono_t){0};
    }
    e->last_data = loop_now(e->p->loop);
    answer_pass(e, data);
    return !e->paused;
}

static bool on_body(void *arg, struct str data)
{
    struct exchange *e = arg;
    switch (e->gate) {
    case GATE_EVENT:
    case GATE_BODY: return collect(e, data);
    case GATE_OPEN: return pass_on(e, data);
    case GATE_NONE:
    case GATE_DROP: break;
    }
    return true;
}

void attempt_drained(struct exchange *e)
{
    if (!e->paused) return;
    if (e->images) {
        image_drained(e);
        return;
    }
    e->paused = false;
    e->last_data = loop_now(e->p->loop); /* the idle timer stood still */
    exchange_timer_arm(e);
    if (e->call) upstream_resume(e->call);
}

static enum verdict verdict_of_lost(struct exchange *e, const struct call_end *end)
{
    static const struct {
        enum call_result result;
        enum verdict verdict;
        enum error_code code;
    } rows[] = {
        {CALL_DNS, VERDICT_CONNECT, ERR_upstream_dns},     {CALL_CONNECT, VERDICT_CONNECT, ERR_upstream_connect},
        {CALL_TLS, VERDICT_CONNECT, ERR_upstream_tls},     {CALL_GARBAGE, VERDICT_GARBAGE, ERR_upstream_garbage},
        {CALL_RESET, VERDICT_RESET, ERR_upstream_error},   {CALL_TRUNCATED, VERDICT_RESET, ERR_upstream_error},
        {CALL_INTERNAL, VERDICT_RESET, ERR_upstream_error}};
    snprintf(e->last_sentence, sizeof e->last_sentence, "%s", end->sentence);
    e->last_error = (struct upstream_error){0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].result != end->result) continue;
        e->last_code = rows[i].code;
        return rows[i].verdict;
    }
    e->last_code = ERR_upstream_error;
    return VERDICT_RESET;
}

static void finish_open(struct exchange *e, const struct call_end *end)
{
    bool whole = e->is_stream ? e->tap.complete : end->result == CALL_OK;
    if (whole && !answer_rest(e)) {
        answer_broken(e, ERR_upstream_lost, no_memory_to_filter, END_STREAM_BROKEN);
        return;
    }
    if (whole) {
        attempt_end(e, e->status < 400 ? VERDICT_OK : VERDICT_BAD_REQUEST);
        conn_end(e->conn);
        e->conn = NULL;
        settle(e, e->status < 400 ? END_OK : END_CLIENT_ERROR);
        return;
    }
    snprintf(e->last_sentence, sizeof e->last_sentence, "%s", end->result == CALL_OK ? "" : end->sentence);
    answer_broken(e, ERR_upstream_lost, "the platform's answer broke off before it was complete", END_STREAM_BROKEN);
}

/* What is paid by the piece and seen in the answer only. */
static void count_pieces(struct exchange *e)
{
    if (strcmp(e->route.path, "images/generations") == 0) e->units = units_of_images(buf_str(&e->gate_bytes));
    if (strcmp(e->route.path, "video/submit") == 0) e->units = units_of_video(buf_str(&e->gate_bytes));
}

static void finish_collected(struct exchange *e, const struct call_end *end)
{
    if (end->result != CALL_OK) {
        attempt_failed(e, verdict_of_lost(e, end));
        return;
    }
    if (e->gate == GATE_EVENT) {
        snprintf(e->last_sentence, sizeof e->last_sentence, "the stream ended before its first event");
        e->last_code = ERR_upstream_error;
        attempt_failed(e, VERDICT_RESET);
        return;
    }
    enum verdict v = verdict_of_answer(e->status, e->body_is_text, buf_str(&e->gate_bytes), &e->last_error);
    if (bound_takes(e, v)) return;
    if (v != VERDICT_OK && verdict_kind(v) != KIND_FINAL) {
        attempt_failed(e, v);
        return;
    }
    if (v == VERDICT_OK) remember_model(e);
    if (v == VERDICT_OK) bound_learn(e);
    if (v == VERDICT_OK) count_pieces(e);
    answer_whole(e, v);
}

static void on_done(void *arg, const struct call_end *end)
{
    struct exchange *e = arg;
    e->call = NULL;
    if (e->is_stream) tap_finish(&e->tap, mono_us());
    if (end->result == CALL_CONNECT || end->result == CALL_DNS) e->p->shared->connect_failed(e->p->shared->arg);
    if (e->gate == GATE_OPEN)
        finish_open(e, end);
    else if (end->result == CALL_NO_MEMORY)
        no_memory(e);
    else if (e->gate == GATE_NONE)
        attempt_failed(e, verdict_of_lost(e, end));
    else
        finish_collected(e, end);
}

static void timed_out(struct exchange *e, const char *sentence)
{
    snprintf(e->last_sentence, sizeof e->last_sentence, "%s", sentence);
    e->last_error = (struct upstream_error){0};
    if (e->step == STEP_STREAM)
        answer_broken(e, ERR_upstream_timeout, sentence, END_TIMEOUT);
    else
        attempt_failed(e, VERDICT_GW_TIMEOUT);
}

static bool passed(mono_t deadline, mono_t now)
{
    return deadline.ms && now.ms >= deadline.ms;
}

/* The head of an event stream is there, but no event: the client gets the head and comments from now on. */
static void open_without_event(struct exchange *e, mono_t now)
{
    mono_t first_byte = e->phase_deadline;
    e->gate = GATE_OPEN;
    e->comments_on = true;
    open_gate(e);
    e->phase_deadline = first_byte;
    e->last_data = (mono_t){0};
    e->comment_at = mono_add(now, COMMENT_EVERY_MS);
}

static void send_comment(struct exchange *e, mono_t now)
{
    conn_write(e->conn, STR(": waiting\n\n"));
    e->comment_at = mono_add(now, COMMENT_EVERY_MS);
}

void attempt_on_timer(struct exchange *e, mono_t now)
{
    if (passed(e->total_deadline, now)) {
        e->budget.retry_stalls = false;
        timed_out(e, "the request took longer than total_timeout");
    } else if (passed(e->phase_deadline, now)) {
        timed_out(e, "the platform sent nothing within first_byte_timeout");
    } else if (e->last_data.ms && !e->paused && passed(mono_add(e->last_data, e->conf->upstream_idle_timeout), now)) {
        if (e->step == STEP_STREAM && e->is_stream && e->tap.complete) {
            struct call_end end = {.result = CALL_OK};
            finish_open(e, &end);
        } else {
            timed_out(e, "the platform stopped in the middle of its answer (idle_timeout)");
        }
    } else if (passed(e->gate_deadline, now)) {
        open_without_event(e, now);
    } else if (passed(e->comment_at, now)) {
        send_comment(e, now);
    }
}
