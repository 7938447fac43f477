/* The jobs that there are, by name. */
#ifndef DAEMON_JOBS_JOBS_H
#define DAEMON_JOBS_JOBS_H

#include "daemon/engine/job.h"

/* NULL when there is no such job. */
const struct job *jobs_find(const char *name);

/* The names, one after the other, for messages: "daily-settlement". */
extern const char JOBS_NAMES[];

#endif
