/* settlectl show: one execution with its steps, the partitions of its job instance, and its
 * checks. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/db/statement.h"
#include "common/job_status.h"
#include "common/utf8.h"

static const char CHECKS_SQL[] =
    "SELECT check_name, expected, actual, passed FROM reconciliation"
    " WHERE job_execution_id = ? ORDER BY check_name";

static const struct output_column execution_columns[] = {
    {"Execution", "execution", OUTPUT_KEY},
    {"Job", "job", OUTPUT_TEXT},
    {"Parameters", "parameters", OUTPUT_TEXT},
    {"Status", "status", OUTPUT_TEXT},
    {"Exit code", "exit_code", OUTPUT_TEXT},
    {"Message", "exit_message", OUTPUT_TEXT},
    {"Created (UTC)", "created", OUTPUT_TIME},
    {"Started (UTC)", "started", OUTPUT_TIME},
    {"Ended (UTC)", "ended", OUTPUT_TIME},
    {"Duration", "duration", OUTPUT_DURATION},
    {"Attempt", "attempt", OUTPUT_COUNT},
    {"Instance", "instance", OUTPUT_KEY},
    {"Started for", "started_for", OUTPUT_TEXT},
    {"Ended by", "cause", OUTPUT_TEXT},
    {"Restarts", "restarts", OUTPUT_COUNT},
    {"Restart (UTC)", "restart_at", OUTPUT_TIME},
    {"Host", "host", OUTPUT_TEXT},
    {"Process", "pid", OUTPUT_KEY},
    {"Node", "node", OUTPUT_TEXT},
};

/* The last ones are for programs: people get the messages below the table. */
static const struct output_column step_columns[] = {
    {"Step", "step", OUTPUT_TEXT},
    {"Status", "status", OUTPUT_TEXT},
    {"Read", "read", OUTPUT_COUNT},
    {"Written", "written", OUTPUT_COUNT},
    {"Skipped", "skipped", OUTPUT_COUNT},
    {"Rollbacks", "rollbacks", OUTPUT_COUNT},
    {"Commits", "commits", OUTPUT_COUNT},
    {"Duration", "duration", OUTPUT_DURATION},
    {"Filtered", "filtered", OUTPUT_COUNT},
    {"Exit code", "exit_code", OUTPUT_TEXT},
    {"Message", "exit_message", OUTPUT_TEXT},
    {"Started", "started", OUTPUT_TIME},
    {"Ended", "ended", OUTPUT_TIME},
};
enum { STEP_COLUMNS_FOR_EYES = 8, PARTITION_COLUMNS_FOR_EYES = 11 };

/* Likewise. */
static const struct output_column partition_columns[] = {
    {"Step", "step", OUTPUT_TEXT},
    {"Partition", "partition", OUTPUT_KEY},
    {"Above", "lower_key", OUTPUT_KEY},
    {"Up to", "upper_key", OUTPUT_KEY},
    {"Checkpoint", "checkpoint_key", OUTPUT_KEY},
    {"Epoch", "epoch", OUTPUT_KEY},
    {"Status", "status", OUTPUT_TEXT},
    {"Estimated", "estimated", OUTPUT_COUNT},
    {"Read", "read", OUTPUT_COUNT},
    {"Written", "written", OUTPUT_COUNT},
    {"Skipped", "skipped", OUTPUT_COUNT},
    {"Chunks", "chunks", OUTPUT_COUNT},
    {"Rollbacks", "rollbacks", OUTPUT_COUNT},
    {"Deadlocks", "deadlocks", OUTPUT_COUNT},
    {"Lock waits", "lock_waits", OUTPUT_COUNT},
};

static const struct output_column check_columns[] = {
    {"Check", "check", OUTPUT_TEXT},
    {"Expected", "expected", OUTPUT_TEXT},
    {"Actual", "actual", OUTPUT_TEXT},
    {"Passed", "passed", OUTPUT_FLAG},
};

/* The four tables of the page. */
struct page {
    struct output *execution, *steps, *partitions, *checks;
};

static void page_done(struct page *page)
{
    output_free(page->execution);
    output_free(page->steps);
    output_free(page->partitions);
    output_free(page->checks);
}

static void add_duration(struct output *output, int64_t us)
{
    if (us < 0) {
        output_nothing(output);
    } else {
        output_i64(output, us);
    }
}

static void fill_execution(struct output *output, const struct job_execution *execution)
{
    output_i64(output, execution->id);
    output_text(output, execution->job_name);
    output_text(output, execution->parameters);
    output_text(output, execution->status);
    output_text(output, execution->exit_code);
    output_text(output, execution->exit_message);
    output_text(output, execution->created);
    output_text(output, execution->started);
    output_text(output, execution->ended);
    add_duration(output, execution->duration_us);
    output_i64(output, execution->attempt);
    output_i64(output, execution->instance_id);
    output_text(output, execution->started_for);
    output_text(output, execution->cause);
    output_i64(output, execution->restarts);
    output_text(output, execution->restart_at);
    output_text(output, execution->host);
    if (execution->host[0] != '\0') {
        output_i64(output, execution->pid);
    } else {
        output_nothing(output);
    }
    output_text(output, execution->node_id);
}

static void add_step(struct output *output, const struct job_step *step, bool whole)
{
    output_text(output, step->name);
    output_text(output, step->status);
    output_i64(output, step->read);
    output_i64(output, step->written);
    output_i64(output, step->skipped);
    output_i64(output, step->rollbacks);
    output_i64(output, step->commits);
    add_duration(output, step->duration_us);
    if (!whole) return;
    output_i64(output, step->filtered);
    output_text(output, step->exit_code);
    output_text(output, step->exit_message);
    output_text(output, step->started);
    output_text(output, step->ended);
}

static void add_partition(struct output *output, const struct job_partition *partition, bool whole)
{
    output_text(output, partition->step_name);
    output_i64(output, partition->number);
    output_i64(output, partition->lower_key);
    output_i64(output, partition->upper_key);
    if (partition->has_checkpoint) {
        output_i64(output, partition->checkpoint_key);
    } else {
        output_nothing(output);
    }
    output_i64(output, partition->epoch);
    output_text(output, partition->status);
    output_i64(output, partition->estimated);
    output_i64(output, partition->read);
    output_i64(output, partition->written);
    output_i64(output, partition->skipped);
    if (!whole) return;
    output_i64(output, partition->chunks);
    output_i64(output, partition->rollbacks);
    output_i64(output, partition->deadlocks);
    output_i64(output, partition->lock_waits);
}

static enum err fill_checks(struct db *db, struct output *output, int64_t execution_id)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, CHECKS_SQL, "i", execution_id));
    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        output_text(output, statement_text(rows, 0));
        output_text(output, statement_text(rows, 1));
        output_text(output, statement_text(rows, 2));
        output_flag(output, statement_i64(rows, 3) != 0);
    }
}

static void fill_page(struct page *page, const struct job_detail *detail, bool json)
{
    int step_column_count = json ? (int)COUNT_OF(step_columns) : STEP_COLUMNS_FOR_EYES;
    int partition_column_count =
        json ? (int)COUNT_OF(partition_columns) : PARTITION_COLUMNS_FOR_EYES;
    page->execution = output_new(execution_columns, COUNT_OF(execution_columns));
    page->steps = output_new(step_columns, step_column_count);
    page->partitions = output_new(partition_columns, partition_column_count);
    page->checks = output_new(check_columns, COUNT_OF(check_columns));

    fill_execution(page->execution, &detail->execution);
    for (int i = 0; i < detail->step_count; i++)
        add_step(page->steps, &detail->steps[i], json);
    for (int i = 0; i < detail->partition_count; i++) {
        add_partition(page->partitions, &detail->partitions[i], json);
    }
}

static enum err print_json(const struct page *page)
{
    json_t *document = output_json_record(page->execution);
    if (document == NULL) return ERR_MEMORY;
    if (json_object_set_new(document, "steps", output_json_rows(page->steps)) != 0 ||
        json_object_set_new(document, "partitions", output_json_rows(page->partitions)) != 0 ||
        json_object_set_new(document, "checks", output_json_rows(page->checks)) != 0) {
        json_decref(document);
        return ERR_MEMORY;
    }
    return output_print_json(document, stdout);
}

static enum err print_section(const char *title, const struct output *output)
{
    if (output_rows(output) == 0) return OK;
    printf("\n%s\n", title);
    return output_print_table(output, stdout);
}

static enum err print_page(const struct page *page, const struct job_detail *detail)
{
    TRY(output_print_record(page->execution, stdout));
    TRY(print_section("Steps", page->steps));
    for (int i = 0; i < detail->step_count; i++) {
        const struct job_step *step = &detail->steps[i];
        if (step->exit_message[0] == '\0') continue;
        printf("%s: ", step->name);
        utf8_print(stdout, step->exit_message);
        printf("\n");
    }
    TRY(print_section("Partitions", page->partitions));
    return print_section("Checks", page->checks);
}

static enum err load(struct cli *cli, int64_t id, struct job_detail *ret_detail, struct page *page,
                     struct detail *detail)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));
    enum err err = job_status_detail(db, id, ret_detail);
    if (err == ERR_NOT_FOUND) {
        return detail_set(detail, err, "there is no execution %lld; `settlectl runs` lists them",
                          (long long)id);
    }
    if (err != OK) return cli_db_failed(db, err, "reading the execution", detail);
    fill_page(page, ret_detail, cli->json);
    err = fill_checks(db, page->checks, id);
    return err == OK ? OK : cli_db_failed(db, err, "reading the checks", detail);
}

static enum err show(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct cli_arguments arguments = {.word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "the id of an execution"};
    TRY(cli_parse(&arguments, argc, argv, detail));
    int64_t id = 0;
    TRY(cli_read_id("EXECUTION", arguments.words[0], &id, detail));

    CLEANUP(job_detail_done) struct job_detail found = {0};
    CLEANUP(page_done) struct page page = {0};
    TRY(load(cli, id, &found, &page, detail));
    return cli->json ? print_json(&page) : print_page(&page, &found);
}

int cli_show(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = show(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
