#include "daemon/run_once.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/engine/retry.h"
#include "daemon/engine/suspicion.h"
#include "daemon/run_display.h"
#include "daemon/run_report.h"
#include "daemon/runner.h"
#include "daemon/signals.h"

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_BAD_CONFIG = 78, LOOK_MS = 500 };

/* All that a run in the foreground needs; the conductor's thread makes it. */
struct foreground {
    const struct run_once_options *options;
    struct runner runner;
    struct run_display display;
    struct node *node;
    enum err err;
    struct detail detail;
};

static void stop_run(void *context, enum stop stop)
{
    struct foreground *run = context;
    runner_stop(&run->runner, stop);
}

static void cut_connections(void *context)
{
    struct foreground *run = context;
    runner_cut(&run->runner);
}

/* Whoever opens a connection first looks whether this is a database to work on. */
static enum err check_database(struct foreground *run)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(db_open(&run->runner.db_options, &db, &run->detail));
    guard_confirm(run->runner.guard);
    return OK;
}

static enum err connect_all(struct foreground *run)
{
    const struct config *config = run->options->config;
    struct runner *runner = &run->runner;
    struct node_options node = {runner->db_options, "RUN", config->lease.heartbeat_s,
                                config->lease.ttl_s};
    node.db.gate = guard_gate_of_heartbeat(runner->guard);
    TRY(check_database(run));
    TRY(node_new(&node, &run->node, &run->detail));
    (void)text_format(runner->node_id, sizeof(runner->node_id), "%s", node_id(run->node));
    return runner_connect(runner, &run->detail);
}

static void say_waiting(struct foreground *run)
{
    const struct launch_answer *answer = &run->runner.launched;
    char text[256];
    (void)text_format(text, sizeof(text),
                      "execution %lld (%s %s) is run by process %d on %.100s, which seems alive",
                      (long long)answer->job_execution_id, run->options->job->name,
                      answer->running_date, answer->owner.pid, answer->owner.host);
    control_wait_for(&run->runner.control, text);
}

/* Launches; while a process that is alive has the job, or an import holds launches, waits for it.
 * Its lock being free for long says sooner than its lease that it is gone. */
static enum err launch_or_wait(struct foreground *run)
{
    struct runner *runner = &run->runner;
    const struct restart_policy policy = runner_restart_policy(run->options->config);
    struct launch_request request = {
        .job = run->options->job,
        .date = run->options->date,
        .node_id = runner->node_id,
        .policy = &policy,
    };
    struct suspicions suspicions = {0};
    char gone[NODE_ID];
    const struct launch_answer *found = &runner->launched;
    for (;;) {
        TRY(guard_examine(runner->guard, runner->db, &run->detail));
        enum err err = launch(runner->db, &request, &runner->launched, &run->detail);
        if (err != ERR_BUSY && err != ERR_LOCK_WAIT) return err;
        if (control_stopping(&runner->control) != STOP_NONE)
            return detail_set(&run->detail, ERR_STOPPED,
                              "stopped while it waited; nothing was begun");
        if (err == ERR_LOCK_WAIT) {
            control_wait_for(&runner->control,
                             "an import of logs, or another launch, is not finished");
            continue;
        }
        say_waiting(run);
        bool lock_held = found->owner.lock_held;
        bool is_gone = suspicion_look(&suspicions, &clock_system, found->owner_id, lock_held);
        (void)text_format(gone, sizeof(gone), "%s", found->owner_id);
        request.gone_node_id = is_gone ? gone : NULL;
        retry_wait(LOOK_MS, &runner->control.stop);
    }
}

static enum err conduct(struct foreground *run)
{
    TRY(connect_all(run));
    TRY(launch_or_wait(run));
    return runner_execute(&run->runner, run->options->job, run->options->date, &run->detail);
}

/* The conductor's thread. */
static void conduct_in_thread(void *argument)
{
    struct foreground *run = argument;
    run->err = conduct(run);
    run_display_finish(&run->display);
}

static int tell(struct foreground *run)
{
    const struct run_once_options *options = run->options;
    if (run->err == ERR_CLOSED) {
        printf("%s %s is closed already: settled by execution %lld; nothing was changed\n",
               options->job->name, options->date, (long long)run->runner.launched.job_execution_id);
        return EXIT_DONE;
    }
    const struct execution_result *result = &run->runner.result;
    if (result->job_execution_id != 0) run_report_print(run->runner.db, options, result);
    if (run->err == OK) return EXIT_DONE;
    const char *text = run->detail.text[0] != '\0' ? run->detail.text : err_text(run->err);
    fprintf(stderr, "settlementd: %s %s: %s\n", options->job->name, options->date, text);
    return run->err == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_NOT_DONE;
}

static int fail_to_start(enum err err, const struct detail *detail)
{
    fprintf(stderr, "settlementd: cannot start: %s\n",
            detail->text[0] != '\0' ? detail->text : err_text(err));
    return err == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_NOT_DONE;
}

static int run_guarded(const struct run_once_options *options, struct guard *guard)
{
    struct foreground run = {.options = options};
    struct db_options db_options;
    enum err err = db_options_init(options->config, &db_options, &run.detail);
    if (err != OK) return fail_to_start(err, &run.detail);
    runner_session_limits(options->config, &db_options);
    db_options.gate = guard_gate(guard);
    const struct runner_options runner_options = {
        .config = options->config,
        .db = &db_options,
        .guard = guard,
        .node_id = "",
        .signal_cause = CAUSE_PERSON,
        .leave_failed = true, /* whoever gave the command sees it fail, and gives it again */
    };
    runner_init(&run.runner, &runner_options);
    explicit_bzero(db_options.password, sizeof(db_options.password));

    const struct run_display_options display_options = {&run.runner.control, options->quiet,
                                                        stop_run, cut_connections, &run};
    uv_thread_t conductor;
    err = run_display_init(&run.display, &display_options);
    signals_hold();
    if (err == OK && uv_thread_create(&conductor, conduct_in_thread, &run) != 0) err = ERR_MEMORY;
    signals_let();
    if (err != OK) return fail_to_start(err, &run.detail);
    run_display_run(&run.display);
    (void)uv_thread_join(&conductor);

    int code = tell(&run);
    node_free(run.node);
    runner_done(&run.runner);
    return code;
}

int run_once(const struct run_once_options *options)
{
    struct guard *guard = NULL;
    struct detail detail = {""};
    enum err err = guard_new(options->config, &guard, &detail);
    if (err != OK) return fail_to_start(err, &detail);
    int code = run_guarded(options, guard);
    guard_free(guard);
    return code;
}
