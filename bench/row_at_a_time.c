/* Writes the same rows of content_statistics in three ways and says how many a second: one prepared
 * INSERT for each row with a COMMIT after each chunk; the same with a COMMIT after each row, as a
 * connection left at autocommit does; and array binding with a round trip and a COMMIT for each
 * chunk, as settlementd does.
 *
 *   row_at_a_time SOCKET DATABASE DATE CHUNK
 *
 * Reads the DAILY rows of the date into memory first; writes them into the table `written`, made
 * like content_statistics and empty before each way. Prints "NAME ROWS MICROSECONDS" for
 * row-at-a-time, row-committed (its first rows) and batched. */
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

enum { VALUES = 6, PARAMETERS = VALUES + 1, ARGUMENTS = 5, COMMITTED_SINGLY = 5000 };

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
};

static enum err measure(struct db *db, const struct rows *rows, const struct way *way)
{
    CLEANUP(statement_cleanup) struct statement *write = NULL;
    int64_t count = min_i64(way->limit, rows->count);
    TRY(db_execute(db, DROP_SQL));
    TRY(db_execute(db, CREATE_SQL));
    TRY(statement_new(db, WRITE_SQL, &write));
    int64_t began_us = clock_monotonic_us(&clock_system);
    for (int64_t first = 0; first < count; first += way->chunk) {
        TRY(db_begin(db));
        TRY(way->writer(write, rows, first, min_i64(way->chunk, count - first)));
        TRY(db_commit(db));
    }
    int64_t took_us = clock_monotonic_us(&clock_system) - began_us;
    printf("%s %lld %lld\n", way->name, (long long)count, (long long)took_us);
    return OK;
}

static enum err run(const struct db_options *options, struct rows *rows, struct detail *detail)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(db_open(options, &db, detail));
    enum err err = read_rows(db, rows);
    const struct way ways[] = {{"row-at-a-time", write_singly, rows->chunk, INT64_MAX},
                               {"row-committed", write_singly, 1, COMMITTED_SINGLY},
                               {"batched", write_batch, rows->chunk, INT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(ways) && err == OK; i++)
        err = measure(db, rows, &ways[i]);
    if (err != OK) return detail_set(detail, err, "%s: %s", err_text(err), db_message(db));
    return db_execute(db, DROP_SQL);
}

int main(int argc, char **argv)
{
    if (argc != ARGUMENTS) {
        fputs("usage: row_at_a_time SOCKET DATABASE DATE CHUNK\n", stderr);
        return 2;
    }
    struct db_options options = {.connect_timeout_s = 5};
    struct rows rows = {.date = argv[3], .chunk = strtoll(argv[4], NULL, 10)};
    struct detail detail = {""};
    bool fits =
        text_format(options.database.socket, sizeof(options.database.socket), "%s", argv[1]) &&
        text_format(options.database.name, sizeof(options.database.name), "%s", argv[2]) &&
        text_format(options.database.user, sizeof(options.database.user), "root");
    if (!fits || rows.chunk < 1) {
        fputs("row_at_a_time: an argument is too long, or CHUNK is not a number from 1\n", stderr);
        return 2;
    }
    enum err err = run(&options, &rows, &detail);
    for (int i = 0; i < VALUES; i++)
        free(rows.values[i]);
    if (err == OK) return 0;
    fprintf(stderr, "row_at_a_time: %s %s\n", err_name(err), detail.text);
    return 1;
}
