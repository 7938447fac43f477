/* Which slots are decided, when, and as what: the rules of misfire, pause and change. */
#include <string.h>

#include "tests/db/slot_stage.h"
#include "tests/db/suites.h"

static const char DAILY[] = "10 0 * * *";

static struct slot_stage *daily_stage(enum misfire_policy misfire, const char *now)
{
    struct slot_stage *stage = slot_stage_new(now);
    struct slots_job job = stage_job(DAILY, "UTC", misfire);
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    return stage;
}

static int64_t statements(const struct slot_stage *stage)
{
    return db_usage(stage->db).statements;
}

START_TEST(a_new_schedule_counts_from_now)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 00:10:30");
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT CONCAT_WS('|', job_name, cron, timezone, misfire, catchup_max,"
                   " enabled, decided_until, next_slot_at, paused_at IS NULL,"
                   " last_decision_at) FROM job_schedule"),
        "job|10 0 * * *|UTC|once|31|1|2026-07-03 00:10:30.000000|2026-07-04 00:10:00.000000|1|"
        "2026-07-03 00:10:30.000000");
    ck_assert_str_eq(stage_text(stage, "SELECT last_decision FROM job_schedule"),
                     "new schedule: \"10 0 * * *\" in UTC, misfire = once, catchup_max = 31; the "
                     "first slot: Sat 2026-07-04 00:10:00 +00:00");
}
END_TEST

START_TEST(a_slot_is_decided_when_it_is_due_and_not_before)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    stage->now_us = stage_time("2026-07-04 00:10:00") - 1;
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), "");
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_str_eq(
        stage_column(stage,
                     "CONCAT_WS('|', slot_at, interval_start, interval_end, status, reason,"
                     " decided_at, node_id, ended_at IS NULL, days_settled)"),
        "2026-07-04 00:10:00.000000|2026-07-03|2026-07-03|OPEN||2026-07-04 00:10:00.000000|"
        "11111111-1111-4111-8111-111111111111|1|0");
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT CONCAT_WS('|', decided_until, next_slot_at, last_decision)"
                   " FROM job_schedule"),
        "2026-07-04 00:10:00.000000|2026-07-05 00:10:00.000000|the slot of Sat 2026-07-04 00:10:00 "
        "+00:00 is due, up to the day 2026-07-03");
    stage_tick_at(stage, "2026-07-04 00:10:01");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
}
END_TEST

static const struct {
    enum misfire_policy misfire;
    const char *now, *slots, *decision;
} misfires[] = {
    {MISFIRE_ONCE, "2026-07-04 00:11:00", "2026-07-04 00:10 OPEN",
     "the slot of Sat 2026-07-04 00:10:00 +00:00 is due, up to the day 2026-07-03"},
    {MISFIRE_SKIP, "2026-07-04 00:11:00", "2026-07-04 00:10 OPEN",
     "the slot of Sat 2026-07-04 00:10:00 +00:00 is due, up to the day 2026-07-03"},
    {MISFIRE_ONCE, "2026-07-04 00:11:01", "2026-07-04 00:10 OPEN",
     "1 slot was missed; the one of Sat 2026-07-04 00:10:00 +00:00 stands for all, up to the day "
     "2026-07-03"},
    {MISFIRE_SKIP, "2026-07-04 00:11:01", "2026-07-04 00:10 SKIPPED",
     "1 slot skipped, up to that of Sat 2026-07-04 00:10:00 +00:00: missed, noticed at Sat "
     "2026-07-04 00:11:01 +00:00; misfire = skip: waits for the next slot"},
    {MISFIRE_ONCE, "2026-07-06 09:00:00",
     "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED; 2026-07-06 00:10 OPEN",
     "3 slots were missed; the one of Mon 2026-07-06 00:10:00 +00:00 stands for all, up to the day "
     "2026-07-05"},
    {MISFIRE_SKIP, "2026-07-06 09:00:00",
     "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED; 2026-07-06 00:10 SKIPPED",
     "3 slots skipped, up to that of Mon 2026-07-06 00:10:00 +00:00: missed, noticed at Mon "
     "2026-07-06 09:00:00 +00:00; misfire = skip: waits for the next slot"},
    {MISFIRE_ONCE, "2026-07-05 00:10:20", "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 OPEN",
     "1 slot was missed; the next one, of Sun 2026-07-05 00:10:00 +00:00, is due, up to the day "
     "2026-07-04"},
    {MISFIRE_SKIP, "2026-07-05 00:10:20", "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 OPEN",
     "1 slot was missed; the next one, of Sun 2026-07-05 00:10:00 +00:00, is due, up to the day "
     "2026-07-04"},
};

START_TEST(missed_slots_follow_the_policy)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(misfires[_i].misfire, "2026-07-03 12:00:00");
    stage_tick_at(stage, misfires[_i].now);
    ck_assert_str_eq(stage_slots_text(stage), misfires[_i].slots);
    ck_assert_str_eq(stage_text(stage, "SELECT last_decision FROM job_schedule"),
                     misfires[_i].decision);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM schedule_slot"
                                 " WHERE (status = 'SKIPPED') <> (reason LIKE "
                                 "'missed, noticed at %')"),
                     0);
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM schedule_slot"
                                 " WHERE interval_end <> DATE(slot_at) - INTERVAL "
                                 "1 DAY OR interval_start <> interval_end"),
                     0);
}
END_TEST

START_TEST(a_skipped_slot_says_which_one_covers_it)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    stage_tick_at(stage, "2026-07-05 09:00:00");
    ck_assert_str_eq(stage_column(stage, "reason"),
                     "missed, noticed at Sun 2026-07-05 09:00:00 +00:00; covered by the slot of "
                     "Sun 2026-07-05 00:10:00 +00:00; ");
}
END_TEST

START_TEST(more_than_fit_are_decided_in_several_turns)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 00:00:00");
    struct slots_job job = stage_job("*/2 * * * *", "UTC", MISFIRE_ONCE);
    bool more = false;
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    stage->now_us += (1200 * 120 + 90) * STAGE_US;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(slots_tick(stage->slots, stage->db, stage->now_us, &more, NULL), OK);
        ck_assert_int_eq(more, i < 2);
        ck_assert_int_eq(harness_i64(stage->harness, "SELECT COUNT(*) FROM schedule_slot"),
                         i < 2 ? (i + 1) * 500 : 1200);
        ck_assert_int_eq(
            harness_i64(stage->harness,
                        "SELECT TIMESTAMPDIFF(MINUTE, '2026-07-03', decided_until) DIV 2 = (SELECT"
                        " COUNT(*) FROM schedule_slot) FROM job_schedule"),
            1);
    }
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT GROUP_CONCAT(DISTINCT status, ' ', reason ORDER BY status)"
                   " FROM schedule_slot"),
        "OPEN ,SKIPPED missed, noticed at Sat 2026-07-04 16:01:30 +00:00; covered by the slot of "
        "Sat 2026-07-04 16:00:00 +00:00");
    ck_assert_str_eq(stage_text(stage,
                                "SELECT MAX(slot_at) FROM schedule_slot WHERE status = 'OPEN'"),
                     "2026-07-04 16:00:00.000000");
}
END_TEST

static const struct {
    const char *cron, *now, *intervals;
} interval_cases[] = {
    {"0 6 * * mon", "2026-07-21 00:00:00",
     "2026-07-05 to 2026-07-05; 2026-07-06 to 2026-07-12; 2026-07-13 to 2026-07-19"},
    {"0 6,18 * * *", "2026-07-05 12:00:00",
     "2026-07-02 to 2026-07-02; 2026-07-03 to 2026-07-03; 2026-07-03 to 2026-07-03; 2026-07-04 to "
     "2026-07-04"},
    {"0 0 1 * *", "2026-09-01 00:00:00", "2026-07-31 to 2026-07-31; 2026-08-01 to 2026-08-31"},
};

START_TEST(no_day_lies_between_two_slots)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job job = stage_job(interval_cases[_i].cron, "UTC", MISFIRE_SKIP);
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    stage_tick_at(stage, interval_cases[_i].now);
    ck_assert_str_eq(stage_column(stage, "CONCAT(interval_start, ' to ', interval_end)"),
                     interval_cases[_i].intervals);
}
END_TEST

/* The cron's zone says when, the business zone which day. 02:30 does not exist in Berlin on
 * 2026-03-29, and exists twice on 2026-10-25. In Seoul it is 08 or 09 hours later. */
static const struct {
    const char *cron, *zone, *business_zone, *from, *now, *slots;
} zone_cases[] = {
    {"30 2 * * *", "Europe/Berlin", "Europe/Berlin", "2026-03-28 00:00:00", "2026-03-30 12:00:00",
     "2026-03-28 01:30 2026-03-27; 2026-03-29 01:00 2026-03-28; 2026-03-30 00:30 2026-03-29"},
    {"30 2 * * *", "Europe/Berlin", "Europe/Berlin", "2026-10-24 00:00:00", "2026-10-26 12:00:00",
     "2026-10-24 00:30 2026-10-23; 2026-10-25 00:30 2026-10-24; 2026-10-26 01:30 2026-10-25"},
    {"0 * * * *", "Europe/Berlin", "Europe/Berlin", "2026-03-28 23:30:00", "2026-03-29 02:00:00",
     "2026-03-29 00:00 2026-03-28; 2026-03-29 01:00 2026-03-28; 2026-03-29 02:00 2026-03-28"},
    {"0 2 * * *", "America/New_York", "Asia/Seoul", "2026-03-07 12:00:00", "2026-03-09 12:00:00",
     "2026-03-08 07:00 2026-03-07; 2026-03-09 06:00 2026-03-08"},
    {"10 0 * * *", "Asia/Seoul", "Asia/Seoul", "2026-07-03 00:00:00", "2026-07-04 00:00:00",
     "2026-07-03 15:10 2026-07-03"},
};

START_TEST(slots_follow_the_clocks_of_the_zone)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new(zone_cases[_i].from);
    struct slots_job job = stage_job(zone_cases[_i].cron, zone_cases[_i].zone, MISFIRE_ONCE);
    stage->slots = stage_slots(&job);
    ck_assert_int_eq(slots_configure(stage->slots, zone_cases[_i].business_zone, &job, 1, NULL),
                     OK);
    stage_tick(stage);
    stage_tick_at(stage, zone_cases[_i].now);
    ck_assert_str_eq(stage_column(stage,
                                  "CONCAT(DATE_FORMAT(slot_at, '%Y-%m-%d %H:%i '), interval_end)"),
                     zone_cases[_i].slots);
}
END_TEST

START_TEST(disabled_means_no_slots)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_ONCE);
    job.enabled = false;
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    stage_tick_at(stage, "2026-07-06 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT_WS('|', enabled, decided_until,"
                                " next_slot_at IS NULL) FROM job_schedule"),
                     "0|2026-07-06 12:00:00.000000|1");
    job.enabled = true;
    stage->now_us = stage_time("2026-07-09 12:00:00"); /* nothing is made up for */
    stage_configure(stage->slots, &job);
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), "");
    stage_tick_at(stage, "2026-07-10 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-10 00:10 OPEN");
}
END_TEST

START_TEST(what_was_due_before_a_job_was_disabled_is_skipped)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_ONCE);
    job.enabled = false;
    stage->now_us = stage_time("2026-07-05 12:00:00");
    stage_configure(stage->slots, &job);
    stage_tick(stage);
    stage_tick_at(stage, "2026-07-08 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED");
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM schedule_slot"
                                 " WHERE reason LIKE '%the job is disabled%'"),
                     2);
}
END_TEST

START_TEST(a_changed_cron_counts_from_now_and_the_old_one_until_now)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job job = stage_job("30 0 * * *", "UTC", MISFIRE_ONCE);
    stage->now_us = stage_time("2026-07-05 12:00:00");
    stage_configure(stage->slots, &job);
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 OPEN");
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT CONCAT_WS('|', cron, decided_until, next_slot_at, last_decision)"
                   " FROM job_schedule"),
        "30 0 * * *|2026-07-05 12:00:00.000000|2026-07-06 00:30:00.000000|the schedule was changed "
        "to \"30 0 * * *\" in UTC, misfire = once, catchup_max = 31 (before: \"10 0 * * *\" in "
        "UTC, misfire = once, catchup_max = 31); the next slot: Mon 2026-07-06 00:30:00 +00:00");
    stage_tick_at(stage, "2026-07-06 00:30:00");
    ck_assert_str_eq(stage_slots_text(stage),
                     "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 OPEN; 2026-07-06 00:30 OPEN");
}
END_TEST

START_TEST(a_changed_zone_counts_from_now_also_after_a_restart)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "Asia/Seoul", MISFIRE_ONCE);
    slots_free(stage->slots);
    stage->slots = stage_slots(&job);
    stage_tick_at(stage, "2026-07-04 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
    stage_tick_at(stage, "2026-07-04 15:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN; 2026-07-04 15:10 OPEN");
}
END_TEST

START_TEST(a_changed_policy_holds_for_what_is_not_decided_yet)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_SKIP);
    job.catchup_max = 7;
    stage->now_us = stage_time("2026-07-05 12:00:00");
    stage_configure(stage->slots, &job);
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 SKIPPED");
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT_WS('|', misfire, catchup_max) FROM job_schedule"),
                     "skip|7");
    job.misfire = MISFIRE_ONCE;
    stage->now_us += STAGE_US;
    stage_configure(stage->slots, &job);
    stage_tick(stage);
    /* The times are the same: how far they are decided is not touched. */
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT_WS('|', misfire, decided_until) FROM job_schedule"),
                     "once|2026-07-05 12:00:00.000000");
}
END_TEST

START_TEST(a_former_schedule_that_cannot_be_read_any_more_has_no_slots)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_ONCE);
    harness_execute(stage->harness, "UPDATE job_schedule SET timezone = 'Atlantis/Capital'");
    slots_free(stage->slots);
    stage->slots = stage_slots(&job);
    stage_tick_at(stage, "2026-07-05 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "");
    stage_tick_at(stage, "2026-07-06 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-06 00:10 OPEN");
}
END_TEST

static const struct {
    const char *cron, *zone, *words;
} bad_schedules[] = {
    {"61 0 * * *", "UTC", "job"},
    {DAILY, "Atlantis/Capital", "Atlantis/Capital"},
};

START_TEST(a_bad_schedule_leaves_the_old_ones_in_force)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    struct slots_job jobs[2] = {
        stage_job("0 5 * * *", "UTC", MISFIRE_ONCE),
        stage_job(bad_schedules[_i].cron, bad_schedules[_i].zone, MISFIRE_ONCE),
    };
    struct detail detail = {{0}};
    ck_assert(text_format(jobs[1].name, sizeof(jobs[1].name), "other"));
    ck_assert_int_eq(slots_configure(stage->slots, "UTC", jobs, 2, &detail), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(detail.text, "the schedule of the job other: "));
    ck_assert_ptr_nonnull(strstr(detail.text, bad_schedules[_i].words));
    stage_tick_at(stage, "2026-07-04 12:00:00");
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
    ck_assert_int_eq(harness_i64(stage->harness, "SELECT COUNT(*) FROM job_schedule"), 1);
}
END_TEST

START_TEST(a_job_has_one_schedule)
{
    struct slots *slots = NULL;
    const struct slots_job jobs[2] = {stage_job(DAILY, "UTC", MISFIRE_ONCE),
                                      stage_job("0 5 * * *", "UTC", MISFIRE_ONCE)};
    struct detail detail = {{0}};
    ck_assert_int_eq(slots_new("", &slots), OK);
    ck_assert_int_eq(slots_configure(slots, "UTC", jobs, 2, &detail), ERR_INVALID);
    ck_assert_str_eq(detail.text, "the job job has two schedules; leave one of them");
    ck_assert_int_eq(slots_next_us(slots), INT64_MAX);
    slots_free(slots);
}
END_TEST

START_TEST(a_job_that_is_not_configured_here_is_left_alone)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    ck_assert_int_eq(slots_configure(stage->slots, "UTC", NULL, 0, NULL), OK);
    int64_t before = statements(stage);
    stage_tick_at(stage, "2026-07-05 12:00:00");
    ck_assert_int_eq(statements(stage), before);
    ck_assert_int_eq(slots_next_us(stage->slots), INT64_MAX);
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert_str_eq(stage_text(stage, "SELECT decided_until FROM job_schedule"),
                     "2026-07-03 12:00:00.000000");
}
END_TEST

START_TEST(jobs_do_not_wait_for_each_other)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job jobs[3] = {stage_job(DAILY, "UTC", MISFIRE_ONCE),
                                stage_job(DAILY, "UTC", MISFIRE_ONCE),
                                stage_job(DAILY, "UTC", MISFIRE_ONCE)};
    struct detail detail = {{0}};
    bool more = false;
    ck_assert(text_format(jobs[0].name, sizeof(jobs[0].name), "before"));
    ck_assert(text_format(jobs[1].name, sizeof(jobs[1].name), "broken"));
    stage->slots = stage_slots(&jobs[2]);
    ck_assert_int_eq(slots_configure(stage->slots, "UTC", jobs, 3, NULL), OK);
    stage_tick(stage);
    harness_execute(stage->harness, "ALTER TABLE schedule_slot ADD CHECK (job_name <> 'broken')");
    stage->now_us = stage_time("2026-07-04 00:10:00");
    ck_assert_int_eq(slots_tick(stage->slots, stage->db, stage->now_us, &more, &detail), ERR_SQL);
    ck_assert_msg(strncmp(detail.text, "broken: ", 8) == 0, "%s", detail.text);
    ck_assert_str_eq(
        stage_text(stage, "SELECT GROUP_CONCAT(job_name ORDER BY job_name) FROM schedule_slot"),
        "before,job");
    ck_assert_int_eq(harness_i64(stage->harness,
                                 "SELECT COUNT(*) FROM job_schedule WHERE job_name = 'broken'"
                                 " AND decided_until = '2026-07-03 12:00:00'"),
                     1);
}
END_TEST

START_TEST(idle_turns_cost_no_sql)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-03 12:00:00");
    int64_t before = statements(stage);
    for (int i = 0; i < 19; i++) {
        stage->now_us += STAGE_US / 2;
        stage_tick(stage);
    }
    ck_assert_int_eq(statements(stage), before);
    ck_assert_int_eq(slots_next_us(stage->slots), stage_time("2026-07-03 12:00:10"));
    stage->now_us += STAGE_US / 2;
    stage_tick(stage); /* the rows are read again */
    int64_t reading = statements(stage) - before;
    ck_assert_int_gt(reading, 0);
    slots_forget(stage->slots);
    ck_assert_int_eq(slots_next_us(stage->slots), 0);
    stage_tick(stage);
    ck_assert_int_eq(statements(stage), before + 2 * reading);
    stage->now_us -= STAGE_HOUR_US; /* nobody knows how long ago the rows were read */
    stage_tick(stage);
    ck_assert_int_eq(statements(stage), before + 3 * reading);
}
END_TEST

START_TEST(the_next_slot_is_known)
{
    CLEANUP(slot_stage_cleanup)
    struct slot_stage *stage = daily_stage(MISFIRE_ONCE, "2026-07-04 00:09:59");
    ck_assert_int_eq(slots_next_us(stage->slots), stage_time("2026-07-04 00:10:00"));
}
END_TEST

Suite *test_slots_suite(void)
{
    Suite *suite = suite_create("slots");
    TCase *cases = tcase_create("slots");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_new_schedule_counts_from_now);
    tcase_add_test(cases, a_slot_is_decided_when_it_is_due_and_not_before);
    tcase_add_loop_test(cases, missed_slots_follow_the_policy, 0, (int)COUNT_OF(misfires));
    tcase_add_test(cases, a_skipped_slot_says_which_one_covers_it);
    tcase_add_test(cases, more_than_fit_are_decided_in_several_turns);
    tcase_add_loop_test(cases, no_day_lies_between_two_slots, 0, (int)COUNT_OF(interval_cases));
    tcase_add_loop_test(cases, slots_follow_the_clocks_of_the_zone, 0, (int)COUNT_OF(zone_cases));
    tcase_add_test(cases, disabled_means_no_slots);
    tcase_add_test(cases, what_was_due_before_a_job_was_disabled_is_skipped);
    tcase_add_test(cases, a_changed_cron_counts_from_now_and_the_old_one_until_now);
    tcase_add_test(cases, a_changed_zone_counts_from_now_also_after_a_restart);
    tcase_add_test(cases, a_changed_policy_holds_for_what_is_not_decided_yet);
    tcase_add_test(cases, a_former_schedule_that_cannot_be_read_any_more_has_no_slots);
    tcase_add_loop_test(cases, a_bad_schedule_leaves_the_old_ones_in_force, 0,
                        (int)COUNT_OF(bad_schedules));
    tcase_add_test(cases, a_job_has_one_schedule);
    tcase_add_test(cases, a_job_that_is_not_configured_here_is_left_alone);
    tcase_add_test(cases, jobs_do_not_wait_for_each_other);
    tcase_add_test(cases, idle_turns_cost_no_sql);
    tcase_add_test(cases, the_next_slot_is_known);
    suite_add_tcase(suite, cases);
    return suite;
}
