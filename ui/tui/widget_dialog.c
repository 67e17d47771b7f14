/* Dialogs: one box of ASCII in the middle. What their keys do stands in widget_prompt.c. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

void dialog_box(struct app *a, const char *const *lines, size_t count)
{
    int w = MIN(62, a->lay.w), h = MIN((int)count + 2, a->lay.h);
    int x = (a->lay.w - w) / 2, y = MAX((a->lay.h - h) / 2, 0);
    char edge[80];
    memset(edge, '-', sizeof edge);
    edge[0] = edge[w - 1] = '+';
    edge[w] = '\0';
    for (int i = 0; i < h; i++) {
        bool end = i == 0 || i == h - 1;
        put_pad(&a->canvas, y + i, x, w, ROLE_DIALOG, end ? edge : "|");
        if (end) continue;
        put(&a->canvas, y + i, x + w - 1, 1, ROLE_DIALOG, "|");
        put(&a->canvas, y + i, x + 2, w - 4, i == 1 ? ROLE_DIALOG : ROLE_NORMAL, lines[i - 1]);
    }
}

void prompt_draw_quit(struct app *a)
{
    char stops[160], now[160];
    struct num n = num_plain(a->snap ? a->snap->in_flight : 0);
    tr_with(stops, sizeof stops, MSG_Q_QUIT_STOPS, n.s, NULL);
    tr_with(now, sizeof now, MSG_Q_NOW, n.s, NULL);
    const char *const wide[] = {tr(MSG_Q_QUIT), "", stops, "", tr(MSG_Q_DRAIN), tr(MSG_Q_HIDE), now, "", tr(MSG_Q_ESC)};
    const char *const small[] = {tr(MSG_Q_QUIT), stops, tr(MSG_Q_DRAIN), tr(MSG_Q_HIDE), now, tr(MSG_Q_ESC)};
    if (a->lay.h >= 14)
        dialog_box(a, wide, ARRAY_LEN(wide));
    else
        dialog_box(a, small, ARRAY_LEN(small));
}

void prompt_draw_delete(struct app *a)
{
    enum { SHOWN = 4 };
    const struct key_view *keys[SHOWN];
    char rows[SHOWN][200];
    const char *lines[SHOWN + 6];
    size_t n = keys_chosen(a, keys, SHOWN), o = 0;
    lines[o++] = a->prompt.title;
    lines[o++] = "";
    for (size_t i = 0; i < n; i++) {
        char name[64], balance[40];
        view_balance(a, view_find_key(a, keys[i]->id), balance, sizeof balance);
        view_key_name(a, keys[i]->id, name, sizeof name);
        snprintf(rows[i], sizeof rows[i], "  %s  %s  %s  %s", name, tr(view_class_word(keys[i]->class)), balance,
                 a->privacy ? "" : keys[i]->label);
        lines[o++] = rows[i];
    }
    lines[o++] = tr(MSG_Q_DELETE_KEPT);
    lines[o++] = "";
    lines[o++] = tr(MSG_Q_DELETE_YES);
    dialog_box(a, lines, o);
}
