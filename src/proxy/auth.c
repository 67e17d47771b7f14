#include "proxy/auth.h"

#include "base/secret.h"

struct str auth_credential(const struct head *h)
{
    struct str value = head_value(h, "authorization");
    if (value.n > 7 && str_ieq((struct str){value.p, 7}, STR("bearer "))) {
        value.p += 7;
        value.n -= 7;
        return str_trim(value);
    }
    return head_value(h, "x-api-key");
}

const char *auth_client(const struct conf *c, const struct head *h, const char *peer)
{
    if (c->client_count == 0) return peer;
    struct str credential = auth_credential(h);
    if (!credential.n) return NULL;
    uint8_t digest[DIGEST_LEN];
    sha256(credential, digest);
    const char *name = NULL;
    for (size_t i = 0; i < c->client_count; i++) /* all of them: the time taken says nothing about which */
        if (digest_equal(digest, c->clients[i].digest)) name = c->clients[i].name;
    return name;
}
