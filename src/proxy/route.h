/* Which request goes where: paths with and without /v1, doubled slashes and doubled /v1 tolerated, nothing decoded
 * but the id behind /models/. One table, one parser, one path. Pure. */
#ifndef SFPROXY_PROXY_ROUTE_H
#define SFPROXY_PROXY_ROUTE_H

#include "net/head.h"
#include "proxy/errors.h"

enum route_kind {
    ROUTE_KIND_POOLED,  /* needs a model; retried over keys */
    ROUTE_KIND_FORWARD, /* any other platform path: passed on as it is; refusals retried, nothing else */
    ROUTE_KIND_OWN,     /* looked up in the tables of local routes */
};

enum body_kind { BODY_JSON, BODY_MULTIPART, BODY_ANY };

struct route {
    enum route_kind kind;
    enum body_kind body;
    enum dialect dialect;
    bool upload;     /* max_upload instead of max_body */
    char path[1024]; /* normalised, without /v1 and the leading slash: "chat/completions" */
};

enum route_result {
    ROUTE_FOUND,
    ROUTE_NOT_FOUND,
    ROUTE_BAD_METHOD,  /* `allow` says which would do */
    ROUTE_NOT_OFFERED, /* OpenAI has it, the platform has not; `allow` is a sentence that says what to use instead */
};

/* `allow`: text for the Allow header when ROUTE_BAD_METHOD, a sentence when ROUTE_NOT_OFFERED. */
enum route_result route_find(const struct head *h, struct route *out, const char **allow);
/* The normalised path alone, with its leading slash ("/v1/models" -> "/models" when strip_v1). False: too long or with
 * dot segments or characters that have no place in it. */
bool route_path(struct str path, bool strip_v1, char *out, size_t size);

#endif
