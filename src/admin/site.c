/* The page over HTTP: who may see it, the login and its cookie, the stylesheet.
 *
 * Every answer goes to a browser, so every one carries the headers of SAFE_HEADERS. Before anything else the Host must
 * be ours (DNS rebinding); before a POST changes anything its Origin must be ours too (forms on foreign pages). The
 * header says "no referrer"; the pages themselves say "same-origin" in a meta element, since a browser told to send no
 * referrer sends "Origin: null" with a form, which cannot be told from a foreign page's. */
#include "admin/ask.h"
#include "admin/assets.h"
#include "admin/browser.h"
#include "admin/gate.h"
#include "admin/inside.h"
#include "admin/page.h"
#include "base/mem.h"

enum { FORM_MAX = 8192 };

#define SAFE_HEADERS                                                                                                   \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "           \
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"                            \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "X-Frame-Options: DENY\r\n"                                                                                        \
    "Referrer-Policy: no-referrer\r\n"                                                                                 \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                                                                      \
    "Cross-Origin-Resource-Policy: same-origin\r\n"
#define HTML_HEADERS SAFE_HEADERS "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"

static enum page_lang lang_of(const struct local_call *lc, struct str fields)
{
    struct buf wanted = BUF_INIT(16);
    (void)form_find(fields, "lang", &wanted);
    enum page_lang lang = lang_choose(buf_str(&wanted), head_value(local_head(lc), "accept-language"));
    buf_free(&wanted);
    return lang;
}

static bool wants_refresh(const struct local_call *lc)
{
    struct buf value = BUF_INIT(16);
    bool on = form_find(local_query(lc), "refresh", &value) && str_is(buf_str(&value), "5");
    buf_free(&value);
    return on;
}

/* --- the page --- */

struct page_ask {
    const struct admin *admin;
    enum page_lang lang;
    bool refresh, can_log_out;
};

static void reply_page(struct local_call *lc, const struct command_result *r, void *extra)
{
    const struct page_ask *ask = extra;
    struct buf out = BUF_INIT(PAGE_CAP);
    struct page_view view = {.snapshot = r->snapshot,
                             .lang = ask->lang,
                             .refresh = ask->refresh,
                             .can_log_out = ask->can_log_out,
                             .style_tag = ask->admin->style_tag,
                             .script_tag = ask->admin->script_tag};
    if (r->snapshot) page_write(&view, &out);
    if (!r->snapshot)
        local_reply_error(lc, 503, "draining", *r->message ? r->message : "there is nothing to show yet");
    else if (out.failed)
        local_reply_error(lc, 503, "busy_memory", "the page does not fit into memory");
    else
        local_reply(lc, 200, STR(HTML_HEADERS), buf_str(&out));
    buf_free(&out);
}

static void reply_login(const struct admin *a, struct local_call *lc, enum page_lang lang, int status,
                        enum login_note note, const char *more_headers)
{
    struct buf out = BUF_INIT(65536), headers = BUF_INIT(4096);
    buf_puts(&headers, HTML_HEADERS);
    if (status == 401) buf_puts(&headers, "WWW-Authenticate: Bearer\r\n"); /* no browser asks for a password at that */
    buf_puts(&headers, more_headers);
    page_write_login(lang, note, a->style_tag, &out);
    local_reply(lc, status, buf_str(&headers), buf_str(&out));
    buf_free(&headers);
    buf_free(&out);
}

void site_page(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    mono_t now = loop_now(local_loop(lc));
    if (!gate_host_fits(lc)) return;
    enum page_lang lang = lang_of(lc, local_query(lc));
    struct str session = gate_session(lc);
    bool logged_in = session.n && login_check(a->login, session, gate_admin_token(a, lc), now);
    if (!logged_in && !local_is_local(lc) && !(local_conf(lc)->admin_open_on_loopback && gate_is_owner(lc))) {
        /* A cookie of an earlier run is taken away, so that it counts as a wrong one only once. */
        if (session.n) login_failed(a->login, local_peer(lc), now);
        reply_login(a, lc, lang, 401, NOTE_NONE, session.n ? COOKIE_CLEAR : "");
        return;
    }
    struct page_ask *ask = xmalloc(sizeof *ask);
    *ask = (struct page_ask){a, lang, wants_refresh(lc), logged_in};
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_page, ask);
}

/* The page asks for them with a tag made of their content. */
#define FOREVER SAFE_HEADERS "Cache-Control: public, max-age=31536000, immutable\r\n"

void site_style(void *arg, struct local_call *lc)
{
    (void)arg;
    local_reply(lc, 200, STR(FOREVER "Content-Type: text/css; charset=utf-8\r\n"), asset_style());
}

void site_script(void *arg, struct local_call *lc)
{
    (void)arg;
    local_reply(lc, 200, STR(FOREVER "Content-Type: text/javascript; charset=utf-8\r\n"), asset_script());
}

/* --- login and logout --- */

static void go_home(struct local_call *lc, enum page_lang lang, const char *cookie)
{
    struct buf headers = BUF_INIT(4096);
    buf_puts(&headers, HTML_HEADERS);
    buf_printf(&headers, "Location: ./?lang=%s\r\n%s", lang == PAGE_ZH ? "zh" : "en", cookie);
    local_reply(lc, 303, buf_str(&headers), STR(""));
    if (headers.data) wipe(headers.data, headers.room);
    buf_free(&headers);
}

static void welcome(struct admin *a, struct local_call *lc, enum page_lang lang, const char *id)
{
    char cookie[256];
    struct str old = gate_session(lc);
    if (old.n) login_close(a->login, old);
    snprintf(cookie, sizeof cookie, COOKIE "%s" COOKIE_TAIL "%lld\r\n", id, (long long)(SESSION_LIFE_MS / 1000));
    go_home(lc, lang, cookie);
    wipe(cookie, sizeof cookie);
}

static void try_token(struct admin *a, struct local_call *lc, enum page_lang lang, struct str token)
{
    char id[SESSION_ID_LEN + 1], wait[48];
    int64_t wait_ms;
    struct login_try t = {
        .token = token,
        .expected = gate_admin_token(a, lc),
        .peer = local_peer(lc),
        .owner = gate_is_owner(lc),
        .per_minute = local_conf(lc)->limits_login_failures,
        .now = loop_now(local_loop(lc)),
    };
    switch (login_open(a->login, &t, id, &wait_ms)) {
    case LOGIN_OK: welcome(a, lc, lang, id); break;
    case LOGIN_WRONG: reply_login(a, lc, lang, 401, NOTE_WRONG, ""); break;
    case LOGIN_BLOCKED:
        snprintf(wait, sizeof wait, "Retry-After: %lld\r\n", (long long)((wait_ms + 999) / 1000));
        reply_login(a, lc, lang, 429, NOTE_BLOCKED, wait);
        break;
    }
    wipe(id, sizeof id);
}

static bool is_form(struct local_call *lc)
{
    struct str type = head_value(local_head(lc), "content-type"), first = STR("");
    if (local_body(lc).n > FORM_MAX) {
        local_reply_error(lc, 413, "body_too_large", "a login form has at most 8 KiB");
        return false;
    }
    (void)str_split(&type, ';', &first);
    if (str_ieq(str_trim(first), STR("application/x-www-form-urlencoded"))) return true;
    local_reply_error(lc, 415, "bad_request", "a login is a form: application/x-www-form-urlencoded");
    return false;
}

void site_login(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    if (!gate_host_fits(lc) || !gate_origin_fits(lc) || !is_form(lc)) return;
    struct buf token = BUF_INIT(FORM_MAX + 1);
    enum page_lang lang = lang_of(lc, local_body(lc));
    (void)form_find(local_body(lc), "token", &token);
    struct str given = str_trim(buf_str(&token));
    if (given.n)
        try_token(a, lc, lang, given);
    else
        reply_login(a, lc, lang, 400, NOTE_EMPTY, "");
    if (token.data) wipe(token.data, token.room);
    buf_free(&token);
}

void site_logout(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    if (!gate_host_fits(lc) || !gate_origin_fits(lc)) return;
    struct str session = gate_session(lc);
    if (session.n) login_close(a->login, session);
    go_home(lc, lang_of(lc, local_query(lc)), COOKIE_CLEAR);
}
