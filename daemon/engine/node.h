/* This process as others see it: an identity made anew at each start, and a row in `node` that is
 * its lease, renewed by a thread with a connection of its own that does nothing else. The lease
 * runs by the database's clock. The thread also holds a named lock, which the server frees when the
 * process is gone: a hint for others to hurry, never a proof. */
#ifndef DAEMON_ENGINE_NODE_H
#define DAEMON_ENGINE_NODE_H

#include "common/db/connection.h"

enum { NODE_ID = 37 };

struct node;

struct node_options {
    struct db_options db;
    const char *role; /* "DAEMON" or "RUN" */
    int heartbeat_s, ttl_s;
};

/* Registers the process and starts renewing. */
enum err node_new(const struct node_options *options, struct node **ret_node,
                  struct detail *detail) MUST_CHECK;
/* Any thread: closes the socket below a renewal that the server does not answer, so that node_free
 * need not wait for it. */
void node_cut(struct node *node);
/* Stops renewing and removes the row: a lease given back. Accepts NULL. */
void node_free(struct node *node);

const char *node_id(const struct node *node);

/* What the row says about the process, from a second later at most; cut to fit. `takes_work`:
 * others may count on it. Any thread. */
void node_set_status(struct node *node, const char *text, bool takes_work);

/* What a node looks like from outside. */
struct node_state {
    bool known; /* there is a row */
    bool lease_valid;
    bool lock_held;
    bool takes_work;
    int64_t lease_left_s;
    int pid;
    char host[256];
};
enum err node_look(struct db *db, const char *node_id, struct node_state *ret_state) MUST_CHECK;

#endif
