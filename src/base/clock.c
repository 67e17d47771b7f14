#include "base/clock.h"

#include <sys/stat.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id, int64_t per_second)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * per_second + (int64_t)ts.tv_nsec / (1000000000 / per_second);
}

mono_t mono_now(void)
{
    return (mono_t){read_clock(CLOCK_MONOTONIC, 1000)};
}

wall_t wall_now(void)
{
    return (wall_t){read_clock(CLOCK_REALTIME, 1000)};
}

int64_t mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

static struct tm local_tm(wall_t t)
{
    time_t secs = (time_t)(t.ms / 1000);
    struct tm tm;
    localtime_r(&secs, &tm);
    return tm;
}

void wall_format(wall_t t, char *out, size_t size)
{
    struct tm tm = local_tm(t);
    long off = tm.tm_gmtoff / 60;
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02ld:%02ld", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(t.ms % 1000), off < 0 ? '-' : '+', labs(off) / 60, labs(off) % 60);
}

void wall_format_time(wall_t t, char *out, size_t size)
{
    struct tm tm = local_tm(t);
    snprintf(out, size, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

wall_t wall_next_midnight(wall_t t)
{
    struct tm tm = local_tm(t);
    tm.tm_mday++;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (wall_t){(int64_t)mktime(&tm) * 1000};
}

int wall_day(wall_t t)
{
    struct tm tm = local_tm(t);
    return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

static bool in_database(const char *name)
{
    struct stat st;
    char path[300];
    if (!*name || name[0] == '/' || strstr(name, "..")) return false;
    if (snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name) >= (int)sizeof path) return false;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* By way of noon, which every day has. */
int wall_day_before(wall_t t, int days)
{
    struct tm tm = local_tm(t);
    tm.tm_mday -= days;
    tm.tm_hour = 12;
    tm.tm_isdst = -1;
    return wall_day((wall_t){(int64_t)mktime(&tm) * 1000});
}

int wall_day_cached(struct day_cache *c, wall_t t)
{
    int64_t quarter = t.ms / (15 * 60 * 1000);
    if (!c->day || quarter != c->quarter) *c = (struct day_cache){quarter, wall_day(t)};
    return c->day;
}

bool clock_has_timezone(const char *name)
{
    return strcmp(name, "UTC") == 0 || strcmp(name, "Asia/Shanghai") == 0 || in_database(name);
}

bool clock_set_timezone(const char *name)
{
    if (!clock_has_timezone(name)) return false;
    /* Minimal images lack tzdata; the default zone has had no change of offset since 1991. */
    bool lacks_tzdata = strcmp(name, "Asia/Shanghai") == 0 && !in_database(name);
    setenv("TZ", lacks_tzdata ? "CST-8" : name, 1);
    tzset();
    return true;
}
