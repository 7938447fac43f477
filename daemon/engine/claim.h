/* Ownership of a partition. Taking it raises its epoch; from then on every write about it compares the epoch, so that
 * whoever held it before can change nothing any more, however late it wakes up. Each function is one statement. */
#ifndef DAEMON_ENGINE_CLAIM_H
#define DAEMON_ENGINE_CLAIM_H

#include "daemon/engine/partition.h"
#include "daemon/engine/state.h"

/* Takes a partition that is PENDING under the epoch that we know. On success partition->epoch is the new one. ERR_FENCED when
 * somebody else was quicker. */
enum err claim_take(struct db *db, struct partition *partition, const char *node_id) MUST_CHECK;

/* Rollbacks that happened since the last commit and could not be stored then. */
struct claim_setbacks {
    int64_t rollbacks, deadlocks, lock_waits;
};

/* Gives a partition back: `status` "PENDING" (to be taken again), "STOPPED" or "FAILED" with the reason. ERR_FENCED when it is
 * not ours any more. */
enum err claim_release(struct db *db, const struct partition *partition, const char *status,
                       const struct claim_setbacks *setbacks, const char *message) MUST_CHECK;

/* Reads, with a lock, how far the partition has come: `chunk_count` is its version. ERR_FENCED under another epoch. Inside a
 * transaction. */
enum err claim_read_back(struct db *db, const struct partition *partition,
                         int64_t *ret_chunk_count) MUST_CHECK;

#endif
