/* Boot and death of the process, in a written order.
 *
 * Boot: state directory and lock, what it remembers, disk thread, pool, meter, listening sockets, workers, resolver,
 * screen. The sockets are bound before the threads run, so that a port in use is told at once, but nothing is accepted
 * before the loop runs; keys switched off by hand are known before the first request.
 *
 * Death, in three ways:
 *   drain   listeners close, idle connections close, streams finish within server.drain; what is left gets an error
 *           event; exit 0
 *   stop    the same with no time
 *   hangup  the terminal is gone: drain, or go on without a screen (ui.on_hangup)
 * then: screen ended (1 s at most), workers joined, their last records counted, key state saved, disk thread ended,
 * lock released.
 */
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "proxy/own.h"

enum {
    TICK_MS = 50,
    SAVE_AFTER_MS = 500,
    DRAIN_CHECK_MS = 50,
    DISK_WAIT_MS = 5000,
    KILL_GRACE_MS = 2000,
    FD_RESERVE = 64,
};

/* --- log lines --- */

struct log_mail {
    struct mail mail;
    struct log_line line;
};

static void keep_log_line(void *reader, struct mail *m)
{
    struct engine *g = reader;
    struct log_mail *l = CONTAINER_OF(m, struct log_mail, mail);
    g->log[g->log_next] = l->line;
    g->log_next = (g->log_next + 1) % LOG_KEPT;
    g->log_count = MIN(g->log_count + 1, (size_t)LOG_KEPT);
    if (g->disk) disk_log(g->disk, &l->line);
    free(l);
}

static void log_sink(void *arg, const struct log_line *line)
{
    struct engine *g = arg;
    struct log_mail *l = xmalloc(sizeof *l);
    l->mail.deliver = keep_log_line;
    l->line = *line;
    if (loop_post(g->loop, &l->mail)) return;
    free(l);
}

/* --- workers --- */

static struct worker *least_busy(struct engine *g)
{
    struct worker *best = g->workers[0];
    for (unsigned i = 1; i < g->worker_count; i++)
        if (worker_connections(g->workers[i]) < worker_connections(best)) best = g->workers[i];
    return best;
}

static void on_accepted(void *arg, int fd, const char *peer, bool is_local)
{
    worker_adopt(least_busy(arg), fd, peer, is_local);
}

static bool has_room(void *arg)
{
    struct engine *g = arg;
    int64_t open = 0;
    for (unsigned i = 0; i < g->worker_count; i++) open += worker_connections(g->workers[i]);
    return open < g->max_connections;
}

static void news_delivered(void *reader, struct mail *m)
{
    (void)m;
    struct engine *g = reader;
    atomic_store(&g->news_posted, false);
    engine_drain_records(g);
}

/* Any worker: its ring is half full. */
static void on_news(void *arg)
{
    struct engine *g = arg;
    if (atomic_exchange(&g->news_posted, true)) return;
    if (!loop_post(g->loop, &g->news_mail)) atomic_store(&g->news_posted, false);
}

static void on_connect_failed(void *arg)
{
    struct engine *g = arg;
    resolver_hurry(g->resolver);
}

static void give_addrs(struct proxy *p, void *arg)
{
    proxy_set_addrs(p, arg);
}

static void addrs_to_worker(struct worker *w, struct addrs *a)
{
    if (!worker_call(w, give_addrs, addrs_get(a))) addrs_put(a);
}

struct addrs_mail {
    struct mail mail;
    struct addrs *addrs;
};

static void addrs_delivered(void *reader, struct mail *m)
{
    struct engine *g = reader;
    struct addrs_mail *am = CONTAINER_OF(m, struct addrs_mail, mail);
    if (am->addrs->failed) LOG_LIMITED(LOG_WARN, 2, "cannot resolve %s: %s", am->addrs->host, am->addrs->error);
    addrs_put(g->addrs);
    g->addrs = am->addrs;
    for (unsigned i = 0; i < g->worker_count; i++) addrs_to_worker(g->workers[i], g->addrs);
    free(am);
}

/* On the resolver's thread. */
static void on_addrs(void *arg, struct addrs *a)
{
    struct engine *g = arg;
    struct addrs_mail *m = xcalloc(1, sizeof *m);
    m->mail.deliver = addrs_delivered;
    m->addrs = a;
    if (loop_post(g->loop, &m->mail)) return;
    addrs_put(a);
    free(m);
}

static void watch_upstream(struct engine *g)
{
    const struct conf *c = g->conf;
    if (c->upstream_proxy[0])
        resolver_watch(g->resolver, c->proxy_host, c->proxy_port);
    else
        resolver_watch(g->resolver, c->upstream_host, c->upstream_port);
}

static void give_bans(struct proxy *p, void *arg)
{
    proxy_set_bans(p, arg);
}

void engine_apply_bans(struct engine *g)
{
    size_t n = 0, room = g->conf->models_ban.count + g->bans.count;
    char **models = xcalloc(room, sizeof *models);
    for (size_t i = 0; i < g->conf->models_ban.count; i++) models[n++] = g->conf->models_ban.items[i];
    MAP_FOR (slot, &g->bans) models[n++] = slot->key;
    struct ban_set *set = ban_set_new(models, n);
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_bans, ban_set_get(set))) ban_set_put(set);
    ban_set_put(set);
    free(models);
}

/* --- counting and saving, 20 times a second --- */

void engine_drain_records(struct engine *g)
{
    mono_t now = mono_now();
    for (unsigned i = 0; i < g->worker_count; i++) {
        struct ring *ring = worker_records(g->workers[i]);
        const struct record *r;
        while ((r = ring_peek(ring)) != NULL) {
            meter_apply(g->meter, r, now);
            ring_pop(ring);
        }
    }
}

void engine_keys_changed(struct engine *g)
{
    g->keys_dirty = true;
}

static void save_keys(struct engine *g)
{
    struct buf text = BUF_INIT(4 * 1024 * 1024);
    keypool_export_runtime(g->pool, &text);
    if (state_save_keys(g->state, g->disk, buf_take(&text))) g->keys_dirty = false;
}

static void save_bans(struct engine *g)
{
    size_t n = 0;
    char **models = xcalloc(g->bans.count, sizeof *models);
    MAP_FOR (slot, &g->bans) models[n++] = slot->key;
    if (state_save_bans(g->state, g->disk, models, n)) g->bans_dirty = false;
    free(models);
}

static void save_pool(struct engine *g)
{
    struct key_saved *keys;
    struct cooldown_saved *cooldowns;
    size_t key_count, cooldown_count;
    uint64_t generation = keypool_generation(g->pool);
    keypool_save(g->pool, mono_now(), wall_now(), &keys, &key_count, &cooldowns, &cooldown_count);
    if (state_save_pool(g->state, g->disk, keys, key_count, cooldowns, cooldown_count)) {
        g->saved_generation = generation;
        g->save_at = (mono_t){0};
    } else {
        g->save_at = mono_add(loop_now(g->loop), 10 * SAVE_AFTER_MS);
    }
}

static void save_what_changed(struct engine *g)
{
    mono_t now = loop_now(g->loop);
    if (keypool_generation(g->pool) != g->saved_generation && !g->save_at.ms) g->save_at = mono_add(now, SAVE_AFTER_MS);
    if (g->save_at.ms && now.ms >= g->save_at.ms) save_pool(g);
    if (g->keys_dirty) save_keys(g);
    if (g->bans_dirty) save_bans(g);
}

static void on_tick(void *arg)
{
    struct engine *g = arg;
    engine_drain_records(g);
    uint64_t generation = keypool_generation(g->pool);
    if (generation != g->seen_generation) {
        g->seen_generation = generation;
        control_changed(g->control);
    }
    save_what_changed(g);
    loop_timer_start(&g->tick, TICK_MS);
}

/* --- reload --- */

static void give_conf(struct proxy *p, void *arg)
{
    proxy_set_conf(p, arg);
}

void engine_apply_conf(struct engine *g, struct conf *conf)
{
    bool other_host = strcmp(conf->upstream_host, g->conf->upstream_host) != 0 ||
                      conf->upstream_port != g->conf->upstream_port ||
                      strcmp(conf->upstream_proxy, g->conf->upstream_proxy) != 0;
    struct buf restart = BUF_INIT(4096);
    conf_diff_restart(g->conf, conf, &restart);
    if (restart.len) log_msg(LOG_WARN, "these options need a restart to change: %s", buf_cstr(&restart));
    buf_free(&restart);
    keypool_configure(g->pool, conf->keys, conf->key_count, mono_now());
    keypool_set_strategy(g->pool, (enum pool_strategy)conf->pool_strategy);
    atomic_store(&g->shared.budget.limit, conf->limits_upload_memory);
    log_set_level((enum log_level)conf->log_level);
    conf_put(g->conf);
    g->conf = conf;
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], give_conf, conf_get(conf))) conf_put(conf);
    engine_apply_bans(g);
    if (other_host) {
        addrs_put(g->addrs);
        g->addrs = NULL;
        watch_upstream(g);
    } else if (g->addrs) {
        for (unsigned i = 0; i < g->worker_count; i++) addrs_to_worker(g->workers[i], g->addrs);
    }
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

/* --- the end --- */

static void close_listeners(struct engine *g)
{
    for (size_t i = 0; i < g->listener_count; i++) listener_free(g->listeners[i]);
    g->listener_count = 0;
}

static void drain_proxy(struct proxy *p, void *arg)
{
    (void)arg;
    proxy_drain(p);
}

static void kill_proxy(struct proxy *p, void *arg)
{
    (void)arg;
    proxy_kill_all(p, "sfproxy was stopped before the answer was complete");
}

static void call_workers(struct engine *g, void (*fn)(struct proxy *, void *))
{
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], fn, NULL)) return;
}

static bool all_idle(struct engine *g)
{
    for (unsigned i = 0; i < g->worker_count; i++)
        if (worker_in_flight(g->workers[i]) || worker_connections(g->workers[i])) return false;
    return true;
}

static void on_drain_check(void *arg)
{
    struct engine *g = arg;
    mono_t now = loop_now(g->loop);
    if (all_idle(g)) {
        loop_stop(g->loop);
        return;
    }
    if (now.ms >= g->drain_until.ms) {
        if (g->stopping) {
            loop_stop(g->loop);
            return;
        }
        g->stopping = true;
        log_msg(LOG_WARN, "the drain time is over: what still runs is ended");
        call_workers(g, kill_proxy);
        g->drain_until = mono_add(now, KILL_GRACE_MS);
    }
    control_changed(g->control);
    loop_timer_start(&g->drain_timer, DRAIN_CHECK_MS);
}

static void begin_end(struct engine *g, int64_t ms)
{
    g->draining = true;
    atomic_store(&g->shared.draining, true);
    g->drain_until = mono_add(loop_now(g->loop), ms);
    close_listeners(g);
    call_workers(g, drain_proxy);
    loop_timer_start(&g->drain_timer, 0);
    control_changed(g->control);
}

void engine_drain(struct engine *g)
{
    if (g->draining) return;
    log_msg(LOG_INFO, "draining: no new requests, running ones may finish within %lld s",
            (long long)g->conf->server_drain / 1000);
    begin_end(g, g->conf->server_drain);
}

void engine_stop(struct engine *g, int code)
{
    g->exit_code = code;
    if (!g->draining) begin_end(g, 0);
    g->drain_until = loop_now(g->loop);
    loop_timer_start(&g->drain_timer, 0);
}

void engine_interrupt(struct engine *g)
{
    if (g->draining)
        engine_stop(g, 130);
    else
        engine_drain(g);
}

void engine_ui_stop(struct engine *g)
{
    struct ui *ui = g->ui;
    g->ui = NULL;
    if (ui) ui_stop(ui);
    disk_log_to_stderr(g->disk, true);
}

void engine_hangup(struct engine *g)
{
    engine_ui_stop(g);
    if (g->conf->ui_on_hangup == HANGUP_KEEP) {
        log_msg(LOG_WARN, "the terminal is gone; going on without a screen");
        return;
    }
    log_msg(LOG_WARN, "the terminal is gone");
    engine_drain(g);
}

/* --- boot --- */

static int64_t raise_descriptor_limit(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0) return 1024;
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    getrlimit(RLIMIT_NOFILE, &rl);
    return rl.rlim_cur == RLIM_INFINITY ? 1000000 : (int64_t)rl.rlim_cur;
}

static bool open_state(struct engine *g, struct buf *why)
{
    struct disk_options o = {.queue = (size_t)g->conf->store_queue,
                             .log_file = g->conf->log_file,
                             .log_size = g->conf->log_size,
                             .log_files = (int)g->conf->log_files};
    g->state = state_open(g->conf->state_dir, g->conf->server_listen.items[0], why);
    if (!g->state) return false;
    g->disk = disk_new(&o, why);
    return g->disk != NULL;
}

static bool restore(struct engine *g, struct buf *why)
{
    struct state_loaded l = {0};
    mono_t now = mono_now();
    if (!state_load(g->state, &l, why)) return false;
    keypool_configure(g->pool, g->conf->keys, g->conf->key_count, now);
    for (size_t i = 0; i < l.runtime_count; i++) {
        char id[KEY_ID_LEN + 1];
        keypool_add(g->pool, &l.runtime_keys[i], now, id);
    }
    keypool_restore(g->pool, l.keys, l.key_count, l.cooldowns, l.cooldown_count, now, wall_now());
    for (size_t i = 0; i < l.ban_count; i++) map_put(&g->bans, str_of(l.bans[i]), g);
    state_loaded_free(&l);
    g->saved_generation = g->seen_generation = keypool_generation(g->pool);
    return true;
}

static bool open_listeners(struct engine *g, struct buf *why)
{
    static const struct listener_ops ops = {on_accepted, has_room};
    const struct text_list *addresses = &g->conf->server_listen;
    for (size_t i = 0; i < addresses->count && i + 1 < LISTENERS_MAX; i++) {
        struct listener *li = listener_tcp(g->loop, addresses->items[i], &ops, g, why);
        if (!li) return false;
        g->listeners[g->listener_count++] = li;
        size_t used = strlen(g->listen);
        snprintf(g->listen + used, sizeof g->listen - used, "%s%s", used ? ", " : "", listener_address(li));
    }
    /* A wildcard address is no address to type into a client. */
    struct str first = str_of(listener_address(g->listeners[0]));
    const char *port = strrchr(first.p, ':');
    bool any = str_starts(first, "0.0.0.0:") || str_starts(first, "[::]:");
    snprintf(g->base_url, sizeof g->base_url, "http://%s%s/v1", any ? "127.0.0.1" : "", any ? port : first.p);
    struct listener *local = listener_unix(g->loop, state_socket_path(g->state), &ops, g, why);
    if (local) g->listeners[g->listener_count++] = local;
    return local != NULL;
}

static bool start_workers(struct engine *g, struct buf *why)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t n = g->conf->server_workers ? g->conf->server_workers : MAX(cpus, 1);
    for (int64_t i = 0; i < MIN(n, (int64_t)WORKERS_MAX); i++) {
        struct worker *w = worker_new((unsigned)i, &g->shared, conf_get(g->conf));
        if (!w) {
            buf_printf(why, "cannot start worker thread %lld: %s", (long long)i + 1, strerror(errno));
            return false;
        }
        g->workers[g->worker_count++] = w;
    }
    return true;
}

static bool make_admin(struct engine *g, struct buf *why)
{
    char *token = g->conf->admin_token[0] ? xstrdup(g->conf->admin_token) : state_admin_token(g->state, why);
    if (!token) return false;
    g->admin = admin_new(g->control, token, g->options.readonly);
    free_secret(token);
    g->tables[0] = own_table(&g->shared);
    g->tables[1] = admin_table(g->admin);
    g->shared.tables = g->tables;
    g->shared.table_count = ARRAY_LEN(g->tables);
    return true;
}

static const char *setting(void *arg, const char *name)
{
    struct engine *g = arg;
    return state_setting(g->state, name);
}

static void start_screen(struct engine *g)
{
    struct buf why = BUF_INIT(1000);
    const struct conf *c = g->conf;
    struct ui_options o = {.lang = g->options.lang ? g->options.lang : c->ui_lang,
                           .theme = c->ui_theme,
                           .graph = c->ui_graph,
                           .fps = (int)c->ui_fps,
                           .mouse = c->ui_mouse,
                           .privacy = g->options.privacy,
                           .readonly = g->options.readonly};
    if (!g->options.headless && ui_possible(&why)) g->ui = ui_start(&o, g->control, &why);
    if (!g->ui && !g->options.headless) log_msg(LOG_INFO, "no screen: %s", buf_cstr(&why));
    disk_log_to_stderr(g->disk, g->ui == NULL);
    buf_free(&why);
}

static void compute_max_connections(struct engine *g, int64_t descriptors)
{
    int64_t possible = MAX((descriptors - FD_RESERVE) / 2, 16);
    g->max_connections = MIN(g->conf->limits_max_connections, possible);
    if (possible < g->conf->limits_max_connections)
        log_msg(LOG_WARN, "the descriptor limit of %lld allows %lld client connections, fewer than max_connections",
                (long long)descriptors, (long long)possible);
}

static bool boot(struct engine *g, struct buf *why)
{
    static const struct control_ops ops = {commands_run, view_gather, setting};
    int64_t descriptors = raise_descriptor_limit();
    if (!upstream_global_init(why) || !open_state(g, why)) return false;
    g->loop = loop_new(g);
    if (!g->loop) {
        buf_puts(why, "no descriptors left for an event loop");
        return false;
    }
    g->news_mail.deliver = news_delivered;
    loop_timer_init(&g->tick, g->loop, on_tick, g);
    loop_timer_init(&g->drain_timer, g->loop, on_drain_check, g);
    g->control = control_new(g->loop, &ops, g);
    g->pool = keypool_new((enum pool_strategy)g->conf->pool_strategy);
    g->meter = meter_new(g->started);
    g->shared.pool = g->pool;
    g->shared.connect_failed = on_connect_failed;
    g->shared.news = on_news;
    g->shared.arg = g;
    atomic_store(&g->shared.budget.limit, g->conf->limits_upload_memory);
    if (!restore(g, why) || !open_listeners(g, why) || !make_admin(g, why)) return false;
    log_set_level((enum log_level)g->conf->log_level);
    log_set_sink(log_sink, g);
    compute_max_connections(g, descriptors);
    g->resolver = resolver_new(on_addrs, g);
    if (!start_workers(g, why)) return false;
    g->tester = tester_new(g);
    g->signals = signals_new(g);
    engine_apply_bans(g);
    watch_upstream(g);
    return true;
}

static void stop_workers(struct engine *g)
{
    struct record r;
    for (unsigned i = 0; i < g->worker_count; i++) worker_stop(g->workers[i]);
    for (unsigned i = 0; i < g->worker_count; i++) worker_join(g->workers[i]);
    engine_drain_records(g);
    for (unsigned i = 0; i < g->worker_count; i++) {
        while (worker_take_overflow(g->workers[i], &r)) meter_apply(g->meter, &r, mono_now());
        worker_free(g->workers[i]);
    }
    g->worker_count = 0;
}

static void shut_down(struct engine *g)
{
    close_listeners(g);
    if (g->control) control_close(g->control);
    if (g->ui) engine_ui_stop(g);
    if (g->resolver) resolver_free(g->resolver);
    stop_workers(g);
    if (g->loop) loop_close_mailbox(g->loop);
    if (g->signals) signals_free(g->signals);
    if (g->tester) tester_free(g->tester);
    if (g->pool && g->state && g->disk) {
        if (keypool_generation(g->pool) != g->saved_generation) save_pool(g);
        if (g->keys_dirty) save_keys(g);
        if (g->bans_dirty) save_bans(g);
    }
    log_set_sink(NULL, NULL);
    if (g->disk && !disk_free(g->disk, DISK_WAIT_MS)) fputs("sfproxy: the disk did not answer; leaving\n", stderr);
    if (g->pool && keypool_leases_out(g->pool)) fprintf(stderr, "BUG: %u leases out\n", keypool_leases_out(g->pool));
}

static void free_all(struct engine *g)
{
    if (g->loop) {
        view_free(g);
        loop_timer_destroy(&g->tick);
        loop_timer_destroy(&g->drain_timer);
    }
    if (g->admin) admin_free(g->admin);
    if (g->control) control_free(g->control);
    if (g->meter) meter_free(g->meter);
    if (g->pool) keypool_free(g->pool);
    if (g->state) state_close(g->state);
    if (g->loop) loop_free(g->loop);
    addrs_put(g->addrs);
    map_free(&g->bans);
    conf_put(g->conf);
    free(g);
}

int engine_run(struct conf *conf, const struct run_options *o)
{
    struct engine *g = xcalloc(1, sizeof *g);
    struct buf why = BUF_INIT(4096);
    g->options = *o;
    g->conf = conf;
    g->started = mono_now();
    if (boot(g, &why)) {
        log_msg(LOG_INFO, "sfproxy " SFPROXY_VERSION " listens on %s, for %s, %zu keys, %u workers", g->listen,
                conf->api_url, keypool_count(g->pool), g->worker_count);
        start_screen(g);
        loop_timer_start(&g->tick, TICK_MS);
        loop_run(g->loop);
    } else {
        fprintf(stderr, "sfproxy: %s\n", buf_cstr(&why));
        g->exit_code = why.len && strstr(buf_cstr(&why), "control.sock") ? 2 : 1;
    }
    int code = g->exit_code;
    buf_free(&why);
    shut_down(g);
    free_all(g);
    return code;
}
