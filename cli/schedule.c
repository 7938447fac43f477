#include "cli/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/db/statement.h"

static const char NOW_SQL[] = "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', NOW(6))";
static const char LIST_SQL[] =
    "SELECT job_name, cron, timezone, misfire, catchup_max, enabled,"
    " TIMESTAMPDIFF(SECOND, '1970-01-01', decided_until),"
    " TIMESTAMPDIFF(SECOND, '1970-01-01', next_slot_at),"
    " DATE_FORMAT(paused_at, '%Y-%m-%dT%H:%i:%sZ'), paused_by, pause_reason, last_decision,"
    " DATE_FORMAT(last_decision_at, '%Y-%m-%dT%H:%i:%sZ') FROM job_schedule"
    " ORDER BY job_name LIMIT ?";
static const char SLOTS_SQL[] =
    "SELECT job_name, status, reason, TIMESTAMPDIFF(SECOND, '1970-01-01', slot_at),"
    " DATE_FORMAT(interval_start, '%Y-%m-%d'), DATE_FORMAT(interval_end, '%Y-%m-%d'),"
    " DATE_FORMAT(decided_at, '%Y-%m-%dT%H:%i:%sZ'), days_settled FROM schedule_slot"
    " WHERE status IN ('OPEN', 'HELD') AND job_name = ? ORDER BY slot_at LIMIT ?";

static const char MIDNIGHT[] = "0 0 * * *";

enum { DAY_S = 86400 };

static void copy_text(char *ret_text, size_t size, const struct statement *rows, int column)
{
    (void)text_format(ret_text, size, "%s", statement_text(rows, column));
}

#define COPY(field, column) copy_text(field, sizeof(field), rows, column)

static const char *misfire_name(enum misfire_policy misfire)
{
    return misfire == MISFIRE_SKIP ? "skip" : "once";
}

static const char *zone_of(const struct config_job *job, const struct config *config)
{
    return job->timezone[0] != '\0' ? job->timezone : config->timezone;
}

enum err schedule_now(struct db *db, int64_t *ret_now_s)
{
    return db_query_i64(db, ret_now_s, 0, NOW_SQL, "");
}

static void read_schedule(const struct statement *rows, struct schedule *ret)
{
    *ret = (struct schedule){.recorded = true};
    COPY(ret->job_name, 0);
    COPY(ret->cron, 1);
    COPY(ret->zone, 2);
    COPY(ret->misfire, 3);
    ret->catchup_max = statement_i64(rows, 4);
    ret->enabled = statement_i64(rows, 5) != 0;
    ret->decided_until_s = statement_i64(rows, 6);
    ret->next_slot_s = statement_i64(rows, 7);
    COPY(ret->paused_at, 8);
    COPY(ret->paused_by, 9);
    COPY(ret->pause_reason, 10);
    COPY(ret->last_decision, 11);
    COPY(ret->last_decision_at, 12);
}

static struct schedule *find(struct schedule *schedules, int count, const char *job_name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(schedules[i].job_name, job_name) == 0) return &schedules[i];
    }
    return NULL;
}

static void take_from_config(const struct config_job *job, const struct config *config,
                             struct schedule *ret)
{
    *ret = (struct schedule){.configured = true,
                             .enabled = job->enabled,
                             .catchup_max = job->catchup_max};
    (void)text_format(ret->job_name, sizeof(ret->job_name), "%s", job->name);
    (void)text_format(ret->cron, sizeof(ret->cron), "%s", job->cron);
    (void)text_format(ret->zone, sizeof(ret->zone), "%s", zone_of(job, config));
    (void)text_format(ret->misfire, sizeof(ret->misfire), "%s", misfire_name(job->misfire));
}

static void compare_with_config(const struct config_job *job, const struct config *config,
                                struct schedule *schedule)
{
    schedule->configured = true;
    schedule->differs = strcmp(schedule->cron, job->cron) != 0 ||
                        strcmp(schedule->zone, zone_of(job, config)) != 0 ||
                        strcmp(schedule->misfire, misfire_name(job->misfire)) != 0 ||
                        schedule->enabled != job->enabled;
}

static int by_name(const void *a, const void *b)
{
    const struct schedule *first = a, *second = b;
    return strcmp(first->job_name, second->job_name);
}

enum err schedule_list(struct db *db, const struct config *config, struct schedule *ret_schedules,
                       int capacity, int *ret_count)
{
    ASSERT(capacity > 0 && capacity <= SCHEDULE_LIMIT);
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int count = 0;
    TRY(db_query(db, &rows, LIST_SQL, "i", (int64_t)capacity));
    for (bool found = true; found && count < capacity;) {
        TRY(statement_fetch(rows, &found));
        if (found) read_schedule(rows, &ret_schedules[count++]);
    }
    for (int i = 0; i < config->job_count; i++) {
        const struct config_job *job = &config->jobs[i];
        struct schedule *known = find(ret_schedules, count, job->name);
        if (known != NULL) {
            compare_with_config(job, config, known);
        } else if (count < capacity) {
            take_from_config(job, config, &ret_schedules[count++]);
        }
    }
    qsort(ret_schedules, (size_t)count, sizeof(*ret_schedules), by_name);
    *ret_count = count;
    return OK;
}

enum err schedule_open_slots(struct db *db, const char *job_name, struct schedule_slot *ret_slots,
                             int capacity, int *ret_count)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int count = 0;
    TRY(db_query(db, &rows, SLOTS_SQL, "si", job_name, (int64_t)capacity));
    while (count < capacity) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        struct schedule_slot *slot = &ret_slots[count++];
        COPY(slot->job_name, 0);
        COPY(slot->status, 1);
        COPY(slot->reason, 2);
        slot->at_s = statement_i64(rows, 3);
        COPY(slot->from, 4);
        COPY(slot->to, 5);
        COPY(slot->decided_at, 6);
        slot->days_settled = statement_i64(rows, 7);
    }
    *ret_count = count;
    return OK;
}

enum err schedule_timetable(const struct schedule *schedule, const struct config *config,
                            struct timetable **ret_timetable, struct detail *detail)
{
    const struct timetable_options options = {schedule->cron, schedule->zone, config->timezone};
    return timetable_new(&options, ret_timetable, detail);
}

enum err schedule_midnights(const struct config *config, struct timetable **ret_timetable,
                            struct detail *detail)
{
    const struct timetable_options options = {MIDNIGHT, config->timezone, config->timezone};
    return timetable_new(&options, ret_timetable, detail);
}

/* A day is over at the first midnight that has it behind it; no zone is further than a day from
 * UTC. */
int64_t schedule_day_end(const struct timetable *midnights, struct civil day)
{
    int64_t at_s = ((int64_t)civil_to_days(day) - 1) * DAY_S;
    bool found = true;
    do {
        found = timetable_next(midnights, at_s, &at_s);
    } while (found && civil_compare(timetable_day_before(midnights, at_s), day) < 0);
    return found ? at_s : INT64_MAX;
}

void schedule_format_utc(int64_t instant_s, char ret_text[SCHEDULE_TIME])
{
    int64_t days = instant_s / DAY_S - (instant_s % DAY_S < 0 ? 1 : 0);
    int64_t seconds = instant_s - days * DAY_S;
    char date[CIVIL_TEXT];
    civil_format(civil_from_days((int32_t)days), date);
    (void)text_format(ret_text, SCHEDULE_TIME, "%sT%02d:%02d:%02dZ", date, (int)(seconds / 3600),
                      (int)(seconds / 60 % 60), (int)(seconds % 60));
}
