/* What [models] says about single models: alias.NAME = MODEL, price.MODEL, free.MODEL, limit.MODEL. One rule a name,
 * built while a configuration is read (one thread); reading a built one: any thread. */
#ifndef SFPROXY_CONF_MODELS_H
#define SFPROXY_CONF_MODELS_H

#include "conf/load.h"

#define MODEL_RULES_MAX 1024

/* "alias.x" and the like: names of the user's choice behind a known word. */
bool model_item_is(struct str name);
/* One such item of [models]; what is wrong becomes a problem at `where`. */
void load_model_item(struct loading *l, struct str name, struct str value, const char *where);
/* What the rules mean together: aliases of aliases, prices of aliases. After the file. */
void check_model_rules(struct loading *l);
void model_rules_free(struct conf *c);

#endif
