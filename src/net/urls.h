/* URLs libcurl has taken apart already. A worker asks for a handful of paths over and over, and parsing the same text
 * for each request is 8 % of what libcurl does for it. Private to net/upstream. Worker's thread. */
#ifndef SFPROXY_NET_URLS_H
#define SFPROXY_NET_URLS_H

#include <curl/curl.h>

#include "base/str.h"

enum { URLS_KEPT = 16 };

struct parsed_url; /* shared by the cache and the transfers that use it */

struct urls {
    struct parsed_url *slots[URLS_KEPT]; /* by hash; a newcomer takes the place */
};

/* A reference to `text` taken apart; NULL when libcurl refuses it (it then says why when it meets the text itself). */
struct parsed_url *urls_get(struct urls *u, const char *text);
CURLU *url_parts(const struct parsed_url *p); /* NULL is fine */
void url_put(struct parsed_url *p);           /* NULL is fine */
void urls_free(struct urls *u);

#endif
