/* Balances: one per account, shared by its keys.
 *
 *   unknown --user/info--> API --+
 *      |                         +-- requests are metered --> told minus spent: "at most", because vouchers, discounts
 *      +--by hand, balance=--> SET +                          and other users of the account are not seen here
 *
 * A new figure from anywhere replaces the old one and begins to count at 0. A balance in a file counts when it is new
 * there: neither a reload nor a restart undoes what was typed or metered since. */
#include "pool/pool_priv.h"

int64_t balance_left(const struct balance *b)
{
    return b->origin == BALANCE_UNKNOWN ? 0 : money_add(b->micro, -b->spent);
}

static void set(struct account *a, enum balance_origin origin, int64_t micro, wall_t now)
{
    bool known = origin == BALANCE_API || origin == BALANCE_SET;
    a->balance = (struct balance){.origin = known ? origin : BALANCE_UNKNOWN, .micro = known ? micro : 0, .at = now};
}

void pool_class_by_balance(struct keypool *p, struct key *k, wall_t now)
{
    const struct balance *b = &p->accounts[k->account].balance;
    bool has_money = b->micro > FREE_BALANCE_MICRO;
    if (is_setback(k->class)) return;
    if (b->origin == BALANCE_API)
        pool_set_class(p, k, has_money ? CLASS_PAID : CLASS_FREE, now, "balance by user/info");
    if (b->origin == BALANCE_SET && has_money && k->class == CLASS_UNKNOWN)
        pool_set_class(p, k, CLASS_PAID, now, "balance given by hand");
}

void pool_conf_balance(struct keypool *p, struct key *k, const struct key_conf *conf, wall_t now)
{
    if (!conf->has_balance || (k->has_conf_balance && k->conf_balance_micro == conf->balance_micro)) return;
    k->has_conf_balance = true;
    k->conf_balance_micro = conf->balance_micro;
    set(&p->accounts[k->account], BALANCE_SET, conf->balance_micro, now);
}

void pool_merge_balance(struct keypool *p, uint32_t from, uint32_t to)
{
    const struct balance *b = &p->accounts[from].balance;
    struct balance *into = &p->accounts[to].balance;
    if (b->origin == BALANCE_UNKNOWN) return;
    if (into->origin == BALANCE_UNKNOWN || b->at.ms > into->at.ms) *into = *b;
}

void pool_save_balance(const struct keypool *p, const struct key *k, struct key_saved *s)
{
    const struct balance *b = &p->accounts[k->account].balance;
    s->balance_origin = (int)b->origin;
    s->balance_micro = b->micro;
    s->balance_at_ms = b->at.ms;
    s->balance_spent_micro = b->spent;
    s->has_conf_balance = k->has_conf_balance;
    s->conf_balance_micro = k->conf_balance_micro;
}

/* Rows of one account say the same, unless one is older. */
void pool_restore_balance(struct keypool *p, struct key *k, const struct key_saved *s)
{
    struct account *a = &p->accounts[k->account];
    bool same_in_file = s->has_conf_balance && s->conf_balance_micro == k->conf_balance_micro;
    if (k->from_file && k->has_conf_balance && !same_in_file) {
        set(a, BALANCE_SET, k->conf_balance_micro, a->balance.at);
        a->restored_at = (wall_t){INT64_MAX};
    }
    if (s->balance_origin != BALANCE_API && s->balance_origin != BALANCE_SET) return;
    if (s->balance_at_ms <= a->restored_at.ms) return;
    a->restored_at = (wall_t){s->balance_at_ms};
    set(a, (enum balance_origin)s->balance_origin, s->balance_micro, a->restored_at);
    a->balance.spent = MAX(s->balance_spent_micro, 0);
}

/* Whoever types a balance says that there is money again. */
static void class_by_new_balance(struct keypool *p, struct key *k, wall_t now)
{
    const struct balance *b = &p->accounts[k->account].balance;
    pool_class_by_balance(p, k, now);
    if (b->origin == BALANCE_SET && k->class == CLASS_FREE && b->micro > FREE_BALANCE_MICRO)
        pool_set_class(p, k, CLASS_PAID, now, "balance given by hand");
}

bool keypool_set_balance(struct keypool *p, const char *id, enum balance_origin origin, int64_t micro, wall_t now)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k) {
        set(&p->accounts[k->account], origin, micro, now);
        for (size_t i = 0; i < p->count; i++)
            if (p->order[i]->account == k->account) class_by_new_balance(p, p->order[i], now);
        pool_changed(p);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_spend(struct keypool *p, const char *id, int64_t micro)
{
    bool known = false;
    lock_get(&p->lock);
    const struct key *k = pool_find(p, id);
    struct balance *b = k ? &p->accounts[k->account].balance : NULL;
    if (b && b->origin != BALANCE_UNKNOWN && micro > 0) {
        b->spent = money_add(b->spent, micro);
        known = true;
    }
    lock_put(&p->lock);
    return known;
}

void keypool_balances(struct keypool *p, struct pool_balances *out)
{
    *out = (struct pool_balances){0};
    lock_get(&p->lock);
    uint64_t stamp = ++p->stamp;
    for (size_t i = 0; i < p->count; i++) {
        const struct key *k = p->order[i];
        struct account *a = &p->accounts[k->account];
        if (!key_may_serve(k) || a->stamp == stamp) continue;
        a->stamp = stamp;
        out->accounts++;
        if (a->balance.origin == BALANCE_UNKNOWN) continue;
        out->known++;
        out->left_micro = money_add(out->left_micro, MAX(balance_left(&a->balance), 0));
    }
    lock_put(&p->lock);
}
