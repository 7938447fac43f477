/* The schedules: which times of a job are due, and what becomes of them. All of it stands in the
 * database (job_schedule: a row a job; schedule_slot: a row a slot), so that any number of daemons
 * may decide slots at once and each slot is decided once: a decision is one transaction that goes
 * by the row as it was read, and is dropped when the row is another by then. What is kept in memory
 * only spares SQL.
 *
 * The one clock is the database's, which the caller brings along: microseconds since 1970, UTC.
 * When it jumps ahead, slots are decided early, and are not decided again when it is set back; only
 * where more than a day of them was decided ahead of the clock, what lies ahead is undone.
 *
 * The schedule that was configured last is in force. A daemon that finds another one in the row
 * than it wrote follows it until it is configured anew, so that daemons with different files do not
 * undo each other's for ever. A job that is not configured here is left alone. */
#ifndef DAEMON_SCHEDULE_SLOTS_H
#define DAEMON_SCHEDULE_SLOTS_H

#include "common/config.h"
#include "common/db/connection.h"
#include "common/domain/civil.h"

/* The schedules in memory. One thread. */
struct slots;

enum err slots_new(const char *node_id, struct slots **ret_slots) MUST_CHECK;
/* Accepts NULL. */
void slots_free(struct slots *slots);
void slots_cleanup(struct slots **slots);

/* A schedule as configured. `zone` is never empty. */
struct slots_job {
    char name[64], cron[128], zone[64];
    enum misfire_policy misfire;
    int catchup_max;
    bool enabled;
};

/* Takes a configuration over, without SQL: the rows follow with the next tick. What was due under
 * the former schedule is decided before. ERR_INVALID with words where a timetable can't be made;
 * everything stays as it was then. */
enum err slots_configure(struct slots *slots, const char *business_zone,
                         const struct slots_job *jobs, int count, struct detail *detail) MUST_CHECK;

/* Decides what is due at `now_us`. *ret_more: there is more to do at once (a call decides up to 500
 * slots of a job, and another daemon may have been quicker). A job whose next slot is ahead costs
 * no SQL, but the rows are read again every ten seconds. A job that can't be decided does not keep
 * the others from it; the first error is returned, and the next call begins anew. */
enum err slots_tick(struct slots *slots, struct db *db, int64_t now_us, bool *ret_more,
                    struct detail *detail) MUST_CHECK;

/* The next instant at which slots_tick has something to do: a slot, or reading the rows again. 0:
 * at once. INT64_MAX: there is no job. For tests: the coordinator looks at every turn. */
int64_t slots_next_us(const struct slots *slots);

/* After a lost connection, or when somebody else changed a row: reads the rows again with the next
 * tick. */
void slots_forget(struct slots *slots);

/* What follows changes rows, and needs no schedules in memory. Each is one transaction; pausing
 * and resuming join the caller's where one is open. */

/* From now on slots are held. *ret_was_paused: it was paused before, and who did it stays.
 * ERR_NOT_FOUND: no schedule. */
struct slots_pause {
    const char *by, *reason;
};
enum err slots_pause(struct db *db, const char *job, const struct slots_pause *pause,
                     int64_t now_us, bool *ret_was_paused) MUST_CHECK;
/* Slots that were held count as missed: with misfire = once the latest is opened, the others are
 * skipped; with skip, all. *ret_was_paused is false where there was nothing to resume.
 * ERR_NOT_FOUND: no schedule. */
enum err slots_resume(struct db *db, const char *job, const char *by, int64_t now_us,
                      bool *ret_was_paused) MUST_CHECK;

/* The last day that open slots of the job want settled; the empty text when none is open. */
enum err slots_open_until(struct db *db, const char *job, char ret_date[CIVIL_TEXT]) MUST_CHECK;
/* A business day was closed: counts it for each open slot that wants it. */
enum err slots_count_day(struct db *db, const char *job, const char *date) MUST_CHECK;
/* Nothing is left up to `until`: the slots that want no later day are DONE. */
enum err slots_finish(struct db *db, const char *job, const char *until, int64_t now_us,
                      const char *reason) MUST_CHECK;
/* What the open slots wait for. The same words again change nothing. */
enum err slots_wait(struct db *db, const char *job, const char *reason) MUST_CHECK;
/* The sentence that `settlectl next` shows. Slots that are decided set it as well. */
enum err slots_decision(struct db *db, const char *job, const char *sentence,
                        int64_t now_us) MUST_CHECK;

#endif
