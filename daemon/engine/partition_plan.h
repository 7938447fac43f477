/* Dividing keys into ranges. What the data are like is asked through functions, so that this knows
 * neither a database nor a table. Ranges of a plan are disjoint, ascending and without gaps; all
 * keys are in one of them. */
#ifndef DAEMON_ENGINE_PARTITION_PLAN_H
#define DAEMON_ENGINE_PARTITION_PLAN_H

#include "daemon/engine/job.h"

/* A range of keys: lower exclusive, upper inclusive. */
struct key_range {
    int64_t lower, upper;
    int64_t estimated_items;
};

struct partition_plan {
    struct key_range *ranges; /* partition_plan_free frees them */
    int count;
    int64_t estimated_items;
};
void partition_plan_free(struct partition_plan *plan);

/* The keys that are divided. They may change while they are asked about. */
struct key_view {
    bool any; /* else there are none, and the rest is not looked at */
    int64_t first, last;
    void *context; /* of the functions */
    enum err (*estimate)(void *context, const struct key_range *range, int64_t *ret_items);
    /* The largest key up to a bound, the smallest above one; ERR_NOT_FOUND: there is none. */
    enum err (*last_below)(void *context, int64_t bound, int64_t *ret_key);
    enum err (*first_above)(void *context, int64_t bound, int64_t *ret_key);
};

/* How many items a partition should have at most: partition_items, but fewer where that would leave
 * workers without work, and then not less than a chunk. */
int64_t partition_plan_target(int64_t total_items, const struct run_limits *limits);

/* Divides the keys into at most limits->max_partitions ranges. No keys: a plan without ranges,
 * unless it is to reach beyond them always. ERR_OVERFLOW for a key that has none below it, and what
 * the view's functions fail with. */
enum err partition_plan_divide(const struct key_view *keys, const struct run_limits *limits,
                               enum key_reach reach, struct partition_plan *ret_plan) MUST_CHECK;

#endif
