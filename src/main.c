/* The command line. */
#include <getopt.h>
#include <locale.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "cli_usage.h"
#include "engine.h"

static const char usage_text[] =
    "sfproxy " SFPROXY_VERSION ": a pool of SiliconFlow API keys behind one OpenAI-compatible address\n"
    "\n"
    "  sfproxy [-c FILE] [--state DIR] [--headless] [--readonly] [--privacy] [--lang zh|en]\n"
    "      run: with a screen in a terminal, else headless\n"
    "  sfproxy check                         read the configuration, say what is wrong\n"
    "  sfproxy status [--json|--tmux]        a look at the running instance\n"
    "  sfproxy explain --model M             which key a request would get now, and why not the others\n"
    "  sfproxy keys list|add|import FILE|-|enable ID|disable ID|test [ID|all]|remove ID\n"
    "  sfproxy usage [--since 7d] [--by model|key|client|day] [--csv|--json]\n"
    "  sfproxy --version | --help\n"
    "\n"
    "  -c, --config FILE   configuration (default: ./sfproxy.conf, ~/.config/sfproxy/sfproxy.conf, /etc/sfproxy.conf)\n"
    "      --state DIR     state directory (default: ~/.local/state/sfproxy)\n"
    "      --headless      no screen; log lines go to stderr\n"
    "      --readonly      the screen and the API can look, not change\n"
    "      --privacy       the screen starts with balances and names hidden\n"
    "      --lang zh|en    language of the screen\n"
    "\n"
    "Exit codes: 0 clean, 2 configuration or usage error, 1 anything else.\n";

enum { OPT_STATE = 256, OPT_HEADLESS, OPT_READONLY, OPT_PRIVACY, OPT_LANG, OPT_VERSION };

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"state", required_argument, NULL, OPT_STATE},
                                             {"headless", no_argument, NULL, OPT_HEADLESS},
                                             {"readonly", no_argument, NULL, OPT_READONLY},
                                             {"privacy", no_argument, NULL, OPT_PRIVACY},
                                             {"lang", required_argument, NULL, OPT_LANG},
                                             {"version", no_argument, NULL, OPT_VERSION},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static int usage_error(const char *what)
{
    fprintf(stderr, "sfproxy: %s; see sfproxy --help\n", what);
    return 2;
}

static bool set_lang(struct run_options *o, const char *arg)
{
    o->lang = strcmp(arg, "en") == 0 ? 1 : strcmp(arg, "zh") == 0 ? 2 : 0;
    return o->lang != 0;
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct run_options *o)
{
    int c;
    while ((c = getopt_long(argc, argv, "+c:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'c': o->conf_path = optarg; break;
        case OPT_STATE: o->state_dir = optarg; break;
        case OPT_HEADLESS: o->headless = true; break;
        case OPT_READONLY: o->readonly = true; break;
        case OPT_PRIVACY: o->privacy = true; break;
        case OPT_LANG:
            if (!set_lang(o, optarg)) return usage_error("--lang takes en or zh");
            break;
        case OPT_VERSION: puts("sfproxy " SFPROXY_VERSION); return 0;
        case 'h': fputs(usage_text, stdout); return 0;
        default: fputs("see sfproxy --help\n", stderr); return 2;
        }
    }
    return -1;
}

/* Keys are in this process's memory: no core file, no ptrace by the same user. Debug builds keep both. */
static void protect_memory(void)
{
#ifndef SFPROXY_DEBUG
    struct rlimit none = {0, 0};
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
#endif
}

static struct conf *load(const struct run_options *o)
{
    struct buf why = BUF_INIT(65536), warnings = BUF_INIT(65536);
    struct conf *c = conf_load(o->conf_path, o->state_dir, &why, &warnings);
    if (warnings.len) fprintf(stderr, "%s", buf_cstr(&warnings));
    if (!c) fprintf(stderr, "%s", buf_cstr(&why));
    buf_free(&why);
    buf_free(&warnings);
    return c;
}

static int check(const struct run_options *o)
{
    struct conf *c = load(o);
    if (!c) return 2;
    printf("%s is fine: %zu keys, %zu clients, listens on %s, for %s\n", c->path[0] ? c->path : "the configuration",
           c->key_count, c->client_count, c->server_listen.items[0], c->api_url);
    conf_put(c);
    return 0;
}

static int ask_running(const struct run_options *o, int argc, char **argv)
{
    struct conf *c = load(o);
    if (!c) return 2;
    char path[4200];
    snprintf(path, sizeof path, "%s/control.sock", c->state_dir);
    conf_put(c);
    return cli_main(path, argc, argv);
}

/* With its time zone set; NULL: said why. */
static struct conf *load_with_zone(const struct run_options *o)
{
    struct conf *c = load(o);
    if (!c || clock_set_timezone(c->server_timezone)) return c;
    fprintf(stderr, "sfproxy: server.timezone: the system knows no time zone %s\n", c->server_timezone);
    conf_put(c);
    return NULL;
}

static int show_usage(const struct run_options *o, int argc, char **argv)
{
    struct conf *c = load_with_zone(o);
    if (!c) return 2;
    int rc = cli_usage(c, argc, argv);
    conf_put(c);
    return rc;
}

static int run(const struct run_options *o)
{
    struct conf *c = load_with_zone(o);
    if (!c) return 2;
    signals_block();
    return engine_run(c, o);
}

int main(int argc, char **argv)
{
    struct run_options o = {0};
    umask(077);
    protect_memory();
    setlocale(LC_CTYPE, "");
    int code = parse_options(argc, argv, &o);
    if (code >= 0) return code;
    argc -= optind;
    argv += optind;
    if (argc == 0) return run(&o);
    if (strcmp(argv[0], "check") == 0) return argc == 1 ? check(&o) : usage_error("check takes no arguments");
    if (strcmp(argv[0], "status") == 0 || strcmp(argv[0], "keys") == 0 || strcmp(argv[0], "explain") == 0)
        return ask_running(&o, argc, argv);
    if (strcmp(argv[0], "usage") == 0) return show_usage(&o, argc, argv);
    return usage_error("unknown command");
}
