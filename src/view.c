/* Gathering a snapshot: every worker is asked by mail for what it has in flight; when all have answered, or after 50
 * ms, the picture is made; a late worker's last list is used again. */
#include "base/mem.h"
#include "engine.h"

enum { LIVE_WAIT_MS = 50, KEYS_VIEW_MAX = POOL_KEYS_MAX, MODELS_VIEW_MAX = 1200 };

struct live_ask {
    struct mail mail;
    struct engine *g;
    unsigned worker;
    uint64_t round;
    struct live_list list;
};

static void publish(struct engine *g);

static void live_delivered(void *reader, struct mail *m)
{
    struct engine *g = reader;
    struct live_ask *a = CONTAINER_OF(m, struct live_ask, mail);
    free(g->live[a->worker].rows);
    g->live[a->worker] = a->list;
    if (a->round == g->live_round && g->live_missing && --g->live_missing == 0) publish(g);
    free(a);
}

/* On the worker's thread. */
static void answer_live(struct proxy *p, void *arg)
{
    struct live_ask *a = arg;
    size_t room = MIN((size_t)proxy_in_flight(p) + 1, (size_t)SNAP_LIVE_MAX);
    a->list.rows = xcalloc(room, sizeof *a->list.rows);
    a->list.count = proxy_live(p, a->list.rows, room);
    a->mail.deliver = live_delivered;
    if (loop_post(a->g->loop, &a->mail)) return;
    free(a->list.rows);
    free(a);
}

static void on_late(void *arg)
{
    struct engine *g = arg;
    publish(g);
}

void view_gather(void *engine)
{
    struct engine *g = engine;
    if (!g->live_timer.loop) loop_timer_init(&g->live_timer, g->loop, on_late, g);
    g->live_round++;
    g->live_missing = 0;
    for (unsigned i = 0; i < g->worker_count; i++) {
        struct live_ask *a = xcalloc(1, sizeof *a);
        a->g = g;
        a->worker = i;
        a->round = g->live_round;
        if (worker_call(g->workers[i], answer_live, a))
            g->live_missing++;
        else
            free(a);
    }
    loop_timer_start(&g->live_timer, g->live_missing ? LIVE_WAIT_MS : 0);
}

void view_free(struct engine *g)
{
    if (g->live_timer.loop) loop_timer_destroy(&g->live_timer);
    for (size_t i = 0; i < ARRAY_LEN(g->live); i++) free(g->live[i].rows);
}

static void view_keys(struct engine *g, struct snapshot *s)
{
    mono_t now = loop_now(g->loop);
    size_t room = keypool_count(g->pool) + 8;
    struct key_view *views = xcalloc(room, sizeof *views);
    s->key_count = MIN(keypool_view(g->pool, now, views, room), room);
    s->keys = xcalloc(s->key_count, sizeof *s->keys);
    for (size_t i = 0; i < s->key_count; i++) {
        s->keys[i].view = views[i];
        s->keys[i].meter.ttft_ms = -1;
        meter_key_rates(g->meter, views[i].id, now, &s->keys[i].meter);
        s->keys[i].spent_today_micro = s->keys[i].meter.spent.today;
        s->keys[i].balance_left_micro = views[i].balance_micro;
        s->keys[i].balance_origin = views[i].balance_spent_micro > 0 ? BALANCE_METERED : views[i].balance_origin;
    }
    free(views);
}

static bool banned_by_file(const struct engine *g, struct str id)
{
    for (size_t i = 0; i < g->conf->models_ban.count; i++)
        if (str_is(id, g->conf->models_ban.items[i])) return true;
    return false;
}

static void describe_model(struct engine *g, struct snap_model *m, const char *id)
{
    const struct model *known = catalog_find(g->catalog, str_of(id));
    const char *evidence, *type, *sub_type;
    str_copy(m->id, sizeof m->id, str_of(id));
    m->cost = catalog_cost(g->catalog, str_of(id), &evidence);
    snprintf(m->evidence, sizeof m->evidence, "%s", evidence);
    model_guess_kind(str_of(id), &type, &sub_type);
    snprintf(m->type, sizeof m->type, "%s", known ? known->type : type);
    snprintf(m->sub_type, sizeof m->sub_type, "%s", known ? known->sub_type : sub_type);
    if (known) price_text(&known->price, m->price, sizeof m->price);
    m->context = known ? known->context : 0;
    m->in_catalog = known && known->listed;
    m->ban_from_file = banned_by_file(g, str_of(id));
    m->banned = m->ban_from_file || map_get(&g->bans, str_of(id)) != NULL;
    m->keys_usable = keypool_usable_for(g->pool, str_of(id), loop_now(g->loop));
    m->ttft_ms = -1;
    struct outage_view outage;
    keypool_outage_view(g->pool, id, loop_now(g->loop), &outage);
    snprintf(m->breaker, sizeof m->breaker, "%s", breaker_state_name(outage.state));
    if (outage.state != BREAKER_CLOSED) snprintf(m->trouble, sizeof m->trouble, "%s", verdict_sentence(outage.reason));
    m->trouble_kind = outage.reason;
    m->probe_ms = outage.next_ms;
    m->waiting = outage.waiting;
}

static void add_traffic(struct snap_model *m, const struct meter_model *t)
{
    m->rates = t->rates;
    m->requests = t->requests;
    m->tokens = t->tokens;
    m->ok = t->ok;
    m->failed = t->failed;
    m->ttft_ms = t->ttft_ms;
    m->spent_today_micro = t->spent.today;
    m->other = strcmp(t->id, METER_OTHER) == 0;
}

static int by_cost_and_id(const void *a, const void *b)
{
    const struct snap_model *x = a, *y = b;
    bool x_free = x->cost == COST_FREE, y_free = y->cost == COST_FREE;
    return x_free != y_free ? (x_free ? -1 : 1) : strcmp(x->id, y->id);
}

/* Catalogue, models with traffic, models banned by hand: each once. */
static void view_models(struct engine *g, struct snapshot *s)
{
    struct map seen = MAP_INIT;
    struct meter_model *traffic = xcalloc(METER_MODELS_MAX + 1, sizeof *traffic);
    size_t n = meter_models(g->meter, loop_now(g->loop), traffic, METER_MODELS_MAX + 1);
    s->models = xcalloc(MODELS_VIEW_MAX, sizeof *s->models);
    const struct model *m;
    for (size_t i = 0; (m = catalog_at(g->catalog, i)) != NULL && s->model_count < MODELS_VIEW_MAX; i++) {
        if (!m->listed) continue;
        struct snap_model *row = &s->models[s->model_count++];
        describe_model(g, row, m->id);
        map_put(&seen, str_of(m->id), row);
    }
    for (size_t i = 0; i < n; i++) {
        struct snap_model *row = map_get(&seen, str_of(traffic[i].id));
        if (!row && s->model_count < MODELS_VIEW_MAX) {
            row = &s->models[s->model_count++];
            describe_model(g, row, traffic[i].id);
            map_put(&seen, str_of(traffic[i].id), row);
        }
        if (row) add_traffic(row, &traffic[i]);
    }
    MAP_FOR(slot, &g->bans)
    if (!map_get(&seen, str_of(slot->key)) && s->model_count < MODELS_VIEW_MAX)
        describe_model(g, &s->models[s->model_count++], slot->key);
    qsort(s->models, s->model_count, sizeof *s->models, by_cost_and_id);
    map_free(&seen);
    free(traffic);
}

static void view_cells(struct engine *g, struct snapshot *s)
{
    struct cell_view *views = xcalloc(SNAP_CELLS_MAX, sizeof *views);
    s->cell_count = keypool_cells(g->pool, loop_now(g->loop), views, SNAP_CELLS_MAX);
    s->cells = xcalloc(s->cell_count, sizeof *s->cells);
    for (size_t i = 0; i < s->cell_count; i++) {
        const struct cell_view *v = &views[i];
        struct snap_cell *c = &s->cells[i];
        bool known = v->limit_rpm >= 0 || v->limit_tpm >= 0;
        *c = (struct snap_cell){.in_flight = v->in_flight,
                                .rpm = v->rpm,
                                .tpm = v->tpm,
                                .limit_rpm = v->limit_rpm,
                                .limit_tpm = v->limit_tpm,
                                .reason = v->reason,
                                .last_verdict = v->last_verdict,
                                .ms_left = v->ms_left,
                                .idle_s = v->idle_ms / 1000};
        memcpy(c->account, v->account, sizeof c->account);
        memcpy(c->model, v->model, sizeof c->model);
        str_copy(c->limit_origin, sizeof c->limit_origin,
                 v->configured ? STR("config")
                 : known       ? STR("learned")
                               : STR(""));
    }
    free(views);
}

static int newest_first(const void *a, const void *b)
{
    const struct snap_request *x = a, *y = b;
    return (x->r.wall.ms < y->r.wall.ms) - (x->r.wall.ms > y->r.wall.ms);
}

static void view_requests(struct engine *g, struct snapshot *s)
{
    const struct record *recent[METER_RECENT];
    size_t finished = meter_recent(g->meter, recent, METER_RECENT), live = 0;
    for (unsigned w = 0; w < g->worker_count; w++) live += g->live[w].count;
    live = MIN(live, (size_t)SNAP_LIVE_MAX);
    s->requests = xcalloc(live + finished, sizeof *s->requests);
    for (unsigned w = 0; w < g->worker_count; w++)
        for (size_t i = 0; i < g->live[w].count && s->live_count < live; i++) {
            struct snap_request *row = &s->requests[s->live_count++];
            row->r = g->live[w].rows[i].r;
            row->live = true;
            row->age_ms = g->live[w].rows[i].age_ms;
            snprintf(row->state, sizeof row->state, "%s", step_name(g->live[w].rows[i].step));
        }
    qsort(s->requests, s->live_count, sizeof *s->requests, newest_first);
    s->request_count = s->live_count;
    for (size_t i = 0; i < finished; i++) {
        struct snap_request *row = &s->requests[s->request_count++];
        row->r = *recent[i];
        snprintf(row->state, sizeof row->state, "done");
    }
}

static void view_series(struct engine *g, struct snapshot *s)
{
    const struct window *w = meter_window(g->meter, loop_now(g->loop));
    window_series(w, 1, false, s->req_1s, RING_SECONDS);
    window_series(w, 1, true, s->tok_1s, RING_SECONDS);
    window_series(w, 10, false, s->req_10s, RING_TENS);
    window_series(w, 10, true, s->tok_10s, RING_TENS);
    window_series(w, 60, false, s->req_60s, RING_MINUTES);
    window_series(w, 60, true, s->tok_60s, RING_MINUTES);
}

static void view_jobs(struct engine *g, struct snapshot *s)
{
    s->jobs_known = sticky_count(g->shared.sticky);
    size_t room = MIN(s->jobs_known + 8, (size_t)SNAP_JOBS_MAX);
    s->jobs = xcalloc(room, sizeof *s->jobs);
    s->job_count = sticky_recent(g->shared.sticky, s->time, s->jobs, room);
}

static void view_log(struct engine *g, struct snapshot *s)
{
    s->log = xcalloc(g->log_count, sizeof *s->log);
    s->log_count = g->log_count;
    size_t first = (g->log_next + LOG_KEPT - g->log_count) % LOG_KEPT;
    for (size_t i = 0; i < g->log_count; i++) s->log[i] = g->log[(first + i) % LOG_KEPT];
}

static void view_alarm(struct engine *g, struct snapshot *s)
{
    struct disk_health h;
    disk_health(g->disk, &h);
    disk_alarm(&h, s->made, s->alarm, sizeof s->alarm);
    s->writes_dropped = h.dropped;
    s->store.queued = h.queued;
    s->store.errors = h.errors;
    s->store.failing = h.failing;
    struct outage_view outage;
    keypool_outage_view(g->pool, NULL, s->made, &outage);
    snprintf(s->breaker, sizeof s->breaker, "%s", breaker_state_name(outage.state));
    s->waiting = outage.waiting;
    s->breaker_kind = outage.reason;
    s->breaker_open_ms = outage.open_ms;
    s->breaker_probe_ms = outage.next_ms;
    if (outage.state != BREAKER_CLOSED)
        snprintf(s->upstream_trouble, sizeof s->upstream_trouble, "%s, by every account",
                 verdict_sentence(outage.reason));
    if (g->addrs && g->addrs->failed)
        snprintf(s->upstream_trouble, sizeof s->upstream_trouble, "cannot resolve %.60s: %.100s", g->addrs->host,
                 g->addrs->error);
}

static void view_process(struct engine *g, struct snapshot *s)
{
    s->seq = ++g->snapshot_seq;
    snprintf(s->version, sizeof s->version, "%s", SFPROXY_VERSION);
    s->time = wall_now();
    s->made = loop_now(g->loop);
    s->uptime_s = mono_since(s->made, g->started) / 1000;
    snprintf(s->listen, sizeof s->listen, "%s", g->listen);
    snprintf(s->base_url, sizeof s->base_url, "%s", g->base_url);
    snprintf(s->upstream_url, sizeof s->upstream_url, "%s", g->conf->api_url);
    snprintf(s->state_dir, sizeof s->state_dir, "%s", g->conf->state_dir);
    snprintf(s->conf_path, sizeof s->conf_path, "%s", g->conf->path);
    snprintf(s->conf_error, sizeof s->conf_error, "%s", g->conf_error);
    s->draining = g->draining;
    s->drain_left_ms = g->draining ? MAX(mono_since(g->drain_until, s->made), 0) : 0;
    s->readonly = g->options.readonly;
    for (unsigned i = 0; i < g->worker_count; i++) {
        s->in_flight += worker_in_flight(g->workers[i]);
        s->connections += worker_connections(g->workers[i]);
    }
    s->leases = keypool_leases_out(g->pool);
    tester_progress(g->tester, &s->progress);
}

static void publish(struct engine *g)
{
    struct snapshot *s = snapshot_new();
    g->live_missing = 0;
    loop_timer_stop(&g->live_timer);
    engine_drain_records(g);
    view_process(g, s);
    view_alarm(g, s);
    meter_totals(g->meter, loop_now(g->loop), &s->totals);
    s->totals.hours_left = engine_hours_left(g, s->totals.burn_per_hour);
    view_series(g, s);
    view_keys(g, s);
    view_models(g, s);
    view_cells(g, s);
    s->clients = xcalloc(METER_CLIENTS_MAX + 1, sizeof *s->clients);
    s->client_count = meter_clients(g->meter, loop_now(g->loop), s->clients, METER_CLIENTS_MAX + 1);
    view_requests(g, s);
    view_jobs(g, s);
    view_log(g, s);
    control_publish(g->control, s);
}
