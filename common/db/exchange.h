/* Every exchange with the server, one function each, and the only calls of libmariadb that send
 * something: so that the fault seam (common/fault.h) can reach all of them here. A failure is noted
 * in the connection (db_note). Results are read to their end before a function returns. */
#ifndef COMMON_DB_EXCHANGE_H
#define COMMON_DB_EXCHANGE_H

#include "common/db/internal.h"

/* Connects db->mysql, whose options are set. */
enum err exchange_connect(struct db *db) MUST_CHECK;

/* Runs a statement; its result goes to *ret_result (NULL when there is none), or is dropped when
 * that is NULL. */
enum err exchange_query(struct db *db, const char *sql, MYSQL_RES **ret_result) MUST_CHECK;

enum err exchange_prepare(struct db *db, MYSQL_STMT *statement, const char *sql) MUST_CHECK;

/* Executes with the bound parameters; with `columns` the result is bound to them and buffered. */
enum err exchange_execute(struct db *db, MYSQL_STMT *statement, MYSQL_BIND *columns) MUST_CHECK;

/* These two have no reply, and nothing that could be done about a failure. */
void exchange_close_statement(struct db *db, MYSQL_STMT *statement);
void exchange_close(struct db *db);

#endif
