/* Cron expressions: from text to sets of minutes, hours and days, and the local times that match.
 * Pure: local times are seconds since 1970-01-01 00:00 of a clock that is never put forward or
 * back; what a time zone makes of them is for slot.h to say. A struct cron is plain data: it is
 * copied by value and frees nothing.
 *
 * The grammar is that of docs/configuration.md: five fields with lists, ranges, steps and names, L,
 * L-3, 15W and LW among the days of the month, MON#2 and FRIL among the weekdays, and words such as
 * @daily. */
#ifndef COMMON_SCHEDULE_CRON_H
#define COMMON_SCHEDULE_CRON_H

#include "common/base.h"
#include "common/domain/civil.h"

struct cron {
    uint64_t minutes;          /* bit n: minute n */
    uint32_t hours;            /* bit n: hour n */
    uint32_t days;             /* bit n: the n-th of the month */
    uint32_t days_before_last; /* bit n: n days before the last of the month; L is bit 0 */
    uint32_t near_days;        /* bit n: the weekday, Monday to Friday, nearest to the n-th */
    bool near_last;            /* LW: the last day of the month that is Monday to Friday */
    uint16_t months;           /* bit n: month n */
    uint8_t weekdays;          /* bit 0: Sunday */
    uint8_t nth_weekdays[7];   /* from Sunday; bit n: the n-th in the month; bit 0: the last */
    bool any_day, any_weekday; /* the field begins with '*', as cron understands it */
    bool fixed_time;           /* neither minute nor hour holds a '*' */
};

/* Reads an expression. ERR_INVALID for what is not understood and for what no date can ever match;
 * `detail` then says which field is wrong and what to write, as the end of a sentence: "hour \"25\"
 * is out of range; write …". */
enum err cron_parse(const char *text, struct cron *ret_cron, struct detail *detail) MUST_CHECK;

/* Whether a date is one of the expression's. When day of month and weekday are both restricted,
 * either will do; a field that begins with '*' restricts nothing by itself and both must match
 * (cron's rule, see cronie's crontab(5)). */
bool cron_matches_date(const struct cron *cron, struct civil date);

/* Day of month and weekday are both restricted, so that either will do. */
bool cron_both_days(const struct cron *cron);

/* The first local time that matches in [from_s, until_s); false: there is none. Days are skipped as
 * a whole. */
bool cron_next(const struct cron *cron, int64_t from_s, int64_t until_s, int64_t *ret_local_s);

#endif
