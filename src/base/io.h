/* Files and descriptors: whole reads and writes, atomic replacement, flags. Blocking calls: disk thread, or main
 * before the threads run. Errors are sentences appended to `why`. */
#ifndef SFPROXY_BASE_IO_H
#define SFPROXY_BASE_IO_H

#include "base/buf.h"

/* Appends the whole file to `out`. False: could not read, a pipe, or larger than out's cap. */
bool file_read(const char *path, struct buf *out, struct buf *why);
/* Writes a temporary file beside `path`, syncs it, renames it over `path`, syncs the directory. Mode 0600. */
bool file_replace(const char *path, struct str content, struct buf *why);
/* Creates the directory and its parents, mode 0700 for those it makes. */
bool dir_make(const char *path, struct buf *why);
/* Writes all of it, retrying on EINTR and short writes. */
bool fd_write_all(int fd, const void *data, size_t n);
bool fd_set_nonblocking(int fd);

#endif
