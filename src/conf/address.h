/* Addresses as they are written in the configuration: where to listen, and URLs of the platform and of a proxy.
 * Pure; no name is resolved here. Any thread. */
#ifndef SFPROXY_CONF_ADDRESS_H
#define SFPROXY_CONF_ADDRESS_H

#include "base/buf.h"

/* A numeric address to listen on. */
struct listen_address {
    char host[46]; /* "127.0.0.1", "::1": without brackets */
    uint16_t port; /* 0: any free one */
    bool is_v6, is_loopback;
};

/* "127.0.0.1:7860", "[::1]:7860", "localhost:7860" (= 127.0.0.1), "*:7860" (= 0.0.0.0). False: `why` got what is
 * wrong, as the rest of a sentence. */
bool listen_address_parse(struct str text, struct listen_address *out, struct buf *why);
/* "[::1]:7860"; `size` of 56 is always enough. */
void listen_address_write(const struct listen_address *a, char *out, size_t size);

struct url_parts {
    struct str scheme;   /* as written */
    struct str userinfo; /* p NULL when there is none */
    char host[256];      /* lower case, without brackets */
    bool is_v6;
    int port;        /* 0: not given */
    struct str path; /* "" or from the first '/', without slashes at the end */
};

/* Splits and checks scheme://[user:password@]host[:port][/path]; no query, no fragment. The slices point into `text`.
 * False: `why` got what is wrong; the text itself is never in it, it may hold a password. */
bool url_parse(struct str text, struct url_parts *out, struct buf *why);
/* The same platform's host in its other region (.cn, .com): other accounts, other keys. NULL: not a host of the
 * platform. */
const char *other_region_host(const char *host);
/* A host name, in any case: letters, digits, '.', '-', '_'; 1..253 bytes. */
bool host_name_is_valid(struct str host);

#endif
