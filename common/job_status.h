/* Reads the job tables for people: executions, their steps and partitions, how far a running one
 * is. It changes nothing and takes no locks. Times are texts in UTC ("2026-07-02T00:10:03Z", empty
 * when there is none yet); texts longer than their field are cut. The caller owns what it is given;
 * one thread, that of the connection. */
#ifndef COMMON_JOB_STATUS_H
#define COMMON_JOB_STATUS_H

#include "common/db/connection.h"

enum {
    JOB_STATUS_LIMIT = 1000,       /* executions in one list */
    JOB_STATUS_STEPS = 1000,       /* steps of an execution that are read */
    JOB_STATUS_PARTITIONS = 10000, /* likewise partitions */
    JOB_STATUS_NODES = 100,        /* processes in one list */
    JOB_STATUS_NAME = 101,
    JOB_STATUS_TIME = 32,
    JOB_STATUS_MESSAGE = 2501
};

struct job_execution {
    int64_t id, instance_id;
    char job_name[JOB_STATUS_NAME];
    char parameters[256]; /* "targetDate=2026-07-01", separated by blanks */
    char status[16], exit_code[64], exit_message[JOB_STATUS_MESSAGE];
    char created[JOB_STATUS_TIME], started[JOB_STATUS_TIME], ended[JOB_STATUS_TIME];
    int64_t duration_us; /* until now while it runs; -1: not started */
    int64_t attempt;     /* 0 where it is not known */
    char started_for[16],
        cause[16];    /* why it was started, what ended it; empty where it is not known */
    int64_t restarts; /* automatic ones in a row that cost an attempt */
    char restart_at[JOB_STATUS_TIME]; /* when a daemon starts the instance again */
    char node_id[40];                 /* the process that runs or ran it */
    char host[256];                   /* where that is; empty once its row in `node` is gone */
    int64_t pid;
};

/* A process that runs jobs, or ran them and has not returned its lease. */
struct job_node {
    char node_id[40], host[256], version[33], role[16];
    int64_t pid;
    bool alive; /* its lease holds, by the database's clock */
    char started[JOB_STATUS_TIME];
    int64_t uptime_us; /* until now; until it was last heard of when it is not alive */
    int64_t silent_us; /* since it was last heard of */
    char status[4 * 512 + 1];
};

/* A step, its workers' figures included: while it runs they are the sum of its workers'. */
struct job_step {
    int64_t id;
    char name[JOB_STATUS_NAME];
    char status[16], exit_code[64], exit_message[JOB_STATUS_MESSAGE];
    char started[JOB_STATUS_TIME], ended[JOB_STATUS_TIME];
    int64_t duration_us; /* as above */
    int64_t read, written, filtered, skipped, commits, rollbacks;
};

/* A partition of a step's plan. The plan belongs to the job instance: a restart goes on with it. */
struct job_partition {
    char step_name[JOB_STATUS_NAME];
    int64_t number, lower_key, upper_key, checkpoint_key;
    bool has_checkpoint;
    int64_t epoch;
    char status[16];
    int64_t estimated, read, written, skipped, chunks, rollbacks, deadlocks, lock_waits;
};

struct job_detail {
    struct job_execution execution;
    struct job_step *steps;
    int step_count;
    struct job_partition *partitions;
    int partition_count;
};

/* How far the latest planned step of an execution is: rows by the plan's estimate, never more than
 * planned. */
struct job_progress {
    char step_name[JOB_STATUS_NAME]; /* empty: nothing is planned yet */
    int64_t done, planned;
    int64_t partitions_completed, partitions;
    int percent;
};

/* The latest executions first, of one job or (NULL) of all. Fills at most `capacity` (up to
 * JOB_STATUS_LIMIT). */
enum err job_status_list(struct db *db, const char *job_name, struct job_execution *ret_executions,
                         int capacity, int *ret_count) MUST_CHECK;

/* The latest execution of each job, by name. */
enum err job_status_latest(struct db *db, struct job_execution *ret_executions, int capacity,
                           int *ret_count) MUST_CHECK;

/* Executions that are STARTING, STARTED or STOPPING, the oldest first. */
enum err job_status_running(struct db *db, struct job_execution *ret_executions, int capacity,
                            int *ret_count) MUST_CHECK;

/* The latest execution of each job that is COMPLETED, by name. */
enum err job_status_successes(struct db *db, struct job_execution *ret_executions, int capacity,
                              int *ret_count) MUST_CHECK;

/* Executions that ended and will be started again by a daemon, the next one first. */
enum err job_status_restarts(struct db *db, struct job_execution *ret_executions, int capacity,
                             int *ret_count) MUST_CHECK;

/* Executions of our jobs (job_control) that FAILED, are the latest of their instance, and will not
 * be started again unless somebody asks for it; the latest first. */
enum err job_status_failures(struct db *db, struct job_execution *ret_executions, int capacity,
                             int *ret_count) MUST_CHECK;

/* Processes, daemons first, those that are alive before the others. Fills at most `capacity` (up to
 * JOB_STATUS_NODES). */
enum err job_status_nodes(struct db *db, struct job_node *ret_nodes, int capacity,
                          int *ret_count) MUST_CHECK;

/* One execution with all that belongs to it; ERR_NOT_FOUND. Free with job_detail_done, which
 * accepts a zeroed one. */
enum err job_status_detail(struct db *db, int64_t execution_id,
                           struct job_detail *ret_detail) MUST_CHECK;
void job_detail_done(struct job_detail *detail);

enum err job_status_progress(struct db *db, int64_t instance_id,
                             struct job_progress *ret_progress) MUST_CHECK;

#endif
