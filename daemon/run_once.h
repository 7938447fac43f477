/* `settlementd run JOB --date D`: one job in the foreground, on the same engine as the daemon's. */
#ifndef DAEMON_RUN_ONCE_H
#define DAEMON_RUN_ONCE_H

#include "common/config.h"
#include "daemon/engine/job.h"

struct run_once_options {
    const struct config *config;
    const struct job *job;
    const char *date; /* valid */
    bool quiet;       /* no progress */
};

/* Runs it, prints progress on stderr and the summary on stdout. Gives the exit code of the process:
 * 0 done or closed before, 1 failed, refused or stopped, 78 when the configuration names files that
 * cannot be used. */
int run_once(const struct run_once_options *options);

#endif
