#include "daemon/assistant.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "daemon/engine/retry.h"

enum { LOOK_MS = 100 };

struct assistant {
    struct assistant_order order;
    struct runner runner;
    pthread_t thread;
    struct open_step open; /* what it is at */
    struct run run;
    void *shared; /* the job's, for run's execution */
    struct spread spread;
    enum err err; /* this, `holds` and `detail` are complete when `ended` */
    struct detail detail;
    bool declines; /* that execution: it was given something else than this process */
    bool holds;    /* it may still hold something when it has ended */
    _Atomic int64_t execution_id;
    _Atomic bool ended;
};

static const struct step *find_step(const struct job *job, const char *name)
{
    for (int i = 0; i < job->step_count; i++)
        if (strcmp(job->steps[i]->name, name) == 0) return job->steps[i];
    return NULL;
}

static void forget_execution(struct assistant *assistant)
{
    if (assistant->shared != NULL) assistant->order.job->release(assistant->shared);
    assistant->shared = NULL;
    atomic_store(&assistant->execution_id, 0);
}

/* Rates that were changed after the execution had begun would give one day two prices. */
static enum err compare_inputs(struct assistant *assistant)
{
    static const char helps[] = "helps with an execution of another process";
    static const char declines[] =
        "does not help: the rates have changed since the execution has begun";
    const struct job *job = assistant->order.job;
    char inputs[JOB_INPUTS] = "";
    if (job->inputs != NULL) TRY(job->inputs(assistant->shared, inputs));
    assistant->declines = strcmp(inputs, assistant->open.terms.inputs) != 0;
    if (!assistant->declines)
        atomic_store(&assistant->execution_id, assistant->open.job_execution_id);
    log_event(assistant->declines ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
              assistant->declines ? "assistance-declined" : "assists",
              assistant->declines ? declines : helps, "job", job->name, "date",
              assistant->open.date, "execution", LOG_INT(assistant->open.job_execution_id), NULL);
    return OK;
}

static enum err turn_to(struct assistant *assistant, const struct open_step *open)
{
    struct runner *runner = &assistant->runner;
    bool other = open->job_execution_id != assistant->open.job_execution_id;
    assistant->open = *open;
    if (!other && assistant->shared != NULL) return OK;
    forget_execution(assistant);
    assistant->run = (struct run){
        .date = assistant->open.date,
        .job_instance_id = open->job_instance_id,
        .job_execution_id = open->job_execution_id,
        .began_at = assistant->open.began_at,
        .chunk_size = runner_limits(runner).chunk_size,
    };
    TRY(assistant->order.job->prepare(runner->db, open->date, &assistant->shared,
                                      &assistant->detail));
    assistant->run.shared = assistant->shared;
    return compare_inputs(assistant);
}

static enum err watch(void *context)
{
    struct assistant *assistant = context;
    struct runner *runner = &assistant->runner;
    CLEANUP(spread_news_free) struct spread_news news = {0};
    if (control_stopping(&runner->control) != STOP_NONE) return OK;
    TRY(pool_look(runner->pool, runner->db, &assistant->spread, &news));
    if (news.stop_asked) control_stop(&runner->control, STOP_DRAIN);
    return OK;
}

static enum err work_on(struct assistant *assistant, const struct step *step)
{
    CLEANUP(partition_list_free) struct partition_list partitions = {0};
    struct runner *runner = &assistant->runner;
    struct run_limits limits = runner_limits(runner);
    limits.skip_limit = assistant->open.terms.skip_limit; /* the execution's, not this process's */
    TRY(partition_load(runner->db, assistant->run.job_instance_id, step->name, &partitions));
    control_forget_steps(&runner->control);
    control_begin_step(&runner->control, step->name, step->unit, partitions.estimated_items,
                       partitions.done_items);
    assistant->spread = (struct spread){
        .run = &assistant->run,
        .step_name = step->name,
        .node_id = runner->node_id,
    };
    const struct pool_task task = {
        .step = step,
        .run = &assistant->run,
        .limits = &limits,
        .partitions = &partitions,
        .helps = true,
        .watch = watch,
        .watch_context = assistant,
    };
    return pool_run(runner->pool, runner->db, &task, &assistant->detail);
}

static enum err help_with(struct assistant *assistant, const struct open_step *open)
{
    const struct step *step = find_step(assistant->order.job, open->step_name);
    if (step == NULL) return OK;
    TRY(turn_to(assistant, open));
    if (assistant->declines) return OK;
    enum err err = work_on(assistant, step);
    /* Taken over, or ended: what comes next is another execution's. */
    return err == ERR_FENCED ? OK : err;
}

/* *ret_goes_on: there is, or may soon be, something to help with. */
static enum err look(struct assistant *assistant, bool *ret_goes_on)
{
    struct runner *runner = &assistant->runner;
    int64_t execution = assistant->open.job_execution_id;
    struct open_step open;
    enum err err = spread_find(runner->db, assistant->order.job->name, runner->node_id, &open);
    *ret_goes_on = err == OK;
    if (err == OK) return help_with(assistant, &open);
    if (err != ERR_NOT_FOUND) return err;
    return execution == 0 ? OK : spread_goes_on(runner->db, execution, ret_goes_on);
}

/* No worker is at anything now. What could not be given back stays this process's until it is: its
 * lease says that it is alive. */
static enum err give_back(struct assistant *assistant)
{
    struct runner *runner = &assistant->runner;
    const char *job = assistant->order.job->name;
    enum err err = spread_give_back(runner->db, job, runner->node_id);
    if (err_class(err) == CLASS_CONNECTION && db_reconnect(runner->db) == OK)
        err = spread_give_back(runner->db, job, runner->node_id);
    assistant->holds = err != OK;
    return err;
}

static enum err help(struct assistant *assistant)
{
    struct runner *runner = &assistant->runner;
    bool goes_on = true;
    while (goes_on && control_stopping(&runner->control) == STOP_NONE) {
        TRY(look(assistant, &goes_on));
        retry_wait(LOOK_MS, &runner->control.stop);
    }
    return OK;
}

static enum err assist(struct assistant *assistant)
{
    struct runner *runner = &assistant->runner;
    assistant->holds = true; /* an earlier one may have left something */
    TRY(runner_connect(runner, &assistant->detail));
    TRY(guard_examine(runner->guard, runner->db, &assistant->detail));
    TRY(give_back(assistant));
    if (assistant->order.gives_back_only) return OK;
    enum err err = help(assistant);
    enum err back = give_back(assistant);
    return back != OK && (err == OK || err == ERR_STOPPED) ? back : err;
}

static void *assistant_main(void *argument)
{
    struct assistant *assistant = argument;
    enum err err = assist(assistant);
    assistant->err = err == ERR_STOPPED ? OK : err;
    if (assistant->err != OK && assistant->detail.text[0] == '\0')
        (void)detail_set(&assistant->detail, err, "%s%s%s", err_text(err),
                         assistant->runner.db == NULL ? "" : ": ",
                         assistant->runner.db == NULL ? "" : db_message(assistant->runner.db));
    forget_execution(assistant);
    atomic_store(&assistant->ended, true);
    assistant->order.wake(assistant->order.wake_context);
    return NULL;
}

enum err assistant_start(const struct assistant_order *order, const struct runner_options *options,
                         struct assistant **ret_assistant)
{
    struct assistant *assistant = calloc(1, sizeof(*assistant));
    if (assistant == NULL) return ERR_MEMORY;
    assistant->order = *order;
    runner_init(&assistant->runner, options);
    if (pthread_create(&assistant->thread, NULL, assistant_main, assistant) != 0) {
        runner_done(&assistant->runner);
        free(assistant);
        return ERR_MEMORY;
    }
    *ret_assistant = assistant;
    return OK;
}

bool assistant_ended(const struct assistant *assistant, struct assistant_outcome *ret_outcome)
{
    if (!atomic_load(&assistant->ended)) return false;
    *ret_outcome = (struct assistant_outcome){assistant->err, assistant->holds, assistant->detail};
    return true;
}

void assistant_free(struct assistant *assistant)
{
    if (assistant == NULL) return;
    ASSERT(atomic_load(&assistant->ended));
    (void)pthread_join(assistant->thread, NULL);
    runner_done(&assistant->runner);
    free(assistant);
}

int64_t assistant_execution(const struct assistant *assistant)
{
    return atomic_load(&assistant->execution_id);
}

void assistant_stop(struct assistant *assistant, enum stop stop)
{
    runner_stop(&assistant->runner, stop);
}

void assistant_cut(struct assistant *assistant)
{
    runner_cut(&assistant->runner);
}
