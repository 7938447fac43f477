/* Keeping jobs from being launched. A launch takes the job's row in job_control for itself alone
 * (daemon/engine/launch.c); who holds the rows in share mode makes it wait, and waits for one that
 * is under way. */
#ifndef COMMON_LAUNCHES_H
#define COMMON_LAUNCHES_H

#include "common/db/connection.h"

/* Until the end of the transaction that is open, no job is launched. Several may hold them back at
 * a time. ERR_LOCK_WAIT when a launch is not through in time. */
enum err launches_hold(struct db *db) MUST_CHECK;

#endif
