/* The models we know: a built-in table (ids, kinds, the free set, list prices) with its date. Static data and
 * pure functions; any thread. Never a whitelist: an unknown model is passed through. */
#ifndef SFPROXY_POOL_CATALOG_H
#define SFPROXY_POOL_CATALOG_H

#include "conf/price.h"

enum model_cost { COST_UNKNOWN, COST_FREE, COST_PAID };

/* MODEL rows in catalog_table.h. type: text image audio video; sub_type: chat embedding reranker text-to-image
 * image-to-image speech-to-text text-to-speech text-to-video image-to-video. */
struct model {
    const char *id;
    const char *type;
    const char *sub_type;
    struct price price; /* CNY */
    unsigned context;   /* tokens, 0 unknown */
    bool free;
    bool reasons; /* streams reasoning_content */
};

#define CATALOG_DATE "2026-07-21"

const struct model *catalog_find(struct str id); /* NULL: not in the table */
const struct model *catalog_at(size_t i);        /* NULL past the end; order of the table */
/* Free or paid with evidence: "table", "prefix" (Pro/), else "unknown". */
enum model_cost model_cost(struct str id, const char **evidence);
/* Kind guessed from an id that is not in the table: {type, sub_type}. */
void model_guess_kind(struct str id, const char **type, const char **sub_type);

#endif
