/* Asking the platform which models there are.
 *
 *   due -> (address known, a key usable) -> GET models -> GET models?sub_type=... for each kind -> swapped whole
 *                                             |                                         |
 *                                             +--- any failure: the old list stays -----+--> probes (models.probe)
 *
 * The plain list says what exists, the lists by sub_type say of what kind. A kind the platform does not know (400) is
 * left out; a sub_type that is answered with everything was not understood and says nothing. One call at a time, with a
 * pause between two, by one worker after the other, with FREE_MODEL_TEST_KEY when there is one, else with any key that
 * can be used.
 *
 * Probes: with models.probe and FREE_MODEL_TEST_KEY, models whose cost nobody knows are asked for one token. That key
 * must have no money: it is tried on a paid model first, and when that is answered nothing is concluded.
 *
 * Control thread; `job` belongs to the worker while `asking`. After a failure it is tried again in a minute, then in
 * two, four ... at most the interval of models.refresh. */
#include "base/json.h"
#include "base/mem.h"
#include "conf/settings.h"
#include "engine.h"
#include "models.h"
#include "pool/listing.h"
#include "proxy/fetch.h"

enum { PACE_MS = 100, LOOK_MS = 1000, RETRY_MS = 60000, PROBES_MAX = 50, PROBE_PACE_MS = 500 };

enum phase { IDLE, DUE, LISTING, CHECKING_KEY, PROBING };

struct job {
    struct mail mail;
    struct refresh *r;
    char query[64];
    const char *path;
    char *secret; /* NULL: any key */
    struct buf body, answer;
    struct fetch_result result;
};

struct refresh {
    struct engine *g;
    enum phase phase;
    bool asking;     /* the job is with a worker */
    bool stale;      /* the configuration changed under it: its answers count no more */
    bool secret_bad; /* the platform does not know FREE_MODEL_TEST_KEY */
    struct loop_timer timer;
    struct job job;
    struct command *cmd;
    size_t step; /* LISTING: 0 the plain list, then sub_types; PROBING: index of unknown */
    struct map fresh;
    const char *sub_type;  /* being asked for; NULL: the plain list */
    struct text_list page; /* ids of the list being read */
    struct text_list unknown;
    unsigned next_worker, failures;
    mono_t good_at; /* 0: never */
    char error[200];
};

static void next_call(struct refresh *r);

/* --- one call --- */

static void on_answer(struct refresh *r);

static void delivered(void *reader, struct mail *m)
{
    (void)reader;
    struct refresh *r = CONTAINER_OF(m, struct job, mail)->r;
    r->asking = false;
    on_answer(r);
}

/* On the worker's thread. When the control thread no longer listens, the job stays where it is. */
static void fetched(void *arg, const struct fetch_result *result)
{
    struct job *j = arg;
    j->result = *result;
    buf_reset(&j->answer);
    buf_add_str(&j->answer, result->body);
    j->mail.deliver = delivered;
    if (!loop_post(j->r->g->loop, &j->mail)) return;
}

static void fetch_in_worker(struct proxy *p, void *arg)
{
    struct job *j = arg;
    struct fetch_ask ask = {.secret = j->secret,
                            .any_key = !j->secret,
                            .path = j->path,
                            .query = str_of(j->query),
                            .body = buf_str(&j->body)};
    proxy_fetch(p, &ask, fetched, j);
}

static void ask_worker(struct refresh *r)
{
    struct engine *g = r->g;
    const char *secret = r->secret_bad ? "" : g->conf->free_model_test_key;
    free_secret(r->job.secret);
    r->job.secret = *secret ? xstrdup(secret) : NULL;
    r->asking = true;
    if (g->worker_count && worker_call(g->workers[r->next_worker++ % g->worker_count], fetch_in_worker, &r->job))
        return;
    r->asking = false;
}

/* --- the end of a refresh --- */

static void forget_work(struct refresh *r)
{
    map_free(&r->fresh);
    r->fresh = MAP_INIT;
    text_list_free(&r->page);
    text_list_free(&r->unknown);
    r->step = 0;
    r->stale = false;
}

static void rest(struct refresh *r, int64_t ms)
{
    forget_work(r);
    r->phase = IDLE;
    if (ms > 0) loop_timer_start(&r->timer, ms);
}

static void succeed(struct refresh *r)
{
    if (r->cmd) control_answer(r->cmd, 200, "the platform lists %zu models", models_listed(r->g->models));
    r->cmd = NULL;
    rest(r, r->g->conf->models_refresh);
}

static void fail(struct refresh *r, const char *why)
{
    int64_t every = r->g->conf->models_refresh;
    bool news = strcmp(why, r->error) != 0;
    snprintf(r->error, sizeof r->error, "%s", why);
    log_msg(news ? LOG_WARN : LOG_DEBUG, "the list of models was not refreshed, the old one stays: %s", why);
    if (r->cmd) control_answer(r->cmd, 502, "not refreshed, the old list stays: %s", why);
    r->cmd = NULL;
    int64_t wait = (int64_t)RETRY_MS << MIN(r->failures, 10u);
    r->failures++;
    rest(r, every ? MIN(wait, every) : 0);
}

/* --- the list --- */

static void keep_id(void *arg, struct str id)
{
    struct refresh *r = arg;
    text_list_add(&r->page, id);
}

/* The ids of one answer into the fresh list. */
static void take_page(struct refresh *r)
{
    size_t total = r->fresh.count;
    bool understood = r->step > 0 && !(total > 1 && r->page.count >= total);
    for (size_t i = 0; i < r->page.count; i++) {
        struct str id = str_of(r->page.items[i]);
        const char *type, *sub_type;
        model_guess_kind(id, &type, &sub_type);
        if (r->step == 0)
            map_put(&r->fresh, id, (void *)sub_type);
        else if (understood)
            map_put(&r->fresh, id, (void *)r->sub_type);
    }
}

static void find_unknown(struct refresh *r)
{
    const struct model *m;
    for (size_t i = 0; (m = catalog_at(r->g->catalog, i)) != NULL && r->unknown.count < PROBES_MAX; i++)
        if (m->listed && m->cost == COST_UNKNOWN && strcmp(m->type, "text") == 0)
            text_list_add(&r->unknown, str_of(m->id));
}

static void list_complete(struct refresh *r)
{
    struct engine *g = r->g;
    r->error[0] = '\0';
    r->failures = 0;
    r->good_at = loop_now(g->loop);
    models_set_listing(g->models, &r->fresh);
    if (g->conf->models_probe && *g->conf->free_model_test_key && !r->secret_bad) find_unknown(r);
    if (!r->unknown.count) {
        succeed(r);
        return;
    }
    r->phase = CHECKING_KEY;
    r->step = 0;
    loop_timer_start(&r->timer, PROBE_PACE_MS);
}

static void page_read(struct refresh *r)
{
    take_page(r);
    r->step++;
    r->sub_type = model_sub_type(r->step - 1);
    if (r->sub_type)
        loop_timer_start(&r->timer, PACE_MS);
    else
        list_complete(r);
}

static void on_list(struct refresh *r)
{
    const struct fetch_result *f = &r->job.result;
    char why[sizeof r->error];
    text_list_free(&r->page);
    if (f->verdict == VERDICT_KEY_INVALID && r->job.secret) {
        log_msg(LOG_WARN, "the platform does not know FREE_MODEL_TEST_KEY; other keys are used");
        r->secret_bad = true;
        next_call(r);
    } else if (f->verdict == VERDICT_BAD_REQUEST && f->status == 400 && r->step > 0) {
        page_read(r); /* a kind it does not know */
    } else if (f->verdict != VERDICT_OK) {
        snprintf(why, sizeof why, "%s%s%.120s", verdict_sentence(f->verdict), f->message[0] ? ": " : "", f->message);
        fail(r, why);
    } else if (!listing_read(buf_str(&r->job.answer), keep_id, r) || (r->step == 0 && !r->page.count)) {
        fail(r, "the answer was no list of models");
    } else {
        page_read(r);
    }
}

/* --- probes --- */

/* A paid model of the list, for finding out whether the key has money; NULL: none. */
static const char *paid_model(const struct refresh *r)
{
    const struct model *m;
    for (size_t i = 0; (m = catalog_at(r->g->catalog, i)) != NULL; i++)
        if (m->listed && !m->alias_of && m->cost == COST_PAID && strcmp(m->sub_type, "chat") == 0) return m->id;
    return NULL;
}

static void ask_for_a_token(struct refresh *r, const char *id)
{
    const struct model *m = catalog_find(r->g->catalog, str_of(id));
    const char *kind = m ? m->sub_type : "chat";
    struct buf *b = &r->job.body;
    buf_reset(b);
    r->job.query[0] = '\0';
    buf_puts(b, "{\"model\":");
    json_quote(b, str_of(id));
    if (strcmp(kind, "embedding") == 0) {
        r->job.path = "embeddings";
        buf_puts(b, ",\"input\":[\"hi\"]}");
    } else if (strcmp(kind, "reranker") == 0) {
        r->job.path = "rerank";
        buf_puts(b, ",\"query\":\"hi\",\"documents\":[\"hi\"]}");
    } else {
        r->job.path = "chat/completions";
        buf_puts(b, ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":1,\"stream\":false}");
    }
    ask_worker(r);
}

static void on_key_checked(struct refresh *r)
{
    if (r->job.result.verdict == VERDICT_OK) {
        log_msg(LOG_WARN, "FREE_MODEL_TEST_KEY has money, so it cannot tell which models are free: nothing is probed");
        succeed(r);
        return;
    }
    r->phase = PROBING;
    loop_timer_start(&r->timer, PROBE_PACE_MS);
}

/* An answer is free, want of funds is paid; anything else (a rate limit too) says nothing, and it is asked again next
 * time. */
static void on_probed(struct refresh *r)
{
    enum verdict v = r->job.result.verdict;
    const char *id = r->unknown.items[r->step++];
    if (v == VERDICT_OK) models_observe(r->g->models, id, COST_FREE);
    if (v == VERDICT_NO_FUNDS) models_observe(r->g->models, id, COST_PAID);
    if (r->step < r->unknown.count)
        loop_timer_start(&r->timer, PROBE_PACE_MS);
    else
        succeed(r);
}

/* --- steps --- */

static void on_answer(struct refresh *r)
{
    if (r->stale) {
        forget_work(r);
        r->phase = DUE;
        next_call(r);
        return;
    }
    switch (r->phase) {
    case LISTING: on_list(r); break;
    case CHECKING_KEY: on_key_checked(r); break;
    case PROBING: on_probed(r); break;
    case IDLE:
    case DUE: break;
    }
}

static bool can_ask(const struct refresh *r)
{
    const struct engine *g = r->g;
    if (!g->addrs || g->addrs->failed || g->draining) return false;
    return (*g->conf->free_model_test_key && !r->secret_bad) || keypool_usable(g->pool, mono_now()) > 0;
}

static void ask_for_list(struct refresh *r)
{
    r->phase = LISTING;
    r->sub_type = r->step ? model_sub_type(r->step - 1) : NULL;
    r->job.path = "models";
    buf_reset(&r->job.body);
    snprintf(r->job.query, sizeof r->job.query, "%s%s", r->sub_type ? "sub_type=" : "", r->sub_type ? r->sub_type : "");
    ask_worker(r);
}

/* Whatever comes next. */
static void next_call(struct refresh *r)
{
    const char *paid;
    switch (r->phase) {
    case IDLE:
    case DUE:
        r->phase = DUE;
        if (can_ask(r))
            ask_for_list(r);
        else if (r->cmd)
            fail(r, r->g->addrs && !r->g->addrs->failed ? "no key can be used now"
                                                        : "the platform's address is not known");
        else
            loop_timer_start(&r->timer, LOOK_MS);
        break;
    case LISTING: ask_for_list(r); break;
    case CHECKING_KEY:
        paid = paid_model(r);
        r->phase = paid ? CHECKING_KEY : PROBING;
        ask_for_a_token(r, paid ? paid : r->unknown.items[r->step]);
        break;
    case PROBING: ask_for_a_token(r, r->unknown.items[r->step]); break;
    }
}

static void on_timer(void *arg)
{
    struct refresh *r = arg;
    if (!r->asking) next_call(r);
}

void refresh_start(struct refresh *r, struct command *cmd)
{
    if (cmd && r->cmd) {
        control_answer(cmd, 409, "the list of models is being refreshed already");
        return;
    }
    if (cmd) r->cmd = cmd;
    if (r->phase == IDLE || r->phase == DUE) {
        loop_timer_stop(&r->timer);
        next_call(r);
    }
}

void refresh_conf_changed(struct refresh *r, bool other_platform)
{
    r->secret_bad = false;
    r->failures = 0;
    if (other_platform) r->good_at = (mono_t){0};
    if (r->asking) {
        r->stale = true;
    } else if (r->phase == IDLE || r->phase == DUE) {
        loop_timer_stop(&r->timer);
        if (r->g->conf->models_refresh) next_call(r);
    } else {
        forget_work(r);
        r->phase = DUE;
        loop_timer_start(&r->timer, 1);
    }
}

void refresh_addrs_known(struct refresh *r)
{
    if (r->phase == DUE && !r->asking) next_call(r);
}

int64_t refresh_age_ms(const struct refresh *r, const char **error)
{
    *error = r->error;
    return r->good_at.ms ? mono_since(loop_now(r->g->loop), r->good_at) : -1;
}

struct refresh *refresh_new(struct engine *g)
{
    struct refresh *r = xcalloc(1, sizeof *r);
    r->g = g;
    r->job.r = r;
    r->fresh = MAP_INIT;
    buf_init(&r->job.body, 4096);
    buf_init(&r->job.answer, 1024 * 1024);
    loop_timer_init(&r->timer, g->loop, on_timer, r);
    if (g->conf->models_refresh) loop_timer_start(&r->timer, 1);
    return r;
}

void refresh_free(struct refresh *r)
{
    if (r->cmd) control_answer(r->cmd, 503, "sfproxy is shutting down");
    loop_timer_destroy(&r->timer);
    forget_work(r);
    free_secret(r->job.secret);
    buf_free(&r->job.body);
    buf_free(&r->job.answer);
    free(r);
}
