#include "daemon/runner.h"

#include <string.h>
#include <unistd.h>

#include "common/log.h"

static int thread_count(const struct config *config)
{
    if (config->workers.threads > 0) return config->workers.threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)min_i64(cores, 256) : 1;
}

struct run_limits runner_limits(const struct runner *runner)
{
    const struct config *config = &runner->config;
    return (struct run_limits){
        .threads = thread_count(config),
        .chunk_size = config->workers.chunk_size,
        .max_partitions = config->workers.max_partitions,
        .partition_items = config->workers.partition_items,
        .skip_limit = config->skip_limit,
        .transaction_limit = config->retry.transaction_limit,
        .backoff_ms = config->retry.backoff_ms,
        .backoff_max_ms = config->retry.backoff_max_ms,
        .restart_limit = config->retry.restart_limit,
        .reconnect_s = config->retry.restart_backoff_s,
    };
}

void runner_session_limits(const struct config *config, struct db_options *options)
{
    options->idle_transaction_s = config->lease.ttl_s;
    options->lock_wait_s = (int)max_i64(1, config->lease.ttl_s / 2);
}

struct restart_policy runner_restart_policy(const struct config *config)
{
    return (struct restart_policy){
        .limit = config->retry.restart_limit,
        .backoff_s = config->retry.restart_backoff_s,
        .backoff_max_s = config->retry.restart_backoff_max_s,
    };
}

void runner_init(struct runner *runner, const struct runner_options *options)
{
    *runner = (struct runner){
        .guard = options->guard,
        .config = *options->config,
        .db_options = *options->db,
        .signal_cause = options->signal_cause,
        .leave_failed = options->leave_failed,
    };
    (void)text_format(runner->node_id, sizeof(runner->node_id), "%s", options->node_id);
    control_init(&runner->control);
    int failed = pthread_mutex_init(&runner->pool_lock, NULL);
    ASSERT(failed == 0);
}

static void set_pool(struct runner *runner, struct pool *pool)
{
    pthread_mutex_lock(&runner->pool_lock);
    runner->pool = pool;
    pthread_mutex_unlock(&runner->pool_lock);
}

void runner_done(struct runner *runner)
{
    struct pool *pool = runner->pool;
    set_pool(runner, NULL);
    pool_free(pool);
    db_free(runner->db);
    pthread_mutex_destroy(&runner->pool_lock);
    control_done(&runner->control);
    explicit_bzero(runner->db_options.password, sizeof(runner->db_options.password));
}

enum err runner_connect(struct runner *runner, struct detail *detail)
{
    const struct pool_options options = {
        .db = &runner->db_options,
        .threads = thread_count(&runner->config),
        .control = &runner->control,
        .node_id = runner->node_id,
    };
    struct pool *pool = NULL;
    TRY(db_open(&runner->db_options, &runner->db, detail));
    TRY(pool_new(&options, &pool, detail));
    set_pool(runner, pool);
    return OK;
}

static void log_usage(const struct runner *runner)
{
    struct db_usage workers = pool_usage(runner->pool);
    struct db_usage own = db_usage(runner->db);
    int64_t chunks = 0;
    for (int i = 0; i < runner->result.step_count; i++)
        chunks += runner->result.steps[i].counts.commits;
    log_event(LOG_LEVEL_INFO, "run-usage", "what the run used", "execution",
              LOG_INT(runner->result.job_execution_id), "chunks", LOG_INT(chunks), "commits",
              LOG_INT(workers.commits + own.commits), "statements",
              LOG_INT(workers.statements + own.statements), "metadata_statements",
              LOG_INT(workers.metadata_statements + own.metadata_statements), "metadata_us",
              LOG_INT(workers.metadata_us + own.metadata_us), "elapsed_us",
              LOG_INT(runner->result.elapsed_us), "threads", LOG_INT(thread_count(&runner->config)),
              NULL);
}

static void remember_end(void *context, struct db *db, int64_t job_execution_id)
{
    struct runner *runner = context;
    guard_remember(runner->guard, db, job_execution_id);
}

enum err runner_execute(struct runner *runner, const struct job *job, const char *date,
                        struct detail *detail)
{
    struct restart_policy restart = runner_restart_policy(&runner->config);
    if (runner->leave_failed) restart.limit = 0;
    struct engine engine = {
        .db = runner->db,
        .pool = runner->pool,
        .control = &runner->control,
        .node_id = runner->node_id,
        .limits = runner_limits(runner),
        .restart = restart,
        .signal_cause = runner->signal_cause,
        .ended = remember_end,
        .ended_context = runner,
    };
    const struct execution_request request = {job, date, &runner->launched};
    enum err err = execution_run(&engine, &request, &runner->result, detail);
    log_usage(runner);
    return err;
}

void runner_stop(struct runner *runner, enum stop stop)
{
    control_stop(&runner->control, stop);
    pthread_mutex_lock(&runner->pool_lock);
    if (runner->pool != NULL) pool_wake(runner->pool);
    pthread_mutex_unlock(&runner->pool_lock);
}

void runner_cut(struct runner *runner)
{
    control_stop(&runner->control, STOP_CUT);
    pthread_mutex_lock(&runner->pool_lock);
    if (runner->pool != NULL) {
        pool_cut(runner->pool);
        db_shut_down(runner->db); /* opened before the pool, and freed after it */
    }
    pthread_mutex_unlock(&runner->pool_lock);
}
