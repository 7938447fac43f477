/* settlectl run, backfill, stop, restart, abandon, pause, resume: what is asked of the daemons.
 * Here the command line becomes a request; cli/ask.c does the rest. Which jobs there are, and
 * whether something is allowed now, is for the daemons to say. */
#include <string.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "common/config_check.h"

enum { TIMEOUT_MAX_S = 31 * 86400 };

/* What the commands have in common; each row of options points in here. */
struct line {
    const char *reason;
    struct civil date, from, to;
    struct ask_options ask;
};

static const struct line no_line = {.reason = ""};

#define OPTION_REASON(line)                                                                        \
    {                                                                                              \
        .name = "--reason", .text = &(line).reason                                                 \
    }
#define OPTION_WAIT(line)                                                                          \
    {                                                                                              \
        .name = "--wait", .flag = &(line).ask.wait                                                 \
    }
#define OPTION_TIMEOUT(line)                                                                       \
    {                                                                                              \
        .name = "--timeout", .number = &(line).ask.timeout_s, .minimum = 1,                        \
        .maximum = TIMEOUT_MAX_S                                                                   \
    }

static int64_t characters_of(const char *text)
{
    int64_t count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (((unsigned char)*at & 0xc0) != 0x80) count++;
    }
    return count;
}

static enum err check_line(const struct line *line, const char *command, struct detail *detail)
{
    if (line->ask.timeout_s > 0 && !line->ask.wait) {
        return detail_set(detail, ERR_USAGE,
                          "--timeout goes with --wait: without it %s ends as soon as a daemon has "
                          "answered",
                          command);
    }
    if (characters_of(line->reason) > REQUEST_REASON) {
        return detail_set(detail, ERR_USAGE, "--reason is longer than %d characters; shorten it",
                          REQUEST_REASON);
    }
    return OK;
}

static enum err parse(struct cli_arguments *arguments, struct line *line, int argc, char **argv,
                      struct detail *detail)
{
    TRY(cli_parse(arguments, argc, argv, detail));
    return check_line(line, argv[0], detail);
}

/* A word that cannot be a job's name is not sent on its way. */
static enum err check_job(const char *name, struct detail *detail)
{
    if (config_accepts_job_name(name) && strlen(name) < REQUEST_NAME) return OK;
    return detail_set(detail, ERR_NOT_FOUND,
                      "there is no job \"%s\"; a name has small letters, digits and '-', as in "
                      "daily-settlement",
                      name);
}

static enum err read_run(int argc, char **argv, struct line *line, struct request_order *order,
                         struct detail *detail)
{
    const struct cli_option options[] = {
        {.name = "--date", .date = &line->date, .required = true},
        OPTION_REASON(*line),
        OPTION_WAIT(*line),
        OPTION_TIMEOUT(*line),
    };
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "the name of a job"};
    TRY(parse(&arguments, line, argc, argv, detail));
    line->from = line->to = line->date;
    order->job_name = arguments.words[0];
    return check_job(order->job_name, detail);
}

static enum err read_backfill(int argc, char **argv, struct line *line, struct request_order *order,
                              struct detail *detail)
{
    const struct cli_option options[] = {
        {.name = "--from", .date = &line->from, .required = true},
        {.name = "--to", .date = &line->to, .required = true},
        OPTION_REASON(*line),
        OPTION_WAIT(*line),
        OPTION_TIMEOUT(*line),
    };
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "the name of a job"};
    TRY(parse(&arguments, line, argc, argv, detail));
    if (civil_compare(line->from, line->to) > 0)
        return detail_set(detail, ERR_USAGE, "--from is after --to: exchange them");
    order->job_name = arguments.words[0];
    return check_job(order->job_name, detail);
}

/* stop, restart, abandon: one execution. */
static enum err read_execution(int argc, char **argv, struct line *line,
                               struct request_order *order, struct detail *detail)
{
    const struct cli_option options[] = {
        OPTION_REASON(*line),
        OPTION_WAIT(*line),
        OPTION_TIMEOUT(*line),
    };
    bool waits = order->command != REQUEST_ABANDON;
    struct cli_arguments arguments = {.options = options,
                                      .option_count = waits ? COUNT_OF(options) : 1,
                                      .word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "the id of an execution"};
    TRY(parse(&arguments, line, argc, argv, detail));
    order->job_name = "";
    return cli_read_id("EXECUTION", arguments.words[0], &order->execution_id, detail);
}

/* pause, resume: one job. */
static enum err read_job(int argc, char **argv, struct line *line, struct request_order *order,
                         struct detail *detail)
{
    const struct cli_option options[] = {OPTION_REASON(*line)};
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "the name of a job"};
    TRY(parse(&arguments, line, argc, argv, detail));
    order->job_name = arguments.words[0];
    return check_job(order->job_name, detail);
}

struct reader {
    enum request_command command;
    enum err (*read)(int argc, char **argv, struct line *line, struct request_order *order,
                     struct detail *detail);
};

static int ask_for(struct cli *cli, struct reader reader, int argc, char **argv)
{
    struct detail detail = {{0}};
    struct line line = no_line;
    struct request_order order = {.command = reader.command};
    char from[CIVIL_TEXT], to[CIVIL_TEXT];
    enum err err = reader.read(argc, argv, &line, &order, &detail);
    if (err != OK) return cli_fail(err, &detail);
    if (line.from.year != 0) {
        civil_format(line.from, from);
        civil_format(line.to, to);
        order.date_from = from;
        order.date_to = to;
    }
    order.reason = line.reason;
    return ask(cli, &order, &line.ask);
}

int cli_run(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_RUN, read_run}, argc, argv);
}

int cli_backfill(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_BACKFILL, read_backfill}, argc, argv);
}

int cli_stop(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_STOP, read_execution}, argc, argv);
}

int cli_restart(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_RESTART, read_execution}, argc, argv);
}

int cli_abandon(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_ABANDON, read_execution}, argc, argv);
}

int cli_pause(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_PAUSE, read_job}, argc, argv);
}

int cli_resume(struct cli *cli, int argc, char **argv)
{
    return ask_for(cli, (struct reader){REQUEST_RESUME, read_job}, argc, argv);
}
