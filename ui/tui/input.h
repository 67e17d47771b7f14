/* What the terminal sends, decoded: keys, one event per paste, mouse. Unknown escape sequences and focus events are
 * swallowed. UI thread. */
#ifndef SFPROXY_UI_TUI_INPUT_H
#define SFPROXY_UI_TUI_INPUT_H

#include "base/buf.h"
#include "base/clock.h"

#define CTRL_KEY(c) ((c)&0x1F)

/* Keys that are no characters; characters are their code points, full-width ones mapped to ASCII. */
enum {
    K_NONE = 0,
    K_UP = 0x110000,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_PAGE_UP,
    K_PAGE_DOWN,
    K_HOME,
    K_END,
    K_ENTER,
    K_ESC,
    K_TAB,
    K_BACKTAB,
    K_BACKSPACE,
    K_DELETE,
    K_F1,
    K_F5,
    K_F10
};

enum event_kind { EVENT_KEY, EVENT_PASTE, EVENT_MOUSE };
enum mouse_what { MOUSE_CLICK, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct event {
    enum event_kind kind;
    uint32_t key;
    const struct buf *paste; /* lives during the call; the decoder wipes it */
    bool paste_cut;
    enum mouse_what mouse;
    int y, x;
};

enum { PASTE_MAX = 1 << 20 };

enum input_state { INPUT_PLAIN, INPUT_ESC, INPUT_CSI, INPUT_SS3, INPUT_MOUSE };

struct input {
    enum input_state state;
    mono_t since; /* of a sequence that is not complete */
    bool pasting;
    struct buf paste;
    char mouse[32];
    size_t mouse_len;
};

void input_init(struct input *in);
void input_free(struct input *in);
/* After newterm(): teaches curses the sequences it does not know. */
void input_define_keys(void);
/* Reads everything that is there and hands the events out in order; `handle` may not call back into input.
 * Returns how many characters came: 0 although poll() said readable means that the terminal is gone. */
size_t input_read(struct input *in, void (*handle)(void *arg, const struct event *e), void *arg);
/* Milliseconds until an unfinished sequence or paste is given up; -1 none is open. */
int input_timeout(const struct input *in);
/* Keys of one character as the decoder maps them: U+FF01..U+FF5E and U+3000 to ASCII. Pure. */
uint32_t input_normalise(uint32_t c);

#endif
