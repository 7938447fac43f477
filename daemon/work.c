#include "daemon/work.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/history.h"
#include "daemon/engine/spread.h"
#include "daemon/schedule/slots.h"
#include "daemon/work_parts.h"

void work_look_again_in(struct work *work, int64_t ms)
{
    work->look_again_us = clock_monotonic_us(&clock_system) + ms * 1000;
}

void work_set_state(struct work *work, const char *text)
{
    (void)text_format(work->state, sizeof(work->state), "%s", text);
}

enum err work_wait_for_rival(struct work *work)
{
    work_look_again_in(work, SOON_MS);
    return OK;
}

enum err work_start(struct work *work, const struct work_context *context,
                    const struct conductor_order *order)
{
    const struct runner_options options = {
        .config = context->config,
        .db = context->db_options,
        .guard = context->guard,
        .node_id = context->node_id,
        .signal_cause = CAUSE_SHUTDOWN,
    };
    TRY(conductor_start(order, &options, context->wake, context->wake_context, &work->conductor));
    work_set_state(work, "");
    log_event(LOG_LEVEL_INFO, "execution-ordered", "an execution is launched", "job",
              work->job->name, "date", order->date, "for", started_for_name(order->reason),
              "request", LOG_INT(order->request_id), "after", LOG_INT(order->after_execution_id),
              NULL);
    return OK;
}

/* ---- the end of an execution ---- */

/* Another try may lead further without anybody's doing: of several daemons one is the quicker, or a
 * connection was not to be had. What is left to do is decided anew then. */
static bool passes_soon(const struct conductor_outcome *outcome)
{
    enum err_class class = err_class(outcome->err);
    return outcome->err == ERR_BUSY || outcome->err == ERR_FENCED || outcome->overtaken ||
           class == CLASS_CONNECTION || class == CLASS_TRANSACTION;
}

/* What is said about the day decides. Anything else (no memory, no thread, an error of the
 * server's) says nothing about it, and is tried as often as an execution would be. */
static bool is_decided(const struct work *work, const struct work_context *context, enum err err)
{
    return err == ERR_REFUSED || err == ERR_INVALID ||
           work->failed_launches >= context->config->retry.restart_limit;
}

/* The launch was refused, or did not come as far as that. */
static enum err not_launched(struct work *work, const struct work_context *context,
                             const struct conductor_outcome *outcome)
{
    const struct conductor_order *order = conductor_order(work->conductor);
    enum err err = outcome->err;
    const char *words = outcome->detail.text[0] != '\0' ? outcome->detail.text : err_text(err);
    if (err == ERR_CLOSED || err == ERR_STOPPED) return OK;
    if (passes_soon(outcome)) {
        work_look_again_in(work, SOON_MS);
        work_set_state(work, words);
        return OK;
    }
    log_event(LOG_LEVEL_ERROR, "launch-refused", words, "job", work->job->name, "date", order->date,
              "for", started_for_name(order->reason), NULL);
    (void)text_format(work->last_error, sizeof(work->last_error), "%s", words);
    bool decided = is_decided(work, context, err);
    work->failed_launches = decided ? 0 : work->failed_launches + 1;
    if (decided && order->reason == FOR_REQUEST)
        return queue_end(context->db, context->node_id, order->request_id, REQUEST_REFUSED, words);
    if (decided && (order->reason == FOR_RESTART || order->reason == FOR_RESUME))
        return history_cancel_restart(context->db, order->after_execution_id, false, NULL);
    work_look_again_in(work, max_i64(1, context->config->retry.restart_backoff_s) * 1000);
    work_set_state(work, words);
    if (order->reason != FOR_SLOT) return OK;
    return slots_wait(context->db, work->job->name, words);
}

static void log_failure(const struct work *work, const struct conductor_outcome *outcome)
{
    const struct conductor_order *order = conductor_order(work->conductor);
    bool restarted = outcome->restart.due;
    log_event(restarted ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              restarted ? "execution-restarts" : "execution-stays-failed", outcome->detail.text,
              "job", work->job->name, "date", order->date, "execution",
              LOG_INT(outcome->job_execution_id), "status", status_name(outcome->status),
              "restart_in_ms", LOG_INT(restarted ? outcome->restart.after_ms : -1), NULL);
}

static enum err take_end_in(struct work *work, const struct work_context *context)
{
    struct conductor_outcome outcome;
    if (!conductor_ended(work->conductor, &outcome)) return OK;
    const struct conductor_order *order = conductor_order(work->conductor);
    work->look_again_us = 0;
    if (outcome.job_execution_id != 0) work->failed_launches = 0;
    if (outcome.job_execution_id == 0) {
        TRY(not_launched(work, context, &outcome));
    } else if (outcome.err == OK) {
        TRY(slots_count_day(context->db, work->job->name, order->date));
        work->last_error[0] = '\0';
    } else if (outcome.err == ERR_FENCED) {
        log_event(LOG_LEVEL_WARN, "execution-taken-over", outcome.detail.text, "job",
                  work->job->name, "execution", LOG_INT(outcome.job_execution_id), NULL);
    } else if (outcome.err != ERR_STOPPED) {
        log_failure(work, &outcome);
        (void)text_format(work->last_error, sizeof(work->last_error), "%s", outcome.detail.text);
    }
    conductor_free(work->conductor);
    work->conductor = NULL;
    return OK;
}

/* ---- what other processes run or left behind ---- */

static enum err deal_with_running(struct work *work, const struct work_context *context,
                                  bool *ret_running)
{
    const struct restart_policy policy = runner_restart_policy(context->config);
    struct launch_request request = {
        .job = work->job,
        .node_id = context->node_id,
        .policy = &policy,
        .runs_none = true,
        .gone_node_id = work->gone[0] == '\0' ? NULL : work->gone,
    };
    struct launch_answer answer;
    struct detail detail = {0};
    *ret_running = false;
    if (!context->running) return OK;
    enum err err = launch_recover(context->db, &request, &answer, &detail);
    bool suspicious = err == ERR_BUSY && !answer.owner.lock_held;
    bool gone = err == ERR_BUSY && suspicion_look(&work->suspicions, &clock_system, answer.owner_id,
                                                  answer.owner.lock_held);
    (void)text_format(work->gone, sizeof(work->gone), "%s", gone ? answer.owner_id : "");
    if (err == OK && answer.given_up_id != 0)
        (void)text_format(work->last_error, sizeof(work->last_error),
                          "execution %lld was left behind by its process, and stays FAILED",
                          (long long)answer.given_up_id);
    if (err == OK) return OK;
    *ret_running = true;
    if (err == ERR_BUSY)
        (void)text_format(work->state, sizeof(work->state),
                          "execution %lld of %s is run by process %d on %.60s",
                          (long long)answer.job_execution_id, answer.running_date, answer.owner.pid,
                          answer.owner.host);
    else
        work_set_state(work, detail.text);
    if (!suspicious) work_look_again_in(work, SOON_MS);
    return err_class(err) == CLASS_CONNECTION ? err : OK;
}

/* ---- restarts ---- */

static enum err start_restart(struct work *work, const struct work_context *context)
{
    struct past_execution past;
    enum err err = history_due(context->db, work->job->name, &past);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    bool restartable = past.status == STATUS_FAILED || past.status == STATUS_STOPPED;
    if (!past.latest || !restartable)
        return history_cancel_restart(context->db, past.id, false, NULL);
    struct conductor_order order = {
        .job = work->job,
        .reason = past.cause == CAUSE_SHUTDOWN ? FOR_RESUME : FOR_RESTART,
        .after_execution_id = past.id,
        .request_id = past.request_id,
    };
    memcpy(order.date, past.date, sizeof(order.date));
    return work_start(work, context, &order);
}

/* ---- the turn ---- */

/* At the next chunk boundary, if there is somebody to go on from there: it costs no attempt. */
static enum err hand_over(struct work *work, const struct work_context *context)
{
    int others = 0;
    TRY(spread_daemons(context->db, &others));
    if (others > 0) conductor_stop(work->conductor, STOP_DRAIN);
    return OK;
}

/* People come before slots, and what was begun before both; a job that is paused or disabled begins
 * only what it is asked for. */
static enum err choose(struct work *work, const struct work_context *context)
{
    bool paused = false, more = false;
    TRY(start_restart(work, context));
    if (work->conductor == NULL) TRY(work_start_request(work, context, &more));
    if (more) context->wake(context->wake_context);
    if (more || work->conductor != NULL) return OK;
    TRY(work_is_paused(work, context, &paused));
    if (!paused) TRY(work_start_slot(work, context));
    /* Nothing to begin: what changes that comes as a request, a slot, a restart or an end, and is
     * looked at then. */
    if (work->conductor == NULL && work->look_again_us == 0 && !context->accepted)
        work_look_again_in(work, BLOCKED_MS);
    return OK;
}

enum err work_turn(struct work *work, const struct work_context *context)
{
    bool running = false;
    if (work->conductor != NULL) TRY(take_end_in(work, context));
    if (work->conductor != NULL) return context->drained ? hand_over(work, context) : OK;
    if (context->drained) {
        work_set_state(work, "");
        return work_settle_request(work, context);
    }
    bool early = clock_monotonic_us(&clock_system) < work->look_again_us;
    if (early && !context->stirred) return OK;
    work_set_state(work, "");
    work->look_again_us = 0;
    TRY(deal_with_running(work, context, &running));
    return running ? OK : choose(work, context);
}

void work_drain(struct work *work, const struct work_context *context, enum stop stop,
                bool *ret_running)
{
    struct conductor_outcome outcome;
    bool helps = false;
    helping_drain(&work->helping, stop, &helps);
    *ret_running = helps;
    if (work->conductor == NULL) return;
    conductor_stop(work->conductor, stop);
    bool runs = !conductor_ended(work->conductor, &outcome);
    *ret_running = runs || helps;
    if (runs) return;
    /* What cannot be written down now, the next daemon finds out for itself. */
    if (context->db != NULL && take_end_in(work, context) == OK) return;
    conductor_free(work->conductor);
    work->conductor = NULL;
}

void work_cut(struct work *work)
{
    if (work->conductor != NULL) conductor_cut(work->conductor);
    if (work->helping.assistant != NULL) assistant_cut(work->helping.assistant);
}

enum err work_is_busy(const struct work *work, const struct work_context *context, bool *ret_busy)
{
    struct queued_request request;
    *ret_busy = work->conductor != NULL || context->running;
    if (*ret_busy) return OK;
    enum err err = queue_first(context->db, context->node_id, work->job->name, &request);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    *ret_busy = err == OK;
    return OK;
}
