/* Prepared statements against a real server: what goes in comes out, one row or many, before and
 * after a reconnect. */
#include "common/db/statement.h"

#include <stdlib.h>
#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

enum { MANY = 5000 };

static const char TABLE_SQL[] =
    "CREATE TABLE t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, n BIGINT NULL, s LONGTEXT NULL,"
    " small VARCHAR(10) NULL, UNIQUE KEY (small)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
static const char INSERT_SQL[] = "INSERT INTO t (n, s, small) VALUES (?, ?, ?)";

static struct harness *table_harness(void)
{
    struct harness *harness = harness_new_empty();
    harness_execute(harness, TABLE_SQL);
    return harness;
}

START_TEST(columns_are_stored_row_by_row)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    const int64_t numbers[] = {INT64_MIN, -1, 0, INT64_MAX};
    const char *const texts[] = {"", NULL, "서울 🎬", "it's \\ \"quoted\""};
    const char *const smalls[] = {"a", NULL, NULL, "d"};
    const struct column columns[] = {{.i64 = numbers}, {.text = texts}, {.text = smalls}};
    struct db *db = harness_db(harness);
    ck_assert_int_eq(statement_new(db, INSERT_SQL, &insert), OK);
    ck_assert_int_eq(statement_execute_columns(insert, columns, 3, 4), OK);
    ck_assert_int_eq(statement_affected(insert), 4);
    ck_assert_int_eq(db_query(db, &query, "SELECT n, s, small FROM t ORDER BY id", ""), OK);
    ck_assert_int_eq(statement_rows(query), 4);
    for (int i = 0; i < 4; i++) {
        bool row = false;
        ck_assert_int_eq(statement_fetch(query, &row), OK);
        ck_assert(row);
        ck_assert_int_eq(statement_i64(query, 0), numbers[i]);
        ck_assert_int_eq(statement_is_null(query, 1), texts[i] == NULL);
        ck_assert_str_eq(statement_text(query, 1), texts[i] == NULL ? "" : texts[i]);
        ck_assert_int_eq(statement_is_null(query, 2), smalls[i] == NULL);
    }
    bool row = true;
    ck_assert_int_eq(statement_fetch(query, &row), OK);
    ck_assert(!row);
}
END_TEST

START_TEST(a_value_can_be_the_same_in_every_row)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    const int64_t seven = 7;
    const char *const nothing[MANY] = {NULL};
    const struct column columns[] = {{.same_i64 = &seven},
                                     {.same_text = "same"},
                                     {.text = nothing}};
    ck_assert_int_eq(statement_new(harness_db(harness), INSERT_SQL, &insert), OK);
    /* Few, many, few again: the expanded arrays grow and are used anew. */
    ck_assert_int_eq(statement_execute_columns(insert, columns, 3, 2), OK);
    ck_assert_int_eq(statement_execute_columns(insert, columns, 3, MANY), OK);
    ck_assert_int_eq(statement_affected(insert), MANY);
    ck_assert_int_eq(statement_execute_columns(insert, columns, 3, 1), OK);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM t WHERE n = 7 AND s = 'same'"
                                 " AND small IS NULL"),
                     MANY + 3);
}
END_TEST

START_TEST(a_date_can_be_the_same_in_every_row)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    const int64_t numbers[] = {1, 2, 3};
    const struct column columns[] = {{.i64 = numbers}, {.same_date = "2024-02-29"}};
    const struct column wrong[] = {{.i64 = numbers}, {.same_date = "2025-02-29"}};
    harness_execute(harness, "CREATE TABLE dated (n BIGINT, day DATE) ENGINE=InnoDB");
    ck_assert_int_eq(statement_new(harness_db(harness), "INSERT INTO dated (n, day) VALUES (?, ?)",
                                   &insert),
                     OK);
    ck_assert_int_eq(statement_execute_columns(insert, columns, 2, 3), OK);
    ck_assert_int_eq(statement_execute_columns(insert, wrong, 2, 3), ERR_INVALID);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM dated WHERE day = '2024-02-29'"), 6);
}
END_TEST

START_TEST(single_rows_and_whole_columns_can_take_turns)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    const int64_t numbers[] = {1, 2, 3};
    const char *const texts[] = {"x", "y", "z"};
    const char *const smalls[] = {NULL, NULL, NULL};
    const struct column columns[] = {{.i64 = numbers}, {.text = texts}, {.text = smalls}};
    ck_assert_int_eq(statement_new(harness_db(harness), INSERT_SQL, &insert), OK);
    for (int turn = 0; turn < 3; turn++) {
        ck_assert_int_eq(statement_execute_columns(insert, columns, 3, 3), OK);
        statement_bind_i64(insert, 0, 100 + turn);
        statement_bind_text(insert, 1, "single");
        statement_bind_null(insert, 2);
        ck_assert_int_eq(statement_execute(insert), OK);
        ck_assert_int_eq(statement_affected(insert), 1);
        ck_assert_int_eq(statement_insert_id(insert),
                         harness_i64(harness, "SELECT MAX(id) FROM t"));
    }
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM t"), 12);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(n) FROM t"), 3 * 6 + 303);
}
END_TEST

START_TEST(a_batch_that_fails_half_way_is_an_error_and_rolls_back)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    const int64_t numbers[] = {1, 2, 3};
    const char *const smalls[] = {"a", "b", "a"};
    const char *const too_long[] = {"short", "much longer than ten", "fine"};
    const struct column twice[] = {{.i64 = numbers}, {.same_text = "s"}, {.text = smalls}};
    const struct column longer[] = {{.i64 = numbers}, {.same_text = "s"}, {.text = too_long}};
    struct db *db = harness_db(harness);
    ck_assert_int_eq(statement_new(db, INSERT_SQL, &insert), OK);
    ck_assert_int_eq(db_execute(db, "START TRANSACTION"), OK);
    ck_assert_int_eq(statement_execute_columns(insert, twice, 3, 3), ERR_DUPLICATE);
    ck_assert_uint_eq(db_error_number(db), 1062);
    ck_assert_int_eq(db_execute(db, "ROLLBACK"), OK);
    /* sql_mode is strict: a text that does not fit is refused, not cut. */
    ck_assert_int_eq(db_execute(db, "START TRANSACTION"), OK);
    ck_assert_int_eq(err_class(statement_execute_columns(insert, longer, 3, 3)), CLASS_PERMANENT);
    ck_assert_int_eq(db_execute(db, "ROLLBACK"), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM t"), 0);
}
END_TEST

/* Around the size that a result's buffer begins with, then long, then short again. */
START_TEST(texts_of_every_length_come_back_whole)
{
    static const int lengths[] = {0, 1, 62, 63, 64, 65, 127, 128, 1000, 100000, 3, 70000, 64};
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    struct db *db = harness_db(harness);
    CLEANUP(free_pointer) char *text = calloc(1, 100001);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        memset(text, 'a' + (int)i, (size_t)lengths[i]);
        text[lengths[i]] = '\0';
        ck_assert_int_eq(db_run(db, NULL, "INSERT INTO t (n, s) VALUES (?, ?)", "is",
                                (int64_t)lengths[i], text),
                         OK);
    }
    ck_assert_int_eq(db_query(db, &query,
                              "SELECT n, s, LENGTH(s), REVERSE(s), n FROM t ORDER BY id", ""),
                     OK);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        bool row = false;
        ck_assert_int_eq(statement_fetch(query, &row), OK);
        ck_assert(row);
        const char *found = statement_text(query, 1);
        ck_assert_str_eq(statement_text(query, 3), found); /* each is of one letter */
        ck_assert_int_eq(statement_i64(query, 4), lengths[i]);
        ck_assert_int_eq(statement_i64(query, 2), lengths[i]);
        ck_assert_uint_eq(strlen(found), (size_t)lengths[i]);
        ck_assert_uint_eq(strspn(found, (char[]){(char)('a' + (int)i), '\0'}), (size_t)lengths[i]);
    }
}
END_TEST

struct number_case {
    const char *sql;
    enum err err;
    int64_t value;
    const char *text;
};

static const struct number_case number_cases[] = {
    {"SELECT CAST(9223372036854775807 AS DECIMAL(30))", OK, INT64_MAX, "9223372036854775807"},
    {"SELECT CAST(9223372036854775808 AS DECIMAL(30))", ERR_OVERFLOW, 0, ""},
    {"SELECT CAST(-9223372036854775809 AS DECIMAL(30))", ERR_OVERFLOW, 0, ""},
    {"SELECT CAST(9223372036854775807 AS UNSIGNED)", OK, INT64_MAX, "9223372036854775807"},
    {"SELECT CAST(9223372036854775808 AS UNSIGNED)", ERR_OVERFLOW, 0, ""},
    {"SELECT CAST(-9223372036854775808 AS SIGNED)", OK, INT64_MIN, "-9223372036854775808"},
    {"SELECT SUM(v) FROM (SELECT 9223372036854775807 AS v UNION ALL SELECT 1) x", ERR_OVERFLOW, 0,
     ""},
    {"SELECT SUM(v) FROM (SELECT 1 AS v) x WHERE v > 1", OK, 0, ""}, /* NULL */
    {"SELECT TRUE", OK, 1, "1"},
};

START_TEST(numbers_that_do_not_fit_are_an_overflow)
{
    const struct number_case *wanted = &number_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    ck_assert_int_eq(db_query(harness_db(harness), &query, wanted->sql, ""), OK);
    ck_assert_int_eq(statement_fetch(query, &row), wanted->err);
    if (wanted->err != OK) return;
    ck_assert(row);
    ck_assert_int_eq(statement_i64(query, 0), wanted->value);
    ck_assert_str_eq(statement_text(query, 0), wanted->text);
}
END_TEST

START_TEST(statements_survive_a_reconnect)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    CLEANUP(db_cleanup) struct db *db = harness_connect(harness);
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    const int64_t numbers[] = {1, 2, 3};
    const struct column columns[] = {{.i64 = numbers}, {.same_text = "s"}};
    ck_assert_int_eq(statement_new(db, "INSERT INTO t (n, s) VALUES (?, ?)", &insert), OK);
    ck_assert_int_eq(statement_new(db, "SELECT SUM(n) FROM t WHERE n < ?", &query), OK);
    ck_assert_int_eq(statement_execute_columns(insert, columns, 2, 3), OK);
    for (int64_t turn = 1; turn <= 3; turn++) {
        uint64_t old = db_session_id(db);
        if (turn == 2) ck_assert_int_eq(db_end_session(harness_db(harness), old), OK);
        ck_assert_int_eq(db_reconnect(db), OK);
        ck_assert_uint_ne(db_session_id(db), old);
        ck_assert_int_eq(statement_execute_columns(insert, columns, 2, 3), OK);
        statement_bind_i64(query, 0, 3);
        ck_assert_int_eq(statement_execute_row(query), OK);
        ck_assert_int_eq(statement_i64(query, 0), 3 * (turn + 1));
    }
    /* The old sessions are not left behind: the harness has two. */
    ck_assert_int_eq(harness_i64(harness, "SELECT @@session.autocommit"), 1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
                                 " WHERE DB = DATABASE() AND COMMAND <> 'Killed'"),
                     3);
}
END_TEST

START_TEST(every_session_is_set_up_alike)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    struct db_options options = *harness_options(harness);
    CLEANUP(db_cleanup) struct db *db = NULL;
    struct detail detail = {0};
    static const char SESSION_SQL[] =
        "SELECT @@tx_isolation = 'READ-COMMITTED' AND @@time_zone = '+00:00' AND @@autocommit = 1"
        " AND @@sql_mode LIKE '%STRICT_ALL_TABLES%' AND @@innodb_lock_wait_timeout = 3"
        " AND @@idle_transaction_timeout = 17 AND @@character_set_client = 'utf8mb4'";
    options.lock_wait_s = 3;
    options.idle_transaction_s = 17;
    ck_assert_int_eq(db_open(&options, &db, &detail), OK);
    for (int turn = 0; turn < 2; turn++) {
        int64_t good = 0;
        ck_assert_int_eq(db_query_i64(db, &good, 0, SESSION_SQL, ""), OK);
        ck_assert_int_eq(good, 1);
        ck_assert_int_eq(db_reconnect(db), OK);
    }
}
END_TEST

START_TEST(matched_rows_count_also_where_nothing_changed)
{
    CLEANUP(harness_cleanup) struct harness *harness = table_harness();
    struct db *db = harness_db(harness);
    int64_t affected = 0;
    ck_assert_int_eq(db_run(db, NULL, "INSERT INTO t (n) VALUES (?), (?)", "ii", INT64_C(1),
                            INT64_C(1)),
                     OK);
    ck_assert_int_eq(db_run(db, &affected, "UPDATE t SET n = ? WHERE n = ?", "ii", INT64_C(1),
                            INT64_C(1)),
                     OK);
    ck_assert_int_eq(affected, 2);
    int64_t value = 4711;
    ck_assert_int_eq(db_query_i64(db, &value, 5, "SELECT n FROM t WHERE n = ?", "i", INT64_C(9)),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(value, 4711);
    ck_assert_int_eq(db_query_i64(db, &value, 5, "SELECT MAX(n) FROM t WHERE n = ?", "i",
                                  INT64_C(9)),
                     OK);
    ck_assert_int_eq(value, 5);
}
END_TEST

Suite *test_statement_suite(void)
{
    Suite *suite = suite_create("statement");
    TCase *cases = tcase_create("statement");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, columns_are_stored_row_by_row);
    tcase_add_test(cases, a_value_can_be_the_same_in_every_row);
    tcase_add_test(cases, a_date_can_be_the_same_in_every_row);
    tcase_add_test(cases, single_rows_and_whole_columns_can_take_turns);
    tcase_add_test(cases, a_batch_that_fails_half_way_is_an_error_and_rolls_back);
    tcase_add_test(cases, texts_of_every_length_come_back_whole);
    tcase_add_loop_test(cases, numbers_that_do_not_fit_are_an_overflow, 0,
                        (int)COUNT_OF(number_cases));
    tcase_add_test(cases, statements_survive_a_reconnect);
    tcase_add_test(cases, every_session_is_set_up_alike);
    tcase_add_test(cases, matched_rows_count_also_where_nothing_changed);
    suite_add_tcase(suite, cases);
    return suite;
}
