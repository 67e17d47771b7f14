/* Reading the platform's list of models, GET /v1/models: {"object":"list","data":[{"id":"..."}]}. It tells ids and
 * nothing else; kinds are learned by asking once per sub_type. Pure; any thread. */
#ifndef SFPROXY_POOL_LISTING_H
#define SFPROXY_POOL_LISTING_H

#include "base/str.h"

enum { LISTED_ID_MAX = 256, LISTING_MAX = 4096 /* further ones are ignored */ };

/* Calls `each` for every id, unescaped, without control characters. False: the body is no such list, or malformed (some
 * may have been delivered). */
bool listing_read(struct str body, void (*each)(void *arg, struct str id), void *arg);

#endif
