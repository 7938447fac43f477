#include "daemon/schedule/slots_turn.h"

#include <string.h>

#include "common/db/transaction.h"
#include "common/log.h"

#define US_PER_S INT64_C(1000000)
/* So far ahead of the clock a schedule may be decided; what is beyond was decided by a clock that
 * was wrong. */
#define AHEAD_LIMIT_US (US_PER_S * 24 * 3600)

enum { ATTEMPTS = 5, SCHEDULE_TEXT = 1024, SENTENCE = 3072 };

enum err slots_make_timetable(const char *business_zone, const char *cron, const char *zone,
                              struct timetable **ret_timetable, struct detail *detail)
{
    const struct timetable_options options = {.cron = cron,
                                              .zone = zone,
                                              .business_zone = business_zone};
    return timetable_new(&options, ret_timetable, detail);
}

static bool same_times(const struct slot_schedule *schedule, const struct slots_job *job)
{
    return strcmp(schedule->cron, job->cron) == 0 && strcmp(schedule->zone, job->zone) == 0;
}

static bool same_policy(const struct slot_schedule *schedule, const struct slots_job *job)
{
    return schedule->misfire == job->misfire && schedule->catchup_max == job->catchup_max;
}

static struct slot_schedule as_configured(const struct slots_entry *entry,
                                          const struct slot_schedule *schedule)
{
    struct slot_schedule ours = *schedule;
    (void)text_format(ours.cron, sizeof(ours.cron), "%s", entry->job.cron);
    (void)text_format(ours.zone, sizeof(ours.zone), "%s", entry->job.zone);
    ours.misfire = entry->job.misfire;
    ours.catchup_max = entry->job.catchup_max;
    ours.enabled = entry->job.enabled;
    return ours;
}

static void describe(const struct slot_schedule *schedule, char ret_text[SCHEDULE_TEXT])
{
    (void)text_format(ret_text, SCHEDULE_TEXT, "\"%s\" in %s, misfire = %s, catchup_max = %d%s",
                      schedule->cron, schedule->zone,
                      schedule->misfire == MISFIRE_SKIP ? "skip" : "once", schedule->catchup_max,
                      schedule->enabled ? "" : ", disabled");
}

/* Makes the timetable of the row, and says once what that means. */
static void read_theirs(const struct slots_turn *turn)
{
    struct slots_entry *entry = turn->entry;
    const struct slot_schedule *schedule = turn->schedule;
    struct detail why = {{0}};
    char text[SCHEDULE_TEXT];
    if (strcmp(entry->theirs_cron, schedule->cron) == 0 &&
        strcmp(entry->theirs_zone, schedule->zone) == 0)
        return;
    timetable_cleanup(&entry->theirs);
    (void)text_format(entry->theirs_cron, sizeof(entry->theirs_cron), "%s", schedule->cron);
    (void)text_format(entry->theirs_zone, sizeof(entry->theirs_zone), "%s", schedule->zone);
    enum err err = slots_make_timetable(turn->desk->business_zone, schedule->cron, schedule->zone,
                                        &entry->theirs, &why);
    describe(schedule, text);
    if (err != OK)
        log_event(LOG_LEVEL_WARN, "schedule-not-understood",
                  entry->announced
                      ? "another daemon has set a schedule that this one can't read: it "
                        "decides no slots of this job"
                      : "nothing is decided under the former schedule: it can't be "
                        "read any more",
                  "job", entry->job.name, "schedule", text, "error", why.text, NULL);
    else if (entry->announced)
        log_event(LOG_LEVEL_WARN, "schedule-followed",
                  "another daemon was configured later, and differently: its schedule is in force",
                  "job", entry->job.name, "schedule", text, NULL);
}

/* NULL where it can't be read here. */
static const struct timetable *in_force(const struct slots_entry *entry,
                                        const struct slot_schedule *schedule)
{
    return same_times(schedule, &entry->job) ? entry->ours : entry->theirs;
}

static int64_t next_after(const struct timetable *timetable, int64_t after_us)
{
    int64_t slot_s = 0;
    if (timetable == NULL || !timetable_next(timetable, due_seconds(after_us), &slot_s))
        return INT64_MAX;
    return slot_s * US_PER_S;
}

void slots_refresh(const struct slots_turn *turn)
{
    struct slots_entry *entry = turn->entry;
    const struct slot_schedule *schedule = turn->schedule;
    entry->next_us = INT64_MAX;
    if (!schedule->known) return;
    if (!same_times(schedule, &entry->job)) read_theirs(turn);
    entry->next_us = next_after(in_force(entry, schedule), schedule->decided_until_us);
}

/* ---- writing ---- */

struct change {
    const struct slots_turn *turn;
    const struct slot_schedule *after;
    const struct slot_note *note;
    const struct slot_batch *batch; /* NULL: no slots */
    bool remove_ahead;
    int64_t removed;
};

static enum err change_body(struct db *db, void *context)
{
    struct change *change = context;
    const struct slots_turn *turn = change->turn;
    const char *job = turn->schedule->job;
    TRY(slot_rows_change(db, turn->schedule, change->after, change->note));
    if (change->remove_ahead)
        TRY(slot_rows_remove_ahead(db, job, turn->now_us + AHEAD_LIMIT_US, &change->removed));
    if (change->batch == NULL) return OK;
    return slot_rows_write(db, job, turn->desk->node_id, turn->now_us, change->batch);
}

/* All of it or nothing; memory follows what was committed. */
static enum err carry_out(struct change *change)
{
    const struct slots_turn *turn = change->turn;
    TRY(db_transact(turn->db, ATTEMPTS, change_body, change));
    *turn->schedule = *change->after;
    slots_refresh(turn);
    return OK;
}

static int64_t shown_next(const struct slot_schedule *schedule, const struct timetable *timetable)
{
    return schedule->enabled ? next_after(timetable, schedule->decided_until_us) : INT64_MAX;
}

static void name_time(const struct timetable *timetable, int64_t time_us, char ret_text[DUE_TIME])
{
    if (time_us == INT64_MAX)
        (void)text_format(ret_text, DUE_TIME, "none");
    else
        due_time(timetable, due_seconds(time_us), ret_text);
}

static enum err begin(const struct slots_turn *turn)
{
    struct slot_schedule schedule = as_configured(turn->entry, turn->schedule);
    char text[SCHEDULE_TEXT], next[DUE_TIME], sentence[SENTENCE];
    schedule.known = true;
    schedule.decided_until_us = turn->now_us;
    schedule.paused = false;
    struct slot_note note = {turn->now_us, shown_next(&schedule, turn->entry->ours), sentence};
    describe(&schedule, text);
    name_time(turn->entry->ours, note.next_slot_us, next);
    (void)text_format(sentence, sizeof(sentence), "new schedule: %s; the first slot: %s", text,
                      next);
    TRY(slot_rows_begin(turn->db, &schedule, &note));
    *turn->schedule = schedule;
    turn->entry->announced = true;
    slots_refresh(turn);
    log_event(LOG_LEVEL_INFO, "schedule-new", "slots of this job count from now", "job",
              schedule.job, "schedule", text, "next", next, NULL);
    return OK;
}

/* Ours takes the place of the row's. What was due under the row's is decided by now. */
static enum err announce(const struct slots_turn *turn)
{
    const struct slots_job *job = &turn->entry->job;
    struct slot_schedule schedule = as_configured(turn->entry, turn->schedule);
    bool other_times = !same_times(turn->schedule, job) || turn->schedule->enabled != job->enabled;
    char before[SCHEDULE_TEXT], text[SCHEDULE_TEXT], next[DUE_TIME], sentence[SENTENCE];
    if (!other_times && same_policy(turn->schedule, job)) {
        turn->entry->announced = true;
        return OK;
    }
    if (other_times) schedule.decided_until_us = turn->now_us;
    struct slot_note note = {turn->now_us, shown_next(&schedule, turn->entry->ours), sentence};
    describe(turn->schedule, before);
    describe(&schedule, text);
    name_time(turn->entry->ours, note.next_slot_us, next);
    (void)text_format(sentence, sizeof(sentence),
                      "the schedule was changed to %s (before: %s); the next slot: %s", text,
                      before, next);
    struct change change = {.turn = turn, .after = &schedule, .note = &note};
    TRY(carry_out(&change));
    turn->entry->announced = true;
    turn->entry->theirs_cron[0] = '\0'; /* when it comes back, that is news */
    log_event(LOG_LEVEL_INFO, "schedule-changed", "the schedule of this job was changed", "job",
              schedule.job, "schedule", text, "before", before, "next", next, NULL);
    return OK;
}

/* The clock was set back by so much that waiting for it would stop the job. Slots that a wrong
 * clock decided are taken back where nothing can have been done for them yet, and count again. */
static enum err bring_back(const struct slots_turn *turn)
{
    struct slot_schedule schedule = *turn->schedule;
    const struct timetable *timetable = in_force(turn->entry, turn->schedule);
    char until[DUE_TIME], now[DUE_TIME], sentence[SENTENCE];
    int64_t first_us = 0;
    TRY(slot_rows_ahead(turn->db, schedule.job, turn->now_us + AHEAD_LIMIT_US, &first_us));
    schedule.decided_until_us = min_i64(turn->now_us, first_us - 1);
    struct slot_note note = {turn->now_us, shown_next(&schedule, timetable), sentence};
    name_time(timetable, turn->schedule->decided_until_us, until);
    name_time(timetable, turn->now_us, now);
    (void)text_format(sentence, sizeof(sentence),
                      "the clock was set back: slots had been decided up to %s, and it is %s",
                      until, now);
    struct change change = {.turn = turn, .after = &schedule, .note = &note, .remove_ahead = true};
    TRY(carry_out(&change));
    log_event(LOG_LEVEL_WARN, "clock-stepped-back",
              "slots had been decided far ahead of the clock; they are taken back", "job",
              schedule.job, "decided_until", until, "now", now, "slots", LOG_INT(change.removed),
              NULL);
    return OK;
}

/* ---- deciding ---- */

/* Walks over the slots that are due and over those that have rows, both ascending: a slot with a
 * row is decided, and the row before a slot says where its interval begins. */
static enum err fill_batch(const struct slots_turn *turn, const struct due_question *question,
                           int64_t until_us)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    const struct timetable *timetable = in_force(turn->entry, turn->schedule);
    const struct due_list *due = &turn->desk->due;
    struct slot_batch *batch = &turn->desk->batch;
    struct civil end = {0}, row_end = {0};
    int64_t row_us = 0;
    bool row = false, previous = false;
    memset(batch->counts, 0, sizeof(batch->counts));
    batch->count = 0;
    for (int status = SLOT_OPEN; status <= SLOT_SKIPPED; status++)
        due_explain(question, (enum slot_status)status, batch->reasons[status]);
    if (due->count == 0) return OK;
    TRY(slot_rows_between(turn->db, turn->schedule->job, turn->schedule->decided_until_us, until_us,
                          &rows));
    TRY(slot_rows_next(rows, &row, &row_us, &row_end));
    for (int i = 0; i < due->count; i++) {
        int64_t slot_s = due->slot_s[i];
        while (row && row_us < slot_s * US_PER_S) {
            previous = true;
            end = row_end;
            TRY(slot_rows_next(rows, &row, &row_us, &row_end));
        }
        if (row && row_us == slot_s * US_PER_S) continue;
        struct due_interval interval =
            due_interval(timetable_day_before(timetable, slot_s), previous ? &end : NULL);
        slot_rows_add(batch, slot_s, interval, due_judge(question, slot_s));
        previous = true;
        end = interval.end;
    }
    return OK;
}

/* What to say about a batch, and how loudly. */
struct account {
    const char *event;
    enum log_level level;
    char sentence[SENTENCE];
    int missed; /* before the last one */
};

static void say_opened(const struct slot_batch *batch, const struct due_question *question,
                       const char *at, struct account *account)
{
    const char *until = batch->end[batch->count - 1];
    int missed = account->missed;
    if (due_is_missed(question, question->latest_s)) {
        (void)text_format(account->sentence, SENTENCE,
                          "%d slot%s missed; the one of %s stands for all, up to the day %s",
                          missed + 1, missed == 0 ? " was" : "s were", at, until);
    } else if (missed > 0) {
        (void)text_format(account->sentence, SENTENCE,
                          "%d slot%s missed; the next one, of %s, is due, up to the day %s", missed,
                          missed == 1 ? " was" : "s were", at, until);
    } else {
        account->event = "slot-due";
        account->level = LOG_LEVEL_INFO;
        (void)text_format(account->sentence, SENTENCE, "the slot of %s is due, up to the day %s",
                          at, until);
    }
}

/* The last one of a batch says it for all. */
static void account_for(const struct slot_batch *batch, const struct due_question *question,
                        int skipped_before, struct account *ret_account)
{
    enum slot_status status = batch->status[batch->count - 1];
    int count = batch->counts[status];
    char at[DUE_TIME];
    due_time(question->timetable, batch->last_s, at);
    *ret_account = (struct account){.event = "slot-missed", .level = LOG_LEVEL_WARN};
    ret_account->missed = skipped_before + batch->counts[SLOT_SKIPPED];
    if (status == SLOT_OPEN) {
        say_opened(batch, question, at, ret_account);
        return;
    }
    if (status == SLOT_HELD) {
        ret_account->event = "slot-held";
        ret_account->level = LOG_LEVEL_INFO;
    }
    (void)text_format(ret_account->sentence, SENTENCE, "%d slot%s %s, up to that of %s: %s", count,
                      count == 1 ? "" : "s", status == SLOT_HELD ? "held" : "skipped", at,
                      batch->reasons[status]);
}

static struct due_question ask(const struct slots_turn *turn)
{
    const struct slots_entry *entry = turn->entry;
    const struct slot_schedule *schedule = turn->schedule;
    return (struct due_question){
        .timetable = in_force(entry, schedule),
        .now_us = turn->now_us,
        .latest_s = turn->desk->due.latest_s,
        /* What is configured counts at once; what it was when the slot became due is not known. */
        .misfire = entry->announced ? schedule->misfire : entry->job.misfire,
        .disabled = !entry->announced && !entry->job.enabled,
        .paused_by = schedule->paused ? schedule->paused_by : NULL,
        .pause_reason = schedule->pause_reason,
    };
}

/* Decides the first slots that are due; *ret_more when there are others. A disabled schedule has
 * none, and moves along. */
static enum err decide(const struct slots_turn *turn, bool *ret_more)
{
    struct due_list *due = &turn->desk->due;
    struct slot_batch *batch = &turn->desk->batch;
    struct slot_schedule schedule = *turn->schedule;
    const struct timetable *timetable = in_force(turn->entry, turn->schedule);
    struct account account = {0};
    due->count = 0;
    due->more = false;
    if (schedule.enabled) due_find(timetable, schedule.decided_until_us, turn->now_us, due);
    schedule.decided_until_us = due->more ? due->slot_s[due->count - 1] * US_PER_S : turn->now_us;
    const struct due_question question = ask(turn);
    TRY(fill_batch(turn, &question, schedule.decided_until_us));
    if (batch->count > 0) account_for(batch, &question, turn->entry->skipped, &account);
    const struct slot_note note = {turn->now_us, shown_next(&schedule, timetable),
                                   batch->count > 0 ? account.sentence : NULL};
    struct change change = {.turn = turn, .after = &schedule, .note = &note, .batch = batch};
    TRY(carry_out(&change));
    *ret_more = due->more;
    turn->entry->skipped = due->more ? turn->entry->skipped + batch->counts[SLOT_SKIPPED] : 0;
    if (batch->count > 0)
        log_event(account.level, account.event, account.sentence, "job", schedule.job, NULL);
    return OK;
}

enum err slots_take_turn(const struct slots_turn *turn, bool *ret_more)
{
    struct slots_entry *entry = turn->entry;
    bool more = false;
    if (!turn->schedule->known) return begin(turn);
    if (turn->schedule->decided_until_us - turn->now_us > AHEAD_LIMIT_US) TRY(bring_back(turn));
    if (entry->next_us <= turn->now_us) TRY(decide(turn, &more));
    if (more) *ret_more = true;
    return more || entry->announced ? OK : announce(turn);
}
