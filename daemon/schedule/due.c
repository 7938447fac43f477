#include "daemon/schedule/due.h"

enum { US_PER_S = 1000000, S_PER_DAY = 86400 };

const char *due_status_name(enum slot_status status)
{
    static const char *const names[] = {"OPEN", "HELD", "SKIPPED"};
    ASSERT((size_t)status < COUNT_OF(names));
    return names[status];
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t due_seconds(int64_t time_us)
{
    return floor_divide(time_us, US_PER_S);
}

void due_time(const struct timetable *timetable, int64_t time_s, char ret_text[DUE_TIME])
{
    if (timetable != NULL) {
        timetable_format(timetable, time_s, ret_text);
        return;
    }
    int64_t days = floor_divide(time_s, S_PER_DAY);
    int64_t second = time_s - days * S_PER_DAY;
    char date[CIVIL_TEXT];
    civil_format(civil_from_days((int32_t)days), date);
    bool fits = text_format(ret_text, DUE_TIME, "%s %02d:%02d:%02d UTC", date, (int)(second / 3600),
                            (int)(second / 60 % 60), (int)(second % 60));
    ASSERT(fits);
}

static bool next_up_to(const struct timetable *timetable, int64_t after_s, int64_t until_s,
                       int64_t *ret_slot_s)
{
    int64_t slot_s = 0;
    if (!timetable_next(timetable, after_s, &slot_s) || slot_s > until_s) return false;
    *ret_slot_s = slot_s;
    return true;
}

/* The latest slot, from a known one on. Looks back from the end in growing steps, and walks from
 * there: after years of minutes, walking all of them would take too long. */
static int64_t find_latest(const struct timetable *timetable, int64_t slot_s, int64_t until_s)
{
    int64_t latest_s = slot_s;
    for (int64_t back_s = 60; until_s - back_s > slot_s; back_s *= 2)
        if (next_up_to(timetable, until_s - back_s, until_s, &latest_s)) break;
    while (next_up_to(timetable, latest_s, until_s, &latest_s))
        continue;
    return latest_s;
}

void due_find(const struct timetable *timetable, int64_t after_us, int64_t until_us,
              struct due_list *ret_list)
{
    int64_t at_s = due_seconds(after_us), until_s = due_seconds(until_us);
    ret_list->count = 0;
    ret_list->more = false;
    ret_list->latest_s = 0;
    while (next_up_to(timetable, at_s, until_s, &at_s)) {
        if (ret_list->count == DUE_LIMIT) {
            ret_list->more = true;
            ret_list->latest_s = find_latest(timetable, ret_list->latest_s, until_s);
            return;
        }
        ret_list->slot_s[ret_list->count++] = ret_list->latest_s = at_s;
    }
}

bool due_is_missed(const struct due_question *question, int64_t slot_s)
{
    return slot_s < question->latest_s || question->now_us > (slot_s + DUE_GRACE_S) * US_PER_S;
}

enum slot_status due_judge(const struct due_question *question, int64_t slot_s)
{
    ASSERT(slot_s <= question->latest_s);
    if (question->disabled) return SLOT_SKIPPED;
    if (question->paused_by != NULL) return SLOT_HELD;
    if (question->misfire == MISFIRE_ONCE)
        return slot_s == question->latest_s ? SLOT_OPEN : SLOT_SKIPPED;
    return due_is_missed(question, slot_s) ? SLOT_SKIPPED : SLOT_OPEN;
}

static void explain_skipped(const struct due_question *question, char ret_reason[DUE_REASON])
{
    char now[DUE_TIME], latest[DUE_TIME];
    due_time(question->timetable, due_seconds(question->now_us), now);
    due_time(question->timetable, question->latest_s, latest);
    if (question->disabled)
        (void)text_format(ret_reason, DUE_REASON,
                          "missed, noticed at %s; the job is disabled (enabled = false)", now);
    else if (question->misfire == MISFIRE_ONCE)
        (void)text_format(ret_reason, DUE_REASON,
                          "missed, noticed at %s; covered by the slot of %s", now, latest);
    else
        (void)text_format(ret_reason, DUE_REASON,
                          "missed, noticed at %s; misfire = skip: waits for the next slot", now);
}

void due_explain(const struct due_question *question, enum slot_status status,
                 char ret_reason[DUE_REASON])
{
    ret_reason[0] = '\0';
    if (status == SLOT_SKIPPED) explain_skipped(question, ret_reason);
    if (status != SLOT_HELD) return;
    bool words = question->pause_reason != NULL && question->pause_reason[0] != '\0';
    (void)text_format(ret_reason, DUE_REASON, "the job is paused by %s%s%s", question->paused_by,
                      words ? ": " : "", words ? question->pause_reason : "");
}

struct due_interval due_interval(struct civil end, const struct civil *previous_end)
{
    struct due_interval interval = {end, end};
    if (previous_end == NULL) return interval;
    struct civil start = civil_add_days(*previous_end, 1);
    if (civil_compare(start, end) < 0) interval.start = start;
    return interval;
}
