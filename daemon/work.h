/* What is to be run next for a job, and the execution that runs. A job never overlaps itself: there
 * is at most one conductor for each. In this order: what is due for a restart, what people asked
 * for, the days that open slots want. Every decision is made again from the tables in each turn, so
 * that nothing is lost with the process; launch() has the last word. The coordinator's thread
 * calls. */
#ifndef DAEMON_WORK_H
#define DAEMON_WORK_H

#include "daemon/conductor.h"
#include "daemon/engine/suspicion.h"
#include "daemon/helping.h"
#include "daemon/queue.h"

/* What all jobs share. */
struct work_context {
    struct db *db;
    const char *node_id;
    const struct config *config;
    struct guard *guard;
    const struct db_options *db_options; /* for conductors */
    void (*wake)(void *context);         /* called by a conductor that has ended */
    void *wake_context;
    int64_t now_us; /* the schedules' clock */
    bool accepted;  /* requests are being worked off */
    bool running;   /* something of our jobs is marked as running in the tables */
    bool stirred;   /* somebody asked for something: look at once */
    bool shared;    /* others have opened steps to this process */
    bool drained;   /* this process is to begin nothing, and to hand over what it has */
};

struct work {
    const struct job *job;
    struct conductor *conductor;  /* NULL: none */
    struct helping helping;       /* with what others run of the job */
    int64_t look_again_us;        /* monotonic; not before then without need */
    struct suspicions suspicions; /* of those who run the job */
    char gone[NODE_ID];           /* who is believed to be gone although its lease runs on */
    char state[256];              /* a clause for the status line: what it does or waits for */
    char last_error[256];
    int failed_launches; /* in a row, for other reasons than the day's */
};

/* One turn: takes the end of an execution in, and starts the next; in a drained daemon hands over
 * the one that runs when there is another daemon to go on with it. */
enum err work_turn(struct work *work, const struct work_context *context) MUST_CHECK;

/* While the daemon stops: stops the execution that runs, and takes its end in; likewise its help
 * with others'. *ret_running: something has not ended yet. */
void work_drain(struct work *work, const struct work_context *context, enum stop stop,
                bool *ret_running);

/* Closes the sockets below what does not end. */
void work_cut(struct work *work);

/* True while an execution runs, here or elsewhere, or requests wait: a new request has to wait as
 * well. */
enum err work_is_busy(const struct work *work, const struct work_context *context,
                      bool *ret_busy) MUST_CHECK;

#endif
