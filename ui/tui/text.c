/* Text by cells. Every string on the screen goes through text_fit(): a table stays aligned whatever a model name or an
 * error message of the platform contains, because bytes are never counted and nothing with a doubtful width is let
 * through. */
#include "ui/tui/text.h"

#include "base/str.h"

#include <stdarg.h>
#include <wchar.h>

static bool doubtful(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xFFFD || cp == 0x061C || cp == 0x200E || cp == 0x200F ||
           (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF || cp > 0x10FFFF ||
           (cp >= 0xD800 && cp <= 0xDFFF);
}

size_t text_next(const char *s, uint32_t *cp)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    if (!p[0]) return 0;
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xE0) == 0xC0 ? 2
                 : (p[0] & 0xF0) == 0xE0 ? 3
                 : (p[0] & 0xF8) == 0xF0 ? 4
                                         : 0;
    *cp = '?';
    if (len == 0) return 1;
    uint32_t v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) return 1;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    if (v < lowest[len]) return 1;
    if (!doubtful(v)) *cp = v;
    return len;
}

int text_cell(uint32_t cp)
{
    if (cp < 0x7F) return 1;
    int w = wcwidth((wchar_t)cp);
    return w < 0 ? 1 : w;
}

int text_width(const char *s)
{
    int w = 0;
    uint32_t cp;
    for (size_t n; (n = text_next(s, &cp)) > 0; s += n) w += text_cell(cp);
    return w;
}

size_t text_prefix(const char *s, int width, int *cells)
{
    size_t at = 0;
    uint32_t cp;
    *cells = 0;
    for (size_t n; (n = text_next(s + at, &cp)) > 0; at += n) {
        int w = text_cell(cp);
        if (*cells + w > width) break;
        *cells += w;
    }
    return at;
}

static size_t encode(uint32_t cp, char *out)
{
    if (cp < 0x80) return (void)(out[0] = (char)cp), 1;
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((len == 2 ? 0xC0 : len == 3 ? 0xE0 : 0xF0) | cp);
    return len;
}

/* Copies characters while they fit `width` cells; returns the cells used. */
static int copy_cells(char *out, size_t size, size_t *o, const char *s, int width)
{
    int used = 0;
    uint32_t cp;
    for (size_t n; (n = text_next(s, &cp)) > 0; s += n) {
        char c[4];
        int w = text_cell(cp);
        if (cp >= 0x7F && wcwidth((wchar_t)cp) < 0) cp = '?';
        if (w == 0) continue;
        if (used + w > width) break;
        size_t len = encode(cp, c);
        if (*o + len >= size) break;
        memcpy(out + *o, c, len);
        *o += len;
        used += w;
    }
    return used;
}

static void pad(char *out, size_t size, size_t *o, int n)
{
    for (; n > 0 && *o + 1 < size; n--) out[(*o)++] = ' ';
}

void text_fit(char *out, size_t size, const char *s, int width, bool right)
{
    size_t o = 0;
    if (width < 0) width = 0;
    int whole = text_width(s);
    if (whole <= width) {
        if (right) pad(out, size, &o, width - whole);
        int used = copy_cells(out, size, &o, s, width);
        if (!right) pad(out, size, &o, width - used);
    } else {
        int dots = width >= 4 ? 2 : 0;
        int used = copy_cells(out, size, &o, s, width - dots);
        for (int i = 0; i < dots && o + 1 < size; i++) out[o++] = '.';
        pad(out, size, &o, width - dots - used);
    }
    out[o] = '\0';
}

size_t text_line(const char *s, int width, size_t *next)
{
    int cells;
    uint32_t cp;
    size_t n = text_prefix(s, width, &cells), blank = n;
    if (n == 0) n = blank = text_next(s, &cp);
    if (s[n]) {
        while (blank > 0 && s[blank] != ' ' && (unsigned char)s[blank] < 0x80) blank--;
        if (blank < n && s[blank] != ' ' && blank > 0) blank++; /* behind a wide character */
        if (blank > 0) n = blank;
    }
    *next = n;
    while (s[*next] == ' ') ++*next;
    return n;
}

void text_add(char *out, size_t size, const char *s)
{
    size_t n = strlen(out), add = strlen(s);
    if (n + 1 >= size) return;
    if (add > size - 1 - n) add = size - 1 - n;
    memcpy(out + n, s, add);
    out[n + add] = '\0';
}

void text_addf(char *out, size_t size, const char *fmt, ...)
{
    size_t n = strlen(out);
    va_list ap;
    va_start(ap, fmt);
    if (n + 1 < size) vsnprintf(out + n, size - n, fmt, ap);
    va_end(ap);
}

void text_mask_keys(char *out, size_t size, const char *s)
{
    enum { KEY_LEAST = 16 };
    out[0] = '\0';
    for (const char *p = s; *p;) {
        char key[256], masked[32], one[2] = {*p, '\0'};
        size_t n = strncmp(p, "sk-", 3) == 0 ? 3 : 0;
        while (n && (ascii_alnum(p[n]) || p[n] == '-' || p[n] == '_')) n++;
        if (n < KEY_LEAST) {
            text_add(out, size, one);
            p++;
            continue;
        }
        str_copy(key, sizeof key, (struct str){p, n});
        key_mask(key, masked, sizeof masked);
        text_add(out, size, masked);
        p += n;
    }
}

struct num num_plain(uint64_t v)
{
    struct num r;
    snprintf(r.s, sizeof r.s, "%llu", (unsigned long long)v);
    return r;
}

struct num num_grouped(uint64_t v)
{
    struct num plain = num_plain(v), r;
    size_t n = strlen(plain.s), o = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) r.s[o++] = ',';
        r.s[o++] = plain.s[i];
    }
    r.s[o] = '\0';
    return r;
}

struct num num_si(uint64_t v)
{
    static const char units[] = "KMGTPE";
    if (v < 1000) return num_plain(v);
    struct num r;
    double d = (double)v;
    size_t u = 0;
    for (d /= 1000; d >= 999.5 && u < sizeof units - 2; d /= 1000) u++;
    snprintf(r.s, sizeof r.s, d >= 99.95 ? "%.0f%c" : "%.1f%c", d, units[u]);
    return r;
}

struct num num_seconds(int64_t ms)
{
    struct num r;
    double s = (double)ms / 1000;
    if (ms < 0)
        snprintf(r.s, sizeof r.s, "?");
    else
        snprintf(r.s, sizeof r.s, s < 9.995 ? "%.2f" : s < 99.95 ? "%.1f" : "%.0f", s);
    return r;
}

struct num num_span(int64_t ms)
{
    struct num r;
    long long s = ms > 0 ? (ms + 999) / 1000 : 0;
    if (s < 100)
        snprintf(r.s, sizeof r.s, "%llds", s);
    else if (s < 100 * 60)
        snprintf(r.s, sizeof r.s, "%lldm", (s + 59) / 60);
    else if (s < 48 * 3600)
        snprintf(r.s, sizeof r.s, "%lldh", (s + 3599) / 3600);
    else
        snprintf(r.s, sizeof r.s, "%lldd", (s + 86399) / 86400);
    return r;
}

struct num num_uptime(int64_t s)
{
    struct num r;
    long long v = s > 0 ? s : 0;
    if (v >= 86400)
        snprintf(r.s, sizeof r.s, "%lldd%02lldh", v / 86400, v / 3600 % 24);
    else if (v >= 3600)
        snprintf(r.s, sizeof r.s, "%lldh%02lldm", v / 3600, v / 60 % 60);
    else
        snprintf(r.s, sizeof r.s, "%lldm%02llds", v / 60, v % 60);
    return r;
}

struct num num_money(int64_t micro)
{
    struct num r;
    snprintf(r.s, sizeof r.s, "%.2f", (double)micro / 1e6);
    return r;
}

struct num num_cost(int64_t micro)
{
    struct num r;
    if (micro < 0)
        snprintf(r.s, sizeof r.s, "?");
    else
        snprintf(r.s, sizeof r.s, micro && micro < 1000000 ? "%.4f" : "%.2f", (double)micro / 1e6);
    return r;
}

struct num num_percent(uint64_t part, uint64_t whole)
{
    struct num r;
    double p = whole ? 100.0 * (double)part / (double)whole : 0;
    if (!whole)
        snprintf(r.s, sizeof r.s, "-");
    else
        snprintf(r.s, sizeof r.s, p >= 99.95 || p < 0.05 ? "%.0f%%" : "%.1f%%", p);
    return r;
}
