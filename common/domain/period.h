/* The periods of statistics: day, ISO week (Monday), month, year. Each is named by its first day.
 * The calendar has the years 1000 to 9999: its very first week begins on Wednesday 1000-01-01, its
 * very last ends on Friday 9999-12-31, so that every day of a period of a valid date is a valid
 * date too. Pure. */
#ifndef COMMON_DOMAIN_PERIOD_H
#define COMMON_DOMAIN_PERIOD_H

#include "common/domain/civil.h"

enum period { PERIOD_DAILY, PERIOD_WEEKLY, PERIOD_MONTHLY, PERIOD_YEARLY, PERIOD_COUNT };

/* The SQL word ("DAILY") and its parser, which takes the words of the command line too ("daily",
 * any case). Anything else is ERR_INVALID and leaves *ret_period untouched. */
const char *period_name(enum period period);
enum err period_parse(const char *text, enum period *ret_period) MUST_CHECK;

/* The first and the last day of the period that `date`, a valid one, lies in. */
struct civil period_first(enum period period, struct civil date);
struct civil period_last(enum period period, struct civil date);

#endif
