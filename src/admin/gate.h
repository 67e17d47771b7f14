/* Who may enter the admin routes over TCP. One decision, pure, before routing's handler and before any body is read;
 * control.sock does not come here, its peer's user id was checked when it was accepted.
 *
 *   METRICS  anybody when admin.metrics_public, else like VIEW; the right token under any Host (a scraper's name for
 * this machine is not known here, and a page of somebody else's cannot know the token) VIEW     the token
 * (Authorization: Bearer), the page's cookie, or nothing on loopback with admin.open_on_loopback ACT      the token, or
 * the cookie from a page of this very origin OWN      the token; a browser's cookie is not enough to add or delete keys
 *
 * Only a wrong token or a wrong cookie counts against login_failures; a request without one does not. */
#ifndef SFPROXY_ADMIN_GATE_H
#define SFPROXY_ADMIN_GATE_H

#include "admin/login.h"
#include "proxy/local.h"

struct admin;

enum gate_token { TOKEN_NONE, TOKEN_RIGHT, TOKEN_WRONG, TOKEN_BLOCKED };
enum gate_cookie { COOKIE_NONE, COOKIE_RIGHT, COOKIE_WRONG };
struct gate_facts {
    enum route_class class;
    bool host_ours;
    enum gate_token token;
    enum gate_cookie cookie;
    bool same_origin; /* Origin or Sec-Fetch-Site says so; neither: false */
    bool open_view;   /* admin.open_on_loopback, and the person sits at this machine */
    bool metrics_public;
};
enum gate_result {
    GATE_ENTER,
    GATE_BAD_HOST,    /* 421 */
    GATE_NO_LOGIN,    /* 401 */
    GATE_WRONG_TOKEN, /* 401 */
    GATE_BLOCKED,     /* 429 */
    GATE_FOREIGN,     /* 403: cookie, but not from our page */
    GATE_NEEDS_TOKEN, /* 403: cookie where the token is asked for */
};
enum gate_result gate_decide(const struct gate_facts *f);

/* local_table.authorize: true, or it has answered. Worker's thread. */
bool gate_authorize(void *admin, struct local_call *lc, enum route_class class);

/* --- the same questions, for the page and its login --- */
struct str gate_admin_token(const struct admin *a, const struct local_call *lc); /* valid now */
struct str gate_session(const struct local_call *lc);                            /* the cookie's; empty none */
/* The person sits at this machine. Not so when a reverse proxy on this machine passed the request on. */
bool gate_is_owner(const struct local_call *lc);
/* False: answered with 421 / 403. */
bool gate_host_fits(struct local_call *lc);
bool gate_origin_fits(struct local_call *lc);

#endif
