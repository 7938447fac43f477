"""A settlement in a few SQL statements, one connection, no restarts, no batches: something for the oracle to agree with
before and without the programs. It keeps to the rules where the oracle looks and to nothing else."""

import oracle

PERIOD_STARTS = {
    "WEEKLY": ("DATE_SUB(%s, INTERVAL WEEKDAY(%s) DAY)", "INTERVAL 1 WEEK"),
    "MONTHLY": ("DATE_SUB(%s, INTERVAL DAYOFMONTH(%s) - 1 DAY)", "INTERVAL 1 MONTH"),
    "YEARLY": ("DATE_SUB(%s, INTERVAL DAYOFYEAR(%s) - 1 DAY)", "INTERVAL 1 YEAR"),
}

DAILY_SQL = """INSERT INTO content_statistics
    SELECT 'DAILY', %s, a.content_post_id, SUM(a.views), SUM(a.seconds), SUM(a.ads),
           SUM(a.views) + COALESCE(MAX(b.accumulated_views), 0), SUM(a.ads) + COALESCE(MAX(b.accumulated_ad_views), 0)
    FROM (SELECT content_post_id, COUNT(*) views, SUM(total_playback_time) seconds, 0 ads
          FROM member_content_watch_log WHERE watched_date = %s GROUP BY 1
          UNION ALL SELECT content_post_id, 0, 0, COUNT(*) FROM member_ad_watch_log WHERE watched_date = %s
          GROUP BY 1) a
    LEFT JOIN (SELECT s.content_post_id, MAX(accumulated_views) accumulated_views,
                      MAX(accumulated_ad_views) accumulated_ad_views
               FROM content_statistics s WHERE period = 'DAILY' GROUP BY 1) b USING (content_post_id)
    GROUP BY 3"""

ADS_SQL = """INSERT INTO ad_statistics SELECT 'DAILY', %s, content_post_id, advertisement_id, COUNT(*),
    SUM(playback_position) FROM member_ad_watch_log WHERE watched_date = %s GROUP BY 3, 4"""

CONTENT_PERIOD_SQL = """REPLACE INTO content_statistics SELECT '{period}', {start}, content_post_id, SUM(view_count),
    SUM(watch_time), SUM(ad_view_count), NULL, NULL FROM content_statistics WHERE period = 'DAILY'
    AND statistics_date >= {start} AND statistics_date < {start} + {length} GROUP BY 3"""

AD_PERIOD_SQL = """REPLACE INTO ad_statistics SELECT '{period}', {start}, content_post_id, advertisement_id,
    SUM(view_count), SUM(watch_time) FROM ad_statistics WHERE period = 'DAILY'
    AND statistics_date >= {start} AND statistics_date < {start} + {length} GROUP BY 3, 4"""

PARK_SQL = """INSERT INTO parked_content SELECT statistics_date, content_post_id, 'no content_post row', 1, NULL
    FROM content_statistics s LEFT JOIN content_post c USING (content_post_id)
    WHERE period = 'DAILY' AND statistics_date = %s AND c.content_post_id IS NULL"""

PRICE_SQL = """(SELECT COALESCE(SUM(price_micros * GREATEST(0, LEAST({views}, upper_bound) - min_views)), 0)
    FROM (SELECT min_views, price_micros, COALESCE(LEAD(min_views) OVER (ORDER BY min_views), ~0 >> 2) upper_bound
          FROM settlement_rate WHERE settlement_type = '{kind}' AND applied_from <= %s
          AND (applied_until IS NULL OR applied_until > %s)) tiers)"""

DUE_SQL = """SELECT c.content_post_id, c.member_id,
    (SELECT accumulated_views FROM content_statistics s WHERE period = 'DAILY' AND s.content_post_id = c.content_post_id
     ORDER BY statistics_date DESC LIMIT 1),
    (SELECT accumulated_ad_views FROM content_statistics s WHERE period = 'DAILY'
     AND s.content_post_id = c.content_post_id ORDER BY statistics_date DESC LIMIT 1)
    FROM content_post c WHERE EXISTS (SELECT 1 FROM content_statistics s WHERE period = 'DAILY'
        AND statistics_date = %s AND s.content_post_id = c.content_post_id)
    OR EXISTS (SELECT 1 FROM parked_content p WHERE p.paid_on IS NULL AND p.content_post_id = c.content_post_id)"""

LAST_SQL = """SELECT t.settlement_date, total_content_revenue_micros, total_ad_revenue_micros, accumulated_views,
    accumulated_ad_views FROM settlement t JOIN content_statistics s ON s.period = 'DAILY'
    AND s.content_post_id = t.content_post_id AND s.statistics_date <= t.settlement_date
    WHERE t.content_post_id = %s ORDER BY t.settlement_date DESC, s.statistics_date DESC LIMIT 1"""


def price(connection, kind, views, day):
    return int(oracle.rows_of(connection, "SELECT " + PRICE_SQL.format(kind=kind, views=int(views)), day, day)[0][0])


def pay(connection, day):
    for content, creator, views, ad_views in oracle.rows_of(connection, DUE_SQL, day):
        last = oracle.rows_of(connection, LAST_SQL, content)
        _, total, ad_total, old_views, old_ad_views = last[0] if last else (None, 0, 0, 0, 0)
        amount = price(connection, "CONTENT", views, day) - price(connection, "CONTENT", old_views, day)
        ads = price(connection, "ADVERTISEMENT", ad_views, day) - price(connection, "ADVERTISEMENT", old_ad_views, day)
        oracle.rows_of(connection, "INSERT INTO settlement VALUES (%s, %s, %s, %s, %s, %s, %s, 'CALCULATED', 1)",
                       day, content, creator, amount, ads, total + amount, ad_total + ads)
        oracle.rows_of(connection, "UPDATE parked_content SET paid_on = %s WHERE paid_on IS NULL "
                                   "AND content_post_id = %s", day, content)


def settle(connection, day):
    """Settles a day that no row is there for yet, in one transaction."""
    day = str(day)
    connection.begin()
    oracle.rows_of(connection, DAILY_SQL, day, day, day)
    oracle.rows_of(connection, ADS_SQL, day, day)
    for period, (start, length) in PERIOD_STARTS.items():
        start = start.replace("%s", f"CAST('{day}' AS DATE)")
        for sql in (CONTENT_PERIOD_SQL, AD_PERIOD_SQL):
            oracle.rows_of(connection, sql.format(period=period, start=start, length=length))
    oracle.rows_of(connection, PARK_SQL, day)
    pay(connection, day)
    oracle.rows_of(connection, """INSERT INTO day_close SELECT %s, 'CLOSED', NOW(6), NOW(6),
        (SELECT COUNT(*) FROM member_content_watch_log WHERE watched_date = %s),
        (SELECT COUNT(*) FROM member_ad_watch_log WHERE watched_date = %s), 1, 0""", day, day, day)
    oracle.rows_of(connection, "INSERT INTO reconciliation VALUES (%s, 'toy', %s, 1, 1, 1)",
                   int(day.replace("-", "")), day)
    connection.commit()
