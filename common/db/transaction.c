#include "common/db/transaction.h"

#include <errmsg.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "common/db/internal.h"

/* A server that rolled back by itself answers COMMIT with OK all the same, so its own flag is asked
 * first. */
static bool server_has_transaction(struct db *db)
{
    unsigned status = 0;
    if (db->mysql == NULL) return false;
    if (mariadb_get_infov(db->mysql, MARIADB_CONNECTION_SERVER_STATUS, &status) != 0) return false;
    return (status & SERVER_STATUS_IN_TRANS) != 0;
}

/* START TRANSACTION commits what is open. So whatever was left open here, by an error that did not
 * end the session, ends with the session: the server rolls it back. */
enum err db_begin(struct db *db)
{
    ASSERT(!db->in_transaction);
    if (server_has_transaction(db)) {
        db_disconnect(db);
        return db_note(db, CR_SERVER_LOST, "a transaction was left open: its session was closed");
    }
    enum err err = db_execute(db, "START TRANSACTION");
    if (err != OK && server_has_transaction(db)) db_disconnect(db);
    if (err != OK) return err;
    db->in_transaction = true;
    db->rolled_back = false;
    return OK;
}

enum err db_commit(struct db *db)
{
    ASSERT(db->in_transaction);
    if (db->rolled_back || !server_has_transaction(db)) {
        enum err err = db->mysql == NULL ? ERR_LOST : ERR_CONFLICT;
        (void)db_rollback(db);
        return err;
    }
    db->usage.commits++;
    enum err err = db_execute(db, "COMMIT");
    if (err == OK) db->in_transaction = false;
    return err;
}

enum err db_rollback(struct db *db)
{
    bool open = db->in_transaction;
    db->in_transaction = false;
    if (db->mysql == NULL || (!open && !server_has_transaction(db))) return OK;
    enum err err = open ? db_execute(db, "ROLLBACK") : ERR_LOST;
    if (err != OK) db_disconnect(db);
    return err_class(err) == CLASS_CONNECTION ? OK : err;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

void db_guard_end(struct db_guard *guard)
{
    if (guard->db != NULL) (void)db_rollback(guard->db);
}

static void wait_a_little(int attempt)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) random = UINT32_MAX / 2;
    int64_t limit_us = INT64_C(20000) << (attempt < 6 ? attempt : 6);
    int64_t wait_us = limit_us * random / UINT32_MAX;
    struct timespec time = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    (void)nanosleep(&time, NULL);
}

enum err db_transact(struct db *db, int attempts, enum err (*body)(struct db *db, void *context),
                     void *context)
{
    enum err err = OK;
    for (int attempt = 0; attempt < attempts; attempt++) {
        err = db_begin(db);
        if (err == OK) err = body(db, context);
        if (err == OK) err = db_commit(db);
        if (err == OK) return OK;
        (void)db_rollback(db);
        if (err_class(err) != CLASS_TRANSACTION) return err;
        if (attempt + 1 < attempts) wait_a_little(attempt);
    }
    return err;
}
