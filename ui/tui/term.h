/* The terminal itself: modes on and off, crash restore, suspend, captured stderr. One terminal per process, hence
 * module state. Which thread may call what is said at each function. */
#ifndef SFPROXY_UI_TUI_TERM_H
#define SFPROXY_UI_TUI_TERM_H

#include "base/buf.h"

/* Main thread: terminal on both ends, foreground, TERM known and able to address the cursor. */
bool term_possible(struct buf *why);
/* Main thread, before the UI thread: locale, saved termios, stderr into a pipe, crash handlers. */
bool term_prepare(struct buf *why);
/* True when only ASCII may be shown: no UTF-8 locale to be had, or SFPROXY_ASCII=1. After term_prepare(). */
bool term_ascii(void);
/* True when the font cannot be trusted with braille (the Linux console, vt100). After term_prepare(). */
bool term_plain_font(void);

/* UI thread. */
bool term_open(bool mouse);  /* curses on; false: curses refused */
void term_leave(void);       /* modes off, endwin: the shell's screen; termios as found */
void term_close(void);       /* after the last term_leave(): curses' memory */
void term_enter(bool mouse); /* back again after term_leave() */
void term_mouse(bool on);
void term_resize(void); /* asks the kernel for the size and tells curses */
void term_bell(void);
void term_title(const char *text); /* OSC 2; the title found is put back by term_leave() where the terminal can */
/* After term_open(): the terminal draws our symbols one cell wide, Chinese two; true also when it did not answer. */
bool term_symbols_fit(void);
bool term_chinese_fits(void);
void term_copy(const char *text); /* OSC 52: into the clipboard of the terminal, where it allows that */
bool term_foreground(void);
void term_stop_process(void); /* SIGSTOP to ourselves; returns after SIGCONT */

/* stderr while the screen is up. */
int term_stderr_fd(void); /* to poll for reading */
void term_stderr_read(void (*line)(const char *text));
void term_stderr_release(void); /* fd 2 is the terminal again (hidden) */
void term_stderr_capture(void);

/* Control thread, when the UI thread is gone or hangs: writes the mode resets without ever waiting, termios back.
 * `abandoned`: the thread may still draw one day; its output goes to /dev/null from now on. */
void term_restore_hard(bool abandoned);
/* Control thread, last: fd 2 back, what was captured is written to it, crash handlers off. */
void term_finish(void);

#endif
