/* Decides whether a job may be launched for a date, and creates its execution: Spring Batch's rules
 * for instances and restarts, decided one after the other under a lock on the job, in one READ
 * COMMITTED transaction. */
#ifndef DAEMON_ENGINE_LAUNCH_H
#define DAEMON_ENGINE_LAUNCH_H

#include "daemon/engine/node.h"
#include "daemon/engine/repository.h"

struct launch_request {
    const struct job *job;
    const char *date;
    const char *node_id;      /* of the process that asks */
    const char *gone_node_id; /* known to be dead although its lease is not over; NULL for none */
    /* For what dead processes left behind; NULL: no restarts. */
    const struct restart_policy *policy;
    /* The asking process runs none of the job: what is marked as its own was left behind. */
    bool runs_none;
    struct provenance why; /* with after_execution_id set: only if that is still the latest */
};

struct launch_answer {
    /* The new one; with ERR_CLOSED the one that closed the day; with ERR_BUSY the running one. */
    int64_t job_execution_id;
    int64_t job_instance_id;
    bool restarted;   /* the instance had executions before */
    int64_t restarts; /* automatic ones in a row, this one included */
    char began_at[REPOSITORY_TIME];
    char owner_id[NODE_ID]; /* with ERR_BUSY: who runs it */
    struct node_state owner;
    char running_date[JOB_DATE];
    /* With ERR_REFUSED: somebody was quicker; the tables tell what there is to do. */
    bool overtaken;
    /* Left behind by a dead process, and not started again by itself; 0: none. */
    int64_t given_up_id;
};

/* OK: a new execution, STARTING, is ours. ERR_CLOSED: there is nothing to do. ERR_BUSY: a process
 * that is alive runs the job; ask again later. ERR_REFUSED, ERR_INVALID: with the reason in
 * `detail`. */
enum err launch(struct db *db, const struct launch_request *request,
                struct launch_answer *ret_answer, struct detail *detail) MUST_CHECK;

/* Deals with what dead processes left of the job, as a launch would, and launches nothing: each
 * such execution becomes FAILED, and due for a restart where it may be. OK: no execution of the job
 * is running. ERR_BUSY: one is, by a process that is alive. */
enum err launch_recover(struct db *db, const struct launch_request *request,
                        struct launch_answer *ret_answer, struct detail *detail) MUST_CHECK;

#endif
