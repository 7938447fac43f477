/* The rule of a time zone for the years after its table: the TZ text that stands at the end of a
 * zone file, in the form of POSIX with the extensions of RFC 9636 ("EST5EDT,M3.2.0,M11.1.0",
 * "<+0330>-3:30", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"). Pure and plain data. */
#ifndef COMMON_SCHEDULE_ZONE_RULE_H
#define COMMON_SCHEDULE_ZONE_RULE_H

#include "common/base.h"

/* Seconds before and after which nothing is known or asked: tens of thousands of millions of years,
 * so that adding an offset to one of them is safe. */
#define ZONE_BEGIN_S (-(INT64_C(1) << 60))
#define ZONE_END_S (INT64_C(1) << 60)

/* A stretch of time, seconds since 1970 UTC, in which local time is UTC plus `offset_s`: from
 * begin_s, before end_s. */
struct zone_span {
    int64_t begin_s, end_s;
    int32_t offset_s;
};

enum zone_day_kind {
    ZONE_DAY_WEEK,   /* Mm.w.d: the w-th weekday d (0 = Sunday) of month m; w = 5: the last */
    ZONE_DAY_JULIAN, /* Jn: 1 to 365, 29 February is never counted */
    ZONE_DAY_NUMBER  /* n: 0 to 365, it is */
};

struct zone_change {
    enum zone_day_kind kind;
    int month, week, day;
    int32_t time_s; /* of the local time before the change, from midnight; may leave the day */
};

struct zone_rule {
    int32_t standard_s, daylight_s; /* offsets, east is positive */
    bool has_daylight;
    struct zone_change begins, ends; /* of daylight time */
};

/* ERR_INVALID for anything that is no such text as a whole; *ret_rule is then untouched. */
enum err zone_rule_parse(const char *text, struct zone_rule *ret_rule) MUST_CHECK;

/* The stretch that an instant lies in, when the rule holds for all times. Years -9999 to 99999. */
struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t instant_s);

#endif
