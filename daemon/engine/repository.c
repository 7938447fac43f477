#include "daemon/engine/repository.h"

#include "daemon/engine/acknowledgement.h"
#include "daemon/engine/job_key.h"

const char REPOSITORY_EMPTY_CONTEXT[] =
    "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAA"
    "AAB3CAAAABAAAAAAeA==";
const char EXIT_COMPLETED[] = "COMPLETED";
const char EXIT_COMPLETED_WITH_SKIPS[] = "COMPLETED WITH SKIPS";
const char EXIT_FAILED[] = "FAILED";
const char EXIT_STOPPED[] = "STOPPED";

static const char FIND_INSTANCE_SQL[] =
    "SELECT JOB_INSTANCE_ID FROM BATCH_JOB_INSTANCE WHERE JOB_NAME = ? AND JOB_KEY = ? FOR UPDATE";
static const char NEXT_INSTANCE_SQL[] = "SELECT NEXT VALUE FOR BATCH_JOB_SEQ";
static const char NEW_INSTANCE_SQL[] =
    "INSERT INTO BATCH_JOB_INSTANCE (JOB_INSTANCE_ID, VERSION, JOB_NAME, JOB_KEY)"
    " VALUES (?, 0, ?, ?)";
static const char NEXT_EXECUTION_SQL[] = "SELECT NEXT VALUE FOR BATCH_JOB_EXECUTION_SEQ";
static const char NEW_EXECUTION_SQL[] =
    "INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, VERSION, JOB_INSTANCE_ID, CREATE_TIME,"
    " STATUS, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED)"
    " VALUES (?, 0, ?, NOW(6), 'STARTING', 'UNKNOWN', '', NOW(6))";
static const char NEW_PARAMETER_SQL[] =
    "INSERT INTO BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME, PARAMETER_TYPE,"
    " PARAMETER_VALUE, IDENTIFYING) VALUES (?, ?, ?, ?, 'Y')";
static const char NEW_CONTEXT_SQL[] =
    "INSERT INTO BATCH_JOB_EXECUTION_CONTEXT (JOB_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT)"
    " VALUES (?, '{}', ?)";
static const char NEW_OWNER_SQL[] =
    "INSERT INTO job_execution_owner (job_execution_id, node_id, attempt)"
    " SELECT ?, ?, COUNT(*) FROM BATCH_JOB_EXECUTION WHERE JOB_INSTANCE_ID = ?";
static const char SET_PROVENANCE_SQL[] =
    "UPDATE job_execution_owner SET started_for = ?, request_id = NULLIF(?, 0), slot_at = ?"
    " WHERE job_execution_id = ?";
static const char INHERIT_SQL[] =
    "UPDATE job_execution_owner o JOIN job_execution_owner p ON p.job_execution_id = ?"
    " SET o.request_id = p.request_id, o.slot_at = p.slot_at, o.restarts = p.restarts + ?"
    " WHERE o.job_execution_id = ?";
static const char CLEAR_RESTARTS_SQL[] =
    "UPDATE job_execution_owner o"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = o.job_execution_id"
    " SET o.restart_at = NULL WHERE e.JOB_INSTANCE_ID = ? AND o.restart_at IS NOT NULL";
static const char RESTARTS_SQL[] =
    "SELECT restarts FROM job_execution_owner WHERE job_execution_id = ?";
/* Before the status is set: whoever asked it to stop has the last word, however it ends. */
static const char SET_CAUSE_SQL[] =
    "UPDATE job_execution_owner o"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = o.job_execution_id"
    " SET o.cause = IF(e.STATUS = 'STOPPING' AND ?, 'PERSON', ?), o.restart_at ="
    " IF(e.STATUS <> 'STOPPING' AND ?, NOW(6) + INTERVAL ? * 1000 MICROSECOND, NULL)"
    " WHERE o.job_execution_id = ?";
static const char RESTART_DUE_SQL[] =
    "SELECT restart_at IS NOT NULL FROM job_execution_owner WHERE job_execution_id = ? FOR UPDATE";
static const char SET_EXECUTION_SQL[] =
    "UPDATE BATCH_JOB_EXECUTION SET STATUS = IF(? AND STATUS = 'STOPPING', STATUS, ?), EXIT_CODE = ?, EXIT_MESSAGE = ?,"
    " START_TIME = COALESCE(START_TIME, NOW(6)), END_TIME = IF(?, NOW(6), NULL),"
    " LAST_UPDATED = NOW(6), VERSION = VERSION + 1"
    " WHERE JOB_EXECUTION_ID = ? AND STATUS IN (?, 'STOPPING')";
static const char HOLD_EXECUTION_SQL[] =
    "SELECT (STATUS = 'STARTED') + 2 * (STATUS = 'STOPPING') FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ? FOR UPDATE";
static const char EXECUTION_ENDED_SQL[] =
    "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION"
    " WHERE JOB_EXECUTION_ID = ? AND STATUS = ? AND EXIT_MESSAGE = ?";
static const char FIND_STEP_SQL[] =
    "SELECT STEP_EXECUTION_ID, STATUS FROM BATCH_STEP_EXECUTION"
    " WHERE JOB_EXECUTION_ID = ? AND STEP_NAME = ?";
static const char BEGAN_AT_SQL[] =
    "SELECT CAST(MIN(CREATE_TIME) AS CHAR) FROM BATCH_JOB_EXECUTION WHERE JOB_INSTANCE_ID = ?";
static const char STEP_STATUS_SQL[] =
    "SELECT s.STATUS FROM BATCH_STEP_EXECUTION s"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = s.JOB_EXECUTION_ID"
    " WHERE e.JOB_INSTANCE_ID = ? AND s.STEP_NAME = ?"
    " ORDER BY s.CREATE_TIME DESC, s.STEP_EXECUTION_ID DESC LIMIT 1";
static const char NEXT_STEP_SQL[] = "SELECT NEXT VALUE FOR BATCH_STEP_EXECUTION_SEQ";
static const char NEW_MANAGER_SQL[] =
    "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID,"
    " CREATE_TIME, START_TIME, STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT,"
    " READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT, EXIT_CODE,"
    " EXIT_MESSAGE, LAST_UPDATED)"
    " VALUES (?, 0, ?, ?, NOW(6), NOW(6), 'STARTED', 0, 0, 0, 0, 0, 0, 0, 0, 'EXECUTING', '',"
    " NOW(6))";
static const char NEW_MANAGER_CONTEXT_SQL[] =
    "INSERT INTO BATCH_STEP_EXECUTION_CONTEXT (STEP_EXECUTION_ID, SHORT_CONTEXT,"
    " SERIALIZED_CONTEXT)"
    " SELECT ?, CONCAT('{\"partitions\":', partition_count, '}'), ? FROM step_plan"
    " WHERE job_instance_id = ? AND step_name = ?";
static const char NEW_WORKERS_SQL[] =
    "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID,"
    " CREATE_TIME, STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT,"
    " WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED)"
    " SELECT NEXT VALUE FOR BATCH_STEP_EXECUTION_SEQ, 0,"
    " CONCAT(p.step_name, ':partition', p.partition_number), ?, NOW(6), 'STARTING', 0, 0, 0, 0, 0,"
    " 0, 0, 0, 'EXECUTING', '', NOW(6)"
    " FROM step_partition p WHERE p.job_instance_id = ? AND p.step_name = ?"
    " AND p.status <> 'COMPLETED'";
static const char READY_PARTITIONS_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = ?"
    " AND s.STEP_NAME = CONCAT(p.step_name, ':partition', p.partition_number)"
    " SET p.status = 'PENDING', p.epoch = p.epoch + 1, p.node_id = NULL,"
    " p.step_execution_id = s.STEP_EXECUTION_ID, p.updated_at = NOW(6)"
    " WHERE p.job_instance_id = ? AND p.step_name = ? AND p.status <> 'COMPLETED'";
static const char NEW_WORKER_CONTEXTS_SQL[] =
    "INSERT INTO BATCH_STEP_EXECUTION_CONTEXT (STEP_EXECUTION_ID, SHORT_CONTEXT,"
    " SERIALIZED_CONTEXT)"
    " SELECT s.STEP_EXECUTION_ID, CONCAT('{\"lower\":', p.lower_key, ',\"upper\":', p.upper_key,"
    " ',\"checkpoint\":', COALESCE(p.checkpoint_key, 'null'), '}'), ?"
    " FROM step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " WHERE p.job_instance_id = ? AND p.step_name = ? AND s.JOB_EXECUTION_ID = ?";
static const char END_WORKERS_SQL[] =
    "UPDATE BATCH_STEP_EXECUTION SET STATUS = 'STOPPED', EXIT_CODE = 'STOPPED', END_TIME = NOW(6),"
    " LAST_UPDATED = NOW(6), VERSION = VERSION + 1"
    " WHERE JOB_EXECUTION_ID = ? AND STEP_NAME LIKE CONCAT(?, ':partition%')"
    " AND STATUS IN ('STARTING', 'STARTED', 'STOPPING')";
static const char END_MANAGER_SQL[] =
    "UPDATE BATCH_STEP_EXECUTION SET STATUS = ?, EXIT_CODE = ?, EXIT_MESSAGE = ?,"
    " READ_COUNT = ?, WRITE_COUNT = ?, PROCESS_SKIP_COUNT = ?, ROLLBACK_COUNT = ?,"
    " COMMIT_COUNT = ?, END_TIME = NOW(6), LAST_UPDATED = NOW(6), VERSION = VERSION + 1"
    " WHERE STEP_EXECUTION_ID = ? AND STATUS = ?";
static const char STEP_COUNTS_SQL[] =
    "SELECT COALESCE(SUM(READ_COUNT), 0), COALESCE(SUM(WRITE_COUNT), 0),"
    " COALESCE(SUM(PROCESS_SKIP_COUNT), 0), COALESCE(SUM(ROLLBACK_COUNT), 0),"
    " COALESCE(SUM(COMMIT_COUNT), 0) FROM BATCH_STEP_EXECUTION"
    " WHERE JOB_EXECUTION_ID = ? AND STEP_NAME LIKE CONCAT(?, ':partition%')";

enum err repository_instance(struct db *db, const char *job_name, const char *date,
                             int64_t *ret_instance_id)
{
    char key[JOB_KEY_TEXT];
    int64_t id = 0;
    TRY(job_key_of_date(date, key));
    enum err err = db_query_i64(db, &id, 0, FIND_INSTANCE_SQL, "ss", job_name, key);
    if (err == ERR_NOT_FOUND) {
        TRY(db_query_i64(db, &id, 0, NEXT_INSTANCE_SQL, ""));
        err = db_run(db, NULL, NEW_INSTANCE_SQL, "iss", id, job_name, key);
    }
    if (err == OK) *ret_instance_id = id;
    return err;
}

enum err repository_new_execution(struct db *db, int64_t instance_id, const char *date,
                                  const char *node_id, int64_t *ret_execution_id)
{
    int64_t id = 0;
    TRY(db_query_i64(db, &id, 0, NEXT_EXECUTION_SQL, ""));
    TRY(db_run(db, NULL, NEW_EXECUTION_SQL, "ii", id, instance_id));
    TRY(db_run(db, NULL, NEW_PARAMETER_SQL, "isss", id, JOB_KEY_PARAMETER, JOB_KEY_PARAMETER_TYPE,
               date));
    TRY(db_run(db, NULL, NEW_CONTEXT_SQL, "is", id, REPOSITORY_EMPTY_CONTEXT));
    TRY(db_run(db, NULL, NEW_OWNER_SQL, "isi", id, node_id, instance_id));
    *ret_execution_id = id;
    return OK;
}

enum err repository_set_execution(struct db *db, int64_t execution_id,
                                  const struct execution_end *end)
{
    ASSERT(status_may_follow(end->from, end->to));
    int64_t matched = 0;
    bool running = status_is_running(end->to);
    if (!running)
        TRY(db_run(db, NULL, SET_CAUSE_SQL, "isiii", (int64_t)(end->cause != CAUSE_NONE),
                   end_cause_name(end->cause), (int64_t)end->restart.due, end->restart.after_ms,
                   execution_id));
    TRY(db_run(db, &matched, SET_EXECUTION_SQL, "isssiis", (int64_t)running, status_name(end->to),
               end->exit_code, end->exit_message, (int64_t)!running, execution_id,
               status_name(end->from)));
    if (matched != 1) return ERR_FENCED;
    return running ? OK : acknowledgement_of_execution(db, execution_id, status_name(end->to));
}

enum err repository_set_provenance(struct db *db, int64_t execution_id, int64_t instance_id,
                                   const struct provenance *provenance)
{
    bool again = provenance->reason == FOR_RESTART || provenance->reason == FOR_RESUME;
    TRY(db_run(db, NULL, SET_PROVENANCE_SQL, "sisi", started_for_name(provenance->reason),
               provenance->request_id, provenance->slot_at, execution_id));
    if (again)
        TRY(db_run(db, NULL, INHERIT_SQL, "iii", provenance->after_execution_id,
                   (int64_t)(provenance->reason == FOR_RESTART), execution_id));
    return db_run(db, NULL, CLEAR_RESTARTS_SQL, "i", instance_id);
}

enum err repository_restart_due(struct db *db, int64_t execution_id, bool *ret_due)
{
    int64_t due = 0;
    enum err err = db_query_i64(db, &due, 0, RESTART_DUE_SQL, "i", execution_id);
    *ret_due = err == OK && due != 0;
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err repository_restarts(struct db *db, int64_t execution_id, int64_t *ret_restarts)
{
    enum err err = db_query_i64(db, ret_restarts, 0, RESTARTS_SQL, "i", execution_id);
    if (err == ERR_NOT_FOUND) *ret_restarts = 0; /* an execution of another program */
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err repository_hold_execution(struct db *db, int64_t execution_id, bool *ret_stopping)
{
    enum { IS_STOPPING = 2 };
    int64_t running = 0;
    enum err err = db_query_i64(db, &running, 0, HOLD_EXECUTION_SQL, "i", execution_id);
    if (err == ERR_NOT_FOUND || (err == OK && running == 0)) return ERR_FENCED;
    *ret_stopping = running == IS_STOPPING;
    return err;
}

enum err repository_execution_ended(struct db *db, int64_t execution_id,
                                    const struct execution_end *end, bool *ret_ended)
{
    int64_t count = 0;
    TRY(db_query_i64(db, &count, 0, EXECUTION_ENDED_SQL, "iss", execution_id, status_name(end->to),
                     end->exit_message));
    *ret_ended = count == 1;
    return OK;
}

enum err repository_began_at(struct db *db, int64_t instance_id, char ret_time[REPOSITORY_TIME])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, BEGAN_AT_SQL, "i", instance_id));
    TRY(statement_fetch(query, &row));
    if (!row || statement_is_null(query, 0)) return ERR_NOT_FOUND;
    bool fits = text_format(ret_time, REPOSITORY_TIME, "%s", statement_text(query, 0));
    ASSERT(fits);
    return OK;
}

enum err repository_step_done(struct db *db, int64_t instance_id, const char *step_name,
                              bool *ret_done)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, STEP_STATUS_SQL, "is", instance_id, step_name));
    TRY(statement_fetch(query, &row));
    enum batch_status status = row ? status_parse(statement_text(query, 0)) : STATUS_FAILED;
    *ret_done = status == STATUS_COMPLETED || status == STATUS_ABANDONED;
    return OK;
}

enum err repository_find_step(struct db *db, int64_t execution_id, const char *step_name,
                              int64_t *ret_step_execution_id, enum batch_status *ret_status)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, FIND_STEP_SQL, "is", execution_id, step_name));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    *ret_step_execution_id = statement_i64(query, 0);
    *ret_status = status_parse(statement_text(query, 1));
    return OK;
}

enum err repository_begin_step(struct db *db, const struct run *run, const char *step_name,
                               int64_t *ret_step_execution_id)
{
    int64_t instance = run->job_instance_id;
    int64_t execution = run->job_execution_id;
    int64_t id = 0, rows = 0, ready = 0;
    TRY(db_query_i64(db, &id, 0, NEXT_STEP_SQL, ""));
    TRY(db_run(db, NULL, NEW_MANAGER_SQL, "isi", id, step_name, execution));
    TRY(db_run(db, NULL, NEW_MANAGER_CONTEXT_SQL, "isis", id, REPOSITORY_EMPTY_CONTEXT, instance,
               step_name));
    TRY(db_run(db, &rows, NEW_WORKERS_SQL, "iis", execution, instance, step_name));
    TRY(db_run(db, &ready, READY_PARTITIONS_SQL, "iis", execution, instance, step_name));
    if (ready != rows) return ERR_FENCED;
    TRY(db_run(db, NULL, NEW_WORKER_CONTEXTS_SQL, "sisi", REPOSITORY_EMPTY_CONTEXT, instance,
               step_name, execution));
    *ret_step_execution_id = id;
    return OK;
}

enum err repository_step_counts(struct db *db, int64_t execution_id, const char *step_name,
                                struct step_counts *ret_counts)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, STEP_COUNTS_SQL, "is", execution_id, step_name));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    *ret_counts = (struct step_counts){
        .read = statement_i64(query, 0),
        .written = statement_i64(query, 1),
        .skipped = statement_i64(query, 2),
        .rollbacks = statement_i64(query, 3),
        .commits = statement_i64(query, 4),
    };
    return OK;
}

enum err repository_end_step(struct db *db, const struct run *run, const char *step_name,
                             int64_t step_execution_id, const struct execution_end *end)
{
    struct step_counts counts = {0};
    int64_t matched = 0;
    ASSERT(status_may_follow(end->from, end->to));
    TRY(db_run(db, NULL, END_WORKERS_SQL, "is", run->job_execution_id, step_name));
    TRY(repository_step_counts(db, run->job_execution_id, step_name, &counts));
    TRY(db_run(db, &matched, END_MANAGER_SQL, "sssiiiiiis", status_name(end->to), end->exit_code,
               end->exit_message, counts.read, counts.written, counts.skipped, counts.rollbacks,
               counts.commits, step_execution_id, status_name(end->from)));
    if (matched != 1) return ERR_FENCED;
    return acknowledgement_of_step(db, run->job_execution_id, step_name, status_name(end->to));
}
