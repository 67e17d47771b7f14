/* The page as HTML, from a snapshot. Pure; any thread. No JavaScript, no inline style, no secret. */
#ifndef SFPROXY_ADMIN_PAGE_H
#define SFPROXY_ADMIN_PAGE_H

#include "admin/browser.h"
#include "control/snapshot.h"

enum { PAGE_CAP = 8 * 1024 * 1024, PAGE_REQUESTS = 50, PAGE_REFRESH_S = 5 };

enum login_note { NOTE_NONE, NOTE_EMPTY, NOTE_WRONG, NOTE_BLOCKED };

struct page_view {
    const struct snapshot *snapshot;
    enum page_lang lang;
    bool refresh;                       /* the browser loads it again every PAGE_REFRESH_S */
    bool can_log_out;                   /* came in with a cookie */
    const char *style_tag, *script_tag; /* change with the files: makes them cacheable for ever */
};

void page_write(const struct page_view *v, struct buf *out);
void page_write_login(enum page_lang lang, enum login_note note, const char *style_tag, struct buf *out);

#endif
