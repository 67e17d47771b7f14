/* Every key of the screen, once. B(scope, action, key, alias, label, hint, help): the table drives dispatch, the line of
 * keys that are valid now (those with a hint, in this order), the Help page and docs/keys.md. `scope` is a set of views
 * and of modes: while something is asked, only the keys of that mode exist. */
#ifndef SFPROXY_UI_TUI_BINDINGS_H
#define SFPROXY_UI_TUI_BINDINGS_H

#include "ui/tui/input.h"
#include "ui/tui/lang.h"
#include "ui/tui/layout.h"

/* What is asked, as scopes behind the views. */
enum {
    MODE_LINE = VIEW_COUNT, /* filter, label, balance, file name */
    MODE_COMMAND,
    MODE_ADD,
    MODE_YES_NO,
    MODE_QUIT,
    MODE_COLUMNS,
    SCOPE_COUNT
};

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
    IN_LINE = 1 << MODE_LINE,
    IN_COMMAND = 1 << MODE_COMMAND,
    IN_ADD = 1 << MODE_ADD,
    IN_YES_NO = 1 << MODE_YES_NO,
    IN_QUIT = 1 << MODE_QUIT,
    IN_COLUMNS = 1 << MODE_COLUMNS,
    IN_TYPING = IN_LINE | IN_COMMAND | IN_ADD,
};

/* clang-format off */
#define BINDING_TABLE(B) \
    B(IN_ALL, UNDO, 'u', 0, "u", HI_UNDO, HE_UNDO) \
    B(IN_ALL, BACK, K_ESC, K_BACKSPACE, "Esc", HI_BACK, HE_BACK) \
    B(IN_FIRST | IN_OVERVIEW, ADD, 'a', 0, "a", HI_ADD, HE_ADD) \
    B(IN_OVERVIEW, WINDOW, 'w', 0, "w", HI_WINDOW, HE_WINDOW) \
    B(IN_KEYS, TOGGLE, 'e', 0, "e", HI_ONOFF, HE_ONOFF) \
    B(IN_KEYS, TEST, 't', 0, "t", HI_TEST, HE_TEST) \
    B(IN_KEYS, ADD, 'a', 0, "a", HI_ADD, HE_ADD) \
    B(IN_KEYS, FILTER, '/', 0, "/", HI_FILTER, HE_FILTER) \
    B(IN_KEYS, MARK, ' ', 0, "Spc", HI_MARK, HE_MARK) \
    B(IN_KEYS, MAP, 'H', 0, "H", HI_MAP, HE_MAP) \
    B(IN_KEYS, TEST_ALL, 'T', 0, "T", HI_ALL, HE_TEST_ALL) \
    B(IN_KEYS, GROUP, 'A', 0, "A", HI_GROUP, HE_GROUP) \
    B(IN_KEYS, DELETE, 'D', K_DELETE, "D", HI_DEL, HE_DEL) \
    B(IN_KEYS, RESET, 'r', 0, "r", HI_RESET, HE_RESET) \
    B(IN_KEYS, SORT, 's', 0, "s S", HI_SORT, HE_SORT) \
    B(IN_KEYS, TEST_BAD, 'B', 0, "B", HI_BAD, HE_TEST_BAD) \
    B(IN_KEYS, BALANCE, 'b', 0, "b", HI_BALANCE, HE_BALANCE) \
    B(IN_KEYS, LABEL, 'E', 0, "E", HI_LABEL, HE_LABEL) \
    B(IN_KEYS, RANGE, 'v', 0, "v", HI_RANGE, HE_RANGE) \
    B(IN_KEYS, MARK_ALL, '*', 0, "*", NONE, HE_MARK_ALL) \
    B(IN_MODELS, BAN, 'b', 0, "b", HI_BAN, HE_BAN) \
    B(IN_MODELS, COST, 'f', 0, "f", HI_COST, HE_COST) \
    B(IN_MODELS, SWAP, K_TAB, K_BACKTAB, "Tab", HI_SWAP, HE_SWAP) \
    B(IN_REQUESTS, OPEN, K_ENTER, 'o', "Enter", HI_OPEN, HE_OPEN) \
    B(IN_REQUESTS, CANCEL, 'x', 0, "x", HI_CANCEL, HE_CANCEL) \
    B(IN_MODELS | IN_REQUESTS | IN_LOG | IN_HELP, FILTER, '/', 0, "/", HI_FILTER, HE_FILTER) \
    B(IN_REQUESTS, LIVE_ONLY, 'f', 0, "f", HI_LIVE, HE_LIVE) \
    B(IN_REQUESTS, ERRORS_ONLY, 'e', 0, "e", HI_ERRORS, HE_ERRORS) \
    B(IN_REQUESTS | IN_LOG, FOLLOW, 'F', 0, "F", HI_FOLLOW, HE_FOLLOW) \
    B(IN_LOG, LEVEL, 'v', 0, "v", HI_LEVEL, HE_LEVEL) \
    B(IN_LOG, WRAP, 'w', 0, "w", HI_WRAP, HE_WRAP) \
    B(IN_MODELS | IN_REQUESTS, SORT, 's', 0, "s S", HI_SORT, HE_SORT) \
    B(IN_TABLES, SORT_BACK, 'S', 0, "S", NONE, NONE) \
    B(IN_OVERVIEW | IN_FIRST, COPY, 'c', 0, "c", HI_COPY_URL, HE_COPY) \
    B(IN_OVERVIEW | IN_KEYS | IN_MODELS, OPEN, K_ENTER, 'o', "Enter", HI_OPEN, HE_OPEN) \
    B(IN_TABLES | IN_OVERVIEW, ZOOM, 'z', 0, "z", HI_ZOOM, HE_ZOOM) \
    B(IN_TABLES, COLUMNS, 'C', 0, "C", HI_COLUMNS, HE_COLUMNS) \
    B(IN_TABLES, COPY, 'c', 0, "c", HI_COPY, HE_COPY) \
    B(IN_MODELS, REFRESH, 'r', 0, "r", HI_REFRESH, HE_REFRESH) \
    B(IN_ALL, PAUSE, 'p', 0, "p", HI_PAUSE, HE_PAUSE) \
    B(IN_ALL, VIEW_NUMBER, '1', 0, "1-6", HI_TABS, HE_VIEW) \
    B(IN_ALL, VIEW_NUMBER, '2', '3', "", NONE, NONE) \
    B(IN_ALL, VIEW_NUMBER, '4', '5', "", NONE, NONE) \
    B(IN_ALL, VIEW_NUMBER, '6', 0, "", NONE, NONE) \
    B(IN_ALL, NEXT_VIEW, K_TAB, ']', "Tab ]", NONE, HE_NEXT) \
    B(IN_ALL, PREV_VIEW, K_BACKTAB, '[', "S-Tab [", NONE, HE_PREV) \
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
    B(IN_ALL, COMMAND, ':', 0, ":", HI_COMMAND, HE_COMMAND) \
    B(IN_ALL, PRIVACY, 'P', 0, "P", HI_PRIVACY, HE_PRIVACY) \
    B(IN_ALL, MOUSE, 'm', 0, "m", HI_MOUSE, HE_MOUSE) \
    B(IN_ALL, LANGUAGE, 'L', 0, "L", HI_LANG, HE_LANG) \
    B(IN_ALL, REDRAW, CTRL_KEY('l'), K_F5, "^l F5", NONE, HE_REDRAW) \
    B(IN_ALL, HELP, '?', K_F1, "?", HI_HELP, HE_HELP) \
    B(IN_ALL, QUIT, 'q', K_F10, "q", HI_QUIT, HE_QUIT) \
    B(IN_ALL, INTERRUPT, CTRL_KEY('c'), 0, "^c ^c", NONE, HE_INTERRUPT) \
    B(IN_ALL, SUSPEND, CTRL_KEY('z'), 0, "^z ^z", NONE, HE_SUSPEND) \
    B(IN_ADD, ACCEPT, K_ENTER, 0, "Enter", HI_SAVE_TEST, HE_SAVE_TEST) \
    B(IN_LINE | IN_COMMAND, ACCEPT, K_ENTER, 0, "Enter", HI_ACCEPT, HE_ACCEPT) \
    B(IN_COMMAND, COMPLETE, K_TAB, 0, "Tab", HI_COMPLETE, HE_COMPLETE) \
    B(IN_TYPING, DISMISS, K_ESC, 0, "Esc", HI_DISMISS, HE_DISMISS) \
    B(IN_TYPING, CLEAR_LINE, CTRL_KEY('u'), 0, "^u", HI_CLEAR, HE_CLEAR) \
    B(IN_TYPING, ERASE, K_BACKSPACE, 0, "Backspace", NONE, HE_ERASE) \
    B(IN_YES_NO, YES, 'y', 0, "y", HI_YES, HE_YES) \
    B(IN_YES_NO, DISMISS, K_ESC, 'n', "Esc n", HI_NO, HE_NO) \
    B(IN_QUIT, DRAIN, 'd', 0, "d", HI_DRAIN, HE_DRAIN) \
    B(IN_QUIT, HIDE, 'h', 0, "h", HI_HIDE, HE_HIDE) \
    B(IN_QUIT, QUIT_NOW, 'Q', 0, "Q", HI_NOW, HE_NOW) \
    B(IN_QUIT, DISMISS, K_ESC, 'n', "Esc", HI_STAY, HE_STAY) \
    B(IN_QUIT, DISMISS, 'q', K_ENTER, "", NONE, NONE) \
    B(IN_COLUMNS, MARK, ' ', 0, "Spc", HI_SHOW, HE_COL_SHOW) \
    B(IN_COLUMNS, UP, K_UP, 'k', "arrows jk", HI_MOVE, HE_MOVE) \
    B(IN_COLUMNS, DOWN, K_DOWN, 'j', "", NONE, NONE) \
    B(IN_COLUMNS, RESET, 'r', 0, "r", HI_DEFAULT, HE_COL_DEFAULT) \
    B(IN_COLUMNS, DISMISS, K_ESC, K_ENTER, "Esc", HI_CLOSE, HE_COL_CLOSE) \
    B(IN_COLUMNS, DISMISS, 'C', 'q', "", NONE, NONE)
/* clang-format on */

/* The actions, each named by at least one binding. */
#define ACTION_TABLE(A)                                                                                                \
    A(NONE)                                                                                                            \
    A(ADD) A(WINDOW) A(MARK) A(MARK_ALL) A(RANGE) A(TOGGLE) A(TEST) A(TEST_ALL) A(TEST_BAD) A(DELETE) A(RESET)         \
        A(BALANCE) A(LABEL) A(MAP) A(GROUP) A(BAN) A(COST) A(SWAP) A(CANCEL) A(LIVE_ONLY) A(ERRORS_ONLY) A(FOLLOW)     \
            A(LEVEL) A(WRAP) A(FILTER) A(SORT) A(SORT_BACK) A(COPY) A(OPEN) A(ZOOM) A(COLUMNS) A(PAUSE) A(VIEW_NUMBER) \
                A(NEXT_VIEW) A(PREV_VIEW) A(UP) A(DOWN) A(LEFT) A(RIGHT) A(PAGE_UP) A(PAGE_DOWN) A(HALF_UP)            \
                    A(HALF_DOWN) A(FIRST) A(LAST) A(BACK) A(COMMAND) A(UNDO) A(PRIVACY) A(MOUSE) A(LANGUAGE) A(REDRAW) \
                        A(HELP) A(QUIT) A(INTERRUPT) A(SUSPEND) A(ACCEPT) A(DISMISS) A(COMPLETE) A(CLEAR_LINE)         \
                            A(ERASE) A(YES) A(DRAIN) A(HIDE) A(QUIT_NOW) A(REFRESH)

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

/* The first binding of this key in this view or mode, else NULL. */
static inline const struct binding *binding_find(int scope, uint32_t key)
{
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
        const struct binding *b = &bindings[i];
        if ((b->scope & 1u << scope) && (b->key == key || (b->alias && b->alias == key))) return b;
    }
    return NULL;
}

#endif
