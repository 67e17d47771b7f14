/* Options by table: each row of options.h becomes a struct option with its field's offset, and one function per type
 * turns text into the field's value. Defaults take the same way as the file's text, so that a default out of its own
 * range cannot be shipped unnoticed. */
#include "conf/settings.h"

#include "base/check.h"
#include "base/mem.h"

/* The table's bare words. `min` is a number for every type but CHOICE, where it holds the words. */
enum { SECRET = 1, RESTART = 2 };
#define NUMBERS(lo, hi)        .min = (lo), .max = (hi)
#define WORDS(lo, hi)          .words = (lo)
#define RANGE_TEXT(lo, hi)     NUMBERS(lo, hi)
#define RANGE_LIST(lo, hi)     NUMBERS(lo, hi)
#define RANGE_NUMBER(lo, hi)   NUMBERS(lo, hi)
#define RANGE_SIZE(lo, hi)     NUMBERS(lo, hi)
#define RANGE_DURATION(lo, hi) NUMBERS(lo, hi)
#define RANGE_FLAG(lo, hi)     NUMBERS(lo, hi)
#define RANGE_CHOICE(lo, hi)   WORDS(lo, hi)

#define ROW(sect, nam, typ, def, lo, hi, flags, text)                                                                  \
    {.section = #sect,                                                                                                 \
     .name = #nam,                                                                                                     \
     .type = OPTION_##typ,                                                                                             \
     .default_text = (def),                                                                                            \
     RANGE_##typ(lo, hi),                                                                                              \
     .is_secret = ((flags)&SECRET) != 0,                                                                               \
     .needs_restart = ((flags)&RESTART) != 0,                                                                          \
     .help = (text),                                                                                                   \
     .offset = offsetof(struct conf, sect##_##nam)},
static const struct option options[OPTION_COUNT] = {OPTION_TABLE(ROW)};

const struct option *option_at(size_t index)
{
    BUG_ON(index >= OPTION_COUNT);
    return &options[index];
}

size_t option_find(struct str section, struct str name)
{
    size_t i = 0;
    while (i < OPTION_COUNT && !(str_is(section, options[i].section) && str_is(name, options[i].name))) i++;
    return i;
}

static void *field(struct conf *c, const struct option *o)
{
    return (char *)c + o->offset;
}

char **option_text(struct conf *c, const struct option *o)
{
    BUG_ON(o->type != OPTION_TEXT);
    return field(c, o);
}

struct text_list *option_list(struct conf *c, const struct option *o)
{
    BUG_ON(o->type != OPTION_LIST);
    return field(c, o);
}

void text_list_add(struct text_list *list, struct str item)
{
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = str_dup(item);
}

bool text_list_has(const struct text_list *list, struct str item)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_is(item, list->items[i])) return true;
    return false;
}

void text_list_free(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
    *list = (struct text_list){NULL, 0};
}

bool text_is_clean(struct str s)
{
    char *copy = xmalloc(s.n + 1);
    size_t n = text_clean(s, copy, s.n + 1);
    bool same = n == s.n && (n == 0 || memcmp(copy, s.p, n) == 0);
    wipe(copy, s.n + 1);
    free(copy);
    return same;
}

/* Writes a number in the largest unit that divides it. */
static void write_in_units(struct buf *out, enum option_type type, int64_t v)
{
    static const struct unit {
        enum option_type type;
        int64_t size;
        const char *suffix;
    } units[] = {{OPTION_SIZE, 1 << 30, "G"},      {OPTION_SIZE, 1 << 20, "M"},     {OPTION_SIZE, 1 << 10, "K"},
                 {OPTION_DURATION, 86400000, "d"}, {OPTION_DURATION, 3600000, "h"}, {OPTION_DURATION, 60000, "m"},
                 {OPTION_DURATION, 1000, "s"},     {OPTION_DURATION, 1, "ms"}};
    for (size_t i = 0; v != 0 && i < ARRAY_LEN(units); i++) {
        if (units[i].type != type || v % units[i].size) continue;
        buf_printf(out, "%lld%s", (long long)(v / units[i].size), units[i].suffix);
        return;
    }
    buf_printf(out, "%lld", (long long)v);
}

/* "must be X, not "text"". The text is left out when it is or may be a secret. */
static bool refuse(const struct option *o, struct str text, const char *expected, struct buf *why)
{
    char shown[64];
    text_clean(text, shown, sizeof shown);
    buf_printf(why, "must be %s", expected);
    if (!o->is_secret && !str_icontains(text, "sk-")) buf_printf(why, ", not \"%s\"", shown);
    return false;
}

static bool in_range(const struct option *o, int64_t v, struct buf *why)
{
    if (v >= o->min && v <= o->max) return true;
    buf_puts(why, "must be from ");
    write_in_units(why, o->type, o->min);
    buf_puts(why, " to ");
    write_in_units(why, o->type, o->max);
    buf_puts(why, ", not ");
    write_in_units(why, o->type, v);
    return false;
}

static bool set_number(void *at, const struct option *o, struct str text, struct buf *why)
{
    static const char *const expected[] = {
        [OPTION_NUMBER] = "a whole number",
        [OPTION_SIZE] = "a size such as 64K or 32M",
        [OPTION_DURATION] = "a duration such as 500ms, 30s, 20m, 1h or 7d",
    };
    uint64_t u = 0;
    int64_t v = 0;
    bool is_auto = o == &options[OPTION_AT_server_workers] && str_is(text, "auto");
    bool ok = is_auto || (o->type == OPTION_DURATION ? str_duration_ms(text, &v)
                          : o->type == OPTION_SIZE   ? str_size(text, &u)
                                                     : str_u64(text, &u));
    if (!ok) return refuse(o, text, expected[o->type], why);
    if (o->type != OPTION_DURATION) v = (int64_t)MIN(u, (uint64_t)INT64_MAX);
    if (!in_range(o, v, why)) return false;
    *(int64_t *)at = v;
    return true;
}

static bool set_text(void *at, const struct option *o, struct str text, struct buf *why)
{
    char **to = at;
    if (!text_is_clean(text)) {
        buf_puts(why, "must be UTF-8 text without control characters");
        return false;
    }
    if ((int64_t)text.n < o->min || (int64_t)text.n > o->max) {
        buf_printf(why, "must be from %lld to %lld bytes long", (long long)o->min, (long long)o->max);
        return false;
    }
    free_secret(*to);
    *to = str_dup(text);
    return true;
}

static bool set_list(void *at, const struct option *o, struct str text, struct buf *why)
{
    struct text_list list = {NULL, 0};
    struct str part;
    bool ok = text_is_clean(text);
    while (str_split(&text, ',', &part)) {
        part = str_trim(part);
        if (part.n) text_list_add(&list, part);
    }
    if (!ok) {
        buf_puts(why, "must be UTF-8 text without control characters");
    } else if ((int64_t)list.count < o->min || (int64_t)list.count > o->max) {
        buf_printf(why, "must have from %lld to %lld entries", (long long)o->min, (long long)o->max);
        ok = false;
    }
    struct text_list *to = at;
    text_list_free(ok ? to : &list);
    if (ok) *to = list;
    return ok;
}

static bool set_flag(void *at, const struct option *o, struct str text, struct buf *why)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_ieq(text, str_of(words[i]))) continue;
        *(bool *)at = i % 2;
        return true;
    }
    return refuse(o, text, "yes or no", why);
}

static bool set_choice(void *at, const struct option *o, struct str text, struct buf *why)
{
    struct str rest = str_of(o->words), word;
    char expected[128];
    for (int i = 0; str_split(&rest, '|', &word); i++) {
        if (!str_eq(text, word)) continue;
        *(int *)at = i;
        return true;
    }
    snprintf(expected, sizeof expected, "one of %s", o->words);
    return refuse(o, text, expected, why);
}

bool option_set(struct conf *c, const struct option *o, struct str text, struct buf *why)
{
    static bool (*const set[])(void *, const struct option *, struct str, struct buf *) = {
        [OPTION_TEXT] = set_text,     [OPTION_LIST] = set_list,       [OPTION_NUMBER] = set_number,
        [OPTION_SIZE] = set_number,   [OPTION_DURATION] = set_number, [OPTION_FLAG] = set_flag,
        [OPTION_CHOICE] = set_choice,
    };
    return set[o->type](field(c, o), o, text, why);
}

void options_set_defaults(struct conf *c)
{
    struct buf why = BUF_INIT(1024);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        BUG_ON(!option_set(c, &options[i], str_of(options[i].default_text), &why));
    buf_free(&why);
}

void options_free(struct conf *c)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].type == OPTION_TEXT) free_secret(*option_text(c, &options[i]));
        if (options[i].type == OPTION_LIST) text_list_free(option_list(c, &options[i]));
    }
}

static void write_word(struct buf *out, const char *words, int index)
{
    struct str rest = str_of(words), word = STR("");
    for (int i = 0; i <= index && str_split(&rest, '|', &word); i++) continue;
    buf_add_str(out, word);
}

void option_write(const struct conf *c, const struct option *o, struct buf *out)
{
    const void *at = (const char *)c + o->offset;
    const struct text_list *list = at;
    switch (o->type) {
    case OPTION_TEXT: buf_puts(out, *(char *const *)at); break;
    case OPTION_LIST:
        for (size_t i = 0; i < list->count; i++) buf_printf(out, "%s%s", i ? ", " : "", list->items[i]);
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_DURATION: write_in_units(out, o->type, *(const int64_t *)at); break;
    case OPTION_FLAG: buf_puts(out, *(const bool *)at ? "yes" : "no"); break;
    case OPTION_CHOICE: write_word(out, o->words, *(const int *)at); break;
    }
}

void conf_list_options(struct buf *out)
{
    static const char *const types[] = {"TEXT", "LIST", "NUMBER", "SIZE", "DURATION", "FLAG", "CHOICE"};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        buf_printf(out, "%s.%s %s %s %s\n", o->section, o->name, types[o->type],
                   *o->default_text ? o->default_text : "-", o->help);
    }
}

void conf_diff_restart(const struct conf *old, const struct conf *new_conf, struct buf *out)
{
    struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    const char *comma = "";
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!options[i].needs_restart) continue;
        buf_reset(&a);
        buf_reset(&b);
        option_write(old, &options[i], &a);
        option_write(new_conf, &options[i], &b);
        if (str_eq(buf_str(&a), buf_str(&b))) continue;
        buf_printf(out, "%s%s.%s", comma, options[i].section, options[i].name);
        comma = ", ";
    }
    buf_free(&a);
    buf_free(&b);
}
