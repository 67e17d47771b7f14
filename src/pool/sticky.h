/* Which account owns what the platform made for it: video jobs, files, batches, voices. Their follow-ups must go out
 * with a key of that account. Learned from the platform's answers, kept over a restart (rows go to state.db), bounded:
 * the entry used longest ago makes room. Shared by all threads; one short lock, no allocation and no I/O under it. */
#ifndef SFPROXY_POOL_STICKY_H
#define SFPROXY_POOL_STICKY_H

#include "pool/keypool.h"

enum { STICKY_MAX = 100000, STICKY_ID_MAX = 191 };

enum sticky_kind { STICKY_VIDEO, STICKY_FILE, STICKY_BATCH, STICKY_VOICE, STICKY_KINDS };
const char *sticky_kind_name(enum sticky_kind k); /* "video" ... */
/* How long the platform may still know such an id, from the moment we learned it; 0 = without end. */
int64_t sticky_lifetime_ms(enum sticky_kind k);

struct sticky_row {
    enum sticky_kind kind;
    char id[STICKY_ID_MAX + 1];
    struct key_owner owner;
    wall_t made; /* when it was learned */
    bool gone;   /* sticky_changes(): the platform deleted it */
};

struct sticky;

struct sticky *sticky_new(size_t room); /* at most so many entries */
void sticky_free(struct sticky *s);
/* Remembers the owner; an id that is too long, empty or not plain text is left out. True: that was news. */
bool sticky_learn(struct sticky *s, enum sticky_kind kind, struct str id, const struct key_owner *owner, wall_t now);
/* False: not known, or its time is over. A found one counts as used. */
bool sticky_find(struct sticky *s, enum sticky_kind kind, struct str id, wall_t now, struct key_owner *owner);
void sticky_forget(struct sticky *s, enum sticky_kind kind, struct str id);
size_t sticky_count(struct sticky *s);
/* Copies of those used last, newest use first. */
size_t sticky_recent(struct sticky *s, wall_t now, struct sticky_row *out, size_t room);

/* --- persistence --- */
bool sticky_has_changes(const struct sticky *s); /* lock-free */
/* What changed since the last call, at most `room`; counts as saved afterwards. */
size_t sticky_changes(struct sticky *s, struct sticky_row *out, size_t room);
/* Before the threads. Rows whose time is over are left out. */
void sticky_restore(struct sticky *s, const struct sticky_row *rows, size_t count, wall_t now);

#endif
