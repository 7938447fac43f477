/* Memory that is not to be had, at every place of what works on a database: connections,
 * statements, plans, schedules, a pool of workers. */
#include "tests/db/suites.h"
#include "tests/unit/exhaust.h"

#ifdef SETTLEMENTD_TEST_SEAMS

#include <string.h>

#include "common/db/statement.h"
#include "common/db/transaction.h"
#include "common/job_status.h"
#include "common/purge.h"
#include "common/rates.h"
#include "common/request.h"
#include "common/schema.h"
#include "daemon/engine/pool.h"
#include "tests/db/slot_stage.h"
#include "tests/db/tiny_step.h"

static const char LONG_SQL[] = "SELECT 12345, REPEAT('x', 5000), 'short', 9.99, NULL";

static enum err connect_again(void *context)
{
    const struct harness *harness = context;
    CLEANUP(db_cleanup) struct db *db = NULL;
    struct detail detail = {""};
    TRY(db_open(harness_options(harness), &db, &detail));
    TRY(db_execute(db, "DO 1"));
    return db_reconnect(db);
}

/* Results of all kinds, a text that needs a longer buffer, and a number that is read as one. */
static enum err read_result(void *context)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(harness_db(context), &query, LONG_SQL, ""));
    TRY(statement_fetch(query, &row));
    bool right = row && strcmp(statement_text(query, 0), "12345") == 0 &&
                 strlen(statement_text(query, 1)) == 5000 &&
                 strcmp(statement_text(query, 2), "short") == 0 &&
                 strcmp(statement_text(query, 3), "9.99") == 0 && statement_is_null(query, 4);
    return right ? OK : ERR_CHECK_FAILED;
}

static enum err write_columns(void *context)
{
    static const int64_t ids[] = {1, 2, 3}, same = 7;
    static const char *const texts[] = {"a", NULL, "c"};
    const struct column columns[] = {{.i64 = ids},
                                     {.text = texts},
                                     {.same_i64 = &same},
                                     {.same_date = "2026-07-01"}};
    struct db *db = harness_db(context);
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    CLEANUP(db_guard_end) struct db_guard guard = {db};
    TRY(statement_new(db, "INSERT INTO filled VALUES (?, ?, ?, ?)", &insert));
    TRY(db_begin(db));
    TRY(statement_execute_columns(insert, columns, COUNT_OF(columns), COUNT_OF(ids)));
    return statement_affected(insert) == COUNT_OF(ids) ? OK : ERR_CHECK_FAILED;
}

static enum err check_schema(void *context)
{
    char directory[1024];
    struct detail detail = {""};
    TRY(schema_directory(directory, sizeof(directory), &detail));
    return schema_check(harness_db(context), directory, &detail);
}

static enum err load_rates(void *context)
{
    struct tier_table table;
    struct detail detail = {""};
    TRY(rates_load(harness_db(context), RATE_CONTENT, "2026-07-01", &table, &detail));
    return table.count > 0 ? OK : ERR_CHECK_FAILED;
}

static enum err ask_for_something(void *context)
{
    const struct request_order order = {.command = REQUEST_RUN,
                                        .job_name = "daily-settlement",
                                        .date_from = "2026-07-01",
                                        .date_to = "2026-07-01",
                                        .requested_by = "a test",
                                        .reason = "none"};
    struct db *db = harness_db(context);
    static struct request requests[4];
    struct request_daemon daemon;
    int count = 0;
    int64_t id = 0;
    bool withdrawn = false;
    TRY(request_write(db, &order, &id));
    TRY(request_read(db, id, &requests[0]));
    TRY(request_list_open(db, requests, COUNT_OF(requests), &count));
    TRY(request_find_daemon(db, &daemon));
    TRY(request_withdraw(db, id, "a test", &withdrawn));
    return withdrawn ? OK : ERR_CHECK_FAILED;
}

static enum err purge(void *context)
{
    struct purge_counts counts = {0};
    bool more = false;
    TRY(purge_count(harness_db(context), 30, &counts));
    return purge_batch(harness_db(context), 30, &counts, &more);
}

static const struct exhaust_scenario scenarios[] = {
    {"connect", connect_again, 1, false},
    {"read a result", read_result, 6, false},
    {"write by columns", write_columns, 10, false},
    {"check the schema", check_schema, 5, false},
    {"load rates", load_rates, 4, false},
    {"ask for something", ask_for_something, 20, false},
    {"purge", purge, 10, false},
};

START_TEST(memory_that_is_not_to_be_had_is_said_and_the_connection_stays)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    harness_execute(harness, "CREATE TABLE filled (id INT, word TEXT, same INT, day DATE)");
    harness_share(harness, "filled");
    (void)exhaust(&scenarios[_i], harness);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM filled"), 0);
    ck_assert(!db_in_transaction(harness_db(harness)));
}
END_TEST

static enum err look_at_jobs(void *context)
{
    struct tiny *tiny = context;
    struct db *db = harness_db(tiny->harness);
    CLEANUP(job_detail_done) struct job_detail detail = {0};
    static struct job_execution executions[4];
    static struct job_node nodes[4];
    struct job_progress progress;
    int count = 0;
    TRY(job_status_list(db, NULL, executions, COUNT_OF(executions), &count));
    TRY(job_status_running(db, executions, COUNT_OF(executions), &count));
    TRY(job_status_nodes(db, nodes, COUNT_OF(nodes), &count));
    TRY(job_status_progress(db, tiny->run.job_instance_id, &progress));
    TRY(job_status_detail(db, tiny->run.job_execution_id, &detail));
    return detail.partition_count == tiny->partitions.count ? OK : ERR_CHECK_FAILED;
}

static enum err make_plan(void *context)
{
    struct tiny *tiny = context;
    struct db *db = harness_db(tiny->harness);
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    CLEANUP(partition_list_free) struct partition_list list = {0};
    CLEANUP(db_guard_end) struct db_guard guard = {db};
    TRY(db_begin(db));
    TRY(partition_plan_make(db, &tiny_step.source, TINY_DATE, &tiny->limits, &plan));
    TRY(partition_plan_store(db, tiny->run.job_instance_id, "another", &plan));
    TRY(partition_load(db, tiny->run.job_instance_id, "another", &list));
    return list.count == plan.count && plan.count > 1 ? OK : ERR_CHECK_FAILED;
}

START_TEST(plans_and_lists_are_whole_or_not_there)
{
    static const struct exhaust_scenario looks[] = {{"look at jobs", look_at_jobs, 20, false},
                                                    {"make a plan", make_plan, 20, false}};
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(100, 4);
    (void)exhaust(&looks[_i], tiny);
}
END_TEST

enum { KEYS = 60, PARTITIONS = 3 };

static enum err run_pool(void *context)
{
    struct tiny *tiny = context;
    struct detail detail = {""};
    struct pool *pool = NULL;
    const struct pool_options options = {harness_options(tiny->harness), 2, &tiny->control,
                                         TINY_NODE};
    const struct pool_task task = {.step = &tiny_step,
                                   .run = &tiny->run,
                                   .limits = &tiny->limits,
                                   .partitions = &tiny->partitions};
    TRY(pool_new(&options, &pool, &detail));
    enum err err = pool_run(pool, harness_db(tiny->harness), &task, &detail);
    pool_free(pool);
    TRY(err);
    int64_t left = 0;
    TRY(db_query_i64(harness_db(tiny->harness), &left, 0,
                     "SELECT COUNT(*) FROM step_partition WHERE status <> 'COMPLETED'", ""));
    return left == 0 ? OK : ERR_CHECK_FAILED;
}

/* The step from its start, with nothing copied yet. */
static void rewind_step(struct tiny *tiny)
{
    harness_execute(tiny->harness, "DELETE FROM test_copy");
    ck_assert_int_eq(partition_plan_reset(harness_db(tiny->harness), tiny->run.job_instance_id,
                                          tiny_step.name),
                     OK);
    control_done(&tiny->control); /* its list of steps is one execution's */
    control_init(&tiny->control);
    tiny_restart(tiny);
}

/* A pool that is short of memory once, or from then on, fails or copes; then the step is brought to
 * its end, and nothing is there twice. */
START_TEST(a_pool_that_is_short_of_memory_leaves_what_a_restart_completes)
{
    static const struct exhaust_scenario pool = {"run a pool", run_pool, 20, true};
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    for (uint64_t number = 1;; number++) {
        uint64_t asked = exhaust_once(&pool, tiny, number, _i == 1);
        if (harness_i64(tiny->harness,
                        "SELECT COUNT(*) FROM step_partition WHERE status <> 'COMPLETED'") > 0) {
            tiny_restart(tiny);
            ck_assert_int_eq(run_pool(tiny), OK);
        }
        ck_assert_int_eq(tiny_copied(tiny), KEYS);
        ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(read_count) FROM step_partition"),
                         KEYS);
        if (asked < number) break;
        rewind_step(tiny);
    }
}
END_TEST

/* Two days of a schedule: the second under a time that somebody else has set. */
static enum err tick_twice(void *context)
{
    struct slot_stage *stage = context;
    const struct slots_job job = stage_job("10 0 * * *", "Asia/Seoul", MISFIRE_ONCE);
    CLEANUP(slots_cleanup) struct slots *slots = NULL;
    struct detail detail = {""};
    bool more = true;
    TRY(slots_new(TINY_NODE, &slots));
    TRY(slots_configure(slots, job.zone, &job, 1, &detail));
    for (int i = 0; i < 20 && more; i++)
        TRY(slots_tick(slots, stage->db, stage->now_us, &more, &detail));
    TRY(db_execute(stage->db, "UPDATE job_schedule SET cron = '20 0 * * *'"));
    slots_forget(slots);
    more = true;
    for (int i = 0; i < 20 && more; i++)
        TRY(slots_tick(slots, stage->db, stage->now_us + STAGE_DAY_US, &more, &detail));
    return OK;
}

START_TEST(schedules_that_are_short_of_memory_lose_no_slot)
{
    static const struct exhaust_scenario ticking = {"tick", tick_twice, 10, true};
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 00:00:00");
    for (uint64_t number = 1;; number++) {
        harness_execute(stage->harness, "DELETE FROM schedule_slot");
        harness_execute(stage->harness, "DELETE FROM job_schedule");
        uint64_t asked = exhaust_once(&ticking, stage, number, _i == 1);
        ck_assert_int_eq(tick_twice(stage), OK);
        ck_assert_msg(strcmp(stage_slots_text(stage), "2026-07-03 15:20 OPEN") == 0,
                      "malloc:%d: %s", (int)number, stage_slots_text(stage));
        if (asked < number) break;
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, memory_that_is_not_to_be_had_is_said_and_the_connection_stays, 0,
                        COUNT_OF(scenarios));
    tcase_add_loop_test(tcase, plans_and_lists_are_whole_or_not_there, 0, 2);
    tcase_add_loop_test(tcase, a_pool_that_is_short_of_memory_leaves_what_a_restart_completes, 0,
                        2);
    tcase_add_loop_test(tcase, schedules_that_are_short_of_memory_lose_no_slot, 0, 2);
}

#else

static void add_tests(TCase *tcase)
{
    (void)tcase;
}

#endif

Suite *test_memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    return suite;
}
