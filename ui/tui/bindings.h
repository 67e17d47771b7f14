/* Every key of the screen, once. BINDING(scope, action, key, alias, label, hint, help): the table drives dispatch, the
 * line of valid keys (those with a hint, in this order) and the Help page. `scope` is a set of views. */
#ifndef SFPROXY_UI_TUI_BINDINGS_H
#define SFPROXY_UI_TUI_BINDINGS_H

#include "ui/tui/input.h"
#include "ui/tui/lang.h"
#include "ui/tui/layout.h"

enum {
    IN_OVERVIEW = 1 << VIEW_OVERVIEW,
    IN_KEYS = 1 << VIEW_KEYS,
    IN_MODELS = 1 << VIEW_MODELS,
    IN_REQUESTS = 1 << VIEW_REQUESTS,
    IN_LOG = 1 << VIEW_LOG,
    IN_HELP = 1 << VIEW_HELP,
    IN_FIRST = 1 << VIEW_FIRST,
    IN_ALL = (1 << VIEW_COUNT) - 1,
    IN_TABLES = IN_KEYS | IN_MODELS | IN_REQUESTS,
};

/* clang-format off */
#define BINDING_TABLE(B) \
    B(IN_FIRST | IN_OVERVIEW, ADD, 'a', 0, "a", HI_ADD, HE_ADD) \
    B(IN_OVERVIEW, WINDOW, 'w', 0, "w", HI_WINDOW, HE_WINDOW) \
    B(IN_KEYS, MARK, ' ', 0, "Spc", HI_MARK, HE_MARK) \
    B(IN_KEYS, TOGGLE, 'e', 0, "e", HI_ONOFF, HE_ONOFF) \
    B(IN_KEYS, TEST, 't', 0, "t", HI_TEST, HE_TEST) \
    B(IN_KEYS, TEST_ALL, 'T', 0, "T", HI_ALL, HE_TEST_ALL) \
    B(IN_KEYS, ADD, 'a', 0, "a", HI_ADD, HE_ADD) \
    B(IN_KEYS, DELETE, 'D', K_DELETE, "D", HI_DEL, HE_DEL) \
    B(IN_KEYS, RESET, 'r', 0, "r", HI_RESET, HE_RESET) \
    B(IN_KEYS, SORT, 's', 0, "s S", HI_SORT, HE_SORT) \
    B(IN_KEYS, FILTER, '/', 0, "/", HI_FILTER, HE_FILTER) \
    B(IN_KEYS, BALANCE, 'b', 0, "b", HI_BALANCE, HE_BALANCE) \
    B(IN_KEYS, LABEL, 'E', 0, "E", HI_LABEL, HE_LABEL) \
    B(IN_KEYS, TEST_BAD, 'B', 0, "B", HI_BAD, HE_TEST_BAD) \
    B(IN_KEYS, MARK_ALL, '*', 0, "*", NONE, HE_MARK_ALL) \
    B(IN_MODELS, BAN, 'b', 0, "b", HI_BAN, HE_BAN) \
    B(IN_MODELS, COST, 'f', 0, "f", HI_COST, HE_COST) \
    B(IN_MODELS, SWAP, K_TAB, K_BACKTAB, "Tab", HI_SWAP, HE_SWAP) \
    B(IN_REQUESTS, OPEN, K_ENTER, 'o', "Enter", HI_OPEN, HE_OPEN) \
    B(IN_REQUESTS, CANCEL, 'x', 0, "x", HI_CANCEL, HE_CANCEL) \
    B(IN_REQUESTS, LIVE_ONLY, 'f', 0, "f", HI_LIVE, HE_LIVE) \
    B(IN_REQUESTS, ERRORS_ONLY, 'e', 0, "e", HI_ERRORS, HE_ERRORS) \
    B(IN_REQUESTS | IN_LOG, FOLLOW, 'F', 0, "F", HI_FOLLOW, HE_FOLLOW) \
    B(IN_LOG, LEVEL, 'v', 0, "v", HI_LEVEL, HE_LEVEL) \
    B(IN_MODELS | IN_REQUESTS | IN_LOG | IN_HELP, FILTER, '/', 0, "/", HI_FILTER, HE_FILTER) \
    B(IN_MODELS | IN_REQUESTS, SORT, 's', 0, "s S", HI_SORT, HE_SORT) \
    B(IN_TABLES, SORT_BACK, 'S', 0, "S", NONE, NONE) \
    B(IN_OVERVIEW | IN_FIRST, COPY, 'c', 0, "c", HI_COPY_URL, HE_COPY) \
    B(IN_TABLES, COPY, 'c', 0, "c", HI_COPY, HE_COPY) \
    B(IN_OVERVIEW | IN_KEYS | IN_MODELS, OPEN, K_ENTER, 'o', "Enter", HI_OPEN, HE_OPEN) \
    B(IN_ALL, PAUSE, 'p', 0, "p", HI_PAUSE, HE_PAUSE) \
    B(IN_ALL, VIEW_NUMBER, '1', 0, "1-6", HI_TABS, HE_VIEW) \
    B(IN_ALL, VIEW_NUMBER, '2', '3', "", NONE, NONE) \
    B(IN_ALL, VIEW_NUMBER, '4', '5', "", NONE, NONE) \
    B(IN_ALL, VIEW_NUMBER, '6', 0, "", NONE, NONE) \
    B(IN_ALL, NEXT_VIEW, K_TAB, ']', "Tab ]", NONE, HE_NEXT) \
    B(IN_ALL, PREV_VIEW, K_BACKTAB, '[', "S-Tab [", NONE, NONE) \
    B(IN_ALL, UP, K_UP, 'k', "arrows hjkl", NONE, HE_MOVE) \
    B(IN_ALL, DOWN, K_DOWN, 'j', "", NONE, NONE) \
    B(IN_ALL, LEFT, K_LEFT, 'h', "", NONE, NONE) \
    B(IN_ALL, RIGHT, K_RIGHT, 'l', "", NONE, NONE) \
    B(IN_ALL, PAGE_UP, K_PAGE_UP, CTRL_KEY('b'), "PgUp PgDn ^b ^f ^u ^d", NONE, HE_PAGE) \
    B(IN_ALL, PAGE_DOWN, K_PAGE_DOWN, CTRL_KEY('f'), "", NONE, NONE) \
    B(IN_ALL, HALF_UP, CTRL_KEY('u'), 0, "", NONE, NONE) \
    B(IN_ALL, HALF_DOWN, CTRL_KEY('d'), 0, "", NONE, NONE) \
    B(IN_ALL, FIRST, K_HOME, 'g', "Home End g G", NONE, HE_ENDS) \
    B(IN_ALL, LAST, K_END, 'G', "", NONE, NONE) \
    B(IN_ALL, BACK, K_ESC, K_BACKSPACE, "Esc", NONE, HE_BACK) \
    B(IN_ALL, COMMAND, ':', 0, ":", HI_COMMAND, HE_COMMAND) \
    B(IN_ALL, UNDO, 'u', 0, "u", NONE, HE_UNDO) \
    B(IN_ALL, PRIVACY, 'P', 0, "P", HI_PRIVACY, HE_PRIVACY) \
    B(IN_ALL, MOUSE, 'm', 0, "m", HI_MOUSE, HE_MOUSE) \
    B(IN_ALL, LANGUAGE, 'L', 0, "L", HI_LANG, HE_LANG) \
    B(IN_ALL, REDRAW, CTRL_KEY('l'), K_F5, "^l F5", NONE, HE_REDRAW) \
    B(IN_ALL, HELP, '?', K_F1, "?", HI_HELP, HE_HELP) \
    B(IN_ALL, QUIT, 'q', K_F10, "q", HI_QUIT, HE_QUIT) \
    B(IN_ALL, INTERRUPT, CTRL_KEY('c'), 0, "^c ^c", NONE, HE_INTERRUPT) \
    B(IN_ALL, SUSPEND, CTRL_KEY('z'), 0, "^z ^z", NONE, HE_SUSPEND)
/* clang-format on */

/* The actions, each named by at least one binding. */
#define ACTION_TABLE(A)                                                                                                \
    A(NONE)                                                                                                            \
    A(ADD)                                                                                                             \
    A(WINDOW)                                                                                                          \
    A(MARK) A(MARK_ALL) A(TOGGLE) A(TEST) A(TEST_ALL) A(TEST_BAD) A(DELETE) A(RESET) A(BALANCE) A(LABEL) A(BAN)        \
        A(COST) A(SWAP) A(CANCEL) A(LIVE_ONLY) A(ERRORS_ONLY) A(FOLLOW) A(LEVEL) A(FILTER) A(SORT) A(SORT_BACK)        \
            A(COPY) A(OPEN) A(PAUSE) A(VIEW_NUMBER) A(NEXT_VIEW) A(PREV_VIEW) A(UP) A(DOWN) A(LEFT) A(RIGHT)           \
                A(PAGE_UP) A(PAGE_DOWN) A(HALF_UP) A(HALF_DOWN) A(FIRST) A(LAST) A(BACK) A(COMMAND) A(UNDO) A(PRIVACY) \
                    A(MOUSE) A(LANGUAGE) A(REDRAW) A(HELP) A(QUIT) A(INTERRUPT) A(SUSPEND)

enum action {
#define ACTION_ENUM(a) ACT_##a,
    ACTION_TABLE(ACTION_ENUM) ACT_COUNT
};

struct binding {
    unsigned scope;
    enum action action;
    uint32_t key, alias;
    const char *label;
    enum msg hint, help;
};

#define BINDING_ROW(scope, act, k, alt, label, hint, help)                                                             \
    {(scope), ACT_##act, (uint32_t)(k), (uint32_t)(alt), (label), MSG_##hint, MSG_##help},

static const struct binding bindings[] = {BINDING_TABLE(BINDING_ROW)};

/* The first binding of this key in this view, else NULL. */
static inline const struct binding *binding_find(enum view_id view, uint32_t key)
{
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
        const struct binding *b = &bindings[i];
        if ((b->scope & 1u << view) && (b->key == key || (b->alias && b->alias == key))) return b;
    }
    return NULL;
}

#endif
