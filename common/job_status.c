#include "common/job_status.h"

#include <stdlib.h>
#include <string.h>

#include "common/db/statement.h"

/* Columns 0 to 18 of every query for executions, in the order that read_execution takes them. */
#define EXECUTION_SELECT                                                                           \
    "SELECT e.JOB_EXECUTION_ID, e.JOB_INSTANCE_ID, i.JOB_NAME,"                                    \
    " COALESCE((SELECT GROUP_CONCAT(p.PARAMETER_NAME, '=', COALESCE(p.PARAMETER_VALUE, '')"        \
    "   ORDER BY p.PARAMETER_NAME SEPARATOR ' ') FROM BATCH_JOB_EXECUTION_PARAMS p"                \
    "   WHERE p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID), ''),"                                      \
    " COALESCE(e.STATUS, ''), COALESCE(e.EXIT_CODE, ''), COALESCE(e.EXIT_MESSAGE, ''),"            \
    " COALESCE(DATE_FORMAT(e.CREATE_TIME, '%Y-%m-%dT%H:%i:%sZ'), ''),"                             \
    " COALESCE(DATE_FORMAT(e.START_TIME, '%Y-%m-%dT%H:%i:%sZ'), ''),"                              \
    " COALESCE(DATE_FORMAT(e.END_TIME, '%Y-%m-%dT%H:%i:%sZ'), ''),"                                \
    " COALESCE(TIMESTAMPDIFF(MICROSECOND, e.START_TIME,"                                           \
    "   COALESCE(e.END_TIME, UTC_TIMESTAMP(6))), -1),"                                             \
    " COALESCE(o.attempt, 0), COALESCE(o.node_id, ''), o.started_for,"                             \
    " NULLIF(o.cause, 'NONE'), o.restarts, DATE_FORMAT(o.restart_at, '%Y-%m-%dT%H:%i:%sZ'),"       \
    " n.host, n.pid"                                                                               \
    " FROM BATCH_JOB_EXECUTION e"                                                                  \
    " JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"                          \
    " LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID"                  \
    " LEFT JOIN node n ON n.node_id = o.node_id"

static const char LIST_SQL[] = EXECUTION_SELECT " ORDER BY e.JOB_EXECUTION_ID DESC LIMIT ?";
static const char LIST_OF_JOB_SQL[] =
    EXECUTION_SELECT " WHERE i.JOB_NAME = ? ORDER BY e.JOB_EXECUTION_ID DESC LIMIT ?";
static const char LATEST_SQL[] = EXECUTION_SELECT
    " WHERE e.JOB_EXECUTION_ID IN (SELECT MAX(e2.JOB_EXECUTION_ID)"
    " FROM BATCH_JOB_EXECUTION e2 JOIN BATCH_JOB_INSTANCE i2"
    " ON i2.JOB_INSTANCE_ID = e2.JOB_INSTANCE_ID GROUP BY i2.JOB_NAME)"
    " ORDER BY i.JOB_NAME LIMIT ?";
static const char RUNNING_SQL[] = EXECUTION_SELECT
    " WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')"
    " ORDER BY e.JOB_EXECUTION_ID LIMIT ?";
/* Backwards through the index on the status, once for each job. */
static const char SUCCESSES_SQL[] = EXECUTION_SELECT
    " WHERE e.JOB_EXECUTION_ID IN (SELECT success.id FROM"
    "   (SELECT (SELECT e2.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e2"
    "     JOIN BATCH_JOB_INSTANCE i2 ON i2.JOB_INSTANCE_ID = e2.JOB_INSTANCE_ID"
    "     WHERE e2.STATUS = 'COMPLETED' AND i2.JOB_NAME = j.JOB_NAME"
    "     ORDER BY e2.JOB_EXECUTION_ID DESC LIMIT 1) AS id"
    "   FROM (SELECT DISTINCT JOB_NAME FROM BATCH_JOB_INSTANCE) j) success)"
    " ORDER BY i.JOB_NAME LIMIT ?";
#define LATEST_OF_INSTANCE                                                                         \
    " NOT EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION later"                                         \
    " WHERE later.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"                                             \
    " AND later.JOB_EXECUTION_ID > e.JOB_EXECUTION_ID)"
static const char RESTARTS_SQL[] = EXECUTION_SELECT
    " WHERE o.restart_at IS NOT NULL AND e.END_TIME IS NOT NULL AND" LATEST_OF_INSTANCE
    " ORDER BY o.restart_at, e.JOB_EXECUTION_ID LIMIT ?";
static const char FAILURES_SQL[] = EXECUTION_SELECT
    " WHERE e.STATUS = 'FAILED' AND o.restart_at IS NULL"
    " AND i.JOB_NAME IN (SELECT job_name FROM job_control) AND" LATEST_OF_INSTANCE
    " ORDER BY e.JOB_EXECUTION_ID DESC LIMIT ?";
static const char NODES_SQL[] =
    "SELECT node_id, host, version, role, pid, lease_until > NOW(6),"
    " DATE_FORMAT(started_at, '%Y-%m-%dT%H:%i:%sZ'),"
    " TIMESTAMPDIFF(MICROSECOND, started_at, IF(lease_until > NOW(6), NOW(6), heartbeat_at)),"
    " TIMESTAMPDIFF(MICROSECOND, heartbeat_at, NOW(6)), status"
    " FROM node ORDER BY role, lease_until > NOW(6) DESC, started_at, node_id LIMIT ?";
static const char ONE_SQL[] = EXECUTION_SELECT " WHERE e.JOB_EXECUTION_ID = ?";

/* A manager's counters are written when its step ends, its workers' with every chunk: the larger of
 * the two is what is known now. They are never added up, or every row would count twice. */
static const char STEPS_SQL[] =
    "SELECT m.STEP_EXECUTION_ID, m.STEP_NAME, COALESCE(m.STATUS, ''), COALESCE(m.EXIT_CODE, ''),"
    " COALESCE(m.EXIT_MESSAGE, ''),"
    " COALESCE(DATE_FORMAT(m.START_TIME, '%Y-%m-%dT%H:%i:%sZ'), ''),"
    " COALESCE(DATE_FORMAT(m.END_TIME, '%Y-%m-%dT%H:%i:%sZ'), ''),"
    " COALESCE(TIMESTAMPDIFF(MICROSECOND, m.START_TIME,"
    "   COALESCE(m.END_TIME, UTC_TIMESTAMP(6))), -1),"
    " GREATEST(COALESCE(m.READ_COUNT, 0), COALESCE(w.READ_COUNT, 0)),"
    " GREATEST(COALESCE(m.WRITE_COUNT, 0), COALESCE(w.WRITE_COUNT, 0)),"
    " GREATEST(COALESCE(m.FILTER_COUNT, 0), COALESCE(w.FILTER_COUNT, 0)),"
    " GREATEST(COALESCE(m.READ_SKIP_COUNT, 0) + COALESCE(m.PROCESS_SKIP_COUNT, 0)"
    "   + COALESCE(m.WRITE_SKIP_COUNT, 0), COALESCE(w.SKIP_COUNT, 0)),"
    " GREATEST(COALESCE(m.COMMIT_COUNT, 0), COALESCE(w.COMMIT_COUNT, 0)),"
    " GREATEST(COALESCE(m.ROLLBACK_COUNT, 0), COALESCE(w.ROLLBACK_COUNT, 0))"
    " FROM BATCH_STEP_EXECUTION m LEFT JOIN ("
    "   SELECT SUBSTRING_INDEX(STEP_NAME, ':', 1) AS MANAGER, SUM(READ_COUNT) AS READ_COUNT,"
    "     SUM(WRITE_COUNT) AS WRITE_COUNT, SUM(FILTER_COUNT) AS FILTER_COUNT,"
    "     SUM(READ_SKIP_COUNT + PROCESS_SKIP_COUNT + WRITE_SKIP_COUNT) AS SKIP_COUNT,"
    "     SUM(COMMIT_COUNT) AS COMMIT_COUNT, SUM(ROLLBACK_COUNT) AS ROLLBACK_COUNT"
    "   FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ? AND STEP_NAME LIKE '%:%'"
    "   GROUP BY MANAGER) w ON w.MANAGER = m.STEP_NAME"
    " WHERE m.JOB_EXECUTION_ID = ? AND m.STEP_NAME NOT LIKE '%:%'"
    " ORDER BY m.STEP_EXECUTION_ID LIMIT ?";

static const char PARTITIONS_SQL[] =
    "SELECT p.step_name, p.partition_number, p.lower_key, p.upper_key, p.checkpoint_key, p.epoch,"
    " p.status, p.estimated_items, p.read_count, p.write_count, p.skip_count, p.chunk_count,"
    " p.rollback_count, p.deadlock_count, p.lock_wait_count"
    " FROM step_partition p LEFT JOIN step_plan s"
    " ON s.job_instance_id = p.job_instance_id AND s.step_name = p.step_name"
    " WHERE p.job_instance_id = ?"
    " ORDER BY s.planned_at, p.step_name, p.partition_number LIMIT ?";

/* The step that is at work: the one planned last. */
static const char PROGRESS_SQL[] =
    "SELECT p.step_name,"
    " SUM(IF(p.status = 'COMPLETED', p.estimated_items, LEAST(p.read_count, p.estimated_items))),"
    " SUM(p.estimated_items), SUM(p.status = 'COMPLETED'), COUNT(*)"
    " FROM step_partition p JOIN step_plan s"
    " ON s.job_instance_id = p.job_instance_id AND s.step_name = p.step_name"
    " WHERE p.job_instance_id = ?"
    " GROUP BY p.step_name, s.planned_at ORDER BY s.planned_at DESC LIMIT 1";

static void copy_text(char *ret_text, size_t size, const struct statement *rows, int column)
{
    (void)text_format(ret_text, size, "%s", statement_text(rows, column));
}

#define COPY(field, column) copy_text(field, sizeof(field), rows, column)

static void read_execution(const struct statement *rows, struct job_execution *ret)
{
    ret->id = statement_i64(rows, 0);
    ret->instance_id = statement_i64(rows, 1);
    COPY(ret->job_name, 2);
    COPY(ret->parameters, 3);
    COPY(ret->status, 4);
    COPY(ret->exit_code, 5);
    COPY(ret->exit_message, 6);
    COPY(ret->created, 7);
    COPY(ret->started, 8);
    COPY(ret->ended, 9);
    ret->duration_us = statement_i64(rows, 10);
    ret->attempt = statement_i64(rows, 11);
    COPY(ret->node_id, 12);
    COPY(ret->started_for, 13);
    COPY(ret->cause, 14);
    ret->restarts = statement_i64(rows, 15);
    COPY(ret->restart_at, 16);
    COPY(ret->host, 17);
    ret->pid = statement_i64(rows, 18);
}

static void read_node(const struct statement *rows, struct job_node *ret)
{
    COPY(ret->node_id, 0);
    COPY(ret->host, 1);
    COPY(ret->version, 2);
    COPY(ret->role, 3);
    ret->pid = statement_i64(rows, 4);
    ret->alive = statement_i64(rows, 5) != 0;
    COPY(ret->started, 6);
    ret->uptime_us = statement_i64(rows, 7);
    ret->silent_us = statement_i64(rows, 8);
    COPY(ret->status, 9);
}

static void read_step(const struct statement *rows, struct job_step *ret)
{
    ret->id = statement_i64(rows, 0);
    COPY(ret->name, 1);
    COPY(ret->status, 2);
    COPY(ret->exit_code, 3);
    COPY(ret->exit_message, 4);
    COPY(ret->started, 5);
    COPY(ret->ended, 6);
    ret->duration_us = statement_i64(rows, 7);
    ret->read = statement_i64(rows, 8);
    ret->written = statement_i64(rows, 9);
    ret->filtered = statement_i64(rows, 10);
    ret->skipped = statement_i64(rows, 11);
    ret->commits = statement_i64(rows, 12);
    ret->rollbacks = statement_i64(rows, 13);
}

static void read_partition(const struct statement *rows, struct job_partition *ret)
{
    COPY(ret->step_name, 0);
    ret->number = statement_i64(rows, 1);
    ret->lower_key = statement_i64(rows, 2);
    ret->upper_key = statement_i64(rows, 3);
    ret->checkpoint_key = statement_i64(rows, 4);
    ret->has_checkpoint = !statement_is_null(rows, 4);
    ret->epoch = statement_i64(rows, 5);
    COPY(ret->status, 6);
    ret->estimated = statement_i64(rows, 7);
    ret->read = statement_i64(rows, 8);
    ret->written = statement_i64(rows, 9);
    ret->skipped = statement_i64(rows, 10);
    ret->chunks = statement_i64(rows, 11);
    ret->rollbacks = statement_i64(rows, 12);
    ret->deadlocks = statement_i64(rows, 13);
    ret->lock_waits = statement_i64(rows, 14);
}

static enum err read_executions(struct statement *rows, struct job_execution *ret_executions,
                                int capacity, int *ret_count)
{
    int count = 0;
    while (count < capacity) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        read_execution(rows, &ret_executions[count++]);
    }
    *ret_count = count;
    return OK;
}

enum err job_status_list(struct db *db, const char *job_name, struct job_execution *ret_executions,
                         int capacity, int *ret_count)
{
    ASSERT(capacity > 0 && capacity <= JOB_STATUS_LIMIT);
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    if (job_name == NULL) {
        TRY(db_query(db, &rows, LIST_SQL, "i", (int64_t)capacity));
    } else {
        TRY(db_query(db, &rows, LIST_OF_JOB_SQL, "si", job_name, (int64_t)capacity));
    }
    return read_executions(rows, ret_executions, capacity, ret_count);
}

/* A list whose only parameter is its length. */
static enum err list(struct db *db, const char *sql, struct job_execution *ret_executions,
                     int capacity, int *ret_count)
{
    ASSERT(capacity > 0 && capacity <= JOB_STATUS_LIMIT);
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, sql, "i", (int64_t)capacity));
    return read_executions(rows, ret_executions, capacity, ret_count);
}

enum err job_status_latest(struct db *db, struct job_execution *ret_executions, int capacity,
                           int *ret_count)
{
    return list(db, LATEST_SQL, ret_executions, capacity, ret_count);
}

enum err job_status_running(struct db *db, struct job_execution *ret_executions, int capacity,
                            int *ret_count)
{
    return list(db, RUNNING_SQL, ret_executions, capacity, ret_count);
}

enum err job_status_successes(struct db *db, struct job_execution *ret_executions, int capacity,
                              int *ret_count)
{
    return list(db, SUCCESSES_SQL, ret_executions, capacity, ret_count);
}

enum err job_status_restarts(struct db *db, struct job_execution *ret_executions, int capacity,
                             int *ret_count)
{
    return list(db, RESTARTS_SQL, ret_executions, capacity, ret_count);
}

enum err job_status_failures(struct db *db, struct job_execution *ret_executions, int capacity,
                             int *ret_count)
{
    return list(db, FAILURES_SQL, ret_executions, capacity, ret_count);
}

enum err job_status_nodes(struct db *db, struct job_node *ret_nodes, int capacity, int *ret_count)
{
    ASSERT(capacity > 0 && capacity <= JOB_STATUS_NODES);
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int count = 0;
    TRY(db_query(db, &rows, NODES_SQL, "i", (int64_t)capacity));
    while (count < capacity) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        read_node(rows, &ret_nodes[count++]);
    }
    *ret_count = count;
    return OK;
}

static enum err load_steps(struct db *db, int64_t execution_id, struct job_detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, STEPS_SQL, "iii", execution_id, execution_id,
                 (int64_t)JOB_STATUS_STEPS));
    size_t capacity = (size_t)statement_rows(rows);
    detail->steps = calloc(capacity + 1, sizeof(*detail->steps));
    if (detail->steps == NULL) return ERR_MEMORY;

    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        ASSERT((size_t)detail->step_count < capacity);
        read_step(rows, &detail->steps[detail->step_count++]);
    }
}

static enum err load_partitions(struct db *db, int64_t instance_id, struct job_detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, PARTITIONS_SQL, "ii", instance_id, (int64_t)JOB_STATUS_PARTITIONS));
    size_t capacity = (size_t)statement_rows(rows);
    detail->partitions = calloc(capacity + 1, sizeof(*detail->partitions));
    if (detail->partitions == NULL) return ERR_MEMORY;

    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        ASSERT((size_t)detail->partition_count < capacity);
        read_partition(rows, &detail->partitions[detail->partition_count++]);
    }
}

static enum err load_execution(struct db *db, int64_t execution_id, struct job_execution *ret)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, ONE_SQL, "i", execution_id));
    bool found = false;
    TRY(statement_fetch(rows, &found));
    if (!found) return ERR_NOT_FOUND;
    read_execution(rows, ret);
    return OK;
}

enum err job_status_detail(struct db *db, int64_t execution_id, struct job_detail *ret_detail)
{
    CLEANUP(job_detail_done) struct job_detail detail = {0};
    TRY(load_execution(db, execution_id, &detail.execution));
    TRY(load_steps(db, execution_id, &detail));
    TRY(load_partitions(db, detail.execution.instance_id, &detail));
    *ret_detail = detail;
    detail.steps = NULL;
    detail.partitions = NULL;
    return OK;
}

void job_detail_done(struct job_detail *detail)
{
    free(detail->steps);
    free(detail->partitions);
    *detail = (struct job_detail){0};
}

enum err job_status_progress(struct db *db, int64_t instance_id, struct job_progress *ret_progress)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, PROGRESS_SQL, "i", instance_id));
    bool found = false;
    TRY(statement_fetch(rows, &found));

    struct job_progress progress = {0};
    if (found) {
        COPY(progress.step_name, 0);
        progress.done = statement_i64(rows, 1);
        progress.planned = statement_i64(rows, 2);
        progress.partitions_completed = statement_i64(rows, 3);
        progress.partitions = statement_i64(rows, 4);
        progress.percent =
            progress.planned > 0 ? (int)((__int128)progress.done * 100 / progress.planned) : 0;
    }
    *ret_progress = progress;
    return OK;
}
