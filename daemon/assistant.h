/* Help with an execution that another process runs: a thread with connections of its own that takes
 * PENDING partitions of the steps which are open to others (engine/spread.h), for as long as the
 * execution goes on. What it cannot finish it gives back. The coordinator starts it, looks whether
 * it has ended, and frees it. */
#ifndef DAEMON_ASSISTANT_H
#define DAEMON_ASSISTANT_H

#include "daemon/runner.h"

struct assistant;

struct assistant_order {
    const struct job *job;
    bool gives_back_only;        /* what an earlier one could not give back; helps with nothing */
    void (*wake)(void *context); /* called on the thread when it has ended */
    void *wake_context;
};

/* Starts the thread. ERR_MEMORY. */
enum err assistant_start(const struct assistant_order *order, const struct runner_options *options,
                         struct assistant **ret_assistant) MUST_CHECK;

struct assistant_outcome {
    enum err err;
    bool holds; /* it may still hold something: another one has to give it back */
    struct detail detail;
};

/* True when it has ended; then, and not before, it may be freed. */
bool assistant_ended(const struct assistant *assistant, struct assistant_outcome *ret_outcome);
void assistant_free(struct assistant *assistant);

/* The execution that it helps with; 0: none yet. */
int64_t assistant_execution(const struct assistant *assistant);

void assistant_stop(struct assistant *assistant, enum stop stop);
void assistant_cut(struct assistant *assistant);

#endif
