#include "base/json.h"

#include "base/check.h"

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

static void before_value(struct json *j)
{
    if (j->has_items[j->depth]) buf_putc(j->out, ',');
    j->has_items[j->depth] = true;
}

static void open_level(struct json *j, char c)
{
    before_value(j);
    BUG_ON(j->depth + 1 >= ARRAY_LEN(j->has_items));
    j->has_items[++j->depth] = false;
    buf_putc(j->out, c);
}

static void close_level(struct json *j, char c)
{
    BUG_ON(j->depth == 0);
    j->depth--;
    buf_putc(j->out, c);
}

void json_object(struct json *j)
{
    open_level(j, '{');
}

void json_object_end(struct json *j)
{
    close_level(j, '}');
}

void json_array(struct json *j)
{
    open_level(j, '[');
}

void json_array_end(struct json *j)
{
    close_level(j, ']');
}

void json_name(struct json *j, const char *name)
{
    before_value(j);
    json_quote(j->out, str_of(name));
    buf_putc(j->out, ':');
    j->has_items[j->depth] = false; /* the value follows without a comma */
}

static size_t char_len(unsigned char c)
{
    return c < 0x80 ? 1 : (c & 0xE0) == 0xC0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : (c & 0xF8) == 0xF0 ? 4 : 0;
}

/* Valid UTF-8 of length 2..4 at p? text_clean() is the judge, so that both agree on what is text. */
static bool valid_at(const char *p, size_t len, size_t left)
{
    char one[8];
    if (len < 2 || len > left) return false;
    return text_clean((struct str){p, len}, one, sizeof one) == len && memcmp(one, p, len) == 0;
}

void json_quote(struct buf *out, struct str s)
{
    static const char short_for[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = char_len(c);
        if (c >= 0x80) {
            bool ok = valid_at(s.p + i, len, s.n - i);
            buf_add(out, ok ? s.p + i : "?", ok ? len : 1);
            i += ok ? len : 1;
            continue;
        }
        const char *hit = NULL;
        for (size_t k = 0; k + 1 < sizeof short_for && !hit; k += 2)
            if (short_for[k] == (char)c) hit = short_for + k;
        if (hit)
            buf_printf(out, "\\%c", hit[1]);
        else if (c < 0x20 || c == 0x7F || c == '<')
            buf_printf(out, "\\u%04x", c); /* '<' so that JSON may stand inside a page */
        else
            buf_putc(out, (char)c);
        i++;
    }
    buf_putc(out, '"');
}

void json_str(struct json *j, struct str s)
{
    before_value(j);
    json_quote(j->out, s);
}

void json_cstr(struct json *j, const char *s)
{
    if (s)
        json_str(j, str_of(s));
    else
        json_null(j);
}

void json_int(struct json *j, int64_t v)
{
    before_value(j);
    buf_printf(j->out, "%lld", (long long)v);
}

void json_bool(struct json *j, bool v)
{
    before_value(j);
    buf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
    before_value(j);
    buf_puts(j->out, "null");
}

void json_micro(struct json *j, int64_t micro)
{
    uint64_t v = micro < 0 ? 0 - (uint64_t)micro : (uint64_t)micro;
    char frac[8];
    snprintf(frac, sizeof frac, ".%06llu", (unsigned long long)(v % 1000000));
    size_t n = strlen(frac);
    while (n && (frac[n - 1] == '0' || frac[n - 1] == '.')) n--;
    before_value(j);
    buf_printf(j->out, "%s%llu%.*s", micro < 0 ? "-" : "", (unsigned long long)(v / 1000000), (int)n, frac);
}

void json_tenths(struct json *j, int64_t tenths)
{
    uint64_t v = tenths < 0 ? 0 - (uint64_t)tenths : (uint64_t)tenths;
    before_value(j);
    buf_printf(j->out, "%s%llu.%llu", tenths < 0 ? "-" : "", (unsigned long long)(v / 10),
               (unsigned long long)(v % 10));
}

void json_put_str(struct json *j, const char *name, const char *s)
{
    json_name(j, name);
    json_cstr(j, s);
}

void json_put_int(struct json *j, const char *name, int64_t v)
{
    json_name(j, name);
    json_int(j, v);
}

void json_put_bool(struct json *j, const char *name, bool v)
{
    json_name(j, name);
    json_bool(j, v);
}

void json_put_known(struct json *j, const char *name, int64_t v)
{
    json_name(j, name);
    if (v < 0)
        json_null(j);
    else
        json_int(j, v);
}

void json_put_known_micro(struct json *j, const char *name, int64_t micro)
{
    json_name(j, name);
    if (micro < 0)
        json_null(j);
    else
        json_micro(j, micro);
}
