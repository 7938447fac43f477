#include "cli/explain.h"

#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

static const struct civil DAY = {2026, 7, 3};

/* Content 1: two settled days, the second crosses two tiers: T(500004) = 540005.0, T(99999) =
 * 99999.0. Content 2 is parked, content 3 has views on an earlier day only. */
static const char *const SETTLED_SQL[] = {
    "INSERT INTO member VALUES (9, 'a@b.c', 'the creator', 'CREATOR')",
    "INSERT INTO content_post (content_post_id, member_id, title, duration) VALUES"
    " (1, 9, 'one', 60), (3, 9, 'three', 60)",
    "INSERT INTO content_statistics VALUES"
    " ('DAILY', '2026-07-01', 1, 99999, 1, 10, 99999, 10),"
    " ('DAILY', '2026-07-03', 1, 400005, 1, 0, 500004, 10),"
    " ('DAILY', '2026-07-03', 2, 5, 1, 1, 5, 1),"
    " ('DAILY', '2026-07-01', 3, 5, 1, 0, 5, 0)",
    "INSERT INTO settlement VALUES"
    " ('2026-07-01', 1, 9, 99999000000, 100000000, 99999000000, 100000000, 'COMPLETED', 11),"
    " ('2026-07-03', 1, 9, 440006000000, 0, 540005000000, 100000000, 'CALCULATED', 13),"
    " ('2026-07-01', 3, 9, 5000000, 0, 5000000, 0, 'CALCULATED', 11)",
    "INSERT INTO parked_content VALUES ('2026-07-03', 2, 'no content_post row', 13, NULL)",
    "INSERT INTO day_close VALUES"
    " ('2026-07-01', 'CLOSED', NOW(6), NOW(6), 100004, 10, 11, 0),"
    " ('2026-07-03', 'CLOSED', NOW(6), NOW(6), 400010, 1, 13, 0)",
};

static struct harness *new_harness(void)
{
    struct harness *harness = harness_new();
    for (size_t i = 0; i < COUNT_OF(SETTLED_SQL); i++)
        harness_execute(harness, SETTLED_SQL[i]);
    return harness;
}

static void load(struct harness *harness, int64_t content_id, struct explanation *ret_explanation)
{
    struct detail detail = {{0}};
    enum err err = explain_load(harness_db(harness), content_id, DAY, ret_explanation, &detail);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
}

START_TEST(a_settled_day_is_recomputed_and_equal)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    static struct explanation found;
    load(harness, 1, &found);
    ck_assert_int_eq(found.state, EXPLAINED_EQUAL);
    ck_assert_str_eq(found.previous_date, "2026-07-01");
    ck_assert_str_eq(found.creator_name, "the creator");
    ck_assert_str_eq(found.status, "CALCULATED");
    ck_assert_int_eq(found.job_execution_id, 13);
    const struct explanation_kind *content = &found.kinds[0], *ad = &found.kinds[1];
    ck_assert_int_eq(content->views_of_day, 400005);
    ck_assert_int_eq(content->views_before, 99999);
    ck_assert_int_eq(content->views_now, 500004);
    ck_assert_int_eq(content->before_micros, INT64_C(99999000000));
    ck_assert_int_eq(content->now_micros, INT64_C(540005000000));
    ck_assert_int_eq(content->amount_micros, INT64_C(440006000000));
    ck_assert_int_eq(ad->amount_micros, 0);
    ck_assert_int_eq(ad->total_micros, 100000000);
}
END_TEST

START_TEST(the_first_day_counts_from_zero)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    static struct explanation found;
    struct civil first = {2026, 7, 1};
    ck_assert_int_eq(explain_load(harness_db(harness), 1, first, &found, NULL), OK);
    ck_assert_int_eq(found.state, EXPLAINED_EQUAL);
    ck_assert_str_eq(found.previous_date, "");
    ck_assert_int_eq(found.kinds[0].views_before, 0);
    ck_assert_int_eq(found.kinds[1].amount_micros, 100000000);
}
END_TEST

struct corruption {
    const char *sql;
    int kind;
};

static const struct corruption corruptions[] = {
    {"UPDATE settlement SET content_revenue_micros = content_revenue_micros + 1"
     " WHERE settlement_date = '2026-07-03'",
     0},
    {"UPDATE settlement SET total_content_revenue_micros = total_content_revenue_micros - 1"
     " WHERE settlement_date = '2026-07-03'",
     0},
    {"UPDATE settlement SET ad_revenue_micros = 1 WHERE settlement_date = '2026-07-03'", 1},
    {"UPDATE settlement SET total_ad_revenue_micros = 1 WHERE settlement_date = '2026-07-01'", 1},
    {"UPDATE content_statistics SET accumulated_views = accumulated_views + 1"
     " WHERE statistics_date = '2026-07-03'",
     0},
    {"UPDATE content_statistics SET view_count = view_count + 1"
     " WHERE statistics_date = '2026-07-01'",
     0},
    {"UPDATE settlement_rate SET price_micros = price_micros + 1 WHERE min_views = 0"
     " AND settlement_type = 'CONTENT'",
     0},
};

START_TEST(one_changed_figure_is_found)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    harness_execute(harness, corruptions[_i].sql);
    static struct explanation found;
    load(harness, 1, &found);
    ck_assert_int_eq(found.state, EXPLAINED_DIFFERENT);
    ck_assert(!found.kinds[corruptions[_i].kind].equal);
    ck_assert(found.kinds[1 - corruptions[_i].kind].equal);
}
END_TEST

START_TEST(a_removed_row_is_missing)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    harness_execute(harness, "DELETE FROM settlement WHERE settlement_date = '2026-07-03'");
    static struct explanation found;
    load(harness, 1, &found);
    ck_assert_int_eq(found.state, EXPLAINED_MISSING);
    ck_assert_int_eq(found.kinds[0].amount_micros, INT64_C(440006000000));
}
END_TEST

START_TEST(a_parked_content_says_why)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    static struct explanation found;
    load(harness, 2, &found);
    ck_assert_int_eq(found.state, EXPLAINED_PARKED);
    ck_assert(!found.has_post);
    ck_assert_str_eq(found.reason, "no content_post row");
    ck_assert_str_eq(found.paid_on, "");
    ck_assert_int_eq(found.kinds[0].amount_micros, 5000000);
    harness_execute(harness, "UPDATE parked_content SET paid_on = '2026-07-04'");
    load(harness, 2, &found);
    ck_assert_str_eq(found.paid_on, "2026-07-04");
}
END_TEST

START_TEST(a_day_without_views_is_not_found)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct explanation found = {.content_id = 4711};
    struct detail detail = {{0}};
    ck_assert_int_eq(explain_load(harness_db(harness), 3, DAY, &found, &detail), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(detail.text, "last settled before on 2026-07-01"));
    ck_assert_int_eq(explain_load(harness_db(harness), 77, DAY, &found, &detail), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(detail.text, "no views on 2026-07-03"));
    ck_assert_int_eq(found.content_id, 4711);
}
END_TEST

START_TEST(a_day_that_is_not_closed_says_how_to_settle_it)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    struct civil open = {2026, 7, 4};
    static struct explanation found;
    struct detail detail = {{0}};
    ck_assert_int_eq(explain_load(harness_db(harness), 1, open, &found, &detail), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(
        strstr(detail.text, "settlementd run daily-settlement --date 2026-07-04"));
}
END_TEST

START_TEST(broken_rates_are_told)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    harness_execute(harness, "DELETE FROM settlement_rate WHERE min_views = 0");
    static struct explanation found;
    struct detail detail = {{0}};
    ck_assert_int_eq(explain_load(harness_db(harness), 1, DAY, &found, &detail), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(detail.text, "CONTENT rates"));
}
END_TEST

START_TEST(an_overflow_names_content_and_day)
{
    CLEANUP(harness_cleanup) struct harness *harness = new_harness();
    harness_execute(harness, "UPDATE settlement_rate SET price_micros = 9223372036854775807");
    static struct explanation found;
    struct detail detail = {{0}};
    ck_assert_int_eq(explain_load(harness_db(harness), 1, DAY, &found, &detail), ERR_OVERFLOW);
    ck_assert_ptr_nonnull(strstr(detail.text, "content 1 on 2026-07-03"));
}
END_TEST

Suite *test_explain_suite(void)
{
    const TTest *const tests[] = {
        a_settled_day_is_recomputed_and_equal,
        the_first_day_counts_from_zero,
        a_removed_row_is_missing,
        a_parked_content_says_why,
        a_day_without_views_is_not_found,
        a_day_that_is_not_closed_says_how_to_settle_it,
        broken_rates_are_told,
        an_overflow_names_content_and_day,
    };
    Suite *suite = suite_create("explain");
    TCase *cases = tcase_create("explain");
    tcase_set_timeout(cases, 60);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    tcase_add_loop_test(cases, one_changed_figure_is_found, 0, (int)COUNT_OF(corruptions));
    suite_add_tcase(suite, cases);
    return suite;
}
