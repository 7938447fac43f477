#include "tests/db/harness.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/db/statement.h"
#include "common/grants.h"
#include "common/schema.h"

static const char SOCKET_VARIABLE[] = "SETTLEMENTD_TEST_SOCKET";

static const char LEFTOVERS_SQL[] =
    "SELECT schema_name FROM information_schema.schemata"
    " WHERE LEFT(schema_name, CHAR_LENGTH(?)) = ?";
/* What the administrator does for a site: the worker's role, and an account that has it. */
static const char *const worker_sql[] = {
    "CREATE ROLE `%s_worker`",
    "CREATE USER `%s`@localhost",
    "GRANT `%s_worker` TO `%s`@localhost",
    "SET DEFAULT ROLE `%s_worker` FOR `%s`@localhost",
};
static const char DROP_WORKER_SQL[] = "DROP ROLE IF EXISTS `%s_worker`";
static const char DROP_ACCOUNT_SQL[] = "DROP USER IF EXISTS `%s`@localhost";

struct harness {
    struct config config;
    struct db_options options; /* of the user that the code under test connects as */
    struct db *db;
    struct db *owner; /* the test's own */
};

/* Check runs each test in a process of its own: the number of the next database lives in memory
 * that all of them share, and the process in the names is the one that the program was started
 * as. */
static atomic_int *next_number;
static char name_prefix[48];

static struct db_options server_options(void)
{
    struct db_options options = {0};
    const char *socket = getenv(SOCKET_VARIABLE);
    struct config_database *to = &options.database;
    if (socket == NULL) socket = "";
    ASSERT(text_format(to->socket, sizeof(to->socket), "%s", socket));
    ASSERT(text_format(to->user, sizeof(to->user), "root"));
    ASSERT(text_format(to->name, sizeof(to->name), "information_schema"));
    options.connect_timeout_s = 5;
    return options;
}

/* A name cannot be bound. Those used here are made of our own prefix and numbers. */
static enum err run_on_database(struct db *db, const char *format, const char *name)
{
    char sql[160];
    bool fits = text_format(sql, sizeof(sql), "%s `%s`", format, name);
    ASSERT(fits);
    return db_execute(db, sql);
}

/* Puts the name wherever the statement says %s. */
static enum err run_with_name(struct db *db, const char *format, const char *name)
{
    char sql[240];
    size_t length = 0;
    for (const char *at = format; *at != '\0'; at++) {
        bool here = strncmp(at, "%s", 2) == 0;
        bool fits = text_format(sql + length, sizeof(sql) - length, "%.*s", here ? 64 : 1,
                                here ? name : at);
        ASSERT(fits);
        length += strlen(sql + length);
        if (here) at++;
    }
    return db_execute(db, sql);
}

static enum err drop(struct db *db, const char *name)
{
    TRY(run_on_database(db, "DROP DATABASE IF EXISTS", name));
    TRY(run_with_name(db, DROP_ACCOUNT_SQL, name));
    return run_with_name(db, DROP_WORKER_SQL, name);
}

bool harness_begin(void)
{
    if (getenv(SOCKET_VARIABLE) == NULL) {
        fprintf(stderr,
                "test_db: no server: set %s to the socket of one that may be written to, as in\n"
                "  script/sandbox start && %s=$(script/sandbox socket) build/debug/test_db\n",
                SOCKET_VARIABLE, SOCKET_VARIABLE);
        return false;
    }
    struct detail detail = {0};
    struct db_options options = server_options();
    CLEANUP(db_cleanup) struct db *db = NULL;
    if (db_open(&options, &db, &detail) != OK) {
        fprintf(stderr, "test_db: %s\n", detail.text);
        return false;
    }
    next_number =
        mmap(NULL, sizeof(*next_number), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (next_number == MAP_FAILED) {
        fprintf(stderr, "test_db: no memory for a counter\n");
        return false;
    }
    return text_format(name_prefix, sizeof(name_prefix), "settlementd_test_%d_", (int)getpid());
}

static enum err drop_leftovers(struct db *db)
{
    CLEANUP(statement_cleanup) struct statement *found = NULL;
    TRY(db_query(db, &found, LEFTOVERS_SQL, "ss", name_prefix, name_prefix));
    for (;;) {
        bool row = false;
        TRY(statement_fetch(found, &row));
        if (!row) return OK;
        TRY(drop(db, statement_text(found, 0)));
    }
}

void harness_end(void)
{
    struct detail detail = {0};
    struct db_options options = server_options();
    CLEANUP(db_cleanup) struct db *db = NULL;
    if (db_open(&options, &db, &detail) != OK)
        fprintf(stderr, "test_db: left databases of failed tests behind: %s\n", detail.text);
    else if (drop_leftovers(db) != OK)
        fprintf(stderr, "test_db: left databases of failed tests behind: %s\n", db_message(db));
    munmap(next_number, sizeof(*next_number));
}

static void create_database(const char *name)
{
    struct detail detail = {0};
    struct db_options options = server_options();
    CLEANUP(db_cleanup) struct db *db = NULL;
    enum err err = db_open(&options, &db, &detail);
    ck_assert_msg(err == OK, "cannot connect: %s", detail.text);
    err = run_on_database(db, "CREATE DATABASE", name);
    ck_assert_msg(err == OK, "cannot create the database %s: %s", name, db_message(db));
}

struct harness *harness_new_empty(void)
{
    struct harness *harness = calloc(1, sizeof(*harness));
    ck_assert_ptr_nonnull(harness);
    harness->options = server_options();
    struct config_database *database = &harness->options.database;
    bool fits = text_format(database->name, sizeof(database->name), "%s%d", name_prefix,
                            atomic_fetch_add(next_number, 1));
    ASSERT(fits);
    create_database(database->name);

    config_defaults(&harness->config);
    harness->config.database = *database;
    harness->db = harness_connect(harness);
    harness->owner = harness_connect(harness);
    return harness;
}

static void expect_done(const struct harness *harness, enum err err, const struct detail *detail)
{
    ck_assert_msg(err == OK, "%s %s", detail->text, db_message(harness->owner));
}

/* From here on the code under test is the worker, with the rights that a site's worker has. */
static void become_worker(struct harness *harness, const char *directory)
{
    struct config_database *database = &harness->options.database;
    struct detail detail = {0};
    struct grants_report report;
    for (size_t i = 0; i < COUNT_OF(worker_sql); i++)
        expect_done(harness, run_with_name(harness->owner, worker_sql[i], database->name), &detail);
    enum err err = grants_apply(harness->owner, directory, database->name, &report, &detail);
    expect_done(harness, err, &detail);
    bool fits = text_format(database->user, sizeof(database->user), "%s", database->name);
    ASSERT(fits);
    harness->config.database = *database;
    db_free(harness->db);
    harness->db = harness_connect(harness);
}

struct harness *harness_new(void)
{
    struct harness *harness = harness_new_empty();
    struct detail detail = {0};
    char directory[1024];
    enum err err = schema_directory(directory, sizeof(directory), &detail);
    ck_assert_msg(err == OK, "cannot find the migrations: %s", detail.text);
    struct schema_report report;
    err = schema_migrate(harness->owner, directory, &report, &detail);
    ck_assert_msg(err == OK, "cannot migrate: %s", detail.text);
    become_worker(harness, directory);
    return harness;
}

void harness_free(struct harness *harness)
{
    if (harness == NULL) return;
    db_free(harness->db);
    enum err err = drop(harness->owner, harness->options.database.name);
    /* A test may have broken this connection on purpose; harness_end drops the database then. */
    if (err != OK && err_class(err) != CLASS_CONNECTION)
        ck_abort_msg("cannot drop the database: %s", db_message(harness->owner));
    db_free(harness->owner);
    free(harness);
}

void harness_cleanup(struct harness **harness)
{
    harness_free(*harness);
}

struct db *harness_db(struct harness *harness)
{
    return harness->db;
}

struct db *harness_owner(struct harness *harness)
{
    return harness->owner;
}

static struct db *connect_with(const struct db_options *options)
{
    struct detail detail = {0};
    struct db *db = NULL;
    enum err err = db_open(options, &db, &detail);
    ck_assert_msg(err == OK, "cannot connect: %s", detail.text);
    return db;
}

struct db *harness_connect(const struct harness *harness)
{
    return connect_with(&harness->options);
}

struct db *harness_connect_owner(const struct harness *harness)
{
    struct db_options options = server_options();
    memcpy(options.database.name, harness->options.database.name, sizeof(options.database.name));
    return connect_with(&options);
}

const struct db_options *harness_options(const struct harness *harness)
{
    return &harness->options;
}

const struct config *harness_config(const struct harness *harness)
{
    return &harness->config;
}

const char *harness_database(const struct harness *harness)
{
    return harness->options.database.name;
}

void harness_share(struct harness *harness, const char *table)
{
    char sql[200];
    bool fits = text_format(sql, sizeof(sql),
                            "GRANT SELECT, INSERT, UPDATE, DELETE ON `%s` TO `%s`@localhost", table,
                            harness->options.database.user);
    ASSERT(fits);
    harness_execute(harness, sql);
}

void harness_execute(struct harness *harness, const char *sql)
{
    enum err err = db_execute(harness->owner, sql);
    ck_assert_msg(err == OK, "%s: %s", sql, db_message(harness->owner));
}

int64_t harness_i64(struct harness *harness, const char *sql)
{
    int64_t value = 0;
    enum err err = db_query_i64(harness->owner, &value, 0, sql, "");
    ck_assert_msg(err == OK || err == ERR_NOT_FOUND, "%s: %s", sql, db_message(harness->owner));
    return value;
}
