/* The daemon's loop thread: signals, and what the service manager hears (ready, reloading,
 * stopping, status, watchdog). It never runs SQL, never writes a log line, and never blocks; what
 * it knows it copies from the mailbox, and it wakes only when a signal or a changed report comes,
 * or a manager wants to be fed. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <uv.h>

#include "daemon/mailbox.h"
#include "daemon/notify.h"

struct loop_pace {
    /* Between two status lines, and before what the manager had no room for is tried again. */
    int status_gap_ms;
    int reload_gap_ms; /* between two orders to reload */
    int extend_ms; /* between two extensions of the manager's patience, each three times as long */
    int cut_after_ms; /* after the second stop signal */
};

extern const struct loop_pace LOOP_PACE;

struct loop_options {
    struct mailbox *mailbox;
    void (*cut_off)(
        void *context); /* cut the connections: even cancelling did not help; may be called again */
    void *context;
    struct loop_pace pace;
};

struct loop {
    uv_loop_t uv;
    uv_signal_t interrupt, terminate, hangup;
    uv_timer_t watchdog, extend, retry, reload_gap, cut;
    uv_async_t told;
    struct loop_options options;
    struct notify notify;
    struct mailbox_report report; /* as last looked at */
    int stop_signals;
    bool is_ready;     /* the manager is to be told, or was */
    bool reload_due;   /* SIGHUP came and is not passed on yet */
    bool reloading;    /* the manager is to be told, or was, and waits for the end */
    int64_t reloads;   /* ordered */
    int64_t fed_turns; /* report.turns when the watchdog was fed last */
    int64_t extended_turns;
    int64_t watchdog_ms;
    enum notify_state to_say; /* not handed over yet */
    int64_t stamp_us;         /* of to_say */
    char said_status[sizeof(((struct mailbox_report *)0)->status)];
    int64_t said_at_ms;
};

/* Prepares the loop, takes the signals over and listens to the mailbox; ERR_MEMORY when libuv
 * cannot. SIGTERM and SIGINT: drain, then abort. SIGHUP: reload. SIGPIPE and SIGUSR1 are
 * ignored. */
enum err loop_init(struct loop *loop, const struct loop_options *options) MUST_CHECK;

/* Turns until the report says MAILBOX_DONE; then closes everything, with nothing left open. */
void loop_run(struct loop *loop);

#endif
