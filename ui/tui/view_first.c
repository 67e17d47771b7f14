/* The page of the first start: no key anywhere. It says what to do, in three steps. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

static void say(struct app *a, struct rect *r, const char *mark, enum role role, const char *text)
{
    if (r->h < 1) return;
    put(&a->canvas, r->y, r->x, 2, ROLE_KEY, mark);
    struct rect body = {r->y, r->x + 2, r->h, r->w - 3};
    view_wrap(a, &body, role, text);
    r->y = body.y;
    r->h = body.h;
}

static void gap(struct rect *r, bool airy)
{
    if (!airy || r->h < 1) return;
    r->y++;
    r->h--;
}

static void draw(struct app *a)
{
    char line[700];
    struct rect r = app_rect(a, R_MAIN);
    bool airy = r.h >= 16;
    if (r.h < 1) return;
    int indent = r.w >= 80 ? 6 : 1;
    r.x += indent;
    r.w -= indent;
    gap(&r, airy);
    say(a, &r, "", ROLE_BRAND, tr(MSG_F_WELCOME));
    say(a, &r, "", ROLE_DIM, tr(MSG_F_SERVING));
    gap(&r, airy);
    say(a, &r, "1", ROLE_STRONG, tr(MSG_F_PASTE));
    tr_with(line, sizeof line, MSG_F_KEPT, a->privacy ? "****" : a->snap->state_dir, NULL);
    say(a, &r, "", ROLE_DIM, line);
    gap(&r, airy);
    tr_with(line, sizeof line, MSG_F_FILE,
            a->privacy              ? "****"
            : a->snap->conf_path[0] ? a->snap->conf_path
                                    : "sfproxy.conf",
            NULL);
    say(a, &r, "2", ROLE_NORMAL, line);
    gap(&r, airy);
    say(a, &r, "3", ROLE_NORMAL, tr(MSG_F_CLIENT));
    snprintf(line, sizeof line, "    %s", a->snap->base_url);
    say(a, &r, "", ROLE_STRONG, line);
    gap(&r, airy);
    say(a, &r, "", ROLE_DIM, tr(MSG_F_GET));
}

static bool act(struct app *a, enum action action)
{
    if (action == ACT_ADD) keys_act_add(a);
    if (action == ACT_COPY && a->snap) app_copy(a, a->snap->base_url);
    return action == ACT_ADD || action == ACT_COPY;
}

const struct view_ops view_first = {MSG_OVERVIEW, draw, act, NULL, NULL};
