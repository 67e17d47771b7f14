/* Reads what an upstream answer says about itself, whatever its shape: {"code","message","data"}, the same inside
 * `error`, a bare JSON string, plain text, HTML, nothing.
 *
 * It runs on every answer that is not a stream, also on good ones of 64 KiB that were cut in the middle, so it is a
 * scan over the top-level members without recursion or allocation: members are walked one by one, nested values are
 * skipped by counting brackets outside strings, and only the few names we know are looked into. `error` is walked the
 * same way one level down. A body that breaks off keeps what was read before the break; one that starts with `{` but
 * has no single complete member is text. */
#include "pool/error_body.h"

enum { BODY_MAX = 65536 };

struct cursor {
    const char *p, *end;
};

struct text_out {
    char *at;
    size_t len, room;
};

enum value_kind { VALUE_NULL, VALUE_STRING, VALUE_OBJECT, VALUE_OTHER };

struct member {
    struct str name; /* raw, without the quotes */
    struct str value;
    enum value_kind kind;
};

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && ascii_space(*c->p)) c->p++;
}

static bool take(struct cursor *c, char want)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != want) return false;
    c->p++;
    return true;
}

/* Takes a quoted string; `out` is what stands between the quotes, still escaped. */
static bool take_string(struct cursor *c, struct str *out)
{
    if (!take(c, '"')) return false;
    const char *start = c->p;
    for (;;) {
        const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p)), *slash = quote;
        if (!quote) {
            c->p = c->end;
            return false;
        }
        while (slash > start && slash[-1] == '\\') slash--;
        c->p = quote;
        if ((quote - slash) % 2 == 0) break;
        c->p++;
    }
    *out = (struct str){start, (size_t)(c->p - start)};
    c->p++;
    return true;
}

/* Skips an object or array whose bracket is next. */
static bool skip_nested(struct cursor *c)
{
    size_t depth = 0;
    struct str ignored;
    while (c->p < c->end) {
        char ch = *c->p;
        if (ch == '"') {
            if (!take_string(c, &ignored)) return false;
            continue;
        }
        c->p++;
        if (ch == '{' || ch == '[') depth++;
        if ((ch == '}' || ch == ']') && --depth == 0) return true;
    }
    return false;
}

static bool take_value(struct cursor *c, struct member *m)
{
    skip_blanks(c);
    if (c->p == c->end) return false;
    const char *start = c->p;
    if (*start == '"') {
        m->kind = VALUE_STRING;
        return take_string(c, &m->value);
    }
    if (*start == '{' || *start == '[') {
        m->kind = *start == '{' ? VALUE_OBJECT : VALUE_OTHER;
        bool whole = skip_nested(c);
        m->value = (struct str){start, (size_t)(MIN(c->p, c->end) - start)};
        return whole;
    }
    while (c->p < c->end && *c->p != ',' && *c->p != '}' && *c->p != ']' && !ascii_space(*c->p)) c->p++;
    m->value = (struct str){start, (size_t)(c->p - start)};
    m->kind = str_is(m->value, "null") ? VALUE_NULL : VALUE_OTHER;
    return m->value.n > 0;
}

/* Next member of an object whose `{` was taken. A value that was cut off still counts when it is an object or an array:
 * the start of a long `choices` says all we need. */
static bool next_member(struct cursor *c, struct member *m)
{
    skip_blanks(c);
    if (c->p < c->end && *c->p == ',') c->p++;
    if (!take_string(c, &m->name) || !take(c, ':')) return false;
    m->value = (struct str){NULL, 0};
    if (take_value(c, m)) return true;
    c->p = c->end;
    return m->value.n > 0 && m->value.p[0] != '"' && m->kind != VALUE_STRING;
}

static void put(struct text_out *t, char c)
{
    if (t->len + 1 < t->room) t->at[t->len++] = c;
    t->at[t->len] = '\0';
}

static void put_code_point(struct text_out *t, uint32_t cp)
{
    if (cp < 0x80) {
        put(t, (char)cp);
    } else if (cp < 0x800) {
        put(t, (char)(0xC0 | cp >> 6));
        put(t, (char)(0x80 | (cp & 0x3F)));
    } else if (cp < 0x10000) {
        put(t, (char)(0xE0 | cp >> 12));
        put(t, (char)(0x80 | (cp >> 6 & 0x3F)));
        put(t, (char)(0x80 | (cp & 0x3F)));
    } else {
        put(t, (char)(0xF0 | cp >> 18));
        put(t, (char)(0x80 | (cp >> 12 & 0x3F)));
        put(t, (char)(0x80 | (cp >> 6 & 0x3F)));
        put(t, (char)(0x80 | (cp & 0x3F)));
    }
}

static bool hex4(struct str s, size_t at, uint32_t *out)
{
    if (at + 4 > s.n) return false;
    uint32_t v = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = ascii_lower(s.p[i]);
        if (!ascii_digit(c) && (c < 'a' || c > 'f')) return false;
        v = v << 4 | (uint32_t)(ascii_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}

/* Handles the escape at s.p[i] (the backslash); returns the index of the next character. */
static size_t unescape_one(struct text_out *t, struct str s, size_t i)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    uint32_t cp, low;
    if (i + 1 >= s.n) return s.n;
    if (s.p[i + 1] != 'u') {
        const char *known = memchr(from, s.p[i + 1], sizeof from - 1);
        put(t, known ? to[known - from] : s.p[i + 1]);
        return i + 2;
    }
    if (!hex4(s, i + 2, &cp)) return i + 2;
    i += 6;
    if (cp >= 0xD800 && cp < 0xDC00 && i + 1 < s.n && s.p[i] == '\\' && s.p[i + 1] == 'u' && hex4(s, i + 2, &low) &&
        low >= 0xDC00 && low < 0xE000) {
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
        i += 6;
    }
    put_code_point(t, cp >= 0xD800 && cp < 0xE000 ? '?' : cp);
    return i;
}

static void put_json_text(struct text_out *t, struct str escaped)
{
    if (t->len) put(t, ' ');
    for (size_t i = 0; i < escaped.n && t->len + 1 < t->room;) {
        if (escaped.p[i] == '\\')
            i = unescape_one(t, escaped, i);
        else
            put(t, escaped.p[i++]);
    }
}

/* Text without tags, runs of blanks made one; good enough for the error page of a gateway. */
static void put_plain_text(struct text_out *t, struct str s)
{
    bool html = s.n && s.p[0] == '<', in_tag = false, blank = false;
    for (size_t i = 0; i < s.n && t->len + 1 < t->room; i++) {
        if (html && s.p[i] == '<') in_tag = true;
        if (in_tag || ascii_space(s.p[i])) {
            blank = true;
        } else {
            if (blank && t->len) put(t, ' ');
            blank = false;
            put(t, s.p[i]);
        }
        if (s.p[i] == '>') in_tag = false;
    }
}

static int64_t code_of(const struct member *m)
{
    uint64_t v;
    struct str digits = m->value;
    if (m->kind != VALUE_STRING && m->kind != VALUE_OTHER) return 0;
    return str_u64(digits, &v) && v <= INT64_MAX ? (int64_t)v : 0;
}

static bool name_in(struct str name, const char *const *names)
{
    while (*names && !str_is(name, *names)) names++;
    return *names != NULL;
}

/* The names of an error object, at the top level and inside `error`. */
static void read_error_member(const struct member *m, struct upstream_error *out, struct text_out *t)
{
    static const char *const texts[] = {"message", "msg", "detail", NULL};
    if (str_is(m->name, "code") && !out->code) out->code = code_of(m);
    if (m->kind == VALUE_STRING && name_in(m->name, texts)) put_json_text(t, m->value);
}

static void read_error_value(const struct member *m, struct upstream_error *out, struct text_out *t)
{
    struct cursor c = {m->value.p, m->value.p + m->value.n};
    struct member inner;
    bool empty = m->kind == VALUE_NULL || m->value.n == 0 || str_is(m->value, "false") || str_is(m->value, "{}");
    if (empty) return;
    out->has_error = true;
    if (m->kind == VALUE_STRING) put_json_text(t, m->value);
    if (m->kind != VALUE_OBJECT || !take(&c, '{')) return;
    while (next_member(&c, &inner)) read_error_member(&inner, out, t);
}

static bool read_object(struct str body, struct upstream_error *out, struct text_out *t)
{
    static const char *const data[] = {"choices", "data", "results", "images", "text", NULL};
    static const char *const event[] = {"choices", "type", NULL};
    struct cursor c = {body.p, body.p + body.n};
    struct member m;
    if (!take(&c, '{')) return false;
    skip_blanks(&c);
    if (c.p < c.end && *c.p == '}') return true;
    bool any = false;
    while (next_member(&c, &m)) {
        any = true;
        if (m.kind != VALUE_NULL && name_in(m.name, data)) out->has_data = true;
        if (name_in(m.name, event)) out->has_type_or_choices = true;
        if (str_is(m.name, "error"))
            read_error_value(&m, out, t);
        else
            read_error_member(&m, out, t);
    }
    return any;
}

/* The first rate metric that stands alone as a word, in capitals. */
static void find_metric(struct str text, char metric[4])
{
    static const char *const names[] = {"RPM", "TPM", "IPM", "RPH", "TPH", "RPD", "TPD", "IPD"};
    for (size_t i = 0; i + 3 <= text.n; i++) {
        if (i && ascii_alnum(text.p[i - 1])) continue;
        if (i + 3 < text.n && ascii_alnum(text.p[i + 3])) continue;
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (str_ieq((struct str){text.p + i, 3}, str_of(names[k]))) {
                str_copy(metric, 4, str_of(names[k]));
                return;
            }
    }
}

static bool in_key(char c)
{
    return ascii_alnum(c) || c == '-' || c == '_';
}

/* A gateway that quotes the key it refuses would carry it into logs, errors and pages. */
static void hide_keys(char *text)
{
    for (char *p = text; (p = strstr(p, "sk-")) != NULL;) {
        bool begins = p == text || !in_key(p[-1]);
        size_t n = 0;
        p += 3;
        while (in_key(p[n])) n++;
        if (begins && n >= 8) memset(p, '*', n);
        p += n;
    }
}

bool error_body_likely(struct str body)
{
    size_t left = MIN(body.n, (size_t)BODY_MAX);
    const char *end = body.p + left;
    for (const char *q = body.p; left && (q = memchr(q, '"', left)); left = (size_t)(end - ++q)) {
        left = (size_t)(end - q);
        if (left >= 7 && memcmp(q, "\"error\"", 7) == 0) return true;
        if (left >= 6 && memcmp(q, "\"code\"", 6) == 0) return true;
    }
    return false;
}

size_t error_body_read(struct str body, struct upstream_error *out, char text[ERROR_TEXT_MAX])
{
    struct text_out t = {text, 0, ERROR_TEXT_MAX};
    struct cursor c;
    struct str inner;
    *out = (struct upstream_error){0};
    text[0] = '\0';
    if (!body.p) body = STR("");
    body.n = MIN(body.n, (size_t)BODY_MAX);
    body = str_trim(body);
    c = (struct cursor){body.p, body.p + body.n};
    out->is_object = read_object(body, out, &t);
    if (!out->is_object) {
        if (take_string(&c, &inner) && c.p == c.end)
            put_json_text(&t, inner);
        else
            put_plain_text(&t, body);
    }
    find_metric((struct str){text, t.len}, out->metric);
    text_clean(str_trim((struct str){text, t.len}), out->message, sizeof out->message);
    hide_keys(out->message);
    return t.len;
}

void upstream_error_read(struct str body, struct upstream_error *out)
{
    char text[ERROR_TEXT_MAX];
    error_body_read(body, out, text);
}
