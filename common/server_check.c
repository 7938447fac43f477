#include "common/server_check.h"

#include <string.h>

#include "common/db/statement.h"

static const char VARIABLE_SQL[] =
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = ?";
static const char INNODB_SQL[] =
    "SELECT COUNT(*) FROM information_schema.ENGINES"
    " WHERE ENGINE = 'InnoDB' AND SUPPORT IN ('YES', 'DEFAULT')";
static const char FOREIGN_TABLE_SQL[] =
    "SELECT CONCAT(TABLE_NAME, ' is ', ENGINE) FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' LIMIT 1";

struct setting {
    const char *name, *must_be;
    const char *only_when, *is; /* another setting that makes this one matter; NULL: always */
    const char *why;
};

static const struct setting settings[] = {
    {"INNODB_FLUSH_LOG_AT_TRX_COMMIT", "1", NULL, NULL, "else a crash can lose commits"},
    {"SYNC_BINLOG", "1", "LOG_BIN", "ON", "else a crash can lose commits while the binlog is on"},
    {"INNODB_DOUBLEWRITE", "ON", NULL, NULL, "else a power cut can tear pages"},
};

/* The text "" for a variable that this server does not have. */
static enum err read_variable(struct db *db, const char *name, char *ret_value, size_t size)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, VARIABLE_SQL, "s", name));
    TRY(statement_fetch(query, &row));
    (void)text_format(ret_value, size, "%s", row ? statement_text(query, 0) : "");
    return OK;
}

static enum err check_setting(struct db *db, const struct setting *setting, struct detail *detail)
{
    char value[64];
    if (setting->only_when != NULL) {
        TRY(read_variable(db, setting->only_when, value, sizeof(value)));
        if (strcmp(value, setting->is) != 0) return OK;
    }
    TRY(read_variable(db, setting->name, value, sizeof(value)));
    if (value[0] == '\0' || strcmp(value, setting->must_be) == 0) return OK;
    return detail_set(detail, ERR_SETTING,
                      "the server's setting %s is %s and must be %s, %s; set it in the server's "
                      "configuration or with SET GLOBAL",
                      setting->name, value, setting->must_be, setting->why);
}

static enum err check_engine(struct db *db, struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    int64_t count = 0;
    bool row = false;
    TRY(db_query_i64(db, &count, 0, INNODB_SQL, ""));
    if (count == 0)
        return detail_set(detail, ERR_SETTING, "the server has no InnoDB, which is needed");
    TRY(db_query(db, &query, FOREIGN_TABLE_SQL, ""));
    TRY(statement_fetch(query, &row));
    if (!row) return OK;
    return detail_set(detail, ERR_SETTING,
                      "table %s, and must be InnoDB, which has transactions; use ALTER TABLE … "
                      "ENGINE=InnoDB",
                      statement_text(query, 0));
}

enum err server_check(struct db *db, struct detail *detail)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        TRY(check_setting(db, &settings[i], detail));
    return check_engine(db, detail);
}
