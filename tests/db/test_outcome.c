/* Outcomes that cannot be read at the first try: the claim or the read-back meets a lock, or loses
 * its connection as well. */
#include <stdlib.h>
#include <time.h>

#include "common/db/transaction.h"
#include "daemon/engine/pool.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"
#include "tests/db/tiny_step.h"

enum { KEYS = 35 };

/* Holds the partition's row until somebody has waited for it; then lets the wait time out, or kills
 * the one that waits. */
struct holder {
    struct tiny *tiny;
    struct db *db, *observer;
    bool kill, seen;
    pthread_t thread;
};

static const char WAITER_SQL[] =
    "SELECT COALESCE(MAX(t.trx_mysql_thread_id), 0) FROM information_schema.INNODB_TRX t"
    " JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
    " WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()";

static const char TRANSACTION_SQL[] =
    "SELECT COALESCE(MAX(t.trx_id), 0) FROM information_schema.INNODB_TRX t"
    " JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
    " WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()";

/* Waits until the query gives something else than `not_this`; -1 when it never does. */
static int64_t wait_for_change(struct holder *holder, const char *sql, int64_t not_this)
{
    const struct timespec pause = {.tv_nsec = 120000000};
    for (int i = 0; i < 100; i++) {
        int64_t value = 0;
        if (db_query_i64(holder->observer, &value, 0, sql, "") != OK) return -1;
        if (value != not_this) return value;
        (void)nanosleep(&pause, NULL);
    }
    return -1;
}

/* The next try waits in another transaction: so the first wait is seen to be over also when the
 * next has begun. */
static void *hold(void *argument)
{
    struct holder *holder = argument;
    int64_t id = wait_for_change(holder, WAITER_SQL, 0);
    int64_t transaction = wait_for_change(holder, TRANSACTION_SQL, 0);
    holder->seen = id > 0 && transaction > 0;
    if (holder->kill && db_end_session(holder->observer, (uint64_t)id) != OK) return NULL;
    if (wait_for_change(holder, TRANSACTION_SQL, transaction) < 0) return NULL;
    (void)db_rollback(holder->db);
    return NULL;
}

static void take_partition(struct db *db)
{
    ck_assert_int_eq(db_begin(db), OK);
    ck_assert_int_eq(db_execute(db, "UPDATE step_partition SET updated_at = NOW(6)"), OK);
}

static void hold_partition(struct holder *holder, struct tiny *tiny, bool kill)
{
    *holder = (struct holder){.tiny = tiny, .kill = kill};
    holder->db = harness_connect(tiny->harness);
    holder->observer = harness_connect_owner(tiny->harness);
    take_partition(holder->db);
    ck_assert_int_eq(pthread_create(&holder->thread, NULL, hold, holder), 0);
}

static void holder_done(struct holder *holder)
{
    ck_assert_int_eq(pthread_join(holder->thread, NULL), 0);
    db_free(holder->db);
    db_free(holder->observer);
}

/* A pool that is told what others do, and a row that somebody holds until the third look. */
struct watched {
    struct tiny *tiny;
    struct pool *pool;
    struct db *holder; /* NULL: nobody does */
    int looks;
};

static enum err tell_of_others(void *context)
{
    struct watched *watched = context;
    if (++watched->looks == 3 && watched->holder != NULL) TRY(db_rollback(watched->holder));
    CLEANUP(spread_news_free) struct spread_news news = {0};
    struct tiny *tiny = watched->tiny;
    struct spread spread = {.run = &tiny->run, .step_name = tiny_step.name, .node_id = TINY_NODE};
    return pool_look(watched->pool, harness_db(tiny->harness), &spread, &news);
}

/* The pool's end of the step, with `watched` looking what others do. */
static void run_watched(struct watched *watched)
{
    struct tiny *tiny = watched->tiny;
    struct detail detail = {0};
    struct db_options db_options = *harness_options(tiny->harness);
    const struct pool_options options = {&db_options, 1, &tiny->control, TINY_NODE};
    const struct pool_task task = {.step = &tiny_step,
                                   .run = &tiny->run,
                                   .limits = &tiny->limits,
                                   .partitions = &tiny->partitions,
                                   .watch = tell_of_others,
                                   .watch_context = watched};
    ck_assert_int_eq(pool_new(&options, &watched->pool, &detail), OK);
    enum err err = pool_run(watched->pool, harness_db(tiny->harness), &task, &detail);
    pool_free(watched->pool);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
    tiny_check_complete(tiny, KEYS);
}

/* Somebody who holds the row may be about to take the partition: that it was not taken is seen at
 * the next look. */
START_TEST(a_claim_does_not_wait_for_a_locked_row_and_is_tried_again)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(db_cleanup) struct db *holder = harness_connect(tiny->harness);
    struct watched watched = {.tiny = tiny, .holder = holder};
    take_partition(holder);
    run_watched(&watched);
    ck_assert_int_ge(watched.looks, 3);
}
END_TEST

/* A replica that lagged has become the server, and whoever had the partition is gone: its epoch is
 * lower than it was, and it is free. */
START_TEST(a_partition_whose_claim_the_server_has_lost_is_taken)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct watched watched = {.tiny = tiny};
    tiny->partitions.items[0].hand = HAND_ELSEWHERE;
    tiny->partitions.items[0].epoch += 2;
    run_watched(&watched);
    ck_assert_int_ge(watched.looks, 1);
}
END_TEST

struct plan {
    struct tiny *tiny;
    struct rival *rival;
    struct holder *holder;
    bool kill;
    int calls;
    struct db *keeper; /* instead of the holder: keeps the row until the test lets go of it */
};

static enum err commit_and_kill(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    static const char CHECKPOINT_SQL[] =
        "UPDATE step_partition p JOIN BATCH_STEP_EXECUTION s"
        " ON s.STEP_EXECUTION_ID = p.step_execution_id"
        " SET p.checkpoint_key = ?, p.chunk_count = p.chunk_count + 1,"
        " p.read_count = p.read_count + 10, p.write_count = p.write_count + 10,"
        " s.COMMIT_COUNT = s.COMMIT_COUNT + 1, s.READ_COUNT = s.READ_COUNT + 10,"
        " s.WRITE_COUNT = s.WRITE_COUNT + 10 WHERE p.partition_id = ?";
    struct plan *plan = context;
    if (moment != TINY_AFTER_WRITE || ++plan->calls != 2) return OK;
    TRY(db_run(chunk->db, NULL, CHECKPOINT_SQL, "ii", chunk->after_key + 10, chunk->partition_id));
    TRY(db_execute(chunk->db, "COMMIT"));
    rival_kill(plan->rival, db_session_id(chunk->db));
    if (plan->keeper == NULL)
        hold_partition(plan->holder, plan->tiny, plan->kill);
    else
        take_partition(plan->keeper);
    return OK;
}

/* 0: the read-back waits too long for the row; 1: its session is killed as well. The chunk was
 * committed both times. */
START_TEST(a_read_back_that_fails_is_tried_again_before_the_chunk_is)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct holder holder;
    struct plan plan = {tiny, rival, &holder, _i == 1, 0, NULL};
    struct chunk_worker worker;
    tiny->hook = (struct tiny_hook){commit_and_kill, &plan};
    tiny_claim(tiny, 0, &worker);
    enum err err = OK;
    bool finished = false;
    int64_t checkpoint = worker.partition->checkpoint, read = 0;
    while (err == OK && !finished) {
        err = chunk_run(&worker, &finished, &read);
        /* What is in memory is what is stored: the next chunk begins there. */
        ck_assert_int_ge(worker.partition->checkpoint, checkpoint);
        checkpoint = worker.partition->checkpoint;
        if (err == OK) ck_assert_int_eq(checkpoint, tiny_column(tiny, 0, "checkpoint_key"));
    }
    holder_done(&holder);
    ck_assert(holder.seen);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), worker.detail.text);
    chunk_worker_done(&worker);
    ck_assert_int_eq(plan.calls, 4);
    tiny_check_complete(tiny, KEYS);
}
END_TEST

/* What was committed is not in memory then: only who reads the row goes on at the right key. */
START_TEST(an_outcome_that_stays_unknown_is_not_guessed)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    CLEANUP(db_cleanup) struct db *keeper = harness_connect(tiny->harness);
    struct plan plan = {tiny, rival, NULL, false, 0, keeper};
    struct chunk_worker worker;
    tiny->hook = (struct tiny_hook){commit_and_kill, &plan};
    tiny->limits.transaction_limit = 2;
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), ERR_LOCK_WAIT);
    ck_assert(worker.outcome_unknown);
    ck_assert_int_eq(plan.calls, 2);
    ck_assert_int_eq(db_rollback(keeper), OK);
    ck_assert_int_eq(worker.partition->checkpoint, 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "checkpoint_key"), 20);
    chunk_worker_done(&worker);

    tiny_restart(tiny);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
}
END_TEST

static enum err lose_chunks_and_kill(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    struct plan *plan = context;
    if (moment != TINY_AFTER_WRITE || ++plan->calls != 2) return OK;
    rival_execute(plan->rival, "UPDATE step_partition SET chunk_count = 0, checkpoint_key = NULL");
    rival_kill(plan->rival, db_session_id(chunk->db));
    return OK;
}

/* As when a replica that lagged has become the server: the claim has come that far, its first chunk
 * has not. */
START_TEST(who_meets_a_server_that_has_lost_chunks_leaves_them_to_others)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.tiny = tiny, .rival = rival};
    struct chunk_worker worker;
    tiny->hook = (struct tiny_hook){lose_chunks_and_kill, &plan};
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), ERR_FENCED);
    ck_assert_int_eq(plan.calls, 2);
    ck_assert_int_eq(tiny_column(tiny, 0, "chunk_count"), 0);
    chunk_worker_done(&worker);
}
END_TEST

Suite *test_outcome_suite(void)
{
    Suite *suite = suite_create("outcome");
    TCase *cases = tcase_create("outcome");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_claim_does_not_wait_for_a_locked_row_and_is_tried_again);
    tcase_add_test(cases, a_partition_whose_claim_the_server_has_lost_is_taken);
    tcase_add_loop_test(cases, a_read_back_that_fails_is_tried_again_before_the_chunk_is, 0, 2);
    tcase_add_test(cases, an_outcome_that_stays_unknown_is_not_guessed);
    tcase_add_test(cases, who_meets_a_server_that_has_lost_chunks_leaves_them_to_others);
    suite_add_tcase(suite, cases);
    return suite;
}
