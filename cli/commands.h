/* The commands of settlectl: one row each, from which the overview, the long help and the call are
 * made. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdio.h>

#include "cli/cli.h"

struct cli_command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line, no full stop */
    const char *help;    /* paragraphs, ends with a newline */
    bool csv;            /* --format csv makes sense: the result is one table */
    int (*run)(struct cli *cli, int argc, char **argv);
};

/* NULL for an unknown name. */
const struct cli_command *cli_command_find(const char *name);

/* The known command that an unknown name was probably meant to be; NULL when none is close. */
const struct cli_command *cli_command_guess(const char *name);

void cli_print_overview(FILE *file);
void cli_print_help(const struct cli_command *command, FILE *file);

int cli_migrate(struct cli *cli, int argc, char **argv);
int cli_run(struct cli *cli, int argc, char **argv);
int cli_backfill(struct cli *cli, int argc, char **argv);
int cli_stop(struct cli *cli, int argc, char **argv);
int cli_restart(struct cli *cli, int argc, char **argv);
int cli_abandon(struct cli *cli, int argc, char **argv);
int cli_pause(struct cli *cli, int argc, char **argv);
int cli_resume(struct cli *cli, int argc, char **argv);
int cli_next(struct cli *cli, int argc, char **argv);
int cli_accept_loss(struct cli *cli, int argc, char **argv);
int cli_purge(struct cli *cli, int argc, char **argv);
int cli_runs(struct cli *cli, int argc, char **argv);
int cli_show(struct cli *cli, int argc, char **argv);
int cli_status(struct cli *cli, int argc, char **argv);
int cli_nodes(struct cli *cli, int argc, char **argv);
int cli_drain(struct cli *cli, int argc, char **argv);
int cli_top(struct cli *cli, int argc, char **argv);
int cli_report(struct cli *cli, int argc, char **argv);
int cli_explain(struct cli *cli, int argc, char **argv);

#endif
