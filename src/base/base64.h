/* Base64 (RFC 4648, with padding), in steps. Pure; any thread. */
#ifndef SFPROXY_BASE_BASE64_H
#define SFPROXY_BASE_BASE64_H

#include "base/base.h"

/* Letters that n bytes become. */
static inline size_t base64_length(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* Writes base64_length(n) letters. A text in several steps: every step but the last a multiple of 3 bytes. */
void base64_encode(const void *in, size_t n, char *out);

#endif
