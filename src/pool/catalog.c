/* The run-time catalogue: built whole, never changed, swapped whole. One sorted array of models and one block of text
 * that their ids point into.
 *
 * What is known about a model, the later winning: built-in table < the platform's list (does it exist, its kind) <
 * traffic (only when the cost was unknown) < configuration. Models of the table that the platform lists no longer stay
 * in it, so that their kind and price are known when somebody asks for them, but are not listed. */
#include "pool/catalog.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"

struct catalog {
    atomic_uint refs;
    struct model *models; /* by id */
    size_t count, room;
    char **texts; /* ids that are not the table's */
    size_t text_count, text_room;
};

static const struct {
    const char *type, *sub_type;
} kinds[] = {
    {"text", "chat"},
    {"text", "embedding"},
    {"text", "reranker"},
    {"image", "text-to-image"},
    {"image", "image-to-image"},
    {"audio", "speech-to-text"},
    {"audio", "text-to-speech"},
    {"video", "text-to-video"},
    {"video", "image-to-video"},
};

const char *model_sub_type(size_t i)
{
    return i < ARRAY_LEN(kinds) ? kinds[i].sub_type : NULL;
}

const char *model_type_of(const char *sub_type)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].sub_type, sub_type) == 0) return kinds[i].type;
    return "text";
}

/* --- finding --- */

/* Index of the id, or where it would stand. */
static size_t place_of(const struct catalog *c, struct str id, bool *found)
{
    size_t from = 0, to = c->count;
    *found = false;
    while (from < to) {
        size_t mid = (from + to) / 2;
        int d = model_order(id, c->models[mid].id);
        if (d == 0) *found = true;
        if (d <= 0)
            to = mid;
        else
            from = mid + 1;
    }
    return from;
}

const struct model *catalog_find(const struct catalog *c, struct str id)
{
    bool found;
    if (!c) return builtin_find(id);
    size_t i = id.n ? place_of(c, id, &found) : 0;
    return id.n && found ? &c->models[i] : NULL;
}

const struct model *catalog_at(const struct catalog *c, size_t i)
{
    if (!c) return builtin_at(i);
    return i < c->count ? &c->models[i] : NULL;
}

enum model_cost catalog_cost(const struct catalog *c, struct str id, const char **evidence)
{
    const struct model *m = catalog_find(c, id);
    if (!m) return model_cost(id, evidence);
    if (evidence) *evidence = m->evidence;
    return m->cost;
}

/* --- building --- */

static const char *keep_text(struct catalog *c, const char *id)
{
    if (c->text_count == c->text_room) {
        c->text_room = c->text_room ? 2 * c->text_room : 64;
        c->texts = xrealloc(c->texts, c->text_room, sizeof *c->texts);
    }
    return c->texts[c->text_count++] = xstrdup(id);
}

static void set_cost(struct model *m, enum model_cost cost, const char *evidence)
{
    m->cost = cost;
    m->evidence = evidence;
    m->free = cost == COST_FREE;
}

/* Names of models that think before they answer; the table knows better about its own. */
static bool sounds_reasoning(struct str id)
{
    return str_icontains(id, "deepseek-r1") || str_icontains(id, "thinking") || str_icontains(id, "reasoner") ||
           str_icontains(id, "qwq");
}

/* The model of that id, made from its name when it is not there. */
static struct model *model_of(struct catalog *c, const char *id)
{
    bool found;
    const char *evidence;
    struct str name = str_of(id);
    size_t at = place_of(c, name, &found);
    if (found) return &c->models[at];
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        c->models = xrealloc(c->models, c->room, sizeof *c->models);
    }
    memmove(&c->models[at + 1], &c->models[at], (c->count - at) * sizeof *c->models);
    c->count++;
    struct model *m = &c->models[at];
    *m = (struct model){.id = keep_text(c, id)};
    enum model_cost cost = model_cost(name, &evidence);
    set_cost(m, cost, evidence);
    model_guess_kind(name, &m->type, &m->sub_type);
    m->reasons = strcmp(m->sub_type, "chat") == 0 && sounds_reasoning(name);
    return m;
}

static void add_table(struct catalog *c, bool has_listing)
{
    const struct model *row;
    for (size_t i = 0; (row = builtin_at(i)) != NULL; i++) {
        if (c->count == c->room) {
            c->room = c->room ? 2 * c->room : 256;
            c->models = xrealloc(c->models, c->room, sizeof *c->models);
        }
        c->models[c->count] = *row;
        c->models[c->count++].listed = !has_listing;
    }
}

static void add_listed(struct catalog *c, const struct listed_model *l)
{
    struct model *m = model_of(c, l->id);
    m->listed = true;
    if (builtin_find(str_of(l->id))) return;
    m->sub_type = l->sub_type;
    m->type = model_type_of(l->sub_type);
    if (strcmp(m->sub_type, "chat") != 0) m->reasons = false;
}

static void add_observed(struct catalog *c, const struct observed_cost *o)
{
    struct model *m = model_of(c, o->id);
    if (m->cost == COST_UNKNOWN) set_cost(m, o->cost, "observed");
}

static void add_rule(struct catalog *c, const struct model_rule *r)
{
    struct model *m = model_of(c, r->name);
    if (r->has_price) {
        m->price = r->price;
        set_cost(m, price_is_free(&r->price) ? COST_FREE : COST_PAID, "config");
    }
    if (r->free >= 0) set_cost(m, r->free ? COST_FREE : COST_PAID, "config");
    m->limit_rpm = r->limit_rpm;
    m->limit_tpm = r->limit_tpm;
}

/* After everything else: an alias is its model under another name. */
static void add_alias(struct catalog *c, const struct model_rule *r)
{
    struct model *m = model_of(c, r->name);
    const struct model *to = catalog_find(c, str_of(r->alias_of));
    const char *id = m->id, *evidence;
    if (to) {
        *m = *to;
    } else {
        enum model_cost cost = model_cost(str_of(r->alias_of), &evidence);
        set_cost(m, cost, evidence);
        model_guess_kind(str_of(r->alias_of), &m->type, &m->sub_type);
    }
    m->id = id;
    m->alias_of = keep_text(c, r->alias_of);
    m->listed = true;
}

struct catalog *catalog_build(const struct catalog_parts *parts)
{
    struct catalog *c = xcalloc(1, sizeof *c);
    const struct conf *conf = parts->conf;
    size_t rules = conf ? conf->model_rule_count : 0;
    atomic_init(&c->refs, 1);
    add_table(c, parts->has_listing);
    for (size_t i = 0; i < parts->listed_count; i++) add_listed(c, &parts->listed[i]);
    for (size_t i = 0; i < parts->observed_count; i++) add_observed(c, &parts->observed[i]);
    for (size_t i = 0; i < rules; i++)
        if (!conf->model_rules[i].alias_of) add_rule(c, &conf->model_rules[i]);
    for (size_t i = 0; i < rules; i++)
        if (conf->model_rules[i].alias_of) add_alias(c, &conf->model_rules[i]);
    return c;
}

struct catalog *catalog_get(struct catalog *c)
{
    BUG_ON(atomic_fetch_add(&c->refs, 1) == 0);
    return c;
}

void catalog_put(struct catalog *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return;
    for (size_t i = 0; i < c->text_count; i++) free(c->texts[i]);
    free(c->texts);
    free(c->models);
    free(c);
}
