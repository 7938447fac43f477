/* settlectl accept-loss: a person takes it upon himself that the database has lost what it had
 * acknowledged. The daemons find the row, and go on. */
#include <stdio.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "common/db/statement.h"
#include "common/server_check.h"

static const char ACCEPT_SQL[] =
    "INSERT INTO acknowledgement (token, kind, acknowledged_at, accepted_by, reason)"
    " VALUES (UUID(), 'LOSS_ACCEPTED', NOW(6), ?, ?)";
static const char FRONTIER_SQL[] =
    "SELECT COALESCE(CAST(MAX(business_date) AS CHAR), '') FROM day_close";

enum { PERSON = 129, REASON_BYTES = 255 };

static enum err print_accepted(const struct cli *cli, struct db *db, const char *person)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, FRONTIER_SQL, ""));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    const char *frontier = statement_text(query, 0);
    if (cli->json)
        return output_print_json(json_pack("{s:s, s:s}", "accepted_by", person, "settled_up_to",
                                           frontier),
                                 stdout);
    if (frontier[0] == '\0')
        printf("accepted by %s: daemons that are halted go on; no day is settled\n", person);
    else
        printf(
            "accepted by %s: daemons that are halted go on; %s is the last day that is settled\n",
            person, frontier);
    return OK;
}

static enum err accept_loss(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    const char *reason = NULL;
    const struct cli_option options[] = {{.name = "--reason", .text = &reason, .required = true}};
    struct cli_arguments arguments = {.options = options, .option_count = COUNT_OF(options)};
    char person[PERSON], kept[REASON_BYTES + 1];
    TRY(cli_parse(&arguments, argc, argv, detail));
    if (reason == NULL || reason[0] == '\0' || !text_format(kept, sizeof(kept), "%s", reason))
        return detail_set(detail, ERR_USAGE, "--reason takes 1 to %d bytes", REASON_BYTES);

    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_db(cli, &db, detail));
    TRY(server_check(db, &cli->config.database, detail));
    ask_person(person, sizeof(person));
    enum err err = db_run(db, NULL, ACCEPT_SQL, "ss", person, kept);
    if (err == OK) err = print_accepted(cli, db, person);
    return err == OK ? OK : cli_db_failed(db, err, "accepting the loss", detail);
}

int cli_accept_loss(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = accept_loss(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
