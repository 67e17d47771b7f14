/* A hash table of fixed size, chained by index, allocated once (the kernel gives pages as they are touched). Every
 * entry in use is on the list by last use, and on `changed` while the disk does not have it. An entry that the platform
 * deleted stays as a tombstone until the disk knows. Index 0 of a chain means its end, so that a fresh table is all
 * zeros. */
#include "pool/sticky.h"

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"

struct entry {
    struct list use;     /* s->uses: used longest ago first; s->unused when free */
    struct list changed; /* s->changed: oldest change first */
    uint32_t next;       /* chain of the bucket */
    uint64_t hash;
    struct sticky_row row;
};

struct sticky {
    struct lock lock;
    struct entry *at; /* at[0] is never used */
    uint32_t *buckets;
    size_t room, taken, count, bucket_count;
    struct list uses, unused, changed;
    _Atomic size_t change_count;
};

const char *sticky_kind_name(enum sticky_kind k)
{
    static const char *const names[STICKY_KINDS] = {"video", "file", "batch", "voice"};
    return (size_t)k < STICKY_KINDS ? names[k] : "?";
}

int64_t sticky_lifetime_ms(enum sticky_kind k)
{
    const int64_t hour = 3600000, day = 24 * hour;
    const int64_t ms[STICKY_KINDS] = {[STICKY_VIDEO] = 2 * hour, [STICKY_FILE] = 45 * day, [STICKY_BATCH] = 45 * day};
    return (size_t)k < STICKY_KINDS ? ms[k] : 0;
}

struct sticky *sticky_new(size_t room)
{
    struct sticky *s = xcalloc(1, sizeof *s);
    lock_init(&s->lock, "sticky");
    s->room = room;
    s->bucket_count = 2 * room + 1;
    s->at = xcalloc(room + 1, sizeof *s->at);
    s->buckets = xcalloc(s->bucket_count, sizeof *s->buckets);
    list_init(&s->uses);
    list_init(&s->unused);
    list_init(&s->changed);
    return s;
}

void sticky_free(struct sticky *s)
{
    if (!s) return;
    free(s->at);
    free(s->buckets);
    lock_destroy(&s->lock);
    free(s);
}

static uint64_t hash_of(enum sticky_kind kind, struct str id)
{
    return str_hash(id) ^ (uint64_t)kind * 0x9E3779B97F4A7C15ull;
}

static uint32_t *bucket_of(struct sticky *s, uint64_t hash)
{
    return &s->buckets[hash % s->bucket_count];
}

static struct entry *find(struct sticky *s, enum sticky_kind kind, struct str id, uint64_t hash)
{
    for (uint32_t i = *bucket_of(s, hash); i; i = s->at[i].next) {
        struct entry *e = &s->at[i];
        if (e->hash == hash && e->row.kind == kind && str_is(id, e->row.id)) return e;
    }
    return NULL;
}

static void set_changed(struct sticky *s, struct entry *e, bool changed)
{
    if (list_empty(&e->changed) != changed) return;
    if (changed)
        list_append(&s->changed, &e->changed);
    else
        list_remove(&e->changed);
    atomic_fetch_add_explicit(&s->change_count, changed ? 1 : (size_t)-1, memory_order_relaxed);
}

/* The entry is free afterwards. */
static void drop(struct sticky *s, struct entry *e)
{
    uint32_t *link = bucket_of(s, e->hash), index = (uint32_t)(e - s->at);
    while (*link != index) {
        BUG_ON(*link == 0);
        link = &s->at[*link].next;
    }
    *link = e->next;
    set_changed(s, e, false);
    list_remove(&e->use);
    list_append(&s->unused, &e->use);
    if (!e->row.gone) s->count--;
}

static struct entry *take(struct sticky *s)
{
    if (s->taken < s->room) {
        struct entry *e = &s->at[++s->taken];
        list_init(&e->use);
        list_init(&e->changed);
        return e;
    }
    if (list_empty(&s->unused)) drop(s, LIST_ENTRY(s->uses.next, struct entry, use));
    struct entry *e = LIST_ENTRY(s->unused.next, struct entry, use);
    list_remove(&e->use);
    return e;
}

static struct entry *make(struct sticky *s, enum sticky_kind kind, struct str id, uint64_t hash)
{
    struct entry *e = take(s);
    e->hash = hash;
    e->row = (struct sticky_row){.kind = kind, .gone = true};
    str_copy(e->row.id, sizeof e->row.id, id);
    uint32_t *bucket = bucket_of(s, hash);
    e->next = *bucket;
    *bucket = (uint32_t)(e - s->at);
    list_append(&s->uses, &e->use);
    return e;
}

static void touch(struct sticky *s, struct entry *e)
{
    list_remove(&e->use);
    list_append(&s->uses, &e->use);
}

static bool is_over(const struct entry *e, wall_t now)
{
    int64_t life = sticky_lifetime_ms(e->row.kind);
    return life && now.ms - e->row.made.ms >= life;
}

static bool id_ok(struct str id)
{
    if (!id.n || id.n > STICKY_ID_MAX) return false;
    for (size_t i = 0; i < id.n; i++)
        if ((unsigned char)id.p[i] < 0x20 || id.p[i] == 0x7F) return false;
    return true;
}

static bool same_owner(const struct key_owner *a, const struct key_owner *b)
{
    return strcmp(a->key_id, b->key_id) == 0 && strcmp(a->account, b->account) == 0;
}

static bool put(struct sticky *s, const struct sticky_row *row, wall_t now)
{
    struct str id = str_of(row->id);
    uint64_t hash = hash_of(row->kind, id);
    struct entry *e = find(s, row->kind, id, hash);
    if (e && !e->row.gone && !is_over(e, now) && same_owner(&e->row.owner, &row->owner)) {
        touch(s, e);
        return false;
    }
    if (!e) e = make(s, row->kind, id, hash);
    if (e->row.gone) s->count++;
    e->row = *row;
    touch(s, e);
    return true;
}

bool sticky_learn(struct sticky *s, enum sticky_kind kind, struct str id, const struct key_owner *owner, wall_t now)
{
    struct sticky_row row = {.kind = kind, .owner = *owner, .made = now};
    if (!s || !id_ok(id) || (size_t)kind >= STICKY_KINDS) return false;
    str_copy(row.id, sizeof row.id, id);
    uint64_t hash = hash_of(kind, id);
    lock_get(&s->lock);
    bool news = put(s, &row, now);
    if (news) set_changed(s, find(s, kind, id, hash), true);
    lock_put(&s->lock);
    return news;
}

bool sticky_find(struct sticky *s, enum sticky_kind kind, struct str id, wall_t now, struct key_owner *owner)
{
    uint64_t hash = hash_of(kind, id);
    bool found = false;
    if (!s) return false;
    lock_get(&s->lock);
    struct entry *e = find(s, kind, id, hash);
    if (e && !e->row.gone && is_over(e, now)) {
        drop(s, e); /* the disk lets go of it by its own clock */
    } else if (e && !e->row.gone) {
        touch(s, e);
        *owner = e->row.owner;
        found = true;
    }
    lock_put(&s->lock);
    return found;
}

void sticky_forget(struct sticky *s, enum sticky_kind kind, struct str id)
{
    uint64_t hash = hash_of(kind, id);
    if (!s) return;
    lock_get(&s->lock);
    struct entry *e = find(s, kind, id, hash);
    if (e && !e->row.gone) {
        e->row.gone = true;
        s->count--;
        set_changed(s, e, true);
    }
    lock_put(&s->lock);
}

size_t sticky_count(struct sticky *s)
{
    lock_get(&s->lock);
    size_t n = s->count;
    lock_put(&s->lock);
    return n;
}

size_t sticky_recent(struct sticky *s, wall_t now, struct sticky_row *out, size_t room)
{
    size_t n = 0;
    lock_get(&s->lock);
    for (struct list *it = s->uses.prev; it != &s->uses && n < room; it = it->prev) {
        const struct entry *e = LIST_ENTRY(it, struct entry, use);
        if (!e->row.gone && !is_over(e, now)) out[n++] = e->row;
    }
    lock_put(&s->lock);
    return n;
}

bool sticky_has_changes(const struct sticky *s)
{
    return atomic_load_explicit(&s->change_count, memory_order_relaxed) > 0;
}

size_t sticky_changes(struct sticky *s, struct sticky_row *out, size_t room)
{
    size_t n = 0;
    lock_get(&s->lock);
    while (n < room && !list_empty(&s->changed)) {
        struct entry *e = LIST_ENTRY(s->changed.next, struct entry, changed);
        out[n++] = e->row;
        if (e->row.gone)
            drop(s, e);
        else
            set_changed(s, e, false);
    }
    lock_put(&s->lock);
    return n;
}

void sticky_restore(struct sticky *s, const struct sticky_row *rows, size_t count, wall_t now)
{
    lock_get(&s->lock);
    for (size_t i = 0; i < count; i++) {
        struct entry probe = {.row = rows[i]};
        if ((size_t)rows[i].kind < STICKY_KINDS && id_ok(str_of(rows[i].id)) && !is_over(&probe, now))
            put(s, &rows[i], now);
    }
    lock_put(&s->lock);
}
