/* The jobs' schedules as settlectl shows them: what the daemons have recorded (job_schedule), and
 * the jobs of the configuration that none has recorded yet. Instants are seconds since 1970-01-01
 * UTC by the database's clock. The caller owns what it is given. One thread, that of the
 * connection. */
#ifndef CLI_SCHEDULE_H
#define CLI_SCHEDULE_H

#include "cli/cli.h"
#include "common/timetable.h"

enum { SCHEDULE_LIMIT = 100, SCHEDULE_TIME = 32, SCHEDULE_SENTENCE = 4 * 1000 + 1 };

struct schedule {
    char job_name[101], cron[4 * 128 + 1], zone[65], misfire[8];
    int64_t catchup_max;
    bool enabled;
    bool recorded;   /* by a daemon; else it is only in the configuration */
    bool configured; /* the configuration that we read names the job */
    bool differs;    /* and says something else about when it is due */
    int64_t decided_until_s;
    int64_t next_slot_s;           /* as the daemon sees it; 0: none is to come */
    char paused_at[SCHEDULE_TIME]; /* empty: not paused */
    char paused_by[4 * 128 + 1], pause_reason[4 * 255 + 1];
    char last_decision[SCHEDULE_SENTENCE], last_decision_at[SCHEDULE_TIME];
};

/* A slot that is not done with. */
struct schedule_slot {
    char job_name[101], status[8], reason[SCHEDULE_SENTENCE];
    int64_t at_s;
    char from[CIVIL_TEXT], to[CIVIL_TEXT]; /* business days, both included */
    char decided_at[SCHEDULE_TIME];
    int64_t days_settled;
};

/* The database's clock. */
enum err schedule_now(struct db *db, int64_t *ret_now_s) MUST_CHECK;

/* By name. Fills at most `capacity` (up to SCHEDULE_LIMIT). */
enum err schedule_list(struct db *db, const struct config *config, struct schedule *ret_schedules,
                       int capacity, int *ret_count) MUST_CHECK;

/* Slots that are OPEN or HELD, of one job, the oldest first. */
enum err schedule_open_slots(struct db *db, const char *job_name, struct schedule_slot *ret_slots,
                             int capacity, int *ret_count) MUST_CHECK;

/* When the job of a schedule is due, by the business zone of the configuration. */
enum err schedule_timetable(const struct schedule *schedule, const struct config *config,
                            struct timetable **ret_timetable, struct detail *detail) MUST_CHECK;

/* The same for the ends of business days: each of its slots is the first instant of a day. */
enum err schedule_midnights(const struct config *config, struct timetable **ret_timetable,
                            struct detail *detail) MUST_CHECK;

/* The instant at which a business day is over; INT64_MAX at the end of all calendars. */
int64_t schedule_day_end(const struct timetable *midnights, struct civil day);

/* "2026-07-02T00:10:00Z". */
void schedule_format_utc(int64_t instant_s, char ret_text[SCHEDULE_TIME]);

#endif
