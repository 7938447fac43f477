#include "common/db/statement.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/db/exchange.h"
#include "common/db/internal.h"
#include "common/domain/civil.h"

/* Ten integers a row make some 700 KiB of so many rows: below the smallest max_allowed_packet in
 * use, 1 MiB. */
enum { FIRST_TEXT_BYTES = 64, ROWS_IN_PACKET = 8192, DIGITS = 24 };

/* What a parameter points to: one value, or what array binding needs for a value in every row. */
struct parameter {
    int64_t i64;
    unsigned long length;
    my_bool is_null;
    int64_t *expanded_i64;
    const void **expanded_pointers;
    MYSQL_TIME time;
    char *indicators;
    int64_t capacity; /* rows that the expanded arrays hold */
};

struct result_column {
    bool is_integer, is_decimal, is_unsigned;
    int64_t i64;
    char digits[DIGITS]; /* an integer that is read as text */
    char *text;
    unsigned long text_size, length;
    my_bool is_null, is_truncated;
};

struct statement {
    struct db *db;
    char *sql;
    MYSQL_STMT *handle;
    uint64_t generation;
    MYSQL_BIND parameter_binds[STATEMENT_PARAMETERS];
    struct parameter parameters[STATEMENT_PARAMETERS];
    int parameter_count;
    MYSQL_BIND column_binds[STATEMENT_COLUMNS];
    struct result_column columns[STATEMENT_COLUMNS];
    int column_count;
    int64_t affected, insert_id;
};

static enum err note(struct statement *statement)
{
    return db_note(statement->db, mysql_stmt_errno(statement->handle),
                   mysql_stmt_error(statement->handle));
}

static bool is_integer_type(enum enum_field_types type)
{
    return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 ||
           type == MYSQL_TYPE_LONG || type == MYSQL_TYPE_LONGLONG;
}

static enum err bind_column(struct statement *statement, int index, const MYSQL_FIELD *field)
{
    struct result_column *column = &statement->columns[index];
    MYSQL_BIND *bind = &statement->column_binds[index];
    column->is_integer = is_integer_type(field->type);
    column->is_decimal = field->type == MYSQL_TYPE_NEWDECIMAL && field->decimals == 0;
    column->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
    memset(bind, 0, sizeof(*bind));
    bind->is_null = &column->is_null;
    bind->error = &column->is_truncated;
    bind->length = &column->length;
    if (column->is_integer) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &column->i64;
        bind->is_unsigned = column->is_unsigned ? 1 : 0;
        return OK;
    }
    if (column->text == NULL) {
        column->text = malloc(FIRST_TEXT_BYTES);
        if (column->text == NULL) return ERR_MEMORY;
        column->text_size = FIRST_TEXT_BYTES;
    }
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = column->text;
    bind->buffer_length = column->text_size - 1;
    return OK;
}

static enum err describe_result(struct statement *statement)
{
    MYSQL_RES *metadata = mysql_stmt_result_metadata(statement->handle);
    statement->column_count = 0;
    if (metadata == NULL) return OK;
    int count = (int)mysql_num_fields(metadata);
    ASSERT(count <= STATEMENT_COLUMNS);
    enum err err = OK;
    for (int i = 0; i < count && err == OK; i++)
        err = bind_column(statement, i, mysql_fetch_field_direct(metadata, (unsigned)i));
    mysql_free_result(metadata);
    statement->column_count = count;
    return err;
}

static void close_handle(struct statement *statement)
{
    if (statement->handle != NULL) exchange_close_statement(statement->db, statement->handle);
    statement->handle = NULL;
}

static enum err prepare_now(struct statement *statement)
{
    struct db *db = statement->db;
    close_handle(statement);
    if (db->mysql == NULL) return db_note(db, 2013, "there is no connection");
    statement->handle = mysql_stmt_init(db->mysql);
    if (statement->handle == NULL) return ERR_MEMORY;
    statement->generation = db->generation;

    int64_t began_us = db_usage_begin(db);
    enum err err = exchange_prepare(db, statement->handle, statement->sql);
    db_usage_end(db, began_us);
    if (err != OK) {
        close_handle(statement);
        return err;
    }
    statement->parameter_count = (int)mysql_stmt_param_count(statement->handle);
    ASSERT(statement->parameter_count <= STATEMENT_PARAMETERS);
    return describe_result(statement);
}

enum err statement_new(struct db *db, const char *sql, struct statement **ret_statement)
{
    CLEANUP(statement_cleanup) struct statement *statement = calloc(1, sizeof(*statement));
    if (statement == NULL) return ERR_MEMORY;
    statement->db = db;
    statement->sql = strdup(sql);
    if (statement->sql == NULL) return ERR_MEMORY;
    TRY(prepare_now(statement));
    *ret_statement = statement;
    statement = NULL;
    return OK;
}

void statement_free(struct statement *statement)
{
    if (statement == NULL) return;
    close_handle(statement);
    for (int i = 0; i < STATEMENT_COLUMNS; i++)
        free(statement->columns[i].text);
    for (int i = 0; i < STATEMENT_PARAMETERS; i++) {
        free(statement->parameters[i].expanded_i64);
        free(statement->parameters[i].expanded_pointers);
        free(statement->parameters[i].indicators);
    }
    free(statement->sql);
    free(statement);
}

void statement_cleanup(struct statement **statement)
{
    statement_free(*statement);
    *statement = NULL;
}

static MYSQL_BIND *bind_of(struct statement *statement, int index)
{
    ASSERT(index >= 0 && index < statement->parameter_count);
    MYSQL_BIND *bind = &statement->parameter_binds[index];
    memset(bind, 0, sizeof(*bind));
    return bind;
}

void statement_bind_i64(struct statement *statement, int index, int64_t value)
{
    MYSQL_BIND *bind = bind_of(statement, index);
    statement->parameters[index].i64 = value;
    bind->buffer_type = MYSQL_TYPE_LONGLONG;
    bind->buffer = &statement->parameters[index].i64;
}

void statement_bind_text(struct statement *statement, int index, const char *value)
{
    if (value == NULL) {
        statement_bind_null(statement, index);
        return;
    }
    MYSQL_BIND *bind = bind_of(statement, index);
    struct parameter *parameter = &statement->parameters[index];
    parameter->length = (unsigned long)strlen(value);
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = (void *)(uintptr_t)value; /* the library only reads it */
    bind->buffer_length = parameter->length;
    bind->length = &parameter->length;
}

void statement_bind_null(struct statement *statement, int index)
{
    MYSQL_BIND *bind = bind_of(statement, index);
    bind->buffer_type = MYSQL_TYPE_NULL;
}

/* Sends the bound parameters; `rows` is 0 for a single execution. */
static enum err send(struct statement *statement, int64_t rows)
{
    struct db *db = statement->db;
    unsigned array_size = (unsigned)rows;
    (void)mysql_stmt_attr_set(statement->handle, STMT_ATTR_ARRAY_SIZE, &array_size);
    if (statement->parameter_count > 0 &&
        mysql_stmt_bind_param(statement->handle, statement->parameter_binds) != 0)
        return note(statement);

    int64_t began_us = db_usage_begin(db);
    MYSQL_BIND *columns = statement->column_count > 0 ? statement->column_binds : NULL;
    enum err err = exchange_execute(db, statement->handle, columns);
    db_usage_end(db, began_us);
    if (err != OK) return err;
    statement->affected = (int64_t)mysql_stmt_affected_rows(statement->handle);
    statement->insert_id = (int64_t)mysql_stmt_insert_id(statement->handle);
    return OK;
}

static enum err make_ready(struct statement *statement)
{
    const struct db *db = statement->db;
    if (statement->handle == NULL || db->mysql == NULL || statement->generation != db->generation)
        return prepare_now(statement);
    if (statement->column_count > 0) (void)mysql_stmt_free_result(statement->handle);
    return OK;
}

enum err statement_execute(struct statement *statement)
{
    TRY(make_ready(statement));
    return send(statement, 0);
}

static enum err grow(struct parameter *parameter, int64_t rows)
{
    if (rows <= parameter->capacity) return OK;
    size_t count = (size_t)rows;
    int64_t *integers = reallocarray(parameter->expanded_i64, count, sizeof(*integers));
    if (integers == NULL) return ERR_MEMORY;
    parameter->expanded_i64 = integers;
    const void **pointers = reallocarray(parameter->expanded_pointers, count, sizeof(*pointers));
    if (pointers == NULL) return ERR_MEMORY;
    parameter->expanded_pointers = pointers;
    char *indicators = realloc(parameter->indicators, count);
    if (indicators == NULL) return ERR_MEMORY;
    parameter->indicators = indicators;
    parameter->capacity = rows;
    return OK;
}

static enum err bind_text_column(MYSQL_BIND *bind, struct parameter *parameter,
                                 const struct column *column, int64_t rows)
{
    TRY(grow(parameter, rows));
    for (int64_t row = 0; row < rows; row++) {
        const char *text = column->text != NULL ? column->text[row] : column->same_text;
        parameter->expanded_pointers[row] = text;
        parameter->indicators[row] = text == NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NTS;
    }
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = parameter->expanded_pointers;
    bind->u.indicator = parameter->indicators;
    return OK;
}

static enum err bind_date_column(MYSQL_BIND *bind, struct parameter *parameter, const char *text,
                                 int64_t rows)
{
    struct civil date;
    TRY(civil_parse(text, &date));
    TRY(grow(parameter, rows));
    parameter->time = (MYSQL_TIME){
        .year = (unsigned)date.year,
        .month = (unsigned)date.month,
        .day = (unsigned)date.day,
        .time_type = MYSQL_TIMESTAMP_DATE,
    };
    for (int64_t row = 0; row < rows; row++)
        parameter->expanded_pointers[row] = &parameter->time;
    bind->buffer_type = MYSQL_TYPE_DATE;
    bind->buffer = parameter->expanded_pointers;
    return OK;
}

static enum err bind_array(struct statement *statement, int index, const struct column *column,
                           int64_t rows)
{
    MYSQL_BIND *bind = bind_of(statement, index);
    struct parameter *parameter = &statement->parameters[index];
    if (column->text != NULL || column->same_text != NULL)
        return bind_text_column(bind, parameter, column, rows);
    if (column->same_date != NULL)
        return bind_date_column(bind, parameter, column->same_date, rows);

    bind->buffer_type = MYSQL_TYPE_LONGLONG;
    if (column->i64 != NULL) {
        bind->buffer = (void *)(uintptr_t)column->i64; /* the library only reads it */
        return OK;
    }
    ASSERT(column->same_i64 != NULL);
    TRY(grow(parameter, rows));
    for (int64_t row = 0; row < rows; row++)
        parameter->expanded_i64[row] = *column->same_i64;
    bind->buffer = parameter->expanded_i64;
    return OK;
}

/* The column's part from row `first` on. */
static struct column column_from(const struct column *column, int64_t first)
{
    struct column part = *column;
    if (part.i64 != NULL) part.i64 += first;
    if (part.text != NULL) part.text += first;
    return part;
}

enum err statement_execute_columns(struct statement *statement, const struct column *columns,
                                   int column_count, int64_t rows)
{
    int64_t affected = 0;
    ASSERT(rows > 0);
    for (int64_t first = 0; first < rows; first += ROWS_IN_PACKET) {
        int64_t count = min_i64(rows - first, ROWS_IN_PACKET);
        TRY(make_ready(statement));
        ASSERT(column_count == statement->parameter_count);
        for (int i = 0; i < column_count; i++) {
            const struct column part = column_from(&columns[i], first);
            TRY(bind_array(statement, i, &part, count));
        }
        TRY(send(statement, count));
        affected += statement->affected;
    }
    statement->affected = affected;
    return OK;
}

int64_t statement_affected(const struct statement *statement)
{
    return statement->affected;
}

int64_t statement_insert_id(const struct statement *statement)
{
    return statement->insert_id;
}

int64_t statement_rows(const struct statement *statement)
{
    return (int64_t)mysql_stmt_num_rows(statement->handle);
}

/* A text longer than its buffer: makes the buffer longer, for this row and all that follow. The new
 * buffer is bound when the row is done with: binding makes libmariadb forget the row (and set all
 * lengths to 0 in 3.3.19). */
static enum err refetch_text(struct statement *statement, int index)
{
    struct result_column *column = &statement->columns[index];
    MYSQL_BIND *bind = &statement->column_binds[index];
    char *text = realloc(column->text, column->length + 1);
    if (text == NULL) return ERR_MEMORY;
    column->text = text;
    column->text_size = column->length + 1;
    bind->buffer = text;
    bind->buffer_length = column->length;
    if (mysql_stmt_fetch_column(statement->handle, bind, (unsigned)index, 0) != 0)
        return note(statement);
    return OK;
}

static enum err finish_column(struct statement *statement, int index, bool *ret_moved)
{
    struct result_column *column = &statement->columns[index];
    if (column->is_null) {
        column->i64 = 0;
        if (column->text != NULL) column->text[0] = '\0';
        return OK;
    }
    if (column->is_integer) return column->is_unsigned && column->i64 < 0 ? ERR_OVERFLOW : OK;
    if (column->length >= column->text_size) {
        TRY(refetch_text(statement, index));
        *ret_moved = true;
    }
    column->text[column->length] = '\0';
    if (!column->is_decimal) return OK;
    errno = 0;
    column->i64 = strtoll(column->text, NULL, 10);
    return errno == ERANGE ? ERR_OVERFLOW : OK;
}

enum err statement_fetch(struct statement *statement, bool *ret_row)
{
    if (statement->handle == NULL) return ERR_LOST;
    int outcome = mysql_stmt_fetch(statement->handle);
    if (outcome == MYSQL_NO_DATA) {
        (void)mysql_stmt_free_result(statement->handle);
        *ret_row = false;
        return OK;
    }
    if (outcome == 1) return note(statement);
    bool moved = false;
    for (int i = 0; i < statement->column_count; i++)
        TRY(finish_column(statement, i, &moved));
    if (moved && mysql_stmt_bind_result(statement->handle, statement->column_binds) != 0)
        return note(statement);
    *ret_row = true;
    return OK;
}

static const struct result_column *column_of(const struct statement *statement, int column)
{
    ASSERT(column >= 0 && column < statement->column_count);
    return &statement->columns[column];
}

int64_t statement_i64(const struct statement *statement, int column)
{
    const struct result_column *result = column_of(statement, column);
    ASSERT(result->is_integer || result->is_decimal || result->is_null);
    return result->i64;
}

const char *statement_text(const struct statement *statement, int column)
{
    const struct result_column *result = column_of(statement, column);
    if (!result->is_integer) return result->text;
    /* Integers become text on demand only: pages of them are read as integers. */
    struct result_column *writable = (struct result_column *)(uintptr_t)result;
    if (result->is_null) return "";
    (void)text_format(writable->digits, DIGITS, "%lld", (long long)result->i64);
    return writable->digits;
}

bool statement_is_null(const struct statement *statement, int column)
{
    return column_of(statement, column)->is_null != 0;
}

enum err statement_execute_row(struct statement *statement)
{
    bool row = false;
    TRY(statement_execute(statement));
    TRY(statement_fetch(statement, &row));
    return row ? OK : ERR_NOT_FOUND;
}
