/* One execution of the daemon's, on a thread of its own with connections of its own, so that the
 * coordinator goes on with its turns meanwhile. The coordinator starts it, looks whether it has
 * ended, and frees it; nobody else touches it. */
#ifndef DAEMON_CONDUCTOR_H
#define DAEMON_CONDUCTOR_H

#include "daemon/runner.h"

/* What to run, and why. */
struct conductor_order {
    const struct job *job;
    char date[JOB_DATE];
    enum started_for reason;
    /* Only if that is still the latest of its instance; 0: whatever was before. */
    int64_t after_execution_id;
    int64_t request_id;            /* 0: none */
    char slot_at[REPOSITORY_TIME]; /* empty: none */
};

struct conductor_outcome {
    enum err err;               /* of the launch or of the execution */
    int64_t job_execution_id;   /* what was launched; 0 when nothing was */
    int64_t found_execution_id; /* with ERR_CLOSED and ERR_BUSY: the one that is in the way */
    bool overtaken;             /* with ERR_REFUSED: another process was quicker */
    enum batch_status status;
    struct restart restart;
    struct detail detail;
};

struct conductor;

/* Starts the thread. `wake` is called on it when it has ended. ERR_MEMORY. */
enum err conductor_start(const struct conductor_order *order, const struct runner_options *options,
                         void (*wake)(void *context), void *context,
                         struct conductor **ret_conductor) MUST_CHECK;

/* True when it has ended; then, and not before, it may be freed. */
bool conductor_ended(const struct conductor *conductor, struct conductor_outcome *ret_outcome);
void conductor_free(struct conductor *conductor);

const struct conductor_order *conductor_order(const struct conductor *conductor);
/* The execution that it runs; 0 before its launch. */
int64_t conductor_execution(const struct conductor *conductor);
/* How far it is. */
struct board_view conductor_view(struct conductor *conductor);

void conductor_stop(struct conductor *conductor, enum stop stop);
void conductor_cut(struct conductor *conductor);

#endif
