-- The viewings of one day: set @day, @first (the number of its first viewing) and @views before.
--
-- Nothing here is left to chance: every figure is cut out of the MD5 of the viewing's number, so that everybody gets the
-- same data. Popularity follows Zipf's law over 5000 contents: the most watched one has 8 % of all views. Viewings
-- begin evenly over the business day, which is Seoul's and begins at 15:00 UTC of the date before.
SELECT 401 + FLOOR(POW(CONV(SUBSTR(hash, 9, 8), 16, 10) / 4294967296, 2) * 60000) AS member_id,
       FLOOR(EXP(CONV(SUBSTR(hash, 1, 8), 16, 10) / 4294967296 * LN(5001))) * 1237 % 5003 AS content_post_id,
       seconds AS last_playback_position,
       seconds AS total_playback_time,
       @day AS watched_date,
       ELT(1 + CONV(SUBSTR(hash, 21, 1), 16, 10) DIV 4, 'COMPLETED', 'COMPLETED', 'STOPPED', 'PAUSED')
           AS streaming_status,
       CONCAT('203.0.113.', CONV(SUBSTR(hash, 22, 2), 16, 10)) AS client_ip,
       began AS created_at,
       began + INTERVAL seconds SECOND AS updated_at
FROM (SELECT hash, CONV(SUBSTR(hash, 17, 4), 16, 10) % 1800 AS seconds,
             CAST(@day AS DATETIME) - INTERVAL 9 HOUR + INTERVAL seq * 86400 DIV @views SECOND AS began
      FROM (SELECT seq, MD5(CONCAT('view ', @first + seq)) AS hash
            FROM seq_0_to_999999 WHERE seq < @views) AS numbered) AS viewing
