#include "common/job_status.h"

#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

enum { CAPACITY = 10 };

/* Two executions of an instance of `daily-settlement` (the first died, the second runs), and one of
 * another job. */
static const char *const EXECUTIONS_SQL[] = {
    "INSERT INTO BATCH_JOB_INSTANCE VALUES (1, 0, 'daily-settlement', 'a'), (2, 0, 'other', 'b')",
    "INSERT INTO BATCH_JOB_EXECUTION VALUES"
    " (1, 2, 1, '2026-07-02 00:10:00', '2026-07-02 00:10:01', '2026-07-02 00:10:03.5', 'FAILED',"
    "  'FAILED', 'the process died', '2026-07-02 00:10:03.5'),"
    " (2, 2, 2, '2026-07-02 01:00:00', '2026-07-02 01:00:00', '2026-07-02 01:00:01', 'COMPLETED',"
    "  'COMPLETED', '', '2026-07-02 01:00:01'),"
    " (3, 1, 1, '2026-07-02 02:00:00', '2026-07-02 02:00:00', NULL, 'STARTED', 'UNKNOWN', '',"
    "  '2026-07-02 02:00:00')",
    "INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES"
    " (1, 'targetDate', 'java.lang.String', '2026-07-01', 'Y'),"
    " (3, 'targetDate', 'java.lang.String', '2026-07-01', 'Y'),"
    " (3, 'a', 'java.lang.String', NULL, 'N')",
    "INSERT INTO job_execution_owner (job_execution_id, node_id, attempt) VALUES (3, 'node-3', 2)",
};

/* The manager of a running step knows nothing yet; that of a finished one has its workers' sums. */
static const char *const STEPS_SQL[] = {
    "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID,"
    " CREATE_TIME, START_TIME, END_TIME, STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT,"
    " WRITE_COUNT, READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT,"
    " EXIT_CODE, EXIT_MESSAGE) VALUES"
    " (1, 0, 'one', 3, NOW(), '2026-07-02 02:00:00', '2026-07-02 02:00:02', 'COMPLETED',"
    "  3, 30, 1, 20, 1, 2, 3, 4, 'COMPLETED', ''),"
    " (2, 0, 'one:partition0', 3, NOW(), NOW(), NOW(), 'COMPLETED', 1, 10, 0, 5, 0, 0, 0, 0, '', "
    "''),"
    " (3, 0, 'one:partition1', 3, NOW(), NOW(), NOW(), 'COMPLETED', 2, 20, 1, 15, 1, 2, 3, 4, '', "
    "''),"
    " (4, 0, 'two', 3, NOW(), NULL, NULL, 'STARTED', 0, 0, 0, 0, 0, 0, 0, 0, 'EXECUTING', ''),"
    " (5, 0, 'two:partition0', 3, NOW(), NOW(), NULL, 'STARTED', 4, 40, 0, 7, 0, 0, 1, 1, '', ''),"
    " (6, 0, 'two:partition1', 3, NOW(), NOW(), NULL, 'STARTED', 5, 50, 0, 8, 0, 0, 1, 0, '', '')",
    "INSERT INTO step_plan (job_instance_id, step_name, planned_at, partition_count, estimated_items) VALUES (1, 'one', '2026-07-02 02:00:00', 2, 60),"
    " (1, 'two', '2026-07-02 02:00:02', 3, 300)",
    "INSERT INTO step_partition (job_instance_id, step_name, partition_number, lower_key,"
    " upper_key, estimated_items, checkpoint_key, status, epoch, read_count, write_count,"
    " skip_count, chunk_count, updated_at) VALUES"
    " (1, 'two', 1, 100, 200, 100, 150, 'STARTED', 2, 170, 8, 1, 5, NOW()),"
    " (1, 'two', 0, 0, 100, 100, 100, 'COMPLETED', 1, 40, 7, 1, 4, NOW()),"
    " (1, 'two', 2, 200, 300, 100, NULL, 'PENDING', 0, 0, 0, 0, 0, NOW()),"
    " (1, 'one', 0, 0, 100, 60, 100, 'COMPLETED', 1, 30, 20, 6, 3, NOW())",
};

static void execute_all(struct harness *harness, const char *const *statements, size_t count)
{
    for (size_t i = 0; i < count; i++)
        harness_execute(harness, statements[i]);
}

static struct harness *new_harness(void)
{
    struct harness *harness = harness_new();
    execute_all(harness, EXECUTIONS_SQL, COUNT_OF(EXECUTIONS_SQL));
    execute_all(harness, STEPS_SQL, COUNT_OF(STEPS_SQL));
    return harness;
}

START_TEST(executions_are_listed_the_latest_first)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    static struct job_execution found[CAPACITY];
    int count = 0;
    ck_assert_int_eq(job_status_list(harness_db(harness), NULL, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(found[0].id, 3);
    ck_assert_int_eq(found[2].id, 1);
    ck_assert_str_eq(found[0].parameters, "a= targetDate=2026-07-01");
    ck_assert_int_eq(found[0].attempt, 2);
    ck_assert_str_eq(found[0].node_id, "node-3");
    ck_assert_str_eq(found[0].ended, "");
    ck_assert_int_gt(found[0].duration_us, 0);
    ck_assert_str_eq(found[1].parameters, "");
    ck_assert_str_eq(found[2].job_name, "daily-settlement");
    ck_assert_str_eq(found[2].status, "FAILED");
    ck_assert_str_eq(found[2].exit_message, "the process died");
    ck_assert_str_eq(found[2].started, "2026-07-02T00:10:01Z");
    ck_assert_int_eq(found[2].duration_us, 2500000);
    ck_assert_int_eq(found[2].attempt, 0);
}
END_TEST

START_TEST(a_list_is_of_one_job_and_no_longer_than_asked)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct db *db = harness_db(harness);
    static struct job_execution found[CAPACITY];
    int count = 0;
    ck_assert_int_eq(job_status_list(db, "daily-settlement", found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(job_status_list(db, "daily-settlement", found, 1, &count), OK);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(found[0].id, 3);
    ck_assert_int_eq(job_status_list(db, "nothing", found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 0);
}
END_TEST

START_TEST(the_latest_of_each_job_and_the_running_ones_are_found)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct db *db = harness_db(harness);
    static struct job_execution found[CAPACITY];
    int count = 0;
    ck_assert_int_eq(job_status_latest(db, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(found[0].id, 3);
    ck_assert_int_eq(found[1].id, 2);
    ck_assert_int_eq(job_status_running(db, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(found[0].id, 3);
}
END_TEST

static void check_steps(const struct job_detail *detail)
{
    ck_assert_int_eq(detail->step_count, 2);
    const struct job_step *one = &detail->steps[0], *two = &detail->steps[1];
    ck_assert_str_eq(one->name, "one");
    ck_assert_int_eq(one->read, 30);
    ck_assert_int_eq(one->written, 20);
    ck_assert_int_eq(one->filtered, 1);
    ck_assert_int_eq(one->skipped, 6);
    ck_assert_int_eq(one->commits, 3);
    ck_assert_int_eq(one->rollbacks, 4);
    ck_assert_int_eq(one->duration_us, 2000000);
    ck_assert_str_eq(two->name, "two");
    ck_assert_int_eq(two->read, 90);
    ck_assert_int_eq(two->written, 15);
    ck_assert_int_eq(two->skipped, 2);
    ck_assert_int_eq(two->commits, 9);
    ck_assert_int_eq(two->duration_us, -1);
}

START_TEST(an_execution_has_its_steps_and_the_partitions_of_its_instance)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    CLEANUP(job_detail_done) struct job_detail detail = {0};
    ck_assert_int_eq(job_status_detail(harness_db(harness), 3, &detail), OK);
    ck_assert_int_eq(detail.execution.id, 3);
    check_steps(&detail);

    ck_assert_int_eq(detail.partition_count, 4);
    ck_assert_str_eq(detail.partitions[0].step_name, "one");
    const struct job_partition *started = &detail.partitions[2];
    ck_assert_str_eq(started->step_name, "two");
    ck_assert_int_eq(started->number, 1);
    ck_assert_int_eq(started->lower_key, 100);
    ck_assert_int_eq(started->upper_key, 200);
    ck_assert(started->has_checkpoint);
    ck_assert_int_eq(started->checkpoint_key, 150);
    ck_assert_int_eq(started->epoch, 2);
    ck_assert_str_eq(started->status, "STARTED");
    ck_assert_int_eq(started->read, 170);
    ck_assert(!detail.partitions[3].has_checkpoint);
}
END_TEST

START_TEST(an_execution_without_steps_is_shown_too)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    CLEANUP(job_detail_done) struct job_detail detail = {0};
    ck_assert_int_eq(job_status_detail(harness_db(harness), 2, &detail), OK);
    ck_assert_int_eq(detail.step_count, 0);
    ck_assert_int_eq(detail.partition_count, 0);
}
END_TEST

START_TEST(an_unknown_execution_is_not_found)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct job_detail detail = {.step_count = 4711};
    ck_assert_int_eq(job_status_detail(harness_db(harness), 99, &detail), ERR_NOT_FOUND);
    ck_assert_int_eq(detail.step_count, 4711);
}
END_TEST

START_TEST(progress_is_that_of_the_step_planned_last_and_never_above_the_plan)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct job_progress progress = {0};
    ck_assert_int_eq(job_status_progress(harness_db(harness), 1, &progress), OK);
    ck_assert_str_eq(progress.step_name, "two");
    ck_assert_int_eq(progress.planned, 300);
    ck_assert_int_eq(progress.done, 200);
    ck_assert_int_eq(progress.percent, 66);
    ck_assert_int_eq(progress.partitions, 3);
    ck_assert_int_eq(progress.partitions_completed, 1);
    ck_assert_int_eq(job_status_progress(harness_db(harness), 2, &progress), OK);
    ck_assert_str_eq(progress.step_name, "");
    ck_assert_int_eq(progress.percent, 0);
}
END_TEST

START_TEST(an_execution_says_why_it_was_started_and_how_it_ended)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    CLEANUP(job_detail_done) struct job_detail detail = {0}, foreign = {0};
    harness_execute(
        harness,
        "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status) VALUES ('node-3', 'host-3', 4711, '1', 'DAEMON',"
        " NOW(6), NOW(6), NOW(6), '')");
    harness_execute(harness,
                    "UPDATE job_execution_owner SET started_for = 'RESTART', restarts = 2,"
                    " cause = 'TRANSIENT', restart_at = '2026-07-02 03:00:00'");
    ck_assert_int_eq(job_status_detail(harness_db(harness), 3, &detail), OK);
    ck_assert_str_eq(detail.execution.started_for, "RESTART");
    ck_assert_str_eq(detail.execution.cause, "TRANSIENT");
    ck_assert_int_eq(detail.execution.restarts, 2);
    ck_assert_str_eq(detail.execution.restart_at, "2026-07-02T03:00:00Z");
    ck_assert_str_eq(detail.execution.host, "host-3");
    ck_assert_int_eq(detail.execution.pid, 4711);
    ck_assert_int_eq(job_status_detail(harness_db(harness), 2, &foreign), OK);
    ck_assert_str_eq(foreign.execution.started_for, "");
    ck_assert_str_eq(foreign.execution.cause, "");
    ck_assert_str_eq(foreign.execution.restart_at, "");
    ck_assert_str_eq(foreign.execution.host, "");
}
END_TEST

/* Three instances of the job and one of another program; only the latest execution of an instance
 * counts. */
static const char *const ENDS_SQL[] = {
    "INSERT INTO BATCH_JOB_INSTANCE VALUES (11, 0, 'daily-settlement', '11'),"
    " (12, 0, 'daily-settlement', '12'), (13, 0, 'daily-settlement', '13'), (14, 0, 'theirs', '14')",
    "INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, JOB_INSTANCE_ID, CREATE_TIME, END_TIME,"
    " STATUS) VALUES (11, 11, NOW(6), NOW(6), 'FAILED'), (12, 11, NOW(6), NOW(6), 'COMPLETED'),"
    " (13, 12, NOW(6), NOW(6), 'FAILED'), (14, 12, NOW(6), NOW(6), 'FAILED'),"
    " (15, 13, NOW(6), NOW(6), 'FAILED'), (16, 14, NOW(6), NOW(6), 'FAILED')",
    "INSERT INTO job_execution_owner (job_execution_id, node_id, restart_at) VALUES"
    " (11, 'n', NOW(6)), (12, 'n', NULL), (13, 'n', NOW(6)), (14, 'n', NOW(6) + INTERVAL 1 HOUR),"
    " (15, 'n', NULL)",
};

START_TEST(failures_are_those_that_nobody_will_restart)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    static struct job_execution found[CAPACITY];
    struct db *db = harness_db(harness);
    int count = 0;
    execute_all(harness, ENDS_SQL, COUNT_OF(ENDS_SQL));
    ck_assert_int_eq(job_status_failures(db, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(found[0].id, 15);
    ck_assert_int_eq(job_status_restarts(db, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(found[0].id, 14);
    ck_assert_int_eq(job_status_successes(db, found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(found[0].id, 12);
}
END_TEST

START_TEST(processes_are_listed_daemons_that_are_alive_first)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    static struct job_node found[CAPACITY];
    int count = 0;
    harness_execute(
        harness,
        "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status) VALUES"
        " ('a', 'h', 1, '1', 'RUN', NOW(6), NOW(6), NOW(6) + INTERVAL 1 HOUR, ''),"
        " ('b', 'h', 2, '1', 'DAEMON', NOW(6) - INTERVAL 3 HOUR,"
        "  NOW(6) - INTERVAL 1 HOUR, NOW(6) - INTERVAL 1 HOUR, ''),"
        " ('c', 'h', 3, '2', 'DAEMON', NOW(6) - INTERVAL 2 HOUR, NOW(6),"
        "  NOW(6) + INTERVAL 1 HOUR, 'idle')");
    ck_assert_int_eq(job_status_nodes(harness_db(harness), found, CAPACITY, &count), OK);
    ck_assert_int_eq(count, 3);
    ck_assert_str_eq(found[0].node_id, "c");
    ck_assert_str_eq(found[0].role, "DAEMON");
    ck_assert_str_eq(found[0].version, "2");
    ck_assert_str_eq(found[0].status, "idle");
    ck_assert(found[0].alive);
    ck_assert_int_ge(found[0].uptime_us, INT64_C(7200) * 1000000);
    ck_assert_str_eq(found[1].node_id, "b");
    ck_assert(!found[1].alive);
    ck_assert_int_eq(found[1].uptime_us, INT64_C(7200) * 1000000);
    ck_assert_int_ge(found[1].silent_us, INT64_C(3600) * 1000000);
    ck_assert_str_eq(found[2].role, "RUN");
    ck_assert_int_eq(job_status_nodes(harness_db(harness), found, 1, &count), OK);
    ck_assert_int_eq(count, 1);
}
END_TEST

Suite *test_job_status_suite(void)
{
    const TTest *const tests[] = {
        executions_are_listed_the_latest_first,
        a_list_is_of_one_job_and_no_longer_than_asked,
        the_latest_of_each_job_and_the_running_ones_are_found,
        an_execution_has_its_steps_and_the_partitions_of_its_instance,
        an_execution_without_steps_is_shown_too,
        an_unknown_execution_is_not_found,
        progress_is_that_of_the_step_planned_last_and_never_above_the_plan,
        an_execution_says_why_it_was_started_and_how_it_ended,
        failures_are_those_that_nobody_will_restart,
        processes_are_listed_daemons_that_are_alive_first,
    };
    Suite *suite = suite_create("job_status");
    TCase *cases = tcase_create("job_status");
    tcase_set_timeout(cases, 60);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}
