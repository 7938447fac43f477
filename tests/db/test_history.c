/* What is remembered of an execution's end, and what follows from it: causes, restarts, who may
 * stop or abandon it. */
#include "daemon/engine/history.h"

#include <string.h>

#include "daemon/engine/launch.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

#define ME "11111111-1111-4111-8111-111111111111"
#define OTHER "22222222-2222-4222-8222-222222222222"
#define DATE "2026-07-01"
#define JOB "test-job"

static enum err admit_all(struct db *db, const char *date, struct admission *ret_admission,
                          struct detail *detail)
{
    (void)db;
    (void)date;
    (void)ret_admission;
    (void)detail;
    return OK;
}

static const struct job test_job = {.name = JOB, .admit = admit_all};
static const struct restart_policy policy = {.limit = 2, .backoff_s = 0, .backoff_max_s = 0};

/* Launches the day for one reason, after an execution or (0) after none. */
static int64_t launch_for(struct harness *harness, enum started_for reason, int64_t after)
{
    const struct launch_request request = {
        .job = &test_job,
        .date = DATE,
        .node_id = ME,
        .why = {.reason = reason,
                .after_execution_id = after,
                .request_id = reason == FOR_REQUEST ? 7 : 0,
                .slot_at = reason == FOR_SLOT ? "2026-07-02 00:10:00" : NULL},
    };
    struct launch_answer answer = {0};
    struct detail detail = {0};
    enum err err = launch(harness_db(harness), &request, &answer, &detail);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
    return answer.job_execution_id;
}

static void end(struct harness *harness, int64_t id, enum end_cause cause)
{
    struct db *db = harness_db(harness);
    int64_t restarts = 0;
    ck_assert_int_eq(repository_restarts(db, id, &restarts), OK);
    bool stopped = cause == CAUSE_PERSON || cause == CAUSE_SHUTDOWN;
    const struct execution_end the_end = {
        .from = STATUS_STARTING,
        .to = stopped ? STATUS_STOPPED : STATUS_FAILED,
        .exit_code = stopped ? EXIT_STOPPED : EXIT_FAILED,
        .exit_message = "words",
        .cause = cause,
        .restart = restart_decide(&policy, cause, restarts, 0),
    };
    ck_assert_int_eq(repository_set_execution(db, id, &the_end), OK);
}

static struct past_execution look(struct harness *harness, int64_t id)
{
    struct past_execution past = {0};
    ck_assert_int_eq(history_find(harness_db(harness), id, &past), OK);
    return past;
}

START_TEST(an_end_is_remembered_with_its_cause_and_found_in_every_way)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct past_execution past;
    ck_assert_int_eq(history_latest(db, JOB, DATE, &past), ERR_NOT_FOUND);
    ck_assert_int_eq(history_due(db, JOB, &past), ERR_NOT_FOUND);
    ck_assert_int_eq(history_find(db, 1, &past), ERR_NOT_FOUND);

    int64_t id = launch_for(harness, FOR_REQUEST, 0);
    end(harness, id, CAUSE_TRANSIENT);
    ck_assert_int_eq(history_latest(db, JOB, DATE, &past), OK);
    ck_assert_int_eq(past.id, id);
    ck_assert_str_eq(past.job_name, JOB);
    ck_assert_str_eq(past.date, DATE);
    ck_assert_str_eq(past.message, "words");
    ck_assert_int_eq(past.status, STATUS_FAILED);
    ck_assert_int_eq(past.cause, CAUSE_TRANSIENT);
    ck_assert_int_eq(past.request_id, 7);
    ck_assert(past.restart_due && past.latest && past.known);
    ck_assert_int_eq(history_due(db, JOB, &past), OK);
    ck_assert_int_eq(past.id, id);
    ck_assert_int_eq(history_due(db, "another-job", &past), ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_restart_costs_an_attempt_and_inherits_and_a_resumption_costs_none)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    int64_t first = launch_for(harness, FOR_SLOT, 0);
    end(harness, first, CAUSE_CRASH);
    int64_t second = launch_for(harness, FOR_RESTART, first);
    ck_assert_int_eq(look(harness, second).restarts, 1);
    ck_assert(!look(harness, first).restart_due);
    end(harness, second, CAUSE_SHUTDOWN);
    int64_t third = launch_for(harness, FOR_RESUME, second);
    ck_assert_int_eq(look(harness, third).restarts, 1);
    end(harness, third, CAUSE_TRANSIENT);
    int64_t fourth = launch_for(harness, FOR_RESTART, third);
    ck_assert_int_eq(look(harness, fourth).restarts, 2);
    end(harness, fourth, CAUSE_TRANSIENT);
    ck_assert(!look(harness, fourth).restart_due); /* the limit is 2 */
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM job_execution_owner"
                                 " WHERE slot_at = '2026-07-02 00:10:00'"),
                     4);

    int64_t fifth = launch_for(harness, FOR_REQUEST, fourth);
    ck_assert_int_eq(look(harness, fifth).restarts, 0); /* a person's try begins anew */
}
END_TEST

struct end_case {
    enum end_cause cause;
    bool restarts;
};

static const struct end_case end_cases[] = {
    {CAUSE_TRANSIENT, true},  {CAUSE_CRASH, true},   {CAUSE_SHUTDOWN, true},
    {CAUSE_PERMANENT, false}, {CAUSE_PERSON, false},
};

START_TEST(causes_decide_whether_a_daemon_starts_an_instance_again)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    int64_t id = launch_for(harness, FOR_COMMAND, 0);
    end(harness, id, end_cases[_i].cause);
    ck_assert_int_eq(look(harness, id).cause, end_cases[_i].cause);
    ck_assert_int_eq(look(harness, id).restart_due, end_cases[_i].restarts);
    bool cancelled = false;
    ck_assert_int_eq(history_hurry_restart(harness_db(harness), id), OK);
    ck_assert_int_eq(history_cancel_restart(harness_db(harness), id, true, &cancelled), OK);
    ck_assert_int_eq(cancelled, end_cases[_i].restarts);
    ck_assert(!look(harness, id).restart_due);
    ck_assert_int_eq(look(harness, id).cause, cancelled ? CAUSE_PERSON : end_cases[_i].cause);
}
END_TEST

START_TEST(only_the_latest_execution_is_gone_on_from)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    int64_t first = launch_for(harness, FOR_COMMAND, 0);
    end(harness, first, CAUSE_TRANSIENT);
    int64_t second = launch_for(harness, FOR_REQUEST, 0);
    end(harness, second, CAUSE_TRANSIENT);
    const struct launch_request request = {
        .job = &test_job,
        .date = DATE,
        .node_id = ME,
        .why = {.reason = FOR_RESTART, .after_execution_id = first},
    };
    struct launch_answer answer = {0};
    struct detail detail = {0};
    ck_assert_int_eq(launch(harness_db(harness), &request, &answer, &detail), ERR_REFUSED);
    ck_assert_msg(strstr(detail.text, "is not the latest") != NULL, "%s", detail.text);
    ck_assert(!look(harness, first).latest);
}
END_TEST

START_TEST(asking_to_stop_is_noticed_and_ends_in_a_stop)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    bool asked = false, stopping = false;
    int64_t id = launch_for(harness, FOR_COMMAND, 0);
    ck_assert_int_eq(look(harness, id).status, STATUS_STARTING);
    ck_assert_int_eq(history_ask_to_stop(db, id, &asked), OK);
    ck_assert(asked);
    ck_assert_int_eq(look(harness, id).status, STATUS_STOPPING);
    const struct execution_end started = {.from = STATUS_STARTING,
                                          .to = STATUS_STARTED,
                                          .exit_code = "UNKNOWN",
                                          .exit_message = ""};
    ck_assert_int_eq(repository_set_execution(db, id, &started), OK);
    ck_assert_int_eq(look(harness, id).status, STATUS_STOPPING); /* it is not forgotten */
    ck_assert_int_eq(repository_hold_execution(db, id, &stopping), OK);
    ck_assert(stopping);
    end(harness, id, CAUSE_PERSON);
    ck_assert_int_eq(look(harness, id).status, STATUS_STOPPED);
    ck_assert_int_eq(history_ask_to_stop(db, id, &asked), OK);
    ck_assert(!asked);
}
END_TEST

START_TEST(whoever_asked_for_a_stop_has_the_last_word_however_it_ends)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    bool asked = false;
    int64_t id = launch_for(harness, FOR_COMMAND, 0);
    ck_assert_int_eq(history_ask_to_stop(harness_db(harness), id, &asked), OK);
    end(harness, id, _i == 0 ? CAUSE_SHUTDOWN : CAUSE_TRANSIENT);
    ck_assert_int_eq(look(harness, id).cause, CAUSE_PERSON);
    ck_assert(!look(harness, id).restart_due);
}
END_TEST

START_TEST(a_restart_that_was_called_off_is_not_launched)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    bool cancelled = false;
    int64_t id = launch_for(harness, FOR_COMMAND, 0);
    end(harness, id, CAUSE_TRANSIENT);
    ck_assert_int_eq(history_cancel_restart(db, id, true, &cancelled), OK);
    const struct launch_request request = {
        .job = &test_job,
        .date = DATE,
        .node_id = ME,
        .why = {.reason = FOR_RESTART, .after_execution_id = id},
    };
    struct launch_answer answer = {0};
    struct detail detail = {0};
    ck_assert_int_eq(launch(db, &request, &answer, &detail), ERR_REFUSED);
    ck_assert_msg(strstr(detail.text, "called it off") != NULL, "%s", detail.text);
}
END_TEST

START_TEST(a_slot_launches_only_what_was_never_launched)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct launch_request request = {
        .job = &test_job,
        .date = DATE,
        .node_id = ME,
        .why = {.reason = FOR_SLOT, .after_execution_id = PROVENANCE_FIRST},
    };
    struct launch_answer answer = {0};
    struct detail detail = {0};
    ck_assert_int_eq(launch(harness_db(harness), &request, &answer, &detail), OK);
    end(harness, answer.job_execution_id, CAUSE_PERMANENT);
    ck_assert_int_eq(launch(harness_db(harness), &request, &answer, &detail), ERR_BUSY);
}
END_TEST

START_TEST(only_what_has_ended_badly_and_is_the_latest_can_be_abandoned)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    bool abandoned = true;
    int64_t first = launch_for(harness, FOR_COMMAND, 0);
    ck_assert_int_eq(history_abandon(db, first, &abandoned), OK);
    ck_assert(!abandoned); /* it runs */
    end(harness, first, CAUSE_PERSON);
    int64_t second = launch_for(harness, FOR_REQUEST, first);
    end(harness, second, CAUSE_PERSON);
    ck_assert_int_eq(history_abandon(db, first, &abandoned), OK);
    ck_assert(!abandoned);
    ck_assert_int_eq(history_abandon(db, second, &abandoned), OK);
    ck_assert(abandoned);
    ck_assert_int_eq(look(harness, second).status, STATUS_ABANDONED);
}
END_TEST

/* ---- what was left behind ---- */

static void add_node(struct harness *harness, const char *id, int lease_s)
{
    enum err err = db_run(harness_db(harness), NULL,
                          "INSERT INTO node (node_id, host, pid, version, role, started_at,"
                          " heartbeat_at, lease_until) VALUES (?, 'somewhere', 42, '1', 'DAEMON',"
                          " NOW(6), NOW(6), NOW(6) + INTERVAL ? SECOND)",
                          "si", id, (int64_t)lease_s);
    ck_assert_msg(err == OK, "%s", db_message(harness_db(harness)));
}

struct recover_case {
    const char *asks; /* the process that recovers */
    bool runs_none;
    int lease_s; /* of ME, which launched */
    const char *status;
    enum err err;
    enum end_cause cause;
};

static const struct recover_case recover_cases[] = {
    {OTHER, true, 60, "STARTED", ERR_BUSY, CAUSE_NONE},
    {OTHER, true, -1, "STARTED", OK, CAUSE_CRASH},
    {OTHER, true, -1, "STOPPING", OK, CAUSE_PERSON}, /* not to be started again */
    {ME, true, 60, "STARTED", OK, CAUSE_TRANSIENT},  /* its end could not be written */
    {ME, false, 60, "STARTED", ERR_BUSY, CAUSE_NONE},
};

START_TEST(executions_that_were_left_behind_fail_with_the_cause)
{
    const struct recover_case *c = &recover_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct launch_answer answer = {0};
    struct detail detail = {0};
    add_node(harness, ME, c->lease_s);
    int64_t id = launch_for(harness, FOR_COMMAND, 0);
    ck_assert_int_eq(db_run(db, NULL, "UPDATE BATCH_JOB_EXECUTION SET STATUS = ?", "s", c->status),
                     OK);
    const struct launch_request request = {.job = &test_job,
                                           .node_id = c->asks,
                                           .policy = &policy,
                                           .runs_none = c->runs_none};
    ck_assert_int_eq(launch_recover(db, &request, &answer, &detail), c->err);
    struct past_execution past = look(harness, id);
    ck_assert_int_eq(past.status, c->err == OK ? STATUS_FAILED : STATUS_STARTED);
    ck_assert_int_eq(past.cause, c->cause);
    ck_assert_int_eq(past.restart_due, c->err == OK && c->cause != CAUSE_PERSON);
}
END_TEST

Suite *test_history_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *ends = tcase_create("ends");
    tcase_set_timeout(ends, 60);
    tcase_add_test(ends, an_end_is_remembered_with_its_cause_and_found_in_every_way);
    tcase_add_test(ends, a_restart_costs_an_attempt_and_inherits_and_a_resumption_costs_none);
    tcase_add_loop_test(ends, causes_decide_whether_a_daemon_starts_an_instance_again, 0,
                        (int)COUNT_OF(end_cases));
    tcase_add_test(ends, only_the_latest_execution_is_gone_on_from);
    tcase_add_test(ends, asking_to_stop_is_noticed_and_ends_in_a_stop);
    tcase_add_loop_test(ends, whoever_asked_for_a_stop_has_the_last_word_however_it_ends, 0, 2);
    tcase_add_test(ends, a_restart_that_was_called_off_is_not_launched);
    tcase_add_test(ends, a_slot_launches_only_what_was_never_launched);
    tcase_add_test(ends, only_what_has_ended_badly_and_is_the_latest_can_be_abandoned);
    tcase_add_loop_test(ends, executions_that_were_left_behind_fail_with_the_cause, 0,
                        (int)COUNT_OF(recover_cases));
    suite_add_tcase(suite, ends);
    return suite;
}
