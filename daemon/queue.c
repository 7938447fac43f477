#include "daemon/queue.h"

#include <string.h>

#include "common/log.h"

/* What a drained daemon had is another's, too. By the lock, which is free as soon as a process
 * is gone: should it be alive after all, nothing is lost when another daemon works its requests
 * off. */
static const char ADOPT_SQL[] =
    "UPDATE job_request SET node_id = ? WHERE status = 'ACCEPTED' AND node_id NOT IN"
    " (SELECT node_id FROM node WHERE lease_until > NOW(6) AND drain_requested_at IS NULL"
    " AND IS_USED_LOCK(CONCAT('settlementd.', node_id)) IS NOT NULL)";
static const char FIRST_SQL[] =
    "SELECT request_id, command = 'RESTART', command = 'BACKFILL', COALESCE(job_execution_id, 0),"
    " days_done, CAST(date_from AS CHAR), CAST(date_to AS CHAR),"
    " CAST(COALESCE(on_date, date_from) AS CHAR) FROM job_request"
    " WHERE status = 'ACCEPTED' AND node_id = ? AND job_name = ? ORDER BY request_id LIMIT 1";
/* By the holder alone: who has slept beyond its lease finds its request with another daemon, which
 * goes on from where it stood. */
#define HELD " WHERE request_id = ? AND status = 'ACCEPTED' AND node_id = ?"
static const char MOVE_SQL[] =
    "UPDATE job_request SET on_date = ?, last_execution_id = COALESCE(NULLIF(?, 0),"
    " last_execution_id), days_done = ?, answer = ?" HELD;
static const char END_SQL[] =
    "UPDATE job_request SET status = ?, answer = ?, ended_at = NOW(6)" HELD;
/* Whoever holds it. */
static const char STOP_SQL[] =
    "UPDATE job_request SET status = ?, answer = ?, ended_at = NOW(6)"
    " WHERE request_id = ? AND status = 'ACCEPTED'";

static const char STOP_OTHERS_SQL[] =
    "UPDATE job_request SET status = ?, answer = 'this day was stopped on request', ended_at = NOW(6)"
    " WHERE status = 'ACCEPTED' AND command = 'RUN' AND job_name = ? AND date_from = ?"
    " AND request_id <> ?";

enum err queue_adopt(struct db *db, const char *node_id)
{
    return db_run(db, NULL, ADOPT_SQL, "s", node_id);
}

enum err queue_first(struct db *db, const char *node_id, const char *job,
                     struct queued_request *ret_request)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, FIRST_SQL, "ss", node_id, job));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    *ret_request = (struct queued_request){
        .id = statement_i64(query, 0),
        .restart = statement_i64(query, 1) != 0,
        .range = statement_i64(query, 2) != 0,
        .job_execution_id = statement_i64(query, 3),
        .days_done = statement_i64(query, 4),
    };
    (void)text_format(ret_request->first, CIVIL_TEXT, "%s", statement_text(query, 5));
    (void)text_format(ret_request->last, CIVIL_TEXT, "%s", statement_text(query, 6));
    (void)text_format(ret_request->at, CIVIL_TEXT, "%s", statement_text(query, 7));
    (void)text_format(ret_request->node_id, REQUEST_NODE, "%s", node_id);
    return OK;
}

static void log_not_ours(int64_t request_id)
{
    log_event(LOG_LEVEL_WARN, "request-not-ours",
              "it has ended, or another daemon has taken it on: it is left as it is", "request",
              LOG_INT(request_id), NULL);
}

enum err queue_move(struct db *db, const struct queued_request *request, int64_t execution_id,
                    const char *answer)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, MOVE_SQL, "siisis", request->at, execution_id, request->days_done,
               answer, request->id, request->node_id));
    if (matched == 1) return OK;
    log_not_ours(request->id);
    return ERR_FENCED;
}

enum err queue_next_day(struct db *db, struct queued_request *request, int64_t execution_id,
                        bool *ret_over)
{
    struct civil day;
    char answer[64];
    request->days_done++;
    *ret_over = strcmp(request->at, request->last) >= 0;
    if (!*ret_over) {
        TRY(civil_parse(request->at, &day));
        civil_format(civil_add_days(day, 1), request->at);
    }
    (void)text_format(answer, sizeof(answer), "%lld days are done", (long long)request->days_done);
    return queue_move(db, request, execution_id, answer);
}

enum err queue_stop(struct db *db, int64_t request_id, bool *ret_stopped)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, STOP_SQL, "ssi", request_status_name(REQUEST_STOPPED),
               "stopped on request", request_id));
    *ret_stopped = matched == 1;
    return OK;
}

enum err queue_stop_others(struct db *db, const char *job, const char *date, int64_t but,
                           int64_t *ret_count)
{
    return db_run(db, ret_count, STOP_OTHERS_SQL, "sssi", request_status_name(REQUEST_STOPPED), job,
                  date, but);
}

enum err queue_end(struct db *db, const char *node_id, int64_t request_id, enum request_status end,
                   const char *answer)
{
    int64_t matched = 0;
    ASSERT(request_has_ended(end));
    TRY(db_run(db, &matched, END_SQL, "ssis", request_status_name(end), answer, request_id,
               node_id));
    if (matched == 0) log_not_ours(request_id);
    return OK;
}
