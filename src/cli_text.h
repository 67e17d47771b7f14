/* Text for the subcommands' output: columns that line up also with Chinese labels, figures, and finding a key by what
 * the user typed. Pure. */
#ifndef SFPROXY_CLI_TEXT_H
#define SFPROXY_CLI_TEXT_H

#include <cjson/cJSON.h>

#include "base/buf.h"

enum { TABLE_COLUMNS = 12, TABLE_CELL = 96 };

struct text_table {
    size_t columns, rows, room;
    bool right[TABLE_COLUMNS];
    char (*cells)[TABLE_CELL]; /* row by row */
};

/* `heads`: column names, one starting with '>' is aligned right. */
void text_table_init(struct text_table *t, const char *const *heads, size_t columns);
/* Adds a row; cells are set with text_table_set() and are "-" until then. Returns the row's number. */
size_t text_table_row(struct text_table *t);
/* Foreign bytes are cleaned, long texts cut. */
void text_table_set(struct text_table *t, size_t row, size_t column, const char *text);
void text_table_write(const struct text_table *t, struct buf *out);
void text_table_free(struct text_table *t);

/* Terminal cells of valid UTF-8 text. */
size_t text_cells(const char *s);
/* "999", "1.24K", "38.2M". */
void text_count(double n, char *out, size_t size);
/* "43s", "12m", "3h", "5d". */
void text_age(double seconds, char *out, size_t size);

/* Members with defaults, whatever the type really is. */
const char *json_text(const cJSON *o, const char *name, const char *otherwise);
double json_number(const cJSON *o, const char *name, double otherwise);

enum key_match { KEY_MATCH_ONE, KEY_MATCH_NONE, KEY_MATCH_SEVERAL };
/* `what`: an id, a label, or the beginning (3 or more digits) of an id. `keys` is the array of the API. */
enum key_match key_find(const cJSON *keys, const char *what, const cJSON **found);

#endif
