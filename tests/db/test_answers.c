/* Requests are answered and carried out by one daemon, once: what was read before another one
 * answered is not carried out any more. */
#include "daemon/answers.h"

#include "common/db/transaction.h"
#include "daemon/jobs/jobs.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"

static const char NODE[] = "11111111-1111-4111-8111-111111111111";

struct stage {
    struct harness *harness;
    struct db *db; /* with the coordinator's patience */
    struct work work;
};

static struct stage stage_new(void)
{
    struct stage stage = {.harness = harness_new()};
    struct db_options options = *harness_options(stage.harness);
    struct detail detail = {0};
    options.lock_wait_s = 1;
    ck_assert_int_eq(db_open(&options, &stage.db, &detail), OK);
    stage.work.job = jobs_at(0);
    harness_execute(stage.harness,
                    "INSERT INTO job_schedule (job_name, cron, timezone, misfire, catchup_max,"
                    " enabled, decided_until) VALUES ('daily-settlement',"
                    " '10 0 * * *', 'UTC', 'once', 31, 1, NOW(6))");
    harness_execute(stage.harness,
                    "INSERT INTO BATCH_JOB_INSTANCE"
                    " VALUES (1, 0, 'daily-settlement', 'key')");
    harness_execute(stage.harness,
                    "INSERT INTO BATCH_JOB_EXECUTION VALUES (5, 0, 1, NOW(6),"
                    " NOW(6), NULL, 'STARTED', '', '', NOW(6))");
    harness_execute(stage.harness,
                    "INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES"
                    " (5, 'targetDate', 'java.lang.String', '2026-07-01', 'Y')");
    harness_execute(stage.harness,
                    "INSERT INTO job_execution_owner (job_execution_id, node_id)"
                    " VALUES (5, 'n')");
    return stage;
}

static void stage_cleanup(struct stage *stage)
{
    db_free(stage->db);
    harness_free(stage->harness);
}

static void turn(struct stage *stage)
{
    const struct work_context context = {
        .db = stage->db,
        .node_id = NODE,
        .config = harness_config(stage->harness),
        .now_us = INT64_C(1782000000000000),
    };
    bool answered = false;
    ck_assert_int_eq(answers_turn(&stage->work, 1, &context, &answered), OK);
    ck_assert(!db_in_transaction(stage->db));
}

struct order {
    const char *command, *before, *acted; /* what was so before, and whether it was carried out */
};

static const char PAUSED_SQL[] = "UPDATE job_schedule SET paused_at = NOW(6), paused_by = 'bob'";
static const char NOTHING_SQL[] = "DO 0";

static const struct order orders[] = {
    {"PAUSE", NOTHING_SQL, "SELECT paused_at IS NOT NULL FROM job_schedule"},
    {"RESUME", PAUSED_SQL, "SELECT paused_at IS NULL FROM job_schedule"},
    {"STOP", NOTHING_SQL, "SELECT STATUS = 'STOPPING' FROM BATCH_JOB_EXECUTION"},
};

static void ask(struct stage *stage, const struct order *order)
{
    char sql[400];
    ck_assert(text_format(sql, sizeof(sql),
                          "INSERT INTO job_request (request_id, command, job_name,"
                          " job_execution_id, requested_by, requested_at)"
                          " VALUES (9, '%s', 'daily-settlement', 5, 'ann', NOW(6))",
                          order->command));
    harness_execute(stage->harness, order->before);
    harness_execute(stage->harness, sql);
}

static int64_t has_status(struct stage *stage, const char *status)
{
    char sql[128];
    ck_assert(text_format(sql, sizeof(sql), "SELECT COUNT(*) FROM job_request WHERE status = '%s'",
                          status));
    return harness_i64(stage->harness, sql);
}

START_TEST(a_request_is_carried_out_and_answered)
{
    CLEANUP(stage_cleanup) struct stage stage = stage_new();
    ask(&stage, &orders[_i]);
    turn(&stage);
    ck_assert_int_eq(harness_i64(stage.harness, orders[_i].acted), 1);
    ck_assert_int_eq(has_status(&stage, "COMPLETED"), 1);
}
END_TEST

/* The other daemon's answer is not committed yet, so this one still reads PENDING. */
START_TEST(what_another_daemon_is_answering_is_left_to_it)
{
    CLEANUP(stage_cleanup) struct stage stage = stage_new();
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(stage.harness);
    ask(&stage, &orders[_i]);
    rival_execute(rival, "BEGIN");
    rival_execute(rival, "UPDATE job_request SET status = 'COMPLETED', answer = 'by another'");
    turn(&stage);
    ck_assert_int_eq(harness_i64(stage.harness, orders[_i].acted), 0);
    rival_execute(rival, "COMMIT");
    turn(&stage);
    ck_assert_int_eq(harness_i64(stage.harness, orders[_i].acted), 0);
    ck_assert_int_eq(harness_i64(stage.harness,
                                 "SELECT COUNT(*) FROM job_request WHERE answer = 'by another'"),
                     1);
}
END_TEST

/* The action comes first, so that it has to go back with the answer. */
START_TEST(an_answer_that_fails_leaves_no_trace)
{
    CLEANUP(stage_cleanup) struct stage stage = stage_new();
    ask(&stage, &orders[_i]);
    harness_execute(stage.harness,
                    "CREATE TRIGGER refuse BEFORE UPDATE ON job_request FOR EACH ROW"
                    " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'");
    turn(&stage);
    ck_assert_int_eq(harness_i64(stage.harness, orders[_i].acted), 0);
    ck_assert_int_eq(has_status(&stage, "PENDING"), 1);
    harness_execute(stage.harness, "DROP TRIGGER refuse");
    turn(&stage);
    ck_assert_int_eq(harness_i64(stage.harness, orders[_i].acted), 1);
    ck_assert_int_eq(has_status(&stage, "COMPLETED"), 1);
}
END_TEST

Suite *test_answers_suite(void)
{
    Suite *suite = suite_create("answers");
    TCase *cases = tcase_create("once");
    const int count = (int)COUNT_OF(orders);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_request_is_carried_out_and_answered, 0, count);
    tcase_add_loop_test(cases, what_another_daemon_is_answering_is_left_to_it, 0, count);
    tcase_add_loop_test(cases, an_answer_that_fails_leaves_no_trace, 0, count);
    suite_add_tcase(suite, cases);
    return suite;
}
