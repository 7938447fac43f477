/* A time zone: which offset from UTC holds when. Pure; where the table comes from is for
 * common/tzif to know. Local times are seconds since 1970-01-01 00:00 as the clock on the wall
 * shows them: UTC plus the offset. A zone never changes after zone_new, so any number of threads
 * may ask it. Instants are those of the years -9999 to 99999. */
#ifndef COMMON_SCHEDULE_ZONE_H
#define COMMON_SCHEDULE_ZONE_H

#include "common/schedule/zone_rule.h"

struct zone;

/* Offsets are less than this far from UTC, in both directions (RFC 9636). */
enum { ZONE_OFFSET_LIMIT_S = 26 * 3600 };

struct zone_transition {
    int64_t at_s;
    int32_t offset_s; /* from here on */
};

struct zone_table {
    int32_t first_offset_s; /* before the first transition */
    const struct zone_transition *transitions;
    size_t count;
    const char *rule; /* from the last transition on; empty: the last offset stays */
};

/* Copies the table. ERR_INVALID when transitions do not ascend, an offset is too large or the rule
 * is none; ERR_MEMORY. */
enum err zone_new(const struct zone_table *table, struct zone **ret_zone,
                  struct detail *detail) MUST_CHECK;
void zone_free(struct zone *zone); /* accepts NULL */
void zone_cleanup(struct zone **zone);

/* The stretch of constant offset that an instant lies in. Its neighbours may have the same
 * offset. */
struct zone_span zone_at(const struct zone *zone, int64_t instant_s);

/* The latest local time that the wall clock has shown up to an instant: its local time, or a later
 * one while a repeated hour runs for the second time. */
int64_t zone_reached(const struct zone *zone, int64_t instant_s);

/* When the wall clock first shows a local time or a later one: the first pass of a repeated hour,
 * the first instant after a gap. False when the clock skipped the whole calendar day of that time,
 * so that the day does not exist. */
bool zone_first_instant(const struct zone *zone, int64_t local_s, int64_t *ret_instant_s);

#endif
