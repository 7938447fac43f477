/* The checks of the step reconciliation, as a table: their names, and the SQL that measures them
 * over a range of contents. The SQL is written apart from the steps' own and from the other
 * direction: whole ranges, grouped by the server. */
#ifndef DAEMON_JOBS_RECONCILIATION_CHECKS_H
#define DAEMON_JOBS_RECONCILIATION_CHECKS_H

#include "common/base.h"

enum { CHECKS_IN_GROUP = 4 };

/* Checks that one statement measures together. It gives four columns for each check: the expected
 * sum, the actual sum, how many contents differ, and one of them. `parameters` says what is bound,
 * a letter each: d the day; a and u the range, b the key after a; w m y the first days of week,
 * month and year; W M Y all days of the week, all days of the month (31, the last one repeated),
 * the first days of the year's months. */
struct check_group {
    const char *names[CHECKS_IN_GROUP]; /* up to the first NULL */
    const char *sql;
    const char *parameters;
    /* Contents with late logs are left out, and late logs looked for when it fails. */
    bool against_logs;
};

extern const struct check_group reconciliation_groups[];
extern const int reconciliation_group_count;

#endif
