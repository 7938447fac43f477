#include "daemon/schedule/slot_rows.h"

#include <string.h>
#include <strings.h>

#define SINCE_1970(column) "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', " column ")"

static const char READ_SQL[] =
    "SELECT job_name, cron, timezone, misfire = 'skip', catchup_max, enabled,"
    " " SINCE_1970("decided_until") ","
    " " SINCE_1970("paused_at") ", paused_by, pause_reason FROM job_schedule";
static const char BEGIN_SQL[] =
    "INSERT INTO job_schedule (job_name, cron, timezone, misfire, catchup_max, enabled,"
    " decided_until, next_slot_at, last_decision, last_decision_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 1000), ?)";
static const char CHANGE_SQL[] =
    "UPDATE job_schedule SET cron = ?, timezone = ?, misfire = ?, catchup_max = ?, enabled = ?,"
    " decided_until = ?, next_slot_at = ?, last_decision = COALESCE(LEFT(?, 1000), last_decision),"
    " last_decision_at = COALESCE(?, last_decision_at)"
    " WHERE job_name = ? AND cron = ? AND timezone = ? AND misfire = ? AND catchup_max = ?"
    " AND enabled = ? AND decided_until = ? AND paused_at <=> ?";
static const char WRITE_SQL[] =
    "INSERT INTO schedule_slot (job_name, slot_at, interval_start, interval_end, status, reason,"
    " decided_at, node_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char BETWEEN_SQL[] =
    "SELECT " SINCE_1970("slot_at") ", interval_end FROM schedule_slot"
    " WHERE job_name = ? AND slot_at <= ? AND slot_at >= COALESCE((SELECT MAX(before_it.slot_at)"
    " FROM schedule_slot before_it WHERE before_it.job_name = ? AND before_it.slot_at <= ?), ?)"
    " ORDER BY slot_at";
#define AHEAD " job_name = ? AND (slot_at > ? OR (status = 'SKIPPED' AND decided_at > ?))"
static const char AHEAD_SQL[] =
    "SELECT MIN(" SINCE_1970("slot_at") ") FROM schedule_slot WHERE" AHEAD;
static const char REMOVE_AHEAD_SQL[] = "DELETE FROM schedule_slot WHERE" AHEAD;

void slot_rows_time(int64_t time_us, char ret_text[SLOT_ROWS_TIME])
{
    char text[DUE_TIME];
    int64_t second = due_seconds(time_us);
    due_time(NULL, second, text);
    bool fits = text_format(ret_text, SLOT_ROWS_TIME, "%.19s.%06d", text,
                            (int)(time_us - second * 1000000));
    ASSERT(fits);
}

static const char *misfire_name(enum misfire_policy misfire)
{
    return misfire == MISFIRE_SKIP ? "skip" : "once";
}

static struct slot_schedule *find(struct slot_schedule *schedules, int count, const char *job)
{
    /* As the server compares them. */
    for (int i = 0; i < count; i++)
        if (strcasecmp(schedules[i].job, job) == 0) return &schedules[i];
    return NULL;
}

static void read_text(char *buffer, size_t size, const struct statement *rows, int column)
{
    bool fits = text_format(buffer, size, "%s", statement_text(rows, column));
    ASSERT(fits); /* buffers are as long as the columns */
}

static void read_schedule(const struct statement *rows, struct slot_schedule *schedule)
{
    schedule->known = true;
    read_text(schedule->cron, sizeof(schedule->cron), rows, 1);
    read_text(schedule->zone, sizeof(schedule->zone), rows, 2);
    schedule->misfire = statement_i64(rows, 3) != 0 ? MISFIRE_SKIP : MISFIRE_ONCE;
    schedule->catchup_max = (int)statement_i64(rows, 4);
    schedule->enabled = statement_i64(rows, 5) != 0;
    schedule->decided_until_us = statement_i64(rows, 6);
    schedule->paused = !statement_is_null(rows, 7);
    schedule->paused_at_us = statement_i64(rows, 7);
    read_text(schedule->paused_by, sizeof(schedule->paused_by), rows, 8);
    read_text(schedule->pause_reason, sizeof(schedule->pause_reason), rows, 9);
}

enum err slot_rows_read(struct db *db, struct slot_schedule *schedules, int count)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, READ_SQL, ""));
    for (int i = 0; i < count; i++)
        schedules[i].known = false;
    for (;;) {
        bool row = false;
        TRY(statement_fetch(rows, &row));
        if (!row) return OK;
        struct slot_schedule *schedule = find(schedules, count, statement_text(rows, 0));
        if (schedule != NULL) read_schedule(rows, schedule);
    }
}

/* A time as it is bound: NULL where there is none. */
static const char *time_or_null(bool there, int64_t time_us, char buffer[SLOT_ROWS_TIME])
{
    if (!there) return NULL;
    slot_rows_time(time_us, buffer);
    return buffer;
}

enum err slot_rows_begin(struct db *db, const struct slot_schedule *schedule,
                         const struct slot_note *note)
{
    char now[SLOT_ROWS_TIME], until[SLOT_ROWS_TIME], next[SLOT_ROWS_TIME];
    slot_rows_time(note->now_us, now);
    slot_rows_time(schedule->decided_until_us, until);
    enum err err = db_run(db, NULL, BEGIN_SQL, "ssssiissss", schedule->job, schedule->cron,
                          schedule->zone, misfire_name(schedule->misfire),
                          (int64_t)schedule->catchup_max, (int64_t)schedule->enabled, until,
                          time_or_null(note->next_slot_us != INT64_MAX, note->next_slot_us, next),
                          note->sentence, now);
    return err == ERR_DUPLICATE ? ERR_BUSY : err;
}

enum err slot_rows_change(struct db *db, const struct slot_schedule *before,
                          const struct slot_schedule *after, const struct slot_note *note)
{
    char now[SLOT_ROWS_TIME], until[SLOT_ROWS_TIME], next[SLOT_ROWS_TIME];
    char until_before[SLOT_ROWS_TIME], paused[SLOT_ROWS_TIME];
    int64_t matched = 0;
    slot_rows_time(note->now_us, now);
    slot_rows_time(after->decided_until_us, until);
    slot_rows_time(before->decided_until_us, until_before);
    TRY(db_run(db, &matched, CHANGE_SQL,
               "sssiissss"
               "ssssiiss",
               after->cron, after->zone, misfire_name(after->misfire), (int64_t)after->catchup_max,
               (int64_t)after->enabled, until,
               time_or_null(note->next_slot_us != INT64_MAX, note->next_slot_us, next),
               note->sentence, note->sentence != NULL ? now : NULL, before->job, before->cron,
               before->zone, misfire_name(before->misfire), (int64_t)before->catchup_max,
               (int64_t)before->enabled, until_before,
               time_or_null(before->paused, before->paused_at_us, paused)));
    return matched == 1 ? OK : ERR_BUSY;
}

void slot_rows_add(struct slot_batch *batch, int64_t slot_s, struct due_interval interval,
                   enum slot_status status)
{
    ASSERT(batch->count < DUE_LIMIT);
    int i = batch->count++;
    slot_rows_time(slot_s * 1000000, batch->at[i]);
    civil_format(interval.start, batch->start[i]);
    civil_format(interval.end, batch->end[i]);
    batch->status[i] = status;
    batch->last_s = slot_s;
    batch->counts[status]++;
}

enum err slot_rows_write(struct db *db, const char *job, const char *node_id, int64_t now_us,
                         const struct slot_batch *batch)
{
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    const char *at[DUE_LIMIT], *start[DUE_LIMIT], *end[DUE_LIMIT];
    const char *status[DUE_LIMIT], *reason[DUE_LIMIT];
    char now[SLOT_ROWS_TIME];
    if (batch->count == 0) return OK;
    slot_rows_time(now_us, now);
    for (int i = 0; i < batch->count; i++) {
        at[i] = batch->at[i];
        start[i] = batch->start[i];
        end[i] = batch->end[i];
        status[i] = due_status_name(batch->status[i]);
        reason[i] = batch->reasons[batch->status[i]];
    }
    const struct column columns[] = {{.same_text = job}, {.text = at},          {.text = start},
                                     {.text = end},      {.text = status},      {.text = reason},
                                     {.same_text = now}, {.same_text = node_id}};
    TRY(statement_new(db, WRITE_SQL, &insert));
    enum err err = statement_execute_columns(insert, columns, (int)COUNT_OF(columns), batch->count);
    return err == ERR_DUPLICATE ? ERR_BUSY : err;
}

enum err slot_rows_between(struct db *db, const char *job, int64_t after_us, int64_t until_us,
                           struct statement **ret_rows)
{
    char after[SLOT_ROWS_TIME], until[SLOT_ROWS_TIME];
    slot_rows_time(after_us, after);
    slot_rows_time(until_us, until);
    return db_query(db, ret_rows, BETWEEN_SQL, "sssss", job, until, job, after, after);
}

enum err slot_rows_next(struct statement *rows, bool *ret_row, int64_t *ret_slot_us,
                        struct civil *ret_end)
{
    TRY(statement_fetch(rows, ret_row));
    if (!*ret_row) return OK;
    *ret_slot_us = statement_i64(rows, 0);
    return civil_parse(statement_text(rows, 1), ret_end);
}

enum err slot_rows_ahead(struct db *db, const char *job, int64_t until_us, int64_t *ret_first_us)
{
    char until[SLOT_ROWS_TIME];
    slot_rows_time(until_us, until);
    return db_query_i64(db, ret_first_us, INT64_MAX, AHEAD_SQL, "sss", job, until, until);
}

enum err slot_rows_remove_ahead(struct db *db, const char *job, int64_t until_us,
                                int64_t *ret_removed)
{
    char until[SLOT_ROWS_TIME];
    slot_rows_time(until_us, until);
    return db_run(db, ret_removed, REMOVE_AHEAD_SQL, "sss", job, until, until);
}
