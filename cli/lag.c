#include "cli/lag.h"

#include <stdlib.h>

#include "common/db/statement.h"

/* The days are found by skipping through the indexes; only the logs of days that are not closed are
 * counted. */
static const char UNSETTLED_SQL[] =
    "SELECT DATE_FORMAT(d.watched_date, '%Y-%m-%d'),"
    " (SELECT COUNT(*) FROM member_content_watch_log v WHERE v.watched_date = d.watched_date),"
    " (SELECT COUNT(*) FROM member_ad_watch_log a WHERE a.watched_date = d.watched_date),"
    " d.watched_date < COALESCE((SELECT MAX(business_date) FROM day_close), '1000-01-01')"
    " FROM (SELECT DISTINCT watched_date FROM member_content_watch_log"
    "   UNION SELECT DISTINCT watched_date FROM member_ad_watch_log) d"
    " WHERE NOT EXISTS (SELECT 1 FROM day_close c WHERE c.business_date = d.watched_date)"
    " ORDER BY d.watched_date LIMIT ?";

static enum err read_days(struct db *db, struct lag *lag)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, UNSETTLED_SQL, "i", (int64_t)LAG_DAYS));
    while (lag->count < LAG_DAYS) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        struct lag_day *day = &lag->days[lag->count++];
        (void)text_format(day->date, sizeof(day->date), "%s", statement_text(rows, 0));
        day->view_logs = statement_i64(rows, 1);
        day->ad_logs = statement_i64(rows, 2);
        day->late = statement_i64(rows, 3) != 0;
    }
    return OK;
}

/* Without the zone's file nothing can be said about when a day is over. NULL stands for that, as
 * for a job without schedule. */
static enum err make_timetables(const struct lag_view *view, struct timetable **ret_midnights,
                                struct timetable **ret_slots)
{
    enum err err = schedule_midnights(view->config, ret_midnights, NULL);
    if (err == ERR_MEMORY) return err;
    if (view->schedule == NULL || !view->schedule->enabled) return OK;
    err = schedule_timetable(view->schedule, view->config, ret_slots, NULL);
    return err == ERR_MEMORY ? err : OK;
}

static void judge_day(struct lag *lag, struct lag_day *day, const struct lag_view *view,
                      int64_t end_s)
{
    day->over = end_s <= view->now_s;
    if (day->late) {
        lag->late_days++;
        lag->late_logs += day->view_logs + day->ad_logs;
        return;
    }
    if (!day->over) return;
    if (lag->lag_days++ == 0) {
        lag->oldest = day->date;
        lag->age_s = view->now_s - end_s;
    }
    day->overdue = day->due_s != 0 && view->now_s - day->due_s > LAG_OVERDUE_S &&
                   !view->is_running(day->date, view->context);
    if (day->overdue) lag->overdue_days++;
}

static enum err judge(struct lag *lag, const struct lag_view *view)
{
    CLEANUP(timetable_cleanup) struct timetable *midnights = NULL, *slots = NULL;
    TRY(make_timetables(view, &midnights, &slots));
    for (int i = 0; i < lag->count; i++) {
        struct lag_day *day = &lag->days[i];
        struct civil date;
        int64_t end_s = INT64_MAX;
        bool known = midnights != NULL && civil_parse(day->date, &date) == OK;
        if (known) end_s = schedule_day_end(midnights, date);
        if (end_s < INT64_MAX && slots != NULL && !day->late)
            (void)timetable_next(slots, end_s - 1, &day->due_s);
        judge_day(lag, day, view, end_s);
    }
    return OK;
}

enum err lag_read(struct db *db, const struct lag_view *view, struct lag *ret_lag)
{
    CLEANUP(lag_done) struct lag lag = {.days = calloc(LAG_DAYS, sizeof(*lag.days))};
    if (lag.days == NULL) return ERR_MEMORY;
    TRY(read_days(db, &lag));
    TRY(judge(&lag, view));
    *ret_lag = lag;
    lag.days = NULL;
    return OK;
}

void lag_done(struct lag *lag)
{
    free(lag->days);
    *lag = (struct lag){0};
}
