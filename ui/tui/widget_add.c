/* The panel that takes keys: pasted or typed text, echoed masked, with the counts of what is new, known and no key. The
 * counting follows the rules of the pool (a key is known by the first 8 hex digits of its SHA-256). */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "base/secret.h"
#include "ui/tui/text.h"

enum { KEY_LEAST = 16, PANEL_KEYS = 4 };

struct pasted {
    char id[9];
    char masked[24];
};

struct paste_count {
    struct pasted *list; /* the new ones */
    size_t fresh, duplicate, ignored;
};

static bool separator(uint32_t cp)
{
    return cp <= ' ' || cp == ',' || cp == ';' || cp == '=' || cp == '"' || cp == '\'' || cp == '[' || cp == ']' ||
           cp == 0xFF0C || cp == 0xFF1B || cp == 0x3001 || cp == 0x3000;
}

/* First 8 hex digits of the key's SHA-256: the id under which the pool knows it. */
static void key_id_of(struct str key, char id[9])
{
    uint8_t digest[DIGEST_LEN];
    sha256(key, digest);
    hex_encode(digest, 4, id);
}

static void count_key(const struct app *a, struct paste_count *c, struct str word)
{
    char id[9], copy[512];
    key_id_of(word, id);
    bool known = view_find_key(a, id) != NULL;
    for (size_t i = 0; i < c->fresh && !known; i++) known = strcmp(c->list[i].id, id) == 0;
    if (known) {
        c->duplicate++;
        return;
    }
    c->list = xrealloc(c->list, c->fresh + 1, sizeof *c->list);
    struct pasted *p = &c->list[c->fresh++];
    memcpy(p->id, id, sizeof p->id);
    str_copy(copy, sizeof copy, word);
    key_mask(copy, p->masked, sizeof p->masked);
    wipe(copy, sizeof copy);
}

/* A line without any key counts as ignored, unless it is blank or a comment. */
static void count_line(const struct app *a, struct paste_count *c, struct str line)
{
    size_t found = 0, begin = 0, at = 0;
    char *text = str_dup(line);
    for (uint32_t cp = 0;;) {
        size_t n = text_next(text + at, &cp);
        if (n == 0 || separator(cp)) {
            struct str word = {text + begin, at - begin};
            if (str_starts(word, "sk-") && word.n >= KEY_LEAST) {
                count_key(a, c, word);
                found++;
            }
            begin = at + n;
        }
        if (n == 0) break;
        at += n;
    }
    struct str rest = str_trim(line);
    if (!found && rest.n && rest.p[0] != '#') c->ignored++;
    free_secret(text);
}

static struct paste_count count_paste(const struct app *a)
{
    struct paste_count c = {NULL, 0, 0, 0};
    struct str rest = buf_str(&a->prompt.text), line;
    while (str_split(&rest, '\n', &line)) count_line(a, &c, line);
    return c;
}

void prompt_draw_add(struct app *a)
{
    char line[300];
    struct paste_count c = count_paste(a);
    int shown = (int)MIN(c.fresh, (size_t)PANEL_KEYS), h = MIN(3 + MAX(shown, 1), a->lay.h - 3);
    int w = a->lay.w, y = a->lay.h - 2 - h;
    for (int i = 0; i < h; i++) put_pad(&a->canvas, y + i, 0, w, ROLE_NORMAL, "");
    put_bar(&a->canvas, y, 0, w, tr(MSG_P_ADD), tr(MSG_P_ADD_KEYS));
    if (a->prompt.text.len == 0) {
        put(&a->canvas, y + 1, 1, w - 1, ROLE_DIM, tr(MSG_P_ADD_EMPTY));
    } else {
        for (int i = 0; i < shown && i + 2 < h; i++) {
            const char *masked = a->privacy ? "****" : c.list[c.fresh - (size_t)shown + (size_t)i].masked;
            snprintf(line, sizeof line, "%s %s", i + 1 == shown ? ">" : " ", masked);
            put(&a->canvas, y + 1 + i, 1, w - 1, ROLE_STRONG, line);
        }
        tr_with(line, sizeof line, MSG_P_ADD_COUNT, num_plain(c.fresh).s, num_plain(c.duplicate).s,
                num_plain(c.ignored).s, NULL);
        put(&a->canvas, y + h - 2, 1, w - 1, c.fresh ? ROLE_OK : ROLE_WARN, line);
    }
    free(c.list);
}
