#include "base/map.h"

#include "base/mem.h"

/* Index of the key's slot, or of the free slot where it belongs. */
static size_t find(const struct map *m, struct str key, uint64_t hash)
{
    size_t i = hash & (m->room - 1);
    while (m->slots[i].key && !(m->slots[i].hash == hash && str_is(key, m->slots[i].key))) i = (i + 1) & (m->room - 1);
    return i;
}

static void grow(struct map *m)
{
    struct map bigger = {xcalloc(m->room ? m->room * 2 : 16, sizeof *m->slots), m->room ? m->room * 2 : 16, m->count};
    MAP_FOR(slot, m) bigger.slots[find(&bigger, str_of(slot->key), slot->hash)] = *slot;
    free(m->slots);
    *m = bigger;
}

void *map_get(const struct map *m, struct str key)
{
    if (!m->count) return NULL;
    struct map_slot *slot = &m->slots[find(m, key, str_hash(key))];
    return slot->key ? slot->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    if ((m->count + 1) * 4 > m->room * 3) grow(m);
    uint64_t hash = str_hash(key);
    struct map_slot *slot = &m->slots[find(m, key, hash)];
    void *old = slot->key ? slot->value : NULL;
    if (!slot->key) {
        *slot = (struct map_slot){str_dup(key), hash, NULL};
        m->count++;
    }
    slot->value = value;
    return old;
}

void *map_remove(struct map *m, struct str key)
{
    if (!m->count) return NULL;
    size_t hole = find(m, key, str_hash(key)), mask = m->room - 1;
    if (!m->slots[hole].key) return NULL;
    void *value = m->slots[hole].value;
    free(m->slots[hole].key);
    m->count--;
    /* Close the gap: move back every follower whose home is not between the hole and itself. */
    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){NULL, 0, NULL};
    return value;
}

void map_free(struct map *m)
{
    MAP_FOR(slot, m) free(slot->key);
    free(m->slots);
    *m = MAP_INIT;
}
