/* Prepared statements. A row's parameters are bound one by one, or whole columns at once (array
 * binding: one round trip for all rows). Results are buffered, fetched row by row, and read by
 * column. The text of a statement is never built from values. Owned by the thread that owns the
 * connection; free statements before their connection. */
#ifndef COMMON_DB_STATEMENT_H
#define COMMON_DB_STATEMENT_H

#include "common/db/connection.h"

struct statement;

enum { STATEMENT_PARAMETERS = 48, STATEMENT_COLUMNS = 32 };

/* Remembers the text and prepares it. Free with statement_free (accepts NULL) or
 * CLEANUP(statement_cleanup). */
enum err statement_new(struct db *db, const char *sql, struct statement **ret_statement) MUST_CHECK;
void statement_free(struct statement *statement);
void statement_cleanup(struct statement **statement);

/* Binds parameter `index` (from 0). A bound text must live until the statement was executed. */
void statement_bind_i64(struct statement *statement, int index, int64_t value);
void statement_bind_text(struct statement *statement, int index, const char *value);
void statement_bind_null(struct statement *statement, int index);

/* Executes with the bound parameters and buffers the result, if there is one. */
enum err statement_execute(struct statement *statement) MUST_CHECK;

/* A column for array binding. Exactly one of the sources is set. */
struct column {
    const int64_t *i64;      /* an integer per row */
    const char *const *text; /* a text per row; NULL stands for SQL's NULL */
    const char *same_text;   /* the same text in every row */
    const int64_t *same_i64; /* the same integer in every row */
    /* The same date, "YYYY-MM-DD", in every row: the server is spared the parsing. */
    const char *same_date;
};

/* Executes an INSERT, UPDATE or DELETE once for each row, in the order of the rows, in one round
 * trip. `rows` from 1. The affected rows are summed. Many rows are sent in several packets. */
enum err statement_execute_columns(struct statement *statement, const struct column *columns,
                                   int column_count, int64_t rows) MUST_CHECK;

int64_t statement_affected(const struct statement *statement);
/* AUTO_INCREMENT's value of the last insert. */
int64_t statement_insert_id(const struct statement *statement);

/* Moves to the next row; *ret_row is false when there is none, and the result is freed then.
 * ERR_OVERFLOW when a DECIMAL or unsigned value does not fit the column's 64 bits. */
enum err statement_fetch(struct statement *statement, bool *ret_row) MUST_CHECK;

/* The current row's columns (from 0). An integer column as i64 (0 for NULL); a DECIMAL without
 * fraction can be read as i64 as well; every column can be read as text ("" for NULL), valid until
 * the next fetch. */
int64_t statement_i64(const struct statement *statement, int column);
const char *statement_text(const struct statement *statement, int column);
bool statement_is_null(const struct statement *statement, int column);
int64_t statement_rows(const struct statement *statement);

/* One-row queries: executes, fetches; ERR_NOT_FOUND when there is no row. Read the columns before
 * the next execute. */
enum err statement_execute_row(struct statement *statement) MUST_CHECK;

/* Prepare, bind, execute and free in one call, for statements that run once: `format` has a letter
 * for each argument, 'i' an int64_t, 's' a const char * (NULL: SQL's NULL). The rows matched go to
 * *ret_affected unless it is NULL. */
enum err db_run(struct db *db, int64_t *ret_affected, const char *sql, const char *format,
                ...) MUST_CHECK;
/* The same for queries: *ret_statement has been executed and is ready to fetch. */
enum err db_query(struct db *db, struct statement **ret_statement, const char *sql,
                  const char *format, ...) MUST_CHECK;
/* The same for one row of which one integer is wanted; ERR_NOT_FOUND without a row. NULL gives
 * `if_null`. */
enum err db_query_i64(struct db *db, int64_t *ret_value, int64_t if_null, const char *sql,
                      const char *format, ...) MUST_CHECK;

#endif
