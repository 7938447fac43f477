/* What the loop thread and the engine tell each other: one flag down, one board up. Both are
 * copied, nothing is shared by reference, and neither side waits for the other. */
#ifndef DAEMON_ENGINE_CONTROL_H
#define DAEMON_ENGINE_CONTROL_H

#include <pthread.h>

#include "common/base.h"

/* STOP_DRAIN: claim nothing more, finish the chunks that are running. STOP_ABORT: roll them
 * back. STOP_CUT: the connections are being closed; nobody makes new ones. Each includes those
 * before it. */
enum stop { STOP_NONE, STOP_DRAIN, STOP_ABORT, STOP_CUT };

/* A step of the execution, as a progress bar shows it. */
struct board_step {
    char name[80], unit[16];
    /* Items. inherited: done by earlier executions; own: since then, in this process. */
    int64_t total, done, inherited, own;
    bool ended, failed;
};

/* What is going on, for progress bars and status lines. */
struct board_view {
    struct board_step steps[16];
    int step_count;        /* those that have begun; the last one may be under way */
    char waiting_for[256]; /* empty when nothing is waited for */
};

struct control {
    _Atomic int stop;            /* enum stop; only ever rises */
    _Atomic bool stop_requested; /* somebody asked for this execution to stop, by request */
    pthread_mutex_t lock;
    struct board_view view;
};

void control_init(struct control *control);
void control_done(struct control *control);

/* Any thread. */
void control_stop(struct control *control, enum stop stop);
enum stop control_stopping(const struct control *control);
/* Drains because a person asked for it, as opposed to a signal to the process. */
void control_request_stop(struct control *control);
bool control_stop_requested(const struct control *control);

/* The engine's side. */
void control_begin_step(struct control *control, const char *step, const char *unit, int64_t total,
                        int64_t inherited);
void control_add(struct control *control, int64_t items);
/* So many are done in all, here and elsewhere, as far as the rows tell: what is added here
 * meanwhile may be among them, and is not counted twice. */
void control_set_done(struct control *control, int64_t items);
/* Forgets all steps: for who helps with many, one after the other. */
void control_forget_steps(struct control *control);
/* Of the step that was begun last; one that failed before it was begun leaves no trace here. */
void control_end_step(struct control *control, bool failed);
void control_wait_for(struct control *control, const char *what);

/* The loop's side: a copy. */
struct board_view control_view(struct control *control);

#endif
