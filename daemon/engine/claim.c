#include "daemon/engine/claim.h"

#include <string.h>

static const char TAKE_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.epoch = p.epoch + 1, p.node_id = ?, p.status = 'STARTED', p.updated_at = NOW(6),"
    " s.STATUS = 'STARTED', s.START_TIME = COALESCE(s.START_TIME, NOW(6)),"
    " s.LAST_UPDATED = NOW(6), s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.status = 'PENDING'";
static const char RELEASE_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.status = ?, p.node_id = NULL, p.updated_at = NOW(6),"
    " p.rollback_count = p.rollback_count + ?, p.deadlock_count = p.deadlock_count + ?,"
    " p.lock_wait_count = p.lock_wait_count + ?,"
    " s.ROLLBACK_COUNT = s.ROLLBACK_COUNT + ?, s.STATUS = ?, s.EXIT_CODE = ?, s.EXIT_MESSAGE = ?,"
    " s.END_TIME = IF(?, NULL, NOW(6)), s.LAST_UPDATED = NOW(6), s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.status = 'STARTED'";
static const char READ_BACK_SQL[] =
    "SELECT epoch, chunk_count FROM step_partition WHERE partition_id = ? FOR UPDATE";

enum { BOTH_ROWS = 2 }; /* a partition and its step execution */

enum err claim_take(struct db *db, struct partition *partition, const char *node_id)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, TAKE_SQL, "sii", node_id, partition->id, partition->epoch));
    if (matched != BOTH_ROWS) return ERR_FENCED;
    partition->epoch++;
    return OK;
}

enum err claim_release(struct db *db, const struct partition *partition, const char *status,
                       const struct claim_setbacks *setbacks, const char *message)
{
    bool pending = strcmp(status, "PENDING") == 0;
    int64_t matched = 0;
    TRY(db_run(db, &matched, RELEASE_SQL, "siiiisssiii", status, setbacks->rollbacks,
               setbacks->deadlocks, setbacks->lock_waits, setbacks->rollbacks,
               pending ? status_name(STATUS_STARTING) : status, pending ? "EXECUTING" : status,
               message, (int64_t)pending, partition->id, partition->epoch));
    return matched == BOTH_ROWS ? OK : ERR_FENCED;
}

enum err claim_read_back(struct db *db, const struct partition *partition, int64_t *ret_chunk_count)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, READ_BACK_SQL, "i", partition->id));
    TRY(statement_fetch(query, &row));
    if (!row || statement_i64(query, 0) != partition->epoch) return ERR_FENCED;
    *ret_chunk_count = statement_i64(query, 1);
    return OK;
}
