/* The models. Two layers: the built-in table (ids, kinds, the free set, list prices) with its date, and the run-time
 * catalogue made of it, of the platform's own list, of the configuration and of what traffic showed. Neither is a
 * whitelist: an unknown model is passed through. */
#ifndef SFPROXY_POOL_CATALOG_H
#define SFPROXY_POOL_CATALOG_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "conf/price.h"

enum model_cost { COST_UNKNOWN, COST_FREE, COST_PAID };

/* MODEL rows in catalog_table.h. type: text image audio video; sub_type: chat embedding reranker text-to-image
 * image-to-image speech-to-text text-to-speech text-to-video image-to-video. Both are constants. */
struct model {
    const char *id;
    const char *type;
    const char *sub_type;
    struct price price; /* CNY */
    unsigned context;   /* tokens, 0 unknown */
    bool free;          /* cost is COST_FREE */
    bool reasons;       /* streams reasoning_content */
    enum model_cost cost;
    const char *evidence; /* of the cost: "table", "prefix" (Pro/), "config", "observed" (by traffic), "unknown" */
    bool listed;          /* shown to clients: the platform offers it, as far as known, or the configuration names it */
    const char *alias_of; /* alias.NAME of the configuration: the model asked for instead; NULL: a model */
    int64_t limit_rpm, limit_tpm; /* of the configuration, a minute and account; 0 none */
};

#define CATALOG_DATE "2026-07-21"

/* --- the built-in table: static data, any thread --- */
const struct model *builtin_find(struct str id); /* NULL: not in the table */
const struct model *builtin_at(size_t i);        /* NULL past the end; order of the table */
/* Order of ids: bytes, then length. */
int model_order(struct str id, const char *other);
/* Free or paid by table and name alone: "table", "prefix" (Pro/), else "unknown". */
enum model_cost model_cost(struct str id, const char **evidence);
/* Kind guessed from an id that is not in the table: {type, sub_type}. */
void model_guess_kind(struct str id, const char **type, const char **sub_type);

/* --- the run-time catalogue: immutable, reference-counted, any thread --- */
struct catalog;

/* A model that the platform listed; `sub_type` is a constant of model_sub_type(). */
struct listed_model {
    char *id;
    const char *sub_type;
};
/* What traffic showed about a model whose cost was not known. */
struct observed_cost {
    char *id;
    enum model_cost cost;
};
struct catalog_parts {
    const struct conf *conf;           /* rules and aliases; NULL: none */
    bool has_listing;                  /* the platform's list is known */
    const struct listed_model *listed; /* each id once, any order */
    size_t listed_count;
    const struct observed_cost *observed; /* each id once */
    size_t observed_count;
};
struct catalog *catalog_build(const struct catalog_parts *parts);
struct catalog *catalog_get(struct catalog *c);
void catalog_put(struct catalog *c); /* NULL is fine */

/* `c` NULL: the built-in table alone. What they return lives as long as the catalogue. */
const struct model *catalog_find(const struct catalog *c, struct str id); /* NULL: not in it */
const struct model *catalog_at(const struct catalog *c, size_t i);        /* by id; NULL past the end */
/* Free or paid, also of what is not in it; `evidence` may be NULL. An alias costs what its model costs. */
enum model_cost catalog_cost(const struct catalog *c, struct str id, const char **evidence);

/* Every sub_type the platform may be asked for, in the order of asking; NULL past the end. */
const char *model_sub_type(size_t i);
const char *model_type_of(const char *sub_type); /* "text" for one we do not know */

#endif
