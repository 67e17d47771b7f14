/* Text by cells, not bytes: measuring, cutting and padding UTF-8 to an exact width, and short forms of numbers.
 * Pure; any thread. Widths are wcwidth()'s, so LC_CTYPE must be a UTF-8 locale for anything beyond ASCII. */
#ifndef SFPROXY_UI_TUI_TEXT_H
#define SFPROXY_UI_TUI_TEXT_H

#include "base/clock.h"

/* Decodes one character. Returns its bytes (0 at the end); a broken byte gives '?' and 1. Control characters, bidi
 * marks and U+FFFD come out as '?' too. */
size_t text_next(const char *s, uint32_t *cp);
/* Cells of a character: 0 (combining), 1 or 2. */
int text_cell(uint32_t cp);
int text_width(const char *s);
/* Writes exactly `width` cells: cut with ".." when too long, padded with blanks at the right (or left). Combining marks
 * are left out. `out` needs 4 * width + 1 bytes; with less the text is cut at a character's edge. */
void text_fit(char *out, size_t size, const char *s, int width, bool right);
/* Greatest prefix of s with at most `width` cells: its bytes; `cells` gets its width. */
size_t text_prefix(const char *s, int width, int *cells);

/* One line of a sentence that is broken at blanks (between Chinese characters anywhere): its bytes; `next` gets where
 * the following line begins. Makes progress at any width. */
size_t text_line(const char *s, int width, size_t *next);

/* Copies with every "sk-..." of 16 characters or more masked, as key_mask() does: nothing that could be a whole key is
 * echoed, drawn or saved. */
void text_mask_keys(char *out, size_t size, const char *s);

/* Appends to a terminated string, never beyond `size`. */
void text_add(char *out, size_t size, const char *s);
void text_addf(char *out, size_t size, const char *fmt, ...) PRINTF(3, 4);

struct num {
    char s[32];
};
struct num num_plain(uint64_t v);                      /* 61204 */
struct num num_grouped(uint64_t v);                    /* 61,204 */
struct num num_si(uint64_t v);                         /* 312, 1.2K, 148K, 38.2M */
struct num num_seconds(int64_t ms);                    /* 0.41, 12.3, 140; "?" when negative */
struct num num_span(int64_t ms);                       /* 43s, 12m, 3h, 2d: rounded up, for countdowns */
struct num num_uptime(int64_t s);                      /* 3d04h, 2h05m, 4m10s */
struct num num_money(int64_t micro);                   /* 12.40 */
struct num num_cost(int64_t micro);                    /* 0.0123, 1.24; "?" when negative */
struct num num_percent(uint64_t part, uint64_t whole); /* 0.6%, "-" of nothing */

#endif
