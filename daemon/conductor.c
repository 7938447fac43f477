#include "daemon/conductor.h"

#include <stdatomic.h>
#include <stdlib.h>

struct conductor {
    struct conductor_order order;
    struct runner runner;
    pthread_t thread;
    void (*wake)(void *context);
    void *context;
    struct conductor_outcome outcome; /* complete when `ended` */
    _Atomic int64_t execution_id;
    _Atomic bool ended;
};

static enum err conduct(struct conductor *conductor)
{
    struct runner *runner = &conductor->runner;
    const struct conductor_order *order = &conductor->order;
    struct conductor_outcome *outcome = &conductor->outcome;
    const struct restart_policy policy = runner_restart_policy(&runner->config);
    const struct launch_request request = {
        .job = order->job,
        .date = order->date,
        .node_id = runner->node_id,
        .policy = &policy,
        .runs_none = true,
        .why = {.reason = order->reason,
                .after_execution_id = order->after_execution_id,
                .request_id = order->request_id,
                .slot_at = order->slot_at[0] == '\0' ? NULL : order->slot_at},
    };
    TRY(runner_connect(runner, &outcome->detail));
    TRY(guard_examine(runner->guard, runner->db, &outcome->detail));
    if (control_stopping(&runner->control) != STOP_NONE) return ERR_STOPPED;
    enum err err = launch(runner->db, &request, &runner->launched, &outcome->detail);
    if (err != OK) {
        outcome->found_execution_id = runner->launched.job_execution_id;
        outcome->overtaken = runner->launched.overtaken;
        return err;
    }
    outcome->job_execution_id = runner->launched.job_execution_id;
    atomic_store(&conductor->execution_id, outcome->job_execution_id);
    err = runner_execute(runner, order->job, order->date, &outcome->detail);
    outcome->status = runner->result.status;
    outcome->restart = runner->result.restart;
    return err;
}

static void *conductor_main(void *argument)
{
    struct conductor *conductor = argument;
    conductor->outcome.err = conduct(conductor);
    atomic_store(&conductor->ended, true);
    conductor->wake(conductor->context);
    return NULL;
}

enum err conductor_start(const struct conductor_order *order, const struct runner_options *options,
                         void (*wake)(void *context), void *context,
                         struct conductor **ret_conductor)
{
    struct conductor *conductor = calloc(1, sizeof(*conductor));
    if (conductor == NULL) return ERR_MEMORY;
    conductor->order = *order;
    conductor->wake = wake;
    conductor->context = context;
    runner_init(&conductor->runner, options);
    if (pthread_create(&conductor->thread, NULL, conductor_main, conductor) != 0) {
        runner_done(&conductor->runner);
        free(conductor);
        return ERR_MEMORY;
    }
    *ret_conductor = conductor;
    return OK;
}

bool conductor_ended(const struct conductor *conductor, struct conductor_outcome *ret_outcome)
{
    if (!atomic_load(&conductor->ended)) return false;
    *ret_outcome = conductor->outcome;
    return true;
}

void conductor_free(struct conductor *conductor)
{
    if (conductor == NULL) return;
    ASSERT(atomic_load(&conductor->ended));
    (void)pthread_join(conductor->thread, NULL);
    runner_done(&conductor->runner);
    free(conductor);
}

const struct conductor_order *conductor_order(const struct conductor *conductor)
{
    return &conductor->order;
}

int64_t conductor_execution(const struct conductor *conductor)
{
    return atomic_load(&conductor->execution_id);
}

struct board_view conductor_view(struct conductor *conductor)
{
    return control_view(&conductor->runner.control);
}

void conductor_stop(struct conductor *conductor, enum stop stop)
{
    runner_stop(&conductor->runner, stop);
}

void conductor_cut(struct conductor *conductor)
{
    runner_cut(&conductor->runner);
}
