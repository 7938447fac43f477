/* Grants the rights of migrations/grants.sql: what the worker and the reader may do, table by
 * table. The roles belong to the site's administrator (migrations/users.sql); here they only
 * get their rights, each time the schema is brought up to date, so that a new table never lacks
 * them. */
#ifndef COMMON_GRANTS_H
#define COMMON_GRANTS_H

#include "common/db/connection.h"

enum { GRANTS_ROLES = 4, GRANTS_NAME = 192 };

enum grants_outcome {
    GRANTS_GIVEN,
    GRANTS_NO_ROLE,    /* the server has no role of that name */
    GRANTS_NOT_ALLOWED /* the user may not pass on rights */
};

struct grants_report {
    struct grants_role {
        char name[GRANTS_NAME]; /* NAME_worker, where NAME is the database's */
        enum grants_outcome outcome;
    } roles[GRANTS_ROLES];
    int count;
};

/* "GIVEN", "NO_ROLE", "NOT_ALLOWED". */
const char *grants_outcome_name(enum grants_outcome outcome);

/* Whether a file among the migrations is one of the two that are about users. */
bool grants_is_file(const char *name);

/* Grants what the file says in the connection's database, whose name is `database`. A role that is
 * not there and a user who may not grant are no errors but outcomes. ERR_IO, ERR_SCHEMA with
 * `detail` for a file that cannot be used; the server's errors likewise. Leaves NO_AUTO_CREATE_USER
 * in the session's sql_mode. */
enum err grants_apply(struct db *db, const char *directory, const char *database,
                      struct grants_report *ret_report, struct detail *detail) MUST_CHECK;

#endif
