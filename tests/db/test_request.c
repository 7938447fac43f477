#include "common/request.h"

#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

static const struct request_order backfill = {
    .command = REQUEST_BACKFILL,
    .job_name = "daily-settlement",
    .date_from = "2026-07-01",
    .date_to = "2026-07-03",
    .requested_by = "alice@host",
    .reason = "왜냐하면",
};

static int64_t write_one(struct harness *harness, const struct request_order *order)
{
    int64_t id = 0;
    enum err err = request_write(harness_db(harness), order, &id);
    ck_assert_msg(err == OK, "%s", db_message(harness_db(harness)));
    return id;
}

START_TEST(what_was_written_is_read_back)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct request request;
    memset(&request, 'x', sizeof(request));
    int64_t id = write_one(harness, &backfill);
    ck_assert_int_eq(request_read(harness_db(harness), id, &request), OK);
    ck_assert_int_eq(request.id, id);
    ck_assert_int_eq(request.command, REQUEST_BACKFILL);
    ck_assert_int_eq(request.status, REQUEST_PENDING);
    ck_assert_str_eq(request.job_name, "daily-settlement");
    ck_assert_int_eq(request.execution_id, 0);
    ck_assert_str_eq(request.date_from, "2026-07-01");
    ck_assert_str_eq(request.date_to, "2026-07-03");
    ck_assert_str_eq(request.requested_by, "alice@host");
    ck_assert_str_eq(request.reason, "왜냐하면");
    ck_assert_uint_eq(strlen(request.requested_at), strlen("2026-07-01T00:00:00Z"));
    ck_assert_str_eq(request.answered_at, "");
    ck_assert_str_eq(request.ended_at, "");
    ck_assert_str_eq(request.node_id, "");
    ck_assert_int_eq(request.last_execution_id, 0);
    ck_assert_int_eq(request_read(harness_db(harness), id + 1, &request), ERR_NOT_FOUND);
}
END_TEST

START_TEST(an_answer_is_read)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    const struct request_order stop = {.command = REQUEST_STOP,
                                       .job_name = "",
                                       .execution_id = 7,
                                       .requested_by = "",
                                       .reason = ""};
    struct request request;
    int64_t id = write_one(harness, &stop);
    harness_execute(harness,
                    "UPDATE job_request SET status = 'COMPLETED', answer = 'stopped',"
                    " job_name = 'daily-settlement', node_id = 'node', on_date = '2026-07-02',"
                    " answered_at = '2026-07-04 01:02:03', ended_at = '2026-07-04 01:02:04',"
                    " last_execution_id = 7, days_done = 2");
    ck_assert_int_eq(request_read(harness_db(harness), id, &request), OK);
    ck_assert_int_eq(request.status, REQUEST_COMPLETED);
    ck_assert_str_eq(request.answer, "stopped");
    ck_assert_str_eq(request.job_name, "daily-settlement");
    ck_assert_int_eq(request.execution_id, 7);
    ck_assert_str_eq(request.date_from, "");
    ck_assert_str_eq(request.node_id, "node");
    ck_assert_str_eq(request.on_date, "2026-07-02");
    ck_assert_str_eq(request.answered_at, "2026-07-04T01:02:03Z");
    ck_assert_str_eq(request.ended_at, "2026-07-04T01:02:04Z");
    ck_assert_int_eq(request.last_execution_id, 7);
    ck_assert_int_eq(request.days_done, 2);
}
END_TEST

START_TEST(only_a_pending_request_can_be_withdrawn)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct request request;
    int64_t first = write_one(harness, &backfill), second = write_one(harness, &backfill);
    bool withdrawn = false;
    ck_assert_int_eq(request_withdraw(db, first, "no answer", &withdrawn), OK);
    ck_assert(withdrawn);
    ck_assert_int_eq(request_read(db, first, &request), OK);
    ck_assert_int_eq(request.status, REQUEST_WITHDRAWN);
    ck_assert_str_eq(request.answer, "no answer");
    ck_assert_str_ne(request.ended_at, "");
    ck_assert_int_eq(request_read(db, second, &request), OK);
    ck_assert_int_eq(request.status, REQUEST_PENDING);

    harness_execute(harness, "UPDATE job_request SET status = 'ACCEPTED' WHERE status = 'PENDING'");
    ck_assert_int_eq(request_withdraw(db, second, "no answer", &withdrawn), OK);
    ck_assert(!withdrawn);
    ck_assert_int_eq(request_read(db, second, &request), OK);
    ck_assert_int_eq(request.status, REQUEST_ACCEPTED);
}
END_TEST

/* Both directions between the words of the table and those here: each status is stored and read. */
START_TEST(every_command_and_status_of_the_table_is_known)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    for (enum request_command command = REQUEST_RUN; command <= REQUEST_RESUME; command++) {
        struct request_order order = backfill;
        struct request request;
        order.command = command;
        ck_assert_int_eq(request_read(db, write_one(harness, &order), &request), OK);
        ck_assert_int_eq(request.command, command);
    }
    int64_t id = write_one(harness, &backfill);
    for (enum request_status status = REQUEST_PENDING; status <= REQUEST_WITHDRAWN; status++) {
        struct request request;
        char sql[128];
        (void)text_format(sql, sizeof(sql), "UPDATE job_request SET status = '%s'",
                          request_status_name(status));
        harness_execute(harness, sql);
        ck_assert_int_eq(request_read(db, id, &request), OK);
        ck_assert_int_eq(request.status, status);
        bool open = status == REQUEST_PENDING || status == REQUEST_ACCEPTED;
        ck_assert_int_eq(request_has_ended(status), !open);
    }
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM information_schema.COLUMNS"
                                 " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'job_request'"
                                 " AND COLUMN_NAME = 'status' AND (LENGTH(COLUMN_TYPE)"
                                 " - LENGTH(REPLACE(COLUMN_TYPE, ',', ''))) + 1 = 8"),
                     1);
}
END_TEST

START_TEST(open_requests_are_listed_oldest_first)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    static struct request found[3];
    int count = 0;
    for (int i = 0; i < 4; i++)
        (void)write_one(harness, &backfill);
    harness_execute(harness, "UPDATE job_request SET status = 'REFUSED' WHERE request_id = 1");
    harness_execute(harness, "UPDATE job_request SET status = 'ACCEPTED' WHERE request_id = 4");
    ck_assert_int_eq(request_list_open(harness_db(harness), found, 3, &count), OK);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(found[0].id, 2);
    ck_assert_int_eq(found[2].id, 4);
    ck_assert_int_eq(request_list_open(harness_db(harness), found, 2, &count), OK);
    ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(only_daemons_with_a_lease_count_as_alive)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct request_daemon daemon = {.alive = 4711};
    ck_assert_int_eq(request_find_daemon(harness_db(harness), &daemon), OK);
    ck_assert_int_eq(daemon.alive, 0);
    harness_execute(
        harness,
        "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status) VALUES"
        " ('a', 'old', 1, '', 'DAEMON', NOW(6) - INTERVAL 2 HOUR, NOW(6),"
        "  NOW(6) + INTERVAL 1 HOUR, ''),"
        " ('b', 'new', 2, '', 'DAEMON', NOW(6) - INTERVAL 1 HOUR, NOW(6),"
        "  NOW(6) + INTERVAL 1 HOUR, ''),"
        " ('c', 'dead', 3, '', 'DAEMON', NOW(6), NOW(6), NOW(6) - INTERVAL 1 SECOND, ''),"
        " ('d', 'run', 4, '', 'RUN', NOW(6), NOW(6), NOW(6) + INTERVAL 1 HOUR, '')");
    ck_assert_int_eq(request_find_daemon(harness_db(harness), &daemon), OK);
    ck_assert_int_eq(daemon.alive, 2);
    ck_assert_str_eq(daemon.host, "new");
    ck_assert_int_eq(daemon.pid, 2);
}
END_TEST

Suite *test_request_suite(void)
{
    const TTest *const tests[] = {
        what_was_written_is_read_back,           an_answer_is_read,
        only_a_pending_request_can_be_withdrawn, every_command_and_status_of_the_table_is_known,
        open_requests_are_listed_oldest_first,   only_daemons_with_a_lease_count_as_alive,
    };
    Suite *suite = suite_create("request");
    TCase *cases = tcase_create("request");
    tcase_set_timeout(cases, 60);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}
