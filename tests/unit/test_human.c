#include "common/human.h"

#include "tests/unit/suites.h"

struct human_case {
    int64_t value;
    const char *text;
};

static const struct human_case counts[] = {
    {0, "0"},
    {999, "999"},
    {1000, "1,000"},
    {-1000, "-1,000"},
    {1234567, "1,234,567"},
    {INT64_MAX, "9,223,372,036,854,775,807"},
    {INT64_MIN, "-9,223,372,036,854,775,808"},
};

static const struct human_case durations[] = {
    {-5, "0.000 s"},    {0, "0.000 s"},        {42999, "0.042 s"},      {999999, "0.999 s"},
    {1000000, "1.0 s"}, {6789000, "6.7 s"},    {59999999, "59.9 s"},    {60000000, "1:00"},
    {83000000, "1:23"}, {3599999999, "59:59"}, {3600000000, "1:00:00"}, {7384000000, "2:03:04"},
};

static const struct human_case hours[] = {
    {0, "0:00:00"},    {59, "0:00:59"},     {3723, "1:02:03"},
    {-59, "-0:00:59"}, {-3723, "-1:02:03"}, {7500000, "2,083:20:00"},
};

struct width_case {
    const char *text;
    int width;
};

static const struct width_case widths[] = {
    {"", 0}, {"abc", 3}, {"é", 1}, {"e\xcc\x81", 1}, {"한국어", 6}, {"日本", 4}, {"→", 1}, {"🎬", 2},
};

START_TEST(a_count_has_thousands_separators)
{
    ck_assert_str_eq(HUMAN_COUNT(counts[_i].value), counts[_i].text);
}
END_TEST

START_TEST(a_duration_is_cut_and_never_rounded_up)
{
    ck_assert_str_eq(HUMAN_DURATION(durations[_i].value), durations[_i].text);
}
END_TEST

START_TEST(seconds_become_hours)
{
    char text[HUMAN_TEXT];
    human_hours(hours[_i].value, text);
    ck_assert_str_eq(text, hours[_i].text);
}
END_TEST

START_TEST(width_counts_columns_and_not_bytes)
{
    ck_assert_int_eq(human_width(widths[_i].text), widths[_i].width);
}
END_TEST

Suite *test_human_suite(void)
{
    Suite *suite = suite_create("human");
    TCase *cases = tcase_create("human");
    tcase_add_loop_test(cases, a_count_has_thousands_separators, 0, (int)COUNT_OF(counts));
    tcase_add_loop_test(cases, a_duration_is_cut_and_never_rounded_up, 0, (int)COUNT_OF(durations));
    tcase_add_loop_test(cases, seconds_become_hours, 0, (int)COUNT_OF(hours));
    tcase_add_loop_test(cases, width_counts_columns_and_not_bytes, 0, (int)COUNT_OF(widths));
    suite_add_tcase(suite, cases);
    return suite;
}
