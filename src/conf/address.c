/* Addresses are parsed by hand and judged with inet_pton: getaddrinfo would accept "127.1", ask a name server, and
 * differ between machines. */
#include "conf/address.h"

#include <arpa/inet.h>

static bool parse_port(struct str s, uint16_t *port)
{
    uint64_t v;
    if (s.n > 5 || !str_u64(s, &v) || v > 65535) return false;
    *port = (uint16_t)v;
    return true;
}

/* Splits "host:port" or "[v6]:port"; without a port `port` has p NULL. False: brackets that do not match. */
static bool split_host_port(struct str s, struct str *host, struct str *port, bool *bracketed)
{
    *port = (struct str){NULL, 0};
    *bracketed = s.n && s.p[0] == '[';
    const char *end = *bracketed ? memchr(s.p, ']', s.n) : NULL;
    if (*bracketed && !end) return false;
    size_t host_end = end ? (size_t)(end - s.p) + 1 : 0;
    while (!end && host_end < s.n && s.p[host_end] != ':') host_end++;
    *host = *bracketed ? (struct str){s.p + 1, host_end - 2} : (struct str){s.p, host_end};
    if (host_end == s.n) return true;
    *port = (struct str){s.p + host_end + 1, s.n - host_end - 1};
    return s.p[host_end] == ':';
}

static void judge_numeric(struct listen_address *a, bool *valid)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (a->is_v6) {
        *valid = inet_pton(AF_INET6, a->host, &v6) == 1;
        if (!*valid) return;
        inet_ntop(AF_INET6, &v6, a->host, sizeof a->host);
        a->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    } else {
        *valid = inet_pton(AF_INET, a->host, &v4) == 1;
        a->is_loopback = *valid && ntohl(v4.s_addr) >> 24 == 127;
    }
}

bool listen_address_parse(struct str text, struct listen_address *out, struct buf *why)
{
    struct str host, port;
    bool bracketed, valid = false;
    *out = (struct listen_address){.port = 0};
    if (!split_host_port(text, &host, &port, &bracketed) || !port.p || !parse_port(port, &out->port)) {
        buf_puts(why, "must be written address:port, for example 127.0.0.1:7860 or [::1]:7860");
        return false;
    }
    if (str_ieq(host, STR("localhost"))) host = STR("127.0.0.1");
    if (str_is(host, "*")) host = STR("0.0.0.0");
    out->is_v6 = bracketed;
    if (host.n && str_copy(out->host, sizeof out->host, host)) judge_numeric(out, &valid);
    if (!valid)
        buf_puts(why, "needs an IP address before the port (an IPv6 address in brackets); names are not resolved");
    return valid;
}

void listen_address_write(const struct listen_address *a, char *out, size_t size)
{
    snprintf(out, size, a->is_v6 ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

bool host_name_is_valid(struct str host)
{
    if (host.n < 1 || host.n > 253 || host.p[0] == '.' || host.p[0] == '-') return false;
    for (size_t i = 0; i < host.n; i++) {
        if (!ascii_alnum(host.p[i]) && !memchr(".-_", host.p[i], 3)) return false;
        if (i && host.p[i] == '.' && host.p[i - 1] == '.') return false;
    }
    return true;
}

static bool set_host(struct url_parts *out, struct str host, bool bracketed)
{
    struct in6_addr v6;
    out->is_v6 = bracketed;
    if (host.n >= sizeof out->host || (!bracketed && !host_name_is_valid(host))) return false;
    for (size_t i = 0; i < host.n; i++) out->host[i] = ascii_lower(host.p[i]);
    out->host[host.n] = '\0';
    return !bracketed || inet_pton(AF_INET6, out->host, &v6) == 1;
}

static bool only_url_bytes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7F || memchr("\"<>\\^`{|}", s.p[i], 9)) return false;
    return true;
}

/* "[user:password@]host[:port]". NULL, or what is wrong. */
static const char *parse_authority(struct str authority, struct url_parts *out)
{
    struct str host, port;
    uint16_t number = 0;
    bool bracketed;
    for (size_t i = authority.n; i-- > 0 && !out->userinfo.p;) {
        if (authority.p[i] != '@') continue;
        out->userinfo = (struct str){authority.p, i};
        authority = (struct str){authority.p + i + 1, authority.n - i - 1};
    }
    if (!split_host_port(authority, &host, &port, &bracketed) || !set_host(out, host, bracketed))
        return "has no valid host name (plain ASCII; an IPv6 address in brackets)";
    if (port.p && (!parse_port(port, &number) || number == 0)) return "has a port that is not a number from 1 to 65535";
    out->port = number;
    return NULL;
}

bool url_parse(struct str text, struct url_parts *out, struct buf *why)
{
    *out = (struct url_parts){.path = STR("")};
    size_t colon = 0;
    while (colon < text.n && (ascii_alnum(text.p[colon]))) colon++;
    struct str rest = {text.p + colon, text.n - colon};
    const char *wrong = NULL;
    if (!colon || !str_starts(rest, "://")) {
        wrong = "must start with a scheme, for example https://";
    } else if (!only_url_bytes(text)) {
        wrong = "holds a blank or a character that no URL may have";
    } else if (memchr(text.p, '?', text.n) || memchr(text.p, '#', text.n)) {
        wrong = "must have no query (?) and no fragment (#)";
    } else {
        out->scheme = (struct str){text.p, colon};
        rest = (struct str){rest.p + 3, rest.n - 3};
        const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
        out->path = (struct str){rest.p + n, rest.n - n};
        while (out->path.n && out->path.p[out->path.n - 1] == '/') out->path.n--;
        wrong = parse_authority((struct str){rest.p, n}, out);
    }
    if (wrong) buf_puts(why, wrong);
    return !wrong;
}

const char *other_region_host(const char *host)
{
    static const char *const pairs[][2] = {{"api.siliconflow.cn", "api.siliconflow.com"},
                                           {"api-st.siliconflow.cn", "api.siliconflow.com"},
                                           {"api.siliconflow.com", "api.siliconflow.cn"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (strcmp(host, pairs[i][0]) == 0) return pairs[i][1];
    return NULL;
}
