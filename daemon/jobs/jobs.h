/* The jobs that there are, by name. */
#ifndef DAEMON_JOBS_JOBS_H
#define DAEMON_JOBS_JOBS_H

#include "daemon/engine/job.h"

enum { JOBS_LIMIT = 8 };

/* NULL when there is no such job. */
const struct job *jobs_find(const char *name);

/* One after the other from 0 on; NULL after the last. */
const struct job *jobs_at(int index);

/* The names, one after the other, for messages: "daily-settlement". */
extern const char JOBS_NAMES[];

#endif
