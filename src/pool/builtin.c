/* The built-in models: a sorted constant table, searched by halves. What is not in it is judged by its name. */
#include "pool/catalog.h"

#define CNY(x) ((int64_t)((x)*1000000 + 0.5))
#define ONE_STEP(in, out, cached)                                                                                      \
    {                                                                                                                  \
        {                                                                                                              \
            INT64_MAX, CNY(in), CNY(out), CNY(cached)                                                                  \
        }                                                                                                              \
    }
#define TOKENS(in, out, cached)                                                                                        \
    {                                                                                                                  \
        PRICE_TOKENS, 1, false, ONE_STEP(in, out, cached)                                                              \
    }
#define GROWS(in, out, cached)                                                                                         \
    {                                                                                                                  \
        PRICE_TOKENS, 1, true, ONE_STEP(in, out, cached)                                                               \
    }
#define FREE TOKENS(0, 0, 0)
#define IMAGE(each)                                                                                                    \
    {                                                                                                                  \
        PRICE_IMAGE, 1, false, ONE_STEP(each, 0, 0)                                                                    \
    }
#define VIDEO(each)                                                                                                    \
    {                                                                                                                  \
        PRICE_VIDEO, 1, false, ONE_STEP(each, 0, 0)                                                                    \
    }
#define KBYTE(each)                                                                                                    \
    {                                                                                                                  \
        PRICE_KBYTE, 1, false, ONE_STEP(each, 0, 0)                                                                    \
    }

static const struct model models[] = {
#define MODEL(id_, type_, sub_type_, price_, context_, free_, reasons_)                                                \
    {.id = id_,                                                                                                        \
     .type = type_,                                                                                                    \
     .sub_type = sub_type_,                                                                                            \
     .price = price_,                                                                                                  \
     .context = context_,                                                                                              \
     .free = free_,                                                                                                    \
     .reasons = reasons_,                                                                                              \
     .cost = free_ ? COST_FREE : COST_PAID,                                                                            \
     .evidence = "table",                                                                                              \
     .listed = true},
#include "pool/catalog_table.h"
#undef MODEL
};

int model_order(struct str id, const char *other)
{
    size_t n = strlen(other);
    int d = memcmp(id.p, other, MIN(id.n, n));
    return d ? d : (id.n > n) - (id.n < n);
}

const struct model *builtin_find(struct str id)
{
    size_t from = 0, to = ARRAY_LEN(models);
    if (!id.n) return NULL;
    while (from < to) {
        size_t mid = (from + to) / 2;
        int d = model_order(id, models[mid].id);
        if (d == 0) return &models[mid];
        if (d < 0)
            to = mid;
        else
            from = mid + 1;
    }
    return NULL;
}

const struct model *builtin_at(size_t i)
{
    return i < ARRAY_LEN(models) ? &models[i] : NULL;
}

enum model_cost model_cost(struct str id, const char **evidence)
{
    const struct model *m = builtin_find(id);
    const char *why = m ? "table" : str_starts(id, "Pro/") ? "prefix" : "unknown";
    if (evidence) *evidence = why;
    if (m) return m->free ? COST_FREE : COST_PAID;
    return str_starts(id, "Pro/") ? COST_PAID : COST_UNKNOWN;
}

void model_guess_kind(struct str id, const char **type, const char **sub_type)
{
    /* First match wins: a reranker's name may also contain "bge-", an embedding's "VL". */
    static const struct {
        const char *part, *type, *sub_type;
    } guesses[] = {
        {"reranker", "text", "reranker"},
        {"embedding", "text", "embedding"},
        {"bge-", "text", "embedding"},
        {"t2v", "video", "text-to-video"},
        {"i2v", "video", "image-to-video"},
        {"video", "video", "text-to-video"},
        {"image-edit", "image", "image-to-image"},
        {"kontext", "image", "image-to-image"},
        {"image", "image", "text-to-image"},
        {"kolors", "image", "text-to-image"},
        {"flux", "image", "text-to-image"},
        {"stable-diffusion", "image", "text-to-image"},
        {"sensevoice", "audio", "speech-to-text"},
        {"asr", "audio", "speech-to-text"},
        {"cosyvoice", "audio", "text-to-speech"},
        {"fish-speech", "audio", "text-to-speech"},
        {"tts", "audio", "text-to-speech"},
    };
    *type = "text";
    *sub_type = "chat";
    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        if (!str_icontains(id, guesses[i].part)) continue;
        *type = guesses[i].type;
        *sub_type = guesses[i].sub_type;
        return;
    }
}
