#include "base/str.h"

#include "base/mem.h"

bool str_ieq_bytes(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
    return true;
}

bool str_starts(struct str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool str_ends(struct str a, const char *suffix)
{
    size_t n = strlen(suffix);
    return a.n >= n && (n == 0 || memcmp(a.p + a.n - n, suffix, n) == 0);
}

bool str_icontains(struct str hay, const char *needle)
{
    size_t n = strlen(needle);
    for (size_t i = 0; i + n <= hay.n; i++) {
        size_t k = 0;
        while (k < n && ascii_lower(hay.p[i + k]) == needle[k]) k++;
        if (k == n) return true;
    }
    return false;
}

struct str str_trim(struct str s)
{
    while (s.n && ascii_space(s.p[0])) s.p++, s.n--;
    while (s.n && ascii_space(s.p[s.n - 1])) s.n--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *part)
{
    if (!rest->p) return false;
    const char *at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
    if (!at) {
        *part = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    *part = (struct str){rest->p, (size_t)(at - rest->p)};
    rest->n -= part->n + 1;
    rest->p = at + 1;
    return true;
}

char *str_dup(struct str s)
{
    return xstrndup(s.p ? s.p : "", s.n);
}

bool str_copy(char *to, size_t size, struct str s)
{
    size_t n = MIN(s.n, size - 1);
    if (n) memcpy(to, s.p, n);
    to[n] = '\0';
    return n == s.n;
}

bool str_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_digit(s.p[i])) return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *out = v;
    return true;
}

bool str_size(struct str s, uint64_t *out)
{
    uint64_t unit = 1;
    if (s.n) {
        char last = ascii_lower(s.p[s.n - 1]);
        unit = last == 'k' ? 1024u : last == 'm' ? 1024u * 1024 : last == 'g' ? 1024ull * 1024 * 1024 : 1;
        if (unit != 1) s.n--;
    }
    return str_u64(s, out) && !__builtin_mul_overflow(*out, unit, out);
}

bool str_duration_ms(struct str s, int64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t v, unit = 0;
    for (size_t i = 0; i < ARRAY_LEN(units) && !unit; i++) {
        if (!str_ends(s, units[i].suffix)) continue;
        unit = units[i].ms;
        s.n -= strlen(units[i].suffix);
    }
    if (!str_u64(s, &v) || (!unit && v != 0)) return false;
    if (__builtin_mul_overflow(v, unit, &v) || v > INT64_MAX) return false;
    *out = (int64_t)v;
    return true;
}

bool str_micro(struct str s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    struct str whole, rest = {s.p + negative, s.n - negative};
    uint64_t units, frac = 0;
    if (!str_split(&rest, '.', &whole) || !str_u64(whole, &units) || units > 1000000000000ull) return false;
    if (rest.p) {
        if (rest.n > 6 || !str_u64(rest, &frac)) return false;
        for (size_t i = rest.n; i < 6; i++) frac *= 10;
    }
    int64_t v = (int64_t)(units * 1000000 + frac);
    *out = negative ? -v : v;
    return true;
}

void key_mask(const char *key, char *out, size_t size)
{
    size_t n = strlen(key), head = strncmp(key, "sk-", 3) == 0 ? 7 : 4;
    if (n >= head + 4 + 16) {
        snprintf(out, size, "%.*s..%s", (int)head, key, key + n - 4);
        return;
    }
    size_t stars = MIN(MIN(n, (size_t)16), size - 1);
    memset(out, '*', stars);
    out[stars] = '\0';
}

/* Length of the valid UTF-8 character at p (1..4) and its code point, or 0. */
static size_t utf8_at(const unsigned char *p, size_t n, uint32_t *cp)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xE0) == 0xC0 ? 2
                 : (p[0] & 0xF0) == 0xE0 ? 3
                 : (p[0] & 0xF8) == 0xF0 ? 4
                                         : 0;
    if (!len || len > n) return 0;
    uint32_t v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    if (len > 1 && v < lowest[len]) return 0;
    if (v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) return 0;
    *cp = v;
    return len;
}

static bool is_unsafe_char(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x061C || cp == 0x200E || cp == 0x200F ||
           (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF;
}

size_t text_clean(struct str in, char *out, size_t size)
{
    size_t o = 0;
    for (size_t i = 0; i < in.n;) {
        uint32_t cp = 0;
        size_t len = utf8_at((const unsigned char *)in.p + i, in.n - i, &cp);
        bool bad = len == 0 || is_unsafe_char(cp);
        size_t need = bad ? 1 : len;
        if (o + need >= size) break;
        if (bad)
            out[o] = '?';
        else
            memcpy(out + o, in.p + i, len);
        o += need;
        i += len ? len : 1;
    }
    out[o] = '\0';
    return o;
}

bool token_is_safe(struct str s)
{
    if (s.n < 1 || s.n > 128) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !memchr("._:/@-", s.p[i], 6)) return false;
    return true;
}

void hex_encode(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

uint64_t str_hash(struct str s)
{
    uint64_t h = 14695981039346656037ull;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211ull;
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15ull;
    return h ^ h >> 29;
}
