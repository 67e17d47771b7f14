/* What libcurl's result codes mean for a call. Pure. Private to net/upstream. */
#ifndef SFPROXY_NET_OUTCOME_H
#define SFPROXY_NET_OUTCOME_H

#include <curl/curl.h>

#include "net/upstream.h"

enum outcome_phase {
    OUTCOME_UNSENT,   /* nothing of the request left */
    OUTCOME_HEADLESS, /* sent at least in part, no complete reply head */
    OUTCOME_AFTER,    /* after the complete head */
};

enum call_result outcome_of(CURLcode code, enum outcome_phase phase);
/* A sentence for a failed call: libcurl's words (`detail`, its error buffer) unless they could hold something of the
 * URL's query or of a key. Cleaned of foreign bytes. */
void outcome_sentence(CURLcode code, const char *detail, char *out, size_t size);

#endif
