#include "cli/status_page.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/status_waiting.h"
#include "common/db/statement.h"
#include "common/job_status.h"

enum { EXECUTIONS = 100, FAILURES = 20, PROBLEM = 3000 };

static const char FRONTIER_SQL[] =
    "SELECT DATE_FORMAT(business_date, '%Y-%m-%d'), DATE_FORMAT(closed_at, '%Y-%m-%dT%H:%i:%sZ'),"
    " view_logs, ad_logs FROM day_close ORDER BY business_date DESC LIMIT 1";

static const struct output_column frontier_columns[] = {
    {"Settled up to", "date", OUTPUT_TEXT},
    {"Closed at (UTC)", "closed_at", OUTPUT_TIME},
    {"View logs", "view_logs", OUTPUT_COUNT},
    {"Ad logs", "ad_logs", OUTPUT_COUNT},
};

static const struct output_column lag_columns[] = {
    {"Days that wait", "days", OUTPUT_COUNT},
    {"Oldest", "oldest", OUTPUT_TEXT},
    {"Over for", "age", OUTPUT_DURATION},
    {"Overdue days", "overdue_days", OUTPUT_COUNT},
    {"Days with late logs", "late_days", OUTPUT_COUNT},
    {"Late logs", "late_logs", OUTPUT_COUNT},
};

static const struct output_column database_columns[] = {
    {"Database", "name", OUTPUT_TEXT},
    {"Server", "server", OUTPUT_TEXT},
    {"Version", "version", OUTPUT_TEXT},
};

/* The last one is for programs. */
static const struct output_column node_columns[] = {
    {"Host", "host", OUTPUT_TEXT},
    {"Process", "pid", OUTPUT_KEY},
    {"Version", "version", OUTPUT_TEXT},
    {"Since (UTC)", "started", OUTPUT_TIME},
    {"Up", "uptime", OUTPUT_DURATION},
    {"Alive", "alive", OUTPUT_FLAG},
    {"Last heard of", "silent", OUTPUT_DURATION},
    {"Says", "status", OUTPUT_TEXT},
    {"Node", "node", OUTPUT_TEXT},
};
enum { NODE_COLUMNS_FOR_EYES = 8 };

static const struct output_column job_columns[] = {
    {"Job", "job", OUTPUT_TEXT},
    {"Execution", "execution", OUTPUT_KEY},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Status", "status", OUTPUT_TEXT},
    {"Exit code", "exit_code", OUTPUT_TEXT},
    {"Started (UTC)", "started", OUTPUT_TIME},
    {"Duration", "duration", OUTPUT_DURATION},
};

static const struct output_column success_columns[] = {
    {"Job", "job", OUTPUT_TEXT},
    {"Execution", "execution", OUTPUT_KEY},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Ended (UTC)", "ended", OUTPUT_TIME},
};

static const struct output_column schedule_columns[] = {
    {"Job", "job", OUTPUT_TEXT},       {"Schedule", "cron", OUTPUT_TEXT},
    {"Zone", "timezone", OUTPUT_TEXT}, {"Next slot (UTC)", "next_slot", OUTPUT_TIME},
    {"State", "state", OUTPUT_TEXT},
};

static const struct output_column running_columns[] = {
    {"Execution", "execution", OUTPUT_KEY},
    {"Job", "job", OUTPUT_TEXT},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Step", "step", OUTPUT_TEXT},
    {"Done", "done", OUTPUT_COUNT},
    {"Planned", "planned", OUTPUT_COUNT},
    {"Per cent", "percent", OUTPUT_COUNT},
    {"Since", "duration", OUTPUT_DURATION},
    {"Started for", "started_for", OUTPUT_TEXT},
    {"Host", "host", OUTPUT_TEXT},
};

static const struct output_column ended_columns[] = {
    {"Execution", "execution", OUTPUT_KEY},    {"Job", "job", OUTPUT_TEXT},
    {"Parameters", "parameters", OUTPUT_TEXT}, {"Status", "status", OUTPUT_TEXT},
    {"Ended (UTC)", "ended", OUTPUT_TIME},     {"Restart (UTC)", "restart_at", OUTPUT_TIME},
    {"Restarts", "restarts", OUTPUT_COUNT},    {"Message", "exit_message", OUTPUT_TEXT},
};

static const struct output_column request_columns[] = {
    {"Request", "request", OUTPUT_KEY},
    {"Command", "command", OUTPUT_TEXT},
    {"Job", "job", OUTPUT_TEXT},
    {"Execution", "execution", OUTPUT_KEY},
    {"From", "from", OUTPUT_TEXT},
    {"To", "to", OUTPUT_TEXT},
    {"At day", "on_date", OUTPUT_TEXT},
    {"Days done", "days_done", OUTPUT_COUNT},
    {"Status", "status", OUTPUT_TEXT},
    {"By", "requested_by", OUTPUT_TEXT},
    {"At (UTC)", "requested_at", OUTPUT_TIME},
    {"Answer", "answer", OUTPUT_TEXT},
};

static const struct output_column unsettled_columns[] = {
    {"Day", "date", OUTPUT_TEXT},         {"View logs", "view_logs", OUTPUT_COUNT},
    {"Ad logs", "ad_logs", OUTPUT_COUNT}, {"Late", "late", OUTPUT_FLAG},
    {"Over", "over", OUTPUT_FLAG},        {"Due (UTC)", "due_at", OUTPUT_TIME},
    {"Overdue", "overdue", OUTPUT_FLAG},
};

static const struct output_column problem_columns[] = {
    {"Kind", "kind", OUTPUT_TEXT},
    {"Problem", "text", OUTPUT_TEXT},
};

void status_page_done(struct status_page *page)
{
    struct output *all[] = {page->frontier,   page->lag,      page->database, page->daemons,
                            page->foreground, page->running,  page->jobs,     page->successes,
                            page->schedules,  page->restarts, page->failures, page->requests,
                            page->unsettled,  page->problems};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        output_free(all[i]);
    *page = (struct status_page){0};
}

static void make_tables(struct status_page *page, bool json)
{
    page->frontier = output_new(frontier_columns, COUNT_OF(frontier_columns));
    page->lag = output_new(lag_columns, COUNT_OF(lag_columns));
    page->database = output_new(database_columns, COUNT_OF(database_columns));
    int node_column_count = json ? (int)COUNT_OF(node_columns) : NODE_COLUMNS_FOR_EYES;
    page->daemons = output_new(node_columns, node_column_count);
    page->foreground = output_new(node_columns, node_column_count);
    page->running = output_new(running_columns, COUNT_OF(running_columns));
    page->jobs = output_new(job_columns, COUNT_OF(job_columns));
    page->successes = output_new(success_columns, COUNT_OF(success_columns));
    page->schedules = output_new(schedule_columns, COUNT_OF(schedule_columns));
    page->restarts = output_new(ended_columns, COUNT_OF(ended_columns));
    page->failures = output_new(ended_columns, COUNT_OF(ended_columns));
    page->requests = output_new(request_columns, COUNT_OF(request_columns));
    page->unsettled = output_new(unsettled_columns, COUNT_OF(unsettled_columns));
    page->problems = output_new(problem_columns, COUNT_OF(problem_columns));
}

/* What is read once and used by several tables. */
struct reading {
    struct cli *cli;
    struct db *db;
    struct status_page *page;
    struct job_execution *executions; /* EXECUTIONS of them, for one list after the other */
    struct job_execution *running;
    int running_count;
};

static void reading_done(struct reading *reading)
{
    free(reading->executions);
    free(reading->running);
}

void status_add_problem(struct output *problems, const char *kind, const char *text)
{
    output_text(problems, kind);
    output_text(problems, text);
}

static void add_duration(struct output *output, int64_t us)
{
    if (us < 0) {
        output_nothing(output);
    } else {
        output_i64(output, us);
    }
}

static enum err fill_frontier(struct db *db, struct output *output)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, FRONTIER_SQL, ""));
    bool found = false;
    TRY(statement_fetch(rows, &found));
    if (!found) return OK;
    output_text(output, statement_text(rows, 0));
    output_text(output, statement_text(rows, 1));
    output_i64(output, statement_i64(rows, 2));
    output_i64(output, statement_i64(rows, 3));
    return OK;
}

static void fill_database(const struct reading *reading)
{
    const struct config_database *to = &reading->cli->config.database;
    char server[2 * CONFIG_TEXT] = "the default socket";
    if (to->host[0] != '\0') {
        (void)text_format(server, sizeof(server), "%s:%d", to->host, to->port);
    } else if (to->socket[0] != '\0') {
        (void)text_format(server, sizeof(server), "%s", to->socket);
    }
    output_text(reading->page->database, to->name);
    output_text(reading->page->database, server);
    output_text(reading->page->database, db_server_version(reading->db));
}

static void add_node(struct output *output, const struct job_node *node, bool json)
{
    output_text(output, node->host);
    output_i64(output, node->pid);
    output_text(output, node->version);
    output_text(output, node->started);
    add_duration(output, node->uptime_us);
    output_flag(output, node->alive);
    add_duration(output, node->silent_us);
    output_text(output, node->status);
    if (json) output_text(output, node->node_id);
}

/* What a daemon says when it lacks what was acknowledged: see settlectl accept-loss. */
static void add_halt(struct status_page *page, const struct job_node *node)
{
    static const char halted[] = "HALTED";
    char text[PROBLEM];
    if (strncmp(node->status, halted, sizeof(halted) - 1) != 0) return;
    (void)text_format(text, sizeof(text), "the daemon on %s is %s", node->host, node->status);
    status_add_problem(page->problems, "halted", text);
}

static enum err fill_nodes(struct db *db, struct status_page *page, bool json)
{
    CLEANUP(free_pointer) struct job_node *nodes = calloc(JOB_STATUS_NODES, sizeof(*nodes));
    char host[256] = "";
    int count = 0;
    if (nodes == NULL) return ERR_MEMORY;
    (void)gethostname(host, sizeof(host) - 1);
    TRY(job_status_nodes(db, nodes, JOB_STATUS_NODES, &count));
    for (int i = 0; i < count; i++) {
        bool daemon = strcmp(nodes[i].role, "DAEMON") == 0;
        bool alive = daemon && nodes[i].alive;
        if (alive) page->daemons_alive++;
        if (alive) add_halt(page, &nodes[i]);
        if (alive && strcmp(nodes[i].host, host) == 0) page->daemon_here = true;
        add_node(daemon ? page->daemons : page->foreground, &nodes[i], json);
    }
    if (page->daemons_alive == 0)
        status_add_problem(
            page->problems, "daemon",
            "no daemon is alive: no schedule and no request is worked off; start one: "
            "systemctl start settlementd");
    return OK;
}

static enum err fill_jobs(struct reading *reading)
{
    const struct job_execution *found = reading->executions;
    int count = 0;
    TRY(job_status_latest(reading->db, reading->executions, EXECUTIONS, &count));
    for (int i = 0; i < count; i++) {
        struct output *output = reading->page->jobs;
        output_text(output, found[i].job_name);
        output_i64(output, found[i].id);
        output_text(output, found[i].parameters);
        output_text(output, found[i].status);
        output_text(output, found[i].exit_code);
        output_text(output, found[i].started);
        add_duration(output, found[i].duration_us);
    }
    TRY(job_status_successes(reading->db, reading->executions, EXECUTIONS, &count));
    for (int i = 0; i < count; i++) {
        struct output *output = reading->page->successes;
        output_text(output, found[i].job_name);
        output_i64(output, found[i].id);
        output_text(output, found[i].parameters);
        output_text(output, found[i].ended);
    }
    return OK;
}

static enum err fill_running(struct reading *reading)
{
    struct output *output = reading->page->running;
    TRY(job_status_running(reading->db, reading->running, EXECUTIONS, &reading->running_count));
    for (int i = 0; i < reading->running_count; i++) {
        const struct job_execution *execution = &reading->running[i];
        struct job_progress progress = {0};
        TRY(job_status_progress(reading->db, execution->instance_id, &progress));
        output_i64(output, execution->id);
        output_text(output, execution->job_name);
        output_text(output, execution->parameters);
        output_text(output, progress.step_name);
        output_i64(output, progress.done);
        output_i64(output, progress.planned);
        output_i64(output, progress.percent);
        add_duration(output, execution->duration_us);
        output_text(output, execution->started_for);
        output_text(output, execution->host);
    }
    return OK;
}

static void add_ended(struct output *output, const struct job_execution *execution)
{
    output_i64(output, execution->id);
    output_text(output, execution->job_name);
    output_text(output, execution->parameters);
    output_text(output, execution->status);
    output_text(output, execution->ended);
    output_text(output, execution->restart_at);
    output_i64(output, execution->restarts);
    output_text(output, execution->exit_message);
}

static void add_failure(const struct reading *reading, const struct job_execution *execution)
{
    char text[PROBLEM];
    add_ended(reading->page->failures, execution);
    (void)
        text_format(text, sizeof(text),
                    "execution %lld of %s (%s) FAILED and is not started again by itself: %s; when "
                    "that is mended: settlectl restart %lld",
                    (long long)execution->id, execution->job_name, execution->parameters,
                    execution->exit_message, (long long)execution->id);
    status_add_problem(reading->page->problems, "failed", text);
}

static enum err fill_ended(struct reading *reading)
{
    int count = 0;
    TRY(job_status_restarts(reading->db, reading->executions, EXECUTIONS, &count));
    for (int i = 0; i < count; i++)
        add_ended(reading->page->restarts, &reading->executions[i]);
    TRY(job_status_failures(reading->db, reading->executions, FAILURES, &count));
    for (int i = 0; i < count; i++)
        add_failure(reading, &reading->executions[i]);
    return OK;
}

enum err status_page_read_daemons(struct cli *cli, struct db *db, struct status_page *ret_page)
{
    make_tables(ret_page, cli->json);
    return fill_nodes(db, ret_page, cli->json);
}

enum err status_page_read(struct cli *cli, struct db *db, struct status_page *ret_page)
{
    CLEANUP(reading_done) struct reading reading = {.cli = cli, .db = db, .page = ret_page};
    reading.executions = calloc(EXECUTIONS, sizeof(*reading.executions));
    reading.running = calloc(EXECUTIONS, sizeof(*reading.running));
    make_tables(ret_page, cli->json);
    if (reading.executions == NULL || reading.running == NULL) return ERR_MEMORY;
    fill_database(&reading);
    TRY(fill_frontier(db, ret_page->frontier));
    TRY(fill_nodes(db, ret_page, cli->json));
    TRY(fill_jobs(&reading));
    TRY(fill_running(&reading));
    TRY(fill_ended(&reading));
    const struct status_waiting waiting = {cli, db, reading.running, reading.running_count,
                                           ret_page};
    return status_fill_waiting(&waiting);
}
