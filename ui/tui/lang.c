#include "ui/tui/lang.h"

#include <stdarg.h>

struct entry {
    int cells;
    const char *text[LANG_COUNT];
};

static const struct entry entries[MSG_COUNT] = {
#define LANG_ENTRY(id, cells, en, zh) {cells, {en, zh}},
    LANG_TABLE(LANG_ENTRY)};

static enum lang current;

enum lang lang_of_environment(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *v = getenv(names[i]);
        if (v && *v) return strncmp(v, "zh", 2) == 0 ? LANG_ZH : LANG_EN;
    }
    return LANG_EN;
}

void lang_set(enum lang l)
{
    current = l;
}

enum lang lang_now(void)
{
    return current;
}

const char *lang_text(enum msg m, enum lang l)
{
    const char *s = entries[m].text[l];
    return *s ? s : entries[m].text[LANG_EN];
}

const char *tr(enum msg m)
{
    return lang_text(m, current);
}

int lang_cells(enum msg m)
{
    return entries[m].cells;
}

const char *tr_with(char *out, size_t size, enum msg m, ...)
{
    const char *args[10] = {NULL};
    size_t count = 0, o = 0;
    va_list ap;
    va_start(ap, m);
    for (const char *a; count < ARRAY_LEN(args) && (a = va_arg(ap, const char *)) != NULL;) args[count++] = a;
    va_end(ap);
    for (const char *s = tr(m); *s && o + 1 < size; s++) {
        if (s[0] == '{' && s[1] >= '0' && s[1] <= '9' && s[2] == '}') {
            const char *arg = (size_t)(s[1] - '0') < count ? args[s[1] - '0'] : "";
            for (; *arg && o + 1 < size; arg++) out[o++] = *arg;
            s += 2;
        } else {
            out[o++] = *s;
        }
    }
    out[o] = '\0';
    return out;
}
