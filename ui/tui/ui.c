/* The UI thread and its life.
 *
 *   ui_start (main)  ->  thread: open curses -> loop { draw | wait | handle } -> leave curses -> done
 *   ui_stop (control): raise STOP, wait 1 s; a thread that hangs in a write to the terminal is abandoned, the terminal
 * is restored from here, and nothing the thread may still touch is freed.
 *
 * Screen states: SHOWN; HIDDEN (by the user; Enter brings it back, log lines go to stderr meanwhile); AWAY (continued
 * in the background after a stop: the shell has the terminal); DEAD (POLLHUP, POLLERR or readable without anything to
 * read: the thread ends at once and tells the control thread). The thread waits in poll() for the terminal, the inbox
 * (snapshots, answers, signals) and the stderr pipe, never longer than until the clock on the screen moves. Input is
 * drawn at once, data at most `fps` times a second. */
#include "ui/tui/ui.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ui/tui/app.h"
#include "ui/tui/term.h"
#include "ui/tui/text.h"

enum { FRAME_MS = 16, STOP_WAIT_MS = 1000, AWAY_POLL_MS = 500, EMPTY_READS_MAX = 100 };

enum screen { SCREEN_SHOWN, SCREEN_HIDDEN, SCREEN_AWAY, SCREEN_DEAD };

struct ui {
    struct app app;
    struct input input;
    struct inbox *inbox;
    pthread_t thread;
    int watch; /* handle of control_watch(); valid while `watching` */
    bool watching;
    enum screen screen;
    bool fresh;           /* a new snapshot waits to be drawn */
    mono_t drawn;         /* last frame */
    unsigned empty_reads; /* in a row, although the terminal was readable */
};

bool ui_possible(struct buf *why)
{
    return term_possible(why);
}

static void on_stderr(const char *text)
{
    if (!strstr(text, "stderr: ")) log_msg(LOG_WARN, "stderr: %s", text);
}

static void draw(struct ui *u)
{
    struct app *a = &u->app;
    a->now = mono_now();
    if (u->fresh) app_take_snapshot(a);
    u->fresh = false;
    app_draw(a);
    a->dirty = false;
    u->drawn = mono_now();
}

/* Milliseconds until the next frame is due; 0 now. */
static int frame_due(const struct ui *u)
{
    int64_t since = mono_since(mono_now(), u->drawn);
    int64_t every = u->app.dirty ? FRAME_MS : u->fresh ? 1000 / MAX(u->app.options.fps, 1) : INT32_MAX;
    int64_t left = MIN(every - since, (int64_t)app_next_change(&u->app));
    return left < 0 ? 0 : (int)left;
}

/* Nobody builds snapshots for a screen that does not show them. */
static void watch(struct ui *u, bool on)
{
    if (on == u->watching) return;
    u->watching = on;
    if (on)
        u->watch = control_watch(u->app.control, inbox_wake_fresh, u->inbox);
    else
        control_unwatch(u->app.control, u->watch);
}

static void hide(struct ui *u)
{
    watch(u, false);
    u->screen = SCREEN_HIDDEN;
    term_leave();
    term_stderr_release();
    fprintf(stderr, "%s\n", tr(MSG_T_HIDDEN));
    (void)app_post(&u->app, CMD_SCREEN_HIDDEN, "", NULL, 1, 1);
}

static void show(struct ui *u)
{
    bool was_hidden = u->screen == SCREEN_HIDDEN;
    u->screen = SCREEN_SHOWN;
    if (was_hidden) term_stderr_capture();
    watch(u, true);
    term_enter(u->app.mouse);
    u->app.title[0] = '\0';
    u->app.whole_redraw = u->app.dirty = u->fresh = true;
    if (was_hidden) (void)app_post(&u->app, CMD_SCREEN_HIDDEN, "", NULL, 0, 1);
}

/* The whole process stops, the proxy too; the caller was warned. Comes back after SIGCONT. */
static void suspend(struct ui *u)
{
    if (u->screen == SCREEN_SHOWN) term_leave();
    term_stop_process();
    if (u->screen == SCREEN_HIDDEN) return;
    if (term_foreground())
        show(u);
    else
        u->screen = SCREEN_AWAY;
}

static void on_wake(struct ui *u)
{
    unsigned bits = inbox_drain(u->inbox, &u->app);
    if (bits & WAKE_FRESH) u->fresh = true;
    if (bits & WAKE_SUSPEND) suspend(u);
    if (u->screen == SCREEN_SHOWN && bits & WAKE_RESIZE) {
        term_resize();
        u->app.dirty = true;
    }
    if (bits & WAKE_CONTINUE && u->screen != SCREEN_HIDDEN && term_foreground()) {
        if (u->screen == SCREEN_AWAY)
            show(u);
        else
            term_enter(u->app.mouse), u->app.whole_redraw = u->app.dirty = true;
    }
}

static void read_hidden(struct ui *u)
{
    char c[256];
    ssize_t n = read(STDIN_FILENO, c, sizeof c);
    if (n <= 0 && errno != EINTR && errno != EAGAIN) u->screen = SCREEN_DEAD;
    if (n > 0 && (memchr(c, '\n', (size_t)n) || memchr(c, '\r', (size_t)n))) show(u);
}

static void read_terminal(struct ui *u)
{
    if (u->screen == SCREEN_HIDDEN) {
        read_hidden(u);
        return;
    }
    size_t n = input_read(&u->input, app_event, &u->app);
    u->empty_reads = n ? 0 : u->empty_reads + 1;
    if (u->empty_reads > EMPTY_READS_MAX) u->screen = SCREEN_DEAD; /* readable, yet nothing comes: end of file */
}

static int wait_ms(const struct ui *u)
{
    if (u->screen == SCREEN_AWAY) return AWAY_POLL_MS;
    if (u->screen == SCREEN_HIDDEN) return -1;
    int ms = frame_due(u), input = input_timeout(&u->input);
    return input >= 0 && input < ms ? input : ms;
}

static void wait_and_handle(struct ui *u)
{
    struct pollfd p[3] = {{u->screen == SCREEN_AWAY ? -1 : STDIN_FILENO, POLLIN, 0},
                          {inbox_fd(u->inbox), POLLIN, 0},
                          {term_stderr_fd(), POLLIN, 0}};
    int n = poll(p, ARRAY_LEN(p), wait_ms(u));
    if (n < 0) return;
    if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        u->screen = SCREEN_DEAD;
        return;
    }
    if (p[1].revents) on_wake(u);
    if (p[2].revents) term_stderr_read(on_stderr);
    if (p[0].revents & POLLIN && u->screen != SCREEN_DEAD)
        read_terminal(u);
    else if (u->screen == SCREEN_SHOWN && input_timeout(&u->input) == 0)
        (void)input_read(&u->input, app_event, &u->app);
    if (u->screen == SCREEN_AWAY && term_foreground()) show(u);
}

static void follow_wishes(struct ui *u)
{
    struct app *a = &u->app;
    if (a->hide_asked && u->screen == SCREEN_SHOWN) hide(u);
    if (a->suspend_asked && u->screen == SCREEN_SHOWN) suspend(u);
    a->hide_asked = a->suspend_asked = false;
}

static void loop(struct ui *u)
{
    u->fresh = u->app.dirty = true;
    while (!inbox_stopping(u->inbox) && u->screen != SCREEN_DEAD) {
        if (u->screen == SCREEN_SHOWN && frame_due(u) == 0) draw(u);
        wait_and_handle(u);
        follow_wishes(u);
    }
}

/* What the terminal said about its widths: an answer of another width than ours would shift every column. */
static void trust_glyphs(struct app *a)
{
    if (!term_symbols_fit()) a->plain = a->ascii_graph = true;
    if (term_chinese_fits()) return;
    a->ascii = a->ascii_graph = true;
    lang_set(LANG_EN);
}

static void *run(void *arg)
{
    struct ui *u = arg;
    struct app *a = &u->app;
    pthread_setname_np(pthread_self(), "ui");
    a->now = mono_now();
    if (!term_open(a->mouse)) {
        u->screen = SCREEN_DEAD;
        log_msg(LOG_ERROR, "the screen could not be opened: curses refused the terminal");
        (void)app_post(a, CMD_SCREEN_HIDDEN, "", NULL, 1, 1);
        return NULL;
    }
    trust_glyphs(a);
    theme_start(a->options.theme);
    watch(u, true);
    loop(u);
    watch(u, false);
    term_stderr_read(on_stderr);
    if (u->screen == SCREEN_SHOWN) term_leave();
    term_close();
    if (u->screen == SCREEN_DEAD) (void)app_post(a, CMD_HANGUP, "", NULL, 0, 1);
    return NULL;
}

struct ui *ui_start(const struct ui_options *o, struct control *control, struct buf *why)
{
    struct ui *u = xcalloc(1, sizeof *u);
    struct app *a = &u->app;
    if (!term_prepare(why)) {
        free(u);
        return NULL;
    }
    a->options = *o;
    a->control = control;
    a->inbox = u->inbox = inbox_new(app_reply);
    a->ascii = term_ascii();
    a->ascii_graph = a->ascii || term_plain_font() || o->graph == 1;
    app_init(a);
    app_load_settings(a);
    input_init(&u->input);
    int err = pthread_create(&u->thread, NULL, run, u);
    if (err == 0) return u;
    buf_printf(why, "no thread for the screen: %s", strerror(err));
    term_finish();
    inbox_put(u->inbox);
    app_free(a);
    free(u);
    return NULL;
}

void ui_signal(struct ui *ui, enum ui_signal s)
{
    static const unsigned bits[] = {
        [UI_RESIZE] = WAKE_RESIZE, [UI_SUSPEND] = WAKE_SUSPEND, [UI_CONTINUE] = WAKE_CONTINUE};
    inbox_wake(ui->inbox, bits[s]);
}

void ui_stop(struct ui *ui)
{
    struct timespec limit;
    inbox_wake(ui->inbox, WAKE_STOP);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_WAIT_MS / 1000;
    if (pthread_timedjoin_np(ui->thread, NULL, &limit) != 0) {
        term_restore_hard(true);
        term_finish();
        return; /* the thread may still wake up: what it uses stays */
    }
    if (ui->screen == SCREEN_DEAD) term_restore_hard(false);
    term_finish();
    inbox_close(ui->inbox, &ui->app);
    input_free(&ui->input);
    app_free(&ui->app);
    inbox_put(ui->inbox);
    free(ui);
}
