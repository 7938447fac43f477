/* settlectl migrate: makes the database when there is none, applies what it lacks, and grants the
 * rights of the worker and the reader. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/grants.h"
#include "common/schema.h"
#include "common/utf8.h"

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

/* What was done, to be printed. */
struct outcome {
    bool created;
    struct schema_report schema;
    struct grants_report grants;
};

static json_t *json_of_grants(const struct grants_report *grants)
{
    json_t *roles = json_array();
    for (int i = 0; i < grants->count; i++) {
        const struct grants_role *role = &grants->roles[i];
        json_t *object = json_pack("{s:o, s:s}", "role", output_json_text(role->name), "outcome",
                                   grants_outcome_name(role->outcome));
        if (json_array_append_new(roles, object) != 0) {
            json_decref(roles);
            return NULL;
        }
    }
    return roles;
}

static enum err print_json(const struct cli *cli, const struct outcome *outcome)
{
    const struct schema_report *report = &outcome->schema;
    json_t *applied = json_array();
    for (int i = 0; i < report->applied; i++) {
        if (json_array_append_new(applied, json_string(report->applied_names[i])) != 0) {
            json_decref(applied);
            return ERR_MEMORY;
        }
    }
    json_t *document = json_pack("{s:o, s:b, s:i, s:o, s:o}", "database",
                                 output_json_text(cli->config.database.name), "created",
                                 outcome->created ? 1 : 0, "known", report->known, "applied",
                                 applied, "roles", json_of_grants(&outcome->grants));
    return output_print_json(document, stdout);
}

static void print_grants(const struct grants_report *grants)
{
    for (int i = 0; i < grants->count; i++) {
        utf8_print(stdout, grants->roles[i].name);
        switch (grants->roles[i].outcome) {
        case GRANTS_GIVEN:
            puts(": has the rights of grants.sql");
            break;
        case GRANTS_NO_ROLE:
            puts(": there is no such role, nothing was granted (users.sql makes it)");
            break;
        case GRANTS_NOT_ALLOWED:
            puts(": nothing was granted, this user may not pass on all of the rights (users.sql)");
            break;
        }
    }
}

static enum err print_outcome(const struct cli *cli, const struct outcome *outcome)
{
    const struct schema_report *report = &outcome->schema;
    if (cli->json) return print_json(cli, outcome);
    /* The name is a plain one, else migrate would not have made it. */
    if (outcome->created) printf("created database %s\n", cli->config.database.name);
    for (int i = 0; i < report->applied; i++)
        printf("applied %s\n", report->applied_names[i]);
    if (report->applied == 0) {
        printf("nothing to do: all %d migrations are applied\n", report->known);
    } else {
        printf("%d of %d migrations applied now\n", report->applied, report->known);
    }
    print_grants(&outcome->grants);
    return OK;
}

/* Says whose task it is when the server refuses this user. */
static enum err name_the_owner(const struct cli *cli, enum err err, struct detail *detail)
{
    struct detail words = *detail;
    if (err != ERR_ACCESS) return err;
    return detail_set(detail, err,
                      "%.700s. To migrate takes the owner of the schema, and `%.80s` is not: name "
                      "the owner in a configuration of its own (settlectl --config FILE migrate)",
                      words.text, cli->config.database.user);
}

static enum err bring_up_to_date(struct cli *cli, struct outcome *outcome, struct detail *detail)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    char directory[4096];
    TRY(schema_directory(directory, sizeof(directory), detail));
    TRY(open_or_create(cli, &db, &outcome->created, detail));
    TRY(schema_migrate(db, directory, &outcome->schema, detail));
    enum err err = grants_apply(db, directory, cli->config.database.name, &outcome->grants, detail);
    if (err == OK || detail->text[0] != '\0') return err;
    return cli_db_failed(db, err, "granting rights", detail);
}

static enum err migrate(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct cli_arguments arguments = {0};
    TRY(cli_parse(&arguments, argc, argv, detail));
    CLEANUP(free_pointer) struct outcome *outcome = calloc(1, sizeof(*outcome));
    if (outcome == NULL) return ERR_MEMORY;
    enum err err = bring_up_to_date(cli, outcome, detail);
    return err == OK ? print_outcome(cli, outcome) : name_the_owner(cli, err, detail);
}

int cli_migrate(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = migrate(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
