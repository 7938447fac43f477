/* The options of the configuration file, one row each: name, place in the structure, bounds,
 * default, and what is asked of a text. Everything that must know an option (the reader, the
 * defaults, the messages, the tests of the documentation) asks this table, so that a new option is
 * one row. It knows no file format. The rows are constant; any thread may call. */
#ifndef COMMON_CONFIG_OPTIONS_H
#define COMMON_CONFIG_OPTIONS_H

#include "common/config.h"

enum option_type { OPTION_INT, OPTION_INT64, OPTION_BOOL, OPTION_TEXT, OPTION_WORD };
enum option_owner { OPTION_OF_config, OPTION_OF_config_job };

struct config_option {
    const char *name; /* dotted; an option of a job is "jobs.…" */
    enum option_type type;
    enum option_owner owner; /* the structure that `offset` counts from */
    size_t offset, size;
    int64_t min, max;                  /* of a number */
    const char *default_text;          /* as it is written in a file */
    bool (*accepts)(const char *text); /* of a text; NULL: any */
    const char *wanted;                /* completes "write …" when a text is not accepted */
    /* In place of both: says in words of its own what is wrong and what to write. */
    bool (*accepts_or_says)(const char *text, struct detail *reason);
    const char *(*word)(int index); /* of a word: the index-th one, NULL after the last */
};

/* What stands in a file, whoever parsed it. `number` holds a truth value as well. */
enum value_kind { VALUE_NUMBER, VALUE_TRUTH, VALUE_TEXT, VALUE_OTHER };

struct config_value {
    enum value_kind kind;
    int64_t number;
    const char *text; /* of VALUE_TEXT; for VALUE_OTHER what it is: "a group" */
};

/* The index-th row in the order of the documentation, NULL after the last; the row of a name, NULL
 * when there is none. */
const struct config_option *config_option_at(size_t index);
const struct config_option *config_option_find(const char *name);

/* Whether options exist below this name ("database", "database.tls", "jobs"). */
bool config_option_is_group(const char *name);

/* The known option or group that somebody who wrote `name` is likely to have meant; false when
 * nothing is close. */
bool config_option_nearest(const char *name, char *ret_name, size_t size);

/* Puts a value into `owner` (a struct config or struct config_job, as the row says). On failure
 * nothing is stored and the problem continues a sentence that begins with the option's name: "is
 * the number 300; write a whole number from 0 to 256". */
enum err config_option_store(const struct config_option *option, void *owner,
                             const struct config_value *value, struct detail *problem) MUST_CHECK;

/* Says in words what a value is ("the number 300"), for messages. No text needs more room. */
enum { CONFIG_VALUE_WORDS = 264 };
void config_value_describe(const struct config_value *value, char *ret_text, size_t size);

/* Writes the stored value as it would stand in a file; for messages and comparisons. */
void config_option_print(const struct config_option *option, const void *owner, char *ret_text,
                         size_t size);

/* Fills one entry of the jobs list with the defaults of its options. */
void config_job_defaults(struct config_job *ret_job);

#endif
