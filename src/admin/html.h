/* Writing HTML onto a buffer. Every byte that is not ours goes through html_text(). Pure; any thread. */
#ifndef SFPROXY_ADMIN_HTML_H
#define SFPROXY_ADMIN_HTML_H

#include "base/buf.h"

/* Escapes & < > " ' (so it may stand in text and in quoted attributes) and replaces control, bidi and broken bytes.
 * Texts of more than 2 KiB are cut. */
void html_text(struct buf *out, const char *s);
/* The same, whole, without cleaning: for text of our own. */
void html_attribute(struct buf *out, struct str s);
/* "7", "999", "1.24K", "38.2M": at most three digits and a suffix. */
void html_count(struct buf *out, uint64_t n);
/* "412 ms", "3.2 s", "1m 20s", "2h 05m"; negative: "-". */
void html_ms(struct buf *out, int64_t ms);
/* Roughly, for ages and countdowns: "43s", "12m", "3h", "5d". */
void html_age(struct buf *out, int64_t seconds);
/* Millionths of CNY: "¥14.00". */
void html_money(struct buf *out, int64_t micro);

/* What stands for "{{name}}" in a template. */
struct html_slot {
    const char *name;
    void (*write)(struct buf *out, const void *arg);
};
/* Copies `tpl`; "{{=word}}" becomes word(arg, "word"), "{{name}}" what the slot writes. A name that is in neither is
 * our own bug. */
void html_fill(struct buf *out, struct str tpl, const struct html_slot *slots, size_t count,
               const char *(*word)(const void *arg, struct str name), const void *arg);

#endif
