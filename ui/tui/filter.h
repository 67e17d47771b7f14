/* The grammar behind `/`: words, all must hold; "!word" must not. A word is a piece of text, or `field:text`,
 * `field>number`, `field<number` when the table has such a field; anything else is plain text. Pure; any thread. */
#ifndef SFPROXY_UI_TUI_FILTER_H
#define SFPROXY_UI_TUI_FILTER_H

#include "base/str.h"

enum { FILTER_MAX = 80, FILTER_TEXT = 2048 };

/* What a row says about itself. */
struct filter_source {
    const char *text; /* plain words look here */
    /* The text of a field, in every language the screen speaks; false: there is no such field. */
    bool (*field)(void *arg, struct str name, char *out, size_t size);
    void *arg;
};

bool filter_matches(const char *filter, const char *text); /* without fields */
bool filter_matches_row(const char *filter, const struct filter_source *row);
/* "148K", "12.40", "43s", "<=9.8 set" as a number (spans in seconds); false: none there, such as "?" or "-". */
bool filter_number(const char *text, double *out);

#endif
