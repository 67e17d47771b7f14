/* Log lines: formatted on the calling thread, cleaned of foreign control bytes, handed to a sink that must not block
 * (the engine posts them to the control thread, which shows them and passes them to the disk). Until a sink is set,
 * lines go to stderr. Never bodies, header values, query strings or keys. Any thread. */
#ifndef SFPROXY_BASE_LOG_H
#define SFPROXY_BASE_LOG_H

#include "base/clock.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

struct log_line {
    wall_t time;
    enum log_level level;
    char text[500]; /* one line, valid UTF-8, no control characters */
};

void log_msg(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* Lines above this level are dropped before formatting. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
/* `sink` gets a line that lives only during the call. NULL: stderr again. Set while one thread runs. */
void log_set_sink(void (*sink)(void *arg, const struct log_line *line), void *arg);
const char *log_level_name(enum log_level level); /* "error", "warn", "info", "debug" */

/* A call site that a peer can trigger at will: at most `burst` lines a minute, then one line that counts the rest. */
struct log_limit {
    _Atomic int64_t window_start_ms;
    _Atomic unsigned used, dropped;
};
bool log_limit_ok(struct log_limit *l, unsigned burst);

#define LOG_LIMITED(level, burst, ...)                                                                                 \
    do {                                                                                                               \
        static struct log_limit log_limit_here;                                                                        \
        if (log_limit_ok(&log_limit_here, (burst))) log_msg((level), __VA_ARGS__);                                     \
    } while (0)

#endif
