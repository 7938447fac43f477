#include "daemon/work.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/history.h"
#include "daemon/engine/spread.h"
#include "daemon/schedule/slots.h"

static const char PAUSED_SQL[] =
    "SELECT paused_at IS NOT NULL OR NOT enabled FROM job_schedule WHERE job_name = ?";
static const char SLOT_AT_SQL[] =
    "SELECT CAST(MAX(slot_at) AS CHAR) FROM schedule_slot WHERE status = 'OPEN' AND job_name = ?";

enum { SOON_MS = 1000, BLOCKED_MS = 5000, ANSWER = 768 };

static void look_again_in(struct work *work, int64_t ms)
{
    work->look_again_us = clock_monotonic_us(&clock_system) + ms * 1000;
}

static void set_state(struct work *work, const char *text)
{
    (void)text_format(work->state, sizeof(work->state), "%s", text);
}

static enum err start(struct work *work, const struct work_context *context,
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
    set_state(work, "");
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
static bool is_decided(struct work *work, const struct work_context *context, enum err err)
{
    return err == ERR_REFUSED || err == ERR_INVALID ||
           work->failed_launches++ >= context->config->retry.restart_limit;
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
        look_again_in(work, SOON_MS);
        set_state(work, words);
        return OK;
    }
    log_event(LOG_LEVEL_ERROR, "launch-refused", words, "job", work->job->name, "date", order->date,
              "for", started_for_name(order->reason), NULL);
    (void)text_format(work->last_error, sizeof(work->last_error), "%s", words);
    bool decided = is_decided(work, context, err);
    if (decided) work->failed_launches = 0;
    if (decided && order->reason == FOR_REQUEST)
        return queue_end(context->db, context->node_id, order->request_id, REQUEST_REFUSED, words);
    if (decided && (order->reason == FOR_RESTART || order->reason == FOR_RESUME))
        return history_cancel_restart(context->db, order->after_execution_id, false, NULL);
    look_again_in(work, max_i64(1, context->config->retry.restart_backoff_s) * 1000);
    set_state(work, words);
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
        set_state(work, detail.text);
    if (!suspicious) look_again_in(work, SOON_MS);
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
    return start(work, context, &order);
}

/* ---- requests ---- */

/* The request has led to this execution of the day that it is at, and that has ended. */
static enum err after_execution(struct work *work, const struct work_context *context,
                                const struct queued_request *request,
                                const struct past_execution *past)
{
    char answer[ANSWER];
    if (past->restart_due) {
        (void)text_format(answer, sizeof(answer),
                          "execution %lld of %s is %s and is started again in %lld s: %s",
                          (long long)past->id, past->date, status_name(past->status),
                          (long long)past->restart_in_s, past->message);
        set_state(work, answer);
        look_again_in(work, SOON_MS);
        return queue_move(context->db, request, past->id, answer);
    }
    bool stopped = past->status == STATUS_STOPPED;
    (void)text_format(answer, sizeof(answer), "execution %lld of %s is %s: %s", (long long)past->id,
                      past->date, status_name(past->status), past->message);
    TRY(queue_move(context->db, request, past->id, answer));
    return queue_end(context->db, context->node_id, request->id,
                     stopped ? REQUEST_STOPPED : REQUEST_FAILED, answer);
}

static enum err launch_for(struct work *work, const struct work_context *context,
                           const struct queued_request *request, const struct past_execution *past)
{
    struct conductor_order order = {
        .job = work->job,
        .reason = FOR_REQUEST,
        .request_id = request->id,
        .after_execution_id = past->id,
    };
    char answer[64];
    (void)text_format(answer, sizeof(answer), "%s is launched", request->at);
    memcpy(order.date, request->at, sizeof(order.date));
    TRY(queue_move(context->db, request, 0, answer));
    return start(work, context, &order);
}

/* Nothing ran when this turn began: another daemon has launched it since. */
static enum err wait_for_rival(struct work *work)
{
    look_again_in(work, SOON_MS);
    return OK;
}

/* A RESTART goes on from exactly the execution that it names. */
static bool is_overtaken(const struct queued_request *request, const struct past_execution *past)
{
    return request->restart && past->request_id != request->id &&
           past->id != request->job_execution_id;
}

static enum err end_of_days(const struct work_context *context,
                            const struct queued_request *request, int64_t execution_id)
{
    char answer[ANSWER];
    if (request->range)
        (void)text_format(answer, sizeof(answer), "%lld days from %s to %s are settled",
                          (long long)request->days_done, request->first, request->last);
    else
        (void)text_format(answer, sizeof(answer), "%s is settled by execution %lld", request->last,
                          (long long)execution_id);
    return queue_end(context->db, context->node_id, request->id, REQUEST_COMPLETED, answer);
}

/* One day of a request: *ret_passed when it is done, and the next may be looked at. */
static enum err look_at_day(struct work *work, const struct work_context *context,
                            struct queued_request *request, bool *ret_passed)
{
    struct db *db = context->db;
    struct admission admission = {0};
    struct past_execution past = {0};
    struct detail detail = {0};
    bool idle = false;
    *ret_passed = true;
    enum err admitted = work->job->admit(db, request->at, &admission, &detail);
    if (admitted == ERR_REFUSED && request->range) {
        struct date_facts facts = {0};
        TRY(work->job->facts(db, request->at, &facts));
        idle = facts.passed && !facts.has_data;
    }
    if (admitted == ERR_CLOSED || idle) {
        bool over = false;
        TRY(queue_next_day(db, request, admission.job_execution_id, &over));
        if (!over) return OK;
        *ret_passed = false;
        return end_of_days(context, request, admission.job_execution_id);
    }
    *ret_passed = false;
    if (admitted == ERR_REFUSED || admitted == ERR_INVALID)
        return queue_end(db, context->node_id, request->id, REQUEST_REFUSED, detail.text);
    TRY(admitted);
    enum err err = history_latest(db, work->job->name, request->at, &past);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    if (err == OK && is_overtaken(request, &past))
        return queue_end(db, context->node_id, request->id, REQUEST_REFUSED,
                         "another execution of the day was started since");
    if (err == OK && status_is_running(past.status)) return wait_for_rival(work);
    if (err == OK && past.request_id == request->id)
        return after_execution(work, context, request, &past);
    return launch_for(work, context, request, &past);
}

enum { DAYS_IN_A_TURN = 32 };

/* *ret_more: there were days to pass over, and there are more. */
static enum err start_request(struct work *work, const struct work_context *context, bool *ret_more)
{
    struct queued_request request;
    enum err err = queue_first(context->db, context->node_id, work->job->name, &request);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    bool passed = true;
    for (int i = 0; passed && i < DAYS_IN_A_TURN; i++)
        TRY(look_at_day(work, context, &request, &passed));
    *ret_more = passed;
    return OK;
}

/* ---- slots ---- */

static enum err wait_for_person(struct work *work, const struct work_context *context,
                                const struct past_execution *past)
{
    char reason[ANSWER];
    if (past->restart_due)
        (void)text_format(reason, sizeof(reason),
                          "%s: execution %lld is %s and is started again in %lld s: %s", past->date,
                          (long long)past->id, status_name(past->status),
                          (long long)past->restart_in_s, past->message);
    else
        (void)text_format(reason, sizeof(reason),
                          "%s: execution %lld is %s, and no day after it can be settled; when what "
                          "it says is mended: settlectl restart %lld (%s)",
                          past->date, (long long)past->id, status_name(past->status),
                          (long long)past->id, past->message);
    look_again_in(work, past->restart_due ? SOON_MS : BLOCKED_MS);
    set_state(work, reason);
    return slots_wait(context->db, work->job->name, reason);
}

static enum err announce(const struct work *work, const struct work_context *context,
                         const struct pending_days *days)
{
    char sentence[256];
    (void)text_format(sentence, sizeof(sentence),
                      "settles %s, the first of %d %s queued (%s to %s%s)", days->first,
                      days->count, days->count == 1 ? "day" : "days", days->first, days->last,
                      days->more ? "; more follow, catchup_max at once" : "");
    TRY(slots_wait(context->db, work->job->name, sentence));
    return slots_decision(context->db, work->job->name, sentence, context->now_us);
}

static int catchup_max(const struct work *work, const struct work_context *context)
{
    for (int i = 0; i < context->config->job_count; i++)
        if (strcmp(context->config->jobs[i].name, work->job->name) == 0)
            return context->config->jobs[i].catchup_max;
    return 1;
}

static enum err latest_slot(const struct work *work, const struct work_context *context,
                            char ret_slot[REPOSITORY_TIME])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(context->db, &query, SLOT_AT_SQL, "s", work->job->name));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    (void)text_format(ret_slot, REPOSITORY_TIME, "%s", statement_text(query, 0));
    return OK;
}

static enum err finish_slots(const struct work_context *context, const char *name,
                             const char *until)
{
    char sentence[96];
    (void)text_format(sentence, sizeof(sentence), "every day up to %s that has logs is settled",
                      until);
    TRY(slots_finish(context->db, name, until, context->now_us, sentence));
    return slots_decision(context->db, name, sentence, context->now_us);
}

static enum err start_slot(struct work *work, const struct work_context *context)
{
    struct db *db = context->db;
    const char *name = work->job->name;
    char until[CIVIL_TEXT];
    struct pending_days days;
    struct past_execution past;
    TRY(slots_open_until(db, name, until));
    if (until[0] == '\0') return OK;
    TRY(work->job->pending(db, until, catchup_max(work, context), &days));
    if (days.count == 0) return finish_slots(context, name, until);
    enum err err = history_latest(db, name, days.first, &past);
    if (err == OK && status_is_running(past.status)) return wait_for_rival(work);
    if (err == OK && past.status != STATUS_ABANDONED) return wait_for_person(work, context, &past);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    struct conductor_order order = {.job = work->job,
                                    .reason = FOR_SLOT,
                                    .after_execution_id = PROVENANCE_FIRST};
    memcpy(order.date, days.first, sizeof(order.date));
    TRY(latest_slot(work, context, order.slot_at));
    TRY(announce(work, context, &days));
    return start(work, context, &order);
}

static enum err is_paused(const struct work *work, const struct work_context *context,
                          bool *ret_paused)
{
    int64_t paused = 0;
    enum err err = db_query_i64(context->db, &paused, 0, PAUSED_SQL, "s", work->job->name);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    *ret_paused = paused != 0;
    return OK;
}

/* ---- the turn ---- */

/* A drained daemon begins nothing, but who waits for what it has finished must be told. */
static enum err settle_request(struct work *work, const struct work_context *context)
{
    struct queued_request request;
    struct admission admission = {0};
    struct detail detail = {0};
    bool passed = false;
    if (!context->accepted) return OK;
    enum err err = queue_first(context->db, context->node_id, work->job->name, &request);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    err = work->job->admit(context->db, request.at, &admission, &detail);
    return err == ERR_CLOSED ? look_at_day(work, context, &request, &passed) : OK;
}

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
    if (work->conductor == NULL) TRY(start_request(work, context, &more));
    if (more) context->wake(context->wake_context);
    if (more || work->conductor != NULL) return OK;
    TRY(is_paused(work, context, &paused));
    if (!paused) TRY(start_slot(work, context));
    /* Nothing to begin: what changes that comes as a request, a slot, a restart or an end, and is
     * looked at then. */
    if (work->conductor == NULL && work->look_again_us == 0 && !context->accepted)
        look_again_in(work, BLOCKED_MS);
    return OK;
}

enum err work_turn(struct work *work, const struct work_context *context)
{
    bool running = false;
    if (work->conductor != NULL) TRY(take_end_in(work, context));
    if (work->conductor != NULL) return context->drained ? hand_over(work, context) : OK;
    if (context->drained) {
        set_state(work, "");
        return settle_request(work, context);
    }
    bool early = clock_monotonic_us(&clock_system) < work->look_again_us;
    if (early && !context->stirred) return OK;
    set_state(work, "");
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
