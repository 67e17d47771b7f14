#include "pool/listing.h"

#include "base/json_text.h"

static bool id_of(struct str model, char *out, size_t room)
{
    struct json_walk w;
    struct json_item item;
    struct str raw;
    int n = -1;
    json_walk_init(&w, model);
    while (json_walk_next(&w, &item)) {
        struct json_text t = {(const unsigned char *)item.value.p, (const unsigned char *)item.value.p + item.value.n};
        if (!str_is(item.name, "id") || json_text_peek(&t) != '"' || !json_text_string(&t, &raw)) continue;
        n = json_text_unescape(raw, out, room - 1);
    }
    if (w.bad || n <= 0) return false;
    out[n] = '\0';
    for (int i = 0; i < n; i++)
        if ((unsigned char)out[i] <= ' ' || out[i] == 0x7F) return false;
    return true;
}

static bool read_data(struct str data, void (*each)(void *arg, struct str id), void *arg)
{
    struct json_walk w;
    struct json_item item;
    char id[LISTED_ID_MAX + 1];
    json_walk_init(&w, data);
    if (w.object) return false;
    for (size_t n = 0; json_walk_next(&w, &item);)
        if (n < LISTING_MAX && id_of(item.value, id, sizeof id)) {
            each(arg, str_of(id));
            n++;
        }
    return !w.bad;
}

bool listing_read(struct str body, void (*each)(void *arg, struct str id), void *arg)
{
    struct json_walk w;
    struct json_item item;
    bool found = false;
    json_walk_init(&w, body);
    while (json_walk_next(&w, &item))
        if (w.object && str_is(item.name, "data")) found = read_data(item.value, each, arg);
    return found && !w.bad;
}
