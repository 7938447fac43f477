/* The status words of Spring Batch, and which status may follow which. Pure. */
#ifndef DAEMON_ENGINE_STATUS_H
#define DAEMON_ENGINE_STATUS_H

#include "common/base.h"

/* In Spring Batch's order. */
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

/* Why an execution was started: a command in the foreground, a slot of the schedule, a request, an
 * automatic restart after a failure, or going on with what a shutdown interrupted. */
enum started_for { FOR_COMMAND, FOR_SLOT, FOR_REQUEST, FOR_RESTART, FOR_RESUME, STARTED_FOR_COUNT };

/* What ended an execution that did not complete. TRANSIENT: an error that may pass. CRASH: its
 * process died. SHUTDOWN: its daemon was stopped. PERSON: somebody wanted it to stop. */
enum end_cause {
    CAUSE_NONE,
    CAUSE_TRANSIENT,
    CAUSE_PERMANENT,
    CAUSE_CRASH,
    CAUSE_SHUTDOWN,
    CAUSE_PERSON,
    END_CAUSE_COUNT
};

/* The words of the table job_execution_owner. */
const char *started_for_name(enum started_for reason);
const char *end_cause_name(enum end_cause cause);
/* CAUSE_NONE for a word that is none of them. */
enum end_cause end_cause_parse(const char *name);

#endif
