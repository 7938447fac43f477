/* Planning halves key ranges, the fullest first, until none is estimated to hold more than the
 * target, and then joins neighbours that are within it together. Halving by key value needs a
 * correction where keys are sparse: a half begins and ends at keys that exist. */
#include "daemon/engine/partition_plan.h"

#include <stdlib.h>

enum { PARTITIONS_FOR_EACH_WORKER = 4 };

/* A range while it is being divided. */
struct piece {
    struct key_range range;
    int64_t first_key; /* the smallest key in it; the largest is range.upper */
};

struct planner {
    const struct key_view *keys;
    struct piece *pieces;
    int count;
};

static void planner_done(struct planner *planner)
{
    free(planner->pieces);
}

static enum err estimate(const struct planner *planner, struct key_range *range)
{
    return planner->keys->estimate(planner->keys->context, range, &range->estimated_items);
}

/* Splits piece `index` in two at the middle of its keys' values. */
static enum err split(struct planner *planner, int index)
{
    const struct key_view *keys = planner->keys;
    struct piece *left = &planner->pieces[index];
    struct piece right = *left;
    uint64_t width = (uint64_t)left->range.upper - (uint64_t)left->first_key;
    int64_t middle = (int64_t)((uint64_t)left->first_key + width / 2);
    int64_t left_last = 0, right_first = 0;
    TRY(keys->last_below(keys->context, middle, &left_last));
    TRY(keys->first_above(keys->context, middle, &right_first));
    if (left_last < left->first_key || right_first > left->range.upper) return ERR_NOT_FOUND;

    right.first_key = right_first;
    right.range.lower = left_last;
    left->range.upper = left_last;
    TRY(estimate(planner, &left->range));
    TRY(estimate(planner, &right.range));
    planner->pieces[planner->count++] = right;
    return OK;
}

/* The fullest piece that is over the target and has more than one key; -1 when there is none. */
static int fullest(const struct planner *planner, int64_t target)
{
    int found = -1;
    for (int i = 0; i < planner->count; i++) {
        const struct piece *piece = &planner->pieces[i];
        if (piece->range.estimated_items <= target) continue;
        if (piece->first_key >= piece->range.upper) continue;
        if (found < 0 ||
            piece->range.estimated_items > planner->pieces[found].range.estimated_items)
            found = i;
    }
    return found;
}

/* Of all pieces together: the more of them there are, the better it is. No range is estimated at
 * more than half of the table, so that of the whole day is often much too low. */
static int64_t estimated_total(const struct planner *planner)
{
    int64_t total = 0;
    for (int i = 0; i < planner->count; i++)
        total += planner->pieces[i].range.estimated_items;
    return total;
}

static enum err divide(struct planner *planner, const struct run_limits *limits)
{
    while (planner->count < limits->max_partitions) {
        int64_t target = partition_plan_target(estimated_total(planner), limits);
        ASSERT(target > 0);
        int index = fullest(planner, target);
        if (index < 0) return OK;
        enum err err = split(planner, index);
        if (err == ERR_NOT_FOUND)
            planner->pieces[index].first_key = planner->pieces[index].range.upper;
        else if (err != OK)
            return err;
    }
    return OK;
}

static int by_lower(const void *a, const void *b)
{
    int64_t left = ((const struct piece *)a)->range.lower;
    int64_t right = ((const struct piece *)b)->range.lower;
    return (left > right) - (left < right);
}

/* What isolating a hot key leaves beside it are often slivers: neighbours that fit into one
 * partition together become one. */
static void join_neighbours(struct planner *planner, int64_t target)
{
    int last = 0;
    for (int i = 1; i < planner->count; i++) {
        struct key_range *left = &planner->pieces[last].range;
        const struct key_range *right = &planner->pieces[i].range;
        if (left->estimated_items + right->estimated_items > target) {
            planner->pieces[++last] = planner->pieces[i];
            continue;
        }
        left->upper = right->upper;
        left->estimated_items += right->estimated_items;
    }
    if (planner->count > 0) planner->count = last + 1;
}

/* The one piece that holds all keys; none when there are none. */
static enum err first_piece(struct planner *planner)
{
    const struct key_view *keys = planner->keys;
    if (!keys->any) return OK;
    if (keys->first == INT64_MIN) return ERR_OVERFLOW;
    planner->pieces[0] = (struct piece){{keys->first - 1, keys->last, 0}, keys->first};
    planner->count = 1;
    return estimate(planner, &planner->pieces[0].range);
}

static void widen(struct planner *planner, enum key_reach reach)
{
    if (planner->count == 0 && reach == REACH_BEYOND_ALWAYS) planner->count = 1;
    if (planner->count == 0 || reach == REACH_KEYS) return;
    planner->pieces[0].range.lower = INT64_MIN;
    planner->pieces[planner->count - 1].range.upper = INT64_MAX;
}

static enum err copy_ranges(const struct planner *planner, struct partition_plan *ret_plan)
{
    struct partition_plan plan = {.count = planner->count};
    plan.ranges = calloc((size_t)planner->count + 1, sizeof(*plan.ranges));
    if (plan.ranges == NULL) return ERR_MEMORY;
    for (int i = 0; i < planner->count; i++) {
        plan.ranges[i] = planner->pieces[i].range;
        plan.estimated_items += plan.ranges[i].estimated_items;
        ASSERT(plan.ranges[i].lower < plan.ranges[i].upper);
        ASSERT(i == 0 || plan.ranges[i].lower == plan.ranges[i - 1].upper);
    }
    *ret_plan = plan;
    return OK;
}

enum err partition_plan_divide(const struct key_view *keys, const struct run_limits *limits,
                               enum key_reach reach, struct partition_plan *ret_plan)
{
    CLEANUP(planner_done) struct planner planner = {.keys = keys};
    planner.pieces = calloc((size_t)limits->max_partitions, sizeof(*planner.pieces));
    if (planner.pieces == NULL) return ERR_MEMORY;
    TRY(first_piece(&planner));
    if (planner.count > 0) TRY(divide(&planner, limits));
    qsort(planner.pieces, (size_t)planner.count, sizeof(planner.pieces[0]), by_lower);
    join_neighbours(&planner, partition_plan_target(estimated_total(&planner), limits));
    widen(&planner, reach);
    return copy_ranges(&planner, ret_plan);
}

void partition_plan_free(struct partition_plan *plan)
{
    free(plan->ranges);
    *plan = (struct partition_plan){0};
}

int64_t partition_plan_target(int64_t total_items, const struct run_limits *limits)
{
    int64_t share = total_items / ((int64_t)limits->threads * PARTITIONS_FOR_EACH_WORKER);
    return min_i64(limits->partition_items, max_i64(limits->chunk_size, share));
}
