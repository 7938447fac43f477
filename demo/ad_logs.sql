-- The advertisement viewings of one day, one for every five viewings of contents: set @day, @first and @views as for
-- watch_logs.sql, which says how the figures are made.
SELECT 401 + FLOOR(POW(CONV(SUBSTR(hash, 9, 8), 16, 10) / 4294967296, 2) * 60000) AS member_id,
       FLOOR(EXP(CONV(SUBSTR(hash, 1, 8), 16, 10) / 4294967296 * LN(5001))) * 1237 % 5003 AS content_post_id,
       1 + CONV(SUBSTR(hash, 24, 6), 16, 10) % 60 AS advertisement_id,
       seconds AS playback_position,
       @day AS watched_date,
       IF(seconds < 15, 'STOPPED', 'COMPLETED') AS streaming_status,
       CONCAT('203.0.113.', CONV(SUBSTR(hash, 22, 2), 16, 10)) AS client_ip,
       began AS created_at,
       began + INTERVAL seconds SECOND AS updated_at
FROM (SELECT hash, CONV(SUBSTR(hash, 17, 4), 16, 10) % 31 AS seconds,
             CAST(@day AS DATETIME) - INTERVAL 9 HOUR + INTERVAL seq * 432000 DIV @views SECOND AS began
      FROM (SELECT seq, MD5(CONCAT('ad ', @first + seq)) AS hash
            FROM seq_0_to_999999 WHERE seq < @views DIV 5) AS numbered) AS viewing
