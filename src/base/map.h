/* Hash map from text to pointer, open addressing, keys copied. Not thread-safe. Values are the caller's. */
#ifndef SFPROXY_BASE_MAP_H
#define SFPROXY_BASE_MAP_H

#include "base/str.h"

struct map_slot {
    char *key; /* NULL: free */
    uint64_t hash;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t room; /* power of two, 0 before the first put */
    size_t count;
};

#define MAP_INIT ((struct map){NULL, 0, 0})

void *map_get(const struct map *m, struct str key); /* NULL when absent */
/* Sets and returns the former value (NULL when there was none). */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key); /* returns the value */
void map_free(struct map *m);                    /* keys only */

#define MAP_FOR(it, m)                                                                                                 \
    for (struct map_slot *it = (m)->slots; it && it < (m)->slots + (m)->room; it++)                                    \
        if (it->key)

#endif
