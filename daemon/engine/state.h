/* The status words of Spring Batch, and which status may follow which. Pure. */
#ifndef DAEMON_ENGINE_STATE_H
#define DAEMON_ENGINE_STATE_H

#include "common/base.h"

/* In Spring Batch's order, on which "the worse of two" depends. */
enum batch_status {
    STATUS_COMPLETED,
    STATUS_STARTING,
    STATUS_STARTED,
    STATUS_STOPPING,
    STATUS_STOPPED,
    STATUS_FAILED,
    STATUS_ABANDONED,
    STATUS_UNKNOWN,
    STATUS_COUNT
};

const char *status_name(enum batch_status status);
/* STATUS_UNKNOWN for a word that Spring Batch does not have. */
enum batch_status status_parse(const char *name);

/* True for STARTING, STARTED and STOPPING: somebody is, or was, at it. */
bool status_is_running(enum batch_status status);

/* Whether an execution may go from one status to the other. */
bool status_may_follow(enum batch_status from, enum batch_status to);

/* Spring Batch's upgrade rule: the status of a whole out of those of its parts. */
enum batch_status status_worse(enum batch_status a, enum batch_status b);

#endif
