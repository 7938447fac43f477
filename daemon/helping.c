#include "daemon/helping.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/work.h"

/* After an end, before it helps again: for what may come soon, and after a failure. */
enum { PAUSE_US = 500000, FAILURE_PAUSE_US = 3000000 };

static bool take_end_in(struct helping *helping, const struct job *job)
{
    struct assistant_outcome outcome;
    if (!assistant_ended(helping->assistant, &outcome)) return false;
    bool failed = outcome.err != OK;
    helping->unfinished = outcome.holds;
    helping->not_before_us = clock_monotonic_us(&clock_system) +
                             (failed && !outcome.holds ? FAILURE_PAUSE_US : PAUSE_US);
    if (failed)
        log_event(LOG_LEVEL_WARN, "assistance-ended", outcome.detail.text, "job", job->name,
                  "error", err_name(outcome.err), NULL);
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
    struct assistant_outcome outcome;
    *ret_running = false;
    if (helping->assistant == NULL) return;
    assistant_stop(helping->assistant, stop);
    *ret_running = !assistant_ended(helping->assistant, &outcome);
    if (*ret_running) return;
    assistant_free(helping->assistant);
    helping->assistant = NULL;
}
