/* Inside of conf/: the state while a configuration is built, shared by the file reader, the environment reader and the
 * final checks. One thread; lives during conf_load. */
#ifndef SFPROXY_CONF_LOAD_H
#define SFPROXY_CONF_LOAD_H

#include "conf/conf.h"
#include "conf/settings.h"

#define LOAD_SHOWN_MAX 100 /* more problems than this are counted, not shown */

struct loading {
    struct conf *c;
    struct buf *why, *warnings;
    unsigned problems;
    const char *file;             /* as shown in "file:line"; NULL without a file */
    char *set_at[OPTION_COUNT];   /* "sfproxy.conf:12", "environment NAME"; NULL: the default */
    bool from_file[OPTION_COUNT]; /* relative paths of the file start at the file's directory */
};

/* Appends "where: sentence" to the problems (and counts it), or to the warnings. */
void load_problem(struct loading *l, const char *where, const char *fmt, ...) PRINTF(3, 4);
void load_warning(struct loading *l, const char *where, const char *fmt, ...) PRINTF(3, 4);
/* Sets option `index` from text; a problem when it does not fit. */
void load_option(struct loading *l, size_t index, struct str text, const char *where);
/* Adds a client unless its name or key is taken (a problem). */
void load_client(struct loading *l, struct str name, struct str key, const char *where);
/* Adds a key; takes over what it holds. A key that is there already only gets what it lacked. */
void load_key(struct loading *l, struct key_conf *key);
/* Where the option was set, for problems found later. */
const char *load_where(const struct loading *l, size_t index);

void load_file(struct loading *l, const char *path);                         /* file.c */
void load_keys_file(struct loading *l, const char *path, const char *where); /* file.c */
void load_environment(struct loading *l);                                    /* environment.c: before the checks */
void load_environment_keys(struct loading *l);                               /* environment.c: after keys_file */
void load_checks(struct loading *l, const char *state_dir);                  /* checks.c: what options mean together */

#endif
