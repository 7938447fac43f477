-- A year of settled days, written as settling them one by one would have left it: each content was viewed once a day for 30
-- seconds, and on Sundays one advertisement with it. All counts stay in the first tier: 1.0 a view, 10.0 an advertisement.
-- The run of the day that follows checks all of it: accumulated counts, sums of periods, the settlements before.
-- @first: the first day; @contents: how many contents; seq_1_to_days: replaced by a sequence as long as the history.

CREATE TEMPORARY TABLE days ENGINE=Aria
SELECT seq AS number, @first + INTERVAL seq - 1 DAY AS date,
       WEEKDAY(@first + INTERVAL seq - 1 DAY) = 6 AS is_sunday,
       SUM(WEEKDAY(@first + INTERVAL seq - 1 DAY) = 6) OVER (ORDER BY seq) AS sundays
  FROM seq_1_to_days;

INSERT INTO member_content_watch_log (member_id, content_post_id, last_playback_position, total_playback_time, watched_date,
                                      streaming_status, created_at, updated_at)
SELECT c.content_post_id, c.content_post_id, 30, 30, d.date, 'COMPLETED', d.date + INTERVAL 12 HOUR,
       d.date + INTERVAL 12 HOUR
  FROM days d STRAIGHT_JOIN content_post c;

INSERT INTO member_ad_watch_log (member_id, content_post_id, advertisement_id, playback_position, watched_date,
                                 streaming_status, created_at, updated_at)
SELECT c.content_post_id, c.content_post_id, c.content_post_id % 1000 + 1, 5, d.date, 'COMPLETED',
       d.date + INTERVAL 12 HOUR, d.date + INTERVAL 12 HOUR
  FROM days d STRAIGHT_JOIN content_post c WHERE d.is_sunday;

INSERT INTO content_statistics (period, statistics_date, content_post_id, view_count, watch_time, ad_view_count,
                                accumulated_views, accumulated_ad_views)
SELECT 'DAILY', d.date, c.content_post_id, 1, 30, d.is_sunday, d.number, d.sundays
  FROM days d STRAIGHT_JOIN content_post c;

INSERT INTO content_statistics (period, statistics_date, content_post_id, view_count, watch_time, ad_view_count)
SELECT p.period, p.date, c.content_post_id, p.days, p.days * 30, p.sundays
  FROM (SELECT 'WEEKLY' AS period, date - INTERVAL WEEKDAY(date) DAY AS date, COUNT(*) AS days, SUM(is_sunday) AS sundays
          FROM days GROUP BY 2
        UNION ALL
        SELECT 'MONTHLY', date - INTERVAL DAYOFMONTH(date) - 1 DAY, COUNT(*), SUM(is_sunday) FROM days GROUP BY 2
        UNION ALL
        SELECT 'YEARLY', MAKEDATE(YEAR(date), 1), COUNT(*), SUM(is_sunday) FROM days GROUP BY 2) p
  JOIN content_post c;

INSERT INTO ad_statistics (period, statistics_date, content_post_id, advertisement_id, view_count, watch_time)
SELECT 'DAILY', d.date, c.content_post_id, c.content_post_id % 1000 + 1, 1, 5
  FROM days d STRAIGHT_JOIN content_post c WHERE d.is_sunday;

INSERT INTO ad_statistics (period, statistics_date, content_post_id, advertisement_id, view_count, watch_time)
SELECT p.period, p.date, c.content_post_id, c.content_post_id % 1000 + 1, p.sundays, p.sundays * 5
  FROM (SELECT 'WEEKLY' AS period, date - INTERVAL WEEKDAY(date) DAY AS date, SUM(is_sunday) AS sundays
          FROM days GROUP BY 2
        UNION ALL
        SELECT 'MONTHLY', date - INTERVAL DAYOFMONTH(date) - 1 DAY, SUM(is_sunday) FROM days GROUP BY 2
        UNION ALL
        SELECT 'YEARLY', MAKEDATE(YEAR(date), 1), SUM(is_sunday) FROM days GROUP BY 2) p
  JOIN content_post c WHERE p.sundays > 0;

INSERT INTO settlement (settlement_date, content_post_id, creator_id, content_revenue_micros, ad_revenue_micros,
                        total_content_revenue_micros, total_ad_revenue_micros, job_execution_id)
SELECT d.date, c.content_post_id, c.member_id, 1000000, d.is_sunday * 10000000, d.number * 1000000, d.sundays * 10000000, 0
  FROM days d STRAIGHT_JOIN content_post c;

INSERT INTO day_close (business_date, closed_at, ingested_until, view_logs, ad_logs, job_execution_id)
SELECT d.date, d.date + INTERVAL 1 DAY, d.date + INTERVAL 1 DAY, @contents, d.is_sunday * @contents, 0 FROM days d;

-- All contents have the same history, so all pages of an index that is ordered by content would be full on the same day, and
-- split on it. The day that is measured would come upon that day: 8,000 splits, and forgetting it merges the pages again, so
-- that every round would have them. Where contents are not born on the same day there are a few splits a day (with 1,000
-- contents 5 on average, 29 at most). So these indexes are filled as such indexes are on average.
SET @fill_factor = @@GLOBAL.innodb_fill_factor;
SET GLOBAL innodb_fill_factor = 70;
ALTER TABLE content_statistics DROP INDEX content_statistics_content;
ALTER TABLE content_statistics ADD INDEX content_statistics_content (period, content_post_id, statistics_date);
ALTER TABLE settlement DROP INDEX settlement_content;
ALTER TABLE settlement ADD INDEX settlement_content (content_post_id, settlement_date);
SET GLOBAL innodb_fill_factor = @fill_factor;

ANALYZE TABLE member_content_watch_log, member_ad_watch_log, content_statistics, ad_statistics, settlement;
