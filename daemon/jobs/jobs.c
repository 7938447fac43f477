#include "daemon/jobs/jobs.h"

#include <string.h>

#include "daemon/jobs/daily_settlement.h"

const char JOBS_NAMES[] = "daily-settlement";

static const struct job *const jobs[] = {&daily_settlement_job};

_Static_assert(COUNT_OF(jobs) <= JOBS_LIMIT, "arrays have room for so many");

const struct job *jobs_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        if (strcmp(jobs[i]->name, name) == 0) return jobs[i];
    return NULL;
}

const struct job *jobs_at(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(jobs) ? jobs[index] : NULL;
}
