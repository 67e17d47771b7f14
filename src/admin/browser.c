#include "admin/browser.h"

#include <arpa/inet.h>

static bool is_name(struct str s)
{
    if (!s.n || s.n > 253) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_') return false;
    return true;
}

static bool is_address(int family, struct str s)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char raw[16];
    return s.n < sizeof text && str_copy(text, sizeof text, s) && inet_pton(family, text, raw) == 1;
}

static bool split_port(struct str text, unsigned *port)
{
    uint64_t v;
    *port = 0;
    if (!text.n) return true;
    if (text.p[0] != ':' || !str_u64((struct str){text.p + 1, text.n - 1}, &v) || v < 1 || v > 65535) return false;
    *port = (unsigned)v;
    return true;
}

bool host_split(struct str host, struct str *name, unsigned *port, bool *is_ip)
{
    if (!host.n) return false;
    bool bracket = host.p[0] == '[';
    const char *end = memchr(host.p, bracket ? ']' : ':', host.n);
    if (bracket && !end) return false;
    size_t skip = bracket ? 1 : 0, n = end ? (size_t)(end - host.p) - skip : host.n;
    *name = (struct str){host.p + skip, n};
    struct str rest = {host.p + 2 * skip + n, host.n - 2 * skip - n};
    if (!split_port(rest, port)) return false;
    *is_ip = is_address(bracket ? AF_INET6 : AF_INET, *name);
    return bracket ? *is_ip : is_name(*name);
}

bool host_is_ours(struct str host, const struct text_list *trusted)
{
    struct str name;
    unsigned port;
    bool is_ip;
    if (!host_split(host, &name, &port, &is_ip)) return false;
    if (is_ip || str_ieq(name, STR("localhost"))) return true;
    for (size_t i = 0; i < trusted->count; i++)
        if (str_ieq(name, str_of(trusted->items[i]))) return true;
    return false;
}

/* Both name the same host and port; a port left out is the scheme's. */
static bool origin_is_host(struct str origin, struct str host)
{
    struct str a, b;
    unsigned port_a, port_b;
    bool ip_a, ip_b, tls = str_starts(origin, "https://");
    if (!tls && !str_starts(origin, "http://")) return false;
    size_t skip = tls ? 8 : 7;
    origin = (struct str){origin.p + skip, origin.n - skip};
    if (!host_split(origin, &a, &port_a, &ip_a) || !host_split(host, &b, &port_b, &ip_b)) return false;
    unsigned usual = tls ? 443 : 80;
    return str_ieq(a, b) && (port_a ? port_a : usual) == (port_b ? port_b : usual);
}

bool post_is_ours(struct str host, struct str origin, struct str fetch_site)
{
    if (fetch_site.n && !str_is(fetch_site, "same-origin")) return false;
    return !origin.n || origin_is_host(origin, host);
}

struct str cookie_find(struct str header, const char *name)
{
    struct str part;
    size_t n = strlen(name);
    while (str_split(&header, ';', &part)) {
        part = str_trim(part);
        if (str_starts(part, name) && part.n > n && part.p[n] == '=')
            return (struct str){part.p + n + 1, part.n - n - 1};
    }
    return STR("");
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool form_decode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            buf_putc(out, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        if (s.n - i < 3) return false;
        int high = hex_digit(s.p[i + 1]), low = hex_digit(s.p[i + 2]);
        if (high < 0 || low < 0) return false;
        buf_putc(out, (char)(high << 4 | low));
        i += 2;
    }
    return !out->failed;
}

bool form_find(struct str form, const char *name, struct buf *out)
{
    struct str pair, key;
    while (str_split(&form, '&', &pair)) {
        if (str_split(&pair, '=', &key) && str_is(key, name)) return form_decode(pair.p ? pair : STR(""), out);
    }
    return false;
}

/* The q of "zh-CN;q=0.8" in thousandths; 1000 when there is none, 0 when it makes no sense. */
static unsigned quality(struct str params)
{
    struct str part;
    int64_t micro;
    while (str_split(&params, ';', &part)) {
        part = str_trim(part);
        if (!str_starts(part, "q=")) continue;
        bool ok = str_micro((struct str){part.p + 2, part.n - 2}, &micro) && micro >= 0 && micro <= 1000000;
        return ok ? (unsigned)(micro / 1000) : 0;
    }
    return 1000;
}

static bool is_lang(struct str tag, const char *lang)
{
    return tag.n >= 2 && str_ieq((struct str){tag.p, 2}, str_of(lang)) && (tag.n == 2 || tag.p[2] == '-');
}

enum page_lang lang_choose(struct str wanted, struct str accept)
{
    enum page_lang best = PAGE_EN;
    unsigned best_q = 0;
    struct str item, tag;
    if (is_lang(wanted, "zh")) return PAGE_ZH;
    if (is_lang(wanted, "en")) return PAGE_EN;
    while (str_split(&accept, ',', &item)) {
        if (!str_split(&item, ';', &tag)) continue;
        tag = str_trim(tag);
        unsigned q = is_lang(tag, "zh") || is_lang(tag, "en") ? quality(item) : 0;
        if (q <= best_q) continue;
        best_q = q;
        best = is_lang(tag, "zh") ? PAGE_ZH : PAGE_EN;
    }
    return best;
}

bool head_was_forwarded(const struct head *h)
{
    static const char *const marks[] = {"forwarded", "x-forwarded-for", "x-real-ip", "via"};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (head_find(h, marks[i])) return true;
    return false;
}
