#include "net/urls.h"

#include "base/mem.h"

struct parsed_url {
    unsigned refs;
    CURLU *parts;
    char text[];
};

CURLU *url_parts(const struct parsed_url *p)
{
    return p ? p->parts : NULL;
}

void url_put(struct parsed_url *p)
{
    if (!p || --p->refs) return;
    curl_url_cleanup(p->parts);
    free(p);
}

static struct parsed_url *parse(const char *text)
{
    size_t n = strlen(text) + 1;
    CURLU *parts = curl_url();
    /* The flags libcurl itself takes for CURLOPT_URL with CURLOPT_PATH_AS_IS. */
    if (!parts || curl_url_set(parts, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        curl_url_cleanup(parts);
        return NULL;
    }
    struct parsed_url *p = xmalloc(sizeof *p + n);
    *p = (struct parsed_url){.refs = 1, .parts = parts};
    memcpy(p->text, text, n);
    return p;
}

struct parsed_url *urls_get(struct urls *u, const char *text)
{
    struct parsed_url **slot = &u->slots[str_hash(str_of(text)) % URLS_KEPT];
    if (!*slot || strcmp((*slot)->text, text) != 0) {
        struct parsed_url *p = parse(text);
        if (!p) return NULL;
        url_put(*slot);
        *slot = p;
    }
    (*slot)->refs++;
    return *slot;
}

void urls_free(struct urls *u)
{
    for (size_t i = 0; i < URLS_KEPT; i++) url_put(u->slots[i]);
    *u = (struct urls){.slots = {NULL}};
}
