#include <string.h>

#include "daemon/engine/history.h"
#include "daemon/work_parts.h"

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
        work_set_state(work, answer);
        work_look_again_in(work, SOON_MS);
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
    return work_start(work, context, &order);
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
    if (err == OK && status_is_running(past.status)) return work_wait_for_rival(work);
    if (err == OK && past.request_id == request->id)
        return after_execution(work, context, request, &past);
    return launch_for(work, context, request, &past);
}

/* The same of a request that may be another daemon's by now: it is left to that one. */
static enum err pass_day(struct work *work, const struct work_context *context,
                         struct queued_request *request, bool *ret_passed)
{
    enum err err = look_at_day(work, context, request, ret_passed);
    if (err != ERR_FENCED) return err;
    *ret_passed = false;
    return OK;
}

enum { DAYS_IN_A_TURN = 32 };

enum err work_start_request(struct work *work, const struct work_context *context, bool *ret_more)
{
    struct queued_request request;
    enum err err = queue_first(context->db, context->node_id, work->job->name, &request);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    bool passed = true;
    for (int i = 0; passed && i < DAYS_IN_A_TURN; i++)
        TRY(pass_day(work, context, &request, &passed));
    *ret_more = passed;
    return OK;
}

enum err work_settle_request(struct work *work, const struct work_context *context)
{
    struct queued_request request;
    struct admission admission = {0};
    struct detail detail = {0};
    bool passed = false;
    if (!context->accepted) return OK;
    enum err err = queue_first(context->db, context->node_id, work->job->name, &request);
    if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
    err = work->job->admit(context->db, request.at, &admission, &detail);
    return err == ERR_CLOSED ? pass_day(work, context, &request, &passed) : OK;
}
