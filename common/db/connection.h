/* A connection to MariaDB. It has one owner: only the thread that holds it may call, except
 * db_shut_down. Every session sets what it needs itself (UTC, strict sql_mode, READ COMMITTED,
 * timeouts) and reads no option files. Statements made on it survive db_reconnect: they are
 * prepared anew when used next. */
#ifndef COMMON_DB_CONNECTION_H
#define COMMON_DB_CONNECTION_H

#include "common/base.h"
#include "common/config.h"

struct db;

/* Asked about every new session, before anything else is done in it: may this server be worked on?
 * What admit returns is what the connection attempt fails with, and nothing is sent any more.
 * Sessions of several threads may ask at once. */
struct db_gate {
    enum err (*admit)(struct db *db, void *context, struct detail *detail);
    void *context;
};

struct db_options {
    struct config_database database;
    char password[256];
    int lock_wait_s;        /* innodb_lock_wait_timeout; 0: the server's */
    int idle_transaction_s; /* the server ends a session whose transaction idles so long; 0: never */
    int statement_timeout_s;    /* how long to wait for an answer on the socket; 0: for ever */
    int connect_timeout_s;      /* from the configuration when 0 */
    const struct db_gate *gate; /* outlives the connection; NULL: every server will do */
};

/* Fills the options from the configuration and reads the password. */
enum err db_options_init(const struct config *config, struct db_options *ret_options,
                         struct detail *detail) MUST_CHECK;

/* Connects. `options` is copied. ERR_UNREACHABLE (also for a session that could not be set up, and
 * for a certificate that is not valid) or ERR_ACCESS with the server's words in `detail`; ret_db is
 * untouched then. Free with db_free (accepts NULL), or CLEANUP(db_cleanup). */
enum err db_open(const struct db_options *options, struct db **ret_db,
                 struct detail *detail) MUST_CHECK;
void db_free(struct db *db);
void db_cleanup(struct db **db);

/* Drops the connection and makes a new one with the same options. The old session is ended on the
 * server as well, if it is still there, so that its transaction is rolled back; that may take the
 * server a moment, in which a locking read waits. After an error there is no connection. */
enum err db_reconnect(struct db *db) MUST_CHECK;

/* True after db_reconnect: the connection that there was was lost. */
bool db_is_renewed(const struct db *db);

/* Closes a connection to a server that is not to be worked on; `words` are its last message. The
 * connection can be made anew. */
void db_refuse(struct db *db, const char *words);

/* Runs one statement without parameters; a result is read and dropped. */
enum err db_execute(struct db *db, const char *sql) MUST_CHECK;

/* The number that the server knows this session by; it stays readable after the connection was
 * lost. */
uint64_t db_session_id(const struct db *db);

/* Ends another session of the same user, so that its transaction is rolled back; one that is gone
 * already is no error. */
enum err db_end_session(struct db *db, uint64_t session_id) MUST_CHECK;
/* Cancels the statement that another session is running, if it is running one. */
enum err db_cancel_statement(struct db *db, uint64_t session_id) MUST_CHECK;

/* True when the server has said something unasked or closed the connection: an idle session that
 * was ended, or whose server stopped. Costs no statement. */
bool db_is_disturbed(const struct db *db);

/* Closes the socket below a connection that another thread is waiting on; that thread gets
 * ERR_LOST. Any thread. */
void db_shut_down(struct db *db);

/* The words and the server's number for the last failure on this connection. Numbers are for
 * messages and counters; what to do follows from err_class(). */
const char *db_message(const struct db *db);
unsigned db_error_number(const struct db *db);

/* The server's version text, "10.11.19-MariaDB-...". */
const char *db_server_version(const struct db *db);

/* How many statements were sent on this connection, and how many microseconds were spent in those
 * that were sent while `metadata` was on: the engine's own bookkeeping, as opposed to the job's
 * work. */
struct db_usage {
    int64_t statements, metadata_statements, commits;
    int64_t metadata_us;
};
void db_mark_metadata(struct db *db, bool metadata);
struct db_usage db_usage(const struct db *db);

#endif
