#include "daemon/jobs/key_sources.h"

const char WATCH_LOG_BOUNDS_SQL[] =
    "SELECT MIN(content_post_id), MAX(content_post_id) FROM member_content_watch_log"
    " WHERE watched_date = ?";
const char WATCH_LOG_ESTIMATE_SQL[] =
    "EXPLAIN SELECT content_post_id FROM member_content_watch_log"
    " WHERE watched_date = ? AND content_post_id > ? AND content_post_id <= ?";
const char WATCH_LOG_LAST_BELOW_SQL[] =
    "SELECT MAX(content_post_id) FROM member_content_watch_log"
    " WHERE watched_date = ? AND content_post_id <= ?";
const char WATCH_LOG_FIRST_ABOVE_SQL[] =
    "SELECT MIN(content_post_id) FROM member_content_watch_log"
    " WHERE watched_date = ? AND content_post_id > ?";

const char DAILY_ROW_BOUNDS_SQL[] =
    "SELECT MIN(content_post_id), MAX(content_post_id) FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ?";
const char DAILY_ROW_ESTIMATE_SQL[] =
    "EXPLAIN SELECT content_post_id FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ?"
    " AND content_post_id > ? AND content_post_id <= ?";
const char DAILY_ROW_LAST_BELOW_SQL[] =
    "SELECT MAX(content_post_id) FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ? AND content_post_id <= ?";
const char DAILY_ROW_FIRST_ABOVE_SQL[] =
    "SELECT MIN(content_post_id) FROM content_statistics"
    " WHERE period = 'DAILY' AND statistics_date = ? AND content_post_id > ?";
