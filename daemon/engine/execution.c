#include "daemon/engine/execution.h"

#include <string.h>

#include "common/clock.h"
#include "common/db/transaction.h"
#include "common/log.h"

enum { BOOKKEEPING_ATTEMPTS = 5, EXIT_MESSAGE_LIMIT = 1000 };

/* What the bookkeeping transactions of an execution are given; db_transact passes it through. */
struct conductor {
    struct engine *engine;
    const struct job *job;
    struct run run;
    struct execution_result *result;
    const struct step *step;
    int64_t step_execution_id;
    struct partition_plan plan; /* made before the transaction that stores it */
    bool planned_before;
    struct execution_end end;
    enum err verdict;
    struct detail detail;
};

/* A bookkeeping transaction that survives a lost connection: everything in it is conditional on what it finds. */
static enum err transact(struct conductor *conductor,
                         enum err (*body)(struct db *db, void *context))
{
    struct db *db = conductor->engine->db;
    db_mark_metadata(db, true);
    enum err err = db_transact(db, BOOKKEEPING_ATTEMPTS, body, conductor);
    db_mark_metadata(db, false);
    return err;
}

static enum err set_execution(struct db *db, void *context)
{
    struct conductor *conductor = context;
    return repository_set_execution(db, conductor->run.job_execution_id, &conductor->end);
}

static enum err begin_step(struct db *db, void *context)
{
    struct conductor *conductor = context;
    const char *name = conductor->step->name;
    int64_t instance = conductor->run.job_instance_id;
    if (!conductor->planned_before)
        TRY(partition_plan_store(db, instance, name, &conductor->plan));
    else if (conductor->step->repeated)
        TRY(partition_plan_reset(db, instance, name));
    return repository_begin_step(db, &conductor->run, name, &conductor->step_execution_id);
}

static enum err end_step(struct db *db, void *context)
{
    struct conductor *conductor = context;
    return repository_end_step(db, &conductor->run, conductor->step->name,
                               conductor->step_execution_id, &conductor->end);
}

static enum err judge(struct db *db, void *context)
{
    struct conductor *conductor = context;
    conductor->verdict = conductor->step->judge(db, &conductor->run, &conductor->detail);
    /* A verdict is kept, whatever it says; only what the server could not do is done again. */
    enum err_class class = err_class(conductor->verdict);
    return class == CLASS_TRANSACTION || class == CLASS_CONNECTION ? conductor->verdict : OK;
}

static enum err complete(struct db *db, void *context)
{
    struct conductor *conductor = context;
    TRY(conductor->job->complete(db, &conductor->run, &conductor->detail));
    return set_execution(db, context);
}

static enum err plan_step(struct conductor *conductor)
{
    struct engine *engine = conductor->engine;
    const struct step *step = conductor->step;
    TRY(partition_plan_exists(engine->db, conductor->run.job_instance_id, step->name,
                              &conductor->planned_before));
    if (conductor->planned_before) return OK;
    return partition_plan_make(engine->db, &step->source, conductor->run.date, &engine->limits,
                               &conductor->plan);
}

static enum err work_through(struct conductor *conductor)
{
    struct engine *engine = conductor->engine;
    const struct step *step = conductor->step;
    CLEANUP(partition_list_free) struct partition_list partitions = {0};
    TRY(partition_load(engine->db, conductor->run.job_instance_id, step->name, &partitions));
    control_begin_step(engine->control, step->name, step->unit, partitions.estimated_items,
                       partitions.done_items);
    if (step->begin != NULL) TRY(step->begin(engine->db, &conductor->run, &conductor->detail));
    const struct pool_task task = {step, &conductor->run, &engine->limits, &partitions};
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

/* From an error to the end that is recorded for it. */
static struct execution_end end_of(struct conductor *conductor, enum err err, bool skipped)
{
    struct execution_end end = {STATUS_STARTED, STATUS_COMPLETED, EXIT_COMPLETED, ""};
    if (err == ERR_STOPPED) {
        end.to = STATUS_STOPPED;
        end.exit_code = EXIT_STOPPED;
        end.exit_message = "stopped by a signal; the same command goes on from the checkpoints";
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
    bool good = result->status == STATUS_COMPLETED;
    log_event(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, good ? "step-completed" : "step-ended",
              good ? "step completed" : conductor->detail.text, "job", conductor->job->name,
              "execution", LOG_INT(conductor->run.job_execution_id), "step", result->name, "status",
              status_name(result->status), "read", LOG_INT(result->counts.read), "written",
              LOG_INT(result->counts.written), "skipped", LOG_INT(result->counts.skipped),
              "rollbacks", LOG_INT(result->counts.rollbacks), "ms",
              LOG_INT(result->elapsed_us / 1000), NULL);
}

static enum err finish_step(struct conductor *conductor, enum err err, struct step_result *result)
{
    struct db *db = conductor->engine->db;
    enum err counted = repository_step_counts(db, conductor->run.job_execution_id,
                                              conductor->step->name, &result->counts);
    if (err_class(counted) == CLASS_CONNECTION && db_reconnect(db) == OK)
        counted = repository_step_counts(db, conductor->run.job_execution_id, conductor->step->name,
                                         &result->counts);
    conductor->end = end_of(conductor, err, result->counts.skipped > 0);
    result->status = conductor->end.to;
    enum err recorded = counted == OK ? transact(conductor, end_step) : counted;
    return recorded == ERR_FENCED || err == OK ? recorded : err;
}

static enum err run_step(struct conductor *conductor, struct step_result *result)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    bool done = false;
    TRY(repository_step_done(conductor->engine->db, conductor->run.job_instance_id,
                             conductor->step->name, &done));
    result->passed_before = done;
    if (done) return OK;
    enum err err = plan_step(conductor);
    if (err == OK) err = transact(conductor, begin_step);
    partition_plan_free(&conductor->plan);
    if (err != OK) return err;

    result->run = true;
    err = work_through(conductor);
    if (err != ERR_FENCED) err = finish_step(conductor, err, result);
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

static enum err complete_execution(struct conductor *conductor)
{
    int64_t skipped = 0;
    TRY(db_query_i64(conductor->engine->db, &skipped, 0, SKIPPED_SQL, "i",
                     conductor->run.job_instance_id));
    conductor->end = end_of(conductor, OK, skipped > 0);
    return transact(conductor, complete);
}

static enum err fail_execution(struct conductor *conductor, enum err err)
{
    struct db *db = conductor->engine->db;
    conductor->end = end_of(conductor, err, false);
    enum err recorded = transact(conductor, set_execution);
    if (err_class(recorded) == CLASS_CONNECTION && db_reconnect(db) == OK)
        recorded = transact(conductor, set_execution);
    return recorded == ERR_FENCED ? ERR_FENCED : err;
}

static enum err run_to_end(struct conductor *conductor)
{
    struct engine *engine = conductor->engine;
    void *shared = NULL;
    conductor->end = (struct execution_end){STATUS_STARTING, STATUS_STARTED, "UNKNOWN", ""};
    TRY(transact(conductor, set_execution));
    enum err err =
        conductor->job->prepare(engine->db, conductor->run.date, &shared, &conductor->detail);
    conductor->run.shared = shared;
    if (err == OK) err = run_steps(conductor);
    if (err == OK) err = complete_execution(conductor);
    if (err != OK && err != ERR_FENCED) err = fail_execution(conductor, err);
    if (shared != NULL) conductor->job->release(shared);
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
    ret_result->elapsed_us = clock_monotonic_us(&clock_system) - began_us;
    if (err != OK) *detail = conductor.detail;
    return err;
}
