/* The disk thread: owns every file once the threads run. Jobs are done in order; the queue is bounded; a full queue
 * refuses and counts (shown as an alarm). A job's memory belongs to the disk once posted. */
#ifndef SFPROXY_STORE_DISK_H
#define SFPROXY_STORE_DISK_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"

struct disk;

enum { DISK_LOSS_SHOWN_MS = 10 * 60 * 1000 };

struct disk_job {
    struct disk_job *next;
    void (*run)(struct disk_job *job); /* on the disk thread; frees the job (and may post a mail with the result) */
};

struct disk_options {
    size_t queue;         /* jobs at most */
    const char *log_file; /* "": lines go to stderr while disk_log_to_stderr() is on, as it is at first */
    int64_t log_size;
    int log_files;
};

struct disk *disk_new(const struct disk_options *o, struct buf *why); /* NULL: no log file, or no thread */
/* Any thread. False: full or closed; the caller keeps the job. */
bool disk_post(struct disk *d, struct disk_job *job) MUST_CHECK;
/* Any thread; a line that does not fit is dropped and counted. Lines have a bound of their own (half of `queue`), so
 * that a flood of them never keeps a job out. */
void disk_log(struct disk *d, const struct log_line *line);
/* Any thread: whether lines also go to stderr (no screen, no log file). A stderr that takes nothing (a stopped
 * terminal, a pipe nobody reads) loses lines, counted, and holds up nothing. */
void disk_log_to_stderr(struct disk *d, bool on);
struct disk_health {
    uint64_t queued, dropped, errors; /* waiting now; since start: refused or lost, failed writes */
    mono_t dropped_at;                /* the newest loss; 0 none */
    bool failing;                     /* the newest save or log write failed */
    char last_error[160];             /* of what fails now; "" when all is well again */
};
void disk_health(struct disk *d, struct disk_health *out); /* any thread */
/* What to tell the user: what fails now, else that something was lost within the last DISK_LOSS_SHOWN_MS (what is lost
 * stays lost; after that the count alone remembers it), else "". Pure. */
void disk_alarm(const struct disk_health *h, mono_t now, char *out, size_t size);
void disk_report_error(struct disk *d, const char *sentence); /* by jobs, on the disk thread; logged when it is new */
void disk_report_ok(struct disk *d);                          /* by jobs: what they do works (again) */
/* The same for the ledger, which may fail alone. NULL: it works. */
void disk_report_ledger(struct disk *d, const char *sentence);
void disk_count_loss(struct disk *d); /* any thread: something was dropped before it reached the queue */
/* Runs what is queued, ends the thread; waits at most `ms`, then leaves it behind. True when it ended. */
bool disk_free(struct disk *d, int64_t ms);

#endif
