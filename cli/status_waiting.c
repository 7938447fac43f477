#include "cli/status_waiting.h"

#include <stdlib.h>
#include <string.h>

#include "cli/lag.h"
#include "common/request.h"

enum { REQUESTS = 100, SENTENCE = 3000 };

/* The job that closes days. */
static const char SETTLING_JOB[] = "daily-settlement";

/* The schedules, read once and used by two tables. */
struct reading {
    const struct status_waiting *waiting;
    struct schedule *schedules;
    int schedule_count;
    int64_t now_s;
};

static void reading_done(struct reading *reading)
{
    free(reading->schedules);
}

static void add_instant(struct output *output, int64_t instant_s)
{
    char text[SCHEDULE_TIME];
    if (instant_s == 0) {
        output_nothing(output);
    } else {
        schedule_format_utc(instant_s, text);
        output_text(output, text);
    }
}

static void describe_state(const struct schedule *schedule, char ret_text[SENTENCE])
{
    ret_text[0] = '\0';
    if (schedule->paused_at[0] != '\0') {
        (void)text_format(ret_text, SENTENCE, "paused by %s%s%s", schedule->paused_by,
                          schedule->pause_reason[0] != '\0' ? ": " : "", schedule->pause_reason);
    } else if (!schedule->enabled) {
        (void)text_format(ret_text, SENTENCE, "not enabled");
    } else if (!schedule->recorded) {
        (void)text_format(ret_text, SENTENCE, "no daemon has recorded it yet");
    }
}

/* What the daemon has recorded; else what would be next. */
static enum err next_slot(const struct reading *reading, const struct schedule *schedule,
                          int64_t *ret_slot_s)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
    *ret_slot_s = schedule->next_slot_s;
    if (schedule->recorded || !schedule->enabled) return OK;
    enum err err = schedule_timetable(schedule, &reading->waiting->cli->config, &timetable, NULL);
    if (err == OK) (void)timetable_next(timetable, reading->now_s, ret_slot_s);
    return err == ERR_MEMORY ? err : OK;
}

static enum err fill_schedules(struct reading *reading)
{
    struct output *output = reading->waiting->page->schedules;
    TRY(schedule_now(reading->waiting->db, &reading->now_s));
    TRY(schedule_list(reading->waiting->db, &reading->waiting->cli->config, reading->schedules,
                      SCHEDULE_LIMIT, &reading->schedule_count));
    for (int i = 0; i < reading->schedule_count; i++) {
        const struct schedule *schedule = &reading->schedules[i];
        char state[SENTENCE];
        int64_t slot_s = 0;
        TRY(next_slot(reading, schedule, &slot_s));
        describe_state(schedule, state);
        output_text(output, schedule->job_name);
        output_text(output, schedule->cron);
        output_text(output, schedule->zone);
        add_instant(output, slot_s);
        output_text(output, state);
    }
    return OK;
}

static enum err fill_requests(struct db *db, struct output *output)
{
    CLEANUP(free_pointer) struct request *requests = calloc(REQUESTS, sizeof(*requests));
    int count = 0;
    if (requests == NULL) return ERR_MEMORY;
    TRY(request_list_open(db, requests, REQUESTS, &count));
    for (int i = 0; i < count; i++) {
        const struct request *request = &requests[i];
        int64_t execution =
            request->last_execution_id != 0 ? request->last_execution_id : request->execution_id;
        output_i64(output, request->id);
        output_text(output, request_command_name(request->command));
        output_text(output, request->job_name);
        if (execution != 0) {
            output_i64(output, execution);
        } else {
            output_nothing(output);
        }
        output_text(output, request->date_from);
        output_text(output, request->date_to);
        output_text(output, request->on_date);
        output_i64(output, request->days_done);
        output_text(output, request_status_name(request->status));
        output_text(output, request->requested_by);
        output_text(output, request->requested_at);
        output_text(output, request->answer);
    }
    return OK;
}

static bool is_running(const char *date, void *context)
{
    const struct reading *reading = context;
    for (int i = 0; i < reading->waiting->running_count; i++) {
        const char *given = strstr(reading->waiting->running[i].parameters, "targetDate=");
        if (given != NULL && strncmp(strchr(given, '=') + 1, date, strlen(date)) == 0) return true;
    }
    return false;
}

static void add_lag(struct output *output, const struct lag *lag)
{
    output_i64(output, lag->lag_days);
    if (lag->oldest != NULL) {
        output_text(output, lag->oldest);
        output_i64(output, lag->age_s * 1000000);
    } else {
        output_nothing(output);
        output_nothing(output);
    }
    output_i64(output, lag->overdue_days);
    output_i64(output, lag->late_days);
    output_i64(output, lag->late_logs);
}

static void add_day(const struct status_page *page, const struct lag_day *day)
{
    output_text(page->unsettled, day->date);
    output_i64(page->unsettled, day->view_logs);
    output_i64(page->unsettled, day->ad_logs);
    output_flag(page->unsettled, day->late);
    output_flag(page->unsettled, day->over);
    add_instant(page->unsettled, day->due_s);
    output_flag(page->unsettled, day->overdue);
}

static void add_overdue(const struct status_page *page, const struct lag *lag)
{
    char text[SENTENCE], due[SCHEDULE_TIME];
    for (int i = 0; i < lag->count; i++) {
        const struct lag_day *day = &lag->days[i];
        if (!day->overdue) continue;
        schedule_format_utc(day->due_s, due);
        (void)text_format(text, sizeof(text),
                          "%s has logs, was due at %s and is not settled (%lld day%s overdue); "
                          "`settlectl next` says what it waits for",
                          day->date, due, (long long)lag->overdue_days,
                          lag->overdue_days == 1 ? " is" : "s are");
        status_add_problem(page->problems, "overdue", text);
        return;
    }
}

static enum err fill_lag(struct reading *reading)
{
    CLEANUP(lag_done) struct lag lag = {0};
    struct lag_view view = {.config = &reading->waiting->cli->config,
                            .now_s = reading->now_s,
                            .is_running = is_running,
                            .context = reading};
    for (int i = 0; i < reading->schedule_count; i++) {
        if (strcmp(reading->schedules[i].job_name, SETTLING_JOB) == 0)
            view.schedule = &reading->schedules[i];
    }
    TRY(lag_read(reading->waiting->db, &view, &lag));
    add_lag(reading->waiting->page->lag, &lag);
    for (int i = 0; i < lag.count; i++)
        add_day(reading->waiting->page, &lag.days[i]);
    add_overdue(reading->waiting->page, &lag);
    return OK;
}

enum err status_fill_waiting(const struct status_waiting *waiting)
{
    CLEANUP(reading_done) struct reading reading = {.waiting = waiting};
    reading.schedules = calloc(SCHEDULE_LIMIT, sizeof(*reading.schedules));
    if (reading.schedules == NULL) return ERR_MEMORY;
    TRY(fill_schedules(&reading));
    TRY(fill_requests(waiting->db, waiting->page->requests));
    return fill_lag(&reading);
}
