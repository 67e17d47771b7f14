/* The pieces of the page that page.html leaves open. Each appends to `out`; pure. */
#ifndef SFPROXY_ADMIN_PAGE_PARTS_H
#define SFPROXY_ADMIN_PAGE_PARTS_H

#include "admin/html.h"
#include "admin/page.h"
#include "admin/words.h"

/* page_tables.c */
void part_keys(struct buf *out, const void *view);
void part_requests(struct buf *out, const void *view);
void part_models_free(struct buf *out, const void *view);
void part_models_paid(struct buf *out, const void *view);
void part_free_count(struct buf *out, const void *view);
void part_paid_count(struct buf *out, const void *view);

/* "<span class=tag ...>": symbol, then word. */
void part_tag(struct buf *out, const char *class, const char *symbol, const char *word);
void part_word(struct buf *out, const struct page_view *v, enum page_word w);
/* A breaker that is not closed; what it waits for, as ", next probe in 8s". */
bool part_is_down(const char *breaker);
void part_probe(struct buf *out, const struct page_view *v, const char *breaker, int64_t probe_ms);
/* The key's label, or its masked form. */
const char *part_key_name(const struct key_view *k);

#endif
