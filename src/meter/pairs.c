#include "meter/pairs.h"

#include "base/map.h"
#include "base/mem.h"
#include "meter/minute.h"
#include "meter/record.h"

enum { SWEEP_MS = 10000 };

struct pairs {
    struct map map; /* "key id, blank, model" -> struct pair_count */
    mono_t swept;
};

struct pairs *pairs_new(void)
{
    return xcalloc(1, sizeof(struct pairs));
}

void pairs_free(struct pairs *c)
{
    MAP_FOR(slot, &c->map) free(slot->value);
    map_free(&c->map);
    free(c);
}

static struct str pair_name(char *out, size_t size, const char *key_id, const char *model)
{
    size_t n = strlen(key_id);
    memcpy(out, key_id, n);
    out[n++] = ' ';
    str_copy(out + n, size - n, str_of(model));
    return str_of(out);
}

/* A pair without traffic for a minute says nothing: the full table is rid of those, at most every 10 s. */
static void sweep(struct pairs *c, mono_t now)
{
    if (c->swept.ms && mono_since(now, c->swept) < SWEEP_MS) return;
    c->swept = now;
    struct map kept = MAP_INIT;
    MAP_FOR(slot, &c->map)
    {
        if (pair_is_idle(slot->value, now))
            free(slot->value);
        else
            map_put(&kept, str_of(slot->key), slot->value);
    }
    map_free(&c->map);
    c->map = kept;
}

void pairs_add(struct pairs *c, const char *key_id, const char *model, mono_t now, uint32_t requests, uint64_t tokens)
{
    char buffer[KEY_ID_LEN + MODEL_NAME_MAX + 8];
    struct str name = pair_name(buffer, sizeof buffer, key_id, model);
    struct pair_count *pair = map_get(&c->map, name);
    if (!pair && c->map.count >= POOL_CELLS_MAX) sweep(c, now);
    if (!pair && c->map.count < POOL_CELLS_MAX) map_put(&c->map, name, pair = xcalloc(1, sizeof *pair));
    if (pair) pair_add(pair, now, requests, tokens);
}

void pairs_get(const struct pairs *c, const char *key_id, const char *model, mono_t now, uint64_t *requests,
               uint64_t *tokens)
{
    char buffer[KEY_ID_LEN + MODEL_NAME_MAX + 8];
    const struct pair_count *pair = map_get(&c->map, pair_name(buffer, sizeof buffer, key_id, model));
    *requests = *tokens = 0;
    if (pair) pair_sum(pair, now, requests, tokens);
}

size_t pairs_count(const struct pairs *c)
{
    return c->map.count;
}
