#include "common/schedule/slot.h"

/* In seconds; years of 366 days. */
#define HORIZON_S (INT64_C(50) * 366 * 86400)

/* 1000-01-02 and 9999-12-31, UTC: inside of the calendar of common/domain and of the database in
 * every zone. */
#define FIRST_S INT64_C(-30610137600)
#define END_S INT64_C(253402214400)

/* The clock is seen as one that only goes forward: it rests while an hour is repeated and jumps
 * over a gap, so that each of its times comes up once. */
static bool next_fixed(const struct cron *cron, const struct zone *zone, int64_t after_s,
                       int64_t *ret_slot_s)
{
    int64_t reached_s = zone_reached(zone, after_s), local_s;
    int64_t until_s = reached_s + HORIZON_S;
    for (int64_t from_s = reached_s + 1; cron_next(cron, from_s, until_s, &local_s);
         from_s = local_s + 1) {
        if (zone_first_instant(zone, local_s, ret_slot_s)) return true;
    }
    return false;
}

/* Stretch by stretch of constant offset, in which local and real time run alike. */
static bool next_elapsed(const struct cron *cron, const struct zone *zone, int64_t after_s,
                         int64_t *ret_slot_s)
{
    int64_t until_s = after_s + HORIZON_S, local_s;
    for (int64_t from_s = after_s + 1; from_s < until_s;) {
        struct zone_span span = zone_at(zone, from_s);
        int64_t end_s = min_i64(span.end_s, until_s);
        if (cron_next(cron, from_s + span.offset_s, end_s + span.offset_s, &local_s)) {
            *ret_slot_s = local_s - span.offset_s;
            return true;
        }
        from_s = end_s;
    }
    return false;
}

bool slot_next(const struct cron *cron, const struct zone *zone, int64_t after_s,
               int64_t *ret_slot_s)
{
    int64_t slot_s;
    if (after_s >= END_S) return false;
    if (after_s < FIRST_S) after_s = FIRST_S;
    bool found = cron->fixed_time ? next_fixed(cron, zone, after_s, &slot_s)
                                  : next_elapsed(cron, zone, after_s, &slot_s);
    if (!found || slot_s >= END_S) return false;
    *ret_slot_s = slot_s;
    return true;
}
