/* Purging the job metadata that nobody needs any more, in small transactions, so that it can run
 * beside everything else. Nothing about money is touched: business tables have no foreign key to
 * the metadata.
 *
 * A job instance goes, with its executions, steps, plans, partitions and what the reconciliation
 * found in them, when
 *   - all of its executions have ended, the latest of them long enough ago,
 *   - the latest is COMPLETED or ABANDONED: one that FAILED or was STOPPED can be restarted and
 *     needs its checkpoints,
 *   - it does not hold the last success of its job, and
 *   - the job is one of ours (it has a row in job_control): what other programs keep in the same
 *     tables is theirs.
 * Requests that have ended, slots that were decided (but for the latest of each job) and rows of
 * processes that are gone go by their own age. `days` counts back from now by the database's clock;
 * 0 spares nothing that has ended. */
#ifndef COMMON_PURGE_H
#define COMMON_PURGE_H

#include "common/db/connection.h"

/* The schedule under which the daemon purges (job_schedule.job_name); it is no job, and settles
 * nothing. */
#define PURGE_SCHEDULE "purge"

enum { PURGE_DAYS_MAX = 36500, PURGE_INSTANCES = 20, PURGE_STEPS = 10000, PURGE_ROWS = 500 };

struct purge_counts {
    int64_t instances, executions, steps; /* steps: those of workers, too */
    int64_t requests, slots, nodes;
};

/* One transaction: at most PURGE_INSTANCES instances, fewer when they have more than PURGE_STEPS
 * steps together; or, when there is none left, at most PURGE_ROWS of each of the other kinds. What
 * went is added to *counts. *ret_more: there may be more to do. Of two processes at once each does
 * a part. Launches wait while it lasts, and it waits for one that is under way; when that takes
 * longer than a lock is waited for, nothing went, and there is more to do. */
enum err purge_batch(struct db *db, int64_t days, struct purge_counts *counts,
                     bool *ret_more) MUST_CHECK;

/* What would go now. */
enum err purge_count(struct db *db, int64_t days, struct purge_counts *ret_counts) MUST_CHECK;

#endif
