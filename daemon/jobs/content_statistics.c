/* Step content-statistics: the views and the watch time of each content on the day, and all its
 * views up to the day.
 *
 * A page is one statement: it groups the logs of the next contents in the order of the covering
 * index, so that the server reads an index and sorts nothing (it evaluates the condition for every
 * log, hence its form: a typed date and BETWEEN cost less than a text and two comparisons), and
 * looks up each content's latest DAILY row before the day, from which the accumulated figures are
 * carried on. */
#include <stdlib.h>

#include "daemon/jobs/daily_settlement.h"
#include "daemon/jobs/key_sources.h"

/* The day before is where most contents' latest row is, one look-up by primary key; only for the
 * others is it searched. */
static const char PAGE_SQL[] =
    "SELECT page.content_post_id, page.views, page.seconds,"
    " COALESCE(yesterday.accumulated_views, (SELECT latest.accumulated_views"
    "  FROM content_statistics latest FORCE INDEX (content_statistics_content) WHERE latest.period = 'DAILY'"
    "  AND latest.content_post_id = page.content_post_id AND latest.statistics_date < ?"
    "  ORDER BY latest.statistics_date DESC LIMIT 1), 0),"
    " COALESCE(yesterday.accumulated_ad_views, (SELECT latest.accumulated_ad_views"
    "  FROM content_statistics latest FORCE INDEX (content_statistics_content) WHERE latest.period = 'DAILY'"
    "  AND latest.content_post_id = page.content_post_id AND latest.statistics_date < ?"
    "  ORDER BY latest.statistics_date DESC LIMIT 1), 0)"
    " FROM (SELECT content_post_id, COUNT(*) AS views, SUM(total_playback_time) AS seconds"
    "  FROM member_content_watch_log"
    "  WHERE watched_date = CAST(? AS DATE) AND content_post_id BETWEEN ? AND ?"
    "  GROUP BY content_post_id ORDER BY content_post_id LIMIT ?) page"
    " LEFT JOIN content_statistics yesterday ON yesterday.period = 'DAILY'"
    " AND yesterday.statistics_date = CAST(? AS DATE) - INTERVAL 1 DAY"
    " AND yesterday.content_post_id = page.content_post_id"
    " ORDER BY page.content_post_id";
/* Plain INSERT: a row that is there already is a defect, and stops the step. */
static const char WRITE_SQL[] =
    "INSERT INTO content_statistics (period, statistics_date, content_post_id, view_count,"
    " watch_time, accumulated_views, accumulated_ad_views) VALUES ('DAILY', ?, ?, ?, ?, ?, ?)";

/* A page, column by column, as array binding wants it. */
struct page {
    struct statement *read, *write;
    int64_t capacity, count;
    int64_t *content, *views, *seconds, *accumulated_views, *accumulated_ad_views;
    int64_t *memory; /* all columns */
};

enum { PAGE_COLUMNS = 5 };

static void page_close(void *state)
{
    struct page *page = state;
    statement_free(page->read);
    statement_free(page->write);
    free(page->memory);
    free(page);
}

static enum err page_prepare(struct db *db, struct page *page)
{
    size_t rows = (size_t)page->capacity;
    page->memory = calloc(rows * PAGE_COLUMNS, sizeof(*page->memory));
    if (page->memory == NULL) return ERR_MEMORY;
    page->content = page->memory;
    page->views = page->content + rows;
    page->seconds = page->views + rows;
    page->accumulated_views = page->seconds + rows;
    page->accumulated_ad_views = page->accumulated_views + rows;
    TRY(statement_new(db, PAGE_SQL, &page->read));
    return statement_new(db, WRITE_SQL, &page->write);
}

static enum err page_open(struct db *db, const struct run *run, void **ret_state)
{
    struct page *page = calloc(1, sizeof(*page));
    if (page == NULL) return ERR_MEMORY;
    page->capacity = run->chunk_size;
    enum err err = page_prepare(db, page);
    if (err != OK) {
        page_close(page);
        return err;
    }
    *ret_state = page;
    return OK;
}

static enum err page_read(struct page *page, const struct chunk *chunk)
{
    struct statement *read = page->read;
    const char *date = chunk->run->date;
    statement_bind_text(read, 0, date);
    statement_bind_text(read, 1, date);
    statement_bind_text(read, 2, date);
    statement_bind_i64(read, 3, chunk->after_key + 1);
    statement_bind_i64(read, 4, chunk->upper_key);
    statement_bind_i64(read, 5, page->capacity);
    statement_bind_text(read, 6, date);
    TRY(statement_execute(read));
    for (page->count = 0;; page->count++) {
        bool row = false;
        TRY(statement_fetch(read, &row));
        if (!row) return OK;
        ASSERT(page->count < page->capacity);
        int64_t i = page->count;
        page->content[i] = statement_i64(read, 0);
        page->views[i] = statement_i64(read, 1);
        page->seconds[i] = statement_i64(read, 2);
        page->accumulated_ad_views[i] = statement_i64(read, 4);
        if (!add_i64(statement_i64(read, 3), page->views[i], &page->accumulated_views[i]))
            return ERR_OVERFLOW;
    }
}

static enum err page_write(struct page *page, const struct chunk *chunk)
{
    const struct column columns[] = {
        {.same_date = chunk->run->date},
        {.i64 = page->content},
        {.i64 = page->views},
        {.i64 = page->seconds},
        {.i64 = page->accumulated_views},
        {.i64 = page->accumulated_ad_views},
    };
    TRY(statement_execute_columns(page->write, columns, COUNT_OF(columns), page->count));
    return statement_affected(page->write) == page->count ? OK : ERR_SQL;
}

static enum err process(struct chunk *chunk, void *state)
{
    struct page *page = state;
    TRY(page_read(page, chunk));
    chunk->finished = page->count < page->capacity;
    if (page->count == 0) return OK;

    TRY(page_write(page, chunk));
    chunk->last_key = page->content[page->count - 1];
    chunk->finished = chunk->finished || chunk->last_key == chunk->upper_key;
    chunk->written = page->count;
    for (int64_t i = 0; i < page->count; i++)
        if (!add_i64(chunk->read, page->views[i], &chunk->read)) return ERR_OVERFLOW;
    return OK;
}

const struct step content_statistics_step = {
    .name = "content-statistics",
    .unit = "logs",
    .source = {WATCH_LOG_KEYS},
    .open = page_open,
    .process = process,
    .close = page_close,
};
