/* Finding things in JSON text without parsing it: a name in quotes whose closing quote is not escaped, followed by a
 * colon, can only be a member's name, because a quote inside a JSON string is always escaped. That makes a walk over
 * the quotes, at memchr's speed and for all names at once, exact enough for counting on every chunk of every stream. */
#include "proxy/tap.h"

enum { KEPT_MAX = 1024 };

void tap_init(struct tap *t)
{
    memset(t, 0, sizeof *t);
    sse_init(&t->sse);
    buf_init(&t->kept, KEPT_MAX);
}

void tap_free(struct tap *t)
{
    sse_free(&t->sse);
    buf_free(&t->kept);
}

/* What to look for; `found` is the text right after `"name":`, blanks skipped, from the last place it stands. */
struct wanted {
    struct str quoted;
    struct str found; /* empty: absent */
};

/* The value behind a member's name that ends at `p`; empty when no colon follows: then it was no name. */
static struct str value_after(const char *p, const char *end)
{
    while (p < end && ascii_space(*p)) p++;
    if (p == end || *p != ':') return (struct str){NULL, 0};
    for (p++; p < end && ascii_space(*p);) p++;
    return (struct str){p, (size_t)(end - p)};
}

static void find_members(struct str json, struct wanted *wanted, size_t count)
{
    const char *end = json.p + json.n;
    uint32_t initials = 0; /* a bit for each letter a wanted name begins with: most quotes are done with at a glance */
    for (size_t i = 0; i < count; i++) initials |= 1u << (wanted[i].quoted.p[1] & 31);
    for (const char *q = json.p; json.n && (q = memchr(q, '"', (size_t)(end - q))); q++) {
        if (end - q < 2 || !(initials >> (q[1] & 31) & 1)) continue;
        for (struct wanted *w = wanted; w < wanted + count; w++) {
            size_t n = w->quoted.n;
            if ((size_t)(end - q) < n || q[1] != w->quoted.p[1] || memcmp(q, w->quoted.p, n) != 0) continue;
            struct str value = value_after(q + n, end);
            if (value.p) w->found = value;
        }
    }
}

/* The object at the front of `s`, braces matched outside strings; empty when there is none. */
static struct str object_at(struct str s)
{
    unsigned depth = 0;
    bool in_string = false;
    if (!s.n || s.p[0] != '{') return (struct str){NULL, 0};
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return (struct str){s.p, i + 1};
        }
    }
    return (struct str){NULL, 0};
}

/* A token count: digits only, clamped to 2^53 - 1; -1 when it is not one. */
static int64_t count_of(struct str at)
{
    struct str digits = {at.p, 0};
    uint64_t v;
    while (digits.n < at.n && ascii_digit(at.p[digits.n])) digits.n++;
    if (!digits.n || digits.n > 20) return -1;
    if (!str_u64(digits, &v)) return (1ll << 53) - 1;
    return (int64_t)MIN(v, (uint64_t)(1ll << 53) - 1);
}

/* The first of w that is a count; -1 none. */
static int64_t first_count(const struct wanted *w, size_t n)
{
    int64_t v = -1;
    for (size_t i = 0; i < n && v < 0; i++) v = count_of(w[i].found);
    return v;
}

static struct usage usage_parse(struct str object)
{
    enum { IN = 0, OUT = 2, CACHED = 4, REASONING = 7, COUNT };
    struct wanted w[COUNT] = {
        {STR("\"prompt_tokens\""), {NULL, 0}},           {STR("\"input_tokens\""), {NULL, 0}},
        {STR("\"completion_tokens\""), {NULL, 0}},       {STR("\"output_tokens\""), {NULL, 0}},
        {STR("\"cached_tokens\""), {NULL, 0}},           {STR("\"prompt_cache_hit_tokens\""), {NULL, 0}},
        {STR("\"cache_read_input_tokens\""), {NULL, 0}}, {STR("\"reasoning_tokens\""), {NULL, 0}}};
    struct usage u = {0};
    find_members(object, w, COUNT);
    int64_t in = first_count(w + IN, OUT - IN), out = first_count(w + OUT, CACHED - OUT);
    if (in < 0 && out < 0) return u;
    u.known = true;
    u.in = MAX(in, 0);
    u.out = MAX(out, 0);
    u.cached = MAX(first_count(w + CACHED, REASONING - CACHED), 0);
    u.reasoning = MAX(first_count(w + REASONING, 1), 0);
    return u;
}

/* Some write "" where null is meant. */
static bool value_is_text(struct str v)
{
    return v.n > 1 && v.p[0] == '"' && v.p[1] != '"';
}

static void see_usage(struct tap *t, struct str value)
{
    struct str object = object_at(value);
    if (!object.n || object.n > KEPT_MAX) return;
    buf_reset(&t->kept);
    buf_add_str(&t->kept, object);
}

static void on_event(void *arg, const struct sse_event *e)
{
    struct tap *t = arg;
    if (e->comment_only || !e->data.n) return;
    t->events++;
    if (str_is(str_trim(e->data), "[DONE]")) {
        t->complete = true;
        return;
    }
    enum { ERROR, FINISH, STOP, USAGE, COUNT };
    struct wanted w[COUNT] = {[ERROR] = {STR("\"error\""), {NULL, 0}},
                              [FINISH] = {STR("\"finish_reason\""), {NULL, 0}},
                              [STOP] = {STR("\"stop_reason\""), {NULL, 0}},
                              [USAGE] = {STR("\"usage\""), {NULL, 0}}};
    find_members(e->data, w, COUNT);
    if (str_is(e->type, "message_stop")) t->complete = true;
    if (str_is(e->type, "error") || value_is_text(w[ERROR].found) || object_at(w[ERROR].found).n) t->error_seen = true;
    if (value_is_text(w[FINISH].found) || value_is_text(w[STOP].found)) t->complete = true;
    see_usage(t, w[USAGE].found);
    if (str_is(e->type, "message_start")) t->base = usage_parse(buf_str(&t->kept));
}

static void note_time(struct tap *t, uint64_t events_before, int64_t now_us)
{
    if (t->events == events_before) return;
    if (!t->first_us) t->first_us = now_us;
    t->last_us = now_us;
}

void tap_stream(struct tap *t, struct str bytes, int64_t now_us)
{
    uint64_t before = t->events;
    sse_feed(&t->sse, bytes, on_event, t);
    note_time(t, before, now_us);
}

void tap_finish(struct tap *t, int64_t now_us)
{
    uint64_t before = t->events;
    sse_finish(&t->sse, on_event, t);
    note_time(t, before, now_us);
}

void tap_body(struct tap *t, struct str bytes)
{
    t->is_body = true;
    if (bytes.n > KEPT_MAX) bytes = (struct str){bytes.p + bytes.n - KEPT_MAX, KEPT_MAX};
    size_t all = t->kept.len + bytes.n;
    if (all > KEPT_MAX) buf_consume(&t->kept, all - KEPT_MAX);
    buf_add_str(&t->kept, bytes);
}

struct usage tap_usage(const struct tap *t)
{
    if (t->is_body) return usage_of_answer(buf_str(&t->kept));
    struct usage u = usage_parse(buf_str(&t->kept));
    if (!t->base.known) return u;
    if (!u.known) return t->base;
    u.in = MAX(u.in, t->base.in); /* an Anthropic message_delta counts the output only */
    u.cached = MAX(u.cached, t->base.cached);
    return u;
}

struct usage usage_of_answer(struct str body)
{
    struct wanted w[] = {{STR("\"usage\""), {NULL, 0}}, {STR("\"tokens\""), {NULL, 0}}};
    find_members(body, w, ARRAY_LEN(w));
    struct usage u = usage_parse(object_at(w[0].found));
    return u.known ? u : usage_parse(object_at(w[1].found));
}
