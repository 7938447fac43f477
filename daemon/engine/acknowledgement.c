#include "daemon/engine/acknowledgement.h"

#include "common/db/statement.h"
#include "daemon/engine/job_key.h"

static const char ADD_SQL[] =
    "INSERT INTO acknowledgement (token, kind, job_execution_id, job_name, target_date, step_name,"
    " status, acknowledged_at)"
    " SELECT UUID(), ?, e.JOB_EXECUTION_ID, i.JOB_NAME, COALESCE(LEFT(p.PARAMETER_VALUE, 10), ''),"
    " ?, ?, NOW(6) FROM BATCH_JOB_EXECUTION e"
    " JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"
    " LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " AND p.PARAMETER_NAME = ? WHERE e.JOB_EXECUTION_ID = ?";

enum err acknowledgement_of_step(struct db *db, int64_t execution_id, const char *step_name,
                                 const char *status)
{
    return db_run(db, NULL, ADD_SQL, "ssssi", "STEP", step_name, status, JOB_KEY_PARAMETER,
                  execution_id);
}

enum err acknowledgement_of_execution(struct db *db, int64_t execution_id, const char *status)
{
    return db_run(db, NULL, ADD_SQL, "ssssi", "EXECUTION", "", status, JOB_KEY_PARAMETER,
                  execution_id);
}
