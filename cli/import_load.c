#include "cli/import_load.h"

#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "common/clock.h"
#include "common/db/transaction.h"
#include "common/launches.h"

static const char FIND_FILE_SQL[] =
    "SELECT file_name, rows_loaded, DATE_FORMAT(imported_at, '%Y-%m-%d %H:%i:%s') FROM import_file "
    "WHERE sha256 = ? AND kind = ?";
static const char ADD_FILE_SQL[] =
    "INSERT INTO import_file (sha256, kind, file_name, rows_loaded, rows_rejected, imported_at) "
    "VALUES (?, ?, ?, 0, 0, UTC_TIMESTAMP(6))";
static const char COMPLETE_FILE_SQL[] =
    "UPDATE import_file SET rows_loaded = ?, rows_rejected = ?, imported_at = UTC_TIMESTAMP(6) "
    "WHERE sha256 = ? AND kind = ?";
static const char COUNT_FILE_SQL[] =
    "SELECT COUNT(*) FROM import_file WHERE sha256 = ? AND kind = ? FOR UPDATE";
static const char SAVEPOINT_SQL[] = "SAVEPOINT import_rows";
static const char KEEP_SQL[] = "DO 0";
static const char BACK_TO_SAVEPOINT_SQL[] = "ROLLBACK TO SAVEPOINT import_rows";

/* So often is something sent within the time after which the server takes the import for dead. */
enum { KEPT_OF_IDLE = 4, BEGIN_ATTEMPTS = 8 };

/* A failure of the database's in the words that a person needs; a transaction never survives
 * one. */
static enum err fail(struct import_load *load, enum err err, const char *doing,
                     struct detail *detail)
{
    struct detail words = {0};
    int64_t silent_us = clock_monotonic_us(&clock_system) - load->spoke_us;
    if (err_class(err) == CLASS_CONNECTION && load->idle_s > 0 &&
        silent_us >= (int64_t)load->idle_s * 1000000)
        return detail_set(detail, err,
                          "%s: the import stood still for more than %d s and was rolled back; "
                          "nothing was loaded, import it again",
                          load->path, load->idle_s);
    (void)cli_db_failed(load->db, err, doing, &words);
    bool again = err_class(err) == CLASS_TRANSACTION || err_class(err) == CLASS_CONNECTION;
    return detail_set(detail, err, "%s: %.600s; nothing was loaded%s", load->path, words.text,
                      again ? ", import it again" : "");
}

enum err import_load_refuse_known(struct db *db, const struct import_kind *kind, const char *hash,
                                  const char *path, struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *find = NULL;
    bool known = false;
    enum err err = db_query(db, &find, FIND_FILE_SQL, "ss", hash, kind->name);
    if (err == OK) err = statement_fetch(find, &known);
    if (err != OK) return cli_db_failed(db, err, "looking for an earlier import", detail);
    if (!known) return OK;
    return detail_set(
        detail, ERR_REFUSED,
        "%s: was imported as %s already, at %s UTC (as %s, %s rows); nothing was loaded", path,
        kind->name, statement_text(find, 2), statement_text(find, 0), statement_text(find, 1));
}

/* A name for people: the last part of the path, made printable where it is not. */
static const char *file_name(const char *path, char buffer[IMPORT_SHOWN])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    struct csv_field field = {name, strlen(name)};
    return import_show(&field, buffer);
}

static enum err add_record(struct import_load *load, struct detail *detail)
{
    char name[IMPORT_SHOWN];
    const struct import_kind *kind = load->layout->kind;
    enum err err = db_run(load->db, NULL, ADD_FILE_SQL, "sss", load->hash, kind->name,
                          file_name(load->path, name));
    if (err == OK) return OK;
    if (err == ERR_LOCK_WAIT)
        return detail_set(detail, err,
                          "%s: is being imported by somebody else; wait for the end of that import",
                          load->path);
    if (err != ERR_DUPLICATE) return fail(load, err, "recording the file", detail);
    TRY(import_load_refuse_known(load->db, kind, load->hash, load->path, detail));
    return fail(load, err, "recording the file", detail);
}

/* Launches are held until the commit: else a row of this file could be stored before a run began,
 * and become visible after it was counted. */
static enum err begin_recorded(struct import_load *load, struct detail *detail)
{
    enum err err = db_begin(load->db);
    if (err == OK) err = launches_hold(load->db);
    if (err != OK) return fail(load, err, "preparing the import", detail);
    return add_record(load, detail);
}

/* Several imports of one file that wait for another one's record deadlock when that one is rolled
 * back: one of them goes on, and the others wait for that one. */
enum err import_load_begin(struct import_load *load, struct detail *detail)
{
    char sql[IMPORT_SQL];
    import_layout_sql(load->layout, sql);
    load->rows_loaded = 0;
    load->insert = NULL;
    load->spoke_us = clock_monotonic_us(&clock_system);
    enum err err = statement_new(load->db, sql, &load->insert);
    if (err != OK) return fail(load, err, "preparing the import", detail);
    for (int attempt = 1;; attempt++) {
        err = begin_recorded(load, detail);
        if (err != ERR_DEADLOCK || attempt == BEGIN_ATTEMPTS) return err;
        err = db_rollback(load->db);
        if (err != OK) return fail(load, err, "preparing the import", detail);
        *detail = (struct detail){0};
    }
}

static enum err speak(struct import_load *load, const char *sql)
{
    int64_t now_us = clock_monotonic_us(&clock_system);
    TRY(db_execute(load->db, sql));
    load->spoke_us = now_us;
    return OK;
}

enum err import_load_keep(struct import_load *load, struct detail *detail)
{
    int64_t silent_us = clock_monotonic_us(&clock_system) - load->spoke_us;
    if (load->insert == NULL || silent_us < (int64_t)load->idle_s * 1000000 / KEPT_OF_IDLE)
        return OK;
    enum err err = speak(load, KEEP_SQL);
    return err == OK ? OK : fail(load, err, "reading the file", detail);
}

static enum err insert_rows(struct import_load *load, const struct import_batch *batch,
                            int64_t from, int64_t rows)
{
    struct column columns[IMPORT_COLUMNS] = {0};
    for (int i = 0; i < load->layout->field_count; i++) {
        if (batch->i64[i] != NULL)
            columns[i].i64 = batch->i64[i] + from;
        else
            columns[i].text = batch->text[i] + from;
    }
    TRY(speak(load, SAVEPOINT_SQL));
    return statement_execute_columns(load->insert, columns, load->layout->field_count, rows);
}

/* The batch's own bad rows that stand before `line`; *next is the first that was not handed over
 * yet. */
static enum err reject_before(struct import_load *load, const struct import_batch *batch,
                              int64_t line, int64_t *next, struct detail *detail)
{
    while (*next < batch->reject_count && batch->rejects[*next].place.line < line) {
        const struct import_bad_row *bad = &batch->rejects[(*next)++];
        TRY(import_reject_add(load->reject, &bad->place, bad->reason.text, detail));
    }
    return OK;
}

/* Some of these rows the server does not want: goes back to before them, to try fewer. Other
 * failures are the end. */
static enum err undo_rows(struct import_load *load, enum err err, struct detail *detail)
{
    bool may_be_one_row = err == ERR_DUPLICATE || err == ERR_SQL;
    if (!may_be_one_row) return fail(load, err, "inserting rows", detail);
    err = db_execute(load->db, BACK_TO_SAVEPOINT_SQL);
    return err == OK ? OK : fail(load, err, "going back to before the refused rows", detail);
}

/* A single row that was refused. Because of its key it is a bad row of the file; a refusal for
 * anything else means that something is wrong with the table. */
static enum err reject_row(struct import_load *load, enum err err, const struct import_place *place,
                           struct detail *detail)
{
    if (err != ERR_DUPLICATE) {
        char doing[64];
        (void)text_format(doing, sizeof(doing), "inserting line %" PRId64, place->line);
        return fail(load, err, doing, detail);
    }
    struct import_reason reason;
    char shown[IMPORT_SHOWN];
    struct csv_field words = {db_message(load->db), strlen(db_message(load->db))};
    (void)text_format(reason.text, sizeof(reason.text),
                      "the table has a row with this key already, or an earlier line had it: %s",
                      import_show(&words, shown));
    TRY(undo_rows(load, err, detail));
    return import_reject_add(load->reject, place, reason.text, detail);
}

/* Inserts all rows at once when the server takes them. When not: halves until a single row is found
 * to blame, goes on behind it, and doubles again while all is well. */
enum err import_load_batch(struct import_load *load, const struct import_batch *batch,
                           struct detail *detail)
{
    int64_t next_reject = 0;
    int64_t size = batch->rows;
    int64_t row = 0;
    while (row < batch->rows) {
        const struct import_place *place = &batch->places[row];
        size = min_i64(size, batch->rows - row);
        enum err err = insert_rows(load, batch, row, size);
        if (err == OK) {
            load->rows_loaded += size;
            row += size;
            size *= 2;
        } else if (size > 1) {
            TRY(undo_rows(load, err, detail));
            size /= 2;
        } else {
            TRY(reject_before(load, batch, place->line, &next_reject, detail));
            TRY(reject_row(load, err, place, detail));
            row++;
        }
    }
    return reject_before(load, batch, INT64_MAX, &next_reject, detail);
}

/* The answer to COMMIT was lost. Reconnecting ends the old session, so that it cannot commit later,
 * and then the record is there or not: that is the outcome. */
static enum err read_outcome(struct import_load *load, struct detail *detail)
{
    int64_t count = 0;
    enum err err = db_reconnect(load->db);
    if (err == OK)
        err = db_query_i64(load->db, &count, 0, COUNT_FILE_SQL, "ss", load->hash,
                           load->layout->kind->name);
    if (err != OK)
        return detail_set(detail, ERR_LOST,
                          "%s: the connection was lost while committing, so that it is not known "
                          "whether the file was loaded; import it again: it is refused if it was",
                          load->path);
    if (count > 0) return OK;
    return detail_set(detail, ERR_LOST,
                      "%s: the connection was lost while committing; nothing was loaded, import it "
                      "again",
                      load->path);
}

enum err import_load_commit(struct import_load *load, struct detail *detail)
{
    int64_t matched = 0;
    enum err err = db_run(load->db, &matched, COMPLETE_FILE_SQL, "iiss", load->rows_loaded,
                          load->reject->count, load->hash, load->layout->kind->name);
    if (err == OK && matched != 1) err = ERR_CONFLICT;
    if (err != OK) return fail(load, err, "completing the record of the file", detail);
    err = db_commit(load->db);
    if (err == OK) return OK;
    if (err_class(err) == CLASS_CONNECTION) return read_outcome(load, detail);
    return fail(load, err, "committing", detail);
}

void import_load_end(struct import_load *load)
{
    if (load->db != NULL) (void)db_rollback(load->db);
    statement_free(load->insert);
    load->insert = NULL;
}
