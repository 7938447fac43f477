/* Which times of a timetable are due, and what becomes of each. Nothing here asks a clock or a
 * database: what is known comes as arguments. Times are UTC since 1970; slots lie on whole seconds.
 * Any thread may call. */
#ifndef DAEMON_SCHEDULE_DUE_H
#define DAEMON_SCHEDULE_DUE_H

#include "common/config.h"
#include "common/domain/civil.h"
#include "common/timetable.h"

enum {
    DUE_LIMIT = 500,   /* slots that are decided at once */
    DUE_GRACE_S = 60,  /* a slot that is noticed later than this was missed */
    DUE_REASON = 2048, /* bytes; more characters than fit the column are never made */
    DUE_TIME = TIMETABLE_TEXT,
};

/* SLOT_OPEN: its days are to be settled. SLOT_HELD: the job is paused. SLOT_SKIPPED: nothing is
 * done for it. */
enum slot_status { SLOT_OPEN, SLOT_HELD, SLOT_SKIPPED };
const char *due_status_name(enum slot_status status);

/* The first slots after one time up to another, and the latest of all. */
struct due_list {
    int64_t slot_s[DUE_LIMIT];
    int count;
    bool more; /* than fit */
    int64_t latest_s;
};
void due_find(const struct timetable *timetable, int64_t after_us, int64_t until_us,
              struct due_list *ret_list);

/* What a decision goes by. */
struct due_question {
    const struct timetable *timetable; /* for words */
    int64_t now_us;
    /* The latest slot that is due, perhaps beyond the ones that are decided now. */
    int64_t latest_s;
    enum misfire_policy misfire;
    bool disabled;         /* since the slot became due */
    const char *paused_by; /* NULL: the job is not paused */
    const char *pause_reason;
};

/* Missed is what is noticed later than DUE_GRACE_S after its time, or when a later slot is due as
 * well. MISFIRE_ONCE opens the latest due slot, which stands for all of them; MISFIRE_SKIP opens
 * none but one that is on time. */
enum slot_status due_judge(const struct due_question *question, int64_t slot_s);
bool due_is_missed(const struct due_question *question, int64_t slot_s);

/* Why slots of this question get that status; empty for SLOT_OPEN. The same words for all of
 * them. */
void due_explain(const struct due_question *question, enum slot_status status,
                 char ret_reason[DUE_REASON]);

/* Business days, both included: up to `end`, from the day after the previous slot's end on, so that
 * no day lies between two slots; one day where there is no previous slot, or it ended there
 * already. */
struct due_interval {
    struct civil start, end;
};
struct due_interval due_interval(struct civil end, const struct civil *previous_end);

/* Seconds, rounded down also before 1970. */
int64_t due_seconds(int64_t time_us);
/* For people: as the clocks of the timetable's zone show it; UTC where there is no timetable. */
void due_time(const struct timetable *timetable, int64_t time_s, char ret_text[DUE_TIME]);

#endif
