/* Colours as roles: a role x scheme table. Views name a role; the scheme follows from the terminal (256, 8 or no
 * colours), NO_COLOR and the theme option. UI thread. */
#ifndef SFPROXY_UI_TUI_THEME_H
#define SFPROXY_UI_TUI_THEME_H

#include "base/base.h"

enum role {
    ROLE_NORMAL,
    ROLE_DIM,
    ROLE_STRONG,
    ROLE_BRAND,
    ROLE_BAR,
    ROLE_BAR_DIM,
    ROLE_TAB,
    ROLE_TAB_ON,
    ROLE_HEAD,
    ROLE_KEY,
    ROLE_OK,
    ROLE_BUSY,
    ROLE_WARN,
    ROLE_BAD,
    ROLE_INFO,
    ROLE_OFF,
    ROLE_LIMITED,
    ROLE_RPM,
    ROLE_TPM,
    ROLE_RPD,
    ROLE_TPD,
    ROLE_PAUSED,
    ROLE_DIALOG,
    ROLE_COUNT
};

struct style {
    unsigned long attrs; /* attr_t */
    short pair;
};

/* After newterm(). `theme`: 0 auto, 1 dark, 2 light, 3 mono. */
void theme_start(int theme);
struct style theme_style(enum role role);

#endif
