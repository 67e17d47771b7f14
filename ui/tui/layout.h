/* Where everything goes: size + view -> rectangles. Pure; any thread. */
#ifndef SFPROXY_UI_TUI_LAYOUT_H
#define SFPROXY_UI_TUI_LAYOUT_H

#include "base/base.h"

struct rect {
    int y, x, h, w; /* h or w of 0: absent at this size */
};

enum view_id { VIEW_OVERVIEW, VIEW_KEYS, VIEW_MODELS, VIEW_REQUESTS, VIEW_LOG, VIEW_HELP, VIEW_FIRST, VIEW_COUNT };

enum size_class { SIZE_NANO, SIZE_MINI, SIZE_SMALL, SIZE_MEDIUM, SIZE_LARGE };

enum region {
    R_TABS,
    R_HEALTH,
    R_GRAPH_RPM,
    R_GRAPH_TPM,
    R_GRAPH_RPD,
    R_GRAPH_TPD,
    R_KEYS,
    R_ATTENTION,
    R_MODELS,
    R_REQUESTS,
    R_LOG,
    R_MAIN,   /* the table or text of a view that is not the Overview */
    R_SECOND, /* Models: the PAID list beside or below the FREE one */
    R_DETAIL,
    R_MESSAGE,
    R_HINTS,
    REGION_COUNT
};

enum { LAYOUT_MIN_W = 40, LAYOUT_MIN_H = 12 };

struct layout {
    enum size_class size;
    int w, h;
    struct rect at[REGION_COUNT];
};

struct layout_wish {
    bool detail;    /* a detail pane is open */
    bool zoom;      /* one part takes the whole body: the detail pane, the graphs of the Overview, one list of Models */
    int first_rows; /* rows the first of two stacked lists would like */
};
void layout_make(int w, int h, enum view_id view, const struct layout_wish *wish, struct layout *out);

#endif
