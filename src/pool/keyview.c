/* Copies of the pool for the screen, the disk and the state directory.
 *
 * A view is big (3 KB a key), so the lock is held for one key at a time: keys are visited by their number of joining,
 * which never changes, so that a key that leaves meanwhile makes no other appear twice or be missed. */
#include <assert.h>

#include "pool/pool_priv.h"

#include "base/mem.h"

enum { KEPT_AFTER_DEADLINE_MS = 3600000, LONGEST_COOLDOWN_MS = 2 * 3600000 };

bool keypool_ever_worked(struct keypool *p, const char *id)
{
    lock_get(&p->lock);
    const struct key *k = pool_find(p, id);
    bool worked = k && k->ever_worked;
    lock_put(&p->lock);
    return worked;
}

size_t keypool_count(struct keypool *p)
{
    lock_get(&p->lock);
    size_t n = p->count;
    lock_put(&p->lock);
    return n;
}

uint64_t keypool_generation(const struct keypool *p)
{
    return atomic_load_explicit(&p->generation, memory_order_relaxed);
}

/* The first key that joined after number `after`; NULL: none. */
static struct key *key_after(struct keypool *p, uint64_t after)
{
    size_t from = 0, to = p->count;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (p->order[mid]->join > after)
            to = mid;
        else
            from = mid + 1;
    }
    return from < p->count ? p->order[from] : NULL;
}

/* Keeps the longest waits, longest first. */
static void add_cooldown(struct key_view *v, const char *model, const struct limit *l, mono_t now)
{
    if (!limit_cooling(l, now)) return;
    int64_t ms = mono_since(l->until, now);
    size_t room = ARRAY_LEN(v->cooldowns), n = MIN(v->cooldown_count, room), at = 0;
    v->cooldown_count++;
    while (at < n && v->cooldowns[at].ms_left >= ms) at++;
    if (at == room) return;
    memmove(&v->cooldowns[at + 1], &v->cooldowns[at], (MIN(n, room - 1) - at) * sizeof v->cooldowns[0]);
    v->cooldowns[at].reason = l->reason;
    v->cooldowns[at].ms_left = ms;
    str_copy(v->cooldowns[at].model, sizeof v->cooldowns[at].model, str_of(model));
}

/* A configured limit that is used up looks like a cooldown. */
static void add_quota(struct keypool *p, struct key_view *v, struct cell *cell, mono_t now)
{
    int64_t ms = p->limit_count ? pool_quota_wait(p, cell, now) : 0;
    struct limit l = {.until = mono_add(now, ms), .reason = VERDICT_RATE_MINUTE};
    if (ms > 0 && l.until.ms > cell->limit.until.ms)
        add_cooldown(v, cell->model, &l, now);
    else
        add_cooldown(v, cell->model, &cell->limit, now);
}

static void view_cooldowns(struct keypool *p, const struct account *a, mono_t now, struct key_view *v)
{
    static const char *const names[ACCOUNT_SCOPES] = {"(paid)", "(Pro/)", ""};
    for (size_t i = 0; i < ACCOUNT_SCOPES; i++) add_cooldown(v, names[i], &a->scopes[i], now);
    LIST_FOR(it, &a->cells)
    {
        add_quota(p, v, LIST_ENTRY(it, struct cell, of_account), now);
    }
}

static void view_key(struct keypool *p, const struct key *k, mono_t now, struct key_view *v)
{
    const struct account *a = &p->accounts[k->account];
    memset(v, 0, sizeof *v);
    memcpy(v->id, k->id, sizeof v->id);
    memcpy(v->label, k->label, sizeof v->label);
    memcpy(v->masked, k->masked, sizeof v->masked);
    memcpy(v->origin, k->origin, sizeof v->origin);
    memcpy(v->class_evidence, k->class_evidence, sizeof v->class_evidence);
    if (!a->own) memcpy(v->account, a->name, sizeof v->account);
    v->from_file = k->from_file;
    v->class = k->class;
    v->state = pool_state(p, k, now);
    v->enabled = k->enabled;
    v->in_flight = k->in_flight;
    v->ok = k->ok;
    v->failed = k->failed;
    v->limited = k->limited;
    v->balance_origin = a->balance.origin;
    v->balance_micro = balance_left(&a->balance);
    v->balance_spent_micro = a->balance.spent;
    v->balance_at = a->balance.at;
    v->tested_at = k->tested_at;
    v->used_at = k->used_at;
    v->ever_worked = k->ever_worked;
    v->last_error.at = k->last_error.at;
    v->last_error.status = k->last_error.status;
    v->last_error.code = k->last_error.code;
    v->last_error.verdict = k->last_error.verdict;
    memcpy(v->last_error.message, k->last_error.message, sizeof v->last_error.message);
    view_cooldowns(p, a, now, v);
}

size_t keypool_view(struct keypool *p, mono_t now, struct key_view *out, size_t room)
{
    uint64_t last = 0;
    for (size_t n = 0; n < room; n++) {
        lock_get(&p->lock);
        const struct key *k = key_after(p, last);
        if (k) {
            last = k->join;
            view_key(p, k, now, &out[n]);
        }
        lock_put(&p->lock);
        if (!k) return n;
    }
    return keypool_count(p);
}

static void save_key(const struct keypool *p, const struct key *k, struct key_saved *s)
{
    const struct account *a = &p->accounts[k->account];
    memset(s, 0, sizeof *s);
    memcpy(s->id, k->id, sizeof s->id);
    memcpy(s->label, k->label, sizeof s->label);
    memcpy(s->class_evidence, k->class_evidence, sizeof s->class_evidence);
    if (!a->own) memcpy(s->account, a->name, sizeof s->account);
    s->class = (int)k->class;
    s->enabled = k->enabled;
    s->ever_worked = k->ever_worked;
    s->label_by_hand = k->label_by_hand;
    pool_save_balance(p, k, s);
    s->tested_at_ms = k->tested_at.ms;
    s->class_at_ms = k->class_at.ms;
}

/* Where rows of saved cooldowns go; `count` may grow beyond `room`, then the caller makes room and asks again. */
struct saved_list {
    struct cooldown_saved *rows;
    size_t count, room;
    mono_t now;
    wall_t wall;
};

static_assert(SCOPE_PAID_PRO - SCOPE_PAID_PLAIN == (int)ON_PAID_PRO &&
                  SCOPE_ACCOUNT - SCOPE_PAID_PLAIN == (int)ON_ACCOUNT,
              "saved scopes and account.scopes have the same order");

/* Half-open limits are saved too: after a restart they let one request through, not all. */
static void save_limit(struct saved_list *list, const struct key *k, const char *model, enum cooldown_scope scope,
                       const struct limit *l)
{
    if (!l->until.ms || mono_since(list->now, l->until) > KEPT_AFTER_DEADLINE_MS) return;
    if (list->count++ >= list->room) return;
    struct cooldown_saved *s = &list->rows[list->count - 1];
    memset(s, 0, sizeof *s);
    memcpy(s->id, k->id, sizeof s->id);
    str_copy(s->model, sizeof s->model, str_of(model));
    s->scope = (int)scope;
    s->verdict = (int)l->reason;
    s->repeats = l->repeats;
    s->until_ms = list->wall.ms + mono_since(l->until, list->now);
}

static void save_limits(struct keypool *p, const struct key *k, struct saved_list *list)
{
    const struct account *a = &p->accounts[k->account];
    for (size_t i = 0; i < ACCOUNT_SCOPES; i++)
        save_limit(list, k, "", (enum cooldown_scope)(SCOPE_PAID_PLAIN + i), &a->scopes[i]);
    LIST_FOR(it, &a->cells)
    {
        const struct cell *cell = LIST_ENTRY(it, struct cell, of_account);
        save_limit(list, k, cell->model, SCOPE_CELL, &cell->limit);
    }
}

static bool grow_saved(struct saved_list *list, size_t from)
{
    if (list->count <= list->room) return false;
    list->room = list->count + 64;
    list->rows = xrealloc(list->rows, list->room, sizeof *list->rows);
    list->count = from;
    return true;
}

void keypool_save(struct keypool *p, mono_t now, wall_t wall, struct key_saved **keys, size_t *key_count,
                  struct cooldown_saved **cooldowns, size_t *cooldown_count)
{
    struct saved_list list = {.now = now, .wall = wall};
    size_t n = 0, room = 0, from;
    uint64_t last = 0;
    bool more = true, again = false;
    *keys = NULL;
    while (more) {
        if (n == room) *keys = xrealloc(*keys, room += 64, sizeof **keys);
        from = list.count;
        lock_get(&p->lock);
        const struct key *k = key_after(p, last);
        more = k != NULL;
        if (k) {
            save_key(p, k, &(*keys)[n]);
            save_limits(p, k, &list);
        }
        uint64_t join = k ? k->join : last;
        lock_put(&p->lock);
        again = grow_saved(&list, from);
        if (again || !more) continue;
        last = join;
        n++;
    }
    *key_count = n;
    *cooldowns = list.rows;
    *cooldown_count = list.count;
}

static void restore_key(struct keypool *p, const struct key_saved *s, mono_t now)
{
    struct key *k = pool_find(p, s->id);
    if (!k) return;
    if (s->label_by_hand) {
        k->label_by_hand = true;
        text_clean(str_of(s->label), k->label, sizeof k->label);
    }
    int64_t account = s->account[0] && p->accounts[k->account].own ? pool_account(p, str_of(s->account), false) : -1;
    if (account >= 0) {
        p->accounts[k->account].keys--;
        pool_merge_balance(p, k->account, (uint32_t)account);
        pool_join_account(p, k, (uint32_t)account);
    }
    k->enabled = s->enabled;
    k->ever_worked = s->ever_worked;
    if (s->ever_worked && s->class != CLASS_INVALID) p->accounts[k->account].worked_at = (wall_t){s->tested_at_ms};
    k->tested_at = (wall_t){s->tested_at_ms};
    pool_restore_balance(p, k, s);
    if (s->class > CLASS_UNKNOWN && s->class < CLASS_COUNT) {
        k->class = k->class_before = CLASS_UNKNOWN;
        pool_set_class(p, k, (enum key_class)s->class, (wall_t){s->class_at_ms}, s->class_evidence);
    }
    bool settled = (k->tested_at.ms || k->ever_worked) && k->class != CLASS_INVALID;
    k->test_due = settled ? (mono_t){0} : now;
}

static void restore_cooldown(struct keypool *p, const struct cooldown_saved *s, mono_t now, wall_t wall)
{
    struct key *k = pool_find(p, s->id);
    if (!k || s->verdict <= VERDICT_OK || s->verdict >= VERDICT_COUNT) return;
    struct account *a = &p->accounts[k->account];
    struct limit *limit = NULL;
    if (s->scope == SCOPE_CELL) {
        struct str model = str_of(s->model);
        struct cell *cell = cells_get(&p->cells, k->account, &a->cells, cells_hash(&p->cells, model), model, now);
        if (cell) cells_touch(&p->cells, cell, now);
        limit = cell ? &cell->limit : NULL;
    } else if (s->scope >= SCOPE_PAID_PLAIN && s->scope <= SCOPE_ACCOUNT) {
        limit = &a->scopes[s->scope - SCOPE_PAID_PLAIN];
    }
    /* A wall clock that jumped must not make a wait longer than any rule gives. */
    int64_t left = MIN(s->until_ms - wall.ms, (int64_t)LONGEST_COOLDOWN_MS);
    int64_t until = MAX(now.ms + MAX(left, -(int64_t)KEPT_AFTER_DEADLINE_MS), 1);
    if (!limit || left < -KEPT_AFTER_DEADLINE_MS || until <= limit->until.ms) return;
    *limit = (struct limit){.until = {until}, .reason = (enum verdict)s->verdict, .repeats = s->repeats};
}

void keypool_restore(struct keypool *p, const struct key_saved *keys, size_t key_count,
                     const struct cooldown_saved *cooldowns, size_t cooldown_count, mono_t now, wall_t wall)
{
    lock_get(&p->lock);
    p->now = now;
    for (size_t i = 0; i < key_count; i++) restore_key(p, &keys[i], now);
    for (size_t i = 0; i < cooldown_count; i++) restore_cooldown(p, &cooldowns[i], now, wall);
    pool_changed(p);
    lock_put(&p->lock);
}

/* Bytes that keys_file uses itself become '-', so that the line reads back as what it was. */
static void plain_word(const char *in, bool blanks, char *out, size_t size)
{
    str_copy(out, size, str_trim(str_of(in)));
    for (char *c = out; *c; c++)
        if (strchr("=,;#\"'|", *c) || (!blanks && *c == ' ')) *c = '-';
}

static size_t runtime_line(struct keypool *p, const struct key *k, char *out, size_t size)
{
    const struct account *a = &p->accounts[k->account];
    char label[LABEL_ROOM], account[LABEL_ROOM], money[40] = "";
    const char *secret = strrchr(k->auth, ' ') + 1;
    plain_word(k->label, true, label, sizeof label);
    plain_word(a->own ? "" : a->name, false, account, sizeof account);
    if (a->balance.origin == BALANCE_SET) {
        long long micro = a->balance.micro;
        snprintf(money, sizeof money, " balance=%s%lld.%06lld", micro < 0 ? "-" : "", llabs(micro) / 1000000,
                 llabs(micro) % 1000000);
    }
    int n = snprintf(out, size, "%s%s%s%s%s%s\n", label, label[0] ? " = " : "", secret, account[0] ? " account=" : "",
                     account, money);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* Writes the lines to `out`, or only counts their bytes when it is NULL. */
static size_t export_lines(struct keypool *p, struct buf *out)
{
    char line[SECRET_ROOM + 4 * LABEL_ROOM];
    uint64_t last = 0;
    size_t total = 0;
    bool more = true;
    while (more) {
        size_t n = 0;
        lock_get(&p->lock);
        const struct key *k = key_after(p, last);
        more = k != NULL;
        if (k) last = k->join;
        if (k && k->runtime) n = runtime_line(p, k, line, sizeof line);
        lock_put(&p->lock);
        total += n;
        if (out) buf_add(out, line, n);
    }
    wipe(line, sizeof line);
    return total;
}

void keypool_export_runtime(struct keypool *p, struct buf *out)
{
    /* Grown once, so that no copy of a secret stays behind in freed memory. */
    buf_reserve(out, export_lines(p, NULL));
    export_lines(p, out);
}
