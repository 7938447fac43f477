/* Accepted requests: those of table job_request that a daemon has taken on and works off, one
 * after the other for each job. What follows is a statement or two each; the coordinator's
 * thread calls. */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include "common/db/statement.h"
#include "common/domain/civil.h"
#include "common/request.h"

struct queued_request {
    int64_t id;
    bool restart;             /* asks for one execution to be started again */
    bool range;               /* BACKFILL: days without anything to do are passed over */
    int64_t job_execution_id; /* with restart: which */
    int64_t days_done;
    char first[CIVIL_TEXT], last[CIVIL_TEXT];
    char at[CIVIL_TEXT];        /* the day that it is at */
    char node_id[REQUEST_NODE]; /* whose it was when it was read */
};

/* Takes on what daemons that are gone had accepted. */
enum err queue_adopt(struct db *db, const char *node_id) MUST_CHECK;

/* The oldest of the job that this daemon has accepted; ERR_NOT_FOUND. */
enum err queue_first(struct db *db, const char *node_id, const char *job,
                     struct queued_request *ret_request) MUST_CHECK;

/* The request is at that day and has led to that execution (0: none yet). `answer` says what it is
 * doing. ERR_FENCED: it has ended, or another daemon has taken it on; nothing was written. */
enum err queue_move(struct db *db, const struct queued_request *request, int64_t execution_id,
                    const char *answer) MUST_CHECK;

/* The day that it is at is done: goes on to the next. *ret_over is true after the last; then it has
 * to be ended. ERR_FENCED like queue_move. */
enum err queue_next_day(struct db *db, struct queued_request *request, int64_t execution_id,
                        bool *ret_over) MUST_CHECK;

/* Somebody wants an accepted request to go no further; *ret_stopped is false when it has ended. */
enum err queue_stop(struct db *db, int64_t request_id, bool *ret_stopped) MUST_CHECK;

/* Somebody wants a day stopped, and `but` is the request that it is run for (0: none): the other
 * accepted requests to run that day, whoever holds them, were made before and end, too. *ret_count:
 * how many. */
enum err queue_stop_others(struct db *db, const char *job, const char *date, int64_t but,
                           int64_t *ret_count) MUST_CHECK;

/* Ends an accepted request of this daemon's. One that has ended, or that another daemon has taken
 * on, stays as it is, which is no error: there is nothing left to do with it. */
enum err queue_end(struct db *db, const char *node_id, int64_t request_id, enum request_status end,
                   const char *answer) MUST_CHECK;

#endif
