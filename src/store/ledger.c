/* The queue between the control thread and the disk thread: an array of rows used as a ring, behind a lock that is held
 * for a copy. Rows are numbered; `first` is the number of the oldest one that waits. The disk thread copies a batch,
 * writes it without the lock, and then lets go of all rows up to its last number; what the control thread has dropped
 * meanwhile (the queue was full: a row lost that was, in fact, just being written) is not let go twice. An empty queue
 * begins at the array's start again, so that only as much memory is touched as rows ever waited. */
#include "store/ledger.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"
#include "store/ledger_rows.h"
#include "store/statedb.h"

enum { BATCH = 512, EVERY_MS = 250, AGAIN_MS = 1000, FORGET_EVERY_MS = 60000, FORGET_ROWS = 2000, QUESTIONS_MAX = 16 };

struct ledger {
    struct statedb *db;
    struct disk *disk;
    struct disk_job job;      /* write and forget; posted once at a time */
    _Atomic bool posted;      /* by the control thread; cleared on the disk thread */
    _Atomic bool failing;     /* the newest batch could not be written */
    _Atomic bool forget_more; /* the last chunk was full: go on soon */
    _Atomic int64_t keep_ms;
    _Atomic unsigned questions;
    mono_t next_write, next_forget; /* control thread */
    bool forget;                    /* for the job that is posted */
    struct lock lock;
    struct ledger_row *rows; /* [lock] ring; row n stands at n - base, round */
    size_t room;
    uint64_t base, first, next; /* [lock] numbers */
    uint64_t written, dropped;  /* [lock] */
    /* Disk thread: */
    struct ledger_row *batch;
    struct day_clients clients;
};

/* ---- the queue ---- */

static struct ledger_row *row_at(struct ledger *l, uint64_t n)
{
    return &l->rows[(n - l->base) % l->room];
}

void ledger_add(struct ledger *l, const struct ledger_row *row)
{
    lock_get(&l->lock);
    bool full = l->next - l->first == l->room;
    if (full) {
        l->first++;
        l->dropped++;
    }
    if (l->first == l->next) l->base = l->next;
    *row_at(l, l->next++) = *row;
    lock_put(&l->lock);
    if (full) disk_count_loss(l->disk);
}

static size_t peek(struct ledger *l, uint64_t *first)
{
    lock_get(&l->lock);
    size_t n = (size_t)MIN(l->next - l->first, (uint64_t)BATCH);
    *first = l->first;
    for (size_t i = 0; i < n; i++) l->batch[i] = *row_at(l, l->first + i);
    lock_put(&l->lock);
    return n;
}

static void let_go(struct ledger *l, uint64_t first, size_t n)
{
    lock_get(&l->lock);
    l->first = MAX(l->first, first + n);
    l->written += n;
    lock_put(&l->lock);
}

void ledger_health(struct ledger *l, struct ledger_health *out)
{
    lock_get(&l->lock);
    *out = (struct ledger_health){l->next - l->first, l->written, l->dropped};
    lock_put(&l->lock);
}

/* ---- the job ---- */

static bool write_waiting(struct ledger *l, struct buf *why)
{
    uint64_t first;
    for (size_t n; (n = peek(l, &first)) > 0;) {
        if (!ledger_write(l->db, &l->clients, l->batch, n, why)) return false;
        let_go(l, first, n);
    }
    return true;
}

static bool forget_old(struct ledger *l, struct buf *why)
{
    wall_t now = wall_now(), before = {now.ms - atomic_load(&l->keep_ms)};
    int deleted = 0;
    bool ok = ledger_forget(l->db, before, now, FORGET_ROWS, &deleted, why);
    atomic_store(&l->forget_more, ok && deleted == FORGET_ROWS);
    return ok;
}

static void run_job(struct disk_job *job)
{
    struct ledger *l = CONTAINER_OF(job, struct ledger, job);
    struct buf why = BUF_INIT(2048);
    bool forget = l->forget;
    bool ok = write_waiting(l, &why) && (!forget || forget_old(l, &why));
    atomic_store(&l->failing, !ok);
    disk_report_ledger(l->disk, ok ? NULL : buf_cstr(&why));
    buf_free(&why);
    atomic_store(&l->posted, false); /* the last word: from here the control thread may post it again */
}

static bool is_waiting(struct ledger *l)
{
    struct ledger_health h;
    ledger_health(l, &h);
    return h.waiting > 0;
}

void ledger_tick(struct ledger *l, mono_t now)
{
    if (atomic_load(&l->posted) || now.ms < l->next_write.ms) return;
    if (atomic_exchange(&l->forget_more, false)) l->next_forget = mono_add(now, AGAIN_MS);
    l->forget = now.ms >= l->next_forget.ms;
    if (!l->forget && !is_waiting(l)) return;
    atomic_store(&l->posted, true);
    if (disk_post(l->disk, &l->job)) {
        if (l->forget) l->next_forget = mono_add(now, FORGET_EVERY_MS);
    } else {
        atomic_store(&l->posted, false);
    }
    l->next_write = mono_add(now, atomic_load(&l->failing) ? AGAIN_MS : EVERY_MS);
}

void ledger_flush(struct ledger *l)
{
    if (atomic_exchange(&l->posted, true)) return; /* it runs until nothing waits, but for a last row perhaps */
    l->forget = false;
    if (!disk_post(l->disk, &l->job)) atomic_store(&l->posted, false);
}

void ledger_keep(struct ledger *l, int64_t keep_ms)
{
    atomic_store(&l->keep_ms, keep_ms);
}

/* ---- questions ---- */

static void run_question(struct disk_job *job)
{
    struct ledger_question *q = CONTAINER_OF(job, struct ledger_question, job);
    struct buf why = BUF_INIT(sizeof q->why);
    q->ok = ledger_usage(q->ledger->db, &q->ask, &q->list, &why);
    str_copy(q->why, sizeof q->why, buf_str(&why));
    buf_free(&why);
    atomic_fetch_sub(&q->ledger->questions, 1);
    q->done(q);
}

bool ledger_ask(struct ledger *l, struct ledger_question *q)
{
    q->ledger = l;
    q->job.run = run_question;
    if (atomic_fetch_add(&l->questions, 1) < QUESTIONS_MAX && disk_post(l->disk, &q->job)) return true;
    atomic_fetch_sub(&l->questions, 1);
    return false;
}

void usage_list_free(struct usage_list *list)
{
    free(list->rows);
    *list = (struct usage_list){0};
}

/* ---- birth and death ---- */

struct ledger *ledger_new(struct statedb *db, struct disk *d, size_t queue, int64_t keep_ms)
{
    struct ledger *l = xcalloc(1, sizeof *l);
    l->db = db;
    l->disk = d;
    l->job.run = run_job;
    l->keep_ms = keep_ms;
    l->room = queue;
    l->rows = xcalloc(queue, sizeof *l->rows);
    l->batch = xcalloc(BATCH, sizeof *l->batch);
    lock_init(&l->lock, "ledger");
    return l;
}

void ledger_free(struct ledger *l)
{
    struct buf why = BUF_INIT(2048);
    if (!l) return;
    if (!write_waiting(l, &why))
        log_msg(LOG_ERROR, "%s: %" PRIu64 " requests are not in the ledger", buf_cstr(&why), l->next - l->first);
    buf_free(&why);
    map_free(&l->clients.names);
    lock_destroy(&l->lock);
    free(l->rows);
    free(l->batch);
    free(l);
}
