/* Observer of an answer: tokens used, first and last token, whether a stream is complete. It never changes a byte.
 * `usage` is on every chunk of the platform's streams and cumulative: the last one counts. A stream is complete when
 * [DONE], message_stop, or a finish_reason/stop_reason was seen; the end of the connection alone never completes it. */
#ifndef SFPROXY_PROXY_TAP_H
#define SFPROXY_PROXY_TAP_H

#include "meter/record.h"
#include "net/sse.h"

struct tap {
    struct sse_reader sse;
    struct buf kept; /* stream: the last usage object, parsed when asked for; body: the last bytes */
    bool is_body;
    struct usage base; /* what an Anthropic message_start said */
    bool complete;     /* the stream's end was announced */
    bool error_seen;   /* the platform sent an error event of its own */
    uint64_t events;
    int64_t first_us, last_us; /* of events with data; 0 none */
};

void tap_init(struct tap *t);
void tap_free(struct tap *t);
/* Bytes of an event stream; now_us: mono_us(). */
void tap_stream(struct tap *t, struct str bytes, int64_t now_us);
/* The stream's bytes are over: an event without its closing blank line counts too. */
void tap_finish(struct tap *t, int64_t now_us);
/* Bytes of an answer that is no event stream: only its end is kept, where `usage` stands. */
void tap_body(struct tap *t, struct str bytes);
/* Tokens known so far. */
struct usage tap_usage(const struct tap *t);
/* Tokens of a complete JSON answer: `usage` (OpenAI and Anthropic names), rerank's `tokens` or `meta.tokens`. */
struct usage usage_of_answer(struct str body);

#endif
