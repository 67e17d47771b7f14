#include "admin/gate.h"

#include "admin/browser.h"
#include "admin/inside.h"
#include "proxy/auth.h"

static enum gate_result decide_cookie(const struct gate_facts *f)
{
    if (f->cookie != COOKIE_RIGHT) {
        bool may_look = f->class == ROUTE_VIEW || f->class == ROUTE_METRICS;
        return may_look && f->open_view ? GATE_ENTER : GATE_NO_LOGIN;
    }
    if (f->class == ROUTE_OWN) return GATE_NEEDS_TOKEN;
    return f->class == ROUTE_ACT && !f->same_origin ? GATE_FOREIGN : GATE_ENTER;
}

enum gate_result gate_decide(const struct gate_facts *f)
{
    bool metrics = f->class == ROUTE_METRICS;
    if (metrics && f->metrics_public) return GATE_ENTER;
    if (metrics && f->token == TOKEN_RIGHT) return GATE_ENTER;
    if (!f->host_ours) return GATE_BAD_HOST;
    switch (f->token) {
    case TOKEN_RIGHT: return GATE_ENTER;
    case TOKEN_WRONG: return GATE_WRONG_TOKEN;
    case TOKEN_BLOCKED: return GATE_BLOCKED;
    case TOKEN_NONE: break;
    }
    return decide_cookie(f);
}

/* The configuration's token goes first, so that a reload can change it; every session opened with another one ends. */
struct str gate_admin_token(const struct admin *a, const struct local_call *lc)
{
    const struct conf *conf = local_conf(lc);
    return str_of(*conf->admin_token ? conf->admin_token : a->token);
}

struct str gate_session(const struct local_call *lc)
{
    return cookie_find(head_value(local_head(lc), "cookie"), SESSION_COOKIE);
}

bool gate_is_owner(const struct local_call *lc)
{
    return local_is_local(lc) || (local_peer_is_loopback(lc) && !head_was_forwarded(local_head(lc)));
}

static bool host_is_fine(const struct local_call *lc)
{
    return local_is_local(lc) || host_is_ours(local_head(lc)->host, &local_conf(lc)->server_trusted_hosts);
}

bool gate_host_fits(struct local_call *lc)
{
    if (host_is_fine(lc)) return true;
    local_reply_error(lc, 421, "misdirected",
                      "the page is served under localhost, an IP address or a name in server.trusted_hosts");
    return false;
}

bool gate_origin_fits(struct local_call *lc)
{
    const struct head *h = local_head(lc);
    if (local_is_local(lc)) return true;
    if (post_is_ours(h->host, head_value(h, "origin"), head_value(h, "sec-fetch-site"))) return true;
    local_reply_error(lc, 403, "forbidden", "this form was sent from another site");
    return false;
}

/* A browser says where a request comes from; with a cookie and nothing said it is not believed. */
static bool is_same_origin(const struct head *h)
{
    struct str origin = head_value(h, "origin"), site = head_value(h, "sec-fetch-site");
    return (origin.n || site.n) && post_is_ours(h->host, origin, site);
}

static enum gate_token token_of(struct admin *a, struct local_call *lc, int64_t *wait_ms)
{
    struct login_try t = {.token = auth_credential(local_head(lc)),
                          .expected = gate_admin_token(a, lc),
                          .peer = local_peer(lc),
                          .owner = gate_is_owner(lc),
                          .per_minute = local_conf(lc)->limits_login_failures,
                          .now = loop_now(local_loop(lc))};
    if (!t.token.n) return TOKEN_NONE;
    switch (login_token(a->login, &t, wait_ms)) {
    case LOGIN_OK: return TOKEN_RIGHT;
    case LOGIN_WRONG: return TOKEN_WRONG;
    case LOGIN_BLOCKED: break;
    }
    return TOKEN_BLOCKED;
}

static enum gate_cookie cookie_of(struct admin *a, struct local_call *lc)
{
    struct str session = gate_session(lc);
    mono_t now = loop_now(local_loop(lc));
    if (!session.n) return COOKIE_NONE;
    if (login_check(a->login, session, gate_admin_token(a, lc), now)) return COOKIE_RIGHT;
    login_failed(a->login, local_peer(lc), now);
    return COOKIE_WRONG;
}

static void refuse(struct local_call *lc, enum gate_result r, int64_t wait_ms, bool clear_cookie)
{
    static const struct {
        int status;
        const char *code, *message;
    } answers[] = {
        [GATE_BAD_HOST] = {421, "misdirected",
                           "this is served under localhost, an IP address or a name in server.trusted_hosts"},
        [GATE_NO_LOGIN] = {401, "unauthorized",
                           "this needs the admin token: send 'Authorization: Bearer TOKEN' (admin.token in the state "
                           "directory), or log in on the page"},
        [GATE_WRONG_TOKEN] = {401, "unauthorized", "this is not the admin token (admin.token in the state directory)"},
        [GATE_BLOCKED] = {429, "too_many_failures", "too many wrong tokens from this address; wait a minute"},
        [GATE_FOREIGN] = {403, "forbidden", "this request does not come from the page itself"},
        [GATE_NEEDS_TOKEN] = {403, "forbidden", "this needs the admin token itself, a page's login is not enough"},
    };
    struct buf extra = BUF_INIT(512);
    if (answers[r].status == 401) buf_puts(&extra, "WWW-Authenticate: Bearer\r\n");
    if (wait_ms > 0) buf_printf(&extra, "Retry-After: %lld\r\n", (long long)((wait_ms + 999) / 1000));
    if (clear_cookie) buf_puts(&extra, COOKIE_CLEAR);
    local_reply_error_with(lc, answers[r].status, answers[r].code, answers[r].message, buf_str(&extra));
    buf_free(&extra);
}

bool gate_authorize(void *arg, struct local_call *lc, enum route_class class)
{
    struct admin *a = arg;
    const struct conf *conf = local_conf(lc);
    int64_t wait_ms = 0;
    struct gate_facts f = {.class = class,
                           .host_ours = host_is_fine(lc),
                           .same_origin = is_same_origin(local_head(lc)),
                           .open_view = conf->admin_open_on_loopback && gate_is_owner(lc),
                           .metrics_public = conf->admin_metrics_public};
    bool is_free = class == ROUTE_METRICS && f.metrics_public;
    if (!is_free) f.token = token_of(a, lc, &wait_ms);
    if (!is_free && f.token == TOKEN_NONE) f.cookie = cookie_of(a, lc);
    enum gate_result r = gate_decide(&f);
    if (r == GATE_ENTER) return true;
    refuse(lc, r, r == GATE_BLOCKED ? wait_ms : 0, f.cookie == COOKIE_WRONG);
    return false;
}
