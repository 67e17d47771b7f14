#include "ui/tui/filter.h"

static bool contains(const char *text, struct str word)
{
    char needle[FILTER_MAX];
    str_copy(needle, sizeof needle, word);
    for (char *c = needle; *c; c++) *c = ascii_lower(*c);
    return str_icontains(str_of(text), needle);
}

bool filter_number(const char *text, double *out)
{
    static const struct {
        char unit;
        double factor;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'G', 1e9}, {'T', 1e12}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    while (*text == '<' || *text == '=' || *text == '~' || *text == ' ') text++;
    if (!ascii_digit(*text) && *text != '.') return false;
    *out = strtod(text, &end);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (*end == units[i].unit) *out *= units[i].factor;
    return end != text;
}

/* Where the operator stands behind a name of letters; 0 none. */
static size_t operator_at(struct str word)
{
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == ':' || c == '<' || c == '>') return i + 1 < word.n ? i : 0;
        if (!ascii_alnum(c) && c != '_' && c != '/') return 0;
    }
    return 0;
}

static bool word_holds(struct str word, const struct filter_source *row)
{
    char text[FILTER_TEXT], limit[FILTER_MAX];
    double have, want;
    size_t at = row->field ? operator_at(word) : 0;
    struct str name = {word.p, at}, value = {word.p + at + 1, at ? word.n - at - 1 : 0};
    if (!at || !row->field(row->arg, name, text, sizeof text)) return contains(row->text, word);
    if (word.p[at] == ':') return contains(text, value);
    str_copy(limit, sizeof limit, value);
    if (!filter_number(limit, &want)) return contains(row->text, word);
    if (!filter_number(text, &have)) return false;
    return word.p[at] == '>' ? have > want : have < want;
}

bool filter_matches_row(const char *filter, const struct filter_source *row)
{
    struct str rest = str_of(filter), word;
    while (str_split(&rest, ' ', &word)) {
        bool negative = word.n > 1 && word.p[0] == '!';
        if (negative) word.p++, word.n--;
        if (word.n && word_holds(word, row) == negative) return false;
    }
    return true;
}

bool filter_matches(const char *filter, const char *text)
{
    const struct filter_source row = {text, NULL, NULL};
    return filter_matches_row(filter, &row);
}
