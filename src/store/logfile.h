/* The log file: whole lines appended, set aside by size (file -> file.1 -> ... -> file.N, the oldest goes), opened anew
 * when somebody moved it away. New files are 0600. Owner: the disk thread; opened by main before it runs. */
#ifndef SFPROXY_STORE_LOGFILE_H
#define SFPROXY_STORE_LOGFILE_H

#include "base/buf.h"

struct logfile;

/* NULL: cannot be opened, or is not a regular file. `max` bytes at most, `kept` older files. */
struct logfile *logfile_open(const char *path, int64_t max, int kept, struct buf *why);
void logfile_close(struct logfile *l); /* NULL is fine */
/* Appends one line (with its newline), all of it or nothing. False: not written; the next call tries again. */
bool logfile_write(struct logfile *l, struct str line, struct buf *why) MUST_CHECK;

#endif
