/* One chunk: a page of keys read, computed and written, and the checkpoint moved, in one
 * transaction. This is where "exactly once" comes from: business rows, checkpoint and counters are
 * committed together or not at all, and only under the epoch that the partition was taken with. */
#ifndef DAEMON_ENGINE_CHUNK_H
#define DAEMON_ENGINE_CHUNK_H

#include "daemon/engine/claim.h"
#include "daemon/engine/control.h"

/* What a worker brings along for the chunks of a partition. */
struct chunk_worker {
    struct db *db;
    struct control *control;
    const struct run *run;
    const struct run_limits *limits;
    const struct step *step;
    void *state;                  /* the step's own, from step->open */
    struct statement *checkpoint; /* chunk_worker_init prepares it */
    struct partition *partition;  /* checkpoint and chunk_count move with each commit */
    bool outcome_unknown; /* of the last commit: nothing more may be done under this claim */
    struct claim_setbacks setbacks; /* not stored yet */
    struct detail detail;           /* of the last failure */
};

/* Opens the step's state and prepares what is needed; chunk_worker_done undoes it. */
enum err chunk_worker_init(struct chunk_worker *worker) MUST_CHECK;
void chunk_worker_done(struct chunk_worker *worker);

/* Runs one chunk and repeats it as its errors' classes allow: transactions are rolled back before
 * the pause, a lost connection is made anew and the outcome read back. *ret_finished when the
 * partition is COMPLETED with it; *ret_read items were read. ERR_STOPPED and ERR_FENCED leave
 * nothing behind. */
enum err chunk_run(struct chunk_worker *worker, bool *ret_finished, int64_t *ret_read) MUST_CHECK;

#endif
