#include "common/request.h"

#include <string.h>

#include "common/db/statement.h"

static const char WRITE_SQL[] =
    "INSERT INTO job_request (command, job_name, job_execution_id, date_from, date_to,"
    " requested_by, reason, requested_at) VALUES (?, ?, NULLIF(?, 0), ?, ?, ?, ?, NOW(6))";

/* In the order that read_row takes them. */
#define REQUEST_SELECT                                                                             \
    "SELECT request_id, command, status, job_name, job_execution_id,"                              \
    " DATE_FORMAT(date_from, '%Y-%m-%d'), DATE_FORMAT(date_to, '%Y-%m-%d'), requested_by, reason," \
    " DATE_FORMAT(requested_at, '%Y-%m-%dT%H:%i:%sZ'),"                                            \
    " DATE_FORMAT(answered_at, '%Y-%m-%dT%H:%i:%sZ'),"                                             \
    " DATE_FORMAT(ended_at, '%Y-%m-%dT%H:%i:%sZ'), answer, node_id,"                               \
    " DATE_FORMAT(on_date, '%Y-%m-%d'), last_execution_id, days_done FROM job_request"

static const char READ_SQL[] = REQUEST_SELECT " WHERE request_id = ?";
static const char OPEN_SQL[] =
    REQUEST_SELECT " WHERE status IN ('PENDING', 'ACCEPTED') ORDER BY request_id LIMIT ?";

/* The condition on the status is what makes it safe: a daemon accepts under the same one. */
static const char WITHDRAW_SQL[] =
    "UPDATE job_request SET status = 'WITHDRAWN', answer = ?, ended_at = NOW(6)"
    " WHERE request_id = ? AND status = 'PENDING'";

static const char DAEMON_SQL[] =
    "SELECT CAST(SUM(drain_requested_at IS NULL) OVER () AS SIGNED), host, pid, node_id FROM node"
    " WHERE role = 'DAEMON' AND lease_until > NOW(6)"
    " ORDER BY drain_requested_at IS NULL DESC, started_at DESC LIMIT 1";

static const char *const command_names[] = {
    [REQUEST_RUN] = "RUN",         [REQUEST_BACKFILL] = "BACKFILL", [REQUEST_STOP] = "STOP",
    [REQUEST_RESTART] = "RESTART", [REQUEST_ABANDON] = "ABANDON",   [REQUEST_PAUSE] = "PAUSE",
    [REQUEST_RESUME] = "RESUME",
};

static const char *const status_names[] = {
    [REQUEST_PENDING] = "PENDING",     [REQUEST_ACCEPTED] = "ACCEPTED",
    [REQUEST_COMPLETED] = "COMPLETED", [REQUEST_FAILED] = "FAILED",
    [REQUEST_STOPPED] = "STOPPED",     [REQUEST_REFUSED] = "REFUSED",
    [REQUEST_NOT_FOUND] = "NOT_FOUND", [REQUEST_WITHDRAWN] = "WITHDRAWN",
};

const char *request_command_name(enum request_command command)
{
    ASSERT((size_t)command < COUNT_OF(command_names));
    return command_names[command];
}

const char *request_status_name(enum request_status status)
{
    ASSERT((size_t)status < COUNT_OF(status_names));
    return status_names[status];
}

bool request_has_ended(enum request_status status)
{
    return status != REQUEST_PENDING && status != REQUEST_ACCEPTED;
}

/* The place of a word in its list. The column's type knows the same words, so it is one of them. */
static int find_name(const char *const *names, int count, const char *name)
{
    int index = 0;
    while (index < count && strcmp(names[index], name) != 0)
        index++;
    ASSERT(index < count);
    return index;
}

enum err request_write(struct db *db, const struct request_order *order, int64_t *ret_id)
{
    CLEANUP(statement_cleanup) struct statement *insert = NULL;
    TRY(statement_new(db, WRITE_SQL, &insert));
    statement_bind_text(insert, 0, request_command_name(order->command));
    statement_bind_text(insert, 1, order->job_name);
    statement_bind_i64(insert, 2, order->execution_id);
    statement_bind_text(insert, 3, order->date_from);
    statement_bind_text(insert, 4, order->date_to);
    statement_bind_text(insert, 5, order->requested_by);
    statement_bind_text(insert, 6, order->reason);
    TRY(statement_execute(insert));
    *ret_id = statement_insert_id(insert);
    return OK;
}

static void copy_text(char *ret_text, size_t size, const struct statement *rows, int column)
{
    (void)text_format(ret_text, size, "%s", statement_text(rows, column));
}

#define COPY(field, column) copy_text(field, sizeof(field), rows, column)

static void read_row(const struct statement *rows, struct request *ret)
{
    ret->id = statement_i64(rows, 0);
    ret->command = (enum request_command)find_name(command_names, COUNT_OF(command_names),
                                                   statement_text(rows, 1));
    ret->status = (enum request_status)find_name(status_names, COUNT_OF(status_names),
                                                 statement_text(rows, 2));
    COPY(ret->job_name, 3);
    ret->execution_id = statement_i64(rows, 4);
    COPY(ret->date_from, 5);
    COPY(ret->date_to, 6);
    COPY(ret->requested_by, 7);
    COPY(ret->reason, 8);
    COPY(ret->requested_at, 9);
    COPY(ret->answered_at, 10);
    COPY(ret->ended_at, 11);
    COPY(ret->answer, 12);
    COPY(ret->node_id, 13);
    COPY(ret->on_date, 14);
    ret->last_execution_id = statement_i64(rows, 15);
    ret->days_done = statement_i64(rows, 16);
}

enum err request_read(struct db *db, int64_t id, struct request *ret_request)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    bool found = false;
    TRY(db_query(db, &rows, READ_SQL, "i", id));
    TRY(statement_fetch(rows, &found));
    if (!found) return ERR_NOT_FOUND;
    read_row(rows, ret_request);
    return OK;
}

enum err request_withdraw(struct db *db, int64_t id, const char *why, bool *ret_withdrawn)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, WITHDRAW_SQL, "si", why, id));
    *ret_withdrawn = matched == 1;
    return OK;
}

enum err request_list_open(struct db *db, struct request *ret_requests, int capacity,
                           int *ret_count)
{
    ASSERT(capacity > 0 && capacity <= REQUEST_LIMIT);
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int count = 0;
    TRY(db_query(db, &rows, OPEN_SQL, "i", (int64_t)capacity));
    while (count < capacity) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        read_row(rows, &ret_requests[count++]);
    }
    *ret_count = count;
    return OK;
}

enum err request_find_daemon(struct db *db, struct request_daemon *ret_daemon)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    struct request_daemon found = {0};
    bool row = false;
    TRY(db_query(db, &rows, DAEMON_SQL, ""));
    TRY(statement_fetch(rows, &row));
    if (row) {
        found.alive = statement_i64(rows, 0);
        COPY(found.host, 1);
        found.pid = statement_i64(rows, 2);
        COPY(found.node_id, 3);
    }
    *ret_daemon = found;
    return OK;
}
