/* The models of the platform, as its site listed them in 2026, and a list of the script's own. */
#ifndef STANDIN_CATALOGUE_H
#define STANDIN_CATALOGUE_H

#include "buf.h"

#include <cjson/cJSON.h>

struct model_row {
    const char *id, *type, *sub_type;
    bool free;
};

/* Replaces the list by a JSON array of ids or {"id","type","sub_type","free"}; NULL brings the built-in one back. */
bool catalogue_set(const cJSON *list, struct buf *why);
/* NULL when the model is not listed. */
const struct model_row *catalogue_find(const char *id);
/* Listed as not free, or Pro/. Unknown models count as free. */
bool catalogue_paid(const char *id);
/* Ids with R1, Thinking or GLM-Z1 in them reason. */
bool catalogue_reasons(const char *id);
/* The answer of GET /v1/models; type and sub_type "" mean all. */
void catalogue_list(struct buf *out, const char *type, const char *sub_type);

#endif
