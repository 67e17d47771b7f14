#include "proxy/route.h"

struct row {
    const char *method; /* NULL: any of the methods that may be forwarded */
    const char *path;   /* without /v1 */
    enum route_kind kind;
    enum body_kind body;
    enum dialect dialect;
    bool upload;
    bool prefix; /* also everything below path + "/" */
};

static const struct row rows[] = {
    {"POST", "/chat/completions", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/completions", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/embeddings", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/rerank", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/images/generations", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/audio/speech", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"POST", "/audio/transcriptions", ROUTE_KIND_POOLED, BODY_MULTIPART, DIALECT_OPENAI, true, false},
    {"POST", "/messages", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_ANTHROPIC, false, false},
    {NULL, "/messages", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_ANTHROPIC, false, true}, /* count_tokens, batches */
    {"GET", "/models", ROUTE_KIND_OWN, BODY_ANY, DIALECT_OPENAI, false, true},
    {"POST", "/video/submit", ROUTE_KIND_POOLED, BODY_JSON, DIALECT_OPENAI, false, false},
    {"GET", "/dashboard", ROUTE_KIND_OWN, BODY_ANY, DIALECT_OPENAI, false, true},
    {NULL, "/video", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, false, true},
    {NULL, "/files", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, true, true},
    {NULL, "/batches", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, false, true},
    {NULL, "/uploads", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, true, true},
    {NULL, "/audio/voice", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, false, true},
};

/* What clients of OpenAI ask for and the platform does not have: told here, before a key is used. Also what is below.
 */
static const struct {
    const char *path, *instead;
} not_offered[] = {
    {"/responses",
     "the platform has no Responses API: use POST /v1/chat/completions (Codex CLI speaks nothing else; put a "
     "converter such as CC Switch in between)"},
    {"/realtime", "the platform has no realtime API: use POST /v1/chat/completions with stream: true, and "
                  "/v1/audio/transcriptions and /v1/audio/speech for sound"},
    {"/moderations", "the platform has no moderation endpoint: ask a chat model with POST /v1/chat/completions"},
    {"/images/edits",
     "the platform has no /v1/images/edits: use POST /v1/images/generations with an editing model such as "
     "Qwen/Qwen-Image-Edit-2509 and the picture in `image`, as a URL or a data: URI"},
    {"/images/variations",
     "the platform has no /v1/images/variations: use POST /v1/images/generations with a model that "
     "takes a picture in `image`, as a URL or a data: URI"},
};

static bool path_char_ok(char c)
{
    return ascii_alnum(c) || (c && memchr("-._~!$&'()*+,;=:@/", c, 19));
}

/* Copies with doubled slashes made one. Percent-encoding is refused: no route of the platform needs it, and what is not
 * decoded cannot be decoded differently by somebody else. The exception is a model's id below /models, whose slash
 * SDKs encode: it is looked up here and goes nowhere. */
static bool collapse(struct str path, char *out, size_t size)
{
    size_t o = 0;
    if (!path.n || path.p[0] != '/') return false;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '/' && o && out[o - 1] == '/') continue;
        if (!path_char_ok(path.p[i]) || o + 1 >= size) return false;
        out[o++] = path.p[i];
    }
    if (o > 1 && out[o - 1] == '/') o--;
    out[o] = '\0';
    return true;
}

static bool has_dot_segment(const char *path)
{
    for (const char *p = strstr(path, "/."); p; p = strstr(p + 1, "/.")) {
        const char *end = p + 2 + (p[2] == '.');
        if (*end == '/' || *end == ';' || *end == '\0') return true; /* some servers drop "..;x" like ".." */
    }
    return false;
}

static bool under(const char *path, const char *base)
{
    size_t n = strlen(base);
    return strncmp(path, base, n) == 0 && path[n] == '/';
}

static const char *without_v1(const char *path)
{
    while (under(path, "/v1")) path += 3;
    return path;
}

bool route_path(struct str path, bool strip_v1, char *out, size_t size)
{
    if (!collapse(path, out, size) || has_dot_segment(out)) return false;
    const char *rest = without_v1(out);
    if (strip_v1 && rest != out) memmove(out, rest, strlen(rest) + 1);
    return true;
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, ascii_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* %XX undone; false when malformed or too long. */
static bool unescape(struct str in, char *out, size_t size)
{
    size_t o = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1, low = high < 0 ? -1 : hex_value(in.p[i + 2]);
            if (low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c || o + 1 >= size) return false;
        out[o++] = c;
    }
    out[o] = '\0';
    return true;
}

static bool may_forward(struct str method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_is(method, methods[i])) return true;
    return false;
}

static bool method_fits(const struct row *r, const struct head *h)
{
    if (!r->method) return may_forward(h->method);
    return str_is(h->method, r->method) || (h->is_head && strcmp(r->method, "GET") == 0);
}

static void fill(struct route *out, const struct row *r, const char *path)
{
    out->kind = r->kind;
    out->body = r->body;
    out->dialect = r->dialect;
    out->upload = r->upload;
    str_copy(out->path, sizeof out->path, str_of(path + 1));
}

static const char *what_instead(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(not_offered); i++)
        if (strcmp(path, not_offered[i].path) == 0 || under(path, not_offered[i].path)) return not_offered[i].instead;
    return NULL;
}

enum route_result route_find(const struct head *h, struct route *out, const char **allow)
{
    static const struct row forward = {NULL, "", ROUTE_KIND_FORWARD, BODY_ANY, DIALECT_OPENAI, true, true};
    char whole[1024], plain[1024];
    struct str asked = h->path;
    bool escaped = memchr(asked.p, '%', asked.n) != NULL;
    *allow = NULL;
    if (escaped) {
        if (!unescape(asked, plain, sizeof plain)) return ROUTE_NOT_FOUND;
        asked = str_of(plain);
    }
    if (!route_path(asked, false, whole, sizeof whole)) return ROUTE_NOT_FOUND;
    const char *path = without_v1(whole);
    if (escaped && !under(path, "/models")) return ROUTE_NOT_FOUND;
    *allow = what_instead(path);
    if (*allow) return ROUTE_NOT_OFFERED;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        if (strcmp(path, r->path) != 0 && !(r->prefix && under(path, r->path))) continue;
        fill(out, r, path);
        if (method_fits(r, h)) return ROUTE_FOUND;
        *allow = r->method ? (strcmp(r->method, "GET") == 0 ? "GET, HEAD, OPTIONS" : "POST, OPTIONS")
                           : "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        return ROUTE_BAD_METHOD;
    }
    if (under(whole, "/v1")) {
        fill(out, &forward, path);
        *allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        return may_forward(h->method) ? ROUTE_FOUND : ROUTE_BAD_METHOD;
    }
    out->kind = ROUTE_KIND_OWN;
    out->dialect = DIALECT_OPENAI;
    str_copy(out->path, sizeof out->path, str_of(whole + 1));
    return ROUTE_FOUND;
}
