/* Tests of keys, paced: at most four at once, spread over the workers. GET /v1/models says whether a key is known (free
 * of charge); a key that works is then asked for its balance, until the platform says that user/info is retired: that
 * is remembered for seven days and base URL, and is no fault of the key. A deep test sends one token. */
#include "base/mem.h"
#include "engine.h"

enum { AT_ONCE = 4, DUE_EVERY_MS = 250, DUE_AT_ONCE = 8 };
#define RETIRED_FOR_MS (7ll * 86400000)

struct job {
    struct list node; /* queue, or running */
    struct tester *t;
    char key_id[KEY_ID_LEN + 1];
    bool deep;
    struct command *cmd; /* waits for the outcome; NULL: nobody */
    struct mail mail;
    struct probe_result result;
    bool second; /* the balance call of a test that passed */
    int64_t took_ms;
    bool counted; /* part of the progress shown */
};

struct tester {
    struct engine *g;
    struct list queue, running;
    unsigned running_count, next_worker;
    struct loop_timer due;
    struct snap_progress progress;
};

static void start_next(struct tester *t);

static void on_due(void *arg)
{
    struct tester *t = arg;
    char ids[DUE_AT_ONCE][KEY_ID_LEN + 1];
    bool reachable = t->g->addrs && !t->g->addrs->failed; /* else a test would say nothing about a key */
    size_t n = !reachable ? 0 : keypool_due_tests(t->g->pool, mono_now(), ids, DUE_AT_ONCE);
    for (size_t i = 0; i < n; i++) tester_add(t, ids[i], false, NULL);
    loop_timer_start(&t->due, DUE_EVERY_MS);
}

struct tester *tester_new(struct engine *g)
{
    struct tester *t = xcalloc(1, sizeof *t);
    t->g = g;
    list_init(&t->queue);
    list_init(&t->running);
    loop_timer_init(&t->due, g->loop, on_due, t);
    loop_timer_start(&t->due, 1);
    return t;
}

static void job_free(struct job *j)
{
    list_remove(&j->node);
    free(j);
}

void tester_free(struct tester *t)
{
    tester_cancel(t);
    LIST_FOR_SAFE(it, &t->running)
    {
        struct job *j = LIST_ENTRY(it, struct job, node);
        if (j->cmd) control_answer(j->cmd, 503, "sfproxy is shutting down");
        job_free(j);
    }
    loop_timer_destroy(&t->due);
    free(t);
}

static bool is_known(const struct list *l, const char *key_id)
{
    LIST_FOR(it, l)
    if (strcmp(LIST_ENTRY(it, struct job, node)->key_id, key_id) == 0) return true;
    return false;
}

void tester_add(struct tester *t, const char *key_id, bool deep, struct command *cmd)
{
    if (!cmd && (is_known(&t->queue, key_id) || is_known(&t->running, key_id))) return;
    struct job *j = xcalloc(1, sizeof *j);
    j->t = t;
    snprintf(j->key_id, sizeof j->key_id, "%s", key_id);
    j->deep = deep;
    j->cmd = cmd;
    list_append(&t->queue, &j->node);
    keypool_test_begin(t->g->pool, key_id);
    start_next(t);
}

static bool is_well(const struct key_view *v)
{
    return v->state == KEY_READY || v->state == KEY_BUSY || v->state == KEY_OFF;
}

unsigned tester_add_all(struct tester *t, bool bad_only)
{
    size_t room = keypool_count(t->g->pool) + 1;
    struct key_view *views = xcalloc(room, sizeof *views);
    size_t n = MIN(keypool_view(t->g->pool, mono_now(), views, room), room);
    unsigned added = 0;
    if (!t->progress.running) t->progress = (struct snap_progress){.running = true, .what = "test"};
    for (size_t i = 0; i < n; i++) {
        if (bad_only && is_well(&views[i])) continue;
        if (is_known(&t->queue, views[i].id) || is_known(&t->running, views[i].id)) continue;
        struct job *j = xcalloc(1, sizeof *j);
        j->t = t;
        snprintf(j->key_id, sizeof j->key_id, "%s", views[i].id);
        j->counted = true;
        list_append(&t->queue, &j->node);
        keypool_test_begin(t->g->pool, views[i].id);
        added++;
    }
    t->progress.total += added;
    t->progress.running = t->progress.done < t->progress.total;
    free(views);
    start_next(t);
    return added;
}

/* The pool is told that a queued test will not come. */
static void forget(struct job *j)
{
    struct lease_end nothing = {.verdict = VERDICT_CANCELLED, .now = mono_now(), .wall = wall_now()};
    keypool_test_end(j->t->g->pool, j->key_id, &nothing);
    if (j->cmd) control_answer(j->cmd, 409, "the test was cancelled");
    job_free(j);
}

unsigned tester_cancel(struct tester *t)
{
    unsigned n = 0;
    LIST_FOR_SAFE(it, &t->queue)
    {
        forget(LIST_ENTRY(it, struct job, node));
        n++;
    }
    if (t->progress.running && n) {
        log_msg(LOG_INFO, "tested %u of %u keys, the rest was cancelled", t->progress.done, t->progress.total);
        t->progress.running = false;
    }
    return n;
}

void tester_progress(const struct tester *t, struct snap_progress *out)
{
    *out = t->progress;
}

static bool user_info_retired(struct engine *g)
{
    const char *until = state_setting(g->state, "user_info_retired");
    const char *url = state_setting(g->state, "user_info_url");
    uint64_t ms;
    return until && url && strcmp(url, g->conf->api_url) == 0 && str_u64(str_of(until), &ms) &&
           wall_now().ms < (int64_t)ms;
}

static void remember_retired(struct engine *g)
{
    char until[32];
    snprintf(until, sizeof until, "%lld", (long long)(wall_now().ms + RETIRED_FOR_MS));
    log_msg(LOG_INFO, "the platform no longer tells balances (user/info is retired); asking again in 7 days");
    if (state_save_setting(g->state, g->disk, "user_info_url", g->conf->api_url))
        if (!state_save_setting(g->state, g->disk, "user_info_retired", until)) return;
}

static void outcome(struct job *j, char *out, size_t size)
{
    const struct probe_result *r = &j->result;
    if (r->end.verdict == VERDICT_OK)
        snprintf(out, size, "key %s works (%lld ms)", j->key_id, (long long)j->took_ms);
    else
        snprintf(out, size, "key %s: %s%s%s%s", j->key_id, verdict_sentence(r->end.verdict), r->message[0] ? ": " : "",
                 r->message,
                 r->end.verdict == VERDICT_KEY_INVALID && !keypool_ever_worked(j->t->g->pool, j->key_id)
                     ? " (wrong key, or the other platform, .cn / .com?)"
                     : "");
}

static void finish(struct tester *t, struct job *j)
{
    char sentence[400];
    bool ok = j->result.end.verdict == VERDICT_OK;
    outcome(j, sentence, sizeof sentence);
    log_msg(ok ? LOG_INFO : LOG_WARN, "test: %s", sentence);
    if (j->counted) {
        t->progress.done++;
        t->progress.failed += !ok;
        if (t->progress.done >= t->progress.total && t->progress.running) {
            log_msg(LOG_INFO, "tested %u keys, %u failed", t->progress.done, t->progress.failed);
            t->progress.running = false;
        }
    }
    if (j->cmd) control_answer(j->cmd, ok ? 200 : 502, "%s", sentence);
    t->running_count--;
    job_free(j);
    control_changed(t->g->control);
    start_next(t);
}

static void ask_worker(struct job *j);

static void first_answer(struct tester *t, struct job *j)
{
    struct lease_end end = j->result.end;
    end.message = j->result.message;
    j->took_ms = j->result.took_ms;
    keypool_test_end(t->g->pool, j->key_id, &end);
    if (end.verdict == VERDICT_OK && !user_info_retired(t->g) && t->g->worker_count) {
        j->second = true;
        ask_worker(j);
        return;
    }
    finish(t, j);
}

static void second_answer(struct tester *t, struct job *j)
{
    struct engine *g = t->g;
    const struct probe_result *r = &j->result;
    if (r->has_balance) {
        keypool_set_balance(g->pool, j->key_id, BALANCE_API, r->total_micro, wall_now());
        if (r->account[0]) keypool_set_account(g->pool, j->key_id, r->account);
        if (r->has_charge) keypool_set_charge(g->pool, j->key_id, r->charge_micro);
        if (r->user_status[0] && strcmp(r->user_status, "normal") != 0)
            log_msg(LOG_WARN, "key %s: the platform says the account's status is '%s'", j->key_id, r->user_status);
    } else if ((r->end.status == 410 || r->end.status == 404) && !user_info_retired(g)) {
        remember_retired(g);
    }
    j->result.end.verdict = VERDICT_OK; /* the test itself passed */
    finish(t, j);
}

static void delivered(void *reader, struct mail *m)
{
    (void)reader;
    struct job *j = CONTAINER_OF(m, struct job, mail);
    if (j->second)
        second_answer(j->t, j);
    else
        first_answer(j->t, j);
}

/* On the worker's thread. When the control thread no longer listens, the job stays on the running list, which
 * tester_free() clears after the workers have ended. */
static void probe_done(void *arg, struct probe_result *r)
{
    struct job *j = arg;
    j->result = *r;
    j->mail.deliver = delivered;
    if (!loop_post(j->t->g->loop, &j->mail)) return;
}

static void probe_in_worker(struct proxy *p, void *arg)
{
    struct job *j = arg;
    enum probe_kind kind = j->second ? PROBE_BALANCE : j->deep ? PROBE_DEEP : PROBE_MODELS;
    proxy_probe(p, kind, j->key_id, probe_done, j);
}

static void ask_worker(struct job *j)
{
    struct engine *g = j->t->g;
    struct worker *w = g->workers[j->t->next_worker++ % g->worker_count];
    if (worker_call(w, probe_in_worker, j)) return;
    j->result.end.verdict = VERDICT_CANCELLED;
    j->second = false;
}

static void start_next(struct tester *t)
{
    while (t->running_count < AT_ONCE && !list_empty(&t->queue) && t->g->worker_count) {
        struct job *j = LIST_ENTRY(t->queue.next, struct job, node);
        list_remove(&j->node);
        list_append(&t->running, &j->node);
        t->running_count++;
        ask_worker(j);
    }
}
