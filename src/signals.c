/* Signals: blocked in every thread, read here by the control thread, turned into calls. SIGHUP is a hang-up when the
 * process had a controlling terminal and it is gone (looked at twice, 200 ms apart: the kernel is not in a hurry),
 * otherwise a reload. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine.h"

enum { HANGUP_LOOK_AGAIN_MS = 200 };

struct signals {
    struct engine *g;
    int fd;
    struct loop_io *io;
    struct loop_timer look_again;
    bool had_terminal;
};

static void fill(sigset_t *set)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT, SIGTTOU, SIGTTIN};
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) sigaddset(set, all[i]);
}

void signals_block(void)
{
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a failed write, as a full disk is */
}

static bool terminal_is_there(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool there = tcgetpgrp(fd) >= 0;
    close(fd);
    return there;
}

static void on_look_again(void *arg)
{
    struct signals *s = arg;
    if (s->had_terminal && !terminal_is_there()) {
        s->had_terminal = false;
        engine_hangup(s->g);
    } else {
        log_msg(LOG_INFO, "SIGHUP: reading the configuration again");
        engine_reload(s->g, NULL);
    }
}

static void stop_myself(struct engine *g)
{
    if (g->ui)
        ui_signal(g->ui, UI_SUSPEND);
    else
        raise(SIGSTOP);
}

static void take(struct signals *s, uint32_t number)
{
    struct engine *g = s->g;
    switch (number) {
    case SIGINT:
    case SIGTERM: engine_interrupt(g); break;
    case SIGQUIT: engine_stop(g, 1); break;
    case SIGHUP: loop_timer_start(&s->look_again, HANGUP_LOOK_AGAIN_MS); break;
    case SIGWINCH:
        if (g->ui) ui_signal(g->ui, UI_RESIZE);
        break;
    case SIGTSTP: stop_myself(g); break;
    case SIGCONT:
        if (g->ui) ui_signal(g->ui, UI_CONTINUE);
        break;
    default: break;
    }
}

static void on_readable(void *arg, unsigned events)
{
    struct signals *s = arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info) take(s, info.ssi_signo);
}

struct signals *signals_new(struct engine *g)
{
    struct signals *s = xcalloc(1, sizeof *s);
    sigset_t set;
    fill(&set);
    s->g = g;
    s->had_terminal = terminal_is_there();
    loop_timer_init(&s->look_again, g->loop, on_look_again, s);
    s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->fd >= 0) s->io = loop_io_new(g->loop, s->fd, LOOP_READ, on_readable, s);
    if (s->io) return s;
    signals_free(s);
    return NULL;
}

void signals_free(struct signals *s)
{
    loop_io_free(s->io);
    loop_timer_destroy(&s->look_again);
    if (s->fd >= 0) close(s->fd);
    free(s);
}
