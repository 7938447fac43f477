#include "cli/follow.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "common/db/statement.h"
#include "common/human.h"
#include "common/job_status.h"
#include "common/utf8.h"

enum { STEP_LIMIT = 64, LINE = 512 };

static const char LATEST_SQL[] =
    "SELECT COALESCE(MAX(JOB_EXECUTION_ID), 0) FROM BATCH_JOB_EXECUTION";

static const char EXECUTION_SQL[] =
    "SELECT JOB_INSTANCE_ID, STATUS IN ('STARTING', 'STARTED', 'STOPPING')"
    " FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?";

/* Managers only; their own counters are written when the step ends. */
static const char STEPS_SQL[] =
    "SELECT STEP_NAME, STATUS, READ_COUNT,"
    " COALESCE(TIMESTAMPDIFF(MICROSECOND, START_TIME, END_TIME), 0) FROM BATCH_STEP_EXECUTION"
    " WHERE JOB_EXECUTION_ID = ? AND STEP_NAME NOT LIKE '%:%' ORDER BY STEP_EXECUTION_ID LIMIT ?";

/* The executions that a daemon started for the request, and the one that is being watched, whoever
 * started it. */
static const char ENDED_SQL[] =
    "SELECT e.JOB_EXECUTION_ID, COALESCE(p.PARAMETER_VALUE, ''), e.STATUS,"
    " COALESCE(e.EXIT_MESSAGE, ''),"
    " COALESCE(TIMESTAMPDIFF(MICROSECOND, e.START_TIME, e.END_TIME), 0),"
    " DATE_FORMAT(o.restart_at, '%H:%i:%s')"
    " FROM job_execution_owner o"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = o.job_execution_id"
    " LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = o.job_execution_id"
    "   AND p.PARAMETER_NAME = 'targetDate'"
    " WHERE o.job_execution_id > ? AND (o.request_id = ? OR o.job_execution_id = ?)"
    " AND e.END_TIME IS NOT NULL ORDER BY o.job_execution_id";

/* A step as it is to be shown. */
struct shown_step {
    char name[JOB_STATUS_NAME], status[16];
    int64_t read, duration_us;
};

enum err follow_begin(struct follow *follow, struct db *db, bool quiet)
{
    *follow = (struct follow){.quiet = quiet};
    progress_init(&follow->progress, stderr, &clock_system, quiet);
    TRY(db_query_i64(db, &follow->since_id, 0, LATEST_SQL, ""));
    follow->told_id = follow->since_id;
    return OK;
}

void follow_clear(struct follow *follow)
{
    progress_clear(&follow->progress);
}

void follow_end(struct follow *follow, const char *why)
{
    if (!follow->progress.open) return;
    if (follow->by_day) {
        progress_drop(&follow->progress);
    } else {
        progress_break(&follow->progress, why);
    }
}

static void end_bar(struct follow *follow, const struct shown_step *step)
{
    if (follow->by_day) {
        progress_drop(&follow->progress);
    } else if (strcmp(step->status, "COMPLETED") == 0) {
        progress_end(&follow->progress, step->read);
    } else {
        progress_break(&follow->progress,
                       strcmp(step->status, "STOPPED") == 0 ? "stopped" : "failed");
    }
}

static bool is_at_work(const struct shown_step *step)
{
    return strcmp(step->status, "STARTING") == 0 || strcmp(step->status, "STARTED") == 0 ||
           strcmp(step->status, "STOPPING") == 0;
}

/* A step that came and went between two looks. */
static void tell_step(struct follow *follow, const struct shown_step *step)
{
    if (follow->quiet || follow->by_day) return;
    fprintf(stderr, "%s  %s  %s items in %s\n", step->name, step->status, HUMAN_COUNT(step->read),
            HUMAN_DURATION(step->duration_us));
}

static void begin_bar(struct follow *follow, const struct request *request,
                      const struct shown_step *step, int64_t total)
{
    char label[LINE];
    (void)text_format(label, sizeof(label), "%s%s%s", follow->by_day ? request->on_date : "",
                      follow->by_day ? " " : "", step->name);
    progress_begin(&follow->progress, label, total, "items");
}

/* Brings the bar of the first step that was not told to its end up to date. True when that step has
 * ended, too. */
static bool show_step(struct follow *follow, const struct request *request,
                      const struct shown_step *step, const struct job_progress *progress)
{
    bool planned = strcmp(progress->step_name, step->name) == 0;
    bool ended = !is_at_work(step);
    if (ended && !follow->progress.open) {
        tell_step(follow, step);
        return true;
    }
    if (ended) {
        end_bar(follow, step);
        return true;
    }
    bool began = !follow->progress.open;
    if (began) begin_bar(follow, request, step, planned ? progress->planned : 0);
    if (!planned) return false;
    progress_set_total(&follow->progress, progress->planned);
    /* What was done before somebody looked says nothing about the rate. */
    if (began) progress_inherit(&follow->progress, progress->done);
    progress_update(&follow->progress, progress->done);
    return false;
}

static enum err read_steps(struct db *db, int64_t execution_id, struct shown_step *ret_steps,
                           int *ret_count)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int count = 0;
    TRY(db_query(db, &rows, STEPS_SQL, "ii", execution_id, (int64_t)STEP_LIMIT));
    while (count < STEP_LIMIT) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        struct shown_step *step = &ret_steps[count++];
        (void)text_format(step->name, sizeof(step->name), "%s", statement_text(rows, 0));
        (void)text_format(step->status, sizeof(step->status), "%s", statement_text(rows, 1));
        step->read = statement_i64(rows, 2);
        step->duration_us = statement_i64(rows, 3);
    }
    *ret_count = count;
    return OK;
}

static enum err show_steps(struct follow *follow, struct db *db, const struct request *request,
                           int64_t instance_id)
{
    struct shown_step steps[STEP_LIMIT];
    struct job_progress progress = {0};
    int count = 0;
    TRY(job_status_progress(db, instance_id, &progress));
    TRY(read_steps(db, follow->execution_id, steps, &count));
    while (follow->steps_shown < count &&
           show_step(follow, request, &steps[follow->steps_shown], &progress)) {
        follow->steps_shown++;
    }
    return OK;
}

/* Shows the steps of one execution. One that had ended before anybody asked is not of interest. */
static enum err watch(struct follow *follow, struct db *db, const struct request *request,
                      int64_t execution_id)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    bool found = false;
    follow->running = false;
    if (execution_id == 0) return OK;
    TRY(db_query(db, &rows, EXECUTION_SQL, "i", execution_id));
    TRY(statement_fetch(rows, &found));
    if (!found) return OK;
    follow->running = statement_i64(rows, 1) != 0;
    if (execution_id != follow->execution_id) {
        if (execution_id <= follow->since_id && !follow->running) return OK;
        follow->execution_id = execution_id;
        follow->steps_shown = 0;
        follow->told_id = min_i64(follow->told_id, execution_id - 1);
    }
    return show_steps(follow, db, request, statement_i64(rows, 0));
}

/* The execution that was watched until now, to its end, before another one takes its place. */
static enum err watch_to_end(struct follow *follow, struct db *db, const struct request *request,
                             int64_t next_id)
{
    if (follow->execution_id != 0 && follow->execution_id != next_id) {
        TRY(watch(follow, db, request, follow->execution_id));
        follow_end(follow, "ended");
    }
    return OK;
}

static void tell_end(struct follow *follow, const struct statement *rows)
{
    const char *status = statement_text(rows, 2);
    const char *message = statement_text(rows, 3), *restart = statement_text(rows, 5);
    follow->told_id = statement_i64(rows, 0);
    if (follow->quiet) return;
    follow_clear(follow);
    printf("%-10s  execution %lld  %s in %s", statement_text(rows, 1), (long long)follow->told_id,
           status, HUMAN_DURATION(statement_i64(rows, 4)));
    if (strcmp(status, "COMPLETED") != 0 && message[0] != '\0') {
        printf(": ");
        utf8_print(stdout, message);
    }
    if (restart[0] != '\0') printf("; starts again at %s UTC", restart);
    printf("\n");
    fflush(stdout);
}

static enum err tell_ended(struct follow *follow, struct db *db, const struct request *request)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, ENDED_SQL, "iii", follow->told_id, request->id, follow->execution_id));
    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        bool shown = statement_i64(rows, 0) != follow->execution_id || !follow->running;
        if (!shown) return OK; /* its bars come first */
        tell_end(follow, rows);
    }
}

/* What the daemon says while it is not done yet: what the request waits for. */
static void tell_answer(struct follow *follow, const struct request *request)
{
    bool done = request_has_ended(request->status) && !follow->running;
    if (done || strcmp(follow->answer, request->answer) == 0) return;
    memcpy(follow->answer, request->answer, sizeof(follow->answer));
    if (follow->quiet || request->answer[0] == '\0') return;
    follow_clear(follow);
    fprintf(stderr, "request %lld: ", (long long)request->id);
    utf8_print(stderr, request->answer);
    fputc('\n', stderr);
}

enum err follow_update(struct follow *follow, struct db *db, const struct request *request)
{
    int64_t id =
        request->last_execution_id != 0 ? request->last_execution_id : request->execution_id;
    follow->by_day = request->command == REQUEST_BACKFILL;
    TRY(watch_to_end(follow, db, request, id));
    TRY(watch(follow, db, request, id));
    tell_answer(follow, request);
    return tell_ended(follow, db, request);
}
