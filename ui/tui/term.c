/* The terminal. Order matters (each step was measured): locale, decide headless before touching anything, setupterm,
 * signals already blocked by main, use_tioctl, newterm, modes. Never initscr(): it exits the process when it fails.
 *
 * Restoring happens on three ways out, all ending in the same state: term_leave() on the UI thread (normal exit, hide,
 * suspend); term_restore_hard() from the control thread when the UI thread hangs in a write; on_crash() in a signal
 * handler. The last two use one string of mode resets made right after newterm(), and the termios saved before it.
 *
 * stderr is a pipe while the screen is up: nothing that a library or an assertion prints can spoil the picture. Its
 * write end does not block, so a hanging screen cannot stop a thread that complains. */
#include "ui/tui/term.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ui/tui/input.h"

#define MODES_ON   "\033[?2004h\033[?1004l"
#define MODES_OFF  "\033[?2004l\033[?1000l\033[?1006l\033[?1004l"
#define MOUSE_ON   "\033[?1000h\033[?1006h"
#define MOUSE_OFF  "\033[?1000l\033[?1006l"
#define TITLE_PUSH "\033[22;2t"
#define TITLE_POP  "\033[23;2t"
#define REPLAY_MAX 65536
#define ALTSTACK   65536

static struct {
    struct termios saved;
    bool have_saved;
    char name[64]; /* TERM, or the fallback */
    bool ascii;
    SCREEN *screen;
    char restore[512];
    volatile sig_atomic_t restore_len;
    int old_stderr, pipe_read, pipe_write;
    struct buf replay;
    bool titled, symbols_too_wide, chinese_misfit;
    char line[512];
    size_t line_len;
} term = {.old_stderr = -1, .pipe_read = -1, .pipe_write = -1};

static const int crash_signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
static struct sigaction old_actions[ARRAY_LEN(crash_signals)];

/* Terminals whose own entry Debian's ncurses-base lacks, and what they understand. */
static const char *fallback_name(const char *name)
{
    static const char *const like_xterm[] = {"xterm",   "alacritty", "foot", "wezterm", "ghostty", "kitty",   "rxvt",
                                             "konsole", "gnome",     "vte",  "contour", "iterm",   "Apple_T", "st-"};
    if (strncmp(name, "tmux", 4) == 0 || strncmp(name, "screen", 6) == 0) return "screen-256color";
    for (size_t i = 0; i < ARRAY_LEN(like_xterm); i++)
        if (strncmp(name, like_xterm[i], strlen(like_xterm[i])) == 0) return "xterm-256color";
    return NULL;
}

static bool usable_name(const char *name)
{
    int err = 0;
    if (setupterm(name, STDOUT_FILENO, &err) != OK) return false;
    char *cup = tigetstr("cup");
    bool ok = cup && cup != (char *)-1;
    del_curterm(cur_term);
    return ok;
}

bool term_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

bool term_possible(struct buf *why)
{
    const char *name = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        buf_puts(why, "stdin or stdout is not a terminal");
    } else if (!term_foreground()) {
        buf_puts(why, "started in the background");
    } else if (!name || !*name) {
        buf_puts(why, "TERM is not set");
    } else {
        const char *other = fallback_name(name);
        const char *use = usable_name(name) ? name : other && usable_name(other) ? other : NULL;
        if (use) return str_copy(term.name, sizeof term.name, str_of(use));
        buf_printf(why, "the terminal type \"%.40s\" is unknown or cannot address the cursor", name);
    }
    return false;
}

static bool utf8_locale(void)
{
    static const char *const tries[] = {"", "C.UTF-8", "en_US.UTF-8"};
    for (size_t i = 0; i < ARRAY_LEN(tries); i++)
        if (setlocale(LC_CTYPE, tries[i]) && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return true;
    return false;
}

bool term_ascii(void)
{
    return term.ascii;
}

bool term_plain_font(void)
{
    return strcmp(term.name, "linux") == 0 || strncmp(term.name, "vt", 2) == 0;
}

/* A signal stack for the calling thread: a stack overflow is handled too. */
static void term_altstack(void)
{
    static _Thread_local char stack[ALTSTACK];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack}, old;
    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return; /* a sanitizer's */
    sigaltstack(&ss, NULL);
}

/* Async-signal-safe from here to on_crash(). */
static void write_quietly(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, s, n);
        if (w <= 0) return;
        s += w;
        n -= (size_t)w;
    }
}

static void give_stderr_back(void)
{
    char chunk[1024];
    if (term.old_stderr < 0) return;
    dup2(term.old_stderr, STDERR_FILENO);
    for (ssize_t n; (n = read(term.pipe_read, chunk, sizeof chunk)) > 0;)
        write_quietly(STDERR_FILENO, chunk, (size_t)n);
}

/* Other threads run on while a crash is reported: what the UI thread still draws goes nowhere. Returns the terminal. */
static int silence_stdout(void)
{
    int terminal = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, STDOUT_FILENO);
    return terminal >= 0 ? terminal : STDERR_FILENO;
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (term.restore_len > 0) {
        int terminal = silence_stdout();
        write_quietly(terminal, term.restore, (size_t)term.restore_len);
        if (term.have_saved) tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
    }
    give_stderr_back();
    static const char said[] = "\r\nsfproxy crashed; the terminal was restored. Please report what it was doing.\r\n";
    write_quietly(STDERR_FILENO, said, sizeof said - 1);
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++)
        if (crash_signals[i] == sig) sigaction(sig, &old_actions[i], NULL);
    /* A fault of the processor happens again on return and meets the old handler; a sent signal is sent again. */
    if (info->si_code <= 0 || sig == SIGABRT) raise(sig);
}

static void install_crash_handlers(void)
{
    struct sigaction act = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&act.sa_mask);
    term_altstack();
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) sigaction(crash_signals[i], &act, &old_actions[i]);
}

void term_stderr_capture(void)
{
    if (term.pipe_write >= 0) dup2(term.pipe_write, STDERR_FILENO);
}

void term_stderr_release(void)
{
    if (term.old_stderr >= 0) dup2(term.old_stderr, STDERR_FILENO);
}

static bool make_stderr_pipe(struct buf *why)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        buf_printf(why, "no pipe for stderr: %s", strerror(errno));
        return false;
    }
    term.old_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    term.pipe_read = ends[0];
    term.pipe_write = ends[1];
    buf_init(&term.replay, REPLAY_MAX);
    if (term.old_stderr < 0) term.old_stderr = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return true;
}

bool term_prepare(struct buf *why)
{
    const char *ascii = getenv("SFPROXY_ASCII");
    term.ascii = !utf8_locale() || (ascii && strcmp(ascii, "1") == 0);
    term.have_saved = tcgetattr(STDIN_FILENO, &term.saved) == 0;
    if (!make_stderr_pipe(why)) return false;
    install_crash_handlers();
    term_stderr_capture();
    return true;
}

static void add_capability(const char *name)
{
    const char *s = tigetstr(name);
    if (!s || s == (char *)-1) return;
    for (size_t n = (size_t)term.restore_len; *s && n + 1 < sizeof term.restore; s++) {
        const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL; /* padding: not for us */
        if (end) {
            s = end;
            continue;
        }
        term.restore[n++] = *s;
        term.restore_len = (sig_atomic_t)n;
    }
}

/* The crash handler may read it at any moment: its length grows only after the bytes are there. */
static void make_restore_string(void)
{
    static const char *const names[] = {"sgr0", "cnorm", "rmkx", "rmcup"};
    if (term.restore_len > 0) return;
    memcpy(term.restore, MODES_OFF, sizeof MODES_OFF - 1);
    term.restore_len = sizeof MODES_OFF - 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) add_capability(names[i]);
}

static void modes_on(bool mouse)
{
    raw();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    idlok(stdscr, FALSE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    write_quietly(STDOUT_FILENO, MODES_ON, sizeof MODES_ON - 1);
    term_mouse(mouse);
}

/* --- what the terminal makes of our glyphs --- */

enum { PROBE_MS = 200, PROBE_SYMBOLS = 5, PROBE_CHINESE = 2 };
#define PROBE "\r⣿✓✗▸▾\033[6n\r\033[K中\033[6n\r\033[K"

/* Reads until two cursor reports came ("ESC [ row ; column R") or the time is over; returns how many did. */
static int read_reports(int reached[2])
{
    char text[256];
    size_t n = 0;
    int found = 0;
    mono_t end = mono_add(mono_now(), PROBE_MS);
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    for (int64_t left; found < 2 && n + 1 < sizeof text && (left = mono_since(end, mono_now())) > 0;) {
        if (poll(&p, 1, (int)left) != 1) break;
        ssize_t got = read(STDIN_FILENO, text + n, sizeof text - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = '\0';
        found = 0;
        for (const char *s = text; found < 2 && (s = strstr(s, "\033[")) != NULL; s += 2) {
            int row;
            char final;
            if (sscanf(s, "\033[%d;%d%c", &row, &reached[found], &final) == 3 && final == 'R') found++;
        }
    }
    return found;
}

/* Before curses: prints glyphs and asks where the cursor went. Terminals set to wide ambiguous characters, or without a
 * font, tell themselves apart by it. One that does not answer is trusted. */
static void probe_widths(void)
{
    struct termios raw_mode = term.saved;
    int reached[2] = {0};
    if (term.ascii || term_plain_font() || !term.have_saved) return;
    cfmakeraw(&raw_mode);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode) != 0) return;
    write_quietly(STDOUT_FILENO, PROBE, sizeof PROBE - 1);
    if (read_reports(reached) == 2) {
        term.symbols_too_wide = reached[0] != 1 + PROBE_SYMBOLS;
        term.chinese_misfit = reached[1] != 1 + PROBE_CHINESE;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

bool term_symbols_fit(void)
{
    return !term.symbols_too_wide;
}

bool term_chinese_fits(void)
{
    return !term.chinese_misfit;
}

bool term_open(bool mouse)
{
    term_altstack();
    probe_widths();
    use_tioctl(TRUE);
    term.screen = newterm(term.name, stdout, stdin);
    if (!term.screen) return false;
    set_escdelay(25);
    make_restore_string();
    input_define_keys();
    modes_on(mouse);
    return true;
}

void term_mouse(bool on)
{
    if (on)
        write_quietly(STDOUT_FILENO, MOUSE_ON, sizeof MOUSE_ON - 1);
    else
        write_quietly(STDOUT_FILENO, MOUSE_OFF, sizeof MOUSE_OFF - 1);
}

void term_bell(void)
{
    write_quietly(STDOUT_FILENO, "\a", 1);
}

void term_title(const char *text)
{
    char line[160];
    if (term_plain_font()) return;
    snprintf(line, sizeof line, "%s\033]2;%s\033\\", term.titled ? "" : TITLE_PUSH, text);
    term.titled = true;
    write_quietly(STDOUT_FILENO, line, strlen(line));
}

void term_leave(void)
{
    if (term.titled) write_quietly(STDOUT_FILENO, TITLE_POP, sizeof TITLE_POP - 1);
    term.titled = false;
    write_quietly(STDOUT_FILENO, MODES_OFF, sizeof MODES_OFF - 1);
    curs_set(1);
    endwin();
    if (term.have_saved) tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

void term_close(void)
{
    if (term.screen) delscreen(term.screen);
    term.screen = NULL;
}

void term_enter(bool mouse)
{
    reset_prog_mode();
    term_resize();
    modes_on(mouse);
    clearok(curscr, TRUE);
    refresh();
}

void term_resize(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
    if (size.ws_row != LINES || size.ws_col != COLS) resizeterm(size.ws_row, size.ws_col);
}

void term_copy(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);
    struct buf b = BUF_INIT(8192);
    buf_puts(&b, "\033]52;c;");
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)text[i] << 16;
        if (i + 1 < n) v |= (uint32_t)(unsigned char)text[i + 1] << 8;
        if (i + 2 < n) v |= (unsigned char)text[i + 2];
        buf_putc(&b, digits[v >> 18]);
        buf_putc(&b, digits[v >> 12 & 63]);
        buf_putc(&b, i + 1 < n ? digits[v >> 6 & 63] : '=');
        buf_putc(&b, i + 2 < n ? digits[v & 63] : '=');
    }
    buf_puts(&b, "\033\\");
    if (!b.failed) write_quietly(STDOUT_FILENO, b.data, b.len);
    buf_free(&b);
}

void term_stop_process(void)
{
    raise(SIGSTOP); /* to this thread: kill() could stop the process through another one, a moment later */
}

int term_stderr_fd(void)
{
    return term.pipe_read;
}

void term_stderr_read(void (*line)(const char *text))
{
    char chunk[1024];
    for (ssize_t n; (n = read(term.pipe_read, chunk, sizeof chunk)) > 0;) {
        if (term.replay.len + (size_t)n > REPLAY_MAX) buf_reset(&term.replay);
        buf_add(&term.replay, chunk, (size_t)n);
        for (ssize_t i = 0; i < n; i++) {
            if (chunk[i] != '\n' && term.line_len + 1 < sizeof term.line) {
                term.line[term.line_len++] = chunk[i];
                continue;
            }
            term.line[term.line_len] = '\0';
            if (term.line_len) line(term.line);
            term.line_len = 0;
        }
    }
}

void term_restore_hard(bool abandoned)
{
    char path[128];
    if (term.restore_len > 0 && ttyname_r(STDOUT_FILENO, path, sizeof path) == 0) {
        /* A description of our own, so that O_NONBLOCK does not change the one the UI thread hangs on. */
        int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            tcflush(fd, TCOFLUSH);
            struct pollfd p = {fd, POLLOUT, 0};
            if (poll(&p, 1, 100) == 1) write_quietly(fd, term.restore, (size_t)term.restore_len);
            close(fd);
        }
    }
    if (abandoned) (void)silence_stdout();
    if (term.have_saved) tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

void term_finish(void)
{
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) sigaction(crash_signals[i], &old_actions[i], NULL);
    term_stderr_release();
    if (term.replay.len) write_quietly(STDERR_FILENO, term.replay.data, term.replay.len);
    give_stderr_back();
    buf_free(&term.replay);
    if (term.pipe_read >= 0) close(term.pipe_read);
    if (term.pipe_write >= 0) close(term.pipe_write);
    if (term.old_stderr >= 0) close(term.old_stderr);
    term.pipe_read = term.pipe_write = term.old_stderr = -1;
}
