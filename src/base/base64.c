#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put(uint32_t bits, char *out)
{
    out[0] = letters[bits >> 18 & 63];
    out[1] = letters[bits >> 12 & 63];
    out[2] = letters[bits >> 6 & 63];
    out[3] = letters[bits & 63];
}

void base64_encode(const void *in, size_t n, char *out)
{
    const unsigned char *p = in;
    for (; n >= 3; n -= 3, p += 3, out += 4) put((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2], out);
    if (!n) return;
    put((uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0), out);
    out[3] = '=';
    if (n == 1) out[2] = '=';
}
