-- The demo's contents: rank 1 is the most watched one. The number of a content is its rank, scattered by a multiplication
-- modulo a prime. Two contents that are watched have no row here: the settlement parks them.
SELECT seq * 1237 % 5003 AS content_post_id,
       1 + CONV(SUBSTR(MD5(CONCAT('creator ', seq)), 1, 8), 16, 10) % 400 AS member_id,
       CONCAT(ELT(1 + seq * 7 % 12, 'A Night Ferry', 'Kitchen Notes', 'The Slow Train', 'Letters Home', 'Harbour Lights',
                  'Two Chess Players', 'Field Recordings', 'The Glass House', 'Winter Menu', 'Street Cats',
                  'Unfinished Songs', 'The Weather Man'),
              ', part ', 1 + seq DIV 12) AS title,
       300 + CONV(SUBSTR(MD5(CONCAT('duration ', seq)), 1, 8), 16, 10) % 6900 AS duration
FROM seq_1_to_5000
WHERE seq NOT IN (700, 2100)
