/* An execution: the steps of a job in order, each planned or adopted, handed to the pool, judged
 * and recorded. Runs on a conductor's thread. */
#ifndef DAEMON_ENGINE_EXECUTION_H
#define DAEMON_ENGINE_EXECUTION_H

#include "daemon/engine/launch.h"
#include "daemon/engine/pool.h"

/* What an execution runs with; all of it outlives the execution. */
struct engine {
    struct db *db; /* the conductor's */
    struct pool *pool;
    struct control *control;
    const char *node_id; /* this process */
    struct run_limits limits;
    struct restart_policy restart;
    /* What it means when a signal stops it: CAUSE_PERSON or CAUSE_SHUTDOWN. */
    enum end_cause signal_cause;
    /* Called when the end of a step or of the execution was committed, before anybody is told. */
    void (*ended)(void *context, struct db *db, int64_t job_execution_id);
    void *ended_context;
};

/* What became of a step in this execution. */
struct step_result {
    const char *name;
    bool passed_before; /* completed by an earlier execution: not run again */
    bool run;           /* it was begun in this one */
    enum batch_status status;
    struct step_counts counts;
    int64_t elapsed_us;
};

struct execution_result {
    int64_t job_execution_id;
    enum batch_status status;
    const char *exit_code;
    enum end_cause cause; /* of an end that is not COMPLETED */
    struct restart restart;
    struct step_result steps[STEP_LIMIT];
    int step_count;
    int64_t elapsed_us;
};

struct execution_request {
    const struct job *job;
    const char *date;
    const struct launch_answer *launched;
};

/* Runs what a launch created to its end, and records it. OK when the execution is COMPLETED;
 * ERR_STOPPED; ERR_FENCED when another process has taken it over, which then records its end; else
 * what made it fail, with words in `detail`. */
enum err execution_run(struct engine *engine, const struct execution_request *request,
                       struct execution_result *ret_result, struct detail *detail) MUST_CHECK;

#endif
