/* Requests that were taken on: whose they are, and that nobody else moves or ends them. */
#include "daemon/queue.h"

#include "common/db/statement.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

static const char FIRST[] = "11111111-1111-4111-8111-111111111111";
static const char SECOND[] = "22222222-2222-4222-8222-222222222222";
static const char JOB[] = "daily-settlement";

/* A backfill of July that FIRST has taken on and read; it is at its second day. */
static struct queued_request begin(struct harness *harness)
{
    struct queued_request request = {0};
    harness_execute(harness,
                    "INSERT INTO job_request (request_id, command, job_name, date_from,"
                    " date_to, requested_by, requested_at, status, node_id, on_date,"
                    " days_done) VALUES (7, 'BACKFILL', 'daily-settlement', '2026-07-01',"
                    " '2026-07-30', 'ann', NOW(6), 'ACCEPTED',"
                    " '11111111-1111-4111-8111-111111111111', '2026-07-02', 1)");
    ck_assert_int_eq(queue_first(harness_db(harness), FIRST, JOB, &request), OK);
    return request;
}

/* FIRST sleeps beyond its lease; SECOND takes the request on, and is at day 12. */
static void take_over(struct harness *harness)
{
    struct queued_request request = {0};
    struct db *db = harness_db(harness);
    ck_assert_int_eq(queue_adopt(db, SECOND), OK);
    ck_assert_int_eq(queue_first(db, SECOND, JOB, &request), OK);
    request.days_done = 11;
    (void)text_format(request.at, sizeof(request.at), "2026-07-12");
    ck_assert_int_eq(queue_move(db, &request, 12, "at day 12"), OK);
}

static bool is_at_day_12(struct harness *harness)
{
    return harness_i64(harness,
                       "SELECT COUNT(*) FROM job_request WHERE status = 'ACCEPTED'"
                       " AND node_id = '22222222-2222-4222-8222-222222222222'"
                       " AND on_date = '2026-07-12' AND days_done = 11"
                       " AND last_execution_id = 12 AND answer = 'at day 12'"
                       " AND ended_at IS NULL") == 1;
}

START_TEST(the_holder_moves_and_ends_its_request)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct queued_request request = begin(harness);
    bool over = true;
    ck_assert_int_eq(queue_move(db, &request, 2, "it runs"), OK);
    ck_assert_int_eq(queue_move(db, &request, 2, "it runs"), OK); /* the same words again */
    ck_assert_int_eq(queue_next_day(db, &request, 2, &over), OK);
    ck_assert(!over);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM job_request WHERE"
                                 " on_date = '2026-07-03' AND days_done = 2"
                                 " AND last_execution_id = 2"),
                     1);
    ck_assert_int_eq(queue_end(db, FIRST, request.id, REQUEST_COMPLETED, "done"), OK);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM job_request WHERE"
                                 " status = 'COMPLETED' AND answer = 'done'"
                                 " AND ended_at IS NOT NULL"),
                     1);
}
END_TEST

START_TEST(a_former_holder_does_not_move_it)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct queued_request request = begin(harness);
    bool over = false;
    take_over(harness);
    ck_assert_int_eq(queue_move(db, &request, 2, "it runs"), ERR_FENCED);
    ck_assert_int_eq(queue_next_day(db, &request, 2, &over), ERR_FENCED);
    ck_assert(is_at_day_12(harness));
}
END_TEST

START_TEST(a_former_holder_does_not_end_it)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct queued_request request = begin(harness);
    take_over(harness);
    ck_assert_int_eq(queue_end(db, FIRST, request.id, REQUEST_REFUSED, "late"), OK);
    ck_assert(is_at_day_12(harness));
    ck_assert_int_eq(queue_end(db, SECOND, request.id, REQUEST_REFUSED, "now"), OK);
    ck_assert(!is_at_day_12(harness));
}
END_TEST

START_TEST(what_somebody_has_stopped_goes_no_further)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct queued_request request = begin(harness);
    bool stopped = false;
    ck_assert_int_eq(queue_stop(db, request.id, &stopped), OK); /* whoever holds it */
    ck_assert(stopped);
    ck_assert_int_eq(queue_move(db, &request, 2, "it runs"), ERR_FENCED);
    ck_assert_int_eq(queue_stop(db, request.id, &stopped), OK);
    ck_assert(!stopped);
}
END_TEST

Suite *test_queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *cases = tcase_create("holder");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_holder_moves_and_ends_its_request);
    tcase_add_test(cases, a_former_holder_does_not_move_it);
    tcase_add_test(cases, a_former_holder_does_not_end_it);
    tcase_add_test(cases, what_somebody_has_stopped_goes_no_further);
    suite_add_tcase(suite, cases);
    return suite;
}
