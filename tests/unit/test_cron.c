#include <string.h>

#include "common/schedule/cron.h"
#include "tests/unit/suites.h"

enum { DAY_S = 86400 };

static struct cron parsed(const char *text)
{
    struct cron cron;
    struct detail detail = {""};
    ck_assert_msg(cron_parse(text, &cron, &detail) == OK, "\"%s\": %s", text, detail.text);
    return cron;
}

static int64_t local_of(const char *day, int hour, int minute)
{
    struct civil date;
    ck_assert_int_eq(civil_parse(day, &date), OK);
    return (int64_t)civil_to_days(date) * DAY_S + hour * 3600 + minute * 60;
}

struct date_case {
    const char *text;
    const char *from; /* the first of these days */
    const char *days; /* one letter a day from there on: 'x' is matched */
};

/* February 2026 begins on a Sunday and has 28 days, March begins on a Sunday, too. */
static const struct date_case date_cases[] = {
    {"0 0 * * *", "2026-02-01", "xxxxxxx"},
    {"0 0 1,3-5 * *", "2026-02-01", "x.xxx.."},
    {"0 0 */2 * *", "2026-02-25", "x.x.x.x"},
    {"0 0 L * *", "2026-02-25", "...x..."},
    {"0 0 l * *", "2024-02-25", "....x.."},
    {"0 0 L-3 * *", "2026-02-25", "x......"},
    {"0 0 L,L-2,2 * *", "2026-02-25", ".x.x.x."},
    {"0 0 L-29 * *", "2026-02-28", "..x...."}, /* 31 days: March 2; February has no such day */
    {"0 0 15W * *", "2026-02-13", "...x..."},  /* the 15th is a Sunday */
    {"0 0 14w * *", "2026-02-12", ".x....."},  /* a Saturday */
    {"0 0 1W * *", "2026-08-01", "..x...."},   /* a Saturday: not July 31 */
    {"0 0 1W * *", "2026-02-01", ".x....."},   /* a Sunday */
    {"0 0 31W * *", "2026-05-28", ".x....."},  /* a Sunday: not June 1 */
    {"0 0 31W * *", "2026-06-26", "......."},  /* June has no 31st */
    {"0 0 31W * *", "2026-04-28", "......."},
    {"0 0 LW * *", "2026-05-27", "..x...."}, /* 31 May is a Sunday */
    {"0 0 LW * *", "2026-02-25", "..x...."}, /* 28 February is a Saturday */
    {"0 0 LW * *", "2026-06-27", "...x..."},
    {"0 0 LW,1 * *", "2026-05-27", "..x..x."},
    {"0 0 * * 0", "2026-02-01", "x......x"},
    {"0 0 * * 7", "2026-02-01", "x......x"},
    {"0 0 * * 5-7", "2026-02-01", "x....xx"},
    {"0 0 * * 0-7", "2026-02-01", "xxxxxxx"},
    {"0 0 * * 1-5/2", "2026-02-01", ".x.x.x."},
    {"0 0 * * */2", "2026-02-01", "x.x.x.x"},
    {"0 0 * * mon,Wed,FRI", "2026-02-01", ".x.x.x."},
    {"0 0 * * FRI-MON", "2026-02-01", "xx...xx"},
    {"0 0 * * FRI-MON/2", "2026-02-01", "x....x."},
    {"0 0 * * SAT-SUN", "2026-02-01", "x.....x"},
    {"0 0 * * MON-MON", "2026-02-01", ".x....."},
    {"0 0 * * MON#2", "2026-02-01", "........x......."},
    {"0 0 * * sun#1,SUN#4", "2026-02-15", ".......x......x"},
    {"0 0 * * SAT#1", "2026-02-01", "......x......."},
    {"0 0 * * SATL", "2026-02-21", ".......x"},
    {"0 0 * * SUN#5", "2026-02-22", "..............."},
    {"0 0 * * SUN#5", "2026-03-22", ".......x"},
    {"0 0 * * SUNL", "2026-03-22", ".......x"},
    {"0 0 * * friL", "2026-02-20", ".......x"},
    {"0 0 * NOV-FEB *", "2026-02-26", "xxx...."},
    {"0 0 * NOV-FEB *", "2026-10-30", "..xxxxx"},
    {"0 0 * jan,3 *", "2026-02-26", "...xxxx"},
    {"0 0 29 2 *", "2028-02-26", "...x..."},
    {"0 0 29 2 *", "2026-02-26", "......."},
    /* both restricted: either; one begins with '*': both */
    {"0 0 2 * SUN", "2026-02-01", "xx.....x"},
    {"0 0 */7 * SUN", "2026-02-01", "x......x"},
    {"0 0 */7 * MON", "2026-02-01", "........"},
    {"0 0 2 * */3", "2026-02-01", "........"},
    {"0 0 4 * */3", "2026-02-01", "...x...."},
    {"0 0 2,* * SUN", "2026-02-01", "xxxxxxx"},
    {"0 0 *,2 * SUN", "2026-02-01", "x......x"},
    {"@yearly", "2026-12-31", ".x."},
    {"@annually", "2026-12-31", ".x."},
    {"@monthly", "2026-01-31", ".x."},
    {"@weekly", "2026-02-01", "x......x"},
    {"@daily", "2026-02-01", "xx"},
    {"@midnight", "2026-02-01", "xx"},
};

START_TEST(dates_are_those_that_cron_means)
{
    const struct date_case *c = &date_cases[_i];
    struct cron cron = parsed(c->text);
    struct civil date;
    ck_assert_int_eq(civil_parse(c->from, &date), OK);
    char found[32] = "";
    ck_assert_uint_lt(strlen(c->days), sizeof(found));
    for (size_t i = 0; i < strlen(c->days); i++, date = civil_add_days(date, 1))
        found[i] = cron_matches_date(&cron, date) ? 'x' : '.';
    ck_assert_msg(strcmp(found, c->days) == 0, "%s from %s: %s, expected %s", c->text, c->from,
                  found, c->days);
}
END_TEST

struct time_case {
    const char *text;
    int from_hour, from_minute;
    int minutes[6]; /* of the day, the next ones; those of the next day plus 1440 */
};

static const struct time_case time_cases[] = {
    {"* * * * *", 23, 58, {1438, 1439, 1440, 1441, 1442, 1443}},
    {"*/15 * * * *", 0, 1, {15, 30, 45, 60, 75, 90}},
    {"10 0 * * *", 0, 10, {10, 1450, 2890, 4330, 5770, 7210}},
    {"10 0 * * *", 0, 11, {1450, 2890, 4330, 5770, 7210, 8650}},
    {"5,59 1,23 * * *", 1, 5, {65, 119, 1385, 1439, 1505, 1559}},
    {"0-59/20 12 * * *", 0, 0, {720, 740, 760, 2160, 2180, 2200}},
    {"10-30/7 0-23/12 * * *", 0, 0, {10, 17, 24, 730, 737, 744}},
    {"59 23 * * *", 0, 0, {1439, 2879, 4319, 5759, 7199, 8639}},
    {"@hourly", 0, 1, {60, 120, 180, 240, 300, 360}},
    {" 0\t 6  * * * ", 0, 0, {360, 1800, 3240, 4680, 6120, 7560}},
};

START_TEST(times_of_the_day_come_in_order)
{
    const struct time_case *c = &time_cases[_i];
    struct cron cron = parsed(c->text);
    int64_t day = local_of("2026-02-03", 0, 0);
    int64_t from = local_of("2026-02-03", c->from_hour, c->from_minute), found = 0;
    for (size_t i = 0; i < COUNT_OF(c->minutes); i++, from = found + 1) {
        ck_assert(cron_next(&cron, from, from + 100 * DAY_S, &found));
        ck_assert_msg(found == day + c->minutes[i] * 60, "%s, %zu: %d", c->text, i,
                      (int)(found - day) / 60);
    }
}
END_TEST

START_TEST(the_end_of_a_search_is_excluded_and_its_beginning_is_not)
{
    struct cron cron = parsed("30 6 * * *");
    int64_t due = local_of("2026-02-03", 6, 30), found = -1;
    ck_assert(!cron_next(&cron, due - DAY_S + 1, due, &found));
    ck_assert_int_eq(found, -1);
    ck_assert(!cron_next(&cron, due + 1, due + 1, &found));
    ck_assert(cron_next(&cron, due - DAY_S + 1, due + 1, &found));
    ck_assert_int_eq(found, due);
    ck_assert(cron_next(&cron, due, due + 1, &found));
    ck_assert_int_eq(found, due);
    /* a minute that has begun is over */
    ck_assert(cron_next(&cron, due + 1, due + 2 * DAY_S, &found));
    ck_assert_int_eq(found, due + DAY_S);
    ck_assert(cron_next(&cron, due - 59, due + DAY_S, &found));
    ck_assert_int_eq(found, due);
}
END_TEST

START_TEST(times_before_1970_are_found_as_well)
{
    struct cron cron = parsed("30 6 * * *");
    int64_t due = local_of("1969-12-30", 6, 30), found = 0;
    for (int64_t from = due - DAY_S + 1; from <= due; from += from % 7 == 0 ? 1 : 997) {
        ck_assert(cron_next(&cron, from, due + 1, &found));
        ck_assert_int_eq(found, due);
    }
}
END_TEST

START_TEST(rare_dates_are_found_without_trying_all_minutes_between)
{
    struct cron cron = parsed("0 0 */28 2 MON#5"); /* 29 February, a Monday */
    int64_t found = local_of("2026-01-01", 0, 0);
    static const char *const days[] = {"2044-02-29", "2072-02-29", "2112-02-29", "2140-02-29"};
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        ck_assert(cron_next(&cron, found + 1, found + INT64_C(50) * 366 * DAY_S, &found));
        ck_assert_int_eq(found, local_of(days[i], 0, 0));
    }
}
END_TEST

static const struct {
    const char *text;
    bool fixed_time, both_days;
} kinds[] = {
    {"10 0 * * *", true, false},    {"0-59 0-23 * * *", true, false},
    {"* 0 * * *", false, false},    {"0 * * * *", false, false},
    {"*/30 2 * * *", false, false}, {"0,*/7 2 * * *", false, false},
    {"0 0 1 * MON", true, true},    {"0 0 L * *", true, false},
    {"0 0 L * FRIL", true, true},   {"0 0 */2 * MON", true, false},
    {"0 0 1 * */2", true, false},   {"@hourly", false, false},
    {"@weekly", true, false},       {"@yearly", true, false},
    {"0 0 1,* * MON", true, true},
};

START_TEST(fixed_times_and_restricted_days_are_told_from_others)
{
    struct cron cron = parsed(kinds[_i].text);
    ck_assert_msg(cron.fixed_time == kinds[_i].fixed_time, "%s", kinds[_i].text);
    ck_assert_msg(cron_both_days(&cron) == kinds[_i].both_days, "%s", kinds[_i].text);
}
END_TEST

struct refusal {
    const char *text, *words;
};

static const struct refusal refusals[] = {
    {"",
     "write five fields (minute, hour, day of the month, month, weekday) or a word such as "
     "\"@daily\"; there are 0"},
    {" \t", "there are 0"},
    {"* * * *", "there are 4"},
    {"* * * * * *", "there are 6"},
    {"@daily *", "there are 2"},
    {"@", "there is no such word; write @yearly"},
    {"@Daily", "there is no such word"},
    {"@reboot", "there is no such word"},
    {"@dail", "there is no such word"},
    {"@dailyy", "there is no such word"},
    {"60 0 * * *", "minute \"60\" is out of range; write numbers from 0 to 59"},
    {"0 24 * * *", "hour \"24\" is out of range; write numbers from 0 to 23"},
    {"0 0 0 * *", "day of the month \"0\" is out of range; write numbers from 1 to 31"},
    {"0 0 32 * *", "day of the month \"32\" is out of range"},
    {"0 0 * 0 *", "month \"0\" is out of range; write numbers from 1 to 12"},
    {"0 0 * 13 *", "month \"13\" is out of range"},
    {"0 0 * * 8", "weekday \"8\" is out of range; write numbers from 0 to 7"},
    {"100 0 * * *", "minute \"100\" is out of range"},
    {"4294967296 0 * * *", "minute \"4294967296\" is out of range"},
    {"0 0-24 * * *", "hour \"0-24\" is out of range"},
    {"-1 0 * * *", "minute \"-1\" is not understood"},
    {"1- 0 * * *", "minute \"1-\" is not understood"},
    {"- 0 * * *", "minute \"-\" is not understood"},
    {"1-2-3 0 * * *", "minute \"1-2-3\" is not understood"},
    {"1.5 0 * * *", "minute \"1.5\" is not understood"},
    {"+1 0 * * *", "minute \"+1\" is not understood"},
    {"0x1 0 * * *", "minute \"0x1\" is not understood"},
    {"*5 0 * * *", "minute \"*5\" is not understood"},
    {"** 0 * * *", "minute \"**\" is not understood"},
    {"*-5 0 * * *", "minute \"*-5\" is not understood"},
    {"5-* 0 * * *", "minute \"5-*\" is not understood"},
    {", 0 * * *", "minute \"\" is missing"},
    {"1, 0 * * *", "minute \"\" is missing"},
    {"1,,2 0 * * *", "minute \"\" is missing"},
    {",1 0 * * *", "minute \"\" is missing"},
    {"0,61 0 * * *", "minute \"61\" is out of range"},
    {"*/0 0 * * *", "minute \"*/0\" has a step that is not from 1 to 59"},
    {"*/60 0 * * *", "minute \"*/60\" has a step that is not from 1 to 59"},
    {"*/90 0 * * *", "minute \"*/90\" has a step that is not from 1 to 59"},
    {"0 */24 * * *", "hour \"*/24\" has a step that is not from 1 to 23"},
    {"0 0 * * */7", "weekday \"*/7\" has a step that is not from 1 to 6"},
    {"*/ 0 * * *", "minute \"*/\" is not understood"},
    {"*/x 0 * * *", "minute \"*/x\" is not understood"},
    {"*/5/5 0 * * *", "minute \"*/5/5\" is not understood"},
    {"/5 0 * * *", "minute \"/5\" is not understood"},
    {"5/10 0 * * *", "minute \"5/10\" has a step, but neither * nor a range before it; write"},
    {"0 22-2 * * *", "hour \"22-2\" runs backwards; write 22-23,0-2"},
    {"0 0 25-5 * *", "day of the month \"25-5\" runs backwards; write 25-31,1-5"},
    {"0 0 * 11-2 *", "month \"11-2\" runs backwards; write 11-12,1-2"},
    {"0 0 * * 5-1", "weekday \"5-1\" runs backwards; write 5-6,0-1"},
    {"0 0 * * FRI-1", "weekday \"FRI-1\" runs backwards; write 5-6,0-1"},
    {"0 0 * MONDAY *",
     "month \"MONDAY\" is not understood; write numbers from 1 to 12, names (JAN)"},
    {"0 0 * * MONDAY", "weekday \"MONDAY\" is not understood"},
    {"0 0 * * MO", "weekday \"MO\" is not understood"},
    {"0 0 * * JAN", "weekday \"JAN\" is not understood"},
    {"0 0 * MON *", "month \"MON\" is not understood"},
    {"JAN 0 * * *", "minute \"JAN\" is not understood"},
    {"0 0 ? * *", "day of the month \"?\" is not understood"},
    {"0 0 L-0 * *", "day of the month \"L-0\" is out of range"},
    {"0 0 L-31 * *", "day of the month \"L-31\" is out of range"},
    {"0 0 L- * *", "day of the month \"L-\" is not understood"},
    {"0 0 L-3W * *", "is not understood"},
    {"0 0 L3 * *", "day of the month \"L3\" is not understood"},
    {"0 0 W * *", "day of the month \"W\" is not understood"},
    {"0 0 0W * *", "day of the month \"0W\" is out of range"},
    {"0 0 32W * *", "day of the month \"32W\" is out of range"},
    {"0 0 1-5W * *", "day of the month \"1-5W\" is not understood"},
    {"0 0 L/2 * *", "day of the month \"L/2\" is not understood"},
    {"L 0 * * *", "minute \"L\" is not understood"},
    {"0 0 * L *", "month \"L\" is not understood"},
    {"0 0 * * L", "weekday \"L\" is not understood"},
    {"0 0 * * 5L", "weekday \"5L\" needs the name of the weekday"},
    {"0 0 * * 1#2", "weekday \"1#2\" needs the name of the weekday; write"},
    {"0 0 * * MON#0", "weekday \"MON#0\" does not count from 1 to 5"},
    {"0 0 * * MON#6", "weekday \"MON#6\" does not count from 1 to 5"},
    {"0 0 * * MON#", "weekday \"MON#\" does not count from 1 to 5"},
    {"0 0 * * MON#x", "weekday \"MON#x\" does not count from 1 to 5"},
    {"0 0 * * MON#1#2", "does not count from 1 to 5"},
    {"0 0 * * #1", "weekday \"#1\" is not understood"},
    {"0 0 * * MON-FRI#1", "weekday \"MON-FRI#1\" is not understood"},
    {"0 0 1#1 * *", "day of the month \"1#1\" is not understood"},
    {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee 0 * * *",
     "minute \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\" is not understood"},
    {"0 0 31 2 *", "no date ever matches"},
    {"0 0 30 FEB *", "no date ever matches"},
    {"0 0 31 4,6,9,11 *", "no date ever matches"},
    {"0 0 L-29 2 *", "no date ever matches"},
    {"0 0 31W JUN *", "no date ever matches"},
    {"0 0 */30 2 SUN#2", "no date ever matches"},
};

START_TEST(what_is_not_understood_is_refused_with_the_field_and_what_to_write)
{
    struct cron cron = {.minutes = 42};
    struct detail detail = {""};
    const struct refusal *c = &refusals[_i];
    ck_assert_msg(cron_parse(c->text, &cron, &detail) == ERR_INVALID, "\"%s\"", c->text);
    ck_assert_msg(strstr(detail.text, c->words) != NULL, "\"%s\": %s", c->text, detail.text);
    ck_assert_uint_eq(cron.minutes, 42);
    ck_assert_int_eq(cron_parse(c->text, &cron, NULL), ERR_INVALID);
}
END_TEST

/* Either day will do, so that an impossible one beside a possible one is no mistake of the
 * grammar. */
START_TEST(one_possible_day_is_enough)
{
    struct cron cron = parsed("0 0 31 2 MON");
    ck_assert(cron_matches_date(&cron, (struct civil){2026, 2, 2}));
    ck_assert(!cron_matches_date(&cron, (struct civil){2026, 2, 3}));
}
END_TEST

Suite *test_cron_suite(void)
{
    Suite *suite = suite_create("cron");
    TCase *meaning = tcase_create("meaning");
    tcase_add_loop_test(meaning, dates_are_those_that_cron_means, 0, COUNT_OF(date_cases));
    tcase_add_loop_test(meaning, times_of_the_day_come_in_order, 0, COUNT_OF(time_cases));
    tcase_add_loop_test(meaning, fixed_times_and_restricted_days_are_told_from_others, 0,
                        COUNT_OF(kinds));
    tcase_add_test(meaning, the_end_of_a_search_is_excluded_and_its_beginning_is_not);
    tcase_add_test(meaning, times_before_1970_are_found_as_well);
    tcase_add_test(meaning, rare_dates_are_found_without_trying_all_minutes_between);
    tcase_add_test(meaning, one_possible_day_is_enough);
    suite_add_tcase(suite, meaning);

    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, what_is_not_understood_is_refused_with_the_field_and_what_to_write, 0,
                        COUNT_OF(refusals));
    suite_add_tcase(suite, text);
    return suite;
}
