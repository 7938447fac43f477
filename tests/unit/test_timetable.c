#include <stdlib.h>
#include <string.h>

#include "common/timetable.h"
#include "tests/unit/suites.h"

enum { DAY_S = 86400 };

static struct timetable *made(const char *cron, const char *zone, const char *business_zone)
{
    const struct timetable_options options = {cron, zone, business_zone};
    struct timetable *timetable = NULL;
    struct detail detail = {""};
    ck_assert_msg(timetable_new(&options, &timetable, &detail) == OK, "%s", detail.text);
    return timetable;
}

/* "2026-03-08 07:00" UTC. */
static int64_t utc(const char *text)
{
    struct civil date;
    char day[CIVIL_TEXT];
    ck_assert_uint_eq(strlen(text), 16);
    ck_assert(text_format(day, sizeof(day), "%.10s", text));
    ck_assert_int_eq(civil_parse(day, &date), OK);
    return (int64_t)civil_to_days(date) * DAY_S + strtol(text + 11, NULL, 10) * 3600 +
           strtol(text + 14, NULL, 10) * 60;
}

struct slot_case {
    const char *zone, *cron, *after;
    const char *slots[7]; /* the next ones in UTC, those of the zone's clock beside them */
};

static const struct slot_case slot_cases[] = {
    {"UTC", "10 0 * * *", "2026-01-01 00:10", {"2026-01-02 00:10", "2026-01-03 00:10"}},
    {"UTC", "10 0 * * *", "2026-01-01 00:09", {"2026-01-01 00:10", "2026-01-02 00:10"}},
    {"Asia/Seoul", "10 0 * * *", "2026-01-01 00:00", {"2026-01-01 15:10", "2026-01-02 15:10"}},
    /* New York: 2:00 to 3:00 is not there on 8 March, 1:00 to 2:00 comes twice on 1 November */
    {"America/New_York",
     "30 2 * * *",
     "2026-03-07 12:00",
     {"2026-03-08 07:00", "2026-03-09 06:30"}},
    {"America/New_York",
     "0,30,45 2 * * *",
     "2026-03-07 12:00",
     {"2026-03-08 07:00", "2026-03-09 06:00", "2026-03-09 06:30"}},
    {"America/New_York",
     "0 2,3 * * *",
     "2026-03-07 12:00",
     {"2026-03-08 07:00", "2026-03-09 06:00", "2026-03-09 07:00"}},
    {"America/New_York",
     "30 2 8 3 *",
     "2025-06-01 00:00",
     {"2026-03-08 07:00", "2027-03-08 07:30"}},
    {"America/New_York",
     "*/30 2 * * *",
     "2026-03-07 12:00",
     {"2026-03-09 06:00", "2026-03-09 06:30"}},
    {"America/New_York",
     "*/30 * * * *",
     "2026-03-08 06:10",
     {"2026-03-08 06:30", "2026-03-08 07:00", "2026-03-08 07:30"}},
    {"America/New_York",
     "30 1 * * *",
     "2026-10-31 12:00",
     {"2026-11-01 05:30", "2026-11-02 06:30"}},
    {"America/New_York", "30 1 * * *", "2026-11-01 06:10", {"2026-11-02 06:30"}},
    {"America/New_York",
     "0,30 1,2 * * *",
     "2026-11-01 05:10",
     {"2026-11-01 05:30", "2026-11-01 07:00", "2026-11-01 07:30", "2026-11-02 06:00"}},
    {"America/New_York",
     "*/30 * * * *",
     "2026-11-01 05:10",
     {"2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30", "2026-11-01 07:00"}},
    {"America/New_York",
     "0 * * * *",
     "2026-11-01 04:10",
     {"2026-11-01 05:00", "2026-11-01 06:00", "2026-11-01 07:00"}},
    {"America/New_York",
     "30 0-23 * * *",
     "2026-11-01 04:40",
     {"2026-11-01 05:30", "2026-11-01 07:30", "2026-11-01 08:30"}},
    /* far beyond the table of the file */
    {"America/New_York",
     "30 2 * * *",
     "2060-03-13 12:00",
     {"2060-03-14 07:00", "2060-03-15 06:30"}},
    /* half an hour: 2:00 to 2:30 is not there on 4 October, 1:30 to 2:00 twice on 5 April */
    {"Australia/Lord_Howe",
     "15 2 * * *",
     "2026-10-03 00:00",
     {"2026-10-03 15:30", "2026-10-04 15:15"}},
    {"Australia/Lord_Howe",
     "45 1 * * *",
     "2026-04-04 00:00",
     {"2026-04-04 14:45", "2026-04-05 15:15"}},
    /* midnight is not there on 4 November 2018, and comes once on 18 February */
    {"America/Sao_Paulo",
     "10 0 * * *",
     "2018-11-03 12:00",
     {"2018-11-04 03:00", "2018-11-05 02:10"}},
    {"America/Sao_Paulo",
     "10 0 * * *",
     "2018-02-17 12:00",
     {"2018-02-18 03:10", "2018-02-19 03:10"}},
    {"Asia/Beirut", "0 0 * * *", "2026-03-28 12:00", {"2026-03-28 22:00", "2026-03-29 21:00"}},
    /* midnight comes twice */
    {"America/Havana", "10 0 * * *", "2026-10-31 12:00", {"2026-11-01 04:10", "2026-11-02 05:10"}},
    /* a gap that ends at midnight belongs to the day before it */
    {"Asia/Pyongyang", "45 23 * * *", "2018-05-03 15:30", {"2018-05-04 15:00", "2018-05-05 14:45"}},
    /* whole days are left out */
    {"Pacific/Apia", "10 0 * * *", "2011-12-28 12:00", {"2011-12-29 10:10", "2011-12-30 10:10"}},
    {"Pacific/Apia", "0 * * * *", "2011-12-30 08:30", {"2011-12-30 09:00", "2011-12-30 10:00"}},
    {"Pacific/Apia", "0 3 * * FRI", "2011-12-28 12:00", {"2012-01-05 13:00"}},
    {"Pacific/Kwajalein",
     "30 12 * * *",
     "1993-08-20 01:00",
     {"1993-08-21 00:30", "1993-08-22 00:30"}},
    /* Dublin's winter time is the exception; Casablanca's is the month of Ramadan */
    {"Europe/Dublin", "30 1 * * *", "2026-03-28 12:00", {"2026-03-29 01:00", "2026-03-30 00:30"}},
    {"Europe/Dublin", "30 1 * * *", "2026-10-24 12:00", {"2026-10-25 00:30", "2026-10-26 01:30"}},
    {"Africa/Casablanca",
     "30 2 * * *",
     "2026-03-21 12:00",
     {"2026-03-22 02:00", "2026-03-23 01:30"}},
    {"Africa/Casablanca",
     "30 2 * * *",
     "2026-02-14 12:00",
     {"2026-02-15 01:30", "2026-02-16 02:30"}},
    {"America/Asuncion",
     "30 0 * * *",
     "2023-09-30 12:00",
     {"2023-10-01 04:00", "2023-10-02 03:30"}},
    /* 44 minutes and a half: from 00:00:00 to 00:44:30, which is an instant between minutes */
    {"Africa/Monrovia", "50 0 * * *", "1972-01-06 12:00", {"1972-01-07 00:50", "1972-01-08 00:50"}},
    {"Asia/Seoul", "0 6 LW * *", "2026-05-01 00:00", {"2026-05-28 21:00", "2026-06-29 21:00"}},
};

START_TEST(slots_are_due_once_a_day_whatever_the_clock_does)
{
    const struct slot_case *c = &slot_cases[_i];
    CLEANUP(timetable_cleanup) struct timetable *timetable = made(c->cron, c->zone, "UTC");
    int64_t slot_s = utc(c->after);
    for (size_t i = 0; i < COUNT_OF(c->slots) && c->slots[i] != NULL; i++) {
        ck_assert(timetable_next(timetable, slot_s, &slot_s));
        char shown[TIMETABLE_TEXT];
        timetable_format(timetable, slot_s, shown);
        ck_assert_msg(slot_s == utc(c->slots[i]), "\"%s\" in %s: %s, expected %s UTC", c->cron,
                      c->zone, shown, c->slots[i]);
    }
}
END_TEST

START_TEST(a_gap_may_end_between_two_minutes)
{
    CLEANUP(timetable_cleanup)
    struct timetable *timetable = made("10 0 * * *", "Africa/Monrovia", "UTC");
    int64_t slot_s = 0;
    ck_assert(timetable_next(timetable, utc("1972-01-06 12:00"), &slot_s));
    ck_assert_int_eq(slot_s, utc("1972-01-07 00:44") + 30);
    char shown[TIMETABLE_TEXT];
    timetable_format(timetable, slot_s, shown);
    ck_assert_str_eq(shown, "Fri 1972-01-07 00:44:30 +00:00");
}
END_TEST

/* In a year in which Samoa lost a day: a slot each minute of elapsed time, one each local day.
 * Check notes the place of each assertion, which takes longer than a slot: hence the comparison
 * first. */
START_TEST(a_year_of_slots_goes_forward_and_lacks_none)
{
    static const char *const zones[] = {"UTC",           "Asia/Seoul",          "America/New_York",
                                        "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia",
                                        "Africa/Cairo",  "Antarctica/Troll",    "Pacific/Chatham"};
    int64_t from = utc("2011-01-01 00:00") - 1, until = utc("2012-01-01 00:00") - 1;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        CLEANUP(timetable_cleanup) struct timetable *minutes = made("* * * * *", zones[i], "UTC");
        CLEANUP(timetable_cleanup) struct timetable *days = made("30 1 * * *", zones[i], "UTC");
        int64_t count = 0, slot_s = from;
        for (int64_t next_s = 0; timetable_next(minutes, slot_s, &next_s) && next_s <= until;
             count++, slot_s = next_s) {
            int64_t expected_s = count == 0 ? from + 1 : slot_s + 60;
            if (next_s != expected_s) ck_assert_int_eq(next_s, expected_s);
        }
        ck_assert_int_eq(count, 365 * 1440);
        count = 0;
        slot_s = from;
        while (timetable_next(days, slot_s, &slot_s) && slot_s <= until)
            count++;
        ck_assert_int_eq(count, 365);
    }
}
END_TEST

struct day_case {
    const char *business_zone, *instant, *day;
};

static const struct day_case day_cases[] = {
    {"UTC", "2026-03-01 00:00", "2026-02-28"},
    {"UTC", "2026-02-28 23:59", "2026-02-27"},
    {"Asia/Seoul", "2026-11-22 14:59", "2026-11-21"},
    {"Asia/Seoul", "2026-11-22 15:00", "2026-11-22"},
    {"Asia/Seoul", "2026-11-22 15:10", "2026-11-22"},
    {"America/New_York", "2026-03-09 03:59", "2026-03-07"},
    {"America/New_York", "2026-03-09 04:00", "2026-03-08"},
    {"America/Havana", "2026-11-01 04:10", "2026-10-31"},
    {"America/Havana", "2026-11-01 05:10", "2026-10-31"},
    {"America/Sao_Paulo", "2018-02-18 02:10", "2018-02-16"}, /* 23:10, the second time */
    {"Pacific/Apia", "2011-12-30 09:59", "2011-12-28"},
    {"Pacific/Apia", "2011-12-30 10:00", "2011-12-30"},
};

/* The zone of the business day counts, whatever the zone of cron. */
START_TEST(the_day_before_is_that_of_the_business_zone)
{
    const struct day_case *c = &day_cases[_i];
    CLEANUP(timetable_cleanup)
    struct timetable *timetable = made("@daily", "Pacific/Kiritimati", c->business_zone);
    char day[CIVIL_TEXT];
    civil_format(timetable_day_before(timetable, utc(c->instant)), day);
    ck_assert_msg(strcmp(day, c->day) == 0, "%s in %s: %s", c->instant, c->business_zone, day);
}
END_TEST

START_TEST(instants_are_shown_with_weekday_and_offset)
{
    static const struct {
        const char *zone, *instant, *text;
    } cases[] = {
        {"Asia/Seoul", "2026-11-21 15:10", "Sun 2026-11-22 00:10:00 +09:00"},
        {"UTC", "2026-11-21 15:10", "Sat 2026-11-21 15:10:00 +00:00"},
        {"America/St_Johns", "2026-01-01 00:00", "Wed 2025-12-31 20:30:00 -03:30"},
        {"Asia/Kathmandu", "1969-01-01 00:00", "Wed 1969-01-01 05:30:00 +05:30"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(timetable_cleanup)
        struct timetable *timetable = made("@daily", cases[i].zone, "UTC");
        char text[TIMETABLE_TEXT];
        timetable_format(timetable, utc(cases[i].instant), text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(what_is_restricted_twice_is_said)
{
    CLEANUP(timetable_cleanup) struct timetable *both = made("0 0 13 * FRI", "UTC", "UTC");
    CLEANUP(timetable_cleanup) struct timetable *one = made("0 0 */2 * FRI", "UTC", "UTC");
    ck_assert(timetable_both_days(both));
    ck_assert(!timetable_both_days(one));
}
END_TEST

START_TEST(slots_end_with_the_calendar)
{
    CLEANUP(timetable_cleanup)
    struct timetable *timetable = made("0 0 29 2 *", "Asia/Seoul", "UTC");
    int64_t slot_s = -1;
    ck_assert(timetable_next(timetable, INT64_MIN, &slot_s));
    ck_assert_int_eq(slot_s, utc("1004-02-28 15:32") + 8); /* local mean time */
    slot_s = -1;
    ck_assert(!timetable_next(timetable, INT64_MAX, &slot_s));
    ck_assert(!timetable_next(timetable, utc("9999-12-30 00:00"), &slot_s));
    ck_assert_int_eq(slot_s, -1);
    ck_assert(timetable_next(timetable, utc("9995-01-01 00:00"), &slot_s));
    ck_assert_int_eq(slot_s, utc("9996-02-28 15:00"));
}
END_TEST

static const struct {
    struct timetable_options options;
    enum err err;
    const char *words;
} refusals[] = {
    {{"61 0 * * *", "UTC", "UTC"},
     ERR_INVALID,
     "cron \"61 0 * * *\": minute \"61\" is out of range"},
    {{"@daily", "Mars/Base", "UTC"}, ERR_IO, "time zone Mars/Base: "},
    {{"@daily", "UTC", "Mars/Base"}, ERR_IO, "time zone Mars/Base: "},
    {{"@daily", "../UTC", "UTC"}, ERR_INVALID, "there is no time zone \"../UTC\""},
    {{"@daily", "UTC", ""}, ERR_INVALID, "there is no time zone \"\""},
};

START_TEST(what_cannot_be_a_timetable_is_refused_in_words)
{
    struct timetable *timetable = NULL;
    struct detail detail = {""};
    enum err err = timetable_new(&refusals[_i].options, &timetable, &detail);
    ck_assert_int_eq(err, refusals[_i].err);
    ck_assert_ptr_null(timetable);
    ck_assert_msg(strstr(detail.text, refusals[_i].words) != NULL, "%s", detail.text);
    timetable_free(timetable);
}
END_TEST

Suite *test_timetable_suite(void)
{
    Suite *suite = suite_create("timetable");
    TCase *slots = tcase_create("slots");
    tcase_set_timeout(slots, 60);
    tcase_add_loop_test(slots, slots_are_due_once_a_day_whatever_the_clock_does, 0,
                        COUNT_OF(slot_cases));
    tcase_add_test(slots, a_gap_may_end_between_two_minutes);
    tcase_add_test(slots, a_year_of_slots_goes_forward_and_lacks_none);
    tcase_add_test(slots, slots_end_with_the_calendar);
    suite_add_tcase(suite, slots);

    TCase *words = tcase_create("days and words");
    tcase_add_loop_test(words, the_day_before_is_that_of_the_business_zone, 0, COUNT_OF(day_cases));
    tcase_add_test(words, instants_are_shown_with_weekday_and_offset);
    tcase_add_test(words, what_is_restricted_twice_is_said);
    tcase_add_loop_test(words, what_cannot_be_a_timetable_is_refused_in_words, 0,
                        COUNT_OF(refusals));
    suite_add_tcase(suite, words);
    return suite;
}
