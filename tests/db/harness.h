/* A scratch database for a test: made, migrated and dropped again on the server whose socket is in
 * $SETTLEMENTD_TEST_SOCKET, so that tests know nothing of each other and may run in any order.
 * Whatever goes wrong in here fails the test that is running, with the server's words. A test owns
 * its harness; databases of tests that failed half way are dropped at the end of the program. */
#ifndef TESTS_DB_HARNESS_H
#define TESTS_DB_HARNESS_H

#include "common/base.h"
#include "common/config.h"
#include "common/db/connection.h"

struct harness;

/* For main: looks for the server, and says what to do when there is none; drops what tests left
 * behind. */
bool harness_begin(void);
void harness_end(void);

/* A database settlementd_test_PID_N at the current schema, and a connection to it as a worker: what
 * is tested has the rights of migrations/grants.sql, and no others. */
struct harness *harness_new(void);
/* The same without any table, connected as the server's administrator, for tests of the migrations.
 */
struct harness *harness_new_empty(void);
/* Closes the connection and drops the database. Accepts NULL. */
void harness_free(struct harness *harness);
/* For CLEANUP. */
void harness_cleanup(struct harness **harness);

/* The connection that came with the harness. */
struct db *harness_db(struct harness *harness);
/* The administrator's connection, for what only that user sees: who waits for a lock. */
struct db *harness_owner(struct harness *harness);
/* One more connection, as the same user or as the administrator; the test frees it before the
 * harness. */
struct db *harness_connect(const struct harness *harness);
struct db *harness_connect_owner(const struct harness *harness);

/* What connects to the database: options for db_open, and the defaults of the configuration pointed
 * at it. */
const struct db_options *harness_options(const struct harness *harness);
const struct config *harness_config(const struct harness *harness);
const char *harness_database(const struct harness *harness);

/* Lets the worker read and write a table that the test has made. */
void harness_share(struct harness *harness, const char *table);

/* Runs one statement, or reads the one integer that a query gives (NULL and no row: 0), as the
 * administrator, on a connection that no tested code uses. */
void harness_execute(struct harness *harness, const char *sql);
int64_t harness_i64(struct harness *harness, const char *sql);

#endif
