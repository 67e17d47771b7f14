#include "control/command.h"

#include "base/mem.h"

static const struct {
    const char *name;
    bool changes;
} commands[CMD_COUNT] = {
#define COMMAND_ROW(id, name, changes) {name, changes},
    COMMAND_TABLE(COMMAND_ROW)};

const char *command_name(enum command_kind k)
{
    return (unsigned)k < CMD_COUNT ? commands[k].name : "?";
}

bool command_changes(enum command_kind k)
{
    return (unsigned)k < CMD_COUNT && commands[k].changes;
}

struct command *command_new(enum command_kind kind)
{
    struct command *c = xcalloc(1, sizeof *c);
    c->kind = kind;
    return c;
}

void command_free(struct command *c)
{
    if (!c) return;
    free_secret(c->text);
    free(c);
}
