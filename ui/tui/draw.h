/* The only way to put something on the screen: text with a cell budget, clipped to the screen. UI thread. */
#ifndef SFPROXY_UI_TUI_DRAW_H
#define SFPROXY_UI_TUI_DRAW_H

#include "base/buf.h"
#include "ui/tui/layout.h"
#include "ui/tui/theme.h"

struct canvas {
    int w, h;
    bool ascii; /* no byte above 127 reaches the terminal */
    bool plain; /* no symbols: the terminal draws them too wide */
};

void draw_begin(struct canvas *c); /* empties the picture, reads the size */
void draw_end(bool whole);         /* sends what changed; `whole` = everything, whatever the terminal shows */
/* At most `width` cells, cut with ".."; returns the cells used. */
int put(const struct canvas *c, int y, int x, int width, enum role role, const char *s);
/* Exactly `width` cells, padded. */
void put_pad(const struct canvas *c, int y, int x, int width, enum role role, const char *s);
void put_right(const struct canvas *c, int y, int x, int width, enum role role, const char *s);
/* Adds reverse video to what is already on these cells: the selected row. */
void put_reverse(const struct canvas *c, int y, int x, int width);
/* Painted section bar: title at the left, `right` at the right when it fits. */
void put_bar(const struct canvas *c, int y, int x, int w, const char *left, const char *right);
/* What the last frame showed, as text without blanks at the ends of its lines. */
void draw_read(const struct canvas *c, struct buf *out);
void put_cursor(const struct canvas *c, int y, int x, bool on);

#endif
