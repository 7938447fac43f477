/* One job's turn: its schedule written or taken over, what is due decided. It owns nothing; one
 * thread. For slots.c. */
#ifndef DAEMON_SCHEDULE_SLOTS_TURN_H
#define DAEMON_SCHEDULE_SLOTS_TURN_H

#include "daemon/schedule/slot_rows.h"
#include "daemon/schedule/slots.h"

/* Two schedules may be known for a job: ours, as configured, and the row's. The row's is in force.
 * They differ until ours was announced, that is, written over the row's; and afterwards when
 * another daemon was configured later than we were. */
struct slots_entry {
    struct slots_job job;
    struct timetable *ours;
    bool announced;
    struct timetable *theirs; /* NULL while it is not needed, or when it can't be made here */
    char theirs_cron[4 * 128 + 1], theirs_zone[4 * 64 + 1]; /* what it was made of */
    int64_t next_us; /* the slot after decided_until; INT64_MAX: none */
    int skipped;     /* in the turns before, while there were more than fit into one */
};

/* What the turns of all jobs share: who decides, and room for it. */
struct slots_desk {
    char node_id[37];
    char business_zone[64];
    struct due_list due;
    struct slot_batch batch;
};

struct slots_turn {
    struct slots_desk *desk;
    struct slots_entry *entry;
    struct slot_schedule *schedule;
    struct db *db;
    int64_t now_us;
};

enum err slots_make_timetable(const char *business_zone, const char *cron, const char *zone,
                              struct timetable **ret_timetable, struct detail *detail) MUST_CHECK;

/* After the row was read: which timetable it means, and the next slot. */
void slots_refresh(const struct slots_turn *turn);

/* *ret_more is set when there is more to do at once, and left alone otherwise. ERR_BUSY: the row is
 * not as it was read. */
enum err slots_take_turn(const struct slots_turn *turn, bool *ret_more) MUST_CHECK;

#endif
