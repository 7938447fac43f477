#include "daemon/engine/execution.h"

#include <string.h>

#include "common/clock.h"
#include "common/db/transaction.h"
#include "common/log.h"
#include "daemon/engine/retry.h"

enum { BOOKKEEPING_ATTEMPTS = 5, EXIT_MESSAGE_LIMIT = 1000 };

/* What the bookkeeping transactions of an execution are given; db_transact passes it through. */
struct execution {
    struct engine *engine;
    const struct job *job;
    struct run run;
    int64_t restarts; /* automatic ones in a row, this execution included */
    struct execution_result *result;
    const struct step *step;
    int64_t step_execution_id;
    bool step_done;
    struct partition_plan plan; /* made before the transaction that stores it */
    bool planned_before;
    struct partition_list partitions;
    struct spread spread; /* what others have of them */
    struct step_counts counts;
    int64_t skipped;
    void *shared;
    bool again;      /* see insist */
    bool stop_asked; /* somebody set the execution STOPPING */
    enum err (*body)(struct db *db, void *context);
    struct execution_end end;
    enum err verdict;
    struct detail detail;
};

/* Does something on the conductor's connection, and does it again when that was lost or a
 * transaction failed for nobody's fault. `again` tells the action that an earlier try may have been
 * committed although its reply never came. */
static enum err insist(struct execution *execution, enum err (*action)(struct execution *))
{
    struct engine *engine = execution->engine;
    execution->again = false;
    for (int attempt = 1;; attempt++) {
        enum err err = action(execution);
        bool lost = err_class(err) == CLASS_CONNECTION;
        if (!lost && err_class(err) != CLASS_TRANSACTION) return err;
        if (attempt >= engine->limits.transaction_limit) return err;
        if (!lost) continue;
        log_event(LOG_LEVEL_WARN, "conductor-reconnects", db_message(engine->db), "job",
                  execution->job->name, "execution", LOG_INT(execution->run.job_execution_id),
                  NULL);
        TRY(retry_reconnect(engine->db, engine->limits.reconnect_s, &engine->control->stop));
        execution->again = true;
    }
}

static enum err transact_once(struct execution *execution)
{
    struct db *db = execution->engine->db;
    db_mark_metadata(db, true);
    enum err err = db_transact(db, BOOKKEEPING_ATTEMPTS, execution->body, execution);
    db_mark_metadata(db, false);
    /* A statement that was cancelled although nobody here asked for it: somebody's KILL QUERY. */
    if (err == ERR_STOPPED && control_stopping(execution->engine->control) < STOP_ABORT)
        return ERR_CONFLICT;
    return err;
}

static enum err transact(struct execution *execution,
                         enum err (*body)(struct db *db, void *context))
{
    execution->body = body;
    return insist(execution, transact_once);
}

/* A transaction that ends something: the process remembers that it did before it says so. */
static enum err end(struct execution *execution, enum err (*body)(struct db *db, void *context))
{
    struct engine *engine = execution->engine;
    TRY(transact(execution, body));
    if (engine->ended != NULL)
        engine->ended(engine->ended_context, engine->db, execution->run.job_execution_id);
    return OK;
}

static enum err set_execution(struct db *db, void *context)
{
    struct execution *execution = context;
    int64_t id = execution->run.job_execution_id;
    bool ended = false;
    if (execution->again) TRY(repository_execution_ended(db, id, &execution->end, &ended));
    if (ended) return OK;
    bool given_up = !status_is_running(execution->end.to) && execution->end.to != STATUS_COMPLETED;
    /* Once more: the end of its step may not have been recorded. */
    if (given_up) TRY(spread_give_up(db, execution->run.job_instance_id, "STOPPED"));
    return repository_set_execution(db, id, &execution->end);
}

static enum err begin_step(struct db *db, void *context)
{
    struct execution *execution = context;
    const char *name = execution->step->name;
    int64_t instance = execution->run.job_instance_id;
    TRY(repository_hold_execution(db, execution->run.job_execution_id, &execution->stop_asked));
    if (execution->stop_asked) return OK; /* nothing is begun any more */
    if (execution->again) {
        enum batch_status status;
        enum err err = repository_find_step(db, execution->run.job_execution_id, name,
                                            &execution->step_execution_id, &status);
        if (err != ERR_NOT_FOUND) return err;
    }
    if (!execution->planned_before)
        TRY(partition_plan_store(db, instance, name, &execution->plan));
    else if (execution->step->repeated)
        TRY(partition_plan_reset(db, instance, name));
    return repository_begin_step(db, &execution->run, name, &execution->step_execution_id);
}

static enum err end_step(struct db *db, void *context)
{
    struct execution *execution = context;
    const char *name = execution->step->name;
    if (execution->again) {
        enum batch_status status;
        int64_t id = 0;
        TRY(repository_find_step(db, execution->run.job_execution_id, name, &id, &status));
        if (status == execution->end.to) return OK;
    }
    if (execution->end.to == STATUS_COMPLETED)
        TRY(spread_complete(db, &execution->run, name));
    else
        TRY(spread_give_up(db, execution->run.job_instance_id, "STOPPED"));
    return repository_end_step(db, &execution->run, name, execution->step_execution_id,
                               &execution->end);
}

static enum err judge(struct db *db, void *context)
{
    struct execution *execution = context;
    bool stopping = false; /* too late: all that is left is to judge */
    TRY(repository_hold_execution(db, execution->run.job_execution_id, &stopping));
    execution->verdict = execution->step->judge(db, &execution->run, &execution->detail);
    /* A verdict is kept, whatever it says; only what the server could not do is done again. */
    enum err_class class = err_class(execution->verdict);
    return class == CLASS_TRANSACTION || class == CLASS_CONNECTION ? execution->verdict : OK;
}

static enum err complete(struct db *db, void *context)
{
    struct execution *execution = context;
    bool ended = false;
    if (execution->again)
        TRY(repository_execution_ended(db, execution->run.job_execution_id, &execution->end,
                                       &ended));
    if (ended) return OK;
    TRY(execution->job->complete(db, &execution->run, &execution->detail));
    return set_execution(db, context);
}

static enum err look_whether_done(struct execution *execution)
{
    return repository_step_done(execution->engine->db, execution->run.job_instance_id,
                                execution->step->name, &execution->step_done);
}

static enum err plan_step(struct execution *execution)
{
    struct engine *engine = execution->engine;
    const struct step *step = execution->step;
    TRY(partition_plan_exists(engine->db, execution->run.job_instance_id, step->name,
                              &execution->planned_before));
    if (execution->planned_before) return OK;
    int daemons = 0;
    TRY(spread_daemons(engine->db, &daemons));
    struct run_limits limits = engine->limits;
    limits.threads *= (int)max_i64(1, daemons); /* as many workers may be at it */
    return partition_plan_make(engine->db, &step->source, execution->run.date, &limits,
                               &execution->plan);
}

static enum err load_partitions(struct execution *execution)
{
    partition_list_free(&execution->partitions);
    return partition_load(execution->engine->db, execution->run.job_instance_id,
                          execution->step->name, &execution->partitions);
}

static enum err prepare_step(struct db *db, void *context)
{
    struct execution *execution = context;
    bool stopping = false; /* seen by whoever watches */
    TRY(repository_hold_execution(db, execution->run.job_execution_id, &stopping));
    return execution->step->begin(db, &execution->run, &execution->detail);
}

/* While workers are at it: what do others do with the partitions, and has somebody asked for this
 * execution to stop? Whatever fails, there will be another look. */
static enum err watch(void *context)
{
    struct execution *execution = context;
    struct engine *engine = execution->engine;
    CLEANUP(spread_news_free) struct spread_news news = {0};
    if (control_stopping(engine->control) != STOP_NONE) return OK;
    TRY(pool_look(engine->pool, engine->db, &execution->spread, &news));
    control_set_done(engine->control, news.read_items);
    if (news.stop_asked) control_request_stop(engine->control);
    return OK;
}

static enum err open_to_others(struct execution *execution)
{
    struct spread_terms terms = {.skip_limit = execution->engine->limits.skip_limit};
    if (execution->job->inputs != NULL)
        TRY(execution->job->inputs(execution->shared, terms.inputs));
    return spread_open(execution->engine->db, &execution->run, execution->step->name, &terms);
}

static enum err work_through(struct execution *execution)
{
    struct engine *engine = execution->engine;
    const struct step *step = execution->step;
    struct partition_list *partitions = &execution->partitions;
    TRY(insist(execution, load_partitions));
    control_begin_step(engine->control, step->name, step->unit, partitions->estimated_items,
                       partitions->done_items);
    if (step->begin != NULL) TRY(transact(execution, prepare_step));
    if (partitions->count > 1) TRY(insist(execution, open_to_others));
    execution->spread = (struct spread){
        .run = &execution->run,
        .step_name = step->name,
        .node_id = engine->node_id,
        .runs_execution = true,
    };
    const struct pool_task task = {
        .step = step,
        .run = &execution->run,
        .limits = &engine->limits,
        .partitions = partitions,
        .watch = watch,
        .watch_context = execution,
    };
    TRY(pool_run(engine->pool, engine->db, &task, &execution->detail));
    if (step->judge == NULL) return OK;
    TRY(transact(execution, judge));
    return execution->verdict;
}

/* Words for an error that has none yet: those of the conductor's connection. */
static void explain(struct execution *execution, enum err err)
{
    if (execution->detail.text[0] != '\0') return;
    const struct db *db = execution->engine->db;
    (void)detail_set(&execution->detail, err, "%s: %s%s%s",
                     execution->step == NULL ? execution->job->name : execution->step->name,
                     err_text(err), db_error_number(db) == 0 ? "" : ": ", db_message(db));
}

static const char *why_stopped(enum end_cause cause, bool requested)
{
    if (requested) return "stopped on request; settlectl restart goes on from the checkpoints";
    if (cause == CAUSE_SHUTDOWN)
        return "stopped since its daemon was; the next daemon goes on from the checkpoints";
    return "stopped by a signal; the same command goes on from the checkpoints";
}

static enum end_cause cause_of(const struct execution *execution, enum err err)
{
    if (err == OK) return CAUSE_NONE;
    if (err == ERR_STOPPED)
        return control_stop_requested(execution->engine->control) ? CAUSE_PERSON
                                                                  : execution->engine->signal_cause;
    enum err_class class = err_class(err);
    return class == CLASS_TRANSACTION || class == CLASS_CONNECTION ? CAUSE_TRANSIENT
                                                                   : CAUSE_PERMANENT;
}

/* From an error to the end that is recorded for it. */
static struct execution_end end_of(struct execution *execution, enum err err, bool skipped)
{
    struct execution_end end = {
        .from = STATUS_STARTED,
        .to = STATUS_COMPLETED,
        .exit_code = EXIT_COMPLETED,
        .exit_message = "",
        .cause = cause_of(execution, err),
    };
    end.restart =
        restart_decide(&execution->engine->restart, end.cause, execution->restarts, retry_random());
    if (err == ERR_STOPPED) {
        end.to = STATUS_STOPPED;
        end.exit_code = EXIT_STOPPED;
        end.exit_message =
            why_stopped(end.cause, control_stop_requested(execution->engine->control));
    } else if (err != OK) {
        explain(execution, err);
        end.to = STATUS_FAILED;
        end.exit_code = EXIT_FAILED;
        execution->detail.text[EXIT_MESSAGE_LIMIT] = '\0';
        end.exit_message = execution->detail.text;
    } else if (skipped) {
        end.exit_code = EXIT_COMPLETED_WITH_SKIPS;
    }
    return end;
}

static void log_step(const struct execution *execution, const struct step_result *result)
{
    bool good = result->status == STATUS_COMPLETED || result->status == STATUS_STOPPED;
    log_event(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "step-ended",
              good ? "the step ended" : execution->detail.text, "job", execution->job->name,
              "execution", LOG_INT(execution->run.job_execution_id), "step", result->name, "status",
              status_name(result->status), "read", LOG_INT(result->counts.read), "written",
              LOG_INT(result->counts.written), "skipped", LOG_INT(result->counts.skipped),
              "rollbacks", LOG_INT(result->counts.rollbacks), "ms",
              LOG_INT(result->elapsed_us / 1000), NULL);
}

static enum err count_step(struct execution *execution)
{
    return repository_step_counts(execution->engine->db, execution->run.job_execution_id,
                                  execution->step->name, &execution->counts);
}

static enum err finish_step(struct execution *execution, enum err err, struct step_result *result)
{
    enum err recorded = insist(execution, count_step);
    result->counts = execution->counts;
    execution->end = end_of(execution, err, result->counts.skipped > 0);
    result->status = execution->end.to;
    if (recorded == OK) recorded = end(execution, end_step);
    return recorded == ERR_FENCED || err == OK ? recorded : err;
}

static enum err run_step(struct execution *execution, struct step_result *result)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    TRY(insist(execution, look_whether_done));
    result->passed_before = execution->step_done;
    if (execution->step_done) return OK;
    enum err err = insist(execution, plan_step);
    if (err == OK) err = transact(execution, begin_step);
    partition_plan_free(&execution->plan);
    if (err != OK) return err;
    if (execution->stop_asked) {
        control_request_stop(execution->engine->control);
        return ERR_STOPPED;
    }

    result->run = true;
    err = work_through(execution);
    partition_list_free(&execution->partitions);
    if (err != ERR_FENCED) err = finish_step(execution, err, result);
    if (err == ERR_FENCED) result->status = STATUS_UNKNOWN; /* somebody else decides */
    control_end_step(execution->engine->control, err != OK);
    result->elapsed_us = clock_monotonic_us(&clock_system) - began_us;
    log_step(execution, result);
    return err;
}

static enum err run_steps(struct execution *execution)
{
    const struct job *job = execution->job;
    ASSERT(job->step_count <= STEP_LIMIT);
    for (int i = 0; i < job->step_count; i++) {
        struct step_result *result = &execution->result->steps[execution->result->step_count++];
        *result = (struct step_result){.name = job->steps[i]->name, .status = STATUS_COMPLETED};
        if (control_stopping(execution->engine->control) != STOP_NONE) return ERR_STOPPED;
        execution->step = job->steps[i];
        TRY(run_step(execution, result));
    }
    execution->step = NULL;
    return OK;
}

static const char SKIPPED_SQL[] =
    "SELECT COALESCE(SUM(skip_count), 0) FROM step_partition WHERE job_instance_id = ?";

static enum err count_skips(struct execution *execution)
{
    return db_query_i64(execution->engine->db, &execution->skipped, 0, SKIPPED_SQL, "i",
                        execution->run.job_instance_id);
}

static enum err complete_execution(struct execution *execution)
{
    TRY(insist(execution, count_skips));
    execution->end = end_of(execution, OK, execution->skipped > 0);
    return end(execution, complete);
}

static enum err fail_execution(struct execution *execution, enum err err)
{
    execution->end = end_of(execution, err, false);
    return end(execution, set_execution) == ERR_FENCED ? ERR_FENCED : err;
}

static enum err prepare_job(struct execution *execution)
{
    return execution->job->prepare(execution->engine->db, execution->run.date, &execution->shared,
                                   &execution->detail);
}

static enum err run_to_end(struct execution *execution)
{
    execution->end = (struct execution_end){
        .from = STATUS_STARTING,
        .to = STATUS_STARTED,
        .exit_code = "UNKNOWN",
        .exit_message = "",
    };
    TRY(transact(execution, set_execution));
    enum err err = insist(execution, prepare_job);
    execution->run.shared = execution->shared;
    if (err == OK) err = run_steps(execution);
    if (err == OK) err = complete_execution(execution);
    if (err != OK && err != ERR_FENCED) err = fail_execution(execution, err);
    if (execution->shared != NULL) execution->job->release(execution->shared);
    return err;
}

enum err execution_run(struct engine *engine, const struct execution_request *request,
                       struct execution_result *ret_result, struct detail *detail)
{
    const struct launch_answer *launched = request->launched;
    int64_t began_us = clock_monotonic_us(&clock_system);
    struct execution execution = {
        .engine = engine,
        .job = request->job,
        .run = {.date = request->date,
                .job_instance_id = launched->job_instance_id,
                .job_execution_id = launched->job_execution_id,
                .began_at = launched->began_at,
                .chunk_size = engine->limits.chunk_size},
        .restarts = launched->restarts,
        .result = ret_result,
    };
    *ret_result = (struct execution_result){.job_execution_id = launched->job_execution_id};
    enum err err = run_to_end(&execution);
    if (err == ERR_FENCED)
        (void)detail_set(&execution.detail, err,
                         "execution %lld was taken over by another process; see: settlectl runs",
                         (long long)launched->job_execution_id);
    ret_result->status = err == ERR_FENCED ? STATUS_UNKNOWN : execution.end.to;
    ret_result->exit_code = execution.end.exit_code;
    ret_result->cause = execution.end.cause;
    ret_result->restart = execution.end.restart;
    ret_result->elapsed_us = clock_monotonic_us(&clock_system) - began_us;
    if (err != OK) *detail = execution.detail;
    return err;
}
