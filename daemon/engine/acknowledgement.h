/* The record of what has ended, a row for each step and each execution: written in the transaction
 * that ends it, so that it is there exactly when the end is. Processes remember the latest rows on
 * their own disks (daemon/acknowledged.h) and so notice a database that has lost some. */
#ifndef DAEMON_ENGINE_ACKNOWLEDGEMENT_H
#define DAEMON_ENGINE_ACKNOWLEDGEMENT_H

#include "common/db/connection.h"

/* Inside the caller's transaction; `status` is what it ends with. */
enum err acknowledgement_of_step(struct db *db, int64_t execution_id, const char *step_name,
                                 const char *status) MUST_CHECK;
enum err acknowledgement_of_execution(struct db *db, int64_t execution_id,
                                      const char *status) MUST_CHECK;

#endif
