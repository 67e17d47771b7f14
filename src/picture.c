/* The screen as a text file (":save"). The text comes with the command, keys masked; the disk thread writes it. A file
 * that exists is never touched. Without a name it goes into the state directory. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "engine.h"

struct picture_job {
    struct disk_job job;
    struct mail mail;
    struct engine *g;
    struct command *cmd;
    char path[1200];
    struct str text; /* in the command */
    int error;       /* errno, 0 written */
};

static void picture_delivered(void *reader, struct mail *m)
{
    struct picture_job *p = CONTAINER_OF(m, struct picture_job, mail);
    (void)reader;
    if (p->error == 0)
        control_answer(p->cmd, 200, "saved as %s", p->path);
    else
        control_answer(p->cmd, p->error == EEXIST ? 409 : 400, "not saved: %s: %s", p->path, strerror(p->error));
    free(p);
}

/* On the disk thread. */
static void picture_write(struct disk_job *job)
{
    struct picture_job *p = CONTAINER_OF(job, struct picture_job, job);
    int fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !fd_write_all(fd, p->text.p, p->text.n)) p->error = errno;
    if (fd >= 0 && close(fd) != 0 && !p->error) p->error = errno;
    p->mail.deliver = picture_delivered;
    if (loop_post(p->g->loop, &p->mail)) return;
    command_free(p->cmd);
    free(p);
}

static bool picture_path(const struct engine *g, struct str name, char *out, size_t size)
{
    char when[32];
    const char *home = getenv("HOME");
    int n;
    wall_format(wall_now(), when, sizeof when); /* "2026-11-28 14:02:31" */
    for (char *c = when; *c; c++)
        if (*c == ' ' || *c == ':') *c = '-';
    if (name.n == 0)
        n = snprintf(out, size, "%s/screen-%s.txt", state_dir(g->state), when);
    else if (str_starts(name, "~/") && home)
        n = snprintf(out, size, "%s%.*s", home, (int)name.n - 1, name.p + 1);
    else
        n = snprintf(out, size, "%.*s", STR_ARG(name));
    return n > 0 && (size_t)n < size;
}

void engine_save_picture(struct engine *g, struct command *cmd)
{
    struct str text = str_of(cmd->text), name;
    struct picture_job *p = xcalloc(1, sizeof *p);
    p->job.run = picture_write;
    p->g = g;
    p->cmd = cmd;
    bool ok = str_split(&text, '\n', &name) && picture_path(g, str_trim(name), p->path, sizeof p->path);
    p->text = text;
    if (ok && disk_post(g->disk, &p->job)) return;
    control_answer(cmd, ok ? 503 : 400,
                   ok ? "not saved: the disk does not keep up" : "not saved: the name is too long");
    free(p);
}
