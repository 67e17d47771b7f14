/* What is known about models besides the built-in table, and the run-time catalogue made of it. Control thread. */
#ifndef SFPROXY_MODELS_H
#define SFPROXY_MODELS_H

#include "base/map.h"
#include "pool/catalog.h"

struct engine;
struct models;
struct refresh;
struct command;

/* models.c: the parts, and building a catalogue anew when one of them changed. */
struct models *models_new(struct engine *g); /* after the workers */
void models_free(struct models *m);
void models_conf_changed(struct models *m, bool other_platform);
/* The platform's list, whole: id -> its sub_type (a constant). Takes the map's content over and logs what is new. */
void models_set_listing(struct models *m, struct map *listed);
/* Traffic or a probe showed what a model of unknown cost is. */
void models_observe(struct models *m, const char *id, enum model_cost cost);
void models_take_observed(struct models *m);  /* what the key pool saw since the last call */
size_t models_listed(const struct models *m); /* 0: the platform's list is not known */

/* refresh.c: asking the platform, hourly, at start, after a reload and by command. */
struct refresh *refresh_new(struct engine *g);
void refresh_free(struct refresh *r);
/* As soon as the address is known and a key can be used; `cmd` (may be NULL) is answered with the outcome. */
void refresh_start(struct refresh *r, struct command *cmd);
void refresh_conf_changed(struct refresh *r, bool other_platform);
void refresh_addrs_known(struct refresh *r);
/* Since the last good one, -1: none yet; `error`: why the last one failed, "" when it did not. */
int64_t refresh_age_ms(const struct refresh *r, const char **error);

#endif
