#include "common/config.h"

#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/config_options.h"
#include "common/config_text.h"
#include "common/utf8.h"

static const char DEFAULT_PATH[] = "/etc/settlementd/settlementd.conf";
static const char CREDENTIAL[] = "database-password";

/* Far more than all options with a page of comments each. */
enum { FILE_SIZE_MAX = 256 * 1024, NAME_SIZE = 128 };

/* One reading of one file: the settings as they are collected, and where to say what is wrong. */
struct reading {
    const char *name;
    config_t *parsed;
    struct config config;
    struct detail *detail;
};

/* Two options that must agree. */
struct rule {
    const char *first, *second;
    bool (*holds)(const struct config *config);
    const char *advice;
};

static bool lease_outlives_a_lost_beat(const struct config *config)
{
    return config->lease.ttl_s >= 2 * config->lease.heartbeat_s;
}

static bool backoff_grows(const struct config *config)
{
    return config->retry.backoff_max_ms >= config->retry.backoff_ms;
}

static bool restart_backoff_grows(const struct config *config)
{
    return config->retry.restart_backoff_max_s >= config->retry.restart_backoff_s;
}

static bool one_way_to_the_server(const struct config *config)
{
    return config->database.socket[0] == '\0' || config->database.host[0] == '\0';
}

static const struct rule rules[] = {
    {"lease.heartbeat_s", "lease.ttl_s", lease_outlives_a_lost_beat,
     "make ttl_s at least twice heartbeat_s"},
    {"retry.backoff_ms", "retry.backoff_max_ms", backoff_grows,
     "make backoff_max_ms at least backoff_ms"},
    {"retry.restart_backoff_s", "retry.restart_backoff_max_s", restart_backoff_grows,
     "make restart_backoff_max_s at least restart_backoff_s"},
    {"database.socket", "database.host", one_way_to_the_server,
     "name the socket or the host of the server and leave the other empty"},
};

/* What an option's row can judge. Hexadecimal numbers are refused because libconfig cuts them to 32
 * bits. */
static struct config_value value_of(const config_setting_t *setting)
{
    bool hex = config_setting_get_format(setting) == CONFIG_FORMAT_HEX;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        if (hex) break;
        return (struct config_value){VALUE_NUMBER, config_setting_get_int(setting), NULL};
    case CONFIG_TYPE_INT64:
        if (hex) break;
        return (struct config_value){VALUE_NUMBER, config_setting_get_int64(setting), NULL};
    case CONFIG_TYPE_BOOL:
        return (struct config_value){VALUE_TRUTH, config_setting_get_bool(setting), NULL};
    case CONFIG_TYPE_STRING:
        return (struct config_value){VALUE_TEXT, 0, config_setting_get_string(setting)};
    case CONFIG_TYPE_FLOAT:
        return (struct config_value){VALUE_OTHER, 0, "a number with a fraction or an exponent"};
    case CONFIG_TYPE_GROUP:
        return (struct config_value){VALUE_OTHER, 0, "a group { ... }"};
    case CONFIG_TYPE_ARRAY:
        return (struct config_value){VALUE_OTHER, 0, "an array [ ... ]"};
    default:
        return (struct config_value){VALUE_OTHER, 0, "a list ( ... )"};
    }
    return (struct config_value){VALUE_OTHER, 0, "a hexadecimal number"};
}

static unsigned line_of(const config_t *parsed, const char *path)
{
    const config_setting_t *setting = config_lookup(parsed, path);
    return setting == NULL ? 0 : config_setting_source_line(setting);
}

/* The dotted name of a setting; an entry of a list is called as the list. Only known groups are
 * entered, so that no name is deeper than the deepest option. */
static void name_of(const config_setting_t *setting, char *ret_name, size_t size)
{
    enum { DEPTH_MAX = 8 };
    const char *parts[DEPTH_MAX];
    int depth = 0;
    for (; config_setting_parent(setting) != NULL; setting = config_setting_parent(setting)) {
        ASSERT(depth < DEPTH_MAX);
        if (config_setting_name(setting) != NULL) parts[depth++] = config_setting_name(setting);
    }
    size_t length = 0;
    ret_name[0] = '\0';
    for (int i = depth - 1; i >= 0 && length < size; i--) {
        (void)text_format(ret_name + length, size - length, "%s%s", length > 0 ? "." : "",
                          parts[i]);
        length = strlen(ret_name);
    }
}

static enum err refuse(const struct reading *reading, const config_setting_t *setting,
                       const char *name, const char *advice)
{
    struct config_value value = value_of(setting);
    char found[CONFIG_VALUE_WORDS];
    config_value_describe(&value, found, sizeof(found));
    return detail_set(reading->detail, ERR_CONFIG, "%s:%u: %s is %s; %s", reading->name,
                      config_setting_source_line(setting), name, found, advice);
}

static enum err refuse_unknown(const struct reading *reading, const config_setting_t *setting,
                               const char *name)
{
    unsigned line = config_setting_source_line(setting);
    char nearest[NAME_SIZE];
    if (config_option_nearest(name, nearest, sizeof(nearest))) {
        return detail_set(reading->detail, ERR_CONFIG,
                          "%s:%u: there is no option \"%s\"; did you mean \"%s\"?", reading->name,
                          line, name, nearest);
    }
    return detail_set(reading->detail, ERR_CONFIG,
                      "%s:%u: there is no option \"%s\"; remove it, or look its name up in the "
                      "list of options (docs/configuration.md)",
                      reading->name, line, name);
}

static enum err read_option(struct reading *reading, const config_setting_t *setting,
                            const struct config_option *option)
{
    struct config *config = &reading->config;
    struct config_value value = value_of(setting);
    struct detail problem;
    void *owner = config;
    if (option->owner == OPTION_OF_config_job) owner = &config->jobs[config->job_count - 1];
    enum err err = config_option_store(option, owner, &value, &problem);
    if (err == OK) return OK;
    return detail_set(reading->detail, err, "%s:%u: %s %s", reading->name,
                      config_setting_source_line(setting), option->name, problem.text);
}

/* The list takes the place of the default one; each entry begins with the defaults of a job. */
static enum err read_jobs(struct reading *reading, const config_setting_t *setting)
{
    static const char ADVICE[] = "write a list of groups: jobs = ( { name = \"...\"; } );";
    struct config *config = &reading->config;
    if (config_setting_name(setting) != NULL) {
        if (!config_setting_is_list(setting)) return refuse(reading, setting, "jobs", ADVICE);
        memset(config->jobs, 0, sizeof(config->jobs));
        config->job_count = 0;
        return OK;
    }
    if (!config_setting_is_group(setting))
        return refuse(reading, setting, "an entry of jobs", ADVICE);
    if (config->job_count == CONFIG_JOBS) {
        return detail_set(reading->detail, ERR_CONFIG,
                          "%s:%u: there are more than %d jobs; remove some", reading->name,
                          config_setting_source_line(setting), CONFIG_JOBS);
    }
    config_job_defaults(&config->jobs[config->job_count++]);
    return OK;
}

static enum err read_setting(struct reading *reading, const config_setting_t *setting)
{
    char name[NAME_SIZE];
    name_of(setting, name, sizeof(name));
    if (strcmp(name, "jobs") == 0) return read_jobs(reading, setting);
    const struct config_option *option = config_option_find(name);
    if (option != NULL) return read_option(reading, setting, option);
    if (!config_option_is_group(name)) return refuse_unknown(reading, setting, name);
    if (!config_setting_is_group(setting)) {
        char advice[NAME_SIZE + 32];
        (void)text_format(advice, sizeof(advice), "write a group: %s: { ... };", name);
        return refuse(reading, setting, name, advice);
    }
    return OK;
}

/* The setting that follows in the file: the first one inside, else the next one beside it or beside
 * what it is in. */
static const config_setting_t *next_setting(const config_setting_t *setting)
{
    if (config_setting_is_aggregate(setting) && config_setting_length(setting) > 0)
        return config_setting_get_elem(setting, 0);
    for (; config_setting_parent(setting) != NULL; setting = config_setting_parent(setting)) {
        const config_setting_t *parent = config_setting_parent(setting);
        int next = config_setting_index(setting) + 1;
        if (next < config_setting_length(parent))
            return config_setting_get_elem(parent, (unsigned)next);
    }
    return NULL;
}

static enum err read_settings(struct reading *reading)
{
    const config_setting_t *setting = config_root_setting(reading->parsed);
    while ((setting = next_setting(setting)) != NULL)
        TRY(read_setting(reading, setting));
    return OK;
}

static void show_option(const struct reading *reading, const char *name,
                        char ret_text[UTF8_SHOWN(NAME_SIZE)])
{
    char text[CONFIG_TEXT + 2];
    config_option_print(config_option_find(name), &reading->config, text, sizeof(text));
    (void)utf8_show(text, strlen(text), NAME_SIZE, ret_text);
}

static enum err check_rule(const struct reading *reading, const struct rule *rule)
{
    if (rule->holds(&reading->config)) return OK;
    char first[UTF8_SHOWN(NAME_SIZE)], second[UTF8_SHOWN(NAME_SIZE)];
    show_option(reading, rule->first, first);
    show_option(reading, rule->second, second);
    unsigned line = line_of(reading->parsed, rule->first);
    unsigned other = line_of(reading->parsed, rule->second);
    return detail_set(reading->detail, ERR_CONFIG, "%s:%u: %s = %s does not go with %s = %s; %s",
                      reading->name, line > other ? line : other, rule->second, second, rule->first,
                      first, rule->advice);
}

static enum err check_job_is_new(const struct reading *reading, int index)
{
    const struct config_job *jobs = reading->config.jobs;
    for (int i = 0; i < index; i++) {
        if (strcmp(jobs[i].name, jobs[index].name) != 0) continue;
        char path[NAME_SIZE];
        (void)text_format(path, sizeof(path), "jobs.[%d].name", index);
        unsigned line = line_of(reading->parsed, path);
        (void)text_format(path, sizeof(path), "jobs.[%d]", index);
        if (line == 0) line = line_of(reading->parsed, path);
        return detail_set(reading->detail, ERR_CONFIG,
                          "%s:%u: there is another job \"%s\" above; remove one of them",
                          reading->name, line, jobs[index].name);
    }
    return OK;
}

static enum err check_whole(const struct reading *reading)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        TRY(check_rule(reading, &rules[i]));
    for (int i = 1; i < reading->config.job_count; i++)
        TRY(check_job_is_new(reading, i));
    return OK;
}

static enum err refuse_syntax(const struct reading *reading)
{
    const char *text = config_error_text(reading->parsed);
    const char *advice = "look in this line and the one before for a missing ';', quote or bracket";
    if (strstr(text, "duplicate") != NULL) advice = "remove one of the two";
    if (strstr(text, "mismatched") != NULL) advice = "give all elements one type";
    return detail_set(reading->detail, ERR_CONFIG, "%s:%d: %s; %s", reading->name,
                      config_error_line(reading->parsed), text, advice);
}

static enum err parse(const char *name, const char *text, size_t length, struct config *ret_config,
                      struct detail *detail)
{
    CLEANUP(free_pointer) char *prepared = NULL;
    TRY(config_text_prepare(name, text, length, &prepared, detail));

    CLEANUP(config_destroy) config_t parsed;
    config_init(&parsed);
    struct reading reading = {.name = name, .parsed = &parsed, .detail = detail};
    config_defaults(&reading.config);
    if (!text_format(reading.config.path, sizeof(reading.config.path), "%s", name)) {
        return detail_set(detail, ERR_CONFIG, "%s: the path is longer than %d bytes; use another",
                          name, CONFIG_TEXT - 1);
    }
    if (config_read_string(&parsed, prepared) != CONFIG_TRUE) return refuse_syntax(&reading);
    TRY(read_settings(&reading));
    TRY(check_whole(&reading));
    *ret_config = reading.config;
    return OK;
}

enum err config_parse(const char *name, const char *text, struct config *ret_config,
                      struct detail *detail)
{
    return parse(name, text, strlen(text), ret_config, detail);
}

enum err config_load(const char *path, struct config *ret_config, struct detail *detail)
{
    CLEANUP(free_pointer) char *text = malloc(FILE_SIZE_MAX);
    if (text == NULL) return detail_set(detail, ERR_MEMORY, "%s: out of memory", path);
    size_t length;
    TRY(config_text_read(path, text, FILE_SIZE_MAX, &length, detail));
    return parse(path, text, length, ret_config, detail);
}

enum err config_find(const char *path, struct config *ret_config, struct detail *detail)
{
    struct stat status;
    const char *named = getenv("SETTLEMENTD_CONFIG");
    if (path == NULL && named != NULL && named[0] != '\0') path = named;
    if (path != NULL) return config_load(path, ret_config, detail);
    if (stat(DEFAULT_PATH, &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        config_defaults(ret_config);
        return OK;
    }
    return config_load(DEFAULT_PATH, ret_config, detail);
}

/* The file that holds the password: false, and nothing to read, when none is named and systemd
 * hands none over. */
static bool password_path(const struct config_database *database, char *ret_path, size_t size)
{
    const char *named = database->password_file;
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    bool handed_over = folder != NULL && folder[0] != '\0';
    if (named[0] == '/' || (named[0] != '\0' && !handed_over))
        return text_format(ret_path, size, "%s", named);
    if (!handed_over) return false;
    (void)text_format(ret_path, size, "%s/%s", folder, named[0] != '\0' ? named : CREDENTIAL);
    struct stat status;
    return named[0] != '\0' || stat(ret_path, &status) == 0 || errno != ENOENT;
}

/* Checked after reading and before use: what the client library takes is a text that ends with NUL.
 */
static enum err check_password(const char *path, const char *password, size_t length, size_t size,
                               struct detail *detail)
{
    if (memchr(password, '\0', length) != NULL) {
        return detail_set(detail, ERR_CONFIG,
                          "%s: there is a NUL byte in the password; is this the right file?", path);
    }
    if (length >= size) {
        return detail_set(detail, ERR_CONFIG,
                          "%s: the password is longer than %zu bytes; is this the right file?",
                          path, size - 1);
    }
    return OK;
}

enum err config_password(const struct config_database *database, char *ret_password, size_t size,
                         struct detail *detail)
{
    enum { PASSWORD_SIZE = 4096 };
    ASSERT(size > 0 && size <= PASSWORD_SIZE);
    char path[PATH_MAX], password[PASSWORD_SIZE];
    size_t length = 0;
    if (!password_path(database, path, sizeof(path))) {
        ret_password[0] = '\0';
        return OK;
    }
    enum err err = config_text_read(path, password, sizeof(password), &length, detail);
    if (err == OK && length > 0 && password[length - 1] == '\n') length--;
    if (err == OK) err = check_password(path, password, length, size, detail);
    if (err == OK) {
        memcpy(ret_password, password, length);
        ret_password[length] = '\0';
    }
    explicit_bzero(password, sizeof(password));
    return err;
}
