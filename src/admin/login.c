/* Sessions and login failures: two small fixed tables, searched from end to end under one lock.
 *
 * A session lives from login_open() until login_close(), SESSION_LIFE_MS after its birth, SESSION_IDLE_MS after its
 * last use, a change of the admin token, or until SESSIONS_MAX newer ones pushed it out. The cookie holds 256 random
 * bits; the table holds their SHA-256 and the SHA-256 of the admin token of that day.
 *
 * A failure entry counts the wrong logins of one address within FAILURE_SPAN_MS of the first of them. Wrong logins
 * while blocked do not lengthen the block: a neighbour behind the same address must not be able to lock somebody out
 * for ever. The owner on loopback is never locked out: there the token is compared even when blocked. */
#include "admin/login.h"

#include <arpa/inet.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/secret.h"

struct session {
    bool used;
    uint8_t id[DIGEST_LEN], token[DIGEST_LEN];
    mono_t born, seen;
};

struct failure {
    unsigned count; /* 0: free */
    uint8_t address[16];
    mono_t since, last;
};

struct login {
    struct lock lock;
    struct session sessions[SESSIONS_MAX]; /* [lock] */
    struct failure failures[FAILURES_MAX]; /* [lock] */
};

struct login *login_new(void)
{
    struct login *l = xcalloc(1, sizeof *l);
    lock_init(&l->lock, "login");
    return l;
}

void login_free(struct login *l)
{
    if (!l) return;
    lock_destroy(&l->lock);
    wipe(l, sizeof *l);
    free(l);
}

/* One entry per IPv4 address or IPv6 /64: whoever has one IPv6 address has 2^64 of them. */
static void address_key(const char *peer, uint8_t out[16])
{
    memset(out, 0, 16);
    if (inet_pton(AF_INET, peer, out + 12) == 1) {
        out[10] = out[11] = 0xff;
        return;
    }
    if (inet_pton(AF_INET6, peer, out) == 1) memset(out + 8, 0, 8);
}

static struct failure *failure_find(struct login *l, const uint8_t address[16])
{
    lock_assert_held(&l->lock);
    for (size_t i = 0; i < FAILURES_MAX; i++)
        if (l->failures[i].count && memcmp(l->failures[i].address, address, 16) == 0) return &l->failures[i];
    return NULL;
}

/* A free entry, else the one that failed longest ago. */
static struct failure *failure_room(struct login *l)
{
    lock_assert_held(&l->lock);
    struct failure *oldest = &l->failures[0];
    for (size_t i = 0; i < FAILURES_MAX; i++) {
        if (!l->failures[i].count) return &l->failures[i];
        if (l->failures[i].last.ms < oldest->last.ms) oldest = &l->failures[i];
    }
    return oldest;
}

static void failure_add(struct login *l, const uint8_t address[16], mono_t now)
{
    struct failure *f = failure_find(l, address);
    if (!f || mono_since(now, f->since) >= FAILURE_SPAN_MS) {
        if (!f) f = failure_room(l);
        *f = (struct failure){.since = now};
        memcpy(f->address, address, 16);
    }
    if (f->count < UINT32_MAX) f->count++;
    f->last = now;
}

/* Milliseconds until this address may try again; 0: now. */
static int64_t blocked_ms(struct login *l, const uint8_t address[16], int64_t per_minute, mono_t now)
{
    const struct failure *f = failure_find(l, address);
    if (!f || f->count < per_minute) return 0;
    return MAX(FAILURE_SPAN_MS - mono_since(now, f->since), 0);
}

static bool session_over(const struct session *s, mono_t now)
{
    return mono_since(now, s->born) >= SESSION_LIFE_MS || mono_since(now, s->seen) >= SESSION_IDLE_MS;
}

/* A free or finished session, else the one not used for longest. */
static struct session *session_room(struct login *l, mono_t now)
{
    lock_assert_held(&l->lock);
    struct session *oldest = &l->sessions[0];
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &l->sessions[i];
        if (!s->used || session_over(s, now)) return s;
        if (s->seen.ms < oldest->seen.ms) oldest = s;
    }
    return oldest;
}

/* Judges the token; a right one leaves `fresh` among the sessions when there is one. */
static enum login_result judge(struct login *l, const struct login_try *t, const struct session *fresh,
                               int64_t *wait_ms)
{
    uint8_t address[16];
    bool right = secret_equal(t->token, t->expected) && t->expected.n;
    address_key(t->peer, address);
    lock_get(&l->lock);
    *wait_ms = blocked_ms(l, address, t->per_minute, t->now);
    bool ok = right && (*wait_ms == 0 || t->owner);
    if (ok && fresh)
        *session_room(l, t->now) = *fresh;
    else if (!ok && *wait_ms == 0)
        failure_add(l, address, t->now);
    lock_put(&l->lock);
    return ok ? LOGIN_OK : *wait_ms ? LOGIN_BLOCKED : LOGIN_WRONG;
}

enum login_result login_open(struct login *l, const struct login_try *t, char id[SESSION_ID_LEN + 1], int64_t *wait_ms)
{
    struct session fresh = {.used = true, .born = t->now, .seen = t->now};
    random_hex(SESSION_ID_LEN / 2, id);
    sha256(str_of(id), fresh.id);
    sha256(t->expected, fresh.token);
    enum login_result r = judge(l, t, &fresh, wait_ms);
    wipe(&fresh, sizeof fresh);
    if (r != LOGIN_OK) wipe(id, SESSION_ID_LEN + 1);
    return r;
}

enum login_result login_token(struct login *l, const struct login_try *t, int64_t *wait_ms)
{
    return judge(l, t, NULL, wait_ms);
}

/* Looks at every session whatever comes first, so that the time says nothing about their number or order. */
static struct session *session_find(struct login *l, const uint8_t id[DIGEST_LEN])
{
    lock_assert_held(&l->lock);
    struct session *found = NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (digest_equal(l->sessions[i].id, id) && l->sessions[i].used) found = &l->sessions[i];
    return found;
}

bool login_check(struct login *l, struct str id, struct str expected, mono_t now)
{
    uint8_t digest[DIGEST_LEN], token[DIGEST_LEN];
    if (id.n != SESSION_ID_LEN) return false;
    sha256(id, digest);
    sha256(expected, token);
    lock_get(&l->lock);
    struct session *s = session_find(l, digest);
    if (s && (session_over(s, now) || !digest_equal(s->token, token))) {
        wipe(s, sizeof *s);
        s = NULL;
    }
    if (s) s->seen = now;
    lock_put(&l->lock);
    return s != NULL;
}

void login_close(struct login *l, struct str id)
{
    uint8_t digest[DIGEST_LEN];
    sha256(id, digest);
    lock_get(&l->lock);
    struct session *s = session_find(l, digest);
    if (s) wipe(s, sizeof *s);
    lock_put(&l->lock);
}

void login_failed(struct login *l, const char *peer, mono_t now)
{
    uint8_t address[16];
    address_key(peer, address);
    lock_get(&l->lock);
    failure_add(l, address, now);
    lock_put(&l->lock);
}
