#include "common/purge.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/db/rival.h"
#include "tests/db/suites.h"

/* An execution with everything that hangs on one, of the instance of the same number, ended `days`
 * ago. NULL: it runs. */
struct made {
    int64_t id, instance_id;
    const char *job, *status;
    const char *ended; /* an interval before now, such as "100 DAY" */
};

static void execute(struct harness *harness, const char *format, ...) PRINTF_LIKE(2, 3);

static void execute(struct harness *harness, const char *format, ...)
{
    char sql[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    ck_assert_int_lt(length, (int)sizeof(sql));
    harness_execute(harness, sql);
}

static void make(struct harness *harness, const struct made *made)
{
    long long id = made->id, instance = made->instance_id;
    char ended[80];
    (void)text_format(ended, sizeof(ended), made->ended ? "NOW(6) - INTERVAL %s" : "NULL%s",
                      made->ended ? made->ended : "");
    execute(harness, "INSERT IGNORE INTO job_control VALUES ('%s')", made->job);
    execute(harness, "INSERT IGNORE INTO BATCH_JOB_INSTANCE VALUES (%lld, 0, '%s', '%lld')",
            instance, made->job, instance);
    execute(
        harness,
        "INSERT INTO BATCH_JOB_EXECUTION VALUES (%lld, 0, %lld, NOW(6), NOW(6), %s, '%s', '', '',"
        " NOW(6))",
        id, instance, ended, made->status);
    execute(harness,
            "INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES (%lld, 'targetDate', 'x', '', 'Y')", id);
    execute(harness, "INSERT INTO BATCH_JOB_EXECUTION_CONTEXT VALUES (%lld, '{}', '')", id);
    execute(harness,
            "INSERT INTO job_execution_owner (job_execution_id, node_id) VALUES (%lld, 'n')", id);
    for (long long step = 3 * id; step < 3 * id + 3; step++) {
        execute(harness,
                "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME,"
                " JOB_EXECUTION_ID, CREATE_TIME) VALUES (%lld, 0, 's', %lld, NOW(6))",
                step, id);
        execute(harness, "INSERT INTO BATCH_STEP_EXECUTION_CONTEXT VALUES (%lld, '{}', '')", step);
    }
    execute(
        harness,
        "INSERT IGNORE INTO step_plan (job_instance_id, step_name, planned_at, partition_count, estimated_items) VALUES (%lld, 's', NOW(6), 1, 1)",
        instance);
    execute(
        harness,
        "INSERT IGNORE INTO step_partition (job_instance_id, step_name, partition_number, lower_key,"
        " upper_key, estimated_items, updated_at) VALUES (%lld, 's', 0, 0, 1, 1, NOW(6))",
        instance);
    execute(harness,
            "INSERT IGNORE INTO reconciliation_part SELECT partition_id, 'c', 1, 1, 0, NULL"
            " FROM step_partition WHERE job_instance_id = %lld",
            instance);
}

static void make_all(struct harness *harness, const struct made *made, size_t count)
{
    for (size_t i = 0; i < count; i++)
        make(harness, &made[i]);
}

static struct purge_counts purge(struct harness *harness, int64_t days)
{
    struct purge_counts foreseen = {0}, counts = {0};
    bool more = true;
    ck_assert_int_eq(purge_count(harness_db(harness), days, &foreseen), OK);
    for (int batch = 0; more; batch++) {
        ck_assert_int_lt(batch, 100);
        enum err err = purge_batch(harness_db(harness), days, &counts, &more);
        ck_assert_msg(err == OK, "%s", db_message(harness_db(harness)));
    }
    ck_assert_mem_eq(&counts, &foreseen, sizeof(counts));
    return counts;
}

static bool has_instance(struct harness *harness, int64_t id)
{
    char sql[128];
    (void)text_format(sql, sizeof(sql),
                      "SELECT COUNT(*) FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID = %lld",
                      (long long)id);
    return harness_i64(harness, sql) == 1;
}

START_TEST(an_old_instance_goes_with_all_that_hangs_on_it)
{
    static const char *const tables[] = {"BATCH_JOB_INSTANCE",
                                         "BATCH_JOB_EXECUTION",
                                         "BATCH_JOB_EXECUTION_PARAMS",
                                         "BATCH_JOB_EXECUTION_CONTEXT",
                                         "BATCH_STEP_EXECUTION",
                                         "BATCH_STEP_EXECUTION_CONTEXT",
                                         "job_execution_owner",
                                         "step_plan",
                                         "step_partition",
                                         "reconciliation_part"};
    static const struct made made[] = {
        {1, 1, "daily-settlement", "FAILED", "101 DAY"},
        {2, 1, "daily-settlement", "COMPLETED", "100 DAY"},
        {3, 2, "daily-settlement", "COMPLETED", "99 DAY"},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    make_all(harness, made, COUNT_OF(made));
    struct purge_counts counts = purge(harness, 90);
    ck_assert_int_eq(counts.instances, 1);
    ck_assert_int_eq(counts.executions, 2);
    ck_assert_int_eq(counts.steps, 6);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        char sql[128];
        (void)text_format(sql, sizeof(sql), "SELECT COUNT(*) FROM %s", tables[i]);
        int64_t left = strstr(tables[i], "STEP_") != NULL ? 3 : 1;
        ck_assert_msg(harness_i64(harness, sql) == left, "%s", tables[i]);
    }
}
END_TEST

START_TEST(what_can_still_be_needed_stays)
{
    static const struct {
        struct made made;
        bool stays;
    } cases[] = {
        {{11, 11, "daily-settlement", "COMPLETED", "100 DAY"}, false},
        {{12, 12, "daily-settlement", "ABANDONED", "100 DAY"}, false},
        {{13, 13, "daily-settlement", "FAILED", "100 DAY"}, true},
        {{14, 14, "daily-settlement", "STOPPED", "100 DAY"}, true},
        {{15, 15, "daily-settlement", "UNKNOWN", "100 DAY"}, true},
        {{16, 16, "daily-settlement", "STARTED", NULL}, true},
        /* an older execution of the instance is not ended, or ended too late */
        {{17, 17, "daily-settlement", "STARTED", NULL}, true},
        {{18, 17, "daily-settlement", "COMPLETED", "100 DAY"}, true},
        {{19, 19, "daily-settlement", "FAILED", "1 DAY"}, true},
        {{20, 19, "daily-settlement", "COMPLETED", "100 DAY"}, true},
        {{21, 21, "daily-settlement", "COMPLETED", "89 DAY"}, true},
        /* the last success of its job, failures behind it or not */
        {{22, 22, "daily-settlement", "COMPLETED", "100 DAY"}, true},
        {{23, 23, "daily-settlement", "ABANDONED", "100 DAY"}, false},
        {{24, 24, "weekly", "COMPLETED", "200 DAY"}, false},
        {{25, 25, "weekly", "COMPLETED", "150 DAY"}, true},
        {{26, 26, "never-done", "ABANDONED", "150 DAY"}, false},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        make(harness, &cases[i].made);
    struct purge_counts counts = purge(harness, 90);
    ck_assert_int_eq(counts.instances, 5);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(has_instance(harness, cases[i].made.instance_id) == cases[i].stays,
                      "instance %lld", (long long)cases[i].made.instance_id);
    }
}
END_TEST

START_TEST(metadata_of_other_programs_is_left_alone)
{
    static const struct made made[] = {
        {1, 1, "theirs", "COMPLETED", "100 DAY"},
        {2, 2, "theirs", "COMPLETED", "100 DAY"},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    make_all(harness, made, COUNT_OF(made));
    harness_execute(harness, "DELETE FROM job_control WHERE job_name = 'theirs'");
    ck_assert_int_eq(purge(harness, 0).instances, 0);
    harness_execute(harness, "INSERT INTO job_control VALUES ('theirs')");
    ck_assert_int_eq(purge(harness, 0).instances, 1);
}
END_TEST

START_TEST(a_batch_is_small_and_the_rest_is_announced)
{
    enum { INSTANCES = PURGE_INSTANCES + 6 };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    for (int id = 1; id <= INSTANCES; id++) {
        const struct made made = {id, id, "daily-settlement", "COMPLETED", "100 DAY"};
        make(harness, &made);
    }
    struct purge_counts counts = {0};
    bool more = false;
    ck_assert_int_eq(purge_batch(harness_db(harness), 90, &counts, &more), OK);
    ck_assert_int_eq(counts.instances, PURGE_INSTANCES);
    ck_assert(more);
    ck_assert(!has_instance(harness, 1) && has_instance(harness, PURGE_INSTANCES + 1));
    ck_assert_int_eq(purge(harness, 90).instances, 5);
    ck_assert(has_instance(harness, INSTANCES));
    counts = (struct purge_counts){0};
    ck_assert_int_eq(purge_batch(harness_db(harness), 90, &counts, &more), OK);
    ck_assert_int_eq(counts.instances, 0);
    ck_assert(!more);
}
END_TEST

START_TEST(instances_with_very_many_steps_go_one_by_one)
{
    static const struct made made[] = {
        {1, 1, "daily-settlement", "COMPLETED", "100 DAY"},
        {2, 2, "daily-settlement", "COMPLETED", "100 DAY"},
        {3, 3, "daily-settlement", "COMPLETED", "100 DAY"},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    make_all(harness, made, COUNT_OF(made));
    for (int id = 1; id <= 2; id++) {
        execute(harness,
                "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME,"
                " JOB_EXECUTION_ID, CREATE_TIME) SELECT seq, 0, 's', %d, NOW(6)"
                " FROM seq_%d_to_%d",
                id, id * 100000, id * 100000 + PURGE_STEPS);
    }
    struct purge_counts counts = {0};
    bool more = false;
    ck_assert_int_eq(purge_batch(harness_db(harness), 90, &counts, &more), OK);
    ck_assert_int_eq(counts.instances, 1);
    ck_assert_int_eq(counts.steps, PURGE_STEPS + 4);
    ck_assert(more);
    ck_assert_int_eq(purge(harness, 90).instances, 1);
}
END_TEST

START_TEST(requests_slots_and_processes_go_by_their_own_age)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    harness_execute(
        harness,
        "INSERT INTO job_request (request_id, command, requested_by, requested_at, status,"
        " ended_at) VALUES"
        " (1, 'PAUSE', '', NOW(6) - INTERVAL 100 DAY, 'COMPLETED', NOW(6) - INTERVAL 91 DAY),"
        " (2, 'PAUSE', '', NOW(6) - INTERVAL 100 DAY, 'COMPLETED', NOW(6) - INTERVAL 89 DAY),"
        " (3, 'PAUSE', '', NOW(6) - INTERVAL 100 DAY, 'ACCEPTED', NULL),"
        " (4, 'PAUSE', '', NOW(6) - INTERVAL 100 DAY, 'PENDING', NULL),"
        " (5, 'PAUSE', '', NOW(6) - INTERVAL 100 DAY, 'WITHDRAWN', NULL)");
    harness_execute(
        harness,
        "INSERT INTO schedule_slot (job_name, slot_at, interval_start, interval_end, status,"
        " decided_at, node_id, ended_at) VALUES"
        " ('a', '2026-01-01', '2026-01-01', '2026-01-01', 'DONE', NOW(6) - INTERVAL 99 DAY,"
        "  'n', NOW(6) - INTERVAL 91 DAY),"
        " ('a', '2026-01-02', '2026-01-01', '2026-01-01', 'OPEN', NOW(6) - INTERVAL 99 DAY,"
        "  'n', NULL),"
        " ('a', '2026-01-03', '2026-01-01', '2026-01-01', 'SKIPPED',"
        "  NOW(6) - INTERVAL 91 DAY, 'n', NULL),"
        " ('a', '2026-01-04', '2026-01-01', '2026-01-01', 'DONE', NOW(6) - INTERVAL 91 DAY,"
        "  'n', NOW(6) - INTERVAL 89 DAY),"
        " ('a', '2026-01-05', '2026-01-01', '2026-01-01', 'DONE', NOW(6) - INTERVAL 91 DAY,"
        "  'n', NOW(6) - INTERVAL 91 DAY)");
    harness_execute(
        harness,
        "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status) VALUES"
        " ('old', '', 1, '', 'RUN', NOW(6), NOW(6), NOW(6) - INTERVAL 91 DAY, ''),"
        " ('owner', '', 1, '', 'RUN', NOW(6), NOW(6), NOW(6) - INTERVAL 91 DAY, ''),"
        " ('young', '', 1, '', 'RUN', NOW(6), NOW(6), NOW(6) - INTERVAL 1 DAY, '')");
    const struct made running = {1, 1, "daily-settlement", "STARTED", NULL};
    make(harness, &running);
    harness_execute(harness, "UPDATE job_execution_owner SET node_id = 'owner'");
    struct purge_counts counts = purge(harness, 90);
    ck_assert_int_eq(counts.requests, 2);
    ck_assert_int_eq(counts.slots, 2);
    ck_assert_int_eq(counts.nodes, 1);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(request_id) FROM job_request"), 2 + 3 + 4);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(DAY(slot_at)) FROM schedule_slot"),
                     2 + 4 + 5);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM node WHERE node_id = 'old'"), 0);
}
END_TEST

START_TEST(no_age_at_all_spares_only_what_is_needed)
{
    static const struct made made[] = {
        {1, 1, "daily-settlement", "COMPLETED", "1 SECOND"},
        {2, 2, "daily-settlement", "COMPLETED", "1 SECOND"},
        {3, 3, "daily-settlement", "FAILED", "1 SECOND"},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    make_all(harness, made, COUNT_OF(made));
    ck_assert_int_eq(purge(harness, 0).instances, 1);
    ck_assert(has_instance(harness, 2) && has_instance(harness, 3));
}
END_TEST

struct purger {
    struct db *db;
    pthread_t thread;
    struct purge_counts counts;
    enum err err;
};

static void *purge_in_thread(void *argument)
{
    struct purger *purger = argument;
    bool more = false;
    purger->err = purge_batch(purger->db, 90, &purger->counts, &more);
    return NULL;
}

static void begin_purge(struct purger *purger, struct harness *harness)
{
    *purger = (struct purger){.db = harness_connect(harness)};
    ck_assert_int_eq(pthread_create(&purger->thread, NULL, purge_in_thread, purger), 0);
}

static void end_purge(struct purger *purger)
{
    ck_assert_int_eq(pthread_join(purger->thread, NULL), 0);
    ck_assert_msg(purger->err == OK, "%s", db_message(purger->db));
    db_free(purger->db);
}

/* Days were given up when they had no logs; now there are some, and one of them is launched again
 * while the purge looks. */
START_TEST(what_is_launched_again_meanwhile_stays)
{
    static const struct made made[] = {
        {1, 1, "daily-settlement", "ABANDONED", "100 DAY"},
        {2, 2, "daily-settlement", "ABANDONED", "100 DAY"},
        {3, 3, "daily-settlement", "ABANDONED", "100 DAY"},
    };
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(rival_cleanup) struct rival *launcher = rival_new(harness);
    struct purger purger;
    make_all(harness, made, COUNT_OF(made));
    rival_execute(launcher, "BEGIN");
    rival_execute(launcher,
                  "INSERT INTO job_control (job_name) VALUES ('daily-settlement')"
                  " ON DUPLICATE KEY UPDATE job_name = job_name");
    rival_execute(launcher,
                  "INSERT INTO BATCH_JOB_EXECUTION VALUES (9, 0, 2, NOW(6), NOW(6),"
                  " NULL, 'STARTING', '', '', NOW(6))");
    begin_purge(&purger, harness);
    ck_assert(rival_wait_for_lock(harness_owner(harness), db_session_id(purger.db)));
    rival_execute(launcher, "COMMIT");
    end_purge(&purger);
    ck_assert_int_eq(purger.counts.instances, 2);
    ck_assert(!has_instance(harness, 1) && has_instance(harness, 2) && !has_instance(harness, 3));
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION"), 2);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM step_plan"), 1);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM step_partition"), 1);
}
END_TEST

/* An import keeps launches waiting as well, for as long as it loads. */
START_TEST(an_import_does_not_keep_it_waiting)
{
    static const struct made made[] = {{1, 1, "daily-settlement", "ABANDONED", "100 DAY"}};
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(rival_cleanup) struct rival *import = rival_new(harness);
    make_all(harness, made, COUNT_OF(made));
    rival_execute(import, "BEGIN");
    rival_execute(import, "SELECT job_name FROM job_control LOCK IN SHARE MODE");
    ck_assert_int_eq(purge(harness, 90).instances, 1);
}
END_TEST

Suite *test_purge_suite(void)
{
    const TTest *const tests[] = {
        an_old_instance_goes_with_all_that_hangs_on_it,
        what_can_still_be_needed_stays,
        metadata_of_other_programs_is_left_alone,
        a_batch_is_small_and_the_rest_is_announced,
        instances_with_very_many_steps_go_one_by_one,
        requests_slots_and_processes_go_by_their_own_age,
        no_age_at_all_spares_only_what_is_needed,
        what_is_launched_again_meanwhile_stays,
        an_import_does_not_keep_it_waiting,
    };
    Suite *suite = suite_create("purge");
    TCase *cases = tcase_create("purge");
    tcase_set_timeout(cases, 60);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}
