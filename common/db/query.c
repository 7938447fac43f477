/* The calls of statement.h for statements that run once. */
#include <stdarg.h>
#include <string.h>

#include "common/db/statement.h"

static void bind_arguments(struct statement *statement, const char *format, va_list arguments)
{
    for (int i = 0; format[i] != '\0'; i++) {
        ASSERT(format[i] == 'i' || format[i] == 's');
        if (format[i] == 'i')
            statement_bind_i64(statement, i, va_arg(arguments, int64_t));
        else
            statement_bind_text(statement, i, va_arg(arguments, const char *));
    }
}

static enum err execute(struct db *db, const char *sql, const char *format, va_list arguments,
                        struct statement **ret_statement)
{
    CLEANUP(statement_cleanup) struct statement *statement = NULL;
    TRY(statement_new(db, sql, &statement));
    bind_arguments(statement, format, arguments);
    TRY(statement_execute(statement));
    *ret_statement = statement;
    statement = NULL;
    return OK;
}

enum err db_run(struct db *db, int64_t *ret_affected, const char *sql, const char *format, ...)
{
    CLEANUP(statement_cleanup) struct statement *statement = NULL;
    va_list arguments;
    va_start(arguments, format);
    enum err err = execute(db, sql, format, arguments, &statement);
    va_end(arguments);
    if (err == OK && ret_affected != NULL) *ret_affected = statement_affected(statement);
    return err;
}

enum err db_query(struct db *db, struct statement **ret_statement, const char *sql,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum err err = execute(db, sql, format, arguments, ret_statement);
    va_end(arguments);
    return err;
}

enum err db_query_i64(struct db *db, int64_t *ret_value, int64_t if_null, const char *sql,
                      const char *format, ...)
{
    CLEANUP(statement_cleanup) struct statement *statement = NULL;
    va_list arguments;
    va_start(arguments, format);
    enum err err = execute(db, sql, format, arguments, &statement);
    va_end(arguments);
    if (err != OK) return err;
    bool row = false;
    TRY(statement_fetch(statement, &row));
    if (!row) return ERR_NOT_FOUND;
    *ret_value = statement_is_null(statement, 0) ? if_null : statement_i64(statement, 0);
    return OK;
}
