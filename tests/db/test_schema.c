/* Migrations: applied once and in order, by one at a time, and refused when they are not what was
 * applied before. */
#include "common/schema.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/grants.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

enum { FILES = 8, PATH_BYTES = 200, RACERS = 4 };

static const char FIRST_SQL[] =
    "-- A comment; with a semicolon.\n\nCREATE TABLE a (i INT)\n"
    "  ENGINE=InnoDB; -- not the end of a line\n";
static const char FIRST[] = "CREATE TABLE a (i INT) ENGINE=InnoDB;\nINSERT INTO a VALUES (1);\n";
static const char SECOND[] =
    "-- The second.\nINSERT INTO a VALUES (2);\n-- And on.\n\n"
    "INSERT INTO a VALUES (3)\n;\n";

/* A folder of migrations of the test's own, below /tmp, gone at its end. */
struct folder {
    char path[PATH_BYTES];
    char files[FILES][PATH_BYTES];
    int count;
};

static void folder_new(struct folder *folder)
{
    *folder = (struct folder){0};
    ck_assert(text_format(folder->path, PATH_BYTES, "/tmp/settlementd-schema-XXXXXX"));
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static void folder_done(struct folder *folder)
{
    for (int i = 0; i < folder->count; i++)
        (void)unlink(folder->files[i]);
    (void)rmdir(folder->path);
}

/* Writes a file, or writes it anew; without a text it is removed. */
static void put(struct folder *folder, const char *name, const char *text)
{
    char path[PATH_BYTES];
    ck_assert(text_format(path, sizeof(path), "%.100s/%s", folder->path, name));
    if (text == NULL) {
        ck_assert_int_eq(unlink(path), 0);
        return;
    }
    FILE *file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_lt(folder->count, FILES);
    memcpy(folder->files[folder->count++], path, sizeof(path));
}

static enum err migrate(struct harness *harness, const struct folder *folder,
                        struct schema_report *ret_report, struct detail *ret_detail)
{
    *ret_detail = (struct detail){0};
    *ret_report = (struct schema_report){0};
    return schema_migrate(harness_db(harness), folder->path, ret_report, ret_detail);
}

static void expect_words(const struct detail *detail, const char *words)
{
    ck_assert_msg(strstr(detail->text, words) != NULL, "\"%s\" lacks \"%s\"", detail->text, words);
}

START_TEST(migrations_are_applied_once_and_in_order)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0002_second.sql", SECOND);
    put(&folder, "0001_first.sql", FIRST);
    ck_assert_int_eq(schema_check(harness_db(harness), folder.path, &detail), ERR_SCHEMA);
    expect_words(&detail, "lacks 2 of 2");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.known, 2);
    ck_assert_int_eq(report.applied, 2);
    ck_assert_str_eq(report.applied_names[0], "0001_first.sql");
    ck_assert_str_eq(report.applied_names[1], "0002_second.sql");
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 6);
    ck_assert_int_eq(schema_check(harness_db(harness), folder.path, &detail), OK);

    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.applied, 0);
    put(&folder, "0003_third.sql", "INSERT INTO a VALUES (4);\n");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.applied, 1);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 10);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM schema_migration WHERE"
                                 " LENGTH(checksum) = 64"),
                     3);
}
END_TEST

START_TEST(a_statement_ends_with_a_semicolon_at_the_end_of_a_line)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST_SQL);
    put(&folder, "0002_texts.sql",
        "INSERT INTO a SELECT LENGTH('one; two');\n"
        "INSERT INTO a VALUES (100)"); /* no end at the end */
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 108);
}
END_TEST

/* The project's own, whatever number of them there is. */
START_TEST(the_own_migrations_can_be_applied_twice)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(free_pointer) struct schema_report *report = calloc(1, sizeof(*report));
    struct detail detail = {0};
    CLEANUP(db_cleanup) struct db *owner = harness_connect_owner(harness);
    char directory[1024];
    ck_assert_int_eq(schema_directory(directory, sizeof(directory), &detail), OK);
    ck_assert_int_eq(schema_check(harness_db(harness), directory, &detail), OK);
    ck_assert_int_eq(schema_migrate(owner, directory, report, &detail), OK);
    ck_assert_int_eq(report->applied, 0);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM schema_migration"), report->known);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM settlement_rate"), 8);

    /* One that died before it was recorded is done again from its beginning, which must work. */
    harness_execute(harness, "DELETE FROM schema_migration");
    ck_assert_int_eq(schema_migrate(owner, directory, report, &detail), OK);
    ck_assert_int_eq(report->applied, report->known);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM settlement_rate"), 8);
}
END_TEST

START_TEST(what_anybody_may_write_is_not_run)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    ck_assert_int_eq(chmod(folder.path, 0707), 0);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, "chmod o-w");
    ck_assert_int_eq(chmod(folder.path, 0700), 0);
    ck_assert_int_eq(chmod(folder.files[0], 0606), 0);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, "0001_first.sql: anybody on this machine may write it");
    ck_assert_int_eq(chmod(folder.files[0], 0600), 0);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
}
END_TEST

START_TEST(rights_that_anybody_may_write_are_not_granted)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct grants_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "grants.sql", "GRANT SELECT ON a TO settlement_worker;\n");
    harness_execute(harness, "CREATE TABLE a (i INT) ENGINE=InnoDB");
    struct db *db = harness_db(harness);
    const char *database = harness_database(harness);
    ck_assert_int_eq(chmod(folder.files[0], 0606), 0);
    ck_assert_int_eq(grants_apply(db, folder.path, database, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, "grants.sql: anybody on this machine may write it");
    ck_assert_int_eq(chmod(folder.files[0], 0600), 0);
    ck_assert_int_eq(grants_apply(db, folder.path, database, &report, &detail), OK);
}
END_TEST

START_TEST(the_files_about_users_are_no_migrations)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "grants.sql", "not looked at");
    put(&folder, "users.sql", "not looked at");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.known, 1);
    put(&folder, "others.sql", "");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, "others.sql is not named NNNN_name.sql");
}
END_TEST

struct grants_case {
    const char *text;
    enum err err;
    const char *words;
};

static const struct grants_case grants_cases[] = {
    {"-- nobody\n\nGRANT SELECT ON a TO settlement_worker;\n", OK, ""},
    {"", ERR_IO, "is empty"},
    {"GRANT SELECT ON a TO settlement_worker; DROP TABLE a;\n", ERR_SCHEMA, "not of the form"},
    {"DROP TABLE a;\n", ERR_SCHEMA, "not of the form"},
    {"GRANT SELECT ON a TO root@localhost;\n", ERR_SCHEMA, "not of the form"},
    {"GRANT SELECT ON a TO settlement_;\n", ERR_SCHEMA, "not of the form"},
    {"GRANT SELECT ON a\n TO settlement_worker;\n", ERR_SCHEMA, "not of the form"},
    {"GRANT FLY ON a TO settlement_worker;\n", ERR_SQL, "GRANT FLY"},
    {"GRANT SELECT ON nowhere TO settlement_worker;\n", ERR_SCHEMA, "nowhere"},
};

START_TEST(grants_are_grants_to_roles_and_nothing_else)
{
    const struct grants_case *wanted = &grants_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct grants_report report;
    struct detail detail = {0};
    folder_new(&folder);
    put(&folder, "grants.sql", wanted->text);
    harness_execute(harness, "CREATE TABLE a (i INT) ENGINE=InnoDB");
    enum err err =
        grants_apply(harness_db(harness), folder.path, harness_database(harness), &report, &detail);
    ck_assert_msg(err == wanted->err, "%s: %s", err_name(err), detail.text);
    expect_words(&detail, wanted->words);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM a"), 0);
    if (err == OK) ck_assert_int_eq((int)report.roles[0].outcome, (int)GRANTS_NO_ROLE);
}
END_TEST

struct racer {
    struct db *db;
    const struct folder *folder;
    pthread_t thread;
    struct schema_report report;
    struct detail detail;
    enum err err;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    racer->err = schema_migrate(racer->db, racer->folder->path, &racer->report, &racer->detail);
    return NULL;
}

START_TEST(several_at_once_apply_each_migration_once)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    CLEANUP(free_pointer) struct racer *racers = calloc(RACERS, sizeof(*racers));
    int applied = 0;
    ck_assert_ptr_nonnull(racers);
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "0002_second.sql", SECOND);
    for (int i = 0; i < RACERS; i++) {
        racers[i].db = harness_connect(harness);
        racers[i].folder = &folder;
    }
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        ck_assert_int_eq(pthread_join(racers[i].thread, NULL), 0);
        ck_assert_msg(racers[i].err == OK, "%s", racers[i].detail.text);
        applied += racers[i].report.applied;
        db_free(racers[i].db);
    }
    ck_assert_int_eq(applied, 2);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 6);
}
END_TEST

struct refused_case {
    const char *name, *text; /* a file that is put, or removed, after 0001 and 0002 were applied */
    const char *words;
};

static const struct refused_case refused_cases[] = {
    {"0001_first.sql", "SELECT 1;\n", "0001_first.sql was changed after it was applied"},
    {"0002_second.sql", NULL, "0002_second.sql (number 2)"},
    {"0004_fourth.sql", "SELECT 1;\n", "0004_fourth.sql should have number 0003"},
    {"0002_again.sql", "SELECT 1;\n", "should have number"},
    {"3_third.sql", "SELECT 1;\n", "3_third.sql is not named NNNN_name.sql"},
    {"0003_third.sql~", "SELECT 1;\n", "0003_third.sql~ is not named NNNN_name.sql"},
    {"0003-third.sql", "SELECT 1;\n", "0003-third.sql is not named NNNN_name.sql"},
    {"0003_third.sql", "", "0003_third.sql"},
};

START_TEST(what_is_not_as_it_was_is_refused_before_anything_is_applied)
{
    const struct refused_case *refused = &refused_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "0002_second.sql", SECOND);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    put(&folder, refused->name, refused->text);
    if (refused->text != NULL && strcmp(refused->name, "0001_first.sql") == 0)
        put(&folder, "0003_new.sql", "INSERT INTO a VALUES (1000);\n");
    ck_assert_int_ne(migrate(harness, &folder, &report, &detail), OK);
    expect_words(&detail, refused->words);
    ck_assert_int_ne(schema_check(harness_db(harness), folder.path, &detail), OK);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 6);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM schema_migration"), 2);
}
END_TEST

struct works_case {
    const char
        *third;   /* a migration that a newer program has applied, and this one does not know */
    int recorded; /* 0: NULL */
    bool accepted;
};

static const struct works_case works_cases[] = {
    {"-- Why.\n-- works with programs from: 0002\n-- More.\nINSERT INTO a VALUES (7);\n", 2, true},
    {"-- works with programs from: 0001\nINSERT INTO a VALUES (7);\n", 1, true},
    {"-- works with programs from: 0003\nINSERT INTO a VALUES (7);\n", 3, false},
    {"INSERT INTO a VALUES (7);\n", 0, false},
    {"INSERT INTO a VALUES (7);\n-- works with programs from: 0002\n", 0, false}, /* too late */
};

/* The newer program has one file more; without it the folder is the older one's. */
START_TEST(an_older_program_works_with_a_migration_that_says_so_and_with_no_other)
{
    const struct works_case *works = &works_cases[_i];
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail = {0};
    enum err expected = works->accepted ? OK : ERR_SCHEMA;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "0002_second.sql", SECOND);
    put(&folder, "0003_third.sql", works->third);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT works_from FROM schema_migration WHERE version = 3"),
                     works->recorded);
    put(&folder, "0003_third.sql", NULL);
    ck_assert_int_eq(schema_check(harness_db(harness), folder.path, &detail), expected);
    if (!works->accepted) expect_words(&detail, "0003_third.sql (number 3)");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), expected);
    ck_assert_int_eq(report.applied, 0);
    ck_assert_int_eq(harness_i64(harness, "SELECT SUM(i) FROM a"), 13);
}
END_TEST

static const char *const wrong_words[] = {
    "-- works with programs from: 0004\nSELECT 1;\n",
    "-- works with programs from: 0\nSELECT 1;\n",
    "-- works with programs from: -1\nSELECT 1;\n",
    "-- works with programs from: 2 or so\nSELECT 1;\n",
    "-- works with programs from: \nSELECT 1;\n",
};

START_TEST(a_migration_that_names_no_version_is_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "0002_second.sql", SECOND);
    put(&folder, "0003_third.sql", wrong_words[_i]);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, "0003_third.sql: after \"-- works with programs from: \"");
    expect_words(&detail, "0001 to 0003");
}
END_TEST

/* The record as it was before there was a column for it. */
START_TEST(a_record_of_before_is_read_and_gets_its_column)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail = {0};
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    harness_execute(harness, "ALTER TABLE schema_migration DROP COLUMN works_from");
    ck_assert_int_eq(schema_check(harness_db(harness), folder.path, &detail), OK);
    put(&folder, "0002_second.sql", SECOND);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.applied, 1);
    ck_assert_int_eq(harness_i64(harness,
                                 "SELECT COUNT(*) FROM schema_migration WHERE works_from"
                                 " IS NULL"),
                     2);
    harness_execute(harness, "DELETE FROM schema_migration WHERE version = 1");
    ck_assert_int_eq(schema_check(harness_db(harness), folder.path, &detail), ERR_SCHEMA);
    expect_words(&detail, "has no number 1");
}
END_TEST

START_TEST(a_statement_that_is_refused_is_named_and_not_recorded)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    put(&folder, "0001_first.sql", FIRST);
    put(&folder, "0002_broken.sql", "INSERT INTO a VALUES (2);\nINSERT INTO nowhere VALUES (1);\n");
    ck_assert_int_ne(migrate(harness, &folder, &report, &detail), OK);
    expect_words(&detail, "0002_broken.sql, statement 2");
    expect_words(&detail, "INSERT INTO nowhere");
    expect_words(&detail, "1146");
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM schema_migration"), 1);
    /* Mended, it is applied. The lock was given back. */
    put(&folder, "0002_broken.sql", "INSERT INTO a VALUES (20);\n");
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), OK);
    ck_assert_int_eq(report.applied, 1);
}
END_TEST

START_TEST(a_folder_without_migrations_is_no_schema)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(folder_done) struct folder folder;
    struct folder nowhere = {.path = "/nowhere/migrations"};
    struct schema_report report;
    struct detail detail;
    folder_new(&folder);
    ck_assert_int_eq(migrate(harness, &folder, &report, &detail), ERR_SCHEMA);
    expect_words(&detail, folder.path);
    ck_assert_int_eq(migrate(harness, &nowhere, &report, &detail), ERR_IO);
    expect_words(&detail, "/nowhere/migrations");
}
END_TEST

Suite *test_schema_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *cases = tcase_create("schema");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, migrations_are_applied_once_and_in_order);
    tcase_add_test(cases, a_statement_ends_with_a_semicolon_at_the_end_of_a_line);
    tcase_add_test(cases, what_anybody_may_write_is_not_run);
    tcase_add_test(cases, rights_that_anybody_may_write_are_not_granted);
    tcase_add_test(cases, the_files_about_users_are_no_migrations);
    tcase_add_loop_test(cases, grants_are_grants_to_roles_and_nothing_else, 0,
                        COUNT_OF(grants_cases));
    tcase_add_test(cases, the_own_migrations_can_be_applied_twice);
    tcase_add_test(cases, several_at_once_apply_each_migration_once);
    tcase_add_loop_test(cases, what_is_not_as_it_was_is_refused_before_anything_is_applied, 0,
                        (int)COUNT_OF(refused_cases));
    tcase_add_loop_test(cases,
                        an_older_program_works_with_a_migration_that_says_so_and_with_no_other, 0,
                        (int)COUNT_OF(works_cases));
    tcase_add_loop_test(cases, a_migration_that_names_no_version_is_refused, 0,
                        (int)COUNT_OF(wrong_words));
    tcase_add_test(cases, a_record_of_before_is_read_and_gets_its_column);
    tcase_add_test(cases, a_statement_that_is_refused_is_named_and_not_recorded);
    tcase_add_test(cases, a_folder_without_migrations_is_no_schema);
    suite_add_tcase(suite, cases);
    return suite;
}
