#include "proxy/slices.h"

struct str slice_member(struct str object, const char *name)
{
    struct json_walk w;
    struct json_item item;
    struct str found = {"", 0};
    json_walk_init(&w, object);
    if (!w.object) return found;
    while (json_walk_next(&w, &item))
        if (!found.n && str_is(item.name, name)) found = item.value;
    return w.bad ? (struct str){"", 0} : found;
}

void slice_text(struct str value, char *out, size_t size)
{
    out[0] = '\0';
    if (value.n < 2 || value.p[0] != '"') return;
    int n = json_text_unescape((struct str){value.p + 1, value.n - 2}, out, size - 1);
    out[MAX(n, 0)] = '\0';
    if (n > 0 && memchr(out, '\0', (size_t)n)) out[0] = '\0';
}

int64_t slice_int(struct str value, int64_t otherwise)
{
    uint64_t v;
    return str_u64(value, &v) && v <= INT64_MAX ? (int64_t)v : otherwise;
}
