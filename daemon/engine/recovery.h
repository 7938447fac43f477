/* What a process left behind when it died: its execution is marked FAILED with a message that says
 * so, and the epochs of its unfinished partitions are raised in the same transaction, so that
 * whatever of it is still alive can commit nothing. */
#ifndef DAEMON_ENGINE_RECOVERY_H
#define DAEMON_ENGINE_RECOVERY_H

#include "daemon/engine/node.h"
#include "daemon/engine/restart.h"

/* Inside the launch's transaction. *ret_restarts: a daemon will start the instance again by itself.
 * `status` is what the execution has now. When it is STOPPING it is not restarted: a person wanted
 * it to stop. */
struct abandoned_execution {
    int64_t job_execution_id, job_instance_id;
    enum batch_status status;
    const char *node_id; /* who ran it */
    bool ours;           /* this process did, and could not record the end */
    const struct restart_policy *policy;
};
enum err recovery_fail_execution(struct db *db, const struct abandoned_execution *execution,
                                 const struct node_state *owner, bool *ret_restarts) MUST_CHECK;

#endif
