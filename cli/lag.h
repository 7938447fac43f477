/* The days that have logs and are not settled: which of them are over, which are overdue, and how
 * far the settlement lags behind. A day is over at midnight of the business zone. It is due at the
 * first slot of the job after that, and overdue when that was more than an hour ago and it is not
 * being settled right now. A day before the settled frontier is late: it is not settled any more.
 * One thread. */
#ifndef CLI_LAG_H
#define CLI_LAG_H

#include "cli/schedule.h"

enum { LAG_DAYS = 1000, LAG_OVERDUE_S = 3600 };

struct lag_day {
    char date[CIVIL_TEXT];
    int64_t view_logs, ad_logs;
    bool late, over, overdue;
    int64_t due_s; /* 0: no slot is known that would settle it */
};

struct lag {
    struct lag_day *days; /* the oldest first, at most LAG_DAYS; free with lag_done */
    int count;
    int64_t lag_days, overdue_days; /* over, not late */
    const char *oldest;             /* of these; NULL: none */
    int64_t age_s;                  /* since that one was over */
    int64_t late_days, late_logs;
};

/* What is needed to judge the days. `schedule`: of the job that settles them, NULL when there is
 * none. */
struct lag_view {
    const struct config *config;
    const struct schedule *schedule;
    int64_t now_s;
    bool (*is_running)(const char *date, void *context);
    void *context;
};

/* Reads and judges them. */
enum err lag_read(struct db *db, const struct lag_view *view, struct lag *ret_lag) MUST_CHECK;
void lag_done(struct lag *lag);

#endif
