#include "daemon/engine/chunk.h"

#include "common/db/transaction.h"
#include "common/log.h"
#include "daemon/engine/repository.h"
#include "daemon/engine/retry.h"

/* Moves checkpoint and counters of the partition and of its step execution. The epoch is the fence
 * against whoever took the partition over, chunk_count the one against ourselves: a chunk that was
 * committed is not committed again. */
static const char CHECKPOINT_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.checkpoint_key = ?, p.status = ?, p.chunk_count = p.chunk_count + 1,"
    " p.read_count = p.read_count + ?, p.write_count = p.write_count + ?,"
    " p.skip_count = p.skip_count + ?, p.rollback_count = p.rollback_count + ?,"
    " p.deadlock_count = p.deadlock_count + ?, p.lock_wait_count = p.lock_wait_count + ?,"
    " p.updated_at = NOW(6),"
    " s.COMMIT_COUNT = s.COMMIT_COUNT + 1, s.READ_COUNT = s.READ_COUNT + ?,"
    " s.WRITE_COUNT = s.WRITE_COUNT + ?, s.PROCESS_SKIP_COUNT = s.PROCESS_SKIP_COUNT + ?,"
    " s.ROLLBACK_COUNT = s.ROLLBACK_COUNT + ?, s.STATUS = ?,"
    " s.EXIT_CODE = CASE WHEN NOT ? THEN 'EXECUTING' WHEN p.skip_count + ? > 0"
    " THEN 'COMPLETED WITH SKIPS' ELSE 'COMPLETED' END,"
    " s.END_TIME = IF(?, NOW(6), NULL), s.LAST_UPDATED = NOW(6),"
    " s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.chunk_count = ? AND p.status = 'STARTED'";
/* Whoever skips something takes turns at it with the others, in whatever process, until its commit:
 * so the sum is that of all that is committed. */
static const char HOLD_PLAN_SQL[] =
    "SELECT 1 FROM step_plan WHERE job_instance_id = ? AND step_name = ? FOR UPDATE";
static const char SKIPPED_SQL[] =
    "SELECT SUM(skip_count) FROM step_partition WHERE job_instance_id = ? AND step_name = ?";

enum { BOTH_ROWS = 2 }; /* a partition and its step execution */

enum err chunk_worker_init(struct chunk_worker *worker)
{
    TRY(statement_new(worker->db, CHECKPOINT_SQL, &worker->checkpoint));
    return worker->step->open(worker->db, worker->run, &worker->state);
}

void chunk_worker_done(struct chunk_worker *worker)
{
    statement_free(worker->checkpoint);
    worker->checkpoint = NULL;
    if (worker->state != NULL) worker->step->close(worker->state);
    worker->state = NULL;
}

static enum err write_checkpoint(struct chunk_worker *worker, const struct chunk *chunk)
{
    struct statement *update = worker->checkpoint;
    const struct claim_setbacks *setbacks = &worker->setbacks;
    const char *status = chunk->finished ? "COMPLETED" : "STARTED";
    const int64_t counts[] = {chunk->read,         chunk->written,      chunk->skipped,
                              setbacks->rollbacks, setbacks->deadlocks, setbacks->lock_waits,
                              chunk->read,         chunk->written,      chunk->skipped,
                              setbacks->rollbacks};
    int parameter = 0;
    statement_bind_i64(update, parameter++, chunk->finished ? chunk->upper_key : chunk->last_key);
    statement_bind_text(update, parameter++, status);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        statement_bind_i64(update, parameter++, counts[i]);
    statement_bind_text(update, parameter++, status);
    statement_bind_i64(update, parameter++, chunk->finished);
    statement_bind_i64(update, parameter++, chunk->skipped);
    statement_bind_i64(update, parameter++, chunk->finished);
    statement_bind_i64(update, parameter++, worker->partition->id);
    statement_bind_i64(update, parameter++, worker->partition->epoch);
    statement_bind_i64(update, parameter++, worker->partition->chunk_count);

    db_mark_metadata(worker->db, true);
    enum err err = statement_execute(update);
    db_mark_metadata(worker->db, false);
    if (err != OK) return err;
    return statement_affected(update) == BOTH_ROWS ? OK : ERR_FENCED;
}

/* Two chunks at once cannot both take the last places under the limit. */
static enum err check_skips(struct chunk_worker *worker, struct chunk *chunk)
{
    int64_t instance = worker->run->job_instance_id;
    int64_t limit = worker->limits->skip_limit;
    int64_t one = 0, before = 0;
    if (chunk->skipped == 0) return OK;
    TRY(db_query_i64(worker->db, &one, 0, HOLD_PLAN_SQL, "is", instance, worker->step->name));
    TRY(db_query_i64(worker->db, &before, 0, SKIPPED_SQL, "is", instance, worker->step->name));
    int64_t skipped = before + chunk->skipped;
    if (skipped <= limit) return OK;
    return detail_set(&chunk->detail, ERR_SKIP_LIMIT,
                      "%s: %lld items were skipped, the limit (skip_limit) is %lld; %s",
                      worker->step->name, (long long)skipped, (long long)limit,
                      worker->step->skip_hint == NULL ? "" : worker->step->skip_hint);
}

static enum err run_transaction(struct chunk_worker *worker, struct chunk *chunk)
{
    CLEANUP(db_guard_end) struct db_guard guard = {worker->db};
    TRY(db_begin(worker->db));
    TRY(worker->step->process(chunk, worker->state));
    ASSERT(chunk->finished ||
           (chunk->last_key > chunk->after_key && chunk->last_key <= chunk->upper_key));
    TRY(check_skips(worker, chunk));
    if (control_stopping(worker->control) >= STOP_ABORT) return ERR_STOPPED;
    TRY(write_checkpoint(worker, chunk));
    return db_commit(worker->db);
}

/* The connection was lost, perhaps while COMMIT was under way: the partition's row says whether it
 * was. The read takes a lock, so it waits until the server has rolled back what the old session
 * left open. */
static enum err read_outcome(struct chunk_worker *worker, bool *ret_committed)
{
    TRY(retry_reconnect(worker->db, worker->limits->reconnect_s, &worker->control->stop));
    CLEANUP(db_guard_end) struct db_guard guard = {worker->db};
    int64_t chunk_count = 0;
    TRY(db_begin(worker->db));
    TRY(claim_read_back(worker->db, worker->partition, &chunk_count));
    int64_t ours = worker->partition->chunk_count;
    /* Neither before this chunk nor after it: a server that has lost commits (a replica that
     * lagged). */
    if (chunk_count != ours && chunk_count != ours + 1) return ERR_FENCED;
    *ret_committed = chunk_count == ours + 1;
    return OK;
}

/* Asks until it is known: no new try may begin before. When it cannot be found out, the partition
 * is given back, and whoever takes it next reads its position from the row. */
static enum err find_outcome(struct chunk_worker *worker, bool *ret_committed)
{
    enum err err = OK;
    for (int attempt = 1; attempt <= worker->limits->transaction_limit; attempt++) {
        err = read_outcome(worker, ret_committed);
        if (err_class(err) != CLASS_TRANSACTION && err_class(err) != CLASS_CONNECTION) return err;
    }
    worker->outcome_unknown = true;
    return err;
}

static void note_failure(struct chunk_worker *worker, const struct chunk *chunk, enum err err)
{
    worker->setbacks.rollbacks++;
    if (err == ERR_DEADLOCK) worker->setbacks.deadlocks++;
    if (err == ERR_LOCK_WAIT) worker->setbacks.lock_waits++;
    if (chunk->detail.text[0] != '\0')
        worker->detail = chunk->detail;
    else if (db_error_number(worker->db) != 0 && err != ERR_FENCED && err != ERR_STOPPED)
        (void)detail_set(&worker->detail, err, "%s, keys after %lld: %s: %s (server error %u)",
                         worker->step->name, (long long)chunk->after_key, err_text(err),
                         db_message(worker->db), db_error_number(worker->db));
    else
        (void)detail_set(&worker->detail, err, "%s, keys after %lld: %s", worker->step->name,
                         (long long)chunk->after_key, err_text(err));
}

static void note_commit(struct chunk_worker *worker, const struct chunk *chunk)
{
    worker->partition->checkpoint = chunk->finished ? chunk->upper_key : chunk->last_key;
    worker->partition->chunk_count++;
    worker->setbacks = (struct claim_setbacks){0};
    control_add(worker->control, chunk->read);
}

/* One try. What it leaves for the caller to decide is an error whose transaction is gone for
 * certain. */
static enum err try_once(struct chunk_worker *worker, struct chunk *chunk)
{
    *chunk = (struct chunk){
        .db = worker->db,
        .run = worker->run,
        .partition_id = worker->partition->id,
        .after_key = worker->partition->checkpoint,
        .upper_key = worker->partition->upper,
    };
    enum err err = run_transaction(worker, chunk);
    if (err == OK) return OK;
    /* A statement that was cancelled although nobody here asked for it: somebody's KILL QUERY. */
    if (err == ERR_STOPPED && control_stopping(worker->control) < STOP_ABORT) err = ERR_CONFLICT;
    note_failure(worker, chunk, err);
    bool committed = false;
    if (err_class(err) == CLASS_CONNECTION) {
        enum err outcome = find_outcome(worker, &committed);
        if (outcome != OK) err = outcome;
    }
    if (!committed) return err;
    log_event(LOG_LEVEL_WARN, "commit-found",
              "the connection was lost, but the chunk had been committed", "step",
              worker->step->name, "partition", LOG_INT(worker->partition->number), "detail",
              worker->detail.text, NULL);
    return OK;
}

static void log_retry(const struct chunk_worker *worker, enum err err, int attempt)
{
    log_event(LOG_LEVEL_WARN, "chunk-retry", worker->detail.text, "step", worker->step->name,
              "partition", LOG_INT(worker->partition->number), "error", err_name(err), "attempt",
              LOG_INT(attempt), NULL);
}

enum err chunk_run(struct chunk_worker *worker, bool *ret_finished, int64_t *ret_read)
{
    const struct run_limits *limits = worker->limits;
    struct chunk chunk;
    for (int attempt = 1;; attempt++) {
        enum err err = try_once(worker, &chunk);
        if (err == OK) break;
        enum err_class class = err_class(err);
        if (class != CLASS_TRANSACTION && class != CLASS_CONNECTION) return err;
        if (attempt >= limits->transaction_limit || worker->outcome_unknown) return err;
        log_retry(worker, err, attempt);
        retry_wait(retry_pause_ms(attempt, limits->backoff_ms, limits->backoff_max_ms,
                                  retry_random()),
                   &worker->control->stop);
        if (control_stopping(worker->control) != STOP_NONE) return ERR_STOPPED;
    }
    note_commit(worker, &chunk);
    *ret_finished = chunk.finished;
    *ret_read = chunk.read;
    return OK;
}
