#include "cli/explain.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "common/db/statement.h"
#include "common/domain/accrual.h"

static const char POST_SQL[] =
    "SELECT p.title, p.member_id, COALESCE(m.username, '')"
    " FROM content_post p LEFT JOIN member m ON m.member_id = p.member_id"
    " WHERE p.content_post_id = ?";
static const char STORED_SQL[] =
    "SELECT creator_id, job_execution_id, status, content_revenue_micros, ad_revenue_micros,"
    " total_content_revenue_micros, total_ad_revenue_micros"
    " FROM settlement WHERE settlement_date = ? AND content_post_id = ?";
static const char PREVIOUS_SQL[] =
    "SELECT DATE_FORMAT(settlement_date, '%Y-%m-%d'), total_content_revenue_micros,"
    " total_ad_revenue_micros FROM settlement WHERE content_post_id = ? AND settlement_date < ?"
    " ORDER BY settlement_date DESC LIMIT 1";
static const char VIEWS_SQL[] =
    "SELECT DATE_FORMAT(statistics_date, '%Y-%m-%d') = ?, view_count, ad_view_count,"
    " accumulated_views, accumulated_ad_views FROM content_statistics"
    " WHERE period = 'DAILY' AND content_post_id = ? AND statistics_date <= ?"
    " ORDER BY statistics_date DESC LIMIT 1";
static const char COUNTED_SQL[] =
    "SELECT COALESCE(SUM(view_count), 0), COALESCE(SUM(ad_view_count), 0) FROM content_statistics"
    " WHERE period = 'DAILY' AND content_post_id = ? AND statistics_date <= ?";
static const char PARKED_SQL[] =
    "SELECT reason, COALESCE(DATE_FORMAT(paid_on, '%Y-%m-%d'), ''), job_execution_id"
    " FROM parked_content WHERE settlement_date = ? AND content_post_id = ?";
/* Is the date closed, and is one after it? */
static const char CLOSED_SQL[] =
    "SELECT COALESCE(MAX(business_date = ?), 0), COALESCE(MAX(business_date > ?), 0) FROM day_close";

/* What is found on the way to an explanation and not part of it. */
struct facts {
    struct db *db;
    struct explanation *explanation;
    bool viewed_on_day, stored, parked;
    bool closed, passed; /* the date is; one after it is */
};

/* A DAILY row: the accumulated views of both kinds, and those of the day when the row is that
 * day's. */
struct views {
    bool of_day;
    int64_t day[EXPLAIN_KINDS], accumulated[EXPLAIN_KINDS];
};

static void copy_text(char *ret_text, size_t size, const struct statement *row, int column)
{
    (void)text_format(ret_text, size, "%s", statement_text(row, column));
}

static enum err read_post(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, POST_SQL, "i", explanation->content_id));
    TRY(statement_fetch(row, &explanation->has_post));
    if (!explanation->has_post) return OK;
    copy_text(explanation->title, sizeof(explanation->title), row, 0);
    explanation->creator_id = statement_i64(row, 1);
    copy_text(explanation->creator_name, sizeof(explanation->creator_name), row, 2);
    return OK;
}

static enum err read_stored(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, STORED_SQL, "si", explanation->date, explanation->content_id));
    TRY(statement_fetch(row, &facts->stored));
    if (!facts->stored) return OK;
    int64_t creator_id = statement_i64(row, 0);
    if (creator_id != explanation->creator_id) explanation->creator_name[0] = '\0';
    explanation->creator_id = creator_id;
    explanation->job_execution_id = statement_i64(row, 1);
    copy_text(explanation->status, sizeof(explanation->status), row, 2);
    for (int i = 0; i < EXPLAIN_KINDS; i++) {
        explanation->kinds[i].stored_amount_micros = statement_i64(row, 3 + i);
        explanation->kinds[i].stored_total_micros = statement_i64(row, 5 + i);
    }
    return OK;
}

static enum err read_parked(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, PARKED_SQL, "si", explanation->date, explanation->content_id));
    TRY(statement_fetch(row, &facts->parked));
    if (!facts->parked) return OK;
    copy_text(explanation->reason, sizeof(explanation->reason), row, 0);
    copy_text(explanation->paid_on, sizeof(explanation->paid_on), row, 1);
    if (!facts->stored) explanation->job_execution_id = statement_i64(row, 2);
    return OK;
}

static enum err read_previous(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, PREVIOUS_SQL, "is", explanation->content_id, explanation->date));
    bool found = false;
    TRY(statement_fetch(row, &found));
    if (!found) return OK;
    copy_text(explanation->previous_date, sizeof(explanation->previous_date), row, 0);
    for (int i = 0; i < EXPLAIN_KINDS; i++) {
        explanation->kinds[i].previous_total_micros = statement_i64(row, 1 + i);
    }
    return OK;
}

/* The DAILY row at or before `date`; zeros when there is none. */
static enum err read_views(struct facts *facts, const char *date, struct views *ret_views)
{
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, VIEWS_SQL, "sis", date, facts->explanation->content_id, date));
    bool found = false;
    TRY(statement_fetch(row, &found));
    struct views views = {0};
    if (found) {
        views.of_day = statement_i64(row, 0) != 0;
        for (int i = 0; i < EXPLAIN_KINDS; i++) {
            views.day[i] = views.of_day ? statement_i64(row, 1 + i) : 0;
            views.accumulated[i] = statement_i64(row, 3 + i);
        }
    }
    *ret_views = views;
    return OK;
}

static enum err read_all_views(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    struct views now = {0}, before = {0};
    TRY(read_views(facts, explanation->date, &now));
    if (explanation->previous_date[0] != '\0') {
        TRY(read_views(facts, explanation->previous_date, &before));
    }
    facts->viewed_on_day = now.of_day;
    for (int i = 0; i < EXPLAIN_KINDS; i++) {
        explanation->kinds[i].views_of_day = now.day[i];
        explanation->kinds[i].views_now = now.accumulated[i];
        explanation->kinds[i].views_before = before.accumulated[i];
    }
    return OK;
}

static enum err count_views(struct facts *facts)
{
    struct explanation *explanation = facts->explanation;
    CLEANUP(statement_cleanup) struct statement *row = NULL;
    TRY(db_query(facts->db, &row, COUNTED_SQL, "is", explanation->content_id, explanation->date));
    bool found = false;
    TRY(statement_fetch(row, &found));
    ASSERT(found);
    for (int i = 0; i < EXPLAIN_KINDS; i++) {
        explanation->kinds[i].counted_views = statement_i64(row, i);
    }
    return OK;
}

static enum err read_closed(struct facts *facts)
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    const char *date = facts->explanation->date;
    bool row = false;
    TRY(db_query(facts->db, &query, CLOSED_SQL, "ss", date, date));
    TRY(statement_fetch(query, &row));
    facts->closed = row && statement_i64(query, 0) != 0;
    facts->passed = row && statement_i64(query, 1) != 0;
    return OK;
}

static enum err read_facts(struct facts *facts)
{
    TRY(read_post(facts));
    TRY(read_stored(facts));
    TRY(read_parked(facts));
    TRY(read_previous(facts));
    TRY(read_all_views(facts));
    TRY(count_views(facts));
    return read_closed(facts);
}

static enum err not_found(const struct facts *facts, struct detail *detail)
{
    const struct explanation *explanation = facts->explanation;
    long long id = (long long)explanation->content_id;
    if (!facts->closed && facts->passed) {
        return detail_set(
            detail, ERR_NOT_FOUND,
            "content %lld: %s was not settled and is not any more, since days after it are closed; "
            "logs that it has are late (settlectl status tells of them)",
            id, explanation->date);
    }
    if (!facts->closed) {
        return detail_set(
            detail, ERR_NOT_FOUND,
            "content %lld: %s is not settled; settle it with: settlementd run daily-settlement "
            "--date %s",
            id, explanation->date, explanation->date);
    }
    const char *before = explanation->previous_date;
    return detail_set(
        detail, ERR_NOT_FOUND,
        "content %lld has no views on %s, so there is nothing to settle%s%s; `settlectl top` "
        "lists contents that have views",
        id, explanation->date, before[0] == '\0' ? "" : "; it was last settled before on ", before);
}

static enum err recompute(struct explanation_kind *kind)
{
    TRY(tier_total(&kind->rates, kind->views_before, &kind->before_micros));
    TRY(tier_total(&kind->rates, kind->views_now, &kind->now_micros));
    struct accrual accrual = {0};
    TRY(accrual_of_day(&kind->rates, kind->views_before, kind->views_now,
                       kind->previous_total_micros, &accrual));
    kind->amount_micros = accrual.amount_micros;
    kind->total_micros = accrual.total_micros;
    kind->equal = kind->amount_micros == kind->stored_amount_micros &&
                  kind->total_micros == kind->stored_total_micros &&
                  kind->counted_views == kind->views_now;
    return OK;
}

static enum err recompute_kinds(struct facts *facts, struct detail *detail)
{
    static const enum rate_type types[EXPLAIN_KINDS] = {RATE_CONTENT, RATE_ADVERTISEMENT};
    struct explanation *explanation = facts->explanation;
    for (int i = 0; i < EXPLAIN_KINDS; i++) {
        struct explanation_kind *kind = &explanation->kinds[i];
        kind->type = types[i];
        TRY(rates_load(facts->db, types[i], explanation->date, &kind->rates, detail));
        enum err err = recompute(kind);
        if (err != OK) {
            return detail_set(
                detail, err,
                "content %lld on %s: the %s amount for %lld views cannot be computed: %s; check "
                "settlement_rate and content_statistics",
                (long long)explanation->content_id, explanation->date, rate_type_name(types[i]),
                (long long)kind->views_now, err_text(err));
        }
    }
    return OK;
}

static enum explanation_state state_of(const struct facts *facts)
{
    const struct explanation_kind *kinds = facts->explanation->kinds;
    if (facts->stored) {
        return kinds[0].equal && kinds[1].equal ? EXPLAINED_EQUAL : EXPLAINED_DIFFERENT;
    }
    return facts->parked ? EXPLAINED_PARKED : EXPLAINED_MISSING;
}

enum err explain_load(struct db *db, int64_t content_id, struct civil date,
                      struct explanation *ret_explanation, struct detail *detail)
{
    CLEANUP(free_pointer) struct explanation *explanation = calloc(1, sizeof(*explanation));
    if (explanation == NULL) return ERR_MEMORY;
    explanation->content_id = content_id;
    civil_format(date, explanation->date);

    struct facts facts = {.db = db, .explanation = explanation};
    enum err err = read_facts(&facts);
    if (err != OK) return cli_db_failed(db, err, "reading the settlement of a content", detail);
    bool missing = facts.closed && facts.viewed_on_day;
    if (!facts.stored && !facts.parked && !missing) return not_found(&facts, detail);
    TRY(recompute_kinds(&facts, detail));
    explanation->state = state_of(&facts);
    *ret_explanation = *explanation;
    return OK;
}
