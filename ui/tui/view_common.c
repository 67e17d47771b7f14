/* What several views share: words, symbols and roles of states, section bars, names of keys under privacy. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

uint64_t view_hash(const char *id)
{
    uint64_t h = str_hash(str_of(id));
    return h ? h : 1;
}

const struct snap_key *view_find_key(const struct app *a, const char *key_id)
{
    for (size_t i = 0; a->snap && i < a->snap->key_count; i++)
        if (strcmp(a->snap->keys[i].view.id, key_id) == 0) return &a->snap->keys[i];
    return NULL;
}

const char *view_key_name(const struct app *a, const char *key_id, char *out, size_t size)
{
    const struct snap_key *k = key_id[0] ? view_find_key(a, key_id) : NULL;
    if (!key_id[0])
        snprintf(out, size, "-");
    else if (a->privacy)
        snprintf(out, size, "****");
    else
        snprintf(out, size, "%s", k ? k->view.masked : key_id);
    return out;
}

const char *view_key_brief(const struct app *a, const char *key_id, char *out, size_t size)
{
    char name[64];
    const char *cut = strstr(view_key_name(a, key_id, name, sizeof name), "..");
    snprintf(out, size, "%s", cut ? cut : name);
    return out;
}

const char *view_account(const struct key_view *k)
{
    return k->account[0] ? k->account : k->id;
}

void view_ago(const struct app *a, wall_t t, char *out, size_t size)
{
    if (t.ms == 0)
        snprintf(out, size, "%s", tr(MSG_NEVER));
    else
        tr_with(out, size, MSG_AGO, num_span(a->snap->time.ms - t.ms).s, NULL);
}

static const struct {
    const char *symbol;
    enum role role;
    enum msg word;
} states[KEY_STATE_COUNT] = {
    [KEY_READY] = {"✓", ROLE_OK, MSG_ST_READY},
    [KEY_BUSY] = {"▸", ROLE_BUSY, MSG_ST_BUSY},
    [KEY_COOLING] = {"~", ROLE_WARN, MSG_ST_COOLING},
    [KEY_DRAINING] = {"d", ROLE_WARN, MSG_ST_DRAINING},
    [KEY_OFF] = {"-", ROLE_OFF, MSG_ST_OFF},
    [KEY_BAD] = {"✗", ROLE_BAD, MSG_ST_BAD},
    [KEY_UNTESTED] = {"?", ROLE_INFO, MSG_ST_UNTESTED},
    [KEY_TESTING] = {"t", ROLE_INFO, MSG_ST_TESTING},
};

enum role view_state_role(enum key_state s)
{
    return states[s].role;
}

const char *view_state_symbol(enum key_state s)
{
    return states[s].symbol;
}

enum msg view_state_word(enum key_state s)
{
    return states[s].word;
}

enum msg view_class_word(enum key_class c)
{
    return (enum msg)(MSG_CLASS_UNKNOWN + (int)c);
}

_Static_assert(MSG_V_CANCELLED - MSG_V_OK + 1 == VERDICT_COUNT, "a word for every verdict");
_Static_assert(MSG_CLASS_INVALID - MSG_CLASS_UNKNOWN + 1 == CLASS_COUNT, "a word for every class");

const char *view_verdict(enum verdict v)
{
    return tr((enum msg)(MSG_V_OK + (int)v));
}

_Static_assert(MSG_END_KILLED - MSG_END_OK + 1 == END_COUNT, "a word for every end");

const char *view_end(enum end_reason r)
{
    return tr((enum msg)(MSG_END_OK + (int)r));
}

const char *view_step(const char *name)
{
    static const struct {
        const char *name;
        enum msg word;
    } steps[] = {{"read_head", MSG_STEP_READ}, {"admit", MSG_STEP_READ},    {"read_body", MSG_STEP_READ},
                 {"scan", MSG_STEP_READ},      {"wait", MSG_STEP_WAIT},     {"pick", MSG_STEP_PICK},
                 {"send", MSG_STEP_SEND},      {"await", MSG_STEP_AWAIT},   {"stream", MSG_STEP_STREAM},
                 {"settle", MSG_STEP_SETTLE},  {"backoff", MSG_STEP_PAUSE}, {"done", MSG_STEP_DONE}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (strcmp(name, steps[i].name) == 0) return tr(steps[i].word);
    return name;
}

enum role view_class_role(enum key_class c)
{
    static const enum role roles[CLASS_COUNT] = {ROLE_INFO, ROLE_OK, ROLE_NORMAL, ROLE_WARN, ROLE_BAD};
    return roles[c];
}

void view_balance(const struct app *a, const struct snap_key *k, char *out, size_t size)
{
    if (a->privacy)
        snprintf(out, size, "****");
    else if (k->balance_origin == BALANCE_UNKNOWN)
        snprintf(out, size, "?");
    else
        snprintf(out, size, "%s%s", k->balance_origin == BALANCE_METERED ? "<=" : "",
                 num_money(k->balance_left_micro).s);
}

const char *view_origin(const struct app *a, const struct snap_key *k, char *out, size_t size)
{
    static const enum msg words[] = {[BALANCE_UNKNOWN] = MSG_NONE,
                                     [BALANCE_API] = MSG_ORIGIN_API,
                                     [BALANCE_SET] = MSG_ORIGIN_SET,
                                     [BALANCE_METERED] = MSG_ORIGIN_METERED};
    int64_t age = a->snap->time.ms - k->view.balance_at.ms;
    snprintf(out, size, "%s%s%s", tr(words[k->balance_origin]),
             k->balance_origin != BALANCE_UNKNOWN && k->view.balance_at.ms ? " " : "",
             k->balance_origin != BALANCE_UNKNOWN && k->view.balance_at.ms ? num_span(age).s : "");
    return out;
}

const char *view_spent(const struct app *a, int64_t micro, char *out, size_t size)
{
    if (a->privacy)
        snprintf(out, size, "****");
    else if (micro < 0)
        snprintf(out, size, "?");
    else
        snprintf(out, size, "%s", num_money(micro).s);
    return out;
}

/* Keys of one account share its balance. */
static bool account_was_counted(const struct snapshot *s, size_t i)
{
    const char *account = s->keys[i].view.account;
    for (size_t k = 0; k < i && account[0]; k++)
        if (strcmp(s->keys[k].view.account, account) == 0 && s->keys[k].balance_origin != BALANCE_UNKNOWN) return true;
    return false;
}

const char *view_total_balance(const struct app *a, char *out, size_t size)
{
    const struct snapshot *s = a->snap;
    int64_t sum = 0;
    size_t unknown = 0;
    bool metered = false;
    for (size_t i = 0; i < s->key_count; i++) {
        const struct snap_key *k = &s->keys[i];
        if (k->balance_origin == BALANCE_UNKNOWN)
            unknown++;
        else if (!account_was_counted(s, i))
            sum += k->balance_left_micro, metered |= k->balance_origin == BALANCE_METERED;
    }
    if (a->privacy)
        snprintf(out, size, "****");
    else if (unknown == s->key_count)
        snprintf(out, size, "?");
    else
        snprintf(out, size, unknown ? "%s%s +%zu?" : "%s%s", metered ? "<=" : "", num_money(sum).s, unknown);
    return out;
}

void view_limits(const struct snap_cell *c, char *out, size_t size)
{
    char rpm[64], tpm[64], from[24] = "";
    snprintf(rpm, sizeof rpm, c->limit_rpm > 0 ? "RPM %s/%s" : "RPM %s/?", num_si(c->rpm).s,
             num_si((uint64_t)MAX(c->limit_rpm, 0)).s);
    snprintf(tpm, sizeof tpm, c->limit_tpm > 0 ? "TPM %s/%s" : "TPM %s/?", num_si(c->tpm).s,
             num_si((uint64_t)MAX(c->limit_tpm, 0)).s);
    if (c->limit_rpm > 0 || c->limit_tpm > 0)
        snprintf(from, sizeof from, " (%s)",
                 tr(strcmp(c->limit_origin, "config") == 0 ? MSG_LIMIT_CONFIG : MSG_LIMIT_LEARNED));
    snprintf(out, size, "%s  %s%s", rpm, tpm, from);
}

bool view_is_down(const char *breaker)
{
    return breaker[0] && strcmp(breaker, "closed") != 0;
}

const char *view_probe(const struct app *a, const char *breaker, int64_t probe_ms, char *out, size_t size)
{
    int64_t left = probe_ms - view_elapsed(a);
    if (strcmp(breaker, "open") != 0 || left <= 0)
        snprintf(out, size, "%s", tr(MSG_PROBING));
    else
        tr_with(out, size, MSG_PROBE_IN, num_span(left).s, NULL);
    return out;
}

bool view_upstream_trouble(const struct app *a, char *out, size_t size)
{
    const struct snapshot *s = a->snap;
    char probe[40];
    if (view_is_down(s->breaker))
        tr_with(out, size, MSG_A_UPSTREAM, num_span(s->breaker_open_ms + view_elapsed(a)).s,
                view_verdict(s->breaker_kind), view_probe(a, s->breaker, s->breaker_probe_ms, probe, sizeof probe),
                NULL);
    else
        snprintf(out, size, "%s", s->upstream_trouble);
    return out[0] != '\0';
}

enum graph_window view_window(const struct app *a)
{
    enum { YOUNG_S = 600 };
    if (a->window != WINDOW_AUTO) return a->window;
    return a->snap && a->snap->uptime_s < YOUNG_S ? WINDOW_1M : WINDOW_1H;
}

const char *view_window_name(enum graph_window w)
{
    static const char *const names[WINDOW_COUNT] = {"1m", "1h", "24h", "auto"};
    return names[w];
}

int64_t view_elapsed(const struct app *a)
{
    if (a->paused || !a->snap) return 0;
    return MIN(MAX(mono_since(a->now, a->snap->made), 0), 5000);
}

int64_t view_cooldown_left(const struct app *a, const struct key_view *k, const struct key_cooldown_view **c)
{
    int64_t best = 0;
    for (size_t i = 0; i < k->cooldown_count && i < ARRAY_LEN(k->cooldowns); i++) {
        int64_t left = k->cooldowns[i].ms_left - view_elapsed(a);
        if (left <= best) continue;
        best = left;
        *c = &k->cooldowns[i];
    }
    return best;
}

/* What was chosen (filter, order, marks) comes first; `extra` is left out when both do not fit. */
void view_bar(struct app *a, struct rect r, const char *title, const struct table *t, const char *extra)
{
    char right[300] = "", part[160], whole[420];
    if (r.h < 1) return;
    if (t && t->filter[0]) {
        char filter[FILTER_MAX];
        text_mask_keys(filter, sizeof filter, t->filter);
        text_add(right, sizeof right, tr_with(part, sizeof part, MSG_SEC_FILTER, filter, num_plain(t->count).s, NULL));
    }
    if (t && t->sort >= 0) {
        tr_with(part, sizeof part, MSG_SEC_SORT, table_sort_name(t), NULL);
        text_addf(right, sizeof right, "%s%s%s", right[0] ? "  " : "", part, t->reverse ? "▾" : "▴");
    }
    if (t && t->markable && table_marked(t)) {
        tr_with(part, sizeof part, MSG_SEC_MARKED, num_plain(table_marked(t)).s, NULL);
        text_addf(right, sizeof right, "  %s", part);
    }
    snprintf(whole, sizeof whole, "%s%s%s", extra ? extra : "", extra && *extra && right[0] ? "  " : "", right);
    bool fits = text_width(title) + text_width(whole) + 6 <= r.w;
    put_bar(&a->canvas, r.y, r.x, r.w, title, fits ? whole : right);
}

void view_empty(struct app *a, struct rect r, const struct table *t, const char *sentence)
{
    if (r.h < 3 || t->count) return;
    put(&a->canvas, r.y + MIN(3, r.h - 1), r.x + 4, r.w - 4, ROLE_DIM,
        t->filter[0] && t->total ? tr(MSG_EMPTY_FILTER) : sentence);
}

static void put_line(struct app *a, struct rect *r, enum role role, const char *text)
{
    if (r->h < 1) return;
    put(&a->canvas, r->y, r->x + 1, r->w - 1, role, text);
    r->y++;
    r->h--;
}

void view_wrap(struct app *a, struct rect *r, enum role role, const char *text)
{
    char line[1024];
    do {
        size_t next, n = text_line(text, r->w - 1, &next);
        snprintf(line, sizeof line, "%.*s", (int)MIN(n, sizeof line - 1), text);
        put_line(a, r, role, line);
        text += next;
    } while (*text && r->h > 0);
}

/* Small screens have few columns and a whole page for a detail. */
void view_line(struct app *a, struct rect *r, enum role role, const char *text)
{
    (a->lay.size == SIZE_MINI ? view_wrap : put_line)(a, r, role, text);
}
