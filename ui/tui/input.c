/* Input. curses decodes the keys of terminfo; what it does not know is defined here or swallowed: a lone ESC is a key,
 * ESC followed at once by something is an unknown chord and vanishes up to its final byte, so that no letter of it is
 * taken for a command. The mouse speaks SGR (1006), parsed by hand, because curses would choose the old coding that
 * ends at column 223. Between the paste marks nothing is a key. */
#include "ui/tui/input.h"

#include <curses.h>

#include "base/mem.h"

/* Codes above KEY_MAX that define_key() reports. */
enum { CODE_FOCUS = 0x2000, CODE_PASTE_BEGIN, CODE_PASTE_END, CODE_MOUSE, CODE_BACKTAB, CODE_HOME, CODE_END };

enum { UNFINISHED_MS = 80, PASTE_SILENCE_MS = 2000 };

void input_init(struct input *in)
{
    memset(in, 0, sizeof *in);
    buf_init(&in->paste, PASTE_MAX);
}

static void drop_paste(struct input *in)
{
    if (in->paste.data) wipe(in->paste.data, in->paste.room);
    buf_free(&in->paste);
    in->pasting = false;
}

void input_free(struct input *in)
{
    drop_paste(in);
}

void input_define_keys(void)
{
    static const struct {
        const char *sequence;
        int code;
    } keys[] = {{"\033[I", CODE_FOCUS},        {"\033[O", CODE_FOCUS}, {"\033[200~", CODE_PASTE_BEGIN},
                {"\033[201~", CODE_PASTE_END}, {"\033[<", CODE_MOUSE}, {"\033[Z", CODE_BACKTAB},
                {"\033[1~", CODE_HOME},        {"\033[7~", CODE_HOME}, {"\033[H", CODE_HOME},
                {"\033OH", CODE_HOME},         {"\033[4~", CODE_END},  {"\033[8~", CODE_END},
                {"\033[F", CODE_END},          {"\033OF", CODE_END}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) define_key(keys[i].sequence, keys[i].code);
}

uint32_t input_normalise(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E) return c - 0xFEE0;
    if (c == 0x3000) return ' ';
    if (c == 0x3002) return '.';
    return c;
}

static uint32_t named_key(int code)
{
    static const struct {
        int code;
        uint32_t key;
    } names[] = {{KEY_UP, K_UP},
                 {KEY_DOWN, K_DOWN},
                 {KEY_LEFT, K_LEFT},
                 {KEY_RIGHT, K_RIGHT},
                 {KEY_PPAGE, K_PAGE_UP},
                 {KEY_NPAGE, K_PAGE_DOWN},
                 {KEY_HOME, K_HOME},
                 {KEY_END, K_END},
                 {CODE_HOME, K_HOME},
                 {CODE_END, K_END},
                 {KEY_ENTER, K_ENTER},
                 {KEY_BTAB, K_BACKTAB},
                 {CODE_BACKTAB, K_BACKTAB},
                 {KEY_BACKSPACE, K_BACKSPACE},
                 {KEY_DC, K_DELETE},
                 {KEY_F(1), K_F1},
                 {KEY_F(5), K_F5},
                 {KEY_F(10), K_F10}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].code == code) return names[i].key;
    return K_NONE;
}

static uint32_t plain_key(uint32_t c)
{
    switch (c) {
    case '\r':
    case '\n': return K_ENTER;
    case '\t': return K_TAB;
    case 8:
    case 127: return K_BACKSPACE;
    default: return input_normalise(c);
    }
}

static void add_utf8(struct buf *b, uint32_t c)
{
    if (c == '\r') c = '\n';
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xC0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x110000) {
        if (c >= 0x10000) buf_putc(b, (char)(0xF0 | c >> 18));
        buf_putc(b, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3F) : 0xE0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_putc(b, (char)(0x80 | (c & 0x3F)));
    }
}

struct sink {
    void (*handle)(void *arg, const struct event *e);
    void *arg;
};

static void send_key(const struct sink *to, uint32_t key)
{
    struct event e = {.kind = EVENT_KEY, .key = key};
    if (key != K_NONE) to->handle(to->arg, &e);
}

static void end_paste(struct input *in, const struct sink *to)
{
    struct event e = {.kind = EVENT_PASTE, .paste = &in->paste, .paste_cut = in->paste.failed};
    if (in->pasting) to->handle(to->arg, &e);
    drop_paste(in);
}

/* "0;12;5" + 'M' or 'm': button, column, row, counted from 1. Only presses of the first button and the wheel count. */
static void end_mouse(struct input *in, char final, const struct sink *to)
{
    int button = -1, x = 0, y = 0;
    in->mouse[in->mouse_len] = '\0';
    if (sscanf(in->mouse, "%d;%d;%d", &button, &x, &y) != 3 || final != 'M') return;
    struct event e = {.kind = EVENT_MOUSE, .y = y - 1, .x = x - 1};
    if (button == 0)
        e.mouse = MOUSE_CLICK;
    else if (button == 64 || button == 65)
        e.mouse = button == 64 ? MOUSE_WHEEL_UP : MOUSE_WHEEL_DOWN;
    else
        return;
    to->handle(to->arg, &e);
}

static void feed_mouse(struct input *in, uint32_t c, const struct sink *to)
{
    if ((c >= '0' && c <= '9') || c == ';') {
        if (in->mouse_len + 1 < sizeof in->mouse) in->mouse[in->mouse_len++] = (char)c;
        return;
    }
    in->state = INPUT_PLAIN;
    if (c == 'M' || c == 'm') end_mouse(in, (char)c, to);
}

static void open_sequence(struct input *in, enum input_state s)
{
    in->state = s;
    in->since = mono_now();
}

static void feed(struct input *in, uint32_t c, const struct sink *to)
{
    switch (in->state) {
    case INPUT_MOUSE: feed_mouse(in, c, to); return;
    case INPUT_CSI:
        if (c >= 0x40 && c <= 0x7E) in->state = INPUT_PLAIN;
        if (c == 27) open_sequence(in, INPUT_ESC);
        return;
    case INPUT_SS3: in->state = INPUT_PLAIN; return;
    case INPUT_ESC:
        if (c == 27) {
            send_key(to, K_ESC);
        } else if (c == '[' || c == 'O') {
            open_sequence(in, c == '[' ? INPUT_CSI : INPUT_SS3);
        } else {
            in->state = INPUT_PLAIN;
        }
        return;
    case INPUT_PLAIN: break;
    }
    if (in->pasting)
        add_utf8(&in->paste, c);
    else if (c == 27)
        open_sequence(in, INPUT_ESC);
    else
        send_key(to, plain_key(c));
}

static void feed_code(struct input *in, int code, const struct sink *to)
{
    in->state = INPUT_PLAIN;
    if (code == CODE_PASTE_END) {
        end_paste(in, to);
    } else if (in->pasting || code == CODE_FOCUS || code == KEY_RESIZE) {
        return;
    } else if (code == CODE_PASTE_BEGIN) {
        in->pasting = true;
        buf_init(&in->paste, PASTE_MAX);
    } else if (code == CODE_MOUSE) {
        in->mouse_len = 0;
        open_sequence(in, INPUT_MOUSE);
    } else {
        send_key(to, named_key(code));
    }
}

int input_timeout(const struct input *in)
{
    if (in->state == INPUT_PLAIN && !in->pasting) return -1;
    int64_t limit = in->pasting ? PASTE_SILENCE_MS : UNFINISHED_MS, left = limit - mono_since(mono_now(), in->since);
    return left < 0 ? 0 : (int)left;
}

size_t input_read(struct input *in, void (*handle)(void *, const struct event *), void *arg)
{
    struct sink to = {handle, arg};
    size_t count = 0;
    wint_t c;
    for (int rc; (rc = get_wch(&c)) != ERR; count++) {
        if (rc == KEY_CODE_YES)
            feed_code(in, (int)c, &to);
        else
            feed(in, (uint32_t)c, &to);
        in->since = mono_now();
    }
    if (in->state == INPUT_ESC) { /* curses waited its ESCDELAY already: a lone ESC */
        in->state = INPUT_PLAIN;
        if (!in->pasting) send_key(&to, K_ESC);
    }
    if (input_timeout(in) == 0) {
        in->state = INPUT_PLAIN;
        end_paste(in, &to);
    }
    return count;
}
