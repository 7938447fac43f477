#include "common/db/exchange.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fault.h"

/* One exchange, and what was to be done while its request is under way. */
struct exchange {
    struct db *db;
    struct fault_call call;
    const struct st_mariadb_methods *methods; /* the library's own; NULL: not replaced */
};

static _Thread_local struct exchange *under_way;

static void lose(struct db *db)
{
    if (db->mysql != NULL) (void)shutdown((int)mysql_get_socket(db->mysql), SHUT_RDWR);
}

/* What such an error leaves behind on a server: a lost connection, or no transaction. */
static enum err fail(struct db *db, int error)
{
    if (error == 0) return OK;
    if (error == FAULT_LOSE) {
        lose(db);
        return db_note(db, CR_SERVER_LOST, "the connection was lost (injected)");
    }
    if (error == ER_LOCK_DEADLOCK || error == ER_CHECKREAD)
        (void)mysql_real_query(db->mysql, "ROLLBACK", strlen("ROLLBACK"));
    return db_note(db, (unsigned)error, "injected");
}

/* Stands in for the library's db_command: sends, and does not let the reply be read. */
static int send_and_fail(MYSQL *mysql, enum enum_server_command command, const char *argument,
                         size_t length, my_bool skip_check, void *option)
{
    struct exchange *exchange = under_way;
    if (exchange->methods->db_command(mysql, command, argument, length, skip_check, option) != 0)
        return 1;
    if (command == COM_STMT_CLOSE) return 0;
    int error = fault_at(&exchange->call, FAULT_SENT);
    if (error == 0) return 0;
    lose(exchange->db);
    unsigned number = error == FAULT_LOSE ? CR_SERVER_LOST : (unsigned)error;
    exchange->methods->set_error(mysql, number, "HY000", "injected");
    return 1;
}

static struct exchange begin(struct db *db, enum fault_place place)
{
    return (struct exchange){.db = db, .call = fault_count(place)};
}

/* Lends the connection a table of methods for the one call. */
static void watch(struct exchange *exchange, struct st_mariadb_methods *methods)
{
    if (!fault_is_due(&exchange->call, FAULT_SENT)) return;
    MYSQL *mysql = exchange->db->mysql;
    exchange->methods = mysql->methods;
    *methods = *mysql->methods;
    methods->db_command = send_and_fail;
    mysql->methods = methods;
    under_way = exchange;
}

static void unwatch(const struct exchange *exchange)
{
    if (exchange->methods != NULL) exchange->db->mysql->methods = exchange->methods;
}

enum err exchange_connect(struct db *db)
{
    const struct config_database *to = &db->options.database;
    const char *host = to->host[0] == '\0' ? NULL : to->host;
    const char *socket = host != NULL || to->socket[0] == '\0' ? NULL : to->socket;
    const char *user = to->user[0] == '\0' ? NULL : to->user;
    const char *name = to->name[0] == '\0' ? NULL : to->name;
    const char *password = db->options.password[0] == '\0' ? NULL : db->options.password;

    const struct exchange exchange = begin(db, FAULT_CONNECT);
    TRY(fail(db, fault_at(&exchange.call, FAULT_BEFORE)));
    if (mysql_real_connect(db->mysql, host, user, password, name, (unsigned)to->port, socket,
                           CLIENT_FOUND_ROWS) == NULL)
        return db_note_connection(db);
    TRY(fail(db, fault_at(&exchange.call, FAULT_SENT)));
    return fail(db, fault_at(&exchange.call, FAULT_AFTER));
}

/* Sends a statement and reads its reply. */
static int query(struct db *db, const char *sql, MYSQL_RES **ret_result)
{
    MYSQL *mysql = db->mysql;
    if (mysql_real_query(mysql, sql, (unsigned long)strlen(sql)) != 0) return 1;
    MYSQL_RES *result = mysql_store_result(mysql);
    *ret_result = result;
    return result == NULL && mysql_field_count(mysql) > 0;
}

enum err exchange_query(struct db *db, const char *sql, MYSQL_RES **ret_result)
{
    struct st_mariadb_methods methods;
    struct exchange exchange = begin(db, strcmp(sql, "COMMIT") == 0 ? FAULT_COMMIT : FAULT_DB);
    TRY(fail(db, fault_at(&exchange.call, FAULT_BEFORE)));

    MYSQL_RES *result = NULL;
    watch(&exchange, &methods);
    int failed = query(db, sql, &result);
    unwatch(&exchange);
    enum err err = failed != 0 ? db_note_connection(db) : OK;
    if (err == OK) err = fail(db, fault_at(&exchange.call, FAULT_AFTER));
    if (err == OK && ret_result != NULL) {
        *ret_result = result;
        return OK;
    }
    mysql_free_result(result);
    return err;
}

static enum err note(struct db *db, MYSQL_STMT *statement)
{
    return db_note(db, mysql_stmt_errno(statement), mysql_stmt_error(statement));
}

enum err exchange_prepare(struct db *db, MYSQL_STMT *statement, const char *sql)
{
    struct st_mariadb_methods methods;
    struct exchange exchange = begin(db, FAULT_DB);
    TRY(fail(db, fault_at(&exchange.call, FAULT_BEFORE)));
    watch(&exchange, &methods);
    int failed = mysql_stmt_prepare(statement, sql, (unsigned long)strlen(sql));
    unwatch(&exchange);
    return failed != 0 ? note(db, statement) : fail(db, fault_at(&exchange.call, FAULT_AFTER));
}

enum err exchange_execute(struct db *db, MYSQL_STMT *statement, MYSQL_BIND *columns)
{
    struct st_mariadb_methods methods;
    struct exchange exchange = begin(db, FAULT_DB);
    TRY(fail(db, fault_at(&exchange.call, FAULT_BEFORE)));
    watch(&exchange, &methods);
    int failed = mysql_stmt_execute(statement);
    unwatch(&exchange);
    if (failed == 0 && columns != NULL) {
        failed = mysql_stmt_bind_result(statement, columns) != 0;
        if (failed == 0) failed = mysql_stmt_store_result(statement);
    }
    return failed != 0 ? note(db, statement) : fail(db, fault_at(&exchange.call, FAULT_AFTER));
}

/* Nobody waits for a reply, so that nothing can be told but the loss of the connection. */
static void pass(const struct exchange *exchange, enum fault_when when)
{
    if (fault_at(&exchange->call, when) == FAULT_LOSE) lose(exchange->db);
}

void exchange_close_statement(struct db *db, MYSQL_STMT *statement)
{
    const struct exchange exchange = begin(db, FAULT_DB);
    pass(&exchange, FAULT_BEFORE);
    (void)mysql_stmt_close(statement);
    pass(&exchange, FAULT_SENT);
    pass(&exchange, FAULT_AFTER);
}

void exchange_close(struct db *db)
{
    const struct exchange exchange = begin(db, FAULT_DB);
    pass(&exchange, FAULT_BEFORE);
    mysql_close(db->mysql);
    db->mysql = NULL;
    (void)fault_at(&exchange.call, FAULT_SENT);
    (void)fault_at(&exchange.call, FAULT_AFTER);
}
