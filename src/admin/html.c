#include "admin/html.h"

#include <inttypes.h>

#include "base/check.h"

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void html_attribute(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *e = entity(s.p[i]);
        if (e)
            buf_puts(out, e);
        else
            buf_putc(out, s.p[i]);
    }
}

void html_text(struct buf *out, const char *s)
{
    char clean[2048];
    size_t n = text_clean(str_of(s), clean, sizeof clean);
    html_attribute(out, (struct str){clean, n});
}

void html_count(struct buf *out, uint64_t n)
{
    static const char suffix[] = " KMGTPE";
    uint64_t unit = 1;
    size_t i = 0;
    while (i + 2 < sizeof suffix && n / unit >= 1000) unit *= 1000, i++;
    uint64_t hundredths = i ? n / (unit / 100 ? unit / 100 : 1) : 0;
    if (!i)
        buf_printf(out, "%" PRIu64, n);
    else if (hundredths < 1000)
        buf_printf(out, "%" PRIu64 ".%02" PRIu64 "%c", hundredths / 100, hundredths % 100, suffix[i]);
    else if (hundredths < 10000)
        buf_printf(out, "%" PRIu64 ".%" PRIu64 "%c", hundredths / 100, hundredths % 100 / 10, suffix[i]);
    else
        buf_printf(out, "%" PRIu64 "%c", hundredths / 100, suffix[i]);
}

void html_ms(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000;
    if (ms < 0)
        buf_puts(out, "-");
    else if (ms < 1000)
        buf_printf(out, "%" PRId64 " ms", ms);
    else if (s < 60)
        buf_printf(out, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        buf_printf(out, "%" PRId64 "m %02" PRId64 "s", s / 60, s % 60);
    else
        buf_printf(out, "%" PRId64 "h %02" PRId64 "m", s / 3600, s % 3600 / 60);
}

void html_age(struct buf *out, int64_t seconds)
{
    int64_t s = MAX(seconds, 0);
    if (s < 120)
        buf_printf(out, "%" PRId64 "s", s);
    else if (s < 7200)
        buf_printf(out, "%" PRId64 "m", s / 60);
    else if (s < 172800)
        buf_printf(out, "%" PRId64 "h", s / 3600);
    else
        buf_printf(out, "%" PRId64 "d", s / 86400);
}

void html_money(struct buf *out, int64_t micro)
{
    uint64_t cents = (micro < 0 ? 0 - (uint64_t)micro : (uint64_t)micro) / 10000;
    buf_printf(out, "%s\u00a5%" PRIu64 ".%02" PRIu64, micro < 0 && cents ? "-" : "", cents / 100, cents % 100);
}

static const struct html_slot *slot_find(const struct html_slot *slots, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, slots[i].name)) return &slots[i];
    return NULL;
}

void html_fill(struct buf *out, struct str tpl, const struct html_slot *slots, size_t count,
               const char *(*word)(const void *arg, struct str name), const void *arg)
{
    for (;;) {
        const char *open = tpl.n ? memmem(tpl.p, tpl.n, "{{", 2) : NULL;
        if (!open) break;
        buf_add(out, tpl.p, (size_t)(open - tpl.p));
        tpl = (struct str){open + 2, tpl.n - (size_t)(open + 2 - tpl.p)};
        const char *close = memmem(tpl.p, tpl.n, "}}", 2);
        if (WARN_BUG(!close)) break;
        struct str name = {tpl.p, (size_t)(close - tpl.p)};
        tpl = (struct str){close + 2, tpl.n - name.n - 2};
        bool is_word = name.n && name.p[0] == '=';
        const char *text = is_word ? word(arg, (struct str){name.p + 1, name.n - 1}) : NULL;
        const struct html_slot *slot = is_word ? NULL : slot_find(slots, count, name);
        if (text) html_text(out, text);
        if (slot) slot->write(out, arg);
        WARN_BUG(!text && !slot);
    }
    buf_add_str(out, tpl);
}
