#include "daemon/jobs/daily_settlement.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/domain/period.h"
#include "common/log.h"
#include "common/rates.h"

static const char CLOSED_SQL[] = "SELECT job_execution_id FROM day_close WHERE business_date = ?";
static const char NOW_SQL[] = "SELECT UNIX_TIMESTAMP()";
static const char HAS_LOGS_SQL[] =
    "SELECT EXISTS (SELECT 1 FROM member_content_watch_log WHERE watched_date = ?)"
    " OR EXISTS (SELECT 1 FROM member_ad_watch_log WHERE watched_date = ?)";
static const char FRONTIER_SQL[] = "SELECT MAX(business_date) FROM day_close";
/* The earliest day with logs between two days, both exclusive. */
static const char EARLIEST_SQL[] =
    "SELECT MIN(first_) FROM ("
    " SELECT MIN(watched_date) AS first_ FROM member_content_watch_log"
    " WHERE watched_date > ? AND watched_date < ?"
    " UNION ALL SELECT MIN(watched_date) FROM member_ad_watch_log"
    " WHERE watched_date > ? AND watched_date < ?) both_";
static const char BEFORE_ALL_DAYS[] = "1000-01-01";
static const char TOTALS_SQL[] =
    "SELECT COALESCE(SUM(view_count), 0), COALESCE(SUM(ad_view_count), 0)"
    " FROM content_statistics WHERE period = 'DAILY' AND statistics_date = ?";
static const char CLOSE_SQL[] =
    "INSERT INTO day_close (business_date, status, closed_at, ingested_until, view_logs, ad_logs,"
    " job_execution_id, late_contents)"
    " VALUES (?, 'CLOSED', NOW(6), ?, ?, ?, ?,"
    " (SELECT COUNT(*) FROM late_content WHERE target_date = ?))";

static const struct step *const steps[] = {
    &content_statistics_step, &ad_statistics_step,  &period_statistics_step,
    &settlement_step,         &reconciliation_step,
};

/* The empty text when there is none. */
static enum err earliest_between(struct db *db, const char *after, const char *before,
                                 char ret_date[CIVIL_TEXT])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, EARLIEST_SQL, "ssss", after, before, after, before));
    TRY(statement_fetch(query, &row));
    ASSERT(row);
    (void)text_format(ret_date, CIVIL_TEXT, "%s", statement_text(query, 0));
    return OK;
}

/* The settled frontier; a day before all others when nothing is settled. Days at or before it are
 * passed over: what of them is not settled is late. */
static enum err read_frontier(struct db *db, char ret_date[CIVIL_TEXT])
{
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    TRY(db_query(db, &query, FRONTIER_SQL, ""));
    TRY(statement_fetch(query, &row));
    bool none = !row || statement_is_null(query, 0);
    (void)text_format(ret_date, CIVIL_TEXT, "%s",
                      none ? BEFORE_ALL_DAYS : statement_text(query, 0));
    return OK;
}

static enum err unsettled_before(struct db *db, const char *date, char ret_date[CIVIL_TEXT])
{
    char frontier[CIVIL_TEXT];
    TRY(read_frontier(db, frontier));
    return earliest_between(db, frontier, date, ret_date);
}

static enum err pending(struct db *db, const char *until, int limit, struct pending_days *ret_days)
{
    struct civil last;
    char after[CIVIL_TEXT], before[CIVIL_TEXT], found[CIVIL_TEXT];
    *ret_days = (struct pending_days){0};
    TRY(civil_parse(until, &last));
    civil_format(civil_add_days(last, 1), before);
    TRY(read_frontier(db, after));
    for (;;) {
        TRY(earliest_between(db, after, before, found));
        if (found[0] == '\0') return OK;
        if (ret_days->count == limit) {
            ret_days->more = true;
            return OK;
        }
        if (ret_days->count++ == 0) memcpy(ret_days->first, found, sizeof(found));
        memcpy(ret_days->last, found, sizeof(found));
        memcpy(after, found, sizeof(found));
    }
}

/* The business day that it is now, by the database's clock. The process's time zone is that of the
 * business. */
static enum err read_today(struct db *db, char ret_date[CIVIL_TEXT])
{
    int64_t now_s = 0;
    struct tm local;
    TRY(db_query_i64(db, &now_s, 0, NOW_SQL, ""));
    time_t now = (time_t)now_s;
    if (localtime_r(&now, &local) == NULL || strftime(ret_date, CIVIL_TEXT, "%F", &local) == 0)
        return ERR_OVERFLOW;
    return OK;
}

static enum err facts_of(struct db *db, const char *date, struct date_facts *ret_facts)
{
    int64_t logs = 0;
    char frontier[CIVIL_TEXT], today[CIVIL_TEXT];
    TRY(read_frontier(db, frontier));
    TRY(db_query_i64(db, &logs, 0, HAS_LOGS_SQL, "ss", date, date));
    TRY(read_today(db, today));
    *ret_facts = (struct date_facts){
        .has_data = logs != 0,
        .passed = strcmp(date, frontier) < 0,
        .over = strcmp(date, today) < 0,
    };
    return OK;
}

static enum err check_frontier(const char *date, const char *frontier, struct detail *detail)
{
    if (strcmp(date, frontier) > 0) return OK;
    return detail_set(
        detail, ERR_REFUSED,
        "%s is before the settled frontier (%s) and was not settled; days are settled in "
        "order, so its logs are late and stay unpaid until they are booked on a later day",
        date, frontier);
}

static enum err check_order(struct db *db, const char *date, char ret_earlier[CIVIL_TEXT],
                            struct detail *detail)
{
    TRY(unsettled_before(db, date, ret_earlier));
    if (ret_earlier[0] == '\0') return OK;
    return detail_set(detail, ERR_REFUSED,
                      "%s has logs and is not settled, and days are settled in order; run first: "
                      "settlectl run daily-settlement --date %s (without a daemon: "
                      "settlementd run daily-settlement --date %s)",
                      ret_earlier, ret_earlier, ret_earlier);
}

/* A day that is not over can have more logs, and closing one far ahead would bar all days before
 * it. One that has logs is settled all the same, with a warning, since watched_date is the
 * platform's word; one without is a mistake. */
static enum err check_over(struct db *db, const char *date, struct detail *detail)
{
    char today[CIVIL_TEXT];
    int64_t logs = 0;
    TRY(read_today(db, today));
    if (strcmp(date, today) < 0) return OK;
    TRY(db_query_i64(db, &logs, 0, HAS_LOGS_SQL, "ss", date, date));
    if (logs == 0)
        return detail_set(detail, ERR_REFUSED,
                          "%s is not over (today is %s) and has no logs; closing it would leave no "
                          "way to settle the days before it; run it when it is over",
                          date, today);
    log_event(LOG_LEVEL_WARN, "day-not-over",
              "the day is not over: logs that are stored later will be late", "date", date, "today",
              today, NULL);
    return OK;
}

static enum err load_rates(struct db *db, const char *date, struct daily_facts *facts,
                           struct detail *detail)
{
    TRY(rates_load(db, RATE_CONTENT, date, &facts->content_rates, detail));
    return rates_load(db, RATE_ADVERTISEMENT, date, &facts->ad_rates, detail);
}

/* The frontier is read before it is asked whether the day is closed: somebody may close it between
 * the two, and then the frontier must not have passed it yet. */
static enum err admit(struct db *db, const char *date, struct admission *ret_admission,
                      struct detail *detail)
{
    int64_t closed_by = 0;
    char frontier[CIVIL_TEXT];
    TRY(read_frontier(db, frontier));
    enum err err = db_query_i64(db, &closed_by, 0, CLOSED_SQL, "s", date);
    if (err == OK) {
        ret_admission->job_execution_id = closed_by;
        return ERR_CLOSED;
    }
    if (err != ERR_NOT_FOUND) return err;
    TRY(check_over(db, date, detail));
    TRY(check_frontier(date, frontier, detail));
    TRY(check_order(db, date, ret_admission->blocking, detail));
    struct daily_facts facts = {0};
    return load_rates(db, date, &facts, detail);
}

static enum err prepare(struct db *db, const char *date, void **ret_shared, struct detail *detail)
{
    struct civil day;
    CLEANUP(free_pointer) struct daily_facts *facts = calloc(1, sizeof(*facts));
    if (facts == NULL) return ERR_MEMORY;
    TRY(load_rates(db, date, facts, detail));
    TRY(civil_parse(date, &day));
    civil_format(period_first(PERIOD_WEEKLY, day), facts->week);
    civil_format(period_first(PERIOD_MONTHLY, day), facts->month);
    civil_format(period_first(PERIOD_YEARLY, day), facts->year);
    *ret_shared = facts;
    facts = NULL;
    return OK;
}

static bool add_rates(EVP_MD_CTX *digest, const struct tier_table *table)
{
    size_t size = (size_t)table->count * sizeof(table->tiers[0]);
    return EVP_DigestUpdate(digest, &table->count, sizeof(table->count)) == 1 &&
           EVP_DigestUpdate(digest, table->tiers, size) == 1;
}

/* Of the rates: all that two processes could have read differently. */
static enum err inputs(const void *shared, char ret_digest[JOB_INPUTS])
{
    const struct daily_facts *facts = shared;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool made = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                add_rates(digest, &facts->content_rates) && add_rates(digest, &facts->ad_rates) &&
                EVP_DigestFinal_ex(digest, hash, &size) == 1;
    EVP_MD_CTX_free(digest);
    if (!made) return ERR_MEMORY;
    for (unsigned i = 0; i < size && 2 * i + 2 < JOB_INPUTS; i++)
        (void)text_format(ret_digest + (size_t)2 * i, 3, "%02x", hash[i]);
    return OK;
}

static enum err complete(struct db *db, const struct run *run, struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *totals = NULL;
    bool row = false;
    (void)detail;
    TRY(db_query(db, &totals, TOTALS_SQL, "s", run->date));
    TRY(statement_fetch(totals, &row));
    ASSERT(row);
    return db_run(db, NULL, CLOSE_SQL, "ssiiis", run->date, run->began_at, statement_i64(totals, 0),
                  statement_i64(totals, 1), run->job_execution_id, run->date);
}

const struct job daily_settlement_job = {
    .name = "daily-settlement",
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .admit = admit,
    .pending = pending,
    .facts = facts_of,
    .prepare = prepare,
    .release = free,
    .inputs = inputs,
    .complete = complete,
};
