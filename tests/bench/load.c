/* The load generator of `make bench`: one thread, one epoll, nothing allocated while it measures (but the samples).
 *
 *   load req --to HOST:PORT --model M [--key K] [-c 64] [-b 1024] [-t SECONDS | -n COUNT] [--pid P]
 *       Closed loop: each connection sends its next request when the answer is complete. The first 10 % of the time
 *       (at least 0.3 s) warm up and are not counted.
 *   load sse --to HOST:PORT -c STREAMS --chunks N --interval MS --bytes B [--ramp PER_SECOND] [-t SECONDS] [--pid P]
 *       Every stream reads all of its N chunks. When all are up, and half a second later, a window of -t seconds opens:
 *       CPU, latency and memory are those of the window, lost chunks are counted over the whole life of all streams.
 *
 * --pid: the proxy, whose CPU time (utime + stime of /proc/P/stat) and memory (Pss of /proc/P/smaps_rollup) are read at
 * both ends of the measured time. The result is one line of JSON.
 *
 * Chunk latency is now minus the CLOCK_MONOTONIC stamp of 19 digits at the beginning of each chunk's content (the
 * stand-in writes it when it makes the chunk). A connection that fails is counted and, in req mode, opened again. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, RECV_BYTES = 64 * 1024, STAMP_DIGITS = 19, LATE_NS = 50 * 1000 * 1000 };

enum part { PART_STATUS, PART_FIELDS, PART_SIZED, PART_SIZE, PART_DATA, PART_DATA_END, PART_TRAILER };

struct line {
    size_t n;
    char text[LINE_MAX_BYTES];
};

struct link {
    int fd; /* -1: closed */
    size_t sent;
    int64_t begun_ns; /* of the request */
    enum part part;
    int status;
    bool chunked;
    uint64_t left;     /* of the body, or of the chunk */
    struct line line;  /* a line of HTTP that came in pieces */
    struct line event; /* a line of the event stream that came in pieces */
    uint64_t chunks;
    bool done_seen; /* [DONE] */
    bool is_up;     /* its first chunk came */
};

static struct options {
    bool sse;
    struct sockaddr_in to;
    const char *key, *model;
    size_t connections, body_bytes, count;
    double seconds;
    long chunks, interval_ms, chunk_bytes, ramp;
    int pid;
} opt = {.key = "sk-bench", .connections = 64, .body_bytes = 1024, .seconds = 3, .ramp = 1000};

static struct link *links;
static int epoll_fd;
static char *request;
static size_t request_len;
static char input[RECV_BYTES];

static struct {
    bool on;
    int64_t begun_ns, ended_ns, cpu_begin_us, cpu_us;
    uint64_t requests, chunks, late;
    uint32_t *samples; /* microseconds */
    size_t count, room;
} window;

static struct {
    uint64_t requests, errors, chunks, complete, ended;
    size_t opened, up;
    long pss_before_kb, pss_kb;
} total;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static void *must(void *p)
{
    if (!p) die("no memory");
    return p;
}

/* ---- what the proxy used ---- */

static int64_t cpu_us(void)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    if (!opt.pid) return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", opt.pid);
    FILE *f = fopen(path, "r");
    if (!f) die("the watched process is gone");
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *after_name = strrchr(text, ')');
    if (!after_name || sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        die("cannot read /proc/PID/stat");
    return (int64_t)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

static long pss_kb(void)
{
    char path[64], text[256];
    long kb = 0;
    if (!opt.pid) return 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", opt.pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fgets(text, sizeof text, f))
        if (sscanf(text, "Pss: %ld kB", &kb) == 1) break;
    fclose(f);
    return kb;
}

static void window_open(void)
{
    window.cpu_begin_us = cpu_us();
    window.begun_ns = now_ns();
    window.on = true;
}

static void window_close(void)
{
    window.on = false;
    window.ended_ns = now_ns();
    window.cpu_us = cpu_us() - window.cpu_begin_us;
    total.pss_kb = pss_kb();
}

static void sample(int64_t ns)
{
    if (window.count == window.room) {
        window.room = window.room ? window.room * 2 : 1 << 16;
        window.samples = must(realloc(window.samples, window.room * sizeof *window.samples));
    }
    window.samples[window.count++] = ns < 0 ? 0 : (uint32_t)(ns / 1000);
}

/* ---- connections ---- */

static void link_close(struct link *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    total.ended++;
}

static bool link_send(struct link *l)
{
    while (l->sent < request_len) {
        ssize_t n = send(l->fd, request + l->sent, request_len - l->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN)) return true;
        if (n < 0) return false;
        l->sent += (size_t)n;
    }
    return true;
}

static bool link_request(struct link *l)
{
    l->begun_ns = now_ns();
    l->sent = 0;
    l->part = PART_STATUS;
    l->line.n = 0;
    return link_send(l);
}

static void link_open(struct link *l)
{
    int one = 1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) die("socket");
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(l->fd, (struct sockaddr *)&opt.to, sizeof opt.to) < 0 && errno != EINPROGRESS) die("connect");
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = l};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->fd, &ev) < 0) die("epoll_ctl");
    if (!link_request(l)) die("send");
    total.opened++;
}

static void link_failed(struct link *l)
{
    total.errors++;
    link_close(l);
    if (!opt.sse && total.errors < 1000) link_open(l);
}

/* ---- answers ---- */

/* The next line without its end, from the input where it lies or from `acc` when it came in pieces. */
static bool take_line(struct line *acc, const char **p, size_t *n, const char **line, size_t *length)
{
    const char *end = memchr(*p, '\n', *n);
    size_t part = end ? (size_t)(end - *p) : *n;
    if (acc->n || !end) {
        if (acc->n + part > sizeof acc->text) die("a line is too long");
        memcpy(acc->text + acc->n, *p, part);
        acc->n += part;
        *line = acc->text;
        *length = acc->n;
    } else {
        *line = *p;
        *length = part;
    }
    *p += part + (end != NULL);
    *n -= part + (end != NULL);
    if (!end) return false;
    acc->n = 0;
    if (*length && (*line)[*length - 1] == '\r') --*length;
    return true;
}

static void event_line(struct link *l, const char *line, size_t n, int64_t now)
{
    static const char before[] = "\"content\":\"";
    if (n < 6 || memcmp(line, "data: ", 6) != 0) return;
    if (n == 12 && memcmp(line + 6, "[DONE]", 6) == 0) {
        l->done_seen = true;
        return;
    }
    const char *at = memmem(line, n, before, sizeof before - 1);
    if (!at || n - (size_t)(at - line) < sizeof before - 1 + STAMP_DIGITS) return;
    int64_t stamp = 0;
    at += sizeof before - 1;
    for (int i = 0; i < STAMP_DIGITS; i++) stamp = stamp * 10 + (at[i] - '0');
    l->chunks++;
    total.chunks++;
    if (!l->is_up) {
        l->is_up = true;
        total.up++;
    }
    if (!window.on) return;
    window.chunks++;
    if (now - stamp > LATE_NS) window.late++;
    sample(now - stamp);
}

static void payload(struct link *l, const char *p, size_t n, int64_t now)
{
    const char *line;
    size_t length;
    if (!opt.sse) return;
    while (n)
        if (take_line(&l->event, &p, &n, &line, &length)) event_line(l, line, length, now);
}

/* The answer is complete. */
static bool answer_end(struct link *l, int64_t now)
{
    total.requests++;
    if (l->status != 200) total.errors++;
    if (opt.sse) {
        if (l->done_seen && l->chunks == (uint64_t)opt.chunks) total.complete++;
        link_close(l);
        return true;
    }
    if (window.on) {
        window.requests++;
        sample(now - l->begun_ns);
    }
    return link_request(l);
}

static bool field(const char *line, size_t n, const char *name, const char **value)
{
    size_t len = strlen(name);
    if (n <= len || strncasecmp(line, name, len) != 0) return false;
    for (*value = line + len; *value < line + n && **value == ' ';) ++*value;
    return true;
}

static bool head_line(struct link *l, const char *line, size_t n, int64_t now)
{
    const char *value;
    if (l->part == PART_STATUS) {
        if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0) return false;
        l->status = atoi(line + 9);
        l->part = PART_FIELDS;
        l->chunked = false;
        l->left = 0;
    } else if (field(line, n, "content-length:", &value)) {
        l->left = strtoull(value, NULL, 10);
    } else if (field(line, n, "transfer-encoding:", &value)) {
        l->chunked = true;
    } else if (n == 0) {
        l->part = l->chunked ? PART_SIZE : PART_SIZED;
        if (!l->chunked && !l->left) return answer_end(l, now);
    }
    return true;
}

static bool framing_line(struct link *l, const char *line, size_t n, int64_t now)
{
    switch (l->part) {
    case PART_SIZE:
        l->left = strtoull(line, NULL, 16);
        l->part = l->left ? PART_DATA : PART_TRAILER;
        return true;
    case PART_DATA_END: l->part = PART_SIZE; return n == 0;
    case PART_TRAILER: return n ? true : answer_end(l, now);
    default: return head_line(l, line, n, now);
    }
}

static bool feed(struct link *l, const char *p, size_t n, int64_t now)
{
    const char *line;
    size_t length;
    while (n && l->fd >= 0) {
        if (l->part != PART_SIZED && l->part != PART_DATA) {
            if (take_line(&l->line, &p, &n, &line, &length) && !framing_line(l, line, length, now)) return false;
            continue;
        }
        size_t part = n < l->left ? n : (size_t)l->left;
        payload(l, p, part, now);
        p += part;
        n -= part;
        l->left -= part;
        if (l->left) continue;
        if (l->part == PART_DATA)
            l->part = PART_DATA_END;
        else if (!answer_end(l, now))
            return false;
    }
    return true;
}

static bool link_read(struct link *l)
{
    while (l->fd >= 0) {
        ssize_t n = recv(l->fd, input, sizeof input, 0);
        if (n < 0) return errno == EAGAIN;
        if (n == 0) return false;
        if (!feed(l, input, (size_t)n, now_ns())) return false;
        if ((size_t)n < sizeof input) return true; /* edge-triggered: the next bytes, or the end, wake us */
    }
    return true;
}

static void turn(int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct link *l = events[i].data.ptr;
        bool ok = l->fd >= 0;
        if (!ok) continue;
        if ((events[i].events & EPOLLOUT) && l->sent < request_len) ok = link_send(l);
        if (ok && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) ok = link_read(l);
        if (!ok) link_failed(l);
    }
}

/* ---- the two runs ---- */

static void run_req(void)
{
    int64_t begun = now_ns();
    double warm = opt.seconds / 10 > 0.3 ? opt.seconds / 10 : 0.3;
    for (size_t i = 0; i < opt.connections; i++) link_open(&links[i]);
    while (total.errors < 1000) {
        double age = (double)(now_ns() - begun) / 1e9;
        if (!window.begun_ns && age >= warm) window_open();
        if (opt.count ? window.requests >= opt.count : age >= warm + opt.seconds) break;
        turn(20);
    }
    window_close();
}

/* Streams that should have been opened by now. */
static size_t due(int64_t begun)
{
    double n = (double)(now_ns() - begun) / 1e9 * (double)opt.ramp + 1;
    return n < (double)opt.connections ? (size_t)n : opt.connections;
}

static void run_sse(void)
{
    int64_t begun = now_ns(), all_up = 0;
    int64_t patience = (int64_t)(opt.chunks * opt.interval_ms + 30000) * 1000000;
    while (total.ended < opt.connections) {
        int64_t now = now_ns();
        if (now - begun > patience + (int64_t)opt.connections * 1000000000 / opt.ramp) break;
        while (total.opened < due(begun)) link_open(&links[total.opened]);
        if (!all_up && total.up + total.errors >= opt.connections) all_up = now;
        if (all_up && !window.begun_ns && now - all_up > 500000000) window_open();
        if (window.on && (now - window.begun_ns >= (int64_t)(opt.seconds * 1e9) || total.ended > total.errors))
            window_close();
        turn(total.opened < opt.connections ? 1 : 20);
    }
    if (window.on) window_close();
}

/* ---- result ---- */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t percentile(double p)
{
    return window.count ? window.samples[(size_t)((double)(window.count - 1) * p)] : 0;
}

static void report(void)
{
    double seconds = (double)(window.ended_ns - window.begun_ns) / 1e9;
    if (window.count) qsort(window.samples, window.count, sizeof *window.samples, by_value);
    printf("{\"seconds\":%.3f,\"errors\":%llu,\"cpu_us\":%lld,\"pss_before_kb\":%ld,\"pss_kb\":%ld,"
           "\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,",
           seconds, (unsigned long long)total.errors, (long long)window.cpu_us, total.pss_before_kb, total.pss_kb,
           percentile(0.5), percentile(0.99), percentile(1));
    if (opt.sse)
        printf("\"streams\":%zu,\"up\":%zu,\"complete\":%llu,\"chunks\":%llu,\"expected\":%llu,\"window_chunks\":%llu,"
               "\"late\":%llu}\n",
               opt.connections, total.up, (unsigned long long)total.complete, (unsigned long long)total.chunks,
               (unsigned long long)opt.connections * (unsigned long long)opt.chunks, (unsigned long long)window.chunks,
               (unsigned long long)window.late);
    else
        printf("\"requests\":%llu,\"rps\":%.0f}\n", (unsigned long long)window.requests,
               seconds > 0 ? (double)window.requests / seconds : 0.0);
}

/* ---- start ---- */

/* `model` comes last in large bodies, behind the picture that makes them large, as clients send it. */
static void make_request(void)
{
    static char model[128];
    if (opt.sse) {
        snprintf(model, sizeof model, "bench/stream-%ld-%ld-%ld", opt.chunks, opt.interval_ms, opt.chunk_bytes);
        opt.model = model;
    }
    const char *stream = opt.sse ? ",\"stream\":true" : "";
    size_t fixed = strlen(opt.model) + strlen(stream) + 64, room = opt.body_bytes + fixed + 1024;
    size_t fill = opt.body_bytes > fixed ? opt.body_bytes - fixed : 1;
    char *text = must(malloc(room)), *body = must(malloc(room));
    memset(text, 'A', fill);
    text[fill] = '\0';
    if (opt.body_bytes > 64 * 1024)
        snprintf(body, room, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s,\"model\":\"%s\"}", text, stream,
                 opt.model);
    else
        snprintf(body, room, "{\"model\":\"%s\"%s,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", opt.model,
                 stream, text);
    request = must(malloc(room));
    request_len = (size_t)snprintf(request, room,
                                   "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
                                   "User-Agent: bench/1\r\nAuthorization: Bearer %s\r\n"
                                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                   opt.key, strlen(body), body);
    free(text);
    free(body);
}

static void set_target(char *text)
{
    char *colon = strrchr(text, ':');
    errno = 0;
    if (!colon) die("--to wants HOST:PORT");
    *colon = '\0';
    opt.to.sin_family = AF_INET;
    opt.to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &opt.to.sin_addr) != 1) die("--to wants a numeric address");
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {{"to", 1, NULL, 'o'},   {"key", 1, NULL, 'k'},      {"model", 1, NULL, 'm'},
                                          {"pid", 1, NULL, 'p'},  {"chunks", 1, NULL, 'h'},   {"bytes", 1, NULL, 'y'},
                                          {"ramp", 1, NULL, 'r'}, {"interval", 1, NULL, 'i'}, {NULL, 0, NULL, 0}};
    int o;
    if (argc < 2 || (strcmp(argv[1], "req") != 0 && strcmp(argv[1], "sse") != 0))
        die("load req|sse --to HOST:PORT ...");
    opt.sse = strcmp(argv[1], "sse") == 0;
    while ((o = getopt_long(argc - 1, argv + 1, "c:b:n:t:", names, NULL)) != -1) switch (o) {
        case 'o': set_target(optarg); break;
        case 'k': opt.key = optarg; break;
        case 'm': opt.model = optarg; break;
        case 'p': opt.pid = atoi(optarg); break;
        case 'h': opt.chunks = atol(optarg); break;
        case 'y': opt.chunk_bytes = atol(optarg); break;
        case 'r': opt.ramp = atol(optarg); break;
        case 'i': opt.interval_ms = atol(optarg); break;
        case 'c': opt.connections = (size_t)atol(optarg); break;
        case 'b': opt.body_bytes = (size_t)atol(optarg); break;
        case 'n': opt.count = (size_t)atol(optarg); break;
        case 't': opt.seconds = atof(optarg); break;
        default: exit(2);
        }
    if (!opt.to.sin_port || !opt.connections || (opt.sse ? opt.chunks <= 0 || opt.ramp <= 0 : !opt.model))
        die("an option is missing: --to, -c, and --model (req) or --chunks, --interval, --bytes (sse)");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    read_options(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    links = must(calloc(opt.connections, sizeof *links));
    for (size_t i = 0; i < opt.connections; i++) links[i].fd = -1;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) die("epoll_create1");
    make_request();
    total.pss_before_kb = pss_kb();
    if (opt.sse)
        run_sse();
    else
        run_req();
    report();
    return 0;
}
