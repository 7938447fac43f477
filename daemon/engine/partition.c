/* Planning halves key ranges, the fullest first, until none is estimated to hold more than the
 * target, and then joins neighbours that are within it together. The estimates are EXPLAIN's, which
 * are read from the index's pages without scanning it: within a factor of about two, and free.
 * Halving by key value needs a correction where keys are sparse: a half begins and ends at keys
 * that exist. */
#include "daemon/engine/partition.h"

#include <stdlib.h>
#include <string.h>

static const char PLAN_EXISTS_SQL[] =
    "SELECT COUNT(*) FROM step_plan WHERE job_instance_id = ? AND step_name = ?";
static const char STORE_PLAN_SQL[] =
    "INSERT INTO step_plan (job_instance_id, step_name, planned_at, partition_count,"
    " estimated_items) VALUES (?, ?, NOW(6), ?, ?)";
static const char STORE_PARTITION_SQL[] =
    "INSERT INTO step_partition (job_instance_id, step_name, partition_number, lower_key,"
    " upper_key, estimated_items, updated_at) VALUES (?, ?, ?, ?, ?, ?, NOW(6))";
static const char RESET_SQL[] =
    "UPDATE step_partition SET status = 'PENDING', checkpoint_key = NULL, read_count = 0,"
    " write_count = 0, skip_count = 0, epoch = epoch + 1, node_id = NULL, updated_at = NOW(6)"
    " WHERE job_instance_id = ? AND step_name = ?";
static const char LOAD_SQL[] =
    "SELECT partition_id, partition_number, lower_key, upper_key,"
    " COALESCE(checkpoint_key, lower_key), estimated_items, status, read_count, epoch, chunk_count"
    " FROM step_partition"
    " WHERE job_instance_id = ? AND step_name = ? ORDER BY estimated_items DESC, partition_number";

enum { EXPLAIN_ROWS = 8, PARTITIONS_FOR_EACH_WORKER = 4, COUNTED_ROWS = 10000 };

/* A range while it is being divided. */
struct piece {
    struct key_range range;
    int64_t first_key; /* the smallest key in it; the largest is range.upper */
};

struct planner {
    struct db *db;
    const char *date;
    struct statement *estimate, *last_below, *first_above;
    struct piece *pieces;
    int count;
};

static void planner_done(struct planner *planner)
{
    statement_free(planner->estimate);
    statement_free(planner->last_below);
    statement_free(planner->first_above);
    free(planner->pieces);
}

static enum err estimate(struct planner *planner, struct key_range *range)
{
    statement_bind_text(planner->estimate, 0, planner->date);
    statement_bind_i64(planner->estimate, 1, range->lower);
    statement_bind_i64(planner->estimate, 2, range->upper);
    TRY(statement_execute_row(planner->estimate));
    /* EXPLAIN's figures are texts; the empty one, for an impossible condition, is read as 0. */
    int64_t rows = strtoll(statement_text(planner->estimate, EXPLAIN_ROWS), NULL, 10);
    /* InnoDB counts the rows of ten pages; what it extrapolates beyond them, it doubles. */
    range->estimated_items = rows > COUNTED_ROWS ? rows / 2 : rows;
    return OK;
}

static enum err find_key(struct planner *planner, struct statement *query, int64_t bound,
                         int64_t *ret_key)
{
    statement_bind_text(query, 0, planner->date);
    statement_bind_i64(query, 1, bound);
    TRY(statement_execute_row(query));
    /* Logs may be deleted while a plan is made: then there is nothing to split at. */
    if (statement_is_null(query, 0)) return ERR_NOT_FOUND;
    *ret_key = statement_i64(query, 0);
    return OK;
}

/* Splits piece `index` in two at the middle of its keys' values. */
static enum err split(struct planner *planner, int index)
{
    struct piece *left = &planner->pieces[index];
    struct piece right = *left;
    uint64_t width = (uint64_t)left->range.upper - (uint64_t)left->first_key;
    int64_t middle = (int64_t)((uint64_t)left->first_key + width / 2);
    int64_t left_last = 0, right_first = 0;
    TRY(find_key(planner, planner->last_below, middle, &left_last));
    TRY(find_key(planner, planner->first_above, middle, &right_first));
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
        int64_t target = partition_target(estimated_total(planner), limits);
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

static enum err planner_init(struct planner *planner, struct db *db,
                             const struct key_source *source, int max_partitions)
{
    planner->db = db;
    planner->pieces = calloc((size_t)max_partitions, sizeof(*planner->pieces));
    if (planner->pieces == NULL) return ERR_MEMORY;
    TRY(statement_new(db, source->estimate_sql, &planner->estimate));
    TRY(statement_new(db, source->last_below_sql, &planner->last_below));
    return statement_new(db, source->first_above_sql, &planner->first_above);
}

static enum err first_piece(struct planner *planner, const char *bounds_sql)
{
    CLEANUP(statement_cleanup) struct statement *bounds = NULL;
    bool row = false;
    TRY(db_query(planner->db, &bounds, bounds_sql, "s", planner->date));
    TRY(statement_fetch(bounds, &row));
    if (!row || statement_is_null(bounds, 0)) return OK;
    struct piece *piece = &planner->pieces[0];
    piece->first_key = statement_i64(bounds, 0);
    piece->range.upper = statement_i64(bounds, 1);
    if (piece->first_key == INT64_MIN) return ERR_OVERFLOW;
    piece->range.lower = piece->first_key - 1;
    planner->count = 1;
    return estimate(planner, &piece->range);
}

static void widen(struct planner *planner, enum key_reach reach)
{
    if (planner->count == 0 && reach == REACH_BEYOND_ALWAYS) planner->count = 1;
    if (planner->count == 0 || reach == REACH_KEYS) return;
    planner->pieces[0].range.lower = INT64_MIN;
    planner->pieces[planner->count - 1].range.upper = INT64_MAX;
}

enum err partition_plan_make(struct db *db, const struct key_source *source, const char *date,
                             const struct run_limits *limits, struct partition_plan *ret_plan)
{
    CLEANUP(planner_done) struct planner planner = {.date = date};
    TRY(planner_init(&planner, db, source, limits->max_partitions));
    TRY(first_piece(&planner, source->bounds_sql));
    struct run_limits scaled = *limits;
    if (source->items_factor > 1) scaled.partition_items *= source->items_factor;
    if (planner.count > 0) TRY(divide(&planner, &scaled));
    qsort(planner.pieces, (size_t)planner.count, sizeof(planner.pieces[0]), by_lower);
    join_neighbours(&planner, partition_target(estimated_total(&planner), &scaled));
    widen(&planner, source->reach);

    struct partition_plan plan = {.count = planner.count};
    plan.ranges = calloc((size_t)planner.count + 1, sizeof(*plan.ranges));
    if (plan.ranges == NULL) return ERR_MEMORY;
    for (int i = 0; i < planner.count; i++) {
        plan.ranges[i] = planner.pieces[i].range;
        plan.estimated_items += plan.ranges[i].estimated_items;
        ASSERT(plan.ranges[i].lower < plan.ranges[i].upper);
        ASSERT(i == 0 || plan.ranges[i].lower == plan.ranges[i - 1].upper);
    }
    *ret_plan = plan;
    return OK;
}

void partition_plan_free(struct partition_plan *plan)
{
    free(plan->ranges);
    *plan = (struct partition_plan){0};
}

int64_t partition_target(int64_t total_items, const struct run_limits *limits)
{
    int64_t share = total_items / ((int64_t)limits->threads * PARTITIONS_FOR_EACH_WORKER);
    return min_i64(limits->partition_items, max_i64(limits->chunk_size, share));
}

enum err partition_plan_exists(struct db *db, int64_t instance_id, const char *step_name,
                               bool *ret_exists)
{
    int64_t count = 0;
    TRY(db_query_i64(db, &count, 0, PLAN_EXISTS_SQL, "is", instance_id, step_name));
    *ret_exists = count > 0;
    return OK;
}

static enum err store_ranges(struct db *db, int64_t instance_id, const char *step_name,
                             const struct partition_plan *plan)
{
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    CLEANUP(free_pointer) int64_t *values = calloc((size_t)plan->count * 4, sizeof(*values));
    if (values == NULL) return ERR_MEMORY;
    int64_t count = plan->count;
    for (int64_t i = 0; i < count; i++) {
        values[i] = i;
        values[count + i] = plan->ranges[i].lower;
        values[count * 2 + i] = plan->ranges[i].upper;
        values[count * 3 + i] = plan->ranges[i].estimated_items;
    }
    const struct column columns[] = {
        {.same_i64 = &instance_id}, {.same_text = step_name},    {.i64 = values},
        {.i64 = values + count},    {.i64 = values + count * 2}, {.i64 = values + count * 3},
    };
    TRY(statement_new(db, STORE_PARTITION_SQL, &insert));
    return statement_execute_columns(insert, columns, COUNT_OF(columns), count);
}

enum err partition_plan_store(struct db *db, int64_t instance_id, const char *step_name,
                              const struct partition_plan *plan)
{
    TRY(db_run(db, NULL, STORE_PLAN_SQL, "isii", instance_id, step_name, (int64_t)plan->count,
               plan->estimated_items));
    return plan->count == 0 ? OK : store_ranges(db, instance_id, step_name, plan);
}

enum err partition_plan_reset(struct db *db, int64_t instance_id, const char *step_name)
{
    return db_run(db, NULL, RESET_SQL, "is", instance_id, step_name);
}

enum partition_hand partition_hand_of(const char *status)
{
    if (strcmp(status, "PENDING") == 0) return HAND_FREE;
    return strcmp(status, "STARTED") == 0 ? HAND_ELSEWHERE : HAND_DONE;
}

static void read_partition(const struct statement *row, struct partition *ret_partition)
{
    *ret_partition = (struct partition){
        .id = statement_i64(row, 0),
        .number = statement_i64(row, 1),
        .lower = statement_i64(row, 2),
        .upper = statement_i64(row, 3),
        .checkpoint = statement_i64(row, 4),
        .estimated_items = statement_i64(row, 5),
        .epoch = statement_i64(row, 8),
        .chunk_count = statement_i64(row, 9),
        .hand = partition_hand_of(statement_text(row, 6)),
    };
}

enum err partition_load(struct db *db, int64_t instance_id, const char *step_name,
                        struct partition_list *ret_list)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    TRY(db_query(db, &query, LOAD_SQL, "is", instance_id, step_name));
    CLEANUP(partition_list_free) struct partition_list list = {0};
    list.items = calloc((size_t)statement_rows(query) + 1, sizeof(*list.items));
    if (list.items == NULL) return ERR_MEMORY;
    for (bool row = true;;) {
        TRY(statement_fetch(query, &row));
        if (!row) break;
        list.estimated_items += statement_i64(query, 5);
        list.done_items += statement_i64(query, 7);
        bool completed = strcmp(statement_text(query, 6), "COMPLETED") == 0;
        if (!completed) read_partition(query, &list.items[list.count++]);
    }
    *ret_list = list;
    list.items = NULL;
    return OK;
}

void partition_list_free(struct partition_list *list)
{
    free(list->items);
    *list = (struct partition_list){0};
}
