/* settlectl migrate: makes the database when there is none, and applies what it lacks. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/schema.h"

enum { DATABASE_NAME = 64 };

/* A database's name stands in a statement as an identifier, which can't be bound: only plain
 * characters are let through. */
static bool is_plain_name(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$-";
    size_t length = strlen(name);
    return length >= 1 && length <= DATABASE_NAME && strspn(name, plain) == length;
}

static enum err create_database(const struct db_options *options, struct detail *detail)
{
    const char *name = options->database.name;
    if (!is_plain_name(name)) {
        return detail_set(detail, ERR_CONFIG,
                          "database.name \"%s\": a name that migrate can create has 1 to %d "
                          "letters, digits, _, $ "
                          "or -; change it, or create the database yourself",
                          name, DATABASE_NAME);
    }
    struct db_options unnamed = *options;
    unnamed.database.name[0] = '\0';
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(db_open(&unnamed, &db, detail));

    char sql[DATABASE_NAME + 80];
    bool fits = text_format(sql, sizeof(sql),
                            "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4", name);
    ASSERT(fits);
    enum err err = db_execute(db, sql);
    return err == OK ? OK : cli_db_failed(db, err, "creating the database", detail);
}

/* Opens the database; *ret_created says whether it had to be made. Only its absence leads to that,
 * never a refused user. */
static enum err open_or_create(struct cli *cli, struct db **ret_db, bool *ret_created,
                               struct detail *detail)
{
    struct db_options options;
    TRY(db_options_init(&cli->config, &options, detail));
    *ret_created = false;
    enum err err = db_open(&options, ret_db, detail);
    if (err != ERR_SCHEMA) return err;
    TRY(create_database(&options, detail));
    *ret_created = true;
    return db_open(&options, ret_db, detail);
}

static enum err print_report_json(const struct cli *cli, bool created,
                                  const struct schema_report *report)
{
    json_t *applied = json_array();
    for (int i = 0; i < report->applied; i++) {
        if (json_array_append_new(applied, json_string(report->applied_names[i])) != 0) {
            json_decref(applied);
            return ERR_MEMORY;
        }
    }
    json_t *document =
        json_pack("{s:s, s:b, s:i, s:o}", "database", cli->config.database.name, "created",
                  created ? 1 : 0, "known", report->known, "applied", applied);
    return output_print_json(document, stdout);
}

static enum err print_report(const struct cli *cli, bool created,
                             const struct schema_report *report)
{
    if (cli->json) return print_report_json(cli, created, report);
    if (created) printf("created database %s\n", cli->config.database.name);
    for (int i = 0; i < report->applied; i++)
        printf("applied %s\n", report->applied_names[i]);
    if (report->applied == 0) {
        printf("nothing to do: all %d migrations are applied\n", report->known);
    } else {
        printf("%d of %d migrations applied now\n", report->applied, report->known);
    }
    return OK;
}

static enum err migrate(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct cli_arguments arguments = {0};
    TRY(cli_parse(&arguments, argc, argv, detail));

    CLEANUP(db_cleanup) struct db *db = NULL;
    bool created = false;
    TRY(open_or_create(cli, &db, &created, detail));
    char directory[4096];
    TRY(schema_directory(directory, sizeof(directory), detail));
    CLEANUP(free_pointer) struct schema_report *report = calloc(1, sizeof(*report));
    if (report == NULL) return ERR_MEMORY;
    TRY(schema_migrate(db, directory, report, detail));
    return print_report(cli, created, report);
}

int cli_migrate(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = migrate(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
