/* Who may see the page: sessions behind a cookie, and the count of wrong logins per address. Kept in memory only; a
 * restart logs everybody out. Sessions are stored as digests, so that a read of this memory opens nothing.
 * Any thread (handlers run on several workers): one short lock; digests and random bytes are made outside it. */
#ifndef SFPROXY_ADMIN_LOGIN_H
#define SFPROXY_ADMIN_LOGIN_H

#include "base/clock.h"
#include "base/str.h"

enum {
    SESSION_ID_LEN = 64, /* hex digits: 256 random bits */
    SESSIONS_MAX = 64,   /* the least recently used one makes room */
    FAILURES_MAX = 256,  /* addresses that failed lately; likewise */
};
#define SESSION_LIFE_MS (30ll * 24 * 3600 * 1000) /* whatever happens */
#define SESSION_IDLE_MS (7ll * 24 * 3600 * 1000)  /* without a view */
#define FAILURE_SPAN_MS 60000ll                   /* wrong tokens are counted over this time */

struct login;

struct login *login_new(void);
void login_free(struct login *l);

enum login_result { LOGIN_OK, LOGIN_WRONG, LOGIN_BLOCKED };

struct login_try {
    struct str token;    /* as given */
    struct str expected; /* the admin token; empty: nobody can log in */
    const char *peer;    /* address; IPv6 addresses count by /64 */
    bool owner;          /* loopback: the right token works however many wrong ones came */
    int64_t per_minute;  /* wrong tokens of one address before it is blocked for the rest of the minute */
    mono_t now;
};
/* LOGIN_OK: a new session, its id in `id`. LOGIN_BLOCKED: too many wrong ones, *wait_ms until the next may come.
 * Costs the same whatever the result. */
enum login_result login_open(struct login *l, const struct login_try *t, char id[SESSION_ID_LEN + 1], int64_t *wait_ms);
/* The same judgement for a token that comes with every request: counts the wrong ones, opens no session. */
enum login_result login_token(struct login *l, const struct login_try *t, int64_t *wait_ms);
/* Is this a live session, opened with the token that is valid now? Marks it as used. */
bool login_check(struct login *l, struct str id, struct str expected, mono_t now);
void login_close(struct login *l, struct str id); /* unknown ids are fine */
/* A wrong cookie counts like a wrong token. */
void login_failed(struct login *l, const char *peer, mono_t now);

#endif
