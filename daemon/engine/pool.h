/* The worker pool: N threads with a connection each, which take partitions as they become free. A
 * conductor, or an assistant, hands it one step at a time and waits. Created, used and freed by
 * that thread; pool_wake and pool_cut may be called by any. */
#ifndef DAEMON_ENGINE_POOL_H
#define DAEMON_ENGINE_POOL_H

#include "daemon/engine/chunk.h"
#include "daemon/engine/spread.h"

struct pool;

struct pool_options {
    const struct db_options *db;
    int threads;
    struct control *control; /* outlives the pool */
    const char *node_id;     /* copied */
};

/* Connects and starts the threads. */
enum err pool_new(const struct pool_options *options, struct pool **ret_pool,
                  struct detail *detail) MUST_CHECK;
/* Ends the threads (none is working then) and closes the connections. Accepts NULL. */
void pool_free(struct pool *pool);

/* Makes whoever waits in pool_run look at the control's stop flag now. */
void pool_wake(struct pool *pool);

/* Cuts the workers' connections, for the case that even cancelling their statements does not help.
 * Any thread. */
void pool_cut(struct pool *pool);

/* The partitions of a step of an execution. */
struct pool_task {
    const struct step *step;
    const struct run *run;
    const struct run_limits *limits;
    struct partition_list *partitions;
    bool helps; /* the execution is another process's: what others have is not waited for */
    /* Called about once a second, on the caller's thread and connection, while the workers are
     * at it, and more often when only others are. It may look what others do with the partitions
     * (pool_look); ERR_FENCED ends the step for this process. NULL: nobody else takes any. */
    enum err (*watch)(void *context);
    void *watch_context;
};

/* Works through all partitions and returns when no worker is busy any more: OK when all are
 * COMPLETED, here or elsewhere; ERR_STOPPED; ERR_FENCED when the execution was taken over; else the
 * first failure, with words in `detail`. Failures do not cancel the other partitions. Who helps is
 * done as soon as there is nothing left to take. `db` is the caller's connection, for
 * cancelling statements when the control says STOP_ABORT. */
enum err pool_run(struct pool *pool, struct db *db, const struct pool_task *task,
                  struct detail *detail) MUST_CHECK;

/* From `watch`: looks on `db` what has become of the partitions that no worker of ours is at, and
 * takes it in. A connection that was lost is made anew, so that the next look finds one. */
enum err pool_look(struct pool *pool, struct db *db, struct spread *spread,
                   struct spread_news *ret_news) MUST_CHECK;

/* What the workers' connections were used for, in sum. */
struct db_usage pool_usage(const struct pool *pool);

#endif
