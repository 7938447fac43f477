#include "daemon/acknowledged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db/statement.h"
#include "common/log.h"
#include "daemon/state_file.h"

static const char INSTALLATION_SQL[] = "SELECT installation_id FROM installation";
static const char ROWS_SQL[] =
    "SELECT acknowledgement_id, token, kind, COALESCE(job_execution_id, 0), job_name, target_date,"
    " step_name, status,"
    " job_execution_id <=> ? OR acknowledged_at < NOW(6) - INTERVAL 2 SECOND, accepted_by, reason"
    " FROM acknowledgement WHERE kind = 'LOSS_ACCEPTED' OR acknowledgement_id >= ?"
    " ORDER BY acknowledgement_id";
static const char FIRST_SQL[] =
    "SELECT acknowledgement_id FROM acknowledgement WHERE kind <> 'LOSS_ACCEPTED'"
    " ORDER BY acknowledgement_id DESC LIMIT 1 OFFSET ?";

enum { NAMED_DAYS = 4, LIST = 160, PERSON = 512 };

enum { TRIES = 3 };

struct acknowledged {
    struct state_file *file; /* NULL: nothing is remembered */
};

/* The rows of the database against what is remembered. Nothing is locked meanwhile: a server that
 * hangs must not hold up other threads, nor a process that is frozen the others of its host. */
struct comparison {
    struct state remembered, found;
    bool matched[COUNT_OF(((struct state *)NULL)->entries)]; /* of what is remembered */
    bool accepted;                                           /* a loss, since what is remembered */
    char accepted_by[PERSON];
};

enum err acknowledged_new(const char *directory, const char *database,
                          struct acknowledged **ret_acknowledged, struct detail *detail)
{
    struct acknowledged *acknowledged = calloc(1, sizeof(*acknowledged));
    if (acknowledged == NULL) return ERR_MEMORY;
    enum err err = OK;
    if (directory[0] != '\0')
        err = state_file_new(directory, database, &acknowledged->file, detail);
    if (err != OK) {
        free(acknowledged);
        return err;
    }
    if (directory[0] == '\0')
        log_event(LOG_LEVEL_INFO, "nothing-remembered",
                  "there is no state directory: a database that has lost what it had acknowledged "
                  "is not recognised; see state_directory in the configuration",
                  NULL);
    *ret_acknowledged = acknowledged;
    return OK;
}

void acknowledged_free(struct acknowledged *acknowledged)
{
    if (acknowledged == NULL) return;
    state_file_free(acknowledged->file);
    free(acknowledged);
}

/* ---- the rows ---- */

static bool is_acceptance(const struct state_entry *entry)
{
    return strcmp(entry->kind, "LOSS_ACCEPTED") == 0;
}

static void read_row(const struct statement *row, struct state_entry *ret_entry)
{
    struct state_entry *entry = ret_entry;
    *entry = (struct state_entry){
        .id = statement_i64(row, 0),
        .job_execution_id = statement_i64(row, 3),
    };
    (void)text_format(entry->token, sizeof(entry->token), "%s", statement_text(row, 1));
    (void)text_format(entry->kind, sizeof(entry->kind), "%s", statement_text(row, 2));
    (void)text_format(entry->job_name, sizeof(entry->job_name), "%s", statement_text(row, 4));
    (void)text_format(entry->target_date, sizeof(entry->target_date), "%s", statement_text(row, 5));
    (void)text_format(entry->step_name, sizeof(entry->step_name), "%s", statement_text(row, 6));
    (void)text_format(entry->status, sizeof(entry->status), "%s", statement_text(row, 7));
}

/* The place of the row among what is remembered; -1 when it is not. */
static int place_of(const struct state *remembered, const struct state_entry *row)
{
    for (int i = 0; i < remembered->count; i++)
        if (remembered->entries[i].id == row->id)
            return strcmp(remembered->entries[i].token, row->token) == 0 ? i : -1;
    return -1;
}

/* Of each kind the oldest is forgotten when there is no more room for it. */
static void remember(struct state *state, const struct state_entry *row)
{
    int oldest = -1, same = 0;
    for (int i = state->count - 1; i >= 0; i--) {
        if (is_acceptance(&state->entries[i]) != is_acceptance(row)) continue;
        oldest = i;
        same++;
    }
    if (same == (is_acceptance(row) ? STATE_ACCEPTED : STATE_ENTRIES)) {
        state->count--;
        memmove(&state->entries[oldest], &state->entries[oldest + 1],
                (size_t)(state->count - oldest) * sizeof(*row));
    }
    state->entries[state->count++] = *row;
}

static void take_row(struct comparison *comparison, const struct statement *row)
{
    struct state_entry entry;
    read_row(row, &entry);
    int place = place_of(&comparison->remembered, &entry);
    if (place >= 0) comparison->matched[place] = true;
    if (place < 0 && is_acceptance(&entry)) {
        comparison->accepted = true;
        (void)text_format(comparison->accepted_by, PERSON, "%s: %s", statement_text(row, 9),
                          statement_text(row, 10));
    }
    if (place >= 0 || statement_i64(row, 8) != 0) remember(&comparison->found, &entry);
}

/* The oldest remembered row, or that with as many after it as can be remembered: what was too young
 * to be remembered may have a lower number than what was not. */
static enum err first_to_read(const struct state *remembered, struct db *db, int64_t *ret_id)
{
    int64_t id = 0;
    enum err err = db_query_i64(db, &id, 0, FIRST_SQL, "i", (int64_t)STATE_ENTRIES - 1);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    for (int i = 0; i < remembered->count; i++)
        if (!is_acceptance(&remembered->entries[i])) id = min_i64(id, remembered->entries[i].id);
    *ret_id = id;
    return OK;
}

static enum err read_rows(struct comparison *comparison, struct db *db, int64_t own_execution_id)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    int64_t first = 0;
    TRY(first_to_read(&comparison->remembered, db, &first));
    TRY(db_query(db, &rows, ROWS_SQL, "ii", own_execution_id, first));
    for (bool row = true;;) {
        TRY(statement_fetch(rows, &row));
        if (!row) return OK;
        take_row(comparison, rows);
    }
}

static enum err read_installation(struct db *db, char ret_id[STATE_UUID])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, INSTALLATION_SQL, ""));
    TRY(statement_fetch(query, &row));
    (void)text_format(ret_id, STATE_UUID, "%s", row ? statement_text(query, 0) : "");
    return OK;
}

/* ---- what is missing ---- */

struct list {
    char text[LIST];
    int count;
};

static void add_to_list(struct list *list, const struct state_entry *entry)
{
    size_t used = strlen(list->text);
    if (list->count++ < NAMED_DAYS)
        (void)text_format(list->text + used, sizeof(list->text) - used, "%s%s (execution %lld)",
                          used == 0 ? "" : ", ", entry->target_date,
                          (long long)entry->job_execution_id);
}

static bool is_settled_day(const struct state_entry *entry)
{
    return strcmp(entry->kind, "EXECUTION") == 0 && strcmp(entry->status, "COMPLETED") == 0;
}

/* "2026-07-02 (execution 7) was settled; 5 steps or executions had ended" */
static void describe_missing(const struct comparison *comparison, char *ret_text, size_t size)
{
    const struct state *remembered = &comparison->remembered;
    const struct state_entry *latest = NULL;
    struct list days = {0};
    int others = 0;
    for (int i = 0; i < remembered->count; i++) {
        if (comparison->matched[i]) continue;
        latest = &remembered->entries[i];
        if (is_settled_day(latest))
            add_to_list(&days, latest);
        else
            others++;
    }
    char more[32] = "";
    if (days.count > NAMED_DAYS)
        (void)text_format(more, sizeof(more), " and %d more", days.count - NAMED_DAYS);
    ASSERT(latest != NULL);
    if (days.count > 0)
        (void)text_format(ret_text, size, "that %s%s %s settled", days.text, more,
                          days.count == 1 ? "was" : "were");
    else
        (void)text_format(ret_text, size, "what execution %lld did for %s, %s at last",
                          (long long)latest->job_execution_id, latest->target_date,
                          latest->step_name[0] == '\0' ? "its end" : latest->step_name);
    size_t used = strlen(ret_text);
    if (days.count > 0 && others > 0)
        (void)text_format(ret_text + used, size - used, ", and %d step%s that had ended", others,
                          others == 1 ? "" : "s");
}

static void describe_known(const struct state *found, char *ret_text, size_t size)
{
    (void)text_format(ret_text, size, "no settled day at all");
    for (int i = 0; i < found->count; i++)
        if (is_settled_day(&found->entries[i]))
            (void)text_format(ret_text, size, "%s (execution %lld)", found->entries[i].target_date,
                              (long long)found->entries[i].job_execution_id);
}

static enum err refuse_missing(const struct acknowledged *acknowledged,
                               const struct comparison *comparison, struct detail *detail)
{
    char missing[2 * LIST], known[80];
    describe_missing(comparison, missing, sizeof(missing));
    describe_known(&comparison->found, known, sizeof(known));
    return detail_set(
        detail, ERR_BEHIND,
        "HALTED: the database has lost what it had acknowledged: it does not know %s; the latest "
        "it knows is %s; it is a replica that lagged, or a restored backup: point `database` at "
        "the server that has them, or, when they are lost for good and nothing will be paid twice, "
        "settlectl accept-loss --reason TEXT (remembered in %s)",
        missing, known, state_file_path(acknowledged->file));
}

static enum err refuse_other(const struct acknowledged *acknowledged,
                             const struct comparison *comparison, struct detail *detail)
{
    const char *installation = comparison->found.installation;
    return detail_set(
        detail, ERR_BEHIND,
        "HALTED: the database is not the one that was worked on until now: it is installation %s, "
        "and that was %s; point `database` at the right server, or remove %s when the new one is "
        "meant",
        installation[0] == '\0' ? "(none)" : installation, comparison->remembered.installation,
        state_file_path(acknowledged->file));
}

/* ---- comparing ---- */

static bool lacks_something(const struct comparison *comparison)
{
    for (int i = 0; i < comparison->remembered.count; i++)
        if (!comparison->matched[i]) return true;
    return false;
}

static bool is_same(const struct state *a, const struct state *b)
{
    if (a->count != b->count || strcmp(a->installation, b->installation) != 0) return false;
    for (int i = 0; i < a->count; i++)
        if (a->entries[i].id != b->entries[i].id ||
            strcmp(a->entries[i].token, b->entries[i].token) != 0)
            return false;
    return true;
}

static enum err read_file(const struct acknowledged *acknowledged, struct state *ret_state,
                          struct detail *detail)
{
    struct detail words = {""};
    enum err err = state_file_read(acknowledged->file, ret_state, &words);
    if (err != ERR_IO) return err;
    return detail_set(detail, ERR_BEHIND,
                      "HALTED: %.600s; nobody can tell whether the database has lost something; "
                      "look at both, and remove the file when the database is complete",
                      words.text);
}

static enum err compare(const struct acknowledged *acknowledged, struct comparison *comparison,
                        struct db *db, int64_t own_execution_id, struct detail *detail)
{
    struct state *remembered = &comparison->remembered;
    TRY(read_file(acknowledged, remembered, detail));
    TRY(read_installation(db, comparison->found.installation));
    if (remembered->installation[0] != '\0' &&
        strcmp(comparison->found.installation, remembered->installation) != 0)
        return refuse_other(acknowledged, comparison, detail);
    TRY(read_rows(comparison, db, own_execution_id));
    if (!lacks_something(comparison)) return OK;
    if (!comparison->accepted) return refuse_missing(acknowledged, comparison, detail);
    char missing[2 * LIST];
    describe_missing(comparison, missing, sizeof(missing));
    log_event(LOG_LEVEL_WARN, "loss-accepted",
              "somebody has accepted that the database lost what it had acknowledged", "missing",
              missing, "accepted_by", comparison->accepted_by, NULL);
    return OK;
}

/* ERR_CONFLICT when another process has written the file since it was read. */
static enum err keep(const struct acknowledged *acknowledged, const struct comparison *comparison,
                     struct detail *detail)
{
    struct state *now = calloc(1, sizeof(*now));
    if (now == NULL) return ERR_MEMORY;
    enum err err = state_file_lock(acknowledged->file, detail);
    if (err == OK) {
        err = state_file_read(acknowledged->file, now, detail);
        if (err == OK && !is_same(now, &comparison->remembered)) err = ERR_CONFLICT;
        if (err == OK) err = state_file_write(acknowledged->file, &comparison->found, detail);
        state_file_unlock(acknowledged->file);
    }
    free(now);
    return err;
}

static enum err compare_and_keep(const struct acknowledged *acknowledged, struct db *db,
                                 int64_t own_execution_id, struct detail *detail)
{
    CLEANUP(free_pointer) struct comparison *comparison = calloc(1, sizeof(*comparison));
    struct detail words = {""};
    if (comparison == NULL) return ERR_MEMORY;
    TRY(compare(acknowledged, comparison, db, own_execution_id, detail));
    if (is_same(&comparison->remembered, &comparison->found)) return OK;
    enum err err = keep(acknowledged, comparison, &words);
    if (err != OK && err != ERR_CONFLICT)
        log_event(LOG_LEVEL_ERROR, "not-remembered",
                  words.text[0] != '\0' ? words.text : err_text(err), "error", err_name(err), NULL);
    return err == ERR_CONFLICT ? err : OK;
}

enum err acknowledged_compare(const struct acknowledged *acknowledged, struct db *db,
                              int64_t own_execution_id, struct detail *detail)
{
    enum err err = OK;
    if (acknowledged->file == NULL) return OK;
    for (int try = 0; try < TRIES; try++) {
        err = compare_and_keep(acknowledged, db, own_execution_id, detail);
        if (err != ERR_CONFLICT) return err;
    }
    return OK; /* the others of this host remember as much */
}
