/* One thread, one queue. Writers put jobs at the tail under a mutex of our own (with a condition variable, which struct
 * lock does not know); the thread takes the head, runs it without the mutex, and so on until it is closed and empty.
 *
 *   disk_post, disk_log --> [ job | line | job | ... ] --> disk thread: files, SQLite, log file, stderr
 *
 * Invariants: jobs and lines run in the order they were posted; at most `queue` jobs and half as many lines wait; only
 * the disk thread touches the log file and stderr. A disk that hangs holds this thread alone: the queue fills, further
 * jobs are refused and counted. stderr is asked (poll) before it is written to: a stopped terminal costs lines, and
 * must not keep the state from being saved.
 * disk_free() leaves a thread that does not end behind with its memory: the process is about to go anyway. */
#include "store/disk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"
#include "base/io.h"
#include "base/mem.h"
#include "store/logfile.h"

enum { STACK = 256 * 1024, STDERR_WAIT_MS = 200, LINES_MIN = 16 };

struct log_job {
    struct disk_job job;
    struct disk *disk;
    struct log_line line;
};

struct disk {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more, over;
    struct disk_job *first, *last; /* [mutex] this and all up to `health` */
    size_t jobs, lines, jobs_max, lines_max;
    bool closed, ended, to_stderr;
    uint64_t dropped, errors;
    mono_t dropped_at;
    char job_error[160], ledger_error[160], log_error[160]; /* "" while it works */
    /* Disk thread only: */
    struct logfile *log;
    bool stderr_hung;
    uint64_t lost_on_stderr, lost_in_file; /* since the last line that went through */
};

/* With the mutex held. */
static void count_dropped(struct disk *d)
{
    d->dropped++;
    d->dropped_at = mono_now();
}

/* ---- writing a line ---- */

static void count_lost(struct disk *d, uint64_t *lost)
{
    ++*lost;
    pthread_mutex_lock(&d->mutex);
    count_dropped(d);
    pthread_mutex_unlock(&d->mutex);
}

static void format_line(const struct log_line *line, bool with_date, struct buf *out)
{
    char when[48];
    (with_date ? wall_format : wall_format_time)(line->time, when, sizeof when);
    buf_printf(out, "%s %s %s\n", when, log_level_name(line->level), line->text);
}

static void format_lost(uint64_t lost, bool with_date, struct buf *out)
{
    struct log_line line = {.time = wall_now(), .level = LOG_WARN};
    if (!lost) return;
    snprintf(line.text, sizeof line.text, "%llu lines before this one could not be written", (unsigned long long)lost);
    format_line(&line, with_date, out);
}

/* A hung stderr is waited for once; from then on it is only asked. */
static bool stderr_takes(struct disk *d)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    int n = poll(&p, 1, d->stderr_hung ? 0 : STDERR_WAIT_MS);
    d->stderr_hung = n == 0;
    return n > 0 && !(p.revents & (POLLERR | POLLNVAL | POLLHUP));
}

static void write_stderr(struct disk *d, const struct log_line *line)
{
    struct buf text = BUF_INIT(4096); /* PIPE_BUF: what poll() promises can be written without waiting */
    format_lost(d->lost_on_stderr, false, &text);
    format_line(line, false, &text);
    if (stderr_takes(d) && fd_write_all(STDERR_FILENO, text.data, text.len))
        d->lost_on_stderr = 0;
    else
        count_lost(d, &d->lost_on_stderr);
    buf_free(&text);
}

static void report(struct disk *d, char *kept, size_t size, const char *sentence)
{
    char text[sizeof d->job_error];
    str_copy(text, sizeof text, str_of(sentence));
    pthread_mutex_lock(&d->mutex);
    bool is_new = strcmp(kept, text) != 0;
    d->errors++;
    str_copy(kept, size, str_of(text));
    pthread_mutex_unlock(&d->mutex);
    if (is_new) log_msg(LOG_ERROR, "%s", text);
}

static void write_file(struct disk *d, const struct log_line *line)
{
    struct buf text = BUF_INIT(4096), why = BUF_INIT(1024);
    format_lost(d->lost_in_file, true, &text);
    format_line(line, true, &text);
    if (logfile_write(d->log, buf_str(&text), &why)) {
        d->lost_in_file = 0;
        pthread_mutex_lock(&d->mutex);
        d->log_error[0] = '\0';
        pthread_mutex_unlock(&d->mutex);
    } else {
        count_lost(d, &d->lost_in_file);
        report(d, d->log_error, sizeof d->log_error, buf_cstr(&why));
    }
    buf_free(&text);
    buf_free(&why);
}

static void run_log_job(struct disk_job *job)
{
    struct log_job *l = CONTAINER_OF(job, struct log_job, job);
    struct disk *d = l->disk;
    pthread_mutex_lock(&d->mutex);
    bool to_stderr = d->to_stderr;
    pthread_mutex_unlock(&d->mutex);
    if (d->log) write_file(d, &l->line);
    if (to_stderr) write_stderr(d, &l->line);
    free(l);
}

/* ---- the thread ---- */

static struct disk_job *take(struct disk *d)
{
    pthread_mutex_lock(&d->mutex);
    while (!d->first && !d->closed) pthread_cond_wait(&d->more, &d->mutex);
    struct disk_job *job = d->first;
    if (job) {
        d->first = job->next;
        if (!d->first) d->last = NULL;
        --*(job->run == run_log_job ? &d->lines : &d->jobs);
    }
    pthread_mutex_unlock(&d->mutex);
    return job;
}

static void *disk_main(void *arg)
{
    struct disk *d = arg;
    for (struct disk_job *job; (job = take(d)) != NULL;) job->run(job);
    pthread_mutex_lock(&d->mutex);
    d->ended = true;
    pthread_cond_signal(&d->over);
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* Signals are main's; the stack is sized, not left to `ulimit -s`. Returns the error's number, or 0. */
static int start_thread(struct disk *d)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&d->thread, &attr, disk_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (!failed) pthread_setname_np(d->thread, "disk");
    return failed;
}

static void init_sync(struct disk *d)
{
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->more, NULL);
    pthread_cond_init(&d->over, NULL);
}

static void free_disk(struct disk *d)
{
    logfile_close(d->log);
    pthread_cond_destroy(&d->more);
    pthread_cond_destroy(&d->over);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

struct disk *disk_new(const struct disk_options *o, struct buf *why)
{
    struct disk *d = xcalloc(1, sizeof *d);
    if (*o->log_file) d->log = logfile_open(o->log_file, o->log_size, o->log_files, why);
    if (*o->log_file && !d->log) {
        free(d);
        return NULL;
    }
    d->jobs_max = o->queue;
    d->lines_max = MAX(o->queue / 2, (size_t)LINES_MIN);
    d->to_stderr = !*o->log_file;
    init_sync(d);
    int failed = start_thread(d);
    if (!failed) return d;
    buf_printf(why, "cannot start the disk thread: %s (too many processes? see ulimit -u)", strerror(failed));
    free_disk(d);
    return NULL;
}

static bool append(struct disk *d, struct disk_job *job, size_t *count, size_t max)
{
    job->next = NULL;
    pthread_mutex_lock(&d->mutex);
    bool fits = !d->closed && *count < max;
    if (fits) {
        if (d->last)
            d->last->next = job;
        else
            d->first = job;
        d->last = job;
        ++*count;
        pthread_cond_signal(&d->more);
    } else {
        count_dropped(d);
    }
    pthread_mutex_unlock(&d->mutex);
    return fits;
}

bool disk_post(struct disk *d, struct disk_job *job)
{
    return append(d, job, &d->jobs, d->jobs_max);
}

void disk_log(struct disk *d, const struct log_line *line)
{
    struct log_job *l = xmalloc(sizeof *l);
    *l = (struct log_job){.job.run = run_log_job, .disk = d, .line = *line};
    if (!append(d, &l->job, &d->lines, d->lines_max)) free(l);
}

void disk_log_to_stderr(struct disk *d, bool on)
{
    pthread_mutex_lock(&d->mutex);
    d->to_stderr = on;
    pthread_mutex_unlock(&d->mutex);
}

void disk_health(struct disk *d, struct disk_health *out)
{
    pthread_mutex_lock(&d->mutex);
    *out = (struct disk_health){.queued = d->jobs + d->lines, .dropped = d->dropped, .errors = d->errors};
    out->dropped_at = d->dropped_at;
    const char *error = d->job_error[0] ? d->job_error : d->ledger_error[0] ? d->ledger_error : d->log_error;
    out->failing = error[0] != '\0';
    str_copy(out->last_error, sizeof out->last_error, str_of(error));
    pthread_mutex_unlock(&d->mutex);
}

void disk_alarm(const struct disk_health *h, mono_t now, char *out, size_t size)
{
    bool lost = h->dropped && mono_since(now, h->dropped_at) < DISK_LOSS_SHOWN_MS;
    if (size) out[0] = '\0';
    if (h->last_error[0])
        snprintf(out, size, "disk: %s", h->last_error);
    else if (lost)
        snprintf(out, size, "disk: %llu writes or log lines were dropped", (unsigned long long)h->dropped);
}

void disk_report_error(struct disk *d, const char *sentence)
{
    report(d, d->job_error, sizeof d->job_error, sentence);
}

void disk_report_ledger(struct disk *d, const char *sentence)
{
    if (sentence) {
        report(d, d->ledger_error, sizeof d->ledger_error, sentence);
        return;
    }
    pthread_mutex_lock(&d->mutex);
    d->ledger_error[0] = '\0';
    pthread_mutex_unlock(&d->mutex);
}

void disk_count_loss(struct disk *d)
{
    pthread_mutex_lock(&d->mutex);
    count_dropped(d);
    pthread_mutex_unlock(&d->mutex);
}

void disk_report_ok(struct disk *d)
{
    pthread_mutex_lock(&d->mutex);
    d->job_error[0] = '\0';
    pthread_mutex_unlock(&d->mutex);
}

/* With the mutex held. */
static bool wait_for_end(struct disk *d, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    while (!d->ended)
        if (pthread_cond_clockwait(&d->over, &d->mutex, CLOCK_MONOTONIC, &until) != 0) break;
    return d->ended;
}

bool disk_free(struct disk *d, int64_t ms)
{
    if (!d) return true;
    pthread_mutex_lock(&d->mutex);
    d->closed = true;
    pthread_cond_signal(&d->more);
    bool ended = wait_for_end(d, ms);
    pthread_mutex_unlock(&d->mutex);
    if (!ended) {
        pthread_detach(d->thread);
        return false;
    }
    pthread_join(d->thread, NULL);
    free_disk(d);
    return true;
}
