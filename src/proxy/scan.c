/* The request body's scanner: pure functions of the bytes, one pass, no allocation, no recursion.
 *
 * JSON. The whole document is checked against RFC 8259 and must be one object. What is open is a stack of bits (1 =
 * object, 0 = array), so that a body of a million '[' costs nothing. Time goes into strings (pictures as base64):
 * string_run() passes 64 bytes a step until something that needs a look.
 *
 *     member name -> ':' -> value --(scalar)--> after value --','--> next
 *                             |                      |
 *                             +-- '{' '[' : push     +-- '}' ']' : pop, again "after value"
 *
 * A syntax error anywhere wins over what was found before it; otherwise the first finding (duplicate, bad model, bad
 * stream) is the answer. So the result does not depend on where in the body `model` stands. */
#include "proxy/scan.h"

enum {
    DEPTH_CEILING = 4096, /* bits of the stack; max_depth is at most this */
    NAME_RAW_MAX = 6 * 6, /* "stream" with every letter as \uXXXX */
};

struct scanner {
    const unsigned char *begin, *p, *end;
    struct scan *out;
    size_t max_model;
    unsigned depth, max_depth;
    bool has_stream;
    enum scan_result found; /* first finding that is no syntax error */
    size_t found_at;
    enum scan_result broken; /* syntax error or depth */
    uint64_t stack[DEPTH_CEILING / 64];
};

/* Which top-level member a value belongs to. */
enum member { MEMBER_OTHER, MEMBER_MODEL, MEMBER_STREAM };

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

static void skip_space(struct scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++;
}

/* Next byte, or -1 at the end. */
static int peek(const struct scanner *s)
{
    return s->p < s->end ? *s->p : -1;
}

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
static bool scan_escape(struct scanner *s)
{
    if (s->end - s->p < 2) {
        s->p = s->end;
        return broken(s, SCAN_BAD_JSON);
    }
    switch (s->p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': s->p += 2; return true;
    case 'u':
        if (hex4(s->p + 2, s->end) < 0) return broken(s, SCAN_BAD_JSON);
        s->p += 6;
        return true;
    default: return broken(s, SCAN_BAD_JSON);
    }
}

/* At a quote: passes the string; *raw is what stands between the quotes. */
static bool scan_string(struct scanner *s, struct str *raw)
{
    const unsigned char *from = ++s->p;
    for (;;) {
        s->p = string_run(s->p, s->end);
        int c = peek(s);
        if (c == '"') break;
        if (c != '\\') return broken(s, SCAN_BAD_JSON); /* a control character, or the end */
        if (!scan_escape(s)) return false;
    }
    *raw = (struct str){(const char *)from, (size_t)(s->p - from)};
    s->p++;
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

/* Unescapes the inside of a string that scan_string() passed. Returns the length, -1 when it does not fit or holds a
 * lone surrogate. */
static int unescape(struct str raw, char *out, size_t room)
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

/* --- values -------------------------------------------------------------------------------------------------- */

/* At least one digit. */
static bool scan_digits(struct scanner *s)
{
    const unsigned char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return s->p > from || broken(s, SCAN_BAD_JSON);
}

static bool scan_number(struct scanner *s)
{
    if (*s->p == '-') s->p++;
    if (peek(s) == '0') {
        s->p++;
    } else if (!scan_digits(s)) {
        return false;
    }
    if (peek(s) == '.') {
        s->p++;
        if (!scan_digits(s)) return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->p++;
        if (peek(s) == '+' || peek(s) == '-') s->p++;
        if (!scan_digits(s)) return false;
    }
    return true;
}

static bool scan_literal(struct scanner *s, struct str word)
{
    if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0) return broken(s, SCAN_BAD_JSON);
    s->p += word.n;
    return true;
}

static bool scan_scalar(struct scanner *s, struct str *raw)
{
    switch (peek(s)) {
    case '"': return scan_string(s, raw);
    case 't': return scan_literal(s, STR("true"));
    case 'f': return scan_literal(s, STR("false"));
    case 'n': return scan_literal(s, STR("null"));
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
    case '9': return scan_number(s);
    default: return broken(s, SCAN_BAD_JSON);
    }
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
    s->p++;
    return true;
}

static bool in_object(const struct scanner *s)
{
    return s->stack[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1;
}

/* --- the two members ------------------------------------------------------------------------------------------ */

static enum member member_of(struct str raw)
{
    char name[NAME_RAW_MAX];
    if (raw.n > NAME_RAW_MAX) return MEMBER_OTHER;
    int n = unescape(raw, name, sizeof(name));
    if (n == 5 && memcmp(name, "model", 5) == 0) return MEMBER_MODEL;
    if (n == 6 && memcmp(name, "stream", 6) == 0) return MEMBER_STREAM;
    return MEMBER_OTHER;
}

static void set_model(struct scanner *s, struct str raw, const unsigned char *at)
{
    int n = unescape(raw, s->out->model, s->max_model);
    if (n < 0 || !scan_model_text_ok((struct str){s->out->model, (size_t)n})) {
        finding(s, SCAN_BAD_MODEL, at);
        return;
    }
    s->out->model_len = (size_t)n;
    s->out->model_at = (size_t)(at - s->begin);
    s->out->model_size = raw.n + 2;
}

/* A value of the top-level object was passed: [at, s->p), `raw` its inside when it is a string; for an object or an
 * array only its first byte is known yet. */
static void take_member(struct scanner *s, enum member m, const unsigned char *at, struct str raw)
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
    }
}

/* "name" : with the blanks around; the value comes next. */
static bool scan_name(struct scanner *s, enum member *m)
{
    struct str raw;
    if (peek(s) != '"') return broken(s, SCAN_BAD_JSON);
    if (!scan_string(s, &raw)) return false;
    *m = s->depth == 1 ? member_of(raw) : MEMBER_OTHER;
    skip_space(s);
    if (peek(s) != ':') return broken(s, SCAN_BAD_JSON);
    s->p++;
    skip_space(s);
    return true;
}

/* Behind a value: passes closing brackets up to a comma (*more) or the end of the document. */
static bool after_value(struct scanner *s, bool *more)
{
    *more = false;
    while (s->depth > 0) {
        skip_space(s);
        int c = peek(s);
        if (c == ',') {
            s->p++;
            *more = true;
            return true;
        }
        if (c != (in_object(s) ? '}' : ']')) return broken(s, SCAN_BAD_JSON);
        s->p++;
        s->depth--;
    }
    return true;
}

/* One element of what is innermost, or its end right after its beginning (`fresh`). *opened: it was an object or an
 * array, whose elements come next. */
static bool scan_element(struct scanner *s, bool fresh, bool *opened)
{
    *opened = false;
    skip_space(s);
    bool object = in_object(s);
    if (fresh && peek(s) == (object ? '}' : ']')) return true; /* after_value() closes it */
    enum member m = MEMBER_OTHER;
    if (object && !scan_name(s, &m)) return false;
    const unsigned char *at = s->p;
    struct str raw = {"", 0};
    if (peek(s) == '{' || peek(s) == '[') {
        *opened = true;
        if (!push(s, *at == '{')) return false;
    } else if (!scan_scalar(s, &raw)) {
        return false;
    }
    if (m != MEMBER_OTHER) take_member(s, m, at, raw);
    return true;
}

static bool scan_document(struct scanner *s)
{
    skip_space(s);
    if (peek(s) != '{') return broken(s, SCAN_BAD_JSON);
    if (!push(s, true)) return false;
    bool fresh = true, more = true;
    while (more) {
        bool opened;
        if (!scan_element(s, fresh, &opened)) return false;
        fresh = opened;
        if (!opened && !after_value(s, &more)) return false;
    }
    skip_space(s);
    return s->p == s->end || broken(s, SCAN_BAD_JSON);
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
    s.begin = s.p = (const unsigned char *)(body.p ? body.p : "");
    s.end = s.begin + body.n;
    s.out = out;
    s.max_model = MIN(limits->max_model, sizeof(out->model) - 1);
    s.depth = 0;
    s.max_depth = MIN(limits->max_depth, (unsigned)DEPTH_CEILING);
    s.has_stream = false;
    s.found = s.broken = SCAN_OK;
    s.found_at = 0;
    if (!scan_document(&s)) return scan_refuse(out, s.broken, (size_t)(s.p - s.begin));
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
