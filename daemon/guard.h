/* What has to be true of a database before anything is done on it: the server's settings are
 * durable, the schema is one that this program can work with, and nothing is missing that was
 * acknowledged before. Looked at for each session that leads to another server than the last one
 * did or was made anew after the former was lost, before each launch, and now and then: so nobody
 * goes on unexamined on a server that a failover has led to. One for the process; any thread may
 * call. */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include "common/config.h"
#include "common/db/connection.h"

struct guard;

/* Reads the migrations, and prepares the state directory: state_directory in the configuration,
 * else the one that systemd hands over ($STATE_DIRECTORY), else none. Free with guard_free (accepts
 * NULL), after all connections. */
enum err guard_new(const struct config *config, struct guard **ret_guard,
                   struct detail *detail) MUST_CHECK;
void guard_free(struct guard *guard);

/* For db_options.gate: of connections that work, and of the one that leaves the sign of life, which
 * is to be left also where the daemon is halted. */
const struct db_gate *guard_gate(struct guard *guard);
const struct db_gate *guard_gate_of_heartbeat(struct guard *guard);

/* The database has been found good once: from now on one that is not is as good as none
 * (ERR_UNSAFE, ERR_BEHIND, ERR_READ_ONLY), and waited for. Before, what is wrong with it keeps its
 * own error. */
void guard_confirm(struct guard *guard);

/* Everything, before a launch. On a refusal the connection is closed, with the words in
 * db_message() as well. */
enum err guard_examine(struct guard *guard, struct db *db, struct detail *detail) MUST_CHECK;
/* The same but for the tables' engines, which take longer: for now and then. */
enum err guard_look(struct guard *guard, struct db *db, struct detail *detail) MUST_CHECK;

/* Remembers what an execution of this process has ended. What keeps it from that is logged. */
void guard_remember(struct guard *guard, struct db *db, int64_t job_execution_id);

#endif
