/* What the loop thread and the coordinator thread of the daemon tell each other: orders one way, a
 * report the other. Everything is copied, no reference crosses, and nobody waits for the other but
 * the coordinator for its next turn. */
#ifndef DAEMON_MAILBOX_H
#define DAEMON_MAILBOX_H

#include <pthread.h>

#include "common/base.h"

/* Only ever rises. DRAIN: finish the chunks that are running. ABORT: roll them back. */
enum mailbox_stop { MAILBOX_RUN, MAILBOX_DRAIN, MAILBOX_ABORT };

enum mailbox_state {
    MAILBOX_STARTING,
    MAILBOX_WAITING_FOR_DATABASE,
    MAILBOX_READY,
    MAILBOX_DRAINING,
    MAILBOX_DONE, /* the coordinator touches the mailbox no more */
};

/* From the loop to the coordinator. */
struct mailbox_orders {
    enum mailbox_stop stop;
    int64_t reloads; /* asked for so far */
};

/* From the coordinator to the loop. */
struct mailbox_report {
    enum mailbox_state state;
    bool was_ready;     /* READY has been reached once */
    int64_t turns;      /* grows while the coordinator advances: the watchdog's food */
    int64_t reloads;    /* how many of orders.reloads are dealt with */
    bool reload_failed; /* the latest of them */
    char reload_error[512];
    char status[512]; /* one line for people */
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct mailbox_orders orders;
    struct mailbox_report report;
    bool came; /* an order or a nudge, since the coordinator's last wait */
    void (*hook)(void *context);
    void *context;
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_done(struct mailbox *mailbox);

/* `hook` is called, in the coordinator's thread, when a report was told that differs from the one
 * before in more than its turns. It must not block, nor use the mailbox. NULL: none. When this
 * returns, the former one is not called any more. */
void mailbox_set_hook(struct mailbox *mailbox, void (*hook)(void *context), void *context);

/* The loop's side; mailbox_nudge is for any thread that has something for the coordinator to look
 * at. */
void mailbox_order_stop(struct mailbox *mailbox, enum mailbox_stop stop);
void mailbox_order_reload(struct mailbox *mailbox);
void mailbox_nudge(struct mailbox *mailbox);
struct mailbox_report mailbox_report(struct mailbox *mailbox);

/* The coordinator's side. */
struct mailbox_orders mailbox_orders(struct mailbox *mailbox);
/* Waits for the next order or nudge, but not longer than timeout_ms; true when something came since
 * the last wait. */
bool mailbox_wait(struct mailbox *mailbox, int timeout_ms);
/* Replaces the report, but for `turns`, which it raises by one, and `was_ready`, which stays
 * true. */
void mailbox_tell(struct mailbox *mailbox, const struct mailbox_report *report);
/* Raises `turns` and no more; for long operations, between two steps of them. */
void mailbox_turn(struct mailbox *mailbox);

#endif
