/* settlectl status: what is settled, what ran last, what runs now, which days wait. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/db/statement.h"
#include "common/job_status.h"

enum { STATUS_JOBS = 100 };

static const char FRONTIER_SQL[] =
    "SELECT DATE_FORMAT(business_date, '%Y-%m-%d'), DATE_FORMAT(closed_at, '%Y-%m-%dT%H:%i:%sZ'),"
    " view_logs, ad_logs FROM day_close ORDER BY business_date DESC LIMIT 1";

/* The days are found by skipping through the indexes; only the logs of days that are not closed are counted. */
static const char UNSETTLED_SQL[] =
    "SELECT DATE_FORMAT(d.watched_date, '%Y-%m-%d'),"
    " (SELECT COUNT(*) FROM member_content_watch_log v WHERE v.watched_date = d.watched_date),"
    " (SELECT COUNT(*) FROM member_ad_watch_log a WHERE a.watched_date = d.watched_date),"
    " d.watched_date < COALESCE((SELECT MAX(business_date) FROM day_close), '1000-01-01')"
    " FROM (SELECT DISTINCT watched_date FROM member_content_watch_log"
    "   UNION SELECT DISTINCT watched_date FROM member_ad_watch_log) d"
    " WHERE NOT EXISTS (SELECT 1 FROM day_close c WHERE c.business_date = d.watched_date)"
    " ORDER BY d.watched_date LIMIT 1000";

static const struct output_column frontier_columns[] = {
    {"Settled up to", "date", OUTPUT_TEXT},
    {"Closed at (UTC)", "closed_at", OUTPUT_TIME},
    {"View logs", "view_logs", OUTPUT_COUNT},
    {"Ad logs", "ad_logs", OUTPUT_COUNT},
};

static const struct output_column job_columns[] = {
    {"Job", "job", OUTPUT_TEXT},
    {"Execution", "execution", OUTPUT_KEY},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Status", "status", OUTPUT_TEXT},
    {"Exit code", "exit_code", OUTPUT_TEXT},
    {"Started (UTC)", "started", OUTPUT_TIME},
    {"Duration", "duration", OUTPUT_DURATION},
};

static const struct output_column running_columns[] = {
    {"Execution", "execution", OUTPUT_KEY},
    {"Job", "job", OUTPUT_TEXT},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Step", "step", OUTPUT_TEXT},
    {"Done", "done", OUTPUT_COUNT},
    {"Planned", "planned", OUTPUT_COUNT},
    {"Per cent", "percent", OUTPUT_COUNT},
    {"Since", "duration", OUTPUT_DURATION},
};

static const struct output_column unsettled_columns[] = {
    {"Day", "date", OUTPUT_TEXT},
    {"View logs", "view_logs", OUTPUT_COUNT},
    {"Ad logs", "ad_logs", OUTPUT_COUNT},
    {"Late", "late", OUTPUT_FLAG},
};

struct page {
    struct output *frontier, *jobs, *running, *unsettled;
};

static void page_done(struct page *page)
{
    output_free(page->frontier);
    output_free(page->jobs);
    output_free(page->running);
    output_free(page->unsettled);
}

static void add_duration(struct output *output, int64_t us)
{
    if (us < 0) {
        output_nothing(output);
    } else {
        output_i64(output, us);
    }
}

static enum err fill_frontier(struct db *db, struct output *output)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, FRONTIER_SQL, ""));
    bool found = false;
    TRY(statement_fetch(rows, &found));
    if (!found) return OK;
    output_text(output, statement_text(rows, 0));
    output_text(output, statement_text(rows, 1));
    output_i64(output, statement_i64(rows, 2));
    output_i64(output, statement_i64(rows, 3));
    return OK;
}

static enum err fill_jobs(struct db *db, struct job_execution *executions, struct output *output)
{
    int count = 0;
    TRY(job_status_latest(db, executions, STATUS_JOBS, &count));
    for (int i = 0; i < count; i++) {
        output_text(output, executions[i].job_name);
        output_i64(output, executions[i].id);
        output_text(output, executions[i].parameters);
        output_text(output, executions[i].status);
        output_text(output, executions[i].exit_code);
        output_text(output, executions[i].started);
        add_duration(output, executions[i].duration_us);
    }
    return OK;
}

static enum err fill_running(struct db *db, struct job_execution *executions, struct output *output)
{
    int count = 0;
    TRY(job_status_running(db, executions, STATUS_JOBS, &count));
    for (int i = 0; i < count; i++) {
        struct job_progress progress = {0};
        TRY(job_status_progress(db, executions[i].instance_id, &progress));
        output_i64(output, executions[i].id);
        output_text(output, executions[i].job_name);
        output_text(output, executions[i].parameters);
        output_text(output, progress.step_name);
        output_i64(output, progress.done);
        output_i64(output, progress.planned);
        output_i64(output, progress.percent);
        add_duration(output, executions[i].duration_us);
    }
    return OK;
}

static enum err fill_unsettled(struct db *db, struct output *output)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, UNSETTLED_SQL, ""));
    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        output_text(output, statement_text(rows, 0));
        output_i64(output, statement_i64(rows, 1));
        output_i64(output, statement_i64(rows, 2));
        output_flag(output, statement_i64(rows, 3) != 0);
    }
}

static enum err fill(struct db *db, struct page *page)
{
    page->frontier = output_new(frontier_columns, COUNT_OF(frontier_columns));
    page->jobs = output_new(job_columns, COUNT_OF(job_columns));
    page->running = output_new(running_columns, COUNT_OF(running_columns));
    page->unsettled = output_new(unsettled_columns, COUNT_OF(unsettled_columns));
    CLEANUP(free_pointer)
    struct job_execution *executions = calloc(STATUS_JOBS, sizeof(*executions));
    if (executions == NULL) return ERR_MEMORY;

    TRY(fill_frontier(db, page->frontier));
    TRY(fill_jobs(db, executions, page->jobs));
    TRY(fill_running(db, executions, page->running));
    return fill_unsettled(db, page->unsettled);
}

static enum err print_json(const struct page *page)
{
    json_t *frontier =
        output_rows(page->frontier) == 0 ? json_null() : output_json_record(page->frontier);
    return output_print_json(json_pack("{s:o, s:o, s:o, s:o}", "settled", frontier, "jobs",
                                       output_json_rows(page->jobs), "running",
                                       output_json_rows(page->running), "unsettled",
                                       output_json_rows(page->unsettled)),
                             stdout);
}

static enum err print_section(const char *title, const char *nothing, const struct output *output)
{
    if (output_rows(output) == 0) {
        printf("\n%s\n", nothing);
        return OK;
    }
    printf("\n%s\n", title);
    return output_print_table(output, stdout);
}

static enum err print_page(const struct page *page)
{
    if (output_rows(page->frontier) == 0) {
        printf("No day is settled yet.\n");
    } else {
        TRY(output_print_record(page->frontier, stdout));
    }
    TRY(print_section("Latest executions", "No job has run yet.", page->jobs));
    TRY(print_section("Running", "Nothing is running.", page->running));
    return print_section("Days with logs that are not settled",
                         "Every day that has logs is settled.", page->unsettled);
}

static enum err status(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct cli_arguments arguments = {0};
    TRY(cli_parse(&arguments, argc, argv, detail));
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));

    CLEANUP(page_done) struct page page = {0};
    enum err err = fill(db, &page);
    if (err != OK) return cli_db_failed(db, err, "reading the status", detail);
    return cli->json ? print_json(&page) : print_page(&page);
}

int cli_status(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = status(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
