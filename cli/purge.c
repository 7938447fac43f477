/* settlectl purge: deletes the job metadata that nobody needs any more, or says how much that would
 * be. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/progress.h"
#include "common/purge.h"

static const struct output_column columns[] = {
    {"Job instances", "instances", OUTPUT_COUNT},
    {"Executions", "executions", OUTPUT_COUNT},
    {"Step executions", "steps", OUTPUT_COUNT},
    {"Requests", "requests", OUTPUT_COUNT},
    {"Slots", "slots", OUTPUT_COUNT},
    {"Dead processes", "nodes", OUTPUT_COUNT},
};

/* Reads "90d" or "12w" as days. */
static enum err read_age(const char *text, int64_t *ret_days, struct detail *detail)
{
    char *end = NULL;
    bool digits = text[0] >= '0' && text[0] <= '9';
    long long number = digits ? strtoll(text, &end, 10) : -1;
    int64_t unit = digits && strcmp(end, "d") == 0 ? 1 : digits && strcmp(end, "w") == 0 ? 7 : 0;
    if (unit == 0 || number > PURGE_DAYS_MAX / unit) {
        return detail_set(detail, ERR_USAGE,
                          "--older-than %s: it takes days or weeks, as in 90d or 12w, up to %dd",
                          text, PURGE_DAYS_MAX);
    }
    *ret_days = number * unit;
    return OK;
}

/* Batch after batch. What was done before a failure stays done; *counts says how much that is. */
static enum err purge_all(struct db *db, int64_t days, bool quiet, struct purge_counts *counts)
{
    struct purge_counts foreseen = {0};
    struct progress progress;
    bool more = true;
    TRY(purge_count(db, days, &foreseen));
    progress_init(&progress, stderr, &clock_system, quiet || foreseen.instances <= PURGE_INSTANCES);
    progress_begin(&progress, "purging", foreseen.instances, "job instances");
    while (more) {
        enum err err = purge_batch(db, days, counts, &more);
        if (err != OK) {
            progress_break(&progress, "failed");
            return err;
        }
        progress_update(&progress, counts->instances);
    }
    progress_end(&progress, counts->instances);
    return OK;
}

static void fill(struct output *output, const struct purge_counts *counts)
{
    output_i64(output, counts->instances);
    output_i64(output, counts->executions);
    output_i64(output, counts->steps);
    output_i64(output, counts->requests);
    output_i64(output, counts->slots);
    output_i64(output, counts->nodes);
}

static enum err print(const struct cli *cli, const struct purge_counts *counts, int64_t days,
                      bool dry_run)
{
    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    fill(output, counts);
    if (!cli->json) {
        printf("%s, older than %" PRId64 " days:\n", dry_run ? "Would be deleted" : "Deleted",
               days);
        return output_print_record(output, stdout);
    }
    json_t *document = output_json_record(output);
    if (document == NULL || json_object_set_new(document, "days", json_integer(days)) != 0 ||
        json_object_set_new(document, "dry_run", json_boolean(dry_run)) != 0) {
        json_decref(document);
        return ERR_MEMORY;
    }
    return output_print_json(document, stdout);
}

static void explain(const struct db *db, enum err err, struct detail *detail)
{
    struct detail words = {0};
    (void)cli_db_failed(db, err, "purging", &words);
    bool lost = err_class(err) == CLASS_CONNECTION;
    (void)detail_set(detail, err, "%.700s%s", words.text,
                     lost ? "; what went before stays gone, purge again to go on (one that stands "
                            "still for more than a minute is ended by the server)"
                          : "");
}

static enum err purge(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    const char *age = NULL;
    bool dry_run = false;
    const struct cli_option options[] = {
        {.name = "--older-than", .text = &age, .required = true},
        {.name = "--dry-run", .flag = &dry_run},
    };
    struct cli_arguments arguments = {.options = options, .option_count = COUNT_OF(options)};
    int64_t days = 0;
    TRY(cli_parse(&arguments, argc, argv, detail));
    TRY(read_age(age, &days, detail));

    CLEANUP(db_cleanup) struct db *db = NULL;
    struct purge_counts counts = {0};
    TRY(cli_open_db_to_write(cli, &db, detail));
    enum err err =
        dry_run ? purge_count(db, days, &counts) : purge_all(db, days, cli->json, &counts);
    if (err != OK) {
        explain(db, err, detail);
        if (counts.instances + counts.requests + counts.slots + counts.nodes > 0)
            (void)print(cli, &counts, days, false);
        return err;
    }
    return print(cli, &counts, days, dry_run);
}

int cli_purge(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = purge(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
