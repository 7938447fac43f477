#include "daemon/pulse.h"

#include "common/fault.h"
#include "common/purge.h"

static const char PULSE_SQL[] =
    "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED),"
    " EXISTS (SELECT 1 FROM job_request WHERE status = 'PENDING'),"
    " EXISTS (SELECT 1 FROM job_request WHERE status = 'ACCEPTED'),"
    " EXISTS (SELECT 1 FROM schedule_slot WHERE status = 'OPEN' AND job_name <> '" PURGE_SCHEDULE
    "'),"
    " EXISTS (SELECT 1 FROM schedule_slot WHERE status = 'OPEN' AND job_name = '" PURGE_SCHEDULE
    "'),"
    " EXISTS (SELECT 1 FROM job_execution_owner WHERE restart_at <= NOW(6)),"
    " EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION e"
    "  JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"
    "  JOIN job_control c ON c.job_name = i.JOB_NAME"
    "  WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')),"
    " EXISTS (SELECT 1 FROM step_plan l"
    "  JOIN job_execution_owner o ON o.job_execution_id = l.open_execution_id"
    "  JOIN node n ON n.node_id = o.node_id AND n.version = ?"
    "  JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = l.open_execution_id"
    "   AND e.STATUS = 'STARTED'"
    "  WHERE l.open_execution_id IS NOT NULL AND o.node_id <> ?),"
    " EXISTS (SELECT 1 FROM node WHERE node_id = ? AND drain_requested_at IS NOT NULL)";

enum err pulse_new(struct db *db, struct statement **ret_statement)
{
    return statement_new(db, PULSE_SQL, ret_statement);
}

enum err pulse_take(struct statement *statement, const char *node_id, struct pulse *ret_pulse)
{
    statement_bind_text(statement, 0, SETTLEMENTD_VERSION);
    statement_bind_text(statement, 1, node_id);
    statement_bind_text(statement, 2, node_id);
    TRY(statement_execute_row(statement));
    *ret_pulse = (struct pulse){
        .now_us = statement_i64(statement, 0) + fault_clock_shift_us(),
        .pending = statement_i64(statement, 1) != 0,
        .accepted = statement_i64(statement, 2) != 0,
        .open = statement_i64(statement, 3) != 0,
        .purge = statement_i64(statement, 4) != 0,
        .due = statement_i64(statement, 5) != 0,
        .running = statement_i64(statement, 6) != 0,
        .shared = statement_i64(statement, 7) != 0,
        .drained = statement_i64(statement, 8) != 0,
    };
    return OK;
}
