-- The platform's own tables, which it writes all day and settlementd only reads. Tables that are there already stay as
-- they are and only get the indexes that the settlement needs. There are no foreign keys between them: a log may arrive
-- before its content, and a viewer need not be a member.

CREATE TABLE IF NOT EXISTS member (
    member_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    username VARCHAR(100) NOT NULL,
    role ENUM('ANONYMOUS', 'MEMBER', 'CREATOR') NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS content_post (
    content_post_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    member_id BIGINT NOT NULL COMMENT 'the creator',
    title VARCHAR(255) NOT NULL,
    duration INT NOT NULL COMMENT 'seconds',
    status VARCHAR(20) NOT NULL DEFAULT 'ACTIVE',
    KEY content_post_member (member_id),
    CHECK (duration >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS advertisement (
    advertisement_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    advertiser_id BIGINT NOT NULL,
    title VARCHAR(255) NOT NULL,
    price_per_view DECIMAL(18,6) NOT NULL COMMENT 'currency units',
    CHECK (price_per_view >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS member_content_watch_log (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    member_id BIGINT NOT NULL,
    content_post_id BIGINT NOT NULL,
    last_playback_position INT NOT NULL COMMENT 'seconds',
    total_playback_time INT NOT NULL COMMENT 'seconds',
    watched_date DATE NOT NULL COMMENT 'the business day',
    streaming_status ENUM('IN_PROGRESS', 'PAUSED', 'STOPPED', 'COMPLETED') NOT NULL,
    client_ip VARCHAR(45) NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    CHECK (last_playback_position >= 0),
    CHECK (total_playback_time >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX IF NOT EXISTS watch_log_day ON member_content_watch_log
    (watched_date, content_post_id, member_id, total_playback_time);
CREATE INDEX IF NOT EXISTS watch_log_updated ON member_content_watch_log (updated_at);

CREATE TABLE IF NOT EXISTS member_ad_watch_log (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    member_id BIGINT NOT NULL,
    content_post_id BIGINT NOT NULL,
    advertisement_id BIGINT NOT NULL,
    playback_position INT NOT NULL COMMENT 'seconds',
    watched_date DATE NOT NULL COMMENT 'the business day',
    streaming_status ENUM('IN_PROGRESS', 'PAUSED', 'STOPPED', 'COMPLETED') NOT NULL,
    client_ip VARCHAR(45) NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    CHECK (playback_position >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX IF NOT EXISTS ad_watch_log_day ON member_ad_watch_log
    (watched_date, content_post_id, advertisement_id, member_id, playback_position);
CREATE INDEX IF NOT EXISTS ad_watch_log_updated ON member_ad_watch_log (updated_at);
