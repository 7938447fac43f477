/* What becomes of slots after they were decided: pauses, days that are closed, waiting. */
#include <string.h>

#include "tests/db/slot_stage.h"
#include "tests/db/suites.h"

static const char DAILY[] = "10 0 * * *";

static struct slot_stage *daily_stage(enum misfire_policy misfire)
{
    struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", misfire);
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    return stage;
}

/* Whether it was paused before. */
static bool pause_it(struct slot_stage *stage, const char *by, const char *reason)
{
    const struct slots_pause pause = {by, reason};
    bool was_paused = false;
    ck_assert_int_eq(slots_pause(stage->db, "job", &pause, stage->now_us, &was_paused), OK);
    return was_paused;
}

static bool resume_it(struct slot_stage *stage)
{
    bool was_paused = false;
    ck_assert_int_eq(slots_resume(stage->db, "job", "bob", stage->now_us, &was_paused), OK);
    return was_paused;
}

static const char *decision(struct slot_stage *stage)
{
    return stage_text(
        stage, "SELECT CONCAT(TIME(last_decision_at), ' ', last_decision) FROM job_schedule");
}

START_TEST(slots_of_a_paused_job_are_held_with_who_and_why)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    ck_assert(!pause_it(stage, "ann", "the rates are wrong"));
    ck_assert_str_eq(decision(stage),
                     "12:00:00.000000 paused by ann: the rates are wrong; slots are held");
    ck_assert(pause_it(stage, "eve", "me too")); /* the first one stays */
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT CONCAT_WS('|', paused_at, paused_by, pause_reason,"
                   " next_slot_at) FROM job_schedule"),
        "2026-07-03 12:00:00.000000|ann|the rates are wrong|2026-07-04 00:10:00.000000");
    /* Nobody told the schedules in memory: the row does. */
    stage_tick_at(stage, "2026-07-04 00:10:00");
    stage_tick_at(stage, "2026-07-06 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage),
                     "2026-07-04 00:10 HELD; 2026-07-05 00:10 HELD; 2026-07-06 00:10 HELD");
    ck_assert_str_eq(stage_text(stage, "SELECT GROUP_CONCAT(DISTINCT reason) FROM schedule_slot"),
                     "the job is paused by ann: the rates are wrong");
    ck_assert_str_eq(decision(stage),
                     "12:00:00.000000 2 slots held, up to that of Mon 2026-07-06 00:10:00 +00:00: "
                     "the job is paused by ann: the rates are wrong");
}
END_TEST

static const struct {
    enum misfire_policy misfire;
    const char *slots, *reasons, *decision;
} resumptions[] = {
    {MISFIRE_ONCE, "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED; 2026-07-06 00:10 OPEN",
     "missed while the job was paused; covered by the slot of Mon 2026-07-06 00:10:00 +00:00",
     "12:00:00.000000 resumed by bob; 3 slots were held: run now, as the slot of Mon 2026-07-06 "
     "00:10:00 +00:00"},
    {MISFIRE_SKIP, "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED; 2026-07-06 00:10 SKIPPED",
     "missed while the job was paused; misfire = skip: waits for the next slot",
     "12:00:00.000000 resumed by bob; 3 slots were held: skipped, since misfire = skip"},
};

START_TEST(held_slots_were_missed)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(resumptions[_i].misfire);
    pause_it(stage, "ann", "");
    stage_tick_at(stage, "2026-07-06 12:00:00");
    ck_assert(resume_it(stage));
    ck_assert_str_eq(stage_slots_text(stage), resumptions[_i].slots);
    ck_assert_str_eq(stage_text(stage,
                                "SELECT GROUP_CONCAT(DISTINCT reason) FROM schedule_slot"
                                " WHERE status = 'SKIPPED'"),
                     resumptions[_i].reasons);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM schedule_slot"
                                 " WHERE decided_at = '2026-07-06 12:00:00' AND"
                                 " (status = 'SKIPPED' OR reason = '')"),
                     3);
    ck_assert_str_eq(decision(stage), resumptions[_i].decision);
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT_WS('|', paused_at IS NULL, paused_by,"
                                " pause_reason) FROM job_schedule"),
                     "1||");
    stage_tick_at(stage, "2026-07-07 00:10:00");
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT(slot_at, status) FROM schedule_slot"
                                " ORDER BY slot_at DESC LIMIT 1"),
                     "2026-07-07 00:10:00.000000OPEN");
}
END_TEST

START_TEST(a_pause_between_two_slots_changes_nothing)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_SKIP);
    ck_assert(!resume_it(stage));
    pause_it(stage, "ann", "");
    stage_tick_at(stage, "2026-07-03 13:00:00");
    ck_assert(resume_it(stage));
    ck_assert_str_eq(decision(stage), "13:00:00.000000 resumed by bob; no slot was held");
    ck_assert(!resume_it(stage));
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
}
END_TEST

/* The rows were read a moment ago, and are not read again before the slot: the decision itself must
 * notice. */
START_TEST(a_pause_of_this_moment_counts)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    stage_tick_at(stage, "2026-07-04 00:09:55");
    pause_it(stage, "ann", "");
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 HELD");
    stage_tick_at(stage, "2026-07-05 00:09:55");
    ck_assert(resume_it(stage));
    stage_tick_at(stage, "2026-07-05 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN; 2026-07-05 00:10 OPEN");
}
END_TEST

START_TEST(a_pause_outlives_the_daemon)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    struct slots_job job = stage_job("20 0 * * *", "UTC", MISFIRE_ONCE);
    pause_it(stage, "ann", "");
    slots_free(stage->slots);
    stage->slots = stage_slots(&job);
    stage_tick_at(stage, "2026-07-04 12:00:00");
    stage_tick_at(stage, "2026-07-05 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 HELD; 2026-07-05 00:20 HELD");
}
END_TEST

START_TEST(there_is_nothing_to_pause_without_a_schedule)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    const struct slots_pause pause = {"ann", ""};
    bool was_paused = false;
    ck_assert_int_eq(slots_pause(stage->db, "other", &pause, stage->now_us, &was_paused),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(slots_resume(stage->db, "other", "ann", stage->now_us, &was_paused),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM job_schedule WHERE paused_at IS NULL"),
                     1);
}
END_TEST

/* As long as anybody may write them. */
START_TEST(names_and_reasons_of_full_length_fit)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    char by[4 * 128 + 1] = "", reason[4 * 255 + 1] = "";
    for (size_t i = 0; i + 4 < sizeof(by); i += 4)
        memcpy(by + i, "\xf0\x9f\x92\xb0", 5);
    for (size_t i = 0; i + 4 < sizeof(reason); i += 4)
        memcpy(reason + i, "\xf0\x9f\x92\xb0", 5);
    pause_it(stage, by, reason);
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT CHAR_LENGTH(paused_by) + CHAR_LENGTH(pause_reason)"
                                 " FROM job_schedule"),
                     128 + 255);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT LEFT(reason, 21) = 'the job is paused by '"
                                 " AND CHAR_LENGTH(reason) = 21 + 128 + 2 + 255"
                                 " FROM schedule_slot"),
                     1);
}
END_TEST

/* 4, 5 and 6 July, of which the first two are open; another job's slot as well. */
static void set_slots(struct slot_stage *stage)
{
    harness_execute(
        stage->harness,
        "INSERT INTO schedule_slot (job_name, slot_at, interval_start, interval_end, status,"
        " decided_at, node_id) VALUES"
        " ('job', '2026-07-04 00:10', '2026-07-03', '2026-07-03', 'OPEN', '2026-07-04', ''),"
        " ('job', '2026-07-05 00:10', '2026-07-04', '2026-07-04', 'OPEN', '2026-07-05', ''),"
        " ('job', '2026-07-06 00:10', '2026-07-05', '2026-07-05', 'SKIPPED', '2026-07-06', ''),"
        " ('other', '2026-07-07 00:10', '2026-07-05', '2026-07-06', 'OPEN', '2026-07-07', '')");
}

START_TEST(open_slots_say_how_far_to_settle)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    char date[CIVIL_TEXT] = "x";
    ck_assert_int_eq(slots_open_until(stage->db, "job", date), OK);
    ck_assert_str_eq(date, "");
    set_slots(stage);
    ck_assert_int_eq(slots_open_until(stage->db, "job", date), OK);
    ck_assert_str_eq(date, "2026-07-04");
    ck_assert_int_eq(slots_open_until(stage->db, "other", date), OK);
    ck_assert_str_eq(date, "2026-07-06");
    ck_assert_int_eq(slots_open_until(stage->db, "third", date), OK);
    ck_assert_str_eq(date, "");
}
END_TEST

START_TEST(a_closed_day_counts_for_the_slots_that_want_it)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    set_slots(stage);
    ck_assert_int_eq(slots_count_day(stage->db, "job", "2026-07-01"), OK); /* of before */
    ck_assert_int_eq(slots_count_day(stage->db, "job", "2026-07-03"), OK);
    ck_assert_int_eq(slots_count_day(stage->db, "job", "2026-07-04"), OK);
    ck_assert_int_eq(slots_count_day(stage->db, "job", "2026-07-05"), OK);
    ck_assert_str_eq(stage_column(stage, "days_settled"), "2; 3; 0");
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT days_settled FROM schedule_slot WHERE job_name = 'other'"),
                     0);
}
END_TEST

START_TEST(slots_end_when_nothing_is_left_for_them)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    char date[CIVIL_TEXT];
    set_slots(stage);
    stage->now_us = stage_time("2026-07-06 09:00:00") + 5;
    ck_assert_int_eq(slots_finish(stage->db, "job", "2026-07-02", stage->now_us, "early"), OK);
    ck_assert_str_eq(stage_column(stage, "status"), "OPEN; OPEN; SKIPPED");
    ck_assert_int_eq(slots_finish(stage->db, "job", "2026-07-03", stage->now_us, "2 days"), OK);
    ck_assert_str_eq(stage_column(stage,
                                  "CONCAT_WS('|', status, COALESCE(ended_at, 'NULL'), reason)"),
                     "DONE|2026-07-06 09:00:00.000005|2 days; OPEN|NULL|; SKIPPED|NULL|");
    ck_assert_int_eq(slots_open_until(stage->db, "job", date), OK);
    ck_assert_str_eq(date, "2026-07-04");
    ck_assert_int_eq(slots_finish(stage->db, "job", "2026-07-09", stage->now_us + 1, ""), OK);
    ck_assert_str_eq(
        stage_column(stage, "CONCAT_WS('|', status, COALESCE(ended_at, 'NULL'), reason)"),
        "DONE|2026-07-06 09:00:00.000005|2 days; DONE|2026-07-06 09:00:00.000006|; SKIPPED|NULL|");
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM schedule_slot WHERE status = 'OPEN'"),
                     1);
}
END_TEST

START_TEST(open_slots_say_what_they_wait_for)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    char longest[1501];
    set_slots(stage);
    ck_assert_int_eq(slots_wait(stage->db, "job", "2026-07-03 failed"), OK);
    ck_assert_str_eq(stage_column(stage, "reason"), "2026-07-03 failed; 2026-07-03 failed; ");
    ck_assert_int_eq(slots_wait(stage->db, "job", "2026-07-03 FAILED"), OK);
    ck_assert_str_eq(stage_column(stage, "reason"), "2026-07-03 FAILED; 2026-07-03 FAILED; ");
    ck_assert_int_eq(slots_wait(stage->db, "job", ""), OK);
    ck_assert_str_eq(stage_column(stage, "reason"), "; ; ");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(slots_wait(stage->db, "job", longest), OK);
    ck_assert_str_eq(stage_column(stage, "CHAR_LENGTH(reason)"), "1000; 1000; 0");
    ck_assert_int_eq(slots_finish(stage->db, "job", "2026-07-03", stage->now_us, longest), OK);
    ck_assert_int_eq(slots_decision(stage->db, "job", longest, stage->now_us), OK);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT CHAR_LENGTH(last_decision) FROM job_schedule"),
                     1000);
}
END_TEST

START_TEST(the_last_decision_is_shown_with_its_time)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = daily_stage(MISFIRE_ONCE);
    ck_assert_int_eq(slots_decision(stage->db, "job", "2026-07-03 was closed",
                                    stage_time("2026-07-04 00:12:00")),
                     OK);
    ck_assert_str_eq(decision(stage), "00:12:00.000000 2026-07-03 was closed");
    ck_assert_int_eq(slots_decision(stage->db, "other", "nothing", stage->now_us), OK);
    /* And is nothing that a decision about slots goes by. */
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
}
END_TEST

Suite *test_slots_changes_suite(void)
{
    Suite *suite = suite_create("slots_changes");
    TCase *cases = tcase_create("slots_changes");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, slots_of_a_paused_job_are_held_with_who_and_why);
    tcase_add_loop_test(cases, held_slots_were_missed, 0, (int)COUNT_OF(resumptions));
    tcase_add_test(cases, a_pause_between_two_slots_changes_nothing);
    tcase_add_test(cases, a_pause_of_this_moment_counts);
    tcase_add_test(cases, a_pause_outlives_the_daemon);
    tcase_add_test(cases, there_is_nothing_to_pause_without_a_schedule);
    tcase_add_test(cases, names_and_reasons_of_full_length_fit);
    tcase_add_test(cases, open_slots_say_how_far_to_settle);
    tcase_add_test(cases, a_closed_day_counts_for_the_slots_that_want_it);
    tcase_add_test(cases, slots_end_when_nothing_is_left_for_them);
    tcase_add_test(cases, open_slots_say_what_they_wait_for);
    tcase_add_test(cases, the_last_decision_is_shown_with_its_time);
    suite_add_tcase(suite, cases);
    return suite;
}
