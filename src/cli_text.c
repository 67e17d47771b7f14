#include "cli_text.h"

#include "base/mem.h"

static char *cell_at(const struct text_table *t, size_t row, size_t column)
{
    return t->cells[row * t->columns + column];
}

void text_table_init(struct text_table *t, const char *const *heads, size_t columns)
{
    *t = (struct text_table){.columns = columns};
    text_table_row(t);
    for (size_t i = 0; i < columns; i++) {
        t->right[i] = heads[i][0] == '>';
        text_table_set(t, 0, i, heads[i] + t->right[i]);
    }
}

size_t text_table_row(struct text_table *t)
{
    if (t->rows == t->room) {
        t->room = t->room ? t->room * 2 : 16;
        t->cells = xrealloc(t->cells, t->room * t->columns, sizeof *t->cells);
    }
    size_t row = t->rows++;
    for (size_t i = 0; i < t->columns; i++) str_copy(cell_at(t, row, i), TABLE_CELL, STR("-"));
    return row;
}

void text_table_set(struct text_table *t, size_t row, size_t column, const char *text)
{
    text_clean(str_of(*text ? text : "-"), cell_at(t, row, column), TABLE_CELL);
}

static bool is_wide(uint32_t cp)
{
    return (cp >= 0x1100 && cp <= 0x115F) || (cp >= 0x2E80 && cp <= 0xA4CF && cp != 0x303F) ||
           (cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0xFE30 && cp <= 0xFE6F) ||
           (cp >= 0xFF00 && cp <= 0xFF60) || (cp >= 0xFFE0 && cp <= 0xFFE6) || (cp >= 0x1F300 && cp <= 0x1FAFF) ||
           (cp >= 0x20000 && cp <= 0x3FFFD);
}

size_t text_cells(const char *s)
{
    size_t cells = 0;
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        size_t len = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
        uint32_t cp = len == 1 ? *p : *p & (0x7Fu >> len);
        size_t i = 1;
        for (; i < len && p[i]; i++) cp = cp << 6 | (p[i] & 0x3Fu);
        p += i;
        bool joins = (cp >= 0x300 && cp <= 0x36F) || (cp >= 0x200B && cp <= 0x200D) || (cp >= 0xFE00 && cp <= 0xFE0F);
        cells += joins ? 0 : is_wide(cp) ? 2 : 1;
    }
    return cells;
}

static void pad(struct buf *out, size_t n)
{
    while (n--) buf_putc(out, ' ');
}

static void write_row(const struct text_table *t, size_t row, const size_t *widths, struct buf *out)
{
    for (size_t i = 0; i < t->columns; i++) {
        const char *text = cell_at(t, row, i);
        size_t gap = widths[i] - text_cells(text);
        if (t->right[i]) pad(out, gap);
        buf_puts(out, text);
        if (i + 1 == t->columns) break;
        if (!t->right[i]) pad(out, gap);
        pad(out, 2);
    }
    buf_putc(out, '\n');
}

void text_table_write(const struct text_table *t, struct buf *out)
{
    size_t widths[TABLE_COLUMNS] = {0};
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->columns; i++) widths[i] = MAX(widths[i], text_cells(cell_at(t, r, i)));
    for (size_t r = 0; r < t->rows; r++) write_row(t, r, widths, out);
}

void text_table_free(struct text_table *t)
{
    free(t->cells);
    *t = (struct text_table){0};
}

void text_count(double n, char *out, size_t size)
{
    static const char suffix[] = " KMGTP";
    size_t i = 0;
    while (n >= 999.5 && i + 2 < sizeof suffix) n /= 1000, i++;
    if (i == 0)
        snprintf(out, size, "%.0f", n);
    else
        snprintf(out, size, "%.*f%c", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, suffix[i]);
}

void text_age(double seconds, char *out, size_t size)
{
    static const struct {
        double below, unit;
        char name;
    } steps[] = {{120, 1, 's'}, {7200, 60, 'm'}, {172800, 3600, 'h'}, {1e18, 86400, 'd'}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && seconds >= steps[i].below) i++;
    snprintf(out, size, "%lld%c", (long long)(MIN(MAX(seconds, 0), 1e15) / steps[i].unit), steps[i].name);
}

const char *json_text(const cJSON *o, const char *name, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

double json_number(const cJSON *o, const char *name, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

enum key_match key_find(const cJSON *keys, const char *what, const cJSON **found)
{
    const cJSON *k;
    size_t n = strlen(what), labels = 0, starts = 0;
    const cJSON *by_label = NULL, *by_start = NULL;
    if (!n) return KEY_MATCH_NONE;
    cJSON_ArrayForEach(k, keys)
    {
        const char *id = json_text(k, "id", ""), *label = json_text(k, "label", "");
        if (strcmp(id, what) == 0) {
            *found = k;
            return KEY_MATCH_ONE;
        }
        if (strcmp(label, what) == 0) by_label = k, labels++;
        if (n >= 3 && strncmp(id, what, n) == 0) by_start = k, starts++;
    }
    if (labels + starts > 1 && labels != 1) return KEY_MATCH_SEVERAL;
    *found = labels ? by_label : by_start;
    return *found ? KEY_MATCH_ONE : KEY_MATCH_NONE;
}
