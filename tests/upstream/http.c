/* Request parsing. Strict where a proxy in front could be caught smuggling: both Content-Length and
 * Transfer-Encoding, two lengths, signs, blanks before a colon, folded lines and bare CR are refused, and the report
 * counts each refusal, so a test can demand that there was none. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_HEAD = 1 << 20 };

static bool is_token(const char *p, size_t n)
{
    if (!n) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c)) return false;
    }
    return true;
}

static bool same(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

static bool contains(const char *p, size_t n, const char *word)
{
    size_t w = strlen(word);
    for (size_t i = 0; i + w <= n; i++) {
        if (strncasecmp(p + i, word, w) == 0) return true;
    }
    return false;
}

static bool request_line(struct request *rq, const char *p, size_t n)
{
    const char *sp1 = memchr(p, ' ', n);
    if (!sp1 || !is_token(p, (size_t)(sp1 - p)) || (size_t)(sp1 - p) >= sizeof rq->method) return false;
    const char *target = sp1 + 1, *end = p + n, *sp2 = memchr(target, ' ', (size_t)(end - target));
    if (!sp2 || sp2 == target || end - sp2 != 9 || memcmp(sp2, " HTTP/1.", 8) != 0) return false;
    if (sp2[8] != '0' && sp2[8] != '1') return false;
    memcpy(rq->method, p, (size_t)(sp1 - p));
    rq->method[sp1 - p] = 0;
    rq->minor = sp2[8] - '0';
    buf_clear(&rq->target, 4096);
    buf_add(&rq->target, target, (size_t)(sp2 - target));
    buf_putc(&rq->target, 0);
    rq->path = buf_data(&rq->target);
    char *q = strchr(rq->path, '?');
    rq->query = q ? q + 1 : rq->path + strlen(rq->path);
    if (q) *q = 0;
    return true;
}

static bool read_length(struct request *rq, const char *v, size_t n, bool *seen)
{
    if (*seen || !n || n > 15) return false;
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i] < '0' || v[i] > '9') return false;
        x = x * 10 + (uint64_t)(v[i] - '0');
    }
    rq->length = x;
    return *seen = true;
}

static bool take_field(struct request *rq, const char *base, const char *p, size_t n, bool *has_length)
{
    const char *colon = memchr(p, ':', n);
    if (!colon || !is_token(p, (size_t)(colon - p))) return false;
    const char *v = colon + 1, *end = p + n;
    while (v < end && (*v == ' ' || *v == '\t')) v++;
    while (end > v && (end[-1] == ' ' || end[-1] == '\t')) end--;
    size_t nl = (size_t)(colon - p), vl = (size_t)(end - v);
    if (rq->n_fields == rq->cap_fields) {
        rq->cap_fields = rq->cap_fields ? rq->cap_fields * 2 : 16;
        rq->fields = realloc(rq->fields, rq->cap_fields * sizeof *rq->fields);
        if (!rq->fields) abort();
    }
    rq->fields[rq->n_fields++] = (struct field){(uint32_t)(p - base), (uint32_t)nl, (uint32_t)(v - base), (uint32_t)vl};
    switch (nl) {
    case 6:
        if (same(p, nl, "expect")) rq->expect = contains(v, vl, "100-continue");
        break;
    case 10:
        if (!same(p, nl, "connection")) break;
        if (contains(v, vl, "close")) rq->keep_alive = false;
        if (rq->minor == 0 && contains(v, vl, "keep-alive")) rq->keep_alive = true;
        break;
    case 14:
        if (same(p, nl, "content-length")) return read_length(rq, v, vl, has_length);
        break;
    case 17:
        if (!same(p, nl, "transfer-encoding")) break;
        if (rq->chunked || !same(v, vl, "chunked")) return false;
        rq->chunked = true;
        break;
    }
    return true;
}

long http_head(struct request *rq, const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return n > MAX_HEAD ? -1 : 0;
    size_t len = (size_t)(end - p) + 4;
    buf_clear(&rq->head, 16384);
    buf_add(&rq->head, p, len);
    const char *base = buf_data(&rq->head), *line = base, *last = base + len - 2;
    bool has_length = false;
    rq->n_fields = 0;
    rq->chunked = rq->expect = false;
    rq->length = 0;
    rq->chunk_state = 0;
    buf_clear(&rq->body, 65536);
    for (bool first = true; line < last; first = false) {
        const char *eol = memmem(line, (size_t)(last + 2 - line), "\r\n", 2);
        size_t ll = (size_t)(eol - line);
        if (memchr(line, '\r', ll) || memchr(line, '\n', ll) || memchr(line, 0, ll)) return -1;
        if (first) {
            if (!request_line(rq, line, ll)) return -1;
            rq->keep_alive = rq->minor == 1;
        } else if (!take_field(rq, base, line, ll, &has_length)) {
            return -1;
        }
        line = eol + 2;
    }
    if (has_length && rq->chunked) return -1;
    return (long)len;
}

/* States: 0 size line, 1 data, 2 CRLF after data, 3 trailer lines. */
int http_chunked(struct request *rq, const char *p, size_t n, size_t *used)
{
    size_t i = 0;
    *used = 0;
    while (i < n) {
        if (rq->chunk_state == 1) {
            size_t take = n - i < rq->chunk_left ? n - i : (size_t)rq->chunk_left;
            buf_add(&rq->body, p + i, take);
            i += take;
            rq->chunk_left -= take;
            if (!rq->chunk_left) rq->chunk_state = 2;
            *used = i;
            continue;
        }
        const char *eol = memchr(p + i, '\n', n - i);
        if (!eol) return n - i > 4096 ? -1 : 0;
        const char *line = p + i;
        size_t ll = (size_t)(eol - line);
        if (!ll || line[ll - 1] != '\r') return -1;
        ll--;
        i = (size_t)(eol - p) + 1;
        *used = i;
        if (rq->chunk_state == 2) {
            if (ll) return -1;
            rq->chunk_state = 0;
        } else if (rq->chunk_state == 3) {
            if (!ll) return 1;
        } else {
            uint64_t size = 0;
            size_t k = 0;
            for (; k < ll && k < 15; k++) {
                const char *hex = "0123456789abcdef", *d = strchr(hex, line[k] | 0x20);
                if (!line[k] || !d) break;
                size = size * 16 + (uint64_t)(d - hex);
            }
            if (!k || (k < ll && line[k] != ';')) return -1;
            rq->chunk_left = size;
            rq->chunk_state = size ? 1 : 3;
        }
    }
    return 0;
}

bool http_header(const struct request *rq, const char *name, char *out, size_t size)
{
    const char *base = buf_data(&rq->head);
    size_t n = strlen(name);
    for (size_t i = 0; i < rq->n_fields; i++) {
        const struct field *f = &rq->fields[i];
        if (f->name_len != n || strncasecmp(base + f->name, name, n) != 0) continue;
        size_t len = f->value_len < size - 1 ? f->value_len : size - 1;
        memcpy(out, base + f->value, len);
        out[len] = 0;
        return true;
    }
    out[0] = 0;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void url_decode(const char *p, size_t n, char *out, size_t size)
{
    size_t o = 0;
    for (size_t i = 0; i < n && o + 1 < size; i++) {
        if (p[i] == '%' && i + 2 < n && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0) {
            out[o++] = (char)(hex_digit(p[i + 1]) * 16 + hex_digit(p[i + 2]));
            i += 2;
        } else {
            out[o++] = p[i] == '+' ? ' ' : p[i];
        }
    }
    out[o] = 0;
}

bool http_query(const char *query, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);
    for (const char *p = query; p && *p;) {
        size_t len = strcspn(p, "&");
        if (len > n && p[n] == '=' && strncmp(p, name, n) == 0) {
            url_decode(p + n + 1, len - n - 1, out, size);
            return true;
        }
        p += len + (p[len] == '&');
    }
    out[0] = 0;
    return false;
}

long http_query_long(const char *query, const char *name, long otherwise)
{
    char v[32];
    if (!http_query(query, name, v, sizeof v) || !v[0]) return otherwise;
    return strtol(v, NULL, 10);
}

/* Copies the attribute key="..." of a part's Content-Disposition line. */
static bool attribute(const char *p, size_t n, const char *key, char *out, size_t size)
{
    char needle[40];
    snprintf(needle, sizeof needle, " %s=\"", key);
    const char *at = memmem(p, n, needle, strlen(needle));
    if (!at) return false;
    at += strlen(needle);
    const char *q = memchr(at, '"', (size_t)(p + n - at));
    if (!q || (size_t)(q - at) >= size) return false;
    memcpy(out, at, (size_t)(q - at));
    out[q - at] = 0;
    return true;
}

bool http_part(const struct request *rq, const char *body, size_t n, const char *name, const char **part,
               size_t *part_len, char *filename, size_t filename_size)
{
    char type[512], mark[300], got[128];
    http_header(rq, "content-type", type, sizeof type);
    const char *b = strcasestr(type, "boundary=");
    if (!b) return false;
    b += 9;
    size_t bl = *b == '"' ? strcspn(++b, "\"") : strcspn(b, "; \t");
    if (!bl || bl > 250) return false;
    int ml = snprintf(mark, sizeof mark, "--%.*s", (int)bl, b);
    const char *end = body + n, *p = memmem(body, n, mark, (size_t)ml);
    while (p) {
        const char *head = p + ml;
        const char *data = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
        if (!data) return false;
        size_t head_len = (size_t)(data - head);
        data += 4;
        const char *next = memmem(data, (size_t)(end - data), mark, (size_t)ml);
        if (!next || next - data < 2) return false;
        if (attribute(head, head_len, "name", got, sizeof got) && strcmp(got, name) == 0) {
            *part = data;
            *part_len = (size_t)(next - data) - 2;
            if (filename && !attribute(head, head_len, "filename", filename, filename_size)) filename[0] = 0;
            return true;
        }
        p = next;
    }
    return false;
}

void http_reset(struct request *rq)
{
    buf_clear(&rq->body, 65536);
    rq->n_fields = 0;
}

void http_free(struct request *rq)
{
    buf_free(&rq->head);
    buf_free(&rq->target);
    buf_free(&rq->body);
    free(rq->fields);
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {{200, "OK"},
                {301, "Moved Permanently"},
                {302, "Found"},
                {303, "See Other"},
                {307, "Temporary Redirect"},
                {308, "Permanent Redirect"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {402, "Payment Required"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {410, "Gone"},
                {413, "Content Too Large"},
                {429, "Too Many Requests"},
                {451, "Unavailable For Legal Reasons"},
                {500, "Internal Server Error"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].status == status) return rows[i].text;
    }
    return "Status";
}
