/* standin: a stand-in for the SiliconFlow API, for tests. Options, then the loop. */
#include "script.h"
#include "serve.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile int stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool read_script(const char *path, struct buf *why)
{
    FILE *f = fopen(path, "rb");
    struct buf b = {0};
    if (!f) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        return false;
    }
    for (size_t n; (n = fread(buf_room(&b, 65536), 1, 65536, f)) > 0;) b.len += n;
    fclose(f);
    bool good = script_load(buf_data(&b), buf_size(&b), why);
    buf_free(&b);
    return good;
}

/* Written beside and renamed: whoever sees the file sees the whole number. */
static void write_port(const char *path, int port)
{
    char part[4096];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "w");
    if (!f) return;
    fprintf(f, "%d\n", port);
    fclose(f);
    rename(part, path);
}

static int fail(const struct buf *why)
{
    fprintf(stderr, "standin: %.*s\n", (int)buf_size(why), buf_data(why));
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"host", required_argument, NULL, 'h'},
                                            {"portfile", required_argument, NULL, 'f'},
                                            {"script", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    const char *host = "127.0.0.1", *portfile = NULL, *file = NULL;
    struct buf why = {0};
    int port = 0, o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'p')
            port = (int)strtol(optarg, NULL, 10);
        else if (o == 'h')
            host = optarg;
        else if (o == 'f')
            portfile = optarg;
        else if (o == 's')
            file = optarg;
        else {
            fputs("usage: standin [--port N] [--host A] [--portfile FILE] [--script FILE]\n", stderr);
            return 2;
        }
    }
    raise_limits();
    script_clear();
    report_start(clock_ns());
    if (file && !read_script(file, &why)) return fail(&why);
    port = serve_listen(host, port, &why);
    if (port < 0) return fail(&why);
    printf("standin listening on http://%s:%d\n", host, port);
    fflush(stdout);
    if (portfile) write_port(portfile, port);
    serve_run(&stop);
    return 0;
}
