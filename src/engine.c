/* Boot and death of the process, in a written order.
 *
 * Boot: state directory and lock, what it remembers, disk thread, pool, meter, listening sockets, workers, resolver,
 * screen. The sockets are bound before the threads run, so that a port in use is told at once, but nothing is accepted
 * before the loop runs; keys switched off by hand are known before the first request.
 *
 * Death (ending.c has the ways): the loop ends, screen ended (1 s at most), workers joined, their last records counted,
 * key state saved, disk thread ended, lock released.
 */
#include "booking.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "proxy/own.h"

enum {
    DISK_WAIT_MS = 5000,
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

/* At the cap the connection that has been idle longest, of the worker that has most of them, makes room. What was
 * asked for and is not closed yet shows as `open` beyond the cap, so that no more are asked than there are. */
static bool has_room(void *arg)
{
    struct engine *g = arg;
    struct worker *idlest = NULL;
    int64_t open = 0, idle = 0;
    for (unsigned i = 0; i < g->worker_count; i++) {
        struct worker *w = g->workers[i];
        open += worker_connections(w);
        idle += worker_idle_connections(w);
        if (!idlest || worker_idle_connections(w) > worker_idle_connections(idlest)) idlest = w;
    }
    if (open < g->max_connections) return true;
    return open < g->max_connections + idle && worker_call(idlest, proxy_make_room, NULL);
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

static void wake_exchange(struct proxy *p, void *arg)
{
    uint64_t *exchange = arg;
    proxy_wake(p, *exchange);
    free(exchange);
}

/* Any thread: the key pool has a key for a request that waits in this worker, perhaps. */
static void on_wake(void *arg, unsigned worker, uint64_t exchange)
{
    struct engine *g = arg;
    uint64_t *id = xmalloc(sizeof *id);
    *id = exchange;
    if (!worker_call(g->workers[worker], wake_exchange, id)) free(id);
}

static void on_connect_failed(void *arg)
{
    struct engine *g = arg;
    resolver_hurry(g->resolver);
}

static void on_look_up(void *arg, struct resolver_question *q)
{
    struct engine *g = arg;
    resolver_ask(g->resolver, q);
}

static void give_addrs(struct proxy *p, void *arg)
{
    proxy_set_addrs(p, arg);
}

void engine_give_addrs(struct worker *w, struct addrs *a)
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
    for (unsigned i = 0; i < g->worker_count; i++) engine_give_addrs(g->workers[i], g->addrs);
    if (!g->addrs->failed && g->refresh) refresh_addrs_known(g->refresh);
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

void engine_watch_upstream(struct engine *g)
{
    const struct conf *c = g->conf;
    if (c->upstream_proxy[0])
        resolver_watch(g->resolver, c->proxy_host, c->proxy_port);
    else
        resolver_watch(g->resolver, c->upstream_host, c->upstream_port);
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
    if (!g->disk) return false;
    g->ledger = ledger_new(state_db(g->state), g->disk, o.queue, g->conf->store_keep_requests);
    return true;
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
    sticky_restore(g->shared.sticky, l.sticky, l.sticky_count, wall_now());
    for (size_t i = 0; i < l.ban_count; i++) map_put(&g->bans, str_of(l.bans[i]), g);
    state_loaded_free(&l);
    if (!booking_restore(g, why)) return false;
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
            buf_printf(why, "cannot start worker thread %lld: %s (too many processes or open files? see ulimit)",
                       (long long)i + 1, strerror(errno));
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
                           .bell = c->ui_bell,
                           .title = c->ui_title,
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
    loop_timer_init(&g->tick, g->loop, engine_tick, g);
    loop_timer_init(&g->drain_timer, g->loop, engine_drain_check, g);
    g->control = control_new(g->loop, &ops, g);
    g->pool = keypool_new((enum pool_strategy)g->conf->pool_strategy);
    keypool_set_limits(g->pool, g->conf->model_rules, g->conf->model_rule_count);
    g->meter = meter_new(g->started);
    meter_set_day(g->meter, wall_day_cached(&g->day_cache, wall_now()));
    g->shared.pool = g->pool;
    g->shared.sticky = sticky_new(STICKY_MAX);
    keypool_set_waker(g->pool, on_wake, g);
    client_counts_init(&g->shared.clients);
    g->shared.connect_failed = on_connect_failed;
    g->shared.look_up = on_look_up;
    g->shared.news = on_news;
    g->shared.arg = g;
    atomic_store(&g->shared.budget.limit, g->conf->limits_upload_memory);
    if (!restore(g, why) || !open_listeners(g, why) || !make_admin(g, why)) return false;
    log_set_level((enum log_level)g->conf->log_level);
    log_set_sink(log_sink, g);
    compute_max_connections(g, descriptors);
    g->resolver = resolver_new(on_addrs, g);
    if (!g->resolver) {
        buf_puts(why, "cannot start the resolver's thread (too many processes? see ulimit -u)");
        return false;
    }
    if (!start_workers(g, why)) return false;
    g->tester = tester_new(g);
    g->models = models_new(g);
    g->refresh = refresh_new(g);
    g->signals = signals_new(g);
    if (!g->signals) {
        buf_printf(why, "cannot watch for signals: %s", strerror(errno));
        return false;
    }
    engine_apply_bans(g);
    engine_watch_upstream(g);
    return true;
}

static void stop_workers(struct engine *g)
{
    struct record r;
    for (unsigned i = 0; i < g->worker_count; i++) worker_stop(g->workers[i]);
    for (unsigned i = 0; i < g->worker_count; i++) worker_join(g->workers[i]);
    engine_drain_records(g);
    for (unsigned i = 0; i < g->worker_count; i++) {
        while (worker_take_overflow(g->workers[i], &r)) booking_add(g, &r, mono_now());
        worker_free(g->workers[i]);
    }
    engine_pay(g);
    g->worker_count = 0;
}

static void shut_down(struct engine *g)
{
    engine_close_listeners(g);
    if (g->control) control_close(g->control);
    if (g->ui) engine_ui_stop(g);
    if (g->resolver) resolver_close(g->resolver); /* workers may still ask it something */
    stop_workers(g);
    resolver_free(g->resolver);
    if (g->loop) loop_close_mailbox(g->loop);
    if (g->signals) signals_free(g->signals);
    if (g->tester) tester_free(g->tester);
    region_end(g);
    if (g->refresh) refresh_free(g->refresh);
    if (g->models) models_free(g->models);
    if (g->pool && g->state && g->disk) engine_save_all(g);
    if (g->ledger) ledger_flush(g->ledger);
    log_set_sink(NULL, NULL);
    if (g->disk && !disk_free(g->disk, DISK_WAIT_MS)) {
        /* The disk thread hangs in a system call and still uses the state: nothing may be freed under it. */
        fputs("sfproxy: the disk did not answer; leaving without it\n", stderr);
        _exit(g->exit_code ? g->exit_code : 1);
    }
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
    sticky_free(g->shared.sticky);
    free(g->sticky_unsaved);
    if (g->pool) {
        keypool_free(g->pool);
        client_counts_destroy(&g->shared.clients);
    }
    ledger_free(g->ledger);
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
        loop_timer_start(&g->tick, 1);
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
