/* Writes the same rows of content_statistics in four ways and says how many a second: one prepared
 * INSERT for each row with a COMMIT after each chunk; the same with a COMMIT after each row, as a
 * connection left at autocommit does; array binding with a round trip and a COMMIT for each chunk,
 * as a worker of settlementd does; and that by all workers at once, each with a connection and with
 * its part of the keys.
 *
 *   writes SOCKET DATABASE DATE CHUNK WORKERS
 *
 * Reads the DAILY rows of the date into memory first; writes them into the table `written`, made
 * like content_statistics and empty each time. Prints "NAME ROWS MICROSECONDS" for row-at-a-time,
 * row-committed (its first rows), batched and batched-by-all (several times, since once is over in
 * a moment). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/db/connection.h"
#include "common/db/statement.h"
#include "common/db/transaction.h"

static const char READ_SQL[] =
    "SELECT content_post_id, view_count, watch_time, ad_view_count, accumulated_views,"
    " accumulated_ad_views FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ? ORDER BY content_post_id";
static const char DROP_SQL[] = "DROP TABLE IF EXISTS written";
static const char CREATE_SQL[] = "CREATE TABLE written LIKE content_statistics";
static const char WRITE_SQL[] =
    "INSERT INTO written (period, statistics_date, content_post_id, view_count, watch_time,"
    " ad_view_count, accumulated_views, accumulated_ad_views)"
    " VALUES ('DAILY', ?, ?, ?, ?, ?, ?, ?)";

enum {
    VALUES = 6,
    PARAMETERS = VALUES + 1,
    ARGUMENTS = 6,
    WORKERS_MAX = 64,
    COMMITTED_SINGLY = 5000,
    BATCHED_TIMES = 5
};

struct rows {
    const char *date;
    int64_t count, chunk;
    int64_t *values[VALUES]; /* a column each */
};

static enum err read_rows(struct db *db, struct rows *rows)
{
    CLEANUP(statement_cleanup) struct statement *read = NULL;
    TRY(db_query(db, &read, READ_SQL, "s", rows->date));
    int64_t capacity = statement_rows(read);
    if (capacity == 0) return ERR_NOT_FOUND;
    for (int i = 0; i < VALUES; i++) {
        rows->values[i] = calloc((size_t)capacity, sizeof(*rows->values[i]));
        if (rows->values[i] == NULL) return ERR_MEMORY;
    }
    for (bool row = true;;) {
        TRY(statement_fetch(read, &row));
        if (!row) return OK;
        for (int i = 0; i < VALUES; i++)
            rows->values[i][rows->count] = statement_i64(read, i);
        rows->count++;
    }
}

static enum err write_one(struct statement *write, const struct rows *rows, int64_t row)
{
    statement_bind_text(write, 0, rows->date);
    for (int i = 0; i < VALUES; i++)
        statement_bind_i64(write, i + 1, rows->values[i][row]);
    return statement_execute(write);
}

static enum err write_singly(struct statement *write, const struct rows *rows, int64_t first,
                             int64_t count)
{
    for (int64_t row = first; row < first + count; row++)
        TRY(write_one(write, rows, row));
    return OK;
}

static enum err write_batch(struct statement *write, const struct rows *rows, int64_t first,
                            int64_t count)
{
    struct column columns[PARAMETERS] = {{.same_date = rows->date}};
    for (int i = 0; i < VALUES; i++)
        columns[i + 1].i64 = rows->values[i] + first;
    return statement_execute_columns(write, columns, PARAMETERS, count);
}

typedef enum err chunk_writer(struct statement *write, const struct rows *rows, int64_t first,
                              int64_t count);

/* A way to write: all rows of a chunk by `writer`, then a COMMIT. */
struct way {
    const char *name;
    chunk_writer *writer;
    int64_t chunk, limit; /* rows in a chunk; rows in all */
    int workers, times;
};

/* A connection, and the part of the rows that is written by it. */
struct worker {
    struct db *db;
    const struct rows *rows;
    const struct way *way;
    int64_t first, end;
    struct statement *write;
    pthread_t thread;
    enum err err;
};

static enum err write_chunks(struct worker *worker)
{
    const struct way *way = worker->way;
    for (int64_t first = worker->first; first < worker->end; first += way->chunk) {
        int64_t count = min_i64(way->chunk, worker->end - first);
        TRY(db_begin(worker->db));
        TRY(way->writer(worker->write, worker->rows, first, count));
        TRY(db_commit(worker->db));
    }
    return OK;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    worker->err = write_chunks(worker);
    return NULL;
}

/* The first of them in this thread, the others beside it. */
static enum err work_together(struct worker *workers, int count)
{
    int started = 1;
    enum err err = OK;
    while (started < count && err == OK) {
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
            started++;
        else
            err = ERR_SHORTAGE;
    }
    (void)work(&workers[0]);
    for (int i = 1; i < started; i++)
        (void)pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < started && err == OK; i++)
        err = workers[i].err;
    return err;
}

/* Writes the first `count` rows into an empty table; adds what it took to *took_us. */
static enum err write_all(struct worker *workers, const struct rows *rows, const struct way *way,
                          int64_t count, int64_t *took_us)
{
    TRY(db_execute(workers[0].db, DROP_SQL));
    TRY(db_execute(workers[0].db, CREATE_SQL));
    for (int i = 0; i < way->workers; i++) {
        struct worker *worker = &workers[i];
        worker->rows = rows;
        worker->way = way;
        worker->first = count * i / way->workers;
        worker->end = count * (i + 1) / way->workers;
        TRY(statement_new(worker->db, WRITE_SQL, &worker->write));
    }
    int64_t began_us = clock_monotonic_us(&clock_system);
    enum err err = work_together(workers, way->workers);
    *took_us += clock_monotonic_us(&clock_system) - began_us;
    for (int i = 0; i < way->workers; i++)
        statement_free(workers[i].write);
    return err;
}

static enum err measure(struct worker *workers, const struct rows *rows, const struct way *way)
{
    int64_t count = min_i64(way->limit, rows->count), written = 0, took_us = 0;
    for (int i = 0; i < way->times; i++, written += count)
        TRY(write_all(workers, rows, way, count, &took_us));
    printf("%s %lld %lld\n", way->name, (long long)written, (long long)took_us);
    return OK;
}

static enum err compare(struct worker *workers, int count, struct rows *rows)
{
    const struct way ways[] = {{"row-at-a-time", write_singly, rows->chunk, INT64_MAX, 1, 1},
                               {"row-committed", write_singly, 1, COMMITTED_SINGLY, 1, 1},
                               {"batched", write_batch, rows->chunk, INT64_MAX, 1, BATCHED_TIMES},
                               {"batched-by-all", write_batch, rows->chunk, INT64_MAX, count,
                                BATCHED_TIMES}};
    TRY(read_rows(workers[0].db, rows));
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        TRY(measure(workers, rows, &ways[i]));
    return db_execute(workers[0].db, DROP_SQL);
}

/* What the server said to the worker that met the error; to the first one, which prepares for all,
 * when none of them did. */
static const char *words_of(const struct worker *workers, int count, enum err err)
{
    for (int i = 0; i < count; i++)
        if (workers[i].err == err) return db_message(workers[i].db);
    return db_message(workers[0].db);
}

static enum err run(const struct db_options *options, int count, struct rows *rows,
                    struct detail *detail)
{
    struct worker workers[WORKERS_MAX] = {{.db = NULL}};
    enum err err = OK;
    for (int i = 0; i < count && err == OK; i++)
        err = db_open(options, &workers[i].db, detail);
    if (err == OK) {
        err = compare(workers, count, rows);
        if (err != OK)
            (void)detail_set(detail, err, "%s: %s", err_text(err), words_of(workers, count, err));
    }
    for (int i = 0; i < count; i++)
        db_free(workers[i].db);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != ARGUMENTS) {
        fputs("usage: writes SOCKET DATABASE DATE CHUNK WORKERS\n", stderr);
        return 2;
    }
    struct db_options options = {.connect_timeout_s = 5};
    struct rows rows = {.date = argv[3], .chunk = strtoll(argv[4], NULL, 10)};
    struct detail detail = {""};
    bool fits =
        text_format(options.database.socket, sizeof(options.database.socket), "%s", argv[1]) &&
        text_format(options.database.name, sizeof(options.database.name), "%s", argv[2]) &&
        text_format(options.database.user, sizeof(options.database.user), "root");
    int64_t workers = strtoll(argv[5], NULL, 10);
    if (!fits || rows.chunk < 1 || workers < 1 || workers > WORKERS_MAX) {
        fputs("writes: an argument is too long, or CHUNK or WORKERS is no number from 1\n", stderr);
        return 2;
    }
    enum err err = run(&options, (int)workers, &rows, &detail);
    for (int i = 0; i < VALUES; i++)
        free(rows.values[i]);
    if (err == OK) return 0;
    fprintf(stderr, "writes: %s %s\n", err_name(err), detail.text);
    return 1;
}
