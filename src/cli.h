/* The subcommands that talk to the running instance: status, keys. */
#ifndef SFPROXY_CLI_H
#define SFPROXY_CLI_H

/* argv[0] is the subcommand, "status" or "keys". Returns the exit code: 0 done, 1 refused or nobody answers, 2 usage.
 * Main thread, before any other was started. Keys are read from standard input or a file, never from arguments, which
 * every user of the machine can read. */
int cli_main(const char *socket_path, int argc, char **argv);

#endif
