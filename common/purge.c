#include "common/purge.h"

#include "common/db/statement.h"
#include "common/db/transaction.h"
#include "common/launches.h"

enum { PURGE_ATTEMPTS = 5 };

/* Instances that may go. The last success of a job is looked up once for each job, backwards
 * through the index on the status. */
#define INSTANCES_THAT_MAY_GO                                                                       \
    " FROM job_control c JOIN BATCH_JOB_INSTANCE i ON i.JOB_NAME = c.job_name"                      \
    " JOIN BATCH_JOB_EXECUTION latest ON latest.JOB_EXECUTION_ID ="                                 \
    "   (SELECT MAX(a.JOB_EXECUTION_ID) FROM BATCH_JOB_EXECUTION a"                                 \
    "     WHERE a.JOB_INSTANCE_ID = i.JOB_INSTANCE_ID)"                                             \
    " WHERE latest.STATUS IN ('COMPLETED', 'ABANDONED')"                                            \
    " AND NOT EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION b"                                          \
    "   WHERE b.JOB_INSTANCE_ID = i.JOB_INSTANCE_ID"                                                \
    "   AND (b.END_TIME IS NULL OR b.END_TIME > NOW(6) - INTERVAL ? DAY"                            \
    "     OR b.STATUS IN ('STARTING', 'STARTED', 'STOPPING')))"                                     \
    " AND i.JOB_INSTANCE_ID NOT IN (SELECT success.JOB_INSTANCE_ID FROM"                            \
    "   (SELECT j.job_name, (SELECT e.JOB_INSTANCE_ID FROM BATCH_JOB_EXECUTION e"                   \
    "     JOIN BATCH_JOB_INSTANCE k ON k.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID"                       \
    "     WHERE e.STATUS = 'COMPLETED' AND k.JOB_NAME = j.job_name"                                 \
    "     ORDER BY e.JOB_EXECUTION_ID DESC LIMIT 1) AS JOB_INSTANCE_ID FROM job_control j) success" \
    "   WHERE success.JOB_INSTANCE_ID IS NOT NULL)"

static const char FIND_SQL[] =
    "SELECT i.JOB_INSTANCE_ID, (SELECT COUNT(*) FROM BATCH_STEP_EXECUTION s"
    "   JOIN BATCH_JOB_EXECUTION x ON x.JOB_EXECUTION_ID = s.JOB_EXECUTION_ID"
    "   WHERE x.JOB_INSTANCE_ID = i.JOB_INSTANCE_ID)" INSTANCES_THAT_MAY_GO
    " ORDER BY i.JOB_INSTANCE_ID LIMIT ?";
/* Whoever purges at the same time begins with the same instance, and waits here instead of getting
 * in the way. */
static const char LOCK_SQL[] =
    "SELECT JOB_INSTANCE_ID FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID = ? FOR UPDATE";
static const char COUNT_INSTANCES_SQL[] = "SELECT COUNT(*)" INSTANCES_THAT_MAY_GO;
static const char COUNT_EXECUTIONS_SQL[] =
    "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION y"
    " WHERE y.JOB_INSTANCE_ID IN (SELECT i.JOB_INSTANCE_ID" INSTANCES_THAT_MAY_GO ")";
static const char COUNT_STEPS_SQL[] =
    "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION z"
    " JOIN BATCH_JOB_EXECUTION y ON y.JOB_EXECUTION_ID = z.JOB_EXECUTION_ID"
    " WHERE y.JOB_INSTANCE_ID IN (SELECT i.JOB_INSTANCE_ID" INSTANCES_THAT_MAY_GO ")";

/* Children first: Spring Batch's tables have no cascade among each other. The side tables go by
 * themselves. */
static const char DELETE_STEP_CONTEXTS_SQL[] =
    "DELETE c FROM BATCH_JOB_EXECUTION e"
    " JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " JOIN BATCH_STEP_EXECUTION_CONTEXT c ON c.STEP_EXECUTION_ID = s.STEP_EXECUTION_ID"
    " WHERE e.JOB_INSTANCE_ID = ?";
static const char DELETE_STEPS_SQL[] =
    "DELETE s FROM BATCH_JOB_EXECUTION e"
    " JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " WHERE e.JOB_INSTANCE_ID = ?";
static const char DELETE_CONTEXTS_SQL[] =
    "DELETE c FROM BATCH_JOB_EXECUTION e"
    " JOIN BATCH_JOB_EXECUTION_CONTEXT c ON c.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " WHERE e.JOB_INSTANCE_ID = ?";
static const char DELETE_PARAMETERS_SQL[] =
    "DELETE p FROM BATCH_JOB_EXECUTION e"
    " JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " WHERE e.JOB_INSTANCE_ID = ?";
static const char DELETE_EXECUTIONS_SQL[] =
    "DELETE FROM BATCH_JOB_EXECUTION WHERE JOB_INSTANCE_ID = ?";
static const char DELETE_INSTANCE_SQL[] =
    "DELETE FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID = ?";

#define OLD_REQUESTS                                                                               \
    " FROM job_request WHERE status NOT IN ('PENDING', 'ACCEPTED')"                                \
    " AND COALESCE(ended_at, answered_at, requested_at) <= NOW(6) - INTERVAL ? DAY"
/* The latest slot of a job is where the days of the next one begin. */
#define OLD_SLOTS                                                                                  \
    " FROM schedule_slot WHERE status IN ('SKIPPED', 'DONE')"                                      \
    " AND COALESCE(ended_at, decided_at) <= NOW(6) - INTERVAL ? DAY"                               \
    " AND (job_name, slot_at) NOT IN (SELECT l.job_name, l.slot_at FROM"                           \
    "   (SELECT job_name, MAX(slot_at) AS slot_at FROM schedule_slot GROUP BY job_name) l)"
/* Who owns an execution that is marked as running is still asked for when it is recovered. */
#define GONE_NODES                                                                                 \
    " FROM node WHERE lease_until <= NOW(6) - INTERVAL ? DAY AND node_id NOT IN ("                 \
    "   SELECT o.node_id FROM job_execution_owner o JOIN BATCH_JOB_EXECUTION e"                    \
    "   ON e.JOB_EXECUTION_ID = o.job_execution_id"                                                \
    "   WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING'))"

static const char DELETE_REQUESTS_SQL[] = "DELETE" OLD_REQUESTS " ORDER BY request_id LIMIT ?";
static const char COUNT_REQUESTS_SQL[] = "SELECT COUNT(*)" OLD_REQUESTS;
static const char DELETE_SLOTS_SQL[] = "DELETE" OLD_SLOTS " ORDER BY job_name, slot_at LIMIT ?";
static const char COUNT_SLOTS_SQL[] = "SELECT COUNT(*)" OLD_SLOTS;
static const char DELETE_NODES_SQL[] = "DELETE" GONE_NODES " ORDER BY node_id LIMIT ?";
static const char COUNT_NODES_SQL[] = "SELECT COUNT(*)" GONE_NODES;

/* One try of one batch: everything in it is counted anew when the transaction is repeated. */
struct batch {
    int64_t days;
    struct purge_counts counts;
    bool more;
};

/* The ids of a batch. At least one, however many steps it has. */
static enum err find_instances(struct db *db, int64_t days, int64_t ret_ids[PURGE_INSTANCES],
                               int64_t *ret_count)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int64_t count = 0, steps = 0;
    TRY(db_query(db, &rows, FIND_SQL, "ii", days, (int64_t)PURGE_INSTANCES));
    while (count < PURGE_INSTANCES) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        steps += statement_i64(rows, 1);
        if (count > 0 && steps > PURGE_STEPS) break;
        ret_ids[count++] = statement_i64(rows, 0);
    }
    *ret_count = count;
    return OK;
}

/* One by one: the server takes no arrays for a DELETE over several tables. */
static enum err delete_of(struct db *db, const char *sql, const int64_t *ids, int64_t count,
                          int64_t *ret_affected)
{
    CLEANUP(statement_cleanup) struct statement *statement = NULL;
    int64_t affected = 0;
    TRY(statement_new(db, sql, &statement));
    for (int64_t i = 0; i < count; i++) {
        statement_bind_i64(statement, 0, ids[i]);
        TRY(statement_execute(statement));
        affected += statement_affected(statement);
    }
    *ret_affected = affected;
    return OK;
}

static enum err delete_instances(struct db *db, const int64_t *ids, int64_t count,
                                 struct purge_counts *counts)
{
    int64_t ignored = 0;
    TRY(delete_of(db, DELETE_STEP_CONTEXTS_SQL, ids, count, &ignored));
    TRY(delete_of(db, DELETE_STEPS_SQL, ids, count, &counts->steps));
    TRY(delete_of(db, DELETE_CONTEXTS_SQL, ids, count, &ignored));
    TRY(delete_of(db, DELETE_PARAMETERS_SQL, ids, count, &ignored));
    TRY(delete_of(db, DELETE_EXECUTIONS_SQL, ids, count, &counts->executions));
    return delete_of(db, DELETE_INSTANCE_SQL, ids, count, &counts->instances);
}

static enum err delete_others(struct db *db, int64_t days, struct batch *batch)
{
    struct purge_counts *counts = &batch->counts;
    const int64_t limit = PURGE_ROWS;
    TRY(db_run(db, &counts->requests, DELETE_REQUESTS_SQL, "ii", days, limit));
    TRY(db_run(db, &counts->slots, DELETE_SLOTS_SQL, "ii", days, limit));
    TRY(db_run(db, &counts->nodes, DELETE_NODES_SQL, "ii", days, limit));
    batch->more = counts->requests == limit || counts->slots == limit || counts->nodes == limit;
    return OK;
}

/* When a launch is not through in time, or the first instance is gone by now since somebody else
 * has taken this batch: the next one is looked for anew. */
static enum err purge_in_transaction(struct db *db, void *context)
{
    struct batch *batch = context;
    int64_t ids[PURGE_INSTANCES], count = 0, first = 0;
    batch->counts = (struct purge_counts){0};
    batch->more = true;
    /* What is found stays true until the batch's end: also a day that was given up when it had no
     * logs is launched again when there are some. */
    enum err err = launches_hold(db);
    if (err != OK) return err == ERR_LOCK_WAIT ? OK : err;
    TRY(find_instances(db, batch->days, ids, &count));
    if (count == 0) return delete_others(db, batch->days, batch);
    err = db_query_i64(db, &first, 0, LOCK_SQL, "i", ids[0]);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    return delete_instances(db, ids, count, &batch->counts);
}

static void add(struct purge_counts *sum, const struct purge_counts *counts)
{
    sum->instances += counts->instances;
    sum->executions += counts->executions;
    sum->steps += counts->steps;
    sum->requests += counts->requests;
    sum->slots += counts->slots;
    sum->nodes += counts->nodes;
}

enum err purge_batch(struct db *db, int64_t days, struct purge_counts *counts, bool *ret_more)
{
    ASSERT(days >= 0 && days <= PURGE_DAYS_MAX);
    struct batch batch = {.days = days};
    TRY(db_transact(db, PURGE_ATTEMPTS, purge_in_transaction, &batch));
    add(counts, &batch.counts);
    *ret_more = batch.more;
    return OK;
}

enum err purge_count(struct db *db, int64_t days, struct purge_counts *ret_counts)
{
    ASSERT(days >= 0 && days <= PURGE_DAYS_MAX);
    struct purge_counts counts = {0};
    TRY(db_query_i64(db, &counts.instances, 0, COUNT_INSTANCES_SQL, "i", days));
    TRY(db_query_i64(db, &counts.executions, 0, COUNT_EXECUTIONS_SQL, "i", days));
    TRY(db_query_i64(db, &counts.steps, 0, COUNT_STEPS_SQL, "i", days));
    TRY(db_query_i64(db, &counts.requests, 0, COUNT_REQUESTS_SQL, "i", days));
    TRY(db_query_i64(db, &counts.slots, 0, COUNT_SLOTS_SQL, "i", days));
    TRY(db_query_i64(db, &counts.nodes, 0, COUNT_NODES_SQL, "i", days));
    *ret_counts = counts;
    return OK;
}
