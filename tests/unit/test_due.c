/* Which slots are due, and what becomes of each. */
#include "daemon/schedule/due.h"

#include <string.h>

#include "tests/unit/suites.h"

#define US_PER_S INT64_C(1000000)
#define HOUR_S INT64_C(3600)

enum { START_S = 1783036800 }; /* 2026-07-03 00:00:00 UTC */

static struct timetable *make(const char *cron, const char *zone)
{
    const struct timetable_options options = {.cron = cron, .zone = zone, .business_zone = zone};
    struct timetable *timetable = NULL;
    struct detail detail = {{0}};
    ck_assert_msg(timetable_new(&options, &timetable, &detail) == OK, "%s", detail.text);
    return timetable;
}

START_TEST(slots_lie_after_the_one_time_and_up_to_the_other)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = make("0 * * * *", "UTC");
    struct due_list due;
    int64_t from_us = START_S * US_PER_S;
    due_find(timetable, from_us, from_us + HOUR_S * US_PER_S - 1, &due);
    ck_assert_int_eq(due.count, 0);
    ck_assert(!due.more);
    due_find(timetable, from_us, from_us + HOUR_S * US_PER_S, &due);
    ck_assert_int_eq(due.count, 1);
    ck_assert_int_eq(due.slot_s[0], START_S + HOUR_S);
    ck_assert_int_eq(due.latest_s, START_S + HOUR_S);
    due_find(timetable, from_us - 1, from_us + 1, &due);
    ck_assert_int_eq(due.count, 1);
    ck_assert_int_eq(due.slot_s[0], START_S);
}
END_TEST

static const int minutes_due[] = {DUE_LIMIT - 1, DUE_LIMIT, DUE_LIMIT + 1, 2 * DUE_LIMIT, 500000};

START_TEST(the_latest_of_too_many_is_known_too)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = make("* * * * *", "UTC");
    struct due_list due;
    int64_t until_s = START_S + minutes_due[_i] * INT64_C(60);
    due_find(timetable, START_S * US_PER_S, until_s * US_PER_S, &due);
    ck_assert_int_eq(due.count, minutes_due[_i] < DUE_LIMIT ? minutes_due[_i] : DUE_LIMIT);
    ck_assert_int_eq(due.more, minutes_due[_i] > DUE_LIMIT);
    ck_assert_int_eq(due.latest_s, until_s);
    for (int i = 0; i < due.count; i++)
        ck_assert_int_eq(due.slot_s[i], START_S + (i + 1) * INT64_C(60));
}
END_TEST

/* Bursts and long silences: whoever looks back must find the burst's last minute. */
START_TEST(the_latest_is_found_behind_a_silence)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = make("0-9 3 1 1 *", "UTC");
    struct due_list due;
    int64_t until_s = START_S + 100 * 366 * 24 * HOUR_S, at_s = START_S, latest_s = 0;
    while (timetable_next(timetable, at_s, &at_s) && at_s <= until_s)
        latest_s = at_s;
    due_find(timetable, START_S * US_PER_S, until_s * US_PER_S, &due);
    ck_assert(due.more);
    ck_assert_int_eq(due.latest_s, latest_s);
}
END_TEST

static const struct {
    enum misfire_policy misfire;
    int64_t late_us;       /* after the slot */
    int64_t later_slots_s; /* another slot is due so long after it; 0: none */
    bool disabled, paused;
    enum slot_status status;
    const char *reason; /* how it begins */
} verdicts[] = {
    {MISFIRE_ONCE, 0, 0, false, false, SLOT_OPEN, ""},
    {MISFIRE_SKIP, 0, 0, false, false, SLOT_OPEN, ""},
    {MISFIRE_SKIP, 60 * US_PER_S, 0, false, false, SLOT_OPEN, ""},
    {MISFIRE_SKIP, 60 * US_PER_S + 1, 0, false, false, SLOT_SKIPPED,
     "missed, noticed at Fri 2026-07-03 00:01:00 +00:00; misfire = skip: waits for the next slot"},
    {MISFIRE_SKIP, 30 * US_PER_S, 30, false, false, SLOT_SKIPPED,
     "missed, noticed at Fri 2026-07-03 00:00:30 +00:00; misfire = skip"},
    {MISFIRE_ONCE, 86400 * US_PER_S, 0, false, false, SLOT_OPEN, ""},
    {MISFIRE_ONCE, 30 * US_PER_S, 30, false, false, SLOT_SKIPPED,
     "missed, noticed at Fri 2026-07-03 00:00:30 +00:00; covered by the slot of Fri 2026-07-03 "
     "00:00:30 +00:00"},
    {MISFIRE_ONCE, 0, 0, true, false, SLOT_SKIPPED,
     "missed, noticed at Fri 2026-07-03 00:00:00 +00:00; the job is disabled"},
    {MISFIRE_SKIP, 0, 0, false, true, SLOT_HELD, "the job is paused by ann: the rates are wrong"},
    {MISFIRE_ONCE, 86400 * US_PER_S, 3600, false, true, SLOT_HELD, "the job is paused by ann"},
    {MISFIRE_ONCE, 0, 0, true, true, SLOT_SKIPPED, "missed, noticed at"},
};

START_TEST(a_slot_becomes_what_the_policy_says)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = make("* * * * *", "UTC");
    const struct due_question question = {
        .timetable = timetable,
        .now_us = START_S * US_PER_S + verdicts[_i].late_us,
        .latest_s = START_S + verdicts[_i].later_slots_s,
        .misfire = verdicts[_i].misfire,
        .disabled = verdicts[_i].disabled,
        .paused_by = verdicts[_i].paused ? "ann" : NULL,
        .pause_reason = "the rates are wrong",
    };
    char reason[DUE_REASON];
    enum slot_status status = due_judge(&question, START_S);
    ck_assert_str_eq(due_status_name(status), due_status_name(verdicts[_i].status));
    due_explain(&question, status, reason);
    ck_assert_msg(strncmp(reason, verdicts[_i].reason, strlen(verdicts[_i].reason)) == 0, "%s",
                  reason);
    ck_assert_int_eq(reason[0] == '\0', verdicts[_i].reason[0] == '\0');
}
END_TEST

START_TEST(a_pause_without_a_reason_says_who)
{
    const struct due_question question = {.paused_by = "ann", .pause_reason = ""};
    char reason[DUE_REASON];
    due_explain(&question, SLOT_HELD, reason);
    ck_assert_str_eq(reason, "the job is paused by ann");
}
END_TEST

static const struct {
    const char *previous_end, *end, *start; /* previous_end "": there is none */
} intervals[] = {
    {"", "2026-07-02", "2026-07-02"},
    {"2026-07-01", "2026-07-02", "2026-07-02"},
    {"2026-06-25", "2026-07-02", "2026-06-26"},
    {"2026-07-02", "2026-07-02", "2026-07-02"}, /* twice a day */
    {"2026-07-03", "2026-07-02", "2026-07-02"}, /* the business zone was changed */
    {"2024-02-28", "2024-03-01", "2024-02-29"},
};

START_TEST(an_interval_begins_where_the_one_before_ended)
{
    struct civil previous = {0}, end = {0};
    char start[CIVIL_TEXT];
    bool there = intervals[_i].previous_end[0] != '\0';
    if (there) ck_assert_int_eq(civil_parse(intervals[_i].previous_end, &previous), OK);
    ck_assert_int_eq(civil_parse(intervals[_i].end, &end), OK);
    struct due_interval interval = due_interval(end, there ? &previous : NULL);
    civil_format(interval.start, start);
    ck_assert_str_eq(start, intervals[_i].start);
    ck_assert_int_eq(civil_compare(interval.end, end), 0);
}
END_TEST

START_TEST(times_are_shown_in_the_job_s_zone)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = make("10 0 * * *", "Asia/Seoul");
    char text[DUE_TIME];
    due_time(timetable, START_S, text);
    ck_assert_str_eq(text, "Fri 2026-07-03 09:00:00 +09:00");
    due_time(NULL, START_S + 86399, text);
    ck_assert_str_eq(text, "2026-07-03 23:59:59 UTC");
    due_time(NULL, -1, text);
    ck_assert_str_eq(text, "1969-12-31 23:59:59 UTC");
    ck_assert_int_eq(due_seconds(1999999), 1);
    ck_assert_int_eq(due_seconds(-1), -1);
}
END_TEST

Suite *test_due_suite(void)
{
    Suite *suite = suite_create("due");
    TCase *cases = tcase_create("due");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, slots_lie_after_the_one_time_and_up_to_the_other);
    tcase_add_loop_test(cases, the_latest_of_too_many_is_known_too, 0, (int)COUNT_OF(minutes_due));
    tcase_add_test(cases, the_latest_is_found_behind_a_silence);
    tcase_add_loop_test(cases, a_slot_becomes_what_the_policy_says, 0, (int)COUNT_OF(verdicts));
    tcase_add_test(cases, a_pause_without_a_reason_says_who);
    tcase_add_loop_test(cases, an_interval_begins_where_the_one_before_ended, 0,
                        (int)COUNT_OF(intervals));
    tcase_add_test(cases, times_are_shown_in_the_job_s_zone);
    suite_add_tcase(suite, cases);
    return suite;
}
