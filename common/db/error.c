/* The only place that knows error numbers. The classes follow what each error leaves behind: after
 * 1213 and 1020 the transaction is gone, after 1205 only the statement is, after a shortage the one
 * or the other, so that all of them are answered with a rollback. Over TLS the library says 2026
 * for whatever ends the connection, also for a server that was killed, and while connecting for a
 * certificate that is not valid: the number does not tell which. */
#include <errmsg.h>
#include <mysqld_error.h>

#include "common/db/internal.h"

struct translation {
    unsigned number;
    enum err err;
};

/* Numbers that the client library's headers do not name are given as such. */
static const struct translation translations[] = {
    {ER_LOCK_DEADLOCK, ERR_DEADLOCK},
    {ER_LOCK_WAIT_TIMEOUT, ERR_LOCK_WAIT},
    {ER_CHECKREAD, ERR_CONFLICT},
    {ER_TABLE_DEF_CHANGED, ERR_CONFLICT},
    {ER_NEED_REPREPARE, ERR_CONFLICT},
    {1637 /* too many concurrent transactions */, ERR_LOCK_WAIT},
    {ER_RECORD_FILE_FULL /* a table, or the disk below it */, ERR_SHORTAGE},
    {ER_DISK_FULL, ERR_SHORTAGE},
    {ER_ERROR_ON_WRITE, ERR_SHORTAGE},
    {ER_GET_ERRNO /* of a storage engine: mostly the disk's */, ERR_SHORTAGE},
    {ER_OUTOFMEMORY, ERR_SHORTAGE},
    {ER_OUT_OF_SORTMEMORY, ERR_SHORTAGE},
    {ER_OUT_OF_RESOURCES, ERR_SHORTAGE},
    {ER_LOCK_TABLE_FULL, ERR_SHORTAGE},
    {3 /* writing a temporary file */, ERR_SHORTAGE},
    {5 /* memory of the server's own library */, ERR_SHORTAGE},
    {20 /* no room for a temporary file */, ERR_SHORTAGE},
    {23 /* too many open files */, ERR_SHORTAGE},
    {CR_CONNECTION_ERROR, ERR_UNREACHABLE},
    {CR_CONN_HOST_ERROR, ERR_UNREACHABLE},
    {CR_UNKNOWN_HOST, ERR_UNREACHABLE},
    {CR_SERVER_GONE_ERROR, ERR_LOST},
    {CR_SERVER_LOST, ERR_LOST},
    {CR_SERVER_LOST_EXTENDED, ERR_LOST},
    {CR_SERVER_HANDSHAKE_ERR, ERR_LOST},
    {CR_SSL_CONNECTION_ERROR, ERR_LOST},
    {CR_COMMANDS_OUT_OF_SYNC, ERR_LOST},
    {CR_STMT_CLOSED, ERR_LOST},
    {1927 /* connection was killed */, ERR_LOST},
    {ER_SERVER_SHUTDOWN, ERR_LOST},
    {ER_NET_PACKETS_OUT_OF_ORDER, ERR_LOST},
    {ER_NET_READ_ERROR, ERR_LOST},
    {ER_NET_READ_INTERRUPTED, ERR_LOST},
    {ER_NET_ERROR_ON_WRITE, ERR_LOST},
    {ER_NET_WRITE_INTERRUPTED, ERR_LOST},
    {4031 /* disconnected for inactivity */, ERR_LOST},
    {1047 /* a cluster node that is not ready */, ERR_UNREACHABLE},
    {ER_CON_COUNT_ERROR, ERR_UNREACHABLE},
    {ER_TOO_MANY_USER_CONNECTIONS, ERR_UNREACHABLE},
    {ER_USER_LIMIT_REACHED, ERR_UNREACHABLE},
    {ER_CANT_CREATE_THREAD, ERR_UNREACHABLE},
    {ER_HOST_IS_BLOCKED /* by interrupted attempts, until FLUSH HOSTS */, ERR_UNREACHABLE},
    {ER_OPTION_PREVENTS_STATEMENT, ERR_READ_ONLY},
    {1836 /* read-only mode */, ERR_READ_ONLY},
    {ER_QUERY_INTERRUPTED, ERR_STOPPED},
    {1969 /* max_statement_time */, ERR_TIMEOUT},
    {ER_DUP_ENTRY, ERR_DUPLICATE},
    {ER_ACCESS_DENIED_ERROR, ERR_ACCESS},
    {ER_DBACCESS_DENIED_ERROR, ERR_ACCESS},
    {ER_TABLEACCESS_DENIED_ERROR, ERR_ACCESS},
    {ER_COLUMNACCESS_DENIED_ERROR, ERR_ACCESS},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, ERR_ACCESS},
    {1410 /* may not make a user by a GRANT */, ERR_ACCESS},
    {ER_NO_SUCH_TABLE, ERR_SCHEMA},
    {ER_BAD_FIELD_ERROR, ERR_SCHEMA},
    {ER_BAD_DB_ERROR, ERR_SCHEMA},
    {ER_DATA_OUT_OF_RANGE, ERR_OVERFLOW},
    {ER_WARN_DATA_OUT_OF_RANGE, ERR_OVERFLOW},
    {CR_OUT_OF_MEMORY, ERR_MEMORY},
};

enum err db_error_translate(unsigned number)
{
    for (size_t i = 0; i < COUNT_OF(translations); i++)
        if (translations[i].number == number) return translations[i].err;
    return ERR_SQL;
}
