#include "ui/tui/app.h"
void map_draw(struct app *a, struct rect r)
{
    (void)a, (void)r;
}
void map_move(struct app *a, int models)
{
    a->map_at += models;
}
