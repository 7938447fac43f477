/* The rows of job_schedule and schedule_slot as the decisions about slots read and write them.
 * Times go in as texts, so that no clock and no time zone of the server's has a say. */
#ifndef DAEMON_SCHEDULE_SLOT_ROWS_H
#define DAEMON_SCHEDULE_SLOT_ROWS_H

#include "common/db/statement.h"
#include "daemon/schedule/due.h"

/* Four bytes for each character of the column. */
enum { SLOT_ROWS_BY = 4 * 128 + 1, SLOT_ROWS_REASON = 4 * 255 + 1 };
enum { SLOT_ROWS_TIME = 27 }; /* "2026-07-03 15:10:00.000000" and its end */

/* A row of job_schedule. */
struct slot_schedule {
    char job[64];
    bool known; /* there is a row; the rest says nothing otherwise */
    char cron[4 * 128 + 1], zone[4 * 64 + 1];
    enum misfire_policy misfire;
    int catchup_max;
    bool enabled;
    int64_t decided_until_us;
    bool paused;
    int64_t paused_at_us;
    char paused_by[SLOT_ROWS_BY], pause_reason[SLOT_ROWS_REASON];
};

void slot_rows_time(int64_t time_us, char ret_text[SLOT_ROWS_TIME]);

/* Fills in the schedules whose `job` is set, `known` among it. */
enum err slot_rows_read(struct db *db, struct slot_schedule *schedules, int count) MUST_CHECK;

/* When a row was changed, by which clock, and what is shown about it. */
struct slot_note {
    int64_t now_us;
    int64_t next_slot_us; /* INT64_MAX: none */
    const char *sentence; /* NULL: what was decided last stays */
};
/* ERR_BUSY: somebody else was quicker. */
enum err slot_rows_begin(struct db *db, const struct slot_schedule *schedule,
                         const struct slot_note *note) MUST_CHECK;
/* Makes the row what `after` says (but for the pause, which is not theirs to change), if it is what
 * `before` says: ERR_BUSY when not. */
enum err slot_rows_change(struct db *db, const struct slot_schedule *before,
                          const struct slot_schedule *after,
                          const struct slot_note *note) MUST_CHECK;

/* Slots to be written. */
struct slot_batch {
    int count;
    char at[DUE_LIMIT][SLOT_ROWS_TIME], start[DUE_LIMIT][CIVIL_TEXT], end[DUE_LIMIT][CIVIL_TEXT];
    enum slot_status status[DUE_LIMIT];
    char reasons[SLOT_SKIPPED + 1][DUE_REASON]; /* by status */
    int64_t last_s;
    int counts[SLOT_SKIPPED + 1]; /* by status */
};
void slot_rows_add(struct slot_batch *batch, int64_t slot_s, struct due_interval interval,
                   enum slot_status status);
/* ERR_BUSY: somebody else was quicker. */
enum err slot_rows_write(struct db *db, const char *job, const char *node_id, int64_t now_us,
                         const struct slot_batch *batch) MUST_CHECK;

/* The slots with a row from the last one up to `after_us` on, to `until_us`: time and interval_end,
 * ascending. */
enum err slot_rows_between(struct db *db, const char *job, int64_t after_us, int64_t until_us,
                           struct statement **ret_rows) MUST_CHECK;
enum err slot_rows_next(struct statement *rows, bool *ret_row, int64_t *ret_slot_us,
                        struct civil *ret_end) MUST_CHECK;

/* What the clock had no right to decide: slots after `until_us`, and those that were skipped after
 * `until_us` by the clock as it was then. *ret_first_us is the earliest, INT64_MAX when there is
 * none. */
enum err slot_rows_ahead(struct db *db, const char *job, int64_t until_us,
                         int64_t *ret_first_us) MUST_CHECK;
enum err slot_rows_remove_ahead(struct db *db, const char *job, int64_t until_us,
                                int64_t *ret_removed) MUST_CHECK;

#endif
