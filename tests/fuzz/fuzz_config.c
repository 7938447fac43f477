/* The configuration file: whatever stands in it, it is refused with a line and in words, and then
 * changes nothing; or each option is within its bounds, and what is written down of it reads back
 * as the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_options.h"
#include "tests/fuzz/targets.h"

static const char NAME[] = "f";

static const void *owner_of(const struct config *config, const struct config_option *option,
                            int job)
{
    return option->owner == OPTION_OF_config_job ? (const void *)&config->jobs[job] : config;
}

static void expect_within_bounds(const struct config_option *option, const void *owner)
{
    const char *place = (const char *)owner + option->offset;
    int number;
    switch (option->type) {
    case OPTION_INT:
        memcpy(&number, place, sizeof(number));
        ASSERT(number >= option->min && number <= option->max);
        break;
    case OPTION_INT64: {
        int64_t wide;
        memcpy(&wide, place, sizeof(wide));
        ASSERT(wide >= option->min && wide <= option->max);
        break;
    }
    case OPTION_BOOL:
        ASSERT(*(const unsigned char *)place <= 1);
        break;
    case OPTION_TEXT:
        ASSERT(memchr(place, '\0', option->size) != NULL);
        ASSERT(option->accepts == NULL || option->accepts(place));
        break;
    case OPTION_WORD:
        memcpy(&number, place, sizeof(number));
        ASSERT(number >= 0 && option->word(number) != NULL);
        break;
    }
}

/* Each option by itself, and what two of them have to agree about. */
static void expect_sound(const struct config *config)
{
    const struct config_option *option;
    ASSERT(config->job_count >= 0 && config->job_count <= CONFIG_JOBS);
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        int jobs = option->owner == OPTION_OF_config_job ? config->job_count : 1;
        for (int job = 0; job < jobs; job++)
            expect_within_bounds(option, owner_of(config, option, job));
    }
    ASSERT(config->lease.ttl_s / 2 >= config->lease.heartbeat_s);
    ASSERT(config->retry.backoff_ms <= config->retry.backoff_max_ms);
    ASSERT(config->retry.restart_backoff_s <= config->retry.restart_backoff_max_s);
    ASSERT(config->database.socket[0] == '\0' || config->database.host[0] == '\0');
    for (int i = 0; i < config->job_count; i++)
        for (int other = 0; other < i; other++)
            ASSERT(strcmp(config->jobs[i].name, config->jobs[other].name) != 0);
}

/* --- written down and read again --- */

static void write_value(FILE *file, const struct config_option *option, const void *owner)
{
    char text[CONFIG_TEXT + 2];
    config_option_print(option, owner, text, sizeof(text));
    size_t length = strlen(text);
    const char *name = strrchr(option->name, '.');
    fprintf(file, "%s = ", name == NULL ? option->name : name + 1);
    for (size_t i = 0; i < length; i++) {
        bool inside = text[0] == '"' && i > 0 && i + 1 < length;
        if (inside && strchr("\"\\", text[i]) != NULL) fputc('\\', file);
        fputc(text[i], file);
    }
    fputs("; ", file);
}

/* The part of a name before its last dot; options of a group stand together in the table. */
static size_t group_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? 0 : (size_t)(dot - name);
}

/* Leaves groups that the name is not in and enters those that it is; `open` is the group that is
 * open now. */
static void change_group(FILE *file, char open[64], const char *name)
{
    size_t length = group_length(name);
    while (open[0] != '\0' &&
           (strncmp(open, name, strlen(open)) != 0 || name[strlen(open)] != '.')) {
        fputs("}; ", file);
        char *dot = strrchr(open, '.');
        *(dot == NULL ? open : dot) = '\0';
    }
    while (strlen(open) < length) {
        size_t from = strlen(open) + (open[0] == '\0' ? 0 : 1);
        size_t part = strcspn(name + from, ".");
        fprintf(file, "%.*s: { ", (int)part, name + from);
        (void)text_format(open, 64, "%.*s", (int)(from + part), name);
    }
}

static void write_jobs(FILE *file, const struct config *config)
{
    fputs("jobs = (", file);
    for (int job = 0; job < config->job_count; job++) {
        const struct config_option *option;
        fputs(job > 0 ? ", { " : "{ ", file);
        for (size_t i = 0; (option = config_option_at(i)) != NULL; i++)
            if (option->owner == OPTION_OF_config_job)
                write_value(file, option, &config->jobs[job]);
        fputs("}", file);
    }
    fputs(");\n", file);
}

static char *write_config(const struct config *config)
{
    char *text = NULL, open[64] = "";
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    ASSERT(file != NULL);
    const struct config_option *option;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (option->owner == OPTION_OF_config_job) continue;
        change_group(file, open, option->name);
        write_value(file, option, config);
    }
    change_group(file, open, "");
    write_jobs(file, config);
    ASSERT(fclose(file) == 0);
    return text;
}

static void expect_reads_back(const struct config *config)
{
    CLEANUP(free_pointer) char *text = write_config(config);
    struct config again;
    struct detail detail = {""};
    if (config_parse(NAME, text, &again, &detail) != OK) {
        fprintf(stderr, "%s\n%s\n", detail.text, text);
        ASSERT(false);
    }
    ASSERT(memcmp(&again, config, sizeof(again)) == 0);
}

/* --- refused --- */

/* "f:12: what; what to do" → 12. */
static long line_of(const char *words, const char **ret_rest)
{
    char *end = NULL;
    size_t prefix = sizeof(NAME) - 1;
    ASSERT(strncmp(words, NAME, prefix) == 0 && words[prefix] == ':');
    long line = strtol(words + prefix + 1, &end, 10);
    ASSERT(end > words + prefix + 1 && end[0] == ':' && end[1] == ' ');
    *ret_rest = end;
    return line;
}

static long count_lines(const char *text)
{
    long lines = 1;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* A line more at the front changes nothing but the number of the line that is named. */
static void expect_same_below_an_empty_line(const char *text, enum err expected,
                                            const struct config *config, const char *words)
{
    CLEANUP(free_pointer) char *lower = NULL;
    struct config again;
    struct detail detail = {""};
    ASSERT(asprintf(&lower, "\n%s", text) > 0);
    enum err err = config_parse(NAME, lower, &again, &detail);
    ASSERT(err == expected);
    if (err == OK) {
        ASSERT(memcmp(&again, config, sizeof(again)) == 0);
        return;
    }
    const char *rest, *rest_below;
    long line = line_of(words, &rest), line_below = line_of(detail.text, &rest_below);
    ASSERT(line >= 1 && line <= count_lines(text) + 1);
    ASSERT(line_below == line + 1 && strcmp(rest, rest_below) == 0);
}

/* As a file, which may hold NUL bytes as well. */
static enum err load(const struct input *input, struct config *ret_config, struct detail *detail)
{
    static int file = -1;
    char path[64];
    if (file < 0) file = memfd_create("configuration", MFD_CLOEXEC);
    ASSERT(file >= 0 && ftruncate(file, 0) == 0);
    ASSERT(fchmod(file, S_IRUSR | S_IWUSR) == 0); /* what anybody may write is refused */
    ASSERT(pwrite(file, input->at, input->left, 0) == (ssize_t)input->left);
    (void)text_format(path, sizeof(path), "/proc/self/fd/%d", file);
    return config_load(path, ret_config, detail);
}

static void try_file(const struct input *input, enum err expected)
{
    struct config config;
    struct detail detail = {""};
    bool holds_nul = memchr(input->at, '\0', input->left) != NULL;
    enum err err = load(input, &config, &detail);
    ASSERT(err == (holds_nul ? ERR_CONFIG : expected));
    if (err == OK)
        expect_sound(&config);
    else
        expect_words(detail.text);
}

/* The file. */
void fuzz_config(struct input *input)
{
    const struct input file = *input;
    CLEANUP(free_pointer) char *text = input_text(input);
    struct config config, before;
    struct detail detail = {""};
    memset(&config, 0x5A, sizeof(config));
    memcpy(&before, &config, sizeof(before));
    enum err err = config_parse(NAME, text, &config, &detail);
    ASSERT(err == OK || err == ERR_CONFIG);
    if (err == OK) {
        ASSERT(strcmp(config.path, NAME) == 0);
        expect_sound(&config);
        expect_reads_back(&config);
    } else {
        ASSERT(memcmp(&config, &before, sizeof(before)) == 0);
        expect_words(detail.text);
    }
    expect_same_below_an_empty_line(text, err, &config, detail.text);
    try_file(&file, err);
}
