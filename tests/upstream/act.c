/* Parsing of acts: one table maps each JSON name to a field, so that the accepted names are readable in one place
 * and an unknown name is an error instead of a fault that silently never happens. */
#include "act.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum as {
    AS_LONG, /* number; true = the row's `on` value */
    AS_BOOL,
    AS_BEFORE,  /* true sets before = on */
    AS_STALL,   /* true = for ever, number = ms */
    AS_MID,     /* number = after, true = after 1; sets mid = on */
    AS_GARBAGE, /* true = not HTTP at all, number = mid-stream */
    AS_OTHER    /* handled by name */
};

static const struct row {
    const char *name;
    enum as as;
    size_t at;
    long on;
} rows[] = {
    {"reset_before_head", AS_BEFORE, 0, BEFORE_RESET},
    {"close_before_head", AS_BEFORE, 0, BEFORE_CLOSE},
    {"empty_reply", AS_BEFORE, 0, BEFORE_CLOSE},
    {"reset_on_accept", AS_BEFORE, 0, BEFORE_ACCEPT},
    {"garbage_reply", AS_BEFORE, 0, BEFORE_GARBAGE},
    {"stall_before_head", AS_STALL, 0, 0},
    {"cut", AS_MID, 0, MID_CUT},
    {"rst", AS_MID, 0, MID_RST},
    {"truncate", AS_MID, 0, MID_TRUNCATE},
    {"stall", AS_MID, 0, MID_STALL},
    {"error_event", AS_MID, 0, MID_ERROR},
    {"garbage", AS_GARBAGE, 0, 0},
    {"garbage_event", AS_MID, 0, MID_JUNK},
    {"stall_ms", AS_LONG, offsetof(struct act, stall_ms), -1},
    {"latency_ms", AS_LONG, offsetof(struct act, latency_ms), 0},
    {"slow_first_byte_ms", AS_LONG, offsetof(struct act, first_byte_ms), 0},
    {"slow_body_ms", AS_LONG, offsetof(struct act, body_ms), 0},
    {"chunk_interval_ms", AS_LONG, offsetof(struct act, interval_ms), 0},
    {"chunks", AS_LONG, offsetof(struct act, chunks), 8},
    {"chunk_bytes", AS_LONG, offsetof(struct act, chunk_bytes), 0},
    {"prompt_tokens", AS_LONG, offsetof(struct act, prompt_tokens), 0},
    {"tokens_per_chunk", AS_LONG, offsetof(struct act, tokens_per_chunk), 1},
    {"utf8_split", AS_LONG, offsetof(struct act, split), 1},
    {"big_event", AS_LONG, offsetof(struct act, big_event), 1 << 20},
    {"big_body", AS_LONG, offsetof(struct act, big_body), 1 << 20},
    {"huge_head", AS_LONG, offsetof(struct act, huge_head), 100000},
    {"many_1xx", AS_LONG, offsetof(struct act, many_1xx), 100},
    {"extra_bytes_after_body", AS_LONG, offsetof(struct act, extra_bytes), 17},
    {"gzip_bomb", AS_LONG, offsetof(struct act, gzip_bomb), 200 << 20},
    {"close_after_response", AS_OTHER, 0, 0},
    {"delay_ms", AS_LONG, offsetof(struct act, linger_ms), 0},
    {"close_idle_silently", AS_BOOL, offsetof(struct act, close_idle_silently), 0},
    {"half_close_after", AS_BOOL, offsetof(struct act, half_close), 0},
    {"early_answer", AS_BOOL, offsetof(struct act, early), 0},
    {"early_close", AS_BOOL, offsetof(struct act, early_close), 0},
    {"status200_json_error", AS_BOOL, offsetof(struct act, json_error), 0},
    {"two_content_lengths", AS_BOOL, offsetof(struct act, two_lengths), 0},
    {"no_framing", AS_BOOL, offsetof(struct act, no_framing), 0},
    {"gzip_anyway", AS_BOOL, offsetof(struct act, gzip), 0},
    {"odd_headers", AS_BOOL, offsetof(struct act, odd_headers), 0},
    {"sse_comments", AS_BOOL, offsetof(struct act, comments), 0},
    {"crlf", AS_BOOL, offsetof(struct act, crlf), 0},
    {"no_done", AS_BOOL, offsetof(struct act, no_done), 0},
    {"connection_close", AS_BOOL, offsetof(struct act, connection_close), 0},
    {"preset", AS_OTHER, 0, 0},
    {"status", AS_OTHER, 0, 0},
    {"body", AS_OTHER, 0, 0},
    {"content_type", AS_OTHER, 0, 0},
    {"wrong_content_type", AS_OTHER, 0, 0},
    {"headers", AS_OTHER, 0, 0},
    {"redirect", AS_OTHER, 0, 0},
    {"location", AS_OTHER, 0, 0},
    {"event_body", AS_OTHER, 0, 0},
    {"event_preset", AS_OTHER, 0, 0},
    {"usage_missing", AS_OTHER, 0, 0},
    {"usage_odd", AS_OTHER, 0, 0},
};

static const struct row *row_find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    }
    return NULL;
}

/* A body in a script is a string taken verbatim, or JSON that is printed. */
static char *text_of(const cJSON *v)
{
    return cJSON_IsString(v) ? xstrdup(v->valuestring) : cJSON_PrintUnformatted(v);
}

static void set_preset(struct act *a, const struct preset *p)
{
    a->status = p->status;
    free(a->body);
    a->body = xstrdup(p->body);
    a->body_len = strlen(p->body);
    free(a->type);
    a->type = xstrdup(p->type);
    a->name = p->name;
}

static void add_header(struct act *a, const char *name, const char *value)
{
    struct buf b = {0};
    if (a->headers) buf_puts(&b, a->headers);
    buf_printf(&b, "%s: %s\r\n", name, value);
    buf_putc(&b, 0);
    free(a->headers);
    a->headers = b.p;
}

static bool parse_usage(struct act *a, const cJSON *v)
{
    static const char *const names[] = {"good", "missing", "negative", "string", "huge", "nested", "null"};
    if (cJSON_IsTrue(v)) a->usage = USAGE_NEGATIVE;
    if (!cJSON_IsString(v)) return cJSON_IsTrue(v);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], v->valuestring) == 0) {
            a->usage = (enum usage_odd)i;
            return true;
        }
    }
    return false;
}

static bool parse_other(struct act *a, const cJSON *v)
{
    const char *n = v->string;
    const struct preset *p = cJSON_IsString(v) ? preset_find(v->valuestring) : NULL;
    if (strcmp(n, "preset") == 0) {
        if (p) set_preset(a, p);
        return p != NULL;
    }
    if (strcmp(n, "event_preset") == 0) {
        if (p) a->event = xstrdup(p->body);
        return p != NULL;
    }
    if (strcmp(n, "status") == 0) {
        a->status = v->valueint;
        return cJSON_IsNumber(v);
    }
    if (strcmp(n, "body") == 0) {
        free(a->body);
        a->body = text_of(v);
        a->body_len = strlen(a->body);
        return true;
    }
    if (strcmp(n, "content_type") == 0 || strcmp(n, "wrong_content_type") == 0) {
        free(a->type);
        a->type = xstrdup(cJSON_IsString(v) ? v->valuestring : "text/html");
        return true;
    }
    if (strcmp(n, "headers") == 0) {
        const cJSON *h;
        cJSON_ArrayForEach(h, v)
        {
            if (cJSON_IsString(h)) add_header(a, h->string, h->valuestring);
        }
        return cJSON_IsObject(v);
    }
    if (strcmp(n, "redirect") == 0) {
        a->status = cJSON_IsNumber(v) ? v->valueint : 302;
        return true;
    }
    if (strcmp(n, "location") == 0) {
        if (cJSON_IsString(v)) add_header(a, "Location", v->valuestring);
        return cJSON_IsString(v);
    }
    if (strcmp(n, "event_body") == 0) {
        free(a->event);
        a->event = text_of(v);
        return true;
    }
    if (strcmp(n, "usage_missing") == 0) {
        a->usage = USAGE_MISSING;
        return true;
    }
    if (strcmp(n, "usage_odd") == 0) return parse_usage(a, v);
    if (a->linger_ms < 0) a->linger_ms = cJSON_IsNumber(v) ? v->valueint : 0; /* close_after_response */
    return true;
}

static void set_mid(struct act *a, enum mid mid, const cJSON *v)
{
    a->mid = mid;
    a->after = cJSON_IsNumber(v) ? v->valueint : 1;
}

static bool parse_field(struct act *a, const cJSON *v, const struct row *r)
{
    bool number = cJSON_IsNumber(v), flag = cJSON_IsBool(v);
    if (cJSON_IsFalse(v)) return true;
    if (!a->name && r->as != AS_LONG) a->name = r->name;
    switch (r->as) {
    case AS_LONG: {
        long x = number ? (long)v->valuedouble : r->on;
        memcpy((char *)a + r->at, &x, sizeof x);
        return number || flag;
    }
    case AS_BOOL: *((bool *)(void *)((char *)a + r->at)) = true; return number || flag;
    case AS_BEFORE: a->before = (enum before)r->on; return number || flag;
    case AS_STALL:
        a->before = BEFORE_STALL;
        a->stall_ms = number ? (long)v->valuedouble : -1;
        return number || flag;
    case AS_MID: set_mid(a, (enum mid)r->on, v); return number || flag;
    case AS_GARBAGE:
        if (number)
            set_mid(a, MID_GARBAGE, v);
        else
            a->before = BEFORE_GARBAGE;
        return number || flag;
    case AS_OTHER: break;
    }
    return parse_other(a, v);
}

static struct act *act_new(void)
{
    struct act *a = xalloc(sizeof *a);
    a->refs = 1;
    a->stall_ms = a->latency_ms = a->first_byte_ms = a->body_ms = -1;
    a->interval_ms = a->chunks = a->chunk_bytes = a->prompt_tokens = a->tokens_per_chunk = -1;
    a->big_event = a->big_body = a->linger_ms = -1;
    return a;
}

struct act *act_parse(const cJSON *json, struct buf *why)
{
    struct act *a = act_new();
    const cJSON *v;
    /* preset first, so that status, body and headers beside it change it whatever their order */
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(json, "preset");
    bool good = cJSON_IsObject(json);
    if (!good) buf_puts(why, "act is not an object");
    if (good && p && !parse_field(a, p, row_find("preset"))) {
        buf_printf(why, "no such preset (GET /_standin/presets lists them)");
        good = false;
    }
    for (v = good ? json->child : NULL; v && good; v = v->next) {
        const struct row *r = row_find(v->string);
        if (v == p) continue;
        if (!r || !parse_field(a, v, r)) {
            buf_printf(why, "act: %s \"%s\"", r ? "bad value of" : "unknown name", v->string);
            good = false;
        }
    }
    if (good) return a;
    act_drop(a);
    return NULL;
}

struct act *act_preset(const char *name)
{
    struct act *a = act_new();
    const struct preset *p = preset_find(name);
    if (!p) abort();
    set_preset(a, p);
    return a;
}

struct act *act_hold(struct act *a)
{
    if (a) a->refs++;
    return a;
}

void act_drop(struct act *a)
{
    if (!a || --a->refs) return;
    free(a->body);
    free(a->type);
    free(a->headers);
    free(a->event);
    free(a);
}
