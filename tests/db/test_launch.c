/* Who may launch what: Spring Batch's rules for instances, executions whose process is gone, and
 * the order of days. */
#include "daemon/engine/launch.h"

#include <pthread.h>
#include <string.h>

#include "common/db/statement.h"
#include "daemon/jobs/daily_settlement.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

#define ME "11111111-1111-4111-8111-111111111111"
#define OTHER "22222222-2222-4222-8222-222222222222"
#define DATE "2026-07-01"

enum { LAUNCHERS = 6 };

static enum err admit_all(struct db *db, const char *date, struct admission *ret_admission,
                          struct detail *detail)
{
    (void)db;
    (void)date;
    (void)ret_admission;
    (void)detail;
    return OK;
}

static const struct job test_job = {.name = "test-job", .admit = admit_all};

static enum err launch_as(struct db *db, const struct launch_request *request,
                          struct launch_answer *ret_answer, struct detail *ret_detail)
{
    *ret_detail = (struct detail){0};
    *ret_answer = (struct launch_answer){0};
    return launch(db, request, ret_answer, ret_detail);
}

static void add_node(struct harness *harness, const char *id, int lease_s)
{
    enum err err =
        db_run(harness_db(harness), NULL,
               "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at,"
               " lease_until) VALUES (?, 'somewhere', 42, '1', 'RUN', NOW(6), NOW(6),"
               " NOW(6) + INTERVAL ? SECOND)",
               "si", id, (int64_t)lease_s);
    ck_assert_msg(err == OK, "%s", db_message(harness_db(harness)));
}

static void set_status(struct harness *harness, int64_t execution, const char *status)
{
    ck_assert_int_eq(db_run(harness_db(harness), NULL,
                            "UPDATE BATCH_JOB_EXECUTION SET STATUS = ? WHERE JOB_EXECUTION_ID = ?",
                            "si", status, execution),
                     OK);
}

static int64_t executions(struct harness *harness, const char *condition)
{
    char sql[400];
    ck_assert(text_format(sql, sizeof(sql), "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE %s",
                          condition));
    return harness_i64(harness, sql);
}

START_TEST(a_first_launch_makes_instance_and_execution)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {.job = &test_job, .date = DATE, .node_id = ME};
    struct launch_answer answer;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &answer, &detail), OK);
    ck_assert(!answer.restarted);
    ck_assert_int_eq(answer.job_instance_id, 1);
    ck_assert_uint_eq(strlen(answer.began_at), REPOSITORY_TIME - 1);
    ck_assert_int_eq(executions(harness,
                                "STATUS = 'STARTING' AND EXIT_CODE = 'UNKNOWN' AND"
                                " EXIT_MESSAGE = '' AND START_TIME IS NULL AND VERSION = 0"
                                " AND END_TIME IS NULL"),
                     1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION_PARAMS WHERE"
                                 " PARAMETER_NAME = 'targetDate' AND IDENTIFYING = 'Y' AND"
                                 " PARAMETER_TYPE = 'java.lang.String' AND"
                                 " PARAMETER_VALUE = '" DATE "'"),
                     1);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION_CONTEXT"), 1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM job_execution_owner WHERE"
                                 " node_id = '" ME "' AND attempt = 1"),
                     1);
    /* md5 of "targetDate={value=2026-07-01, type=class java.lang.String, identifying=true};" */
    ck_assert_int_eq(harness_i64(harness, "SELECT JOB_KEY = MD5('targetDate={value=" DATE ", type="
                                          "class java.lang.String, identifying=true};')"
                                          " FROM BATCH_JOB_INSTANCE"),
                     1);
}
END_TEST

struct again_case {
    const char *status;
    enum err err;
};

static const struct again_case again_cases[] = {
    {"FAILED", OK},
    {"STOPPED", OK},
    {"COMPLETED", ERR_CLOSED},
    {"ABANDONED", ERR_REFUSED},
    {"UNKNOWN", ERR_REFUSED},
};

START_TEST(an_instance_is_launched_again_by_spring_batchs_rules)
{
    const struct again_case *wanted = &again_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {.job = &test_job, .date = DATE, .node_id = ME};
    struct launch_answer first, second;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &first, &detail), OK);
    set_status(harness, first.job_execution_id, wanted->status);
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), wanted->err);
    ck_assert_int_eq(executions(harness, "TRUE"), wanted->err == OK ? 2 : 1);
    if (wanted->err == OK) {
        ck_assert(second.restarted);
        ck_assert_int_eq(second.job_instance_id, first.job_instance_id);
        ck_assert_int_ne(second.job_execution_id, first.job_execution_id);
        ck_assert_str_eq(second.began_at, first.began_at);
        ck_assert_int_eq(harness_i64(harness, "SELECT MAX(attempt) FROM job_execution_owner"), 2);
    } else {
        ck_assert_int_eq(second.job_execution_id,
                         wanted->err == ERR_CLOSED ? first.job_execution_id : 0);
        if (wanted->err == ERR_REFUSED) ck_assert_ptr_nonnull(strstr(detail.text, wanted->status));
    }
}
END_TEST

/* Two daemons that saw the same restart due, or the same request: the second finds the first one's
 * execution, which may have ended by now. Whatever else is refused stays a refusal. */
START_TEST(who_comes_second_is_told_that_it_was_overtaken)
{
    static const char *const statuses[] = {"FAILED", "STOPPED", "UNKNOWN"};
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct launch_request request = {.job = &test_job, .date = DATE, .node_id = ME};
    struct launch_answer first, second, third;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &first, &detail), OK);
    set_status(harness, first.job_execution_id, "FAILED");
    request.why.after_execution_id = first.job_execution_id;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), OK);
    ck_assert(!second.overtaken);
    set_status(harness, second.job_execution_id, statuses[_i]);
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &third, &detail), ERR_REFUSED);
    ck_assert_msg(third.overtaken, "%s", detail.text);

    request.why.after_execution_id = second.job_execution_id;
    set_status(harness, second.job_execution_id, "UNKNOWN");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &third, &detail), ERR_REFUSED);
    ck_assert_msg(!third.overtaken, "%s", detail.text);
    ck_assert_int_eq(executions(harness, "TRUE"), 2);
}
END_TEST

/* All executions count, not only the latest: a FAILED one after it does not open a COMPLETED
 * instance again. */
START_TEST(an_earlier_execution_can_decide)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {.job = &test_job, .date = DATE, .node_id = ME};
    struct launch_answer first, second, third;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &first, &detail), OK);
    set_status(harness, first.job_execution_id, "FAILED");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), OK);
    set_status(harness, second.job_execution_id, "FAILED");
    set_status(harness, first.job_execution_id, "COMPLETED");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &third, &detail), ERR_CLOSED);
    ck_assert_int_eq(third.job_execution_id, first.job_execution_id);
}
END_TEST

static enum err has_logs(struct db *db, const char *date, struct date_facts *ret_facts)
{
    (void)db;
    (void)date;
    *ret_facts = (struct date_facts){.has_data = true, .passed = true};
    return OK;
}

/* A day that was given up when it had no logs, and launched again since: from then on it is like
 * any other. */
START_TEST(one_that_was_abandoned_decides_as_the_latest_only)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct job job = {.name = "test-job", .admit = admit_all, .facts = has_logs};
    struct launch_request request = {.job = &job, .date = DATE, .node_id = ME};
    struct launch_answer first, second, third;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &first, &detail), OK);
    set_status(harness, first.job_execution_id, "ABANDONED");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), OK);
    set_status(harness, second.job_execution_id, "STOPPED");
    request.why.after_execution_id = second.job_execution_id;
    ck_assert_msg(launch_as(harness_db(harness), &request, &third, &detail) == OK, "%s",
                  detail.text);
    set_status(harness, third.job_execution_id, "COMPLETED");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), ERR_CLOSED);
}
END_TEST

static const char *const running_words[] = {"STARTING", "STARTED", "STOPPING"};

START_TEST(a_process_that_is_alive_is_left_alone)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request theirs = {.job = &test_job, .date = DATE, .node_id = OTHER};
    const struct launch_request mine = {.job = &test_job, .date = "2026-07-02", .node_id = ME};
    struct launch_answer first, second;
    struct detail detail;
    add_node(harness, OTHER, 60);
    ck_assert_int_eq(launch_as(harness_db(harness), &theirs, &first, &detail), OK);
    set_status(harness, first.job_execution_id, running_words[_i]);
    ck_assert_int_eq(launch_as(harness_db(harness), &mine, &second, &detail), ERR_BUSY);
    ck_assert_int_eq(second.job_execution_id, first.job_execution_id);
    ck_assert_str_eq(second.owner_id, OTHER);
    ck_assert_str_eq(second.running_date, DATE);
    ck_assert_int_eq(second.owner.pid, 42);
    ck_assert(second.owner.lease_valid && second.owner.lease_left_s > 0);
    ck_assert_int_eq(executions(harness, "TRUE"), 1);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM BATCH_JOB_INSTANCE"), 1);
}
END_TEST

/* What an execution leaves behind that was killed in the middle of a step: one partition done, one
 * not. */
static void leave_step(struct harness *harness, const struct launch_answer *launched)
{
    struct db *db = harness_db(harness);
    ck_assert_int_eq(
        db_run(db, NULL,
               "INSERT INTO step_partition (job_instance_id, step_name, partition_number,"
               " lower_key, upper_key, estimated_items, checkpoint_key, status, node_id, epoch,"
               " updated_at) VALUES (?, 's', 0, 0, 10, 1, 10, 'COMPLETED', ?, 7, NOW(6)),"
               " (?, 's', 1, 10, 20, 1, 15, 'STARTED', ?, 7, NOW(6)),"
               " (?, 's', 2, 20, 30, 1, NULL, 'PENDING', NULL, 7, NOW(6))",
               "isisi", launched->job_instance_id, OTHER, launched->job_instance_id, OTHER,
               launched->job_instance_id),
        OK);
    ck_assert_int_eq(
        db_run(db, NULL,
               "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME,"
               " JOB_EXECUTION_ID, CREATE_TIME, STATUS, EXIT_CODE) VALUES"
               " (1, 0, 's', ?, NOW(6), 'STARTED', 'EXECUTING'),"
               " (2, 0, 's:partition0', ?, NOW(6), 'COMPLETED', 'COMPLETED')",
               "ii", launched->job_execution_id, launched->job_execution_id),
        OK);
}

/* A server that was started less than a lease ago says nothing about locks; for leases of no length
 * it always does. */
static const char TRUST_LOCKS_SQL[] = "UPDATE node SET heartbeat_at = lease_until";

enum death { LEASE_OVER, NO_ROW, KNOWN_TO_BE_GONE };

START_TEST(what_a_dead_process_left_behind_is_failed_and_fenced)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request theirs = {.job = &test_job, .date = DATE, .node_id = OTHER};
    const struct launch_request mine = {.job = &test_job,
                                        .date = DATE,
                                        .node_id = ME,
                                        .gone_node_id = _i == KNOWN_TO_BE_GONE ? OTHER : NULL};
    struct launch_answer first, second;
    struct detail detail;
    if (_i != NO_ROW) add_node(harness, OTHER, _i == LEASE_OVER ? -1 : 60);
    harness_execute(harness, TRUST_LOCKS_SQL);
    ck_assert_int_eq(launch_as(harness_db(harness), &theirs, &first, &detail), OK);
    set_status(harness, first.job_execution_id, running_words[_i]);
    leave_step(harness, &first);

    ck_assert_int_eq(launch_as(harness_db(harness), &mine, &second, &detail), OK);
    ck_assert(second.restarted);
    ck_assert_int_eq(second.job_instance_id, first.job_instance_id);
    ck_assert_int_eq(executions(harness,
                                "STATUS = 'FAILED' AND EXIT_CODE = 'FAILED' AND END_TIME"
                                " IS NOT NULL AND EXIT_MESSAGE LIKE '%" OTHER "%'"),
                     1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION WHERE"
                                 " (STATUS = 'FAILED' AND STEP_NAME = 's' AND END_TIME IS"
                                 " NOT NULL AND EXIT_MESSAGE <> '') OR"
                                 " (STATUS = 'COMPLETED' AND STEP_NAME = 's:partition0')"),
                     2);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM step_partition WHERE epoch = 8 AND"
                                 " node_id IS NULL AND status = 'FAILED'"),
                     2);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM step_partition WHERE epoch = 7 AND"
                                 " status = 'COMPLETED'"),
                     1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT checkpoint_key FROM step_partition WHERE"
                                 " partition_number = 1"),
                     15);
}
END_TEST

/* Between the look that made it suspect and the launch. */
START_TEST(who_has_its_lock_again_is_not_gone)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request theirs = {.job = &test_job, .date = DATE, .node_id = OTHER};
    const struct launch_request mine = {.job = &test_job,
                                        .date = DATE,
                                        .node_id = ME,
                                        .gone_node_id = OTHER};
    struct launch_answer first, second;
    struct detail detail;
    add_node(harness, OTHER, 60);
    harness_execute(harness, TRUST_LOCKS_SQL);
    ck_assert_int_eq(launch_as(harness_db(harness), &theirs, &first, &detail), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT GET_LOCK('settlementd." OTHER "', 0)"), 1);
    ck_assert_int_eq(launch_as(harness_db(harness), &mine, &second, &detail), ERR_BUSY);
    ck_assert_int_eq(harness_i64(harness, "SELECT RELEASE_LOCK('settlementd." OTHER "')"), 1);
    ck_assert_int_eq(launch_as(harness_db(harness), &mine, &second, &detail), OK);
}
END_TEST

START_TEST(what_another_program_runs_is_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {.job = &test_job, .date = DATE, .node_id = ME};
    struct launch_answer first, second;
    struct detail detail;
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &first, &detail), OK);
    harness_execute(harness, "DELETE FROM job_execution_owner");
    ck_assert_int_eq(launch_as(harness_db(harness), &request, &second, &detail), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(detail.text, "another program"));
    ck_assert_int_eq(executions(harness, "STATUS = 'STARTING'"), 1);
}
END_TEST

struct launcher_thread {
    struct db *db;
    pthread_t thread;
    struct launch_request request;
    struct launch_answer answer;
    struct detail detail;
    enum err err;
};

static void *launch_in_thread(void *argument)
{
    struct launcher_thread *launcher = argument;
    launcher->err = launch(launcher->db, &launcher->request, &launcher->answer, &launcher->detail);
    return NULL;
}

START_TEST(of_many_launches_at_once_one_wins)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct launcher_thread launchers[LAUNCHERS] = {0};
    int won = 0;
    add_node(harness, ME, 60);
    for (int i = 0; i < LAUNCHERS; i++) {
        launchers[i].db = harness_connect(harness);
        launchers[i].request =
            (struct launch_request){.job = &test_job, .date = DATE, .node_id = ME};
    }
    for (int i = 0; i < LAUNCHERS; i++)
        ck_assert_int_eq(pthread_create(&launchers[i].thread, NULL, launch_in_thread,
                                        &launchers[i]),
                         0);
    for (int i = 0; i < LAUNCHERS; i++) {
        ck_assert_int_eq(pthread_join(launchers[i].thread, NULL), 0);
        ck_assert_msg(launchers[i].err == OK || launchers[i].err == ERR_BUSY, "%s: %s",
                      err_name(launchers[i].err), launchers[i].detail.text);
        won += launchers[i].err == OK;
        db_free(launchers[i].db);
    }
    ck_assert_int_eq(won, 1);
    ck_assert_int_eq(executions(harness, "TRUE"), 1);
    for (int i = 0; i < LAUNCHERS; i++)
        ck_assert_int_eq(launchers[i].answer.job_execution_id, 1);
}
END_TEST

struct day_case {
    const char *setup[3];
    const char *date;
    enum err err;
    const char *words;
};

#define CLOSE(day)                                                                                 \
    "INSERT INTO day_close (business_date, closed_at, ingested_until, view_logs, ad_logs,"         \
    " job_execution_id) VALUES ('" day "', NOW(6), NOW(6), 1, 0, 4711)"
#define VIEW(day)                                                                                  \
    "INSERT INTO member_content_watch_log (member_id, content_post_id, last_playback_position,"    \
    " total_playback_time, watched_date, streaming_status)"                                        \
    " VALUES (1, 1, 1, 1, '" day "', 'STOPPED')"
#define AD_VIEW(day)                                                                               \
    "INSERT INTO member_ad_watch_log (member_id, content_post_id, advertisement_id,"               \
    " playback_position, watched_date, streaming_status) VALUES (1, 1, 1, 1, '" day                \
    "', 'STOPPED')"

static const struct day_case day_cases[] = {
    {{NULL}, "2026-07-03", OK, ""},
    {{VIEW("2026-07-03")}, "2026-07-03", OK, ""},
    {{VIEW("2026-07-04"), AD_VIEW("2026-07-05")}, "2026-07-03", OK, ""},
    {{CLOSE("2026-07-03")}, "2026-07-03", ERR_CLOSED, ""},
    {{CLOSE("2026-07-03"), CLOSE("2026-07-05")}, "2026-07-03", ERR_CLOSED, ""},
    {{CLOSE("2026-07-05")}, "2026-07-03", ERR_REFUSED, "frontier (2026-07-05)"},
    {{VIEW("2026-07-01"), VIEW("2026-07-02")}, "2026-07-03", ERR_REFUSED, "--date 2026-07-01"},
    {{AD_VIEW("2026-07-02")}, "2026-07-03", ERR_REFUSED, "run daily-settlement --date 2026-07-02"},
    {{CLOSE("2026-07-01"), VIEW("2026-07-01")}, "2026-07-02", OK, ""},
    {{CLOSE("2026-07-02"), VIEW("2026-07-01")}, "2026-07-03", OK, ""}, /* late, not in order */
    {{CLOSE("2026-07-01"), VIEW("2026-07-02")}, "2026-07-03", ERR_REFUSED, "--date 2026-07-02"},
    {{"DELETE FROM settlement_rate WHERE settlement_type = 'CONTENT'"},
     "2026-07-03",
     ERR_INVALID,
     "no CONTENT rate"},
};

START_TEST(days_are_settled_in_their_order)
{
    const struct day_case *day = &day_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {.job = &daily_settlement_job,
                                           .date = day->date,
                                           .node_id = ME};
    struct launch_answer answer;
    struct detail detail;
    for (size_t i = 0; i < COUNT_OF(day->setup) && day->setup[i] != NULL; i++)
        harness_execute(harness, day->setup[i]);
    enum err err = launch_as(harness_db(harness), &request, &answer, &detail);
    ck_assert_msg(err == day->err, "%s: %s", err_name(err), detail.text);
    ck_assert_msg(strstr(detail.text, day->words) != NULL, "%s", detail.text);
    ck_assert_int_eq(executions(harness, "TRUE"), err == OK ? 1 : 0);
    if (err == ERR_CLOSED) ck_assert_int_eq(answer.job_execution_id, 4711);
}
END_TEST

Suite *test_launch_suite(void)
{
    Suite *suite = suite_create("launch");
    TCase *cases = tcase_create("launch");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_first_launch_makes_instance_and_execution);
    tcase_add_loop_test(cases, an_instance_is_launched_again_by_spring_batchs_rules, 0,
                        (int)COUNT_OF(again_cases));
    tcase_add_loop_test(cases, who_comes_second_is_told_that_it_was_overtaken, 0, 3);
    tcase_add_test(cases, an_earlier_execution_can_decide);
    tcase_add_test(cases, one_that_was_abandoned_decides_as_the_latest_only);
    tcase_add_loop_test(cases, a_process_that_is_alive_is_left_alone, 0,
                        (int)COUNT_OF(running_words));
    tcase_add_loop_test(cases, what_a_dead_process_left_behind_is_failed_and_fenced, LEASE_OVER,
                        KNOWN_TO_BE_GONE + 1);
    tcase_add_test(cases, who_has_its_lock_again_is_not_gone);
    tcase_add_test(cases, what_another_program_runs_is_refused);
    tcase_add_test(cases, of_many_launches_at_once_one_wins);
    tcase_add_loop_test(cases, days_are_settled_in_their_order, 0, (int)COUNT_OF(day_cases));
    suite_add_tcase(suite, cases);
    return suite;
}
