/* What fake_screen.c shows: keys, models, requests and series that are made up, change by themselves, and are the same
 * every time for one seed. Included once. */
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
    bool accounts; /* several keys each */
    uint64_t storm; /* requests a second, as far as figures go */
    bool readonly, frozen, draining, stop, upstream_down, model_down;
    int exit_code;
    const char *upstream_url, *upstream_next;
    mono_t born;
    FILE *trace;
};

static struct control fake;

/* With --frozen the clock stands too, so that two pictures are the same. */
static wall_t fake_now(void)
{
    return fake.frozen ? (wall_t){1796904151000} : wall_now();
}

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
    fake.keys[i].spent_today_micro = -1;
}

static void dress_key(size_t i)
{
    static const char *const labels[] = {"main", "team-a", "团队共享", "", "laptop", "", "backup", ""};
    struct snap_key *s = &fake.keys[i];
    struct key_view *k = &s->view;
    wall_t now = fake_now();
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
    s->spent_today_micro = k->balance_origin == BALANCE_UNKNOWN ? -1 : (int64_t)rnd(3000) * 1000;
    if (fake.accounts && i % 3 != 2) snprintf(k->account, sizeof k->account, "acct-%zu", i / 4);
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

/* What is left: what was typed or asked, less what went since; a typed one is counted down. */
static void dress_balance(struct snap_key *s)
{
    s->balance_origin = s->view.balance_origin;
    s->balance_left_micro = s->view.balance_micro;
    if (s->view.balance_origin != BALANCE_SET || s->spent_today_micro <= 0) return;
    s->balance_origin = BALANCE_METERED;
    s->balance_left_micro -= s->spent_today_micro;
    s->view.balance_at.ms = fake_now().ms - 3 * 86400000LL;
}

static void make_keys(size_t n)
{
    char secret[64];
    for (size_t i = 0; i < n && i < KEYS_MAX; i++) {
        snprintf(secret, sizeof secret, "sk-%08x%08x%08x%08x", rnd(65536) * 7919u, rnd(65536) * 104729u, rnd(65536),
                 rnd(65536) * 31337u);
        make_key(i, secret);
        dress_key(i);
        dress_balance(&fake.keys[i]);
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
    q.r.wall = fake_now();
    q.r.at = mono_now();
    str_copy(q.r.model, sizeof q.r.model, str_of(models[m].id));
    snprintf(q.r.client, sizeof q.r.client, "10.0.0.%u", 10 + rnd(6));
    if (fake.key_count) memcpy(q.r.key_id, fake.keys[k].view.id, sizeof q.r.key_id);
    str_copy(q.r.method, sizeof q.r.method, STR("POST"));
    str_copy(q.r.path, sizeof q.r.path, STR("/v1/chat/completions"));
    q.r.stream = rnd(3) > 0;
    q.r.ttft_ms = -1;
    q.r.cost_micro = -1;
    q.r.bytes_up = 900 + rnd(30000);
    if (rnd(6) == 0) str_copy(q.r.asked, sizeof q.r.asked, STR("gpt-4o"));
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
    q.r.cost_micro = luck > 1 ? q.r.usage.in / 4 + q.r.usage.out : -1;
    q.r.bytes_up = 900 + rnd(30000);
    q.r.bytes_down = luck > 1 ? 4000 + rnd(90000) : 120;
    q.r.tries = luck < 2 ? 3 : 1 + (rnd(8) == 0);
    for (int t = 0; t < q.r.tries; t++) {
        struct try_record *tr = &q.r.try_list[t];
        bool last = t == q.r.tries - 1;
        memcpy(tr->key_id, fake.keys[rnd((unsigned)MAX(fake.key_count, 1))].view.id, sizeof tr->key_id);
        tr->status = (int16_t)(last && luck > 1 ? 200 : luck == 1 ? 500 : 429);
        tr->verdict = last && luck > 1 ? VERDICT_OK : luck == 1 ? VERDICT_SERVER : VERDICT_RATE_MINUTE;
        tr->at_ms = t * 90;
        tr->took_ms = last ? MAX(q.r.duration_ms - tr->at_ms, 60) : 85;
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

/* A few limits known, most not; the keys that cool do so for DeepSeek-V3. */
static void build_cells(struct snapshot *s)
{
    static const unsigned busy[] = {5, 20, 19, 16, 24, 0, 13, 15, 21};
    s->cells = xcalloc(s->key_count * ARRAY_LEN(busy) + 1, sizeof *s->cells);
    for (size_t i = 0; i < s->key_count; i++)
        for (size_t b = 0; b < ARRAY_LEN(busy); b++) {
            struct snap_cell *c = &s->cells[s->cell_count];
            const struct key_view *k = &s->keys[i].view;
            unsigned mix = (unsigned)(i * 7 + b * 13);
            if (mix % 4 == 3) continue;
            s->cell_count++;
            str_copy(c->account, sizeof c->account, str_of(k->account[0] ? k->account : k->id));
            str_copy(c->model, sizeof c->model, str_of(models[busy[b]].id));
            c->in_flight = mix % 5 == 0;
            c->rpm = mix * 29 % 61;
            c->tpm = c->rpm * 431;
            c->limit_rpm = b < 5 ? 60 : -1;
            c->limit_tpm = b < 3 ? 50000 : -1;
            str_copy(c->limit_origin, sizeof c->limit_origin, b >= 5 ? STR("") : b ? STR("learned") : STR("config"));
            if (b == 1 && k->cooldown_count) c->ms_left = k->cooldowns[0].ms_left, c->reason = VERDICT_RATE_MINUTE;
        }
}

static struct snapshot *build(void)
{
    struct snapshot *s = snapshot_new();
    s->seq = ++fake.seq;
    str_copy(s->version, sizeof s->version, STR("0.0"));
    s->time = fake_now();
    s->made = mono_add(mono_now(), fake.frozen ? 3600000 : 0); /* frozen: no time passes since */
    s->uptime_s = 3 * 86400 + 4 * 3600 + (fake.frozen ? 0 : mono_since(s->made, fake.born) / 1000);
    str_copy(s->listen, sizeof s->listen, STR("127.0.0.1:7860"));
    str_copy(s->base_url, sizeof s->base_url, STR("http://127.0.0.1:7860/v1"));
    str_copy(s->upstream_url, sizeof s->upstream_url,
             str_of(fake.upstream_url ? fake.upstream_url : "https://api.siliconflow.cn/v1"));
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
        m->spent_today_micro = models[i].free ? 0 : models[i].price[0] ? (int64_t)(i * 131071 % 2900000) : -1;
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
    build_cells(s);
    s->totals.cost_today = fake.key_count ? 12340000 : -1;
    s->totals.burn_per_hour = fake.key_count ? 1260000 : -1;
    s->totals.hours_left = fake.key_count ? 665 : -1;
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
