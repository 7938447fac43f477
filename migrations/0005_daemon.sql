-- What the daemon needs: when jobs are due, what people ask for, and why an execution was started and how it ended.
-- Everything here is bookkeeping; nothing here is about money.

-- A job as the daemons schedule it: its schedule as last read, how far its slots are decided, and whether it is paused.
-- Not in job_control: that row is held by launches and imports, and a tick must not wait for them.
CREATE TABLE IF NOT EXISTS job_schedule (
    job_name VARCHAR(100) NOT NULL PRIMARY KEY,
    cron VARCHAR(128) NOT NULL,
    timezone VARCHAR(64) NOT NULL COMMENT 'of cron; never empty',
    misfire ENUM('once', 'skip') NOT NULL,
    catchup_max INT NOT NULL,
    enabled BOOLEAN NOT NULL,
    decided_until DATETIME(6) NOT NULL COMMENT 'each slot up to here has a row',
    next_slot_at DATETIME(6) NULL COMMENT 'NULL: none is to come',
    paused_at DATETIME(6) NULL,
    paused_by VARCHAR(128) NOT NULL DEFAULT '',
    pause_reason VARCHAR(255) NOT NULL DEFAULT '',
    last_decision VARCHAR(1000) NOT NULL DEFAULT '' COMMENT 'a sentence: what was decided last, and why',
    last_decision_at DATETIME(6) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- One row for a job and a time at which it is due: the primary key is why a slot cannot run twice.
CREATE TABLE IF NOT EXISTS schedule_slot (
    job_name VARCHAR(100) NOT NULL,
    slot_at DATETIME(6) NOT NULL COMMENT 'UTC',
    interval_start DATE NOT NULL COMMENT 'business days, both included',
    interval_end DATE NOT NULL COMMENT 'the local day before the slot',
    status ENUM('OPEN', 'HELD', 'SKIPPED', 'DONE') NOT NULL
        COMMENT 'OPEN: its days are being settled; HELD: the job is paused',
    reason VARCHAR(1000) NOT NULL DEFAULT '' COMMENT 'why it was skipped or held, or what it waits for',
    decided_at DATETIME(6) NOT NULL,
    node_id CHAR(36) CHARACTER SET ascii NOT NULL COMMENT 'who decided',
    ended_at DATETIME(6) NULL,
    days_settled INT NOT NULL DEFAULT 0 COMMENT 'business days that were closed for it',
    PRIMARY KEY (job_name, slot_at),
    KEY schedule_slot_status (status, job_name, slot_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What people ask of the daemons, and what became of it.
CREATE TABLE IF NOT EXISTS job_request (
    request_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    command ENUM('RUN', 'BACKFILL', 'STOP', 'RESTART', 'ABANDON', 'PAUSE', 'RESUME') NOT NULL,
    job_name VARCHAR(100) NOT NULL DEFAULT '' COMMENT 'STOP, RESTART, ABANDON: filled in with the answer',
    job_execution_id BIGINT NULL COMMENT 'which one STOP, RESTART and ABANDON mean',
    date_from DATE NULL COMMENT 'RUN and BACKFILL; business days, both included',
    date_to DATE NULL,
    requested_by VARCHAR(128) NOT NULL,
    requested_at DATETIME(6) NOT NULL,
    reason VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'in the words of who asked',
    status ENUM('PENDING', 'ACCEPTED', 'COMPLETED', 'FAILED', 'STOPPED', 'REFUSED', 'NOT_FOUND', 'WITHDRAWN') NOT NULL
        DEFAULT 'PENDING',
    answer VARCHAR(2500) NOT NULL DEFAULT '',
    node_id CHAR(36) CHARACTER SET ascii NULL COMMENT 'the daemon that works it off',
    answered_at DATETIME(6) NULL,
    ended_at DATETIME(6) NULL,
    on_date DATE NULL COMMENT 'the business day that it is at',
    last_execution_id BIGINT NULL COMMENT 'the latest execution that it led to or found',
    days_done INT NOT NULL DEFAULT 0,
    KEY job_request_status (status, request_id),
    CHECK (date_from <= date_to)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Why an execution was started, and what ended it. `attempt` counts the executions of the instance; `restarts` only the
-- automatic ones in a row that cost an attempt.
ALTER TABLE job_execution_owner
    ADD COLUMN IF NOT EXISTS started_for ENUM('COMMAND', 'SLOT', 'REQUEST', 'RESTART', 'RESUME') NOT NULL DEFAULT 'COMMAND',
    ADD COLUMN IF NOT EXISTS request_id BIGINT NULL,
    ADD COLUMN IF NOT EXISTS slot_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS restarts INT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS cause ENUM('NONE', 'TRANSIENT', 'PERMANENT', 'CRASH', 'SHUTDOWN', 'PERSON') NOT NULL
        DEFAULT 'NONE' COMMENT 'of its end',
    ADD COLUMN IF NOT EXISTS restart_at DATETIME(6) NULL COMMENT 'when a daemon starts the instance again';
CREATE INDEX IF NOT EXISTS job_execution_owner_restart ON job_execution_owner (restart_at);

-- A tick asks whether anything is marked as running.
CREATE INDEX IF NOT EXISTS job_execution_status ON BATCH_JOB_EXECUTION (STATUS);

-- What a process says about itself, renewed with its heartbeat.
ALTER TABLE node ADD COLUMN IF NOT EXISTS status VARCHAR(512) NOT NULL DEFAULT '';

-- For people who query. One row for each job instance, with its latest execution.
CREATE OR REPLACE VIEW job_instance_status AS
SELECT i.JOB_INSTANCE_ID AS job_instance_id, i.JOB_NAME AS job_name, p.PARAMETER_VALUE AS target_date,
    e.JOB_EXECUTION_ID AS job_execution_id, e.STATUS AS status, e.EXIT_CODE AS exit_code, e.EXIT_MESSAGE AS exit_message,
    e.CREATE_TIME AS created_at, e.START_TIME AS started_at, e.END_TIME AS ended_at,
    o.attempt AS attempt, o.started_for AS started_for, o.cause AS cause, o.restart_at AS restart_at, o.node_id AS node_id
FROM BATCH_JOB_INSTANCE i
JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID =
    (SELECT MAX(latest.JOB_EXECUTION_ID) FROM BATCH_JOB_EXECUTION latest WHERE latest.JOB_INSTANCE_ID = i.JOB_INSTANCE_ID)
LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID AND p.PARAMETER_NAME = 'targetDate'
LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID;

-- One row for each execution that is marked as running: its step, how far it is by the plan's estimate, and whether its
-- process is alive. Driven by the few executions that run, however long the history is.
CREATE OR REPLACE VIEW job_running AS
SELECT e.JOB_EXECUTION_ID AS job_execution_id, i.JOB_NAME AS job_name, p.PARAMETER_VALUE AS target_date,
    e.STATUS AS status, e.START_TIME AS started_at, l.step_name AS step_name,
    COUNT(q.partition_id) AS partitions, COALESCE(SUM(q.status = 'COMPLETED'), 0) AS partitions_completed,
    COALESCE(SUM(q.read_count), 0) AS read_count, COALESCE(SUM(q.estimated_items), 0) AS planned,
    CAST(FLOOR(100 * SUM(IF(q.status = 'COMPLETED', q.estimated_items, LEAST(q.read_count, q.estimated_items)))
        / NULLIF(SUM(q.estimated_items), 0)) AS SIGNED) AS percent,
    o.node_id AS node_id, n.host AS host, n.pid AS pid, COALESCE(n.lease_until > UTC_TIMESTAMP(6), FALSE) AS alive
FROM BATCH_JOB_EXECUTION e
JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID
LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID AND p.PARAMETER_NAME = 'targetDate'
LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID
LEFT JOIN node n ON n.node_id = o.node_id
LEFT JOIN step_plan l ON l.job_instance_id = e.JOB_INSTANCE_ID
    AND l.planned_at = (SELECT MAX(m.planned_at) FROM step_plan m WHERE m.job_instance_id = e.JOB_INSTANCE_ID)
LEFT JOIN step_partition q ON q.job_instance_id = l.job_instance_id AND q.step_name = l.step_name
WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')
GROUP BY e.JOB_EXECUTION_ID, i.JOB_NAME, p.PARAMETER_VALUE, e.STATUS, e.START_TIME, l.step_name, o.node_id, n.host, n.pid,
    n.lease_until;

-- One row for each execution that failed: the step that did it, what was said, what a daemon will do about it, and whether
-- a later execution of the instance has made up for it.
CREATE OR REPLACE VIEW job_failure AS
SELECT e.JOB_EXECUTION_ID AS job_execution_id, i.JOB_NAME AS job_name, p.PARAMETER_VALUE AS target_date,
    e.END_TIME AS ended_at, s.STEP_NAME AS step_name, e.EXIT_MESSAGE AS exit_message, o.cause AS cause,
    o.attempt AS attempt, o.restart_at AS restart_at,
    EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION later WHERE later.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID
        AND later.JOB_EXECUTION_ID > e.JOB_EXECUTION_ID AND later.STATUS = 'COMPLETED') AS mended
FROM BATCH_JOB_EXECUTION e
JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID
LEFT JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID AND p.PARAMETER_NAME = 'targetDate'
LEFT JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID
LEFT JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID =
    (SELECT MIN(f.STEP_EXECUTION_ID) FROM BATCH_STEP_EXECUTION f WHERE f.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID
        AND f.STATUS = 'FAILED' AND f.STEP_NAME NOT LIKE '%:partition%')
WHERE e.STATUS = 'FAILED';
