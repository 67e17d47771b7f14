/* INI text -> (section, name, value, line). Pure; no files. Rules: `[section]` alone on its line, `name = value`,
 * leading blanks ignored, no continuation lines, split at the first '='; ';' or '#' starts a comment at the line's
 * beginning or after a blank; double or single quotes around a value keep both; lines up to 64 KiB; a BOM is accepted;
 * CRLF too. */
#ifndef SFPROXY_CONF_INI_H
#define SFPROXY_CONF_INI_H

#include "base/str.h"

struct ini_item {
    struct str section, name, value; /* slices of the text; value without its quotes */
    unsigned line;                   /* from 1 */
};

struct ini_ops {
    /* Called per item. */
    void (*item)(void *arg, const struct ini_item *item);
    /* Called per line that is neither an item, a section, blank nor comment. */
    void (*problem)(void *arg, unsigned line, const char *sentence);
};

void ini_parse(struct str text, const struct ini_ops *ops, void *arg);

#endif
