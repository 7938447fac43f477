/* What an injected fault does to an exchange, and what the server knows of it: the same as when it
 * had happened. */
#include "common/fault.h"

#include "tests/db/harness.h"
#include "tests/db/suites.h"

#ifdef SETTLEMENTD_TEST_SEAMS

#include <string.h>
#include <time.h>

#include "common/db/statement.h"
#include "common/db/transaction.h"

static const char INSERT_SQL[] = "INSERT INTO t VALUES (1)";

static void use(const char *rules)
{
    struct detail detail = {""};
    ck_assert_msg(fault_use(rules, &detail) == OK, "%s", detail.text);
}

/* A connection to a database with an empty table, on which a fault is to happen. */
struct stage {
    struct harness *harness;
    struct db *db;
    struct statement *insert, *insert_many;
};

static void stage_done(struct stage *stage)
{
    use(NULL);
    statement_free(stage->insert);
    statement_free(stage->insert_many);
    db_free(stage->db);
    harness_free(stage->harness);
}

static void stage_init(struct stage *stage)
{
    stage->harness = harness_new_empty();
    harness_execute(stage->harness, "CREATE TABLE t (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB");
    stage->db = harness_connect(stage->harness);
    ck_assert_int_eq(statement_new(stage->db, INSERT_SQL, &stage->insert), OK);
    ck_assert_int_eq(statement_new(stage->db, "INSERT INTO t VALUES (?)", &stage->insert_many), OK);
}

/* What the fault happens to; each stores row 1 when nothing does. */
static enum err plainly(struct stage *stage)
{
    return db_execute(stage->db, INSERT_SQL);
}

static enum err prepared(struct stage *stage)
{
    return statement_execute(stage->insert);
}

static enum err by_columns(struct stage *stage)
{
    static const int64_t ids[] = {1, 2, 3};
    const struct column column = {.i64 = ids};
    return statement_execute_columns(stage->insert_many, &column, 1, COUNT_OF(ids));
}

static enum err committing(struct stage *stage)
{
    TRY(db_begin(stage->db));
    TRY(db_execute(stage->db, INSERT_SQL));
    return db_commit(stage->db);
}

static const struct {
    const char *name;
    enum err (*act)(struct stage *stage);
} acts[] = {{"db", plainly}, {"db", prepared}, {"db", by_columns}, {"commit", committing}};

static const struct {
    const char *when, *action;
    enum err err;
    bool stored, connected;
} outcomes[] = {
    {"before", "lose", ERR_LOST, false, false},
    {"sent", "lose", ERR_LOST, true, false},
    {"after", "lose", ERR_LOST, true, false},
    {"before", "error=1213", ERR_DEADLOCK, false, true},
    {"before", "error=1205", ERR_LOCK_WAIT, false, true},
    {"before", "error=1020", ERR_CONFLICT, false, true},
    {"before", "error=1114", ERR_SHORTAGE, false, true},
    {"before", "error=2006", ERR_LOST, false, true},
    {"sent", "error=2013", ERR_LOST, true, false},
    {"sent", "error=2026", ERR_LOST, true, false},
    {"sent", "error=1205", ERR_LOCK_WAIT, true, false},
    {"after", "error=1317", ERR_STOPPED, true, true},
    {"sent", "stall=5", OK, true, true},
};

/* The server needs a moment for a request that nobody waits for. */
static void expect_rows(struct stage *stage, bool stored)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t rows = 0;
    for (int i = 0; i < 2000; i++) {
        rows = harness_i64(stage->harness, "SELECT COUNT(*) FROM t");
        if ((rows > 0) == stored) break;
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(rows > 0, stored);
}

START_TEST(the_server_knows_of_a_fault_what_it_would_know)
{
    size_t act = (size_t)_i / COUNT_OF(outcomes), at = (size_t)_i % COUNT_OF(outcomes);
    CLEANUP(stage_done) struct stage stage = {0};
    char rule[80];
    stage_init(&stage);
    (void)text_format(rule, sizeof(rule), "%s:1:%s:%s", acts[act].name, outcomes[at].when,
                      outcomes[at].action);
    use(rule);
    enum err err = acts[act].act(&stage);
    use(NULL);
    ck_assert_msg(err == outcomes[at].err, "%s: %s", rule, err_name(err));
    ck_assert_int_eq(db_execute(stage.db, "DO 1"), outcomes[at].connected ? OK : ERR_LOST);
    if (db_in_transaction(stage.db)) ck_assert_int_eq(db_rollback(stage.db), OK);
    expect_rows(&stage, outcomes[at].stored);
    ck_assert_int_eq(db_reconnect(stage.db), OK);
    ck_assert_int_eq(db_execute(stage.db, "DELETE FROM t"), OK);
    ck_assert_int_eq(statement_execute(stage.insert), OK);
}
END_TEST

START_TEST(preparing_a_statement_can_be_lost_at_every_moment)
{
    static const char *const whens[] = {"before", "sent", "after"};
    CLEANUP(stage_done) struct stage stage = {0};
    struct statement *statement = NULL;
    char rule[80];
    stage_init(&stage);
    (void)text_format(rule, sizeof(rule), "db:1:%s:lose", whens[_i]);
    use(rule);
    ck_assert_int_eq(statement_new(stage.db, "SELECT 1", &statement), ERR_LOST);
    ck_assert_ptr_null(statement);
    ck_assert_int_eq(db_execute(stage.db, "DO 1"), ERR_LOST);
    ck_assert_int_eq(db_reconnect(stage.db), OK);
    ck_assert_int_eq(statement_new(stage.db, "SELECT 1", &statement), OK);
    statement_free(statement);
}
END_TEST

START_TEST(a_connection_that_is_not_to_be_had_says_so)
{
    static const char *const rules[] = {"connect:1:before:lose",
                                        "connect:1:sent:lose",
                                        "connect:1:after:error=2002",
                                        "db:2:before:lose",
                                        "db:3:sent:lose",
                                        "connect:1:after:error=2026",
                                        "connect:1:after:error=2012",
                                        "connect:1:after:error=1135",
                                        "connect:1:after:error=1041",
                                        "connect:1:after:error=1129"};
    CLEANUP(stage_done) struct stage stage = {0};
    struct detail detail = {""};
    struct db *db = NULL;
    stage_init(&stage);
    use(rules[_i]);
    enum err err = db_open(harness_options(stage.harness), &db, &detail);
    ck_assert_int_eq(err_class(err), CLASS_CONNECTION);
    ck_assert_ptr_null(db);
    ck_assert_ptr_nonnull(strstr(detail.text, "cannot connect"));
    ck_assert_int_eq(db_open(harness_options(stage.harness), &db, &detail), OK);
    db_free(db);
}
END_TEST

/* After a deadlock and a conflict nothing of the transaction is left, after a lock wait all but the
 * statement. After a shortage it may be either, and nothing is committed. */
START_TEST(an_error_that_ends_transactions_ends_this_one)
{
    static const struct {
        const char *rule;
        enum err committed;
        int64_t rows;
    } cases[] = {{"db:3:before:error=1213", ERR_CONFLICT, 0},
                 {"db:3:before:error=1020", ERR_CONFLICT, 0},
                 {"db:3:before:error=1114", ERR_CONFLICT, 0},
                 {"db:3:before:error=1205", OK, 1}};
    CLEANUP(stage_done) struct stage stage = {0};
    stage_init(&stage);
    use(cases[_i].rule);
    ck_assert_int_eq(db_begin(stage.db), OK);
    ck_assert_int_eq(db_execute(stage.db, INSERT_SQL), OK);
    ck_assert_int_eq(err_class(db_execute(stage.db, "DO 1")), CLASS_TRANSACTION);
    ck_assert_int_eq(db_commit(stage.db), cases[_i].committed);
    ck_assert_int_eq(harness_i64(stage.harness, "SELECT COUNT(*) FROM t"), cases[_i].rows);
}
END_TEST

START_TEST(a_session_that_is_not_set_up_to_the_end_is_none)
{
    static const char *const faults[] = {"before:error=1317", "after:error=1317",
                                         "before:error=1114", "before:error=1205",
                                         "before:error=1064", "before:lose"};
    CLEANUP(stage_done) struct stage stage = {0};
    char rule[80];
    stage_init(&stage);
    use(NULL);
    ck_assert_int_eq(db_reconnect(stage.db), OK);
    int calls = (int)fault_counted(FAULT_DB);
    ck_assert_int_gt(calls, 5);
    for (int call = 2; call <= calls; call++) { /* the first closes the old one */
        bool lasts = strstr(faults[_i], "1064") != NULL;
        (void)text_format(rule, sizeof(rule), "db:%d:%s", call, faults[_i]);
        use(rule);
        enum err err = db_reconnect(stage.db);
        ck_assert_msg(lasts ? err == ERR_SQL : err == ERR_UNREACHABLE, "%s: %s", rule,
                      err_name(err));
        err = db_execute(stage.db, "DO 1");
        ck_assert_msg(err == ERR_LOST, "%s: %s", rule, err_name(err));
        use(NULL);
        ck_assert_int_eq(db_reconnect(stage.db), OK);
    }
}
END_TEST

START_TEST(a_number_stands_for_what_is_to_be_done)
{
    static const struct {
        int number;
        enum err err;
    } cases[] = {
        {1021, ERR_SHORTAGE},    {1026, ERR_SHORTAGE}, {1030, ERR_SHORTAGE},
        {1037, ERR_SHORTAGE},    {1038, ERR_SHORTAGE}, {1041, ERR_SHORTAGE},
        {1114, ERR_SHORTAGE},    {1206, ERR_SHORTAGE}, {3, ERR_SHORTAGE},
        {5, ERR_SHORTAGE},       {20, ERR_SHORTAGE},   {23, ERR_SHORTAGE},
        {2012, ERR_LOST},        {2026, ERR_LOST},     {1129, ERR_UNREACHABLE},
        {1135, ERR_UNREACHABLE}, {1064, ERR_SQL},
    };
    CLEANUP(stage_done) struct stage stage = {0};
    char rule[80];
    stage_init(&stage);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)text_format(rule, sizeof(rule), "db:1:before:error=%d", cases[i].number);
        use(rule);
        enum err err = db_execute(stage.db, "DO 1");
        ck_assert_msg(err == cases[i].err, "%s: %s", rule, err_name(err));
    }
}
END_TEST

START_TEST(the_closing_of_a_statement_can_lose_the_connection)
{
    CLEANUP(stage_done) struct stage stage = {0};
    stage_init(&stage);
    use("db:1:before:lose");
    statement_free(stage.insert);
    stage.insert = NULL;
    ck_assert_int_eq(db_execute(stage.db, "DO 1"), ERR_LOST);
}
END_TEST

/* The session is gone with all that it had, and a new one begins with nothing. */
static void expect_lost(struct stage *stage)
{
    ck_assert_int_eq(db_begin(stage->db), ERR_LOST);
    ck_assert_int_eq(statement_execute(stage->insert), ERR_LOST);
    ck_assert_int_eq(db_reconnect(stage->db), OK);
    ck_assert_int_eq(db_begin(stage->db), OK);
    ck_assert_int_eq(db_commit(stage->db), OK);
    expect_rows(stage, false);
}

/* START TRANSACTION would commit what a ROLLBACK left open that did not succeed. */
START_TEST(what_a_failed_rollback_leaves_open_is_never_committed)
{
    static const char *const rules[] = {"db:3:before:error=1317", "db:3:before:error=1205",
                                        "db:3:before:error=2006", "db:3:before:lose",
                                        "db:2:after:error=2006"};
    CLEANUP(stage_done) struct stage stage = {0};
    stage_init(&stage);
    use(rules[_i]);
    ck_assert_int_eq(db_begin(stage.db), OK);
    (void)!db_execute(stage.db, INSERT_SQL);
    (void)db_rollback(stage.db);
    use(NULL);
    ck_assert(!db_in_transaction(stage.db));
    expect_lost(&stage);
}
END_TEST

/* Without a rollback in between: what is open is not ours, and nobody may commit it. */
START_TEST(a_transaction_is_not_begun_where_one_is_open)
{
    static const char *const rules[] = {"db:2:after:error=2006", "db:1:after:error=1205"};
    CLEANUP(stage_done) struct stage stage = {0};
    stage_init(&stage);
    use(rules[_i]);
    enum err err = db_begin(stage.db);
    ck_assert_int_eq(err, _i == 0 ? OK : ERR_LOCK_WAIT);
    ck_assert_int_eq(db_execute(stage.db, INSERT_SQL), ERR_LOST);
    use(NULL);
    expect_lost(&stage);
}
END_TEST

static enum err insert_in_vain(struct db *db, void *context)
{
    int *calls = context;
    ++*calls;
    TRY(db_execute(db, INSERT_SQL));
    return ERR_DEADLOCK;
}

START_TEST(nothing_is_repeated_after_a_rollback_that_failed)
{
    CLEANUP(stage_done) struct stage stage = {0};
    int calls = 0;
    stage_init(&stage);
    use("db:3:before:error=1317");
    ck_assert_int_eq(db_transact(stage.db, 3, insert_in_vain, &calls), ERR_LOST);
    ck_assert_int_eq(calls, 1);
    expect_rows(&stage, false);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_a_failed_rollback_leaves_open_is_never_committed, 0, 5);
    tcase_add_loop_test(tcase, a_transaction_is_not_begun_where_one_is_open, 0, 2);
    tcase_add_test(tcase, nothing_is_repeated_after_a_rollback_that_failed);
    tcase_add_loop_test(tcase, the_server_knows_of_a_fault_what_it_would_know, 0,
                        COUNT_OF(acts) * COUNT_OF(outcomes));
    tcase_add_loop_test(tcase, preparing_a_statement_can_be_lost_at_every_moment, 0, 3);
    tcase_add_loop_test(tcase, a_connection_that_is_not_to_be_had_says_so, 0, 10);
    tcase_add_loop_test(tcase, an_error_that_ends_transactions_ends_this_one, 0, 4);
    tcase_add_loop_test(tcase, a_session_that_is_not_set_up_to_the_end_is_none, 0, 6);
    tcase_add_test(tcase, a_number_stands_for_what_is_to_be_done);
    tcase_add_test(tcase, the_closing_of_a_statement_can_lose_the_connection);
}

#else

static void add_tests(TCase *tcase)
{
    (void)tcase;
}

#endif

Suite *test_fault_seam_suite(void)
{
    Suite *suite = suite_create("fault_seam");
    TCase *tcase = tcase_create("fault_seam");
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    return suite;
}
