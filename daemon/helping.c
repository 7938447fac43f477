#include "daemon/helping.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/work.h"

enum { PAUSE_US = 1000000 };

static bool take_end_in(struct helping *helping, const struct job *job)
{
    enum err err;
    struct detail detail;
    if (!assistant_ended(helping->assistant, &err, &detail)) return false;
    helping->unfinished = err != OK;
    if (err != OK) {
        helping->not_before_us = clock_monotonic_us(&clock_system) + PAUSE_US;
        log_event(LOG_LEVEL_WARN, "assistance-ended", detail.text, "job", job->name, "error",
                  err_name(err), NULL);
    }
    assistant_free(helping->assistant);
    helping->assistant = NULL;
    return true;
}

enum err helping_turn(struct helping *helping, const struct job *job,
                      const struct work_context *context)
{
    bool wanted = context->shared && !context->drained;
    if (helping->assistant != NULL && !take_end_in(helping, job)) {
        if (context->drained) assistant_stop(helping->assistant, STOP_DRAIN);
        return OK;
    }
    if (!wanted && !helping->unfinished) return OK;
    if (clock_monotonic_us(&clock_system) < helping->not_before_us) return OK;
    const struct assistant_order order = {
        .job = job,
        .gives_back_only = !wanted,
        .wake = context->wake,
        .wake_context = context->wake_context,
    };
    const struct runner_options options = {
        .config = context->config,
        .db = context->db_options,
        .node_id = context->node_id,
        .guard = context->guard,
        .signal_cause = CAUSE_SHUTDOWN,
    };
    return assistant_start(&order, &options, &helping->assistant);
}

void helping_drain(struct helping *helping, enum stop stop, bool *ret_running)
{
    enum err err;
    struct detail detail;
    *ret_running = false;
    if (helping->assistant == NULL) return;
    assistant_stop(helping->assistant, stop);
    *ret_running = !assistant_ended(helping->assistant, &err, &detail);
    if (*ret_running) return;
    assistant_free(helping->assistant);
    helping->assistant = NULL;
}
