/* Who is in the pool: joining, leaving, accounts, secrets.
 *
 * A key's secret exists once, as the complete header line, in a mapping of its own with a fixed place per slot: kept
 * out of core dumps, wiped when the key goes. A key that leaves while leases are out is taken off `order` at once and
 * keeps its slot, its secret and its account until the last lease is back.
 *
 * An account that lost its last key stays in the table with its cooldowns until its place is needed, so that removing
 * and adding a key does not make the platform's limits forgotten. */
#include "pool/pool_priv.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"

#define AUTH_PREFIX  "Authorization: Bearer "
#define SECRETS_SIZE ((size_t)POOL_KEYS_MAX * SECRET_ROOM)

struct keypool *keypool_new(enum pool_strategy strategy)
{
    struct keypool *p = xcalloc(1, sizeof *p);
    lock_init(&p->lock, "keypool");
    p->strategy = strategy;
    p->secrets = mmap(NULL, SECRETS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BUG_ON(p->secrets == MAP_FAILED);
    madvise(p->secrets, SECRETS_SIZE, MADV_DONTDUMP);
    p->slots = xcalloc(POOL_KEYS_MAX, sizeof(struct key *));
    p->order = xcalloc(POOL_KEYS_MAX, sizeof(struct key *));
    p->accounts = xcalloc(ACCOUNTS_MAX, sizeof *p->accounts);
    cells_init(&p->cells);
    lanes_init(&p->lanes);
    breaker_init(&p->breaker, true);
    return p;
}

void keypool_free(struct keypool *p)
{
    if (!p) return;
    BUG_ON(p->leases_out);
    for (size_t i = 0; i < p->account_count; i++) BUG_ON(p->accounts[i].in_flight);
    for (int32_t i = 0; i < p->cells.used; i++) BUG_ON(p->cells.at[i].in_flight);
    for (size_t i = 0; i < p->count; i++) {
        wipe(p->order[i]->auth, strlen(p->order[i]->auth));
        free(p->order[i]);
    }
    munmap(p->secrets, SECRETS_SIZE);
    free(p->slots);
    free(p->order);
    free(p->accounts);
    free(p->limits);
    cells_free(&p->cells);
    lanes_free(&p->lanes);
    lock_destroy(&p->lock);
    free(p);
}

static int64_t free_account(struct keypool *p)
{
    if (p->account_count < ACCOUNTS_MAX) return (int64_t)p->account_count++;
    for (size_t i = 0; i < ACCOUNTS_MAX; i++) {
        if (p->accounts[i].keys || p->accounts[i].in_flight) continue;
        cells_drop_all(&p->cells, &p->accounts[i].cells);
        return (int64_t)i;
    }
    return -1;
}

int64_t pool_account(struct keypool *p, struct str name, bool own)
{
    char clean[LABEL_ROOM];
    text_clean(name, clean, sizeof clean);
    for (size_t i = 0; i < p->account_count; i++)
        if (p->accounts[i].own == own && strcmp(p->accounts[i].name, clean) == 0) return (int64_t)i;
    int64_t at = free_account(p);
    if (at < 0) return -1;
    struct account *a = &p->accounts[at];
    *a = (struct account){.own = own};
    str_copy(a->name, sizeof a->name, str_of(clean));
    list_init(&a->cells);
    return at;
}

/* Also the first account of a new key, whose `account` counts for nothing before. */
void pool_join_account(struct keypool *p, struct key *k, uint32_t account)
{
    p->accounts[account].keys++;
    k->account = account;
}

static void move_account(struct keypool *p, struct key *k, uint32_t account)
{
    if (account == k->account) return;
    p->accounts[k->account].keys--;
    pool_merge_balance(p, k->account, account);
    pool_join_account(p, k, account);
    pool_changed(p);
}

void pool_release(struct keypool *p, struct key *k)
{
    p->accounts[k->account].keys--;
    wipe(k->auth, strlen(k->auth));
    p->slots[k->slot] = NULL;
}

/* Takes the key off the list. Returns it when nobody uses it any more: to be freed after the lock. */
static struct key *leave(struct keypool *p, struct key *k)
{
    size_t at = 0;
    while (p->order[at] != k) at++;
    memmove(&p->order[at], &p->order[at + 1], (p->count - at - 1) * sizeof(struct key *));
    p->count--;
    k->removed = true;
    pool_changed(p);
    if (k->in_flight) return NULL;
    pool_release(p, k);
    return k;
}

static struct key *find_digest(struct keypool *p, const uint8_t digest[DIGEST_LEN])
{
    for (size_t i = 0; i < p->count; i++)
        if (memcmp(p->order[i]->digest, digest, DIGEST_LEN) == 0) return p->order[i];
    return NULL;
}

/* The first eight digits of the fingerprint; the next eight when another key has the same. */
static void choose_id(struct keypool *p, struct key *k)
{
    for (size_t from = 0; from < DIGEST_LEN; from += KEY_ID_LEN / 2) {
        hex_encode(k->digest + from, KEY_ID_LEN / 2, k->id);
        if (!pool_find(p, k->id)) return;
    }
}

static void set_conf_label(struct key *k, const char *label)
{
    text_clean(str_of(label), k->conf_label, sizeof k->conf_label);
    if (!k->label_by_hand) memcpy(k->label, k->conf_label, sizeof k->label);
}

static bool from_state(const struct key_conf *conf)
{
    return !conf->origin || !conf->origin[0] || strcmp(conf->origin, "state") == 0;
}

/* A new key, complete but for slot, id and account. NULL: too long to be a key. No lock. */
static struct key *new_key(const struct key_conf *conf, mono_t now)
{
    if (strlen(conf->secret) + sizeof AUTH_PREFIX > SECRET_ROOM) return NULL;
    struct key *k = xcalloc(1, sizeof *k);
    k->enabled = true;
    k->test_due = now;
    sha256(str_of(conf->secret), k->digest);
    key_mask(conf->secret, k->masked, sizeof k->masked);
    text_clean(from_state(conf) ? STR("state") : str_of(conf->origin), k->origin, sizeof k->origin);
    set_conf_label(k, conf->label);
    return k;
}

static bool join(struct keypool *p, struct key *k, const struct key_conf *conf, wall_t wall)
{
    uint32_t slot = 0;
    while (slot < POOL_KEYS_MAX && p->slots[slot]) slot++;
    if (slot == POOL_KEYS_MAX || p->count == POOL_KEYS_MAX) return false;
    choose_id(p, k);
    struct str name = str_of(conf->account);
    int64_t account = name.n ? pool_account(p, name, false) : pool_account(p, str_of(k->id), true);
    if (account < 0) return false;
    k->slot = slot;
    k->auth = p->secrets + (size_t)slot * SECRET_ROOM;
    snprintf(k->auth, SECRET_ROOM, AUTH_PREFIX "%s", conf->secret);
    k->join = ++p->joins;
    pool_join_account(p, k, (uint32_t)account);
    p->slots[slot] = p->order[p->count++] = k;
    pool_conf_balance(p, k, conf, wall);
    pool_class_by_balance(p, k, wall);
    pool_changed(p);
    return true;
}

/* A key that is there already, seen again: the configuration's word counts; the state directory's file only says that
 * it was once added by hand. */
static void update(struct keypool *p, struct key *k, const struct key_conf *conf, bool runtime, wall_t wall)
{
    struct str account = str_of(conf->account);
    k->runtime |= runtime && from_state(conf);
    if (runtime) return;
    k->from_file = true;
    text_clean(str_of(conf->origin), k->origin, sizeof k->origin);
    set_conf_label(k, conf->label);
    int64_t at = account.n ? pool_account(p, account, false) : -1;
    if (at >= 0) move_account(p, k, (uint32_t)at);
    pool_conf_balance(p, k, conf, wall);
    pool_class_by_balance(p, k, wall);
    pool_changed(p);
}

/* One key, at run time or from the configuration. `id` gets the id of the key that holds this secret now. */
static enum key_added add_one(struct keypool *p, const struct key_conf *conf, bool runtime, mono_t now,
                              char id[KEY_ID_LEN + 1])
{
    enum key_added result = KEY_POOL_FULL;
    struct key *k = new_key(conf, now);
    wall_t wall = wall_now();
    if (!k) return result;
    k->runtime = runtime;
    k->from_file = !runtime;
    lock_get(&p->lock);
    struct key *there = find_digest(p, k->digest);
    if (there) {
        result = KEY_DUPLICATE;
        update(p, there, conf, runtime, wall);
    } else if (join(p, k, conf, wall)) {
        result = KEY_ADDED;
    }
    if (result != KEY_POOL_FULL) memcpy(id, there ? there->id : k->id, KEY_ID_LEN + 1);
    lock_put(&p->lock);
    if (result != KEY_ADDED) free(k);
    return result;
}

enum key_added keypool_add(struct keypool *p, const struct key_conf *key, mono_t now, char id[KEY_ID_LEN + 1])
{
    id[0] = '\0';
    return add_one(p, key, true, now, id);
}

static bool listed(const uint8_t (*digests)[DIGEST_LEN], size_t count, const uint8_t digest[DIGEST_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(digests[i], digest, DIGEST_LEN) == 0) return true;
    return false;
}

/* Configured keys that are not in the list leave, or go back to being run-time keys. */
static void drop_missing(struct keypool *p, const uint8_t (*digests)[DIGEST_LEN], size_t count)
{
    for (size_t i = 0;;) {
        struct key *gone = NULL;
        lock_get(&p->lock);
        struct key *k = i < p->count ? p->order[i] : NULL;
        bool missing = k && k->from_file && !listed(digests, count, k->digest);
        if (missing && k->runtime) {
            k->from_file = missing = false;
            str_copy(k->origin, sizeof k->origin, STR("state"));
            pool_changed(p);
        }
        if (missing) gone = leave(p, k);
        lock_put(&p->lock);
        if (!k) return;
        free(gone);
        i += !missing;
    }
}

size_t keypool_configure(struct keypool *p, const struct key_conf *keys, size_t count, mono_t now)
{
    uint8_t(*digests)[DIGEST_LEN] = xcalloc(count, DIGEST_LEN);
    size_t joined = 0;
    char id[KEY_ID_LEN + 1];
    for (size_t i = 0; i < count; i++) sha256(str_of(keys[i].secret), digests[i]);
    drop_missing(p, (const uint8_t(*)[DIGEST_LEN])digests, count);
    for (size_t i = 0; i < count; i++) {
        joined += add_one(p, &keys[i], from_state(&keys[i]), now, id) == KEY_ADDED;
    }
    free(digests);
    return joined;
}

enum key_removed keypool_remove(struct keypool *p, const char *id, char *origin, size_t size)
{
    enum key_removed result = KEY_NOT_FOUND;
    struct key *gone = NULL;
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k && k->from_file) {
        result = KEY_FROM_FILE;
        if (origin) str_copy(origin, size, str_of(k->origin));
    } else if (k) {
        result = KEY_REMOVED;
        gone = leave(p, k);
    }
    lock_put(&p->lock);
    free(gone);
    return result;
}

bool keypool_set_account(struct keypool *p, const char *id, const char *account)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    struct str name = str_of(account);
    int64_t at = !k ? -1 : name.n ? pool_account(p, name, false) : pool_account(p, str_of(k->id), true);
    if (at >= 0) move_account(p, k, (uint32_t)at);
    lock_put(&p->lock);
    return at >= 0;
}
