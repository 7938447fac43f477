#include "daemon/guard.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/schema.h"
#include "common/server_check.h"
#include "daemon/acknowledged.h"

enum { DIRECTORY = 4096 };

struct guard {
    struct config_database database;
    struct schema *schema;
    struct acknowledged *acknowledged;
    struct db_gate gate, heartbeat_gate;
    pthread_mutex_t lock;
    char examined[SERVER_IDENTITY]; /* behind the lock: the server that was found good last */
    _Atomic bool confirmed;
};

/* systemd hands over a list when a unit has several; the first is ours. */
static void choose_directory(const struct config *config, char *ret_path, size_t size)
{
    const char *handed_over = getenv("STATE_DIRECTORY");
    if (config->state_directory[0] != '\0' || handed_over == NULL)
        (void)text_format(ret_path, size, "%s", config->state_directory);
    else
        (void)text_format(ret_path, size, "%.*s", (int)strcspn(handed_over, ":"), handed_over);
}

static bool was_examined(struct guard *guard, const char *identity)
{
    pthread_mutex_lock(&guard->lock);
    bool same = strcmp(guard->examined, identity) == 0;
    pthread_mutex_unlock(&guard->lock);
    return same;
}

static void set_examined(struct guard *guard, const char *identity)
{
    pthread_mutex_lock(&guard->lock);
    bool same = strcmp(guard->examined, identity) == 0;
    (void)text_format(guard->examined, sizeof(guard->examined), "%s", identity);
    pthread_mutex_unlock(&guard->lock);
    if (same || identity[0] == '\0') return;
    log_event(LOG_LEVEL_INFO, "server-examined",
              "this server's settings, its schema and what it has acknowledged are good", "server",
              identity, NULL);
}

/* Words for what the server itself has said. */
static enum err explain(struct db *db, enum err err, struct detail *detail)
{
    if (err == OK || detail->text[0] != '\0') return err;
    return detail_set(detail, err, "looking at the server's settings and schema: %s (%u)",
                      db_message(db), db_error_number(db));
}

/* A server that is no good is waited for like one that is away, once there was a good one. */
static enum err translate(const struct guard *guard, enum err err)
{
    bool refused = err == ERR_SETTING || err == ERR_SCHEMA;
    return refused && atomic_load(&guard->confirmed) ? ERR_UNSAFE : err;
}

static enum err examine(struct guard *guard, struct db *db, bool tables, struct detail *detail)
{
    TRY(tables ? server_check(db, &guard->database, detail)
               : server_check_settings(db, &guard->database, detail));
    TRY(schema_matches(db, guard->schema, detail));
    return acknowledged_compare(guard->acknowledged, db, 0, detail);
}

/* A connection that was made anew may have found the same server with other settings, or with
 * another past. */
static enum err admit(struct db *db, void *context, struct detail *detail)
{
    struct guard *guard = context;
    char identity[SERVER_IDENTITY];
    enum err err = server_identity(db, identity);
    if (err == OK && !db_is_renewed(db) && was_examined(guard, identity)) return OK;
    if (err == OK) err = examine(guard, db, true, detail);
    if (err_class(err) != CLASS_CONNECTION || err == ERR_BEHIND || err == ERR_READ_ONLY)
        set_examined(guard, err == OK ? identity : "");
    return translate(guard, explain(db, err, detail));
}

static enum err admit_heartbeat(struct db *db, void *context, struct detail *detail)
{
    struct guard *guard = context;
    enum err err = server_check_settings(db, &guard->database, detail);
    return translate(guard, explain(db, err, detail));
}

static enum err open_state(struct guard *guard, const struct config *config, struct detail *detail)
{
    char migrations[PATH_MAX], state[DIRECTORY];
    choose_directory(config, state, sizeof(state));
    TRY(schema_directory(migrations, sizeof(migrations), detail));
    TRY(schema_load(migrations, &guard->schema, detail));
    return acknowledged_new(state, config->database.name, &guard->acknowledged, detail);
}

enum err guard_new(const struct config *config, struct guard **ret_guard, struct detail *detail)
{
    struct guard *guard = calloc(1, sizeof(*guard));
    if (guard == NULL) return ERR_MEMORY;
    guard->database = config->database;
    guard->gate = (struct db_gate){admit, guard};
    guard->heartbeat_gate = (struct db_gate){admit_heartbeat, guard};
    int failed = pthread_mutex_init(&guard->lock, NULL);
    ASSERT(failed == 0);
    enum err err = open_state(guard, config, detail);
    if (err != OK) {
        guard_free(guard);
        return err;
    }
    *ret_guard = guard;
    return OK;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL) return;
    acknowledged_free(guard->acknowledged);
    schema_free(guard->schema);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

const struct db_gate *guard_gate(struct guard *guard)
{
    return &guard->gate;
}

const struct db_gate *guard_gate_of_heartbeat(struct guard *guard)
{
    return &guard->heartbeat_gate;
}

void guard_confirm(struct guard *guard)
{
    atomic_store(&guard->confirmed, true);
}

static enum err conclude(struct guard *guard, struct db *db, enum err err, struct detail *detail)
{
    if (err == OK) return OK;
    err = translate(guard, explain(db, err, detail));
    if (err == ERR_UNSAFE || err == ERR_BEHIND || err == ERR_READ_ONLY) db_refuse(db, detail->text);
    return err;
}

enum err guard_examine(struct guard *guard, struct db *db, struct detail *detail)
{
    return conclude(guard, db, examine(guard, db, true, detail), detail);
}

enum err guard_look(struct guard *guard, struct db *db, struct detail *detail)
{
    return conclude(guard, db, examine(guard, db, false, detail), detail);
}

void guard_remember(struct guard *guard, struct db *db, int64_t job_execution_id)
{
    struct detail detail = {""};
    enum err err = acknowledged_compare(guard->acknowledged, db, job_execution_id, &detail);
    if (err == OK) return;
    (void)explain(db, err, &detail);
    log_event(LOG_LEVEL_WARN, "not-remembered", detail.text, "execution", LOG_INT(job_execution_id),
              "error", err_name(err), NULL);
}
