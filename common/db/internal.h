/* What the files of common/db share and nobody else sees: the library's own handle. */
#ifndef COMMON_DB_INTERNAL_H
#define COMMON_DB_INTERNAL_H

#include <mysql.h>
#include <stdatomic.h>

#include "common/db/connection.h"

struct db {
    MYSQL *mysql; /* NULL while there is no connection */
    struct db_options options;
    _Atomic uint64_t session_id; /* other threads cancel its statements */
    char mark[48];               /* the name of a lock that this session holds: see mark_session */
    char left_mark[48];          /* of a session that is still to be ended; empty: none */
    uint64_t
        generation;    /* counts connections: a statement of an older one has to be prepared anew */
    atomic_int socket; /* for db_shut_down, which another thread calls; -1 without one */
    bool in_transaction;
    bool rolled_back; /* by the server, behind an error that ends transactions */
    bool metadata;
    unsigned error_number;
    bool refused; /* by the gate: the message is the gate's */
    char message[sizeof(((struct detail *)NULL)->text)];
    struct db_usage usage;
};

/* Takes over the library's or a statement's last failure into the connection and translates it. */
enum err db_note(struct db *db, unsigned number, const char *message);
enum err db_note_connection(struct db *db);

/* What a number of the server's or the library's means for us. */
enum err db_error_translate(unsigned number);

/* Closes the connection; the server rolls back what it has open. The last message stays. */
void db_disconnect(struct db *db);

/* Around every statement sent: counts it, and its time when it is bookkeeping. */
int64_t db_usage_begin(struct db *db);
void db_usage_end(struct db *db, int64_t began_us);

#endif
