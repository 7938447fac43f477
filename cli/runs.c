/* settlectl runs: the executions of one job or of all, the latest first. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/job_status.h"

enum { RUNS_DEFAULT = 20 };

static const struct output_column columns[] = {
    {"Execution", "execution", OUTPUT_KEY},    {"Job", "job", OUTPUT_TEXT},
    {"Parameters", "parameters", OUTPUT_TEXT}, {"Status", "status", OUTPUT_TEXT},
    {"Exit code", "exit_code", OUTPUT_TEXT},   {"Started (UTC)", "started", OUTPUT_TIME},
    {"Duration", "duration", OUTPUT_DURATION}, {"Attempt", "attempt", OUTPUT_COUNT},
    {"Instance", "instance", OUTPUT_KEY},      {"Started for", "started_for", OUTPUT_TEXT},
};

static void add_execution(struct output *output, const struct job_execution *execution)
{
    output_i64(output, execution->id);
    output_text(output, execution->job_name);
    output_text(output, execution->parameters);
    output_text(output, execution->status);
    output_text(output, execution->exit_code);
    output_text(output, execution->started);
    if (execution->duration_us < 0) {
        output_nothing(output);
    } else {
        output_i64(output, execution->duration_us);
    }
    output_i64(output, execution->attempt);
    output_i64(output, execution->instance_id);
    output_text(output, execution->started_for);
}

static bool is_configured(const struct config *config, const char *job_name)
{
    for (int i = 0; i < config->job_count; i++) {
        if (strcmp(config->jobs[i].name, job_name) == 0) return true;
    }
    return false;
}

static enum err check_job(const struct config *config, const char *job_name, struct detail *detail)
{
    if (job_name == NULL || is_configured(config, job_name)) {
        fputs("no execution yet; settle a day with: settlementd run daily-settlement --date D\n",
              stderr);
        return OK;
    }
    return detail_set(detail, ERR_NOT_FOUND,
                      "there is no execution of a job %s, and the configuration names no such job; "
                      "`settlectl runs` lists all",
                      job_name);
}

static enum err runs(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    int64_t limit = RUNS_DEFAULT;
    const struct cli_option options[] = {
        {.name = "--limit", .number = &limit, .minimum = 1, .maximum = JOB_STATUS_LIMIT},
    };
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_maximum = 1};
    TRY(cli_parse(&arguments, argc, argv, detail));
    const char *job_name = arguments.word_count > 0 ? arguments.words[0] : NULL;

    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));
    CLEANUP(free_pointer)
    struct job_execution *executions = calloc((size_t)limit, sizeof(*executions));
    if (executions == NULL) return ERR_MEMORY;
    int count = 0;
    enum err err = job_status_list(db, job_name, executions, (int)limit, &count);
    if (err != OK) return cli_db_failed(db, err, "reading the executions", detail);
    if (count == 0) TRY(check_job(&cli->config, job_name, detail));

    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    for (int i = 0; i < count; i++)
        add_execution(output, &executions[i]);
    return output_print_list(output, cli->format, json_object(), "executions");
}

int cli_runs(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = runs(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
