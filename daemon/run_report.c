#include "daemon/run_report.h"

#include <stdio.h>

#include "common/domain/money.h"
#include "common/human.h"

static const char TOTALS_SQL[] =
    "SELECT COUNT(*), COALESCE(SUM(view_count), 0), COALESCE(SUM(watch_time), 0),"
    " COALESCE(SUM(ad_view_count), 0) FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ?";
static const char MONEY_SQL[] =
    "SELECT COALESCE(SUM(content_revenue_micros), 0), COALESCE(SUM(ad_revenue_micros), 0),"
    " COUNT(DISTINCT creator_id) FROM settlement WHERE settlement_date = ?";
static const char PARKED_SQL[] = "SELECT COUNT(*) FROM parked_content WHERE settlement_date = ?";
static const char LATE_SQL[] = "SELECT late_contents FROM day_close WHERE business_date = ?";
/* Days before the frontier that have logs and were never settled: their logs came after later days
 * were closed. */
static const char LATE_DAYS_SQL[] =
    "SELECT CAST(watched_date AS CHAR) FROM (SELECT DISTINCT watched_date"
    " FROM member_content_watch_log WHERE watched_date < ?"
    " UNION SELECT DISTINCT watched_date FROM member_ad_watch_log WHERE watched_date < ?) days"
    " WHERE NOT EXISTS (SELECT 1 FROM day_close d WHERE d.business_date = days.watched_date)"
    " ORDER BY watched_date LIMIT 10";

static const char *step_outcome(const struct step_result *step)
{
    if (step->passed_before) return "done before";
    if (!step->run) return "not begun";
    if (step->status == STATUS_UNKNOWN) return "taken over";
    return status_name(step->status);
}

static void print_steps(const struct execution_result *result)
{
    printf("\n%-20s %-12s %14s %12s %9s %9s %10s\n", "step", "status", "read", "written", "skipped",
           "retried", "seconds");
    for (int i = 0; i < result->step_count; i++) {
        const struct step_result *step = &result->steps[i];
        printf("%-20s %-12s %14s %12s %9s %9s %10.3f\n", step->name, step_outcome(step),
               HUMAN_COUNT(step->counts.read), HUMAN_COUNT(step->counts.written),
               HUMAN_COUNT(step->counts.skipped), HUMAN_COUNT(step->counts.rollbacks),
               (double)step->elapsed_us / 1e6);
    }
}

static enum err print_money(struct db *db, const char *date)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    char content[MONEY_TEXT], ad[MONEY_TEXT];
    bool row = false;
    TRY(db_query(db, &query, MONEY_SQL, "s", date));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    money_format(statement_i64(query, 0), 2, content);
    money_format(statement_i64(query, 1), 2, ad);
    printf("  %-24s %18s\n", "creators", HUMAN_COUNT(statement_i64(query, 2)));
    printf("  %-24s %18s\n", "content revenue", content);
    printf("  %-24s %18s\n", "advertisement revenue", ad);
    return OK;
}

static enum err print_totals(struct db *db, const char *date)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, TOTALS_SQL, "s", date));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    char hours[HUMAN_TEXT];
    human_hours(statement_i64(query, 2), hours);
    printf("\n%s\n", date);
    printf("  %-24s %18s\n", "contents", HUMAN_COUNT(statement_i64(query, 0)));
    printf("  %-24s %18s\n", "views", HUMAN_COUNT(statement_i64(query, 1)));
    printf("  %-24s %18s  h:mm:ss\n", "watch time", hours);
    printf("  %-24s %18s\n", "advertisement views", HUMAN_COUNT(statement_i64(query, 3)));
    return print_money(db, date);
}

static enum err print_late(struct db *db, const char *date)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    int64_t parked = 0, late = 0;
    TRY(db_query_i64(db, &parked, 0, PARKED_SQL, "s", date));
    if (parked > 0)
        printf("  %-24s %18s  (no content_post row; see parked_content)\n", "parked contents",
               HUMAN_COUNT(parked));
    TRY(db_query_i64(db, &late, 0, LATE_SQL, "s", date));
    if (late > 0)
        printf("  %-24s %18s  (with logs stored after the run began)\n", "late contents",
               HUMAN_COUNT(late));
    TRY(db_query(db, &query, LATE_DAYS_SQL, "ss", date, date));
    for (bool row = true;;) {
        TRY(statement_fetch(query, &row));
        if (!row) return OK;
        printf("late: %s has logs and was never settled, and days after it are closed\n",
               statement_text(query, 0));
    }
}

static enum err print_day(struct db *db, const char *date)
{
    TRY(print_totals(db, date));
    return print_late(db, date);
}

void run_report_print(struct db *db, const struct run_once_options *options,
                      const struct execution_result *result)
{
    print_steps(result);
    enum err err = result->status == STATUS_COMPLETED ? print_day(db, options->date) : OK;
    if (err != OK) printf("(the day's totals could not be read: %s)\n", err_text(err));
    printf("\n%s %s: execution %lld %s", options->job->name, options->date,
           (long long)result->job_execution_id,
           result->status == STATUS_UNKNOWN ? "was taken over" : status_name(result->status));
    if (result->exit_code != NULL && result->status == STATUS_COMPLETED)
        printf(" (exit code %s)", result->exit_code);
    printf(" in %s\n", HUMAN_DURATION(result->elapsed_us));
}
