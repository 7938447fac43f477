#include "common/schema.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/db/statement.h"

static const char CREATE_TABLE_SQL[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " version INT NOT NULL PRIMARY KEY, name VARCHAR(128) NOT NULL, checksum CHAR(64) NOT NULL,"
    " applied_at DATETIME(6) NOT NULL) ENGINE=InnoDB";
static const char TABLE_EXISTS_SQL[] =
    "SELECT COUNT(*) FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'schema_migration'";
static const char APPLIED_SQL[] =
    "SELECT version, name, checksum FROM schema_migration ORDER BY version";
static const char RECORD_SQL[] = "INSERT INTO schema_migration VALUES (?, ?, ?, NOW(6))";
/* Two that migrate at once: the second waits here and then finds nothing left to do. */
static const char LOCK_SQL[] = "SELECT GET_LOCK(CONCAT('settlementd.migrate.', DATABASE()), 60)";
static const char UNLOCK_SQL[] = "SELECT RELEASE_LOCK(CONCAT('settlementd.migrate.', DATABASE()))";

enum { CHECKSUM_TEXT = 65, FILE_LIMIT = 1 << 20 };

struct migration {
    char name[SCHEMA_NAME];
    char *text;
    char checksum[CHECKSUM_TEXT];
};

struct migration_list {
    struct migration items[SCHEMA_MIGRATIONS];
    int count;
    int applied; /* of these, from the first on, the database has */
};

static void migration_list_free(struct migration_list **list)
{
    if (*list == NULL) return;
    for (int i = 0; i < (*list)->count; i++)
        free((*list)->items[i].text);
    free(*list);
    *list = NULL;
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

static enum err list_names(const char *directory, struct migration_list *list,
                           struct detail *detail)
{
    DIR *folder = opendir(directory);
    if (folder == NULL)
        return detail_set(detail, ERR_IO, "cannot read the migrations in %s: %s", directory,
                          strerror(errno));
    enum err err = OK;
    for (struct dirent *entry; err == OK && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        if (!is_migration_name(entry->d_name))
            err = detail_set(detail, ERR_SCHEMA, "%s/%s is not named NNNN_name.sql", directory,
                             entry->d_name);
        else if (list->count == SCHEMA_MIGRATIONS)
            err = detail_set(detail, ERR_SCHEMA, "more than %d migrations in %s", SCHEMA_MIGRATIONS,
                             directory);
        else
            (void)text_format(list->items[list->count++].name, SCHEMA_NAME, "%s", entry->d_name);
    }
    (void)closedir(folder);
    if (err == OK && list->count == 0)
        err = detail_set(detail, ERR_SCHEMA, "there are no migrations in %s", directory);
    qsort(list->items, (size_t)list->count, sizeof(list->items[0]), by_name);
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

static enum err read_directory(const char *directory, struct migration_list *list,
                               struct detail *detail)
{
    TRY(list_names(directory, list, detail));
    for (int i = 0; i < list->count; i++) {
        TRY(read_migration(directory, &list->items[i], detail));
        if (strtol(list->items[i].name, NULL, 10) != i + 1)
            return detail_set(detail, ERR_SCHEMA,
                              "%s/%s should have number %04d: numbers have no gap and occur once",
                              directory, list->items[i].name, i + 1);
    }
    return OK;
}

/* The database's record must be a prefix of the directory, text for text. */
static enum err compare_one(const struct statement *row, const struct migration_list *list,
                            struct detail *detail)
{
    int64_t version = statement_i64(row, 0);
    const char *name = statement_text(row, 1);
    if (version != list->applied + 1 || version > list->count)
        return detail_set(
            detail, ERR_SCHEMA,
            "the database has migration %s (number %lld), which this program does not "
            "know: it belongs to another version of settlementd; use that one",
            name, (long long)version);
    const struct migration *ours = &list->items[version - 1];
    if (strcmp(ours->name, name) != 0 || strcmp(ours->checksum, statement_text(row, 2)) != 0)
        return detail_set(
            detail, ERR_SCHEMA,
            "migration %s was changed after it was applied (as %s, SHA-256 %s); put the "
            "file back and add a new migration instead",
            ours->name, name, statement_text(row, 2));
    return OK;
}

static enum err compare(struct db *db, struct migration_list *list, struct detail *detail)
{
    int64_t exists = 0;
    list->applied = 0;
    TRY(db_query_i64(db, &exists, 0, TABLE_EXISTS_SQL, ""));
    if (exists == 0) return OK;
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, APPLIED_SQL, ""));
    for (bool row = true;;) {
        TRY(statement_fetch(rows, &row));
        if (!row) return OK;
        TRY(compare_one(rows, list, detail));
        list->applied++;
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

static enum err apply(struct db *db, int version, const struct migration *migration,
                      struct detail *detail)
{
    CLEANUP(free_pointer) char *text = strdup(migration->text);
    if (text == NULL) return ERR_MEMORY;
    char *rest = text;
    int number = 0;
    for (char *sql; (sql = next_statement(&rest)) != NULL;) {
        number++;
        enum err err = db_execute(db, sql);
        if (err != OK)
            return detail_set(detail, err, "%s, statement %d (\"%.60s…\"): %s (%u)",
                              migration->name, number, sql, db_message(db), db_error_number(db));
    }
    return db_run(db, NULL, RECORD_SQL, "iss", (int64_t)version, migration->name,
                  migration->checksum);
}

static enum err apply_missing(struct db *db, struct migration_list *list,
                              struct schema_report *report, struct detail *detail)
{
    TRY(compare(db, list, detail));
    if (list->applied < list->count) TRY(db_execute(db, CREATE_TABLE_SQL));
    for (int i = list->applied; i < list->count; i++) {
        TRY(apply(db, i + 1, &list->items[i], detail));
        (void)text_format(report->applied_names[report->applied++], SCHEMA_NAME, "%s",
                          list->items[i].name);
    }
    return OK;
}

static enum err with_words(struct db *db, enum err err, struct detail *detail)
{
    bool silent = detail == NULL || detail->text[0] != '\0';
    if (err == OK || silent) return err;
    return detail_set(detail, err, "%s: %s (%u)", err_text(err), db_message(db),
                      db_error_number(db));
}

enum err schema_migrate(struct db *db, const char *directory, struct schema_report *ret_report,
                        struct detail *detail)
{
    CLEANUP(migration_list_free) struct migration_list *list = calloc(1, sizeof(*list));
    if (list == NULL) return ERR_MEMORY;
    TRY(read_directory(directory, list, detail));

    int64_t locked = 0;
    enum err err = db_query_i64(db, &locked, 0, LOCK_SQL, "");
    if (err != OK) return with_words(db, err, detail);
    if (locked != 1)
        return detail_set(
            detail, ERR_BUSY,
            "another process has been migrating this database for a minute; wait for it");
    ret_report->known = list->count;
    ret_report->applied = 0;
    err = with_words(db, apply_missing(db, list, ret_report, detail), detail);
    int64_t released = 0;
    enum err unlock = db_query_i64(db, &released, 0, UNLOCK_SQL, "");
    return err != OK ? err : unlock;
}

enum err schema_check(struct db *db, const char *directory, struct detail *detail)
{
    CLEANUP(migration_list_free) struct migration_list *list = calloc(1, sizeof(*list));
    if (list == NULL) return ERR_MEMORY;
    TRY(read_directory(directory, list, detail));
    enum err err = compare(db, list, detail);
    if (err != OK) return with_words(db, err, detail);
    if (list->applied < list->count)
        return detail_set(
            detail, ERR_SCHEMA,
            "the database lacks %d of %d migrations, the next is %s; run: settlectl migrate",
            list->count - list->applied, list->count, list->items[list->applied].name);
    return OK;
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
