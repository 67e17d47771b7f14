/* The request body's scanner: pure functions of the bytes, one pass, no allocation, no recursion.
 *
 * JSON. The whole document is checked against RFC 8259 and must be one object. What is open is a stack of bits (1 =
 * object, 0 = array), so that a body of a million '[' costs nothing.
 *
 *     member name -> ':' -> value --(scalar)--> after value --','--> next
 *                             |                      |
 *                             +-- '{' '[' : push     +-- '}' ']' : pop, again "after value"
 *
 * A syntax error anywhere wins over what was found before it; otherwise the first finding (duplicate, bad model, bad
 * stream) is the answer. So the result does not depend on where in the body `model` stands. */
#include "proxy/scan.h"

#include "base/json_text.h"

enum {
    DEPTH_CEILING = 4096, /* bits of the stack; max_depth is at most this */
    NAME_MAX_LEN = 16,
    NAME_RAW_MAX = 6 * NAME_MAX_LEN, /* every letter as \uXXXX */
};

struct scanner {
    struct json_text t;
    const unsigned char *begin;
    struct scan *out;
    size_t max_model;
    struct scan_text *texts;
    size_t text_count;
    unsigned depth, max_depth;
    bool has_stream;
    enum scan_result found; /* first finding that is no syntax error */
    size_t found_at;
    enum scan_result broken; /* syntax error or depth */
    uint64_t stack[DEPTH_CEILING / 64];
};

/* Which top-level member a value belongs to; MEMBER_TEXT + i: texts[i]. */
enum member { MEMBER_OTHER, MEMBER_MODEL, MEMBER_STREAM, MEMBER_TEXT };

static bool broken(struct scanner *s, enum scan_result r)
{
    s->broken = r;
    return false;
}

static void finding(struct scanner *s, enum scan_result r, const unsigned char *at)
{
    if (s->found != SCAN_OK) return;
    s->found = r;
    s->found_at = (size_t)(at - s->begin);
}

/* Length of the UTF-8 sequence at p and its code point; 0 when malformed, overlong or a surrogate. */
static size_t utf8_get(const unsigned char *p, size_t left, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xE0) == 0xC0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : (p[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    *c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        *c = *c << 6 | (p[i] & 0x3Fu);
    }
    return *c < least[n] || *c > 0x10FFFF || (*c >= 0xD800 && *c <= 0xDFFF) ? 0 : n;
}

bool scan_model_text_ok(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        size_t n = utf8_get(p + i, s.n - i, &c);
        if (n == 0 || c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
        i += n;
    }
    return s.n > 0;
}

static bool push(struct scanner *s, bool object)
{
    if (s->depth == s->max_depth) return broken(s, SCAN_TOO_DEEP);
    uint64_t bit = (uint64_t)1 << (s->depth % 64);
    if (object) {
        s->stack[s->depth / 64] |= bit;
    } else {
        s->stack[s->depth / 64] &= ~bit;
    }
    s->depth++;
    s->t.p++;
    return true;
}

static bool in_object(const struct scanner *s)
{
    return s->stack[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1;
}

/* --- the two members ------------------------------------------------------------------------------------------ */

static unsigned member_of(const struct scanner *s, struct str raw)
{
    char text[NAME_MAX_LEN];
    if (raw.n > NAME_RAW_MAX) return MEMBER_OTHER;
    int n = json_text_unescape(raw, text, sizeof(text));
    if (n < 0) return MEMBER_OTHER;
    struct str name = {text, (size_t)n};
    if (str_is(name, "model")) return MEMBER_MODEL;
    if (str_is(name, "stream")) return MEMBER_STREAM;
    for (size_t i = 0; i < s->text_count; i++)
        if (str_is(name, s->texts[i].name)) return MEMBER_TEXT + (unsigned)i;
    return MEMBER_OTHER;
}

static void set_text(struct scan_text *t, struct str raw, bool is_text)
{
    int n = is_text ? json_text_unescape(raw, t->value, sizeof(t->value) - 1) : 0;
    if (n > 0 && !scan_model_text_ok((struct str){t->value, (size_t)n})) n = 0;
    t->value[MAX(n, 0)] = '\0';
}

static void set_model(struct scanner *s, struct str raw, const unsigned char *at)
{
    int n = json_text_unescape(raw, s->out->model, s->max_model);
    if (n < 0 || !scan_model_text_ok((struct str){s->out->model, (size_t)n})) {
        finding(s, SCAN_BAD_MODEL, at);
        return;
    }
    s->out->model_len = (size_t)n;
    s->out->model_at = (size_t)(at - s->begin);
    s->out->model_size = raw.n + 2;
}

/* A value of the top-level object was passed: [at, s->t.p), `raw` its inside when it is a string; for an object or an
 * array only its first byte is known yet. */
static void take_member(struct scanner *s, unsigned m, const unsigned char *at, struct str raw)
{
    if (m == MEMBER_MODEL) {
        if (s->out->has_model) finding(s, SCAN_DUPLICATE_KEY, at);
        if (*at != '"')
            finding(s, SCAN_BAD_MODEL, at);
        else if (!s->out->has_model)
            set_model(s, raw, at);
        s->out->has_model = true;
    } else if (m == MEMBER_STREAM) {
        if (s->has_stream) finding(s, SCAN_DUPLICATE_KEY, at);
        if (*at != 't' && *at != 'f' && *at != 'n') finding(s, SCAN_BAD_STREAM, at);
        if (!s->has_stream) s->out->stream = *at == 't';
        s->has_stream = true;
    } else {
        set_text(&s->texts[m - MEMBER_TEXT], raw, *at == '"');
    }
}

/* "name" : with the blanks around; the value comes next. */
static bool scan_name(struct scanner *s, unsigned *m)
{
    struct str raw;
    if (json_text_peek(&s->t) != '"') return broken(s, SCAN_BAD_JSON);
    if (!json_text_string(&s->t, &raw)) return broken(s, SCAN_BAD_JSON);
    *m = s->depth == 1 ? member_of(s, raw) : MEMBER_OTHER;
    json_text_space(&s->t);
    if (json_text_peek(&s->t) != ':') return broken(s, SCAN_BAD_JSON);
    s->t.p++;
    json_text_space(&s->t);
    return true;
}

/* Behind a value: passes closing brackets up to a comma (*more) or the end of the document. */
static bool after_value(struct scanner *s, bool *more)
{
    *more = false;
    while (s->depth > 0) {
        json_text_space(&s->t);
        int c = json_text_peek(&s->t);
        if (c == ',') {
            s->t.p++;
            *more = true;
            return true;
        }
        if (c != (in_object(s) ? '}' : ']')) return broken(s, SCAN_BAD_JSON);
        s->t.p++;
        s->depth--;
    }
    return true;
}

/* One element of what is innermost, or its end right after its beginning (`fresh`). *opened: it was an object or an
 * array, whose elements come next. */
static bool scan_element(struct scanner *s, bool fresh, bool *opened)
{
    *opened = false;
    json_text_space(&s->t);
    bool object = in_object(s);
    if (fresh && json_text_peek(&s->t) == (object ? '}' : ']')) return true; /* after_value() closes it */
    unsigned m = MEMBER_OTHER;
    if (object && !scan_name(s, &m)) return false;
    const unsigned char *at = s->t.p;
    struct str raw = {"", 0};
    if (json_text_peek(&s->t) == '{' || json_text_peek(&s->t) == '[') {
        *opened = true;
        if (!push(s, *at == '{')) return false;
    } else if (!json_text_scalar(&s->t, &raw)) {
        return broken(s, SCAN_BAD_JSON);
    }
    if (m != MEMBER_OTHER) take_member(s, m, at, raw);
    return true;
}

static bool scan_document(struct scanner *s)
{
    json_text_space(&s->t);
    if (json_text_peek(&s->t) != '{') return broken(s, SCAN_BAD_JSON);
    if (!push(s, true)) return false;
    bool fresh = true, more = true;
    while (more) {
        bool opened;
        if (!scan_element(s, fresh, &opened)) return false;
        fresh = opened;
        if (!opened && !after_value(s, &more)) return false;
    }
    json_text_space(&s->t);
    return s->t.p == s->t.end || broken(s, SCAN_BAD_JSON);
}

enum scan_result scan_refuse(struct scan *out, enum scan_result r, size_t at)
{
    *out = (struct scan){.error_at = at};
    return r;
}

enum scan_result scan_json(struct str body, const struct scan_limits *limits, struct scan *out)
{
    struct scanner s;
    *out = (struct scan){.model_len = 0};
    s.begin = s.t.p = (const unsigned char *)(body.p ? body.p : "");
    s.t.end = s.begin + body.n;
    s.out = out;
    s.max_model = MIN(limits->max_model, sizeof(out->model) - 1);
    s.depth = 0;
    s.max_depth = MIN(limits->max_depth, (unsigned)DEPTH_CEILING);
    s.texts = limits->texts;
    s.text_count = limits->text_count;
    for (size_t i = 0; i < s.text_count; i++) s.texts[i].value[0] = '\0';
    s.has_stream = false;
    s.found = s.broken = SCAN_OK;
    s.found_at = 0;
    if (!scan_document(&s)) return scan_refuse(out, s.broken, (size_t)(s.t.p - s.begin));
    if (s.found != SCAN_OK) return scan_refuse(out, s.found, s.found_at);
    out->model[out->model_len] = '\0';
    return out->has_model ? SCAN_OK : SCAN_NO_MODEL;
}

const char *scan_sentence(enum scan_result r)
{
    static const char *const sentences[] = {
        [SCAN_OK] = "ok",
        [SCAN_BAD_JSON] = "the request body is not a valid JSON object",
        [SCAN_TOO_DEEP] = "the request body is nested too deeply",
        [SCAN_DUPLICATE_KEY] = "`model` or `stream` is given twice in the request body; give each once",
        [SCAN_BAD_MODEL] = "`model` must be a non-empty text without control characters, not longer than the limit",
        [SCAN_BAD_STREAM] = "`stream` must be true, false or null",
        [SCAN_NO_MODEL] = "the request body has no `model`",
        [SCAN_BAD_MULTIPART] =
            "the request body is not valid multipart/form-data with the boundary of its Content-Type",
    };
    return (size_t)r < ARRAY_LEN(sentences) ? sentences[r] : "unknown";
}
