/* Graphs of dots: down-sampling that keeps peaks, levels, and rows of braille (2 x 4 dots a cell) or ASCII. Pure. */
#ifndef SFPROXY_UI_TUI_WIDGET_GRAPH_H
#define SFPROXY_UI_TUI_WIDGET_GRAPH_H

#include "base/base.h"

enum { GRAPH_SLOTS_MAX = 1024 };

/* Spreads n samples over `slots`, newest at the right: the maximum of the samples that fall into one slot; repeated
 * when there are fewer samples than slots. -1 = no data; a slot with some data shows it. */
void graph_spread(const int64_t *in, size_t n, int64_t *out, size_t slots);
/* Per-minute rates from buckets: the sum of `per_minute` neighbours ending at each bucket; writes n - per_minute + 1
 * values (0 when n is smaller) and returns how many. All-missing sums are -1. */
size_t graph_sliding(const int64_t *in, size_t n, size_t per_minute, int64_t *out);
/* Sums groups of `group` buckets, newest last; returns how many. */
size_t graph_grouped(const int64_t *in, size_t n, size_t group, int64_t *out);
int64_t graph_peak(const int64_t *in, size_t n); /* 0 when there is no data */
/* Dots of a value on a scale of `dots`: 0 no data, 1 zero (the base line), 2.. anything else. */
int graph_level(int64_t v, int64_t max, int dots);
/* One text row of a graph `rows` high; row 0 is the top. Braille takes two slots a cell, ASCII one. */
void graph_row(const int64_t *slots, size_t count, int64_t max, int rows, int row, bool ascii, char *out, size_t size);
/* Values as bars with a gap between: fills `slots` from n bars (slots that are gaps get -1). */
void graph_bars(const int64_t *in, size_t n, int64_t *out, size_t slots);

#endif
