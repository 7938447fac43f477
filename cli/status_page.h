/* All that `settlectl status` shows, read at one moment and put into tables, and what of it needs
 * attention. The caller owns the page. One thread. */
#ifndef CLI_STATUS_PAGE_H
#define CLI_STATUS_PAGE_H

#include "cli/output.h"

struct status_page {
    struct output *frontier, *lag, *database; /* one row or none */
    struct output *daemons, *foreground, *running, *jobs, *successes, *schedules;
    struct output *restarts, *failures, *requests, *unsettled, *problems;
    int64_t daemons_alive;
    bool daemon_here; /* one of them on this host */
};

/* Tables are made, and freed by status_page_done, which accepts a zeroed page. */
enum err status_page_read(struct cli *cli, struct db *db, struct status_page *ret_page) MUST_CHECK;

/* Only the daemons: for whoever asks every few seconds. */
enum err status_page_read_daemons(struct cli *cli, struct db *db,
                                  struct status_page *ret_page) MUST_CHECK;
void status_page_done(struct status_page *page);

/* One more thing that needs attention: its kind ("daemon", "overdue", "failed") and a sentence. */
void status_add_problem(struct output *problems, const char *kind, const char *text);

#endif
