/* A list of rows with columns: choosing columns by priority, filter, sort, marks, scrolling, selection. The cursor
 * follows a row's identity, not its number; for 5 s after moving it the order stays as it was. UI thread. */
#ifndef SFPROXY_UI_TUI_WIDGET_TABLE_H
#define SFPROXY_UI_TUI_WIDGET_TABLE_H

#include "base/clock.h"
#include "ui/tui/bindings.h"
#include "ui/tui/draw.h"
#include "ui/tui/filter.h"

enum { CELL_MAX = 320, SORT_HOLD_MS = 5000, COLUMNS_MAX = 32 };

struct cell {
    char text[CELL_MAX];
    enum role role;
};

struct column {
    enum msg title;
    short width;    /* least cells */
    short flex;     /* takes what is left, up to this many more; 0 fixed */
    short nice;     /* columns of a priority above 5 make room for this width; 0 none */
    short priority; /* 1 = never dropped, the largest goes first */
    bool right;
    const char *field; /* its name in a filter and in the settings; NULL: cannot be hidden or asked for */
};

struct table_spec {
    const struct column *columns;
    size_t column_count;
    size_t (*count)(void *arg);
    const void *(*row)(void *arg, size_t i);
    uint64_t (*id)(const void *row);
    bool (*shown)(void *arg, const void *row); /* NULL: all */
    void (*cell)(void *arg, const void *row, size_t column, struct cell *out);
    /* Order of two rows by a column; NULL: rows stay as they come. */
    int (*compare)(void *arg, const void *a, const void *b, size_t column);
};

struct table {
    const struct table_spec *spec;
    void *arg;
    uint64_t selected; /* identity; 0 none yet */
    size_t at, top;    /* of the selection and the first visible row, in `order` */
    int page;          /* rows visible at the last drawing */
    struct rect rows;  /* where they were drawn, for the mouse */
    int sort;          /* column, -1 none */
    bool reverse, follow;
    bool touched; /* the cursor was moved; before that it rests on the first row */
    bool markable;
    mono_t hold_until;
    const void **order; /* arranged rows; valid until the next table_arrange() */
    uint64_t *ids;      /* their identities */
    size_t count, room, total;
    uint64_t *marks;
    size_t mark_count, mark_room;
    uint64_t range_from; /* where `v` began; 0 no range is open */
    uint32_t hidden;     /* columns the user does not want, one bit each */
    uint32_t drawn;      /* columns that had room at the last drawing */
    char filter[FILTER_MAX];
};

void table_init(struct table *t, const struct table_spec *spec, void *arg);
void table_free(struct table *t);
/* Once a frame, before anything else reads the table: filter, sort, find the selection again. */
void table_arrange(struct table *t, mono_t now);
/* Header and rows. `focused`: the selection is shown. */
void table_draw(struct table *t, const struct canvas *c, struct rect r, bool focused);
/* Says where the rows are drawn, and scrolls so that the cursor is among them. For views that draw the rows themselves.
 */
void table_place(struct table *t, struct rect rows);
bool table_shows_mark(const struct table *t, size_t i); /* of the i-th arranged row */
/* UP DOWN PAGE_* HALF_* FIRST LAST MARK MARK_ALL RANGE SORT SORT_BACK; false: not one of these. */
bool table_action(struct table *t, enum action a, mono_t now);
bool table_click(struct table *t, int y, int x, mono_t now); /* selects; false: outside */
void table_wheel(struct table *t, int rows, mono_t now);
const void *table_selected(const struct table *t); /* NULL: none */
bool table_is_marked(const struct table *t, uint64_t id);
void table_clear_marks(struct table *t);
const char *table_sort_name(const struct table *t); /* title of the column, "" none */

/* Rows between the beginning of an open range and the cursor count as marked. */
size_t table_marked(const struct table *t);
/* Hidden columns as "label,trend", and back; unknown names are ignored. */
void table_hidden_text(const struct table *t, char *out, size_t size);
void table_hide(struct table *t, const char *names);

/* Chooses columns for `w` cells: widths[i] = 0 leaves column i out, as do bits of `hidden`. Pure. */
void table_widths(const struct column *columns, size_t count, uint32_t hidden, int w, int *widths);

#endif
