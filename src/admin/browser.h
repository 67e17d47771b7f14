/* What a browser sends, and whether to believe it: Host (against DNS rebinding), Origin and Sec-Fetch-Site (against
 * forms on foreign pages), cookies, form fields, the preferred language. Pure; any thread. */
#ifndef SFPROXY_ADMIN_BROWSER_H
#define SFPROXY_ADMIN_BROWSER_H

#include "base/buf.h"
#include "conf/conf.h"
#include "net/head.h"

#define SESSION_COOKIE "sfproxy_session"
#define COOKIE         "Set-Cookie: " SESSION_COOKIE "="
#define COOKIE_TAIL    "; HttpOnly; SameSite=Strict; Path=/; Max-Age="
#define COOKIE_CLEAR   COOKIE COOKIE_TAIL "0\r\n"

enum page_lang { PAGE_EN, PAGE_ZH, PAGE_LANGS };

/* Splits "name", "name:port", "1.2.3.4:port", "[::1]:port". False: anything else (userinfo, port over 65535, empty).
 * `name` has no brackets; `port` is 0 when there was none. */
bool host_split(struct str host, struct str *name, unsigned *port, bool *is_ip);
/* localhost, an IP literal, or one of `trusted` (case ignored), on any port. A name that somebody else's DNS answers
 * for is not: it may have been rebound to this machine. */
bool host_is_ours(struct str host, const struct text_list *trusted);

/* Does a POST come from a page of this very origin? Sec-Fetch-Site and Origin are believed when present; a client that
 * sends neither is no browser. `origin` "null" is nobody's. */
bool post_is_ours(struct str host, struct str origin, struct str fetch_site);

/* Value of the first cookie of that name; empty when absent. */
struct str cookie_find(struct str header, const char *name);
/* Appends the decoded value of the first field `name` of a form body or query ("a=b&c=d%20e"). False: absent, or
 * broken escapes. */
bool form_find(struct str form, const char *name, struct buf *out);

/* `wanted` ("zh", "en") wins; else the better of the two in Accept-Language; else English. */
enum page_lang lang_choose(struct str wanted, struct str accept);

/* Came through a proxy of somebody else: its address says nothing about where the person sits. */
bool head_was_forwarded(const struct head *h);

#endif
