#include "daemon/schedule/slots.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/schedule/slots_turn.h"

/* Other daemons decide slots too, and people pause jobs: the rows are read again so often. */
#define READ_AGAIN_US INT64_C(10000000)

struct slots {
    struct slots_desk desk;
    struct slots_entry *entries;
    struct slot_schedule *schedules; /* the rows, in the order of entries */
    int count;
    bool stale; /* the rows are to be read before anything is done */
    int64_t read_at_us;
};

enum err slots_new(const char *node_id, struct slots **ret_slots)
{
    struct slots *slots = calloc(1, sizeof(*slots));
    if (slots == NULL) return ERR_MEMORY;
    bool fits = text_format(slots->desk.node_id, sizeof(slots->desk.node_id), "%s", node_id);
    ASSERT(fits);
    slots->stale = true;
    *ret_slots = slots;
    return OK;
}

static void free_entries(struct slots_entry *entries, int count)
{
    for (int i = 0; i < count && entries != NULL; i++) {
        timetable_free(entries[i].ours);
        timetable_free(entries[i].theirs);
    }
    free(entries);
}

void slots_free(struct slots *slots)
{
    if (slots == NULL) return;
    free_entries(slots->entries, slots->count);
    free(slots->schedules);
    free(slots);
}

void slots_cleanup(struct slots **slots)
{
    slots_free(*slots);
    *slots = NULL;
}

void slots_forget(struct slots *slots)
{
    slots->stale = true;
}

static enum err fill_entry(struct slots_entry *entry, const char *business_zone,
                           const struct slots_job *job, struct detail *detail)
{
    struct detail why = {{0}};
    ASSERT(job->zone[0] != '\0');
    entry->job = *job;
    entry->next_us = INT64_MAX;
    enum err err = slots_make_timetable(business_zone, job->cron, job->zone, &entry->ours, &why);
    if (err == OK || err == ERR_MEMORY) return err;
    return detail_set(detail, ERR_INVALID, "the schedule of the job %s: %s", job->name,
                      why.text[0] != '\0' ? why.text : err_text(err));
}

static enum err check_names(const struct slots_job *jobs, int count, struct detail *detail)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            if (strcasecmp(jobs[i].name, jobs[j].name) == 0)
                return detail_set(detail, ERR_INVALID,
                                  "the job %s has two schedules; leave one of them", jobs[i].name);
    return OK;
}

enum err slots_configure(struct slots *slots, const char *business_zone,
                         const struct slots_job *jobs, int count, struct detail *detail)
{
    TRY(check_names(jobs, count, detail));
    size_t places = count > 0 ? (size_t)count : 1;
    struct slots_entry *entries = calloc(places, sizeof(*entries));
    struct slot_schedule *schedules = calloc(places, sizeof(*schedules));
    enum err err = entries != NULL && schedules != NULL ? OK : ERR_MEMORY;
    for (int i = 0; i < count && err == OK; i++) {
        err = fill_entry(&entries[i], business_zone, &jobs[i], detail);
        if (err == OK)
            (void)text_format(schedules[i].job, sizeof(schedules[i].job), "%s", jobs[i].name);
    }
    if (err != OK) {
        free_entries(entries, count);
        free(schedules);
        return err;
    }
    free_entries(slots->entries, slots->count);
    free(slots->schedules);
    slots->entries = entries;
    slots->schedules = schedules;
    slots->count = count;
    slots->stale = true;
    (void)text_format(slots->desk.business_zone, sizeof(slots->desk.business_zone), "%s",
                      business_zone);
    return OK;
}

static struct slots_turn turn_of(struct slots *slots, int index, struct db *db, int64_t now_us)
{
    return (struct slots_turn){&slots->desk, &slots->entries[index], &slots->schedules[index], db,
                               now_us};
}

static enum err read_rows(struct slots *slots, struct db *db, int64_t now_us)
{
    bool recent = now_us >= slots->read_at_us && now_us - slots->read_at_us < READ_AGAIN_US;
    if (slots->count == 0 || (!slots->stale && recent)) return OK;
    slots->stale = true;
    TRY(slot_rows_read(db, slots->schedules, slots->count));
    for (int i = 0; i < slots->count; i++) {
        const struct slots_turn turn = turn_of(slots, i, db, now_us);
        slots_refresh(&turn);
    }
    slots->stale = false;
    slots->read_at_us = now_us;
    return OK;
}

static enum err explain(struct db *db, const char *what, enum err err, struct detail *detail)
{
    const char *message = db_message(db);
    return detail_set(detail, err, "%s: %s%s%s", what, err_text(err),
                      message[0] != '\0' ? ": " : "", message);
}

enum err slots_tick(struct slots *slots, struct db *db, int64_t now_us, bool *ret_more,
                    struct detail *detail)
{
    enum err first = OK;
    bool more = false;
    enum err err = read_rows(slots, db, now_us);
    if (err != OK) return explain(db, "reading the schedules", err, detail);
    for (int i = 0; i < slots->count && err_class(first) != CLASS_CONNECTION; i++) {
        const struct slots_turn turn = turn_of(slots, i, db, now_us);
        err = slots_take_turn(&turn, &more);
        if (err == OK) continue;
        slots->stale = true;
        if (err == ERR_BUSY)
            more = true; /* another daemon was quicker: see what it did */
        else if (first == OK || err_class(err) == CLASS_CONNECTION)
            first = explain(db, turn.schedule->job, err, detail);
    }
    if (first == OK) *ret_more = more;
    return first;
}

int64_t slots_next_us(const struct slots *slots)
{
    if (slots->count == 0) return INT64_MAX;
    if (slots->stale) return 0;
    int64_t next_us = slots->read_at_us + READ_AGAIN_US;
    for (int i = 0; i < slots->count; i++)
        next_us = min_i64(next_us, slots->entries[i].next_us);
    return next_us;
}
