#include "common/domain/period.h"
#include "tests/unit/suites.h"

START_TEST(each_period_has_the_word_of_the_tables)
{
    ck_assert_str_eq(period_name(PERIOD_DAILY), "DAILY");
    ck_assert_str_eq(period_name(PERIOD_WEEKLY), "WEEKLY");
    ck_assert_str_eq(period_name(PERIOD_MONTHLY), "MONTHLY");
    ck_assert_str_eq(period_name(PERIOD_YEARLY), "YEARLY");
}
END_TEST

struct word_case {
    const char *text;
    enum period period;
};

static const struct word_case good_words[] = {
    {"DAILY", PERIOD_DAILY},     {"daily", PERIOD_DAILY},     {"Daily", PERIOD_DAILY},
    {"WEEKLY", PERIOD_WEEKLY},   {"weekly", PERIOD_WEEKLY},   {"wEEKLy", PERIOD_WEEKLY},
    {"MONTHLY", PERIOD_MONTHLY}, {"monthly", PERIOD_MONTHLY}, {"YEARLY", PERIOD_YEARLY},
    {"yearly", PERIOD_YEARLY},
};

START_TEST(words_are_understood_in_any_case)
{
    enum period period = PERIOD_COUNT;
    ck_assert_int_eq(period_parse(good_words[_i].text, &period), OK);
    ck_assert_int_eq(period, good_words[_i].period);
}
END_TEST

static const char *const bad_words[] = {
    "",     "day",   "dail", "dailyy",    " daily", "daily ",
    "week", "month", "year", "quarterly", "0",      "ALL",
};

START_TEST(other_words_are_refused)
{
    enum period period = PERIOD_COUNT;
    ck_assert_msg(period_parse(bad_words[_i], &period) == ERR_INVALID, "\"%s\"", bad_words[_i]);
    ck_assert_int_eq(period, PERIOD_COUNT);
}
END_TEST

struct bounds_case {
    enum period period;
    const char *date, *first, *last;
};

static const struct bounds_case bounds_cases[] = {
    {PERIOD_DAILY, "2026-11-22", "2026-11-22", "2026-11-22"},
    {PERIOD_DAILY, "2024-02-29", "2024-02-29", "2024-02-29"},
    {PERIOD_DAILY, "1000-01-01", "1000-01-01", "1000-01-01"},
    {PERIOD_DAILY, "9999-12-31", "9999-12-31", "9999-12-31"},

    {PERIOD_WEEKLY, "2026-11-15", "2026-11-09", "2026-11-15"}, /* Sunday */
    {PERIOD_WEEKLY, "2026-11-16", "2026-11-16", "2026-11-22"}, /* Monday */
    {PERIOD_WEEKLY, "2026-11-22", "2026-11-16", "2026-11-22"},
    {PERIOD_WEEKLY, "2024-02-29", "2024-02-26", "2024-03-03"},
    {PERIOD_WEEKLY, "2025-12-28", "2025-12-22", "2025-12-28"},
    {PERIOD_WEEKLY, "2025-12-29", "2025-12-29", "2026-01-04"}, /* 2026-W01 begins in 2025 */
    {PERIOD_WEEKLY, "2026-01-01", "2025-12-29", "2026-01-04"},
    {PERIOD_WEEKLY, "2020-12-31", "2020-12-28", "2021-01-03"}, /* 2020-W53 */
    {PERIOD_WEEKLY, "2021-01-03", "2020-12-28", "2021-01-03"},
    {PERIOD_WEEKLY, "2021-01-04", "2021-01-04", "2021-01-10"},
    {PERIOD_WEEKLY, "2026-12-28", "2026-12-28", "2027-01-03"}, /* 2026-W53 */
    {PERIOD_WEEKLY, "2027-01-01", "2026-12-28", "2027-01-03"},
    {PERIOD_WEEKLY, "2027-01-04", "2027-01-04", "2027-01-10"},
    {PERIOD_WEEKLY, "1000-01-01", "1000-01-01",
     "1000-01-05"}, /* the calendar begins on Wednesday */
    {PERIOD_WEEKLY, "1000-01-05", "1000-01-01", "1000-01-05"},
    {PERIOD_WEEKLY, "1000-01-06", "1000-01-06", "1000-01-12"},
    {PERIOD_WEEKLY, "9999-12-26", "9999-12-20", "9999-12-26"},
    {PERIOD_WEEKLY, "9999-12-27", "9999-12-27", "9999-12-31"}, /* and ends on Friday */
    {PERIOD_WEEKLY, "9999-12-31", "9999-12-27", "9999-12-31"},

    {PERIOD_MONTHLY, "2026-11-22", "2026-11-01", "2026-11-30"},
    {PERIOD_MONTHLY, "2026-01-31", "2026-01-01", "2026-01-31"},
    {PERIOD_MONTHLY, "2026-12-01", "2026-12-01", "2026-12-31"},
    {PERIOD_MONTHLY, "1900-02-28", "1900-02-01", "1900-02-28"},
    {PERIOD_MONTHLY, "2000-02-01", "2000-02-01", "2000-02-29"},
    {PERIOD_MONTHLY, "2023-02-15", "2023-02-01", "2023-02-28"},
    {PERIOD_MONTHLY, "2024-02-29", "2024-02-01", "2024-02-29"},
    {PERIOD_MONTHLY, "1000-01-01", "1000-01-01", "1000-01-31"},
    {PERIOD_MONTHLY, "9999-12-31", "9999-12-01", "9999-12-31"},

    {PERIOD_YEARLY, "2026-11-22", "2026-01-01", "2026-12-31"},
    {PERIOD_YEARLY, "2026-01-01", "2026-01-01", "2026-12-31"},
    {PERIOD_YEARLY, "2024-02-29", "2024-01-01", "2024-12-31"},
    {PERIOD_YEARLY, "2024-12-31", "2024-01-01", "2024-12-31"},
    {PERIOD_YEARLY, "1000-06-15", "1000-01-01", "1000-12-31"},
    {PERIOD_YEARLY, "9999-06-15", "9999-01-01", "9999-12-31"},
};

START_TEST(a_period_reaches_from_its_first_to_its_last_day)
{
    const struct bounds_case *c = &bounds_cases[_i];
    struct civil date = {0};
    char text[CIVIL_TEXT];
    ck_assert_int_eq(civil_parse(c->date, &date), OK);
    civil_format(period_first(c->period, date), text);
    ck_assert_str_eq(text, c->first);
    civil_format(period_last(c->period, date), text);
    ck_assert_str_eq(text, c->last);
}
END_TEST

/* Each day belongs to the period of the day before, or begins one right behind it: no day is lost,
 * none lies in two. */
START_TEST(periods_cover_every_day_of_the_calendar_exactly_once)
{
    enum period period = (enum period)_i;
    struct civil first = {1000, 1, 1};
    struct civil last = period_last(period, first);
    int32_t end = civil_to_days((struct civil){9999, 12, 31});
    for (int32_t days = civil_to_days(first); days <= end; days++) {
        struct civil date = civil_from_days(days);
        if (civil_compare(date, last) > 0) {
            first = date;
            last = period_last(period, date);
        }
        bool good = civil_compare(period_first(period, date), first) == 0 &&
                    civil_compare(period_last(period, date), last) == 0 &&
                    civil_compare(first, date) <= 0 && civil_compare(date, last) <= 0;
        if (!good)
            ck_abort_msg("%s of %d-%d-%d", period_name(period), date.year, date.month, date.day);
    }
    ck_assert_int_eq(civil_to_days(last), end);
}
END_TEST

Suite *test_period_suite(void)
{
    Suite *suite = suite_create("period");

    TCase *words = tcase_create("words");
    tcase_add_test(words, each_period_has_the_word_of_the_tables);
    tcase_add_loop_test(words, words_are_understood_in_any_case, 0, COUNT_OF(good_words));
    tcase_add_loop_test(words, other_words_are_refused, 0, COUNT_OF(bad_words));
    suite_add_tcase(suite, words);

    TCase *bounds = tcase_create("bounds");
    tcase_set_timeout(bounds, 120);
    tcase_add_loop_test(bounds, a_period_reaches_from_its_first_to_its_last_day, 0,
                        COUNT_OF(bounds_cases));
    tcase_add_loop_test(bounds, periods_cover_every_day_of_the_calendar_exactly_once, 0,
                        PERIOD_COUNT);
    suite_add_tcase(suite, bounds);
    return suite;
}
