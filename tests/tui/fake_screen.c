/* The screen over a made-up control thread: links ui/tui with snapshots that change by themselves, so that every view,
 * dialog and way out can be looked at and tested without a proxy. Deterministic with --seed and --step.
 *
 *   fake_screen [--seed N] [--keys N] [--frozen] [--readonly] [--privacy] [--lang en|zh] [--graph ascii] [--theme N]
 *               [--outage upstream|model] [--accounts] [--bell] [--title] [--storm RPS] [--heartbeat FILE]
 *               [--upstream URL] [--upstream-then URL]
 *
 * Lines on the commands' way are appended to $FAKE_LOG when it is set: the tests read there what the screen asked for.
 * SIGUSR1 writes a line to stderr and takes --upstream-then, as a reload would; SIGUSR2 crashes with SIGSEGV; SIGTERM stops like a drained proxy. The main thread is
 * the control thread; it appends to the heartbeat file 10 times a second, so a test can see that nothing blocks it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "control/command.h"
#include "ui/tui/ui.h"

#include "fake_data.h"

static void publish(void)
{
    struct snapshot *s = build();
    pthread_mutex_lock(&fake.lock);
    struct snapshot *old = fake.latest;
    fake.latest = s;
    if (fake.notify) fake.notify(fake.notify_arg); /* only wakes */
    pthread_mutex_unlock(&fake.lock);
    snapshot_put(old);
}

/* --- what the screen calls --- */

static void wake_control(void *arg)
{
    uint64_t one = 1;
    ssize_t n = write(((struct control *)arg)->wake_fd, &one, sizeof one);
    (void)n;
}

static struct key_view *find(const char *id)
{
    for (size_t i = 0; i < fake.key_count; i++)
        if (strcmp(fake.keys[i].view.id, id) == 0) return &fake.keys[i].view;
    return NULL;
}

static void add_keys(struct command *c, struct command_result *r)
{
    char *text = c->text, *end = text + strlen(text);
    for (char *p = text; p < end;) {
        size_t n = strcspn(p, " \n\t,;");
        p[n] = '\0';
        if (strncmp(p, "sk-", 3) == 0 && n >= 16 && fake.key_count < KEYS_MAX) {
            make_key(fake.key_count, p);
            if (find(fake.keys[fake.key_count].view.id))
                r->duplicate++;
            else
                fake.key_count++, r->added++;
        } else if (n) {
            r->ignored++;
        }
        p += n + 1;
    }
}

/* The first line is the name. */
static void save_picture(char *text, struct command_result *r)
{
    char *end = strchr(text, '\n');
    *end = '\0';
    FILE *f = *text ? fopen(text, "wx") : NULL;
    if (f) fputs(end + 1, f);
    if (f) fclose(f);
    r->ok = f != NULL;
    snprintf(r->message, sizeof r->message, f ? "saved as %s" : "not saved: %s", text);
}

static void set_balance(struct key_view *k)
{
    struct snap_key *s = CONTAINER_OF(k, struct snap_key, view);
    k->balance_origin = s->balance_origin = BALANCE_SET;
    k->balance_at = fake_now();
    s->balance_left_micro = k->balance_micro;
}

static void carry_out(void *reader, struct mail *mail)
{
    (void)reader;
    struct command *c = CONTAINER_OF(mail, struct command, mail);
    struct command_result r = {.ok = true, .status = 200};
    struct key_view *k = find(c->subject);
    if (fake.trace) {
        fprintf(fake.trace, "%s subject=%s text=%s number=%llu flag=%d\n", command_name(c->kind), c->subject,
                c->kind == CMD_KEYS_ADD ? "(keys)"
                : c->kind == CMD_SCREEN_SAVE ? "(picture)"
                : c->text               ? c->text
                                        : "",
                (unsigned long long)c->number, c->flag);
        fflush(fake.trace);
    }
    switch (c->kind) {
    case CMD_KEY_ENABLE:
        if (k) k->enabled = true, k->state = KEY_READY;
        break;
    case CMD_KEY_DISABLE:
        if (k) k->enabled = false, k->state = KEY_OFF;
        break;
    case CMD_KEY_TEST:
        if (k) {
            k->state = KEY_READY, k->tested_at = fake_now();
            snprintf(r.message, sizeof r.message, "key %s works (0.31 s)", k->masked);
        }
        break;
    case CMD_KEYS_TEST:
        fake.progress = (struct snap_progress){true, "test", 0, (unsigned)fake.key_count, 0};
        r.status = 202;
        break;
    case CMD_TEST_STOP: fake.progress.running = false; break;
    case CMD_KEYS_ADD: add_keys(c, &r); break;
    case CMD_KEY_REMOVE:
        if (k) {
            size_t i = (size_t)(CONTAINER_OF(k, struct snap_key, view) - fake.keys);
            memmove(fake.keys + i, fake.keys + i + 1, (fake.key_count - i - 1) * sizeof *fake.keys);
            fake.key_count--;
        }
        snprintf(r.message, sizeof r.message, "removed");
        break;
    case CMD_KEY_RESET:
        if (k && k->state == KEY_COOLING) k->state = KEY_READY, k->cooldown_count = 0;
        snprintf(r.message, sizeof r.message, "cooldowns cleared");
        break;
    case CMD_KEY_LABEL:
        if (k) str_copy(k->label, sizeof k->label, str_of(c->text));
        break;
    case CMD_KEY_BALANCE:
        if (k && c->text[0] && str_micro(str_of(c->text), &k->balance_micro)) set_balance(k);
        break;
    case CMD_MODEL_BAN:
    case CMD_MODEL_UNBAN:
        for (size_t i = 0; i < MODELS; i++)
            if (strcmp(models[i].id, c->text) == 0) fake.banned[i] = c->kind == CMD_MODEL_BAN;
        break;
    case CMD_REQUEST_CANCEL:
        for (size_t i = 0; i < fake.live_count; i++)
            if (fake.requests[i].r.id == c->number) end_request(i);
        snprintf(r.message, sizeof r.message, "request %llu cancelled", (unsigned long long)c->number);
        break;
    case CMD_SCREEN_SAVE: save_picture(c->text, &r); break;
    case CMD_KEY_TEST_OTHER:
        snprintf(r.message, sizeof r.message, "key %s is not known there", c->subject);
        break;
    case CMD_MODELS_REFRESH: snprintf(r.message, sizeof r.message, "the platform lists %d models", MODELS); break;
    case CMD_RELOAD:
        r.ok = false;
        r.status = 400;
        snprintf(r.message, sizeof r.message, "sfproxy.conf:12: unknown option [server] lissten");
        break;
    case CMD_DRAIN: fake.draining = true; break;
    case CMD_QUIT: fake.stop = true, fake.exit_code = 130; break;
    case CMD_HANGUP: fake.stop = true; break;
    default: break;
    }
    if (c->done) c->done(c, &r);
    command_free(c);
    publish();
}

bool control_post(struct control *c, struct command *cmd)
{
    cmd->mail.deliver = carry_out;
    return mailbox_post(&c->box, &cmd->mail);
}

struct snapshot *control_snapshot(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    struct snapshot *s = c->latest ? snapshot_get(c->latest) : NULL;
    pthread_mutex_unlock(&c->lock);
    return s;
}

int control_watch(struct control *c, void (*notify)(void *), void *arg)
{
    pthread_mutex_lock(&c->lock);
    c->notify_arg = arg;
    c->notify = notify;
    pthread_mutex_unlock(&c->lock);
    return 1;
}

void control_unwatch(struct control *c, int handle)
{
    (void)handle;
    pthread_mutex_lock(&c->lock);
    c->notify = NULL;
    pthread_mutex_unlock(&c->lock);
}

const char *control_setting(struct control *c, const char *name)
{
    (void)c, (void)name;
    return NULL;
}

/* --- main --- */

static void heartbeat(const char *path)
{
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (fd < 0) return;
    ssize_t n = write(fd, ".", 1);
    (void)n;
    close(fd);
}

static void on_signal(struct ui *ui, int sig)
{
    switch (sig) {
    case SIGWINCH: ui_signal(ui, UI_RESIZE); break;
    case SIGTSTP: ui_signal(ui, UI_SUSPEND); break;
    case SIGCONT: ui_signal(ui, UI_CONTINUE); break;
    case SIGUSR1:
        fprintf(stderr, "a library complains loudly\n");
        if (fake.upstream_next) fake.upstream_url = fake.upstream_next;
        break;
    case SIGUSR2: *(volatile int *)(uintptr_t)8 = 1; break;
    case SIGHUP: break; /* the screen notices by itself that its terminal is gone */
    case SIGQUIT: abort();
    default: fake.stop = true;
    }
}

static void run(struct ui *ui, int sigfd, const char *beat)
{
    mono_t next = mono_now(), next_beat = next, drained = {0};
    while (!fake.stop) {
        struct pollfd p[2] = {{sigfd, POLLIN, 0}, {fake.wake_fd, POLLIN, 0}};
        poll(p, 2, 50);
        struct signalfd_siginfo info;
        while (read(sigfd, &info, sizeof info) == sizeof info) on_signal(ui, (int)info.ssi_signo);
        uint64_t n;
        if (read(fake.wake_fd, &n, sizeof n) > 0) mailbox_drain(&fake.box, NULL);
        mono_t now = mono_now();
        if (now.ms >= next_beat.ms) heartbeat(beat), next_beat = mono_add(now, 100);
        if (now.ms >= next.ms) {
            if (!fake.frozen) step();
            publish();
            next = mono_add(now, 250);
        }
        if (fake.draining && !drained.ms) drained = mono_add(now, 1500);
        if (drained.ms && now.ms > drained.ms) fake.stop = true;
    }
}

static int block_signals(void)
{
    static const int list[] = {SIGINT,   SIGTERM, SIGHUP,  SIGQUIT, SIGTSTP, SIGCONT,
                               SIGWINCH, SIGTTOU, SIGTTIN, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) sigaddset(&set, list[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigdelset(&set, SIGTTOU);
    sigdelset(&set, SIGTTIN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct ui_options o = {.fps = 4, .mouse = true};
    uint64_t keys = 24, seed = 1;
    const char *beat = NULL;
    for (int i = 1; i < argc; i++) {
        const char *v = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seed") == 0) (void)str_u64(str_of(v), &seed);
        if (strcmp(argv[i], "--keys") == 0) (void)str_u64(str_of(v), &keys);
        if (strcmp(argv[i], "--heartbeat") == 0) beat = v;
        if (strcmp(argv[i], "--frozen") == 0) fake.frozen = true;
        if (strcmp(argv[i], "--readonly") == 0) o.readonly = fake.readonly = true;
        if (strcmp(argv[i], "--privacy") == 0) o.privacy = true;
        if (strcmp(argv[i], "--lang") == 0) o.lang = strcmp(v, "zh") == 0 ? 2 : 1;
        if (strcmp(argv[i], "--outage") == 0) (strcmp(v, "model") ? &fake.upstream_down : &fake.model_down)[0] = true;
        if (strcmp(argv[i], "--upstream") == 0) fake.upstream_url = v;
        if (strcmp(argv[i], "--upstream-then") == 0) fake.upstream_next = v;
        if (strcmp(argv[i], "--bell") == 0) o.bell = true;
        if (strcmp(argv[i], "--title") == 0) o.title = true;
        if (strcmp(argv[i], "--accounts") == 0) fake.accounts = true;
        if (strcmp(argv[i], "--storm") == 0) (void)str_u64(str_of(v), &fake.storm);
        if (strcmp(argv[i], "--graph") == 0) o.graph = 1;
        if (strcmp(argv[i], "--theme") == 0) o.theme = v[0] - '0';
    }
    int sigfd = block_signals();
    const char *trace = getenv("FAKE_LOG");
    fake.trace = trace ? fopen(trace, "ae") : NULL;
    fake.rnd = (unsigned)seed;
    fake.next_id = 41000;
    fake.born = mono_now();
    pthread_mutex_init(&fake.lock, NULL);
    fake.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mailbox_init(&fake.box, wake_control, &fake);
    log_set_sink(fake_log, NULL);
    make_keys((size_t)MIN(keys, KEYS_MAX));
    if (keys) make_series();
    for (int i = 0; i < 40 && keys; i++) step();
    log_msg(LOG_INFO, "model list refreshed: 90 models (12 free, 1 new: Qwen/Qwen3-Next)");
    log_msg(LOG_WARN, "key sk-8d21..4b2d 429 \"TPM limit reached\": cooling 60 s");
    log_msg(LOG_ERROR, "key sk-03ee..0d91 401 \"Invalid token\": switched to bad");
    publish();
    struct buf why = BUF_INIT(512);
    struct ui *ui = ui_possible(&why) ? ui_start(&o, &fake, &why) : NULL;
    if (!ui) {
        printf("headless: %s\n", buf_cstr(&why));
        buf_free(&why);
        return 0;
    }
    run(ui, sigfd, beat);
    mailbox_close(&fake.box, NULL);
    ui_stop(ui);
    printf("fake_screen ended %d\n", fake.exit_code);
    return fake.exit_code;
}
