/* What this process knows to have ended, on its own disk, and whether the database still knows it.
 * A failover to a replica that lagged, or a backup that was restored, takes days back that were
 * confirmed and perhaps paid; whoever settled on would pay them twice. So before anything is begun
 * the latest rows of table acknowledgement are compared with those remembered, and when one is
 * missing nothing is begun until the rows are back, or a person accepts the loss (`settlectl
 * accept-loss`). Any thread may call. */
#ifndef DAEMON_ACKNOWLEDGED_H
#define DAEMON_ACKNOWLEDGED_H

#include "common/db/connection.h"

struct acknowledged;

/* `directory` is empty: nothing is remembered, and every database will do. ERR_CONFIG when it
 * cannot be written. Free with acknowledged_free (accepts NULL). */
enum err acknowledged_new(const char *directory, const char *database,
                          struct acknowledged **ret_acknowledged, struct detail *detail) MUST_CHECK;
void acknowledged_free(struct acknowledged *acknowledged);

/* Compares, and remembers what is new. ERR_BEHIND, with words that say what is missing and what to
 * do, when the database lacks something; else what the server said. What other processes ended
 * counts when it is two seconds old: before, a server without a binary log may show it and still
 * lose it. What `own_execution_id` (0: none) has ended counts at once; its commit was confirmed. A
 * disk that cannot be written is logged, and stops nobody. */
enum err acknowledged_compare(const struct acknowledged *acknowledged, struct db *db,
                              int64_t own_execution_id, struct detail *detail) MUST_CHECK;

#endif
