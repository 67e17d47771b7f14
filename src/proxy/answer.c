/* What the client gets: the platform's answer unchanged, or an error of ours in the client's dialect, with a sentence
 * that says what happened and what to do. Each function that completes an answer also settles the exchange. */
#include "base/check.h"
#include "proxy/exchange.h"

enum {
    OUR_HEADERS = 500, /* most bytes of the lines that answers get from us */
    FILTER_OUT_KEPT = 256 << 10,
};

const char no_memory_to_filter[] = "there was no memory to rewrite the platform's answer";

void answer_cors_headers(struct buf *h)
{
    buf_puts(h, "Access-Control-Allow-Origin: *\r\n"
                "Access-Control-Expose-Headers: x-siliconcloud-trace-id, x-request-id, x-sfproxy-attempts, "
                "retry-after\r\n");
}

void answer_common_headers(struct buf *h, const struct exchange *e)
{
    answer_cors_headers(h);
    if (!e) return;
    buf_puts(h, "x-request-id: ");
    buf_puts(h, e->request_id);
    buf_puts(h, "\r\n");
    unsigned tries = (unsigned)e->tries + (e->lease.seq != 0);
    if (e->admitted && tries == 1)
        buf_puts(h, "x-sfproxy-attempts: 1\r\n");
    else if (e->admitted)
        buf_printf(h, "x-sfproxy-attempts: %u\r\n", tries);
}

void answer_preflight(struct conn *c, const struct head *h)
{
    struct buf headers = BUF_INIT(8192);
    struct str asked = head_value(h, "access-control-request-headers");
    bool safe = asked.n > 0 && asked.n < 2048;
    for (size_t i = 0; i < asked.n && safe; i++)
        safe = ascii_alnum(asked.p[i]) || memchr("-_, ", asked.p[i], 4) != NULL;
    answer_cors_headers(&headers);
    buf_puts(&headers, "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
                       "Access-Control-Max-Age: 86400\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
    if (!safe) asked = STR("Authorization, Content-Type, x-api-key");
    buf_printf(&headers, "Access-Control-Allow-Headers: %.*s\r\n", STR_ARG(asked));
    if (head_find(h, "access-control-request-private-network"))
        buf_puts(&headers, "Access-Control-Allow-Private-Network: true\r\n");
    conn_reply(c, 204, buf_str(&headers), STR(""));
    buf_free(&headers);
}

static void error_headers(struct buf *headers, enum error_code code)
{
    buf_puts(headers, "Content-Type: application/json\r\n");
    if (!error_sdk_may_retry(code)) buf_puts(headers, "x-should-retry: false\r\n");
}

void answer_plain_error(struct conn *c, enum dialect d, enum error_code code, const char *message, const char *extra)
{
    struct buf headers = BUF_INIT(4096), body = BUF_INIT(16384);
    error_headers(&headers, code);
    answer_cors_headers(&headers);
    buf_puts(&headers, extra);
    error_body(&body, d, code, message, NULL);
    conn_reply(c, error_status(code), buf_str(&headers), buf_str(&body));
    buf_free(&headers);
    buf_free(&body);
}

/* Whole seconds, at least one, for the Retry-After header. */
static long long retry_seconds(int64_t ms)
{
    return (long long)MAX((ms + 999) / 1000, 1);
}

void answer_error(struct exchange *e, enum error_code code, const char *message, int64_t retry_after_ms,
                  enum end_reason end)
{
    if (e->part.of) {
        part_tell(e, &(struct part_answer){false, e->last_verdict, code, message, retry_after_ms, end});
        return;
    }
    struct buf headers = BUF_INIT(16384), body = BUF_INIT(65536);
    const struct upstream_error *from = e->tries ? &e->last_error : NULL;
    error_headers(&headers, code);
    answer_common_headers(&headers, e);
    if (retry_after_ms > 0) buf_printf(&headers, "Retry-After: %lld\r\n", retry_seconds(retry_after_ms));
    error_body(&body, e->route.dialect, code, message, from);
    e->client_status = error_status(code);
    struct conn *c = e->conn;
    e->conn = NULL;
    conn_reply(c, e->client_status, buf_str(&headers), buf_str(&body));
    settle(e, end);
    buf_free(&headers);
    buf_free(&body);
}

void answer_json(struct exchange *e, struct str extra, struct str json)
{
    struct buf headers = BUF_INIT(16384);
    buf_puts(&headers, "Content-Type: application/json\r\n");
    answer_common_headers(&headers, e);
    buf_add_str(&headers, extra);
    e->client_status = 200;
    e->bytes_down = json.n;
    e->first_byte_us = mono_us();
    struct conn *c = e->conn;
    e->conn = NULL;
    conn_reply(c, 200, buf_str(&headers), json);
    settle(e, END_OK);
    buf_free(&headers);
}

static enum error_code code_of_verdict(const struct exchange *e, enum verdict v)
{
    static const enum error_code codes[VERDICT_COUNT] = {
        [VERDICT_OK] = ERR_upstream_error,           [VERDICT_KEY_INVALID] = ERR_no_usable_key,
        [VERDICT_NO_FUNDS] = ERR_insufficient_funds, [VERDICT_NOT_VERIFIED] = ERR_not_verified,
        [VERDICT_MODEL_DENIED] = ERR_model_denied,   [VERDICT_FORBIDDEN_OTHER] = ERR_model_denied,
        [VERDICT_RATE_MINUTE] = ERR_all_cooling,     [VERDICT_RATE_HOUR] = ERR_all_cooling,
        [VERDICT_RATE_DAY] = ERR_all_cooling,        [VERDICT_RATE_UNKNOWN] = ERR_all_cooling,
        [VERDICT_BUSY] = ERR_upstream_unavailable,   [VERDICT_SERVER] = ERR_upstream_error,
        [VERDICT_GW_TIMEOUT] = ERR_upstream_timeout, [VERDICT_CONNECT] = ERR_upstream_connect,
        [VERDICT_RESET] = ERR_upstream_error,        [VERDICT_GARBAGE] = ERR_upstream_garbage,
        [VERDICT_BAD_REQUEST] = ERR_bad_request,     [VERDICT_REDIRECT] = ERR_upstream_redirect,
        [VERDICT_RETIRED] = ERR_not_found,           [VERDICT_STREAM_BROKEN] = ERR_upstream_lost,
        [VERDICT_CANCELLED] = ERR_cancelled};
    return v == VERDICT_CONNECT ? e->last_code : codes[v];
}

void answer_verdict(struct exchange *e)
{
    enum verdict v = e->last_verdict;
    enum error_code code = code_of_verdict(e, v);
    const char *said = e->last_error.message[0] ? e->last_error.message : e->last_sentence;
    char message[700];
    snprintf(message, sizeof message, "%s%s%s%s (%u %s)", verdict_sentence(v), said[0] ? ": " : "", said,
             v == VERDICT_REDIRECT ? "; is upstream.base_url right?" : "", (unsigned)e->tries,
             e->tries == 1 ? "try" : "tries");
    int64_t retry_ms = verdict_is_rate(v) ? MAX(e->retry_after_ms, 1000) : 0;
    if (code == ERR_upstream_unavailable)
        retry_ms = MAX(keypool_outage_ms(e->p->shared->pool, str_of(e->scan.model), loop_now(e->p->loop)), 5000);
    answer_error(e, code, message, retry_ms, v == VERDICT_GW_TIMEOUT ? END_TIMEOUT : END_UPSTREAM_ERROR);
}

static enum error_code code_of_pick(const struct pick *pick)
{
    switch (pick->result) {
    case PICK_NO_KEYS: return ERR_no_keys;
    case PICK_NONE_USABLE: return ERR_no_usable_key;
    case PICK_QUEUE_FULL: return ERR_queue_full;
    case PICK_OUTAGE: return ERR_upstream_unavailable;
    case PICK_OK:
    case PICK_WAIT:
    case PICK_COOLING:
    case PICK_TRIED: break;
    }
    if (pick->all_rate) return ERR_all_cooling;
    if (pick->all_no_funds) return ERR_insufficient_funds;
    if (pick->all_not_verified) return ERR_not_verified;
    if (pick->soonest_verdict == VERDICT_MODEL_DENIED || pick->soonest_verdict == VERDICT_FORBIDDEN_OTHER)
        return ERR_model_denied;
    return ERR_upstream_unavailable;
}

static void sentence_of_pick(const struct exchange *e, const struct pick *pick, enum error_code code, char *out,
                             size_t size)
{
    const char *model = e->scan.has_model ? e->scan.model : "this request";
    if (bound_sentence(e, pick, out, size)) return;
    long long seconds = retry_seconds(pick->soonest_ms);
    switch (code) {
    case ERR_no_keys:
        snprintf(out, size,
                 "no API key is configured: add one in the screen (a), with 'sfproxy keys add', or in "
                 "sfproxy.conf");
        return;
    case ERR_no_usable_key:
        snprintf(out, size, "every key is switched off or invalid; look at the Keys view or 'sfproxy keys list'");
        return;
    case ERR_queue_full:
        snprintf(out, size,
                 "as many requests wait for a key as may (limits.wait_queue); the soonest key is free in "
                 "%lld s",
                 seconds);
        return;
    case ERR_insufficient_funds:
        snprintf(out, size, "no account has funds for %s; the next one is tried again in %lld s", model, seconds);
        return;
    case ERR_not_verified:
        snprintf(out, size, "the accounts are not real-name verified, which the platform demands for %s", model);
        return;
    default: break;
    }
    if (pick->result == PICK_OUTAGE) {
        snprintf(out, size, "%s does not work for any account at the moment (%s); it is tried again in %lld s",
                 pick->whole_upstream ? "the platform" : model, verdict_sentence(pick->soonest_verdict), seconds);
        return;
    }
    if (pick->candidates == 1) {
        snprintf(out, size, "the only key that can serve %s is cooling down, %lld s more (%s)", model, seconds,
                 verdict_sentence(pick->soonest_verdict));
        return;
    }
    snprintf(out, size, "all %u keys that can serve %s are cooling down, soonest in %lld s (%s)", pick->candidates,
             model, seconds, verdict_sentence(pick->soonest_verdict));
}

void answer_no_key(struct exchange *e, const struct pick *pick)
{
    char message[700];
    enum error_code code = code_of_pick(pick);
    sentence_of_pick(e, pick, code, message, sizeof message);
    answer_error(e, code, message, pick->soonest_ms, pick->result == PICK_OUTAGE ? END_UPSTREAM_ERROR : END_NO_KEY);
}

static void reply_headers(struct buf *h, const struct exchange *e)
{
    buf_reserve(h, e->reply_headers.len + OUR_HEADERS);
    buf_add_str(h, buf_str(&e->reply_headers));
    answer_common_headers(h, e);
    if (e->is_stream) buf_puts(h, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
}

/* SDKs look for the reason in a top-level `error`, where the platform does not put it: the object is put in front of
 * the platform's own members, which stay byte for byte. */
static void with_error_object(struct buf *out, const struct exchange *e)
{
    struct str body = str_trim(buf_str(&e->gate_bytes));
    const struct upstream_error *u = &e->last_error;
    enum error_code code = e->status == 404 ? ERR_not_found : e->status == 413 ? ERR_body_too_large : ERR_bad_request;
    struct buf made = BUF_INIT(4096);
    error_body(&made, e->route.dialect, code, u->message[0] ? u->message : verdict_sentence(VERDICT_BAD_REQUEST), NULL);
    if (u->is_object && body.n > 2 && body.p[0] == '{') {
        struct str rest = str_trim((struct str){body.p + 1, body.n - 1});
        buf_add(out, made.data, made.len - 1);
        if (rest.p[0] != '}') buf_putc(out, ',');
        buf_add_str(out, rest);
    } else {
        buf_add_str(out, buf_str(&made));
    }
    buf_free(&made);
}

static bool wants_error_object(const struct exchange *e)
{
    return e->route.kind == ROUTE_KIND_POOLED && e->status >= 400 && e->body_is_text && !e->last_error.has_error &&
           e->gate_bytes.len < 16384;
}

/* HEAD: the length is the platform's, of the body it did not send. */
static void reply_whole(struct conn *c, const struct exchange *e, struct str headers, struct str body)
{
    if (strcmp(e->method, "HEAD") != 0) {
        conn_reply(c, e->status, headers, body);
        return;
    }
    conn_start(c, e->status, headers, e->content_length);
    conn_end(c);
}

void answer_whole(struct exchange *e, enum verdict v)
{
    struct buf headers = BUF_INIT(32768), enriched = BUF_INIT(e->filter ? FILTER_OUT_MAX : 65536);
    struct str body = buf_str(&e->gate_bytes);
    attempt_end(e, v);
    if (e->part.of) {
        enum end_reason end = v == VERDICT_OK ? END_OK : END_CLIENT_ERROR;
        part_tell(e, &(struct part_answer){.whole = true, .verdict = v, .end = end});
        return;
    }
    if (v == VERDICT_OK && e->filter) {
        e->filter->ops->whole(e->filter, body, &enriched);
        body = buf_str(&enriched);
    }
    if (enriched.failed) {
        answer_error(e, ERR_busy_memory, "there is no memory to rewrite the platform's answer, try again soon", 2000,
                     END_UPSTREAM_ERROR);
        buf_free(&enriched);
        return;
    }
    if (v != VERDICT_OK && wants_error_object(e)) {
        with_error_object(&enriched, e);
        buf_consume(&e->reply_headers, e->body_headers); /* they told of another body */
        buf_puts(&e->reply_headers, "Content-Type: application/json\r\n");
        body = buf_str(&enriched);
    }
    reply_headers(&headers, e);
    if (v != VERDICT_OK) buf_puts(&headers, "x-should-retry: false\r\n");
    e->client_status = e->status;
    e->bytes_down = body.n;
    if (!e->first_byte_us) e->first_byte_us = mono_us();
    struct conn *c = e->conn;
    e->conn = NULL;
    reply_whole(c, e, buf_str(&headers), body);
    settle(e, v == VERDICT_OK ? END_OK : END_CLIENT_ERROR);
    buf_free(&headers);
    buf_free(&enriched);
}

void answer_begin(struct exchange *e)
{
    struct buf headers = BUF_INIT(32768);
    exchange_step(e, STEP_STREAM);
    reply_headers(&headers, e);
    e->client_status = e->status;
    conn_start(e->conn, e->status, buf_str(&headers), e->is_stream ? -1 : e->content_length);
    buf_free(&headers);
    if (e->comments_on) conn_write(e->conn, STR(": waiting\n\n"));
    if (!e->gate_bytes.len) return;
    e->first_byte_us = mono_us();
    struct buf collected = e->gate_bytes;
    buf_init(&e->gate_bytes, collected.cap);
    answer_pass(e, buf_str(&collected));
    buf_free(&collected);
}

/* What the filter made, to the client; false: it found no memory. */
static bool write_filtered(struct exchange *e)
{
    struct buf *out = &e->p->filtered;
    bool ok = !out->failed;
    if (ok && out->len) {
        e->bytes_down += out->len;
        e->paused = !conn_write(e->conn, buf_str(out));
    }
    if (out->room > FILTER_OUT_KEPT)
        buf_free(out);
    else
        buf_reset(out);
    return ok;
}

static bool is_filtered(const struct exchange *e)
{
    return e->filter && e->is_stream;
}

void answer_pass(struct exchange *e, struct str data)
{
    if (!is_filtered(e)) {
        e->bytes_down += data.n;
        e->paused = !conn_write(e->conn, data);
        return;
    }
    e->filter->ops->stream(e->filter, data, &e->p->filtered);
    if (!write_filtered(e)) answer_broken(e, ERR_upstream_lost, no_memory_to_filter, END_STREAM_BROKEN);
}

bool answer_rest(struct exchange *e)
{
    if (!is_filtered(e)) return true;
    e->filter->ops->stream_end(e->filter, &e->p->filtered);
    return write_filtered(e);
}

void answer_broken(struct exchange *e, enum error_code code, const char *message, enum end_reason end)
{
    struct buf event = BUF_INIT(8192);
    struct conn *c = e->conn;
    char text[500];
    const char *detail = end == END_STREAM_BROKEN ? e->last_sentence : ""; /* else it is of an earlier try */
    snprintf(text, sizeof text, "%s%s%s", message, detail[0] ? ": " : "", detail);
    attempt_end(e, end == END_KILLED ? VERDICT_CANCELLED : VERDICT_STREAM_BROKEN);
    if (e->tap.error_seen) answer_rest(e);
    e->conn = NULL;
    if (e->is_stream && !e->tap.error_seen) {
        /* A blank line first: the break may have come in the middle of an event. */
        buf_puts(&event, "\n\n");
        error_event(&event, e->route.dialect, code, text);
        conn_write(c, buf_str(&event));
        buf_free(&event);
    }
    conn_abort(c);
    settle(e, end);
}
