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
    enum err err; /* complete when `ended` */
    struct detail detail;
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
    atomic_store(&assistant->execution_id, open->job_execution_id);
    log_event(LOG_LEVEL_INFO, "assists", "helps with an execution of another process", "job",
              assistant->order.job->name, "date", open->date, "execution",
              LOG_INT(open->job_execution_id), NULL);
    return OK;
}

static enum err watch(void *context)
{
    struct assistant *assistant = context;
    struct runner *runner = &assistant->runner;
    CLEANUP(spread_news_free) struct spread_news news = {0};
    if (control_stopping(&runner->control) != STOP_NONE) return OK;
    db_mark_metadata(runner->db, true);
    enum err err = spread_survey(runner->db, &assistant->spread, &news);
    if (err_class(err) == CLASS_CONNECTION) err = db_reconnect(runner->db) == OK ? ERR_LOST : err;
    db_mark_metadata(runner->db, false);
    if (err == OK) pool_tell(runner->pool, &news);
    if (err == OK && news.stop_asked) control_stop(&runner->control, STOP_DRAIN);
    return err;
}

static enum err work_on(struct assistant *assistant, const struct step *step)
{
    CLEANUP(partition_list_free) struct partition_list partitions = {0};
    struct runner *runner = &assistant->runner;
    struct run_limits limits = runner_limits(runner);
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
    enum err err = work_on(assistant, step);
    /* Taken over, or ended: what comes next is another execution's. */
    return err == ERR_FENCED ? OK : err;
}

/* *ret_goes_on: there is, or may soon be, something to help with. */
static enum err look(struct assistant *assistant, bool *ret_goes_on)
{
    struct runner *runner = &assistant->runner;
    int64_t execution = atomic_load(&assistant->execution_id);
    struct open_step open;
    enum err err = spread_find(runner->db, assistant->order.job->name, runner->node_id, &open);
    *ret_goes_on = err == OK;
    if (err == OK) return help_with(assistant, &open);
    if (err != ERR_NOT_FOUND) return err;
    return execution == 0 ? OK : spread_goes_on(runner->db, execution, ret_goes_on);
}

static enum err assist(struct assistant *assistant)
{
    struct runner *runner = &assistant->runner;
    bool goes_on = !assistant->order.gives_back_only;
    TRY(runner_connect(runner, &assistant->detail));
    TRY(guard_examine(runner->guard, runner->db, &assistant->detail));
    TRY(spread_give_back(runner->db, runner->node_id));
    while (goes_on && control_stopping(&runner->control) == STOP_NONE) {
        TRY(look(assistant, &goes_on));
        retry_wait(LOOK_MS, &runner->control.stop);
    }
    return OK;
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

bool assistant_ended(const struct assistant *assistant, enum err *ret_err,
                     struct detail *ret_detail)
{
    if (!atomic_load(&assistant->ended)) return false;
    *ret_err = assistant->err;
    *ret_detail = assistant->detail;
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
