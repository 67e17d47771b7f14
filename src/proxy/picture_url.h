/* Which URLs of pictures may be fetched. They come from the platform's answer, which is not trusted with our network:
 * https only (http only at the very origin of an http base_url), no credentials, no address of this machine or of a
 * private network unless it is the host of base_url. Pure. */
#ifndef SFPROXY_PROXY_PICTURE_URL_H
#define SFPROXY_PROXY_PICTURE_URL_H

#include "base/str.h"

struct picture_base { /* of base_url */
    const char *host; /* lower case, without brackets */
    int port;
    bool tls;
};

struct picture_url {
    char host[256]; /* lower case, without brackets */
    int port;
    bool of_base;    /* the host of base_url: private addresses are allowed */
    bool at_base;    /* and its port too: the addresses are known */
    bool is_literal; /* the host is an address */
};

/* NULL, or what is wrong, as the end of a sentence. */
const char *picture_url_check(struct str url, const struct picture_base *base, struct picture_url *out);
/* "image/png" and so on by the first bytes; NULL: none we know. */
const char *picture_type(struct str bytes);

#endif
