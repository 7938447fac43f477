/* What every command of settlectl is given and may use: the configuration, how to print, a
 * connection whose schema has been checked, option parsing, and one way to fail. A command is `int
 * cli_x(struct cli *cli, int argc, char **argv)`: argv[0] is the command's name, the global options
 * (--config, --json, --format, --help) are gone from it, and what it returns is the exit code of
 * the process. One thread. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "common/config.h"
#include "common/db/connection.h"
#include "common/domain/civil.h"
#include "common/domain/period.h"

enum cli_format { CLI_FORMAT_TABLE, CLI_FORMAT_CSV, CLI_FORMAT_JSON };

struct cli {
    struct config config;
    enum cli_format format;
    bool json;        /* the format is CLI_FORMAT_JSON */
    bool is_terminal; /* stdout is one */
};

/* Exit codes: a contract with scripts. */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_TIMEOUT = 4,
    CLI_BAD_CONFIG = 78
};

/* The exit code for an error. */
int cli_exit(enum err err);

/* Prints "settlectl: what, where, what to do" on stderr and gives the exit code. `detail` may be
 * NULL or empty: the error's own sentence stands in. */
int cli_fail(enum err err, const struct detail *detail);

/* Fills the detail from the connection's last words, for a failure of common/db: "doing: words
 * (server error N)". */
enum err cli_db_failed(const struct db *db, enum err err, const char *doing, struct detail *detail);

/* Connects, and makes sure that the schema is the one that this program needs. Free with db_free or
 * db_cleanup. */
enum err cli_open_db(struct cli *cli, struct db **ret_db, struct detail *detail) MUST_CHECK;

/* The same for commands that stay connected for long: a server that does not answer for
 * `answer_timeout_s` counts as lost. */
enum err cli_open_db_for_long(struct cli *cli, int answer_timeout_s, struct db **ret_db,
                              struct detail *detail) MUST_CHECK;

/* The same for commands in whose transactions others wait for them, launches among these: when such
 * a command stands still in one for CLI_IDLE_S (Ctrl-Z), the server ends its session. */
enum { CLI_IDLE_S = 60 };
enum err cli_open_db_to_write(struct cli *cli, struct db **ret_db,
                              struct detail *detail) MUST_CHECK;

/* The same for commands that only read: everything that is read on this connection is of one
 * moment. */
enum err cli_open_snapshot(struct cli *cli, struct db **ret_db, struct detail *detail) MUST_CHECK;

/* An option of a command: its name with the dashes, and where its value goes. Exactly one of the
 * targets is set; a target keeps its value when the option is not given. */
struct cli_option {
    const char *name;
    bool *flag; /* takes no value */
    const char **text;
    struct civil *date; /* a date that exists; year 0 stands for "not given" */
    int64_t *number;    /* from minimum to maximum */
    int64_t minimum, maximum;
    bool required;
};

enum { CLI_WORDS = 8, CLI_OPTIONS = 16 };

/* What a command takes, and the words that it was given. There must be word_minimum to word_maximum
 * of these; `word_names` says what they are ("KIND FILE.csv"). */
struct cli_arguments {
    const struct cli_option *options;
    int option_count;
    int word_minimum, word_maximum;
    const char *word_names;
    const char *words[CLI_WORDS];
    int word_count;
};

/* Reads options, in any order and anywhere after argv[0], as "--name value" or "--name=value"; "--"
 * ends them. ERR_USAGE names what is wrong. */
enum err cli_parse(struct cli_arguments *arguments, int argc, char **argv,
                   struct detail *detail) MUST_CHECK;

/* Reads a word as an id from 1 on; `what` ("EXECUTION") is named when it is none. */
enum err cli_read_id(const char *what, const char *text, int64_t *ret_id,
                     struct detail *detail) MUST_CHECK;

/* Reads the value of --period. */
enum err cli_read_period(const char *text, enum period *ret_period,
                         struct detail *detail) MUST_CHECK;

#endif
