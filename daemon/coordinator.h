/* The coordinator of the daemon: a thread with a connection of its own, which in each turn looks
 * what is due, what people ask for and what has ended, and starts what is next. It never waits for
 * an execution. A lost database does not end it: it tries again with a growing pause, and goes on
 * from the tables. */
#ifndef DAEMON_COORDINATOR_H
#define DAEMON_COORDINATOR_H

#include "common/config.h"
#include "daemon/mailbox.h"

struct coordinator;

struct coordinator_options {
    const struct config *config; /* copied */
    struct mailbox *mailbox;     /* outlives it */
};

enum err coordinator_new(const struct coordinator_options *options,
                         struct coordinator **ret_coordinator) MUST_CHECK;
/* The thread has ended. Accepts NULL. */
void coordinator_free(struct coordinator *coordinator);

/* The thread's body: returns when it was told to stop and nothing runs any more, or when it cannot
 * start. The last thing it does is to report MAILBOX_DONE. */
void coordinator_main(void *coordinator);

/* The exit code for the process, when coordinator_main has returned: 0, 1, or 78 for what a restart
 * would not mend. */
int coordinator_exit_code(const struct coordinator *coordinator);

/* Any thread: closes the sockets below what neither draining nor cancelling ended. */
void coordinator_cut(struct coordinator *coordinator);

#endif
