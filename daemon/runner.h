/* What one execution needs while it runs: the conductor's connection, the worker pool with
 * its connections, the control. The same for a run in the foreground and for one of the
 * daemon's. One thread connects, launches, runs and frees; runner_stop and runner_cut may be
 * called by any other. */
#ifndef DAEMON_RUNNER_H
#define DAEMON_RUNNER_H

#include "daemon/engine/execution.h"
#include "daemon/guard.h"

struct runner_options {
    const struct config *config; /* copied: a run keeps the settings that it started with */
    const struct db_options *db; /* copied */
    struct guard *guard;         /* outlives the run */
    const char *node_id;         /* copied: the process that runs it */
    enum end_cause signal_cause; /* what it means when runner_stop ends it */
    bool leave_failed;           /* a daemon does not start it again when it fails */
};

struct runner {
    struct guard *guard;
    struct config config;
    struct db_options db_options;
    char node_id[NODE_ID];
    enum end_cause signal_cause;
    bool leave_failed;
    struct control control;
    struct db *db;
    pthread_mutex_t pool_lock;
    struct pool *pool; /* behind pool_lock: other threads wake it */
    struct launch_answer launched;
    struct execution_result result;
};

/* What every session of a run is limited to: it must not hold rows for longer than the lease of its
 * process, nor wait longer than half of it for somebody else's. */
void runner_session_limits(const struct config *config, struct db_options *options);

/* retry.restart_… as the engine wants it. */
struct restart_policy runner_restart_policy(const struct config *config);

void runner_init(struct runner *runner, const struct runner_options *options);
/* Closes all connections. Nothing is running then. */
void runner_done(struct runner *runner);

/* Opens the conductor's and the workers' connections. */
enum err runner_connect(struct runner *runner, struct detail *detail) MUST_CHECK;

/* What the configuration says about a run. */
struct run_limits runner_limits(const struct runner *runner);

/* Runs what `runner->launched` is about to its end; see execution_run. Logs what it used. */
enum err runner_execute(struct runner *runner, const struct job *job, const char *date,
                        struct detail *detail) MUST_CHECK;

/* Any thread: stops what runs, and sees to it that this is noticed at once. */
void runner_stop(struct runner *runner, enum stop stop);
/* Any thread: closes the sockets below a run that even cancelling its statements did not end. */
void runner_cut(struct runner *runner);

#endif
