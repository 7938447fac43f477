/* Step ad-statistics: the views of each advertisement with each content on the day, and from them
 * the advertisement views of each content, on the day and up to it.
 *
 * A page is pairs of content and advertisement; a content whose pairs do not all fit on it waits
 * for the next page, which is made larger when even one content's pairs do not fit. The counts of
 * the contents are then derived from the pairs just written, not from the logs once more, so that a
 * log which arrives in between cannot make the two disagree. */
#include <stdlib.h>

#include "daemon/jobs/daily_settlement.h"

static const char BOUNDS_SQL[] =
    "SELECT MIN(content_post_id), MAX(content_post_id) FROM member_ad_watch_log"
    " WHERE watched_date = ?";
static const char ESTIMATE_SQL[] =
    "EXPLAIN SELECT content_post_id FROM member_ad_watch_log"
    " WHERE watched_date = ? AND content_post_id > ? AND content_post_id <= ?";
static const char LAST_BELOW_SQL[] =
    "SELECT MAX(content_post_id) FROM member_ad_watch_log"
    " WHERE watched_date = ? AND content_post_id <= ?";
static const char FIRST_ABOVE_SQL[] =
    "SELECT MIN(content_post_id) FROM member_ad_watch_log"
    " WHERE watched_date = ? AND content_post_id > ?";
static const char PAIRS_SQL[] =
    "SELECT content_post_id, advertisement_id, COUNT(*), SUM(playback_position)"
    " FROM member_ad_watch_log"
    " WHERE watched_date = CAST(? AS DATE) AND content_post_id BETWEEN ? AND ?"
    " GROUP BY content_post_id, advertisement_id"
    " ORDER BY content_post_id, advertisement_id LIMIT ?";
static const char WRITE_PAIRS_SQL[] =
    "INSERT INTO ad_statistics (period, statistics_date, content_post_id, advertisement_id,"
    " view_count, watch_time) VALUES ('DAILY', ?, ?, ?, ?, ?)";
/* Of each content: its advertisement views today, and what it had accumulated. Its row of today,
 * which is there when it was viewed itself, has carried the advertisement views of before; for the
 * others the latest row is searched. */
static const char CONTENTS_SQL[] =
    "SELECT ads.content_post_id, ads.views,"
    " COALESCE(today.accumulated_views, (SELECT s.accumulated_views FROM content_statistics s"
    " FORCE INDEX (content_statistics_content)"
    "  WHERE s.period = 'DAILY' AND s.content_post_id = ads.content_post_id"
    "  AND s.statistics_date < ? ORDER BY s.statistics_date DESC LIMIT 1), 0),"
    " COALESCE(today.accumulated_ad_views, (SELECT s.accumulated_ad_views"
    "  FROM content_statistics s"
    " FORCE INDEX (content_statistics_content)"
    "  WHERE s.period = 'DAILY' AND s.content_post_id = ads.content_post_id"
    "  AND s.statistics_date < ? ORDER BY s.statistics_date DESC LIMIT 1), 0)"
    " FROM (SELECT content_post_id, SUM(view_count) AS views FROM ad_statistics"
    "  WHERE period = 'DAILY' AND statistics_date = ?"
    "  AND content_post_id > ? AND content_post_id <= ?"
    "  GROUP BY content_post_id ORDER BY content_post_id) ads"
    " LEFT JOIN content_statistics today ON today.period = 'DAILY'"
    " AND today.statistics_date = ? AND today.content_post_id = ads.content_post_id"
    " ORDER BY ads.content_post_id";
static const char WRITE_CONTENTS_SQL[] =
    "INSERT INTO content_statistics (period, statistics_date, content_post_id, ad_view_count,"
    " accumulated_views, accumulated_ad_views) VALUES ('DAILY', ?, ?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE ad_view_count = VALUES(ad_view_count),"
    " accumulated_ad_views = VALUES(accumulated_ad_views)";

enum { PAIR_COLUMNS = 4, CONTENT_COLUMNS = 4, PAIRS_FOR_EACH_KEY = 4 };

struct page {
    struct statement *read_pairs, *write_pairs, *read_contents, *write_contents;
    int64_t capacity, count; /* pairs */
    int64_t *content, *advertisement, *views, *seconds;
    int64_t *memory;
    int64_t content_count; /* contents among the pairs: at most as many as pairs */
    int64_t *keys, *ad_views, *accumulated_views, *accumulated_ad_views;
};

static void page_close(void *state)
{
    struct page *page = state;
    statement_free(page->read_pairs);
    statement_free(page->write_pairs);
    statement_free(page->read_contents);
    statement_free(page->write_contents);
    free(page->memory);
    free(page);
}

static enum err page_resize(struct page *page, int64_t capacity)
{
    size_t rows = (size_t)capacity;
    int64_t *memory = calloc(rows * (PAIR_COLUMNS + CONTENT_COLUMNS), sizeof(*memory));
    if (memory == NULL) return ERR_MEMORY;
    free(page->memory);
    page->memory = memory;
    page->capacity = capacity;
    page->content = memory;
    page->advertisement = page->content + rows;
    page->views = page->advertisement + rows;
    page->seconds = page->views + rows;
    page->keys = page->seconds + rows;
    page->ad_views = page->keys + rows;
    page->accumulated_views = page->ad_views + rows;
    page->accumulated_ad_views = page->accumulated_views + rows;
    return OK;
}

static enum err page_prepare(struct db *db, struct page *page, int chunk_size)
{
    TRY(page_resize(page, (int64_t)chunk_size * PAIRS_FOR_EACH_KEY));
    TRY(statement_new(db, PAIRS_SQL, &page->read_pairs));
    TRY(statement_new(db, WRITE_PAIRS_SQL, &page->write_pairs));
    TRY(statement_new(db, CONTENTS_SQL, &page->read_contents));
    return statement_new(db, WRITE_CONTENTS_SQL, &page->write_contents);
}

static enum err page_open(struct db *db, const struct run *run, void **ret_state)
{
    struct page *page = calloc(1, sizeof(*page));
    if (page == NULL) return ERR_MEMORY;
    enum err err = page_prepare(db, page, run->chunk_size);
    if (err != OK) {
        page_close(page);
        return err;
    }
    *ret_state = page;
    return OK;
}

static enum err read_pairs(struct page *page, const struct chunk *chunk)
{
    struct statement *read = page->read_pairs;
    statement_bind_text(read, 0, chunk->run->date);
    statement_bind_i64(read, 1, chunk->after_key + 1);
    statement_bind_i64(read, 2, chunk->upper_key);
    statement_bind_i64(read, 3, page->capacity);
    TRY(statement_execute(read));
    for (page->count = 0;; page->count++) {
        bool row = false;
        TRY(statement_fetch(read, &row));
        if (!row) return OK;
        ASSERT(page->count < page->capacity);
        page->content[page->count] = statement_i64(read, 0);
        page->advertisement[page->count] = statement_i64(read, 1);
        page->views[page->count] = statement_i64(read, 2);
        page->seconds[page->count] = statement_i64(read, 3);
    }
}

/* Reads until the page holds at least one content with all its pairs, or the rest of the range. */
static enum err read_whole_contents(struct page *page, struct chunk *chunk)
{
    for (;;) {
        TRY(read_pairs(page, chunk));
        chunk->finished = page->count < page->capacity;
        if (chunk->finished) return OK;
        int64_t cut = page->content[page->count - 1];
        while (page->count > 0 && page->content[page->count - 1] == cut)
            page->count--;
        if (page->count > 0) return OK;
        TRY(page_resize(page, page->capacity * 2));
    }
}

static enum err write_pairs(struct page *page, const struct chunk *chunk)
{
    const struct column columns[] = {
        {.same_date = chunk->run->date}, {.i64 = page->content},
        {.i64 = page->advertisement},    {.i64 = page->views},
        {.i64 = page->seconds},
    };
    TRY(statement_execute_columns(page->write_pairs, columns, COUNT_OF(columns), page->count));
    return statement_affected(page->write_pairs) == page->count ? OK : ERR_SQL;
}

static enum err read_contents(struct page *page, const struct chunk *chunk)
{
    struct statement *read = page->read_contents;
    statement_bind_text(read, 0, chunk->run->date);
    statement_bind_text(read, 1, chunk->run->date);
    statement_bind_text(read, 2, chunk->run->date);
    statement_bind_i64(read, 3, chunk->after_key);
    statement_bind_i64(read, 4, chunk->last_key);
    statement_bind_text(read, 5, chunk->run->date);
    TRY(statement_execute(read));
    for (page->content_count = 0;; page->content_count++) {
        bool row = false;
        TRY(statement_fetch(read, &row));
        if (!row) return OK;
        int64_t i = page->content_count;
        ASSERT(i < page->count);
        page->keys[i] = statement_i64(read, 0);
        page->ad_views[i] = statement_i64(read, 1);
        page->accumulated_views[i] = statement_i64(read, 2);
        if (!add_i64(statement_i64(read, 3), page->ad_views[i], &page->accumulated_ad_views[i]))
            return ERR_OVERFLOW;
    }
}

static enum err write_contents(struct page *page, const struct chunk *chunk)
{
    const struct column columns[] = {
        {.same_date = chunk->run->date},
        {.i64 = page->keys},
        {.i64 = page->ad_views},
        {.i64 = page->accumulated_views},
        {.i64 = page->accumulated_ad_views},
    };
    return statement_execute_columns(page->write_contents, columns, COUNT_OF(columns),
                                     page->content_count);
}

static enum err process(struct chunk *chunk, void *state)
{
    struct page *page = state;
    TRY(read_whole_contents(page, chunk));
    if (page->count == 0) return OK;
    chunk->last_key = page->content[page->count - 1];
    chunk->finished = chunk->finished || chunk->last_key == chunk->upper_key;

    TRY(write_pairs(page, chunk));
    TRY(read_contents(page, chunk));
    TRY(write_contents(page, chunk));
    chunk->written = page->count + page->content_count;
    for (int64_t i = 0; i < page->count; i++)
        if (!add_i64(chunk->read, page->views[i], &chunk->read)) return ERR_OVERFLOW;
    return OK;
}

const struct step ad_statistics_step = {
    .name = "ad-statistics",
    .unit = "logs",
    .source = {BOUNDS_SQL, ESTIMATE_SQL, LAST_BELOW_SQL, FIRST_ABOVE_SQL},
    .open = page_open,
    .process = process,
    .close = page_close,
};
