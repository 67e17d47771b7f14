/* Bar graphs as inline SVG: no script, no style attribute, so that the page's CSP stays as strict as it is. Pure. */
#ifndef SFPROXY_ADMIN_GRAPH_H
#define SFPROXY_ADMIN_GRAPH_H

#include "base/buf.h"

struct graph_sum {
    int64_t last, peak, low; /* -1: no data at all */
    size_t known;            /* bars with data */
};

/* Sums groups of `group` neighbours; a group without any data is -1 (no data is not zero). n must be a multiple. */
void graph_group(const int64_t *values, size_t n, size_t group, int64_t *out);
struct graph_sum graph_sum(const int64_t *bars, size_t n);
/* Appends <svg> with one bar each, oldest left. `label`: what a screen reader says, escaped here. */
void graph_svg(struct buf *out, const int64_t *bars, size_t n, const char *label);

#endif
