/* Names that clients may use for a model: those of the configuration (alias.NAME = MODEL), and X-thinking and
 * X-openwebui, whose answers have the reasoning of X in their text. Pure. */
#ifndef SFPROXY_PROXY_ALIAS_H
#define SFPROXY_PROXY_ALIAS_H

#include "conf/conf.h"
#include "proxy/filter.h"

struct alias {
    struct str model; /* that serves; a slice of the configuration or of the name asked for */
    bool reasoning;   /* the answer goes through a filter of this form: */
    enum reasoning_form form;
};

/* What `asked` stands for; false: for itself. `chat`: the route is chat/completions. `exists(arg, id)`: a model of that
 * exact id is known; then no suffix is cut off. */
bool alias_resolve(const struct conf *c, struct str asked, bool chat, bool (*exists)(void *arg, struct str id),
                   void *arg, struct alias *out);

/* The endings of the reasoning aliases, for listing; NULL past the last. */
const char *alias_suffix(size_t i);

#endif
