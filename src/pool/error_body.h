/* Reading error bodies of any shape; see error_body.c. Pure; any thread. */
#ifndef SFPROXY_POOL_ERROR_BODY_H
#define SFPROXY_POOL_ERROR_BODY_H

#include "pool/verdict.h"

enum { ERROR_TEXT_MAX = 2048 };

/* False: nothing in the first 64 KiB is a member named `error` or `code`, at any level, so a good status is a good
 * answer. A walk over the quotes: a third of what reading it takes. */
bool error_body_likely(struct str body);
/* Like upstream_error_read, and also gives the text that patterns are matched against: the unescaped messages (top
 * level, then nested), longer than `out->message` and not cleaned. Returns its length; `text` is terminated. */
size_t error_body_read(struct str body, struct upstream_error *out, char text[ERROR_TEXT_MAX]);

#endif
