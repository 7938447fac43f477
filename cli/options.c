/* The option parser of cli.h: it writes to the targets that the option rows name, and names what is
 * wrong. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* An argument list that is being read. */
struct reader {
    const char *command;
    int argc, at;
    char **argv;
};

/* True when `argument` is this option; *ret_value is what follows "=", or NULL. */
static bool option_matches(const struct cli_option *option, const char *argument,
                           const char **ret_value)
{
    size_t length = strlen(option->name);
    if (strncmp(argument, option->name, length) != 0) return false;
    if (argument[length] != '\0' && argument[length] != '=') return false;
    *ret_value = argument[length] == '=' ? argument + length + 1 : NULL;
    return true;
}

static const struct cli_option *find_option(const struct cli_arguments *arguments,
                                            const char *argument, int *ret_index,
                                            const char **ret_value)
{
    for (int i = 0; i < arguments->option_count; i++) {
        if (!option_matches(&arguments->options[i], argument, ret_value)) continue;
        *ret_index = i;
        return &arguments->options[i];
    }
    return NULL;
}

/* A whole number and nothing else: no blanks, no plus sign, nothing behind it. */
static bool parse_number(const char *text, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
    if (!digits || *end != '\0' || errno != 0) return false;
    *ret_number = number;
    return true;
}

enum err cli_read_id(const char *what, const char *text, int64_t *ret_id, struct detail *detail)
{
    int64_t id = 0;
    if (parse_number(text, &id) && id > 0) {
        *ret_id = id;
        return OK;
    }
    return detail_set(detail, ERR_USAGE, "%s: \"%s\" is not an id; it is a whole number from 1",
                      what, text);
}

enum err cli_read_period(const char *text, enum period *ret_period, struct detail *detail)
{
    if (period_parse(text, ret_period) == OK) return OK;
    return detail_set(detail, ERR_USAGE, "--period %s: it takes daily, weekly, monthly or yearly",
                      text);
}

static enum err read_number(const struct cli_option *option, const char *value,
                            struct detail *detail)
{
    int64_t number = 0;
    if (!parse_number(value, &number) || number < option->minimum || number > option->maximum) {
        return detail_set(detail, ERR_USAGE,
                          "%s %s: it takes a whole number from %" PRId64 " to %" PRId64,
                          option->name, value, option->minimum, option->maximum);
    }
    *option->number = number;
    return OK;
}

static enum err store_value(const struct cli_option *option, const char *value,
                            struct detail *detail)
{
    if (option->text != NULL) {
        *option->text = value;
        return OK;
    }
    if (option->number != NULL) return read_number(option, value, detail);
    ASSERT(option->date != NULL);
    if (civil_parse(value, option->date) == OK) return OK;
    return detail_set(detail, ERR_USAGE, "%s %s: it takes a date that exists, written YYYY-MM-DD",
                      option->name, value);
}

static enum err read_option(const struct cli_option *option, const char *value,
                            struct reader *reader, struct detail *detail)
{
    if (option->flag != NULL) {
        if (value != NULL) {
            return detail_set(detail, ERR_USAGE, "%s takes no value", option->name);
        }
        *option->flag = true;
        return OK;
    }
    if (value == NULL) {
        if (reader->at + 1 >= reader->argc) {
            return detail_set(detail, ERR_USAGE, "%s needs a value; see: settlectl help %s",
                              option->name, reader->command);
        }
        value = reader->argv[++reader->at];
    }
    return store_value(option, value, detail);
}

static enum err read_argument(struct cli_arguments *arguments, struct reader *reader,
                              bool given[CLI_OPTIONS], struct detail *detail)
{
    const char *argument = reader->argv[reader->at], *value = NULL;
    int index = 0;
    const struct cli_option *option = find_option(arguments, argument, &index, &value);
    if (option == NULL) {
        return detail_set(detail, ERR_USAGE, "%s: unknown option %s; see: settlectl help %s",
                          reader->command, argument, reader->command);
    }
    if (given[index] && option->flag == NULL) {
        return detail_set(detail, ERR_USAGE, "%s is given twice", option->name);
    }
    given[index] = true;
    return read_option(option, value, reader, detail);
}

static enum err add_word(struct cli_arguments *arguments, const char *word,
                         const struct reader *reader, struct detail *detail)
{
    if (arguments->word_count < arguments->word_maximum) {
        ASSERT(arguments->word_count < CLI_WORDS);
        arguments->words[arguments->word_count++] = word;
        return OK;
    }
    return detail_set(detail, ERR_USAGE,
                      "%s: \"%s\" is one argument too many; see: settlectl help %s",
                      reader->command, word, reader->command);
}

static enum err check_complete(const struct cli_arguments *arguments, const bool given[CLI_OPTIONS],
                               const char *command, struct detail *detail)
{
    for (int i = 0; i < arguments->option_count; i++) {
        if (!arguments->options[i].required || given[i]) continue;
        return detail_set(detail, ERR_USAGE, "%s needs %s; see: settlectl help %s", command,
                          arguments->options[i].name, command);
    }
    if (arguments->word_count >= arguments->word_minimum) return OK;
    return detail_set(detail, ERR_USAGE, "%s needs %s; see: settlectl help %s", command,
                      arguments->word_names, command);
}

enum err cli_parse(struct cli_arguments *arguments, int argc, char **argv, struct detail *detail)
{
    ASSERT(argc >= 1 && arguments->option_count <= CLI_OPTIONS);
    bool given[CLI_OPTIONS] = {false};
    bool only_words = false;
    struct reader reader = {.command = argv[0], .argc = argc, .argv = argv};
    arguments->word_count = 0;
    for (reader.at = 1; reader.at < argc; reader.at++) {
        const char *argument = argv[reader.at];
        if (!only_words && strcmp(argument, "--") == 0) {
            only_words = true;
        } else if (!only_words && argument[0] == '-' && argument[1] != '\0') {
            TRY(read_argument(arguments, &reader, given, detail));
        } else {
            TRY(add_word(arguments, argument, &reader, detail));
        }
    }
    return check_complete(arguments, given, reader.command, detail);
}
