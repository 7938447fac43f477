/* The libuv loop while a job runs in the foreground: signals and the progress display. It never
 * runs SQL and never waits for the engine; what it knows it copies from the control's board. */
#ifndef DAEMON_RUN_DISPLAY_H
#define DAEMON_RUN_DISPLAY_H

#include <uv.h>

#include "common/progress.h"
#include "daemon/engine/control.h"

struct run_display {
    uv_loop_t uv;
    uv_signal_t interrupt, terminate, hangup;
    uv_timer_t draw, cut;
    uv_async_t done;
    struct control *control;
    struct progress progress;
    int shown_steps; /* whose end was shown */
    bool bar_open;   /* of the step after them */
    char shown_waiting[256];
    bool quiet;
    int signals;
    void (*stop)(void *context, enum stop stop);
    void (*cut_off)(void *context); /* cut the connections: even cancelling did not help */
    void *context;
};

struct run_display_options {
    struct control *control;
    bool quiet;
    void (*stop)(void *context, enum stop stop);
    void (*cut_off)(void *context);
    void *context;
};

/* Prepares the display; ERR_MEMORY when libuv cannot. */
enum err run_display_init(struct run_display *display,
                          const struct run_display_options *options) MUST_CHECK;
/* Turns until run_display_finish; then closes everything. */
void run_display_run(struct run_display *display);
/* The job is over. Any thread. */
void run_display_finish(struct run_display *display);

#endif
