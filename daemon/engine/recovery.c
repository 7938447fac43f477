#include "daemon/engine/recovery.h"

#include "common/db/statement.h"
#include "common/log.h"
#include "daemon/engine/repository.h"
#include "daemon/engine/retry.h"
#include "daemon/engine/spread.h"

/* What a step's partitions have committed, as at its own end. */
static const char SUM_STEPS_SQL[] =
    "UPDATE BATCH_STEP_EXECUTION m JOIN ("
    "  SELECT SUBSTRING_INDEX(STEP_NAME, ':partition', 1) AS step, SUM(READ_COUNT) AS reads_,"
    "   SUM(WRITE_COUNT) AS writes, SUM(PROCESS_SKIP_COUNT) AS skips,"
    "   SUM(ROLLBACK_COUNT) AS rollbacks, SUM(COMMIT_COUNT) AS commits"
    "  FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ? AND STEP_NAME LIKE '%:partition%'"
    "  GROUP BY step) w ON w.step = m.STEP_NAME"
    " SET m.READ_COUNT = w.reads_, m.WRITE_COUNT = w.writes, m.PROCESS_SKIP_COUNT = w.skips,"
    " m.ROLLBACK_COUNT = w.rollbacks, m.COMMIT_COUNT = w.commits"
    " WHERE m.JOB_EXECUTION_ID = ? AND m.STATUS IN ('STARTING', 'STARTED', 'STOPPING')";
static const char FAIL_STEPS_SQL[] =
    "UPDATE BATCH_STEP_EXECUTION SET STATUS = 'FAILED', EXIT_CODE = 'FAILED', EXIT_MESSAGE = ?,"
    " END_TIME = NOW(6), LAST_UPDATED = NOW(6), VERSION = VERSION + 1"
    " WHERE JOB_EXECUTION_ID = ? AND STATUS IN ('STARTING', 'STARTED', 'STOPPING')";

static void describe(const struct abandoned_execution *execution, const struct node_state *owner,
                     bool restarts, char *ret_text, size_t size)
{
    const char *next =
        restarts || execution->policy == NULL
            ? "the next execution goes on at the checkpoints"
            : "it is not started again by itself: when the reason is found, settlectl "
              "restart goes on at the checkpoints";
    if (execution->ours)
        (void)text_format(ret_text, size,
                          "its end could not be recorded, since the database was away or full; %s",
                          next);
    else
        (void)text_format(ret_text, size, "the process that ran it is gone (node %s%s%s); %s",
                          execution->node_id, owner->known ? " on " : "", owner->host, next);
}

enum err recovery_fail_execution(struct db *db, const struct abandoned_execution *execution,
                                 const struct node_state *owner, bool *ret_restarts)
{
    char message[512];
    enum end_cause cause = execution->status == STATUS_STOPPING ? CAUSE_PERSON
                           : execution->ours                    ? CAUSE_TRANSIENT
                                                                : CAUSE_CRASH;
    int64_t restarts = 0;
    TRY(repository_restarts(db, execution->job_execution_id, &restarts));
    struct restart restart = {0};
    if (execution->policy != NULL)
        restart = restart_decide(execution->policy, cause, restarts, retry_random());
    describe(execution, owner, restart.due, message, sizeof(message));
    TRY(spread_give_up(db, execution->job_instance_id, "FAILED"));
    TRY(db_run(db, NULL, SUM_STEPS_SQL, "ii", execution->job_execution_id,
               execution->job_execution_id));
    TRY(db_run(db, NULL, FAIL_STEPS_SQL, "si", message, execution->job_execution_id));
    const struct execution_end end = {
        .from = execution->status,
        .to = STATUS_FAILED,
        .exit_code = EXIT_FAILED,
        .exit_message = message,
        .cause = cause,
        .restart = restart,
    };
    TRY(repository_set_execution(db, execution->job_execution_id, &end));
    *ret_restarts = restart.due;
    log_event(restart.due || execution->policy == NULL ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              "execution-recovered", message, "execution", LOG_INT(execution->job_execution_id),
              "cause", end_cause_name(cause), "restarts", LOG_INT(restarts), NULL);
    return OK;
}
