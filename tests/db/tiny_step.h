/* A step small enough to see through, for tests of the engine: it copies the keys of a day from
 * test_item to test_copy, one row each, and skips those that are marked. A test can act in the
 * middle of a chunk through a hook. Its fixture makes the tables, plans the step and begins it, as
 * an execution would. */
#ifndef TESTS_DB_TINY_STEP_H
#define TESTS_DB_TINY_STEP_H

#include "daemon/engine/chunk.h"
#include "tests/db/harness.h"

#define TINY_DATE "2026-07-01"
#define TINY_NODE "11111111-1111-4111-8111-111111111111"

extern const struct step tiny_step;

enum tiny_moment {
    TINY_BEFORE_WRITE, /* the page has been read */
    TINY_AFTER_WRITE,  /* and its rows are written, but not the checkpoint */
};

/* What the step shares with the test: the hook is called by each worker in each chunk and each try
 * of it. */
struct tiny_hook {
    enum err (*act)(enum tiny_moment moment, struct chunk *chunk, void *context);
    void *context;
};

struct tiny {
    struct harness *harness;
    struct db *db; /* a worker's */
    struct control control;
    struct tiny_hook hook;
    struct run run;
    struct run_limits limits;
    struct partition_list partitions;
    int64_t step_execution_id;
};

/* The keys 1 to `keys`, ten a chunk, in at most so many partitions; nothing is claimed yet. */
struct tiny *tiny_new(int64_t keys, int partitions);
void tiny_free(struct tiny *tiny);
void tiny_cleanup(struct tiny **tiny);
/* A restart: the execution FAILED, a new one in the same instance, and the step begun with what is
 * left of it. */
void tiny_restart(struct tiny *tiny);

/* Claims a partition and brings up a worker for it on `tiny->db`. chunk_worker_done ends it. */
void tiny_claim(struct tiny *tiny, int index, struct chunk_worker *ret_worker);
/* chunk_run until the partition is finished or something is in the way. */
enum err tiny_run_all(struct chunk_worker *worker);

/* What is stored. */
int64_t tiny_copied(struct tiny *tiny);
int64_t tiny_column(struct tiny *tiny, int index, const char *column);
/* Fails unless exactly the keys 1 to `keys`, but for those marked, were copied once, all partitions
 * are COMPLETED, and the counters in both tables say so. */
void tiny_check_complete(struct tiny *tiny, int64_t keys);

#endif
