#include "common/schema.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/db/statement.h"
#include "common/grants.h"

static const char CREATE_TABLE_SQL[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " version INT NOT NULL PRIMARY KEY, name VARCHAR(128) NOT NULL, checksum CHAR(64) NOT NULL,"
    " applied_at DATETIME(6) NOT NULL, works_from INT NULL) ENGINE=InnoDB";
/* The table was made without it before there was a seventh migration. */
static const char ADD_COLUMN_SQL[] =
    "ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS works_from INT NULL";
static const char COLUMNS_SQL[] =
    "SELECT COUNT(*), COALESCE(SUM(column_name = 'works_from'), 0)"
    " FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = 'schema_migration'";
static const char APPLIED_SQL[] =
    "SELECT version, name, checksum, works_from FROM schema_migration ORDER BY version";
static const char APPLIED_BEFORE_SQL[] =
    "SELECT version, name, checksum, NULL FROM schema_migration ORDER BY version";
static const char RECORD_SQL[] =
    "INSERT INTO schema_migration (version, name, checksum, applied_at, works_from)"
    " VALUES (?, ?, ?, NOW(6), NULLIF(?, 0))";
/* Whoever waits for a table makes everybody wait who comes after him: so a change that does not get
 * it soon lets the others pass, and tries again. */
static const char BE_BRIEF_SQL[] = "SET SESSION lock_wait_timeout = 2";
static const char AS_BEFORE_SQL[] = "SET SESSION lock_wait_timeout = DEFAULT";
/* Two that migrate at once: the second waits here and then finds nothing left to do. */
static const char LOCK_SQL[] = "SELECT GET_LOCK(CONCAT('settlementd.migrate.', DATABASE()), 60)";
static const char UNLOCK_SQL[] = "SELECT RELEASE_LOCK(CONCAT('settlementd.migrate.', DATABASE()))";

/* The line among the first comments of a migration by which older programs may go on. */
static const char WORKS_FROM[] = "-- works with programs from: ";

enum { CHECKSUM_TEXT = 65, FILE_LIMIT = 1 << 20, LOCK_TRIES = 40, LOCK_PAUSE_MS = 500 };

struct migration {
    char name[SCHEMA_NAME];
    char *text;
    char checksum[CHECKSUM_TEXT];
    int works_from; /* the number that a program must know to work with it; 0: it must know this */
};

struct schema {
    struct migration items[SCHEMA_MIGRATIONS];
    int count;
};

void schema_free(struct schema *schema)
{
    if (schema == NULL) return;
    for (int i = 0; i < schema->count; i++)
        free(schema->items[i].text);
    free(schema);
}

void schema_cleanup(struct schema **schema)
{
    schema_free(*schema);
    *schema = NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct migration *)a)->name, ((const struct migration *)b)->name);
}

static bool is_migration_name(const char *name)
{
    size_t length = strlen(name);
    if (length < 10 || length >= SCHEMA_NAME) return false;
    for (int i = 0; i < 4; i++)
        if (!isdigit((unsigned char)name[i])) return false;
    return name[4] == '_' && strcmp(name + length - 4, ".sql") == 0;
}

static enum err list_names(const char *directory, struct schema *schema, struct detail *detail)
{
    DIR *folder = opendir(directory);
    if (folder == NULL)
        return detail_set(detail, ERR_IO, "cannot read the migrations in %s: %s", directory,
                          strerror(errno));
    enum err err = OK;
    for (struct dirent *entry; err == OK && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || grants_is_file(entry->d_name)) continue;
        if (!is_migration_name(entry->d_name))
            err = detail_set(detail, ERR_SCHEMA, "%s/%s is not named NNNN_name.sql", directory,
                             entry->d_name);
        else if (schema->count == SCHEMA_MIGRATIONS)
            err = detail_set(detail, ERR_SCHEMA, "more than %d migrations in %s", SCHEMA_MIGRATIONS,
                             directory);
        else
            (void)text_format(schema->items[schema->count++].name, SCHEMA_NAME, "%s",
                              entry->d_name);
    }
    (void)closedir(folder);
    if (err == OK && schema->count == 0)
        err = detail_set(detail, ERR_SCHEMA, "there are no migrations in %s", directory);
    qsort(schema->items, (size_t)schema->count, sizeof(schema->items[0]), by_name);
    return err;
}

static enum err read_migration(const char *directory, struct migration *migration,
                               struct detail *detail)
{
    char path[4096];
    if (!text_format(path, sizeof(path), "%s/%s", directory, migration->name)) return ERR_IO;
    CLEANUP(close_file) FILE *file = fopen(path, "re");
    migration->text = calloc(1, FILE_LIMIT + 1);
    if (migration->text == NULL) return ERR_MEMORY;
    size_t length = file == NULL ? 0 : fread(migration->text, 1, FILE_LIMIT, file);
    if (length == 0 || ferror(file) || length == FILE_LIMIT)
        return detail_set(detail, ERR_IO, "cannot read the migration %s: %s", path,
                          length == FILE_LIMIT ? "it is too long" : strerror(errno));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    if (EVP_Digest(migration->text, length, digest, &digest_length, EVP_sha256(), NULL) != 1)
        return ERR_MEMORY;
    for (unsigned i = 0; i < digest_length; i++)
        (void)snprintf(migration->checksum + (size_t)i * 2, 3, "%02x", digest[i]);
    return OK;
}

/* Reads WORKS_FROM out of the comments that the text begins with. */
static enum err read_works_from(struct migration *migration, int number, struct detail *detail)
{
    const char *line = migration->text;
    for (; strncmp(line, "--", 2) == 0; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, WORKS_FROM, sizeof(WORKS_FROM) - 1) != 0) continue;
        char *end = NULL;
        long from = strtol(line + sizeof(WORKS_FROM) - 1, &end, 10);
        if (*end != '\n' || from < 1 || from > number)
            return detail_set(detail, ERR_SCHEMA,
                              "%s: after \"%s\" there should be the number of a migration, 0001 to "
                              "%04d, that a program must know to work on with this one",
                              migration->name, WORKS_FROM, number);
        migration->works_from = (int)from;
    }
    return OK;
}

static enum err read_directory(const char *directory, struct schema *schema, struct detail *detail)
{
    TRY(list_names(directory, schema, detail));
    for (int i = 0; i < schema->count; i++) {
        TRY(read_migration(directory, &schema->items[i], detail));
        TRY(read_works_from(&schema->items[i], i + 1, detail));
        if (strtol(schema->items[i].name, NULL, 10) != i + 1)
            return detail_set(detail, ERR_SCHEMA,
                              "%s/%s should have number %04d: numbers have no gap and occur once",
                              directory, schema->items[i].name, i + 1);
    }
    return OK;
}

/* A migration that this program does not know was made by a newer one, and says which older ones
 * can go on. */
static enum err compare_unknown(const struct statement *row, const struct schema *schema,
                                struct detail *detail)
{
    const char *name = statement_text(row, 1);
    int64_t works_from = statement_i64(row, 3);
    if (works_from > 0 && works_from <= schema->count) return OK;
    return detail_set(
        detail, ERR_SCHEMA,
        "the database has migration %s (number %lld), which this program does not know (it knows "
        "%d) and cannot work with: it belongs to a newer version of settlementd; install that "
        "version here as well, and start it",
        name, (long long)statement_i64(row, 0), schema->count);
}

/* The database's record and the directory must be the same, text for text, as far as both go. */
static enum err compare_one(const struct statement *row, const struct schema *schema,
                            struct detail *detail)
{
    int64_t version = statement_i64(row, 0);
    const char *name = statement_text(row, 1);
    if (version > schema->count) return compare_unknown(row, schema, detail);
    const struct migration *ours = &schema->items[version - 1];
    if (strcmp(ours->name, name) != 0 || strcmp(ours->checksum, statement_text(row, 2)) != 0)
        return detail_set(
            detail, ERR_SCHEMA,
            "migration %s was changed after it was applied (as %s, SHA-256 %s); put the "
            "file back and add a new migration instead",
            ours->name, name, statement_text(row, 2));
    return OK;
}

/* Which text reads the record; NULL when there is none yet. */
static enum err choose_record(struct db *db, const char **ret_sql)
{
    CLEANUP(statement_cleanup) struct statement *columns = NULL;
    bool row = false;
    TRY(db_query(db, &columns, COLUMNS_SQL, ""));
    TRY(statement_fetch(columns, &row));
    ASSERT(row);
    *ret_sql = statement_i64(columns, 1) != 0   ? APPLIED_SQL
               : statement_i64(columns, 0) != 0 ? APPLIED_BEFORE_SQL
                                                : NULL;
    return OK;
}

/* *ret_applied: how many of the known migrations, from the first on, the database has. */
static enum err compare(struct db *db, const struct schema *schema, int *ret_applied,
                        struct detail *detail)
{
    const char *sql = NULL;
    int seen = 0;
    *ret_applied = 0;
    TRY(choose_record(db, &sql));
    if (sql == NULL) return OK;
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, sql, ""));
    for (bool row = true;;) {
        TRY(statement_fetch(rows, &row));
        if (!row) return OK;
        if (statement_i64(rows, 0) != ++seen)
            return detail_set(detail, ERR_SCHEMA,
                              "the database's record of migrations has no number %d; restore "
                              "table schema_migration from a backup",
                              seen);
        TRY(compare_one(rows, schema, detail));
        *ret_applied = (int)min_i64(seen, schema->count);
    }
}

/* Cuts the next statement out of the text: it ends with a semicolon at the end of a line. Lines of
 * comment and blank lines before it are passed over. NULL at the end of the text. */
static char *next_statement(char **rest)
{
    char *start = *rest;
    for (;;) {
        start += strspn(start, " \t\r\n");
        if (strncmp(start, "--", 2) != 0) break;
        start += strcspn(start, "\n");
    }
    if (*start == '\0') return NULL;
    char *end = strstr(start, ";\n");
    if (end == NULL) {
        *rest = start + strlen(start);
        return start;
    }
    *end = '\0';
    *rest = end + 2;
    return start;
}

static void pause_ms(int ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Each statement of a migration can be run again, so one that found a table in use can. */
static enum err execute_patiently(struct db *db, const char *sql)
{
    enum err err = db_execute(db, sql);
    for (int try = 1; err_class(err) == CLASS_TRANSACTION && try < LOCK_TRIES; try++) {
        pause_ms(LOCK_PAUSE_MS);
        err = db_execute(db, sql);
    }
    return err;
}

static enum err apply(struct db *db, int version, const struct migration *migration,
                      struct detail *detail)
{
    CLEANUP(free_pointer) char *text = strdup(migration->text);
    if (text == NULL) return ERR_MEMORY;
    char *rest = text;
    int number = 0;
    for (char *sql; (sql = next_statement(&rest)) != NULL;) {
        number++;
        enum err err = execute_patiently(db, sql);
        if (err_class(err) == CLASS_TRANSACTION && err != ERR_SHORTAGE)
            return detail_set(
                detail, err,
                "%s, statement %d (\"%.60s…\"): a table that it changes was in use all "
                "the time: %s (%u); nothing of it is recorded, migrate again when "
                "less is going on",
                migration->name, number, sql, db_message(db), db_error_number(db));
        if (err != OK)
            return detail_set(detail, err, "%s, statement %d (\"%.60s…\"): %s (%u)",
                              migration->name, number, sql, db_message(db), db_error_number(db));
    }
    return db_run(db, NULL, RECORD_SQL, "issi", (int64_t)version, migration->name,
                  migration->checksum, (int64_t)migration->works_from);
}

static enum err apply_missing(struct db *db, const struct schema *schema,
                              struct schema_report *report, struct detail *detail)
{
    int applied = 0;
    TRY(compare(db, schema, &applied, detail));
    if (applied == schema->count) return OK;
    TRY(db_execute(db, CREATE_TABLE_SQL));
    TRY(db_execute(db, BE_BRIEF_SQL));
    TRY(execute_patiently(db, ADD_COLUMN_SQL));
    for (int i = applied; i < schema->count; i++) {
        TRY(apply(db, i + 1, &schema->items[i], detail));
        (void)text_format(report->applied_names[report->applied++], SCHEMA_NAME, "%s",
                          schema->items[i].name);
    }
    return db_execute(db, AS_BEFORE_SQL);
}

static enum err with_words(struct db *db, enum err err, struct detail *detail)
{
    bool silent = detail == NULL || detail->text[0] != '\0';
    if (err == OK || silent) return err;
    return detail_set(detail, err, "%s: %s (%u)", err_text(err), db_message(db),
                      db_error_number(db));
}

enum err schema_load(const char *directory, struct schema **ret_schema, struct detail *detail)
{
    CLEANUP(schema_cleanup) struct schema *schema = calloc(1, sizeof(*schema));
    if (schema == NULL) return ERR_MEMORY;
    TRY(read_directory(directory, schema, detail));
    *ret_schema = schema;
    schema = NULL;
    return OK;
}

enum err schema_refuse_open_to_all(const char *directory, const char *name, struct detail *detail)
{
    char path[4096];
    struct stat status;
    if (!text_format(path, sizeof(path), "%s%s%s", directory, name[0] == '\0' ? "" : "/", name))
        return ERR_IO;
    if (stat(path, &status) != 0)
        return detail_set(detail, ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
    if ((status.st_mode & S_IWOTH) == 0) return OK;
    return detail_set(
        detail, ERR_SCHEMA,
        "%s: anybody on this machine may write it, and migrate would run what it says; "
        "take that right away: chmod o-w",
        path);
}

enum err schema_migrate(struct db *db, const char *directory, struct schema_report *ret_report,
                        struct detail *detail)
{
    CLEANUP(schema_cleanup) struct schema *schema = NULL;
    TRY(schema_refuse_open_to_all(directory, "", detail));
    TRY(schema_load(directory, &schema, detail));
    for (int i = 0; i < schema->count; i++)
        TRY(schema_refuse_open_to_all(directory, schema->items[i].name, detail));

    int64_t locked = 0;
    enum err err = db_query_i64(db, &locked, 0, LOCK_SQL, "");
    if (err != OK) return with_words(db, err, detail);
    if (locked != 1)
        return detail_set(
            detail, ERR_BUSY,
            "another process has been migrating this database for a minute; wait for it");
    ret_report->known = schema->count;
    ret_report->applied = 0;
    err = with_words(db, apply_missing(db, schema, ret_report, detail), detail);
    int64_t released = 0;
    enum err unlock = db_query_i64(db, &released, 0, UNLOCK_SQL, "");
    return err != OK ? err : unlock;
}

enum err schema_matches(struct db *db, const struct schema *schema, struct detail *detail)
{
    int applied = 0;
    enum err err = compare(db, schema, &applied, detail);
    if (err != OK) return with_words(db, err, detail);
    if (applied < schema->count)
        return detail_set(
            detail, ERR_SCHEMA,
            "the database lacks %d of %d migrations, the next is %s; run: settlectl migrate",
            schema->count - applied, schema->count, schema->items[applied].name);
    return OK;
}

enum err schema_check(struct db *db, const char *directory, struct detail *detail)
{
    CLEANUP(schema_cleanup) struct schema *schema = NULL;
    TRY(schema_load(directory, &schema, detail));
    return schema_matches(db, schema, detail);
}

enum err schema_directory(char *ret_path, size_t size, struct detail *detail)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    for (int levels = 0; length > 0 && levels < 3; levels++) {
        while (length > 0 && program[length - 1] != '/')
            length--;
        if (length > 0) length--;
        program[length] = '\0';
        if (!text_format(ret_path, size, "%s/migrations", program)) break;
        if (levels == 2 && access(ret_path, R_OK) == 0) return OK;
    }
    if (!text_format(ret_path, size, "%s", SETTLEMENTD_MIGRATIONS) || access(ret_path, R_OK) != 0)
        return detail_set(
            detail, ERR_SCHEMA,
            "the migrations are neither beside the build tree nor in %s; install again",
            SETTLEMENTD_MIGRATIONS);
    return OK;
}
