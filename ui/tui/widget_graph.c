/* Graphs. Numbers on them must be true: a peak of one bucket in 24 hours survives any width because a slot shows the
 * maximum of its samples, and "no data" is a gap while "no traffic" is the base line. */
#include "ui/tui/widget_graph.h"

void graph_spread(const int64_t *in, size_t n, int64_t *out, size_t slots)
{
    for (size_t i = 0; i < slots; i++) {
        size_t from = n * i / slots, to = n * (i + 1) / slots;
        if (to <= from) to = from + 1;
        out[i] = -1;
        for (size_t k = from; k < to && k < n; k++) out[i] = MAX(out[i], in[k]);
    }
}

static int64_t sum(const int64_t *in, size_t n)
{
    int64_t total = -1;
    for (size_t i = 0; i < n; i++)
        if (in[i] >= 0) total = MAX(total, 0) + in[i];
    return total;
}

size_t graph_sliding(const int64_t *in, size_t n, size_t per_minute, int64_t *out)
{
    if (n < per_minute || per_minute == 0) return 0;
    size_t count = n - per_minute + 1;
    for (size_t i = 0; i < count; i++) out[i] = in[i + per_minute - 1] < 0 ? -1 : sum(in + i, per_minute);
    return count;
}

size_t graph_grouped(const int64_t *in, size_t n, size_t group, int64_t *out)
{
    size_t count = n / group, skip = n - count * group;
    for (size_t i = 0; i < count; i++) out[i] = sum(in + skip + i * group, group);
    return count;
}

int64_t graph_peak(const int64_t *in, size_t n)
{
    int64_t peak = 0;
    for (size_t i = 0; i < n; i++) peak = MAX(peak, in[i]);
    return peak;
}

int graph_level(int64_t v, int64_t max, int dots)
{
    if (v < 0) return 0;
    if (v == 0 || max <= 0) return 1;
    if (v >= max) return dots;
    int level = (int)((double)v * dots / (double)max + 0.5);
    return MIN(MAX(level, MIN(2, dots)), dots);
}

/* One braille cell from two columns of 0..4 dots, bottom aligned. A blank is a space, for clean copies. */
static const char *braille(int left, int right, char out[4])
{
    static const unsigned char l[5] = {0, 0x40, 0x44, 0x46, 0x47}, r[5] = {0, 0x80, 0xA0, 0xB0, 0xB8};
    unsigned bits = (unsigned)(l[left] | r[right]);
    if (!bits) return " ";
    out[0] = (char)0xE2;
    out[1] = (char)(0xA0 | bits >> 6);
    out[2] = (char)(0x80 | (bits & 0x3F));
    out[3] = '\0';
    return out;
}

static int dots_in_row(int64_t v, int64_t max, int rows, int row)
{
    int below = (rows - 1 - row) * 4, level = graph_level(v, max, rows * 4) - below;
    return MIN(MAX(level, 0), 4);
}

void graph_row(const int64_t *slots, size_t count, int64_t max, int rows, int row, bool ascii, char *out, size_t size)
{
    size_t o = 0, step = ascii ? 1 : 2;
    out[0] = '\0';
    for (size_t i = 0; i + step <= count; i += step) {
        char cell[4] = {" .:|#"[dots_in_row(slots[i], max, rows, row)], '\0'};
        const char *text =
            ascii ? cell
                  : braille(dots_in_row(slots[i], max, rows, row), dots_in_row(slots[i + 1], max, rows, row), cell);
        size_t n = strlen(text);
        if (o + n >= size) return;
        memcpy(out + o, text, n + 1);
        o += n;
    }
}

void graph_bars(const int64_t *in, size_t n, int64_t *out, size_t slots)
{
    size_t pitch = n ? slots / n : 0;
    if (pitch < 2) {
        graph_spread(in, n, out, slots);
        return;
    }
    size_t used = pitch * n, lead = slots - used;
    for (size_t i = 0; i < slots; i++) {
        size_t k = i < lead ? 0 : i - lead;
        bool gap = i < lead || k % pitch == pitch - 1;
        out[i] = gap ? -1 : in[k / pitch];
    }
}
