/* Calendar dates, proleptic Gregorian, without time and zone. Years 1000 to 9999, which is what
 * MariaDB's DATE promises: civil_parse and civil_valid know no others. Arithmetic takes any date
 * whose month and day exist and may lead out of those years (the day after 9999-12-31 is
 * 10000-01-01), so that a loop over dates needs no special case at the end. Pure. */
#ifndef COMMON_DOMAIN_CIVIL_H
#define COMMON_DOMAIN_CIVIL_H

#include "common/base.h"

struct civil {
    int year, month, day;
};

enum { CIVIL_FIRST_YEAR = 1000, CIVIL_LAST_YEAR = 9999 };

enum { CIVIL_TEXT = 11 }; /* "YYYY-MM-DD" and its end */

/* Exactly "YYYY-MM-DD" of a date that exists; anything else is ERR_INVALID and leaves *ret_date
 * untouched. */
enum err civil_parse(const char *text, struct civil *ret_date) MUST_CHECK;
/* Years 0 to 9999 only, because five digits do not fit. */
void civil_format(struct civil date, char ret_text[CIVIL_TEXT]);

/* A date that exists, in the years 1000 to 9999. */
bool civil_valid(struct civil date);
bool civil_is_leap_year(int year);
int civil_days_in_month(int year, int month);

/* Days since 1970-01-01 (negative before), and back. */
int32_t civil_to_days(struct civil date);
struct civil civil_from_days(int32_t days);
struct civil civil_add_days(struct civil date, int32_t days);

/* -1, 0 or 1. */
int civil_compare(struct civil a, struct civil b);
/* 1 = Monday … 7 = Sunday (ISO 8601). */
int civil_weekday(struct civil date);
/* The ISO 8601 week and the year that it belongs to: 2027-01-01 is 2026-W53. */
void civil_iso_week(struct civil date, int *ret_year, int *ret_week);

#endif
