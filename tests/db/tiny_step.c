#include "tests/db/tiny_step.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/db/transaction.h"
#include "daemon/engine/repository.h"

static const char BOUNDS_SQL[] = "SELECT MIN(k), MAX(k) FROM test_item WHERE day = ?";
static const char ESTIMATE_SQL[] =
    "EXPLAIN SELECT k FROM test_item WHERE day = ? AND k > ? AND k <= ?";
static const char LAST_BELOW_SQL[] = "SELECT MAX(k) FROM test_item WHERE day = ? AND k <= ?";
static const char FIRST_ABOVE_SQL[] = "SELECT MIN(k) FROM test_item WHERE day = ? AND k > ?";
static const char PAGE_SQL[] =
    "SELECT k, bad FROM test_item WHERE day = ? AND k > ? AND k <= ?"
    " ORDER BY k LIMIT ?";
static const char COPY_SQL[] = "INSERT INTO test_copy (k, partition_id) VALUES (?, ?)";

static const char *const TABLES_SQL[] = {
    "CREATE TABLE test_item (day DATE NOT NULL, k BIGINT NOT NULL, bad INT NOT NULL DEFAULT 0,"
    " PRIMARY KEY (day, k)) ENGINE=InnoDB",
    "CREATE TABLE test_copy (k BIGINT NOT NULL PRIMARY KEY, partition_id BIGINT NOT NULL)"
    " ENGINE=InnoDB",
    "CREATE TABLE test_hot (id INT NOT NULL PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB",
    "INSERT INTO test_hot SELECT seq, 0 FROM seq_1_to_1000",
};

enum { CHUNK_KEYS = 10 };

struct tiny_state {
    struct statement *read, *copy;
    int64_t keys[CHUNK_KEYS], bad[CHUNK_KEYS];
    int64_t count;
};

static void close_state(void *state)
{
    struct tiny_state *tiny = state;
    statement_free(tiny->read);
    statement_free(tiny->copy);
    free(tiny);
}

static enum err open_state(struct db *db, const struct run *run, void **ret_state)
{
    (void)run;
    struct tiny_state *tiny = calloc(1, sizeof(*tiny));
    if (tiny == NULL) return ERR_MEMORY;
    enum err err = statement_new(db, PAGE_SQL, &tiny->read);
    if (err == OK) err = statement_new(db, COPY_SQL, &tiny->copy);
    if (err == OK)
        *ret_state = tiny;
    else
        close_state(tiny);
    return err;
}

static enum err read_page(struct tiny_state *tiny, const struct chunk *chunk)
{
    statement_bind_text(tiny->read, 0, chunk->run->date);
    statement_bind_i64(tiny->read, 1, chunk->after_key);
    statement_bind_i64(tiny->read, 2, chunk->upper_key);
    statement_bind_i64(tiny->read, 3, CHUNK_KEYS);
    TRY(statement_execute(tiny->read));
    for (tiny->count = 0;; tiny->count++) {
        bool row = false;
        TRY(statement_fetch(tiny->read, &row));
        if (!row) return OK;
        tiny->keys[tiny->count] = statement_i64(tiny->read, 0);
        tiny->bad[tiny->count] = statement_i64(tiny->read, 1);
    }
}

static enum err write_page(struct tiny_state *tiny, struct chunk *chunk)
{
    int64_t good[CHUNK_KEYS], count = 0;
    for (int64_t i = 0; i < tiny->count; i++)
        if (tiny->bad[i] == 0) good[count++] = tiny->keys[i];
    const struct column columns[] = {{.i64 = good}, {.same_i64 = &chunk->partition_id}};
    if (count > 0) TRY(statement_execute_columns(tiny->copy, columns, COUNT_OF(columns), count));
    chunk->read = tiny->count;
    chunk->written = count;
    chunk->skipped = tiny->count - count;
    return OK;
}

static enum err process(struct chunk *chunk, void *state)
{
    struct tiny_state *tiny = state;
    const struct tiny_hook *hook = chunk->run->shared;
    TRY(read_page(tiny, chunk));
    if (hook->act != NULL) TRY(hook->act(TINY_BEFORE_WRITE, chunk, hook->context));
    TRY(write_page(tiny, chunk));
    if (hook->act != NULL) TRY(hook->act(TINY_AFTER_WRITE, chunk, hook->context));
    chunk->finished = tiny->count < CHUNK_KEYS;
    if (tiny->count > 0) chunk->last_key = tiny->keys[tiny->count - 1];
    return OK;
}

const struct step tiny_step = {
    .name = "tiny",
    .unit = "keys",
    .source = {BOUNDS_SQL, ESTIMATE_SQL, LAST_BELOW_SQL, FIRST_ABOVE_SQL, REACH_KEYS},
    .open = open_state,
    .process = process,
    .close = close_state,
};

static void make_data(struct tiny *tiny, int64_t keys)
{
    static const char *const tables[] = {"test_item", "test_copy", "test_hot"};
    char sql[200];
    for (size_t i = 0; i < COUNT_OF(TABLES_SQL); i++)
        harness_execute(tiny->harness, TABLES_SQL[i]);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        harness_share(tiny->harness, tables[i]);
    ck_assert(text_format(sql, sizeof(sql),
                          "INSERT INTO test_item (day, k) SELECT '" TINY_DATE
                          "', seq FROM seq_1_to_%lld",
                          (long long)keys));
    harness_execute(tiny->harness, sql);
}

static enum err create_execution(struct db *db, struct tiny *tiny)
{
    const struct execution_end started = {.from = STATUS_STARTING,
                                          .to = STATUS_STARTED,
                                          .exit_code = "UNKNOWN",
                                          .exit_message = ""};
    TRY(repository_new_execution(db, tiny->run.job_instance_id, TINY_DATE, TINY_NODE,
                                 &tiny->run.job_execution_id));
    return repository_set_execution(db, tiny->run.job_execution_id, &started);
}

static enum err create_first(struct db *db, void *context)
{
    struct tiny *tiny = context;
    CLEANUP(partition_plan_free) struct partition_plan plan = {0};
    TRY(repository_instance(db, "tiny-job", TINY_DATE, &tiny->run.job_instance_id));
    TRY(create_execution(db, tiny));
    TRY(partition_plan_make(db, &tiny_step.source, TINY_DATE, &tiny->limits, &plan));
    return partition_plan_store(db, tiny->run.job_instance_id, tiny_step.name, &plan);
}

static enum err create_next(struct db *db, void *context)
{
    struct tiny *tiny = context;
    const struct execution_end failed = {.from = STATUS_STARTED,
                                         .to = STATUS_FAILED,
                                         .exit_code = EXIT_FAILED,
                                         .exit_message = ""};
    TRY(repository_set_execution(db, tiny->run.job_execution_id, &failed));
    return create_execution(db, tiny);
}

static enum err begin_step(struct db *db, void *context)
{
    struct tiny *tiny = context;
    return repository_begin_step(db, &tiny->run, tiny_step.name, &tiny->step_execution_id);
}

static void begin(struct tiny *tiny, enum err (*create)(struct db *db, void *context))
{
    struct db *db = harness_db(tiny->harness);
    enum err err = db_transact(db, 1, create, tiny);
    if (err == OK) err = db_transact(db, 1, begin_step, tiny);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), db_message(db));
    partition_list_free(&tiny->partitions);
    ck_assert_int_eq(partition_load(db, tiny->run.job_instance_id, tiny_step.name,
                                    &tiny->partitions),
                     OK);
    control_begin_step(&tiny->control, tiny_step.name, tiny_step.unit,
                       tiny->partitions.estimated_items, tiny->partitions.done_items);
}

struct tiny *tiny_new(int64_t keys, int partitions)
{
    struct tiny *tiny = calloc(1, sizeof(*tiny));
    ck_assert_ptr_nonnull(tiny);
    tiny->harness = harness_new();
    tiny->limits = (struct run_limits){
        .threads = 4,
        .chunk_size = CHUNK_KEYS,
        .max_partitions = partitions,
        .partition_items = 1000000,
        .skip_limit = 1000,
        .transaction_limit = 5,
        .backoff_ms = 1,
        .backoff_max_ms = 5,
        .restart_limit = 3,
        .reconnect_s = 20,
    };
    tiny->run = (struct run){.date = TINY_DATE,
                             .began_at = "2026-07-02 00:00:00.000000",
                             .chunk_size = CHUNK_KEYS,
                             .shared = &tiny->hook};
    control_init(&tiny->control);
    make_data(tiny, keys);
    struct db_options options = *harness_options(tiny->harness);
    struct detail detail = {0};
    options.lock_wait_s = 1;
    ck_assert_int_eq(db_open(&options, &tiny->db, &detail), OK);
    begin(tiny, create_first);
    return tiny;
}

void tiny_restart(struct tiny *tiny)
{
    begin(tiny, create_next);
}

void tiny_free(struct tiny *tiny)
{
    if (tiny == NULL) return;
    partition_list_free(&tiny->partitions);
    db_free(tiny->db);
    control_done(&tiny->control);
    harness_free(tiny->harness);
    free(tiny);
}

void tiny_cleanup(struct tiny **tiny)
{
    tiny_free(*tiny);
    *tiny = NULL;
}

void tiny_claim(struct tiny *tiny, int index, struct chunk_worker *ret_worker)
{
    ck_assert_int_lt(index, tiny->partitions.count);
    *ret_worker = (struct chunk_worker){
        .db = tiny->db,
        .control = &tiny->control,
        .run = &tiny->run,
        .limits = &tiny->limits,
        .step = &tiny_step,
        .partition = &tiny->partitions.items[index],
    };
    ck_assert_int_eq(claim_take(tiny->db, ret_worker->partition,
                                &(struct claimant){TINY_NODE, tiny->run.job_execution_id}, false),
                     OK);
    ck_assert_int_eq(chunk_worker_init(ret_worker), OK);
}

enum err tiny_run_all(struct chunk_worker *worker)
{
    bool finished = false;
    while (!finished) {
        int64_t read = 0;
        TRY(chunk_run(worker, &finished, &read));
    }
    return OK;
}

int64_t tiny_copied(struct tiny *tiny)
{
    return harness_i64(tiny->harness, "SELECT COUNT(*) FROM test_copy");
}

int64_t tiny_column(struct tiny *tiny, int index, const char *column)
{
    char sql[200];
    ck_assert(text_format(sql, sizeof(sql),
                          "SELECT %s FROM step_partition WHERE partition_id = %lld", column,
                          (long long)tiny->partitions.items[index].id));
    return harness_i64(tiny->harness, sql);
}

void tiny_check_complete(struct tiny *tiny, int64_t keys)
{
    struct harness *harness = tiny->harness;
    int64_t bad = harness_i64(harness, "SELECT COUNT(*) FROM test_item WHERE bad <> 0");
    ck_assert_int_eq(tiny_copied(tiny), keys - bad);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM test_copy c JOIN test_item i"
                                 " ON i.k = c.k AND i.bad = 0"),
                     keys - bad);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM step_partition WHERE status <> 'COMPLETED'"
                                 " OR checkpoint_key <> upper_key"),
                     0);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(read_count) FROM step_partition"), keys);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(write_count) FROM step_partition"),
                     keys - bad);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(skip_count) FROM step_partition"), bad);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT SUM(READ_COUNT) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STEP_NAME LIKE 'tiny:partition%'"),
                     keys);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT SUM(WRITE_COUNT) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STEP_NAME LIKE 'tiny:partition%'"),
                     keys - bad);
    /* As many commits as chunks: one that was done twice would be counted twice. */
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT SUM(COMMIT_COUNT) FROM BATCH_STEP_EXECUTION"
                                 " WHERE STEP_NAME LIKE 'tiny:partition%'"),
                     harness_i64(harness, "SELECT SUM(chunk_count) FROM step_partition"));
}
