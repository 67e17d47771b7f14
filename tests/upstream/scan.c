#include "scan.h"

#include <stdlib.h>
#include <string.h>

static const char *blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

/* p is just after the opening quote; returns the closing quote, or NULL. */
static const char *close_quote(const char *p, const char *end)
{
    for (const char *from = p; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        const char *b = p;
        while (b > from && b[-1] == '\\') b--;
        if (((p - b) & 1) == 0) return p;
    }
    return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && *p == '"') {
        p = close_quote(p + 1, end);
        return p ? p + 1 : NULL;
    }
    if (p < end && (*p == '{' || *p == '[')) {
        size_t depth = 0;
        for (; p < end; p++) {
            if (*p == '"') {
                if (!(p = close_quote(p + 1, end))) return NULL;
            } else if (*p == '{' || *p == '[') {
                depth++;
            } else if ((*p == '}' || *p == ']') && --depth == 0) {
                return p + 1;
            }
        }
        return NULL;
    }
    const char *from = p;
    while (p < end && !strchr(",}] \n\r\t", *p)) p++;
    return p > from ? p : NULL;
}

static bool named(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(p, word, n) == 0;
}

static bool find_true(const char *v, size_t n, const char *name)
{
    const char *end = v + n, *p = memmem(v, n, name, strlen(name));
    if (!p) return false;
    p = blank(p + strlen(name), end);
    if (p >= end || *p != ':') return false;
    p = blank(p + 1, end);
    return end - p >= 4 && memcmp(p, "true", 4) == 0;
}

static void take(struct scan *s, const char *name, size_t nl, const char *v, size_t vl, int *seen)
{
    if (named(name, nl, "model")) {
        if (seen[0]++) s->duplicates++;
        bool text = *v == '"';
        s->model = text ? v + 1 : NULL;
        s->model_len = text ? vl - 2 : 0;
    } else if (named(name, nl, "stream")) {
        if (seen[1]++) s->duplicates++;
        s->stream = named(v, vl, "true");
    } else if (named(name, nl, "tools")) {
        s->tools = *v == '[' && *blank(v + 1, v + vl) != ']';
    } else if (named(name, nl, "stream_options")) {
        s->include_usage = find_true(v, vl, "\"include_usage\"");
    } else if (named(name, nl, "max_tokens") && vl < 16) {
        char digits[17] = {0};
        memcpy(digits, v, vl);
        s->max_tokens = strtol(digits, NULL, 10);
    }
}

void scan_body(const char *p, size_t n, struct scan *out)
{
    *out = (struct scan){.max_tokens = -1};
    const char *end = p + n;
    int seen[2] = {0};
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) p += 3;
    p = blank(p, end);
    if (p >= end || *p != '{') return;
    p = blank(p + 1, end);
    while (p < end && *p == '"') {
        const char *name = p + 1, *q = close_quote(name, end);
        if (!q) return;
        p = blank(q + 1, end);
        if (p >= end || *p != ':') return;
        const char *v = blank(p + 1, end);
        if (!(p = skip_value(v, end))) return;
        take(out, name, (size_t)(q - name), v, (size_t)(p - v), seen);
        p = blank(p, end);
        if (p < end && *p == ',') p = blank(p + 1, end);
    }
    out->object = p < end && *p == '}';
}
