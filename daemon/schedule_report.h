/* What --check-config says about the jobs of a configuration and about the housekeeping: when each
 * is due next, so that whoever wrote a cron expression sees what it means, and a warning about what
 * is valid but often not meant. */
#ifndef DAEMON_SCHEDULE_REPORT_H
#define DAEMON_SCHEDULE_REPORT_H

#include <stdio.h>

#include "common/config.h"

/* Prints for each of them the next slots after `now_s` (since 1970 UTC) to `out`, warnings to
 * `err`. Fails, in words, when a zone cannot be read. */
enum err schedule_report(const struct config *config, int64_t now_s, FILE *out, FILE *err,
                         struct detail *detail) MUST_CHECK;

#endif
