/* What becomes of slots after they were decided: held and let go, settled, waiting. No schedule in
 * memory is needed for it. */
#include "common/db/transaction.h"
#include "common/log.h"
#include "daemon/schedule/slot_rows.h"
#include "daemon/schedule/slots.h"

static const char LOOK_SQL[] =
    "SELECT paused_at IS NOT NULL, misfire = 'skip', cron, timezone FROM job_schedule"
    " WHERE job_name = ? FOR UPDATE";
static const char PAUSE_SQL[] =
    "UPDATE job_schedule SET paused_at = ?, paused_by = LEFT(?, 128), pause_reason = LEFT(?, 255),"
    " last_decision = LEFT(?, 1000), last_decision_at = ? WHERE job_name = ?";
static const char RESUME_SQL[] =
    "UPDATE job_schedule SET paused_at = NULL, paused_by = '', pause_reason = '',"
    " last_decision = LEFT(?, 1000), last_decision_at = ? WHERE job_name = ?";
static const char HELD_SQL[] =
    "SELECT COUNT(*), TIMESTAMPDIFF(SECOND, '1970-01-01', MAX(slot_at)) FROM schedule_slot"
    " WHERE job_name = ? AND status = 'HELD'";
static const char OPEN_HELD_SQL[] =
    "UPDATE schedule_slot SET status = 'OPEN', reason = '', decided_at = ?"
    " WHERE job_name = ? AND slot_at = ? AND status = 'HELD'";
static const char SKIP_HELD_SQL[] =
    "UPDATE schedule_slot SET status = 'SKIPPED', reason = ?, decided_at = ?"
    " WHERE job_name = ? AND status = 'HELD'";
static const char OPEN_UNTIL_SQL[] =
    "SELECT MAX(interval_end) FROM schedule_slot WHERE job_name = ? AND status = 'OPEN'";
static const char COUNT_DAY_SQL[] =
    "UPDATE schedule_slot SET days_settled = days_settled + 1"
    " WHERE job_name = ? AND status = 'OPEN' AND interval_end >= ?";
static const char FINISH_SQL[] =
    "UPDATE schedule_slot SET status = 'DONE', ended_at = ?, reason = LEFT(?, 1000)"
    " WHERE job_name = ? AND status = 'OPEN' AND interval_end <= ?";
/* Bytes are compared: to the column's collation, texts that differ in case are the same. */
static const char WAIT_SQL[] =
    "UPDATE schedule_slot SET reason = LEFT(?, 1000)"
    " WHERE job_name = ? AND status = 'OPEN' AND BINARY reason <> BINARY LEFT(?, 1000)";
static const char DECISION_SQL[] =
    "UPDATE job_schedule SET last_decision = LEFT(?, 1000), last_decision_at = ?"
    " WHERE job_name = ?";

enum { ATTEMPTS = 5, SENTENCE = 4096 };

/* A request of a person's, and what was found. */
struct errand {
    const char *job, *by, *reason;
    int64_t now_us;
    bool was_paused;
    enum misfire_policy misfire;
    struct timetable *timetable; /* for words; NULL when it can't be made here */
    int64_t held, latest_s;      /* slots that were held, and the latest of them */
    char sentence[SENTENCE];
};

static enum err look(struct db *db, struct errand *errand)
{
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    bool found = false;
    TRY(db_query(db, &row, LOOK_SQL, "s", errand->job));
    TRY(statement_fetch(row, &found));
    if (!found) return ERR_NOT_FOUND;
    errand->was_paused = statement_i64(row, 0) != 0;
    errand->misfire = statement_i64(row, 1) != 0 ? MISFIRE_SKIP : MISFIRE_ONCE;
    const struct timetable_options options = {statement_text(row, 2), statement_text(row, 3),
                                              statement_text(row, 3)};
    timetable_cleanup(&errand->timetable);
    (void)(timetable_new(&options, &errand->timetable, NULL) == OK);
    return OK;
}

static enum err run(struct db *db, enum err (*body)(struct db *db, void *context),
                    struct errand *errand)
{
    enum err err =
        db_in_transaction(db) ? body(db, errand) : db_transact(db, ATTEMPTS, body, errand);
    timetable_cleanup(&errand->timetable);
    return err;
}

static enum err pause_body(struct db *db, void *context)
{
    struct errand *errand = context;
    char now[SLOT_ROWS_TIME];
    TRY(look(db, errand));
    if (errand->was_paused) return OK;
    bool words = errand->reason[0] != '\0';
    (void)text_format(errand->sentence, SENTENCE, "paused by %s%s%s; slots are held", errand->by,
                      words ? ": " : "", errand->reason);
    slot_rows_time(errand->now_us, now);
    return db_run(db, NULL, PAUSE_SQL, "ssssss", now, errand->by, errand->reason, errand->sentence,
                  now, errand->job);
}

enum err slots_pause(struct db *db, const char *job, const struct slots_pause *pause,
                     int64_t now_us, bool *ret_was_paused)
{
    struct errand errand = {.job = job, .by = pause->by, .reason = pause->reason, .now_us = now_us};
    TRY(run(db, pause_body, &errand));
    *ret_was_paused = errand.was_paused;
    if (!errand.was_paused)
        log_event(LOG_LEVEL_INFO, "schedule-paused", errand.sentence, "job", job, NULL);
    return OK;
}

static enum err count_held(struct db *db, struct errand *errand)
{
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    bool found = false;
    TRY(db_query(db, &row, HELD_SQL, "s", errand->job));
    TRY(statement_fetch(row, &found));
    if (!found) return ERR_SQL;
    errand->held = statement_i64(row, 0);
    errand->latest_s = statement_i64(row, 1);
    return OK;
}

static void say_resumed(struct errand *errand, const char *latest)
{
    bool once = errand->misfire == MISFIRE_ONCE;
    if (errand->held == 0)
        (void)text_format(errand->sentence, SENTENCE, "resumed by %s; no slot was held",
                          errand->by);
    else
        (void)text_format(errand->sentence, SENTENCE, "resumed by %s; %lld slot%s held: %s%s",
                          errand->by, (long long)errand->held,
                          errand->held == 1 ? " was" : "s were",
                          once ? "run now, as the slot of " : "skipped, since misfire = skip",
                          once ? latest : "");
}

static enum err resume_body(struct db *db, void *context)
{
    struct errand *errand = context;
    char now[SLOT_ROWS_TIME], slot[SLOT_ROWS_TIME], latest[DUE_TIME], reason[DUE_REASON];
    TRY(look(db, errand));
    if (!errand->was_paused) return OK;
    TRY(count_held(db, errand));
    due_time(errand->timetable, errand->latest_s, latest);
    slot_rows_time(errand->latest_s * 1000000, slot);
    slot_rows_time(errand->now_us, now);
    say_resumed(errand, latest);
    TRY(db_run(db, NULL, RESUME_SQL, "sss", errand->sentence, now, errand->job));
    if (errand->held == 0) return OK;
    bool once = errand->misfire == MISFIRE_ONCE;
    if (once) TRY(db_run(db, NULL, OPEN_HELD_SQL, "sss", now, errand->job, slot));
    (void)text_format(reason, sizeof(reason), "missed while the job was paused; %s%s",
                      once ? "covered by the slot of " : "misfire = skip: waits for the next slot",
                      once ? latest : "");
    return db_run(db, NULL, SKIP_HELD_SQL, "sss", reason, now, errand->job);
}

enum err slots_resume(struct db *db, const char *job, const char *by, int64_t now_us,
                      bool *ret_was_paused)
{
    struct errand errand = {.job = job, .by = by, .reason = "", .now_us = now_us};
    TRY(run(db, resume_body, &errand));
    *ret_was_paused = errand.was_paused;
    if (errand.was_paused)
        log_event(LOG_LEVEL_INFO, "schedule-resumed", errand.sentence, "job", job, NULL);
    return OK;
}

enum err slots_open_until(struct db *db, const char *job, char ret_date[CIVIL_TEXT])
{
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    bool found = false;
    TRY(db_query(db, &row, OPEN_UNTIL_SQL, "s", job));
    TRY(statement_fetch(row, &found));
    bool fits = text_format(ret_date, CIVIL_TEXT, "%s", found ? statement_text(row, 0) : "");
    ASSERT(fits);
    return OK;
}

enum err slots_count_day(struct db *db, const char *job, const char *date)
{
    return db_run(db, NULL, COUNT_DAY_SQL, "ss", job, date);
}

enum err slots_finish(struct db *db, const char *job, const char *until, int64_t now_us,
                      const char *reason)
{
    char now[SLOT_ROWS_TIME];
    slot_rows_time(now_us, now);
    return db_run(db, NULL, FINISH_SQL, "ssss", now, reason, job, until);
}

enum err slots_wait(struct db *db, const char *job, const char *reason)
{
    return db_run(db, NULL, WAIT_SQL, "sss", reason, job, reason);
}

enum err slots_decision(struct db *db, const char *job, const char *sentence, int64_t now_us)
{
    char now[SLOT_ROWS_TIME];
    slot_rows_time(now_us, now);
    return db_run(db, NULL, DECISION_SQL, "sss", sentence, now, job);
}
