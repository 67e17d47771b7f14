#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "base/str.h"

static _Atomic int max_level = LOG_INFO;
static void (*sink_fn)(void *, const struct log_line *);
static void *sink_arg;

void log_set_level(enum log_level level)
{
    atomic_store(&max_level, (int)level);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_set_sink(void (*sink)(void *, const struct log_line *), void *arg)
{
    sink_fn = sink;
    sink_arg = arg;
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[LOG_LEVELS] = {"error", "warn", "info", "debug"};
    return names[level];
}

static void to_stderr(const struct log_line *line)
{
    char when[16];
    wall_format_time(line->time, when, sizeof when);
    fprintf(stderr, "%s %s %s\n", when, log_level_name(line->level), line->text);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    if (!log_wants(level)) return;
    struct log_line line = {.time = wall_now(), .level = level};
    char raw[sizeof line.text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    text_clean(str_of(raw), line.text, sizeof line.text);
    if (sink_fn)
        sink_fn(sink_arg, &line);
    else
        to_stderr(&line);
}

bool log_limit_ok(struct log_limit *l, unsigned burst)
{
    int64_t now = mono_now().ms, start = atomic_load(&l->window_start_ms);
    if (start == 0 || now - start >= 60000) {
        if (atomic_compare_exchange_strong(&l->window_start_ms, &start, now)) {
            unsigned dropped = atomic_exchange(&l->dropped, 0);
            atomic_store(&l->used, 0);
            if (dropped) log_msg(LOG_WARN, "%u similar lines were left out in the last minute", dropped);
        }
    }
    if (atomic_fetch_add(&l->used, 1) < burst) return true;
    atomic_fetch_add(&l->dropped, 1);
    return false;
}
