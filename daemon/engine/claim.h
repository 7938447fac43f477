/* Ownership of a partition. Taking it raises its epoch; from then on every write about it compares
 * the epoch, so that whoever held it before can change nothing any more, however late it wakes up.
 * Each function is one statement. */
#ifndef DAEMON_ENGINE_CLAIM_H
#define DAEMON_ENGINE_CLAIM_H

#include "daemon/engine/partition.h"
#include "daemon/engine/status.h"

/* Who takes it, and for which execution: a process that was frozen meanwhile must not take up the
 * partitions of the next. */
struct claimant {
    const char *node_id;
    int64_t job_execution_id;
};

/* Each of the two that follow may be called once more after its reply was lost and the connection
 * made anew: `again` makes it look whether the first call had been carried out. */

/* Takes a partition that is PENDING under the epoch that we know. On success partition->epoch is
 * the new one, and checkpoint and chunk_count are what the row says. ERR_FENCED when somebody else
 * was quicker. */
enum err claim_take(struct db *db, struct partition *partition, const struct claimant *claimant,
                    bool again) MUST_CHECK;

/* Rollbacks that happened since the last commit and could not be stored then. */
struct claim_setbacks {
    int64_t rollbacks, deadlocks, lock_waits;
};

/* Gives a partition back: `status` "PENDING" (to be taken again), "STOPPED" or "FAILED" with the
 * reason. ERR_FENCED when it is not ours any more. */
struct claim_end {
    const char *status, *message;
    struct claim_setbacks setbacks;
};
enum err claim_release(struct db *db, const struct partition *partition,
                       const struct claim_end *end, bool again) MUST_CHECK;

/* Reads, with a lock, how far the partition has come: `chunk_count` is its version. ERR_FENCED
 * under another epoch. Inside a transaction. */
enum err claim_read_back(struct db *db, const struct partition *partition,
                         int64_t *ret_chunk_count) MUST_CHECK;

#endif
