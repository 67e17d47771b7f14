/* A hash table from strings to pointers. It owns copies of the strings, not the values. */
#ifndef STANDIN_TABLE_H
#define STANDIN_TABLE_H

#include <stddef.h>

struct slot {
    struct slot *next;
    char *name;
    void *value;
};

struct table {
    struct slot **slots;
    size_t n, size;
};

/* The value under this name, or NULL. */
void *table_get(const struct table *t, const char *name, size_t len);
/* Adds a name that is not there yet. */
void table_put(struct table *t, const char *name, size_t len, void *value);
/* Forgets everything; calls drop for each value when it is not NULL. */
void table_clear(struct table *t, void (*drop)(void *value));

#define TABLE_EACH(t, s)                                                                                               \
    for (size_t i_ = 0; i_ < (t)->size; i_++)                                                                          \
        for (struct slot *s = (t)->slots[i_]; s; s = s->next)

#endif
