#include "daemon/engine/claim.h"

#include <string.h>

/* Without waiting: a row that is locked is at somebody else's, and who waits for it may be in the
 * way of the chunk that holds it in share mode (a foreign key's check) and wants it for its
 * checkpoint. */
static const char TAKE_SQL[] =
    "SET STATEMENT innodb_lock_wait_timeout = 0 FOR UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.epoch = p.epoch + 1, p.node_id = ?, p.status = 'STARTED', p.updated_at = NOW(6),"
    " s.STATUS = 'STARTED', s.START_TIME = COALESCE(s.START_TIME, NOW(6)),"
    " s.LAST_UPDATED = NOW(6), s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.status = 'PENDING'"
    " AND s.JOB_EXECUTION_ID = ?";
static const char RELEASE_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.status = ?, p.node_id = NULL, p.updated_at = NOW(6),"
    " p.rollback_count = p.rollback_count + ?, p.deadlock_count = p.deadlock_count + ?,"
    " p.lock_wait_count = p.lock_wait_count + ?,"
    " s.ROLLBACK_COUNT = s.ROLLBACK_COUNT + ?, s.STATUS = ?, s.EXIT_CODE = ?, s.EXIT_MESSAGE = ?,"
    " s.END_TIME = IF(?, NULL, NOW(6)), s.LAST_UPDATED = NOW(6), s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.status = 'STARTED'";
/* A locking read waits for a session that is being ended with the first call still uncommitted. */
static const char SHOWS_SQL[] =
    "SELECT epoch = ? AND status = ? AND node_id <=> ? FROM step_partition"
    " WHERE partition_id = ? FOR UPDATE";
static const char POSITION_SQL[] =
    "SELECT COALESCE(checkpoint_key, lower_key), chunk_count FROM step_partition"
    " WHERE partition_id = ? AND epoch = ? AND node_id = ?";
static const char READ_BACK_SQL[] =
    "SELECT epoch, chunk_count FROM step_partition WHERE partition_id = ? FOR UPDATE";

enum { BOTH_ROWS = 2 }; /* a partition and its step execution */

/* What a partition's row looks like after a call that was carried out. */
struct claim_trace {
    int64_t epoch;
    const char *status, *node_id;
};

static enum err shows(struct db *db, int64_t partition_id, const struct claim_trace *trace,
                      bool *ret_shows)
{
    int64_t match = 0;
    TRY(db_query_i64(db, &match, 0, SHOWS_SQL, "issi", trace->epoch, trace->status, trace->node_id,
                     partition_id));
    *ret_shows = match == 1;
    return OK;
}

/* How far the partition has come, from the row: what this process believes may be the outcome of a
 * commit whose reply it never had. */
static enum err read_position(struct db *db, const char *node_id, struct partition *partition)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, POSITION_SQL, "iis", partition->id, partition->epoch, node_id));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_FENCED;
    partition->checkpoint = statement_i64(query, 0);
    partition->chunk_count = statement_i64(query, 1);
    return OK;
}

enum err claim_take(struct db *db, struct partition *partition, const struct claimant *claimant,
                    bool again)
{
    const char *node_id = claimant->node_id;
    struct partition taken = *partition;
    const struct claim_trace trace = {partition->epoch + 1, "STARTED", node_id};
    int64_t matched = 0;
    bool is_taken = false;
    if (again) TRY(shows(db, partition->id, &trace, &is_taken));
    if (!is_taken) {
        enum err err = db_run(db, &matched, TAKE_SQL, "siii", node_id, partition->id,
                              partition->epoch, claimant->job_execution_id);
        if (err == ERR_LOCK_WAIT) return ERR_FENCED;
        TRY(err);
        if (matched != BOTH_ROWS) return ERR_FENCED;
    }
    taken.epoch++;
    TRY(read_position(db, node_id, &taken));
    /* Not as a whole: other threads read what never changes, and in whose hand it is. */
    partition->epoch = taken.epoch;
    partition->checkpoint = taken.checkpoint;
    partition->chunk_count = taken.chunk_count;
    return OK;
}

enum err claim_release(struct db *db, const struct partition *partition,
                       const struct claim_end *end, bool again)
{
    const struct claim_setbacks *setbacks = &end->setbacks;
    bool pending = strcmp(end->status, "PENDING") == 0;
    bool released = false;
    int64_t matched = 0;
    const struct claim_trace trace = {partition->epoch, end->status, NULL};
    if (again) TRY(shows(db, partition->id, &trace, &released));
    if (released) return OK;
    TRY(db_run(db, &matched, RELEASE_SQL, "siiiisssiii", end->status, setbacks->rollbacks,
               setbacks->deadlocks, setbacks->lock_waits, setbacks->rollbacks,
               pending ? status_name(STATUS_STARTING) : end->status,
               pending ? "EXECUTING" : end->status, end->message, (int64_t)pending, partition->id,
               partition->epoch));
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
