/* Reading JSON where it lies: tokens, and a walk over the members of an object or the elements of an array that says
 * where each stands, so that text can be replaced and everything else kept byte for byte. Nothing is allocated, nothing
 * recurses. Pure; any thread. */
#ifndef SFPROXY_BASE_JSON_TEXT_H
#define SFPROXY_BASE_JSON_TEXT_H

#include "base/str.h"

enum { JSON_TEXT_DEPTH = 512 }; /* a walk refuses what is nested deeper inside one value */

struct json_text {
    const unsigned char *p, *end; /* p: what comes next; after a mistake, where it is */
};

static inline void json_text_space(struct json_text *t)
{
    while (t->p < t->end && ascii_space((char)*t->p)) t->p++;
}

/* Next byte, or -1 at the end. */
static inline int json_text_peek(const struct json_text *t)
{
    return t->p < t->end ? *t->p : -1;
}

/* At a quote: passes the string; *raw is what stands between the quotes. */
bool json_text_string(struct json_text *t, struct str *raw);
/* A string (*raw is set), a number, true, false or null. */
bool json_text_scalar(struct json_text *t, struct str *raw);
/* Unescapes the inside of a string that json_text_string() passed. Returns the length, -1 when it does not fit or holds
 * a lone surrogate. */
int json_text_unescape(struct str raw, char *out, size_t room);

struct json_item {
    struct str name;   /* between the quotes, as it is written; empty in an array */
    const char *at;    /* where the item begins: the name's quote, or the value */
    const char *comma; /* the one in front of it, NULL for the first */
    struct str value;
};

struct json_walk {
    struct json_text t;
    bool object, comma_due, over;
    bool bad; /* no object or array, or malformed: what was delivered so far must not be used */
};

/* `value`: one object or array, blanks around it allowed; it must stay where it is during the walk. */
void json_walk_init(struct json_walk *w, struct str value);
/* False at the end; look at `bad` then. Whatever was delivered is well-formed all the way down. */
bool json_walk_next(struct json_walk *w, struct json_item *item);

#endif
