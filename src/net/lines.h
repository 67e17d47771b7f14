/* The header lines of a request as libcurl takes them, in one buffer that can be wiped. Private to net/upstream. */
#ifndef SFPROXY_NET_LINES_H
#define SFPROXY_NET_LINES_H

#include <curl/curl.h>

#include "net/upstream.h"

enum { LINES_NODES_MAX = 24 };

struct lines {
    struct buf text;
    struct curl_slist nodes[LINES_NODES_MAX]; /* linked from the first on; libcurl only reads them */
    size_t count;
};

void lines_init(struct lines *l);
/* The lines of `spec` and ours. False: a line break in a line, too many or too large; *why is a sentence. */
bool lines_build(struct lines *l, const struct call_spec *spec, const char **why);
void lines_wipe(struct lines *l); /* overwrites the text: it holds the key */
void lines_free(struct lines *l);

#endif
