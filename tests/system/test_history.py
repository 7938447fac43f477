#!/usr/bin/python3
"""What real runs leave behind for people who query: the views over the job tables, and what a purge takes away from them.
Nothing about money may change with a purge."""

import json
import signal

import lib
from daemon import Served
from lib import JOB, Suite, wait_until

suite = Suite()
test = suite.test

DAYS = lib.days_from("2024-06-30", 3)


class Loaded(Served):
    """Three days of logs; some contents have no row in content_post."""

    def __enter__(self):
        lib.load(self, lib.generate(7, DAYS))
        return super().__enter__()

    def records(self, sql, *arguments):
        """Rows by the names of their columns."""
        with self.server.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return [dict(zip([column[0] for column in cursor.description], row)) for row in cursor.fetchall()]


@test("a failure is one row, with the step and the message, until a later execution makes up for it")
def _():
    with Loaded(skip_limit=0) as database:
        database.run(DAYS[0]).expect(1)
        failure, = database.records("SELECT * FROM job_failure")
        assert (failure["job_name"], failure["target_date"], failure["step_name"], failure["mended"]) == (
            JOB, str(DAYS[0]), "settlement", 0), failure
        assert "skip" in failure["exit_message"] and failure["ended_at"] is not None and failure["attempt"] == 1, failure
        instance, = database.records("SELECT * FROM job_instance_status")
        assert (instance["status"], instance["job_execution_id"]) == ("FAILED", failure["job_execution_id"]), instance
        failed = json.loads(database.settlectl("--json", "status", "--check").expect(1).stdout)["failures"]
        assert [row["execution"] for row in failed] == [failure["job_execution_id"]], failed

        database.configure(skip_limit=1000)
        database.settle(*DAYS[:2])
        failure, = database.records("SELECT * FROM job_failure")
        assert failure["mended"] == 1, failure
        first, second = database.records("SELECT * FROM job_instance_status ORDER BY target_date")
        assert (first["target_date"], first["status"], first["attempt"]) == (str(DAYS[0]), "COMPLETED", 2), first
        assert first["job_execution_id"] > failure["job_execution_id"] and first["started_for"] == "COMMAND", first
        assert (second["target_date"], second["attempt"], second["exit_code"]) == (
            str(DAYS[1]), 1, "COMPLETED WITH SKIPS"), second
        assert database.rows("SELECT * FROM job_running") == []


@test("an execution that runs is one row with its step, its progress and its process, as settlectl shows it")
def _():
    with Loaded(chunk_size=1, partition_items=50, heartbeat_s=30, ttl_s=600) as database:
        with database.hold(DAYS[0]) as held:
            process = database.run(DAYS[0], "--quiet")
            held.wait_wanted()
            process.signal(signal.SIGSTOP)
            row, = database.records("SELECT * FROM job_running")
            shown, = json.loads(database.settlectl("--json", "status").expect(0).stdout)["running"]
            process.signal(signal.SIGCONT)
        assert (row["job_name"], row["target_date"], row["alive"], row["pid"]) == (
            JOB, str(DAYS[0]), 1, process.child.pid), row
        assert row["step_name"] in lib.STEPS and 0 <= row["partitions_completed"] <= row["partitions"] > 1, row
        assert (shown["execution"], shown["step"], shown["planned"]) == (
            row["job_execution_id"], row["step_name"], row["planned"]), (shown, row)
        assert 0 <= row["percent"] <= shown["percent"] <= 100, (shown, row)
        process.expect(0)
        assert database.rows("SELECT * FROM job_running") == []


@test("an execution whose process died is shown as running and not alive until it is recovered")
def _():
    with Loaded(chunk_size=1, partition_items=50) as database:
        with database.hold(DAYS[0]) as held:
            process = database.run(DAYS[0], "--quiet")
            held.wait_wanted()
            process.kill()
        wait_until(lambda: [row["alive"] for row in database.records("SELECT alive FROM job_running")] == [0], 30,
                   "the lease to end")
        database.settle(DAYS[0])
        failure, = database.records("SELECT * FROM job_failure")
        assert failure["mended"] == 1 and "gone" in failure["exit_message"], failure


@test("the views need no relaxed GROUP BY and no time zone of the session")
def _():
    with Loaded() as database:
        database.settle(DAYS[0])
        database.execute("SET SESSION sql_mode = 'ONLY_FULL_GROUP_BY', time_zone = '+09:00'")
        assert [database.value(f"SELECT COUNT(*) FROM {view}") for view in (
            "job_instance_status", "job_running", "job_failure")] == [1, 0, 0]
        database.execute("INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status)"
                         " VALUES ('n', 'h', 1, '', 'DAEMON', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),"
                         " UTC_TIMESTAMP(6) + INTERVAL 1 HOUR, '')")
        database.execute("UPDATE job_execution_owner SET node_id = 'n'")
        database.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STARTED', END_TIME = NULL")
        assert database.rows("SELECT alive FROM job_running") == [(1,)]


@test("a purge of real runs leaves the results, the last success and the closed days")
def _():
    with Loaded() as database:
        database.settle(*DAYS)
        results = database.dump()
        counts = json.loads(database.settlectl("--json", "purge", "--older-than", "0d").expect(0).stdout)
        assert counts["instances"] == counts["executions"] == 2 and counts["steps"] > 10, counts
        assert [row["target_date"] for row in database.records("SELECT * FROM job_instance_status")] == [str(DAYS[2])]
        partitions = database.value("SELECT COUNT(DISTINCT job_instance_id) FROM step_partition")
        assert partitions == 1, partitions
        assert database.dump() == results
        database.verify()
        assert "closed already" in database.run(DAYS[0]).expect(0).stdout
        assert database.dump() == results


if __name__ == "__main__":
    suite.main()
