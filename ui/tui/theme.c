/* Roles x schemes. The five state colours (69 ok, 136 warn, 199 bad, 134 info, 244 off) have a contrast of at least 3
 * on black, white and both Solarized grounds and stay apart for red-green blind eyes; the ground is always the
 * terminal's own. On 8 colours plain blue is never used for text. Without colours everything is bold, dim or reverse,
 * and no information is in the colour alone. */
#include "ui/tui/theme.h"

#include <curses.h>

struct paint {
    short fg256, bg256;
    unsigned long attrs256;
    short fg8;
    unsigned long attrs8, attrs_mono;
};

/* Attributes are written out: A_BOLD and so on are not constant expressions in every build of curses. */
#define ROLE_TABLE(P)                                                                                                  \
    P(ROLE_NORMAL, -1, -1, 0, -1, 0, 0)                                                                                \
    P(ROLE_DIM, 244, -1, 0, -1, A_DIM, A_DIM)                                                                          \
    P(ROLE_STRONG, -1, -1, A_BOLD, -1, A_BOLD, A_BOLD)                                                                 \
    P(ROLE_BRAND, 69, -1, A_BOLD, COLOR_CYAN, A_BOLD, A_BOLD)                                                          \
    P(ROLE_BAR, 231, 24, A_BOLD, -1, A_REVERSE, A_REVERSE)                                                             \
    P(ROLE_BAR_DIM, 153, 24, 0, -1, A_REVERSE, A_REVERSE)                                                              \
    P(ROLE_TAB, 244, -1, 0, -1, 0, 0)                                                                                  \
    P(ROLE_TAB_ON, 231, 25, A_BOLD, -1, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD)                                        \
    P(ROLE_HEAD, 244, -1, A_UNDERLINE, -1, A_UNDERLINE, A_UNDERLINE)                                                   \
    P(ROLE_KEY, 69, -1, A_BOLD, COLOR_CYAN, A_BOLD, A_BOLD)                                                            \
    P(ROLE_OK, 69, -1, 0, COLOR_CYAN, 0, 0)                                                                            \
    P(ROLE_BUSY, 69, -1, A_BOLD, COLOR_CYAN, A_BOLD, A_BOLD)                                                           \
    P(ROLE_WARN, 136, -1, 0, COLOR_YELLOW, 0, 0)                                                                       \
    P(ROLE_BAD, 199, -1, A_BOLD, COLOR_RED, A_BOLD, A_REVERSE)                                                         \
    P(ROLE_INFO, 134, -1, 0, COLOR_MAGENTA, 0, 0)                                                                      \
    P(ROLE_OFF, 244, -1, 0, -1, A_DIM, A_DIM)                                                                          \
    P(ROLE_LIMITED, 136, -1, A_REVERSE, COLOR_YELLOW, A_REVERSE, A_REVERSE)                                            \
    P(ROLE_RPM, 69, -1, 0, COLOR_CYAN, 0, 0)                                                                           \
    P(ROLE_TPM, 134, -1, 0, COLOR_MAGENTA, 0, 0)                                                                       \
    P(ROLE_RPD, 30, -1, 0, COLOR_GREEN, 0, 0)                                                                          \
    P(ROLE_TPD, 136, -1, 0, COLOR_YELLOW, 0, 0)                                                                        \
    P(ROLE_PAUSED, 231, 130, A_BOLD, COLOR_YELLOW, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD)                             \
    P(ROLE_DIALOG, -1, -1, A_BOLD, -1, A_BOLD, A_BOLD)

static const struct paint paints[ROLE_COUNT] = {
#define PAINT(role, fg, bg, attrs, fg8, attrs8, mono) [role] = {fg, bg, attrs, fg8, attrs8, mono},
    ROLE_TABLE(PAINT)};

/* Bars on a light ground: dark text on a pale band. */
static const struct {
    enum role role;
    short fg, bg;
} light[] = {{ROLE_BAR, 16, 153}, {ROLE_BAR_DIM, 24, 153}, {ROLE_TAB_ON, 231, 25}, {ROLE_PAUSED, 16, 222}};

/* Of the UI thread; set once by theme_start(). */
static struct style styles[ROLE_COUNT];

static void use_pair(enum role role, short fg, short bg)
{
    short pair = (short)(role + 1);
    if (fg < 0 && bg < 0) return;
    if (init_pair(pair, fg, bg) == OK) styles[role].pair = pair;
}

void theme_start(int theme)
{
    const char *no_color = getenv("NO_COLOR");
    bool colours = theme != 3 && !(no_color && *no_color) && has_colors() && start_color() == OK;
    bool own_ground = colours && use_default_colors() == OK;
    for (int r = 0; r < ROLE_COUNT; r++) {
        const struct paint *p = &paints[r];
        bool rich = colours && COLORS >= 256;
        styles[r] = (struct style){rich ? p->attrs256 : colours ? p->attrs8 : p->attrs_mono, 0};
        if (!colours || !own_ground) continue;
        use_pair((enum role)r, rich ? p->fg256 : p->fg8, rich ? p->bg256 : -1);
    }
    if (theme != 2 || !colours || COLORS < 256) return;
    for (size_t i = 0; i < ARRAY_LEN(light); i++) use_pair(light[i].role, light[i].fg, light[i].bg);
}

struct style theme_style(enum role role)
{
    return styles[role];
}
