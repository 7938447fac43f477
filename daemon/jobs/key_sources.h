/* Where the keys of the day are, for the steps that share a source: SQL for planning, as struct
 * key_source wants it. The two macros stand for its four texts, in its order. */
#ifndef DAEMON_JOBS_KEY_SOURCES_H
#define DAEMON_JOBS_KEY_SOURCES_H

/* Contents with watch logs of the day. */
extern const char WATCH_LOG_BOUNDS_SQL[], WATCH_LOG_ESTIMATE_SQL[];
extern const char WATCH_LOG_LAST_BELOW_SQL[], WATCH_LOG_FIRST_ABOVE_SQL[];
#define WATCH_LOG_KEYS                                                                             \
    WATCH_LOG_BOUNDS_SQL, WATCH_LOG_ESTIMATE_SQL, WATCH_LOG_LAST_BELOW_SQL,                        \
        WATCH_LOG_FIRST_ABOVE_SQL

/* Contents with a DAILY row of the day in content_statistics. */
extern const char DAILY_ROW_BOUNDS_SQL[], DAILY_ROW_ESTIMATE_SQL[];
extern const char DAILY_ROW_LAST_BELOW_SQL[], DAILY_ROW_FIRST_ABOVE_SQL[];
#define DAILY_ROW_KEYS                                                                             \
    DAILY_ROW_BOUNDS_SQL, DAILY_ROW_ESTIMATE_SQL, DAILY_ROW_LAST_BELOW_SQL,                        \
        DAILY_ROW_FIRST_ABOVE_SQL

#endif
