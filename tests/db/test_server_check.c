/* Settings that would make a commit less than a commit are refused by name. They are the server's,
 * so each test puts back what it changed, and the fixture does so for one that failed half way. */
#include "common/server_check.h"

#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

static void restore(void)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    harness_execute(harness, "SET GLOBAL innodb_flush_log_at_trx_commit = 1");
}

START_TEST(a_durable_server_is_accepted)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct detail detail = {0};
    enum err err = server_check(harness_db(harness), &harness_config(harness)->database, &detail);
    ck_assert_msg(err == OK, "%s", detail.text);
}
END_TEST

static const char *const weaker[] = {"0", "2"};

START_TEST(commits_that_may_be_lost_are_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct detail detail = {0};
    char sql[100];
    ck_assert(text_format(sql, sizeof(sql), "SET GLOBAL innodb_flush_log_at_trx_commit = %s",
                          weaker[_i]));
    harness_execute(harness, sql);
    enum err err = server_check(harness_db(harness), &harness_config(harness)->database, &detail);
    harness_execute(harness, "SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    ck_assert_int_eq(err, ERR_SETTING);
    ck_assert_ptr_nonnull(strcasestr(detail.text, "innodb_flush_log_at_trx_commit"));
    ck_assert(text_format(sql, sizeof(sql), "is %s and must be 1", weaker[_i]));
    ck_assert_msg(strstr(detail.text, sql) != NULL, "%s", detail.text);
    ck_assert_int_eq(server_check(harness_db(harness), &harness_config(harness)->database, &detail),
                     OK);
}
END_TEST

/* sync_binlog matters only while there is a binlog, which cannot be switched at run time. */
START_TEST(the_binlogs_setting_counts_when_there_is_a_binlog)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct detail detail = {0};
    bool has_binlog = harness_i64(harness, "SELECT @@log_bin") != 0;
    int64_t before = harness_i64(harness, "SELECT @@sync_binlog");
    char sql[100];
    harness_execute(harness, "SET GLOBAL sync_binlog = 0");
    enum err err = server_check(harness_db(harness), &harness_config(harness)->database, &detail);
    ck_assert(text_format(sql, sizeof(sql), "SET GLOBAL sync_binlog = %lld", (long long)before));
    harness_execute(harness, sql);
    ck_assert_int_eq(err, has_binlog ? ERR_SETTING : OK);
    if (has_binlog) ck_assert_ptr_nonnull(strcasestr(detail.text, "sync_binlog"));
}
END_TEST

START_TEST(a_table_without_transactions_is_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct detail detail = {0};
    harness_execute(harness, "CREATE TABLE sloppy (i INT) ENGINE=MyISAM");
    harness_share(harness, "sloppy");
    ck_assert_int_eq(server_check(harness_db(harness), &harness_config(harness)->database, &detail),
                     ERR_SETTING);
    ck_assert_ptr_nonnull(strstr(detail.text, "sloppy is MyISAM"));
    harness_execute(harness, "ALTER TABLE sloppy ENGINE=InnoDB");
    ck_assert_int_eq(server_check(harness_db(harness), &harness_config(harness)->database, &detail),
                     OK);
}
END_TEST

Suite *test_server_check_suite(void)
{
    Suite *suite = suite_create("server_check");
    TCase *cases = tcase_create("server_check");
    tcase_set_timeout(cases, 60);
    tcase_add_unchecked_fixture(cases, NULL, restore);
    tcase_add_test(cases, a_durable_server_is_accepted);
    tcase_add_loop_test(cases, commits_that_may_be_lost_are_refused, 0, (int)COUNT_OF(weaker));
    tcase_add_test(cases, the_binlogs_setting_counts_when_there_is_a_binlog);
    tcase_add_test(cases, a_table_without_transactions_is_refused);
    suite_add_tcase(suite, cases);
    return suite;
}
