/* settlectl nodes, settlectl drain: the processes that work on this database, and how one of them
 * is made to hand over what it has. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "common/clock.h"
#include "common/db/statement.h"
#include "common/utf8.h"

static const char NODES_SQL[] =
    "SELECT n.node_id, n.role, n.host, n.pid, n.version,"
    " DATE_FORMAT(n.started_at, '%Y-%m-%dT%H:%i:%sZ'),"
    " TIMESTAMPDIFF(MICROSECOND, n.heartbeat_at, NOW(6)), n.lease_until > NOW(6),"
    " n.drain_requested_at IS NOT NULL,"
    " (SELECT MAX(e.JOB_EXECUTION_ID) FROM BATCH_JOB_EXECUTION e JOIN job_execution_owner o"
    "  ON o.job_execution_id = e.JOB_EXECUTION_ID WHERE o.node_id = n.node_id"
    "  AND e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')),"
    " (SELECT COUNT(*) FROM step_plan l JOIN step_partition p"
    "  ON p.job_instance_id = l.job_instance_id AND p.step_name = l.step_name"
    "  WHERE l.open_execution_id IS NOT NULL AND p.status = 'STARTED' AND p.node_id = n.node_id),"
    " n.status FROM node n ORDER BY n.role, n.lease_until > NOW(6) DESC, n.started_at, n.node_id";

/* LEFT rather than LIKE: what was typed is no pattern. */
static const char MATCHING_SQL[] =
    "SELECT node_id, role, host, pid, lease_until > NOW(6) FROM node"
    " WHERE LEFT(node_id, CHAR_LENGTH(?)) = ? ORDER BY node_id LIMIT 2";
static const char DRAIN_SQL[] =
    "UPDATE node SET drain_requested_at = COALESCE(drain_requested_at, NOW(6)),"
    " drain_requested_by = ? WHERE node_id = ?";
static const char UNDO_SQL[] =
    "UPDATE node SET drain_requested_at = NULL, drain_requested_by = '' WHERE node_id = ?";
/* What is left until a node is drained: its execution, its partitions of others', and its own word
 * that it takes on nothing more. */
static const char LEFT_SQL[] =
    "SELECT (SELECT COUNT(*) FROM BATCH_JOB_EXECUTION e JOIN job_execution_owner o"
    " ON o.job_execution_id = e.JOB_EXECUTION_ID WHERE o.node_id = ?"
    " AND e.STATUS IN ('STARTING', 'STARTED', 'STOPPING'))"
    " + (SELECT COUNT(*) FROM step_plan l JOIN step_partition p"
    " ON p.job_instance_id = l.job_instance_id AND p.step_name = l.step_name"
    " WHERE l.open_execution_id IS NOT NULL AND p.status = 'STARTED' AND p.node_id = ?)"
    " + (SELECT COUNT(*) FROM node WHERE node_id = ? AND lease_until > NOW(6)"
    " AND takes_work)";

static const struct output_column columns[] = {
    {"Node", "node", OUTPUT_TEXT},
    {"Role", "role", OUTPUT_TEXT},
    {"Host", "host", OUTPUT_TEXT},
    {"Process", "pid", OUTPUT_KEY},
    {"Version", "version", OUTPUT_TEXT},
    {"Since (UTC)", "started", OUTPUT_TIME},
    {"Last heard of", "silent", OUTPUT_DURATION},
    {"Alive", "alive", OUTPUT_FLAG},
    {"Drained", "drained", OUTPUT_FLAG},
    {"Execution", "execution", OUTPUT_KEY},
    {"Partitions", "partitions", OUTPUT_COUNT},
    {"Says", "status", OUTPUT_TEXT},
};

/* ---- nodes ---- */

static void add_row(struct output *output, const struct statement *rows)
{
    output_text(output, statement_text(rows, 0));
    output_text(output, statement_text(rows, 1));
    output_text(output, statement_text(rows, 2));
    output_i64(output, statement_i64(rows, 3));
    output_text(output, statement_text(rows, 4));
    output_text(output, statement_text(rows, 5));
    output_i64(output, statement_i64(rows, 6));
    output_flag(output, statement_i64(rows, 7) != 0);
    output_flag(output, statement_i64(rows, 8) != 0);
    if (statement_is_null(rows, 9)) {
        output_nothing(output);
    } else {
        output_i64(output, statement_i64(rows, 9));
    }
    output_i64(output, statement_i64(rows, 10));
    output_text(output, statement_text(rows, 11));
}

static enum err fill(struct db *db, struct output *output)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, NODES_SQL, ""));
    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        add_row(output, rows);
    }
}

static enum err nodes(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct cli_arguments arguments = {0};
    TRY(cli_parse(&arguments, argc, argv, detail));
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));
    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    enum err err = fill(db, output);
    if (err != OK) return cli_db_failed(db, err, "reading the processes", detail);
    if (output_rows(output) == 0 && cli->format == CLI_FORMAT_TABLE)
        printf("No process works on this database: systemctl start settlementd\n");
    return output_print_list(output, cli->format, json_object(), "nodes");
}

int cli_nodes(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = nodes(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}

/* ---- drain ---- */

struct drained {
    char node_id[37], host[256];
    int64_t pid;
};

static enum err refuse_name(const char *word, struct detail *detail)
{
    return detail_set(detail, ERR_USAGE,
                      "NODE %s: it is the beginning of a node's id, as settlectl nodes lists them",
                      word[0] == '\0' ? "is empty" : word);
}

static enum err find(struct db *db, const char *word, struct drained *ret_node,
                     struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    bool row = false;
    TRY(db_query(db, &rows, MATCHING_SQL, "ss", word, word));
    TRY(statement_fetch(rows, &row));
    if (!row)
        return detail_set(detail, ERR_NOT_FOUND, "there is no node %s; settlectl nodes lists them",
                          word);
    if (statement_rows(rows) > 1)
        return detail_set(detail, ERR_REFUSED,
                          "several nodes begin with %s; give more of the id: settlectl nodes",
                          word);
    if (strcmp(statement_text(rows, 1), "DAEMON") != 0)
        return detail_set(detail, ERR_REFUSED,
                          "node %s is a run in the foreground; settlectl stop EXECUTION ends it at "
                          "the next chunk",
                          statement_text(rows, 0));
    if (statement_i64(rows, 4) == 0)
        return detail_set(detail, ERR_REFUSED,
                          "node %s is not alive; others take over what it had by themselves",
                          statement_text(rows, 0));
    (void)text_format(ret_node->node_id, sizeof(ret_node->node_id), "%s", statement_text(rows, 0));
    (void)text_format(ret_node->host, sizeof(ret_node->host), "%s", statement_text(rows, 2));
    ret_node->pid = statement_i64(rows, 3);
    return OK;
}

static enum err wait_until_empty(struct db *db, const char *node_id, int64_t timeout_s,
                                 struct detail *detail)
{
    int64_t deadline_us = clock_monotonic_us(&clock_system) + timeout_s * 1000000;
    for (;;) {
        int64_t left = 0;
        const struct timespec pause = {.tv_nsec = (long)ASK_POLL_MS * 1000000};
        TRY(db_query_i64(db, &left, 0, LEFT_SQL, "sss", node_id, node_id, node_id));
        if (left == 0) return OK;
        if (timeout_s > 0 && clock_monotonic_us(&clock_system) >= deadline_us)
            return detail_set(detail, ERR_TIMEOUT,
                              "it is being drained, but still has %" PRId64
                              " things to hand over; settlectl nodes shows them",
                              left);
        (void)nanosleep(&pause, NULL);
    }
}

static enum err print(const struct cli *cli, const struct drained *node, const char *state)
{
    if (cli->json)
        return output_print_json(json_pack("{s:s, s:s}", "node", node->node_id, "state", state),
                                 stdout);
    printf("node %s, process %" PRId64 " on ", node->node_id, node->pid);
    utf8_print(stdout, node->host);
    printf(": %s\n", state);
    return OK;
}

struct drain_choice {
    bool undo, wait;
    int64_t timeout_s;
};

static enum err carry_out(const struct cli *cli, struct db *db, const char *word,
                          const struct drain_choice *choice, struct detail *detail)
{
    struct drained node = {0};
    char who[128];
    TRY(find(db, word, &node, detail));
    ask_person(who, sizeof(who));
    if (choice->undo) {
        TRY(db_run(db, NULL, UNDO_SQL, "s", node.node_id));
        return print(cli, &node, "takes work on again");
    }
    TRY(db_run(db, NULL, DRAIN_SQL, "ss", who, node.node_id));
    if (!choice->wait) return print(cli, &node, "is being drained");
    TRY(wait_until_empty(db, node.node_id, choice->timeout_s, detail));
    return print(cli, &node, "is drained");
}

static enum err drain(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct drain_choice choice = {0};
    const struct cli_option options[] = {
        {.name = "--undo", .flag = &choice.undo},
        {.name = "--wait", .flag = &choice.wait},
        {.name = "--timeout",
         .number = &choice.timeout_s,
         .minimum = 1,
         .maximum = (int64_t)7 * 24 * 3600},
    };
    struct cli_arguments arguments = {
        .options = options,
        .option_count = COUNT_OF(options),
        .word_minimum = 1,
        .word_maximum = 1,
        .word_names = "NODE",
    };
    TRY(cli_parse(&arguments, argc, argv, detail));
    const char *word = arguments.words[0];
    if (word[0] == '\0' || word[strspn(word, "0123456789abcdef-")] != '\0')
        return refuse_name(word, detail);
    if (choice.undo && choice.wait)
        return detail_set(detail, ERR_USAGE, "--undo waits for nothing");
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_db(cli, &db, detail));
    enum err err = carry_out(cli, db, word, &choice, detail);
    if (err != OK && detail->text[0] == '\0') return cli_db_failed(db, err, "draining", detail);
    return err;
}

int cli_drain(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = drain(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
