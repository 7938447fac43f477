#include "daemon/engine/history.h"

#include <string.h>

#include "daemon/engine/job_key.h"

/* clang-format off */
#define PAST_COLUMNS                                                                               \
    "e.JOB_EXECUTION_ID, e.JOB_INSTANCE_ID, COALESCE(o.request_id, 0), COALESCE(o.restarts, 0),"   \
    " i.JOB_NAME, COALESCE(p.PARAMETER_VALUE, ''), e.STATUS, COALESCE(o.cause, 'NONE'),"           \
    " o.restart_at IS NOT NULL, GREATEST(0, COALESCE(TIMESTAMPDIFF(SECOND, NOW(6), o.restart_at), 0)),"   \
    " NOT EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION l WHERE l.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID" \
    "  AND l.JOB_EXECUTION_ID > e.JOB_EXECUTION_ID),"                                              \
    " o.job_execution_id IS NOT NULL, COALESCE(e.EXIT_MESSAGE, '')"
#define PAST_TABLES                                                                                \
    " FROM BATCH_JOB_EXECUTION e"                                                                  \
    " JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"                          \
    " LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID"                  \
    " LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"           \
    " AND p.PARAMETER_NAME = 'targetDate'"
/* clang-format on */

static const char LATEST_SQL[] = "SELECT " PAST_COLUMNS PAST_TABLES
                                 " WHERE i.JOB_NAME = ? AND i.JOB_KEY = ?"
                                 " ORDER BY e.JOB_EXECUTION_ID DESC LIMIT 1";
static const char DUE_SQL[] = "SELECT " PAST_COLUMNS PAST_TABLES
                              " WHERE o.restart_at <= NOW(6) AND i.JOB_NAME = ?"
                              " ORDER BY o.restart_at, e.JOB_EXECUTION_ID LIMIT 1";
static const char FIND_SQL[] = "SELECT " PAST_COLUMNS PAST_TABLES " WHERE e.JOB_EXECUTION_ID = ?";
static const char CANCEL_RESTART_SQL[] =
    "UPDATE job_execution_owner SET restart_at = NULL, cause = IF(?, 'PERSON', cause)"
    " WHERE job_execution_id = ? AND restart_at IS NOT NULL";
static const char HURRY_SQL[] =
    "UPDATE job_execution_owner SET restart_at = NOW(6)"
    " WHERE job_execution_id = ? AND restart_at > NOW(6)";
static const char ASK_TO_STOP_SQL[] =
    "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING', LAST_UPDATED = NOW(6),"
    " VERSION = VERSION + 1 WHERE JOB_EXECUTION_ID = ? AND STATUS IN ('STARTING', 'STARTED')";
static const char ABANDON_SQL[] =
    "UPDATE BATCH_JOB_EXECUTION e LEFT JOIN BATCH_JOB_EXECUTION l"
    " ON l.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID AND l.JOB_EXECUTION_ID > e.JOB_EXECUTION_ID"
    " SET e.STATUS = 'ABANDONED', e.LAST_UPDATED = NOW(6), e.VERSION = e.VERSION + 1"
    " WHERE e.JOB_EXECUTION_ID = ? AND e.STATUS IN ('STOPPED', 'FAILED')"
    " AND l.JOB_EXECUTION_ID IS NULL";

static void copy(char *ret_text, size_t size, const struct statement *row, int column)
{
    (void)text_format(ret_text, size, "%s", statement_text(row, column));
}

static enum err read_one(struct statement *query, struct past_execution *ret_execution)
{
    bool row = false;
    int column = 0;
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    struct past_execution *past = ret_execution;
    past->id = statement_i64(query, column++);
    past->instance_id = statement_i64(query, column++);
    past->request_id = statement_i64(query, column++);
    past->restarts = statement_i64(query, column++);
    copy(past->job_name, sizeof(past->job_name), query, column++);
    copy(past->date, sizeof(past->date), query, column++);
    past->status = status_parse(statement_text(query, column++));
    past->cause = end_cause_parse(statement_text(query, column++));
    past->restart_due = statement_i64(query, column++) != 0;
    past->restart_in_s = statement_i64(query, column++);
    past->latest = statement_i64(query, column++) != 0;
    past->known = statement_i64(query, column++) != 0;
    copy(past->message, sizeof(past->message), query, column++);
    return OK;
}

enum err history_latest(struct db *db, const char *job_name, const char *date,
                        struct past_execution *ret_execution)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    char key[JOB_KEY_TEXT];
    TRY(job_key_of_date(date, key));
    TRY(db_query(db, &query, LATEST_SQL, "ss", job_name, key));
    return read_one(query, ret_execution);
}

enum err history_due(struct db *db, const char *job_name, struct past_execution *ret_execution)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    TRY(db_query(db, &query, DUE_SQL, "s", job_name));
    return read_one(query, ret_execution);
}

enum err history_find(struct db *db, int64_t execution_id, struct past_execution *ret_execution)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    TRY(db_query(db, &query, FIND_SQL, "i", execution_id));
    return read_one(query, ret_execution);
}

enum err history_cancel_restart(struct db *db, int64_t execution_id, bool by_person,
                                bool *ret_cancelled)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, CANCEL_RESTART_SQL, "ii", (int64_t)by_person, execution_id));
    if (ret_cancelled != NULL) *ret_cancelled = matched == 1;
    return OK;
}

enum err history_hurry_restart(struct db *db, int64_t execution_id)
{
    return db_run(db, NULL, HURRY_SQL, "i", execution_id);
}

enum err history_ask_to_stop(struct db *db, int64_t execution_id, bool *ret_asked)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, ASK_TO_STOP_SQL, "i", execution_id));
    *ret_asked = matched == 1;
    return OK;
}

enum err history_abandon(struct db *db, int64_t execution_id, bool *ret_abandoned)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, ABANDON_SQL, "i", execution_id));
    *ret_abandoned = matched == 1;
    return OK;
}
