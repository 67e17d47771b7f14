#include "proxy/picture_url.h"

#include "conf/address.h"
#include "net/public_address.h"

enum { URL_MAX = 8192 };

/* Also what libcurl and we could read differently. */
static bool clean_bytes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7F || memchr("\"<>\\^`{|}", s.p[i], 9)) return false;
    return true;
}

static struct str up_to_query(struct str url)
{
    size_t n = 0;
    while (n < url.n && url.p[n] != '?' && url.p[n] != '#') n++;
    return (struct str){url.p, n};
}

static bool is_local_name(const char *host)
{
    struct str h = str_of(host);
    return str_is(h, "localhost") || str_ends(h, ".localhost") || str_ends(h, ".");
}

static const char *check_host(const struct url_parts *u, struct picture_url *out)
{
    out->is_literal = u->is_v6 || host_is_numeric(u->host);
    if (out->of_base) return NULL;
    if (is_local_name(u->host)) return "its URL points to this machine";
    if (out->is_literal && !address_is_public(u->host)) return "its URL holds no address of the open internet";
    return NULL;
}

const char *picture_url_check(struct str url, const struct picture_base *base, struct picture_url *out)
{
    struct buf why = BUF_INIT(512);
    struct url_parts u;
    *out = (struct picture_url){.port = 0};
    if (url.n > URL_MAX || !clean_bytes(url)) return "its URL is too long or holds characters that no URL may have";
    bool valid = url_parse(up_to_query(url), &u, &why);
    buf_free(&why);
    if (!valid) return "its URL cannot be read";
    bool https = str_ieq(u.scheme, STR("https")), http = str_ieq(u.scheme, STR("http"));
    if (!https && !http) return "its URL is neither https nor http";
    if (u.userinfo.p) return "its URL holds a user name";
    str_copy(out->host, sizeof out->host, str_of(u.host));
    out->port = u.port ? u.port : https ? 443 : 80;
    out->of_base = strcmp(out->host, base->host) == 0;
    out->at_base = out->of_base && out->port == base->port;
    if (http && (base->tls || !out->at_base)) return "its URL is not https";
    return check_host(&u, out);
}

const char *picture_type(struct str s)
{
    static const struct {
        struct str begin;
        const char *type;
    } rows[] = {{STR("\x89PNG\r\n\x1a\n"), "image/png"},
                {STR("\xff\xd8\xff"), "image/jpeg"},
                {STR("GIF8"), "image/gif"},
                {STR("BM"), "image/bmp"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (s.n >= rows[i].begin.n && memcmp(s.p, rows[i].begin.p, rows[i].begin.n) == 0) return rows[i].type;
    if (s.n >= 12 && memcmp(s.p, "RIFF", 4) == 0 && memcmp(s.p + 8, "WEBP", 4) == 0) return "image/webp";
    if (s.n >= 12 && memcmp(s.p + 4, "ftypavif", 8) == 0) return "image/avif";
    return NULL;
}
