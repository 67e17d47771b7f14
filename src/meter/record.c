#include "meter/record.h"

static const struct {
    const char *name;
    bool is_error;
} ends[END_COUNT] = {
#define END_ROW(id, name, is_error) {name, is_error},
    END_TABLE(END_ROW)};

const char *end_name(enum end_reason r)
{
    return (unsigned)r < END_COUNT ? ends[r].name : "?";
}

bool end_is_error(enum end_reason r)
{
    return (unsigned)r < END_COUNT && ends[r].is_error;
}
