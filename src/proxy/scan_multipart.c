/* The multipart scanner: finds the part named `model` in a form (RFC 7578). Pure, one pass, no allocation; content is
 * passed with memmem(), so pictures and sound cost nothing.
 *
 *     [preamble CRLF] --boundary CRLF head CRLF CRLF content CRLF --boundary ... CRLF --boundary-- [epilogue]
 *
 * Only what every parser reads alike is let through, because the upstream must read the same model as we do: a
 * delimiter followed by anything but "--" or the end of its line, a header block that runs into a delimiter, two
 * Content-Disposition lines in a part, a name given twice are refused. */
#include "proxy/scan.h"

enum {
    BOUNDARY_MAX = 70,     /* RFC 2046 §5.1.1 */
    PART_HEAD_MAX = 16384, /* header bytes of one part */
};

/* Next "; name=value" parameter of a header value, value unquoted into *value (a slice of `room` when it had
 * escapes). False at the end or when malformed (*bad). */
struct params {
    struct str rest;
    bool bad;
    char room[256];
};

/* At a quote. Returns the unescaped text. */
static struct str quoted_value(struct params *ps)
{
    struct str r = ps->rest;
    size_t n = 0, i = 1;
    while (i < r.n && r.p[i] != '"') {
        if (r.p[i] == '\\' && i + 1 < r.n) i++;
        if (n < sizeof(ps->room)) ps->room[n++] = r.p[i];
        i++;
    }
    ps->bad = i >= r.n; /* no closing quote */
    i = MIN(i + 1, r.n);
    ps->rest = (struct str){r.p + i, r.n - i};
    return (struct str){ps->room, n};
}

static bool next_param(struct params *ps, struct str *name, struct str *value)
{
    struct str r = str_trim(ps->rest);
    if (ps->bad || r.n == 0 || r.p[0] != ';') {
        ps->bad = ps->bad || r.n > 0;
        return false;
    }
    r = str_trim((struct str){r.p + 1, r.n - 1});
    if (r.n == 0) return false; /* a trailing ';' */
    size_t i = 0;
    while (i < r.n && r.p[i] != '=' && r.p[i] != ';') i++;
    *name = str_trim((struct str){r.p, i});
    if (i == r.n || r.p[i] == ';') {
        ps->bad = true;
        return false;
    }
    ps->rest = str_trim((struct str){r.p + i + 1, r.n - i - 1});
    if (ps->rest.n > 0 && ps->rest.p[0] == '"') {
        *value = quoted_value(ps);
        return !ps->bad;
    }
    size_t n = 0;
    while (n < ps->rest.n && ps->rest.p[n] != ';') n++;
    *value = str_trim((struct str){ps->rest.p, n});
    ps->rest = (struct str){ps->rest.p + n, ps->rest.n - n};
    return true;
}

/* Cuts the part before the first ';' off. */
static struct str main_value(struct str v, struct params *ps)
{
    size_t i = 0;
    while (i < v.n && v.p[i] != ';') i++;
    ps->rest = (struct str){v.p + i, v.n - i};
    ps->bad = false;
    return str_trim((struct str){v.p, i});
}

/* "\r\n--boundary" from the content type. */
static bool make_delimiter(struct str content_type, char *out, size_t *n)
{
    struct params ps;
    struct str type = main_value(content_type, &ps), name, value;
    if (!str_ieq(type, STR("multipart/form-data"))) return false;
    bool seen = false;
    while (next_param(&ps, &name, &value)) {
        if (!str_ieq(name, STR("boundary"))) continue;
        if (seen || value.n == 0 || value.n > BOUNDARY_MAX || value.p[value.n - 1] == ' ') return false;
        for (size_t i = 0; i < value.n; i++) {
            if ((unsigned char)value.p[i] < 0x20 || (unsigned char)value.p[i] >= 0x7F) return false;
        }
        seen = true;
        memcpy(out, "\r\n--", 4);
        memcpy(out + 4, value.p, value.n);
        *n = value.n + 4;
    }
    return seen && !ps.bad;
}

struct part {
    bool has_disposition, is_model, is_file;
};

static bool part_disposition(struct part *part, struct str value)
{
    struct params ps;
    struct str type = main_value(value, &ps), name, text;
    if (part->has_disposition || !str_ieq(type, STR("form-data"))) return false;
    part->has_disposition = true;
    bool named = false;
    while (next_param(&ps, &name, &text)) {
        if (str_ieq(name, STR("name"))) {
            if (named) return false;
            named = true;
            part->is_model = str_is(text, "model");
        } else if (str_ieq(name, STR("filename")) || str_ieq(name, STR("filename*"))) {
            part->is_file = true;
        }
    }
    return named && !ps.bad;
}

static bool part_header(struct part *part, struct str line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon) return false;
    struct str name = {line.p, (size_t)(colon - line.p)};
    if (!str_ieq(name, STR("content-disposition"))) return true;
    return part_disposition(part, str_trim((struct str){colon + 1, line.n - name.n - 1}));
}

/* Reads header lines and the empty one; *rest is then the content. */
static bool part_head(struct str *rest, struct str dash_boundary, struct part *part)
{
    size_t used = 0;
    *part = (struct part){false, false, false};
    for (;;) {
        size_t window = MIN(rest->n, (size_t)PART_HEAD_MAX - used);
        const char *lf = window ? memchr(rest->p, '\n', window) : NULL;
        if (!lf || lf == rest->p || lf[-1] != '\r') return false;
        struct str line = {rest->p, (size_t)(lf - rest->p) - 1};
        used += line.n + 2;
        *rest = (struct str){lf + 1, rest->n - line.n - 2};
        if (line.n == 0) return part->has_disposition;
        if (line.n >= dash_boundary.n && memcmp(line.p, dash_boundary.p, dash_boundary.n) == 0) return false;
        if (!part_header(part, line)) return false;
    }
}

/* Behind a delimiter: 1 another part follows, 0 that was the last, -1 malformed. */
static int delimiter_end(struct str *rest)
{
    if (rest->n >= 2 && rest->p[0] == '-' && rest->p[1] == '-') return 0;
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) *rest = (struct str){rest->p + 1, rest->n - 1};
    if (rest->n < 2 || rest->p[0] != '\r' || rest->p[1] != '\n') return -1;
    *rest = (struct str){rest->p + 2, rest->n - 2};
    return 1;
}

/* Content up to the next delimiter, which is passed. */
static bool part_content(struct str *rest, struct str delimiter, struct str *content)
{
    /* The CRLF that ends the header block may be the one that begins the delimiter: an empty content without it. */
    struct str hay = {rest->p - 2, rest->n + 2};
    const char *at = memmem(hay.p, hay.n, delimiter.p, delimiter.n);
    if (!at) return false;
    size_t n = at < rest->p ? 0 : (size_t)(at - rest->p);
    *content = (struct str){rest->p, n};
    const char *next = at + delimiter.n;
    *rest = (struct str){next, (size_t)(rest->p + rest->n - next)};
    return true;
}

static enum scan_result take_model_part(struct scan *out, const struct part *part, struct str body, struct str content,
                                        size_t max)
{
    if (out->has_model) return SCAN_DUPLICATE_KEY;
    struct str value = content;
    while (value.n > 0 && (value.p[0] == '\r' || value.p[0] == '\n')) value = (struct str){value.p + 1, value.n - 1};
    while (value.n > 0 && (value.p[value.n - 1] == '\r' || value.p[value.n - 1] == '\n')) value.n--;
    if (part->is_file || value.n > MIN(max, sizeof(out->model) - 1) || !scan_model_text_ok(value))
        return SCAN_BAD_MODEL;
    str_copy(out->model, sizeof(out->model), value);
    out->model_len = value.n;
    out->model_at = (size_t)(value.p - body.p);
    out->model_size = value.n;
    out->has_model = true;
    return SCAN_OK;
}

/* The first delimiter: at the very beginning, or after a preamble. */
static bool first_delimiter(struct str *rest, struct str delimiter)
{
    struct str dash = {delimiter.p + 2, delimiter.n - 2};
    const char *next;
    if (rest->n >= dash.n && memcmp(rest->p, dash.p, dash.n) == 0) {
        next = rest->p + dash.n;
    } else {
        const char *at = rest->n ? memmem(rest->p, rest->n, delimiter.p, delimiter.n) : NULL;
        if (!at) return false;
        next = at + delimiter.n;
    }
    *rest = (struct str){next, (size_t)(rest->p + rest->n - next)};
    return true;
}

enum scan_result scan_multipart(struct str body, struct str content_type, const struct scan_limits *limits,
                                struct scan *out)
{
    char text[4 + BOUNDARY_MAX];
    struct str delimiter = {text, 0}, rest = body, content;
    enum scan_result found = SCAN_OK;
    struct part part;
    *out = (struct scan){.model_len = 0};
    if (!make_delimiter(content_type, text, &delimiter.n)) return SCAN_BAD_MULTIPART;
    struct str dash_boundary = {text + 2, delimiter.n - 2};
    if (!first_delimiter(&rest, delimiter)) return SCAN_BAD_MULTIPART;
    int more;
    while ((more = delimiter_end(&rest)) > 0) {
        if (!part_head(&rest, dash_boundary, &part) || !part_content(&rest, delimiter, &content)) {
            more = -1;
            break;
        }
        if (!part.is_model || found != SCAN_OK) continue;
        found = take_model_part(out, &part, body, content, limits->max_model);
        if (found != SCAN_OK) out->error_at = (size_t)(content.p - body.p);
    }
    if (more < 0) return scan_refuse(out, SCAN_BAD_MULTIPART, (size_t)(rest.p - body.p));
    if (found != SCAN_OK) return scan_refuse(out, found, out->error_at);
    return out->has_model ? SCAN_OK : SCAN_NO_MODEL;
}
