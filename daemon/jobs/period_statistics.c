/* Step period-statistics: adds the day to the week, the month and the year that it lies in.
 *
 * Adding inside the fenced chunk costs the same on the first day and after years: it touches the
 * contents of the day and three rows of each. That the sums are right all the same is proven
 * afterwards, by the reconciliation, from the days themselves. The rows never leave the server: a
 * chunk is a range of contents, and each addition one statement over it. */
#include <stdlib.h>

#include "daemon/jobs/daily_settlement.h"
#include "daemon/jobs/key_sources.h"

static const char PAGE_SQL[] =
    "SELECT COUNT(*), MAX(content_post_id) FROM (SELECT content_post_id FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ?"
    " AND content_post_id > ? AND content_post_id <= ? ORDER BY content_post_id LIMIT ?) page";
static const char ADD_CONTENTS_SQL[] =
    "INSERT INTO content_statistics (period, statistics_date, content_post_id, view_count,"
    " watch_time, ad_view_count)"
    " SELECT ?, ?, content_post_id, view_count, watch_time, ad_view_count"
    " FROM content_statistics day WHERE period = 'DAILY' AND statistics_date = ?"
    " AND content_post_id > ? AND content_post_id <= ? ORDER BY content_post_id"
    " ON DUPLICATE KEY UPDATE view_count = content_statistics.view_count + VALUES(view_count),"
    " watch_time = content_statistics.watch_time + VALUES(watch_time),"
    " ad_view_count = content_statistics.ad_view_count + VALUES(ad_view_count)";
static const char ADD_ADS_SQL[] =
    "INSERT INTO ad_statistics (period, statistics_date, content_post_id, advertisement_id,"
    " view_count, watch_time)"
    " SELECT ?, ?, content_post_id, advertisement_id, view_count, watch_time"
    " FROM ad_statistics day WHERE period = 'DAILY' AND statistics_date = ?"
    " AND content_post_id > ? AND content_post_id <= ?"
    " ORDER BY content_post_id, advertisement_id"
    " ON DUPLICATE KEY UPDATE view_count = ad_statistics.view_count + VALUES(view_count),"
    " watch_time = ad_statistics.watch_time + VALUES(watch_time)";

enum { PERIODS = 3 };

struct adder {
    struct statement *page, *add_contents, *add_ads;
};

static void adder_close(void *state)
{
    struct adder *adder = state;
    statement_free(adder->page);
    statement_free(adder->add_contents);
    statement_free(adder->add_ads);
    free(adder);
}

static enum err adder_prepare(struct db *db, struct adder *adder)
{
    TRY(statement_new(db, PAGE_SQL, &adder->page));
    TRY(statement_new(db, ADD_CONTENTS_SQL, &adder->add_contents));
    return statement_new(db, ADD_ADS_SQL, &adder->add_ads);
}

static enum err adder_open(struct db *db, const struct run *run, void **ret_state)
{
    (void)run;
    struct adder *adder = calloc(1, sizeof(*adder));
    if (adder == NULL) return ERR_MEMORY;
    enum err err = adder_prepare(db, adder);
    if (err != OK) {
        adder_close(adder);
        return err;
    }
    *ret_state = adder;
    return OK;
}

/* Adds the day's rows of the chunk's contents to one period. */
static enum err add(struct statement *statement, const struct chunk *chunk, const char *period,
                    const char *first_day)
{
    statement_bind_text(statement, 0, period);
    statement_bind_text(statement, 1, first_day);
    statement_bind_text(statement, 2, chunk->run->date);
    statement_bind_i64(statement, 3, chunk->after_key);
    statement_bind_i64(statement, 4, chunk->last_key);
    return statement_execute(statement);
}

static enum err find_page(struct adder *adder, struct chunk *chunk)
{
    statement_bind_text(adder->page, 0, chunk->run->date);
    statement_bind_i64(adder->page, 1, chunk->after_key);
    statement_bind_i64(adder->page, 2, chunk->upper_key);
    statement_bind_i64(adder->page, 3, chunk->run->chunk_size);
    TRY(statement_execute_row(adder->page));
    chunk->read = statement_i64(adder->page, 0);
    chunk->last_key = statement_i64(adder->page, 1);
    chunk->finished = chunk->read < chunk->run->chunk_size || chunk->last_key == chunk->upper_key;
    return OK;
}

static enum err process(struct chunk *chunk, void *state)
{
    struct adder *adder = state;
    const struct daily_facts *facts = daily_facts_of(chunk->run);
    const char *const periods[PERIODS][2] = {{"WEEKLY", facts->week},
                                             {"MONTHLY", facts->month},
                                             {"YEARLY", facts->year}};
    TRY(find_page(adder, chunk));
    if (chunk->read == 0) return OK;
    for (int i = 0; i < PERIODS; i++) {
        TRY(add(adder->add_contents, chunk, periods[i][0], periods[i][1]));
        TRY(add(adder->add_ads, chunk, periods[i][0], periods[i][1]));
    }
    chunk->written = chunk->read * PERIODS;
    return OK;
}

const struct step period_statistics_step = {
    .name = "period-statistics",
    .unit = "contents",
    .source = {DAILY_ROW_KEYS},
    .open = adder_open,
    .process = process,
    .close = adder_close,
};
