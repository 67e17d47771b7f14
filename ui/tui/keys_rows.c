/* Keys folded by account: the platform limits accounts, so its keys share limits, balance and cooldowns. An account of
 * several keys gets a row of its own, made up from theirs; it opens and closes. An account of one key is that key. */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "ui/tui/text.h"

bool keys_is_account(const struct app *a, const struct snap_key *row)
{
    const struct accounts *g = &a->accounts;
    return g->made && row >= g->made && row < g->made + g->made_count;
}

const char *keys_row_name(const struct app *a, const struct snap_key *row, char *out, size_t size)
{
    if (!keys_is_account(a, row)) return view_key_name(a, row->view.id, out, size);
    snprintf(out, size, "%s", a->privacy ? "****" : row->view.account);
    return out;
}

const struct snap_key *keys_group_of(const struct app *a, const struct snap_key *row)
{
    const struct accounts *g = &a->accounts;
    for (size_t i = 0; row->view.account[0] && i < g->made_count; i++)
        if (strcmp(g->made[i].view.account, row->view.account) == 0) return &g->made[i];
    return row;
}

bool keys_in_group(const struct app *a, const struct snap_key *row)
{
    return keys_is_account(a, keys_group_of(a, row));
}

size_t keys_of_account(const struct app *a, const char *account, const struct key_view **out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; a->snap && i < a->snap->key_count; i++) {
        const struct key_view *k = &a->snap->keys[i].view;
        if (strcmp(k->account, account) != 0) continue;
        if (n < room) out[n] = k;
        n++;
    }
    return n;
}

bool keys_is_open(const struct app *a, const struct snap_key *account)
{
    uint64_t name = view_hash(account->view.account);
    for (size_t i = 0; i < a->accounts.open_count; i++)
        if (a->accounts.open[i] == name) return true;
    return false;
}

void keys_fold(struct app *a, const struct snap_key *row, bool open)
{
    struct accounts *g = &a->accounts;
    const struct snap_key *account = keys_group_of(a, row);
    uint64_t name = view_hash(account->view.account);
    if (!keys_is_account(a, account) || keys_is_open(a, account) == open) return;
    if (open && g->open_count < ARRAY_LEN(g->open)) g->open[g->open_count++] = name;
    for (size_t i = 0; !open && i < g->open_count; i++)
        if (g->open[i] == name) g->open[i] = g->open[--g->open_count];
    a->keys.selected = view_hash(account->view.id);
    keys_rows_build(a);
}

/* How much a class allows; the account allows what its best key does. */
static int worth(enum key_class c)
{
    static const int rank[CLASS_COUNT] = {
        [CLASS_INVALID] = 0, [CLASS_UNKNOWN] = 1, [CLASS_UNVERIFIED] = 2, [CLASS_FREE] = 3, [CLASS_PAID] = 4};
    return rank[c];
}

static int readiness(enum key_state s)
{
    static const int rank[KEY_STATE_COUNT] = {
        [KEY_BUSY] = 7,     [KEY_READY] = 6,    [KEY_TESTING] = 5, [KEY_COOLING] = 4,
        [KEY_UNTESTED] = 3, [KEY_DRAINING] = 2, [KEY_OFF] = 1,     [KEY_BAD] = 0};
    return rank[s];
}

static void add_meter(struct meter_key *sum, const struct meter_key *m)
{
    sum->rates.rpm += m->rates.rpm;
    sum->rates.tpm += m->rates.tpm;
    sum->rates.rpd += m->rates.rpd;
    sum->rates.tpd += m->rates.tpd;
    sum->tries += m->tries;
    sum->ttft_ms = sum->ttft_ms < 0 ? m->ttft_ms : m->ttft_ms < 0 ? sum->ttft_ms : MIN(sum->ttft_ms, m->ttft_ms);
    for (size_t i = 0; i < ARRAY_LEN(m->trend); i++) sum->trend[i] += m->trend[i];
}

static void add_key(struct snap_key *sum, const struct snap_key *key)
{
    struct key_view *v = &sum->view;
    const struct key_view *k = &key->view;
    add_meter(&sum->meter, &key->meter);
    if (worth(k->class) > worth(v->class)) v->class = k->class;
    if (readiness(k->state) > readiness(v->state)) v->state = k->state;
    v->enabled |= k->enabled;
    v->in_flight += k->in_flight;
    v->ok += k->ok;
    v->failed += k->failed;
    v->limited += k->limited;
    if (key->spent_today_micro >= 0) sum->spent_today_micro = MAX(sum->spent_today_micro, 0) + key->spent_today_micro;
    if (sum->balance_origin == BALANCE_UNKNOWN) { /* else it is shared already */
        sum->balance_origin = key->balance_origin;
        sum->balance_left_micro = key->balance_left_micro;
        v->balance_at = k->balance_at;
    }
    if (k->cooldown_count > v->cooldown_count) { /* the account's cells are the same for all of its keys */
        memcpy(v->cooldowns, k->cooldowns, sizeof v->cooldowns);
        v->cooldown_count = k->cooldown_count;
    }
    if (k->last_error.at.ms > v->last_error.at.ms) v->last_error = k->last_error;
    v->tested_at.ms = MAX(v->tested_at.ms, k->tested_at.ms);
    v->used_at.ms = MAX(v->used_at.ms, k->used_at.ms);
}

static void make_account(struct app *a, const struct snap_key *first)
{
    struct snap_key *sum = &a->accounts.made[a->accounts.made_count++];
    *sum = *first;
    snprintf(sum->view.id, sizeof sum->view.id, "@%07llx",
             (unsigned long long)(view_hash(first->view.account) & 0xFFFFFFF));
    snprintf(sum->view.masked, sizeof sum->view.masked, "%.23s", first->view.account);
    sum->view.label[0] = '\0';
    for (const struct snap_key *k = first + 1; k < a->snap->keys + a->snap->key_count; k++)
        if (strcmp(k->view.account, first->view.account) == 0) add_key(sum, k);
}

void keys_rows_build(struct app *a)
{
    struct accounts *g = &a->accounts;
    size_t n = a->snap ? a->snap->key_count : 0;
    g->made_count = g->row_count = 0;
    if (!a->grouped) return;
    g->made = xrealloc(g->made, n + 1, sizeof *g->made);
    g->rows = xrealloc(g->rows, 2 * n + 1, sizeof *g->rows);
    for (size_t i = 0; i < n; i++) {
        const struct snap_key *k = &a->snap->keys[i], *account = keys_group_of(a, k);
        if (k->view.account[0] && account == k && keys_of_account(a, k->view.account, NULL, 0) > 1) {
            make_account(a, k);
            account = keys_group_of(a, k);
            g->rows[g->row_count++] = account;
        }
        if (account == k || keys_is_open(a, account)) g->rows[g->row_count++] = k;
    }
}

void keys_rows_free(struct app *a)
{
    free(a->accounts.made);
    free(a->accounts.rows);
}
