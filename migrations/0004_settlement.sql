-- Results: statistics, rates, money, checks. They have no foreign key to the job metadata: purging metadata never
-- touches money. Amounts are integers in micros, one millionth of the currency unit.

CREATE TABLE IF NOT EXISTS content_statistics (
    period ENUM('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY') NOT NULL,
    statistics_date DATE NOT NULL COMMENT 'first day of the period',
    content_post_id BIGINT NOT NULL,
    view_count BIGINT NOT NULL DEFAULT 0,
    watch_time BIGINT NOT NULL DEFAULT 0 COMMENT 'seconds',
    ad_view_count BIGINT NOT NULL DEFAULT 0,
    accumulated_views BIGINT NULL COMMENT 'DAILY rows: all days up to and including this one',
    accumulated_ad_views BIGINT NULL COMMENT 'likewise',
    PRIMARY KEY (period, statistics_date, content_post_id),
    KEY content_statistics_content (period, content_post_id, statistics_date),
    CHECK (view_count >= 0 AND watch_time >= 0 AND ad_view_count >= 0),
    CHECK (accumulated_views >= 0 AND accumulated_ad_views >= 0),
    CHECK ((period = 'DAILY') = (accumulated_views IS NOT NULL)),
    CHECK ((period = 'DAILY') = (accumulated_ad_views IS NOT NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ad_statistics (
    period ENUM('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY') NOT NULL,
    statistics_date DATE NOT NULL COMMENT 'first day of the period',
    content_post_id BIGINT NOT NULL,
    advertisement_id BIGINT NOT NULL,
    view_count BIGINT NOT NULL DEFAULT 0,
    watch_time BIGINT NOT NULL DEFAULT 0 COMMENT 'seconds',
    PRIMARY KEY (period, statistics_date, content_post_id, advertisement_id),
    CHECK (view_count >= 0 AND watch_time >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS settlement_rate (
    settlement_type ENUM('CONTENT', 'ADVERTISEMENT') NOT NULL,
    applied_from DATE NOT NULL,
    min_views BIGINT NOT NULL,
    price_micros BIGINT NOT NULL COMMENT 'for one view',
    applied_until DATE NULL COMMENT 'exclusive; NULL: until further notice',
    PRIMARY KEY (settlement_type, applied_from, min_views),
    CHECK (min_views >= 0),
    CHECK (price_micros >= 0),
    CHECK (applied_until IS NULL OR applied_until > applied_from)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS settlement (
    settlement_date DATE NOT NULL,
    content_post_id BIGINT NOT NULL,
    creator_id BIGINT NOT NULL,
    content_revenue_micros BIGINT NOT NULL,
    ad_revenue_micros BIGINT NOT NULL,
    total_content_revenue_micros BIGINT NOT NULL,
    total_ad_revenue_micros BIGINT NOT NULL,
    status ENUM('CALCULATED', 'COMPLETED', 'FAILED') NOT NULL DEFAULT 'CALCULATED',
    job_execution_id BIGINT NOT NULL,
    PRIMARY KEY (settlement_date, content_post_id),
    KEY settlement_content (content_post_id, settlement_date)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS parked_content (
    settlement_date DATE NOT NULL,
    content_post_id BIGINT NOT NULL,
    reason VARCHAR(255) NOT NULL,
    job_execution_id BIGINT NOT NULL,
    paid_on DATE NULL COMMENT 'the later day whose settlement includes it',
    PRIMARY KEY (settlement_date, content_post_id),
    KEY parked_content_open (paid_on, content_post_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS reconciliation (
    job_execution_id BIGINT NOT NULL,
    check_name VARCHAR(64) NOT NULL,
    target_date DATE NOT NULL,
    expected DECIMAL(38,0) NOT NULL,
    actual DECIMAL(38,0) NOT NULL,
    passed BOOLEAN NOT NULL,
    PRIMARY KEY (job_execution_id, check_name),
    KEY reconciliation_date (target_date)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What each partition of the reconciliation step found; summed up into `reconciliation` when all have.
CREATE TABLE IF NOT EXISTS reconciliation_part (
    partition_id BIGINT NOT NULL,
    check_name VARCHAR(64) NOT NULL,
    expected DECIMAL(38,0) NOT NULL,
    actual DECIMAL(38,0) NOT NULL,
    differences BIGINT NOT NULL COMMENT 'contents for which the two differ',
    example_content_post_id BIGINT NULL COMMENT 'one of them',
    PRIMARY KEY (partition_id, check_name),
    CONSTRAINT reconciliation_part_fk FOREIGN KEY (partition_id)
        REFERENCES step_partition (partition_id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The business's own record of what is settled. The settled frontier is the latest date.
CREATE TABLE IF NOT EXISTS day_close (
    business_date DATE NOT NULL PRIMARY KEY,
    status ENUM('CLOSED') NOT NULL DEFAULT 'CLOSED',
    closed_at DATETIME(6) NOT NULL,
    ingested_until DATETIME(6) NOT NULL COMMENT 'rows stored later may be missing: they are late',
    view_logs BIGINT NOT NULL,
    ad_logs BIGINT NOT NULL,
    job_execution_id BIGINT NOT NULL,
    late_contents BIGINT NOT NULL DEFAULT 0 COMMENT 'contents with rows stored after the run began'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Contents with rows of a day that were stored after its run began: they may be counted in part, so the checks against
-- the logs leave them out.
CREATE TABLE IF NOT EXISTS late_content (
    target_date DATE NOT NULL,
    content_post_id BIGINT NOT NULL,
    PRIMARY KEY (target_date, content_post_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Files that were imported, so that the same one is not loaded twice.
CREATE TABLE IF NOT EXISTS import_file (
    sha256 CHAR(64) CHARACTER SET ascii NOT NULL,
    kind VARCHAR(20) NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    rows_loaded BIGINT NOT NULL,
    rows_rejected BIGINT NOT NULL,
    imported_at DATETIME(6) NOT NULL,
    PRIMARY KEY (sha256, kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The row is there from the start, so that an import can hold it (see job_control) before the first launch.
INSERT IGNORE INTO job_control (job_name) VALUES ('daily-settlement');

-- The rates that hold from the start: prices per view, 1.0 1.1 1.3 1.5 for contents, 10 12 15 20 for advertisements.
INSERT IGNORE INTO settlement_rate (settlement_type, applied_from, min_views, price_micros) VALUES
    ('CONTENT', '1970-01-01', 0, 1000000),
    ('CONTENT', '1970-01-01', 100000, 1100000),
    ('CONTENT', '1970-01-01', 500001, 1300000),
    ('CONTENT', '1970-01-01', 1000001, 1500000),
    ('ADVERTISEMENT', '1970-01-01', 0, 10000000),
    ('ADVERTISEMENT', '1970-01-01', 100000, 12000000),
    ('ADVERTISEMENT', '1970-01-01', 500001, 15000000),
    ('ADVERTISEMENT', '1970-01-01', 1000001, 20000000);
