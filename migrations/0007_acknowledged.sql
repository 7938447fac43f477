-- What was acknowledged, so that a database which has lost some of it is recognised: after a failover to a replica that
-- lagged, or when a backup was restored. Each process keeps a copy of the latest rows on its own disk and compares.

-- Which installation this is; one row. A replica and a restored backup are the same one.
CREATE TABLE IF NOT EXISTS installation (
    only_row TINYINT NOT NULL PRIMARY KEY,
    installation_id CHAR(36) CHARACTER SET ascii NOT NULL,
    created_at DATETIME(6) NOT NULL,
    CHECK (only_row = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT IGNORE INTO installation (only_row, installation_id, created_at) VALUES (1, UUID(), NOW(6));

-- One row for each step and each execution that ended, in the transaction that ended it, and for each loss that a person
-- has accepted. No lock is shared: rows are only ever added. The token tells a row from another one that was given the same
-- number by a database with another history. Not purged: some seven rows for each settled day.
CREATE TABLE IF NOT EXISTS acknowledgement (
    acknowledgement_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    token CHAR(36) CHARACTER SET ascii NOT NULL,
    kind ENUM('STEP', 'EXECUTION', 'LOSS_ACCEPTED') NOT NULL,
    job_execution_id BIGINT NULL,
    job_name VARCHAR(100) NOT NULL DEFAULT '',
    target_date VARCHAR(10) NOT NULL DEFAULT '',
    step_name VARCHAR(80) NOT NULL DEFAULT '',
    status VARCHAR(10) NOT NULL DEFAULT '' COMMENT 'that it ended with',
    acknowledged_at DATETIME(6) NOT NULL,
    accepted_by VARCHAR(128) NOT NULL DEFAULT '' COMMENT 'LOSS_ACCEPTED: who',
    reason VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'LOSS_ACCEPTED: in the words of who did',
    CHECK ((kind = 'LOSS_ACCEPTED') = (job_execution_id IS NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
