#include "daemon/engine/recovery.h"

#include "common/db/statement.h"
#include "common/log.h"
#include "daemon/engine/repository.h"

/* Partitions first: these locks wait for a chunk that is being committed right now, and after them nothing of the old epoch
 * can be. */
static const char RAISE_EPOCHS_SQL[] =
    "UPDATE step_partition SET epoch = epoch + 1, node_id = NULL, status = 'FAILED',"
    " updated_at = NOW(6) WHERE job_instance_id = ? AND status <> 'COMPLETED'";
static const char FAIL_STEPS_SQL[] =
    "UPDATE BATCH_STEP_EXECUTION SET STATUS = 'FAILED', EXIT_CODE = 'FAILED', EXIT_MESSAGE = ?,"
    " END_TIME = NOW(6), LAST_UPDATED = NOW(6), VERSION = VERSION + 1"
    " WHERE JOB_EXECUTION_ID = ? AND STATUS IN ('STARTING', 'STARTED', 'STOPPING')";

enum err recovery_fail_execution(struct db *db, const struct abandoned_execution *execution,
                                 const struct node_state *owner)
{
    char message[512];
    (void)text_format(
        message, sizeof(message),
        "the process that ran it is gone (node %s%s%s); the next execution goes on at the "
        "checkpoints",
        execution->node_id, owner->known ? " on " : "", owner->host);
    TRY(db_run(db, NULL, RAISE_EPOCHS_SQL, "i", execution->job_instance_id));
    TRY(db_run(db, NULL, FAIL_STEPS_SQL, "si", message, execution->job_execution_id));
    const struct execution_end end = {execution->status, STATUS_FAILED, EXIT_FAILED, message};
    TRY(repository_set_execution(db, execution->job_execution_id, &end));
    log_event(LOG_LEVEL_WARN, "execution-recovered", message, "execution",
              LOG_INT(execution->job_execution_id), NULL);
    return OK;
}
