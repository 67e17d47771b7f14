/* The screen over a made-up control thread: links ui/tui with snapshots that change by themselves, so that every view,
 * dialog and way out can be looked at and tested without a proxy. Deterministic with --seed and --step.
 *
 *   fake_screen [--seed N] [--keys N] [--frozen] [--readonly] [--privacy] [--lang en|zh] [--graph ascii] [--theme N]
 *               [--outage upstream|model] [--heartbeat FILE]
 *
 * Lines on the commands' way are appended to $FAKE_LOG when it is set: the tests read there what the screen asked for.
 * SIGUSR1 writes a line to stderr; SIGUSR2 crashes with SIGSEGV; SIGTERM stops like a drained proxy. The main thread is
 * the control thread; it appends to the heartbeat file 10 times a second, so a test can see that nothing blocks it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "control/command.h"
#include "ui/tui/ui.h"

enum { KEYS_MAX = 512, MODELS = 26, REQUESTS_MAX = 400, LOG_MAX = 200 };

struct control {
    struct mailbox box;
    int wake_fd;
    pthread_mutex_t lock; /* guards `latest`, `notify` and the log */
    struct snapshot *latest;
    void (*notify)(void *);
    void *notify_arg;
    unsigned rnd;
    uint64_t seq, next_id;
    struct snap_key keys[KEYS_MAX];
    size_t key_count;
    bool banned[MODELS];
    struct snap_request requests[REQUESTS_MAX];
    size_t request_count, live_count;
    struct log_line log[LOG_MAX];
    size_t log_count;
    int64_t req_1s[RING_SECONDS], tok_1s[RING_SECONDS], req_10s[RING_TENS], tok_10s[RING_TENS], req_60s[RING_MINUTES],
        tok_60s[RING_MINUTES];
    struct snap_progress progress;
    bool readonly, frozen, draining, stop, upstream_down, model_down;
    int exit_code;
    mono_t born;
    FILE *trace;
};

static struct control fake;

static unsigned rnd(unsigned n)
{
    fake.rnd = fake.rnd * 1103515245u + 12345u;
    return (fake.rnd >> 16) % n;
}

static const struct {
    const char *id, *sub_type, *price;
    bool free;
} models[MODELS] = {
    {"BAAI/bge-m3", "embedding", "", true},
    {"BAAI/bge-reranker-v2-m3", "reranker", "", true},
    {"Kwai-Kolors/Kolors", "text-to-image", "", true},
    {"Qwen/Qwen2.5-7B-Instruct", "chat", "", true},
    {"Qwen/Qwen2.5-Coder-7B-Instruct", "chat", "", true},
    {"Qwen/Qwen3-8B", "chat", "", true},
    {"Qwen/Qwen3-Embedding-0.6B", "embedding", "", true},
    {"THUDM/GLM-4-9B-0414", "chat", "", true},
    {"THUDM/GLM-4.1V-9B-Thinking", "chat", "", true},
    {"internlm/internlm2_5-7b-chat", "chat", "", true},
    {"FunAudioLLM/CosyVoice2-0.5B", "text-to-speech", "50 per M bytes", false},
    {"Pro/BAAI/bge-m3", "embedding", "0.07 / 0", false},
    {"Pro/Qwen/Qwen2.5-VL-7B-Instruct", "chat", "0.35 / 0.35", false},
    {"Qwen/QwQ-32B", "chat", "1 / 4", false},
    {"Qwen/Qwen-Image", "text-to-image", "0.3 per image", false},
    {"Qwen/Qwen3-235B-A22B-Instruct-2507", "chat", "2.5 / 10", false},
    {"Qwen/Qwen3-32B", "chat", "1 / 4", false},
    {"Qwen/Qwen3-Coder-480B-A35B-Instruct", "chat", "8 / 16", false},
    {"Wan-AI/Wan2.2-T2V-A14B", "text-to-video", "2 per video", false},
    {"deepseek-ai/DeepSeek-R1", "chat", "4 / 16", false},
    {"deepseek-ai/DeepSeek-V3", "chat", "2 / 8", false},
    {"moonshotai/Kimi-K2-Instruct", "chat", "4 / 16", false},
    {"stepfun-ai/step3", "chat", "4 / 10", false},
    {"tencent/Hunyuan-A13B-Instruct", "chat", "1 / 4", false},
    {"zai-org/GLM-4.5", "chat", "3.5 / 14", false},
    {"zai-org/GLM-9000-unknown", "chat", "", false},
};

static void fake_log(void *arg, const struct log_line *l)
{
    (void)arg;
    pthread_mutex_lock(&fake.lock);
    if (fake.log_count == LOG_MAX) {
        memmove(fake.log, fake.log + 1, (LOG_MAX - 1) * sizeof *fake.log);
        fake.log_count--;
    }
    fake.log[fake.log_count++] = *l;
    if (fake.trace) {
        fprintf(fake.trace, "log %s %s\n", log_level_name(l->level), l->text);
        fflush(fake.trace);
    }
    pthread_mutex_unlock(&fake.lock);
}

static void make_key(size_t i, const char *secret)
{
    struct key_view *k = &fake.keys[i].view;
    uint8_t digest[DIGEST_LEN];
    memset(&fake.keys[i], 0, sizeof fake.keys[i]);
    sha256(str_of(secret), digest);
    hex_encode(digest, 4, k->id);
    key_mask(secret, k->masked, sizeof k->masked);
    k->enabled = true;
    k->state = KEY_UNTESTED;
    fake.keys[i].meter.ttft_ms = -1;
}

static void dress_key(size_t i)
{
    static const char *const labels[] = {"main", "team-a", "团队共享", "", "laptop", "", "backup", ""};
    struct snap_key *s = &fake.keys[i];
    struct key_view *k = &s->view;
    wall_t now = wall_now();
    unsigned kind = i < 8 ? (unsigned)i : rnd(12);
    str_copy(k->label, sizeof k->label, str_of(labels[i % ARRAY_LEN(labels)]));
    k->class = i % 3 == 1 ? CLASS_FREE : CLASS_PAID;
    str_copy(k->class_evidence, sizeof k->class_evidence,
             str_of(k->class == CLASS_PAID ? "served deepseek-ai/DeepSeek-V3" : "paid refused 30001"));
    k->state = KEY_READY;
    k->from_file = i % 5 == 2;
    snprintf(k->origin, sizeof k->origin, k->from_file ? "/home/me/keys.txt:%zu" : "run time", i + 1);
    k->balance_origin = i % 4 == 3 ? BALANCE_UNKNOWN : i % 4 == 1 ? BALANCE_SET : BALANCE_API;
    k->balance_micro = (int64_t)(rnd(9000) + 100) * 10000;
    k->balance_at.ms = now.ms - 120000;
    k->tested_at.ms = now.ms - 600000;
    k->used_at.ms = now.ms - (int64_t)rnd(60000);
    k->ok = rnd(5000);
    k->ever_worked = true;
    s->meter.rates = (struct rates){rnd(60), rnd(40000), rnd(6000), rnd(4000000)};
    s->meter.ttft_ms = 200 + rnd(900);
    for (size_t t = 0; t < 10; t++) s->meter.trend[t] = rnd(40);
    if (kind == 3 || kind == 5) {
        k->state = KEY_COOLING;
        k->cooldown_count = 1;
        k->cooldowns[0].ms_left = 12000 + (int64_t)rnd(60000);
        k->cooldowns[0].reason = VERDICT_RATE_MINUTE;
        str_copy(k->cooldowns[0].model, sizeof k->cooldowns[0].model, STR("deepseek-ai/DeepSeek-V3"));
        k->limited = 9;
        k->last_error.at.ms = now.ms - 30000;
        k->last_error.status = 429;
        k->last_error.verdict = VERDICT_RATE_MINUTE;
        str_copy(k->last_error.message, sizeof k->last_error.message,
                 STR("Request was rejected due to rate limiting: TPM limit reached"));
    } else if (kind == 6) {
        k->state = KEY_BAD;
        k->class = CLASS_INVALID;
        k->balance_origin = BALANCE_UNKNOWN;
        k->last_error.at.ms = now.ms - 300000;
        k->last_error.status = 401;
        k->last_error.verdict = VERDICT_KEY_INVALID;
        str_copy(k->last_error.message, sizeof k->last_error.message, STR("Invalid token"));
        memset(&s->meter, 0, sizeof s->meter);
        s->meter.ttft_ms = -1;
    } else if (kind == 7) {
        k->enabled = false;
        k->state = KEY_OFF;
    } else if (kind == 4) {
        k->class = CLASS_UNVERIFIED;
    }
}

static void make_keys(size_t n)
{
    char secret[64];
    for (size_t i = 0; i < n && i < KEYS_MAX; i++) {
        snprintf(secret, sizeof secret, "sk-%08x%08x%08x%08x", rnd(65536) * 7919u, rnd(65536) * 104729u, rnd(65536),
                 rnd(65536) * 31337u);
        make_key(i, secret);
        dress_key(i);
    }
    fake.key_count = n;
}

/* A day with a night: more at noon, a dip at night, and nothing recorded before the first hours. */
static int64_t traffic(size_t i, size_t n, unsigned top)
{
    double x = (double)i / (double)n * 4;
    double wave = x - (double)(int)x;
    wave = wave < 0.5 ? wave * 2 : 2 - wave * 2;
    return (int64_t)(wave * wave * top) + rnd(top / 3 + 1);
}

static void make_series(void)
{
    for (size_t i = 0; i < RING_SECONDS; i++) fake.tok_1s[i] = 470 * (fake.req_1s[i] = traffic(i, RING_SECONDS, 5));
    for (size_t i = 0; i < RING_TENS; i++) {
        fake.req_10s[i] = i > 150 && i < 165 ? 0 : traffic(i, RING_TENS, 50);
        fake.tok_10s[i] = fake.req_10s[i] * (380 + rnd(300));
    }
    for (size_t i = 0; i < RING_MINUTES; i++) {
        bool gap = i < 200;
        fake.req_60s[i] = gap ? -1 : traffic(i, RING_MINUTES, 200);
        if (i == 777) fake.req_60s[i] = 900;
        fake.tok_60s[i] = gap ? -1 : fake.req_60s[i] * (400 + rnd(200));
    }
}

static void begin_request(void)
{
    struct snap_request q = {.live = true};
    unsigned m = rnd(MODELS), k = fake.key_count ? rnd((unsigned)fake.key_count) : 0;
    q.r.id = fake.next_id++;
    q.r.wall = wall_now();
    q.r.at = mono_now();
    str_copy(q.r.model, sizeof q.r.model, str_of(models[m].id));
    snprintf(q.r.client, sizeof q.r.client, "10.0.0.%u", 10 + rnd(6));
    if (fake.key_count) memcpy(q.r.key_id, fake.keys[k].view.id, sizeof q.r.key_id);
    str_copy(q.r.method, sizeof q.r.method, STR("POST"));
    str_copy(q.r.path, sizeof q.r.path, STR("/v1/chat/completions"));
    q.r.stream = rnd(3) > 0;
    q.r.ttft_ms = -1;
    str_copy(q.state, sizeof q.state, STR("await"));
    if (fake.request_count == REQUESTS_MAX) fake.request_count--;
    memmove(fake.requests + 1, fake.requests, fake.request_count * sizeof *fake.requests);
    fake.requests[0] = q;
    fake.request_count++;
    fake.live_count++;
}

static void end_request(size_t i)
{
    struct snap_request q = fake.requests[i];
    unsigned luck = rnd(20);
    q.live = false;
    str_copy(q.state, sizeof q.state, STR("done"));
    q.r.duration_ms = (int32_t)q.age_ms;
    q.r.status = luck == 0 ? 429 : luck == 1 ? 500 : 200;
    q.r.end = luck == 0 ? END_NO_KEY : luck == 1 ? END_UPSTREAM_ERROR : luck == 2 ? END_CLIENT_ABORT : END_OK;
    q.r.ttft_ms = luck < 2 ? -1 : 180 + (int32_t)rnd(900);
    q.r.gen_ms = q.r.duration_ms > 300 ? q.r.duration_ms - 250 : 100;
    q.r.usage = (struct usage){.known = luck > 1, .in = 200 + rnd(8000), .out = 20 + rnd(600)};
    q.r.tries = luck < 2 ? 3 : 1 + (rnd(8) == 0);
    for (int t = 0; t < q.r.tries; t++) {
        struct try_record *tr = &q.r.try_list[t];
        bool last = t == q.r.tries - 1;
        memcpy(tr->key_id, fake.keys[rnd((unsigned)MAX(fake.key_count, 1))].view.id, sizeof tr->key_id);
        tr->status = (int16_t)(last && luck > 1 ? 200 : luck == 1 ? 500 : 429);
        tr->verdict = last && luck > 1 ? VERDICT_OK : luck == 1 ? VERDICT_SERVER : VERDICT_RATE_MINUTE;
        tr->at_ms = t * 90;
        tr->took_ms = 85;
        if (tr->verdict != VERDICT_OK) str_copy(tr->message, sizeof tr->message, STR("TPM limit reached"));
    }
    memmove(fake.requests + i, fake.requests + i + 1, (fake.live_count - i - 1) * sizeof *fake.requests);
    fake.live_count--;
    fake.requests[fake.live_count] = q;
}

static void shift(int64_t *a, size_t n, int64_t v)
{
    memmove(a, a + 1, (n - 1) * sizeof *a);
    a[n - 1] = v;
}

static void step(void)
{
    static unsigned tick;
    tick++;
    for (size_t i = fake.live_count; i-- > 0;) {
        struct snap_request *q = &fake.requests[i];
        q->age_ms += 250;
        if (q->age_ms > 700 && q->r.stream) {
            str_copy(q->state, sizeof q->state, STR("stream"));
            q->r.ttft_ms = 600;
            q->r.usage = (struct usage){.known = true, .in = 900, .out = q->age_ms / 20};
            q->r.gen_ms = (int32_t)q->age_ms - 600;
        }
        if (rnd(12) == 0) end_request(i);
    }
    if (fake.key_count && !fake.draining && fake.live_count < 9 && rnd(3)) begin_request();
    for (size_t i = 0; i < fake.key_count; i++) {
        struct snap_key *s = &fake.keys[i];
        if (s->view.cooldown_count && (s->view.cooldowns[0].ms_left -= 250) <= 0) {
            s->view.cooldown_count = 0;
            s->view.state = KEY_READY;
        }
        if (s->view.state != KEY_READY && s->view.state != KEY_BUSY) continue;
        s->view.in_flight = 0;
        for (size_t q = 0; q < fake.live_count; q++)
            s->view.in_flight += strcmp(fake.requests[q].r.key_id, s->view.id) == 0;
        s->view.state = s->view.in_flight ? KEY_BUSY : KEY_READY;
        if (rnd(4) == 0) s->meter.rates.rpm = rnd(60);
    }
    if (tick % 4 == 0) {
        int64_t v = fake.key_count ? rnd(9) : 0;
        shift(fake.req_1s, RING_SECONDS, v);
        shift(fake.tok_1s, RING_SECONDS, v * 520);
    }
    if (tick % 40 == 0) {
        int64_t v = rnd(60);
        shift(fake.req_10s, RING_TENS, v);
        shift(fake.tok_10s, RING_TENS, v * 500);
    }
    if (fake.progress.running) {
        fake.progress.done++;
        if (fake.progress.done >= fake.progress.total) fake.progress.running = false;
    }
}

static struct snapshot *build(void)
{
    struct snapshot *s = snapshot_new();
    s->seq = ++fake.seq;
    str_copy(s->version, sizeof s->version, STR("0.0"));
    s->time = wall_now();
    s->made = mono_now();
    s->uptime_s = 3 * 86400 + 4 * 3600 + mono_since(s->made, fake.born) / 1000;
    str_copy(s->listen, sizeof s->listen, STR("127.0.0.1:7860"));
    str_copy(s->base_url, sizeof s->base_url, STR("http://127.0.0.1:7860/v1"));
    str_copy(s->state_dir, sizeof s->state_dir, STR("/home/me/.local/state/sfproxy"));
    str_copy(s->conf_path, sizeof s->conf_path, STR("/home/me/sfproxy.conf"));
    s->readonly = fake.readonly;
    s->draining = fake.draining;
    s->drain_left_ms = 29000;
    for (size_t i = RING_SECONDS - 60; i < RING_SECONDS; i++) {
        s->totals.rates.rpm += (uint64_t)MAX(fake.req_1s[i], 0);
        s->totals.rates.tpm += (uint64_t)MAX(fake.tok_1s[i], 0);
    }
    for (size_t i = 0; i < RING_MINUTES; i++) {
        s->totals.rates.rpd += (uint64_t)MAX(fake.req_60s[i], 0);
        s->totals.rates.tpd += (uint64_t)MAX(fake.tok_60s[i], 0);
    }
    s->totals.limited_per_min = 4;
    s->totals.errors_per_min = 2;
    s->totals.done_per_min = 312;
    s->totals.retries_per_min = 6;
    s->totals.ttft_p50_ms = 620;
    s->totals.ttft_p95_ms = 2900;
    s->in_flight = fake.live_count;
    memcpy(s->req_1s, fake.req_1s, sizeof s->req_1s);
    memcpy(s->tok_1s, fake.tok_1s, sizeof s->tok_1s);
    memcpy(s->req_10s, fake.req_10s, sizeof s->req_10s);
    memcpy(s->tok_10s, fake.tok_10s, sizeof s->tok_10s);
    memcpy(s->req_60s, fake.req_60s, sizeof s->req_60s);
    memcpy(s->tok_60s, fake.tok_60s, sizeof s->tok_60s);
    s->keys = xcalloc(fake.key_count + 1, sizeof *s->keys);
    memcpy(s->keys, fake.keys, fake.key_count * sizeof *s->keys);
    s->key_count = fake.key_count;
    s->models = xcalloc(MODELS, sizeof *s->models);
    s->model_count = fake.key_count ? MODELS : 0;
    for (size_t i = 0; i < s->model_count; i++) {
        struct snap_model *m = &s->models[i];
        str_copy(m->id, sizeof m->id, str_of(models[i].id));
        str_copy(m->sub_type, sizeof m->sub_type, str_of(models[i].sub_type));
        str_copy(m->price, sizeof m->price, str_of(models[i].price));
        str_copy(m->evidence, sizeof m->evidence, STR("table"));
        m->cost = models[i].free ? COST_FREE : models[i].price[0] ? COST_PAID : COST_UNKNOWN;
        m->context = 131072;
        m->in_catalog = true;
        m->banned = fake.banned[i];
        m->rates = (struct rates){(i * 37) % 97, (i * 7919) % 60000, (i * 331) % 5000, (i * 1299709) % 12000000};
        m->ok = (i * 997) % 20000;
        m->failed = i % 4 ? 0 : i;
        m->ttft_ms = i % 7 ? (int64_t)(200 + i * 31) : -1;
        m->keys_usable = i == 12 ? 0 : (unsigned)fake.key_count;
        str_copy(m->breaker, sizeof m->breaker, STR("closed"));
        if (fake.model_down && (i == 2 || i == 20)) {
            str_copy(m->breaker, sizeof m->breaker, i == 2 ? STR("half-open") : STR("open"));
            str_copy(m->trouble, sizeof m->trouble, str_of(verdict_sentence(m->trouble_kind = VERDICT_BUSY)));
            m->probe_ms = i == 2 ? 0 : 8000;
            m->waiting = i == 20 ? 3 : 0;
        }
    }
    s->requests = xcalloc(fake.request_count + 1, sizeof *s->requests);
    memcpy(s->requests, fake.requests, fake.request_count * sizeof *s->requests);
    s->request_count = fake.request_count;
    s->live_count = fake.live_count;
    pthread_mutex_lock(&fake.lock);
    s->log = xcalloc(fake.log_count + 1, sizeof *s->log);
    memcpy(s->log, fake.log, fake.log_count * sizeof *s->log);
    s->log_count = fake.log_count;
    pthread_mutex_unlock(&fake.lock);
    s->progress = fake.progress;
    s->waiting = fake.model_down ? 3 : 0;
    str_copy(s->breaker, sizeof s->breaker, fake.upstream_down ? STR("open") : STR("closed"));
    if (fake.upstream_down) {
        s->breaker_kind = VERDICT_CONNECT;
        s->breaker_open_ms = 12000;
        s->breaker_probe_ms = 8000;
        str_copy(s->upstream_trouble, sizeof s->upstream_trouble,
                 STR("no connection to the platform, by every account"));
    }
    return s;
}

static void publish(void)
{
    struct snapshot *s = build();
    pthread_mutex_lock(&fake.lock);
    struct snapshot *old = fake.latest;
    fake.latest = s;
    if (fake.notify) fake.notify(fake.notify_arg); /* only wakes */
    pthread_mutex_unlock(&fake.lock);
    snapshot_put(old);
}

/* --- what the screen calls --- */

static void wake_control(void *arg)
{
    uint64_t one = 1;
    ssize_t n = write(((struct control *)arg)->wake_fd, &one, sizeof one);
    (void)n;
}

static struct key_view *find(const char *id)
{
    for (size_t i = 0; i < fake.key_count; i++)
        if (strcmp(fake.keys[i].view.id, id) == 0) return &fake.keys[i].view;
    return NULL;
}

static void add_keys(struct command *c, struct command_result *r)
{
    char *text = c->text, *end = text + strlen(text);
    for (char *p = text; p < end;) {
        size_t n = strcspn(p, " \n\t,;");
        p[n] = '\0';
        if (strncmp(p, "sk-", 3) == 0 && n >= 16 && fake.key_count < KEYS_MAX) {
            make_key(fake.key_count, p);
            if (find(fake.keys[fake.key_count].view.id))
                r->duplicate++;
            else
                fake.key_count++, r->added++;
        } else if (n) {
            r->ignored++;
        }
        p += n + 1;
    }
}

static void carry_out(void *reader, struct mail *mail)
{
    (void)reader;
    struct command *c = CONTAINER_OF(mail, struct command, mail);
    struct command_result r = {.ok = true, .status = 200};
    struct key_view *k = find(c->subject);
    if (fake.trace) {
        fprintf(fake.trace, "%s subject=%s text=%s number=%llu flag=%d\n", command_name(c->kind), c->subject,
                c->kind == CMD_KEYS_ADD ? "(keys)"
                : c->text               ? c->text
                                        : "",
                (unsigned long long)c->number, c->flag);
        fflush(fake.trace);
    }
    switch (c->kind) {
    case CMD_KEY_ENABLE:
        if (k) k->enabled = true, k->state = KEY_READY;
        break;
    case CMD_KEY_DISABLE:
        if (k) k->enabled = false, k->state = KEY_OFF;
        break;
    case CMD_KEY_TEST:
        if (k) {
            k->state = KEY_READY, k->tested_at = wall_now();
            snprintf(r.message, sizeof r.message, "key %s works (0.31 s)", k->masked);
        }
        break;
    case CMD_KEYS_TEST:
        fake.progress = (struct snap_progress){true, "test", 0, (unsigned)fake.key_count, 0};
        r.status = 202;
        break;
    case CMD_TEST_STOP: fake.progress.running = false; break;
    case CMD_KEYS_ADD: add_keys(c, &r); break;
    case CMD_KEY_REMOVE:
        if (k) {
            size_t i = (size_t)(CONTAINER_OF(k, struct snap_key, view) - fake.keys);
            memmove(fake.keys + i, fake.keys + i + 1, (fake.key_count - i - 1) * sizeof *fake.keys);
            fake.key_count--;
        }
        snprintf(r.message, sizeof r.message, "removed");
        break;
    case CMD_KEY_RESET:
        if (k && k->state == KEY_COOLING) k->state = KEY_READY, k->cooldown_count = 0;
        snprintf(r.message, sizeof r.message, "cooldowns cleared");
        break;
    case CMD_KEY_LABEL:
        if (k) str_copy(k->label, sizeof k->label, str_of(c->text));
        break;
    case CMD_KEY_BALANCE:
        if (k && c->text[0] && str_micro(str_of(c->text), &k->balance_micro)) k->balance_origin = BALANCE_SET;
        break;
    case CMD_MODEL_BAN:
    case CMD_MODEL_UNBAN:
        for (size_t i = 0; i < MODELS; i++)
            if (strcmp(models[i].id, c->text) == 0) fake.banned[i] = c->kind == CMD_MODEL_BAN;
        break;
    case CMD_REQUEST_CANCEL:
        for (size_t i = 0; i < fake.live_count; i++)
            if (fake.requests[i].r.id == c->number) end_request(i);
        snprintf(r.message, sizeof r.message, "request %llu cancelled", (unsigned long long)c->number);
        break;
    case CMD_RELOAD:
        r.ok = false;
        r.status = 400;
        snprintf(r.message, sizeof r.message, "sfproxy.conf:12: unknown option [server] lissten");
        break;
    case CMD_DRAIN: fake.draining = true; break;
    case CMD_QUIT: fake.stop = true, fake.exit_code = 130; break;
    case CMD_HANGUP: fake.stop = true; break;
    default: break;
    }
    if (c->done) c->done(c, &r);
    command_free(c);
    publish();
}

bool control_post(struct control *c, struct command *cmd)
{
    cmd->mail.deliver = carry_out;
    return mailbox_post(&c->box, &cmd->mail);
}

struct snapshot *control_snapshot(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    struct snapshot *s = c->latest ? snapshot_get(c->latest) : NULL;
    pthread_mutex_unlock(&c->lock);
    return s;
}

int control_watch(struct control *c, void (*notify)(void *), void *arg)
{
    pthread_mutex_lock(&c->lock);
    c->notify_arg = arg;
    c->notify = notify;
    pthread_mutex_unlock(&c->lock);
    return 1;
}

void control_unwatch(struct control *c, int handle)
{
    (void)handle;
    pthread_mutex_lock(&c->lock);
    c->notify = NULL;
    pthread_mutex_unlock(&c->lock);
}

const char *control_setting(struct control *c, const char *name)
{
    (void)c, (void)name;
    return NULL;
}

/* --- main --- */

static void heartbeat(const char *path)
{
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (fd < 0) return;
    ssize_t n = write(fd, ".", 1);
    (void)n;
    close(fd);
}

static void on_signal(struct ui *ui, int sig)
{
    switch (sig) {
    case SIGWINCH: ui_signal(ui, UI_RESIZE); break;
    case SIGTSTP: ui_signal(ui, UI_SUSPEND); break;
    case SIGCONT: ui_signal(ui, UI_CONTINUE); break;
    case SIGUSR1: fprintf(stderr, "a library complains loudly\n"); break;
    case SIGUSR2: *(volatile int *)(uintptr_t)8 = 1; break;
    case SIGHUP: break; /* the screen notices by itself that its terminal is gone */
    case SIGQUIT: abort();
    default: fake.stop = true;
    }
}

static void run(struct ui *ui, int sigfd, const char *beat)
{
    mono_t next = mono_now(), next_beat = next, drained = {0};
    while (!fake.stop) {
        struct pollfd p[2] = {{sigfd, POLLIN, 0}, {fake.wake_fd, POLLIN, 0}};
        poll(p, 2, 50);
        struct signalfd_siginfo info;
        while (read(sigfd, &info, sizeof info) == sizeof info) on_signal(ui, (int)info.ssi_signo);
        uint64_t n;
        if (read(fake.wake_fd, &n, sizeof n) > 0) mailbox_drain(&fake.box, NULL);
        mono_t now = mono_now();
        if (now.ms >= next_beat.ms) heartbeat(beat), next_beat = mono_add(now, 100);
        if (now.ms >= next.ms) {
            if (!fake.frozen) step();
            publish();
            next = mono_add(now, 250);
        }
        if (fake.draining && !drained.ms) drained = mono_add(now, 1500);
        if (drained.ms && now.ms > drained.ms) fake.stop = true;
    }
}

static int block_signals(void)
{
    static const int list[] = {SIGINT,   SIGTERM, SIGHUP,  SIGQUIT, SIGTSTP, SIGCONT,
                               SIGWINCH, SIGTTOU, SIGTTIN, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) sigaddset(&set, list[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigdelset(&set, SIGTTOU);
    sigdelset(&set, SIGTTIN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct ui_options o = {.fps = 4, .mouse = true};
    uint64_t keys = 24, seed = 1;
    const char *beat = NULL;
    for (int i = 1; i < argc; i++) {
        const char *v = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seed") == 0) (void)str_u64(str_of(v), &seed);
        if (strcmp(argv[i], "--keys") == 0) (void)str_u64(str_of(v), &keys);
        if (strcmp(argv[i], "--heartbeat") == 0) beat = v;
        if (strcmp(argv[i], "--frozen") == 0) fake.frozen = true;
        if (strcmp(argv[i], "--readonly") == 0) o.readonly = fake.readonly = true;
        if (strcmp(argv[i], "--privacy") == 0) o.privacy = true;
        if (strcmp(argv[i], "--lang") == 0) o.lang = strcmp(v, "zh") == 0 ? 2 : 1;
        if (strcmp(argv[i], "--outage") == 0) (strcmp(v, "model") ? &fake.upstream_down : &fake.model_down)[0] = true;
        if (strcmp(argv[i], "--graph") == 0) o.graph = 1;
        if (strcmp(argv[i], "--theme") == 0) o.theme = v[0] - '0';
    }
    int sigfd = block_signals();
    const char *trace = getenv("FAKE_LOG");
    fake.trace = trace ? fopen(trace, "ae") : NULL;
    fake.rnd = (unsigned)seed;
    fake.next_id = 41000;
    fake.born = mono_now();
    pthread_mutex_init(&fake.lock, NULL);
    fake.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mailbox_init(&fake.box, wake_control, &fake);
    log_set_sink(fake_log, NULL);
    make_keys((size_t)MIN(keys, KEYS_MAX));
    if (keys) make_series();
    for (int i = 0; i < 40 && keys; i++) step();
    log_msg(LOG_INFO, "model list refreshed: 90 models (12 free, 1 new: Qwen/Qwen3-Next)");
    log_msg(LOG_WARN, "key sk-8d21..4b2d 429 \"TPM limit reached\": cooling 60 s");
    log_msg(LOG_ERROR, "key sk-03ee..0d91 401 \"Invalid token\": switched to bad");
    publish();
    struct buf why = BUF_INIT(512);
    struct ui *ui = ui_possible(&why) ? ui_start(&o, &fake, &why) : NULL;
    if (!ui) {
        printf("headless: %s\n", buf_cstr(&why));
        buf_free(&why);
        return 0;
    }
    run(ui, sigfd, beat);
    mailbox_close(&fake.box, NULL);
    ui_stop(ui);
    printf("fake_screen ended %d\n", fake.exit_code);
    return fake.exit_code;
}
