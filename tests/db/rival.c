#include "tests/db/rival.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/db/statement.h"

static const char LOCK_WAITS_SQL[] =
    "SELECT COUNT(*) FROM information_schema.INNODB_TRX"
    " WHERE trx_mysql_thread_id = ? AND trx_state = 'LOCK WAIT'";
/* A session leaves the list after its transaction was rolled back. */
static const char SESSION_SQL[] =
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ?";

/* InnoDB shows the transactions from a copy that it makes anew only when nobody has looked for 100
 * ms. */
enum { LOOK_AGAIN_MS = 120 };

enum { WAIT_S = 20, SQL_BYTES = 512 };

struct rival {
    struct db *db;
    pthread_t thread;
    bool started;
    char sql[SQL_BYTES];
    enum err err;
};

struct rival *rival_new(const struct harness *harness)
{
    struct rival *rival = calloc(1, sizeof(*rival));
    ck_assert_ptr_nonnull(rival);
    rival->db = harness_connect_owner(harness);
    return rival;
}

void rival_free(struct rival *rival)
{
    if (rival == NULL) return;
    if (rival->started) (void)rival_finish(rival);
    db_free(rival->db);
    free(rival);
}

void rival_cleanup(struct rival **rival)
{
    rival_free(*rival);
    *rival = NULL;
}

void rival_execute(struct rival *rival, const char *sql)
{
    ck_assert(!rival->started);
    enum err err = db_execute(rival->db, sql);
    ck_assert_msg(err == OK, "%s: %s", sql, db_message(rival->db));
}

static void *run(void *argument)
{
    struct rival *rival = argument;
    rival->err = db_execute(rival->db, rival->sql);
    enum err ended = db_execute(rival->db, "ROLLBACK");
    if (rival->err == OK) rival->err = ended;
    return NULL;
}

void rival_start(struct rival *rival, const char *sql)
{
    ck_assert(!rival->started);
    ck_assert(text_format(rival->sql, sizeof(rival->sql), "%s", sql));
    ck_assert_int_eq(pthread_create(&rival->thread, NULL, run, rival), 0);
    rival->started = true;
}

enum err rival_finish(struct rival *rival)
{
    ck_assert(rival->started);
    ck_assert_int_eq(pthread_join(rival->thread, NULL), 0);
    rival->started = false;
    return rival->err;
}

/* Looks now and then until the count is what is wanted. */
static bool wait_for_count(struct db *db, const char *sql, uint64_t session_id, int64_t wanted)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    int64_t deadline_us = clock_monotonic_us(&clock_system) + INT64_C(1000000) * WAIT_S;
    for (;;) {
        int64_t count = 0;
        if (db_query_i64(db, &count, 0, sql, "i", (int64_t)session_id) != OK) return false;
        if (count == wanted) return true;
        if (clock_monotonic_us(&clock_system) > deadline_us) return false;
        (void)nanosleep(&pause, NULL);
    }
}

bool rival_wait_for_lock(struct db *observer, uint64_t session_id)
{
    return wait_for_count(observer, LOCK_WAITS_SQL, session_id, 1);
}

uint64_t rival_session_id(const struct rival *rival)
{
    return db_session_id(rival->db);
}

void rival_kill(struct rival *rival, uint64_t session_id)
{
    ck_assert_int_eq(db_end_session(rival->db, session_id), OK);
    ck_assert(wait_for_count(rival->db, SESSION_SQL, session_id, 0));
}
