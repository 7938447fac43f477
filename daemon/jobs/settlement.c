/* Step settlement: what each content earned on the day. amount(D) = T(acc(D)) − T(acc(P)), P being
 * the content's last settled date, with the rates in force on D; total(D) = total(P) + amount(D).
 *
 * The contents of a page are those with a DAILY row on the day, and those parked on an earlier day,
 * which are paid now if somebody has added their content_post row. A content without that row has
 * nobody to be paid to: it is parked (again), and counts as skipped. */
#include <stdlib.h>

#include "common/domain/accrual.h"
#include "daemon/jobs/daily_settlement.h"
#include "daemon/jobs/key_sources.h"

/* today: the DAILY row of the day. yesterday, paid: the last settlement before the day, which
 * is that of the day before if there is one, so that only for the others it is searched. then_:
 * the DAILY row of that settlement's date. A content that was parked may lack today's row, and
 * one that was paid out of parking that of then: the latest row up to the date is searched for
 * these only. */
#define PAID_DATE "COALESCE(yesterday.settlement_date, paid.settlement_date)"
#define ACCUMULATED_BEFORE(column, date)                                                           \
    " (SELECT s." column                                                                           \
    " FROM content_statistics s FORCE INDEX (content_statistics_content)"                          \
    "  WHERE s.period = 'DAILY' AND s.content_post_id = page.content_post_id"                      \
    "  AND s.statistics_date < " date " ORDER BY s.statistics_date DESC LIMIT 1)"
static const char PAGE_SQL[] =
    "SELECT page.content_post_id, post.member_id, today.content_post_id IS NOT NULL,"
    " COALESCE(today.accumulated_views," ACCUMULATED_BEFORE("accumulated_views", "?") "),"
    " COALESCE(today.accumulated_ad_views," ACCUMULATED_BEFORE("accumulated_ad_views", "?") "),"
    " COALESCE(then_.accumulated_views," ACCUMULATED_BEFORE("accumulated_views", PAID_DATE) "),"
    " COALESCE(then_.accumulated_ad_views,"
    ACCUMULATED_BEFORE("accumulated_ad_views", PAID_DATE) "),"
    " COALESCE(yesterday.total_content_revenue_micros, paid.total_content_revenue_micros),"
    " COALESCE(yesterday.total_ad_revenue_micros, paid.total_ad_revenue_micros), page.was_parked"
    " FROM (SELECT content_post_id, MAX(was_parked) AS was_parked FROM ("
    "   (SELECT content_post_id, 0 AS was_parked FROM content_statistics"
    "    WHERE period = 'DAILY' AND statistics_date = ?"
    "    AND content_post_id > ? AND content_post_id <= ? ORDER BY content_post_id LIMIT ?)"
    "   UNION ALL (SELECT DISTINCT content_post_id, 1 FROM parked_content"
    "    WHERE paid_on IS NULL AND content_post_id > ? AND content_post_id <= ?"
    "    AND settlement_date < ? ORDER BY content_post_id LIMIT ?)) both_"
    "  GROUP BY content_post_id ORDER BY content_post_id LIMIT ?) page"
    " LEFT JOIN content_post post ON post.content_post_id = page.content_post_id"
    " LEFT JOIN content_statistics today ON today.period = 'DAILY'"
    " AND today.statistics_date = ? AND today.content_post_id = page.content_post_id"
    " LEFT JOIN settlement yesterday ON yesterday.content_post_id = page.content_post_id"
    " AND yesterday.settlement_date = CAST(? AS DATE) - INTERVAL 1 DAY"
    " LEFT JOIN settlement paid ON paid.content_post_id = page.content_post_id"
    " AND paid.settlement_date = IF(yesterday.content_post_id IS NOT NULL, NULL,"
    "  (SELECT p.settlement_date FROM settlement p FORCE INDEX (settlement_content)"
    "  WHERE p.content_post_id = page.content_post_id AND p.settlement_date < ?"
    "  ORDER BY p.settlement_date DESC LIMIT 1))"
    " LEFT JOIN content_statistics then_ ON then_.period = 'DAILY'"
    " AND then_.statistics_date = " PAID_DATE " AND then_.content_post_id = page.content_post_id"
    " ORDER BY page.content_post_id";
static const char WRITE_SQL[] =
    "INSERT INTO settlement (settlement_date, content_post_id, creator_id,"
    " content_revenue_micros, ad_revenue_micros, total_content_revenue_micros,"
    " total_ad_revenue_micros, job_execution_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char PARK_SQL[] =
    "INSERT INTO parked_content (settlement_date, content_post_id, reason, job_execution_id)"
    " VALUES (?, ?, ?, ?)";
static const char UNPARK_SQL[] =
    "UPDATE parked_content SET paid_on = ?"
    " WHERE paid_on IS NULL AND content_post_id = ? AND settlement_date < ?";

static const char NO_POST_REASON[] = "there is no content_post row, so its creator is not known";

static const char SKIP_HINT[] =
    "they have no content_post row; list them with: SELECT DISTINCT s.content_post_id FROM content_statistics s"
    " LEFT JOIN content_post c USING (content_post_id) WHERE s.period = 'DAILY'"
    " AND c.content_post_id IS NULL; add their rows or raise settlement.skip_limit, and run again";

enum { SETTLED_COLUMNS = 6 };

struct page {
    struct statement *read, *write, *park, *unpark;
    int64_t capacity, keys; /* keys: rows read */
    int64_t settled, parked, unparked;
    int64_t *content, *creator, *content_micros, *ad_micros, *total_content, *total_ad;
    int64_t *parked_content, *unparked_content;
    int64_t *memory;
};

static void page_close(void *state)
{
    struct page *page = state;
    statement_free(page->read);
    statement_free(page->write);
    statement_free(page->park);
    statement_free(page->unpark);
    free(page->memory);
    free(page);
}

static enum err page_prepare(struct db *db, struct page *page)
{
    size_t rows = (size_t)page->capacity;
    page->memory = calloc(rows * (SETTLED_COLUMNS + 2), sizeof(*page->memory));
    if (page->memory == NULL) return ERR_MEMORY;
    page->content = page->memory;
    page->creator = page->content + rows;
    page->content_micros = page->creator + rows;
    page->ad_micros = page->content_micros + rows;
    page->total_content = page->ad_micros + rows;
    page->total_ad = page->total_content + rows;
    page->parked_content = page->total_ad + rows;
    page->unparked_content = page->parked_content + rows;
    TRY(statement_new(db, PAGE_SQL, &page->read));
    TRY(statement_new(db, WRITE_SQL, &page->write));
    TRY(statement_new(db, PARK_SQL, &page->park));
    return statement_new(db, UNPARK_SQL, &page->unpark);
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

/* What one row of the page says about a content. */
struct content {
    int64_t id, creator_id;
    bool has_post, active, was_parked;
    int64_t views_now, ad_views_now, views_then, ad_views_then;
    int64_t paid_content_micros, paid_ad_micros;
};

static struct content read_content(const struct statement *row)
{
    return (struct content){
        .id = statement_i64(row, 0),
        .creator_id = statement_i64(row, 1),
        .has_post = !statement_is_null(row, 1),
        .active = statement_i64(row, 2) != 0,
        .views_now = statement_i64(row, 3),
        .ad_views_now = statement_i64(row, 4),
        .views_then = statement_i64(row, 5),
        .ad_views_then = statement_i64(row, 6),
        .paid_content_micros = statement_i64(row, 7),
        .paid_ad_micros = statement_i64(row, 8),
        .was_parked = statement_i64(row, 9) != 0,
    };
}

static enum err settle(struct page *page, const struct daily_facts *facts,
                       const struct content *content)
{
    struct accrual views = {0}, ads = {0};
    TRY(accrual_of_day(&facts->content_rates, content->views_then, content->views_now,
                       content->paid_content_micros, &views));
    TRY(accrual_of_day(&facts->ad_rates, content->ad_views_then, content->ad_views_now,
                       content->paid_ad_micros, &ads));
    int64_t i = page->settled++;
    page->content[i] = content->id;
    page->creator[i] = content->creator_id;
    page->content_micros[i] = views.amount_micros;
    page->ad_micros[i] = ads.amount_micros;
    page->total_content[i] = views.total_micros;
    page->total_ad[i] = ads.total_micros;
    if (content->was_parked) page->unparked_content[page->unparked++] = content->id;
    return OK;
}

static enum err page_read(struct page *page, struct chunk *chunk)
{
    struct statement *read = page->read;
    const char *date = chunk->run->date;
    int parameter = 0;
    statement_bind_text(read, parameter++, date);
    statement_bind_text(read, parameter++, date);
    statement_bind_text(read, parameter++, date);
    statement_bind_i64(read, parameter++, chunk->after_key);
    statement_bind_i64(read, parameter++, chunk->upper_key);
    statement_bind_i64(read, parameter++, page->capacity);
    statement_bind_i64(read, parameter++, chunk->after_key);
    statement_bind_i64(read, parameter++, chunk->upper_key);
    statement_bind_text(read, parameter++, date);
    statement_bind_i64(read, parameter++, page->capacity);
    statement_bind_i64(read, parameter++, page->capacity);
    statement_bind_text(read, parameter++, date);
    statement_bind_text(read, parameter++, date);
    statement_bind_text(read, parameter++, date);
    return statement_execute(read);
}

/* Settles or parks each content of the page, in memory. */
static enum err page_compute(struct page *page, struct chunk *chunk)
{
    const struct daily_facts *facts = daily_facts_of(chunk->run);
    page->keys = page->settled = page->parked = page->unparked = 0;
    for (bool row = true;;) {
        TRY(statement_fetch(page->read, &row));
        if (!row) return OK;
        ASSERT(page->keys < page->capacity);
        page->keys++;
        struct content content = read_content(page->read);
        chunk->last_key = content.id;
        enum err err = OK;
        if (content.has_post)
            err = settle(page, facts, &content);
        else if (content.active)
            page->parked_content[page->parked++] = content.id;
        if (err != OK)
            return detail_set(&chunk->detail, err, "settlement of content %lld on %s: %s",
                              (long long)content.id, chunk->run->date, err_text(err));
    }
}

static enum err page_write(struct page *page, const struct chunk *chunk)
{
    const struct column settled[] = {
        {.same_date = chunk->run->date}, {.i64 = page->content},
        {.i64 = page->creator},          {.i64 = page->content_micros},
        {.i64 = page->ad_micros},        {.i64 = page->total_content},
        {.i64 = page->total_ad},         {.same_i64 = &chunk->run->job_execution_id},
    };
    const struct column parked[] = {
        {.same_date = chunk->run->date},
        {.i64 = page->parked_content},
        {.same_text = NO_POST_REASON},
        {.same_i64 = &chunk->run->job_execution_id},
    };
    /* On which day those were paid that had been parked. */
    const struct column unparked[] = {
        {.same_date = chunk->run->date},
        {.i64 = page->unparked_content},
        {.same_date = chunk->run->date},
    };
    if (page->settled > 0)
        TRY(statement_execute_columns(page->write, settled, COUNT_OF(settled), page->settled));
    if (page->parked > 0)
        TRY(statement_execute_columns(page->park, parked, COUNT_OF(parked), page->parked));
    if (page->unparked > 0)
        TRY(statement_execute_columns(page->unpark, unparked, COUNT_OF(unparked), page->unparked));
    return OK;
}

static enum err process(struct chunk *chunk, void *state)
{
    struct page *page = state;
    TRY(page_read(page, chunk));
    TRY(page_compute(page, chunk));
    chunk->finished = page->keys < page->capacity || chunk->last_key == chunk->upper_key;
    if (page->keys == 0) return OK;
    TRY(page_write(page, chunk));
    chunk->read = page->keys;
    chunk->written = page->settled;
    chunk->skipped = page->parked;
    return OK;
}

const struct step settlement_step = {
    .name = "settlement",
    .unit = "contents",
    .skip_hint = SKIP_HINT,
    .source = {DAILY_ROW_KEYS, REACH_BEYOND},
    .open = page_open,
    .process = process,
    .close = page_close,
};
