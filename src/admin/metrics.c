#include "admin/metrics.h"

#include <inttypes.h>
#include <time.h>

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A family of one sample without labels. */
static void single(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    family(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* `{name="value"` without the closing brace; foreign bytes are cleaned, then escaped. */
static void label(struct buf *out, const char *metric, const char *name, const char *value)
{
    char clean[MODEL_NAME_MAX + 1];
    text_clean(str_of(value), clean, sizeof clean);
    buf_printf(out, "%s{%s=\"", metric, name);
    for (const char *c = clean; *c; c++) {
        if (*c == '\\' || *c == '"') buf_putc(out, '\\');
        buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

static void labelled(struct buf *out, const char *metric, const char *name, const char *value, uint64_t n)
{
    label(out, metric, name, value);
    buf_printf(out, "} %" PRIu64 "\n", n);
}

/* Thousandths as seconds: no floating point, no locale. */
static void put_seconds(struct buf *out, uint64_t ms)
{
    buf_printf(out, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

/* Millionths as a decimal number. */
static void put_micro(struct buf *out, const char *before, int64_t micro)
{
    uint64_t v = micro < 0 ? 0 - (uint64_t)micro : (uint64_t)micro;
    buf_printf(out, "%s%s%" PRIu64 ".%06" PRIu64 "\n", before, micro < 0 ? "-" : "", v / 1000000, v % 1000000);
}

static void histogram(struct buf *out, const char *name, const char *help, const struct histogram *h)
{
    uint64_t below = 0;
    family(out, name, "histogram", help);
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += h->counts[i];
        buf_printf(out, "%s_bucket{le=\"", name);
        put_seconds(out, (uint64_t)histogram_bounds_ms[i]);
        buf_printf(out, "\"} %" PRIu64 "\n", below);
    }
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, h->total, name);
    put_seconds(out, h->sum_ms);
    buf_printf(out, "\n%s_count %" PRIu64 "\n", name, h->total);
}

static void write_process(const struct snapshot *s, struct buf *out)
{
    struct timespec cpu;
    family(out, "sfproxy_build_info", "gauge", "Always 1; the version is the label.");
    labelled(out, "sfproxy_build_info", "version", s->version, 1);
    family(out, "process_start_time_seconds", "gauge", "When the process started, Unix time.");
    buf_puts(out, "process_start_time_seconds ");
    put_seconds(out, (uint64_t)MAX(s->time.ms - s->uptime_s * 1000, 0));
    buf_putc(out, '\n');
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) != 0) return;
    family(out, "process_cpu_seconds_total", "counter", "CPU time of all threads.");
    buf_puts(out, "process_cpu_seconds_total ");
    put_seconds(out, (uint64_t)cpu.tv_sec * 1000 + (uint64_t)cpu.tv_nsec / 1000000);
    buf_putc(out, '\n');
}

static void write_traffic(const struct snapshot *s, struct buf *out)
{
    const struct meter_totals *t = &s->totals;
    family(out, "sfproxy_requests_total", "counter", "Finished requests by how they ended.");
    for (int i = 0; i < END_COUNT; i++)
        labelled(out, "sfproxy_requests_total", "end", end_name((enum end_reason)i), t->ends[i]);
    single(out, "sfproxy_admitted_requests_total", "counter", "Requests admitted.", t->requests);
    single(out, "sfproxy_tries_total", "counter", "Calls upstream made for them.", t->tries);
    single(out, "sfproxy_retries_total", "counter", "Tries beyond the first of a request.", t->retries);
    single(out, "sfproxy_rate_limited_tries_total", "counter", "Tries answered with a rate limit.", t->limited);
    family(out, "sfproxy_tokens_total", "counter", "Tokens of finished requests.");
    labelled(out, "sfproxy_tokens_total", "direction", "in", t->tokens_in);
    labelled(out, "sfproxy_tokens_total", "direction", "out", t->tokens_out);
    if (t->spent.total >= 0) {
        family(out, "sfproxy_cost_cny_total", "counter", "Cost of finished requests with a known price, CNY.");
        put_micro(out, "sfproxy_cost_cny_total ", t->spent.total);
    }
    histogram(out, "sfproxy_request_duration_seconds", "From admission to the end of the answer.", &t->duration);
    histogram(out, "sfproxy_time_to_first_byte_seconds", "From admission to the first byte for the client.", &t->ttft);
    single(out, "sfproxy_requests_in_flight", "gauge", "Requests admitted and not finished.", s->in_flight);
    single(out, "sfproxy_requests_waiting", "gauge", "Of them in line for a key.", s->waiting);
    single(out, "sfproxy_leases", "gauge", "Keys in use, counted once per call.", s->leases);
    single(out, "sfproxy_client_connections", "gauge", "Open connections of clients.", s->connections);
    single(out, "sfproxy_requests_last_minute", "gauge", "RPM: requests of the last 60 s.", t->rates.rpm);
    single(out, "sfproxy_tokens_last_minute", "gauge", "TPM: tokens of the last 60 s.", t->rates.tpm);
    single(out, "sfproxy_requests_last_day", "gauge", "RPD: requests of the last 24 h.", t->rates.rpd);
    single(out, "sfproxy_tokens_last_day", "gauge", "TPD: tokens of the last 24 h.", t->rates.tpd);
}

/* One family for each figure: all samples of a family must stand together. */
struct model_figure {
    const char *name, *help;
    uint64_t (*of)(const struct snap_model *m);
};

static uint64_t model_requests(const struct snap_model *m)
{
    return m->requests;
}

static uint64_t model_errors(const struct snap_model *m)
{
    return m->failed;
}

static uint64_t model_tokens(const struct snap_model *m)
{
    return m->tokens;
}

static void write_models(const struct snapshot *s, struct buf *out)
{
    static const struct model_figure figures[] = {
        {"sfproxy_model_requests_total", "Requests admitted for the model.", model_requests},
        {"sfproxy_model_errors_total", "Of them ended with an error.", model_errors},
        {"sfproxy_model_tokens_total", "Tokens of the model's finished requests.", model_tokens},
    };
    for (size_t f = 0; f < ARRAY_LEN(figures); f++) {
        family(out, figures[f].name, "counter", figures[f].help);
        for (size_t i = 0; i < s->model_count; i++)
            if (s->models[i].requests)
                labelled(out, figures[f].name, "model", s->models[i].id, figures[f].of(&s->models[i]));
    }
    family(out, "sfproxy_model_breaker_open", "gauge", "1: requests for the model are refused at once.");
    for (size_t i = 0; i < s->model_count; i++) {
        const char *b = s->models[i].breaker;
        if (*b && strcmp(b, "closed") != 0) labelled(out, "sfproxy_model_breaker_open", "model", s->models[i].id, 1);
    }
}

struct key_figure {
    const char *name, *type, *help;
    uint64_t (*of)(const struct snap_key *k);
};

static uint64_t key_tries(const struct snap_key *k)
{
    return k->meter.tries;
}

static uint64_t key_ok(const struct snap_key *k)
{
    return k->view.ok;
}

static uint64_t key_failed(const struct snap_key *k)
{
    return k->view.failed;
}

static uint64_t key_limited(const struct snap_key *k)
{
    return k->view.limited;
}

static uint64_t key_in_flight(const struct snap_key *k)
{
    return k->view.in_flight;
}

static void write_key_states(const struct snapshot *s, struct buf *out)
{
    unsigned counts[KEY_STATE_COUNT] = {0};
    family(out, "sfproxy_key_state", "gauge", "1 for the state the key is in.");
    for (size_t i = 0; i < s->key_count; i++) {
        const struct key_view *k = &s->keys[i].view;
        counts[k->state]++;
        label(out, "sfproxy_key_state", "key", k->id);
        buf_printf(out, ",state=\"%s\",class=\"%s\"} 1\n", key_state_name(k->state), key_class_name(k->class));
    }
    family(out, "sfproxy_keys", "gauge", "Keys by state.");
    for (int i = 0; i < KEY_STATE_COUNT; i++)
        labelled(out, "sfproxy_keys", "state", key_state_name((enum key_state)i), counts[i]);
}

static void write_keys(const struct snapshot *s, struct buf *out)
{
    static const struct key_figure figures[] = {
        {"sfproxy_key_tries_total", "counter", "Tries made with the key.", key_tries},
        {"sfproxy_key_ok_total", "counter", "Tries that were answered.", key_ok},
        {"sfproxy_key_failed_total", "counter", "Tries refused or failed, rate limits apart.", key_failed},
        {"sfproxy_key_limited_total", "counter", "Tries answered with a rate limit.", key_limited},
        {"sfproxy_key_in_flight", "gauge", "Requests that use the key now.", key_in_flight},
    };
    write_key_states(s, out);
    family(out, "sfproxy_key_balance_cny", "gauge", "What is left of the account's balance, where it is known.");
    for (size_t i = 0; i < s->key_count; i++) {
        if (s->keys[i].balance_origin == BALANCE_UNKNOWN) continue;
        label(out, "sfproxy_key_balance_cny", "key", s->keys[i].view.id);
        put_micro(out, "} ", s->keys[i].balance_left_micro);
    }
    for (size_t f = 0; f < ARRAY_LEN(figures); f++) {
        family(out, figures[f].name, figures[f].type, figures[f].help);
        for (size_t i = 0; i < s->key_count; i++)
            labelled(out, figures[f].name, "key", s->keys[i].view.id, figures[f].of(&s->keys[i]));
    }
}

static void write_health(const struct snapshot *s, struct buf *out)
{
    bool open = *s->breaker && strcmp(s->breaker, "closed") != 0;
    single(out, "sfproxy_upstream_breaker_open", "gauge", "1: the whole platform is refused at once.", open);
    single(out, "sfproxy_store_queued", "gauge", "Writes and log lines that wait for the disk.", s->store.queued);
    single(out, "sfproxy_store_dropped_total", "counter", "Of them dropped.", s->writes_dropped);
    single(out, "sfproxy_store_errors_total", "counter", "Writes that failed.", s->store.errors);
    single(out, "sfproxy_store_failing", "gauge", "1: the newest write failed.", s->store.failing);
}

void metrics_write(const struct snapshot *s, struct buf *out)
{
    write_process(s, out);
    write_traffic(s, out);
    write_models(s, out);
    write_keys(s, out);
    write_health(s, out);
}
