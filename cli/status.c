/* settlectl status: what is settled, who is there to work, what runs, what ran last, what waits,
 * and what needs attention. */
#include "cli/commands.h"
#include "cli/status_page.h"
#include "common/utf8.h"

struct choice {
    bool check, check_daemon;
};

/* One table of the page. */
struct section {
    const char *title;   /* for eyes, above it */
    const char *nothing; /* instead, when it is empty; NULL: it is left out then */
    const struct output *output;
};

static enum err print_section(const struct section *section)
{
    if (output_rows(section->output) > 0) {
        printf("\n%s\n", section->title);
        return output_print_table(section->output, stdout);
    }
    if (section->nothing != NULL) printf("\n%s\n", section->nothing);
    return OK;
}

static enum err print_head(const struct status_page *page)
{
    if (output_rows(page->frontier) == 0) {
        printf("No day is settled yet.\n");
    } else {
        TRY(output_print_record(page->frontier, stdout));
    }
    printf("\n");
    TRY(output_print_record(page->lag, stdout));
    printf("\n");
    return output_print_record(page->database, stdout);
}

static void print_problems(const struct output *problems)
{
    if (output_rows(problems) == 0) return;
    printf("\nNeeds attention\n");
    for (int64_t row = 0; row < output_rows(problems); row++) {
        printf("- ");
        utf8_print(stdout, output_text_at(problems, row, 1));
        printf("\n");
    }
}

static enum err print_page(const struct status_page *page)
{
    const struct section sections[] = {
        {"Daemons", "No daemon is known.", page->daemons},
        {"Runs in the foreground", NULL, page->foreground},
        {"Running", "Nothing is running.", page->running},
        {"Latest executions", "No job has run yet.", page->jobs},
        {"Last successes", NULL, page->successes},
        {"Schedules", NULL, page->schedules},
        {"To be started again by a daemon", NULL, page->restarts},
        {"Requests that are not done with", NULL, page->requests},
        {"Days with logs that are not settled", "Every day that has logs is settled.",
         page->unsettled},
    };
    TRY(print_head(page));
    print_problems(page->problems);
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        TRY(print_section(&sections[i]));
    return OK;
}

static json_t *record_or_null(const struct output *output)
{
    return output_rows(output) == 0 ? json_null() : output_json_record(output);
}

static enum err print_json(const struct status_page *page)
{
    return output_print_json(
        json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                  "settled", record_or_null(page->frontier), "lag", record_or_null(page->lag),
                  "database", record_or_null(page->database), "daemons_alive",
                  (json_int_t)page->daemons_alive, "daemons", output_json_rows(page->daemons),
                  "foreground", output_json_rows(page->foreground), "running",
                  output_json_rows(page->running), "jobs", output_json_rows(page->jobs),
                  "last_success", output_json_rows(page->successes), "schedules",
                  output_json_rows(page->schedules), "restarts", output_json_rows(page->restarts),
                  "failures", output_json_rows(page->failures), "requests",
                  output_json_rows(page->requests), "unsettled", output_json_rows(page->unsettled),
                  "problems", output_json_rows(page->problems)),
        stdout);
}

/* The daemon of this host, for whoever watches over it. */
static enum err print_daemon_check(const struct cli *cli, const struct status_page *page)
{
    if (cli->json) {
        return output_print_json(json_pack("{s:b, s:I, s:o}", "daemon_here",
                                           page->daemon_here ? 1 : 0, "daemons_alive",
                                           (json_int_t)page->daemons_alive, "daemons",
                                           output_json_rows(page->daemons)),
                                 stdout);
    }
    if (page->daemon_here) printf("a daemon is alive on this host\n");
    return OK;
}

static enum err judge(const struct choice *choice, const struct status_page *page,
                      struct detail *detail)
{
    if (choice->check_daemon && !page->daemon_here) {
        return detail_set(detail, ERR_CHECK_FAILED,
                          "no daemon is alive on this host (elsewhere: %lld); start it: systemctl "
                          "start settlementd",
                          (long long)page->daemons_alive);
    }
    if (choice->check && output_rows(page->problems) > 0) {
        return detail_set(
            detail, ERR_CHECK_FAILED,
            "%lld thing%s attention: see \"Needs attention\", or problems in the JSON",
            (long long)output_rows(page->problems),
            output_rows(page->problems) == 1 ? " needs" : "s need");
    }
    return OK;
}

static enum err show(struct cli *cli, struct db *db, const struct choice *choice,
                     struct detail *detail)
{
    CLEANUP(status_page_done) struct status_page page = {0};
    enum err err = choice->check_daemon ? status_page_read_daemons(cli, db, &page)
                                        : status_page_read(cli, db, &page);
    if (err != OK) return cli_db_failed(db, err, "reading the status", detail);
    if (choice->check_daemon) {
        TRY(print_daemon_check(cli, &page));
    } else if (cli->json) {
        TRY(print_json(&page));
    } else {
        TRY(print_page(&page));
    }
    return judge(choice, &page, detail);
}

static enum err status(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct choice choice = {0};
    const struct cli_option options[] = {
        {.name = "--check", .flag = &choice.check},
        {.name = "--check-daemon", .flag = &choice.check_daemon},
    };
    struct cli_arguments arguments = {.options = options, .option_count = COUNT_OF(options)};
    TRY(cli_parse(&arguments, argc, argv, detail));
    if (choice.check && choice.check_daemon)
        return detail_set(detail, ERR_USAGE, "take either --check or --check-daemon");
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));
    return show(cli, db, &choice, detail);
}

int cli_status(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = status(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
