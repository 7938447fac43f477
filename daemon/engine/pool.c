#include "daemon/engine/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "daemon/engine/retry.h"

enum { CANCEL_AGAIN_MS = 100, WATCH_MS = 1000, WATCH_OTHERS_MS = 100 };

struct worker {
    struct pool *pool;
    struct db *db;
    pthread_t thread;
    bool started;
    bool busy;
    struct chunk_worker
        chunks;   /* the thread's own: its statements serve one partition after the other */
    bool is_open; /* they are prepared */
};

/* All fields behind `lock` but those that never change while threads run. */
struct pool {
    struct control *control;
    char node_id[40];
    int worker_count;
    struct worker *workers;

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    bool quit;
    const struct pool_task *task; /* NULL between steps */
    int hands[HAND_COUNT];        /* how many of the task's partitions are in which */
    int next;                     /* where the search for a free one goes on */
    int64_t looks;                /* what others do was looked at, or is just now, so often */
    int busy_count;
    enum err failure;
    struct detail failure_detail;
};

static void put_into(struct pool *pool, struct partition *partition, enum partition_hand hand)
{
    pool->hands[partition->hand]--;
    partition->hand = hand;
    pool->hands[hand]++;
}

/* In the plan's order, and round: what was put back comes after all that was not tried yet. */
static struct partition *take_free(struct pool *pool)
{
    const struct partition_list *list = pool->task->partitions;
    for (int i = 0; i < list->count; i++) {
        struct partition *partition = &list->items[(pool->next + i) % list->count];
        if (partition->hand != HAND_FREE) continue;
        pool->next = (pool->next + i + 1) % list->count;
        put_into(pool, partition, HAND_OURS);
        return partition;
    }
    ASSERT(false);
    return NULL;
}

/* The first failure counts, but being fenced or failing weighs more than being stopped. */
static void note_failure(struct pool *pool, enum err err, const struct detail *detail)
{
    bool better = pool->failure == OK || (pool->failure == ERR_STOPPED && err != ERR_STOPPED) ||
                  (err == ERR_FENCED && pool->failure != ERR_FENCED);
    if (!better) return;
    pool->failure = err;
    pool->failure_detail = *detail;
}

static enum err run_chunks(struct chunk_worker *chunks)
{
    bool finished = false;
    while (!finished) {
        int64_t read = 0;
        if (control_stopping(chunks->control) != STOP_NONE) return ERR_STOPPED;
        TRY(chunk_run(chunks, &finished, &read));
    }
    return OK;
}

static bool may_be_repeated(enum err err)
{
    return err_class(err) == CLASS_TRANSACTION || err_class(err) == CLASS_CONNECTION;
}

static enum err reconnect(struct chunk_worker *chunks)
{
    return retry_reconnect(chunks->db, chunks->limits->reconnect_s, &chunks->control->stop);
}

/* Gives the partition back after `err`: to be taken again when another try may help, else for good.
 * Who helps gives it back to the others, whatever the reason: what fails here need not fail there,
 * and it is for the process that runs the execution to give up. */
static enum err give_back(struct chunk_worker *chunks, enum err err, bool helps, bool *ret_again)
{
    struct partition *partition = chunks->partition;
    bool again = may_be_repeated(err) && partition->requeued < chunks->limits->restart_limit;
    const struct claim_end end = {
        .status = again || helps       ? "PENDING"
                  : err == ERR_STOPPED ? "STOPPED"
                                       : "FAILED",
        .message = err == ERR_STOPPED ? "" : chunks->detail.text,
        .setbacks = chunks->setbacks,
    };
    enum err outcome = claim_release(chunks->db, partition, &end, false);
    if (err_class(outcome) == CLASS_CONNECTION && reconnect(chunks) == OK)
        outcome = claim_release(chunks->db, partition, &end, true);
    *ret_again = again && outcome == OK;
    return outcome == ERR_FENCED ? ERR_FENCED : err;
}

static enum err take(struct chunk_worker *chunks, const char *node_id)
{
    const struct claimant claimant = {node_id, chunks->run->job_execution_id};
    const struct run_limits *limits = chunks->limits;
    struct partition *partition = chunks->partition;
    enum err err = claim_take(chunks->db, partition, &claimant, false);
    for (int i = 1; may_be_repeated(err) && i < limits->transaction_limit; i++) {
        if (err_class(err) == CLASS_CONNECTION) TRY(reconnect(chunks));
        retry_wait(retry_pause_ms(i, limits->backoff_ms, limits->backoff_max_ms, retry_random()),
                   &chunks->control->stop);
        err = claim_take(chunks->db, partition, &claimant, true);
    }
    if (err == ERR_FENCED) return ERR_BUSY; /* somebody was quicker */
    if (err != OK)
        (void)detail_set(&chunks->detail, err, "partition %lld of %s could not be taken: %s",
                         (long long)partition->number, chunks->step->name, err_text(err));
    return err;
}

static void shut_step(struct worker *worker)
{
    chunk_worker_done(&worker->chunks);
    worker->is_open = false;
}

/* Opens the step's state, on a new connection when the old one is lost by then. */
static enum err open_step(struct worker *worker)
{
    struct chunk_worker *chunks = &worker->chunks;
    if (worker->is_open) return OK;
    enum err err = chunk_worker_init(chunks);
    if (err_class(err) == CLASS_CONNECTION && reconnect(chunks) == OK) {
        chunk_worker_done(chunks);
        err = chunk_worker_init(chunks);
    }
    worker->is_open = true;
    if (err != OK)
        (void)detail_set(&chunks->detail, err, "%s: %s: %s", chunks->step->name, err_text(err),
                         db_message(chunks->db));
    return err;
}

/* All that belongs to a partition begins anew; the step's state and statements stay. */
static void turn_to(struct worker *worker, struct partition *partition)
{
    struct pool *pool = worker->pool;
    worker->chunks = (struct chunk_worker){
        .db = worker->db,
        .control = pool->control,
        .run = pool->task->run,
        .limits = pool->task->limits,
        .step = pool->task->step,
        .state = worker->chunks.state,
        .checkpoint = worker->chunks.checkpoint,
        .partition = partition,
    };
}

static enum err work_on(struct worker *worker, struct partition *partition,
                        struct detail *ret_detail, bool *ret_again)
{
    struct chunk_worker *chunks = &worker->chunks;
    turn_to(worker, partition);
    enum err err = take(chunks, worker->pool->node_id);
    if (err == OK) {
        err = open_step(worker);
        if (err == OK) err = run_chunks(chunks);
        if (err != OK && err != ERR_FENCED)
            err = give_back(chunks, err, worker->pool->task->helps, ret_again);
        if (err != OK) shut_step(worker);
    }
    *ret_detail = chunks->detail;
    return err;
}

static void log_failure(const struct pool *pool, const struct partition *partition, enum err err,
                        const struct detail *detail, bool again)
{
    if (err == ERR_STOPPED || err == ERR_BUSY) return;
    /* Who runs the execution has ended it, or taken this one back: no failure of a helper's. */
    if (err == ERR_FENCED && pool->task->helps) return;
    log_event(again ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              again ? "partition-requeued" : "partition-failed", detail->text, "step",
              pool->task->step->name, "partition", LOG_INT(partition->number), "error",
              err_name(err), NULL);
}

static bool nothing_to_take(const struct pool *pool)
{
    return pool->hands[HAND_FREE] == 0 && pool->hands[HAND_OURS] == 0;
}

/* What becomes of a partition that a worker is through with. */
static void put_down(struct pool *pool, struct partition *partition, enum err err, bool again)
{
    /* Where nobody watches what others do, losing one to them means that the execution is lost. */
    bool elsewhere =
        (err == ERR_BUSY && pool->task->watch != NULL) || (err == ERR_FENCED && pool->task->helps);
    if (again) partition->requeued++;
    partition->put_down_at = pool->looks;
    put_into(pool, partition, again ? HAND_FREE : elsewhere ? HAND_ELSEWHERE : HAND_DONE);
    if (again) pthread_cond_broadcast(&pool->work);
}

/* Called and left with the lock held. */
static void work_on_next(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct partition *partition = take_free(pool);
    worker->busy = true;
    pool->busy_count++;
    pthread_mutex_unlock(&pool->lock);

    struct detail detail = {0};
    bool again = false;
    enum err err = OK;
    if (control_stopping(pool->control) != STOP_NONE)
        err = ERR_STOPPED;
    else
        err = work_on(worker, partition, &detail, &again);
    if (err != OK) log_failure(pool, partition, err, &detail, again);

    pthread_mutex_lock(&pool->lock);
    if (pool->hands[HAND_FREE] == 0 && worker->is_open) {
        pthread_mutex_unlock(&pool->lock);
        shut_step(worker);
        pthread_mutex_lock(&pool->lock);
    }
    worker->busy = false;
    pool->busy_count--;
    put_down(pool, partition, err, again);
    if (partition->hand == HAND_DONE && err != OK)
        note_failure(pool, err == ERR_BUSY ? ERR_FENCED : err, &detail);
    if (nothing_to_take(pool)) pthread_cond_broadcast(&pool->done);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->quit) {
        if (pool->task != NULL && pool->hands[HAND_FREE] > 0)
            work_on_next(worker);
        else
            pthread_cond_wait(&pool->work, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static enum err start_workers(struct pool *pool, const struct db_options *options,
                              struct detail *detail)
{
    for (int i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        TRY(db_open(options, &worker->db, detail));
    }
    for (int i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (failed != 0)
            return detail_set(detail, ERR_MEMORY, "cannot start worker thread %d of %d: %s", i + 1,
                              pool->worker_count, strerror(failed));
        worker->started = true;
    }
    return OK;
}

enum err pool_new(const struct pool_options *options, struct pool **ret_pool, struct detail *detail)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) return ERR_MEMORY;
    pool->control = options->control;
    (void)text_format(pool->node_id, sizeof(pool->node_id), "%s", options->node_id);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->done, &attributes);
    pthread_condattr_destroy(&attributes);
    pool->workers = calloc((size_t)options->threads, sizeof(*pool->workers));
    pool->worker_count = pool->workers == NULL ? 0 : options->threads;
    enum err err = pool->workers == NULL ? ERR_MEMORY : start_workers(pool, options->db, detail);
    if (err != OK) {
        pool_free(pool);
        return err;
    }
    *ret_pool = pool;
    return OK;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    ASSERT(pool->busy_count == 0);
    pool->quit = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].started) (void)pthread_join(pool->workers[i].thread, NULL);
        db_free(pool->workers[i].db);
    }
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

void pool_wake(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

void pool_cut(struct pool *pool)
{
    for (int i = 0; i < pool->worker_count; i++)
        db_shut_down(pool->workers[i].db);
}

/* A worker between two statements sees the flag itself, at the latest before its commit. Called
 * with the lock held, and gives it up while it waits for the server: whoever stops the pool must
 * not wait with it. */
static void cancel_statements(struct pool *pool, struct db *db)
{
    for (int i = 0; i < pool->worker_count; i++) {
        if (!pool->workers[i].busy) continue;
        uint64_t session = db_session_id(pool->workers[i].db);
        pthread_mutex_unlock(&pool->lock);
        enum err err = db_cancel_statement(db, session);
        if (err != OK) db_shut_down(pool->workers[i].db);
        pthread_mutex_lock(&pool->lock);
    }
}

/* Until the last worker is done or somebody wakes the pool, at most so long. True when the time was
 * over. */
static bool wait_at_most(struct pool *pool, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&pool->done, &pool->lock, &until) == ETIMEDOUT;
}

/* ---- what others do ---- */

static void hear(struct pool *pool, struct partition *partition, const struct partition_news *one)
{
    if (partition->hand == HAND_OURS || partition->hand == HAND_DONE) return;
    /* It was ours when the look began, so the news may be of that time; the next is not. The epoch
     * does not tell: in a server that has lost commits it is lower than it was. */
    if (partition->put_down_at == pool->looks) return;
    partition->epoch = one->epoch;
    put_into(pool, partition, one->hand);
}

static void take_in(struct pool *pool, const struct spread_news *news)
{
    pthread_mutex_lock(&pool->lock);
    const struct partition_list *list = pool->task->partitions;
    bool failed = false;
    for (int i = 0; i < list->count; i++) {
        struct partition *partition = &list->items[i];
        const struct partition_news *one = spread_news_find(news, partition->id);
        if (one == NULL) continue;
        bool was_open = partition->hand == HAND_FREE || partition->hand == HAND_ELSEWHERE;
        hear(pool, partition, one);
        failed = failed || (was_open && one->failed && partition->hand == HAND_DONE);
    }
    if (failed && !pool->task->helps) note_failure(pool, ERR_STEP_FAILED, &news->failure);
    if (pool->hands[HAND_FREE] > 0) pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

enum err pool_look(struct pool *pool, struct db *db, struct spread *spread,
                   struct spread_news *ret_news)
{
    pthread_mutex_lock(&pool->lock);
    pool->looks++;
    pthread_mutex_unlock(&pool->lock);
    db_mark_metadata(db, true);
    enum err err = spread_survey(db, spread, ret_news);
    if (err_class(err) == CLASS_CONNECTION) err = db_reconnect(db) == OK ? ERR_LOST : err;
    db_mark_metadata(db, false);
    if (err == OK) take_in(pool, ret_news);
    return err;
}

/* Nothing more is taken, and nobody waited for. */
static void let_go(struct pool *pool)
{
    const struct partition_list *list = pool->task->partitions;
    const struct detail detail = {.text = "the execution was taken over"};
    note_failure(pool, ERR_FENCED, &detail);
    for (int i = 0; i < list->count; i++)
        if (list->items[i].hand != HAND_OURS) put_into(pool, &list->items[i], HAND_DONE);
}

/* Called with the lock held, and without it calls whoever watches: that may take a while. */
static void watch(struct pool *pool, const struct pool_task *task)
{
    if (task->watch == NULL) return;
    pthread_mutex_unlock(&pool->lock);
    enum err err = task->watch(task->watch_context);
    pthread_mutex_lock(&pool->lock);
    if (err == ERR_FENCED) let_go(pool);
}

static bool waits_for_others(const struct pool *pool, const struct pool_task *task)
{
    return !task->helps && pool->hands[HAND_ELSEWHERE] > 0 &&
           control_stopping(pool->control) == STOP_NONE;
}

static void begin(struct pool *pool, const struct pool_task *task)
{
    pool->failure = OK;
    pool->failure_detail = (struct detail){0};
    memset(pool->hands, 0, sizeof(pool->hands));
    for (int i = 0; i < task->partitions->count; i++)
        pool->hands[task->partitions->items[i].hand]++;
    pool->next = 0;
    pool->task = task;
    pthread_cond_broadcast(&pool->work);
}

enum err pool_run(struct pool *pool, struct db *db, const struct pool_task *task,
                  struct detail *detail)
{
    if (task->partitions->count == 0) return OK;
    pthread_mutex_lock(&pool->lock);
    begin(pool, task);
    while (!nothing_to_take(pool) || waits_for_others(pool, task)) {
        if (control_stopping(pool->control) >= STOP_ABORT) {
            cancel_statements(pool, db);
            (void)wait_at_most(pool, CANCEL_AGAIN_MS);
        } else if (wait_at_most(pool, nothing_to_take(pool) ? WATCH_OTHERS_MS : WATCH_MS)) {
            watch(pool, task);
        }
    }
    pool->task = NULL;
    enum err err = pool->failure;
    if (err == OK && !task->helps && pool->hands[HAND_ELSEWHERE] > 0) err = ERR_STOPPED;
    if (err != OK) *detail = pool->failure_detail;
    pthread_mutex_unlock(&pool->lock);
    return err;
}

struct db_usage pool_usage(const struct pool *pool)
{
    struct db_usage sum = {0};
    for (int i = 0; i < pool->worker_count; i++) {
        struct db_usage one = db_usage(pool->workers[i].db);
        sum.statements += one.statements;
        sum.metadata_statements += one.metadata_statements;
        sum.commits += one.commits;
        sum.metadata_us += one.metadata_us;
    }
    return sum;
}
