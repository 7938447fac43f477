#include <string.h>

#include "daemon/engine/history.h"
#include "daemon/schedule/slots.h"
#include "daemon/work_parts.h"

static const char PAUSED_SQL[] =
    "SELECT paused_at IS NOT NULL OR NOT enabled FROM job_schedule WHERE job_name = ?";
static const char SLOT_AT_SQL[] =
    "SELECT CAST(MAX(slot_at) AS CHAR) FROM schedule_slot WHERE status = 'OPEN' AND job_name = ?";

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
    work_look_again_in(work, past->restart_due ? SOON_MS : BLOCKED_MS);
    work_set_state(work, reason);
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

enum err work_start_slot(struct work *work, const struct work_context *context)
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
    if (err == OK && status_is_running(past.status)) return work_wait_for_rival(work);
    if (err == OK && past.status != STATUS_ABANDONED) return wait_for_person(work, context, &past);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    struct conductor_order order = {.job = work->job,
                                    .reason = FOR_SLOT,
                                    .after_execution_id = PROVENANCE_FIRST};
    memcpy(order.date, days.first, sizeof(order.date));
    TRY(latest_slot(work, context, order.slot_at));
    TRY(announce(work, context, &days));
    return work_start(work, context, &order);
}

enum err work_is_paused(const struct work *work, const struct work_context *context,
                        bool *ret_paused)
{
    int64_t paused = 0;
    enum err err = db_query_i64(context->db, &paused, 0, PAUSED_SQL, "s", work->job->name);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    *ret_paused = paused != 0;
    return OK;
}
