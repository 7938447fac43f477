#include "common/config_options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_check.h"
#include "common/log.h"
#include "common/tzif.h"
#include "common/utf8.h"

enum { NAME_LIMIT = 64, SHOWN_LIMIT = 60 };

/* More than any system will hold, and far enough from the end of int64_t for sums. */
#define COUNT_LIMIT INT64_C(1000000000000000)

static const char *misfire_word(int index)
{
    static const char *const words[] = {[MISFIRE_ONCE] = "once", [MISFIRE_SKIP] = "skip"};
    return (size_t)index < COUNT_OF(words) ? words[index] : NULL;
}

static const char *format_word(int index)
{
    static const char *const words[] =
        {[LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JOURNAL] = "journal"};
    return (size_t)index < COUNT_OF(words) ? words[index] : NULL;
}

static const char *level_word(int index)
{
    return index <= LOG_LEVEL_DEBUG ? log_level_name((enum log_level)index) : NULL;
}

static const char ZONE_WANTED[] =
    "the name of a time zone below " ZONE_FOLDER ", such as \"Asia/Seoul\"";
static const char JOB_ZONE_WANTED[] =
    "the name of a time zone below " ZONE_FOLDER ", or \"\" for that of the business day";
static const char DIRECTORY_WANTED[] =
    "the path of a directory, beginning with /, or \"\" for the one that systemd hands over";
static const char NAME_WANTED[] = "the name of the database";
static const char JOB_NAME_WANTED[] = "a name of small letters, digits and '-'";

/* The type of a number follows from the member's own type, so that the two cannot disagree.
 * NOLINTBEGIN(bugprone-macro-parentheses): they expand to initializers, not to expressions */
#define PLACE(structure, member)                                                                   \
    .owner = OPTION_OF_##structure, .offset = offsetof(struct structure, member),                  \
    .size = sizeof(((struct structure *)NULL)->member)
#define NUMBER(structure, member, dotted, written, least, most)                                    \
    {                                                                                              \
        .name = dotted, PLACE(structure, member), .default_text = written, .min = least,           \
        .max = most,                                                                               \
        .type = _Generic(((struct structure *)NULL)->member, int                                   \
                         : OPTION_INT, int64_t                                                     \
                         : OPTION_INT64)                                                           \
    }
#define TRUTH(structure, member, dotted, written)                                                  \
    {                                                                                              \
        .name = dotted, PLACE(structure, member), .default_text = written, .type = OPTION_BOOL     \
    }
#define CHECKED(structure, member, dotted, written, check, sentence)                               \
    {                                                                                              \
        .name = dotted, PLACE(structure, member), .default_text = "\"" written "\"",               \
        .type = OPTION_TEXT, .accepts = check, .wanted = sentence                                  \
    }
#define JUDGED(structure, member, dotted, written, check)                                          \
    {                                                                                              \
        .name = dotted, PLACE(structure, member), .default_text = "\"" written "\"",               \
        .type = OPTION_TEXT, .accepts_or_says = check                                              \
    }
#define TEXT(structure, member, dotted, written)                                                   \
    CHECKED(structure, member, dotted, written, NULL, NULL)
#define WORD(structure, member, dotted, written, names)                                            \
    {                                                                                              \
        .name = dotted, PLACE(structure, member), .default_text = "\"" written "\"",               \
        .type = OPTION_WORD, .word = names                                                         \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/* clang-format off */
static const struct config_option options[] = {
    CHECKED(config, timezone, "timezone", "Asia/Seoul", config_accepts_zone, ZONE_WANTED),
    CHECKED(config, state_directory, "state_directory", "", config_accepts_absolute_or_nothing,
            DIRECTORY_WANTED),

    TEXT(config, database.socket, "database.socket", ""),
    TEXT(config, database.host, "database.host", ""),
    NUMBER(config, database.port, "database.port", "3306", 1, 65535),
    TEXT(config, database.user, "database.user", ""),
    TEXT(config, database.password_file, "database.password_file", ""),
    CHECKED(config, database.name, "database.name", "settlement",
            config_accepts_something, NAME_WANTED),
    TRUTH(config, database.tls.verify, "database.tls.verify", "true"),
    TEXT(config, database.tls.ca, "database.tls.ca", ""),
    TEXT(config, database.tls.cert, "database.tls.cert", ""),
    TEXT(config, database.tls.key, "database.tls.key", ""),
    NUMBER(config, database.connect_timeout_s, "database.connect_timeout_s", "5", 1, 300),
    TRUTH(config, database.galera_single_writer, "database.galera_single_writer", "false"),

    NUMBER(config, workers.threads, "workers.threads", "0", 0, 256),
    NUMBER(config, workers.chunk_size, "workers.chunk_size", "1000", 1, 100000),
    NUMBER(config, workers.partition_items, "workers.partition_items", "200000", 1, COUNT_LIMIT),
    NUMBER(config, workers.max_partitions, "workers.max_partitions", "256", 1, 65536),

    NUMBER(config, retry.transaction_limit, "retry.transaction_limit", "5", 1, 100),
    NUMBER(config, retry.backoff_ms, "retry.backoff_ms", "20", 1, 60000),
    NUMBER(config, retry.backoff_max_ms, "retry.backoff_max_ms", "1000", 1, 600000),
    NUMBER(config, retry.restart_limit, "retry.restart_limit", "3", 0, 100),
    NUMBER(config, retry.restart_backoff_s, "retry.restart_backoff_s", "30", 0, 86400),
    NUMBER(config, retry.restart_backoff_max_s, "retry.restart_backoff_max_s", "900", 0, 86400),

    NUMBER(config, lease.heartbeat_s, "lease.heartbeat_s", "5", 1, 3600),
    NUMBER(config, lease.ttl_s, "lease.ttl_s", "20", 2, 86400),

    NUMBER(config, skip_limit, "settlement.skip_limit", "1000", 0, COUNT_LIMIT),

    TRUTH(config, housekeeping.enabled, "housekeeping.enabled", "true"),
    JUDGED(config, housekeeping.cron, "housekeeping.cron", "30 3 * * *", config_accepts_cron),
    NUMBER(config, housekeeping.keep_days, "housekeeping.keep_days", "90", 1, 36500),

    CHECKED(config_job, name, "jobs.name", "daily-settlement",
            config_accepts_job_name, JOB_NAME_WANTED),
    JUDGED(config_job, cron, "jobs.cron", "10 0 * * *", config_accepts_cron),
    CHECKED(config_job, timezone, "jobs.timezone", "",
            config_accepts_zone_or_nothing, JOB_ZONE_WANTED),
    WORD(config_job, misfire, "jobs.misfire", "once", misfire_word),
    NUMBER(config_job, catchup_max, "jobs.catchup_max", "31", 1, 3660),
    TRUTH(config_job, enabled, "jobs.enabled", "true"),

    WORD(config, log_level, "log.level", "info", level_word),
    WORD(config, log_format, "log.format", "auto", format_word),
};
/* clang-format on */

const struct config_option *config_option_at(size_t index)
{
    return index < COUNT_OF(options) ? &options[index] : NULL;
}

const struct config_option *config_option_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(options[i].name, name) == 0) return &options[i];
    }
    return NULL;
}

bool config_option_is_group(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strncmp(options[i].name, name, length) == 0 && options[i].name[length] == '.')
            return true;
    }
    return false;
}

/* How many characters have to be added, dropped or changed to make one text of the other
 * (Levenshtein), case aside. */
static int edits_between(const char *from, const char *to)
{
    int row[NAME_LIMIT + 1];
    size_t length = strlen(to);
    ASSERT(length <= NAME_LIMIT);
    for (size_t i = 0; i <= length; i++)
        row[i] = (int)i;
    for (size_t line = 1; from[line - 1] != '\0'; line++) {
        int diagonal = row[0];
        row[0] = (int)line;
        for (size_t i = 1; i <= length; i++) {
            bool same = tolower((unsigned char)from[line - 1]) == tolower((unsigned char)to[i - 1]);
            int least = diagonal + (same ? 0 : 1);
            if (row[i] + 1 < least) least = row[i] + 1;
            if (row[i - 1] + 1 < least) least = row[i - 1] + 1;
            diagonal = row[i];
            row[i] = least;
        }
    }
    return row[length];
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* Whoever wrote the right word in the wrong group meant that option as much as somebody who
 * mistyped it. Names of another group are not near otherwise: the group was known, or it would have
 * been refused before what is in it. */
static int distance(const char *written, const char *known)
{
    const char *part = last_part(written), *known_part = last_part(known);
    if (strcmp(part, known_part) == 0) return 1;
    if (part - written != known_part - known) return NAME_LIMIT;
    if (strncmp(written, known, (size_t)(part - written)) != 0) return NAME_LIMIT;
    return edits_between(part, known_part);
}

bool config_option_nearest(const char *name, char *ret_name, size_t size)
{
    size_t length = strlen(last_part(name));
    int best = length < 6 ? 2 : 3;
    char group[NAME_LIMIT + 1], found[NAME_LIMIT + 1] = "";
    if (strlen(name) > NAME_LIMIT) return false;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        ptrdiff_t prefix = last_part(options[i].name) - options[i].name;
        (void)text_format(group, sizeof(group), "%.*s", prefix > 0 ? (int)prefix - 1 : 0,
                          options[i].name);
        const char *const candidates[] = {options[i].name, group};
        for (size_t c = 0; c < COUNT_OF(candidates); c++) {
            int edits = distance(name, candidates[c]);
            if (edits >= best || candidates[c][0] == '\0') continue;
            best = edits;
            (void)text_format(found, sizeof(found), "%s", candidates[c]);
        }
    }
    return found[0] != '\0' && text_format(ret_name, size, "%s", found);
}

void config_value_describe(const struct config_value *value, char *ret_text, size_t size)
{
    char shown[UTF8_SHOWN(SHOWN_LIMIT)];
    switch (value->kind) {
    case VALUE_NUMBER:
        (void)text_format(ret_text, size, "the number %" PRId64, value->number);
        break;
    case VALUE_TRUTH:
        (void)text_format(ret_text, size, "%s", value->number != 0 ? "true" : "false");
        break;
    case VALUE_TEXT:
        (void)text_format(ret_text, size, "the text \"%s\"",
                          utf8_show(value->text, strlen(value->text), SHOWN_LIMIT, shown));
        break;
    case VALUE_OTHER:
        (void)text_format(ret_text, size, "%s", value->text);
        break;
    }
}

/* Completes "write …" with what the option takes. */
static void describe_wanted(const struct config_option *option, char *ret_text, size_t size)
{
    int length = 0;
    switch (option->type) {
    case OPTION_INT:
    case OPTION_INT64:
        (void)text_format(ret_text, size, "a whole number from %" PRId64 " to %" PRId64,
                          option->min, option->max);
        break;
    case OPTION_BOOL:
        (void)text_format(ret_text, size, "true or false");
        break;
    case OPTION_TEXT:
        (void)text_format(ret_text, size, "%s",
                          option->wanted != NULL ? option->wanted : "a text in double quotes");
        break;
    case OPTION_WORD:
        for (int i = 0; option->word(i) != NULL && (size_t)length < size; i++) {
            const char *before = i == 0 ? "" : option->word(i + 1) == NULL ? " or " : ", ";
            (void)text_format(ret_text + length, size - (size_t)length, "%s\"%s\"", before,
                              option->word(i));
            length = (int)strlen(ret_text);
        }
        break;
    }
}

static enum err refuse(const struct config_option *option, const struct config_value *value,
                       struct detail *problem)
{
    char found[CONFIG_VALUE_WORDS], wanted[256];
    config_value_describe(value, found, sizeof(found));
    describe_wanted(option, wanted, sizeof(wanted));
    return detail_set(problem, ERR_CONFIG, "is %s; write %s", found, wanted);
}

static bool holds_control_character(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at)) return true;
    }
    return false;
}

static void put_text(const struct config_option *option, char *place, const char *text)
{
    ASSERT(option->type == OPTION_TEXT && strlen(text) < option->size);
    memset(place, 0, option->size);
    memcpy(place, text, strlen(text) + 1);
}

static void put_number(const struct config_option *option, char *place, int64_t number)
{
    int narrow = (int)number;
    bool truth = number != 0;
    const void *source = option->type == OPTION_INT64  ? (const void *)&number
                         : option->type == OPTION_BOOL ? (const void *)&truth
                                                       : (const void *)&narrow;
    memcpy(place, source, option->size);
}

static enum err store_text(const struct config_option *option, char *place,
                           const struct config_value *value, struct detail *problem)
{
    if (value->kind != VALUE_TEXT) return refuse(option, value, problem);
    if (holds_control_character(value->text)) {
        return detail_set(problem, ERR_CONFIG,
                          "holds a line break or another control character; write it on one line");
    }
    if (strlen(value->text) >= option->size) {
        return detail_set(problem, ERR_CONFIG, "is %zu bytes long; write at most %zu bytes",
                          strlen(value->text), option->size - 1);
    }
    if (option->accepts != NULL && !option->accepts(value->text))
        return refuse(option, value, problem);
    struct detail reason = {""};
    if (option->accepts_or_says != NULL && !option->accepts_or_says(value->text, &reason)) {
        char found[CONFIG_VALUE_WORDS];
        config_value_describe(value, found, sizeof(found));
        return detail_set(problem, ERR_CONFIG, "is %s; %s", found, reason.text);
    }
    put_text(option, place, value->text);
    return OK;
}

/* The place of a word in its list, which is its value in the enum; -1 when it is none of them. */
static int index_of_word(const struct config_option *option, const char *text)
{
    for (int i = 0; option->word(i) != NULL; i++) {
        if (strcmp(option->word(i), text) == 0) return i;
    }
    return -1;
}

enum err config_option_store(const struct config_option *option, void *owner,
                             const struct config_value *value, struct detail *problem)
{
    char *place = (char *)owner + option->offset;
    bool fits = false;
    int64_t number = value->number;
    switch (option->type) {
    case OPTION_INT:
    case OPTION_INT64:
        fits = value->kind == VALUE_NUMBER && number >= option->min && number <= option->max;
        break;
    case OPTION_BOOL:
        fits = value->kind == VALUE_TRUTH;
        break;
    case OPTION_TEXT:
        return store_text(option, place, value, problem);
    case OPTION_WORD:
        number = value->kind == VALUE_TEXT ? index_of_word(option, value->text) : -1;
        fits = number >= 0;
        break;
    }
    if (!fits) return refuse(option, value, problem);
    put_number(option, place, number);
    return OK;
}

void config_option_print(const struct config_option *option, const void *owner, char *ret_text,
                         size_t size)
{
    const char *place = (const char *)owner + option->offset;
    switch (option->type) {
    case OPTION_INT:
        (void)text_format(ret_text, size, "%d", *(const int *)(const void *)place);
        break;
    case OPTION_INT64:
        (void)text_format(ret_text, size, "%" PRId64, *(const int64_t *)(const void *)place);
        break;
    case OPTION_BOOL:
        (void)text_format(ret_text, size, "%s", *(const bool *)place ? "true" : "false");
        break;
    case OPTION_TEXT:
        (void)text_format(ret_text, size, "\"%s\"", place);
        break;
    case OPTION_WORD:
        (void)text_format(ret_text, size, "\"%s\"",
                          option->word(*(const int *)(const void *)place));
        break;
    }
}

/* Nothing is checked here: whether this system has the default time zone must not decide whether a
 * program starts. */
static void store_default(const struct config_option *option, void *owner)
{
    const char *written = option->default_text;
    char *place = (char *)owner + option->offset;
    char text[CONFIG_TEXT] = "";
    if (written[0] == '"')
        (void)text_format(text, sizeof(text), "%.*s", (int)strlen(written) - 2, written + 1);
    switch (option->type) {
    case OPTION_INT:
    case OPTION_INT64:
        put_number(option, place, strtoll(written, NULL, 10));
        break;
    case OPTION_BOOL:
        put_number(option, place, strcmp(written, "true") == 0);
        break;
    case OPTION_TEXT:
        put_text(option, place, text);
        break;
    case OPTION_WORD:
        put_number(option, place, index_of_word(option, text));
        break;
    }
}

void config_job_defaults(struct config_job *ret_job)
{
    memset(ret_job, 0, sizeof(*ret_job));
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].owner == OPTION_OF_config_job) store_default(&options[i], ret_job);
    }
}

void config_defaults(struct config *ret_config)
{
    memset(ret_config, 0, sizeof(*ret_config));
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].owner == OPTION_OF_config) store_default(&options[i], ret_config);
    }
    config_job_defaults(&ret_config->jobs[0]);
    ret_config->job_count = 1;
}
