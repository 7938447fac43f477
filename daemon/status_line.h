/* The line that says what the daemon is doing: for the service manager and for `settlectl status`. */
#ifndef DAEMON_STATUS_LINE_H
#define DAEMON_STATUS_LINE_H

#include "daemon/mailbox.h"
#include "daemon/work.h"

/* Writes "running daily-settlement 2026-07-01 (execution 34): settlement 43 %; ..." or "idle"; what jobs wait for, the latest
 * error of each, and why a configuration was not taken over follow. Cut to fit. */
void status_line_write(const struct mailbox_report *report, const struct work *works,
                       int work_count, char *ret_line, size_t size);

#endif
