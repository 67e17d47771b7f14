/* The count of a pool of spare things (buffers, handles) that follows the load: what was not needed for a while goes.
 * Without that every pool stays as large as the busiest moment was. Its owner's thread only. */
#ifndef SFPROXY_BASE_SPARES_H
#define SFPROXY_BASE_SPARES_H

struct spares {
    unsigned count;
    unsigned lowest; /* since spares_unneeded() was asked */
};

static inline void spares_added(struct spares *s)
{
    s->count++;
}

static inline void spares_taken(struct spares *s)
{
    if (--s->count < s->lowest) s->lowest = s->count;
}

/* How many lay there all the time since this was last asked. The owner takes so many out, and frees them. */
static inline unsigned spares_unneeded(struct spares *s)
{
    unsigned n = s->lowest;
    s->lowest = s->count;
    return n;
}

#endif
