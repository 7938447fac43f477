#include "common/db/connection.h"

#include <errmsg.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/db/exchange.h"
#include "common/db/internal.h"

/* Debian's bundle of the authorities; libmariadb 3.3 verifies against nothing unless it is told
 * what. */
static const char SYSTEM_AUTHORITIES[] = "/etc/ssl/certs/ca-certificates.crt";

static const char SESSION_SQL[] =
    "SET SESSION time_zone = '+00:00', autocommit = 1, max_statement_time = 0,"
    " completion_type = 'NO_CHAIN', unique_checks = 1, foreign_key_checks = 1,"
    " check_constraint_checks = 1,"
    " sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION'";
static const char ISOLATION_SQL[] =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";
/* What this node of a cluster has confirmed elsewhere is applied here before anything is read. */
static const char CAUSAL_SQL[] = "SET SESSION wsrep_sync_wait = 15";

enum err db_note(struct db *db, unsigned number, const char *message)
{
    db->error_number = number;
    if (!text_format(db->message, sizeof(db->message), "%s", message))
        db->message[sizeof(db->message) - 1] = '\0';
    enum err err = db_error_translate(number);
    /* These end the whole transaction, not just the statement; of shortages, some do. */
    if (err == ERR_DEADLOCK || err == ERR_CONFLICT || err == ERR_SHORTAGE)
        db->rolled_back = db->in_transaction;
    if (err_class(err) == CLASS_CONNECTION) db->in_transaction = false;
    return err;
}

enum err db_note_connection(struct db *db)
{
    return db_note(db, mysql_errno(db->mysql), mysql_error(db->mysql));
}

int64_t db_usage_begin(struct db *db)
{
    db->usage.statements++;
    if (!db->metadata) return 0;
    db->usage.metadata_statements++;
    return clock_monotonic_us(&clock_system);
}

void db_usage_end(struct db *db, int64_t began_us)
{
    if (db->metadata) db->usage.metadata_us += clock_monotonic_us(&clock_system) - began_us;
}

enum err db_options_init(const struct config *config, struct db_options *ret_options,
                         struct detail *detail)
{
    struct db_options options = {.database = config->database};
    TRY(config_password(&config->database, options.password, sizeof(options.password), detail));
    *ret_options = options;
    return OK;
}

/* TLS is demanded wherever the bytes leave the machine, and fails closed: certificate and host name
 * are verified unless the configuration says otherwise. */
static void set_tls(MYSQL *mysql, const struct config_tls *tls)
{
    my_bool on = 1;
    my_bool verify = tls->verify ? 1 : 0;
    const char *authorities = tls->ca[0] != '\0' ? tls->ca : SYSTEM_AUTHORITIES;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (tls->verify || tls->ca[0] != '\0') mysql_options(mysql, MYSQL_OPT_SSL_CA, authorities);
    if (tls->cert[0] != '\0') mysql_options(mysql, MYSQL_OPT_SSL_CERT, tls->cert);
    if (tls->key[0] != '\0') mysql_options(mysql, MYSQL_OPT_SSL_KEY, tls->key);
    mysql_options(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
}

/* A peer that says nothing any more, not even its kernel, is given up after some 30 s; Linux would
 * take two hours for an idle session (tcp_keepalive_time) and a quarter of an hour for what was
 * sent (tcp_retries2). A server that works on a long statement answers the probes all the while.
 * The time limit is a little below IDLE + COUNT * INTERVAL, since it decides instead of the count
 * (tcp(7); Cloudflare, "When TCP sockets refuse to die"). */
enum { KEEPALIVE_IDLE_S = 10, KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_COUNT = 4, GIVE_UP_MS = 29000 };

static bool set_number(int socket, int level, int option, int value)
{
    return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

/* Not for Unix sockets, whose other end cannot vanish unnoticed. */
static bool watch_peer(int socket)
{
    int family = AF_UNSPEC;
    socklen_t size = sizeof(family);
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return false;
    if (family != AF_INET && family != AF_INET6) return true;
    return set_number(socket, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_number(socket, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) &&
           set_number(socket, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S) &&
           set_number(socket, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT) &&
           set_number(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, GIVE_UP_MS);
}

static void set_options(MYSQL *mysql, const struct db_options *options)
{
    my_bool off = 0;
    unsigned local_infile = 0;
    int seconds = options->connect_timeout_s > 0 ? options->connect_timeout_s
                                                 : options->database.connect_timeout_s;
    unsigned connect_timeout = seconds > 0 ? (unsigned)seconds : 5;
    unsigned answer_timeout = (unsigned)options->statement_timeout_s;
    mysql_options(mysql, MYSQL_OPT_RECONNECT, &off);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "settlementd");
    if (answer_timeout > 0) {
        mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_timeout);
        mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_timeout);
    }
    if (options->database.host[0] != '\0') {
        /* Else the library takes "localhost" for the default socket, without TLS. */
        unsigned protocol = MYSQL_PROTOCOL_TCP;
        mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
        set_tls(mysql, &options->database.tls);
    }
}

static enum err set_timeouts(struct db *db)
{
    char sql[160];
    if (db->options.lock_wait_s > 0) {
        bool fits = text_format(sql, sizeof(sql), "SET SESSION innodb_lock_wait_timeout = %d",
                                db->options.lock_wait_s);
        ASSERT(fits);
        TRY(db_execute(db, sql));
    }
    if (db->options.idle_transaction_s > 0) {
        bool fits = text_format(sql, sizeof(sql), "SET SESSION idle_transaction_timeout = %d",
                                db->options.idle_transaction_s);
        ASSERT(fits);
        TRY(db_execute(db, sql));
    }
    return OK;
}

void db_disconnect(struct db *db)
{
    atomic_store(&db->socket, -1);
    if (db->mysql != NULL) exchange_close(db);
    db->in_transaction = false;
}

/* Asks for one number; 0 for NULL. */
static enum err ask_number(struct db *db, const char *sql, uint64_t *ret_number)
{
    MYSQL_RES *result = NULL;
    TRY(exchange_query(db, sql, &result));
    MYSQL_ROW row = mysql_fetch_row(result);
    *ret_number = row != NULL && row[0] != NULL ? strtoull(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return OK;
}

/* A named lock that nobody else asks for, held as long as the session lives: by it the session is
 * found again. Its number would not do, since a server that was started anew gives it to a
 * stranger. */
static enum err mark_session(struct db *db)
{
    char sql[96];
    uint64_t random = 0, held = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) return ERR_IO;
    bool fits = text_format(db->mark, sizeof(db->mark), "settlementd.session.%016llx",
                            (unsigned long long)random) &&
                text_format(sql, sizeof(sql), "SELECT GET_LOCK('%s', 0)", db->mark);
    ASSERT(fits);
    return ask_number(db, sql, &held);
}

/* Ends the session that holds the mark, if there still is one. */
static enum err end_marked_session(struct db *db, const char *mark)
{
    char sql[96];
    uint64_t session_id = 0;
    bool fits = text_format(sql, sizeof(sql), "SELECT IS_USED_LOCK('%s')", mark);
    ASSERT(fits);
    TRY(ask_number(db, sql, &session_id));
    return session_id == 0 ? OK : db_end_session(db, session_id);
}

/* A server that may not be worked on is as good as none: nothing can be sent to it by mistake. */
static enum err pass_gate(struct db *db)
{
    const struct db_gate *gate = db->options.gate;
    struct detail detail = {""};
    if (gate == NULL) return OK;
    enum err err = gate->admit(db, gate->context, &detail);
    if (err == OK) return OK;
    if (detail.text[0] != '\0')
        db_refuse(db, detail.text);
    else
        db_disconnect(db);
    return err;
}

static enum err open_session(struct db *db)
{
    TRY(exchange_connect(db));
    db->generation++;
    db->session_id = mysql_thread_id(db->mysql);
    atomic_store(&db->socket, (int)mysql_get_socket(db->mysql));
    if (!watch_peer((int)mysql_get_socket(db->mysql)))
        return db_note(db, CR_CONNECTION_ERROR, "the options of the socket cannot be set");
    TRY(db_execute(db, SESSION_SQL));
    TRY(db_execute(db, ISOLATION_SQL));
    TRY(set_timeouts(db));
    if (db->options.database.galera_single_writer) TRY(db_execute(db, CAUSAL_SQL));
    TRY(mark_session(db));
    return pass_gate(db);
}

/* No session is left that is not set up to the end: it would have another isolation, and the server
 * would not have been looked at. What passes (a shortage, a KILL QUERY that was not ours) is waited
 * for like a server that is away; whoever was told to stop sees that for himself. */
static enum err give_up_session(struct db *db, enum err err)
{
    db_disconnect(db);
    enum err_class class = err_class(err);
    bool passes = err == ERR_LOST || class == CLASS_TRANSACTION || class == CLASS_STOP;
    return passes ? ERR_UNREACHABLE : err;
}

static enum err connect_now(struct db *db)
{
    db->mysql = mysql_init(NULL);
    if (db->mysql == NULL) return ERR_MEMORY;
    db->refused = false;
    set_options(db->mysql, &db->options);
    enum err err = open_session(db);
    return err == OK ? OK : give_up_session(db, err);
}

static enum err explain_connect(const struct db *db, enum err err, struct detail *detail)
{
    const struct config_database *to = &db->options.database;
    const char *where = to->host[0] != '\0'     ? to->host
                        : to->socket[0] != '\0' ? to->socket
                                                : "the default socket";
    if (db->refused) return detail_set(detail, err, "%s", db->message);
    if (db->error_number == 1049)
        return detail_set(detail, ERR_SCHEMA,
                          "database `%s` at %s does not exist; create it with: settlectl migrate",
                          to->name, where);
    if (db->error_number == 1044)
        return detail_set(
            detail, err,
            "cannot open the database `%s` at %s: it does not exist, or `%s` has no rights in it; "
            "settlectl migrate, run by the owner of the schema, makes it and grants rights to the "
            "roles `%s_worker` and `%s_reader`",
            to->name, where, to->user, to->name, to->name);
    return detail_set(
        detail, err,
        "cannot connect to the database `%s` at %s as `%s`: %s (%u); check the section "
        "`database` of the configuration and that the server runs",
        to->name, where, to->user, db->message, db->error_number);
}

enum err db_open(const struct db_options *options, struct db **ret_db, struct detail *detail)
{
    struct db *db = calloc(1, sizeof(*db));
    if (db == NULL) return ERR_MEMORY;
    db->options = *options;
    atomic_init(&db->socket, -1);
    enum err err = connect_now(db);
    if (err != OK) {
        err = explain_connect(db, err, detail);
        db_free(db);
        return err;
    }
    *ret_db = db;
    return OK;
}

void db_free(struct db *db)
{
    if (db == NULL) return;
    db_disconnect(db);
    explicit_bzero(db->options.password, sizeof(db->options.password));
    free(db);
}

void db_cleanup(struct db **db)
{
    db_free(*db);
    *db = NULL;
}

enum err db_reconnect(struct db *db)
{
    /* When this fails half way, the next call still ends the session that had work, not the one
     * that was made in between. */
    if (db->left_mark[0] == '\0') memcpy(db->left_mark, db->mark, sizeof(db->left_mark));
    db_disconnect(db);
    TRY(connect_now(db));
    enum err err = end_marked_session(db, db->left_mark);
    if (err != OK) return give_up_session(db, err);
    db->left_mark[0] = '\0';
    return OK;
}

bool db_is_renewed(const struct db *db)
{
    return db->generation > 1;
}

void db_refuse(struct db *db, const char *words)
{
    db_disconnect(db);
    db->error_number = 0;
    db->refused = true;
    (void)text_format(db->message, sizeof(db->message), "%s", words);
}

enum err db_execute(struct db *db, const char *sql)
{
    if (db->mysql == NULL) return ERR_LOST;
    int64_t began_us = db_usage_begin(db);
    enum err err = exchange_query(db, sql, NULL);
    db_usage_end(db, began_us);
    return err;
}

uint64_t db_session_id(const struct db *db)
{
    return db->session_id;
}

/* KILL takes no parameters in a prepared statement; the number is ours. 1094: there is no such
 * session any more. */
static enum err kill_session(struct db *db, const char *what, uint64_t session_id)
{
    char sql[64];
    bool fits = text_format(sql, sizeof(sql), "KILL %s %llu", what, (unsigned long long)session_id);
    ASSERT(fits);
    enum err err = db_execute(db, sql);
    return err != OK && db->error_number == 1094 ? OK : err;
}

enum err db_end_session(struct db *db, uint64_t session_id)
{
    return kill_session(db, "CONNECTION", session_id);
}

enum err db_cancel_statement(struct db *db, uint64_t session_id)
{
    return kill_session(db, "QUERY", session_id);
}

bool db_is_disturbed(const struct db *db)
{
    int socket = atomic_load(&db->socket);
    if (socket < 0) return true;
    struct pollfd watched = {.fd = socket, .events = POLLIN};
    return poll(&watched, 1, 0) != 0;
}

void db_shut_down(struct db *db)
{
    int socket = atomic_load(&db->socket);
    if (socket >= 0) (void)shutdown(socket, SHUT_RDWR);
}

const char *db_message(const struct db *db)
{
    return db->message;
}

unsigned db_error_number(const struct db *db)
{
    return db->error_number;
}

const char *db_server_version(const struct db *db)
{
    return db->mysql == NULL ? "" : mysql_get_server_info(db->mysql);
}

void db_mark_metadata(struct db *db, bool metadata)
{
    db->metadata = metadata;
}

struct db_usage db_usage(const struct db *db)
{
    return db->usage;
}
