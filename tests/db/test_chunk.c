/* One chunk and what may get in its way, on a real server: what is not committed is done again,
 * what is committed is not. */
#include <string.h>

#include "common/db/transaction.h"
#include "common/fault.h"
#include "daemon/engine/repository.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"
#include "tests/db/tiny_step.h"

enum { KEYS = 35 };

/* What the hook of a test does, at which call of that moment (from 1; 0: at each), and how often it
 * was called. */
struct plan {
    struct tiny *tiny;
    struct rival *rival;
    enum tiny_moment moment;
    int at_call, calls;
    enum err (*act)(struct plan *plan, struct chunk *chunk);
    enum err error; /* for those that just fail */
    int64_t seen_copies, seen_checkpoint;
};

static enum err call_plan(enum tiny_moment moment, struct chunk *chunk, void *context)
{
    struct plan *plan = context;
    if (moment != plan->moment) return OK;
    plan->calls++;
    return plan->at_call == 0 || plan->calls == plan->at_call ? plan->act(plan, chunk) : OK;
}

static void set_hook(struct tiny *tiny, struct plan *plan)
{
    plan->tiny = tiny;
    tiny->hook = (struct tiny_hook){call_plan, plan};
}

static enum err just_fail(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    return plan->error;
}

static enum err look_from_outside(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    plan->seen_copies = tiny_copied(plan->tiny);
    plan->seen_checkpoint = tiny_column(plan->tiny, 0, "COALESCE(checkpoint_key, -1)");
    return OK;
}

START_TEST(rows_and_checkpoint_are_committed_together)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE, .at_call = 2, .act = look_from_outside};
    struct chunk_worker worker;
    bool finished = true;
    int64_t read = 0;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(chunk_run(&worker, &finished, &read), OK);
    ck_assert(!finished);
    ck_assert_int_eq(read, 10);
    ck_assert_int_eq(tiny_copied(tiny), 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "checkpoint_key"), 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "read_count"), 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "chunk_count"), 1);

    ck_assert_int_eq(chunk_run(&worker, &finished, &read), OK);
    ck_assert_int_eq(plan.seen_copies, 10);
    ck_assert_int_eq(plan.seen_checkpoint, 10);
    ck_assert_int_eq(tiny_copied(tiny), 20);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(control_view(&tiny->control).steps[0].done, KEYS);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STEP_NAME = 'tiny:partition0'"
                                 " AND STATUS = 'COMPLETED' AND END_TIME IS NOT NULL"
                                 " AND EXIT_CODE = 'COMPLETED'"),
                     1);
}
END_TEST

struct failing_case {
    enum err error;
    enum tiny_moment moment;
    int tries;
};

static const struct failing_case failing_cases[] = {
    {ERR_INVALID, TINY_BEFORE_WRITE, 1},  {ERR_OVERFLOW, TINY_AFTER_WRITE, 1},
    {ERR_DUPLICATE, TINY_AFTER_WRITE, 1}, {ERR_TIMEOUT, TINY_AFTER_WRITE, 1},
    {ERR_DEADLOCK, TINY_AFTER_WRITE, 5},  {ERR_LOCK_WAIT, TINY_BEFORE_WRITE, 5},
    {ERR_CONFLICT, TINY_AFTER_WRITE, 5},
};

START_TEST(what_fails_leaves_nothing_and_is_repeated_by_its_class)
{
    const struct failing_case *failing = &failing_cases[_i];
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = failing->moment, .act = just_fail, .error = failing->error};
    struct chunk_worker worker;
    bool finished = true;
    int64_t read = -1;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(chunk_run(&worker, &finished, &read), failing->error);
    ck_assert(finished);
    ck_assert_int_eq(read, -1);
    ck_assert_int_eq(plan.calls, failing->tries);
    ck_assert_int_eq(worker.setbacks.rollbacks, failing->tries);
    ck_assert_int_eq(worker.setbacks.deadlocks, failing->error == ERR_DEADLOCK ? 5 : 0);
    ck_assert_int_eq(worker.setbacks.lock_waits, failing->error == ERR_LOCK_WAIT ? 5 : 0);
    ck_assert_ptr_nonnull(strstr(worker.detail.text, "tiny"));
    ck_assert_int_eq(tiny_copied(tiny), 0);
    ck_assert_int_eq(tiny_column(tiny, 0, "checkpoint_key IS NULL AND chunk_count = 0"), 1);
    ck_assert(!db_in_transaction(tiny->db));

    tiny->hook.act = NULL;
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), failing->tries);
}
END_TEST

/* The rival holds row 2 and much else, so that the chunk is the one to be rolled back; each then
 * wants what the other has. */
static enum err deadlock(struct plan *plan, struct chunk *chunk)
{
    TRY(db_execute(chunk->db, "UPDATE test_hot SET n = n + 1 WHERE id = 1"));
    rival_start(plan->rival, "UPDATE test_hot SET n = n + 1 WHERE id = 1");
    if (!rival_wait_for_lock(harness_owner(plan->tiny->harness), rival_session_id(plan->rival)))
        return ERR_INVALID;
    return db_execute(chunk->db, "UPDATE test_hot SET n = n + 1 WHERE id = 2");
}

START_TEST(a_deadlock_is_rolled_back_counted_and_repeated)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.rival = rival, .moment = TINY_AFTER_WRITE, .at_call = 2, .act = deadlock};
    struct chunk_worker worker;
    rival_execute(rival, "START TRANSACTION");
    rival_execute(rival, "UPDATE test_hot SET n = 7 WHERE id BETWEEN 2 AND 900");
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    ck_assert_int_eq(rival_finish(rival), OK);
    chunk_worker_done(&worker);
    ck_assert_int_eq(plan.calls, 5);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(tiny_column(tiny, 0, "deadlock_count"), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "lock_wait_count"), 0);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT SUM(ROLLBACK_COUNT) FROM"
                                 " BATCH_STEP_EXECUTION"),
                     1);
    ck_assert_int_eq(harness_i64(tiny->harness, "SELECT SUM(n) FROM test_hot"), 0);
}
END_TEST

static enum err wait_for_hot_row(struct plan *plan, struct chunk *chunk)
{
    (void)plan;
    return db_execute(chunk->db, "UPDATE test_hot SET n = n + 1 WHERE id = 1");
}

START_TEST(a_lock_that_is_not_to_be_had_rolls_the_whole_chunk_back)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.rival = rival,
                        .moment = TINY_AFTER_WRITE,
                        .at_call = 1,
                        .act = wait_for_hot_row};
    struct chunk_worker worker;
    rival_execute(rival, "START TRANSACTION");
    rival_execute(rival, "UPDATE test_hot SET n = 7 WHERE id = 1");
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    ck_assert_int_eq(plan.calls, 5);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(tiny_column(tiny, 0, "lock_wait_count"), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "deadlock_count"), 0);
}
END_TEST

/* Cancelled by somebody who is not the engine: KILL QUERY of the session's own. */
static enum err cancel(struct plan *plan, struct chunk *chunk)
{
    (void)plan;
    return db_execute(chunk->db, "KILL QUERY CONNECTION_ID()");
}

START_TEST(a_strangers_cancelled_statement_is_repeated)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE, .at_call = 1, .act = cancel};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 1);
}
END_TEST

static enum err kill_session(struct plan *plan, struct chunk *chunk)
{
    rival_kill(plan->rival, db_session_id(chunk->db));
    return OK;
}

static const enum tiny_moment kill_moments[] = {TINY_BEFORE_WRITE, TINY_AFTER_WRITE};

START_TEST(a_session_killed_before_its_commit_is_done_again)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.rival = rival,
                        .moment = kill_moments[_i],
                        .at_call = 2,
                        .act = kill_session};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    uint64_t old_session = db_session_id(tiny->db);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    ck_assert_uint_ne(db_session_id(tiny->db), old_session);
    ck_assert_int_eq(plan.calls, 5);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 1);
}
END_TEST

/* What the engine would do next, and then the reply is lost: a commit whose outcome it has to find
 * out. */
static enum err commit_and_kill(struct plan *plan, struct chunk *chunk)
{
    static const char CHECKPOINT_SQL[] =
        "UPDATE step_partition p JOIN BATCH_STEP_EXECUTION s"
        " ON s.STEP_EXECUTION_ID = p.step_execution_id"
        " SET p.checkpoint_key = ?, p.chunk_count = p.chunk_count + 1,"
        " p.read_count = p.read_count + 10, p.write_count = p.write_count + 10,"
        " s.COMMIT_COUNT = s.COMMIT_COUNT + 1, s.READ_COUNT = s.READ_COUNT + 10,"
        " s.WRITE_COUNT = s.WRITE_COUNT + 10 WHERE p.partition_id = ?";
    TRY(db_run(chunk->db, NULL, CHECKPOINT_SQL, "ii", chunk->after_key + 10, chunk->partition_id));
    TRY(db_execute(chunk->db, "COMMIT"));
    return kill_session(plan, chunk);
}

START_TEST(a_commit_whose_reply_was_lost_is_found_and_not_repeated)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.rival = rival,
                        .moment = TINY_AFTER_WRITE,
                        .at_call = 2,
                        .act = commit_and_kill};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    ck_assert_int_eq(plan.calls, 4); /* once for each page: 10, 10, 10 and 5 keys */
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(control_view(&tiny->control).steps[0].done, KEYS);
}
END_TEST

static enum err raise_epoch(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    rival_execute(plan->rival, "UPDATE step_partition SET epoch = epoch + 1");
    return OK;
}

static enum err take_back_status(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    rival_execute(plan->rival, "UPDATE step_partition SET status = 'FAILED'");
    return OK;
}

static enum err raise_epoch_and_kill(struct plan *plan, struct chunk *chunk)
{
    TRY(raise_epoch(plan, chunk));
    return kill_session(plan, chunk);
}

static enum err (*const takeovers[])(struct plan *, struct chunk *) = {raise_epoch,
                                                                       take_back_status,
                                                                       raise_epoch_and_kill};

START_TEST(who_was_taken_over_commits_nothing)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    struct plan plan = {.rival = rival,
                        .moment = TINY_AFTER_WRITE,
                        .at_call = 2,
                        .act = takeovers[_i]};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), ERR_FENCED);
    ck_assert_int_eq(plan.calls, 2);
    ck_assert_int_eq(tiny_copied(tiny), 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "checkpoint_key"), 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "chunk_count"), 1);
    ck_assert(!db_in_transaction(tiny->db));
    chunk_worker_done(&worker);
}
END_TEST

static enum err stop_now(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    control_stop(&plan->tiny->control, plan->error == OK ? STOP_DRAIN : STOP_ABORT);
    return OK;
}

START_TEST(a_drain_finishes_the_chunk_and_an_abort_rolls_it_back)
{
    bool abort = _i == 1;
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE,
                        .at_call = 1,
                        .act = stop_now,
                        .error = abort ? ERR_STOPPED : OK};
    struct chunk_worker worker;
    bool finished = false;
    int64_t read = 0;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(chunk_run(&worker, &finished, &read), abort ? ERR_STOPPED : OK);
    chunk_worker_done(&worker);
    ck_assert_int_eq(tiny_copied(tiny), abort ? 0 : 10);
    ck_assert_int_eq(tiny_column(tiny, 0, "COALESCE(checkpoint_key, 0)"), abort ? 0 : 10);
}
END_TEST

static enum err stop_and_fail(struct plan *plan, struct chunk *chunk)
{
    (void)chunk;
    control_stop(&plan->tiny->control, STOP_DRAIN);
    return ERR_DEADLOCK;
}

START_TEST(nothing_is_repeated_once_there_is_a_stop)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE, .act = stop_and_fail};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), ERR_STOPPED);
    chunk_worker_done(&worker);
    ck_assert_int_eq(plan.calls, 1);
    ck_assert_int_eq(tiny_copied(tiny), 0);
}
END_TEST

START_TEST(skips_count_up_to_the_limit_and_not_beyond)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct chunk_worker worker;
    harness_execute(tiny->harness, "UPDATE test_item SET bad = 1 WHERE k IN (2, 3, 14)");
    tiny->limits.skip_limit = 2;
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), ERR_SKIP_LIMIT);
    ck_assert_int_eq(tiny_copied(tiny), 8); /* the first chunk; the second is over the limit */
    ck_assert_int_eq(tiny_column(tiny, 0, "skip_count"), 2);
    ck_assert_ptr_nonnull(strstr(worker.detail.text, "the limit (skip_limit) is 2"));

    tiny->limits.skip_limit = 3;
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(harness_i64(tiny->harness,
                                 "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STEP_NAME = 'tiny:partition0'"
                                 " AND EXIT_CODE = 'COMPLETED WITH SKIPS'"
                                 " AND PROCESS_SKIP_COUNT = 3"),
                     1);
}
END_TEST

START_TEST(skips_of_a_chunk_that_is_repeated_are_counted_once)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE,
                        .at_call = 2,
                        .act = just_fail,
                        .error = ERR_DEADLOCK};
    struct chunk_worker worker;
    harness_execute(tiny->harness, "UPDATE test_item SET bad = 1 WHERE k IN (12, 13, 14)");
    tiny->limits.skip_limit = 3;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    chunk_worker_done(&worker);
    ck_assert_int_eq(tiny_column(tiny, 0, "skip_count"), 3);
    tiny_check_complete(tiny, KEYS);
}
END_TEST

#ifdef SETTLEMENTD_TEST_SEAMS

/* The next exchange is the ROLLBACK. */
static enum err fail_rollback_too(struct plan *plan, struct chunk *chunk)
{
    struct detail detail = {""};
    (void)chunk;
    if (fault_use("db:1:before:error=1317", &detail) != OK) return ERR_INVALID;
    return plan->error;
}

START_TEST(a_chunk_whose_rollback_fails_leaves_nothing_and_is_done_once)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct plan plan = {.moment = TINY_AFTER_WRITE,
                        .at_call = 2,
                        .act = fail_rollback_too,
                        .error = _i == 0 ? ERR_DEADLOCK : ERR_STOPPED};
    struct chunk_worker worker;
    set_hook(tiny, &plan);
    tiny_claim(tiny, 0, &worker);
    ck_assert_int_eq(tiny_run_all(&worker), OK);
    ck_assert(db_is_renewed(tiny->db));
    ck_assert_int_eq(fault_use(NULL, &(struct detail){""}), OK);
    chunk_worker_done(&worker);
    tiny_check_complete(tiny, KEYS);
    ck_assert_int_eq(plan.calls, 5); /* of four chunks the second twice */
}
END_TEST

#endif

Suite *test_chunk_suite(void)
{
    Suite *suite = suite_create("chunk");
    TCase *cases = tcase_create("chunk");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, rows_and_checkpoint_are_committed_together);
    tcase_add_loop_test(cases, what_fails_leaves_nothing_and_is_repeated_by_its_class, 0,
                        (int)COUNT_OF(failing_cases));
    tcase_add_test(cases, a_deadlock_is_rolled_back_counted_and_repeated);
    tcase_add_test(cases, a_lock_that_is_not_to_be_had_rolls_the_whole_chunk_back);
    tcase_add_test(cases, a_strangers_cancelled_statement_is_repeated);
    tcase_add_loop_test(cases, a_session_killed_before_its_commit_is_done_again, 0,
                        (int)COUNT_OF(kill_moments));
    tcase_add_test(cases, a_commit_whose_reply_was_lost_is_found_and_not_repeated);
    tcase_add_loop_test(cases, who_was_taken_over_commits_nothing, 0, (int)COUNT_OF(takeovers));
    tcase_add_loop_test(cases, a_drain_finishes_the_chunk_and_an_abort_rolls_it_back, 0, 2);
    tcase_add_test(cases, nothing_is_repeated_once_there_is_a_stop);
    tcase_add_test(cases, skips_count_up_to_the_limit_and_not_beyond);
    tcase_add_test(cases, skips_of_a_chunk_that_is_repeated_are_counted_once);
#ifdef SETTLEMENTD_TEST_SEAMS
    tcase_add_loop_test(cases, a_chunk_whose_rollback_fails_leaves_nothing_and_is_done_once, 0, 2);
#endif
    suite_add_tcase(suite, cases);
    return suite;
}
