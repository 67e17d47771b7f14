/* What needs a cryptographic library (OpenSSL's libcrypto): digests, random bytes, constant-time comparison. Any
 * thread. */
#ifndef SFPROXY_BASE_SECRET_H
#define SFPROXY_BASE_SECRET_H

#include "base/str.h"

#define DIGEST_LEN 32

void sha256(struct str in, uint8_t out[DIGEST_LEN]);
/* Compares the SHA-256 digests in constant time, so that neither content nor length can be measured. */
bool secret_equal(struct str a, struct str b);
bool digest_equal(const uint8_t a[DIGEST_LEN], const uint8_t b[DIGEST_LEN]);
void random_bytes(void *out, size_t n); /* aborts when the system has no randomness */
/* n random bytes as hex. */
void random_hex(size_t n, char *out /* 2n+1 */);
uint64_t random_u64(void);

#endif
