#include "daemon/engine/launch.h"

#include <string.h>

#include "common/db/transaction.h"
#include "daemon/engine/recovery.h"

/* Inserts the job's row or locks the one that is there. */
static const char LOCK_JOB_SQL[] =
    "INSERT INTO job_control (job_name) VALUES (?) ON DUPLICATE KEY UPDATE job_name = job_name";
static const char RUNNING_SQL[] =
    "SELECT e.JOB_EXECUTION_ID, e.JOB_INSTANCE_ID, e.STATUS, o.node_id, p.PARAMETER_VALUE"
    " FROM BATCH_JOB_INSTANCE i"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = i.JOB_INSTANCE_ID"
    " LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID"
    " LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID"
    " AND p.PARAMETER_NAME = 'targetDate'"
    " WHERE i.JOB_NAME = ? AND e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')"
    " ORDER BY e.JOB_EXECUTION_ID LIMIT 1";
/* The executions of the instance that decide: one that is COMPLETED, or UNKNOWN; else the latest.
 * One that is ABANDONED decides as the latest only: see needs_settling. */
static const char EARLIER_SQL[] =
    "SELECT JOB_EXECUTION_ID, STATUS FROM BATCH_JOB_EXECUTION WHERE JOB_INSTANCE_ID = ?"
    " ORDER BY STATUS IN ('COMPLETED', 'UNKNOWN') DESC, JOB_EXECUTION_ID DESC"
    " LIMIT 1";

enum { LAUNCH_ATTEMPTS = 2, RUNNING_LIMIT = 16 };

/* An execution that is marked as running. */
struct running {
    int64_t job_execution_id, job_instance_id;
    enum batch_status status;
    char owner_id[NODE_ID];
    struct node_state owner;
};

struct launcher {
    const struct launch_request *request;
    struct launch_answer answer;
    struct detail detail;
};

static bool is_alive(const struct launch_request *request, const char *node_id,
                     const struct node_state *state)
{
    if (request->runs_none && strcmp(request->node_id, node_id) == 0) return false;
    if (!state->known || !state->lease_valid) return false;
    if (state->lock_held) return true; /* it has taken it again since */
    return request->gone_node_id == NULL || strcmp(request->gone_node_id, node_id) != 0;
}

static enum err refuse_foreign(struct launcher *launcher, int64_t execution_id)
{
    return detail_set(
        &launcher->detail, ERR_REFUSED,
        "execution %lld of %s is marked as running but was started by another program; if "
        "it is dead, set its STATUS to FAILED and END_TIME in BATCH_JOB_EXECUTION",
        (long long)execution_id, launcher->request->job->name);
}

/* Reads one execution that is marked as running, and its owner. ERR_NOT_FOUND: there is none;
 * ERR_BUSY: its owner seems alive, and is in the answer. */
static enum err find_running(struct db *db, struct launcher *launcher, struct running *ret_running)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    struct launch_answer *answer = &launcher->answer;
    bool row = false;
    TRY(db_query(db, &query, RUNNING_SQL, "s", launcher->request->job->name));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    if (statement_is_null(query, 3)) return refuse_foreign(launcher, statement_i64(query, 0));

    *ret_running = (struct running){
        .job_execution_id = statement_i64(query, 0),
        .job_instance_id = statement_i64(query, 1),
        .status = status_parse(statement_text(query, 2)),
    };
    (void)text_format(ret_running->owner_id, NODE_ID, "%s", statement_text(query, 3));
    TRY(node_look(db, ret_running->owner_id, &ret_running->owner));
    if (!is_alive(launcher->request, ret_running->owner_id, &ret_running->owner)) return OK;
    answer->job_execution_id = ret_running->job_execution_id;
    answer->owner = ret_running->owner;
    memcpy(answer->owner_id, ret_running->owner_id, NODE_ID);
    (void)text_format(answer->running_date, sizeof(answer->running_date), "%s",
                      statement_text(query, 4));
    return ERR_BUSY;
}

/* Recovers one execution that is marked as running and has nobody who runs it. OK and
 * *ret_found = false: there is none. */
static enum err deal_with_running(struct db *db, struct launcher *launcher, bool *ret_found)
{
    struct launch_answer *answer = &launcher->answer;
    struct running running = {0};
    enum err err = find_running(db, launcher, &running);
    *ret_found = err != ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) return OK;
    TRY(err);
    const struct abandoned_execution abandoned = {
        .job_execution_id = running.job_execution_id,
        .job_instance_id = running.job_instance_id,
        .status = running.status,
        .node_id = running.owner_id,
        .ours = strcmp(running.owner_id, launcher->request->node_id) == 0,
        .policy = launcher->request->policy,
    };
    bool restarts = false;
    err = recovery_fail_execution(db, &abandoned, &running.owner, &restarts);
    if (err == ERR_FENCED) return ERR_CONFLICT; /* it has ended by itself since: look again */
    TRY(err);
    if (!restarts) answer->given_up_id = abandoned.job_execution_id;
    return OK;
}

static enum err recover_dead(struct db *db, struct launcher *launcher)
{
    bool found = true;
    for (int i = 0; found && i < RUNNING_LIMIT; i++)
        TRY(deal_with_running(db, launcher, &found));
    return OK;
}

/* A date that is refused because another has to be run first waits while that one is being run:
 * ERR_BUSY. It changes nothing, since what is refused is rolled back. */
static enum err wait_for_earlier(struct db *db, struct launcher *launcher, const char *blocking)
{
    struct running running = {0};
    struct launcher look = {.request = launcher->request};
    enum err err = find_running(db, &look, &running);
    if (err == ERR_BUSY && strcmp(look.answer.running_date, blocking) == 0) {
        launcher->answer = look.answer;
        launcher->detail = (struct detail){0};
        return ERR_BUSY;
    }
    return err == ERR_NOT_FOUND || err == ERR_BUSY || err == ERR_REFUSED ? OK : err;
}

/* An automatic restart is launched only as long as nobody has called it off. */
static enum err check_restart(struct db *db, struct launcher *launcher)
{
    const struct provenance *why = &launcher->request->why;
    bool due = true;
    if (why->reason == FOR_RESTART || why->reason == FOR_RESUME)
        TRY(repository_restart_due(db, why->after_execution_id, &due));
    if (due) return OK;
    return detail_set(&launcher->detail, ERR_REFUSED,
                      "execution %lld is not started again any more: somebody called it off; "
                      "settlectl restart %lld starts it all the same",
                      (long long)why->after_execution_id, (long long)why->after_execution_id);
}

/* A date that was given up when there was nothing to do, and for which data came since: without it
 * no date after it could be run. */
static enum err needs_settling(struct db *db, struct launcher *launcher, bool *ret_needs)
{
    const struct job *job = launcher->request->job;
    struct date_facts facts = {0};
    if (job->facts != NULL) TRY(job->facts(db, launcher->request->date, &facts));
    *ret_needs = facts.has_data;
    return OK;
}

/* Spring Batch's rules for launching an instance again, but for a date that was given up too
 * soon. */
static enum err check_earlier(struct db *db, struct launcher *launcher)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    struct launch_answer *answer = &launcher->answer;
    bool row = false;
    TRY(db_query(db, &query, EARLIER_SQL, "i", answer->job_instance_id));
    TRY(statement_fetch(query, &row));
    answer->restarted = row;
    if (!row) return OK;
    int64_t id = statement_i64(query, 0);
    const char *status = statement_text(query, 1);
    if (strcmp(status, "COMPLETED") == 0) {
        answer->job_execution_id = id;
        return ERR_CLOSED;
    }
    const struct provenance *why = &launcher->request->why;
    int64_t after = why->after_execution_id;
    if (after == PROVENANCE_FIRST && strcmp(status, "ABANDONED") != 0) return ERR_BUSY;
    answer->overtaken = after > 0 && after != id;
    if (answer->overtaken)
        return detail_set(&launcher->detail, ERR_REFUSED,
                          "execution %lld of %s for %s is not the latest, that is %lld",
                          (long long)after, launcher->request->job->name, launcher->request->date,
                          (long long)id);
    if (strcmp(status, "FAILED") == 0 || strcmp(status, "STOPPED") == 0)
        return check_restart(db, launcher);
    if (strcmp(status, "ABANDONED") == 0) {
        TRY(needs_settling(db, launcher, &row));
        if (row) return OK;
    }
    return detail_set(&launcher->detail, ERR_REFUSED,
                      "execution %lld of %s for %s is %s and cannot be restarted", (long long)id,
                      launcher->request->job->name, launcher->request->date, status);
}

static enum err decide(struct db *db, void *context)
{
    struct launcher *launcher = context;
    const struct launch_request *request = launcher->request;
    struct launch_answer *answer = &launcher->answer;
    struct admission admission = {0};
    *answer = (struct launch_answer){0};
    launcher->detail = (struct detail){0};

    TRY(db_run(db, NULL, LOCK_JOB_SQL, "s", request->job->name));
    enum err err = request->job->admit(db, request->date, &admission, &launcher->detail);
    answer->job_execution_id = admission.job_execution_id;
    if (err == ERR_REFUSED && admission.blocking[0] != '\0')
        TRY(wait_for_earlier(db, launcher, admission.blocking));
    if (err != OK) return err;
    TRY(recover_dead(db, launcher));
    TRY(repository_instance(db, request->job->name, request->date, &answer->job_instance_id));
    TRY(check_earlier(db, launcher));
    TRY(repository_new_execution(db, answer->job_instance_id, request->date, request->node_id,
                                 &answer->job_execution_id));
    TRY(repository_set_provenance(db, answer->job_execution_id, answer->job_instance_id,
                                  &request->why));
    TRY(repository_restarts(db, answer->job_execution_id, &answer->restarts));
    return repository_began_at(db, answer->job_instance_id, answer->began_at);
}

static enum err only_recover(struct db *db, void *context)
{
    struct launcher *launcher = context;
    launcher->answer = (struct launch_answer){0};
    launcher->detail = (struct detail){0};
    TRY(db_run(db, NULL, LOCK_JOB_SQL, "s", launcher->request->job->name));
    return recover_dead(db, launcher);
}

static enum err launch_transaction(struct db *db, const struct launch_request *request,
                                   enum err (*body)(struct db *db, void *context),
                                   struct launch_answer *ret_answer, struct detail *detail)
{
    struct launcher launcher = {.request = request};
    enum err err = db_transact(db, LAUNCH_ATTEMPTS, body, &launcher);
    *ret_answer = launcher.answer;
    if (err == OK) return OK;
    if (launcher.detail.text[0] != '\0') {
        *detail = launcher.detail;
        return err;
    }
    return detail_set(detail, err, "cannot launch %s%s%s: %s%s%s", request->job->name,
                      request->date == NULL ? "" : " for ",
                      request->date == NULL ? "" : request->date, err_text(err),
                      err == ERR_BUSY ? "" : ": ", err == ERR_BUSY ? "" : db_message(db));
}

enum err launch(struct db *db, const struct launch_request *request,
                struct launch_answer *ret_answer, struct detail *detail)
{
    return launch_transaction(db, request, decide, ret_answer, detail);
}

enum err launch_recover(struct db *db, const struct launch_request *request,
                        struct launch_answer *ret_answer, struct detail *detail)
{
    return launch_transaction(db, request, only_recover, ret_answer, detail);
}
