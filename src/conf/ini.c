/* The INI reader. Pure: one pass over the text, slices out, nothing copied, no state but the current section.
 *
 *   line   := blanks ( nothing | comment | '[' name ']' | name '=' value ) blanks [ comment ]
 *   value  := text up to a comment | "text" | 'text'
 *
 * After a line that was meant as a section and is none, the items up to the next section are skipped: they would be
 * judged in the wrong section, and the reader has been told already. */
#include "conf/ini.h"

#define LINE_MAX_BYTES 65536

struct reader {
    const struct ini_ops *ops;
    void *arg;
    unsigned line;
    struct str section;
    bool section_is_broken;
};

static void complain(struct reader *r, const char *sentence)
{
    r->ops->problem(r->arg, r->line, sentence);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim(struct str s)
{
    while (s.n && is_blank(s.p[0])) s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

/* Where a comment starts in s, or s.n. `after_blank`: the character before s was a blank or the line's beginning. */
static size_t comment_at(struct str s, bool after_blank)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] == ';' || s.p[i] == '#') && after_blank) return i;
        after_blank = is_blank(s.p[i]);
    }
    return s.n;
}

/* The text between the quotes that s starts with. NULL, or what is wrong. */
static const char *unquote(struct str s, struct str *value)
{
    const char *end = memchr(s.p + 1, s.p[0], s.n - 1);
    if (!end) return "the quote is not closed";
    *value = (struct str){s.p + 1, (size_t)(end - s.p - 1)};
    struct str rest = {end + 1, s.n - value->n - 2};
    rest.n = comment_at(rest, false);
    return trim(rest).n ? "there is text after the closing quote" : NULL;
}

static void read_section(struct reader *r, struct str s)
{
    s.n = comment_at(s, true);
    s = trim(s);
    r->section_is_broken = s.p[s.n - 1] != ']';
    if (!r->section_is_broken) {
        r->section = trim((struct str){s.p + 1, s.n - 2});
        r->section_is_broken = r->section.n == 0 || memchr(r->section.p, ']', r->section.n);
    }
    if (r->section_is_broken) complain(r, "a section is written [name], alone on its line");
}

static void read_item(struct reader *r, struct str s)
{
    const char *equals = memchr(s.p, '=', s.n);
    size_t name_len = equals ? (size_t)(equals - s.p) : s.n;
    struct ini_item item = {.section = r->section, .line = r->line};
    item.name = trim((struct str){s.p, name_len});
    if (!equals || comment_at((struct str){s.p, name_len}, true) < name_len || !item.name.n) {
        complain(r, "expected name = value");
        return;
    }
    struct str raw = {equals + 1, s.n - name_len - 1}, text = trim(raw);
    const char *wrong = NULL;
    if (text.n && (text.p[0] == '"' || text.p[0] == '\''))
        wrong = unquote(text, &item.value);
    else
        item.value = trim((struct str){raw.p, comment_at(raw, false)});
    if (wrong)
        complain(r, wrong);
    else if (!r->section_is_broken)
        r->ops->item(r->arg, &item);
}

static void read_line(struct reader *r, struct str line)
{
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (line.n > LINE_MAX_BYTES) {
        complain(r, "the line is longer than 64 KiB");
        return;
    }
    if (line.n && memchr(line.p, '\0', line.n)) {
        complain(r, "the line holds a NUL byte; the file must be plain UTF-8 text");
        return;
    }
    line = trim(line);
    if (!line.n || line.p[0] == ';' || line.p[0] == '#') return;
    if (line.p[0] == '[')
        read_section(r, line);
    else
        read_item(r, line);
}

void ini_parse(struct str text, const struct ini_ops *ops, void *arg)
{
    struct reader r = {.ops = ops, .arg = arg, .section = STR("")};
    struct str line;
    if (str_starts(text, "\xFF\xFE") || str_starts(text, "\xFE\xFF")) {
        r.line = 1;
        complain(&r, "this is UTF-16 text; save the file as UTF-8");
        return;
    }
    if (str_starts(text, "\xEF\xBB\xBF")) text = (struct str){text.p + 3, text.n - 3};
    while (str_split(&text, '\n', &line)) {
        r.line++;
        read_line(&r, line);
    }
}
