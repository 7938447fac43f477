/* Shows what becomes of a request while somebody waits for it: a progress bar for each step of the
 * execution that runs for it, a line for each execution that ended, and what the daemon says in
 * between. A backfill gets one line for each day, and a bar only while a day is being worked on.
 * Nothing is missed between two looks: steps and executions that began and ended in between are
 * told, too. Bars go to stderr, lines about executions to stdout. It keeps nothing of the
 * connection, which may be lost and made again between two calls. One thread. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/cli.h"
#include "common/progress.h"
#include "common/request.h"

struct follow {
    struct progress progress;
    bool quiet;
    bool by_day;          /* a backfill */
    int64_t since_id;     /* executions after this one can be ours */
    int64_t told_id;      /* the latest that was told to have ended */
    int64_t execution_id; /* whose steps are shown; 0: none */
    int steps_shown;      /* of these, ended and told */
    bool running;         /* that execution is */
    char answer[REQUEST_ANSWER];
};

/* Before the request is written: what ended until now is none of its executions. `quiet`: nothing
 * is shown. */
enum err follow_begin(struct follow *follow, struct db *db, bool quiet) MUST_CHECK;

/* Catches up with the database. */
enum err follow_update(struct follow *follow, struct db *db,
                       const struct request *request) MUST_CHECK;

/* Before anything else is printed: wipes the bar from the terminal. */
void follow_clear(struct follow *follow);

/* No more updates will come: an open bar is left where it stands. */
void follow_end(struct follow *follow, const char *why);

#endif
