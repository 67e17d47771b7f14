/* The three tables: keys, last requests, models. On a phone each row becomes a card (page.css), where every cell shows
 * the column's name from its data-label; cells of the class "blank" are left out there. */
#include <inttypes.h>

#include "admin/page_parts.h"

/* --- cells --- */

static void head_cell(struct buf *out, const struct page_view *v, enum page_word w, const char *class)
{
    buf_printf(out, "<th scope=\"col\" class=\"%s\">", class);
    part_word(out, v, w);
    buf_puts(out, "</th>");
}

static void head_name(struct buf *out, const char *name)
{
    buf_printf(out, "<th scope=\"col\" class=\"num\">%s</th>", name);
}

static void cell(struct buf *out, const char *label, const char *class)
{
    buf_printf(out, "<td class=\"%s\" data-label=\"", class);
    html_text(out, label);
    buf_puts(out, "\">");
}

static void word_cell(struct buf *out, const struct page_view *v, enum page_word w, const char *class)
{
    cell(out, page_word(v->lang, w), class);
}

static void end_cell(struct buf *out)
{
    buf_puts(out, "</td>");
}

static void count_cell(struct buf *out, const char *label, uint64_t n)
{
    cell(out, label, "num");
    html_count(out, n);
    end_cell(out);
}

/* --- keys --- */

static void balance_cell(struct buf *out, const struct page_view *v, const struct snap_key *key)
{
    static const enum page_word words[] = {[BALANCE_UNKNOWN] = WORD_unknown,
                                           [BALANCE_API] = WORD_by_api,
                                           [BALANCE_SET] = WORD_by_hand,
                                           [BALANCE_METERED] = WORD_by_metered};
    bool known = key->balance_origin != BALANCE_UNKNOWN;
    wall_t at = key->view.balance_at;
    word_cell(out, v, WORD_balance, "num wide");
    if (key->balance_origin == BALANCE_SET || key->balance_origin == BALANCE_METERED) buf_puts(out, "≤ ");
    if (known)
        html_money(out, key->balance_left_micro);
    else
        buf_putc(out, '?');
    buf_puts(out, "<small>");
    part_word(out, v, words[key->balance_origin]);
    if (known && at.ms) {
        buf_puts(out, ", ");
        html_age(out, (v->snapshot->time.ms - at.ms) / 1000);
        buf_puts(out, " ");
        part_word(out, v, WORD_ago);
    }
    buf_puts(out, "</small></td>");
}

static void cooldown_line(struct buf *out, const struct page_view *v, const struct key_cooldown_view *c)
{
    html_age(out, (c->ms_left + 999) / 1000);
    buf_puts(out, " <small>");
    html_text(out, *c->model ? c->model : page_word(v->lang, WORD_every_model));
    buf_puts(out, ": ");
    html_text(out, verdict_word(v->lang, c->reason));
    buf_puts(out, "</small>");
}

static void cooldown_cell(struct buf *out, const struct page_view *v, const struct key_view *k)
{
    size_t known = MIN((size_t)k->cooldown_count, ARRAY_LEN(k->cooldowns)), shown = MIN(known, (size_t)2);
    word_cell(out, v, WORD_cooldown, shown ? "text" : "text blank");
    for (size_t i = 0; i < shown; i++) cooldown_line(out, v, &k->cooldowns[i]);
    if (k->cooldown_count > shown) {
        buf_printf(out, "<small>+%zu ", (size_t)k->cooldown_count - shown);
        part_word(out, v, WORD_more);
        buf_puts(out, "</small>");
    }
    if (!shown) buf_puts(out, "-");
    end_cell(out);
}

static void error_cell(struct buf *out, const struct page_view *v, const struct key_view *k)
{
    char time[16];
    bool any = k->last_error.at.ms != 0;
    word_cell(out, v, WORD_last_error, any ? "text" : "text blank");
    if (!any) {
        buf_puts(out, "-</td>");
        return;
    }
    wall_format_time(k->last_error.at, time, sizeof time);
    if (k->last_error.status) buf_printf(out, "%d ", k->last_error.status);
    html_text(out, verdict_word(v->lang, k->last_error.verdict));
    buf_printf(out, "<small>%s ", time);
    html_text(out, k->last_error.message);
    buf_puts(out, "</small></td>");
}

static void key_name_cell(struct buf *out, const struct key_view *k)
{
    buf_puts(out, "<th scope=\"row\">");
    html_text(out, part_key_name(k));
    buf_puts(out, "<small>");
    if (*k->label) {
        html_text(out, k->masked);
        buf_puts(out, " ");
    }
    html_text(out, k->id);
    buf_puts(out, "</small></th>");
}

static void key_row(struct buf *out, const struct page_view *v, const struct snap_key *key)
{
    const struct key_view *k = &key->view;
    const struct state_look *state = state_look(k->state), *class = class_look(k->class);
    buf_puts(out, "<tr>");
    key_name_cell(out, k);
    word_cell(out, v, WORD_state, "nowrap half");
    part_tag(out, state->class, state->symbol, state->words[v->lang]);
    end_cell(out);
    word_cell(out, v, WORD_class, "nowrap half");
    part_tag(out, class->class, "", class->words[v->lang]);
    end_cell(out);
    count_cell(out, page_word(v->lang, WORD_in_flight), k->in_flight);
    count_cell(out, "RPM", key->meter.rates.rpm);
    count_cell(out, "TPM", key->meter.rates.tpm);
    count_cell(out, "429", k->limited);
    balance_cell(out, v, key);
    cooldown_cell(out, v, k);
    error_cell(out, v, k);
    buf_puts(out, "</tr>\n");
}

void part_keys(struct buf *out, const void *view)
{
    const struct page_view *v = view;
    if (!v->snapshot->key_count) {
        buf_puts(out, "<p class=\"empty\">");
        part_word(out, v, WORD_no_keys_how);
        buf_puts(out, "</p>");
        return;
    }
    buf_puts(out, "<table class=\"keys\"><thead><tr>");
    head_cell(out, v, WORD_key, "");
    head_cell(out, v, WORD_state, "");
    head_cell(out, v, WORD_class, "");
    head_cell(out, v, WORD_in_flight, "num");
    head_name(out, "RPM");
    head_name(out, "TPM");
    head_name(out, "429");
    head_cell(out, v, WORD_balance, "num");
    head_cell(out, v, WORD_cooldown, "");
    head_cell(out, v, WORD_last_error, "");
    buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < v->snapshot->key_count; i++) key_row(out, v, &v->snapshot->keys[i]);
    buf_puts(out, "</tbody></table>");
}

/* --- requests --- */

static const char *key_name(const struct snapshot *s, const char *id)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->keys[i].view.id, id) == 0) return part_key_name(&s->keys[i].view);
    return *id ? id : "-";
}

static void result_cell(struct buf *out, const struct page_view *v, const struct snap_request *q)
{
    const struct record *r = &q->r;
    char word[96];
    word_cell(out, v, WORD_result, "nowrap half");
    if (q->live) {
        snprintf(word, sizeof word, "%s: %s", page_word(v->lang, WORD_running), q->state);
        part_tag(out, "ok", "▸", word);
    } else {
        bool bad = end_is_error(r->end), fine = r->end == END_OK && r->status < 400;
        if (r->status)
            snprintf(word, sizeof word, "%d %s", r->status, end_word(v->lang, r->end));
        else
            snprintf(word, sizeof word, "%s", end_word(v->lang, r->end));
        part_tag(out, bad ? "bad" : fine ? "ok" : "warn", bad ? "✗" : fine ? "✓" : "!", word);
    }
    end_cell(out);
}

static void tokens_cells(struct buf *out, const struct page_view *v, const struct record *r)
{
    word_cell(out, v, WORD_tokens, r->usage.known ? "num half" : "num half blank");
    if (r->usage.known) {
        html_count(out, (uint64_t)MAX(r->usage.in, 0));
        buf_puts(out, " / ");
        html_count(out, (uint64_t)MAX(r->usage.out, 0));
    } else {
        buf_puts(out, "-");
    }
    end_cell(out);
    bool timed = r->usage.known && r->usage.out > 0 && r->gen_ms > 0;
    word_cell(out, v, WORD_speed, timed ? "num spare" : "num spare blank");
    if (timed)
        html_count(out, (uint64_t)(r->usage.out * 1000 / r->gen_ms));
    else
        buf_puts(out, "-");
    end_cell(out);
}

static void request_row(struct buf *out, const struct page_view *v, const struct snap_request *q)
{
    const struct record *r = &q->r;
    char time[16];
    wall_format_time(r->wall, time, sizeof time);
    buf_puts(out, "<tr>");
    buf_printf(out, "<th scope=\"row\">%s</th>", time);
    result_cell(out, v, q);
    word_cell(out, v, WORD_client, "half");
    html_text(out, r->client);
    end_cell(out);
    word_cell(out, v, WORD_model, "text");
    html_text(out, *r->model ? r->model : "-");
    buf_puts(out, "<small>");
    html_text(out, r->path);
    if (r->stream) {
        buf_puts(out, ", ");
        part_word(out, v, WORD_stream);
    }
    buf_puts(out, "</small></td>");
    word_cell(out, v, WORD_key, "half");
    html_text(out, key_name(v->snapshot, r->key_id));
    end_cell(out);
    count_cell(out, page_word(v->lang, WORD_tries), r->tries);
    cell(out, "TTFT", "num");
    html_ms(out, r->ttft_ms);
    end_cell(out);
    word_cell(out, v, WORD_duration, "num");
    html_ms(out, q->live ? q->age_ms : r->duration_ms);
    end_cell(out);
    tokens_cells(out, v, r);
    buf_puts(out, "</tr>\n");
}

void part_requests(struct buf *out, const void *view)
{
    const struct page_view *v = view;
    if (!v->snapshot->request_count) {
        buf_puts(out, "<p class=\"empty\">");
        part_word(out, v, WORD_no_requests);
        buf_puts(out, " <code>");
        html_text(out, v->snapshot->base_url);
        buf_puts(out, "</code></p>");
        return;
    }
    buf_puts(out, "<table><thead><tr>");
    head_cell(out, v, WORD_time, "");
    head_cell(out, v, WORD_result, "");
    head_cell(out, v, WORD_client, "");
    head_cell(out, v, WORD_model, "");
    head_cell(out, v, WORD_key, "");
    head_cell(out, v, WORD_tries, "num");
    head_name(out, "TTFT");
    head_cell(out, v, WORD_duration, "num");
    head_cell(out, v, WORD_tokens, "num");
    head_cell(out, v, WORD_speed, "num spare");
    buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < v->snapshot->request_count && i < PAGE_REQUESTS; i++)
        request_row(out, v, &v->snapshot->requests[i]);
    buf_puts(out, "</tbody></table>");
}

/* --- models --- */

static bool is_free(const struct snap_model *m)
{
    return m->cost == COST_FREE;
}

static size_t models_that_are(const struct snapshot *s, bool free)
{
    size_t n = 0;
    for (size_t i = 0; i < s->model_count; i++) n += is_free(&s->models[i]) == free;
    return n;
}

static void model_status(struct buf *out, const struct page_view *v, const struct snap_model *m)
{
    if (m->other) {
        buf_puts(out, "-");
    } else if (m->banned) {
        part_tag(out, "off", "-", page_word(v->lang, WORD_banned));
    } else if (part_is_down(m->breaker)) {
        part_tag(out, "bad", "!", page_word(v->lang, WORD_down));
        buf_puts(out, "<small>");
        html_text(out, verdict_word(v->lang, m->trouble_kind));
        buf_puts(out, ", ");
        part_probe(out, v, m->breaker, m->probe_ms);
        buf_puts(out, "</small>");
    } else if (m->keys_usable) {
        part_tag(out, "ok", "✓", page_word(v->lang, WORD_usable));
    } else {
        part_tag(out, "warn", "~", page_word(v->lang, WORD_not_now));
    }
}

static void model_row(struct buf *out, const struct page_view *v, const struct snap_model *m)
{
    buf_puts(out, "<tr><th scope=\"row\">");
    html_text(out, m->other ? page_word(v->lang, WORD_other_models) : m->id);
    buf_puts(out, "<small>");
    if (!m->other) html_text(out, *m->sub_type ? m->sub_type : m->type);
    if (m->waiting) {
        buf_printf(out, ", %u ", m->waiting);
        part_word(out, v, WORD_waiting);
    }
    if (m->cost == COST_UNKNOWN && !m->other) {
        buf_puts(out, ", ");
        part_word(out, v, WORD_unknown_cost);
    }
    buf_puts(out, "</small></th>");
    word_cell(out, v, WORD_status, "nowrap half");
    model_status(out, v, m);
    end_cell(out);
    count_cell(out, page_word(v->lang, WORD_keys_usable), m->keys_usable);
    count_cell(out, "RPM", m->rates.rpm);
    count_cell(out, "TPM", m->rates.tpm);
    if (!is_free(m)) {
        word_cell(out, v, WORD_price, *m->price ? "rest" : "rest blank");
        html_text(out, *m->price ? m->price : "?");
        end_cell(out);
    }
    buf_puts(out, "</tr>\n");
}

static void models_table(struct buf *out, const struct page_view *v, bool free)
{
    if (!models_that_are(v->snapshot, free)) {
        buf_puts(out, "<p class=\"empty\">");
        part_word(out, v, WORD_no_models);
        buf_puts(out, "</p>");
        return;
    }
    buf_puts(out, "<table><thead><tr>");
    head_cell(out, v, WORD_model, "");
    head_cell(out, v, WORD_status, "");
    head_cell(out, v, WORD_keys_usable, "num");
    head_name(out, "RPM");
    head_name(out, "TPM");
    if (!free) head_cell(out, v, WORD_price, "");
    buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < v->snapshot->model_count; i++)
        if (is_free(&v->snapshot->models[i]) == free) model_row(out, v, &v->snapshot->models[i]);
    buf_puts(out, "</tbody></table>");
}

void part_models_free(struct buf *out, const void *view)
{
    models_table(out, view, true);
}

void part_models_paid(struct buf *out, const void *view)
{
    models_table(out, view, false);
}

void part_free_count(struct buf *out, const void *view)
{
    const struct page_view *v = view;
    buf_printf(out, "%zu", models_that_are(v->snapshot, true));
}

void part_paid_count(struct buf *out, const void *view)
{
    const struct page_view *v = view;
    buf_printf(out, "%zu", models_that_are(v->snapshot, false));
}
