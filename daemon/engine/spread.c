#include "daemon/engine/spread.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

static const char OPEN_SQL[] =
    "UPDATE step_plan SET open_execution_id = ?, open_skip_limit = ?, open_inputs = ?"
    " WHERE job_instance_id = ? AND step_name = ?"
    " AND EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?"
    " AND STATUS = 'STARTED')";
static const char CLOSE_SQL[] =
    "UPDATE step_plan SET open_execution_id = NULL"
    " WHERE job_instance_id = ? AND step_name = ? AND open_execution_id IS NOT NULL";
static const char CLOSE_ALL_SQL[] =
    "UPDATE step_plan SET open_execution_id = NULL"
    " WHERE job_instance_id = ? AND open_execution_id IS NOT NULL";
static const char WITHDRAW_ALL_SQL[] =
    "UPDATE step_partition SET epoch = epoch + 1, node_id = NULL, status = ?,"
    " updated_at = NOW(6) WHERE job_instance_id = ? AND status IN ('PENDING', 'STARTED')";
static const char UNFINISHED_SQL[] =
    "SELECT COUNT(*) FROM step_partition WHERE job_instance_id = ? AND step_name = ?"
    " AND status <> 'COMPLETED'";
static const char SURVEY_SQL[] =
    "SELECT p.partition_id, p.epoch, p.status, COALESCE(p.node_id, ''), p.read_count,"
    " p.status = 'COMPLETED' OR (e.STATUS IN ('STARTED', 'STOPPING') AND"
    " s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID), COALESCE(s.EXIT_MESSAGE, ''),"
    " e.STATUS = 'STOPPING'"
    " FROM step_partition p"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = ?"
    " LEFT JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " WHERE p.job_instance_id = ? AND p.step_name = ? ORDER BY p.partition_id";
static const char TAKE_AWAY_SQL[] =
    "UPDATE step_partition p"
    " JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = p.step_execution_id"
    " SET p.epoch = p.epoch + 1, p.node_id = NULL, p.status = 'PENDING', p.updated_at = NOW(6),"
    " s.STATUS = 'STARTING', s.LAST_UPDATED = NOW(6), s.VERSION = s.VERSION + 1"
    " WHERE p.partition_id = ? AND p.epoch = ? AND p.status = 'STARTED'";
static const char HELD_SQL[] =
    "SELECT p.partition_id, p.epoch FROM step_plan l JOIN step_partition p"
    " ON p.job_instance_id = l.job_instance_id AND p.step_name = l.step_name"
    " JOIN job_execution_owner o ON o.job_execution_id = l.open_execution_id"
    " JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = l.job_instance_id AND i.JOB_NAME = ?"
    " WHERE l.open_execution_id IS NOT NULL AND o.node_id <> ? AND p.status = 'STARTED'"
    " AND p.node_id = ? LIMIT 1";
static const char FIND_SQL[] =
    "SELECT l.step_name, q.PARAMETER_VALUE, l.job_instance_id, l.open_execution_id,"
    " (SELECT CAST(MIN(f.CREATE_TIME) AS CHAR) FROM BATCH_JOB_EXECUTION f"
    "  WHERE f.JOB_INSTANCE_ID = l.job_instance_id), l.open_skip_limit, l.open_inputs"
    " FROM step_plan l"
    " JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = l.open_execution_id"
    " JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = l.job_instance_id"
    " JOIN job_execution_owner o ON o.job_execution_id = l.open_execution_id"
    " JOIN node n ON n.node_id = o.node_id AND n.version = ?"
    " JOIN BATCH_JOB_EXECUTION_PARAMS q ON q.JOB_EXECUTION_ID = l.open_execution_id"
    " AND q.PARAMETER_NAME = 'targetDate'"
    " WHERE l.open_execution_id IS NOT NULL AND i.JOB_NAME = ? AND o.node_id <> ?"
    " AND e.STATUS = 'STARTED' ORDER BY l.open_execution_id LIMIT 1";
static const char GOES_ON_SQL[] =
    "SELECT STATUS = 'STARTED' FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?";
static const char DAEMONS_SQL[] =
    "SELECT COUNT(*) FROM node WHERE role = 'DAEMON' AND lease_until > NOW(6)"
    " AND takes_work AND drain_requested_at IS NULL";

enum { HELD_LIMIT = 1000 };

enum err spread_open(struct db *db, const struct run *run, const char *step_name,
                     const struct spread_terms *terms)
{
    return db_run(db, NULL, OPEN_SQL, "iisisi", run->job_execution_id, terms->skip_limit,
                  terms->inputs, run->job_instance_id, step_name, run->job_execution_id);
}

enum err spread_complete(struct db *db, const struct run *run, const char *step_name)
{
    int64_t unfinished = 0;
    TRY(db_run(db, NULL, CLOSE_SQL, "is", run->job_instance_id, step_name));
    TRY(db_query_i64(db, &unfinished, 0, UNFINISHED_SQL, "is", run->job_instance_id, step_name));
    return unfinished == 0 ? OK : ERR_FENCED;
}

enum err spread_give_up(struct db *db, int64_t job_instance_id, const char *status)
{
    TRY(db_run(db, NULL, CLOSE_ALL_SQL, "i", job_instance_id));
    return db_run(db, NULL, WITHDRAW_ALL_SQL, "si", status, job_instance_id);
}

/* ---- looking ---- */

void spread_news_free(struct spread_news *news)
{
    free(news->items);
    *news = (struct spread_news){0};
}

static int by_id(const void *left, const void *right)
{
    const struct partition_news *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

const struct partition_news *spread_news_find(const struct spread_news *news, int64_t id)
{
    const struct partition_news key = {.id = id};
    if (news->count == 0) return NULL;
    return bsearch(&key, news->items, (size_t)news->count, sizeof(*news->items), by_id);
}

static void read_news(const struct statement *row, struct spread_news *news)
{
    struct partition_news *one = &news->items[news->count++];
    const char *status = statement_text(row, 2);
    *one = (struct partition_news){
        .id = statement_i64(row, 0),
        .epoch = statement_i64(row, 1),
        .hand = partition_hand_of(status),
        .failed = strcmp(status, "FAILED") == 0 || strcmp(status, "STOPPED") == 0,
    };
    (void)text_format(one->node_id, sizeof(one->node_id), "%s", statement_text(row, 3));
    news->read_items += statement_i64(row, 4);
    if (one->failed && news->failure.text[0] == '\0')
        (void)detail_set(&news->failure, ERR_STEP_FAILED, "%s",
                         statement_text(row, 6)[0] == '\0' ? "a partition was stopped elsewhere"
                                                           : statement_text(row, 6));
}

static enum err read_all(struct db *db, const struct spread *spread, struct spread_news *news)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    const struct run *run = spread->run;
    TRY(db_query(db, &query, SURVEY_SQL, "iis", run->job_execution_id, run->job_instance_id,
                 spread->step_name));
    news->items = calloc((size_t)statement_rows(query) + 1, sizeof(*news->items));
    if (news->items == NULL) return ERR_MEMORY;
    for (bool row = true;;) {
        TRY(statement_fetch(query, &row));
        if (!row) return OK;
        if (statement_i64(query, 5) == 0) return ERR_FENCED;
        news->stop_asked = statement_i64(query, 7) != 0;
        read_news(query, news);
    }
}

static enum err is_gone(struct db *db, struct spread *spread, const char *node_id, bool *ret_gone)
{
    struct node_state state;
    TRY(node_look(db, node_id, &state));
    /* One that takes no work gives back what it has within moments, if it can. */
    bool sound = state.known && state.lock_held && state.takes_work;
    bool suspect = suspicion_look(&spread->suspicions, &clock_system, node_id, sound);
    *ret_gone = !state.known || !state.lease_valid || suspect;
    return OK;
}

static enum err take_away(struct db *db, const struct spread *spread, struct partition_news *one)
{
    int64_t matched = 0;
    TRY(db_run(db, &matched, TAKE_AWAY_SQL, "ii", one->id, one->epoch));
    if (matched == 0) return OK; /* it has moved since: the next look tells */
    log_event(LOG_LEVEL_WARN, "partition-taken-away",
              "the process that had a partition is gone; it is handed out again at its checkpoint",
              "execution", LOG_INT(spread->run->job_execution_id), "step", spread->step_name,
              "partition_id", LOG_INT(one->id), "node", one->node_id, NULL);
    one->hand = HAND_FREE;
    one->epoch++;
    return OK;
}

static enum err take_away_from_gone(struct db *db, struct spread *spread, struct spread_news *news)
{
    char looked_at[NODE_ID] = "";
    bool gone = false;
    for (int i = 0; i < news->count; i++) {
        struct partition_news *one = &news->items[i];
        bool elsewhere = one->hand == HAND_ELSEWHERE && strcmp(one->node_id, spread->node_id) != 0;
        if (!elsewhere) continue;
        if (strcmp(looked_at, one->node_id) != 0) TRY(is_gone(db, spread, one->node_id, &gone));
        memcpy(looked_at, one->node_id, sizeof(looked_at));
        if (gone) TRY(take_away(db, spread, one));
    }
    return OK;
}

enum err spread_survey(struct db *db, struct spread *spread, struct spread_news *ret_news)
{
    CLEANUP(spread_news_free) struct spread_news news = {0};
    TRY(read_all(db, spread, &news));
    if (spread->runs_execution) {
        enum err err = take_away_from_gone(db, spread, &news);
        if (err_class(err) == CLASS_CONNECTION) return err;
    }
    *ret_news = news;
    news.items = NULL;
    return OK;
}

/* ---- helping ---- */

enum err spread_find(struct db *db, const char *job_name, const char *node_id,
                     struct open_step *ret_step)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, FIND_SQL, "sss", SETTLEMENTD_VERSION, job_name, node_id));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    struct open_step step = {
        .job_instance_id = statement_i64(query, 2),
        .job_execution_id = statement_i64(query, 3),
    };
    bool fits =
        text_format(step.step_name, sizeof(step.step_name), "%s", statement_text(query, 0)) &&
        text_format(step.date, sizeof(step.date), "%s", statement_text(query, 1)) &&
        text_format(step.began_at, sizeof(step.began_at), "%s", statement_text(query, 4)) &&
        text_format(step.terms.inputs, JOB_INPUTS, "%s", statement_text(query, 6));
    step.terms.skip_limit = statement_i64(query, 5);
    if (!fits) return ERR_INVALID;
    *ret_step = step;
    return OK;
}

enum err spread_goes_on(struct db *db, int64_t job_execution_id, bool *ret_goes_on)
{
    int64_t started = 0;
    enum err err = db_query_i64(db, &started, 0, GOES_ON_SQL, "i", job_execution_id);
    if (err != OK && err != ERR_NOT_FOUND) return err;
    *ret_goes_on = err == OK && started != 0;
    return OK;
}

static enum err find_held(struct db *db, const char *job_name, const char *node_id,
                          struct partition_news *ret_held)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, HELD_SQL, "sss", job_name, node_id, node_id));
    TRY(statement_fetch(query, &row));
    if (!row) return ERR_NOT_FOUND;
    ret_held->id = statement_i64(query, 0);
    ret_held->epoch = statement_i64(query, 1);
    return OK;
}

enum err spread_give_back(struct db *db, const char *job_name, const char *node_id)
{
    struct partition_news held = {0};
    for (int i = 0; i < HELD_LIMIT; i++) {
        enum err err = find_held(db, job_name, node_id, &held);
        if (err != OK) return err == ERR_NOT_FOUND ? OK : err;
        TRY(db_run(db, NULL, TAKE_AWAY_SQL, "ii", held.id, held.epoch));
    }
    return OK;
}

enum err spread_daemons(struct db *db, int *ret_count)
{
    int64_t count = 0;
    TRY(db_query_i64(db, &count, 0, DAEMONS_SQL, ""));
    *ret_count = (int)min_i64(count, 1000);
    return OK;
}
