/* The part of the status page that is about what is to come: schedules, requests that are not done
 * with, days that are not settled and how far they lag behind. One thread. */
#ifndef CLI_STATUS_WAITING_H
#define CLI_STATUS_WAITING_H

#include "cli/status_page.h"
#include "common/job_status.h"

struct status_waiting {
    struct cli *cli;
    struct db *db;
    const struct job_execution *running; /* a day that is being settled is not overdue */
    int running_count;
    struct status_page *page; /* whose tables are filled */
};

enum err status_fill_waiting(const struct status_waiting *waiting) MUST_CHECK;

#endif
