/* What a finished request cost, and the balance that it was paid from. Control thread. */
#include "engine.h"

enum { SPENT_SAVE_MS = 1000 };

static void price_of(const struct engine *g, struct str id, struct price *out)
{
    const struct model *m = catalog_find(g->catalog, id);
    *out = m ? m->price : (struct price){.unit = PRICE_UNKNOWN};
    if (catalog_cost(g->catalog, id, NULL) == COST_FREE)
        *out = (struct price){.unit = PRICE_TOKENS, .steps = 1, .step = {{.up_to = INT64_MAX}}};
}

void engine_pay(struct engine *g)
{
    struct bill *b = &g->bill;
    bool any = false;
    for (size_t i = 0; i < b->count; i++) any |= keypool_spend(g->pool, b->rows[i].key_id, b->rows[i].micro);
    b->count = 0;
    if (any && !g->spent_save_at.ms) g->spent_save_at = mono_add(mono_now(), SPENT_SAVE_MS);
}

static void add_to_bill(struct engine *g, const struct record *r)
{
    struct bill *b = &g->bill;
    size_t i = 0;
    while (i < b->count && strcmp(b->rows[i].key_id, r->key_id) != 0) i++;
    if (i == ARRAY_LEN(b->rows)) {
        engine_pay(g);
        i = 0;
    }
    if (i == b->count) {
        memcpy(b->rows[i].key_id, r->key_id, sizeof b->rows[i].key_id);
        b->rows[b->count++].micro = 0;
    }
    b->rows[i].micro = money_add(b->rows[i].micro, r->cost_micro);
}

void engine_bill(struct engine *g, struct record *r)
{
    struct price price;
    price_of(g, str_of(r->model), &price);
    r->cost_micro = record_cost(r, &price);
    if (r->cost_micro > 0 && r->key_id[0]) add_to_bill(g, r);
}

int64_t engine_hours_left(struct engine *g, int64_t burn_per_hour)
{
    struct pool_balances b;
    keypool_balances(g->pool, &b);
    return b.known && burn_per_hour > 0 ? b.left_micro / burn_per_hour : -1;
}
