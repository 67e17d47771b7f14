/* Which client is asking. Bearer token or x-api-key, compared by digest in constant time. Pure. */
#ifndef SFPROXY_PROXY_AUTH_H
#define SFPROXY_PROXY_AUTH_H

#include "conf/conf.h"
#include "net/head.h"

/* The credential of a request: Authorization: Bearer X, else x-api-key. Empty when there is none. */
struct str auth_credential(const struct head *h);
/* Name of the client that owns the credential, NULL: none does. With no client configured: `peer`. */
const char *auth_client(const struct conf *c, const struct head *h, const char *peer);

#endif
