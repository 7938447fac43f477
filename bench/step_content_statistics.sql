-- The step content-statistics as one statement on one connection: the plain SQL that settlementd's step is measured
-- against. It runs in a database of its own whose content_statistics was made with CREATE TABLE ... LIKE and holds the same
-- earlier rows; the logs are read where they are. The bench sets READ COMMITTED, @day and @day_before.
--
-- The logs are grouped in the order of the covering index (no temporary table, no sort), and since the day is the only
-- condition, it is the prefix of the index that is read (`ref`): nothing is compared row by row. What was accumulated comes
-- from the day before by primary key; only a content without a row on that day is looked up in the past.
--
-- Tried, 10 million logs over 100,000 contents, one day before it, CPU seconds of the server
-- (steadier than the wall clock):
--   2.1  this
--   2.5  derived table of each content's latest date (MAX ... GROUP BY), joined; grows with the length of the history
--   2.5  the two subqueries for every content, without the join
--   3.2  join and subqueries inside the grouped query: they are evaluated with the group's temporary row
--   1.9  SUM(total_playback_time + 0e0): floating point, exact only below 2^53; left out here as it is in settlementd
INSERT INTO content_statistics (period, statistics_date, content_post_id, view_count, watch_time, ad_view_count,
                                accumulated_views, accumulated_ad_views)
SELECT 'DAILY', @day, today.content_post_id, today.views, today.seconds, 0,
       today.views + COALESCE(yesterday.accumulated_views,
           (SELECT s.accumulated_views FROM content_statistics s
             WHERE s.period = 'DAILY' AND s.content_post_id = today.content_post_id AND s.statistics_date < @day
             ORDER BY s.statistics_date DESC LIMIT 1), 0),
       COALESCE(yesterday.accumulated_ad_views,
           (SELECT s.accumulated_ad_views FROM content_statistics s
             WHERE s.period = 'DAILY' AND s.content_post_id = today.content_post_id AND s.statistics_date < @day
             ORDER BY s.statistics_date DESC LIMIT 1), 0)
  FROM (SELECT content_post_id, COUNT(*) AS views, SUM(total_playback_time) AS seconds
          FROM settlement.member_content_watch_log
         WHERE watched_date = @day
         GROUP BY content_post_id) today
  LEFT JOIN content_statistics yesterday
    ON yesterday.period = 'DAILY' AND yesterday.statistics_date = @day_before
   AND yesterday.content_post_id = today.content_post_id;
