#include "net/public_address.h"

#include <arpa/inet.h>

struct range {
    unsigned char at[16];
    unsigned bits;
};

/* IANA's special-purpose registries, as far as nobody serves pictures from there. */
static const struct range closed_v4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4},
    {{240}, 4},
};
static const struct range open_v6 = {{0x20}, 3};
static const struct range closed_v6[] = {
    {{0x20, 0x01}, 23}, {{0x20, 0x01, 0x0d, 0xb8}, 32}, {{0x20, 0x02}, 16}, {{0x3f, 0xff}, 20}};
/* IPv6 addresses that stand for an IPv4 one in their last four bytes. */
static const struct range holds_v4[] = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, {{0, 0x64, 0xff, 0x9b}, 96}};

static bool inside(const unsigned char *a, const struct range *r)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(a, r->at, whole) != 0) return false;
    return !rest || (a[whole] ^ r->at[whole]) >> (8 - rest) == 0;
}

static bool inside_any(const unsigned char *a, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (inside(a, &ranges[i])) return true;
    return false;
}

static bool v4_is_public(const unsigned char *a)
{
    return !inside_any(a, closed_v4, ARRAY_LEN(closed_v4));
}

static bool v6_is_public(const unsigned char *a)
{
    if (inside_any(a, holds_v4, ARRAY_LEN(holds_v4))) return v4_is_public(a + 12);
    return inside(a, &open_v6) && !inside_any(a, closed_v6, ARRAY_LEN(closed_v6));
}

bool address_is_public(const char *text)
{
    unsigned char a[16];
    char plain[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET, text, a) == 1) return v4_is_public(a);
    struct str s = str_of(text);
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') s = (struct str){s.p + 1, s.n - 2};
    return str_copy(plain, sizeof plain, s) && inet_pton(AF_INET6, plain, a) == 1 && v6_is_public(a);
}

bool host_is_numeric(const char *host)
{
    size_t n = strlen(host);
    if (strchr(host, ':')) return true;
    if (n && host[n - 1] == '.') n--;
    size_t from = n;
    while (from && host[from - 1] != '.') from--;
    return from < n && ascii_digit(host[from]); /* no top-level domain begins with a digit */
}
