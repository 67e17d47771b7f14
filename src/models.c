/* The run-time catalogue's owner: builds it anew whenever one of its parts changed (the platform's list, the
 * configuration, what traffic showed) and gives it to the workers by mail. Control thread. */
#include "base/mem.h"
#include "engine.h"

struct models {
    struct engine *g;
};

static void give_catalog(struct proxy *p, void *arg)
{
    proxy_set_catalog(p, arg);
}

/* Builds and distributes. */
static void rebuild(struct models *m)
{
    struct engine *g = m->g;
    struct catalog_parts parts = {.conf = g->conf};
    struct catalog *c = catalog_build(&parts);
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_catalog, catalog_get(c))) catalog_put(c);
    catalog_put(g->catalog);
    g->catalog = c;
    control_changed(g->control);
}

struct models *models_new(struct engine *g)
{
    struct models *m = xcalloc(1, sizeof *m);
    m->g = g;
    rebuild(m);
    return m;
}

void models_free(struct models *m)
{
    catalog_put(m->g->catalog);
    m->g->catalog = NULL;
    free(m);
}

void models_conf_changed(struct models *m)
{
    rebuild(m);
}
