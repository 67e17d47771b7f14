/* JSON text, read where it lies: pure functions of the bytes, no allocation, no recursion. Grammar of RFC 8259, with
 * raw bytes >= 0x80 let through in strings. Time goes into long strings (pictures as base64): string_run() passes 64
 * bytes a step until something needs a look. */
#include "base/json_text.h"

/* --- strings ------------------------------------------------------------------------------------------------- */

typedef unsigned char lanes __attribute__((vector_size(16), aligned(1)));

static bool special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* True when one of the 64 bytes at p needs a look. */
static bool block_special(const unsigned char *p)
{
    lanes hit = {0};
    for (int i = 0; i < 64; i += 16) {
        lanes v;
        memcpy(&v, p + i, sizeof(v));
        hit |= (lanes)(v < 0x20) | (lanes)(v == '"') | (lanes)(v == '\\');
    }
    uint64_t half[2];
    memcpy(half, &hit, sizeof(half));
    return (half[0] | half[1]) != 0;
}

/* First byte of [p, end) that is a quote, a backslash or a control character; else end. */
static const unsigned char *string_run(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *near = p + MIN((size_t)(end - p), (size_t)16);
    while (p < near && !special(*p)) p++;
    if (p < near) return p;
    while (end - p >= 64 && !block_special(p)) p += 64;
    while (p < end && !special(*p)) p++;
    return p;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static int hex4(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 4) return -1;
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

/* At a backslash: passes a well-formed escape. */
static bool pass_escape(struct json_text *t)
{
    if (t->end - t->p < 2) {
        t->p = t->end;
        return false;
    }
    switch (t->p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': t->p += 2; return true;
    case 'u':
        if (hex4(t->p + 2, t->end) < 0) return false;
        t->p += 6;
        return true;
    default: return false;
    }
}

bool json_text_string(struct json_text *t, struct str *raw)
{
    const unsigned char *from = ++t->p;
    for (;;) {
        t->p = string_run(t->p, t->end);
        int c = json_text_peek(t);
        if (c == '"') break;
        if (c != '\\') return false; /* a control character, or the end */
        if (!pass_escape(t)) return false;
    }
    *raw = (struct str){(const char *)from, (size_t)(t->p - from)};
    t->p++;
    return true;
}

static size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The character of a \u escape at p (checked before), advancing it; a pair of surrogates is one. -1: a lone one. */
static int32_t unescape_u(const unsigned char **p, const unsigned char *end)
{
    int c = hex4(*p + 2, end);
    *p += 6;
    if (c < 0xD800 || c > 0xDFFF) return c;
    if (c > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') return -1;
    int low = hex4(*p + 2, end);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    *p += 6;
    return 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
}

static char simple_escape(unsigned char c)
{
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return (char)c; /* the quote, the backslash, the slash */
    }
}

int json_text_unescape(struct str raw, char *out, size_t room)
{
    const unsigned char *p = (const unsigned char *)raw.p, *end = p + raw.n;
    size_t n = 0;
    while (p < end) {
        char piece[4];
        size_t len = 1;
        if (*p != '\\') {
            piece[0] = (char)*p++;
        } else if (p[1] != 'u') {
            piece[0] = simple_escape(p[1]);
            p += 2;
        } else {
            int32_t c = unescape_u(&p, end);
            if (c < 0) return -1;
            len = utf8_put(piece, (uint32_t)c);
        }
        if (room - n < len) return -1;
        memcpy(out + n, piece, len);
        n += len;
    }
    return (int)n;
}

/* --- values -------------------------------------------------------------------------------------------------- */

/* At least one digit. */
static bool pass_digits(struct json_text *t)
{
    const unsigned char *from = t->p;
    while (t->p < t->end && *t->p >= '0' && *t->p <= '9') t->p++;
    return t->p > from;
}

static bool pass_number(struct json_text *t)
{
    if (*t->p == '-') t->p++;
    if (json_text_peek(t) == '0') {
        t->p++;
    } else if (!pass_digits(t)) {
        return false;
    }
    if (json_text_peek(t) == '.') {
        t->p++;
        if (!pass_digits(t)) return false;
    }
    if (json_text_peek(t) == 'e' || json_text_peek(t) == 'E') {
        t->p++;
        if (json_text_peek(t) == '+' || json_text_peek(t) == '-') t->p++;
        if (!pass_digits(t)) return false;
    }
    return true;
}

static bool pass_literal(struct json_text *t, struct str word)
{
    if ((size_t)(t->end - t->p) < word.n || memcmp(t->p, word.p, word.n) != 0) return false;
    t->p += word.n;
    return true;
}

bool json_text_scalar(struct json_text *t, struct str *raw)
{
    switch (json_text_peek(t)) {
    case '"': return json_text_string(t, raw);
    case 't': return pass_literal(t, STR("true"));
    case 'f': return pass_literal(t, STR("false"));
    case 'n': return pass_literal(t, STR("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return pass_number(t);
    default: return false;
    }
}

/* --- what is inside something ---------------------------------------------------------------------------------- */

/* What is open inside a value, innermost last; a bit each, 1 = object. */
struct nest {
    uint64_t objects[JSON_TEXT_DEPTH / 64];
    unsigned depth;
};

static bool innermost_is_object(const struct nest *n)
{
    return n->depth && (n->objects[(n->depth - 1) / 64] >> ((n->depth - 1) % 64) & 1);
}

static bool nest_open(struct nest *n, bool object)
{
    uint64_t bit = (uint64_t)1 << (n->depth % 64), *word = &n->objects[n->depth / 64];
    if (n->depth == JSON_TEXT_DEPTH) return false;
    *word = object ? *word | bit : *word & ~bit;
    n->depth++;
    return true;
}

/* "name" : with the blanks around. */
static bool pass_name(struct json_text *t, struct str *name)
{
    if (json_text_peek(t) != '"' || !json_text_string(t, name)) return false;
    json_text_space(t);
    if (json_text_peek(t) != ':') return false;
    t->p++;
    json_text_space(t);
    return true;
}

/* Behind a value: passes closing brackets up to a comma (*more), or the outermost one. */
static bool pass_closing(struct json_text *t, struct nest *n, bool *more)
{
    for (*more = false; n->depth; n->depth--, t->p++) {
        json_text_space(t);
        int c = json_text_peek(t);
        if (c == ',') {
            t->p++;
            *more = true;
            return true;
        }
        if (c != (innermost_is_object(n) ? '}' : ']')) return false;
    }
    return true;
}

/* Passes a value of any kind. */
static bool pass_value(struct json_text *t)
{
    struct nest n = {.depth = 0};
    bool fresh = false, more = true;
    while (more) {
        struct str raw;
        json_text_space(t);
        bool object = innermost_is_object(&n);
        if (!fresh || json_text_peek(t) != (object ? '}' : ']')) {
            if (object && !pass_name(t, &raw)) return false;
            int c = json_text_peek(t);
            fresh = c == '{' || c == '[';
            if (fresh) {
                if (!nest_open(&n, c == '{')) return false;
                t->p++;
                continue;
            }
            if (!json_text_scalar(t, &raw)) return false;
        }
        fresh = false;
        if (!pass_closing(t, &n, &more)) return false;
    }
    return true;
}

void json_walk_init(struct json_walk *w, struct str value)
{
    const char *p = value.n ? value.p : "";
    *w = (struct json_walk){.t = {(const unsigned char *)p, (const unsigned char *)p + value.n}};
    json_text_space(&w->t);
    int c = json_text_peek(&w->t);
    w->object = c == '{';
    w->bad = c != '{' && c != '[';
    w->over = w->bad;
    if (!w->bad) w->t.p++;
}

/* The end of what is walked, or a mistake; nothing but blanks may follow. */
static bool walk_end(struct json_walk *w, bool closed)
{
    w->over = true;
    if (closed) {
        w->t.p++;
        json_text_space(&w->t);
    }
    w->bad = !closed || w->t.p != w->t.end;
    return false;
}

bool json_walk_next(struct json_walk *w, struct json_item *item)
{
    struct json_text *t = &w->t;
    *item = (struct json_item){.name = {"", 0}};
    if (w->over) return false;
    json_text_space(t);
    if (json_text_peek(t) == (w->object ? '}' : ']')) return walk_end(w, true);
    if (w->comma_due) {
        if (json_text_peek(t) != ',') return walk_end(w, false);
        item->comma = (const char *)t->p++;
        json_text_space(t);
    }
    item->at = (const char *)t->p;
    if (w->object && !pass_name(t, &item->name)) return walk_end(w, false);
    const char *from = (const char *)t->p;
    if (!pass_value(t)) return walk_end(w, false);
    item->value = (struct str){from, (size_t)((const char *)t->p - from)};
    w->comma_due = true;
    return true;
}
