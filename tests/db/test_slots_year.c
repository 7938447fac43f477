/* A year of schedules in zones whose clocks change, on a database that is real and under a daemon
 * that dies every hour: before and after each statement of a decision, or after it; sometimes
 * nobody starts it again for a day or two. The timetable says which slots there are; each must be
 * there once. */
#include <string.h>

#include "common/db/statement.h"
#include "common/log.h"
#include "common/timetable.h"
#include "tests/db/slot_stage.h"
#include "tests/db/suites.h"

static const char FROM[] = "2026-01-01 00:00:00";
static const char BUSINESS_ZONE[] = "Europe/Berlin";

/* One process in so many dies inside of a decision, if it makes one; the others when they are
 * through. */
enum { HOURS = 365 * 24, JOBS = 3, CRASH_POINTS = 4, DEATHS_APART = 6 };

static const struct slots_job jobs[JOBS] = {
    {.name = "daily",
     .cron = "10 0 * * *",
     .zone = "Europe/Berlin",
     .misfire = MISFIRE_ONCE,
     .catchup_max = 31,
     .enabled = true},
    /* Its clocks go by half an hour, so that the hours begin elsewhere in winter. */
    {.name = "hourly",
     .cron = "0 * * * *",
     .zone = "Australia/Lord_Howe",
     .misfire = MISFIRE_ONCE,
     .catchup_max = 31,
     .enabled = true},
    /* On 2026-03-08 there is no such time. */
    {.name = "gap",
     .cron = "30 2 * * *",
     .zone = "America/New_York",
     .misfire = MISFIRE_SKIP,
     .catchup_max = 31,
     .enabled = true},
};

/* The connection that a process has asked to die with is ended inside its statement. */
#define DIE_AT(point)                                                                              \
    "FOR EACH ROW IF @die = " #point " THEN SET @die = 0; KILL CONNECTION CONNECTION_ID(); END IF"
static const char *const TRIGGERS[CRASH_POINTS] = {
    "CREATE TRIGGER die_1 BEFORE UPDATE ON job_schedule " DIE_AT(1),
    "CREATE TRIGGER die_2 AFTER UPDATE ON job_schedule " DIE_AT(2),
    "CREATE TRIGGER die_3 BEFORE INSERT ON schedule_slot " DIE_AT(3),
    "CREATE TRIGGER die_4 AFTER INSERT ON schedule_slot " DIE_AT(4),
};
static const char ROWS_SQL[] =
    "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', slot_at), interval_start, interval_end, status,"
    " reason, TIMESTAMPDIFF(SECOND, slot_at, decided_at) FROM schedule_slot WHERE job_name = ?"
    " ORDER BY slot_at";

struct year {
    struct slot_stage *stage;
    struct db *db;
    uint64_t random;
    int deaths; /* inside of a decision */
};

/* The same numbers in every run (Knuth's MMIX generator), below `limit`. */
static int draw(struct year *year, int limit)
{
    year->random = year->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((year->random >> 33) % (uint64_t)limit);
}

static void set_death(struct year *year, int die_at)
{
    char sql[32];
    ck_assert(text_format(sql, sizeof(sql), "SET @die = %d", die_at));
    ck_assert_int_eq(db_execute(year->db, sql), OK);
}

/* A process from its start on; false when it died inside of a decision. */
static bool live(struct year *year, int64_t now_us, int die_at)
{
    CLEANUP(slots_cleanup) struct slots *slots = NULL;
    struct detail detail = {{0}};
    bool more = true;
    ck_assert_int_eq(slots_new("22222222-2222-4222-8222-222222222222", &slots), OK);
    ck_assert_int_eq(slots_configure(slots, BUSINESS_ZONE, jobs, JOBS, &detail), OK);
    if (die_at > 0) set_death(year, die_at);
    while (more) {
        enum err err = slots_tick(slots, year->db, now_us, &more, &detail);
        if (err == OK) continue;
        ck_assert_msg(die_at > 0 && err_class(err) == CLASS_CONNECTION, "%s", detail.text);
        ck_assert_int_eq(db_reconnect(year->db), OK);
        year->deaths++;
        return false;
    }
    if (die_at > 0) set_death(year, 0);
    return true;
}

/* One process an hour; where it dies half way, another one may follow it at once. */
static void run_year(struct year *year, int64_t from_us)
{
    for (int hour = 0; hour < HOURS; hour++) {
        /* Within the first minute now and then, else at any time of the hour. */
        int second = draw(year, 3) == 0 ? draw(year, 60) : draw(year, 3600);
        int64_t now_us = from_us + hour * STAGE_HOUR_US + second * STAGE_US;
        int point = draw(year, DEATHS_APART * CRASH_POINTS) + 1;
        bool lived = live(year, now_us, point <= CRASH_POINTS ? point : 0);
        if (!lived && draw(year, 2) == 0) (void)live(year, now_us, 0);
        if (draw(year, 100) == 0) hour += draw(year, 48);
    }
}

struct row {
    int64_t slot_s, late_s;
    struct civil start, end;
    bool open;
};

static bool read_row(struct statement *rows, struct row *ret_row)
{
    bool there = false;
    ck_assert_int_eq(statement_fetch(rows, &there), OK);
    if (!there) return false;
    ret_row->slot_s = statement_i64(rows, 0);
    ck_assert_int_eq(civil_parse(statement_text(rows, 1), &ret_row->start), OK);
    ck_assert_int_eq(civil_parse(statement_text(rows, 2), &ret_row->end), OK);
    ret_row->open = strcmp(statement_text(rows, 3), "OPEN") == 0;
    ret_row->late_s = statement_i64(rows, 5);
    if (ret_row->open)
        ck_assert_str_eq(statement_text(rows, 4), "");
    else
        ck_assert(strcmp(statement_text(rows, 3), "SKIPPED") == 0 &&
                  strncmp(statement_text(rows, 4), "missed", 6) == 0);
    return true;
}

/* No day lies between two slots, and none belongs to both but where they end on the same. */
static void check_interval(const struct row *row, const struct row *previous)
{
    struct civil start = row->end;
    if (previous != NULL && civil_compare(previous->end, row->end) < 0)
        start = civil_add_days(previous->end, 1);
    ck_assert_int_eq(civil_compare(row->start, start), 0);
}

static void check_job(struct year *year, const struct slots_job *job, int64_t from_s,
                      int64_t until_s)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
    const struct timetable_options options = {job->cron, job->zone, BUSINESS_ZONE};
    struct row row = {0}, previous = {0};
    int64_t slot_s = from_s;
    int count = 0, open = 0;
    ck_assert_int_eq(timetable_new(&options, &timetable, NULL), OK);
    ck_assert_int_eq(db_query(year->db, &rows, ROWS_SQL, "s", job->name), OK);
    while (timetable_next(timetable, slot_s, &slot_s) && slot_s <= until_s) {
        ck_assert_msg(read_row(rows, &row), "%s: no slot after %lld", job->name,
                      (long long)previous.slot_s);
        ck_assert_int_eq(row.slot_s, slot_s);
        ck_assert_int_eq(civil_compare(row.end, timetable_day_before(timetable, slot_s)), 0);
        check_interval(&row, count > 0 ? &previous : NULL);
        ck_assert_int_ge(row.late_s, 0);
        if (job->misfire == MISFIRE_SKIP && row.open) ck_assert_int_le(row.late_s, 60);
        count++;
        open += row.open;
        previous = row;
    }
    ck_assert(!read_row(rows, &row));                           /* none too many */
    if (job->misfire == MISFIRE_ONCE) ck_assert(previous.open); /* what was skipped is covered */
    /* And all of this was seen happen. */
    ck_assert_int_ge(count, 365);
    ck_assert(open > 0 && open < count);
}

START_TEST(no_slot_is_lost_or_doubled_in_a_year_of_crashes)
{
    CLEANUP(slot_stage_cleanup) struct slot_stage *stage = slot_stage_new(FROM);
    CLEANUP(db_cleanup) struct db *db = harness_connect(stage->harness);
    struct year year = {.stage = stage, .db = db, .random = 20260703};
    int64_t from_us = stage->now_us, until_us = from_us + HOURS * STAGE_HOUR_US;
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    ck_assert(live(&year, from_us, 0));
    for (int i = 0; i < CRASH_POINTS; i++)
        harness_execute(stage->harness, TRIGGERS[i]);
    run_year(&year, from_us);
    ck_assert(live(&year, until_us, 0));
    ck_assert_int_gt(year.deaths, HOURS / (2 * DEATHS_APART));
    for (int i = 0; i < JOBS; i++)
        check_job(&year, &jobs[i], from_us / STAGE_US, until_us / STAGE_US);
}
END_TEST

Suite *test_slots_year_suite(void)
{
    Suite *suite = suite_create("slots_year");
    TCase *cases = tcase_create("slots_year");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, no_slot_is_lost_or_doubled_in_a_year_of_crashes);
    suite_add_tcase(suite, cases);
    return suite;
}
