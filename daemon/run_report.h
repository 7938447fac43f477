/* What a person reads when a run in the foreground is over: the steps, then the day. */
#ifndef DAEMON_RUN_REPORT_H
#define DAEMON_RUN_REPORT_H

#include "daemon/engine/execution.h"
#include "daemon/run_once.h"

/* Prints on stdout. The day's totals are shown when the execution is COMPLETED, and what arrived
 * late. */
void run_report_print(struct db *db, const struct run_once_options *options,
                      const struct execution_result *result);

#endif
