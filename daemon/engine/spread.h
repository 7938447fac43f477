/* The partitions of one execution, spread over several processes. The process that runs the
 * execution opens a step to others once it is ready; they take PENDING partitions as its own
 * workers do, by raising the epoch. Everybody looks now and then at what the others have. Only the
 * one that runs the execution takes partitions away from a process that is gone, and only its end
 * of the step counts: it raises the epochs of whatever is unfinished then, so that nobody goes on.
 *
 * All clocks are the database's, all decisions conditional UPDATEs; a look is never a fence. */
#ifndef DAEMON_ENGINE_SPREAD_H
#define DAEMON_ENGINE_SPREAD_H

#include "daemon/engine/node.h"
#include "daemon/engine/partition.h"
#include "daemon/engine/suspicion.h"

/* What whoever helps has to have in common with the process that runs the execution. */
struct spread_terms {
    int64_t skip_limit;
    char inputs[JOB_INPUTS]; /* see job.h */
};

/* Opens the step to other processes; does nothing when its execution has ended since. */
enum err spread_open(struct db *db, const struct run *run, const char *step_name,
                     const struct spread_terms *terms) MUST_CHECK;

/* In the transaction that ends a step as COMPLETED: closes it. ERR_FENCED unless all its partitions
 * are COMPLETED. */
enum err spread_complete(struct db *db, const struct run *run, const char *step_name) MUST_CHECK;

/* In the transaction that ends a step or an execution other than well: closes all steps of the
 * instance and raises the epoch of all that is unfinished, wherever it is, and sets it to `status`.
 * Waits for a chunk that is being committed right now; after it nothing of the old epochs can be.
 * Both close before they lock partitions, as chunks that skip do. */
enum err spread_give_up(struct db *db, int64_t job_instance_id, const char *status) MUST_CHECK;

/* One process's view of a step. */
struct spread {
    const struct run *run;
    const char *step_name, *node_id;
    bool runs_execution; /* this process does: it takes partitions away from those that are gone */
    struct suspicions suspicions;
};

/* What has become of a partition. */
struct partition_news {
    int64_t id, epoch;
    enum partition_hand hand; /* never HAND_OURS: whose STARTED is, the reader knows better */
    bool failed;
    char node_id[NODE_ID];
};

struct spread_news {
    struct partition_news *items; /* all of the step, by id; spread_news_free frees them */
    int count;
    int64_t read_items;    /* in the whole job instance */
    bool stop_asked;       /* somebody set the execution STOPPING */
    struct detail failure; /* the words of one that failed; empty when none did */
};
void spread_news_free(struct spread_news *news);

/* Looks at all partitions of the step, and takes away what a process that is gone had. ERR_FENCED
 * when the execution is not running any more, or the step is another execution's by now. */
enum err spread_survey(struct db *db, struct spread *spread,
                       struct spread_news *ret_news) MUST_CHECK;

/* The partition `id` of the news, or NULL. */
const struct partition_news *spread_news_find(const struct spread_news *news, int64_t id);

/* A step that is open to other processes. */
struct open_step {
    char step_name[81], date[JOB_DATE], began_at[32];
    int64_t job_instance_id, job_execution_id;
    struct spread_terms terms;
};

/* A step of the job that another process than `node_id`, of the same version, runs and has opened;
 * ERR_NOT_FOUND. */
enum err spread_find(struct db *db, const char *job_name, const char *node_id,
                     struct open_step *ret_step) MUST_CHECK;
/* True while the execution is STARTED. */
enum err spread_goes_on(struct db *db, int64_t job_execution_id, bool *ret_goes_on) MUST_CHECK;
/* Gives back what this process still holds of others' executions of the job, when no worker is at
 * it: what it took and could not give back, since the connection was lost or a row was locked. */
enum err spread_give_back(struct db *db, const char *job_name, const char *node_id) MUST_CHECK;

/* Daemons that are alive and take work on. */
enum err spread_daemons(struct db *db, int *ret_count) MUST_CHECK;

#endif
