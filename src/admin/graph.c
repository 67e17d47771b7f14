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

static void rect(struct buf *out, const char *class, size_t x, size_t width, int64_t height)
{
    buf_printf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%" PRId64 "\" width=\"%zu\" height=\"%" PRId64 "\"/>", class, x,
               HEIGHT - height, width, height);
}

/* No data: one pale field as high as the picture. Zero: a thin line. Anything else is higher than that line. Returns
 * how many bars were drawn. */
static size_t draw(struct buf *out, const int64_t *bars, size_t i, size_t n, int64_t peak)
{
    size_t none = 0;
    while (i + none < n && bars[i + none] < 0) none++;
    if (none) {
        rect(out, "none", i * BAR, none * BAR, HEIGHT);
        return none;
    }
    if (bars[i] == 0)
        rect(out, "zero", i * BAR, BAR - GAP, LEAST);
    else
        rect(out, "bar", i * BAR, BAR - GAP, MAX((int64_t)((double)bars[i] / (double)peak * HEIGHT), LEAST + 1));
    return 1;
}

void graph_svg(struct buf *out, const int64_t *bars, size_t n, const char *label)
{
    struct graph_sum s = graph_sum(bars, n);
    buf_printf(out, "<svg viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", n * BAR,
               HEIGHT);
    html_text(out, label);
    buf_puts(out, "\">");
    for (size_t i = 0; i < n;) i += draw(out, bars, i, n, s.peak);
    buf_puts(out, "</svg>");
}
