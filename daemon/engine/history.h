/* What became of a job's earlier executions, as decisions about the next one need it: the latest of
 * a date, the one that is due for a restart, one by its id; and the few things that a person may do
 * to one that is not running here. Reads take no locks; whoever launches afterwards names the
 * execution that it goes on from, and is refused when that is not the latest any more. */
#ifndef DAEMON_ENGINE_HISTORY_H
#define DAEMON_ENGINE_HISTORY_H

#include "daemon/engine/job.h"
#include "daemon/engine/status.h"

struct past_execution {
    int64_t id, instance_id;
    int64_t request_id, restarts; /* 0 where there is none */
    char job_name[101], date[JOB_DATE];
    enum batch_status status;
    enum end_cause cause;
    bool restart_due; /* a daemon starts the instance again, in restart_in_s seconds */
    int64_t restart_in_s;
    bool latest; /* of its instance */
    bool known;  /* it has a row in job_execution_owner: it is one of ours */
    char message[512];
};

/* The latest execution of (job, date); ERR_NOT_FOUND. */
enum err history_latest(struct db *db, const char *job_name, const char *date,
                        struct past_execution *ret_execution) MUST_CHECK;

/* The execution of the job whose restart has been due for longest; ERR_NOT_FOUND when none is. */
enum err history_due(struct db *db, const char *job_name,
                     struct past_execution *ret_execution) MUST_CHECK;

/* Any execution; ERR_NOT_FOUND. */
enum err history_find(struct db *db, int64_t execution_id,
                      struct past_execution *ret_execution) MUST_CHECK;

/* No daemon starts the instance again by itself any more; *ret_cancelled (may be NULL) is false
 * when none would have. `by_person`: its cause becomes PERSON. */
enum err history_cancel_restart(struct db *db, int64_t execution_id, bool by_person,
                                bool *ret_cancelled) MUST_CHECK;
/* It is started again now rather than after its pause. */
enum err history_hurry_restart(struct db *db, int64_t execution_id) MUST_CHECK;

/* STARTING or STARTED → STOPPING, which whoever runs it notices; *ret_asked is false when it has
 * ended meanwhile. */
enum err history_ask_to_stop(struct db *db, int64_t execution_id, bool *ret_asked) MUST_CHECK;

/* STOPPED or FAILED → ABANDONED, if it still is the latest of its instance; *ret_abandoned is false
 * when it is not. */
enum err history_abandon(struct db *db, int64_t execution_id, bool *ret_abandoned) MUST_CHECK;

#endif
