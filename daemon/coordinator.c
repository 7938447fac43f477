#include "daemon/coordinator.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/purge.h"
#include "daemon/answers.h"
#include "daemon/guard.h"
#include "daemon/jobs/jobs.h"
#include "daemon/pulse.h"
#include "daemon/runner.h"
#include "daemon/settings.h"
#include "daemon/status_line.h"

enum {
    EXIT_DONE = 0,
    EXIT_NOT_STARTED = 1,
    EXIT_BAD_CONFIG = 78,
    TURN_MS = 500,
    DRAIN_TURN_MS = 50,
    PAUSE_MS = 250,
    PAUSE_MAX_MS = 5000,
    CUT_AFTER_MS = 3000,
    ADOPT_MS = 1000,
    EXAMINE_MS = 5000,
    STATEMENT_SECONDS = 15 /* longer than any statement of a turn takes: the server hangs */
};

struct coordinator {
    struct config config;
    struct mailbox *mailbox;
    struct guard *guard;
    struct db_options db_options;        /* of this thread's connection */
    struct db_options runner_db_options; /* of executions */
    pthread_mutex_t lock;
    struct db *db; /* behind the lock for coordinator_cut; else this thread's alone */
    struct node *node;
    struct slots *slots;
    struct statement *pulse_statement;
    struct pulse pulse;
    struct work works[JOBS_LIMIT];
    int work_count;
    bool connected, started;
    bool halted;                     /* it is, but it lacks what it had acknowledged */
    bool trouble;                    /* a part of this turn failed */
    int64_t connect_at_us, pause_ms; /* the next try, and how long to wait after it */
    int64_t adopt_at_us, abort_at_us, examine_at_us;
    char away[512];       /* why there is no connection; empty: there is one */
    char said_error[512]; /* logged last, so that each is said once */
    struct mailbox_report report;
    int exit_code;
    _Atomic bool cut;
};

static int64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static void wake(void *context)
{
    struct coordinator *coordinator = context;
    mailbox_nudge(coordinator->mailbox);
}

static bool takes_work(const struct coordinator *coordinator)
{
    return coordinator->report.state == MAILBOX_READY && coordinator->away[0] == '\0' &&
           !coordinator->halted && !coordinator->pulse.drained;
}

static void tell(struct coordinator *coordinator)
{
    struct mailbox_report *report = &coordinator->report;
    const struct status_line status = {report,
                                       coordinator->works,
                                       coordinator->work_count,
                                       coordinator->away,
                                       coordinator->pulse.drained,
                                       coordinator->halted};
    status_line_write(&status, report->status, sizeof(report->status));
    if (coordinator->node != NULL)
        node_set_status(coordinator->node, report->status, takes_work(coordinator));
    mailbox_tell(coordinator->mailbox, report);
}

/* ---- the connection ---- */

/* A trouble that lasts is logged once. */
static void log_trouble(struct coordinator *coordinator, const char *event, enum err err,
                        const char *words)
{
    if (strcmp(coordinator->said_error, words) == 0) return;
    (void)text_format(coordinator->said_error, sizeof(coordinator->said_error), "%s", words);
    log_event(err == ERR_BEHIND ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, event, words, "error",
              err_name(err), NULL);
}

/* A daemon that is halted is up, and says so where people look: also in the database, which it is
 * not to work on. */
static enum err enroll(struct coordinator *coordinator, struct detail *detail)
{
    struct node_options node = {coordinator->runner_db_options, "DAEMON",
                                coordinator->config.lease.heartbeat_s,
                                coordinator->config.lease.ttl_s};
    if (coordinator->node != NULL) return OK;
    node.db.gate = guard_gate_of_heartbeat(coordinator->guard);
    return node_new(&node, &coordinator->node, detail);
}

static void retry_later(struct coordinator *coordinator, enum err err, const char *words)
{
    coordinator->connected = false;
    coordinator->connect_at_us = now_us() + coordinator->pause_ms * 1000;
    coordinator->pause_ms = min_i64(coordinator->pause_ms * 2, PAUSE_MAX_MS);
    const char *event = err == ERR_BEHIND ? "halted" : "database-away";
    struct detail detail = {""};
    log_trouble(coordinator, event, err, words);
    coordinator->halted = err == ERR_BEHIND;
    if (coordinator->halted && enroll(coordinator, &detail) == OK)
        coordinator->report.state = MAILBOX_READY;
    else if (!coordinator->started)
        coordinator->report.state = MAILBOX_WAITING_FOR_DATABASE;
    (void)text_format(coordinator->away, sizeof(coordinator->away), "%s", words);
    if (coordinator->slots != NULL) slots_forget(coordinator->slots);
}

static enum err open_connection(struct coordinator *coordinator, struct detail *detail)
{
    struct db *db = NULL;
    if (coordinator->db != NULL) {
        enum err err = db_reconnect(coordinator->db);
        if (err != OK) return detail_set(detail, err, "%s", db_message(coordinator->db));
        return OK;
    }
    TRY(db_open(&coordinator->db_options, &db, detail));
    pthread_mutex_lock(&coordinator->lock);
    coordinator->db = db;
    pthread_mutex_unlock(&coordinator->lock);
    return OK;
}

/* Once, with the first connection: who are we on it? */
static enum err set_up(struct coordinator *coordinator, struct detail *detail)
{
    const struct config *config = &coordinator->config;
    TRY(enroll(coordinator, detail));
    if (coordinator->slots == NULL) TRY(slots_new(node_id(coordinator->node), &coordinator->slots));
    TRY(settings_schedule(config, coordinator->slots, detail));
    if (coordinator->pulse_statement == NULL)
        TRY(pulse_new(coordinator->db, &coordinator->pulse_statement));
    coordinator->started = true;
    guard_confirm(coordinator->guard);
    log_event(LOG_LEVEL_INFO, "daemon-ready", "settlementd is ready", "version",
              SETTLEMENTD_VERSION, "node", node_id(coordinator->node), "config", config->path,
              NULL);
    return OK;
}

static void give_up(struct coordinator *coordinator, enum err err, const char *words)
{
    log_event(LOG_LEVEL_ERROR, "cannot-start", words, "error", err_name(err), NULL);
    (void)text_format(coordinator->report.status, sizeof(coordinator->report.status),
                      "cannot start: %s", words);
    coordinator->exit_code = err == ERR_CONFIG || err == ERR_INVALID || err == ERR_SETTING
                                 ? EXIT_BAD_CONFIG
                                 : EXIT_NOT_STARTED;
    coordinator->report.state = MAILBOX_DONE;
}

static bool reach_database(struct coordinator *coordinator)
{
    struct detail detail = {0};
    if (now_us() < coordinator->connect_at_us) return false;
    enum err err = open_connection(coordinator, &detail);
    mailbox_turn(coordinator->mailbox);
    if (err == OK && !coordinator->started) err = set_up(coordinator, &detail);
    if (err == OK) {
        if (coordinator->said_error[0] != '\0')
            log_event(LOG_LEVEL_INFO, "database-back", "the database answers again", NULL);
        coordinator->said_error[0] = '\0';
        coordinator->connected = true;
        coordinator->away[0] = '\0';
        coordinator->halted = false;
        coordinator->examine_at_us = now_us() + (int64_t)EXAMINE_MS * 1000;
        coordinator->pause_ms = PAUSE_MS;
        coordinator->report.state = MAILBOX_READY;
        return true;
    }
    const char *words = detail.text[0] != '\0' ? detail.text : err_text(err);
    enum err_class class = err_class(err);
    if (coordinator->started || class == CLASS_CONNECTION || class == CLASS_TRANSACTION)
        retry_later(coordinator, err, words);
    else
        give_up(coordinator, err, words);
    return false;
}

/* ---- a turn ---- */

/* What fails in one part of a turn must not keep the other parts from theirs; but without a
 * connection there is no turn. */
static enum err tolerate(struct coordinator *coordinator, enum err err)
{
    static const char event[] = "turn-failed";
    if (err == OK || err_class(err) == CLASS_CONNECTION) return err;
    coordinator->trouble = true;
    log_trouble(coordinator, event, err, db_message(coordinator->db));
    return OK;
}

static enum err purge(struct coordinator *coordinator)
{
    char until[CIVIL_TEXT], words[160];
    struct purge_counts counts = {0};
    bool more = false;
    if (!coordinator->pulse.purge) return OK;
    TRY(slots_open_until(coordinator->db, PURGE_SCHEDULE, until));
    if (until[0] == '\0') return OK;
    TRY(purge_batch(coordinator->db, coordinator->config.housekeeping.keep_days, &counts, &more));
    (void)text_format(words, sizeof(words),
                      "%lld job instances, %lld requests, %lld slots, %lld processes",
                      (long long)counts.instances, (long long)counts.requests,
                      (long long)counts.slots, (long long)counts.nodes);
    if (counts.instances + counts.requests + counts.slots + counts.nodes > 0)
        log_event(LOG_LEVEL_INFO, "purged", words, NULL);
    if (more) {
        mailbox_nudge(coordinator->mailbox); /* a batch a turn, but the next turn at once */
        return OK;
    }
    return slots_finish(coordinator->db, PURGE_SCHEDULE, until, coordinator->pulse.now_us,
                        "job metadata was purged");
}

static enum err run_works(struct coordinator *coordinator, struct work_context *context)
{
    const struct pulse *pulse = &coordinator->pulse;
    bool something = pulse->accepted || pulse->open || pulse->due || pulse->running;
    for (int i = 0; i < coordinator->work_count; i++) {
        struct work *work = &coordinator->works[i];
        TRY(tolerate(coordinator, helping_turn(&work->helping, work->job, context)));
        if (!something && !context->stirred && work->conductor == NULL) {
            work->state[0] = '\0';
            continue;
        }
        TRY(tolerate(coordinator, work_turn(work, context)));
        mailbox_turn(coordinator->mailbox);
    }
    return OK;
}

static enum err decide_slots(struct coordinator *coordinator)
{
    struct detail detail = {0};
    bool more = false;
    enum err err =
        slots_tick(coordinator->slots, coordinator->db, coordinator->pulse.now_us, &more, &detail);
    if (more) mailbox_nudge(coordinator->mailbox);
    if (err == OK || err_class(err) == CLASS_CONNECTION) return err;
    static const char event[] = "slots-not-decided";
    coordinator->trouble = true;
    log_trouble(coordinator, event, err,
                detail.text[0] != '\0' ? detail.text : db_message(coordinator->db));
    return OK; /* the next turn begins anew; running work must not wait for it */
}

static enum err adopt(struct coordinator *coordinator)
{
    if (!coordinator->pulse.accepted || now_us() < coordinator->adopt_at_us) return OK;
    coordinator->adopt_at_us = now_us() + (int64_t)ADOPT_MS * 1000;
    return queue_adopt(coordinator->db, node_id(coordinator->node));
}

static void note_drain(const struct coordinator *coordinator)
{
    bool drained = coordinator->pulse.drained;
    log_event(LOG_LEVEL_INFO, drained ? "drained" : "undrained",
              drained ? "takes on nothing more, and hands over what it has" : "takes work on again",
              "node", node_id(coordinator->node), NULL);
}

/* What a server was when it was connected to, it need not be for ever. This is also how a daemon
 * that runs nothing learns what others have ended, and remembers it. */
static enum err examine(struct coordinator *coordinator)
{
    struct detail detail = {""};
    if (now_us() < coordinator->examine_at_us) return OK;
    coordinator->examine_at_us = now_us() + (int64_t)EXAMINE_MS * 1000;
    return guard_look(coordinator->guard, coordinator->db, &detail);
}

static enum err take_turn(struct coordinator *coordinator)
{
    struct pulse *pulse = &coordinator->pulse;
    struct pulse before = *pulse;
    coordinator->trouble = false;
    TRY(tolerate(coordinator, examine(coordinator)));
    TRY(tolerate(coordinator,
                 pulse_take(coordinator->pulse_statement, node_id(coordinator->node), pulse)));
    if (coordinator->trouble) return OK;
    if (pulse->drained != before.drained) note_drain(coordinator);
    if (!pulse->drained) TRY(decide_slots(coordinator));
    struct work_context context = {
        .db = coordinator->db,
        .node_id = node_id(coordinator->node),
        .config = &coordinator->config,
        .guard = coordinator->guard,
        .db_options = &coordinator->runner_db_options,
        .wake = wake,
        .wake_context = coordinator,
        .now_us = pulse->now_us,
        .accepted = pulse->accepted,
        .running = pulse->running,
        .stirred = (pulse->open && !before.open) || (pulse->due && !before.due) ||
                   (pulse->accepted && !before.accepted),
        .shared = pulse->shared,
        .drained = pulse->drained,
    };
    if (pulse->drained) return run_works(coordinator, &context);
    if (pulse->pending)
        TRY(tolerate(coordinator, answers_turn(coordinator->works, coordinator->work_count,
                                               &context, &context.stirred)));
    TRY(tolerate(coordinator, adopt(coordinator)));
    TRY(run_works(coordinator, &context));
    return tolerate(coordinator, purge(coordinator));
}

/* ---- reload, drain ---- */

static enum err take_over(struct coordinator *coordinator, struct detail *detail)
{
    struct config next;
    TRY(settings_read_again(&coordinator->config, &next, detail));
    if (coordinator->slots != NULL) TRY(settings_schedule(&next, coordinator->slots, detail));
    coordinator->config = next;
    log_init((enum log_level)next.log_level, (int)next.log_format);
    return OK;
}

static void reload(struct coordinator *coordinator, int64_t reloads)
{
    struct detail detail = {0};
    struct mailbox_report *report = &coordinator->report;
    enum err err = take_over(coordinator, &detail);
    report->reloads = reloads;
    report->reload_failed = err != OK;
    report->reload_error[0] = '\0';
    if (err == OK) {
        log_event(LOG_LEVEL_INFO, "reloaded", "the configuration was taken over", "config",
                  coordinator->config.path, NULL);
        return;
    }
    const char *words = detail.text[0] != '\0' ? detail.text : err_text(err);
    (void)text_format(report->reload_error, sizeof(report->reload_error), "%s", words);
    log_event(LOG_LEVEL_ERROR, "reload-failed", words, "config", coordinator->config.path, NULL);
}

/* False when nothing runs any more. */
static bool drain(struct coordinator *coordinator, enum mailbox_stop order)
{
    const struct work_context context = {
        .db = coordinator->connected ? coordinator->db : NULL,
        .config = &coordinator->config,
    };
    enum stop stop = order == MAILBOX_ABORT ? STOP_ABORT : STOP_DRAIN;
    bool any = false;
    if (coordinator->report.state != MAILBOX_DRAINING)
        log_event(LOG_LEVEL_INFO, "stopping", "nothing new is begun; running chunks are finished",
                  NULL);
    coordinator->report.state = MAILBOX_DRAINING;
    if (stop == STOP_ABORT && coordinator->abort_at_us == 0) coordinator->abort_at_us = now_us();
    bool cut = atomic_load(&coordinator->cut) ||
               (coordinator->abort_at_us != 0 &&
                now_us() > coordinator->abort_at_us + (int64_t)CUT_AFTER_MS * 1000);
    for (int i = 0; i < coordinator->work_count; i++) {
        bool running = false;
        work_drain(&coordinator->works[i], &context, stop, &running);
        if (running && cut) work_cut(&coordinator->works[i]);
        any = any || running;
    }
    return any;
}

static int turn(struct coordinator *coordinator)
{
    struct mailbox_orders orders = mailbox_orders(coordinator->mailbox);
    if (orders.reloads != coordinator->report.reloads) reload(coordinator, orders.reloads);
    if (orders.stop != MAILBOX_RUN) {
        if (!drain(coordinator, orders.stop)) coordinator->report.state = MAILBOX_DONE;
        return DRAIN_TURN_MS;
    }
    if (!coordinator->connected && !reach_database(coordinator)) return PAUSE_MS;
    enum err err = take_turn(coordinator);
    if (err_class(err) == CLASS_CONNECTION)
        retry_later(coordinator, err, db_message(coordinator->db));
    else if (!coordinator->trouble)
        coordinator->said_error[0] = '\0';
    return TURN_MS;
}

/* ---- life ---- */

static void leave(struct coordinator *coordinator)
{
    slots_free(coordinator->slots);
    node_free(coordinator->node);
    statement_free(coordinator->pulse_statement);
    pthread_mutex_lock(&coordinator->lock);
    db_free(coordinator->db);
    coordinator->db = NULL;
    pthread_mutex_unlock(&coordinator->lock);
    coordinator->node = NULL;
}

void coordinator_main(void *argument)
{
    struct coordinator *coordinator = argument;
    while (coordinator->report.state != MAILBOX_DONE) {
        int wait_ms = turn(coordinator);
        if (coordinator->report.state == MAILBOX_DONE) break;
        tell(coordinator);
        (void)mailbox_wait(coordinator->mailbox, wait_ms);
    }
    if (atomic_load(&coordinator->cut) && coordinator->node != NULL) node_cut(coordinator->node);
    leave(coordinator);
    log_event(LOG_LEVEL_INFO, "stopped", "settlementd ends", "exit",
              LOG_INT(coordinator->exit_code), NULL);
    mailbox_tell(coordinator->mailbox, &coordinator->report);
}

static enum err read_options(struct coordinator *coordinator)
{
    struct detail detail = {0};
    const struct config *config = &coordinator->config;
    enum err err = db_options_init(config, &coordinator->runner_db_options, &detail);
    if (err == OK) err = guard_new(config, &coordinator->guard, &detail);
    if (err != OK) {
        give_up(coordinator, err, detail.text);
        return OK;
    }
    runner_session_limits(config, &coordinator->runner_db_options);
    coordinator->runner_db_options.gate = guard_gate(coordinator->guard);
    coordinator->db_options = coordinator->runner_db_options;
    coordinator->db_options.lock_wait_s = 1; /* a turn waits for nobody */
    coordinator->db_options.statement_timeout_s = STATEMENT_SECONDS;
    return OK;
}

enum err coordinator_new(const struct coordinator_options *options,
                         struct coordinator **ret_coordinator)
{
    struct coordinator *coordinator = calloc(1, sizeof(*coordinator));
    if (coordinator == NULL) return ERR_MEMORY;
    coordinator->config = *options->config;
    coordinator->mailbox = options->mailbox;
    coordinator->pause_ms = PAUSE_MS;
    coordinator->report.state = MAILBOX_STARTING;
    for (int i = 0; jobs_at(i) != NULL; i++) {
        coordinator->works[coordinator->work_count++].job = jobs_at(i);
    }
    int failed = pthread_mutex_init(&coordinator->lock, NULL);
    ASSERT(failed == 0);
    *ret_coordinator = coordinator;
    return read_options(coordinator);
}

void coordinator_free(struct coordinator *coordinator)
{
    if (coordinator == NULL) return;
    pthread_mutex_destroy(&coordinator->lock);
    guard_free(coordinator->guard);
    explicit_bzero(coordinator->db_options.password, sizeof(coordinator->db_options.password));
    explicit_bzero(coordinator->runner_db_options.password,
                   sizeof(coordinator->runner_db_options.password));
    free(coordinator);
}

int coordinator_exit_code(const struct coordinator *coordinator)
{
    return coordinator->exit_code;
}

void coordinator_cut(struct coordinator *coordinator)
{
    atomic_store(&coordinator->cut, true);
    pthread_mutex_lock(&coordinator->lock);
    if (coordinator->db != NULL) db_shut_down(coordinator->db);
    pthread_mutex_unlock(&coordinator->lock);
    mailbox_nudge(coordinator->mailbox);
}
