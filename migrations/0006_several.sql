-- Several daemons on one database: a step whose partitions others may take, and a daemon that takes on nothing more.

-- While it is set, other daemons take PENDING partitions of the step for this execution. A hint to look, never a fence: that
-- is the partition's epoch.
ALTER TABLE step_plan
    ADD COLUMN IF NOT EXISTS open_execution_id BIGINT NULL
        COMMENT 'the execution for which other daemons may take partitions',
    ADD COLUMN IF NOT EXISTS open_skip_limit BIGINT NULL COMMENT 'under which limit of skips',
    ADD COLUMN IF NOT EXISTS open_inputs CHAR(64) CHARACTER SET ascii NOT NULL DEFAULT ''
        COMMENT 'a digest of what the job was given, as the rates: who was given something else does not help';
CREATE INDEX IF NOT EXISTS step_plan_open ON step_plan (open_execution_id);

-- settlectl drain: a daemon that hands over what it has, and takes on nothing more.
ALTER TABLE node
    ADD COLUMN IF NOT EXISTS takes_work BOOLEAN NOT NULL DEFAULT TRUE
        COMMENT 'FALSE: it is drained, halted, or cannot use the database',
    ADD COLUMN IF NOT EXISTS drain_requested_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS drain_requested_by VARCHAR(128) NOT NULL DEFAULT '';
