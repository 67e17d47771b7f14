/* `explain`: which key a request for a model would get now, and why each other one would not. Looks at the pool as
 * picking does and takes nothing. Control thread. */
#include "base/mem.h"
#include "engine.h"
#include "proxy/alias.h"

static bool exists(void *arg, struct str id)
{
    const struct engine *g = arg;
    return catalog_find(g->catalog, id) != NULL;
}

static bool is_banned(const struct engine *g, struct str id)
{
    bool found = map_get(&g->bans, id) != NULL;
    for (size_t i = 0; i < g->conf->models_ban.count && !found; i++) found = str_is(id, g->conf->models_ban.items[i]);
    return found;
}

static void put_known(struct json *j, const char *name, const char *text)
{
    json_put_str(j, name, text && *text ? text : NULL);
}

static void put_row(struct json *j, const struct explain_row *row, const struct key_view *v)
{
    bool waits = row->why == EXPLAIN_COOLING || row->why == EXPLAIN_LIMIT;
    json_object(j);
    json_put_str(j, "id", row->id);
    json_put_str(j, "label", v ? v->label : "");
    json_put_str(j, "masked", v ? v->masked : "");
    json_put_str(j, "account", v ? v->account : "");
    json_put_str(j, "class", v ? key_class_name(v->class) : "?");
    put_known(j, "class_evidence", v ? v->class_evidence : NULL);
    json_put_str(j, "why", explain_word(row->why));
    put_known(j, "reason", waits ? verdict_name(row->reason) : NULL);
    put_known(j, "scope", row->scope);
    json_put_bool(j, "probing", row->probing);
    json_put_int(j, "seconds_left", (row->wait_ms + 999) / 1000);
    json_object_end(j);
}

static const struct key_view *view_of(const struct key_view *views, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(views[i].id, id) == 0) return &views[i];
    return NULL;
}

/* Those that could serve in the order of their turns, then the others in order of joining. */
static int by_turn(const void *a, const void *b)
{
    const struct explain_row *x = *(const struct explain_row *const *)a, *y = *(const struct explain_row *const *)b;
    bool x_can = x->why <= EXPLAIN_READY, y_can = y->why <= EXPLAIN_READY;
    if (x_can != y_can) return x_can ? -1 : 1;
    int d = x_can ? turn_compare(&x->turn, &y->turn) : 0;
    return d ? d : (x > y) - (x < y);
}

static void put_rows(struct engine *g, struct json *j, const struct explain_row *rows, size_t n)
{
    const struct explain_row **sorted = xcalloc(n + 1, sizeof(struct explain_row *));
    struct key_view *views = xcalloc(n + 1, sizeof *views);
    size_t known = MIN(keypool_view(g->pool, mono_now(), views, n + 1), n + 1);
    for (size_t i = 0; i < n; i++) sorted[i] = &rows[i];
    qsort(sorted, n, sizeof(struct explain_row *), by_turn);
    json_name(j, "keys");
    json_array(j);
    for (size_t i = 0; i < n; i++) put_row(j, sorted[i], view_of(views, known, sorted[i]->id));
    json_array_end(j);
    free(sorted);
    free(views);
}

static void put_breaker(struct json *j, const struct explain *e)
{
    json_name(j, "breaker");
    if (!e->outage_ms) {
        json_null(j);
        return;
    }
    json_object(j);
    json_put_str(j, "of", e->whole_upstream ? "platform" : "model");
    json_put_str(j, "reason", verdict_name(e->outage_reason));
    json_put_int(j, "seconds_left", (e->outage_ms + 999) / 1000);
    json_object_end(j);
}

static void put_head(struct engine *g, struct json *j, struct str asked, struct str model, const struct explain *e,
                     const char *evidence)
{
    static const char *const strategies[] = {"round_robin", "least_busy", "fill_first"};
    char *names[] = {str_dup(asked), str_dup(model)};
    json_put_str(j, "asked", names[0]);
    json_put_str(j, "model", names[1]);
    json_name(j, "free");
    if (e->cost == COST_UNKNOWN)
        json_null(j);
    else
        json_bool(j, e->cost == COST_FREE);
    json_put_str(j, "evidence", evidence);
    json_put_bool(j, "banned", is_banned(g, asked) || is_banned(g, model));
    json_put_str(j, "strategy", strategies[g->conf->pool_strategy]);
    json_put_bool(j, "others_wait", e->waiting);
    put_breaker(j, e);
    free(names[0]);
    free(names[1]);
}

void engine_explain(struct engine *g, struct str asked, struct buf *out)
{
    struct alias alias;
    struct str model = alias_resolve(g->conf, asked, true, exists, g, &alias) ? alias.model : asked;
    const char *evidence = "unknown", *next = NULL;
    enum model_cost cost = catalog_cost(g->catalog, model, &evidence);
    size_t room = keypool_count(g->pool) + 1;
    struct explain_row *rows = xcalloc(room, sizeof *rows);
    struct explain e;
    struct json j;
    size_t n = keypool_explain(g->pool, model, cost, mono_now(), &e, rows, room);
    for (size_t i = 0; i < n; i++)
        if (rows[i].why == EXPLAIN_NEXT) next = rows[i].id;
    json_init(&j, out);
    json_object(&j);
    put_head(g, &j, asked, model, &e, evidence);
    json_put_str(&j, "next", next);
    put_rows(g, &j, rows, n);
    json_object_end(&j);
    free(rows);
}
