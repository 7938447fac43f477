/* What people ask of the daemons, on its way through the database: a row of job_request for each
 * request. Here is the side that asks: write one, look what became of it, take it back while nobody
 * has answered. The daemons' side, which accepts and answers, is not here. Texts that are read are
 * cut to their field; times are texts in UTC ("2026-07-02T00:10:03Z", empty when there is none).
 * One thread, that of the connection. */
#ifndef COMMON_REQUEST_H
#define COMMON_REQUEST_H

#include "common/db/connection.h"

enum {
    REQUEST_NAME = 101,
    REQUEST_PERSON = 129, /* bytes; the column holds 128 characters */
    REQUEST_REASON = 255, /* characters */
    REQUEST_ANSWER = 2501,
    REQUEST_TIME = 32,
    REQUEST_DATE = 11,
    REQUEST_NODE = 37,
    REQUEST_LIMIT = 1000 /* rows in one list */
};

enum request_command {
    REQUEST_RUN,
    REQUEST_BACKFILL,
    REQUEST_STOP,
    REQUEST_RESTART,
    REQUEST_ABANDON,
    REQUEST_PAUSE,
    REQUEST_RESUME
};

/* PENDING until a daemon answers; ACCEPTED while it is being worked off; the others are ends.
 * WITHDRAWN: whoever asked took it back. */
enum request_status {
    REQUEST_PENDING,
    REQUEST_ACCEPTED,
    REQUEST_COMPLETED,
    REQUEST_FAILED,
    REQUEST_STOPPED,
    REQUEST_REFUSED,
    REQUEST_NOT_FOUND,
    REQUEST_WITHDRAWN
};

/* What is asked, by whom, and why. What a command does not take is NULL or 0; `job_name` is ""
 * where the command is about an execution. */
struct request_order {
    enum request_command command;
    const char *job_name;
    int64_t execution_id;
    const char *date_from, *date_to; /* business days, both included */
    const char *requested_by, *reason;
};

struct request {
    int64_t id;
    enum request_command command;
    enum request_status status;
    char job_name[REQUEST_NAME];
    int64_t execution_id;                                /* 0: none was named */
    char date_from[REQUEST_DATE], date_to[REQUEST_DATE]; /* empty: none */
    char requested_by[4 * REQUEST_PERSON], reason[4 * REQUEST_REASON + 1];
    char requested_at[REQUEST_TIME], answered_at[REQUEST_TIME], ended_at[REQUEST_TIME];
    char answer[REQUEST_ANSWER]; /* a sentence for people */
    char node_id[REQUEST_NODE];
    char on_date[REQUEST_DATE]; /* the business day that it is at */
    int64_t last_execution_id;  /* the latest one that it led to or found; 0: none yet */
    int64_t days_done;
};

/* Daemons that have renewed their leases in time. `alive` counts those that take on requests; the
 * others are of the one of them that started last, or of one that is drained when all are, and
 * empty when there is none at all. */
struct request_daemon {
    int64_t alive;
    char host[256];
    int64_t pid;
    char node_id[REQUEST_NODE];
};

/* The word of the table; of a status also back: it must be one. */
const char *request_command_name(enum request_command command);
const char *request_status_name(enum request_status status);

/* Whether nothing more will become of it. */
bool request_has_ended(enum request_status status);

/* Stores a request as PENDING. When the connection is lost nobody knows whether it was stored. */
enum err request_write(struct db *db, const struct request_order *order,
                       int64_t *ret_id) MUST_CHECK;

/* ERR_NOT_FOUND when there is no such row (any more). */
enum err request_read(struct db *db, int64_t id, struct request *ret_request) MUST_CHECK;

/* Takes a request back, with a sentence that says why. False when it is not PENDING any more: a
 * daemon was quicker. */
enum err request_withdraw(struct db *db, int64_t id, const char *why,
                          bool *ret_withdrawn) MUST_CHECK;

/* Requests that have not ended, the oldest first. Fills at most `capacity` (up to
 * REQUEST_LIMIT). */
enum err request_list_open(struct db *db, struct request *ret_requests, int capacity,
                           int *ret_count) MUST_CHECK;

/* Who could take on a request, by the database's clock. */
enum err request_find_daemon(struct db *db, struct request_daemon *ret_daemon) MUST_CHECK;

#endif
