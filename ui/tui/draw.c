/* Drawing. Everything is written again every frame into curses' picture and curses sends the difference. A wide
 * character never starts in the last column, because every text was fitted to its cells first. */
#include "ui/tui/draw.h"

#include <curses.h>
#include <limits.h>

#include "ui/tui/text.h"

enum { LINE_BYTES = 4096 };

void draw_begin(struct canvas *c)
{
    erase();
    getmaxyx(stdscr, c->h, c->w);
}

void draw_end(bool whole)
{
    if (whole) clearok(curscr, TRUE);
    wnoutrefresh(stdscr);
    doupdate();
}

static uint32_t plain(uint32_t cp)
{
    static const struct {
        uint32_t from;
        char to;
    } ascii[] = {{0x2713, '+'}, {0x2717, 'x'}, {0x25B8, '>'}, {0x25BE, 'v'}, {0x25B4, '^'}, {0xA5, 'Y'}};
    if (cp < 0x7F) return cp;
    for (size_t i = 0; i < ARRAY_LEN(ascii); i++)
        if (ascii[i].from == cp) return (uint32_t)ascii[i].to;
    return cp >= 0x2800 && cp <= 0x28FF ? '#' : '?';
}

static void emit(const struct canvas *c, int y, int x, enum role role, const char *s)
{
    struct style st = theme_style(role);
    uint32_t cp;
    for (size_t n; (n = text_next(s, &cp)) > 0; s += n) {
        int w = text_cell(cp);
        if (c->ascii || (c->plain && cp >= 0x2000 && cp < 0x3000)) cp = plain(cp);
        if (x + w > c->w) return;
        wchar_t text[2] = {(wchar_t)cp, 0};
        cchar_t cell;
        setcchar(&cell, text, (attr_t)st.attrs, st.pair, NULL);
        mvadd_wch(y, x, &cell);
        if (c->ascii && w == 2) mvaddch(y, x + 1, '?');
        x += w;
    }
}

static bool clip(const struct canvas *c, int y, int x, int *width)
{
    if (y < 0 || y >= c->h || x < 0 || x >= c->w) return false;
    *width = MIN(*width, c->w - x);
    return *width > 0;
}

int put(const struct canvas *c, int y, int x, int width, enum role role, const char *s)
{
    char line[LINE_BYTES];
    if (!clip(c, y, x, &width)) return 0;
    int w = MIN(text_width(s), width);
    text_fit(line, sizeof line, s, w, false);
    emit(c, y, x, role, line);
    return w;
}

static void put_fit(const struct canvas *c, int y, int x, int width, enum role role, const char *s, bool right)
{
    char line[LINE_BYTES];
    if (!clip(c, y, x, &width)) return;
    text_fit(line, sizeof line, s, width, right);
    emit(c, y, x, role, line);
}

void put_pad(const struct canvas *c, int y, int x, int width, enum role role, const char *s)
{
    put_fit(c, y, x, width, role, s, false);
}

void put_right(const struct canvas *c, int y, int x, int width, enum role role, const char *s)
{
    put_fit(c, y, x, width, role, s, true);
}

void put_reverse(const struct canvas *c, int y, int x, int width)
{
    if (!clip(c, y, x, &width)) return;
    for (int i = 0; i < width; i++) {
        cchar_t cell;
        wchar_t text[CCHARW_MAX + 1];
        attr_t attrs;
        short pair;
        if (mvin_wch(y, x + i, &cell) == ERR || getcchar(&cell, text, &attrs, &pair, NULL) == ERR) continue;
        mvchgat(y, x + i, 1, attrs | A_REVERSE, pair, NULL);
    }
}

void put_bar(const struct canvas *c, int y, int x, int w, const char *left, const char *right)
{
    put_pad(c, y, x, w, ROLE_BAR, "");
    int used = put(c, y, x + 1, w - 2, ROLE_BAR, left), rw = text_width(right);
    if (rw > 0 && used + rw + 4 <= w) put(c, y, x + w - rw - 1, rw, ROLE_BAR_DIM, right);
}

static size_t read_cell(int y, int x, char utf8[MB_LEN_MAX + 1], int *w)
{
    cchar_t cell;
    wchar_t text[CCHARW_MAX + 1] = L" ";
    attr_t attrs;
    short pair;
    if (mvin_wch(y, x, &cell) == OK) (void)getcchar(&cell, text, &attrs, &pair, NULL);
    int n = wctomb(utf8, text[0]);
    *w = MAX(text_cell((uint32_t)text[0]), 1);
    if (n > 0) return (size_t)n;
    utf8[0] = '?';
    return 1;
}

void draw_read(const struct canvas *c, struct buf *out)
{
    char line[LINE_BYTES], cell[MB_LEN_MAX + 1];
    for (int y = 0; y < c->h; y++) {
        size_t n = 0, kept = 0;
        for (int x = 0, w = 1; x < c->w; x += w) {
            size_t len = read_cell(y, x, cell, &w);
            if (n + len >= sizeof line) break;
            memcpy(line + n, cell, len);
            n += len;
            if (cell[0] != ' ') kept = n;
        }
        buf_add(out, line, kept);
        buf_putc(out, '\n');
    }
}

void put_cursor(const struct canvas *c, int y, int x, bool on)
{
    leaveok(stdscr, on ? FALSE : TRUE);
    curs_set(on ? 1 : 0);
    if (on) move(MIN(MAX(y, 0), c->h - 1), MIN(MAX(x, 0), c->w - 1));
}
