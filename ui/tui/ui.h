/* The terminal screen: one thread that makes every ncurses call, reads snapshots, posts commands, and can hang, be
 * hidden or die without any effect on requests. */
#ifndef SFPROXY_UI_TUI_UI_H
#define SFPROXY_UI_TUI_UI_H

#include "control/command.h"

struct ui_options {
    int lang;  /* 0 auto, 1 en, 2 zh */
    int theme; /* 0 auto, 1 dark, 2 light, 3 mono */
    int graph; /* 0 braille, 1 ascii */
    int fps;
    bool mouse, privacy, readonly;
    bool bell, title;
};

enum ui_signal { UI_RESIZE, UI_SUSPEND, UI_CONTINUE };

struct ui;

/* Main thread, before any other thread and before curses: whether a screen can be shown (terminal on stdin and stdout,
 * foreground process group, TERM known and able to address the cursor). False: `why` is a sentence for the log. */
bool ui_possible(struct buf *why);
/* Main thread, all signals already blocked: saves the terminal's state, captures stderr, installs the crash handlers
 * (SEGV, ABRT, BUS, FPE, ILL), starts the UI thread. NULL with a sentence. */
struct ui *ui_start(const struct ui_options *o, struct control *control, struct buf *why);
/* Control thread; never blocks. */
void ui_signal(struct ui *ui, enum ui_signal s);
/* Control thread: ends the UI thread, waits 1 s at most for it, restores the terminal in any case, gives stderr back
 * and replays what was captured. */
void ui_stop(struct ui *ui);

#endif
