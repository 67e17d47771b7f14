/* The run-time catalogue's owner: builds it anew whenever one of its parts changed (the platform's list, the
 * configuration, what traffic showed) and gives it to the workers by mail. What traffic showed survives a restart as
 * one setting of state.db, a line "free ID" or "paid ID" each. */
#include "models.h"

#include "base/mem.h"
#include "engine.h"

enum { OBSERVED_MAX = 1024, NAMES_SHOWN = 5, OBSERVED_AT_ONCE = 16 };
#define OBSERVED_SETTING "observed_models"

struct models {
    struct engine *g;
    bool has_listing;
    struct map listed;   /* id -> sub_type, a constant */
    struct map observed; /* id -> (void *)(intptr_t)enum model_cost */
};

static void give_catalog(struct proxy *p, void *arg)
{
    proxy_set_catalog(p, arg);
}

static struct catalog *build(struct models *m)
{
    struct listed_model *listed = xcalloc(m->listed.count + 1, sizeof *listed);
    struct observed_cost *observed = xcalloc(m->observed.count + 1, sizeof *observed);
    struct catalog_parts parts = {
        .conf = m->g->conf, .has_listing = m->has_listing, .listed = listed, .observed = observed};
    MAP_FOR(it, &m->listed) listed[parts.listed_count++] = (struct listed_model){it->key, it->value};
    MAP_FOR(it, &m->observed)
    observed[parts.observed_count++] = (struct observed_cost){it->key, (enum model_cost)(intptr_t)it->value};
    struct catalog *c = catalog_build(&parts);
    free(listed);
    free(observed);
    return c;
}

/* Builds and distributes. */
static void rebuild(struct models *m)
{
    struct engine *g = m->g;
    struct catalog *c = build(m);
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_catalog, catalog_get(c))) catalog_put(c);
    catalog_put(g->catalog);
    g->catalog = c;
    control_changed(g->control);
}

/* --- what traffic showed --- */

static void load_observed(struct models *m)
{
    struct str rest = str_of(state_setting(m->g->state, OBSERVED_SETTING)), line, word;
    while (str_split(&rest, '\n', &line)) {
        if (!str_split(&line, ' ', &word) || !line.n) continue;
        enum model_cost cost = str_is(word, "free") ? COST_FREE : COST_PAID;
        map_put(&m->observed, line, (void *)(intptr_t)cost);
    }
}

static void save_observed(struct models *m)
{
    struct buf text = BUF_INIT(OBSERVED_MAX * 300);
    MAP_FOR(it, &m->observed)
    buf_printf(&text, "%s %s\n", (enum model_cost)(intptr_t)it->value == COST_FREE ? "free" : "paid", it->key);
    if (!state_save_setting(m->g->state, m->g->disk, OBSERVED_SETTING, buf_cstr(&text)))
        log_msg(LOG_WARN, "what traffic showed about models was not saved: the disk does not keep up");
    buf_free(&text);
}

void models_observe(struct models *m, const char *id, enum model_cost cost)
{
    struct str name = str_of(id);
    bool known = map_get(&m->observed, name) != NULL;
    if (!name.n || memchr(id, '\n', name.n) || (!known && m->observed.count >= OBSERVED_MAX)) return;
    if ((enum model_cost)(intptr_t)map_put(&m->observed, name, (void *)(intptr_t)cost) == cost) return;
    log_msg(LOG_INFO, "model %s is %s, as traffic showed", id, cost == COST_FREE ? "free" : "paid");
    save_observed(m);
    rebuild(m);
}

void models_take_observed(struct models *m)
{
    struct pool_observed seen[OBSERVED_AT_ONCE];
    size_t n = keypool_take_observed(m->g->pool, seen, OBSERVED_AT_ONCE);
    for (size_t i = 0; i < n; i++) models_observe(m, seen[i].model, seen[i].cost);
}

/* --- the platform's list --- */

struct names { /* the first of them, and how many */
    size_t count;
    struct buf text;
};

static void add_name(struct names *n, const char *id)
{
    if (n->count++ < NAMES_SHOWN) buf_printf(&n->text, "%s%s", n->count > 1 ? ", " : "", id);
}

static void put_names(struct buf *out, const char *what, struct names *n)
{
    if (n->count)
        buf_printf(out, "; %s: %zu (%s%s)", what, n->count, buf_cstr(&n->text), n->count > NAMES_SHOWN ? ", ..." : "");
    buf_free(&n->text);
}

/* What joined and left, compared with what was listed so far. */
static void log_changes(const struct models *m, const struct map *listed)
{
    struct names joined = {0, BUF_INIT(4096)}, left = {0, BUF_INIT(4096)};
    struct buf line = BUF_INIT(16384);
    const struct model *old;
    MAP_FOR(it, listed)
    {
        old = catalog_find(m->g->catalog, str_of(it->key));
        if (!old || !old->listed || old->alias_of) add_name(&joined, it->key);
    }
    for (size_t i = 0; (old = catalog_at(m->g->catalog, i)) != NULL; i++)
        if (old->listed && !old->alias_of && !map_get(listed, str_of(old->id))) add_name(&left, old->id);
    bool changed = joined.count || left.count;
    put_names(&line, "new", &joined);
    put_names(&line, "gone", &left);
    if (changed || !m->has_listing)
        log_msg(LOG_INFO, "the platform lists %zu models%s", listed->count, buf_cstr(&line));
    buf_free(&line);
}

void models_set_listing(struct models *m, struct map *listed)
{
    log_changes(m, listed);
    map_free(&m->listed);
    m->listed = *listed;
    m->has_listing = true;
    *listed = MAP_INIT;
    rebuild(m);
}

size_t models_listed(const struct models *m)
{
    return m->listed.count;
}

void models_conf_changed(struct models *m, bool other_platform)
{
    if (other_platform) {
        map_free(&m->listed);
        m->listed = MAP_INIT;
        m->has_listing = false;
    }
    rebuild(m);
}

/* --- life --- */

struct models *models_new(struct engine *g)
{
    struct models *m = xcalloc(1, sizeof *m);
    m->g = g;
    m->listed = m->observed = MAP_INIT;
    load_observed(m);
    rebuild(m);
    return m;
}

void models_free(struct models *m)
{
    catalog_put(m->g->catalog);
    m->g->catalog = NULL;
    map_free(&m->listed);
    map_free(&m->observed);
    free(m);
}
