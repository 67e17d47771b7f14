/* Fetches one picture that the platform named by URL, without a key: see picture_url.h for what may be fetched. At most
 * 32 MiB (charged to limits.upload_memory) within 30 s, no redirects, the bytes as they are. A connection that fails
 * or breaks, and a 5xx, get a second try. Worker's thread. */
#ifndef SFPROXY_PROXY_DOWNLOAD_H
#define SFPROXY_PROXY_DOWNLOAD_H

#include "net/body.h"
#include "proxy/errors.h"

enum { DOWNLOAD_MAX = 32 * 1024 * 1024, DOWNLOAD_MS = 30000 };

struct conf;
struct proxy;
struct download;

struct download_end {
    struct body *body; /* the picture: the reference is the receiver's; NULL: it could not be had */
    const char *type;  /* "image/png" */
    enum error_code code;
    char sentence[400]; /* for the client; names the host, never the URL */
};

/* done(arg, end) runs once, at the end of this turn at the earliest, unless download_cancel() comes first. */
struct download *download_start(struct proxy *p, struct conf *conf, struct str url,
                                void (*done)(void *arg, struct download_end *end), void *arg);
void download_cancel(struct download *d); /* not from its own `done` */

#endif
