/* Transactions on a connection. What a failure means depends on where it happened: before db_commit
 * was sent nothing is stored; when db_commit itself returns a CLASS_CONNECTION error the outcome is
 * unknown and has to be read back. */
#ifndef COMMON_DB_TRANSACTION_H
#define COMMON_DB_TRANSACTION_H

#include "common/db/connection.h"

/* ERR_LOST when the server still has a transaction open, which a START TRANSACTION would commit:
 * the connection is closed then, so that the server rolls back. */
enum err db_begin(struct db *db) MUST_CHECK;

/* ERR_CONFLICT when the server says that no transaction is open any more: it was rolled back behind
 * our back. */
enum err db_commit(struct db *db) MUST_CHECK;

/* Rolls back, in any case. On a lost connection there is nothing to do, and it says OK: the server
 * rolls back by itself. A connection on which ROLLBACK fails (KILL QUERY can hit that as well) is
 * closed, which comes to the same; the next db_begin says ERR_LOST then. */
enum err db_rollback(struct db *db);

/* True between db_begin and its commit or rollback. */
bool db_in_transaction(const struct db *db);

/* For early returns: CLEANUP(db_guard_end) struct db_guard guard = {db}; rolls back what is still
 * open at scope's end. */
struct db_guard {
    struct db *db;
};
void db_guard_end(struct db_guard *guard);

/* Repeats `body` in a transaction of its own while it fails with CLASS_TRANSACTION, at most
 * `attempts` times: rolls back, then waits a little (full jitter, up to 20 ms × 2^n), then tries
 * again. Other errors are returned after the rollback. */
enum err db_transact(struct db *db, int attempts, enum err (*body)(struct db *db, void *context),
                     void *context) MUST_CHECK;

#endif
