/* Arbitrary bytes as what a browser sends: Host, Origin, Sec-Fetch-Site, Cookie, a form or query, Accept-Language, one
 * on each line in this order. Checks what callers rely on: slices stay inside the text, a port is one, a foreign name
 * never passes for ours, an origin that is believed names the very host, decoded fields are no longer than their text.
 */
#include "admin/browser.h"

#include "base/check.h"

enum { PARTS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_host(struct str host)
{
    static char ours[] = "proxy.example";
    static char *items[] = {ours};
    struct text_list trusted = {.items = items, .count = 1}, none = {0};
    struct str name;
    unsigned port = 0;
    bool is_ip = false, split = host_split(host, &name, &port, &is_ip);
    if (split) BUG_ON(!inside(name, host) || !name.n || port > 65535);
    if (host_is_ours(host, &none)) BUG_ON(!split || (!is_ip && !str_ieq(name, STR("localhost"))));
    if (host_is_ours(host, &none)) BUG_ON(!host_is_ours(host, &trusted));
}

/* The same name on both sides, whatever is before it. */
static void check_origin(struct str host, struct str origin, struct str site)
{
    struct str name, claimed;
    unsigned port;
    bool is_ip;
    if (!post_is_ours(host, origin, site)) return;
    BUG_ON(site.n && !str_is(site, "same-origin"));
    if (!origin.n) return;
    size_t skip = str_starts(origin, "https://") ? 8 : 7;
    BUG_ON(origin.n <= skip || !host_split(host, &name, &port, &is_ip));
    claimed = (struct str){origin.p + skip, origin.n - skip};
    BUG_ON(!host_split(claimed, &claimed, &port, &is_ip) || !str_ieq(name, claimed));
}

static void check_cookie(struct str header)
{
    struct str value = cookie_find(header, SESSION_COOKIE);
    BUG_ON(!inside(value, header));
    BUG_ON(value.n && memchr(value.p, ';', value.n));
}

static void check_form(struct str form)
{
    struct buf out = BUF_INIT(64);
    bool found = form_find(form, "token", &out);
    BUG_ON(out.len > 64 || out.len > form.n);
    BUG_ON(found && out.failed);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* of its exact size, for the sanitizer */
    BUG_ON(!copy);
    if (size) memcpy(copy, data, size);
    struct str rest = {copy, size}, part[PARTS] = {{NULL, 0}};
    for (size_t i = 0; i + 1 < PARTS; i++)
        if (!str_split(&rest, '\n', &part[i])) break;
    part[PARTS - 1] = rest;
    check_host(part[0]);
    check_origin(part[0], part[1], part[2]);
    check_cookie(part[3]);
    check_form(part[4]);
    BUG_ON(lang_choose(part[2], part[5]) >= PAGE_LANGS);
    free(copy);
    return 0;
}
