/* The configuration and its files: which one is read, what cannot be read, where the password comes
 * from, and that the file that is shipped and the documentation name every option with its default.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/config_options.h"
#include "common/config_text.h"
#include "tests/unit/config_same.h"
#include "tests/unit/suites.h"

static char folder[64];

static void make_folder(void)
{
    (void)text_format(folder, sizeof(folder), "/tmp/settlementd-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("SETTLEMENTD_CONFIG");
}

static void remove_folder(void)
{
    static const char *const names[] = {"a.conf", "database-password", "secret", "link"};
    char path[128];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)text_format(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("SETTLEMENTD_CONFIG");
}

static const char *path_in_folder(const char *name)
{
    static char path[128];
    ck_assert(text_format(path, sizeof(path), "%s/%s", folder, name));
    return path;
}

static const char *write_file(const char *name, const void *bytes, size_t length)
{
    const char *path = path_in_folder(name);
    CLEANUP(close_file) FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    return path;
}

static const char *path_in_tree(const char *name)
{
    static char path[1024];
    const char *source = getenv("SETTLEMENTD_SOURCE");
#ifdef SETTLEMENTD_SOURCE_DIR
    source = SETTLEMENTD_SOURCE_DIR;
#endif
    ck_assert(text_format(path, sizeof(path), "%s/%s", source != NULL ? source : ".", name));
    return path;
}

START_TEST(a_file_is_loaded_and_remembered)
{
    static const char TEXT[] = "workers: { threads = 7; };";
    struct config config;
    struct detail detail = {""};
    const char *path = write_file("a.conf", TEXT, strlen(TEXT));
    ck_assert_msg(config_load(path, &config, &detail) == OK, "%s", detail.text);
    ck_assert_int_eq(config.workers.threads, 7);
    ck_assert_str_eq(config.path, path);
}
END_TEST

static void check_load_fails(const char *path, const char *expected)
{
    struct config config;
    memset(&config, 0x5A, sizeof(config));
    struct config untouched = config;
    struct detail detail = {""};
    ck_assert_int_eq(config_load(path, &config, &detail), ERR_CONFIG);
    ck_assert_msg(strstr(detail.text, expected) != NULL, "\"%s\" instead of \"%s\"", detail.text,
                  expected);
    ck_assert_int_eq(strncmp(detail.text, path, strlen(path)), 0);
    ck_assert_mem_eq(&config, &untouched, sizeof(config));
}

START_TEST(what_is_no_readable_file_is_refused)
{
    check_load_fails(path_in_folder("missing"), ": cannot be read: No such file or directory; ");
    check_load_fails(folder, ": is a directory; name a file");
    ck_assert_int_eq(symlink("link", path_in_folder("link")), 0);
    check_load_fails(path_in_folder("link"), ": cannot be read: Too many levels of symbolic links");
    unlink(path_in_folder("link"));
    ck_assert_int_eq(mkfifo(path_in_folder("link"), 0600), 0);
    check_load_fails(path_in_folder("link"), ": is not a regular file; name a file");
    check_load_fails("/dev/zero", ": is longer than");
    check_load_fails(write_file("a.conf", "workers: {};\n\0x", 15), ":2: there is a NUL byte");
    if (geteuid() == 0) return; /* root reads everything */
    ck_assert_int_eq(chmod(path_in_folder("a.conf"), 0), 0);
    check_load_fails(path_in_folder("a.conf"), ": cannot be read: Permission denied; ");
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    char path[CONFIG_TEXT + 64];
    struct config config;
    struct detail detail = {""};
    size_t length = (size_t)snprintf(path, sizeof(path), "%s", folder);
    while (length + 2 < CONFIG_TEXT)
        length += (size_t)snprintf(path + length, 3, "/.");
    (void)text_format(path + length, sizeof(path) - length, "/a.conf");
    write_file("a.conf", "", 0);
    ck_assert_int_eq(config_load(path, &config, &detail), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(detail.text, "longer than 255 bytes"));
}
END_TEST

START_TEST(the_file_given_wins_over_the_environment)
{
    struct config config;
    struct detail detail = {""};
    write_file("a.conf", "workers: { threads = 1; };", 26);
    setenv("SETTLEMENTD_CONFIG", path_in_folder("a.conf"), 1);
    ck_assert_int_eq(config_find(NULL, &config, &detail), OK);
    ck_assert_int_eq(config.workers.threads, 1);
    ck_assert_int_eq(config_find("/dev/null", &config, &detail), OK);
    ck_assert_int_eq(config.workers.threads, 0);
    setenv("SETTLEMENTD_CONFIG", path_in_folder("missing"), 1);
    ck_assert_int_eq(config_find(NULL, &config, &detail), ERR_CONFIG);
    setenv("SETTLEMENTD_CONFIG", "", 1);
    struct stat status;
    if (stat("/etc/settlementd/settlementd.conf", &status) == 0) return;
    ck_assert_int_eq(config_find(NULL, &config, &detail), OK);
    ck_assert_str_eq(config.path, "");
}
END_TEST

static enum err password_of(const char *named, char *ret_password, size_t size,
                            struct detail *detail)
{
    struct config config;
    config_defaults(&config);
    ck_assert(text_format(config.database.password_file, CONFIG_TEXT, "%s", named));
    return config_password(&config.database, ret_password, size, detail);
}

START_TEST(the_password_comes_from_a_file_or_a_credential)
{
    static const struct {
        const char *bytes, *password;
    } contents[] = {
        {"s3cret", "s3cret"}, {"s3cret\n", "s3cret"}, {"two\n\n", "two\n"}, {"", ""}, {"\n", ""},
    };
    char password[64];
    struct detail detail = {""};
    ck_assert_int_eq(password_of("", password, sizeof(password), &detail), OK);
    ck_assert_str_eq(password, "");
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        const char *path = write_file("secret", contents[i].bytes, strlen(contents[i].bytes));
        ck_assert_int_eq(password_of(path, password, sizeof(password), &detail), OK);
        ck_assert_str_eq(password, contents[i].password);
    }
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    ck_assert_int_eq(password_of("", password, sizeof(password), &detail), OK);
    ck_assert_str_eq(password, "");
    write_file("secret", "named", 5);
    ck_assert_int_eq(password_of("secret", password, sizeof(password), &detail), OK);
    ck_assert_str_eq(password, "named");
    write_file("database-password", "handed over\n", 12);
    ck_assert_int_eq(password_of("", password, sizeof(password), &detail), OK);
    ck_assert_str_eq(password, "handed over");
    ck_assert_int_eq(password_of(path_in_folder("secret"), password, sizeof(password), &detail),
                     OK);
    ck_assert_str_eq(password, "named");
}
END_TEST

static void check_password_fails(const char *named, size_t size, const char *expected)
{
    char password[64] = "untouched";
    struct detail detail = {""};
    ck_assert_int_eq(password_of(named, password, size, &detail), ERR_CONFIG);
    ck_assert_msg(strstr(detail.text, expected) != NULL, "\"%s\" instead of \"%s\"", detail.text,
                  expected);
    ck_assert_str_eq(password, "untouched");
    ck_assert_ptr_null(strstr(detail.text, "12345678"));
}

START_TEST(a_password_that_cannot_be_used_is_refused)
{
    char password[16];
    struct detail detail = {""};
    check_password_fails(path_in_folder("missing"), 64, "cannot be read: No such file");
    check_password_fails("settlementd-no-such-file", 64, "cannot be read: No such file");
    check_password_fails(folder, 64, "is a directory");
    check_password_fails(write_file("secret", "1234\0005678", 9), 64, "there is a NUL byte");
    const char *path = write_file("secret", "12345678\n", 9);
    check_password_fails(path, 8, "the password is longer than 7 bytes");
    ck_assert_int_eq(password_of(path, password, 9, &detail), OK);
    ck_assert_str_eq(password, "12345678");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    check_password_fails("not-there", 64, "cannot be read: No such file");
    ck_assert_int_eq(symlink("link", path_in_folder("database-password")), 0);
    unlink(path_in_folder("database-password"));
    ck_assert_int_eq(symlink("database-password", path_in_folder("database-password")), 0);
    check_password_fails("", 64, "cannot be read: Too many levels");
}
END_TEST

/* Follows the groups of the shipped file, which has one opening, closing or setting a line. */
struct outline {
    char names[8][64];
    int depth;
};

static bool read_outline_line(struct outline *outline, const char *line, char *ret_name,
                              char *ret_value)
{
    char name[64] = "", value[256] = "";
    const char *at = line + strspn(line, " \t");
    if (*at == '#' || *at == '\n') return false;
    if (*at == '{') return false;
    if (*at == '}' || *at == ')') {
        if (*at == ')' || strcmp(outline->names[outline->depth - 1], "jobs") != 0) outline->depth--;
        return false;
    }
    int fields = sscanf(at, "%63[a-z_] = %255[^;\n]", name, value);
    if (fields < 2 || value[0] == '(') {
        ck_assert_msg(fields >= 1, "%s", line);
        (void)text_format(outline->names[outline->depth++], 64, "%s", name);
        return false;
    }
    int used = 0;
    for (int i = 0; i < outline->depth; i++)
        used += snprintf(ret_name + used, 64, "%s.", outline->names[i]);
    (void)text_format(ret_name + used, 64, "%s", name);
    (void)text_format(ret_value, 256, "%s", value);
    return true;
}

START_TEST(the_shipped_file_holds_every_option_with_its_default)
{
    struct config config, defaults;
    struct detail detail = {""};
    const char *path = path_in_tree("conf/settlementd.conf");
    ck_assert_msg(config_load(path, &config, &detail) == OK, "%s", detail.text);
    config_defaults(&defaults);
    config_check_same(&config, &defaults);

    CLEANUP(close_file) FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    struct outline outline = {.depth = 0};
    char line[512], before[512] = "", name[640], value[256];
    size_t next = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (read_outline_line(&outline, line, name, value)) {
            const struct config_option *option = config_option_at(next++);
            ck_assert_ptr_nonnull(option);
            ck_assert_str_eq(name, option->name);
            ck_assert_str_eq(value, option->default_text);
            ck_assert_msg(before[strspn(before, " ")] == '#', "%s has no comment", name);
        }
        (void)text_format(before, sizeof(before), "%s", line);
    }
    ck_assert_int_eq(outline.depth, 0);
    ck_assert_msg(config_option_at(next) == NULL, "%s is missing", config_option_at(next)->name);
}
END_TEST

/* A row of the table of options in the documentation. */
static void check_row(const char *document, const struct config_option *option)
{
    char start[128], row[1024], cell[128];
    (void)text_format(start, sizeof(start), "\n| `%s` | `%s` | ", option->name,
                      option->default_text);
    const char *found = strstr(document, start);
    ck_assert_msg(found != NULL, "docs/configuration.md has no row of %s, default %s", option->name,
                  option->default_text);
    (void)text_format(row, sizeof(row), "%.*s", (int)strcspn(found + 1, "\n"), found + 1);
    if (option->type == OPTION_INT) {
        (void)text_format(cell, sizeof(cell), "| %d to %d", (int)option->min, (int)option->max);
        ck_assert_msg(strstr(row, cell) != NULL, "%s: not \"%s\"", row, cell);
    }
    if (option->type == OPTION_INT64) {
        (void)text_format(cell, sizeof(cell), "| at least %d |", (int)option->min);
        ck_assert_msg(strstr(row, cell) != NULL, "%s: not \"%s\"", row, cell);
    }
    for (int i = 0; option->type == OPTION_WORD && option->word(i) != NULL; i++) {
        (void)text_format(cell, sizeof(cell), "`\"%s\"`", option->word(i));
        ck_assert_msg(strstr(row, cell) != NULL, "%s: no %s", row, cell);
    }
}

START_TEST(the_documentation_has_a_row_of_every_option)
{
    static char document[64 * 1024];
    size_t length;
    struct detail detail = {""};
    const char *path = path_in_tree("docs/configuration.md");
    enum err err = config_text_read(path, document, sizeof(document), &length, &detail);
    ck_assert_msg(err == OK, "%s", detail.text);
    const struct config_option *option;
    size_t options = 0, rows = 0;
    for (; (option = config_option_at(options)) != NULL; options++)
        check_row(document, option);
    for (const char *at = document; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    ck_assert_uint_eq(rows, options);
}
END_TEST

/* Cuts the shipped file short after every byte, and spoils every byte: whatever comes out, no
 * reading may fault. */
START_TEST(no_damaged_file_does_harm)
{
    static char document[64 * 1024];
    static const char spoilt[] = "\"{}();=,*/@#\n0a\\";
    size_t length;
    ck_assert_int_eq(config_text_read(path_in_tree("conf/settlementd.conf"), document,
                                      sizeof(document), &length, NULL),
                     OK);
    struct config config;
    for (size_t i = 0; i < length; i++) {
        char kept = document[i];
        document[i] = spoilt[i % (sizeof(spoilt) - 1)];
        enum err err = config_parse("a.conf", document, &config, NULL);
        ck_assert(err == OK || err == ERR_CONFIG);
        document[i] = '\0';
        err = config_parse("a.conf", document, &config, NULL);
        ck_assert(err == OK || err == ERR_CONFIG);
        document[i] = kept;
    }
}
END_TEST

Suite *test_config_files_suite(void)
{
    Suite *suite = suite_create("config_files");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, a_file_is_loaded_and_remembered);
    tcase_add_test(files, what_is_no_readable_file_is_refused);
    tcase_add_test(files, a_path_that_is_too_long_is_refused);
    tcase_add_test(files, the_file_given_wins_over_the_environment);
    tcase_add_test(files, the_password_comes_from_a_file_or_a_credential);
    tcase_add_test(files, a_password_that_cannot_be_used_is_refused);
    suite_add_tcase(suite, files);

    TCase *shipped = tcase_create("shipped");
    tcase_set_timeout(shipped, 120);
    tcase_add_test(shipped, the_shipped_file_holds_every_option_with_its_default);
    tcase_add_test(shipped, the_documentation_has_a_row_of_every_option);
    tcase_add_test(shipped, no_damaged_file_does_harm);
    suite_add_tcase(suite, shipped);
    return suite;
}
