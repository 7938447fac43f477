/* Partitions: how a step's keys are divided, once for a job instance. The number of ranges and
 * their bounds follow the volume of the data, as the server's index statistics estimate it; the
 * plan is stored in the transaction that starts the step, and a restart adopts it as it is,
 * whatever has become of the data or the configuration meanwhile. */
#ifndef DAEMON_ENGINE_PARTITION_H
#define DAEMON_ENGINE_PARTITION_H

#include "daemon/engine/partition_plan.h"

/* Divides what a source holds for a date. Reads only. No keys: a plan without ranges. */
enum err partition_plan_make(struct db *db, const struct key_source *source, const char *date,
                             const struct run_limits *limits,
                             struct partition_plan *ret_plan) MUST_CHECK;

/* True when the step of this job instance was planned before. */
enum err partition_plan_exists(struct db *db, int64_t instance_id, const char *step_name,
                               bool *ret_exists) MUST_CHECK;
/* Stores a plan; inside the transaction that starts the step. */
enum err partition_plan_store(struct db *db, int64_t instance_id, const char *step_name,
                              const struct partition_plan *plan) MUST_CHECK;
/* Forgets how far the partitions have come, for a step that a restart repeats as a whole. */
enum err partition_plan_reset(struct db *db, int64_t instance_id, const char *step_name) MUST_CHECK;

/* Who has a partition, as far as this process knows. */
enum partition_hand {
    HAND_FREE,      /* to be taken */
    HAND_OURS,      /* one of our workers is at it */
    HAND_ELSEWHERE, /* another process is at it */
    HAND_DONE,      /* nothing is left to do here, or nothing more can be done */
    HAND_COUNT
};

/* What a row's status means to a process that is not at it. */
enum partition_hand partition_hand_of(const char *status);

/* A partition that is to be worked on. */
struct partition {
    int64_t id, number;
    int64_t lower, upper, checkpoint; /* checkpoint: lower when there is none yet */
    int64_t estimated_items;
    int64_t epoch, chunk_count; /* as claimed */
    int requeued;               /* how often it was put back after a failure, in this execution */
    int64_t put_down_at;        /* the pool's count of looks when a worker was through with it */
    enum partition_hand hand;
};

/* What is left of a step, the largest first, so that the last ones to finish are small.
 * `done_items` counts what was read already, in the whole job instance. The caller frees the
 * list. */
struct partition_list {
    struct partition *items;
    int count;
    int64_t estimated_items, done_items;
};
void partition_list_free(struct partition_list *list);
enum err partition_load(struct db *db, int64_t instance_id, const char *step_name,
                        struct partition_list *ret_list) MUST_CHECK;

#endif
