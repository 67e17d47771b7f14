/* An act: what a script rule makes the stand-in do to one request, parsed from JSON into numbers, and the named
 * presets, one for every status and body the platform is known to send.
 * Acts are counted references, because a request in flight outlives the script that asked for it. */
#ifndef STANDIN_ACT_H
#define STANDIN_ACT_H

#include "buf.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/* Instead of an answer. */
enum before {
    BEFORE_NONE,
    BEFORE_RESET,   /* RST after the whole request was read */
    BEFORE_CLOSE,   /* FIN without an answer */
    BEFORE_STALL,   /* held for stall_ms, for ever when negative, then goes on */
    BEFORE_ACCEPT,  /* RST right after accept */
    BEFORE_GARBAGE, /* bytes that are not HTTP, then FIN */
};

/* What happens to an answer in the middle, after `after` events (or pieces of a plain body). */
enum mid { MID_NONE, MID_CUT, MID_RST, MID_TRUNCATE, MID_STALL, MID_ERROR, MID_GARBAGE, MID_JUNK };

enum usage_odd { USAGE_GOOD, USAGE_MISSING, USAGE_NEGATIVE, USAGE_STRING, USAGE_HUGE, USAGE_NESTED, USAGE_NULL };

struct preset {
    const char *name;
    int status;
    const char *type; /* content type */
    const char *body;
    const char *meaning;
};

struct act {
    int refs;
    const char *name; /* for the report: the first fault named in it */
    int status;       /* 0 = the normal answer */
    char *body;
    size_t body_len;
    char *type;
    char *headers; /* ready "Name: value\r\n" lines, or NULL */
    enum before before;
    enum mid mid;
    int after;
    char *event; /* data of the error event */
    long stall_ms;
    long latency_ms, first_byte_ms, body_ms; /* -1 = the default */
    long interval_ms, chunks, chunk_bytes, prompt_tokens, tokens_per_chunk;
    long split; /* bytes per write, 0 = whole */
    long big_event, big_body, huge_head, many_1xx, extra_bytes, gzip_bomb;
    long linger_ms; /* close_after_response: -1 = keep alive */
    bool close_idle_silently, half_close, early, early_close, json_error, two_lengths, no_framing, gzip, odd_headers;
    bool comments, crlf, no_done, connection_close;
    enum usage_odd usage;
};

extern const struct preset presets[];
extern const size_t n_presets;

const struct preset *preset_find(const char *name);
/* Parses an act. NULL and a sentence in why when a name is unknown or a type is wrong. */
struct act *act_parse(const cJSON *json, struct buf *why);
/* An act that answers with a preset. Never NULL for names of the table. */
struct act *act_preset(const char *name);
struct act *act_hold(struct act *a);
void act_drop(struct act *a);

#endif
