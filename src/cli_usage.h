/* `sfproxy usage`. */
#ifndef SFPROXY_CLI_USAGE_H
#define SFPROXY_CLI_USAGE_H

#include "base/buf.h"
#include "conf/conf.h"

/* argv[0] is "usage". The time zone is set. Returns the exit code. */
int cli_usage(const struct conf *c, int argc, char **argv);
/* One cell of RFC 4180; what a spreadsheet would take for a formula gets an apostrophe in front. */
void csv_cell(struct buf *out, const char *text);

#endif
