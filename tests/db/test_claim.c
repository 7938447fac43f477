/* Whose a partition is: one owner at a time, and nobody after it was taken over. */
#include <string.h>

#include "common/db/transaction.h"
#include "daemon/engine/claim.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"
#include "tests/db/tiny_step.h"

enum { KEYS = 40, RACERS = 8 };

static const char OTHER_NODE[] = "22222222-2222-4222-8222-222222222222";

static int64_t step_rows(struct tiny *tiny, const char *condition)
{
    char sql[400];
    ck_assert(text_format(sql, sizeof(sql),
                          "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION"
                          " WHERE STEP_NAME = 'tiny:partition%lld' AND %s",
                          (long long)tiny->partitions.items[0].number, condition));
    return harness_i64(tiny->harness, sql);
}

START_TEST(taking_raises_the_epoch_and_says_whose_it_is)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct partition *partition = &tiny->partitions.items[0];
    int64_t before = partition->epoch;
    ck_assert_int_eq(before, tiny_column(tiny, 0, "epoch"));
    ck_assert_int_eq(step_rows(tiny, "STATUS = 'STARTING' AND START_TIME IS NULL"), 1);
    ck_assert_int_eq(claim_take(tiny->db, partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
    ck_assert_int_eq(partition->epoch, before + 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "epoch"), before + 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "status = 'STARTED' AND node_id = '" TINY_NODE "'"), 1);
    ck_assert_int_eq(tiny_column(tiny, 1, "status = 'PENDING' AND node_id IS NULL"), 1);
    ck_assert_int_eq(step_rows(tiny, "STATUS = 'STARTED' AND START_TIME IS NOT NULL"), 1);
}
END_TEST

START_TEST(nobody_takes_it_for_another_execution)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 1);
    struct partition *partition = &tiny->partitions.items[0];
    const struct claimant late = {TINY_NODE, tiny->run.job_execution_id + 1};
    const struct claimant now = {TINY_NODE, tiny->run.job_execution_id};
    ck_assert_int_eq(claim_take(tiny->db, partition, &late, false), ERR_FENCED);
    ck_assert_int_eq(tiny_column(tiny, 0, "status = 'PENDING'"), 1);
    ck_assert_int_eq(claim_take(tiny->db, partition, &now, false), OK);
}
END_TEST

struct racer {
    struct tiny *tiny;
    struct db *db;
    struct partition partition;
    pthread_t thread;
    enum err err;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    racer->err =
        claim_take(racer->db, &racer->partition,
                   &(struct claimant){TINY_NODE, racer->tiny->run.job_execution_id}, false);
    return NULL;
}

START_TEST(of_many_one_gets_it)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct racer racers[RACERS];
    int winners = 0;
    for (int i = 0; i < RACERS; i++) {
        racers[i].tiny = tiny;
        racers[i].db = harness_connect(tiny->harness);
        racers[i].partition = tiny->partitions.items[0];
    }
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        ck_assert_int_eq(pthread_join(racers[i].thread, NULL), 0);
        ck_assert(racers[i].err == OK || racers[i].err == ERR_FENCED);
        winners += racers[i].err == OK;
        ck_assert_int_eq(racers[i].partition.epoch,
                         tiny->partitions.items[0].epoch + (racers[i].err == OK));
        db_free(racers[i].db);
    }
    ck_assert_int_eq(winners, 1);
}
END_TEST

static const char *const not_to_be_had[] = {"STARTED", "STOPPED", "FAILED", "COMPLETED"};

START_TEST(only_what_is_pending_can_be_taken)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct partition *partition = &tiny->partitions.items[0];
    int64_t before = partition->epoch;
    char sql[100];
    ck_assert(text_format(sql, sizeof(sql), "UPDATE step_partition SET status = '%s'",
                          not_to_be_had[_i]));
    harness_execute(tiny->harness, sql);
    ck_assert_int_eq(claim_take(tiny->db, partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     ERR_FENCED);
    ck_assert_int_eq(partition->epoch, before);
    ck_assert_int_eq(tiny_column(tiny, 0, "epoch"), before);
}
END_TEST

static enum err give_back(struct db *db, const struct partition *partition, const char *status,
                          const char *message)
{
    const struct claim_end end = {status,
                                  message,
                                  {.rollbacks = 5, .deadlocks = 2, .lock_waits = 3}};
    return claim_release(db, partition, &end, false);
}

struct release_case {
    const char *status, *step_status, *step_exit;
    bool ended;
};

static const struct release_case release_cases[] = {
    {"PENDING", "STARTING", "EXECUTING", false},
    {"STOPPED", "STOPPED", "STOPPED", true},
    {"FAILED", "FAILED", "FAILED", true},
};

START_TEST(what_is_given_back_says_why_and_counts_its_setbacks)
{
    const struct release_case *wanted = &release_cases[_i];
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct partition *partition = &tiny->partitions.items[0];
    char condition[200];
    ck_assert_int_eq(claim_take(tiny->db, partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
    ck_assert_int_eq(give_back(tiny->db, partition, wanted->status, "because"), OK);
    ck_assert(text_format(condition, sizeof(condition), "status = '%s' AND node_id IS NULL",
                          wanted->status));
    ck_assert_int_eq(tiny_column(tiny, 0, condition), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 5);
    ck_assert_int_eq(tiny_column(tiny, 0, "deadlock_count"), 2);
    ck_assert_int_eq(tiny_column(tiny, 0, "lock_wait_count"), 3);
    ck_assert(text_format(condition, sizeof(condition),
                          "STATUS = '%s' AND EXIT_CODE = '%s' AND EXIT_MESSAGE = 'because'"
                          " AND ROLLBACK_COUNT = 5 AND (END_TIME IS NOT NULL) = %d",
                          wanted->step_status, wanted->step_exit, wanted->ended));
    ck_assert_int_eq(step_rows(tiny, condition), 1);
    /* Given back is given back. */
    ck_assert_int_eq(give_back(tiny->db, partition, wanted->status, ""), ERR_FENCED);
    ck_assert_int_eq(claim_take(tiny->db, partition,
                                &(struct claimant){OTHER_NODE, tiny->run.job_execution_id}, false),
                     wanted->ended ? ERR_FENCED : OK);
}
END_TEST

START_TEST(the_old_owner_can_change_nothing)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct db *db = tiny->db;
    struct partition *mine = &tiny->partitions.items[0];
    ck_assert_int_eq(claim_take(db, mine, &(struct claimant){TINY_NODE, tiny->run.job_execution_id},
                                false),
                     OK);
    struct partition theirs = *mine;
    harness_execute(tiny->harness,
                    "UPDATE step_partition SET epoch = epoch + 1, status ="
                    " 'PENDING', node_id = NULL");
    theirs.epoch++;
    ck_assert_int_eq(claim_take(db, &theirs,
                                &(struct claimant){OTHER_NODE, tiny->run.job_execution_id}, false),
                     OK);

    int64_t chunks = 4711;
    ck_assert_int_eq(give_back(db, mine, "FAILED", "late"), ERR_FENCED);
    ck_assert_int_eq(claim_take(db, mine, &(struct claimant){TINY_NODE, tiny->run.job_execution_id},
                                false),
                     ERR_FENCED);
    ck_assert_int_eq(claim_read_back(db, mine, &chunks), ERR_FENCED);
    ck_assert_int_eq(chunks, 4711);
    ck_assert_int_eq(tiny_column(tiny, 0, "status = 'STARTED' AND rollback_count = 0"), 1);
    ck_assert_int_eq(tiny_column(tiny, 0, "epoch"), theirs.epoch);
    ck_assert_int_eq(claim_read_back(db, &theirs, &chunks), OK);
    ck_assert_int_eq(chunks, 0);
    ck_assert_int_eq(give_back(db, &theirs, "STOPPED", ""), OK);
}
END_TEST

START_TEST(what_was_made_ready_anew_is_not_taken_under_the_old_epoch)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct partition before = tiny->partitions.items[0];
    struct partition ahead = before;
    ahead.epoch++;
    ck_assert_int_eq(claim_take(tiny->db, &ahead,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     ERR_FENCED);
    harness_execute(tiny->harness, "UPDATE step_partition SET epoch = epoch + 1");
    ck_assert_int_eq(claim_take(tiny->db, &before,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     ERR_FENCED);
    ck_assert_int_eq(tiny_column(tiny, 0, "status = 'PENDING'"), 1);
    ck_assert_int_eq(claim_take(tiny->db, &ahead,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
}
END_TEST

/* The reply was lost: the same call again finds out whether the first one had been carried out. */
START_TEST(a_call_whose_reply_was_lost_is_not_carried_out_twice)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct db *db = tiny->db;
    struct partition partition = tiny->partitions.items[0];
    struct partition unaware = partition;
    const struct claim_end end = {"PENDING", "", {.rollbacks = 1}};
    ck_assert_int_eq(claim_take(db, &partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
    ck_assert_int_eq(claim_take(db, &unaware,
                                &(struct claimant){OTHER_NODE, tiny->run.job_execution_id}, true),
                     ERR_FENCED); /* not theirs */
    ck_assert_int_eq(claim_take(db, &unaware,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, true),
                     OK);
    ck_assert_int_eq(unaware.epoch, partition.epoch);
    ck_assert_int_eq(tiny_column(tiny, 0, "epoch"), partition.epoch);

    ck_assert_int_eq(claim_release(db, &partition, &end, false), OK);
    ck_assert_int_eq(claim_release(db, &partition, &end, true), OK);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 1);
    /* And where the first one was not carried out, it is now. */
    ck_assert_int_eq(claim_take(db, &partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, true),
                     OK);
    ck_assert_int_eq(claim_release(db, &partition, &end, true), OK);
    ck_assert_int_eq(tiny_column(tiny, 0, "rollback_count"), 2);
    ck_assert_int_eq(tiny_column(tiny, 0, "status = 'PENDING' AND node_id IS NULL"), 1);
}
END_TEST

START_TEST(a_partition_that_is_gone_is_not_ours)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    struct partition partition = tiny->partitions.items[0];
    int64_t chunks = 0;
    partition.id += 1000000;
    ck_assert_int_eq(claim_take(tiny->db, &partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     ERR_FENCED);
    ck_assert_int_eq(claim_read_back(tiny->db, &partition, &chunks), ERR_FENCED);
}
END_TEST

struct reader {
    struct db *db;
    struct partition *partition;
    int64_t chunks;
    enum err err;
};

static void *read_back(void *argument)
{
    struct reader *reader = argument;
    reader->err = claim_read_back(reader->db, reader->partition, &reader->chunks);
    return NULL;
}

/* A plain read would give the version of before, as long as the commit that it asks about is still
 * under way. */
START_TEST(reading_back_waits_for_a_commit_that_is_under_way)
{
    CLEANUP(tiny_cleanup) struct tiny *tiny = tiny_new(KEYS, 4);
    CLEANUP(rival_cleanup) struct rival *rival = rival_new(tiny->harness);
    CLEANUP(db_cleanup) struct db *db = harness_connect(tiny->harness);
    struct reader reader = {.db = db, .partition = &tiny->partitions.items[0]};
    pthread_t thread;
    ck_assert_int_eq(claim_take(tiny->db, reader.partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
    rival_execute(rival, "START TRANSACTION");
    rival_execute(rival, "UPDATE step_partition SET chunk_count = chunk_count + 1");
    ck_assert_int_eq(pthread_create(&thread, NULL, read_back, &reader), 0);
    ck_assert(rival_wait_for_lock(harness_owner(tiny->harness), db_session_id(db)));
    rival_execute(rival, "COMMIT");
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(reader.err, OK);
    ck_assert_int_eq(reader.chunks, 1);
}
END_TEST

Suite *test_claim_suite(void)
{
    Suite *suite = suite_create("claim");
    TCase *cases = tcase_create("claim");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, taking_raises_the_epoch_and_says_whose_it_is);
    tcase_add_test(cases, of_many_one_gets_it);
    tcase_add_test(cases, nobody_takes_it_for_another_execution);
    tcase_add_loop_test(cases, only_what_is_pending_can_be_taken, 0, (int)COUNT_OF(not_to_be_had));
    tcase_add_loop_test(cases, what_is_given_back_says_why_and_counts_its_setbacks, 0,
                        (int)COUNT_OF(release_cases));
    tcase_add_test(cases, the_old_owner_can_change_nothing);
    tcase_add_test(cases, what_was_made_ready_anew_is_not_taken_under_the_old_epoch);
    tcase_add_test(cases, a_call_whose_reply_was_lost_is_not_carried_out_twice);
    tcase_add_test(cases, a_partition_that_is_gone_is_not_ours);
    tcase_add_test(cases, reading_back_waits_for_a_commit_that_is_under_way);
    suite_add_tcase(suite, cases);
    return suite;
}
