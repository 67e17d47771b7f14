/* The screen's two languages, compiled in. The current language belongs to the UI thread. */
#ifndef SFPROXY_UI_TUI_LANG_H
#define SFPROXY_UI_TUI_LANG_H

#include "base/base.h"
#include "ui/tui/lang_table.h"

enum lang { LANG_EN, LANG_ZH, LANG_COUNT };

enum msg {
#define LANG_ENUM(id, cells, en, zh) MSG_##id,
    LANG_TABLE(LANG_ENUM) MSG_COUNT
};

/* From LC_ALL, LC_MESSAGES, LANG: the first that is set; "zh..." is Chinese. */
enum lang lang_of_environment(void);
void lang_set(enum lang l);
enum lang lang_now(void);
const char *tr(enum msg m);
const char *lang_text(enum msg m, enum lang l);
int lang_cells(enum msg m); /* the slot's width, 0 none */
/* Fills "{0}" .. "{9}" of the message with the strings that follow; end them with NULL. Returns `out`. */
const char *tr_with(char *out, size_t size, enum msg m, ...) __attribute__((sentinel));

#endif
