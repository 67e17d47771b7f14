/* What an upstream answer says, and about whom. One data table maps (status, code, text) to a verdict; first matching
 * row wins. 20012 and 20015 mean nothing without the status; text patterns count only for 401, 403, 429, 5xx and for
 * error objects inside a 200: a client's own 400 may say whatever it likes without touching a key. Pure. */
#ifndef SFPROXY_POOL_VERDICT_H
#define SFPROXY_POOL_VERDICT_H

#include "base/str.h"

/* VERDICT(id, name, kind, sentence)
 * kind: what may be done next. OK; REFUSAL (cost nothing, next key, max_refusals); FAILURE (may have done work,
 * max_attempts); ONCE (like FAILURE but once, after 0.5-2 s); STALL (only with retry_stalls); FINAL (never). */
#define VERDICT_TABLE(VERDICT)                                                                                         \
    VERDICT(OK, "ok", OK, "answered")                                                                                  \
    VERDICT(KEY_INVALID, "key_invalid", REFUSAL, "the platform does not know this key")                                \
    VERDICT(NO_FUNDS, "no_funds", REFUSAL, "the account's balance is insufficient")                                    \
    VERDICT(NOT_VERIFIED, "not_verified", REFUSAL, "the account is not real-name verified")                            \
    VERDICT(MODEL_DENIED, "model_denied", REFUSAL, "the model is not available to this account")                       \
    VERDICT(FORBIDDEN_OTHER, "forbidden", REFUSAL, "the platform refused this account")                                \
    VERDICT(RATE_MINUTE, "rate_minute", REFUSAL, "rate limit per minute")                                              \
    VERDICT(RATE_HOUR, "rate_hour", REFUSAL, "rate limit per hour")                                                    \
    VERDICT(RATE_DAY, "rate_day", REFUSAL, "rate limit per day")                                                       \
    VERDICT(RATE_UNKNOWN, "rate_unknown", REFUSAL, "rate limit")                                                       \
    VERDICT(BUSY, "busy", ONCE, "the platform or the model is overloaded")                                             \
    VERDICT(SERVER, "server", FAILURE, "the platform failed")                                                          \
    VERDICT(GW_TIMEOUT, "gateway_timeout", STALL, "the platform gave no answer in time")                               \
    VERDICT(CONNECT, "connect", ONCE, "the platform could not be reached")                                             \
    VERDICT(RESET, "reset", FAILURE, "the connection was lost before the answer")                                      \
    VERDICT(GARBAGE, "garbage", FAILURE, "the platform's answer was not HTTP")                                         \
    VERDICT(BAD_REQUEST, "bad_request", FINAL, "the request was refused as such")                                      \
    VERDICT(REDIRECT, "redirect", FINAL, "the platform answered with a redirect")                                      \
    VERDICT(RETIRED, "retired", FINAL, "the platform has retired this address")                                        \
    VERDICT(STREAM_BROKEN, "stream_broken", FINAL, "the answer broke off")                                             \
    VERDICT(CANCELLED, "cancelled", FINAL, "given up by us or by the client")

enum verdict {
#define VERDICT_ENUM(id, name, kind, sentence) VERDICT_##id,
    VERDICT_TABLE(VERDICT_ENUM) VERDICT_COUNT
};

enum verdict_kind { KIND_OK, KIND_REFUSAL, KIND_FAILURE, KIND_ONCE, KIND_STALL, KIND_FINAL };

const char *verdict_name(enum verdict v);
const char *verdict_sentence(enum verdict v);
enum verdict_kind verdict_kind(enum verdict v);
static inline bool verdict_is_rate(enum verdict v)
{
    return v >= VERDICT_RATE_MINUTE && v <= VERDICT_RATE_UNKNOWN;
}

/* A try that may have done work and did not answer: cools the (account, model) cell. */
static inline bool verdict_is_failure(enum verdict v)
{
    return verdict_kind(v) == KIND_FAILURE || verdict_kind(v) == KIND_STALL;
}

/* What was read out of an error body, whatever its shape (object, OpenAI-like object, JSON string, text, HTML, empty).
 */
struct upstream_error {
    int64_t code;             /* top-level or error.code when a number or digits; 0 = none */
    char message[300];        /* cleaned text; "" when none */
    bool is_object;           /* the body was a JSON object */
    bool has_data;            /* it has non-null choices, data, results, images or text: not an error object */
    bool has_error;           /* it has a top-level `error` */
    bool has_type_or_choices; /* for events: `choices` or `type` present */
    char metric[4];           /* "RPM", "TPD" ... when the text names one, else "" */
};

/* Reads at most the first 64 KiB. */
void upstream_error_read(struct str body, struct upstream_error *out);
/* Verdict of a complete non-stream answer (or its first 64 KiB). `json`: the content type is JSON-like or text; a
 * binary body is judged by its status alone. *out says something only about what is no good answer. */
enum verdict verdict_of_answer(int status, bool json, struct str body, struct upstream_error *out);
/* Verdict of the first event of a stream (its data): OK unless it has `error`, or `code` and no `choices`/`type`. */
enum verdict verdict_of_event(struct str data, struct upstream_error *out);

#endif
