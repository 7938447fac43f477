/* Each slot is decided once: with several daemons, with clocks that jump, with connections that
 * break. */
#include <pthread.h>
#include <string.h>

#include "tests/db/slot_stage.h"
#include "tests/db/suites.h"

static const char DAILY[] = "10 0 * * *";
static const char HOURLY[] = "0 * * * *";

static struct slot_stage *new_stage(const char *cron, const char *now)
{
    struct slot_stage *stage = slot_stage_new(now);
    struct slots_job job = stage_job(cron, "UTC", MISFIRE_ONCE);
    stage->slots = stage_slots(&job);
    stage_tick(stage);
    return stage;
}

/* ---- clocks ---- */

static const struct {
    const char *cron, *now, *ahead, *back; /* the clock jumps, and is set right again */
    const char *until, *slots;             /* what is there when time has come so far */
} jumps[] = {
    /* A few minutes: the slot was run early, and not again. */
    {HOURLY, "2026-07-03 12:30:00", "2026-07-03 13:05:00", "2026-07-03 12:31:00",
     "2026-07-03 14:00:00", "2026-07-03 13:00 OPEN; 2026-07-03 14:00 OPEN"},
    /* Hours. */
    {HOURLY, "2026-07-03 12:30:00", "2026-07-03 15:00:30", "2026-07-03 12:31:00",
     "2026-07-03 16:00:00",
     "2026-07-03 13:00 SKIPPED; 2026-07-03 14:00 SKIPPED; 2026-07-03 15:00 OPEN; 2026-07-03 16:00 "
     "OPEN"},
    /* A day and more: what is within a day stays, and is not decided again. */
    {DAILY, "2026-07-03 12:30:00", "2026-07-04 20:00:00", "2026-07-03 12:31:00",
     "2026-07-05 00:10:00", "2026-07-04 00:10 OPEN; 2026-07-05 00:10 OPEN"},
    /* Two days: the one that was run is beyond, so the one that it covered counts again. */
    {DAILY, "2026-07-03 12:30:00", "2026-07-05 20:00:00", "2026-07-03 12:31:00",
     "2026-07-05 00:10:00", "2026-07-04 00:10 OPEN; 2026-07-05 00:10 OPEN"},
    /* A year. */
    {DAILY, "2026-07-03 12:30:00", "2027-07-03 12:30:00", "2026-07-03 12:31:00",
     "2026-07-05 00:10:00", "2026-07-04 00:10 OPEN; 2026-07-05 00:10 OPEN"},
    /* A year, over a slot that the year's end had covered. */
    {DAILY, "2026-07-03 00:09:50", "2027-07-03 00:10:10", "2026-07-03 00:10:20",
     "2026-07-04 00:10:00", "2026-07-03 00:10 OPEN; 2026-07-04 00:10 OPEN"},
};

START_TEST(a_clock_that_was_ahead_neither_doubles_nor_loses_slots)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = new_stage(jumps[_i].cron, jumps[_i].now);
    stage_tick_at(stage, jumps[_i].ahead);
    stage_tick_at(stage, jumps[_i].back);
    int64_t until_us = stage_time(jumps[_i].until);
    for (; stage->now_us < until_us; stage->now_us += 10 * 60 * STAGE_US) {
        /* On time, too. */
        if (slots_next_us(stage->slots) > stage->now_us) continue;
        stage_tick(stage);
    }
    stage->now_us = until_us;
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), jumps[_i].slots);
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT DATE_FORMAT(decided_until, '%Y-%m-%d %H:%i:%s') FROM job_schedule"),
        jumps[_i].until);
}
END_TEST

START_TEST(taking_slots_back_is_said_and_shown)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = new_stage(DAILY, "2026-07-03 12:30:00");
    stage_tick_at(stage, "2026-08-03 12:30:00");
    ck_assert_int_eq(harness_i64(stage->harness, "SELECT COUNT(*) FROM schedule_slot"), 31);
    stage_tick_at(stage, "2026-07-03 12:31:00");
    ck_assert_int_eq(harness_i64(stage->harness, "SELECT COUNT(*) FROM schedule_slot"), 0);
    ck_assert_str_eq(
        stage_text(stage,
                   "SELECT CONCAT_WS('|', decided_until, next_slot_at, last_decision)"
                   " FROM job_schedule"),
        "2026-07-03 12:31:00.000000|2026-07-04 00:10:00.000000|the clock was set back: slots had "
        "been decided up to Mon 2026-08-03 12:30:00 +00:00, and it is Fri 2026-07-03 12:31:00 "
        "+00:00");
}
END_TEST

/* The clock is wrong by a year for a while, in the other direction: what was taken back then is
 * decided again as missed. */
START_TEST(a_clock_that_was_behind_leaves_a_row_for_each_slot)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = new_stage(DAILY, "2026-07-01 12:00:00");
    stage_tick_at(stage, "2026-07-02 00:10:00");
    ck_assert_int_eq(slots_finish(stage->db, "job", "2026-07-01", stage->now_us, ""), OK);
    stage_tick_at(stage, "2026-07-03 00:10:00");
    stage_tick_at(stage, "2025-07-03 00:20:00");
    ck_assert_str_eq(stage_slots_text(stage), "");
    stage_tick_at(stage, "2025-07-04 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "2025-07-04 00:10 OPEN");
    stage_tick_at(stage, "2026-07-03 00:30:00");
    ck_assert_int_eq(harness_i64(stage->harness, "SELECT COUNT(*) FROM schedule_slot"), 365);
    ck_assert_str_eq(stage_text(stage,
                                "SELECT GROUP_CONCAT(slot_at ORDER BY slot_at)"
                                " FROM schedule_slot WHERE status = 'OPEN'"),
                     "2025-07-04 00:10:00.000000,2026-07-03 00:10:00.000000");
}
END_TEST

/* ---- several daemons ---- */

struct daemon {
    struct db *db;
    struct slots *slots;
    pthread_t thread;
    pthread_barrier_t *barrier;
    int64_t now_us;
    int errors;
};

static void daemon_begin(struct daemon *daemon, const struct slot_stage *stage,
                         const struct slots_job *job)
{
    *daemon = (struct daemon){.db = harness_connect(stage->harness), .slots = stage_slots(job)};
    daemon->now_us = stage->now_us;
}

static void daemon_end(struct daemon *daemon)
{
    slots_free(daemon->slots);
    db_free(daemon->db);
}

/* One call; whether there was more to do. */
static bool daemon_tick(struct daemon *daemon, const char *now)
{
    struct detail detail = {{0}};
    bool more = false;
    enum err err = slots_tick(daemon->slots, daemon->db, stage_time(now), &more, &detail);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
    return more;
}

START_TEST(what_one_daemon_decided_the_other_finds_decided)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_ONCE);
    struct daemon one, two;
    daemon_begin(&one, stage, &job);
    daemon_begin(&two, stage, &job);
    ck_assert(!daemon_tick(&one, "2026-07-04 00:09:55"));
    ck_assert(!daemon_tick(&two, "2026-07-04 00:09:56"));
    ck_assert(!daemon_tick(&one, "2026-07-04 00:10:00"));
    ck_assert(daemon_tick(&two, "2026-07-04 00:10:01")); /* too late: looks again */
    ck_assert(!daemon_tick(&two, "2026-07-04 00:10:01"));
    ck_assert_str_eq(stage_column(stage, "CONCAT(slot_at, status, decided_at)"),
                     "2026-07-04 00:10:00.000000OPEN2026-07-04 00:10:00.000000");
    /* The next one is the other's, if it comes first. */
    ck_assert(!daemon_tick(&two, "2026-07-05 00:10:00"));
    ck_assert(!daemon_tick(&one, "2026-07-05 00:10:01"));
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN; 2026-07-05 00:10 OPEN");
    daemon_end(&one);
    daemon_end(&two);
}
END_TEST

/* The schedule that was configured last is in force for all. */
START_TEST(a_daemon_follows_the_one_that_was_configured_later)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job early = stage_job("10 0 * * *", "UTC", MISFIRE_ONCE);
    struct slots_job late = stage_job("40 0 * * *", "UTC", MISFIRE_ONCE);
    struct daemon one, two;
    daemon_begin(&one, stage, &early);
    daemon_begin(&two, stage, &late);
    ck_assert(!daemon_tick(&one, "2026-07-03 12:00:00"));
    ck_assert(!daemon_tick(&two, "2026-07-03 12:00:01"));
    ck_assert(!daemon_tick(&one, "2026-07-03 12:00:10")); /* reads the row again */
    ck_assert(!daemon_tick(&one, "2026-07-04 00:10:00"));
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert(!daemon_tick(&one, "2026-07-04 00:40:00"));
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:40 OPEN");
    /* Configured anew, it is heard. */
    stage_configure(one.slots, &early);
    ck_assert(!daemon_tick(&one, "2026-07-04 12:00:00"));
    ck_assert(!daemon_tick(&two, "2026-07-04 12:00:00"));
    ck_assert(!daemon_tick(&two, "2026-07-05 00:10:00"));
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:40 OPEN; 2026-07-05 00:10 OPEN");
    /* What it can't read, it leaves to those who can. */
    harness_execute(stage->harness, "UPDATE job_schedule SET timezone = 'Atlantis/Capital'");
    ck_assert(!daemon_tick(&two, "2026-07-07 12:00:00"));
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:40 OPEN; 2026-07-05 00:10 OPEN");
    daemon_end(&one);
    daemon_end(&two);
}
END_TEST

enum { STEPS = 200, RACERS = 3 };

/* All daemons at once, half an hour after half an hour. */
static void *run_daemon(void *argument)
{
    struct daemon *daemon = argument;
    for (int step = 0; step < STEPS; step++) {
        bool more = true;
        (void)pthread_barrier_wait(daemon->barrier);
        daemon->now_us += STAGE_HOUR_US / 2;
        for (int turn = 0; turn < 100 && more; turn++)
            if (slots_tick(daemon->slots, daemon->db, daemon->now_us, &more, NULL) != OK)
                daemon->errors++;
        if (more) daemon->errors++;
    }
    return NULL;
}

START_TEST(of_daemons_at_the_same_time_one_decides)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 00:00:00");
    struct slots_job job = stage_job(HOURLY, "UTC", MISFIRE_ONCE);
    struct daemon daemons[RACERS];
    pthread_barrier_t barrier;
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (int i = 0; i < RACERS; i++) {
        daemon_begin(&daemons[i], stage, &job);
        daemons[i].barrier = &barrier;
    }
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&daemons[i].thread, NULL, run_daemon, &daemons[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        ck_assert_int_eq(pthread_join(daemons[i].thread, NULL), 0);
        ck_assert_int_eq(daemons[i].errors, 0);
        daemon_end(&daemons[i]);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_str_eq(stage_text(stage,
                                "SELECT CONCAT_WS('|', COUNT(*), SUM(status = 'OPEN'),"
                                " SUM(decided_at = slot_at), MIN(slot_at), MAX(slot_at),"
                                " COUNT(DISTINCT slot_at)) FROM schedule_slot"),
                     "100|100|100|2026-07-03 01:00:00.000000|2026-07-07 04:00:00.000000|100");
}
END_TEST

/* ---- failures ---- */

START_TEST(a_lost_connection_loses_no_slot)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new("2026-07-03 12:00:00");
    struct slots_job job = stage_job(DAILY, "UTC", MISFIRE_ONCE);
    struct daemon daemon;
    struct detail detail = {{0}};
    bool more = false;
    daemon_begin(&daemon, stage, &job);
    ck_assert(!daemon_tick(&daemon, "2026-07-04 00:09:55"));
    int64_t now_us = stage_time("2026-07-04 00:10:00");
    ck_assert_int_eq(db_end_session(stage->db, db_session_id(daemon.db)), OK);
    enum err err = slots_tick(daemon.slots, daemon.db, now_us, &more, &detail);
    ck_assert_int_eq(err_class(err), CLASS_CONNECTION);
    ck_assert_str_ne(detail.text, "");
    ck_assert_int_eq(slots_next_us(daemon.slots), 0);
    ck_assert_int_eq(db_reconnect(daemon.db), OK);
    ck_assert(!daemon_tick(&daemon, "2026-07-04 00:10:05"));
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 OPEN");
    daemon_end(&daemon);
}
END_TEST

/* Whichever statement fails, nothing of the decision is there, and the next turn makes it. */
static const char *const failures[] = {
    "CREATE TRIGGER failing BEFORE UPDATE ON job_schedule FOR EACH ROW SIGNAL SQLSTATE '45000'",
    "CREATE TRIGGER failing BEFORE INSERT ON schedule_slot FOR EACH ROW SIGNAL SQLSTATE '45000'",
    "CREATE TRIGGER failing AFTER INSERT ON schedule_slot FOR EACH ROW"
    " IF NEW.slot_at > '2026-07-05' THEN SIGNAL SQLSTATE '45000'; END IF",
};

START_TEST(a_decision_is_written_as_a_whole_or_not_at_all)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = new_stage(DAILY, "2026-07-03 12:00:00");
    bool more = false;
    harness_execute(stage->harness, failures[_i]);
    stage->now_us = stage_time("2026-07-05 12:00:00");
    ck_assert_int_eq(slots_tick(stage->slots, stage->db, stage->now_us, &more, NULL), ERR_SQL);
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert_str_eq(stage_text(stage, "SELECT decided_until FROM job_schedule"),
                     "2026-07-03 12:00:00.000000");
    harness_execute(stage->harness, "DROP TRIGGER failing");
    stage_tick(stage);
    ck_assert_str_eq(stage_slots_text(stage), "2026-07-04 00:10 SKIPPED; 2026-07-05 00:10 OPEN");
}
END_TEST

START_TEST(a_schedule_that_was_deleted_begins_anew)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = new_stage(DAILY, "2026-07-03 12:00:00");
    harness_execute(stage->harness, "DELETE FROM job_schedule");
    stage_tick_at(stage, "2026-07-04 00:10:00");
    ck_assert_str_eq(stage_slots_text(stage), "");
    ck_assert_str_eq(stage_text(stage, "SELECT next_slot_at FROM job_schedule"),
                     "2026-07-05 00:10:00.000000");
}
END_TEST

Suite *test_slots_once_suite(void)
{
    Suite *suite = suite_create("slots_once");
    TCase *cases = tcase_create("slots_once");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_clock_that_was_ahead_neither_doubles_nor_loses_slots, 0,
                        (int)COUNT_OF(jumps));
    tcase_add_test(cases, taking_slots_back_is_said_and_shown);
    tcase_add_test(cases, a_clock_that_was_behind_leaves_a_row_for_each_slot);
    tcase_add_test(cases, what_one_daemon_decided_the_other_finds_decided);
    tcase_add_test(cases, a_daemon_follows_the_one_that_was_configured_later);
    tcase_add_test(cases, of_daemons_at_the_same_time_one_decides);
    tcase_add_test(cases, a_lost_connection_loses_no_slot);
    tcase_add_loop_test(cases, a_decision_is_written_as_a_whole_or_not_at_all, 0,
                        (int)COUNT_OF(failures));
    tcase_add_test(cases, a_schedule_that_was_deleted_begins_anew);
    suite_add_tcase(suite, cases);
    return suite;
}
