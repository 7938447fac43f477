/* The job repository: Spring Batch's tables, as its JobRepository would write them. Each function
 * is called inside a transaction of the caller's unless it says otherwise. Times are the
 * database's, UTC. */
#ifndef DAEMON_ENGINE_REPOSITORY_H
#define DAEMON_ENGINE_REPOSITORY_H

#include "daemon/engine/job.h"
#include "daemon/engine/restart.h"

/* SERIALIZED_CONTEXT: the Java serialization of an empty HashMap in Base64. */
extern const char REPOSITORY_EMPTY_CONTEXT[];

/* Exit codes. */
extern const char EXIT_COMPLETED[], EXIT_COMPLETED_WITH_SKIPS[], EXIT_FAILED[], EXIT_STOPPED[];

enum { REPOSITORY_TIME = 27 }; /* "YYYY-MM-DD HH:MM:SS.ffffff" */

/* The instance of (job, date): finds or creates it, and locks its row. */
enum err repository_instance(struct db *db, const char *job_name, const char *date,
                             int64_t *ret_instance_id) MUST_CHECK;

/* A new execution, STARTING, with its parameter, context and owner. `attempt` counts from 1 within
 * the instance. */
enum err repository_new_execution(struct db *db, int64_t instance_id, const char *date,
                                  const char *node_id, int64_t *ret_execution_id) MUST_CHECK;

/* Why a new execution was started. RESTART and RESUME inherit the request, the slot and the
 * restarts of `after_execution_id`, the one that they go on from; RESTART counts one more. No
 * execution of the instance waits to be restarted after this. */
enum { PROVENANCE_FIRST = -1 };
struct provenance {
    enum started_for reason;
    int64_t after_execution_id; /* 0: whatever was before; PROVENANCE_FIRST: nothing was */
    int64_t request_id;         /* 0: none */
    const char *slot_at;        /* NULL: none */
};
enum err repository_set_provenance(struct db *db, int64_t execution_id, int64_t instance_id,
                                   const struct provenance *provenance) MUST_CHECK;
/* Whether a daemon may still start the instance again after this execution by itself. */
enum err repository_restart_due(struct db *db, int64_t execution_id, bool *ret_due) MUST_CHECK;

/* The automatic restarts in a row that this execution is the result of. */
enum err repository_restarts(struct db *db, int64_t execution_id, int64_t *ret_restarts) MUST_CHECK;

/* Sets the execution's status; running → running or running → an end, checked against `from` in
 * the same statement: when it is not what the table has, ERR_FENCED. STOPPING, which others
 * set, counts as `from`, and stays until an end. Ends set END_TIME, their cause, and when they
 * are restarted. */
struct execution_end {
    enum batch_status from, to;
    const char *exit_code, *exit_message;
    enum end_cause cause;
    struct restart restart;
};
enum err repository_set_execution(struct db *db, int64_t execution_id,
                                  const struct execution_end *end) MUST_CHECK;

/* Locks the execution's row; ERR_FENCED unless it is still STARTED or STOPPING: another process may
 * have recovered it. */
enum err repository_hold_execution(struct db *db, int64_t execution_id,
                                   bool *ret_stopping) MUST_CHECK;

/* True when the execution has exactly this end: what a transaction whose reply was lost would have
 * left. */
enum err repository_execution_ended(struct db *db, int64_t execution_id,
                                    const struct execution_end *end, bool *ret_ended) MUST_CHECK;

/* When the first execution of the instance was created. */
enum err repository_began_at(struct db *db, int64_t instance_id,
                             char ret_time[REPOSITORY_TIME]) MUST_CHECK;

/* True when the latest execution of this step in the instance is COMPLETED (or ABANDONED, which
 * counts as passed). */
enum err repository_step_done(struct db *db, int64_t instance_id, const char *step_name,
                              bool *ret_done) MUST_CHECK;

/* The manager's row, STARTED, and a row, STARTING, for each partition of the step that is not
 * COMPLETED, which is made ready to be claimed: PENDING, a higher epoch, nobody's. */
enum err repository_begin_step(struct db *db, const struct run *run, const char *step_name,
                               int64_t *ret_step_execution_id) MUST_CHECK;

/* The manager's row of an execution's step, and its status; ERR_NOT_FOUND before
 * repository_begin_step was committed. */
enum err repository_find_step(struct db *db, int64_t execution_id, const char *step_name,
                              int64_t *ret_step_execution_id,
                              enum batch_status *ret_status) MUST_CHECK;

/* Ends the manager's row with the sums of this execution's worker rows; workers that never began
 * become STOPPED. */
enum err repository_end_step(struct db *db, const struct run *run, const char *step_name,
                             int64_t step_execution_id, const struct execution_end *end) MUST_CHECK;

/* What the worker rows of an execution's step add up to. */
struct step_counts {
    int64_t read, written, skipped, rollbacks, commits;
};
enum err repository_step_counts(struct db *db, int64_t execution_id, const char *step_name,
                                struct step_counts *ret_counts) MUST_CHECK;

#endif
