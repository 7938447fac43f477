#include "common/grants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

static const char GRANTS_FILE[] = "grants.sql";
static const char USERS_FILE[] = "users.sql";
/* Each statement ends with this and the rest of a role's name; the database's name takes its
 * place. */
static const char ROLE_OF[] = " TO settlement_";

/* Without it a GRANT to a role that is not there would make an account without a password. */
static const char NO_NEW_USERS_SQL[] =
    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_CREATE_USER')";

enum { STATEMENT_SIZE = 1024, NO_SUCH_ROLE = 1133, NO_SUCH_COLUMN = 1054 };

const char *grants_outcome_name(enum grants_outcome outcome)
{
    static const char *const names[] = {
        [GRANTS_GIVEN] = "GIVEN",
        [GRANTS_NO_ROLE] = "NO_ROLE",
        [GRANTS_NOT_ALLOWED] = "NOT_ALLOWED",
    };
    ASSERT((size_t)outcome < COUNT_OF(names));
    return names[outcome];
}

bool grants_is_file(const char *name)
{
    return strcmp(name, GRANTS_FILE) == 0 || strcmp(name, USERS_FILE) == 0;
}

/* The role that a statement is for, which is added to the report when it is new; NULL for a line
 * that is not of the form "GRANT … TO settlement_ROLE;". */
static struct grants_role *find_role(struct grants_report *report, const char *database,
                                     const char *line, size_t *ret_head)
{
    const char *at = strstr(line, ROLE_OF);
    if (strncmp(line, "GRANT ", 6) != 0 || at == NULL) return NULL;
    *ret_head = (size_t)(at - line);
    const char *role = at + strlen(ROLE_OF);
    size_t length = strspn(role, "abcdefghijklmnopqrstuvwxyz");
    if (length == 0 || strcmp(role + length, ";\n") != 0) return NULL;

    char name[GRANTS_NAME];
    if (!text_format(name, sizeof(name), "%s_%.*s", database, (int)length, role)) return NULL;
    for (int i = 0; i < report->count; i++)
        if (strcmp(report->roles[i].name, name) == 0) return &report->roles[i];
    if (report->count == GRANTS_ROLES) return NULL;
    struct grants_role *found = &report->roles[report->count++];
    *found = (struct grants_role){.outcome = GRANTS_GIVEN};
    memcpy(found->name, name, sizeof(name));
    return found;
}

/* A database may have any name, also one with the quote in it. */
static void quote_name(const char *name, char ret_quoted[2 * GRANTS_NAME])
{
    size_t length = 0;
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '`') ret_quoted[length++] = '`';
        ret_quoted[length++] = *at;
    }
    ret_quoted[length] = '\0';
}

static enum err grant(struct db *db, const char *line, size_t head, struct grants_role *role,
                      struct detail *detail)
{
    char sql[STATEMENT_SIZE], quoted[2 * GRANTS_NAME];
    quote_name(role->name, quoted);
    if (!text_format(sql, sizeof(sql), "%.*s TO `%s`", (int)head, line, quoted))
        return detail_set(detail, ERR_SCHEMA, "%s: too long: %.60s…", GRANTS_FILE, line);
    enum err err = db_execute(db, sql);
    if (err == OK) return OK;
    /* In a table that was adopted from the platform; what the settlement needs, 0003 has
     * indexed. */
    if (db_error_number(db) == NO_SUCH_COLUMN) return OK;
    if (db_error_number(db) == NO_SUCH_ROLE)
        role->outcome = GRANTS_NO_ROLE;
    else if (err == ERR_ACCESS)
        role->outcome = GRANTS_NOT_ALLOWED;
    else
        return detail_set(detail, err, "%s, \"%s\": %s (%u)", GRANTS_FILE, sql, db_message(db),
                          db_error_number(db));
    return OK;
}

static enum err grant_all(struct db *db, FILE *file, const char *database,
                          struct grants_report *report, struct detail *detail)
{
    CLEANUP(free_pointer) char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        if (line[0] == '\n' || strncmp(line, "--", 2) == 0) continue;
        size_t head = 0;
        struct grants_role *role = find_role(report, database, line, &head);
        if (role == NULL)
            return detail_set(detail, ERR_SCHEMA,
                              "%s: not of the form \"GRANT … TO settlement_ROLE;\": %.60s…",
                              GRANTS_FILE, line);
        if (role->outcome == GRANTS_GIVEN) TRY(grant(db, line, head, role, detail));
    }
    if (ferror(file) || report->count == 0)
        return detail_set(detail, ERR_IO, "%s: cannot be read, or is empty; install again",
                          GRANTS_FILE);
    return OK;
}

enum err grants_apply(struct db *db, const char *directory, const char *database,
                      struct grants_report *ret_report, struct detail *detail)
{
    char path[4096];
    if (!text_format(path, sizeof(path), "%s/%s", directory, GRANTS_FILE)) return ERR_IO;
    TRY(schema_refuse_open_to_all(directory, GRANTS_FILE, detail));
    CLEANUP(close_file) FILE *file = fopen(path, "re");
    if (file == NULL)
        return detail_set(detail, ERR_IO, "cannot read %s: %s; install again", path,
                          strerror(errno));
    ret_report->count = 0;
    TRY(db_execute(db, NO_NEW_USERS_SQL));
    return grant_all(db, file, database, ret_report, detail);
}
