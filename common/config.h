/* The configuration file: read with libconfig, checked as a whole, never half applied. Unknown
 * keys, wrong types and values out of range are refused with file and line. The result is plain
 * data that is copied by value and frees nothing; a running step keeps the copy that it started
 * with. Any thread may call. */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include "common/base.h"

enum { CONFIG_TEXT = 256, CONFIG_JOBS = 16 };

enum misfire_policy { MISFIRE_ONCE, MISFIRE_SKIP };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JOURNAL };

struct config_tls {
    bool verify;
    char ca[CONFIG_TEXT], cert[CONFIG_TEXT], key[CONFIG_TEXT];
};

struct config_database {
    char socket[CONFIG_TEXT], host[CONFIG_TEXT], user[CONFIG_TEXT];
    char password_file[CONFIG_TEXT], name[CONFIG_TEXT];
    int port, connect_timeout_s;
    bool galera_single_writer; /* told that nobody else writes to another node of the cluster */
    struct config_tls tls;
};

struct config_workers {
    int threads;             /* 0: one per core */
    int chunk_size;          /* keys in a chunk */
    int64_t partition_items; /* logs in a partition, as estimated */
    int max_partitions;
};

struct config_retry {
    int transaction_limit, backoff_ms, backoff_max_ms;
    int restart_limit, restart_backoff_s, restart_backoff_max_s;
};

struct config_lease {
    int heartbeat_s, ttl_s;
};

/* The daily job that purges job metadata. */
struct config_housekeeping {
    bool enabled;
    char cron[128]; /* in the business zone */
    int keep_days;
};

struct config_job {
    char name[64], cron[128], timezone[64];
    enum misfire_policy misfire;
    int catchup_max;
    bool enabled;
};

struct config {
    char path[CONFIG_TEXT];            /* the file it came from; empty when defaults were used */
    char timezone[64];                 /* of the business day, an IANA name */
    char state_directory[CONFIG_TEXT]; /* empty: systemd's, if there is one */
    struct config_database database;
    struct config_workers workers;
    struct config_retry retry;
    struct config_lease lease;
    int64_t skip_limit; /* settlement.skip_limit */
    struct config_housekeeping housekeeping;
    struct config_job jobs[CONFIG_JOBS];
    int job_count;
    int log_level; /* enum log_level */
    enum log_format log_format;
};

/* The values that hold where the file is silent. */
void config_defaults(struct config *ret_config);

/* Reads and checks a file. On failure ret_config is untouched and `detail` reads "FILE:LINE: what;
 * what to do". ERR_CONFIG for everything that the file's author can mend, ERR_MEMORY otherwise. */
enum err config_load(const char *path, struct config *ret_config, struct detail *detail) MUST_CHECK;

/* The same from text, for tests; `name` stands in messages where the path would. */
enum err config_parse(const char *name, const char *text, struct config *ret_config,
                      struct detail *detail) MUST_CHECK;

/* Chooses the file for both programs: `path` when given, else $SETTLEMENTD_CONFIG, else
 * /etc/settlementd/settlementd.conf when it exists, else the defaults. */
enum err config_find(const char *path, struct config *ret_config, struct detail *detail) MUST_CHECK;

/* Reads the database password: the file named by database.password_file (relative names below
 * $CREDENTIALS_DIRECTORY where systemd set one); else `database-password` there when it exists;
 * else none (the empty text). One trailing newline is removed. ERR_CONFIG with detail when a named
 * file can't be read or does not fit. */
enum err config_password(const struct config_database *database, char *ret_password, size_t size,
                         struct detail *detail) MUST_CHECK;

#endif
