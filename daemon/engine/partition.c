/* The estimates that a plan is made from are EXPLAIN's, which are read from the index's pages
 * without scanning it: within a factor of about two, and free. */
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

enum { EXPLAIN_ROWS = 8, COUNTED_ROWS = 10000 };

/* The statements that answer what a plan asks about the keys of a date. */
struct planner {
    struct db *db;
    const char *date;
    struct statement *estimate, *last_below, *first_above;
};

static void planner_done(struct planner *planner)
{
    statement_free(planner->estimate);
    statement_free(planner->last_below);
    statement_free(planner->first_above);
}

static enum err planner_init(struct planner *planner, struct db *db,
                             const struct key_source *source)
{
    planner->db = db;
    TRY(statement_new(db, source->estimate_sql, &planner->estimate));
    TRY(statement_new(db, source->last_below_sql, &planner->last_below));
    return statement_new(db, source->first_above_sql, &planner->first_above);
}

static enum err estimate(void *context, const struct key_range *range, int64_t *ret_items)
{
    const struct planner *planner = context;
    statement_bind_text(planner->estimate, 0, planner->date);
    statement_bind_i64(planner->estimate, 1, range->lower);
    statement_bind_i64(planner->estimate, 2, range->upper);
    TRY(statement_execute_row(planner->estimate));
    /* EXPLAIN's figures are texts; the empty one, for an impossible condition, is read as 0. */
    int64_t rows = strtoll(statement_text(planner->estimate, EXPLAIN_ROWS), NULL, 10);
    /* InnoDB counts the rows of ten pages; what it extrapolates beyond them, it doubles. */
    *ret_items = rows > COUNTED_ROWS ? rows / 2 : rows;
    return OK;
}

static enum err find_key(const struct planner *planner, struct statement *query, int64_t bound,
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

static enum err last_below(void *context, int64_t bound, int64_t *ret_key)
{
    const struct planner *planner = context;
    return find_key(planner, planner->last_below, bound, ret_key);
}

static enum err first_above(void *context, int64_t bound, int64_t *ret_key)
{
    const struct planner *planner = context;
    return find_key(planner, planner->first_above, bound, ret_key);
}

static enum err read_bounds(const struct planner *planner, const char *bounds_sql,
                            struct key_view *keys)
{
    CLEANUP(statement_cleanup) struct statement *bounds = NULL;
    bool row = false;
    TRY(db_query(planner->db, &bounds, bounds_sql, "s", planner->date));
    TRY(statement_fetch(bounds, &row));
    keys->any = row && !statement_is_null(bounds, 0);
    if (!keys->any) return OK;
    keys->first = statement_i64(bounds, 0);
    keys->last = statement_i64(bounds, 1);
    return OK;
}

enum err partition_plan_make(struct db *db, const struct key_source *source, const char *date,
                             const struct run_limits *limits, struct partition_plan *ret_plan)
{
    CLEANUP(planner_done) struct planner planner = {.date = date};
    struct key_view keys = {.context = &planner,
                            .estimate = estimate,
                            .last_below = last_below,
                            .first_above = first_above};
    TRY(planner_init(&planner, db, source));
    TRY(read_bounds(&planner, source->bounds_sql, &keys));
    struct run_limits scaled = *limits;
    if (source->items_factor > 1) scaled.partition_items *= source->items_factor;
    return partition_plan_divide(&keys, &scaled, source->reach, ret_plan);
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
