/* The page's frame, the health strip, the figures with their graphs, and the attention list; page_tables.c has the
 * tables. The HTML around them is ui/web/page.html, a template whose {{names}} are the rows of `slots` below. */
#include "admin/page.h"

#include <inttypes.h>

#include "admin/assets.h"
#include "admin/graph.h"
#include "admin/page_parts.h"

enum { ATTENTION_MAX = 12, MODEL_ALERTS_MAX = 6, HOUR_BARS = 60, DAY_BARS = 24 };

static const char *const lang_tag[PAGE_LANGS] = {"en", "zh-CN"};
static const char *const lang_short[PAGE_LANGS] = {"en", "zh"};

void part_word(struct buf *out, const struct page_view *v, enum page_word w)
{
    html_text(out, page_word(v->lang, w));
}

void part_tag(struct buf *out, const char *class, const char *symbol, const char *word)
{
    buf_printf(out, "<span class=\"tag %s\">", class);
    if (*symbol) buf_printf(out, "<i aria-hidden=\"true\">%s</i>", symbol);
    html_text(out, word);
    buf_puts(out, "</span>");
}

bool part_is_down(const char *breaker)
{
    return *breaker && strcmp(breaker, "closed") != 0;
}

void part_probe(struct buf *out, const struct page_view *v, const char *breaker, int64_t probe_ms)
{
    if (strcmp(breaker, "open") != 0 || probe_ms <= 0) {
        part_word(out, v, WORD_probing);
        return;
    }
    part_word(out, v, WORD_probe_in);
    buf_puts(out, " ");
    html_age(out, (probe_ms + 999) / 1000);
}

const char *part_key_name(const struct key_view *k)
{
    return *k->label ? k->label : k->masked;
}

/* --- frame --- */

static void part_lang(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_puts(out, lang_tag[v->lang]);
}

static void part_lang_short(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_puts(out, lang_short[v->lang]);
}

static void part_other_lang(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_puts(out, lang_tag[!v->lang]);
}

static void part_other_lang_short(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_puts(out, lang_short[!v->lang]);
}

static void part_style(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    html_text(out, v->style_tag);
}

static void part_script(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    html_text(out, v->script_tag);
}

static void part_may_act(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_puts(out, v->can_log_out && !v->snapshot->readonly ? "yes" : "no");
}

static void part_base(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    html_text(out, v->snapshot->base_url);
}

/* The script's words, as JSON inside an attribute. */
static void part_words(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    struct buf json = BUF_INIT(65536);
    words_json(v->lang, &json);
    html_attribute(out, buf_str(&json));
    buf_free(&json);
}

static void part_warnings(struct buf *out, const void *arg)
{
    enum { SHOWN = 50 };
    const struct page_view *v = arg;
    const struct snapshot *s = v->snapshot;
    size_t shown = 0;
    for (size_t i = s->log_count; i > 0 && shown < SHOWN; i--) {
        const struct log_line *line = &s->log[i - 1];
        char time[16];
        if (line->level > LOG_WARN) continue;
        wall_format_time(line->time, time, sizeof time);
        buf_puts(out, shown++ ? "" : "<ul class=\"log\">");
        buf_printf(out, "<li><time>%s</time> ", time);
        part_tag(out, line->level == LOG_ERROR ? "bad" : "warn", line->level == LOG_ERROR ? "✗" : "!",
                 log_level_name(line->level));
        buf_puts(out, " ");
        html_text(out, line->text);
        buf_puts(out, "</li>");
    }
    if (shown) {
        buf_puts(out, "</ul>");
        return;
    }
    buf_puts(out, "<p class=\"calm\">");
    part_word(out, v, WORD_no_warnings);
    buf_puts(out, "</p>");
}

static void part_refresh(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    if (v->refresh) buf_printf(out, "<meta http-equiv=\"refresh\" content=\"%d\">", PAGE_REFRESH_S);
}

static void link_to(struct buf *out, enum page_lang lang, bool refresh)
{
    buf_printf(out, "<a href=\"./?lang=%s", lang_short[lang]);
    if (refresh) buf_printf(out, "&amp;refresh=%d", PAGE_REFRESH_S);
    buf_puts(out, "\"");
}

static void jump_to(struct buf *out, const struct page_view *v, const char *id, enum page_word w)
{
    buf_printf(out, "<a href=\"#%s\">", id);
    part_word(out, v, w);
    buf_puts(out, "</a>");
}

static void part_links(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    jump_to(out, v, "keys", WORD_keys);
    jump_to(out, v, "requests", WORD_jump_requests);
    jump_to(out, v, "models-free", WORD_jump_models);
    link_to(out, v->lang, v->refresh);
    buf_puts(out, " class=\"still\">");
    part_word(out, v, WORD_reload);
    buf_puts(out, "</a>");
    link_to(out, v->lang, !v->refresh);
    buf_puts(out, " class=\"still\">");
    part_word(out, v, v->refresh ? WORD_live_off : WORD_live_on);
    buf_puts(out, "</a>");
    link_to(out, !v->lang, v->refresh);
    buf_printf(out, " lang=\"%s\">", lang_tag[!v->lang]);
    part_word(out, v, WORD_other_lang);
    buf_puts(out, "</a>");
}

static void part_logout(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    if (!v->can_log_out) return;
    buf_puts(out, "<form method=\"post\" action=\"logout\"><button>");
    part_word(out, v, WORD_logout);
    buf_puts(out, "</button></form>");
}

static void footer_item(struct buf *out, const struct page_view *v, enum page_word w, const char *code)
{
    buf_puts(out, "<span>");
    part_word(out, v, w);
    buf_puts(out, " <code>");
    html_text(out, code);
    buf_puts(out, "</code></span>");
}

static void part_footer(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    char time[16];
    wall_format_time(v->snapshot->time, time, sizeof time);
    footer_item(out, v, WORD_base_url, v->snapshot->base_url);
    footer_item(out, v, WORD_platform, v->snapshot->upstream_url);
    buf_puts(out, "<span>sfproxy ");
    html_text(out, v->snapshot->version);
    buf_puts(out, ", ");
    part_word(out, v, WORD_up_for);
    buf_puts(out, " ");
    html_age(out, v->snapshot->uptime_s);
    buf_puts(out, "</span><span>");
    part_word(out, v, WORD_as_of);
    buf_printf(out, " <span id=\"as-of\">%s</span></span>", time);
    if (v->snapshot->readonly) {
        buf_puts(out, "<span>");
        part_word(out, v, WORD_readonly);
        buf_puts(out, "</span>");
    }
}

/* --- health strip --- */

static void part_states(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    unsigned counts[KEY_STATE_COUNT] = {0};
    for (size_t i = 0; i < v->snapshot->key_count; i++) counts[v->snapshot->keys[i].view.state]++;
    for (size_t s = 0; s < KEY_STATE_COUNT; s++) {
        char word[64];
        const struct state_look *look = state_look((enum key_state)s);
        if (!counts[s]) continue;
        snprintf(word, sizeof word, "%u %s", counts[s], look->words[v->lang]);
        part_tag(out, look->class, look->symbol, word);
    }
}

static void health_item(struct buf *out, const char *name, uint64_t value, const char *class)
{
    buf_puts(out, "<div><dt>");
    html_text(out, name);
    buf_printf(out, "</dt><dd%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
    html_count(out, value);
    buf_puts(out, "</dd></div>");
}

static void part_health(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    const struct meter_totals *t = &v->snapshot->totals;
    health_item(out, "RPM", t->rates.rpm, "");
    health_item(out, "TPM", t->rates.tpm, "");
    health_item(out, "RPD", t->rates.rpd, "");
    health_item(out, "TPD", t->rates.tpd, "");
    health_item(out, page_word(v->lang, WORD_in_flight), v->snapshot->in_flight, "");
    if (t->cost_today >= 5000) { /* half a cent */
        buf_puts(out, "<div><dt>");
        part_word(out, v, WORD_spent_today);
        buf_puts(out, "</dt><dd>");
        html_money(out, t->cost_today);
        buf_puts(out, "</dd></div>");
    }
    if (v->snapshot->waiting) health_item(out, page_word(v->lang, WORD_waiting), v->snapshot->waiting, "warn");
    health_item(out, page_word(v->lang, WORD_limited_min), t->limited_per_min, t->limited_per_min ? "warn" : "");
    health_item(out, page_word(v->lang, WORD_errors_min), t->errors_per_min, t->errors_per_min ? "bad" : "");
}

static void alert(struct buf *out, const struct page_view *v, enum page_word w, const char *detail, bool serious)
{
    buf_printf(out, "<p class=\"alert%s\" role=\"status\"><strong>", serious ? "" : " warn");
    part_word(out, v, w);
    buf_puts(out, "</strong>");
    if (*detail) buf_puts(out, ": ");
    html_text(out, detail);
    buf_puts(out, "</p>");
}

static void alert_of_breaker(struct buf *out, const struct page_view *v, enum page_word w, const char *model,
                             const char *breaker, enum verdict why, int64_t probe_ms)
{
    buf_puts(out, "<p class=\"alert\" role=\"status\"><strong>");
    part_word(out, v, w);
    buf_puts(out, "</strong>: ");
    html_text(out, model);
    buf_puts(out, *model ? ": " : "");
    html_text(out, verdict_word(v->lang, why));
    buf_puts(out, ", ");
    part_probe(out, v, breaker, probe_ms);
    buf_puts(out, "</p>");
}

static void alerts_of_models(struct buf *out, const struct page_view *v)
{
    const struct snapshot *s = v->snapshot;
    for (size_t i = 0, shown = 0; i < s->model_count && shown < MODEL_ALERTS_MAX; i++) {
        const struct snap_model *m = &s->models[i];
        if (!part_is_down(m->breaker)) continue;
        alert_of_breaker(out, v, WORD_model_down, m->id, m->breaker, m->trouble_kind, m->probe_ms);
        shown++;
    }
}

static void part_alerts(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    const struct snapshot *s = v->snapshot;
    if (part_is_down(s->breaker))
        alert_of_breaker(out, v, WORD_upstream_down, "", s->breaker, s->breaker_kind, s->breaker_probe_ms);
    else if (*s->upstream_trouble)
        alert(out, v, WORD_upstream_trouble, s->upstream_trouble, true);
    if (*s->alarm) alert(out, v, WORD_alarm, s->alarm, true);
    alerts_of_models(out, v);
    if (*s->conf_error) alert(out, v, WORD_conf_error, s->conf_error, true);
    if (s->draining) alert(out, v, WORD_draining, "", false);
    if (!s->key_count) alert(out, v, WORD_no_keys_yet, page_word(v->lang, WORD_no_keys_how), false);
}

/* --- figures --- */

struct figure {
    const char *name, *class;
    enum page_word what, span;
    uint64_t value;
    const int64_t *bars;
    size_t count;
};

static void figure_caption(struct buf *out, const struct page_view *v, const struct graph_sum *sum)
{
    const struct {
        enum page_word word;
        int64_t value;
    } items[] = {{WORD_now, sum->last}, {WORD_peak, sum->peak}, {WORD_low, sum->low}};
    for (size_t i = 0; i < ARRAY_LEN(items) && sum->known; i++) {
        buf_puts(out, "<span>");
        part_word(out, v, items[i].word);
        buf_puts(out, " ");
        html_count(out, (uint64_t)items[i].value);
        buf_puts(out, "</span>");
    }
    if (!sum->known) part_word(out, v, WORD_no_data);
}

static void figure_write(struct buf *out, const struct page_view *v, const struct figure *f)
{
    struct graph_sum sum = graph_sum(f->bars, f->count);
    struct buf label = BUF_INIT(512);
    buf_printf(out, "<figure class=\"%s\"><div class=\"name\"><b>%s</b><small>", f->class, f->name);
    part_word(out, v, f->what);
    buf_puts(out, "</small></div><div class=\"value\">");
    html_count(out, f->value);
    buf_puts(out, "</div>");
    buf_printf(&label, "%s, %s", f->name, page_word(v->lang, f->span));
    if (sum.known)
        buf_printf(&label, ": %s %" PRId64 ", %s %" PRId64, page_word(v->lang, WORD_now), sum.last,
                   page_word(v->lang, WORD_peak), sum.peak);
    graph_svg(out, f->bars, f->count, buf_cstr(&label));
    buf_puts(out, "<figcaption><span class=\"span\">");
    part_word(out, v, f->span);
    buf_puts(out, "</span>");
    figure_caption(out, v, &sum);
    buf_puts(out, "</figcaption></figure>");
    buf_free(&label);
}

static void part_figures(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    const struct snapshot *s = v->snapshot;
    const struct rates *r = &s->totals.rates;
    int64_t rpm[HOUR_BARS], tpm[HOUR_BARS], rpd[DAY_BARS], tpd[DAY_BARS];
    graph_group(s->req_10s, RING_TENS, RING_TENS / HOUR_BARS, rpm);
    graph_group(s->tok_10s, RING_TENS, RING_TENS / HOUR_BARS, tpm);
    graph_group(s->req_60s, RING_MINUTES, RING_MINUTES / DAY_BARS, rpd);
    graph_group(s->tok_60s, RING_MINUTES, RING_MINUTES / DAY_BARS, tpd);
    const struct figure figures[] = {
        {"RPM", "g-rpm", WORD_rpm_long, WORD_per_minute_1h, r->rpm, rpm, HOUR_BARS},
        {"TPM", "g-tpm", WORD_tpm_long, WORD_per_minute_1h, r->tpm, tpm, HOUR_BARS},
        {"RPD", "g-rpd", WORD_rpd_long, WORD_per_hour_24h, r->rpd, rpd, DAY_BARS},
        {"TPD", "g-tpd", WORD_tpd_long, WORD_per_hour_24h, r->tpd, tpd, DAY_BARS},
    };
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) figure_write(out, v, &figures[i]);
}

/* --- attention --- */

static bool needs_attention(const struct key_view *k)
{
    if (!k->enabled) return false;
    return k->state == KEY_BAD || k->state == KEY_COOLING || k->class == CLASS_INVALID ||
           k->class == CLASS_UNVERIFIED || (k->balance_origin != BALANCE_UNKNOWN && k->balance_micro <= 0);
}

/* What is wrong, in one tag: the state when that says it, else the class. */
static void attention_tag(struct buf *out, const struct page_view *v, const struct key_view *k)
{
    bool by_class =
        k->state != KEY_BAD && k->state != KEY_COOLING && (k->class == CLASS_INVALID || k->class == CLASS_UNVERIFIED);
    const struct state_look *look = by_class ? class_look(k->class) : state_look(k->state);
    part_tag(out, look->class, by_class ? "!" : look->symbol, look->words[v->lang]);
}

static void attention_reason(struct buf *out, const struct page_view *v, const struct key_view *k)
{
    if (k->state == KEY_COOLING && k->cooldown_count) {
        html_age(out, (k->cooldowns[0].ms_left + 999) / 1000);
        buf_puts(out, ": ");
        html_text(out, verdict_word(v->lang, k->cooldowns[0].reason));
        return;
    }
    if (k->last_error.at.ms) {
        if (k->last_error.status) buf_printf(out, "%d ", k->last_error.status);
        html_text(out, *k->last_error.message ? k->last_error.message : verdict_word(v->lang, k->last_error.verdict));
    } else if (*k->class_evidence && (k->class == CLASS_INVALID || k->class == CLASS_UNVERIFIED)) {
        html_text(out, k->class_evidence);
    } else if (k->balance_origin != BALANCE_UNKNOWN) {
        part_word(out, v, WORD_balance);
        buf_puts(out, " ");
        html_money(out, k->balance_micro);
    }
}

static void part_attention(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    size_t shown = 0;
    bool more = false;
    for (size_t i = 0; i < v->snapshot->key_count && !more; i++) {
        const struct key_view *k = &v->snapshot->keys[i].view;
        if (!needs_attention(k)) continue;
        more = shown == ATTENTION_MAX;
        if (more) break;
        if (!shown++) buf_puts(out, "<ul class=\"attention\">");
        buf_puts(out, "<li>");
        attention_tag(out, v, k);
        buf_puts(out, "<strong>");
        html_text(out, part_key_name(k));
        buf_puts(out, "</strong><span class=\"why\">");
        attention_reason(out, v, k);
        buf_puts(out, "</span></li>");
    }
    buf_puts(out, shown ? "</ul>" : "<p class=\"calm\">");
    if (!shown) {
        part_word(out, v, v->snapshot->key_count ? WORD_all_fine : WORD_no_keys_yet);
        buf_puts(out, "</p>");
    }
    if (more) {
        buf_puts(out, "<p class=\"note\">");
        part_word(out, v, WORD_and_more);
        buf_puts(out, "</p>");
    }
}

static void part_key_count(struct buf *out, const void *arg)
{
    const struct page_view *v = arg;
    buf_printf(out, "%zu", v->snapshot->key_count);
}

static const char *word_of_view(const void *arg, struct str name)
{
    const struct page_view *v = arg;
    return page_word_named(v->lang, name);
}

void page_write(const struct page_view *v, struct buf *out)
{
    static const struct html_slot slots[] = {
        {"lang", part_lang},
        {"refresh", part_refresh},
        {"style", part_style},
        {"script", part_script},
        {"may_act", part_may_act},
        {"base", part_base},
        {"words", part_words},
        {"warnings", part_warnings},
        {"links", part_links},
        {"logout", part_logout},
        {"states", part_states},
        {"health", part_health},
        {"alerts", part_alerts},
        {"figures", part_figures},
        {"attention", part_attention},
        {"key_count", part_key_count},
        {"keys", part_keys},
        {"requests", part_requests},
        {"free_count", part_free_count},
        {"models_free", part_models_free},
        {"paid_count", part_paid_count},
        {"models_paid", part_models_paid},
        {"footer", part_footer},
    };
    html_fill(out, asset_page(), slots, ARRAY_LEN(slots), word_of_view, v);
}

/* --- login --- */

struct login_view { /* begins like every argument of the frame's parts */
    struct page_view view;
    enum login_note note;
};

static void part_note(struct buf *out, const void *arg)
{
    static const enum page_word words[] = {
        [NOTE_EMPTY] = WORD_login_empty, [NOTE_WRONG] = WORD_login_wrong, [NOTE_BLOCKED] = WORD_login_blocked};
    const struct login_view *l = arg;
    if (l->note == NOTE_NONE) return;
    buf_puts(out, "<p class=\"alert\" role=\"alert\">");
    part_word(out, &l->view, words[l->note]);
    buf_puts(out, "</p>");
}

void page_write_login(enum page_lang lang, enum login_note note, const char *style_tag, struct buf *out)
{
    static const struct html_slot slots[] = {
        {"lang", part_lang},
        {"lang_short", part_lang_short},
        {"other_lang", part_other_lang},
        {"other_lang_short", part_other_lang_short},
        {"style", part_style},
        {"note", part_note},
    };
    struct login_view l = {{.lang = lang, .style_tag = style_tag}, note};
    html_fill(out, asset_login(), slots, ARRAY_LEN(slots), word_of_view, &l);
}
