-- What the worker and the reader may do, table by table; users.sql says who they are. `settlectl migrate` grants it each
-- time, in its own database: it puts that database's name in the place of "settlement" in the names of the roles. One
-- statement a line. A table without a line here can be neither read nor written by either.
--
-- The worker gets what the statements of the programs need, and no more: nothing that changes the schema, no right to
-- change or remove what was settled, to set rates, or to change what the platform stored. What the two may not see at all
-- are the viewers' addresses (client_ip) and the members' e-mail addresses.

-- The job metadata of Spring Batch. To draw a number from a sequence takes INSERT and SELECT.
GRANT SELECT, INSERT, DELETE ON BATCH_JOB_INSTANCE TO settlement_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON BATCH_JOB_EXECUTION TO settlement_worker;
GRANT SELECT, INSERT, DELETE ON BATCH_JOB_EXECUTION_PARAMS TO settlement_worker;
GRANT SELECT, INSERT, DELETE ON BATCH_JOB_EXECUTION_CONTEXT TO settlement_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON BATCH_STEP_EXECUTION TO settlement_worker;
GRANT SELECT, INSERT, DELETE ON BATCH_STEP_EXECUTION_CONTEXT TO settlement_worker;
GRANT SELECT, INSERT ON BATCH_JOB_SEQ TO settlement_worker;
GRANT SELECT, INSERT ON BATCH_JOB_EXECUTION_SEQ TO settlement_worker;
GRANT SELECT, INSERT ON BATCH_STEP_EXECUTION_SEQ TO settlement_worker;

-- The engine and the daemon.
GRANT SELECT, INSERT, UPDATE, DELETE ON node TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON job_control TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON job_execution_owner TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON step_plan TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON step_partition TO settlement_worker;
GRANT SELECT ON installation TO settlement_worker;
GRANT SELECT, INSERT ON acknowledgement TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON job_schedule TO settlement_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON schedule_slot TO settlement_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON job_request TO settlement_worker;
GRANT SELECT ON schema_migration TO settlement_worker;

-- The platform's tables: the import adds rows, nobody changes them. Where a platform made its own, a column may be
-- missing that only settlectl shows: then that line is passed over.
GRANT INSERT ON member TO settlement_worker;
GRANT SELECT (member_id, username) ON member TO settlement_worker;
GRANT SELECT, INSERT ON content_post TO settlement_worker;
GRANT INSERT ON advertisement TO settlement_worker;
GRANT INSERT ON member_content_watch_log TO settlement_worker;
GRANT SELECT (content_post_id, total_playback_time, watched_date, updated_at) ON member_content_watch_log TO settlement_worker;
GRANT INSERT ON member_ad_watch_log TO settlement_worker;
GRANT SELECT (content_post_id, advertisement_id, playback_position, watched_date, updated_at) ON member_ad_watch_log TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON import_file TO settlement_worker;

-- Statistics and money.
GRANT SELECT, INSERT, UPDATE ON content_statistics TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON ad_statistics TO settlement_worker;
GRANT SELECT ON settlement_rate TO settlement_worker;
GRANT SELECT, INSERT ON settlement TO settlement_worker;
GRANT SELECT, INSERT, UPDATE (paid_on) ON parked_content TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON reconciliation TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON reconciliation_part TO settlement_worker;
GRANT SELECT, INSERT ON day_close TO settlement_worker;
GRANT SELECT, INSERT, UPDATE ON late_content TO settlement_worker;

-- The reader: what was settled, what the jobs do, and of the platform's tables only what a report names.
GRANT SELECT ON BATCH_JOB_INSTANCE TO settlement_reader;
GRANT SELECT ON BATCH_JOB_EXECUTION TO settlement_reader;
GRANT SELECT ON BATCH_JOB_EXECUTION_PARAMS TO settlement_reader;
GRANT SELECT ON BATCH_JOB_EXECUTION_CONTEXT TO settlement_reader;
GRANT SELECT ON BATCH_STEP_EXECUTION TO settlement_reader;
GRANT SELECT ON BATCH_STEP_EXECUTION_CONTEXT TO settlement_reader;
GRANT SELECT ON node TO settlement_reader;
GRANT SELECT ON job_control TO settlement_reader;
GRANT SELECT ON job_execution_owner TO settlement_reader;
GRANT SELECT ON step_plan TO settlement_reader;
GRANT SELECT ON installation TO settlement_reader;
GRANT SELECT ON acknowledgement TO settlement_reader;
GRANT SELECT ON step_partition TO settlement_reader;
GRANT SELECT ON job_schedule TO settlement_reader;
GRANT SELECT ON schedule_slot TO settlement_reader;
GRANT SELECT ON job_request TO settlement_reader;
GRANT SELECT ON schema_migration TO settlement_reader;
GRANT SELECT ON job_instance_status TO settlement_reader;
GRANT SELECT ON job_running TO settlement_reader;
GRANT SELECT ON job_failure TO settlement_reader;
GRANT SELECT (member_id, username) ON member TO settlement_reader;
GRANT SELECT ON content_post TO settlement_reader;
GRANT SELECT ON advertisement TO settlement_reader;
GRANT SELECT (watched_date) ON member_content_watch_log TO settlement_reader;
GRANT SELECT (watched_date) ON member_ad_watch_log TO settlement_reader;
GRANT SELECT ON import_file TO settlement_reader;
GRANT SELECT ON content_statistics TO settlement_reader;
GRANT SELECT ON ad_statistics TO settlement_reader;
GRANT SELECT ON settlement_rate TO settlement_reader;
GRANT SELECT ON settlement TO settlement_reader;
GRANT SELECT ON parked_content TO settlement_reader;
GRANT SELECT ON reconciliation TO settlement_reader;
GRANT SELECT ON reconciliation_part TO settlement_reader;
GRANT SELECT ON day_close TO settlement_reader;
GRANT SELECT ON late_content TO settlement_reader;
