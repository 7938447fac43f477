#include "daemon/run_once.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/schema.h"
#include "common/server_check.h"
#include "daemon/engine/execution.h"
#include "daemon/engine/retry.h"
#include "daemon/loop.h"
#include "daemon/run_report.h"

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_BAD_CONFIG = 78, LOOK_MS = 250 };

/* All that a run needs, in the order in which it is made; the coordinator's thread makes and frees it. */
struct foreground {
    const struct run_once_options *options;
    struct control control;
    struct loop loop;
    struct db_options db_options;
    struct db *db;
    struct node *node;
    struct pool *pool; /* behind pool_lock: the loop wakes it */
    pthread_mutex_t pool_lock;
    struct launch_answer launched;
    struct execution_result result;
    enum err err;
    struct detail detail;
};

static void wake_pool(void *context)
{
    struct foreground *run = context;
    pthread_mutex_lock(&run->pool_lock);
    if (run->pool != NULL) pool_wake(run->pool);
    pthread_mutex_unlock(&run->pool_lock);
}

static void cut_connections(void *context)
{
    struct foreground *run = context;
    pthread_mutex_lock(&run->pool_lock);
    if (run->pool != NULL) {
        pool_cut(run->pool);
        db_shut_down(run->db); /* opened before the pool, and freed after it */
    }
    pthread_mutex_unlock(&run->pool_lock);
}

static void set_pool(struct foreground *run, struct pool *pool)
{
    pthread_mutex_lock(&run->pool_lock);
    run->pool = pool;
    pthread_mutex_unlock(&run->pool_lock);
}

static int thread_count(const struct config *config)
{
    if (config->workers.threads > 0) return config->workers.threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)min_i64(cores, 256) : 1;
}

static struct run_limits limits_of(const struct config *config)
{
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

/* A session of a process that hangs must not hold rows for longer than its lease, and nobody waits longer for a lock. */
static enum err connect_all(struct foreground *run)
{
    const struct config *config = run->options->config;
    char migrations[4096];
    TRY(db_options_init(config, &run->db_options, &run->detail));
    run->db_options.idle_transaction_s = config->lease.ttl_s;
    run->db_options.lock_wait_s = (int)max_i64(1, config->lease.ttl_s / 2);
    TRY(db_open(&run->db_options, &run->db, &run->detail));
    TRY(server_check(run->db, &run->detail));
    TRY(schema_directory(migrations, sizeof(migrations), &run->detail));
    TRY(schema_check(run->db, migrations, &run->detail));

    const struct node_options node = {run->db_options, "RUN", config->lease.heartbeat_s,
                                      config->lease.ttl_s};
    struct pool *pool = NULL;
    TRY(node_new(&node, &run->node, &run->detail));
    const struct pool_options pool_options = {&run->db_options, thread_count(config), &run->control,
                                              node_id(run->node)};
    TRY(pool_new(&pool_options, &pool, &run->detail));
    set_pool(run, pool);
    return OK;
}

static void say_waiting(struct foreground *run)
{
    const struct launch_answer *answer = &run->launched;
    char text[256];
    (void)text_format(text, sizeof(text),
                      "execution %lld (%s %s) is run by process %d on %.100s, which seems alive",
                      (long long)answer->job_execution_id, run->options->job->name,
                      answer->running_date, answer->owner.pid, answer->owner.host);
    control_wait_for(&run->control, text);
}

/* Launches; while a process that is alive has the job, or an import holds launches, waits for it. Its lock being free says sooner than its lease that it is
 * gone: when it is so at two looks in a row it is believed, which the epochs make safe. */
static enum err launch_or_wait(struct foreground *run)
{
    struct launch_request request = {run->options->job, run->options->date, node_id(run->node),
                                     NULL};
    char suspect[NODE_ID] = "";
    for (;;) {
        enum err err = launch(run->db, &request, &run->launched, &run->detail);
        if (err != ERR_BUSY && err != ERR_LOCK_WAIT) return err;
        if (control_stopping(&run->control) != STOP_NONE) return ERR_STOPPED;
        if (err == ERR_LOCK_WAIT) {
            control_wait_for(&run->control,
                             "an import of logs, or another launch, is not finished");
            continue;
        }
        say_waiting(run);
        bool suspicious = !run->launched.owner.lock_held;
        request.gone_node_id =
            suspicious && strcmp(suspect, run->launched.owner_id) == 0 ? suspect : NULL;
        (void)text_format(suspect, sizeof(suspect), "%s", suspicious ? run->launched.owner_id : "");
        retry_wait(LOOK_MS, &run->control.stop);
    }
}

static void log_usage(const struct foreground *run)
{
    struct db_usage workers = pool_usage(run->pool);
    struct db_usage own = db_usage(run->db);
    int64_t chunks = 0;
    for (int i = 0; i < run->result.step_count; i++)
        chunks += run->result.steps[i].counts.commits;
    log_event(LOG_LEVEL_INFO, "run-usage", "what the run used", "execution",
              LOG_INT(run->result.job_execution_id), "chunks", LOG_INT(chunks), "commits",
              LOG_INT(workers.commits + own.commits), "statements",
              LOG_INT(workers.statements + own.statements), "metadata_statements",
              LOG_INT(workers.metadata_statements + own.metadata_statements), "metadata_us",
              LOG_INT(workers.metadata_us + own.metadata_us), "elapsed_us",
              LOG_INT(run->result.elapsed_us), "threads",
              LOG_INT(thread_count(run->options->config)), NULL);
}

static enum err conduct(struct foreground *run)
{
    TRY(connect_all(run));
    TRY(launch_or_wait(run));
    struct engine engine = {run->db, run->pool, &run->control, node_id(run->node),
                            limits_of(run->options->config)};
    const struct execution_request request = {run->options->job, run->options->date,
                                              &run->launched};
    enum err err = execution_run(&engine, &request, &run->result, &run->detail);
    log_usage(run);
    return err;
}

/* The coordinator's thread. */
static void conduct_in_thread(void *argument)
{
    struct foreground *run = argument;
    run->err = conduct(run);
    loop_finish(&run->loop);
}

static int tell(struct foreground *run)
{
    const struct run_once_options *options = run->options;
    if (run->err == ERR_CLOSED) {
        printf("%s %s is closed already: settled by execution %lld; nothing was changed\n",
               options->job->name, options->date, (long long)run->launched.job_execution_id);
        return EXIT_DONE;
    }
    if (run->result.job_execution_id != 0) run_report_print(run->db, options, &run->result);
    if (run->err == OK) return EXIT_DONE;
    const char *text = run->detail.text[0] != '\0' ? run->detail.text : err_text(run->err);
    fprintf(stderr, "settlementd: %s %s: %s\n", options->job->name, options->date, text);
    return run->err == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_NOT_DONE;
}

int run_once(const struct run_once_options *options)
{
    struct foreground run = {.options = options};
    control_init(&run.control);
    pthread_mutex_init(&run.pool_lock, NULL);
    const struct loop_options loop_options = {&run.control, options->quiet, wake_pool,
                                              cut_connections, &run};
    uv_thread_t coordinator;
    enum err err = loop_init(&run.loop, &loop_options);
    if (err != OK || uv_thread_create(&coordinator, conduct_in_thread, &run) != 0) {
        fprintf(stderr, "settlementd: cannot start: %s\n", err_text(ERR_MEMORY));
        return EXIT_NOT_DONE;
    }
    loop_run(&run.loop);
    (void)uv_thread_join(&coordinator);

    int code = tell(&run);
    struct pool *pool = run.pool;
    set_pool(&run, NULL);
    pool_free(pool);
    node_free(run.node);
    db_free(run.db);
    pthread_mutex_destroy(&run.pool_lock);
    control_done(&run.control);
    return code;
}
