/* A configuration that changes while requests run: the new one is read and built whole on the disk thread, then swapped
 * in here; when it is bad the old one stays and the reason is shown. Requests in flight keep theirs. */
#include "base/mem.h"
#include "engine.h"

static void give_bans(struct proxy *p, void *arg)
{
    proxy_set_bans(p, arg);
}

void engine_apply_bans(struct engine *g)
{
    size_t n = 0, room = g->conf->models_ban.count + g->bans.count;
    char **models = xcalloc(room, sizeof *models);
    for (size_t i = 0; i < g->conf->models_ban.count; i++) models[n++] = g->conf->models_ban.items[i];
    MAP_FOR(slot, &g->bans) models[n++] = slot->key;
    struct ban_set *set = ban_set_new(models, n);
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_bans, ban_set_get(set))) ban_set_put(set);
    ban_set_put(set);
    free(models);
}

static void give_conf(struct proxy *p, void *arg)
{
    proxy_set_conf(p, arg);
}

void engine_apply_conf(struct engine *g, struct conf *conf)
{
    bool other_host = strcmp(conf->upstream_host, g->conf->upstream_host) != 0 ||
                      conf->upstream_port != g->conf->upstream_port ||
                      strcmp(conf->upstream_proxy, g->conf->upstream_proxy) != 0;
    bool other_platform = strcmp(conf->api_url, g->conf->api_url) != 0;
    struct buf restart = BUF_INIT(4096);
    conf_diff_restart(g->conf, conf, &restart);
    if (restart.len) log_msg(LOG_WARN, "these options need a restart to change: %s", buf_cstr(&restart));
    buf_free(&restart);
    keypool_configure(g->pool, conf->keys, conf->key_count, mono_now());
    keypool_set_strategy(g->pool, (enum pool_strategy)conf->pool_strategy);
    keypool_set_limits(g->pool, conf->model_rules, conf->model_rule_count);
    atomic_store(&g->shared.budget.limit, conf->limits_upload_memory);
    log_set_level((enum log_level)conf->log_level);
    ledger_keep(g->ledger, conf->store_keep_requests);
    conf_put(g->conf);
    g->conf = conf;
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_conf, conf_get(conf))) conf_put(conf);
    engine_apply_bans(g);
    models_conf_changed(g->models, other_platform);
    if (other_host) {
        keypool_outage_reset(g->pool);
        addrs_put(g->addrs);
        g->addrs = NULL;
        engine_watch_upstream(g);
    } else {
        for (unsigned i = 0; g->addrs && i < g->worker_count; i++) engine_give_addrs(g->workers[i], g->addrs);
        resolver_hurry(g->resolver); /* who reloads may have moved the name too */
    }
    refresh_conf_changed(g->refresh, other_platform);
    g->conf_error[0] = '\0';
    control_changed(g->control);
}

struct reload_job {
    struct disk_job job;
    struct mail mail;
    struct engine *g;
    struct command *cmd;
    char *path, *state_dir;
    struct conf *conf;
    struct buf why, warnings;
};

static void reload_free(struct reload_job *r)
{
    free(r->path);
    free(r->state_dir);
    buf_free(&r->why);
    buf_free(&r->warnings);
    free(r);
}

static void log_lines(enum log_level level, const struct buf *text)
{
    struct str rest = buf_str(text), line;
    while (rest.n && str_split(&rest, '\n', &line))
        if (line.n) log_msg(level, "%.*s", STR_ARG(line));
}

static void reload_delivered(void *reader, struct mail *m)
{
    struct engine *g = reader;
    struct reload_job *r = CONTAINER_OF(m, struct reload_job, mail);
    log_lines(LOG_WARN, &r->warnings);
    if (r->conf) {
        engine_apply_conf(g, r->conf);
        log_msg(LOG_INFO, "configuration reloaded");
        if (r->cmd) control_answer(r->cmd, 200, "configuration reloaded");
    } else {
        log_lines(LOG_ERROR, &r->why);
        text_clean(str_trim(buf_str(&r->why)), g->conf_error, sizeof g->conf_error);
        log_msg(LOG_ERROR, "the configuration was not reloaded; the old one stays");
        if (r->cmd) control_answer(r->cmd, 400, "not reloaded, the old configuration stays: %s", g->conf_error);
        control_changed(g->control);
    }
    reload_free(r);
}

/* On the disk thread. */
static void reload_read(struct disk_job *job)
{
    struct reload_job *r = CONTAINER_OF(job, struct reload_job, job);
    r->conf = conf_load(r->path, r->state_dir, &r->why, &r->warnings);
    r->mail.deliver = reload_delivered;
    if (loop_post(r->g->loop, &r->mail)) return;
    if (r->conf) conf_put(r->conf);
    if (r->cmd) command_free(r->cmd);
    reload_free(r);
}

void engine_reload(struct engine *g, struct command *cmd)
{
    struct reload_job *r = xcalloc(1, sizeof *r);
    r->job.run = reload_read;
    r->g = g;
    r->cmd = cmd;
    r->path = g->options.conf_path ? xstrdup(g->options.conf_path) : NULL;
    r->state_dir = g->options.state_dir ? xstrdup(g->options.state_dir) : NULL;
    buf_init(&r->why, 65536);
    buf_init(&r->warnings, 65536);
    if (disk_post(g->disk, &r->job)) return;
    if (cmd) control_answer(cmd, 503, "the disk does not keep up; try again");
    log_msg(LOG_ERROR, "not reloaded: the disk does not keep up");
    reload_free(r);
}
