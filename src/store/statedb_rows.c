/* Rows in and out. A save is one transaction of prepared statements; the first one that fails undoes all of it. Text
 * that comes back is cleaned and cut to its field, numbers are brought into their range: a database edited by hand may
 * be wrong, it must not be dangerous. */
#include "store/query.h"

enum { ROWS_MAX = 100000 };

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* ---- reading ---- */

static bool load_keys(struct statedb *db, struct state_loaded *out, struct buf *why)
{
    struct query q = query_begin(
        db, "SELECT id, label, label_by_hand, account, class, class_evidence, class_at, enabled,"
            " ever_worked, balance_origin, balance_micro, balance_at, tested_at, balance_spent, conf_balance"
            " FROM key"
            " ORDER BY last_seen DESC, position");
    while (out->key_count < ROWS_MAX && next_row(&q)) {
        out->keys = xrealloc(out->keys, out->key_count + 1, sizeof *out->keys);
        struct key_saved *k = &out->keys[out->key_count++];
        memset(k, 0, sizeof *k);
        read_text(&q, k->id, sizeof k->id);
        read_text(&q, k->label, sizeof k->label);
        k->label_by_hand = read_int(&q) != 0;
        read_text(&q, k->account, sizeof k->account);
        k->class = read_in_range(&q, CLASS_COUNT);
        read_text(&q, k->class_evidence, sizeof k->class_evidence);
        k->class_at_ms = read_int(&q);
        k->enabled = read_int(&q) != 0;
        k->ever_worked = read_int(&q) != 0;
        k->balance_origin = read_in_range(&q, BALANCE_SET + 1);
        k->balance_micro = read_int(&q);
        k->balance_at_ms = read_int(&q);
        k->tested_at_ms = read_int(&q);
        k->balance_spent_micro = read_int(&q);
        k->has_conf_balance = read_known(&q, &k->conf_balance_micro);
    }
    return query_end(&q, "read keys from", why);
}

static bool load_cooldowns(struct statedb *db, struct state_loaded *out, struct buf *why)
{
    struct query q = query_begin(db, "SELECT key_id, model, scope, verdict, repeats, until FROM cooldown");
    while (out->cooldown_count < ROWS_MAX && next_row(&q)) {
        out->cooldowns = xrealloc(out->cooldowns, out->cooldown_count + 1, sizeof *out->cooldowns);
        struct cooldown_saved *c = &out->cooldowns[out->cooldown_count++];
        *c = (struct cooldown_saved){0};
        read_text(&q, c->id, sizeof c->id);
        read_text(&q, c->model, sizeof c->model);
        c->scope = (int)read_int(&q);
        c->verdict = read_in_range(&q, VERDICT_COUNT);
        c->repeats = (unsigned)read_in_range(&q, 1000);
        c->until_ms = read_int(&q);
    }
    return query_end(&q, "read cooldowns from", why);
}

static bool load_bans(struct statedb *db, struct state_loaded *out, struct buf *why)
{
    struct query q = query_begin(db, "SELECT model FROM ban");
    while (out->ban_count < ROWS_MAX && next_row(&q)) {
        out->bans = xrealloc(out->bans, out->ban_count + 1, sizeof *out->bans);
        out->bans[out->ban_count++] = read_dup(&q);
    }
    return query_end(&q, "read bans from", why);
}

static bool load_sticky(struct statedb *db, struct state_loaded *out, struct buf *why)
{
    struct query q = query_begin(db, "SELECT kind, id, key_id, account, made FROM sticky ORDER BY made");
    size_t room = 0;
    while (out->sticky_count < ROWS_MAX && next_row(&q)) {
        if (out->sticky_count == room) {
            room = room ? 2 * room : 64;
            out->sticky = xrealloc(out->sticky, room, sizeof *out->sticky);
        }
        struct sticky_row *r = &out->sticky[out->sticky_count++];
        *r = (struct sticky_row){.kind = (enum sticky_kind)read_in_range(&q, STICKY_KINDS)};
        read_text(&q, r->id, sizeof r->id);
        read_text(&q, r->owner.key_id, sizeof r->owner.key_id);
        read_text(&q, r->owner.account, sizeof r->owner.account);
        r->made.ms = read_int(&q);
    }
    return query_end(&q, "read sticky ids from", why);
}

bool statedb_load(struct statedb *db, struct state_loaded *out, struct buf *why)
{
    if (!db->handle) return true; /* never written: there is nothing to load */
    return load_keys(db, out, why) && load_cooldowns(db, out, why) && load_bans(db, out, why) &&
           load_sticky(db, out, why);
}

bool statedb_load_settings(struct statedb *db, struct map *settings, struct buf *why)
{
    if (!db->handle) return true;
    struct query q = query_begin(db, "SELECT name, value FROM setting");
    while (settings->count < ROWS_MAX && next_row(&q)) {
        char name[NAME_MAX_BYTES];
        read_text(&q, name, sizeof name);
        free(map_put(settings, str_of(name), read_dup(&q)));
    }
    return query_end(&q, "read settings from", why);
}

/* ---- writing ---- */

static bool put_keys(struct statedb *db, const struct key_saved *keys, size_t count, wall_t now, struct buf *why)
{
    struct query q = query_begin(db, "INSERT OR REPLACE INTO key(id, label, label_by_hand, account, class,"
                                     " class_evidence, class_at, enabled, ever_worked, balance_origin, balance_micro,"
                                     " balance_at, tested_at, balance_spent, conf_balance, position, last_seen)"
                                     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)");
    for (size_t i = 0; i < count && q.ok; i++) {
        const struct key_saved *k = &keys[i];
        bind_text(&q, k->id);
        bind_text(&q, k->label);
        bind_int(&q, k->label_by_hand);
        bind_text(&q, k->account);
        bind_int(&q, k->class);
        bind_text(&q, k->class_evidence);
        bind_int(&q, k->class_at_ms);
        bind_int(&q, k->enabled);
        bind_int(&q, k->ever_worked);
        bind_int(&q, k->balance_origin);
        bind_int(&q, k->balance_micro);
        bind_int(&q, k->balance_at_ms);
        bind_int(&q, k->tested_at_ms);
        bind_int(&q, k->balance_spent_micro);
        bind_known(&q, k->has_conf_balance, k->conf_balance_micro);
        bind_int(&q, (int64_t)i);
        bind_int(&q, now.ms);
        run(&q);
    }
    return query_end(&q, "write keys to", why);
}

static bool put_cooldowns(struct statedb *db, const struct cooldown_saved *rows, size_t count, struct buf *why)
{
    struct query q = query_begin(db, "INSERT OR REPLACE INTO cooldown(key_id, model, scope, verdict, repeats, until)"
                                     " VALUES(?1,?2,?3,?4,?5,?6)");
    for (size_t i = 0; i < count && q.ok; i++) {
        bind_text(&q, rows[i].id);
        bind_text(&q, rows[i].model);
        bind_int(&q, rows[i].scope);
        bind_int(&q, rows[i].verdict);
        bind_int(&q, rows[i].repeats);
        bind_int(&q, rows[i].until_ms);
        run(&q);
    }
    return query_end(&q, "write cooldowns to", why);
}

static bool run_with_time(struct statedb *db, const char *sql, int64_t ms, struct buf *why)
{
    struct query q = query_begin(db, sql);
    bind_int(&q, ms);
    run(&q);
    return query_end(&q, "write", why);
}

bool statedb_save_pool(struct statedb *db, const struct key_saved *keys, size_t key_count,
                       const struct cooldown_saved *cooldowns, size_t cooldown_count, wall_t now, struct buf *why)
{
    if (!begin(db, why)) return false;
    /* Cooldowns of present keys are replaced whole; those of keys that are gone wait with them until they end. */
    bool ok = put_keys(db, keys, key_count, now, why) &&
              run_with_time(db,
                            "DELETE FROM cooldown WHERE key_id IN (SELECT id FROM key WHERE last_seen = ?1)"
                            " OR until < ?1",
                            now.ms, why) &&
              put_cooldowns(db, cooldowns, cooldown_count, why) &&
              run_with_time(db, "DELETE FROM key WHERE last_seen < ?1", now.ms - STATEDB_KEEP_DAYS * DAY_MS, why);
    return end(db, ok, why);
}

bool statedb_save_bans(struct statedb *db, char *const *models, size_t count, struct buf *why)
{
    if (!begin(db, why)) return false;
    struct query clear = query_begin(db, "DELETE FROM ban");
    run(&clear);
    bool ok = query_end(&clear, "write bans to", why);
    struct query put = query_begin(db, "INSERT OR IGNORE INTO ban(model) VALUES(?1)");
    for (size_t i = 0; ok && i < count && put.ok; i++) {
        bind_text(&put, models[i]);
        run(&put);
    }
    ok = query_end(&put, "write bans to", ok ? why : NULL) && ok;
    return end(db, ok, why);
}

static bool put_sticky(struct statedb *db, const struct sticky_row *rows, size_t count, struct buf *why)
{
    struct query put =
        query_begin(db, "INSERT OR REPLACE INTO sticky(kind, id, key_id, account, made) VALUES(?1,?2,?3,?4,?5)");
    for (size_t i = 0; i < count && put.ok; i++) {
        if (rows[i].gone) continue;
        bind_int(&put, rows[i].kind);
        bind_text(&put, rows[i].id);
        bind_text(&put, rows[i].owner.key_id);
        bind_text(&put, rows[i].owner.account);
        bind_int(&put, rows[i].made.ms);
        run(&put);
    }
    return query_end(&put, "write sticky ids to", why);
}

static bool drop_sticky(struct statedb *db, const struct sticky_row *rows, size_t count, struct buf *why)
{
    struct query drop = query_begin(db, "DELETE FROM sticky WHERE kind = ?1 AND id = ?2");
    for (size_t i = 0; i < count && drop.ok; i++) {
        if (!rows[i].gone) continue;
        bind_int(&drop, rows[i].kind);
        bind_text(&drop, rows[i].id);
        run(&drop);
    }
    return query_end(&drop, "write sticky ids to", why);
}

/* Those whose time is over, and the oldest beyond what memory would hold. */
static bool trim_sticky(struct statedb *db, wall_t now, struct buf *why)
{
    struct query old = query_begin(db, "DELETE FROM sticky WHERE kind = ?1 AND made <= ?2");
    for (int kind = 0; kind < STICKY_KINDS && old.ok; kind++) {
        int64_t life = sticky_lifetime_ms((enum sticky_kind)kind);
        if (!life) continue;
        bind_int(&old, kind);
        bind_int(&old, now.ms - life);
        run(&old);
    }
    return query_end(&old, "write sticky ids to", why) &&
           run_with_time(db,
                         "DELETE FROM sticky WHERE (kind, id) IN (SELECT kind, id FROM sticky ORDER BY made LIMIT"
                         " max(0, (SELECT count(*) FROM sticky) - ?1))",
                         STICKY_MAX, why);
}

bool statedb_save_sticky(struct statedb *db, const struct sticky_row *rows, size_t count, wall_t now, struct buf *why)
{
    if (!begin(db, why)) return false;
    bool ok = put_sticky(db, rows, count, why) && drop_sticky(db, rows, count, why) && trim_sticky(db, now, why);
    return end(db, ok, why);
}

bool statedb_save_setting(struct statedb *db, const char *name, const char *value, struct buf *why)
{
    if (!begin(db, why)) return false;
    struct query q = query_begin(db, "INSERT OR REPLACE INTO setting(name, value) VALUES(?1,?2)");
    bind_text(&q, name);
    bind_text(&q, value);
    run(&q);
    bool ok = query_end(&q, "write settings to", why);
    return end(db, ok, why);
}
