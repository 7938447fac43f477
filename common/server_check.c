#include "common/server_check.h"

#include <strings.h>

#include "common/db/statement.h"

static const char SETTINGS_SQL[] =
    "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES"
    " WHERE VARIABLE_NAME IN ('BINLOG_FORMAT', 'DEBUG_NO_SYNC', 'INNODB_DOUBLEWRITE',"
    " 'INNODB_FLUSH_LOG_AT_TRX_COMMIT', 'INNODB_FLUSH_METHOD', 'INNODB_FORCE_RECOVERY',"
    " 'INNODB_READ_ONLY', 'LOG_BIN', 'READ_ONLY', 'SYNC_BINLOG', 'WSREP_ON')";
/* server_uid is there from 10.6.19 and 10.11.9 on; what is missing is left out. */
static const char IDENTITY_SQL[] =
    "SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME SEPARATOR ' ')"
    " FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME IN ('DATADIR', 'HOSTNAME',"
    " 'PORT', 'SERVER_ID', 'SERVER_UID', 'SOCKET', 'WSREP_NODE_NAME')";
static const char INNODB_SQL[] =
    "SELECT COUNT(*) FROM information_schema.ENGINES"
    " WHERE ENGINE = 'InnoDB' AND SUPPORT IN ('YES', 'DEFAULT')";
/* A table that cannot be opened has no engine; a sequence that loses numbers would give them
 * twice. */
static const char FOREIGN_TABLE_SQL[] =
    "SELECT CONCAT(TABLE_NAME, ' is ', COALESCE(ENGINE, 'unreadable'))"
    " FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
    " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')"
    " AND NOT ENGINE <=> 'InnoDB' LIMIT 1";

enum { SETTINGS = 16, ACCEPTED = 3, NAME = 64, VALUE = 64 };

/* What the server says. Names are in capitals, as it gives them. */
struct settings {
    char names[SETTINGS][NAME], values[SETTINGS][VALUE];
    int count;
};

struct rule {
    const char *name, *accepted[ACCEPTED]; /* the first is what is advised */
    const char *only_when; /* a setting that must be ON for this one to matter; NULL: always */
    const char *why;
    bool at_start; /* the server takes it only when it starts */
    enum err err;
};

static const char CRASH[] = "else a crash of the server or a power cut can lose commits";

static const struct rule rules[] = {
    {.name = "READ_ONLY",
     .accepted = {"OFF"},
     .why = "since this one takes no writes: a replica, perhaps, that is not promoted yet",
     .err = ERR_READ_ONLY},
    {.name = "INNODB_READ_ONLY",
     .accepted = {"OFF"},
     .why = "nothing can be stored",
     .at_start = true,
     .err = ERR_READ_ONLY},
    {.name = "INNODB_FORCE_RECOVERY",
     .accepted = {"0"},
     .why = "the server was started to rescue damaged tables, not to work on them",
     .at_start = true,
     .err = ERR_READ_ONLY},
    {.name = "INNODB_FLUSH_LOG_AT_TRX_COMMIT", .accepted = {"1"}, .why = CRASH, .err = ERR_SETTING},
    {.name = "SYNC_BINLOG",
     .accepted = {"1"},
     .only_when = "LOG_BIN",
     .why = "else a crash can lose commits while the binary log is on",
     .err = ERR_SETTING},
    {.name = "INNODB_DOUBLEWRITE",
     .accepted = {"ON"},
     .why = "else a power cut can tear pages",
     .at_start = true,
     .err = ERR_SETTING},
    {.name = "INNODB_FLUSH_METHOD",
     .accepted = {"O_DIRECT", "fsync", "O_DSYNC"},
     .why = CRASH,
     .at_start = true,
     .err = ERR_SETTING},
    {.name = "DEBUG_NO_SYNC", .accepted = {"OFF"}, .why = CRASH, .err = ERR_SETTING},
    {.name = "BINLOG_FORMAT",
     .accepted = {"ROW", "MIXED"},
     .only_when = "LOG_BIN",
     .why = "since with READ COMMITTED, which the settlement needs, the server refuses to write "
            "otherwise",
     .err = ERR_SETTING},
    {.name = "BINLOG_FORMAT",
     .accepted = {"ROW"},
     .only_when = "WSREP_ON",
     .why = "else the nodes of a cluster can come to differ",
     .err = ERR_SETTING},
};

static enum err read_settings(struct db *db, struct settings *ret_settings)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    TRY(db_query(db, &query, SETTINGS_SQL, ""));
    ret_settings->count = 0;
    for (bool row = true;;) {
        TRY(statement_fetch(query, &row));
        if (!row) return OK;
        ASSERT(ret_settings->count < SETTINGS);
        int place = ret_settings->count++;
        (void)text_format(ret_settings->names[place], NAME, "%s", statement_text(query, 0));
        (void)text_format(ret_settings->values[place], VALUE, "%s", statement_text(query, 1));
    }
}

/* NULL for one that this server does not have. */
static const char *value_of(const struct settings *settings, const char *name)
{
    for (int i = 0; i < settings->count; i++)
        if (strcasecmp(settings->names[i], name) == 0) return settings->values[i];
    return NULL;
}

static bool is_on(const struct settings *settings, const char *name)
{
    const char *value = value_of(settings, name);
    return value != NULL && strcasecmp(value, "ON") == 0;
}

static bool is_accepted(const struct rule *rule, const char *value)
{
    for (int i = 0; i < ACCEPTED && rule->accepted[i] != NULL; i++)
        if (strcasecmp(rule->accepted[i], value) == 0) return true;
    return false;
}

static enum err refuse(const struct rule *rule, const char *value, struct detail *detail)
{
    const char *must = rule->accepted[0];
    char others[VALUE] = "";
    if (rule->accepted[1] != NULL)
        (void)text_format(others, sizeof(others), " (or %s%s%s)", rule->accepted[1],
                          rule->accepted[2] == NULL ? "" : ", ",
                          rule->accepted[2] == NULL ? "" : rule->accepted[2]);
    char remedy[2 * NAME + 100];
    (void)text_format(remedy, sizeof(remedy),
                      rule->at_start
                          ? "put %s = %s into the server's configuration and start it anew"
                          : "SET GLOBAL %s = %s changes it at once, the server's configuration "
                            "for good",
                      rule->name, must);
    return detail_set(detail, rule->err, "the server's setting %s is %s and must be %s%s, %s; %s",
                      rule->name, value, must, others, rule->why, remedy);
}

static enum err check_rule(const struct settings *settings, const struct rule *rule,
                           struct detail *detail)
{
    const char *value = value_of(settings, rule->name);
    if (value == NULL || is_accepted(rule, value)) return OK;
    if (rule->only_when != NULL && !is_on(settings, rule->only_when)) return OK;
    return refuse(rule, value, detail);
}

static enum err check_cluster(const struct settings *settings,
                              const struct config_database *database, struct detail *detail)
{
    if (!is_on(settings, "WSREP_ON") || database->galera_single_writer) return OK;
    return detail_set(
        detail, ERR_SETTING,
        "the server's setting WSREP_ON is ON and must be OFF: it is a node of a Galera cluster, in "
        "which updates that two nodes take at once can be lost although both were confirmed; when "
        "all that is written to this database goes to this one node, say so with "
        "database.galera_single_writer = true, else use a server that is no cluster's");
}

enum err server_check_settings(struct db *db, const struct config_database *database,
                               struct detail *detail)
{
    struct settings settings;
    TRY(read_settings(db, &settings));
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        TRY(check_rule(&settings, &rules[i], detail));
    return check_cluster(&settings, database, detail);
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

enum err server_check(struct db *db, const struct config_database *database, struct detail *detail)
{
    TRY(server_check_settings(db, database, detail));
    return check_engine(db, detail);
}

enum err server_identity(struct db *db, char ret_identity[SERVER_IDENTITY])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, IDENTITY_SQL, ""));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    (void)text_format(ret_identity, SERVER_IDENTITY, "%s", statement_text(query, 0));
    return OK;
}
