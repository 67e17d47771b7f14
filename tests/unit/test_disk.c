/* The disk thread: order, bounds, a stderr that hangs, a log file that rotates, fills up and is moved away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/disk.h"

static char dir[] = "/tmp/sfproxy-test-disk-XXXXXX";

struct test_job {
    struct disk_job job;
    int number;
    int *order, *count;
    sem_t *wait, *done;
};

static void run_test_job(struct disk_job *job)
{
    struct test_job *t = CONTAINER_OF(job, struct test_job, job);
    if (t->wait) sem_wait(t->wait);
    if (t->order) t->order[(*t->count)++] = t->number;
    if (t->done) sem_post(t->done);
    free(t);
}

static struct test_job *job_new(int number)
{
    struct test_job *t = xcalloc(1, sizeof *t);
    t->job.run = run_test_job;
    t->number = number;
    return t;
}

/* Waits until everything posted before has been done. */
static void settle(struct disk *d)
{
    sem_t done;
    sem_init(&done, 0, 0);
    struct test_job *t = job_new(0);
    t->done = &done;
    assert_true(disk_post(d, &t->job));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&done, &until), 0);
    sem_destroy(&done);
}

static struct disk *start(size_t queue, const char *file, int64_t size, int files)
{
    struct disk_options o = {.queue = queue, .log_file = file, .log_size = size, .log_files = files};
    struct buf why = BUF_INIT(1000);
    struct disk *d = disk_new(&o, &why);
    if (!d) print_error("%s\n", buf_cstr(&why));
    assert_non_null(d);
    buf_free(&why);
    return d;
}

static struct log_line line_of(const char *text)
{
    struct log_line l = {.time = wall_now(), .level = LOG_INFO};
    str_copy(l.text, sizeof l.text, str_of(text));
    return l;
}

static const char *in_dir(const char *name)
{
    static char path[4][300];
    static int n;
    char *p = path[n++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void jobs_run_in_order_and_all_before_the_end(void **state)
{
    (void)state;
    struct disk *d = start(1000, "", 0, 0);
    int order[500], count = 0;
    for (int i = 0; i < 500; i++) {
        struct test_job *t = job_new(i);
        t->order = order;
        t->count = &count;
        assert_true(disk_post(d, &t->job));
    }
    assert_true(disk_free(d, 10000));
    assert_int_equal(count, 500);
    for (int i = 0; i < 500; i++) assert_int_equal(order[i], i);
}

static void a_full_queue_refuses_and_lines_have_their_own_share(void **state)
{
    (void)state;
    struct disk *d = start(40, "", 0, 0);
    struct disk_health h;
    sem_t gate, reached;
    sem_init(&gate, 0, 0);
    sem_init(&reached, 0, 0);
    disk_log_to_stderr(d, false);
    struct test_job *first = job_new(0), *blocker = job_new(0);
    first->done = &reached;
    blocker->wait = &gate;
    assert_true(disk_post(d, &first->job));
    assert_true(disk_post(d, &blocker->job));
    sem_wait(&reached);
    do disk_health(d, &h);
    while (h.queued != 0); /* the blocker is running now */
    struct log_line line = line_of("x");
    for (int i = 0; i < 100; i++) disk_log(d, &line);
    disk_health(d, &h);
    assert_int_equal(h.queued, 20);
    assert_int_equal(h.dropped, 80);
    int taken = 0;
    for (int i = 0; i < 60; i++) {
        struct test_job *t = job_new(i);
        if (disk_post(d, &t->job))
            taken++;
        else
            free(t);
    }
    assert_int_equal(taken, 40); /* the flood of lines took none of the jobs' places */
    disk_health(d, &h);
    assert_int_equal(h.dropped, 100);
    sem_post(&gate);
    assert_true(disk_free(d, 10000));
    sem_destroy(&gate);
    sem_destroy(&reached);
}

static const char *alarm_after(const struct disk_health *h, int64_t ms)
{
    static char text[200];
    disk_alarm(h, mono_add(h->dropped_at, ms), text, sizeof text);
    return text;
}

static void a_loss_is_an_alarm_for_a_while_and_counted_for_ever(void **state)
{
    (void)state;
    struct disk *d = start(40, "", 0, 0);
    struct disk_health h;
    sem_t gate;
    sem_init(&gate, 0, 0);
    disk_log_to_stderr(d, false);
    disk_health(d, &h);
    assert_string_equal(alarm_after(&h, 0), "");
    mono_t before = mono_now();
    struct test_job *blocker = job_new(0);
    blocker->wait = &gate;
    assert_true(disk_post(d, &blocker->job));
    struct log_line line = line_of("x");
    for (int i = 0; i < 50; i++) disk_log(d, &line);
    sem_post(&gate);
    settle(d);
    disk_health(d, &h);
    assert_true(h.dropped > 0 && h.dropped_at.ms >= before.ms && h.dropped_at.ms <= mono_now().ms);
    assert_non_null(strstr(alarm_after(&h, 0), "were dropped"));
    assert_non_null(strstr(alarm_after(&h, DISK_LOSS_SHOWN_MS - 1), "were dropped"));
    assert_string_equal(alarm_after(&h, DISK_LOSS_SHOWN_MS), "");
    str_copy(h.last_error, sizeof h.last_error,
             STR("it is full")); /* what fails now comes first, however old the loss */
    assert_string_equal(alarm_after(&h, 0), "disk: it is full");
    assert_string_equal(alarm_after(&h, DISK_LOSS_SHOWN_MS), "disk: it is full");
    assert_true(disk_free(d, 10000));
    sem_destroy(&gate);
}

static void a_hanging_job_does_not_hold_up_the_end(void **state)
{
    (void)state;
    static sem_t gate, done; /* the thread and its memory outlive this test */
    static struct disk *d;
    d = start(40, "", 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&done, 0, 0);
    struct test_job *t = job_new(0);
    t->wait = &gate;
    t->done = &done;
    assert_true(disk_post(d, &t->job));
    assert_false(disk_free(d, 50));
    t = job_new(1);
    assert_false(disk_post(d, &t->job)); /* closed */
    free(t);
    sem_post(&gate);
    sem_wait(&done);
}

/* stderr becomes a pipe that nobody reads, already full. */
static void a_hung_stderr_loses_lines_and_nothing_else(void **state)
{
    (void)state;
    int pipes[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    fd_set_nonblocking(pipes[1]);
    char junk[4096] = {0};
    while (write(pipes[1], junk, sizeof junk) > 0) {
    }
    fcntl(pipes[1], F_SETFL, 0); /* blocking again: a careless write would hang */
    dup2(pipes[1], STDERR_FILENO);
    struct disk *d = start(100, "", 0, 0);
    struct disk_health h;
    struct log_line line = line_of("into the void");
    for (int i = 0; i < 30; i++) disk_log(d, &line);
    settle(d); /* saves go on */
    disk_health(d, &h);
    assert_int_equal(h.dropped, 30);
    struct pollfd p = {.fd = pipes[0], .events = POLLIN};
    while (poll(&p, 1, 0) > 0) assert_true(read(pipes[0], junk, sizeof junk) > 0);
    line = line_of("here again");
    disk_log(d, &line);
    settle(d);
    ssize_t n = read(pipes[0], junk, sizeof junk - 1);
    dup2(saved, STDERR_FILENO);
    assert_true(n > 0);
    junk[n] = '\0';
    assert_non_null(strstr(junk, "30 lines before this one could not be written"));
    assert_non_null(strstr(junk, "info here again\n"));
    assert_true(disk_free(d, 10000));
    close(saved);
    close(pipes[0]);
    close(pipes[1]);
}

static void the_log_rotates_by_size(void **state)
{
    (void)state;
    mode_t before = umask(0);
    struct disk *d = start(10000, in_dir("rot.log"), 2000, 3);
    char text[100];
    for (int i = 0; i < 400; i++) {
        snprintf(text, sizeof text, "line number %d", i);
        struct log_line line = line_of(text);
        disk_log(d, &line);
    }
    assert_true(disk_free(d, 10000));
    umask(before);
    struct stat st;
    const char *const names[] = {"rot.log", "rot.log.1", "rot.log.2", "rot.log.3"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(stat(in_dir(names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_true(st.st_size > 0 && st.st_size <= 2000);
    }
    assert_int_not_equal(stat(in_dir("rot.log.4"), &st), 0);
    struct buf text_now = BUF_INIT(10000), why = BUF_INIT(100);
    assert_true(file_read(in_dir("rot.log"), &text_now, &why));
    assert_non_null(strstr(buf_cstr(&text_now), "line number 399\n"));
    buf_free(&text_now);
}

static void a_moved_log_is_opened_anew(void **state)
{
    (void)state;
    struct disk *d = start(100, in_dir("moved.log"), 100000, 3);
    struct log_line line = line_of("before");
    disk_log(d, &line);
    settle(d);
    assert_int_equal(rename(in_dir("moved.log"), in_dir("moved.old")), 0);
    line = line_of("after");
    disk_log(d, &line);
    assert_true(disk_free(d, 10000));
    struct buf text = BUF_INIT(10000), why = BUF_INIT(100);
    assert_true(file_read(in_dir("moved.log"), &text, &why));
    assert_non_null(strstr(buf_cstr(&text), "after"));
    assert_null(strstr(buf_cstr(&text), "before"));
    buf_free(&text);
}

/* A limit of the file size stands for a full disk: the write is cut short, then refused. */
static void a_full_disk_is_reported_once_and_recovers(void **state)
{
    (void)state;
    struct rlimit before, small;
    struct disk_health h;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    struct disk *d = start(1000, in_dir("full.log"), 1000000, 3);
    small = (struct rlimit){1000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 100; i++) {
        struct log_line line = line_of("length matters on a disk that is full");
        disk_log(d, &line);
    }
    settle(d);
    disk_health(d, &h);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(h.failing);
    assert_true(h.errors > 0);
    assert_int_equal(h.dropped, h.errors);
    assert_non_null(strstr(h.last_error, "cannot write log file"));
    struct log_line line = line_of("space again");
    disk_log(d, &line);
    settle(d);
    disk_health(d, &h);
    assert_false(h.failing);
    assert_string_equal(h.last_error, "");
    assert_true(disk_free(d, 10000));
    struct buf text = BUF_INIT(100000), why = BUF_INIT(100);
    assert_true(file_read(in_dir("full.log"), &text, &why));
    assert_non_null(strstr(buf_cstr(&text), "lines before this one could not be written"));
    struct str rest = buf_str(&text), one;
    while (str_split(&rest, '\n', &one)) /* no half line anywhere, also not at the head of another */
        assert_true(!one.n || str_ends(one, "full") ||
                    (!str_icontains(one, "length") && (str_ends(one, "written") || str_ends(one, "again"))));
    buf_free(&text);
}

static unsigned logged;

static void count_line(void *arg, const struct log_line *line)
{
    (void)arg;
    (void)line;
    __atomic_add_fetch(&logged, 1, __ATOMIC_SEQ_CST);
}

struct report_job {
    struct disk_job job;
    struct disk *disk;
    const char *sentence; /* NULL: it works */
};

static void run_report(struct disk_job *job)
{
    struct report_job *r = CONTAINER_OF(job, struct report_job, job);
    if (r->sentence)
        disk_report_error(r->disk, r->sentence);
    else
        disk_report_ok(r->disk);
    free(r);
}

static void report(struct disk *d, const char *sentence)
{
    struct report_job *r = xcalloc(1, sizeof *r);
    *r = (struct report_job){.job.run = run_report, .disk = d, .sentence = sentence};
    assert_true(disk_post(d, &r->job));
    settle(d);
}

static void errors_of_jobs_are_counted_and_logged_once(void **state)
{
    (void)state;
    struct disk *d = start(100, "", 0, 0);
    struct disk_health h;
    log_set_sink(count_line, NULL);
    for (int i = 0; i < 5; i++) report(d, "cannot write state.db: disk is full");
    disk_health(d, &h);
    assert_int_equal(h.errors, 5);
    assert_true(h.failing);
    assert_string_equal(h.last_error, "cannot write state.db: disk is full");
    assert_int_equal(__atomic_load_n(&logged, __ATOMIC_SEQ_CST), 1);
    report(d, NULL);
    disk_health(d, &h);
    assert_false(h.failing);
    assert_int_equal(h.errors, 5);
    log_set_sink(NULL, NULL);
    assert_true(disk_free(d, 10000));
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct buf why = BUF_INIT(1000);
    struct disk_options o = {.queue = 10, .log_file = dir, .log_size = 1000, .log_files = 1};
    assert_null(disk_new(&o, &why));
    assert_true(why.len > 0);
    buf_reset(&why);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    o.log_file = in_dir("fifo");
    assert_null(disk_new(&o, &why));
    assert_true(why.len > 0);
    buf_free(&why);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_and_all_before_the_end),
        cmocka_unit_test(a_full_queue_refuses_and_lines_have_their_own_share),
        cmocka_unit_test(a_loss_is_an_alarm_for_a_while_and_counted_for_ever),
        cmocka_unit_test(a_hung_stderr_loses_lines_and_nothing_else),
        cmocka_unit_test(the_log_rotates_by_size),
        cmocka_unit_test(a_moved_log_is_opened_anew),
        cmocka_unit_test(a_full_disk_is_reported_once_and_recovers),
        cmocka_unit_test(errors_of_jobs_are_counted_and_logged_once),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_hanging_job_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests_name("disk", tests, make_dir, remove_dir);
}
