/* settlectl: what people type. Reads the global options wherever they stand, finds the command,
 * loads the configuration and calls it. What the commands do is in files of their own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "common/descriptors.h"
#include "common/fault.h"

/* The command line with the global options taken out. */
struct line {
    const char *config;
    const char *format;
    bool json, help, version;
    char **words; /* of main's argv; the command's name is the first */
    int word_count;
};

static enum err usage(struct detail *detail, const char *what, const char *subject)
{
    return detail_set(detail, ERR_USAGE, "%s%s; see: settlectl --help", what, subject);
}

/* True when argv[*at] is the option `name` with a value, which may be in the same word or the
 * next. */
static bool takes_value(char **argv, int argc, int *at, const char *name, const char **ret_value)
{
    size_t length = strlen(name);
    if (strncmp(argv[*at], name, length) != 0) return false;
    if (argv[*at][length] == '=') {
        *ret_value = argv[*at] + length + 1;
        return true;
    }
    if (argv[*at][length] != '\0') return false;
    *ret_value = *at + 1 < argc ? argv[++*at] : "";
    return true;
}

static bool take_global(char **argv, int argc, int *at, struct line *line)
{
    const char *word = argv[*at];
    if (takes_value(argv, argc, at, "--config", &line->config)) return true;
    if (takes_value(argv, argc, at, "--format", &line->format)) return true;
    if (strcmp(word, "--json") == 0) {
        line->json = true;
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        line->help = true;
    } else if (strcmp(word, "--version") == 0) {
        line->version = true;
    } else {
        return false;
    }
    return true;
}

static enum err read_line(int argc, char **argv, struct line *line, struct detail *detail)
{
    int kept = 0;
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            while (at < argc)
                argv[kept++] = argv[at++];
            break;
        }
        if (!take_global(argv, argc, &at, line)) argv[kept++] = argv[at];
    }
    line->words = argv;
    line->word_count = kept;
    if (line->config != NULL && line->config[0] == '\0') {
        return usage(detail, "--config needs the name of a file", "");
    }
    return OK;
}

static enum err choose_format(const struct line *line, struct cli *cli, struct detail *detail)
{
    static const char *const names[] = {
        [CLI_FORMAT_TABLE] = "table",
        [CLI_FORMAT_CSV] = "csv",
        [CLI_FORMAT_JSON] = "json",
    };
    cli->format = line->json ? CLI_FORMAT_JSON : CLI_FORMAT_TABLE;
    if (line->format != NULL) {
        size_t i = 0;
        while (i < COUNT_OF(names) && strcmp(names[i], line->format) != 0)
            i++;
        if (i == COUNT_OF(names)) {
            return usage(detail, "--format takes table, csv or json, not: ", line->format);
        }
        if (line->json && i != CLI_FORMAT_JSON) {
            return usage(detail, "--json contradicts --format ", line->format);
        }
        cli->format = (enum cli_format)i;
    }
    cli->json = cli->format == CLI_FORMAT_JSON;
    return OK;
}

static enum err find_command(const char *name, const struct cli_command **ret_command,
                             struct detail *detail)
{
    *ret_command = cli_command_find(name);
    if (*ret_command != NULL) return OK;
    if (name[0] == '-') return usage(detail, "unknown option ", name);
    const struct cli_command *guess = cli_command_guess(name);
    if (guess == NULL) return usage(detail, "unknown command ", name);
    return detail_set(detail, ERR_USAGE,
                      "unknown command %s; did you mean %s? See: settlectl --help", name,
                      guess->name);
}

/* Buffered output that could not be written must not end with 0. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
    fprintf(stderr, "settlectl: writing the output: %s\n", strerror(errno));
    return code == CLI_DONE ? CLI_FAILED : code;
}

static int run_command(const struct cli_command *command, const struct line *line)
{
    struct detail detail = {{0}};
    struct cli cli = {.is_terminal = isatty(STDOUT_FILENO) == 1};
    enum err err = choose_format(line, &cli, &detail);
    if (err == OK && cli.format == CLI_FORMAT_CSV && !command->csv) {
        err = detail_set(&detail, ERR_USAGE,
                         "%s has no CSV, it is not one table; use --json for programs",
                         command->name);
    }
    if (err == OK) err = config_find(line->config, &cli.config, &detail);
    if (err != OK) return cli_fail(err, &detail);
    return command->run(&cli, line->word_count, line->words);
}

/* `settlectl help`, `settlectl help COMMAND`, `settlectl COMMAND --help`, `settlectl --help`. */
static int print_help(const char *name)
{
    if (name == NULL) {
        cli_print_overview(stdout);
        return CLI_DONE;
    }
    struct detail detail = {{0}};
    const struct cli_command *command = NULL;
    enum err err = find_command(name, &command, &detail);
    if (err != OK) return cli_fail(err, &detail);
    cli_print_help(command, stdout);
    return CLI_DONE;
}

static int run(int argc, char **argv)
{
    struct detail detail = {{0}};
    struct line line = {0};
    enum err err = read_line(argc, argv, &line, &detail);
    if (err != OK) return cli_fail(err, &detail);
    if (line.version) {
        puts("settlectl " SETTLEMENTD_VERSION);
        return CLI_DONE;
    }
    const char *name = line.word_count > 0 ? line.words[0] : NULL;
    bool asks = name != NULL && strcmp(name, "help") == 0;
    if (asks) return print_help(line.word_count > 1 ? line.words[1] : NULL);
    if (line.help) return print_help(name);
    if (name == NULL) {
        cli_print_overview(stderr);
        return CLI_USAGE;
    }
    const struct cli_command *command = NULL;
    err = find_command(name, &command, &detail);
    if (err != OK) return cli_fail(err, &detail);
    return run_command(command, &line);
}

int main(int argc, char **argv)
{
    if (!descriptors_fill()) return CLI_FAILED;
    if (!fault_begin("settlectl")) return CLI_BAD_CONFIG;
    return finish(run(argc, argv));
}
