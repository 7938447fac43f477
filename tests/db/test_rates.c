#include "common/rates.h"

#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

START_TEST(the_default_rates_are_in_force_from_the_start)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    struct detail detail = {{0}};
    struct tier_table table = {0};
    int64_t micros = 0;
    ck_assert_int_eq(rates_load(db, RATE_CONTENT, "2026-07-01", &table, &detail), OK);
    ck_assert_int_eq(table.count, 4);
    ck_assert_int_eq(tier_total(&table, 500004, &micros), OK);
    ck_assert_int_eq(micros, INT64_C(540005000000));
    ck_assert_int_eq(rates_load(db, RATE_ADVERTISEMENT, "1970-01-01", &table, &detail), OK);
    ck_assert_int_eq(table.count, 4);
    ck_assert_int_eq(table.tiers[3].price_micros, 20000000);
}
END_TEST

START_TEST(rates_change_on_the_day_that_they_say)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct db *db = harness_db(harness);
    harness_execute(harness,
                    "UPDATE settlement_rate SET applied_until = '2026-07-01'"
                    " WHERE settlement_type = 'CONTENT'");
    harness_execute(harness,
                    "INSERT INTO settlement_rate VALUES"
                    " ('CONTENT', '2026-07-01', 0, 2000000, NULL)");
    struct tier_table table = {0};
    ck_assert_int_eq(rates_load(db, RATE_CONTENT, "2026-06-30", &table, NULL), OK);
    ck_assert_int_eq(table.count, 4);
    ck_assert_int_eq(rates_load(db, RATE_CONTENT, "2026-07-01", &table, NULL), OK);
    ck_assert_int_eq(table.count, 1);
    ck_assert_int_eq(table.tiers[0].price_micros, 2000000);
}
END_TEST

struct wrong_case {
    const char *sql;
    const char *words[4]; /* all must be in the message */
};

static const struct wrong_case wrong_cases[] = {
    {"DELETE FROM settlement_rate WHERE settlement_type = 'CONTENT' AND min_views = 0",
     {"CONTENT", "2026-07-01", "100000", "none at 0"}},
    {"DELETE FROM settlement_rate WHERE settlement_type = 'CONTENT'",
     {"no CONTENT rate", "2026-07-01", "settlement_rate", "min_views 0"}},
    {"UPDATE settlement_rate SET applied_until = '2026-07-01'",
     {"no CONTENT rate", "2026-07-01", "settlement_rate", "min_views 0"}},
    {"INSERT INTO settlement_rate VALUES ('CONTENT', '2025-01-01', 100000, 1, NULL)",
     {"two CONTENT rates", "100000", "1970-01-01", "2025-01-01"}},
    {"INSERT INTO settlement_rate VALUES ('CONTENT', '2025-01-01', 0, 1, '2026-07-02')",
     {"two CONTENT rates", "from 0", "1970-01-01", "2026-07-02"}},
};

START_TEST(gaps_and_overlaps_are_refused_by_name)
{
    const struct wrong_case *wrong = &wrong_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    harness_execute(harness, wrong->sql);
    struct tier_table table = {.count = 4711};
    struct detail detail = {{0}};
    ck_assert_int_eq(rates_load(harness_db(harness), RATE_CONTENT, "2026-07-01", &table, &detail),
                     ERR_INVALID);
    ck_assert_int_eq(table.count, 4711);
    for (size_t i = 0; i < COUNT_OF(wrong->words); i++)
        ck_assert_msg(strstr(detail.text, wrong->words[i]) != NULL, "\"%s\" lacks \"%s\"",
                      detail.text, wrong->words[i]);
}
END_TEST

START_TEST(more_tiers_than_fit_are_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    harness_execute(harness,
                    "INSERT INTO settlement_rate SELECT 'CONTENT', '2000-01-01',"
                    " 2000000 + seq, 1, NULL FROM seq_1_to_61");
    struct tier_table table = {0};
    struct detail detail = {{0}};
    ck_assert_int_eq(rates_load(harness_db(harness), RATE_CONTENT, "2026-07-01", &table, &detail),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(detail.text, "CONTENT rate from 2000061 views"));
}
END_TEST

START_TEST(a_lost_connection_is_told_with_the_servers_words)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(db_cleanup) struct db *other = harness_connect(harness);
    ck_assert_int_eq(db_end_session(harness_db(harness), db_session_id(other)), OK);
    struct tier_table table = {0};
    struct detail detail = {{0}};
    enum err err = rates_load(other, RATE_CONTENT, "2026-07-01", &table, &detail);
    ck_assert_int_eq(err_class(err), CLASS_CONNECTION);
    ck_assert_ptr_nonnull(strstr(detail.text, "reading the CONTENT rates"));
}
END_TEST

Suite *test_rates_suite(void)
{
    Suite *suite = suite_create("rates");
    TCase *cases = tcase_create("rates");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_default_rates_are_in_force_from_the_start);
    tcase_add_test(cases, rates_change_on_the_day_that_they_say);
    tcase_add_loop_test(cases, gaps_and_overlaps_are_refused_by_name, 0,
                        (int)COUNT_OF(wrong_cases));
    tcase_add_test(cases, more_tiers_than_fit_are_refused);
    tcase_add_test(cases, a_lost_connection_is_told_with_the_servers_words);
    suite_add_tcase(suite, cases);
    return suite;
}
