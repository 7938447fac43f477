-- What the engine needs and Spring Batch's tables have no place for. Everything here goes with the metadata that it
-- belongs to (ON DELETE CASCADE); nothing here is about money.

-- A process that runs jobs. Its row is its lease, by this server's clock.
CREATE TABLE IF NOT EXISTS node (
    node_id CHAR(36) CHARACTER SET ascii NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    pid INT NOT NULL,
    version VARCHAR(32) NOT NULL,
    role ENUM('DAEMON', 'RUN') NOT NULL,
    started_at DATETIME(6) NOT NULL,
    heartbeat_at DATETIME(6) NOT NULL,
    lease_until DATETIME(6) NOT NULL
) ENGINE=InnoDB;

-- One row a job: locked while a launch is decided, so that two launches of a job are decided one after the other, and held
-- by imports until they commit, so that a launch waits for them.
CREATE TABLE IF NOT EXISTS job_control (
    job_name VARCHAR(100) NOT NULL PRIMARY KEY
) ENGINE=InnoDB;

-- Whose execution it is, and why there is one.
CREATE TABLE IF NOT EXISTS job_execution_owner (
    job_execution_id BIGINT NOT NULL PRIMARY KEY,
    node_id CHAR(36) CHARACTER SET ascii NOT NULL,
    attempt INT NOT NULL DEFAULT 1,
    CONSTRAINT job_execution_owner_fk FOREIGN KEY (job_execution_id)
        REFERENCES BATCH_JOB_EXECUTION (JOB_EXECUTION_ID) ON DELETE CASCADE
) ENGINE=InnoDB;

-- The plan of a step, made once for a job instance and adopted by every restart.
CREATE TABLE IF NOT EXISTS step_plan (
    job_instance_id BIGINT NOT NULL,
    step_name VARCHAR(80) NOT NULL,
    planned_at DATETIME(6) NOT NULL,
    partition_count INT NOT NULL,
    estimated_items BIGINT NOT NULL,
    PRIMARY KEY (job_instance_id, step_name),
    CONSTRAINT step_plan_fk FOREIGN KEY (job_instance_id)
        REFERENCES BATCH_JOB_INSTANCE (JOB_INSTANCE_ID) ON DELETE CASCADE
) ENGINE=InnoDB;

-- A partition: a range of keys (lower exclusive, upper inclusive), how far it has come, whose it is. The epoch is the
-- fence: whoever takes the partition raises it, and a chunk commits only under the epoch that it was started with.
CREATE TABLE IF NOT EXISTS step_partition (
    partition_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job_instance_id BIGINT NOT NULL,
    step_name VARCHAR(80) NOT NULL,
    partition_number INT NOT NULL,
    lower_key BIGINT NOT NULL,
    upper_key BIGINT NOT NULL,
    estimated_items BIGINT NOT NULL,
    checkpoint_key BIGINT NULL,
    status ENUM('PENDING', 'STARTED', 'STOPPED', 'FAILED', 'COMPLETED') NOT NULL DEFAULT 'PENDING',
    node_id CHAR(36) CHARACTER SET ascii NULL,
    epoch BIGINT NOT NULL DEFAULT 0,
    step_execution_id BIGINT NULL,
    chunk_count BIGINT NOT NULL DEFAULT 0,
    read_count BIGINT NOT NULL DEFAULT 0,
    write_count BIGINT NOT NULL DEFAULT 0,
    skip_count BIGINT NOT NULL DEFAULT 0,
    rollback_count BIGINT NOT NULL DEFAULT 0,
    deadlock_count BIGINT NOT NULL DEFAULT 0,
    lock_wait_count BIGINT NOT NULL DEFAULT 0,
    updated_at DATETIME(6) NOT NULL,
    UNIQUE KEY step_partition_number (job_instance_id, step_name, partition_number),
    KEY step_partition_execution (step_execution_id),
    CHECK (lower_key < upper_key),
    CHECK (checkpoint_key IS NULL OR checkpoint_key BETWEEN lower_key AND upper_key),
    CONSTRAINT step_partition_fk FOREIGN KEY (job_instance_id)
        REFERENCES BATCH_JOB_INSTANCE (JOB_INSTANCE_ID) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Restart and status queries look steps up by execution and name.
CREATE INDEX IF NOT EXISTS step_execution_name ON BATCH_STEP_EXECUTION (JOB_EXECUTION_ID, STEP_NAME);
