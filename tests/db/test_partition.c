/* Plans over made-up days: what must hold for each of them, and that a stored plan is never made
 * again. */
#include <string.h>

#include "common/db/transaction.h"
#include "daemon/engine/partition.h"
#include "daemon/engine/repository.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"
#include "tests/db/tiny_step.h"
#include "tests/unit/random.h"

enum { RANDOM_DAYS = 25 };

static const char DATE[] = "2026-07-01";
static const char LOG_TABLE_SQL[] =
    "CREATE TABLE test_log (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, day DATE NOT NULL,"
    " k BIGINT NOT NULL, KEY (day, k)) ENGINE=InnoDB";

static const struct key_source source = {
    "SELECT MIN(k), MAX(k) FROM test_log WHERE day = ?",
    "EXPLAIN SELECT k FROM test_log WHERE day = ? AND k > ? AND k <= ?",
    "SELECT MAX(k) FROM test_log WHERE day = ? AND k <= ?",
    "SELECT MIN(k) FROM test_log WHERE day = ? AND k > ?",
    REACH_KEYS,
    0,
};

static struct run_limits limits_of(int threads, int chunk_size, int64_t partition_items,
                                   int max_partitions)
{
    return (struct run_limits){.threads = threads,
                               .chunk_size = chunk_size,
                               .partition_items = partition_items,
                               .max_partitions = max_partitions};
}

static struct harness *log_harness(void)
{
    struct harness *harness = harness_new_empty();
    harness_execute(harness, LOG_TABLE_SQL);
    return harness;
}

static void add_logs(struct harness *harness, int64_t key, int64_t count)
{
    enum err err = db_run(harness_db(harness), NULL,
                          "INSERT INTO test_log (day, k) SELECT '2026-07-01', ? FROM seq_1_to_20000"
                          " WHERE seq <= ?",
                          "ii", key, count);
    ck_assert_msg(err == OK, "%s", db_message(harness_db(harness)));
}

static void make(struct harness *harness, const struct key_source *from,
                 const struct run_limits *limits, struct partition_plan *ret_plan)
{
    enum err err = partition_plan_make(harness_db(harness), from, DATE, limits, ret_plan);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), db_message(harness_db(harness)));
}

static int64_t count_between(struct harness *harness, const struct key_range *range)
{
    int64_t count = 0;
    ck_assert_int_eq(
        db_query_i64(harness_db(harness), &count, 0,
                     "SELECT COUNT(*) FROM test_log WHERE day = ? AND k > ? AND k <= ?", "sii",
                     DATE, range->lower, range->upper),
        OK);
    return count;
}

/* Disjoint, ascending, without gaps, none empty, all keys in it, no more ranges than allowed, no
 * two that could be one. */
static void check_plan(struct harness *harness, const struct partition_plan *plan,
                       const struct run_limits *limits)
{
    int64_t logs = 0, estimated = 0;
    int64_t target = partition_plan_target(plan->estimated_items, limits);
    ck_assert_int_le(plan->count, limits->max_partitions);
    for (int i = 0; i < plan->count; i++) {
        const struct key_range *range = &plan->ranges[i];
        ck_assert_int_lt(range->lower, range->upper);
        if (i > 0) {
            ck_assert_int_eq(range->lower, plan->ranges[i - 1].upper);
            ck_assert_int_gt(plan->ranges[i - 1].estimated_items + range->estimated_items, target);
        }
        int64_t count = count_between(harness, range);
        ck_assert_int_gt(count, 0);
        logs += count;
        estimated += range->estimated_items;
    }
    ck_assert_int_eq(logs, harness_i64(harness,
                                       "SELECT COUNT(*) FROM test_log"
                                       " WHERE day = '2026-07-01'"));
    ck_assert_int_eq(estimated, plan->estimated_items);
}

struct target_case {
    int64_t total;
    int threads, chunk_size;
    int64_t partition_items, target;
};

static const struct target_case target_cases[] = {
    {10000000, 2, 1000, 200000, 200000}, /* a large day: the limit */
    {800000, 2, 1000, 200000, 100000},   /* a smaller one: four for each worker */
    {8000, 2, 1000, 200000, 1000},       /* but not less than a chunk */
    {10, 2, 1000, 200000, 1000},
    {0, 2, 1000, 200000, 1000},
    {10000000, 2, 1000, 10, 10}, /* unless the configuration asks for less */
    {100, 1, 1, 1, 1},
    {INT64_MAX, 256, 1000, 200000, 200000},
};

START_TEST(the_target_follows_volume_workers_and_limits)
{
    const struct target_case *wanted = &target_cases[_i];
    const struct run_limits limits =
        limits_of(wanted->threads, wanted->chunk_size, wanted->partition_items, 256);
    ck_assert_int_eq(partition_plan_target(wanted->total, &limits), wanted->target);
}
END_TEST

/* Dense, sparse, and huge ids, a hot key here and there, days before and after that must not
 * count. */
static void random_day(struct harness *harness, struct random *random)
{
    int64_t spans[] = {50, 5000, INT64_C(1) << 40, INT64_MAX - 10};
    int64_t span = spans[random_between(random, 0, 3)];
    int64_t keys = random_between(random, 1, 40);
    harness_execute(harness, "TRUNCATE TABLE test_log");
    for (int64_t i = 0; i < keys; i++) {
        int64_t key = random_between(random, 1, span);
        if (random_between(random, 0, 9) == 0) key = INT64_MAX - random_between(random, 0, 3);
        bool hot = random_between(random, 0, 15) == 0;
        add_logs(harness, key, hot ? 3000 : random_between(random, 1, 60));
    }
    harness_execute(harness,
                    "INSERT INTO test_log (day, k) SELECT '2026-06-30', seq * 1000"
                    " FROM seq_1_to_50");
    harness_execute(harness, "INSERT INTO test_log (day, k) VALUES ('2026-07-02', -5)");
    harness_execute(harness, "ANALYZE TABLE test_log");
}

START_TEST(every_plan_covers_every_key_once)
{
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    struct random random = {20260701};
    for (int day = 0; day < RANDOM_DAYS; day++) {
        random_day(harness, &random);
        const struct run_limits limits =
            limits_of((int)random_between(&random, 1, 8), (int)random_between(&random, 1, 50),
                      random_between(&random, 1, 500), (int)random_between(&random, 1, 40));
        CLEANUP(partition_plan_free) struct partition_plan plan = {0};
        make(harness, &source, &limits, &plan);
        check_plan(harness, &plan, &limits);
    }
}
END_TEST

START_TEST(the_number_follows_the_volume)
{
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    struct run_limits limits = limits_of(2, 10, 500, 256);
    harness_execute(harness,
                    "INSERT INTO test_log (day, k) SELECT '2026-07-01', seq DIV 10"
                    " FROM seq_1_to_20000");
    harness_execute(harness, "ANALYZE TABLE test_log");
    CLEANUP(partition_plan_free) struct partition_plan fine = {0};
    CLEANUP(partition_plan_free) struct partition_plan coarse = {0};
    CLEANUP(partition_plan_free) struct partition_plan capped = {0};
    make(harness, &source, &limits, &fine);
    check_plan(harness, &fine, &limits);
    /* Halving 20000 until no more than 500 are estimated; estimates may be wrong by a factor of
     * two. */
    ck_assert_int_ge(fine.count, 20);
    ck_assert_int_le(fine.count, 160);
    limits.partition_items = 10000;
    make(harness, &source, &limits, &coarse);
    ck_assert_int_ge(coarse.count, 8); /* four for each worker */
    ck_assert_int_lt(coarse.count, fine.count);
    limits.partition_items = 1;
    limits.max_partitions = 5;
    make(harness, &source, &limits, &capped);
    check_plan(harness, &capped, &limits);
    ck_assert_int_eq(capped.count, 5);
}
END_TEST

START_TEST(a_hot_key_is_a_partition_of_its_own_and_does_not_starve_the_others)
{
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    const struct run_limits limits = limits_of(2, 10, 200, 64);
    add_logs(harness, 500, 20000);
    harness_execute(harness,
                    "INSERT INTO test_log (day, k) SELECT '2026-07-01', seq"
                    " FROM seq_1_to_1000");
    harness_execute(harness, "ANALYZE TABLE test_log");
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    make(harness, &source, &limits, &plan);
    check_plan(harness, &plan, &limits);
    int others = 0;
    for (int i = 0; i < plan.count; i++) {
        bool hot = plan.ranges[i].lower < 500 && plan.ranges[i].upper >= 500;
        if (hot)
            ck_assert_int_le(count_between(harness, &plan.ranges[i]), 20000 + 250);
        else
            others++;
    }
    ck_assert_int_ge(others, 2);
}
END_TEST

struct edge_case {
    int64_t keys[4];
    int key_count;
    int ranges; /* with a target of one log */
};

static const struct edge_case edge_cases[] = {
    {{7}, 1, 1},
    {{INT64_MAX}, 1, 1},
    {{INT64_MAX - 1, INT64_MAX}, 2, 2},
    {{1, INT64_MAX}, 2, 2},
    {{1, 2, INT64_MAX - 1, INT64_MAX}, 4, 4},
    {{INT64_MIN + 1, -1, 0, INT64_MAX}, 4, 4},
    {{-5, -4}, 2, 2},
};

START_TEST(ids_at_the_edges_of_their_type)
{
    const struct edge_case *edge = &edge_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    const struct run_limits limits = limits_of(1, 1, 1, 16);
    for (int i = 0; i < edge->key_count; i++)
        add_logs(harness, edge->keys[i], 3);
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    make(harness, &source, &limits, &plan);
    check_plan(harness, &plan, &limits);
    ck_assert_int_eq(plan.count, edge->ranges);
    ck_assert_int_eq(plan.ranges[0].lower, edge->keys[0] - 1);
    ck_assert_int_eq(plan.ranges[plan.count - 1].upper, edge->keys[edge->key_count - 1]);
}
END_TEST

START_TEST(an_id_that_has_none_below_is_an_error)
{
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    const struct run_limits limits = limits_of(1, 1, 1, 16);
    struct partition_plan plan = {.count = 4711};
    add_logs(harness, INT64_MIN, 1);
    ck_assert_int_eq(partition_plan_make(harness_db(harness), &source, DATE, &limits, &plan),
                     ERR_OVERFLOW);
    ck_assert_int_eq(plan.count, 4711);
}
END_TEST

struct reach_case {
    enum key_reach reach;
    bool keys;
    int ranges;
    int64_t lower, upper;
};

static const struct reach_case reach_cases[] = {
    {REACH_KEYS, true, 3, 9, 30},
    {REACH_BEYOND, true, 3, INT64_MIN, INT64_MAX},
    {REACH_BEYOND_ALWAYS, true, 3, INT64_MIN, INT64_MAX},
    {REACH_KEYS, false, 0, 0, 0},
    {REACH_BEYOND, false, 0, 0, 0},
    {REACH_BEYOND_ALWAYS, false, 1, INT64_MIN, INT64_MAX},
};

START_TEST(ranges_reach_as_far_as_the_step_says)
{
    const struct reach_case *wanted = &reach_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = log_harness();
    const struct run_limits limits = limits_of(1, 1, 1, 16);
    struct key_source reaching = source;
    reaching.reach = wanted->reach;
    for (int64_t key = 10; wanted->keys && key <= 30; key += 10)
        add_logs(harness, key, 5);
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    make(harness, &reaching, &limits, &plan);
    ck_assert_int_eq(plan.count, wanted->ranges);
    if (plan.count == 0) return;
    ck_assert_int_eq(plan.ranges[0].lower, wanted->lower);
    ck_assert_int_eq(plan.ranges[plan.count - 1].upper, wanted->upper);
    for (int i = 1; i < plan.count; i++)
        ck_assert_int_eq(plan.ranges[i].lower, plan.ranges[i - 1].upper);
}
END_TEST

START_TEST(a_stored_plan_is_adopted_whatever_has_changed)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(200, 8);
    static const char PLAN_SQL[] =
        "SELECT CAST(SUM(CRC32(CONCAT_WS(',', partition_id, partition_number, lower_key, upper_key,"
        " estimated_items))) AS INTEGER) FROM step_partition";
    struct chunk_worker worker;
    bool exists = false;
    int64_t before = harness_i64(tiny->harness, PLAN_SQL);
    int count = tiny->partitions.count;
    ck_assert_int_eq(count, 8);
    ck_assert_int_eq(partition_plan_exists(tiny->db, tiny->run.job_instance_id, "tiny", &exists),
                     OK);
    ck_assert(exists);
    ck_assert_int_eq(partition_plan_exists(tiny->db, tiny->run.job_instance_id, "other", &exists),
                     OK);
    ck_assert(!exists);
    tiny_claim(tiny, 3, &worker);
    int64_t done = worker.partition->number;
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);

    harness_execute(tiny->harness,
                    "INSERT INTO test_item (day, k) SELECT '2026-07-01', seq"
                    " FROM seq_1000_to_9000");
    tiny->limits.max_partitions = 2;
    tiny_restart(tiny);
    ck_assert_int_eq(harness_i64(tiny->harness, PLAN_SQL), before);
    ck_assert_int_eq(tiny->partitions.count, count - 1);
    ck_assert_int_gt(tiny->partitions.done_items, 0);
    for (int i = 0; i < tiny->partitions.count; i++)
        ck_assert_int_ne(tiny->partitions.items[i].number, done);
    /* A second plan for the step is refused by its key. */
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    make(tiny->harness, &tiny_step.source, &tiny->limits, &plan);
    ck_assert_int_eq(partition_plan_store(tiny->db, tiny->run.job_instance_id, "tiny", &plan),
                     ERR_DUPLICATE);
}
END_TEST

START_TEST(a_restart_goes_on_at_the_checkpoint)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(35, 1);
    struct chunk_worker worker;
    bool finished = false;
    int64_t read = 0;
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(chunk_run(&worker, &finished, &read), OK);
    int64_t epoch = worker.partition->epoch;
    chunk_worker_done(&worker);
    tiny_restart(tiny);
    ck_assert_int_eq(tiny->partitions.items[0].checkpoint, 10);
    ck_assert_int_eq(tiny->partitions.items[0].chunk_count, 1);
    ck_assert_int_eq(tiny->partitions.items[0].epoch, epoch + 1);
    ck_assert_int_eq(tiny->partitions.done_items, 10);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, 35);
}
END_TEST

START_TEST(a_step_that_is_repeated_forgets_how_far_it_was)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(35, 1);
    struct chunk_worker worker;
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    int64_t epoch = tiny_column(tiny, 0, "epoch");
    ck_assert_int_eq(partition_plan_reset(tiny->db, tiny->run.job_instance_id, "tiny"), OK);
    ck_assert_int_eq(tiny_column(tiny, 0,
                                 "status = 'PENDING' AND checkpoint_key IS NULL"
                                 " AND read_count + write_count + skip_count = 0"
                                 " AND node_id IS NULL"),
                     1);
    ck_assert_int_gt(tiny_column(tiny, 0, "epoch"), epoch);
}
END_TEST

Suite *test_partition_suite(void)
{
    Suite *suite = suite_create("partition");
    TCase *cases = tcase_create("partition");
    tcase_set_timeout(cases, 180);
    tcase_add_loop_test(cases, the_target_follows_volume_workers_and_limits, 0,
                        (int)COUNT_OF(target_cases));
    tcase_add_test(cases, every_plan_covers_every_key_once);
    tcase_add_test(cases, the_number_follows_the_volume);
    tcase_add_test(cases, a_hot_key_is_a_partition_of_its_own_and_does_not_starve_the_others);
    tcase_add_loop_test(cases, ids_at_the_edges_of_their_type, 0, (int)COUNT_OF(edge_cases));
    tcase_add_test(cases, an_id_that_has_none_below_is_an_error);
    tcase_add_loop_test(cases, ranges_reach_as_far_as_the_step_says, 0, (int)COUNT_OF(reach_cases));
    tcase_add_test(cases, a_stored_plan_is_adopted_whatever_has_changed);
    tcase_add_test(cases, a_restart_goes_on_at_the_checkpoint);
    tcase_add_test(cases, a_step_that_is_repeated_forgets_how_far_it_was);
    suite_add_tcase(suite, cases);
    return suite;
}
