#include "common/domain/civil.h"
#include "tests/unit/suites.h"

/* The expected figures of this file are those of Python's datetime module. */

static struct civil parsed(const char *text)
{
    struct civil date = {0};
    ck_assert_msg(civil_parse(text, &date) == OK, "%s is a date", text);
    return date;
}

static const char *const good_dates[] = {
    "1000-01-01", "9999-12-31", "1970-01-01", "2000-02-29", "2024-02-29",
    "1600-02-29", "1900-02-28", "2023-02-28", "2026-04-30", "2026-11-09",
};

START_TEST(dates_survive_parsing_and_formatting)
{
    char text[CIVIL_TEXT];
    civil_format(parsed(good_dates[_i]), text);
    ck_assert_str_eq(text, good_dates[_i]);
}
END_TEST

static const char *const bad_dates[] = {
    "",
    "2",
    "2026",
    "2026-",
    "2026-1",
    "2026-11",
    "2026-11-",
    "2026-11-2",
    "2026-11-220",
    "2026-11-22 ",
    " 2026-11-22",
    "2026-11-22T00:00:00",
    "2026-11-22\n",
    "2026/11/22",
    "2026-11/22",
    "2026.11.22",
    "20261122",
    "22-11-2026",
    "26-11-22",
    "2026-1-22",
    "2026-001-2",
    "+026-11-22",
    "-026-11-22",
    "2026-+1-22",
    "2026--1-22",
    "2026-11--1",
    "2026-11-+1",
    "2026- 1-22",
    "2026-11- 1",
    "0x26-11-22",
    "2026-1a-22",
    "2026-11-2b",
    "２026-11-22",
    "today",
    /* digits everywhere, and no such date */
    "2026-00-22",
    "2026-13-01",
    "2026-99-01",
    "2026-11-00",
    "2026-11-31",
    "2026-12-32",
    "2026-01-99",
    "2026-02-29",
    "1900-02-29",
    "2100-02-29",
    "2024-02-30",
    "2026-04-31",
    "2026-06-31",
    "2026-09-31",
    /* years that MariaDB's DATE does not promise */
    "0000-00-00",
    "0000-01-01",
    "0999-12-31",
    "10000-01-01",
};

START_TEST(anything_but_an_existing_date_is_refused)
{
    struct civil date = {.year = 1, .month = 2, .day = 3};
    ck_assert_msg(civil_parse(bad_dates[_i], &date) == ERR_INVALID, "\"%s\"", bad_dates[_i]);
    ck_assert_int_eq(date.year, 1);
    ck_assert_int_eq(date.month, 2);
    ck_assert_int_eq(date.day, 3);
}
END_TEST

/* Every byte in every place: what is accepted consists of digits and two hyphens, whatever the
 * locale calls a digit. */
START_TEST(only_digits_and_hyphens_are_accepted)
{
    for (size_t place = 0; place < CIVIL_TEXT - 1; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[CIVIL_TEXT] = "2026-11-11";
            bool is_hyphen = text[place] == '-';
            text[place] = (char)byte;
            struct civil date;
            if (civil_parse(text, &date) != OK) continue;
            if (is_hyphen ? byte == '-' : byte >= '0' && byte <= '9') continue;
            ck_abort_msg("byte %d in place %zu was accepted", byte, place);
        }
    }
}
END_TEST

struct validity_case {
    struct civil date;
    bool valid;
};

static const struct validity_case validity_cases[] = {
    {{1000, 1, 1}, true},          {{999, 12, 31}, false},
    {{9999, 12, 31}, true},        {{10000, 1, 1}, false},
    {{2024, 2, 29}, true},         {{2023, 2, 29}, false},
    {{2024, 0, 1}, false},         {{2024, 13, 1}, false},
    {{2024, -1, 1}, false},        {{2024, 1, 0}, false},
    {{2024, 1, -1}, false},        {{2024, 1, 32}, false},
    {{-2024, 1, 1}, false},        {{0, 0, 0}, false},
    {{INT32_MAX, 1, 1}, false},    {{INT32_MIN, 1, 1}, false},
    {{2024, INT32_MAX, 1}, false}, {{2024, 1, INT32_MIN}, false},
};

START_TEST(a_date_is_valid_when_it_exists_in_the_years_1000_to_9999)
{
    const struct validity_case *c = &validity_cases[_i];
    ck_assert_int_eq(civil_valid(c->date), c->valid);
}
END_TEST

struct year_case {
    int year;
    bool leap;
};

static const struct year_case year_cases[] = {
    {1000, false}, {1600, true},  {1700, false}, {1900, false}, {1904, true},  {1970, false},
    {1999, false}, {2000, true},  {2001, false}, {2023, false}, {2024, true},  {2025, false},
    {2026, false}, {2100, false}, {2400, true},  {9996, true},  {9999, false}, {0, true},
    {-4, true},    {-100, false}, {-400, true},  {-1, false},
};

START_TEST(leap_years_follow_the_gregorian_rule)
{
    const struct year_case *c = &year_cases[_i];
    ck_assert_int_eq(civil_is_leap_year(c->year), c->leap);
    ck_assert_int_eq(civil_days_in_month(c->year, 2), c->leap ? 29 : 28);

    struct civil first = {c->year, 1, 1}, next = {c->year + 1, 1, 1};
    ck_assert_int_eq(civil_to_days(next) - civil_to_days(first), c->leap ? 366 : 365);
}
END_TEST

START_TEST(months_have_their_lengths)
{
    static const int expected[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        ck_assert_int_eq(civil_days_in_month(2026, month), expected[month - 1]);
    }
}
END_TEST

struct day_case {
    const char *text;
    int weekday, iso_year, iso_week;
    int32_t days;
};

static const struct day_case day_cases[] = {
    {"1000-01-01", 3, 1000, 1, -354285},  {"1000-01-06", 1, 1000, 2, -354280},
    {"1582-10-15", 5, 1582, 41, -141427}, {"1600-02-29", 2, 1600, 9, -135081},
    {"1900-02-28", 3, 1900, 9, -25509},   {"1900-03-01", 4, 1900, 9, -25508},
    {"1969-12-31", 3, 1970, 1, -1},       {"1970-01-01", 4, 1970, 1, 0},
    {"2000-01-01", 6, 1999, 52, 10957},   {"2000-01-03", 1, 2000, 1, 10959},
    {"2000-02-29", 2, 2000, 9, 11016},    {"2008-12-29", 1, 2009, 1, 14242},
    {"2010-01-03", 7, 2009, 53, 14612},   {"2018-12-31", 1, 2019, 1, 17896},
    {"2019-12-29", 7, 2019, 52, 18259},   {"2019-12-30", 1, 2020, 1, 18260},
    {"2020-12-27", 7, 2020, 52, 18623},   {"2020-12-28", 1, 2020, 53, 18624},
    {"2020-12-31", 4, 2020, 53, 18627},   {"2021-01-01", 5, 2020, 53, 18628},
    {"2021-01-03", 7, 2020, 53, 18630},   {"2021-01-04", 1, 2021, 1, 18631},
    {"2024-02-29", 4, 2024, 9, 19782},    {"2024-12-29", 7, 2024, 52, 20086},
    {"2024-12-30", 1, 2025, 1, 20087},    {"2025-12-28", 7, 2025, 52, 20450},
    {"2025-12-29", 1, 2026, 1, 20451},    {"2026-01-01", 4, 2026, 1, 20454},
    {"2026-11-22", 7, 2026, 47, 20779},   {"2026-12-27", 7, 2026, 52, 20814},
    {"2026-12-28", 1, 2026, 53, 20815},   {"2026-12-31", 4, 2026, 53, 20818},
    {"2027-01-01", 5, 2026, 53, 20819},   {"2027-01-03", 7, 2026, 53, 20821},
    {"2027-01-04", 1, 2027, 1, 20822},    {"9999-12-31", 5, 9999, 52, 2932896},
};

START_TEST(days_weekdays_and_iso_weeks_of_known_dates)
{
    const struct day_case *c = &day_cases[_i];
    struct civil date = parsed(c->text);
    ck_assert_int_eq(civil_to_days(date), c->days);
    ck_assert_int_eq(civil_compare(civil_from_days(c->days), date), 0);
    ck_assert_int_eq(civil_weekday(date), c->weekday);

    int year = 0, week = 0;
    civil_iso_week(date, &year, &week);
    ck_assert_int_eq(year, c->iso_year);
    ck_assert_int_eq(week, c->iso_week);
}
END_TEST

/* A second calendar that knows nothing but the lengths of months, turned day by day. */
static struct civil day_after(struct civil date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date.year % 400 == 0 || (date.year % 4 == 0 && date.year % 100 != 0);
    int length = lengths[date.month - 1] + (date.month == 2 && leap ? 1 : 0);
    if (date.day < length) return (struct civil){date.year, date.month, date.day + 1};
    if (date.month < 12) return (struct civil){date.year, date.month + 1, 1};
    return (struct civil){date.year + 1, 1, 1};
}

static bool same(struct civil a, struct civil b)
{
    return a.year == b.year && a.month == b.month && a.day == b.day;
}

static const struct civil first_date = {1000, 1, 1};
static const int32_t first_days = -354285, last_days = 2932896;

START_TEST(every_day_of_the_calendar_survives_every_conversion)
{
    struct civil date = first_date;
    for (int32_t days = first_days; days <= last_days; days++, date = day_after(date)) {
        char text[CIVIL_TEXT];
        struct civil back = {0};
        civil_format(date, text);
        bool good = civil_valid(date) && civil_to_days(date) == days &&
                    same(civil_from_days(days), date) && civil_parse(text, &back) == OK &&
                    same(back, date);
        if (!good) ck_abort_msg("%s, day %d", text, days);
    }
    ck_assert_int_eq(date.year, 10000);
}
END_TEST

START_TEST(weekdays_follow_one_another_through_all_years)
{
    int weekday = 3; /* 1000-01-01 was a Wednesday */
    for (int32_t days = first_days; days <= last_days; days++, weekday = weekday % 7 + 1) {
        if (civil_weekday(civil_from_days(days)) != weekday) ck_abort_msg("day %d", days);
    }
}
END_TEST

/* ISO 8601 says it in another way too: week 1 is the one with January 4 in it. */
START_TEST(iso_weeks_follow_one_another_through_all_years)
{
    int week = 1, year = 1000;
    struct civil date = first_date;
    for (int32_t days = first_days; days <= last_days; days++, date = day_after(date)) {
        if (civil_weekday(date) == 1) {
            bool in_december = date.month == 12 && date.day >= 29;
            bool begins_year = in_december || (date.month == 1 && date.day <= 4);
            week = begins_year ? 1 : week + 1;
            if (begins_year) year = date.year + (in_december ? 1 : 0);
        }
        int got_year = 0, got_week = 0;
        civil_iso_week(date, &got_year, &got_week);
        if (got_year == year && got_week == week) continue;
        ck_abort_msg("%d-%d-%d is %d-W%d", date.year, date.month, date.day, got_year, got_week);
    }
}
END_TEST

struct sum_case {
    struct civil date;
    int32_t days;
    struct civil sum;
};

static const struct sum_case sum_cases[] = {
    {{2026, 11, 22}, 0, {2026, 11, 22}},   {{2026, 12, 31}, 1, {2027, 1, 1}},
    {{2027, 1, 1}, -1, {2026, 12, 31}},    {{2024, 2, 28}, 1, {2024, 2, 29}},
    {{2024, 2, 29}, 1, {2024, 3, 1}},      {{2023, 2, 28}, 1, {2023, 3, 1}},
    {{1900, 3, 1}, -1, {1900, 2, 28}},     {{2000, 3, 1}, -1, {2000, 2, 29}},
    {{1970, 1, 1}, -719468, {0, 3, 1}},    {{2000, 1, 1}, 146097, {2400, 1, 1}},
    {{2000, 1, 1}, -146097, {1600, 1, 1}}, {{9999, 12, 31}, 1, {10000, 1, 1}},
    {{1000, 1, 1}, -1, {999, 12, 31}},     {{0, 1, 1}, -1, {-1, 12, 31}},
};

START_TEST(days_are_added_over_the_ends_of_months_years_and_the_calendar)
{
    const struct sum_case *c = &sum_cases[_i];
    struct civil sum = civil_add_days(c->date, c->days);
    ck_assert_int_eq(sum.year, c->sum.year);
    ck_assert_int_eq(sum.month, c->sum.month);
    ck_assert_int_eq(sum.day, c->sum.day);
    ck_assert(same(civil_add_days(sum, -c->days), c->date));
}
END_TEST

START_TEST(the_widest_day_numbers_survive_the_round_trip)
{
    static const int32_t numbers[] = {INT32_MIN, INT32_MIN + 1, -719469,  -719468, -719467, -1, 0,
                                      1,         INT32_MAX - 1, INT32_MAX};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        ck_assert_int_eq(civil_to_days(civil_from_days(numbers[i])), numbers[i]);
    }
}
END_TEST

START_TEST(years_below_1000_have_a_text_too)
{
    char text[CIVIL_TEXT];
    civil_format((struct civil){999, 12, 31}, text);
    ck_assert_str_eq(text, "0999-12-31");
    civil_format((struct civil){0, 2, 29}, text);
    ck_assert_str_eq(text, "0000-02-29");
}
END_TEST

START_TEST(dates_are_compared_by_year_then_month_then_day)
{
    static const struct civil ascending[] = {
        {1000, 12, 31}, {2025, 1, 31}, {2025, 2, 1},   {2025, 2, 2},
        {2025, 12, 1},  {2026, 1, 1},  {9999, 12, 31},
    };
    for (size_t i = 0; i < COUNT_OF(ascending); i++) {
        for (size_t j = 0; j < COUNT_OF(ascending); j++) {
            int expected = i < j ? -1 : i > j ? 1 : 0;
            ck_assert_int_eq(civil_compare(ascending[i], ascending[j]), expected);
        }
    }
}
END_TEST

Suite *test_civil_suite(void)
{
    Suite *suite = suite_create("civil");

    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, dates_survive_parsing_and_formatting, 0, COUNT_OF(good_dates));
    tcase_add_loop_test(text, anything_but_an_existing_date_is_refused, 0, COUNT_OF(bad_dates));
    tcase_add_test(text, only_digits_and_hyphens_are_accepted);
    tcase_add_test(text, years_below_1000_have_a_text_too);
    suite_add_tcase(suite, text);

    TCase *calendar = tcase_create("calendar");
    tcase_add_loop_test(calendar, a_date_is_valid_when_it_exists_in_the_years_1000_to_9999, 0,
                        COUNT_OF(validity_cases));
    tcase_add_loop_test(calendar, leap_years_follow_the_gregorian_rule, 0, COUNT_OF(year_cases));
    tcase_add_test(calendar, months_have_their_lengths);
    tcase_add_loop_test(calendar, days_weekdays_and_iso_weeks_of_known_dates, 0,
                        COUNT_OF(day_cases));
    tcase_add_loop_test(calendar, days_are_added_over_the_ends_of_months_years_and_the_calendar, 0,
                        COUNT_OF(sum_cases));
    tcase_add_test(calendar, the_widest_day_numbers_survive_the_round_trip);
    tcase_add_test(calendar, dates_are_compared_by_year_then_month_then_day);
    suite_add_tcase(suite, calendar);

    TCase *every_day = tcase_create("every day");
    tcase_set_timeout(every_day, 120);
    tcase_add_test(every_day, every_day_of_the_calendar_survives_every_conversion);
    tcase_add_test(every_day, weekdays_follow_one_another_through_all_years);
    tcase_add_test(every_day, iso_weeks_follow_one_another_through_all_years);
    suite_add_tcase(suite, every_day);
    return suite;
}
