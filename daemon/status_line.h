/* The line that says what the daemon is doing: for the service manager and for `settlectl
 * status`. */
#ifndef DAEMON_STATUS_LINE_H
#define DAEMON_STATUS_LINE_H

#include "daemon/mailbox.h"
#include "daemon/work.h"

struct status_line {
    const struct mailbox_report *report;
    const struct work *works;
    int work_count;
    const char *away; /* why the database cannot be reached; empty: it can */
    bool drained;     /* settlectl drain */
    bool halted;      /* it can, but must not be worked on; `away` says all about it */
};

/* Writes "daemon idle", "daemon waiting", or "daemon running daily-settlement 2026-07-01 (execution
 * 34): settlement 43 %; ...": why a configuration was not taken over or the database is away comes
 * first, what jobs wait for and their latest errors follow. Cut to fit. */
void status_line_write(const struct status_line *status, char *ret_line, size_t size);

#endif
