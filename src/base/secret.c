#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"

/* OpenSSL 3 looks the algorithm up by name in each SHA256(): that costs several times the digest of a short text.
 * Looked up once, by whoever comes first. */
static EVP_MD *digest_kind;

static void find_digest(void)
{
    digest_kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!digest_kind) out_of_memory(); /* libcrypto always has this one */
}

void sha256(struct str in, uint8_t out[DIGEST_LEN])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_digest);
    /* With a digest that is there, only its context's memory can be missing. */
    if (EVP_Digest(in.p ? in.p : "", in.n, out, NULL, digest_kind, NULL) != 1) out_of_memory();
}

bool digest_equal(const uint8_t a[DIGEST_LEN], const uint8_t b[DIGEST_LEN])
{
    return CRYPTO_memcmp(a, b, DIGEST_LEN) == 0;
}

bool secret_equal(struct str a, struct str b)
{
    uint8_t da[DIGEST_LEN], db[DIGEST_LEN];
    sha256(a, da);
    sha256(b, db);
    return digest_equal(da, db);
}

void random_bytes(void *out, size_t n)
{
    if (RAND_bytes(out, (int)n) != 1) out_of_memory(); /* a new thread's generator; the kernel's source never fails */
}

void random_hex(size_t n, char *out)
{
    uint8_t raw[64];
    BUG_ON(n > sizeof raw);
    random_bytes(raw, n);
    hex_encode(raw, n, out);
}

uint64_t random_u64(void)
{
    uint64_t v;
    random_bytes(&v, sizeof v);
    return v;
}
