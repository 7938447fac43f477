/* The job `daily-settlement`: from the logs of one business day to statistics and money. This
 * header names its steps, one file each, and what they share. */
#ifndef DAEMON_JOBS_DAILY_SETTLEMENT_H
#define DAEMON_JOBS_DAILY_SETTLEMENT_H

#include "common/domain/civil.h"
#include "common/domain/tier.h"
#include "daemon/engine/job.h"

extern const struct job daily_settlement_job;

extern const struct step content_statistics_step;
extern const struct step ad_statistics_step;
extern const struct step period_statistics_step;
extern const struct step settlement_step;
extern const struct step reconciliation_step;

/* What all steps of a run share: the rates in force on the day, and the first days of the periods
 * that it lies in. */
struct daily_facts {
    struct tier_table content_rates, ad_rates;
    char week[CIVIL_TEXT], month[CIVIL_TEXT], year[CIVIL_TEXT];
};

static inline const struct daily_facts *daily_facts_of(const struct run *run)
{
    return run->shared;
}

#endif
