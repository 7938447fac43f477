#include "daemon/jobs/reconciliation_checks.h"

/* clang-format off: it cannot lay out texts that are put together from texts and macros. */

/* The four columns of a check, out of a derived table `c` with a row for each content. */
#define MEASURE(expected, actual)                                                                  \
    " CAST(COALESCE(SUM(c." expected "), 0) AS CHAR), CAST(COALESCE(SUM(c." actual                 \
    "), 0) AS CHAR),"                                                                              \
    " COALESCE(SUM(c." expected " <> c." actual                                                    \
    "), 0),"                                                                                       \
    " MIN(IF(c." expected " <> c." actual ", c.content_post_id, NULL))"

#define SEVEN "?, ?, ?, ?, ?, ?, ?"
#define TWELVE SEVEN ", ?, ?, ?, ?, ?"
#define THIRTY_ONE TWELVE ", " TWELVE ", " SEVEN

#define NOT_LATE                                                                                   \
    " WHERE NOT EXISTS (SELECT 1 FROM late_content late"                                           \
    " WHERE late.target_date = ? AND late.content_post_id = both_.content_post_id)"

/* Each log is a view, and its playback time is watch time. */
static const char VIEWS_SQL[] =
    "SELECT" MEASURE("logs", "views") "," MEASURE("log_seconds", "seconds")
    " FROM (SELECT content_post_id, SUM(logs) AS logs, SUM(views) AS views,"
    "  SUM(log_seconds) AS log_seconds, SUM(seconds) AS seconds FROM ("
    "   SELECT content_post_id, COUNT(*) AS logs, 0 AS views,"
    "   SUM(total_playback_time) AS log_seconds, 0 AS seconds FROM member_content_watch_log"
    "   WHERE watched_date = CAST(? AS DATE) AND content_post_id BETWEEN ? AND ?"
    "   GROUP BY content_post_id"
    "   UNION ALL SELECT content_post_id, 0, view_count, 0, watch_time FROM content_statistics"
    "   WHERE period = 'DAILY' AND statistics_date = ?"
    "   AND content_post_id > ? AND content_post_id <= ?) both_" NOT_LATE
    "  GROUP BY content_post_id) c";

/* Each advertisement log is a view of its content and of its advertisement. */
static const char AD_VIEWS_SQL[] =
    "SELECT" MEASURE("logs", "content_views") "," MEASURE("logs", "ad_views") ","
    MEASURE("log_seconds", "seconds")
    " FROM (SELECT content_post_id, SUM(logs) AS logs, SUM(content_views) AS content_views,"
    "  SUM(ad_views) AS ad_views, SUM(log_seconds) AS log_seconds, SUM(seconds) AS seconds FROM ("
    "   SELECT content_post_id, COUNT(*) AS logs, 0 AS content_views, 0 AS ad_views,"
    "   SUM(playback_position) AS log_seconds, 0 AS seconds FROM member_ad_watch_log"
    "   WHERE watched_date = CAST(? AS DATE) AND content_post_id BETWEEN ? AND ?"
    "   GROUP BY content_post_id"
    "   UNION ALL SELECT content_post_id, 0, ad_view_count, 0, 0, 0 FROM content_statistics"
    "   WHERE period = 'DAILY' AND statistics_date = ?"
    "   AND content_post_id > ? AND content_post_id <= ?"
    "   UNION ALL SELECT content_post_id, 0, 0, SUM(view_count), 0, SUM(watch_time)"
    "   FROM ad_statistics WHERE period = 'DAILY' AND statistics_date = ?"
    "   AND content_post_id > ? AND content_post_id <= ? GROUP BY content_post_id) both_" NOT_LATE
    "  GROUP BY content_post_id) c";

/* A week, month or year of a content that the day touched is the sum of its days or months. */
#define PERIOD_SQL(whole, part, part_dates)                                                        \
    "SELECT" MEASURE("part_views", "views") "," MEASURE("part_seconds", "seconds") ","             \
    MEASURE("part_ad_views", "ad_views")                                                           \
    " FROM (SELECT day.content_post_id, COALESCE(whole.view_count, 0) AS views,"                   \
    "  COALESCE(whole.watch_time, 0) AS seconds, COALESCE(whole.ad_view_count, 0) AS ad_views,"    \
    "  COALESCE(parts.part_views, 0) AS part_views,"                                               \
    "  COALESCE(parts.part_seconds, 0) AS part_seconds,"                                           \
    "  COALESCE(parts.part_ad_views, 0) AS part_ad_views"                                          \
    "  FROM content_statistics day LEFT JOIN content_statistics whole"                             \
    "  ON whole.period = '" whole "' AND whole.statistics_date = ?"                                \
    "  AND whole.content_post_id = day.content_post_id"                                            \
    "  LEFT JOIN (SELECT content_post_id, SUM(view_count) AS part_views,"                          \
    "   SUM(watch_time) AS part_seconds, SUM(ad_view_count) AS part_ad_views"                      \
    "   FROM content_statistics FORCE INDEX (PRIMARY)"                                             \
    "   WHERE period = '" part "' AND statistics_date IN (" part_dates ")"                         \
    "   AND content_post_id > ? AND content_post_id <= ? GROUP BY content_post_id) parts"          \
    "  ON parts.content_post_id = day.content_post_id"                                             \
    "  WHERE day.period = 'DAILY' AND day.statistics_date = ?"                                     \
    "  AND day.content_post_id > ? AND day.content_post_id <= ?) c"

/* The same of advertisements, for the contents with advertisement views on the day. */
#define AD_PERIOD_SQL(whole, part, part_dates)                                                     \
    "SELECT" MEASURE("part_views", "views") "," MEASURE("part_seconds", "seconds")                 \
    " FROM (SELECT day.content_post_id, COALESCE(wholes.views, 0) AS views,"                       \
    "  COALESCE(wholes.seconds, 0) AS seconds, COALESCE(parts.part_views, 0) AS part_views,"       \
    "  COALESCE(parts.part_seconds, 0) AS part_seconds"                                            \
    "  FROM content_statistics day"                                                                \
    "  LEFT JOIN (SELECT content_post_id, SUM(view_count) AS views, SUM(watch_time) AS seconds"    \
    "   FROM ad_statistics WHERE period = '" whole "' AND statistics_date = ?"                     \
    "   AND content_post_id > ? AND content_post_id <= ? GROUP BY content_post_id) wholes"         \
    "  ON wholes.content_post_id = day.content_post_id"                                            \
    "  LEFT JOIN (SELECT content_post_id, SUM(view_count) AS part_views,"                          \
    "   SUM(watch_time) AS part_seconds FROM ad_statistics"                                        \
    "   WHERE period = '" part "' AND statistics_date IN (" part_dates ")"                         \
    "   AND content_post_id > ? AND content_post_id <= ? GROUP BY content_post_id) parts"          \
    "  ON parts.content_post_id = day.content_post_id"                                             \
    "  WHERE day.period = 'DAILY' AND day.statistics_date = ? AND day.ad_view_count > 0"           \
    "  AND day.content_post_id > ? AND day.content_post_id <= ?) c"

static const char WEEKLY_SQL[] = PERIOD_SQL("WEEKLY", "DAILY", SEVEN);
static const char MONTHLY_SQL[] = PERIOD_SQL("MONTHLY", "DAILY", THIRTY_ONE);
static const char YEARLY_SQL[] = PERIOD_SQL("YEARLY", "MONTHLY", TWELVE);
static const char AD_WEEKLY_SQL[] = AD_PERIOD_SQL("WEEKLY", "DAILY", SEVEN);
static const char AD_MONTHLY_SQL[] = AD_PERIOD_SQL("MONTHLY", "DAILY", THIRTY_ONE);
static const char AD_YEARLY_SQL[] = AD_PERIOD_SQL("YEARLY", "MONTHLY", TWELVE);

/* All views so far are those of the day and those accumulated on the latest day before it. A
 * row of the day before is the latest by itself; only where there is none the days before it
 * are searched. */
static const char ACCUMULATED_SQL[] =
    "SELECT" MEASURE("expected_views", "views") "," MEASURE("expected_ad_views", "ad_views")
    " FROM (SELECT day.content_post_id, day.accumulated_views AS views,"
    "  day.accumulated_ad_views AS ad_views,"
    "  COALESCE(eve.accumulated_views, before_.accumulated_views, 0) + day.view_count"
    "   AS expected_views,"
    "  COALESCE(eve.accumulated_ad_views, before_.accumulated_ad_views, 0) + day.ad_view_count"
    "   AS expected_ad_views"
    "  FROM content_statistics day LEFT JOIN content_statistics eve"
    "  ON eve.period = 'DAILY' AND eve.content_post_id = day.content_post_id"
    "  AND eve.statistics_date = CAST(? AS DATE) - INTERVAL 1 DAY"
    "  LEFT JOIN content_statistics before_"
    "  ON before_.period = 'DAILY' AND before_.content_post_id = day.content_post_id"
    "  AND before_.statistics_date = IF(eve.content_post_id IS NOT NULL, NULL,"
    "   (SELECT s.statistics_date FROM content_statistics s FORCE INDEX (content_statistics_content)"
    "   WHERE s.period = 'DAILY' AND s.content_post_id = day.content_post_id"
    "   AND s.statistics_date < day.statistics_date ORDER BY s.statistics_date DESC LIMIT 1))"
    "  WHERE day.period = 'DAILY' AND day.statistics_date = ?"
    "  AND day.content_post_id > ? AND day.content_post_id <= ?) c";

/* The rates in force, each tier with its end and with what all tiers below it come to when full;
 * DECIMAL, since the last tier has no end, and back to integers, which are an error when they do
 * not fit. */
#define TIERS                                                                                      \
    "WITH bounds AS (SELECT settlement_type, min_views, price_micros AS price,"                    \
    "  COALESCE(LEAD(min_views) OVER (PARTITION BY settlement_type ORDER BY min_views),"           \
    "   9223372036854775807) AS end_views FROM settlement_rate"                                    \
    "  WHERE applied_from <= ? AND (applied_until IS NULL OR applied_until > ?)),"                 \
    " tiers AS (SELECT settlement_type, min_views, end_views, price,"                              \
    "  CAST(COALESCE(SUM(CAST(price AS DECIMAL(38,0)) * (end_views - min_views))"                  \
    "   OVER (PARTITION BY settlement_type ORDER BY min_views"                                     \
    "   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS SIGNED) AS full_below"            \
    "  FROM bounds)"

#define EARNED(tier, views)                                                                        \
    "(" tier ".full_below + " tier ".price * (" views " - " tier ".min_views))"

/* STRAIGHT_JOIN: the server would begin with the tiers, all combinations of them. */
#define TIER_OF(tier, type, views)                                                                 \
    " STRAIGHT_JOIN tiers " tier " ON " tier ".settlement_type = '" type                           \
    "'"                                                                                            \
    " AND " views " >= " tier ".min_views AND " views " < " tier ".end_views"

#define PAID_DATE "COALESCE(eve.settlement_date, paid.settlement_date)"

/* What a content had accumulated on a date or, without a row of that date, before it. */
#define ACCUMULATED_ON(row, column, date)                                                          \
    "COALESCE(" row "." column ", (SELECT x." column                                               \
    " FROM content_statistics x FORCE INDEX (content_statistics_content)"                          \
    "    WHERE x.period = 'DAILY' AND x.content_post_id = s.content_post_id"                       \
    "    AND x.statistics_date < " date " ORDER BY x.statistics_date DESC LIMIT 1), 0)"

/* Money recomputed from statistics and rates, and carried on from the settlement before: that of
 * the day before or, without one, the latest of the days before it. */
#define REVENUE_TEXT                                                                               \
    TIERS " SELECT" MEASURE("expected_content", "content_") "," MEASURE("expected_ad", "ad")       \
    "," MEASURE("expected_content_total", "content_total") ","                                     \
    MEASURE("expected_ad_total", "ad_total")                                                       \
    " FROM (SELECT f.content_post_id, f.content_revenue_micros AS content_,"                       \
    "  f.ad_revenue_micros AS ad, f.total_content_revenue_micros AS content_total,"                \
    "  f.total_ad_revenue_micros AS ad_total,"                                                     \
    "  " EARNED("tv", "f.views") " - " EARNED("tw", "f.views_then") " AS expected_content,"        \
    "  " EARNED("ta", "f.ads") " - " EARNED("tb", "f.ads_then") " AS expected_ad,"                 \
    "  f.paid_content + f.content_revenue_micros AS expected_content_total,"                       \
    "  f.paid_ad + f.ad_revenue_micros AS expected_ad_total"                                       \
    "  FROM (SELECT s.*,"                                                                          \
    "   " ACCUMULATED_ON("now_", "accumulated_views", "s.settlement_date") " AS views,"            \
    "   " ACCUMULATED_ON("now_", "accumulated_ad_views", "s.settlement_date") " AS ads,"           \
    "   " ACCUMULATED_ON("then_", "accumulated_views", PAID_DATE) " AS views_then,"                \
    "   " ACCUMULATED_ON("then_", "accumulated_ad_views", PAID_DATE) " AS ads_then,"               \
    "   COALESCE(eve.total_content_revenue_micros, paid.total_content_revenue_micros, 0)"      \
    "    AS paid_content,"                                                                         \
    "   COALESCE(eve.total_ad_revenue_micros, paid.total_ad_revenue_micros, 0) AS paid_ad"     \
    "   FROM settlement s LEFT JOIN content_statistics now_ ON now_.period = 'DAILY'"              \
    "   AND now_.content_post_id = s.content_post_id"                                              \
    "   AND now_.statistics_date = s.settlement_date"                                              \
    "   LEFT JOIN settlement eve ON eve.content_post_id = s.content_post_id"               \
    "   AND eve.settlement_date = CAST(? AS DATE) - INTERVAL 1 DAY"                            \
    "   LEFT JOIN settlement paid ON paid.content_post_id = s.content_post_id"                     \
    "   AND paid.settlement_date = IF(eve.content_post_id IS NOT NULL, NULL,"                  \
    "    (SELECT y.settlement_date FROM settlement y FORCE INDEX (settlement_content)"             \
    "    WHERE y.content_post_id = s.content_post_id AND y.settlement_date < s.settlement_date"    \
    "    ORDER BY y.settlement_date DESC LIMIT 1))"                                                \
    "   LEFT JOIN content_statistics then_ ON then_.period = 'DAILY'"                              \
    "   AND then_.content_post_id = s.content_post_id"                                             \
    "   AND then_.statistics_date = " PAID_DATE                                                    \
    "   WHERE s.settlement_date = ? AND s.content_post_id > ? AND s.content_post_id <= ?"          \
    "   LIMIT 9223372036854775807) f"                                                              \
    TIER_OF("tv", "CONTENT", "f.views") TIER_OF("tw", "CONTENT", "f.views_then")                   \
    TIER_OF("ta", "ADVERTISEMENT", "f.ads") TIER_OF("tb", "ADVERTISEMENT", "f.ads_then") ") c"

static const char REVENUE_SQL[] = REVENUE_TEXT;

/* Each content with a DAILY row, and each that was parked and is paid today, has a settlement or is
 * parked; no other has. */
static const char COMPLETE_SQL[] =
    "SELECT" MEASURE("due", "done")
    " FROM (SELECT content_post_id, MAX(due) AS due, SUM(done) AS done FROM ("
    "  SELECT content_post_id, 1 AS due, 0 AS done FROM content_statistics"
    "  WHERE period = 'DAILY' AND statistics_date = ?"
    "  AND content_post_id > ? AND content_post_id <= ?"
    "  UNION ALL SELECT DISTINCT content_post_id, 1, 0 FROM parked_content WHERE paid_on = ?"
    "  AND content_post_id > ? AND content_post_id <= ?"
    "  UNION ALL SELECT content_post_id, 0, 1 FROM settlement WHERE settlement_date = ?"
    "  AND content_post_id > ? AND content_post_id <= ?"
    "  UNION ALL SELECT content_post_id, 0, 1 FROM parked_content WHERE settlement_date = ?"
    "  AND content_post_id > ? AND content_post_id <= ?) both_ GROUP BY content_post_id) c";

/* clang-format on */

const struct check_group reconciliation_groups[] = {
    {{"content-views", "content-watch-time"}, VIEWS_SQL, "dbudaud", true},
    {{"ad-views", "ad-statistics-views", "ad-watch-time"}, AD_VIEWS_SQL, "dbudaudaud", true},
    {{"weekly-views", "weekly-watch-time", "weekly-ad-views"}, WEEKLY_SQL, "wWaudau", false},
    {{"monthly-views", "monthly-watch-time", "monthly-ad-views"}, MONTHLY_SQL, "mMaudau", false},
    {{"yearly-views", "yearly-watch-time", "yearly-ad-views"}, YEARLY_SQL, "yYaudau", false},
    {{"weekly-ad-statistics-views", "weekly-ad-watch-time"}, AD_WEEKLY_SQL, "wauWaudau", false},
    {{"monthly-ad-statistics-views", "monthly-ad-watch-time"}, AD_MONTHLY_SQL, "mauMaudau", false},
    {{"yearly-ad-statistics-views", "yearly-ad-watch-time"}, AD_YEARLY_SQL, "yauYaudau", false},
    {{"accumulated-views", "accumulated-ad-views"}, ACCUMULATED_SQL, "ddau", false},
    {{"content-revenue", "ad-revenue", "content-revenue-total", "ad-revenue-total"},
     REVENUE_SQL,
     "ddddau",
     false},
    {{"settlement-complete"}, COMPLETE_SQL, "daudaudaudau", false},
};
const int reconciliation_group_count = COUNT_OF(reconciliation_groups);
