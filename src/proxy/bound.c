/* Requests about things that one account owns (owned.h says which): they go to that account.
 *
 *   owner known       -> keys of that account only; cooling or off is said, no other account is asked
 *   unknown, harmless -> asked around: one account after the other, each once. "Not found" (400, 404, a 403 without a
 *                        known reason) goes on with the next, a good answer ends the search and is learned, any other
 *                        trouble counts as "could not be asked". The last "not found" is the client's answer, unless
 *                        somebody could not be asked
 *   unknown otherwise -> 404 of our own, before anything is sent
 *   makes something   -> any account; sent once: what may have been done is not done again
 *   lists             -> listing.c, when there is more than one account
 *
 * With one account in the pool every id is its own. What good answers say about their account is learned on the way;
 * their bytes are not touched. */
#include "proxy/bound.h"

#include "base/mem.h"
#include "proxy/exchange.h"

void bound_free(struct exchange *e)
{
    if (!e->bound) return;
    free(e->bound->accounts);
    free(e->bound->query);
    free(e->bound);
    e->bound = NULL;
}

/* One key per account; the caller frees. */
static size_t list_accounts(struct proxy *p, char (**ids)[KEY_ID_LEN + 1])
{
    size_t room = keypool_count(p->shared->pool) + 8;
    *ids = xcalloc(room, sizeof **ids);
    return keypool_accounts(p->shared->pool, *ids, room);
}

static const char *thing_of(const struct bound *b)
{
    static const char *const names[STICKY_KINDS] = {"video job", "file", "batch", "voice"};
    return names[b->want.kind];
}

static void name_of(const struct bound *b, char *out, size_t size)
{
    char id[100];
    text_clean(str_of(b->want.id), id, sizeof id);
    snprintf(out, size, "%s %s", thing_of(b), id);
}

/* An id that nobody told us about and that may not be tried with others. */
static void refuse_unknown(struct exchange *e)
{
    static const char *const how[STICKY_KINDS] = {[STICKY_VIDEO] = "ask POST /v1/video/status for it first",
                                                  [STICKY_FILE] = "GET /v1/files/ID or GET /v1/files finds it",
                                                  [STICKY_BATCH] = "GET /v1/batches/ID or GET /v1/batches finds it",
                                                  [STICKY_VOICE] = "GET /v1/audio/voice/list finds it"};
    char name[160], message[400];
    name_of(e->bound, name, sizeof name);
    snprintf(message, sizeof message,
             "it is not known which account owns the %s, and this request may not be tried with one account after the "
             "other; %s, then try again",
             name, how[e->bound->want.kind]);
    answer_error(e, ERR_not_found, message, 0, END_CLIENT_ERROR);
}

static bool find_owner(struct exchange *e)
{
    struct bound *b = e->bound;
    struct proxy_shared *s = e->p->shared;
    if (sticky_find(s->sticky, b->want.kind, str_of(b->want.id), wall_now(), &b->owner) &&
        keypool_has_owner(s->pool, &b->owner))
        return true;
    b->owner = (struct key_owner){.key_id = ""};
    str_copy(b->owner.account, sizeof b->owner.account, owned_hint(&b->want));
    return b->owner.account[0] && keypool_has_owner(s->pool, &b->owner);
}

static void set_owner(struct bound *b, const char *key_id)
{
    b->has_owner = true;
    b->owner = (struct key_owner){.account = ""};
    str_copy(b->owner.key_id, sizeof b->owner.key_id, str_of(key_id));
}

static bool prepare_use(struct exchange *e)
{
    struct bound *b = e->bound;
    b->has_owner = find_owner(e);
    if (b->has_owner) return true;
    b->account_count = list_accounts(e->p, &b->accounts);
    if (b->account_count == 0) return true; /* the pool says what is wrong */
    if (b->account_count > 1 && !b->want.may_ask_around) {
        refuse_unknown(e);
        return false;
    }
    b->asking = b->account_count > 1;
    set_owner(b, b->accounts[b->next++]);
    return true;
}

bool bound_prepare(struct exchange *e, const struct scan_text texts[OWNED_TEXTS])
{
    struct owned_want want;
    owned_find(str_of(e->method), e->route.path, texts, &want);
    if (want.rule == OWNED_NOT) return true;
    e->bound = xcalloc(1, sizeof *e->bound);
    e->bound->want = want;
    if (want.rule == OWNED_MAKE) e->budget.refusals_only = true;
    if (want.rule == OWNED_LIST && strcmp(e->method, "GET") == 0) {
        e->bound->account_count = list_accounts(e->p, &e->bound->accounts);
        e->bound->query = str_dup(conn_head(e->conn)->query);
    }
    return want.rule != OWNED_USE || prepare_use(e);
}

bool bound_lists(const struct exchange *e)
{
    return e->bound && e->bound->want.rule == OWNED_LIST && e->bound->account_count > 1;
}

void bound_ask(const struct exchange *e, struct pick_ask *ask)
{
    if (e->bound && e->bound->has_owner) ask->owner = &e->bound->owner;
}

bool bound_asks_around(const struct exchange *e)
{
    return e->bound && e->bound->asking;
}

/* The next account, if there is one. */
static bool go_on(struct exchange *e)
{
    struct bound *b = e->bound;
    if (b->next >= b->account_count) return false;
    set_owner(b, b->accounts[b->next++]);
    e->tried_count = 0;
    return true;
}

bool bound_next(struct exchange *e)
{
    if (!bound_asks_around(e)) return false;
    e->bound->unasked++;
    return go_on(e);
}

/* Nobody knows the id, or not everybody could be asked. */
void bound_answer_unknown(struct exchange *e)
{
    const struct bound *b = e->bound;
    char name[160], message[400];
    name_of(b, name, sizeof name);
    if (!b->unasked) {
        snprintf(message, sizeof message, "none of the %zu accounts knows the %s", b->account_count, name);
        answer_error(e, ERR_not_found, message, 0, END_CLIENT_ERROR);
        return;
    }
    snprintf(message, sizeof message,
             "%u of %zu accounts do not know the %s, and %u could not be asked now; try again in a moment",
             b->strangers, b->account_count, name, b->unasked);
    answer_error(e, ERR_upstream_unavailable, message, 5000, END_UPSTREAM_ERROR);
}

static bool is_not_found(const struct exchange *e, enum verdict v)
{
    if (v == VERDICT_BAD_REQUEST) return e->status == 400 || e->status == 404;
    return v == VERDICT_FORBIDDEN_OTHER || v == VERDICT_MODEL_DENIED;
}

bool bound_takes(struct exchange *e, enum verdict v)
{
    struct bound *b = e->bound;
    if (!bound_asks_around(e) || !is_not_found(e, v)) return false;
    b->strangers++;
    bool more = b->next < b->account_count;
    if (!more && !b->unasked && v == VERDICT_BAD_REQUEST) return false; /* the platform's own words */
    attempt_end(e, VERDICT_BAD_REQUEST);
    if (more && go_on(e))
        exchange_pick(e);
    else
        bound_answer_unknown(e);
    return true;
}

void bound_failed(struct exchange *e, enum verdict v)
{
    struct bound *b = e->bound;
    if (loop_now(e->p->loop).ms >= e->total_deadline.ms) {
        b->unasked += (unsigned)(b->account_count - b->next) + 1;
        b->next = b->account_count;
        bound_answer_unknown(e);
        return;
    }
    /* Another key of the same account may know better than one that is dead. */
    if (v == VERDICT_KEY_INVALID || bound_next(e))
        exchange_pick(e);
    else
        bound_answer_unknown(e);
}

struct learning {
    struct exchange *e;
    struct key_owner owner;
};

static void learn(void *arg, enum sticky_kind kind, struct str id)
{
    struct learning *l = arg;
    sticky_learn(l->e->p->shared->sticky, kind, id, &l->owner, wall_now());
}

void bound_learn(struct exchange *e)
{
    struct bound *b = e->bound;
    struct learning l = {.e = e};
    if (!b || !e->lease.seq || e->status < 200 || e->status >= 300) return;
    if (!keypool_owner(e->p->shared->pool, e->lease.key_id, &l.owner)) return;
    if (b->want.rule == OWNED_USE && owned_was_deleted(&b->want))
        sticky_forget(e->p->shared->sticky, b->want.kind, str_of(b->want.id));
    else if (b->want.rule == OWNED_USE)
        learn(&l, b->want.kind, str_of(b->want.id));
    owned_answer(&b->want, buf_str(&e->gate_bytes), learn, &l);
    b->asking = false;
}

bool bound_sentence(const struct exchange *e, const struct pick *pick, char *out, size_t size)
{
    char name[160];
    if (!e->bound || !e->bound->has_owner) return false;
    name_of(e->bound, name, sizeof name);
    if (pick->result == PICK_NONE_USABLE) {
        snprintf(out, size,
                 "every key of the account that owns the %s is switched off or invalid; only this account can "
                 "serve it",
                 name);
        return true;
    }
    if (pick->result != PICK_COOLING) return false;
    snprintf(out, size, "the account that owns the %s is cooling down, %lld s more (%s); no other account can serve it",
             name, (long long)MAX((pick->soonest_ms + 999) / 1000, 1), verdict_sentence(pick->soonest_verdict));
    return true;
}
