#include "daemon/engine/execution.h"

#include <string.h>

#include "common/clock.h"
#include "common/db/transaction.h"
#include "common/log.h"
#include "daemon/engine/retry.h"

enum { BOOKKEEPING_ATTEMPTS = 5, EXIT_MESSAGE_LIMIT = 1000 };

/* What the bookkeeping transactions of an execution are given; db_transact passes it through. */
struct conductor {
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

/* Does something on the coordinator's connection, and does it again when that was lost or a
 * transaction failed for nobody's fault. `again` tells the action that an earlier try may have been
 * committed although its reply never came. */
static enum err insist(struct conductor *conductor, enum err (*action)(struct conductor *))
{
    struct engine *engine = conductor->engine;
    conductor->again = false;
    for (int attempt = 1;; attempt++) {
        enum err err = action(conductor);
        bool lost = err_class(err) == CLASS_CONNECTION;
        if (!lost && err_class(err) != CLASS_TRANSACTION) return err;
        if (attempt >= engine->limits.transaction_limit) return err;
        if (!lost) continue;
        log_event(LOG_LEVEL_WARN, "coordinator-reconnects", db_message(engine->db), "job",
                  conductor->job->name, "execution", LOG_INT(conductor->run.job_execution_id),
                  NULL);
        TRY(retry_reconnect(engine->db, engine->limits.reconnect_s, &engine->control->stop));
        conductor->again = true;
    }
}

static enum err transact_once(struct conductor *conductor)
{
    struct db *db = conductor->engine->db;
    db_mark_metadata(db, true);
    enum err err = db_transact(db, BOOKKEEPING_ATTEMPTS, conductor->body, conductor);
    db_mark_metadata(db, false);
    /* A statement that was cancelled although nobody here asked for it: somebody's KILL QUERY. */
    if (err == ERR_STOPPED && control_stopping(conductor->engine->control) < STOP_ABORT)
        return ERR_CONFLICT;
    return err;
}

static enum err transact(struct conductor *conductor,
                         enum err (*body)(struct db *db, void *context))
{
    conductor->body = body;
    return insist(conductor, transact_once);
}

/* A transaction that ends something: the process remembers that it did before it says so. */
static enum err end(struct conductor *conductor, enum err (*body)(struct db *db, void *context))
{
    struct engine *engine = conductor->engine;
    TRY(transact(conductor, body));
    if (engine->ended != NULL)
        engine->ended(engine->ended_context, engine->db, conductor->run.job_execution_id);
    return OK;
}

static enum err set_execution(struct db *db, void *context)
{
    struct conductor *conductor = context;
    int64_t execution = conductor->run.job_execution_id;
    bool ended = false;
    if (conductor->again) TRY(repository_execution_ended(db, execution, &conductor->end, &ended));
    if (ended) return OK;
    bool given_up = !status_is_running(conductor->end.to) && conductor->end.to != STATUS_COMPLETED;
    /* Once more: the end of its step may not have been recorded. */
    if (given_up) TRY(spread_give_up(db, conductor->run.job_instance_id, "STOPPED"));
    return repository_set_execution(db, execution, &conductor->end);
}

static enum err begin_step(struct db *db, void *context)
{
    struct conductor *conductor = context;
    const char *name = conductor->step->name;
    int64_t instance = conductor->run.job_instance_id;
    TRY(repository_hold_execution(db, conductor->run.job_execution_id, &conductor->stop_asked));
    if (conductor->stop_asked) return OK; /* nothing is begun any more */
    if (conductor->again) {
        enum batch_status status;
        enum err err = repository_find_step(db, conductor->run.job_execution_id, name,
                                            &conductor->step_execution_id, &status);
        if (err != ERR_NOT_FOUND) return err;
    }
    if (!conductor->planned_before)
        TRY(partition_plan_store(db, instance, name, &conductor->plan));
    else if (conductor->step->repeated)
        TRY(partition_plan_reset(db, instance, name));
    return repository_begin_step(db, &conductor->run, name, &conductor->step_execution_id);
}

static enum err end_step(struct db *db, void *context)
{
    struct conductor *conductor = context;
    const char *name = conductor->step->name;
    if (conductor->again) {
        enum batch_status status;
        int64_t id = 0;
        TRY(repository_find_step(db, conductor->run.job_execution_id, name, &id, &status));
        if (status == conductor->end.to) return OK;
    }
    if (conductor->end.to == STATUS_COMPLETED)
        TRY(spread_complete(db, &conductor->run, name));
    else
        TRY(spread_give_up(db, conductor->run.job_instance_id, "STOPPED"));
    return repository_end_step(db, &conductor->run, name, conductor->step_execution_id,
                               &conductor->end);
}

static enum err judge(struct db *db, void *context)
{
    struct conductor *conductor = context;
    bool stopping = false; /* too late: all that is left is to judge */
    TRY(repository_hold_execution(db, conductor->run.job_execution_id, &stopping));
    conductor->verdict = conductor->step->judge(db, &conductor->run, &conductor->detail);
    /* A verdict is kept, whatever it says; only what the server could not do is done again. */
    enum err_class class = err_class(conductor->verdict);
    return class == CLASS_TRANSACTION || class == CLASS_CONNECTION ? conductor->verdict : OK;
}

static enum err complete(struct db *db, void *context)
{
    struct conductor *conductor = context;
    bool ended = false;
    if (conductor->again)
        TRY(repository_execution_ended(db, conductor->run.job_execution_id, &conductor->end,
                                       &ended));
    if (ended) return OK;
    TRY(conductor->job->complete(db, &conductor->run, &conductor->detail));
    return set_execution(db, context);
}

static enum err look_whether_done(struct conductor *conductor)
{
    return repository_step_done(conductor->engine->db, conductor->run.job_instance_id,
                                conductor->step->name, &conductor->step_done);
}

static enum err plan_step(struct conductor *conductor)
{
    struct engine *engine = conductor->engine;
    const struct step *step = conductor->step;
    TRY(partition_plan_exists(engine->db, conductor->run.job_instance_id, step->name,
                              &conductor->planned_before));
    if (conductor->planned_before) return OK;
    int daemons = 0;
    TRY(spread_daemons(engine->db, &daemons));
    struct run_limits limits = engine->limits;
    limits.threads *= (int)max_i64(1, daemons); /* as many workers may be at it */
    return partition_plan_make(engine->db, &step->source, conductor->run.date, &limits,
                               &conductor->plan);
}

static enum err load_partitions(struct conductor *conductor)
{
    partition_list_free(&conductor->partitions);
    return partition_load(conductor->engine->db, conductor->run.job_instance_id,
                          conductor->step->name, &conductor->partitions);
}

static enum err prepare_step(struct conductor *conductor)
{
    if (conductor->step->begin == NULL) return OK;
    return conductor->step->begin(conductor->engine->db, &conductor->run, &conductor->detail);
}

/* While workers are at it: what do others do with the partitions, and has somebody asked for this
 * execution to stop? Whatever fails, there will be another look. */
static enum err watch(void *context)
{
    struct conductor *conductor = context;
    struct engine *engine = conductor->engine;
    CLEANUP(spread_news_free) struct spread_news news = {0};
    if (control_stopping(engine->control) != STOP_NONE) return OK;
    TRY(pool_look(engine->pool, engine->db, &conductor->spread, &news));
    control_set_done(engine->control, news.read_items);
    if (news.stop_asked) control_request_stop(engine->control);
    return OK;
}

static enum err open_to_others(struct conductor *conductor)
{
    struct spread_terms terms = {.skip_limit = conductor->engine->limits.skip_limit};
    if (conductor->job->inputs != NULL)
        TRY(conductor->job->inputs(conductor->shared, terms.inputs));
    return spread_open(conductor->engine->db, &conductor->run, conductor->step->name, &terms);
}

static enum err work_through(struct conductor *conductor)
{
    struct engine *engine = conductor->engine;
    const struct step *step = conductor->step;
    struct partition_list *partitions = &conductor->partitions;
    TRY(insist(conductor, load_partitions));
    control_begin_step(engine->control, step->name, step->unit, partitions->estimated_items,
                       partitions->done_items);
    TRY(insist(conductor, prepare_step));
    if (partitions->count > 1) TRY(insist(conductor, open_to_others));
    conductor->spread = (struct spread){
        .run = &conductor->run,
        .step_name = step->name,
        .node_id = engine->node_id,
        .runs_execution = true,
    };
    const struct pool_task task = {
        .step = step,
        .run = &conductor->run,
        .limits = &engine->limits,
        .partitions = partitions,
        .watch = watch,
        .watch_context = conductor,
    };
    TRY(pool_run(engine->pool, engine->db, &task, &conductor->detail));
    if (step->judge == NULL) return OK;
    TRY(transact(conductor, judge));
    return conductor->verdict;
}

/* Words for an error that has none yet: those of the coordinator's connection. */
static void explain(struct conductor *conductor, enum err err)
{
    if (conductor->detail.text[0] != '\0') return;
    const struct db *db = conductor->engine->db;
    (void)detail_set(&conductor->detail, err, "%s: %s%s%s",
                     conductor->step == NULL ? conductor->job->name : conductor->step->name,
                     err_text(err), db_error_number(db) == 0 ? "" : ": ", db_message(db));
}

static const char *why_stopped(enum end_cause cause, bool requested)
{
    if (requested) return "stopped on request; settlectl restart goes on from the checkpoints";
    if (cause == CAUSE_SHUTDOWN)
        return "stopped since its daemon was; the next daemon goes on from the checkpoints";
    return "stopped by a signal; the same command goes on from the checkpoints";
}

static enum end_cause cause_of(const struct conductor *conductor, enum err err)
{
    if (err == OK) return CAUSE_NONE;
    if (err == ERR_STOPPED)
        return control_stop_requested(conductor->engine->control) ? CAUSE_PERSON
                                                                  : conductor->engine->signal_cause;
    enum err_class class = err_class(err);
    return class == CLASS_TRANSACTION || class == CLASS_CONNECTION ? CAUSE_TRANSIENT
                                                                   : CAUSE_PERMANENT;
}

/* From an error to the end that is recorded for it. */
static struct execution_end end_of(struct conductor *conductor, enum err err, bool skipped)
{
    struct execution_end end = {
        .from = STATUS_STARTED,
        .to = STATUS_COMPLETED,
        .exit_code = EXIT_COMPLETED,
        .exit_message = "",
        .cause = cause_of(conductor, err),
    };
    end.restart =
        restart_decide(&conductor->engine->restart, end.cause, conductor->restarts, retry_random());
    if (err == ERR_STOPPED) {
        end.to = STATUS_STOPPED;
        end.exit_code = EXIT_STOPPED;
        end.exit_message =
            why_stopped(end.cause, control_stop_requested(conductor->engine->control));
    } else if (err != OK) {
        explain(conductor, err);
        end.to = STATUS_FAILED;
        end.exit_code = EXIT_FAILED;
        conductor->detail.text[EXIT_MESSAGE_LIMIT] = '\0';
        end.exit_message = conductor->detail.text;
    } else if (skipped) {
        end.exit_code = EXIT_COMPLETED_WITH_SKIPS;
    }
    return end;
}

static void log_step(const struct conductor *conductor, const struct step_result *result)
{
    bool good = result->status == STATUS_COMPLETED || result->status == STATUS_STOPPED;
    log_event(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "step-ended",
              good ? "the step ended" : conductor->detail.text, "job", conductor->job->name,
              "execution", LOG_INT(conductor->run.job_execution_id), "step", result->name, "status",
              status_name(result->status), "read", LOG_INT(result->counts.read), "written",
              LOG_INT(result->counts.written), "skipped", LOG_INT(result->counts.skipped),
              "rollbacks", LOG_INT(result->counts.rollbacks), "ms",
              LOG_INT(result->elapsed_us / 1000), NULL);
}

static enum err count_step(struct conductor *conductor)
{
    return repository_step_counts(conductor->engine->db, conductor->run.job_execution_id,
                                  conductor->step->name, &conductor->counts);
}

static enum err finish_step(struct conductor *conductor, enum err err, struct step_result *result)
{
    enum err recorded = insist(conductor, count_step);
    result->counts = conductor->counts;
    conductor->end = end_of(conductor, err, result->counts.skipped > 0);
    result->status = conductor->end.to;
    if (recorded == OK) recorded = end(conductor, end_step);
    return recorded == ERR_FENCED || err == OK ? recorded : err;
}

static enum err run_step(struct conductor *conductor, struct step_result *result)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    TRY(insist(conductor, look_whether_done));
    result->passed_before = conductor->step_done;
    if (conductor->step_done) return OK;
    enum err err = insist(conductor, plan_step);
    if (err == OK) err = transact(conductor, begin_step);
    partition_plan_free(&conductor->plan);
    if (err != OK) return err;
    if (conductor->stop_asked) {
        control_request_stop(conductor->engine->control);
        return ERR_STOPPED;
    }

    result->run = true;
    err = work_through(conductor);
    partition_list_free(&conductor->partitions);
    if (err != ERR_FENCED) err = finish_step(conductor, err, result);
    if (err == ERR_FENCED) result->status = STATUS_UNKNOWN; /* somebody else decides */
    control_end_step(conductor->engine->control, err != OK);
    result->elapsed_us = clock_monotonic_us(&clock_system) - began_us;
    log_step(conductor, result);
    return err;
}

static enum err run_steps(struct conductor *conductor)
{
    const struct job *job = conductor->job;
    ASSERT(job->step_count <= STEP_LIMIT);
    for (int i = 0; i < job->step_count; i++) {
        struct step_result *result = &conductor->result->steps[conductor->result->step_count++];
        *result = (struct step_result){.name = job->steps[i]->name, .status = STATUS_COMPLETED};
        if (control_stopping(conductor->engine->control) != STOP_NONE) return ERR_STOPPED;
        conductor->step = job->steps[i];
        TRY(run_step(conductor, result));
    }
    conductor->step = NULL;
    return OK;
}

static const char SKIPPED_SQL[] =
    "SELECT COALESCE(SUM(skip_count), 0) FROM step_partition WHERE job_instance_id = ?";

static enum err count_skips(struct conductor *conductor)
{
    return db_query_i64(conductor->engine->db, &conductor->skipped, 0, SKIPPED_SQL, "i",
                        conductor->run.job_instance_id);
}

static enum err complete_execution(struct conductor *conductor)
{
    TRY(insist(conductor, count_skips));
    conductor->end = end_of(conductor, OK, conductor->skipped > 0);
    return end(conductor, complete);
}

static enum err fail_execution(struct conductor *conductor, enum err err)
{
    conductor->end = end_of(conductor, err, false);
    return end(conductor, set_execution) == ERR_FENCED ? ERR_FENCED : err;
}

static enum err prepare_job(struct conductor *conductor)
{
    return conductor->job->prepare(conductor->engine->db, conductor->run.date, &conductor->shared,
                                   &conductor->detail);
}

static enum err run_to_end(struct conductor *conductor)
{
    conductor->end = (struct execution_end){
        .from = STATUS_STARTING,
        .to = STATUS_STARTED,
        .exit_code = "UNKNOWN",
        .exit_message = "",
    };
    TRY(transact(conductor, set_execution));
    enum err err = insist(conductor, prepare_job);
    conductor->run.shared = conductor->shared;
    if (err == OK) err = run_steps(conductor);
    if (err == OK) err = complete_execution(conductor);
    if (err != OK && err != ERR_FENCED) err = fail_execution(conductor, err);
    if (conductor->shared != NULL) conductor->job->release(conductor->shared);
    return err;
}

enum err execution_run(struct engine *engine, const struct execution_request *request,
                       struct execution_result *ret_result, struct detail *detail)
{
    const struct launch_answer *launched = request->launched;
    int64_t began_us = clock_monotonic_us(&clock_system);
    struct conductor conductor = {
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
    enum err err = run_to_end(&conductor);
    if (err == ERR_FENCED)
        (void)detail_set(&conductor.detail, err,
                         "execution %lld was taken over by another process; see: settlectl runs",
                         (long long)launched->job_execution_id);
    ret_result->status = err == ERR_FENCED ? STATUS_UNKNOWN : conductor.end.to;
    ret_result->exit_code = conductor.end.exit_code;
    ret_result->cause = conductor.end.cause;
    ret_result->restart = conductor.end.restart;
    ret_result->elapsed_us = clock_monotonic_us(&clock_system) - began_us;
    if (err != OK) *detail = conductor.detail;
    return err;
}
