/* Transactions, and each error that the server or the line can give, provoked for real. */
#include "common/db/transaction.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/db/statement.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"

static struct harness *row_harness(void)
{
    struct harness *harness = harness_new_empty();
    harness_execute(harness,
                    "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NOT NULL)"
                    " ENGINE=InnoDB");
    harness_execute(harness, "INSERT INTO t SELECT seq, 0 FROM seq_1_to_500");
    return harness;
}

static struct db *impatient(const struct harness *harness)
{
    struct db_options options = *harness_options(harness);
    struct detail detail = {0};
    struct db *db = NULL;
    options.lock_wait_s = 1;
    ck_assert_int_eq(db_open(&options, &db, &detail), OK);
    return db;
}

/* What one test of an error is given; each function provokes one and returns it. */
struct scene {
    struct harness *harness;
    struct db *db;
    struct rival *rival;
};

static enum err provoke_duplicate(struct scene *scene)
{
    return db_execute(scene->db, "INSERT INTO t VALUES (1, 0)");
}

static enum err provoke_missing_table(struct scene *scene)
{
    return db_execute(scene->db, "SELECT * FROM nowhere");
}

static enum err provoke_missing_column(struct scene *scene)
{
    return db_execute(scene->db, "SELECT nothing FROM t");
}

static enum err provoke_syntax(struct scene *scene)
{
    return db_execute(scene->db, "SELEKT 1");
}

static enum err provoke_range(struct scene *scene)
{
    return db_execute(scene->db, "UPDATE t SET n = 99999999999 WHERE id = 1");
}

static enum err provoke_lock_wait(struct scene *scene)
{
    rival_execute(scene->rival, "START TRANSACTION");
    rival_execute(scene->rival, "UPDATE t SET n = 1 WHERE id = 1");
    return db_execute(scene->db, "UPDATE t SET n = 2 WHERE id = 1");
}

/* The rival has changed much more, so that this side is the one to give way. */
static enum err provoke_deadlock(struct scene *scene)
{
    rival_execute(scene->rival, "START TRANSACTION");
    rival_execute(scene->rival, "UPDATE t SET n = 1 WHERE id > 1");
    TRY(db_execute(scene->db, "START TRANSACTION"));
    TRY(db_execute(scene->db, "UPDATE t SET n = 2 WHERE id = 1"));
    rival_start(scene->rival, "UPDATE t SET n = 3 WHERE id = 1");
    if (!rival_wait_for_lock(harness_db(scene->harness), rival_session_id(scene->rival)))
        return ERR_INVALID;
    return db_execute(scene->db, "UPDATE t SET n = 2 WHERE id = 2");
}

static enum err provoke_cancel(struct scene *scene)
{
    return db_execute(scene->db, "KILL QUERY CONNECTION_ID()");
}

static enum err provoke_time_limit(struct scene *scene)
{
    return db_execute(scene->db,
                      "SET STATEMENT max_statement_time = 0.05 FOR"
                      " SELECT COUNT(*) FROM t a, t b, t c, t d");
}

static enum err provoke_own_end(struct scene *scene)
{
    return db_execute(scene->db, "KILL CONNECTION CONNECTION_ID()");
}

static enum err provoke_end(struct scene *scene)
{
    rival_kill(scene->rival, db_session_id(scene->db));
    return db_execute(scene->db, "SELECT 1");
}

static enum err provoke_cut(struct scene *scene)
{
    db_shut_down(scene->db);
    return db_execute(scene->db, "SELECT 1");
}

struct error_case {
    enum err (*provoke)(struct scene *scene);
    enum err err;
    unsigned numbers[3]; /* any of these */
};

static const struct error_case error_cases[] = {
    {provoke_duplicate, ERR_DUPLICATE, {1062}},   {provoke_missing_table, ERR_SCHEMA, {1146}},
    {provoke_missing_column, ERR_SCHEMA, {1054}}, {provoke_syntax, ERR_SQL, {1064}},
    {provoke_range, ERR_OVERFLOW, {1264}},        {provoke_lock_wait, ERR_LOCK_WAIT, {1205}},
    {provoke_deadlock, ERR_DEADLOCK, {1213}},     {provoke_cancel, ERR_STOPPED, {1317}},
    {provoke_time_limit, ERR_TIMEOUT, {1969}},    {provoke_own_end, ERR_LOST, {1927, 2013}},
    {provoke_end, ERR_LOST, {2006, 2013, 1927}},  {provoke_cut, ERR_LOST, {2006, 2013, 1927}},
};

START_TEST(each_error_is_known_by_its_class)
{
    const struct error_case *wanted = &error_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(harness);
    CLEANUP(db_cleanup) struct db *db = impatient(harness);
    struct scene scene = {harness, db, rival};
    enum err err = wanted->provoke(&scene);
    unsigned number = db_error_number(db);
    ck_assert_msg(err == wanted->err, "%s: %s (%u)", err_name(err), db_message(db), number);
    ck_assert_msg(number == wanted->numbers[0] || number == wanted->numbers[1] ||
                      number == wanted->numbers[2],
                  "%s (%u)", db_message(db), number);
    ck_assert_uint_gt(strlen(db_message(db)), 0);
    /* After a reconnect all is well again. */
    if (err_class(err) == CLASS_CONNECTION) ck_assert_int_eq(db_reconnect(db), OK);
    ck_assert_int_eq(db_execute(db, "SELECT 1"), OK);
}
END_TEST

START_TEST(a_commit_keeps_and_a_rollback_undoes)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert(db_in_transaction(db));
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 1 WHERE id = 1"), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 0);
    ck_assert_int_eq(db_commit(db), OK);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 1);
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 1"), OK);
    ck_assert_int_eq(db_rollback(db), OK);
    ck_assert_int_eq(db_rollback(db), OK); /* a second one has nothing to do */
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 1);
    ck_assert_int_eq(db_usage(db).commits, 1);
}
END_TEST

static enum err leave_early(struct db *db)
{
    CLEANUP(db_guard_end) struct db_guard guard = {db};
    TRY(db_begin(db));
    TRY(db_execute(db, "UPDATE t SET n = 1"));
    return ERR_INVALID;
}

START_TEST(a_guard_rolls_back_what_is_left_open)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    ck_assert_int_eq(leave_early(db), ERR_INVALID);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 0);
}
END_TEST

static const char *const enders[] = {
    "ROLLBACK",
    "CREATE TABLE ends_a_transaction (i INT) ENGINE=InnoDB",
};

START_TEST(a_commit_notices_that_the_transaction_is_gone)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 1"), OK);
    ck_assert_int_eq(db_execute(db, enders[_i]), OK);
    ck_assert_int_eq(db_commit(db), ERR_CONFLICT);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(db_usage(db).commits, 0);
}
END_TEST

/* Somebody who passes over a deadlock and goes on would store the second half alone. */
START_TEST(a_commit_notices_a_deadlock_that_was_passed_over)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(harness);
    CLEANUP(db_cleanup) struct db *db = impatient(harness);
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 2 WHERE id = 1"), OK);
    rival_execute(rival, "START TRANSACTION");
    rival_execute(rival, "UPDATE t SET n = 1 WHERE id > 1");
    rival_start(rival, "UPDATE t SET n = 3 WHERE id = 1");
    ck_assert(rival_wait_for_lock(harness_db(harness), rival_session_id(rival)));
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 2 WHERE id = 2"), ERR_DEADLOCK);
    ck_assert_int_eq(rival_finish(rival), OK);
    ck_assert_int_eq(db_execute(db, "SELECT 1"), OK);
    ck_assert_int_eq(db_commit(db), ERR_CONFLICT);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 0);
}
END_TEST

START_TEST(a_commit_on_a_dead_connection_is_an_unknown_outcome)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(harness);
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert_int_eq(db_execute(db, "UPDATE t SET n = 1 WHERE id = 1"), OK);
    rival_kill(rival, db_session_id(db));
    ck_assert_int_eq(err_class(db_commit(db)), CLASS_CONNECTION);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(db_rollback(db), OK);
    ck_assert_int_eq(db_reconnect(db), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 0);
}
END_TEST

struct body {
    int calls, fail_until;
    enum err err;
    bool drop_transaction;
};

static enum err run_body(struct db *db, void *context)
{
    struct body *body = context;
    body->calls++;
    TRY(db_execute(db, "UPDATE t SET n = n + 1 WHERE id = 1"));
    if (body->drop_transaction && body->calls <= body->fail_until)
        return db_execute(db, "ROLLBACK");
    return body->calls <= body->fail_until ? body->err : OK;
}

struct transact_case {
    struct body body;
    int attempts;
    enum err err;
    int calls;
};

static const struct transact_case transact_cases[] = {
    {{.fail_until = 0}, 5, OK, 1},
    {{.fail_until = 2, .err = ERR_DEADLOCK}, 5, OK, 3},
    {{.fail_until = 4, .err = ERR_LOCK_WAIT}, 5, OK, 5},
    {{.fail_until = 9, .err = ERR_DEADLOCK}, 5, ERR_DEADLOCK, 5},
    {{.fail_until = 9, .err = ERR_CONFLICT}, 1, ERR_CONFLICT, 1},
    {{.fail_until = 9, .err = ERR_DUPLICATE}, 5, ERR_DUPLICATE, 1},
    {{.fail_until = 9, .err = ERR_BUSY}, 5, ERR_BUSY, 1},
    {{.fail_until = 2, .drop_transaction = true}, 5, OK, 3},
};

START_TEST(a_body_is_repeated_by_its_errors_class)
{
    const struct transact_case *wanted = &transact_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    struct body body = wanted->body;
    ck_assert_int_eq(db_transact(db, wanted->attempts, run_body, &body), wanted->err);
    ck_assert_int_eq(body.calls, wanted->calls);
    ck_assert(!db_in_transaction(db));
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), wanted->err == OK ? 1 : 0);
}
END_TEST

/* Somebody who cancels whatever a session runs, without a pause. */
struct canceller {
    struct db *db;
    _Atomic uint64_t session_id;
    atomic_bool ends;
    pthread_t thread;
};

static void *cancel_all_the_time(void *argument)
{
    struct canceller *canceller = argument;
    while (!atomic_load(&canceller->ends))
        (void)!db_cancel_statement(canceller->db, atomic_load(&canceller->session_id));
    return NULL;
}

enum { FLOOD_US = 5000000, CANCELLED_ROLLBACKS = 3 };

/* One round: changes a row, and rolls back. True when the ROLLBACK was what was cancelled. */
static bool roll_back_in_vain(struct db *db)
{
    enum err err = db_begin(db);
    if (err == OK) err = db_execute(db, "UPDATE t SET n = n + 1 WHERE id = 1");
    bool changed = err == OK;
    err = db_rollback(db);
    return changed && err == ERR_STOPPED;
}

/* KILL QUERY hits a ROLLBACK once in many times; nothing that was rolled back may be stored
 * ever. */
START_TEST(a_rollback_that_somebody_cancels_ends_the_session)
{
    CLEANUP(harness_cleanup) struct harness *harness = row_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    struct canceller canceller = {.db = harness_connect(harness)};
    int64_t until_us = clock_monotonic_us(&clock_system) + FLOOD_US;
    atomic_store(&canceller.session_id, db_session_id(db));
    ck_assert_int_eq(pthread_create(&canceller.thread, NULL, cancel_all_the_time, &canceller), 0);
    for (int hits = 0;
         hits < CANCELLED_ROLLBACKS && clock_monotonic_us(&clock_system) < until_us;) {
        if (!roll_back_in_vain(db)) continue;
        hits++;
        ck_assert_int_eq(db_begin(db), ERR_LOST);
        while (db_reconnect(db) != OK)
            continue;
        atomic_store(&canceller.session_id, db_session_id(db));
    }
    atomic_store(&canceller.ends, true);
    ck_assert_int_eq(pthread_join(canceller.thread, NULL), 0);
    db_free(canceller.db);
    ck_assert_int_eq(db_reconnect(db), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 0);
}
END_TEST

Suite *test_transaction_suite(void)
{
    Suite *suite = suite_create("transaction");
    TCase *cases = tcase_create("transaction");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, each_error_is_known_by_its_class, 0, (int)COUNT_OF(error_cases));
    tcase_add_test(cases, a_commit_keeps_and_a_rollback_undoes);
    tcase_add_test(cases, a_guard_rolls_back_what_is_left_open);
    tcase_add_loop_test(cases, a_commit_notices_that_the_transaction_is_gone, 0,
                        (int)COUNT_OF(enders));
    tcase_add_test(cases, a_commit_notices_a_deadlock_that_was_passed_over);
    tcase_add_test(cases, a_commit_on_a_dead_connection_is_an_unknown_outcome);
    tcase_add_loop_test(cases, a_body_is_repeated_by_its_errors_class, 0,
                        (int)COUNT_OF(transact_cases));
    tcase_add_test(cases, a_rollback_that_somebody_cancels_ends_the_session);
    suite_add_tcase(suite, cases);
    return suite;
}
