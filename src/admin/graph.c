#include "admin/graph.h"

#include <inttypes.h>

#include "admin/html.h"

/* The picture is BAR units per bar wide and HEIGHT high and stretched by the stylesheet. */
enum { BAR = 10, GAP = 2, HEIGHT = 100, LEAST = 2 };

void graph_group(const int64_t *values, size_t n, size_t group, int64_t *out)
{
    for (size_t i = 0; i + group <= n; i += group) {
        int64_t sum = -1;
        for (size_t k = i; k < i + group; k++)
            if (values[k] >= 0) sum = (sum < 0 ? 0 : sum) + values[k];
        out[i / group] = sum;
    }
}

struct graph_sum graph_sum(const int64_t *bars, size_t n)
{
    struct graph_sum s = {-1, -1, -1, 0};
    for (size_t i = 0; i < n; i++) {
        if (bars[i] < 0) continue;
        s.known++;
        s.last = bars[i];
        s.peak = MAX(s.peak, bars[i]);
        s.low = s.low < 0 ? bars[i] : MIN(s.low, bars[i]);
    }
    return s;
}

/* No data: a full pale column. Zero: a thin line at the bottom. Anything else is at least as high as that line. */
static void draw_bar(struct buf *out, size_t i, int64_t value, int64_t peak)
{
    const char *class = value < 0 ? "none" : value == 0 ? "zero" : "bar";
    int64_t h = value < 0 ? HEIGHT : LEAST;
    if (value > 0) h = MAX((int64_t)((double)value / (double)peak * HEIGHT), LEAST + 1);
    buf_printf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%" PRId64 "\" width=\"%d\" height=\"%" PRId64 "\"/>", class,
               i * BAR, HEIGHT - h, value < 0 ? BAR : BAR - GAP, h);
}

void graph_svg(struct buf *out, const int64_t *bars, size_t n, const char *label)
{
    struct graph_sum s = graph_sum(bars, n);
    buf_printf(out, "<svg viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", n * BAR,
               HEIGHT);
    html_text(out, label);
    buf_puts(out, "\">");
    for (size_t i = 0; i < n; i++) draw_bar(out, i, bars[i], s.peak);
    buf_puts(out, "</svg>");
}
