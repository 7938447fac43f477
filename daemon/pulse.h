/* One statement that says whether there is anything to do, and what time it is: all that an idle
 * daemon asks of the database in a turn. */
#ifndef DAEMON_PULSE_H
#define DAEMON_PULSE_H

#include "common/db/statement.h"

struct pulse {
    int64_t now_us; /* since 1970, UTC, by the database's clock */
    bool pending;   /* requests that nobody has answered */
    bool accepted;  /* requests that are being worked off */
    bool open;      /* slots whose days are being settled */
    bool purge;     /* the housekeeping's slot */
    bool due;       /* executions that are to be started again */
    bool running;   /* executions of our jobs that are marked as running */
    bool shared;    /* steps of others that are open to this process */
    bool drained;   /* somebody wants this process to take on nothing more */
};

/* Prepares it; free with statement_free. */
enum err pulse_new(struct db *db, struct statement **ret_statement) MUST_CHECK;
enum err pulse_take(struct statement *statement, const char *node_id,
                    struct pulse *ret_pulse) MUST_CHECK;

#endif
