#include "table.h"
#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 1469598103934665603ull;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211ull;
    return h;
}

void *table_get(const struct table *t, const char *name, size_t len)
{
    if (!t->size) return NULL;
    for (struct slot *s = t->slots[hash(name, len) & (t->size - 1)]; s; s = s->next) {
        if (strncmp(s->name, name, len) == 0 && s->name[len] == 0) return s->value;
    }
    return NULL;
}

static void grow(struct table *t)
{
    struct table bigger = {.size = t->size ? t->size * 2 : 64, .n = t->n};
    bigger.slots = xalloc(bigger.size * sizeof *bigger.slots);
    for (size_t i = 0; i < t->size; i++) {
        for (struct slot *s = t->slots[i], *next; s; s = next) {
            next = s->next;
            struct slot **at = &bigger.slots[hash(s->name, strlen(s->name)) & (bigger.size - 1)];
            s->next = *at;
            *at = s;
        }
    }
    free(t->slots);
    *t = bigger;
}

void table_put(struct table *t, const char *name, size_t len, void *value)
{
    if (t->n >= t->size) grow(t);
    struct slot *s = xalloc(sizeof *s);
    s->name = xstrndup(name, len);
    s->value = value;
    struct slot **at = &t->slots[hash(s->name, strlen(s->name)) & (t->size - 1)];
    s->next = *at;
    *at = s;
    t->n++;
}

void table_clear(struct table *t, void (*drop)(void *value))
{
    for (size_t i = 0; i < t->size; i++) {
        for (struct slot *s = t->slots[i], *next; s; s = next) {
            next = s->next;
            if (drop) drop(s->value);
            free(s->name);
            free(s);
        }
    }
    free(t->slots);
    *t = (struct table){0};
}
