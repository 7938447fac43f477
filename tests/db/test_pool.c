/* The worker pool with the tiny step: every partition once, whatever happens to some of them. */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/db/transaction.h"
#include "daemon/engine/pool.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"
#include "tests/db/tiny_step.h"

enum { KEYS = 400, PARTITIONS = 16, THREADS = 4 };

/* What the hook does, in the chunks of the partition that is in trouble. Called by all workers at
 * once. */
struct trouble {
    struct tiny *tiny;
    struct rival *rival;
    int64_t partition_id;
    int times; /* how often; 0: always */
    _Atomic int calls;
    enum err (*act)(struct trouble *trouble, struct chunk *chunk);
    enum err error;
};

static enum err make_trouble(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    struct trouble *trouble = context;
    if (moment != TINY_AFTER_WRITE || chunk->partition_id != trouble->partition_id) return OK;
    int call = atomic_fetch_add(&trouble->calls, 1) + 1;
    return trouble->times == 0 || call <= trouble->times ? trouble->act(trouble, chunk) : OK;
}

/* Puts a partition in the middle of the list into trouble. */
static void set_trouble(struct tiny *tiny, struct trouble *trouble)
{
    trouble->tiny = tiny;
    trouble->partition_id = tiny->partitions.items[tiny->partitions.count / 2].id;
    tiny->hook = (struct tiny_hook){make_trouble, trouble};
}

static enum err just_fail(struct trouble *trouble, struct chunk *chunk)
{
    (void)chunk;
    return trouble->error;
}

/* Runs all partitions that are loaded through a pool of its own. */
static enum err run_pool(struct tiny *tiny, int threads, struct detail *detail)
{
    struct pool *pool = NULL;
    const struct pool_options options = {harness_options(tiny->harness), threads, &tiny->control,
                                         TINY_NODE};
    const struct pool_task task = {.step = &tiny_step,
                                   .run = &tiny->run,
                                   .limits = &tiny->limits,
                                   .partitions = &tiny->partitions};
    enum err err = pool_new(&options, &pool, detail);
    ck_assert_msg(err == OK, "%s", detail->text);
    err = pool_run(pool, harness_db(tiny->harness), &task, detail);
    ck_assert_int_gt(pool_usage(pool).statements, 0);
    pool_free(pool);
    return err;
}

static int64_t count_status(struct tiny *tiny, const char *status)
{
    char sql[200];
    ck_assert(text_format(sql, sizeof(sql),
                          "SELECT COUNT(*) FROM step_partition WHERE status = '%s'", status));
    return harness_i64(tiny->harness, sql);
}

START_TEST(every_partition_is_done_once)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    struct detail detail = {0};
    ck_assert_int_gt(tiny->partitions.count, THREADS);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), OK);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(control_view(&tiny->control).steps[0].done, KEYS);
    ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(rollback_count) FROM step_partition"),
                     0);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT COUNT(*) FROM step_partition"
                                 " WHERE node_id = '" TINY_NODE "'"),
                     tiny->partitions.count);
}
END_TEST

START_TEST(a_permanent_error_does_not_cancel_the_siblings)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    struct trouble trouble = {.act = just_fail, .error = ERR_OVERFLOW};
    struct detail detail = {0};
    set_trouble(tiny, &trouble);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), ERR_OVERFLOW);
    ck_assert_ptr_nonnull(strstr(detail.text, "tiny"));
    ck_assert_int_eq(atomic_load(&trouble.calls), 1);
    ck_assert_int_eq(count_status(tiny, "FAILED"), 1);
    ck_assert_int_eq(count_status(tiny, "COMPLETED"), tiny->partitions.count - 1);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STATUS = 'FAILED' AND EXIT_CODE = 'FAILED'"
                                 " AND EXIT_MESSAGE <> '' AND END_TIME IS NOT NULL"),
                     1);

    /* A restart does what is left, and nothing else. */
    tiny->hook.act = NULL;
    tiny_restart(tiny);
    ck_assert_int_eq(tiny->partitions.count, 1);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), OK);
    tiny_check_complete(tiny, KEYS);
}
END_TEST

START_TEST(a_partition_is_queued_again_until_its_limit)
{
    bool passes = _i == 1;
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    struct trouble trouble = {.act = just_fail, .error = ERR_LOCK_WAIT, .times = passes ? 6 : 0};
    struct detail detail = {0};
    tiny->limits.transaction_limit = 2;
    tiny->limits.restart_limit = 3;
    set_trouble(tiny, &trouble);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), passes ? OK : ERR_LOCK_WAIT);
    if (passes) {
        tiny_check_complete(tiny, KEYS);
    } else {
        ck_assert_int_eq(atomic_load(&trouble.calls), 8); /* two tries, four times queued */
        ck_assert_int_eq(count_status(tiny, "FAILED"), 1);
        ck_assert_int_eq(count_status(tiny, "COMPLETED"), tiny->partitions.count - 1);
    }
    int64_t rollbacks = passes ? 6 : 8;
    ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(rollback_count) FROM step_partition"),
                     rollbacks);
    ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(lock_wait_count) FROM step_partition"),
                     rollbacks);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT SUM(ROLLBACK_COUNT)"
                                 " FROM BATCH_STEP_EXECUTION"),
                     rollbacks);
}
END_TEST

static enum err kill_session(struct trouble *trouble, struct chunk *chunk)
{
    rival_kill(trouble->rival, db_session_id(chunk->db));
    return OK;
}

START_TEST(a_worker_whose_session_is_killed_goes_on)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct trouble trouble = {.rival = rival, .act = kill_session, .times = 2};
    struct detail detail = {0};
    set_trouble(tiny, &trouble);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), OK);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(rollback_count) FROM step_partition"),
                     2);
}
END_TEST

static enum err take_over(struct trouble *trouble, struct chunk *chunk)
{
    (void)chunk;
    rival_execute(trouble->rival,
                  "UPDATE step_partition SET epoch = epoch + 1, status = 'FAILED'"
                  " WHERE status <> 'COMPLETED'");
    return OK;
}

START_TEST(a_step_that_was_taken_over_stores_nothing_more)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct trouble trouble = {.rival = rival, .act = take_over, .times = 1};
    struct detail detail = {0};
    set_trouble(tiny, &trouble);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), ERR_FENCED);
    /* Whatever was copied belongs to a checkpoint of before. */
    ck_assert_int_eq(tiny_copied(tiny),
                     harness_i64(tiny->harness, "SELECT SUM(write_count) FROM step_partition"));
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT COUNT(*) FROM step_partition"
                                 " WHERE status NOT IN ('COMPLETED', 'FAILED')"),
                     0);
}
END_TEST

/* The second partition fails, and the fourth is taken over. */
static enum err fail_then_take_over(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    struct trouble *trouble = context;
    const struct partition *partitions = trouble->tiny->partitions.items;
    if (moment != TINY_AFTER_WRITE) return OK;
    if (chunk->partition_id == partitions[1].id) return ERR_OVERFLOW;
    return chunk->partition_id == partitions[3].id ? take_over(trouble, chunk) : OK;
}

START_TEST(being_taken_over_outweighs_an_earlier_failure)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct trouble trouble = {.tiny = tiny, .rival = rival};
    struct detail detail = {0};
    tiny->hook = (struct tiny_hook){fail_then_take_over, &trouble};
    ck_assert_int_eq(run_pool(tiny, 1, &detail), ERR_FENCED);
    ck_assert_int_eq(count_status(tiny, "COMPLETED"), 2); /* the first and the third */
}
END_TEST

static enum err stop_draining(struct trouble *trouble, struct chunk *chunk)
{
    (void)chunk;
    control_stop(&trouble->tiny->control, STOP_DRAIN);
    return OK;
}

START_TEST(a_drain_ends_after_the_chunks_that_run)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, PARTITIONS);
    struct trouble trouble = {.act = stop_draining, .times = 1};
    struct detail detail = {0};
    set_trouble(tiny, &trouble);
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), ERR_STOPPED);
    ck_assert_int_lt(tiny_copied(tiny), KEYS);
    ck_assert_int_ge(tiny_copied(tiny), 10); /* the chunk that said so */
    ck_assert_int_eq(tiny_copied(tiny),
                     harness_i64(tiny->harness, "SELECT SUM(write_count) FROM step_partition"));
    ck_assert_int_eq(count_status(tiny, "STARTED"), 0);
    ck_assert_int_ge(count_status(tiny, "STOPPED"), 1);
}
END_TEST

struct aborter {
    struct tiny *tiny;
    struct pool *pool;
    struct db *db;
    _Atomic uint64_t session_id;
    bool waited;
};

static enum err want_hot_row(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    struct aborter *aborter = context;
    if (moment != TINY_AFTER_WRITE) return OK;
    atomic_store(&aborter->session_id, db_session_id(chunk->db));
    return db_execute(chunk->db, "UPDATE test_hot SET n = n + 1 WHERE id = 1");
}

static void *abort_when_it_waits(void *argument)
{
    struct aborter *aborter = argument;
    while (atomic_load(&aborter->session_id) == 0)
        sched_yield();
    aborter->waited = rival_wait_for_lock(aborter->db, atomic_load(&aborter->session_id));
    control_stop(&aborter->tiny->control, STOP_ABORT);
    pool_wake(aborter->pool);
    return NULL;
}

START_TEST(an_abort_cancels_a_statement_that_waits)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    CLEANUP(db_cleanup) struct db *observer = harness_connect_owner(tiny->harness);
    struct aborter aborter = {.tiny = tiny, .db = observer};
    struct db_options db_options = *harness_options(tiny->harness);
    struct detail detail = {0};
    pthread_t thread;
    db_options.lock_wait_s = 60;
    const struct pool_options options = {&db_options, 2, &tiny->control, TINY_NODE};
    const struct pool_task task = {.step = &tiny_step,
                                   .run = &tiny->run,
                                   .limits = &tiny->limits,
                                   .partitions = &tiny->partitions};
    tiny->hook = (struct tiny_hook){want_hot_row, &aborter};
    rival_execute(rival, "START TRANSACTION");
    rival_execute(rival, "UPDATE test_hot SET n = 7 WHERE id = 1");
    ck_assert_int_eq(pool_new(&options, &aborter.pool, &detail), OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, abort_when_it_waits, &aborter), 0);

    int64_t began_us = clock_monotonic_us(&clock_system);
    ck_assert_int_eq(pool_run(aborter.pool, harness_db(tiny->harness), &task, &detail),
                     ERR_STOPPED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(aborter.waited);
    ck_assert_int_lt(clock_monotonic_us(&clock_system) - began_us, 30000000);
    pool_free(aborter.pool);
    ck_assert_int_eq(tiny_copied(tiny), 0);
    ck_assert_int_eq(tiny_column(tiny, 0, "checkpoint_key IS NULL"), 1);
    ck_assert_int_eq(count_status(tiny, "STOPPED"), 1);
}
END_TEST

START_TEST(a_step_without_partitions_is_done)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(1, 1);
    struct detail detail = {0};
    tiny->partitions.count = 0;
    ck_assert_int_eq(run_pool(tiny, THREADS, &detail), OK);
}
END_TEST

START_TEST(a_pool_that_cannot_connect_says_why)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    struct control control;
    struct pool *pool = NULL;
    struct detail detail = {0};
    struct db_options db_options = *harness_options(harness);
    ck_assert(text_format(db_options.database.socket, sizeof(db_options.database.socket),
                          "/nowhere/mariadb.sock"));
    control_init(&control);
    const struct pool_options options = {&db_options, 2, &control, TINY_NODE};
    ck_assert_int_eq(pool_new(&options, &pool, &detail), ERR_UNREACHABLE);
    ck_assert_ptr_null(pool);
    ck_assert_ptr_nonnull(strstr(detail.text, "/nowhere/mariadb.sock"));
    pool_free(NULL);
    control_done(&control);
}
END_TEST

Suite *test_pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *cases = tcase_create("pool");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_partition_is_done_once);
    tcase_add_test(cases, a_permanent_error_does_not_cancel_the_siblings);
    tcase_add_loop_test(cases, a_partition_is_queued_again_until_its_limit, 0, 2);
    tcase_add_test(cases, a_worker_whose_session_is_killed_goes_on);
    tcase_add_test(cases, a_step_that_was_taken_over_stores_nothing_more);
    tcase_add_test(cases, being_taken_over_outweighs_an_earlier_failure);
    tcase_add_test(cases, a_drain_ends_after_the_chunks_that_run);
    tcase_add_test(cases, an_abort_cancels_a_statement_that_waits);
    tcase_add_test(cases, a_step_without_partitions_is_done);
    tcase_add_test(cases, a_pool_that_cannot_connect_says_why);
    suite_add_tcase(suite, cases);
    return suite;
}
