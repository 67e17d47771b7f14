/* What is asked: a line at the bottom (filter, command, label, balance, one-key questions), the panel that takes pasted
 * keys, and the two dialogs. While one is open every key goes to it; Esc always closes it and changes nothing.
 * Text may hold keys: it is echoed masked and wiped when the prompt closes. */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "base/secret.h"
#include "ui/tui/text.h"

enum { KEY_LEAST = 16, PANEL_KEYS = 4 };

void prompt_open(struct app *a, enum prompt_kind kind, const char *title)
{
    prompt_close(a);
    a->prompt.kind = kind;
    str_copy(a->prompt.title, sizeof a->prompt.title, str_of(title));
    buf_init(&a->prompt.text, kind == PROMPT_ADD ? PASTE_MAX : 512);
    if (kind == PROMPT_ADD) (void)buf_reserve(&a->prompt.text, 8192); /* growing would leave copies behind */
}

void prompt_close(struct app *a)
{
    struct prompt *p = &a->prompt;
    if (p->text.data) wipe(p->text.data, p->text.room);
    buf_free(&p->text);
    memset(p, 0, sizeof *p);
}

/* --- the keys in pasted text --- */

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

static void draw_add(struct app *a)
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

/* --- dialogs: one box of ASCII in the middle --- */

static void draw_box(struct app *a, const char *const *lines, size_t count)
{
    int w = MIN(62, a->lay.w), h = MIN((int)count + 2, a->lay.h);
    int x = (a->lay.w - w) / 2, y = MAX((a->lay.h - h) / 2, 0);
    char edge[80];
    memset(edge, '-', sizeof edge);
    edge[0] = edge[w - 1] = '+';
    edge[w] = '\0';
    for (int i = 0; i < h; i++) {
        bool end = i == 0 || i == h - 1;
        put_pad(&a->canvas, y + i, x, w, ROLE_DIALOG, end ? edge : "|");
        if (end) continue;
        put(&a->canvas, y + i, x + w - 1, 1, ROLE_DIALOG, "|");
        put(&a->canvas, y + i, x + 2, w - 4, i == 1 ? ROLE_DIALOG : ROLE_NORMAL, lines[i - 1]);
    }
}

static void draw_quit(struct app *a)
{
    char stops[160], now[160];
    struct num n = num_plain(a->snap ? a->snap->in_flight : 0);
    tr_with(stops, sizeof stops, MSG_Q_QUIT_STOPS, n.s, NULL);
    tr_with(now, sizeof now, MSG_Q_NOW, n.s, NULL);
    const char *const wide[] = {tr(MSG_Q_QUIT), "", stops, "", tr(MSG_Q_DRAIN), tr(MSG_Q_HIDE), now, "", tr(MSG_Q_ESC)};
    const char *const small[] = {tr(MSG_Q_QUIT), stops, tr(MSG_Q_DRAIN), tr(MSG_Q_HIDE), now, tr(MSG_Q_ESC)};
    if (a->lay.h >= 14)
        draw_box(a, wide, ARRAY_LEN(wide));
    else
        draw_box(a, small, ARRAY_LEN(small));
}

static void draw_delete(struct app *a)
{
    enum { SHOWN = 4 };
    const struct key_view *keys[SHOWN];
    char rows[SHOWN][200];
    const char *lines[SHOWN + 6];
    size_t n = keys_chosen(a, keys, SHOWN), o = 0;
    lines[o++] = a->prompt.title;
    lines[o++] = "";
    for (size_t i = 0; i < n; i++) {
        char name[64], balance[40];
        view_balance(a, keys[i], balance, sizeof balance);
        view_key_name(a, keys[i]->id, name, sizeof name);
        snprintf(rows[i], sizeof rows[i], "  %s  %s  %s  %s", name, tr(view_class_word(keys[i]->class)), balance,
                 a->privacy ? "" : keys[i]->label);
        lines[o++] = rows[i];
    }
    lines[o++] = tr(MSG_Q_DELETE_KEPT);
    lines[o++] = "";
    lines[o++] = tr(MSG_Q_DELETE_YES);
    draw_box(a, lines, o);
}

void prompt_draw(struct app *a)
{
    if (a->lay.size == SIZE_NANO) return;
    if (a->prompt.kind == PROMPT_ADD) draw_add(a);
    if (a->prompt.kind == ASK_QUIT) draw_quit(a);
    if (a->prompt.kind == ASK_DELETE) draw_delete(a);
}

bool prompt_is_line(const struct app *a)
{
    switch (a->prompt.kind) {
    case PROMPT_FILTER:
    case PROMPT_COMMAND:
    case PROMPT_LABEL:
    case PROMPT_BALANCE:
    case ASK_CANCEL:
    case ASK_TEST_ALL: return true;
    default: return a->prompt.kind != PROMPT_NONE && a->lay.size == SIZE_NANO;
    }
}

void prompt_draw_line(struct app *a, struct rect r)
{
    const struct prompt *p = &a->prompt;
    bool asks = p->kind == ASK_CANCEL || p->kind == ASK_TEST_ALL || p->kind == ASK_QUIT || p->kind == ASK_DELETE;
    char head[200];
    if (asks || p->kind == PROMPT_ADD) {
        put(&a->canvas, r.y, r.x + 1, r.w - 1, ROLE_WARN, p->kind == ASK_QUIT ? "q: d h Q Esc" : p->title);
        return;
    }
    snprintf(head, sizeof head, "%s", p->kind == PROMPT_COMMAND ? ":" : p->kind == PROMPT_FILTER ? "/" : p->title);
    if (head[1]) text_add(head, sizeof head, ": ");
    int x = r.x + 1 + put(&a->canvas, r.y, r.x + 1, r.w / 2, ROLE_KEY, head);
    const char *text = buf_cstr(&p->text);
    int room = r.x + r.w - x - 1, over = text_width(text) - room, cells;
    if (over > 0) text += text_prefix(text, over, &cells); /* the end of a long line is what is being typed */
    x += put(&a->canvas, r.y, x, room, ROLE_STRONG, text);
    put_cursor(&a->canvas, r.y, x, true);
}

/* --- keys --- */

static void drop_last(struct buf *b)
{
    while (b->len && ((unsigned char)b->data[b->len - 1] & 0xC0) == 0x80) b->data[--b->len] = '\0';
    if (b->len) b->data[--b->len] = '\0';
}

static void type(struct app *a, uint32_t c)
{
    char s[5] = "";
    if (c < 0x20 || c == 0x7F || c > 0x10FFFF) return;
    if (c < 0x80) {
        s[0] = (char)c;
    } else if (c < 0x800) {
        s[0] = (char)(0xC0 | c >> 6), s[1] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        s[0] = (char)(0xE0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 0x3F)), s[2] = (char)(0x80 | (c & 0x3F));
    } else {
        s[0] = (char)(0xF0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 0x3F)), s[2] = (char)(0x80 | (c >> 6 & 0x3F)),
        s[3] = (char)(0x80 | (c & 0x3F));
    }
    buf_puts(&a->prompt.text, s);
}

static void take_filter(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    if (f) str_copy(f, FILTER_MAX, str_trim(buf_str(&a->prompt.text)));
}

static void accept(struct app *a)
{
    struct prompt *p = &a->prompt;
    int64_t micro;
    switch (p->kind) {
    case PROMPT_FILTER: take_filter(a); break;
    case PROMPT_COMMAND: {
        char line[FILTER_MAX * 4];
        str_copy(line, sizeof line, buf_str(&p->text));
        prompt_close(a);
        app_command(a, line);
        return;
    }
    case PROMPT_ADD:
        if (p->text.len) (void)app_post(a, CMD_KEYS_ADD, "", buf_cstr(&p->text), 0, 0);
        break;
    case PROMPT_LABEL: (void)app_post(a, CMD_KEY_LABEL, p->subject, buf_cstr(&p->text), 0, 0); break;
    case PROMPT_BALANCE:
        if (p->text.len && !str_micro(str_trim(buf_str(&p->text)), &micro)) {
            app_say(a, TOAST_WARN, MSG_T_BAD_BALANCE);
            return;
        }
        (void)app_post(a, CMD_KEY_BALANCE, p->subject, buf_cstr(&p->text), 0, 0);
        break;
    default: break;
    }
    prompt_close(a);
}

static void cancel(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    if (a->prompt.kind == PROMPT_FILTER && f) memcpy(f, a->prompt.before, FILTER_MAX);
    prompt_close(a);
}

/* One-key questions: everything but the named letters means no. */
static void answer(struct app *a, uint32_t key)
{
    enum prompt_kind kind = a->prompt.kind;
    uint64_t number = a->prompt.number;
    if (kind == ASK_QUIT) {
        if (key != 'd' && key != 'h' && key != 'Q' && key != K_ESC && key != K_ENTER && key != 'n' && key != 'q')
            return;
        prompt_close(a);
        if (key == 'd') (void)app_post(a, CMD_DRAIN, "", NULL, 0, 0);
        if (key == 'Q') (void)app_post(a, CMD_QUIT, "", NULL, 0, 0);
        if (key == 'h') a->hide_asked = true;
        return;
    }
    bool yes = key == 'y';
    if (yes && kind == ASK_DELETE) keys_delete_now(a);
    prompt_close(a);
    if (yes && kind == ASK_CANCEL) (void)app_post(a, CMD_REQUEST_CANCEL, "", NULL, number, 0);
    if (yes && kind == ASK_TEST_ALL) keys_test_all(a, "all", true);
}

void prompt_key(struct app *a, uint32_t key)
{
    struct prompt *p = &a->prompt;
    if (p->kind >= ASK_CANCEL) {
        answer(a, key);
        return;
    }
    switch (key) {
    case K_ESC: cancel(a); return;
    case K_ENTER: accept(a); return;
    case K_BACKSPACE: drop_last(&p->text); break;
    case CTRL_KEY('u'):
        wipe(p->text.data ? p->text.data : (char *)p->before, p->text.data ? p->text.len : 0);
        buf_reset(&p->text);
        break;
    case K_TAB:
        if (p->kind == PROMPT_COMMAND) app_command_complete(&p->text);
        break;
    default: type(a, key);
    }
    if (p->kind == PROMPT_FILTER) take_filter(a);
}

void prompt_paste(struct app *a, const struct event *e)
{
    struct str rest = buf_str(e->paste), line;
    if (a->prompt.kind == PROMPT_ADD) {
        if (a->prompt.text.len) buf_putc(&a->prompt.text, '\n');
        buf_add_str(&a->prompt.text, rest);
        if (e->paste_cut || a->prompt.text.failed) app_say(a, TOAST_WARN, MSG_T_TOO_LONG);
        return;
    }
    if (a->prompt.kind >= ASK_CANCEL || !str_split(&rest, '\n', &line)) return;
    buf_add_str(&a->prompt.text, str_trim(line)); /* one line into a line */
    if (a->prompt.kind == PROMPT_FILTER) take_filter(a);
}
