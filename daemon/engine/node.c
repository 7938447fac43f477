#include "daemon/engine/node.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/db/statement.h"
#include "common/log.h"

static const char REGISTER_SQL[] =
    "INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until)"
    " VALUES (?, ?, ?, ?, ?, NOW(6), NOW(6), NOW(6) + INTERVAL ? SECOND)";
/* The row is made again when somebody has swept it away while this process could not be heard. */
static const char RENEW_SQL[] =
    "UPDATE node SET heartbeat_at = NOW(6), lease_until = NOW(6) + INTERVAL ? SECOND, status = ?,"
    " takes_work = ? WHERE node_id = ?";
static const char LOCK_SQL[] = "SELECT GET_LOCK(CONCAT('settlementd.', ?), 0)";
static const char LEAVE_SQL[] = "DELETE FROM node WHERE node_id = ?";
static const char SWEEP_SQL[] = "DELETE FROM node WHERE lease_until < NOW(6) - INTERVAL 1 DAY";
/* A server that was started within the lease has freed everybody's locks: nobody has had the time
 * to take them again. */
static const char LOOK_SQL[] =
    "SELECT lease_until > NOW(6), TIMESTAMPDIFF(SECOND, NOW(6), lease_until), pid, host,"
    " IS_USED_LOCK(CONCAT('settlementd.', node_id)) IS NOT NULL OR"
    " (SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.GLOBAL_STATUS"
    "  WHERE VARIABLE_NAME = 'UPTIME') <= TIMESTAMPDIFF(SECOND, heartbeat_at, lease_until),"
    " takes_work FROM node WHERE node_id = ?";

enum { SLICE_MS = 200, STATUS_GAP_MS = 1000, LOCK_GAP_MS = 400 };

struct node {
    struct node_options options;
    char id[NODE_ID];
    char host[256];
    struct db *db;
    bool holds_lock;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool quit;
    char status[512];
    bool takes_work;
    bool has_news; /* status or takes_work has changed since the last beat */
};

static enum err make_id(char ret_id[NODE_ID])
{
    unsigned char b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) return ERR_IO;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret_id, NODE_ID,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return OK;
}

static enum err take_lock(struct node *node)
{
    int64_t held = 0;
    TRY(db_query_i64(node->db, &held, 0, LOCK_SQL, "s", node->id));
    node->holds_lock = held == 1;
    return OK;
}

static enum err enroll(struct node *node)
{
    return db_run(node->db, NULL, REGISTER_SQL, "ssissi", node->id, node->host, (int64_t)getpid(),
                  SETTLEMENTD_VERSION, node->options.role, (int64_t)node->options.ttl_s);
}

static enum err renew(struct node *node)
{
    int64_t matched = 0;
    /* After a reconnect the server may need a moment to free the old session's lock: then the next
     * beat takes it, which comes soon. */
    if (!node->holds_lock) TRY(take_lock(node));
    char status[sizeof(node->status)];
    pthread_mutex_lock(&node->lock);
    memcpy(status, node->status, sizeof(status));
    bool takes_work = node->takes_work;
    pthread_mutex_unlock(&node->lock);
    TRY(db_run(node->db, &matched, RENEW_SQL, "isis", (int64_t)node->options.ttl_s, status,
               (int64_t)takes_work, node->id));
    return matched == 1 ? OK : enroll(node);
}

/* Called and left with the lock held. */
static void wait_slice(struct node *node)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)SLICE_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&node->wake, &node->lock, &until);
}

/* True when told to quit. A beat comes sooner when the session was ended, since its lock is free
 * then and others take this process for dead, when the lock was not to be had, for the same reason,
 * and when there is something new to say. */
static bool wait_for_next_beat(struct node *node, bool lost)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    pthread_mutex_lock(&node->lock);
    for (bool due = false; !node->quit && !due;) {
        wait_slice(node);
        int64_t waited_ms = (clock_monotonic_us(&clock_system) - began_us) / 1000;
        due = waited_ms >= (int64_t)node->options.heartbeat_s * 1000 ||
              (!lost && db_is_disturbed(node->db)) || (lost && waited_ms >= STATUS_GAP_MS) ||
              (!lost && !node->holds_lock && waited_ms >= LOCK_GAP_MS) ||
              (node->has_news && waited_ms >= STATUS_GAP_MS);
    }
    bool quit = node->quit;
    node->has_news = false;
    pthread_mutex_unlock(&node->lock);
    return quit;
}

static void *heartbeat_main(void *argument)
{
    struct node *node = argument;
    bool lost = false;
    while (!wait_for_next_beat(node, lost)) {
        enum err err = renew(node);
        if (err_class(err) == CLASS_CONNECTION) {
            err = db_reconnect(node->db);
            node->holds_lock = false;
            if (err == OK) err = renew(node);
        }
        if (err != OK && !lost)
            log_event(LOG_LEVEL_WARN, "lease-not-renewed", db_message(node->db), "node", node->id,
                      "error", err_name(err), NULL);
        if (err == OK && lost)
            log_event(LOG_LEVEL_INFO, "lease-renewed", "the lease is renewed again", "node",
                      node->id, NULL);
        lost = err != OK;
    }
    return NULL;
}

static enum err start(struct node *node, struct detail *detail)
{
    TRY(make_id(node->id));
    /* A renewal that takes longer than the lease has failed. */
    node->options.db.statement_timeout_s = node->options.ttl_s;
    if (gethostname(node->host, sizeof(node->host) - 1) != 0)
        (void)text_format(node->host, sizeof(node->host), "unknown");
    TRY(db_open(&node->options.db, &node->db, detail));
    enum err err = db_run(node->db, NULL, SWEEP_SQL, "");
    if (err == OK) err = enroll(node);
    if (err == OK) err = take_lock(node);
    if (err != OK)
        return detail_set(detail, err, "cannot register this process in table node: %s",
                          db_message(node->db));
    if (pthread_create(&node->thread, NULL, heartbeat_main, node) != 0) return ERR_MEMORY;
    node->started = true;
    return OK;
}

enum err node_new(const struct node_options *options, struct node **ret_node, struct detail *detail)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL) return ERR_MEMORY;
    node->options = *options;
    node->takes_work = true;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&node->lock, NULL);
    pthread_cond_init(&node->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    enum err err = start(node, detail);
    if (err != OK) {
        node_free(node);
        return err;
    }
    *ret_node = node;
    return OK;
}

void node_cut(struct node *node)
{
    db_shut_down(node->db);
}

void node_free(struct node *node)
{
    if (node == NULL) return;
    pthread_mutex_lock(&node->lock);
    node->quit = true;
    pthread_cond_broadcast(&node->wake);
    pthread_mutex_unlock(&node->lock);
    if (node->started) {
        (void)pthread_join(node->thread, NULL);
        enum err err = db_run(node->db, NULL, LEAVE_SQL, "s", node->id);
        if (err != OK)
            log_event(LOG_LEVEL_WARN, "lease-not-returned", "the lease will run out by itself",
                      "node", node->id, "error", err_name(err), NULL);
    }
    db_free(node->db);
    pthread_cond_destroy(&node->wake);
    pthread_mutex_destroy(&node->lock);
    explicit_bzero(node->options.db.password, sizeof(node->options.db.password));
    free(node);
}

const char *node_id(const struct node *node)
{
    return node->id;
}

void node_set_status(struct node *node, const char *text, bool takes_work)
{
    pthread_mutex_lock(&node->lock);
    node->has_news =
        node->has_news || strcmp(node->status, text) != 0 || node->takes_work != takes_work;
    node->takes_work = takes_work;
    (void)text_format(node->status, sizeof(node->status), "%s", text);
    pthread_mutex_unlock(&node->lock);
}

enum err node_look(struct db *db, const char *node_id, struct node_state *ret_state)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    struct node_state state = {0};
    TRY(db_query(db, &query, LOOK_SQL, "s", node_id));
    TRY(statement_fetch(query, &state.known));
    if (state.known) {
        state.lease_valid = statement_i64(query, 0) != 0;
        state.lease_left_s = max_i64(0, statement_i64(query, 1));
        state.pid = (int)statement_i64(query, 2);
        (void)text_format(state.host, sizeof(state.host), "%s", statement_text(query, 3));
        state.lock_held = statement_i64(query, 4) != 0;
        state.takes_work = statement_i64(query, 5) != 0;
    }
    *ret_state = state;
    return OK;
}
