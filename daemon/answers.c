#include "daemon/answers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/db/transaction.h"
#include "common/log.h"
#include "common/request.h"
#include "daemon/engine/history.h"
#include "daemon/jobs/jobs.h"
#include "daemon/schedule/slots.h"

static const char PENDING_SQL[] =
    "SELECT request_id FROM job_request WHERE status = 'PENDING' ORDER BY request_id LIMIT 16";
/* Held until the answer is committed: whoever has the row carries the request out, with the answer
 * in one transaction. A daemon that has slept since it saw the request finds it answered; one that
 * another daemon is at is passed over. */
static const char HOLD_SQL[] =
    "SELECT request_id FROM job_request WHERE request_id = ? AND status = 'PENDING'"
    " FOR UPDATE SKIP LOCKED";
static const char ANSWER_SQL[] =
    "UPDATE job_request SET status = ?, answer = ?, job_name = ?, date_from = NULLIF(?, ''),"
    " date_to = NULLIF(?, ''), last_execution_id = NULLIF(?, 0), node_id = ?, answered_at = NOW(6),"
    " ended_at = IF(?, NOW(6), NULL) WHERE request_id = ? AND status = 'PENDING'";

enum { REQUESTS_IN_A_TURN = 16, ANSWER = 1280, ANSWER_ATTEMPTS = 2 };

struct answerer {
    struct work *works;
    int work_count;
    const struct work_context *context;
    int64_t request_id;
    bool held; /* the row was PENDING, and this daemon has it */
    struct request request;
    enum request_status status;
    int64_t execution_id; /* that it found */
    char answer[ANSWER];
};

static enum err say(struct answerer *answerer, enum request_status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum err say(struct answerer *answerer, enum request_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(answerer->answer, sizeof(answerer->answer), format, arguments);
    va_end(arguments);
    answerer->status = status;
    return OK;
}

static const struct work *work_of(const struct answerer *answerer, const char *job_name)
{
    for (int i = 0; i < answerer->work_count; i++)
        if (strcmp(answerer->works[i].job->name, job_name) == 0) return &answerer->works[i];
    return NULL;
}

static enum err no_such_job(struct answerer *answerer)
{
    return say(answerer, REQUEST_NOT_FOUND, "there is no job %s; there is: %s",
               answerer->request.job_name, JOBS_NAMES);
}

/* ---- RUN, BACKFILL ---- */

/* A day that cannot be run is refused at once where nothing that comes before it could change
 * that. */
static enum err answer_day(struct answerer *answerer, const struct work *work)
{
    const char *date = answerer->request.date_from;
    struct admission admission = {0};
    struct detail detail = {0};
    enum err err = work->job->admit(answerer->context->db, date, &admission, &detail);
    if (err == ERR_CLOSED) {
        answerer->execution_id = admission.job_execution_id;
        return say(answerer, REQUEST_COMPLETED,
                   "%s is closed already: settled by execution %lld; nothing was changed", date,
                   (long long)admission.job_execution_id);
    }
    if (err == ERR_REFUSED || err == ERR_INVALID)
        return say(answerer, REQUEST_REFUSED, "%s", detail.text);
    TRY(err);
    return say(answerer, REQUEST_ACCEPTED, "%s is launched", date);
}

enum { BACKFILL_DAYS = 3660 };

/* A range is refused as a whole before any of it is run. */
static enum err refuse_range(struct answerer *answerer, const struct work *work, bool *ret_refused)
{
    const struct request *request = &answerer->request;
    struct civil first, last;
    struct date_facts facts = {0};
    TRY(civil_parse(request->date_from, &first));
    TRY(civil_parse(request->date_to, &last));
    TRY(work->job->facts(answerer->context->db, request->date_to, &facts));
    *ret_refused = true;
    if (civil_to_days(last) - civil_to_days(first) >= BACKFILL_DAYS)
        return say(answerer, REQUEST_REFUSED, "these are more than %d days; ask for them in parts",
                   BACKFILL_DAYS);
    if (!facts.over)
        return say(answerer, REQUEST_REFUSED,
                   "%s is not over: what is stored of it later could not be settled any more; a "
                   "backfill ends with yesterday at the latest",
                   request->date_to);
    *ret_refused = false;
    return OK;
}

static enum err answer_days(struct answerer *answerer)
{
    const struct request *request = &answerer->request;
    const struct work *work = work_of(answerer, request->job_name);
    bool busy = false, refused = false;
    if (work == NULL) return no_such_job(answerer);
    if (request->command == REQUEST_BACKFILL) TRY(refuse_range(answerer, work, &refused));
    if (refused) return OK;
    TRY(work_is_busy(work, answerer->context, &busy));
    if (busy)
        return say(answerer, REQUEST_ACCEPTED,
                   "waits until what %s runs, or was asked for before, has ended",
                   request->job_name);
    if (request->command == REQUEST_RUN) return answer_day(answerer, work);
    return say(answerer, REQUEST_ACCEPTED, "the days from %s to %s are run in their order",
               request->date_from, request->date_to);
}

/* ---- STOP, RESTART, ABANDON ---- */

/* What has ended can be stopped as well, where it would go on by itself: as a restart, or as the
 * next day of a request. */
static enum err answer_stop_of_ended(struct answerer *answerer, const struct past_execution *past)
{
    struct db *db = answerer->context->db;
    long long id = (long long)past->id;
    bool cancelled = false, stopped = false;
    if (past->restart_due) TRY(history_cancel_restart(db, past->id, true, &cancelled));
    if (past->request_id != 0) TRY(queue_stop(db, past->request_id, &stopped));
    if (cancelled)
        return say(answerer, REQUEST_COMPLETED,
                   "execution %lld was waiting to be started again; it stays %s until somebody "
                   "restarts it",
                   id, status_name(past->status));
    if (stopped)
        return say(answerer, REQUEST_COMPLETED,
                   "request %lld, which execution %lld was run for, goes no further",
                   (long long)past->request_id, id);
    if (past->restart_due)
        return say(answerer, REQUEST_REFUSED,
                   "execution %lld was started again meanwhile; see: settlectl runs", id);
    return say(answerer, REQUEST_REFUSED,
               "execution %lld is %s: only what runs, or goes on by itself, can be stopped", id,
               status_name(past->status));
}

static enum err answer_stop(struct answerer *answerer, const struct past_execution *past)
{
    long long id = (long long)past->id;
    bool asked = false;
    int64_t others = 0;
    if (past->status == STATUS_STARTING || past->status == STATUS_STARTED)
        TRY(history_ask_to_stop(answerer->context->db, past->id, &asked));
    if (asked)
        TRY(queue_stop_others(answerer->context->db, past->job_name, past->date, past->request_id,
                              &others));
    if (asked && others > 0)
        return say(answerer, REQUEST_COMPLETED,
                   "execution %lld is asked to stop; it finishes the chunks that are running; what "
                   "else was asked for %s (%lld) ends as well",
                   id, past->date, (long long)others);
    if (asked)
        return say(answerer, REQUEST_COMPLETED,
                   "execution %lld is asked to stop; it finishes the chunks that are running", id);
    if (past->status == STATUS_STOPPING)
        return say(answerer, REQUEST_COMPLETED, "execution %lld is stopping already", id);
    return answer_stop_of_ended(answerer, past);
}

static enum err answer_restart(struct answerer *answerer, const struct past_execution *past)
{
    struct request *request = &answerer->request;
    long long id = (long long)past->id;
    if (!past->latest)
        return say(answerer, REQUEST_REFUSED,
                   "execution %lld is not the latest of %s for %s; restart that one", id,
                   past->job_name, past->date);
    if (past->status != STATUS_FAILED && past->status != STATUS_STOPPED)
        return say(answerer, REQUEST_REFUSED,
                   "execution %lld is %s: only one that FAILED or was STOPPED can be restarted", id,
                   status_name(past->status));
    if (past->restart_due) TRY(history_hurry_restart(answerer->context->db, past->id));
    (void)text_format(request->date_from, sizeof(request->date_from), "%s", past->date);
    (void)text_format(request->date_to, sizeof(request->date_to), "%s", past->date);
    return say(answerer, REQUEST_ACCEPTED, "%s goes on from the checkpoints of execution %lld",
               past->date, id);
}

static enum err no_longer_latest(struct answerer *answerer, const struct past_execution *past)
{
    return say(answerer, REQUEST_REFUSED, "execution %lld is not the latest of %s any more",
               (long long)past->id, past->date);
}

static enum err answer_abandon(struct answerer *answerer, const struct past_execution *past)
{
    struct db *db = answerer->context->db;
    const struct work *work = work_of(answerer, past->job_name);
    struct date_facts facts = {0};
    long long id = (long long)past->id;
    bool abandoned = false;
    if (past->status == STATUS_ABANDONED)
        return say(answerer, REQUEST_COMPLETED, "execution %lld is ABANDONED already", id);
    if (past->status != STATUS_STOPPED && past->status != STATUS_FAILED)
        return say(answerer, REQUEST_REFUSED,
                   "execution %lld is %s: only one that was STOPPED or FAILED can be abandoned", id,
                   status_name(past->status));
    if (!past->latest) return no_longer_latest(answerer, past);
    TRY(work->job->facts(db, past->date, &facts));
    if (facts.has_data)
        return say(
            answerer, REQUEST_REFUSED,
            "%s has logs: without it no day after it could be settled; settlectl restart %lld "
            "goes on with it",
            past->date, id);
    TRY(history_abandon(db, past->id, &abandoned));
    if (!abandoned) return no_longer_latest(answerer, past);
    TRY(history_cancel_restart(db, past->id, true, NULL));
    return say(answerer, REQUEST_COMPLETED, "execution %lld is ABANDONED", id);
}

static enum err answer_about_execution(struct answerer *answerer)
{
    struct request *request = &answerer->request;
    struct past_execution past = {0};
    enum err err = history_find(answerer->context->db, request->execution_id, &past);
    if (err == ERR_NOT_FOUND)
        return say(answerer, REQUEST_NOT_FOUND, "there is no execution %lld; see: settlectl runs",
                   (long long)request->execution_id);
    TRY(err);
    (void)text_format(request->job_name, sizeof(request->job_name), "%s", past.job_name);
    answerer->execution_id = past.id;
    if (!past.known || work_of(answerer, past.job_name) == NULL)
        return say(answerer, REQUEST_REFUSED,
                   "execution %lld of %s belongs to another program: only that can change it",
                   (long long)past.id, past.job_name);
    if (request->command == REQUEST_STOP) return answer_stop(answerer, &past);
    if (request->command == REQUEST_RESTART) return answer_restart(answerer, &past);
    return answer_abandon(answerer, &past);
}

/* ---- PAUSE, RESUME ---- */

static enum err answer_pause(struct answerer *answerer)
{
    const struct request *request = &answerer->request;
    const struct work_context *context = answerer->context;
    bool was = false;
    bool pause = request->command == REQUEST_PAUSE;
    const struct slots_pause why = {request->requested_by, request->reason};
    enum err err =
        pause ? slots_pause(context->db, request->job_name, &why, context->now_us, &was)
              : slots_resume(context->db, request->job_name, why.by, context->now_us, &was);
    if (err == ERR_NOT_FOUND)
        return say(answerer, REQUEST_NOT_FOUND, "%s has no schedule; see: settlectl next",
                   request->job_name);
    TRY(err);
    if (pause)
        return say(answerer, REQUEST_COMPLETED,
                   was ? "%s is paused already"
                       : "%s is paused: what is due is held until it is resumed",
                   request->job_name);
    return say(answerer, REQUEST_COMPLETED, was ? "%s goes on" : "%s was not paused",
               request->job_name);
}

/* ---- all of them ---- */

static enum err decide(struct answerer *answerer)
{
    switch (answerer->request.command) {
    case REQUEST_RUN:
    case REQUEST_BACKFILL:
        return answer_days(answerer);
    case REQUEST_STOP:
    case REQUEST_RESTART:
    case REQUEST_ABANDON:
        return answer_about_execution(answerer);
    case REQUEST_PAUSE:
    case REQUEST_RESUME:
        return answer_pause(answerer);
    }
    return say(answerer, REQUEST_REFUSED, "this daemon does not know the command");
}

static enum err hold(struct db *db, struct answerer *answerer)
{
    int64_t id = 0;
    enum err err = db_query_i64(db, &id, 0, HOLD_SQL, "i", answerer->request_id);
    answerer->held = err == OK;
    return err == ERR_NOT_FOUND ? OK : err; /* answered, purged or withdrawn, or another's */
}

static enum err store(struct db *db, const struct answerer *answerer)
{
    const struct request *request = &answerer->request;
    int64_t matched = 0;
    TRY(db_run(db, &matched, ANSWER_SQL, "sssssisii", request_status_name(answerer->status),
               answerer->answer, request->job_name, request->date_from, request->date_to,
               answerer->execution_id, answerer->context->node_id,
               (int64_t)request_has_ended(answerer->status), request->id));
    return matched == 1 ? OK : ERR_CONFLICT;
}

static enum err answer_in_transaction(struct db *db, void *context)
{
    struct answerer *answerer = context;
    answerer->execution_id = 0;
    TRY(hold(db, answerer));
    if (!answerer->held) return OK;
    TRY(request_read(db, answerer->request_id, &answerer->request));
    TRY(decide(answerer));
    return store(db, answerer);
}

static enum err answer_one(struct answerer *answerer, int64_t request_id)
{
    const struct request *request = &answerer->request;
    answerer->request_id = request_id;
    TRY(db_transact(answerer->context->db, ANSWER_ATTEMPTS, answer_in_transaction, answerer));
    if (!answerer->held) return OK;
    log_event(LOG_LEVEL_INFO, "request-answered", answerer->answer, "request", LOG_INT(request->id),
              "command", request_command_name(request->command), "job", request->job_name, "status",
              request_status_name(answerer->status), "by", request->requested_by, "reason",
              request->reason, NULL);
    return OK;
}

static enum err read_pending(struct db *db, int64_t ret_ids[REQUESTS_IN_A_TURN], int *ret_count)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    TRY(db_query(db, &query, PENDING_SQL, ""));
    for (*ret_count = 0; *ret_count < REQUESTS_IN_A_TURN; (*ret_count)++) {
        bool row = false;
        TRY(statement_fetch(query, &row));
        if (!row) return OK;
        ret_ids[*ret_count] = statement_i64(query, 0);
    }
    return OK;
}

enum err answers_turn(struct work *works, int work_count, const struct work_context *context,
                      bool *ret_answered)
{
    struct answerer answerer = {.works = works, .work_count = work_count, .context = context};
    int64_t ids[REQUESTS_IN_A_TURN];
    int count = 0;
    TRY(read_pending(context->db, ids, &count));
    for (int i = 0; i < count; i++) {
        enum err err = answer_one(&answerer, ids[i]);
        if (err_class(err) == CLASS_CONNECTION) return err;
        if (err == OK) continue;
        /* It is tried again with the next turn; the others must not wait for it. */
        log_event(LOG_LEVEL_WARN, "request-not-answered", db_message(context->db), "request",
                  LOG_INT(ids[i]), "error", err_name(err), NULL);
    }
    *ret_answered = count > 0;
    return OK;
}
