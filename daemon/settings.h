/* The configuration of a daemon while it runs: read at start, read again on SIGHUP. A new one is
 * taken over whole or not at all. What cannot change while the daemon runs (which database it works
 * on, the business zone, its lease, its state directory) keeps its old values until a restart, and
 * the log says so. One thread. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdio.h>

#include "common/config.h"
#include "daemon/schedule/slots.h"

/* Reads the file that `current` came from and merges what may change into *ret_next. ERR_CONFIG
 * with words when the file cannot be used; then nothing is changed. */
enum err settings_read_again(const struct config *current, struct config *ret_next,
                             struct detail *detail) MUST_CHECK;

/* Hands the configured schedules over to `slots`: those of the jobs that exist, and the
 * housekeeping's. Nothing is changed when one of them is not valid. */
enum err settings_schedule(const struct config *config, struct slots *slots,
                           struct detail *detail) MUST_CHECK;

/* Says which names of jobs nothing here goes by, and which jobs the clock does not start: a mistake
 * in a name would leave the job that was meant without a schedule. */
void settings_warn(const struct config *config, FILE *out);

#endif
