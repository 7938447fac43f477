-- The demo's members: 400 creators (1 to 400) and 20000 viewers. Most viewings come from numbers that are no members:
-- people who did not sign in.
SELECT seq AS member_id,
       CONCAT(IF(seq <= 400, 'creator', 'viewer'), seq, '@example.org') AS email,
       CONCAT(ELT(1 + seq * 7 % 10, 'ada', 'ben', 'chae', 'dana', 'eun', 'finn', 'goro', 'hana', 'ines', 'jun'),
              seq) AS username,
       IF(seq <= 400, 'CREATOR', 'MEMBER') AS role
FROM seq_1_to_20400
