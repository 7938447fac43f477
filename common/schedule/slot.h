/* Slots: the instants at which a cron expression is due in a time zone. Pure.
 *
 * An expression with a fixed time (no '*' in minute and hour) is due once for each of its times on
 * each calendar day that exists: at the first pass of a time that the clock shows twice, at the
 * first instant after a gap for all times in it. Any other follows elapsed time: it is due whenever
 * the clock shows one of its minutes, in both passes, and never in a gap. A day that the clock
 * skips as a whole has no slots. */
#ifndef COMMON_SCHEDULE_SLOT_H
#define COMMON_SCHEDULE_SLOT_H

#include "common/schedule/cron.h"
#include "common/schedule/zone.h"

/* The first slot after an instant (seconds since 1970 UTC, exclusive). False: there is none in the
 * next 50 years (the rarest date that exists is 40 years away), or before the year 10000. */
bool slot_next(const struct cron *cron, const struct zone *zone, int64_t after_s,
               int64_t *ret_slot_s);

#endif
