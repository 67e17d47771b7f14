/* The schema of state.db as a list of steps: a database whose `user_version` is n has taken the first n of them.
 * A step is never changed once it was released; what the tables need next is one more step at the end. */
#ifndef SFPROXY_STORE_MIGRATIONS_H
#define SFPROXY_STORE_MIGRATIONS_H

extern const char *const statedb_steps[]; /* SQL, without transaction and version: each is run in one of its own */
extern const int statedb_schema;          /* number of steps: what this program writes and at most reads */

#endif
