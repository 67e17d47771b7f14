/* The subcommands' line to the running instance: HTTP over control.sock. One thread; blocking. */
#ifndef SFPROXY_CLI_HTTP_H
#define SFPROXY_CLI_HTTP_H

#include "base/buf.h"

/* Sends one request and appends the answer's body to `out`. Returns the HTTP status; 0: no answer, `why` got the
 * sentence. `content_type` NULL: no body. */
int cli_http(const char *socket_path, const char *method, const char *path, const char *content_type, struct str body,
             struct buf *out, struct buf *why);

#endif
