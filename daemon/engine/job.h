/* What a job and a step are to the engine: names, SQL that says where the keys are, and functions
 * that do the work of one chunk. The engine knows nothing else about them; the jobs know nothing
 * about threads, retries and checkpoints. */
#ifndef DAEMON_ENGINE_JOB_H
#define DAEMON_ENGINE_JOB_H

#include "common/db/statement.h"

enum { JOB_DATE = 11, STEP_LIMIT = 16, JOB_INPUTS = 65 };

/* An execution as the steps see it: who is running, for which date, since when. Read-only while
 * workers run. */
struct run {
    const char *date; /* targetDate, YYYY-MM-DD */
    int64_t job_instance_id;
    int64_t job_execution_id;
    const char
        *began_at;  /* creation of the instance's first execution, UTC, by the database's clock */
    int chunk_size; /* keys */
    const void *shared; /* what the job's prepare made; immutable */
};

/* One turn: the keys after `after_key` up to and including `upper_key`, at most run->chunk_size of
 * them. `process` works inside the transaction that the engine opened, and reports what it did. */
struct chunk {
    struct db *db;
    const struct run *run;
    int64_t partition_id;
    int64_t after_key, upper_key;
    /* Set by process: */
    int64_t last_key; /* the last key that was dealt with */
    bool finished;    /* there are no more keys in the range */
    int64_t read, written, skipped;
    struct detail detail; /* about a failure */
};

/* How far the outermost ranges reach. */
enum key_reach {
    REACH_KEYS,          /* from the smallest to the largest key; no keys: no partitions */
    REACH_BEYOND,        /* without bounds, since other keys may join; no keys: no partitions */
    REACH_BEYOND_ALWAYS, /* the same, and one partition where there are no keys */
};

/* Where the keys of a step are, for planning. Parameters are bound in the order given. */
struct key_source {
    const char *bounds_sql; /* (date): smallest and largest key; NULLs when there are none */
    /* (date, lower exclusive, upper inclusive): an EXPLAIN whose rows are estimated. */
    const char *estimate_sql;
    const char *last_below_sql;  /* (date, upper inclusive): largest key up to it */
    const char *first_above_sql; /* (date, lower exclusive): smallest key above it */
    enum key_reach reach;
    int items_factor; /* partitions hold so many times partition_items; 0 stands for 1 */
};

struct step {
    const char *name;
    const char *unit; /* what its progress counts: "logs", "contents" */
    struct key_source source;
    /* What to do when too many items were skipped; NULL: nothing is ever skipped. */
    const char *skip_hint;
    bool repeated; /* a restart does all of it again: it judges, rather than adds */
    /* Called by each worker, with its own connection, before its first chunk of the step. */
    enum err (*open)(struct db *db, const struct run *run, void **ret_state);
    enum err (*process)(struct chunk *chunk, void *state);
    void (*close)(void *state);
    /* By the conductor, before the first partition of an execution is handed out, in a transaction;
     * may be NULL. */
    enum err (*begin)(struct db *db, const struct run *run, struct detail *detail);
    /* By the conductor when all partitions are done, in a transaction that is committed whatever
     * the verdict is. */
    enum err (*judge)(struct db *db, const struct run *run, struct detail *detail);
};

/* What a launch is told about the date. */
struct admission {
    int64_t job_execution_id; /* with ERR_CLOSED: the execution that closed it */
    char blocking[JOB_DATE];  /* with ERR_REFUSED: the date that has to be run first, if one has */
};

/* Dates that are to be run and were not. */
struct pending_days {
    char first[JOB_DATE], last[JOB_DATE]; /* of those that were counted */
    int count;
    bool more; /* there are others after them */
};

/* A date that is not closed. Without data, and passed, there never will be anything to run on
 * it. */
struct date_facts {
    bool has_data;
    bool passed; /* dates after it are closed */
    bool over;   /* it lies before today */
};

struct job {
    const char *name;
    const struct step *const *steps; /* in their order */
    int step_count;
    /* May this date be run now? Inside the launch's transaction. OK, ERR_CLOSED, ERR_REFUSED or
     * ERR_INVALID. */
    enum err (*admit)(struct db *db, const char *date, struct admission *ret_admission,
                      struct detail *detail);
    /* The dates up to and including `until` that are to be run and were not, the oldest first, at
     * most `limit` of them. */
    enum err (*pending)(struct db *db, const char *until, int limit, struct pending_days *ret_days);
    enum err (*facts)(struct db *db, const char *date, struct date_facts *ret_facts);
    /* Loads what all steps share; `release` frees it. */
    enum err (*prepare)(struct db *db, const char *date, void **ret_shared, struct detail *detail);
    void (*release)(void *shared);
    /* A digest of what it loaded, as text: two processes with the same one compute the same. */
    enum err (*inputs)(const void *shared, char ret_digest[JOB_INPUTS]);
    /* In the transaction that sets the execution COMPLETED. */
    enum err (*complete)(struct db *db, const struct run *run, struct detail *detail);
};

/* Limits of a step's run, copied from the configuration when the execution starts. */
struct run_limits {
    int threads, chunk_size, max_partitions;
    int64_t partition_items, skip_limit;
    int transaction_limit, backoff_ms, backoff_max_ms;
    int restart_limit, reconnect_s;
};

#endif
