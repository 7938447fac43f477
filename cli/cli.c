#include "cli/cli.h"

#include <stdio.h>

#include "common/schema.h"

/* The session's own level is READ COMMITTED; this holds for the next transaction only. */
static const char REPEATABLE_SQL[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
static const char SNAPSHOT_SQL[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

int cli_exit(enum err err)
{
    switch (err) {
    case OK:
        return CLI_DONE;
    case ERR_USAGE:
        return CLI_USAGE;
    case ERR_NOT_FOUND:
        return CLI_NOT_FOUND;
    case ERR_TIMEOUT:
        return CLI_TIMEOUT;
    case ERR_CONFIG:
        return CLI_BAD_CONFIG;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(enum err err, const struct detail *detail)
{
    ASSERT(err != OK);
    bool silent = detail == NULL || detail->text[0] == '\0';
    fflush(stdout);
    if (silent && err == ERR_IO && ferror(stdout) != 0) return cli_exit(err); /* main says it */
    fprintf(stderr, "settlectl: %s\n", silent ? err_text(err) : detail->text);
    return cli_exit(err);
}

enum err cli_db_failed(const struct db *db, enum err err, const char *doing, struct detail *detail)
{
    unsigned number = db_error_number(db);
    if (err == ERR_MEMORY || number == 0) {
        return detail_set(detail, err, "%s: %s", doing, err_text(err));
    }
    return detail_set(detail, err, "%s: %s (server error %u)", doing, db_message(db), number);
}

static enum err open_db(struct cli *cli, int answer_timeout_s, int idle_s, struct db **ret_db,
                        struct detail *detail)
{
    struct db_options options;
    TRY(db_options_init(&cli->config, &options, detail));
    options.statement_timeout_s = answer_timeout_s;
    options.idle_transaction_s = idle_s;
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(db_open(&options, &db, detail));

    char migrations[4096];
    TRY(schema_directory(migrations, sizeof(migrations), detail));
    TRY(schema_check(db, migrations, detail));
    *ret_db = db;
    db = NULL;
    return OK;
}

enum err cli_open_db(struct cli *cli, struct db **ret_db, struct detail *detail)
{
    return open_db(cli, 0, 0, ret_db, detail);
}

enum err cli_open_db_for_long(struct cli *cli, int answer_timeout_s, struct db **ret_db,
                              struct detail *detail)
{
    return open_db(cli, answer_timeout_s, 0, ret_db, detail);
}

enum err cli_open_db_to_write(struct cli *cli, struct db **ret_db, struct detail *detail)
{
    return open_db(cli, 0, CLI_IDLE_S, ret_db, detail);
}

enum err cli_open_snapshot(struct cli *cli, struct db **ret_db, struct detail *detail)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_db(cli, &db, detail));
    enum err err = db_execute(db, REPEATABLE_SQL);
    if (err == OK) err = db_execute(db, SNAPSHOT_SQL);
    if (err != OK) return cli_db_failed(db, err, "starting to read", detail);
    *ret_db = db;
    db = NULL;
    return OK;
}
