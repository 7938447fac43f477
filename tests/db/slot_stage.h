/* A daemon's schedules on a scratch database, and a clock that stands where a test puts it.
 * Whatever goes wrong in here fails the test that is running. */
#ifndef TESTS_DB_SLOT_STAGE_H
#define TESTS_DB_SLOT_STAGE_H

#include "daemon/schedule/slots.h"
#include "tests/db/harness.h"

#define STAGE_US INT64_C(1000000)
#define STAGE_HOUR_US (3600 * STAGE_US)
#define STAGE_DAY_US (24 * STAGE_HOUR_US)

enum { STAGE_TEXT = 2048 };

struct slot_stage {
    struct harness *harness;
    struct db *db; /* the harness' own */
    struct slots *slots;
    int64_t now_us;
};

/* The instant of "2026-07-03 00:10:00", UTC. */
int64_t stage_time(const char *text);

/* A job named "job". */
struct slots_job stage_job(const char *cron, const char *zone, enum misfire_policy misfire);

struct slot_stage *slot_stage_new(const char *now);
void slot_stage_cleanup(struct slot_stage **stage);

/* A daemon's schedules with one job, its business zone the same as the job's. */
struct slots *stage_slots(const struct slots_job *job);
void stage_configure(struct slots *slots, const struct slots_job *job);

/* Ticks until nothing is left to do, at the stage's time; and after the time was set. */
void stage_tick(struct slot_stage *stage);
void stage_tick_at(struct slot_stage *stage, const char *now);

/* The job's slots as one text, "2026-07-03 00:10 OPEN; …", in their order; one column of them,
 * joined by "; "; and what a query gives as text. */
const char *stage_slots_text(struct slot_stage *stage);
const char *stage_column(struct slot_stage *stage, const char *column);
const char *stage_text(struct slot_stage *stage, const char *sql);

#endif
