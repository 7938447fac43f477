#!/usr/bin/python3
"""What a person types: settlectl's commands, their output in three formats, and their exit codes.

The results that are shown are stored here row by row, so that each figure in the output is known beforehand.
"""

import csv
import io
import json
import os
import pty
import subprocess

import lib
from lib import Database, SETTLECTL, Suite

suite = Suite()
test = suite.test

FULL = "settlectl: writing the output: No space left on device\n"
LARGE = 2**53 + 1  # no floating point on the way
ROWS = (
    "INSERT INTO member VALUES (7, 'a@b.c', '=cmd()', 'CREATOR'), (8, 'b@b.c', 'second', 'CREATOR')",
    "INSERT INTO content_post (content_post_id, member_id, title, duration) VALUES "
    f"(1, 7, 'one, \"quoted\"', 60), (2, 8, '두번째', 60), ({LARGE}, 7, 'large', 60)",
    "INSERT INTO content_statistics VALUES"
    " ('DAILY', '2020-06-30', 1, 100, 1000, 10, 100, 10), ('DAILY', '2020-07-01', 1, 50, 500, 0, 150, 10),"
    f" ('DAILY', '2020-07-01', 2, 70, 90, 3, 70, 3), ('DAILY', '2020-07-01', {LARGE}, 70, 80, 4, 70, 4),"
    " ('DAILY', '2020-07-01', 5, 9, 9, 0, 9, 0),"
    " ('WEEKLY', '2020-06-29', 1, 150, 1500, 10, NULL, NULL), ('WEEKLY', '2020-06-29', 2, 70, 90, 3, NULL, NULL)",
    "INSERT INTO settlement VALUES"
    " ('2020-06-30', 1, 7, 100000000, 100000000, 100000000, 100000000, 'CALCULATED', 1),"
    " ('2020-07-01', 1, 7, 50000000, 0, 150000000, 100000000, 'CALCULATED', 2),"
    " ('2020-07-01', 2, 8, 70000000, 30000000, 70000000, 30000000, 'CALCULATED', 2),"
    f" ('2020-07-01', {LARGE}, 7, 70000000, 40000000, 70000000, 40000000, 'CALCULATED', 2)",
    "INSERT INTO parked_content VALUES ('2020-07-01', 5, 'no row in content_post', 2, NULL)",
    "INSERT INTO day_close VALUES ('2020-06-30', 'CLOSED', NOW(6), NOW(6), 100, 10, 1, 0),"
    " ('2020-07-01', 'CLOSED', '2020-07-02 00:10:03', NOW(6), 199, 7, 2, 0)",
    "INSERT INTO member_content_watch_log (member_id, content_post_id, last_playback_position, total_playback_time,"
    " watched_date, streaming_status) VALUES (1, 1, 1, 1, '2020-06-29', 'STOPPED'), (1, 1, 1, 1, '2020-07-01', 'STOPPED'),"
    " (1, 1, 1, 1, '2020-07-02', 'STOPPED'), (2, 1, 1, 1, '2020-07-02', 'STOPPED')",
    "INSERT INTO BATCH_JOB_INSTANCE VALUES (1, 0, 'daily-settlement', 'a'), (2, 0, 'daily-settlement', 'b')",
    "INSERT INTO BATCH_JOB_EXECUTION VALUES (1, 2, 1, '2020-07-01 00:10:00', '2020-07-01 00:10:00', "
    "'2020-07-01 00:10:02.5', 'COMPLETED', 'COMPLETED', '', NOW(6)), (2, 2, 2, '2020-07-02 00:10:00', "
    "'2020-07-02 00:10:00', NULL, 'STARTED', 'UNKNOWN', '', NOW(6))",
    "INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES (1, 'targetDate', 'java.lang.String', '2020-06-30', 'Y'),"
    " (2, 'targetDate', 'java.lang.String', '2020-07-01', 'Y')",
    "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME, START_TIME,"
    " STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT,"
    " ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE) VALUES (1, 0, 'settlement', 2, NOW(6), NOW(6), 'STARTED',"
    " 0, 0, 0, 0, 0, 0, 0, 0, 'EXECUTING', ''), (2, 0, 'settlement:partition0', 2, NOW(6), NOW(6), 'STARTED',"
    " 3, 3000, 0, 1234, 0, 0, 1, 2, 'EXECUTING', '')",
    "INSERT INTO step_plan (job_instance_id, step_name, planned_at, partition_count, estimated_items)"
    " VALUES (2, 'settlement', NOW(6), 2, 8000)",
    "INSERT INTO step_partition (job_instance_id, step_name, partition_number, lower_key, upper_key, estimated_items,"
    " checkpoint_key, status, epoch, read_count, write_count, updated_at) VALUES"
    " (2, 'settlement', 0, -9223372036854775808, 500, 6000, 250, 'STARTED', 2, 3000, 1234, NOW(6)),"
    " (2, 'settlement', 1, 500, 9223372036854775807, 2000, NULL, 'PENDING', 0, 0, 0, NOW(6))",
    "INSERT INTO reconciliation VALUES (2, 'views', '2020-07-01', 199, 198, FALSE)",
)


class Filled(Database):
    """A database with the rows above."""

    def __enter__(self):
        for sql in ROWS:
            self.execute(sql)
        return super().__enter__()

    def output(self, *arguments, code=0):
        return self.settlectl(*arguments).expect(code).stdout

    def json(self, *arguments, code=0):
        return json.loads(self.output("--json", *arguments, code=code))


def bare(*arguments, **environment):
    """settlectl without a configuration."""
    variables = {"PATH": os.environ["PATH"], **lib.INSTRUMENTS, **environment}
    return subprocess.run([SETTLECTL, *arguments], capture_output=True, text=True, env=variables, check=False,
                          timeout=60 * lib.FACTOR)


def expect_usage(*arguments, says):
    result = bare(*arguments)
    assert result.returncode == 2, (arguments, result)
    assert says in result.stderr and result.stdout == "", (arguments, result)


@test("help and version need neither configuration nor database")
def _():
    overview = bare("--help")
    assert overview.returncode == 0 and "explain" in overview.stdout, overview
    assert bare("help").stdout == overview.stdout
    for line in overview.stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines():
        name = line.split()[0]
        texts = [bare("help", name), bare(name, "--help"), bare("--help", name)]
        assert all(text.returncode == 0 and text.stdout == texts[0].stdout for text in texts), texts
        assert texts[0].stdout.startswith(f"Usage: settlectl {name}"), texts[0]
    assert bare("--version").stdout.startswith("settlectl ")


@test("a wrong command line ends with 2 and a hint")
def _():
    result = bare()
    assert result.returncode == 2 and "Usage:" in result.stderr, result
    expect_usage("explan", says="did you mean explain?")
    expect_usage("nonsense", says="unknown command nonsense")
    expect_usage("help", "nonsense", says="unknown command nonsense")
    expect_usage("--nonsense", says="unknown option --nonsense")
    expect_usage("runs", "--nonsense", says="unknown option --nonsense")
    expect_usage("runs", "--limit", "0", says="from 1 to 1000")
    expect_usage("runs", "a", "b", says="one argument too many")
    expect_usage("show", says="needs the id")
    expect_usage("show", "x", says="not an id")
    expect_usage("show", "1", "--format", "csv", says="has no CSV")
    expect_usage("runs", "--format", "xml", says="table, csv or json")
    expect_usage("runs", "--json", "--format", "csv", says="contradicts")
    expect_usage("--config", says="--config needs")
    expect_usage("top", "--by", "views", "--period", "daily", "--date", "2020-02-30", says="--date 2020-02-30")
    expect_usage("top", "--by", "likes", "--period", "daily", "--date", "2020-02-28", says="--by likes")
    expect_usage("top", "--by", "views", "--period", "hourly", "--date", "2020-02-28", says="--period hourly")
    expect_usage("top", "--by", "views", "--date", "2020-02-28", says="top needs --period")
    expect_usage("report", "--date", "2020-07-01", says="settlement")
    expect_usage("report", "views", "--date", "2020-07-01", says="no report views")
    expect_usage("report", "settlement", says="--date D")
    expect_usage("report", "settlement", "--from", "2020-07-01", says="--to D")
    expect_usage("report", "settlement", "--from", "2020-07-02", "--to", "2020-07-01", says="--from is after --to")
    expect_usage("report", "settlement", "--date", "2020-07-01", "--to", "2020-07-01", says="either --date D")
    expect_usage("status", "--check", "--check-daemon", says="either")
    expect_usage("next", "--count", "0", says="from 1 to 1000")
    expect_usage("purge", says="purge needs --older-than")
    for age in ("90", "3h", "-1d", "d", "", "36501d", "5215w", "99999999999999999999d", "1.5d"):
        expect_usage("purge", "--older-than", age, says="90d or 12w")
    expect_usage("explain", "--content", "one", "--date", "2020-07-01", says="--content one")


@test("a bad configuration ends with 78 and a server that is not there with 1")
def _():
    result = bare("runs", "--config", "/nonexistent/file")
    assert result.returncode == 78 and "/nonexistent/file" in result.stderr, result
    with Database(migrate=False) as database:
        with open(database.configuration, "a", encoding="utf-8") as file:
            file.write("unknown_key = 1;\n")
        assert "unknown_key" in database.settlectl("runs").expect(78).stderr
        with open(database.configuration, "w", encoding="utf-8") as file:
            file.write('database: { socket = "/nonexistent/socket"; user = "root"; };')
        assert "/nonexistent/socket" in database.settlectl("runs").expect(1).stderr


@test("migrate makes the database, can be repeated, and reading says when it is missing")
def _():
    with Database(migrate=False) as database:
        assert "settlectl migrate" in database.settlectl("runs").expect(1).stderr
        database.execute(f"DROP DATABASE {database.name}")
        assert "settlectl migrate" in database.settlectl("status").expect(1).stderr
        first = database.settlectl("migrate").expect(0).stdout
        assert f"created database {database.name}" in first and "applied 0001_" in first, first
        assert "nothing to do" in database.settlectl("migrate").expect(0).stdout
        again = json.loads(database.settlectl("migrate", "--json").expect(0).stdout)
        assert again["applied"] == [] and again["known"] >= 4 and not again["created"], again
        charset = database.value("SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA "
                                 "WHERE SCHEMA_NAME = %s", database.name)
        assert charset == "utf8mb4", charset
        database.server.select_db(database.name)
        database.execute("UPDATE schema_migration SET checksum = 'x' LIMIT 1")
        assert "changed" in database.settlectl("migrate").expect(1).stderr
        assert "changed" in database.settlectl("runs").expect(1).stderr


@test("migrate refuses a name that it could not quote")
def _():
    with Database(migrate=False) as database:
        with open(database.owner_configuration, "w", encoding="utf-8") as file:
            file.write(f'database: {{ socket = "{lib.SOCKET}"; user = "{lib.USER}"; name = "a`b"; }};')
        assert "database.name" in database.settlectl("migrate").expect(78).stderr


@test("runs lists executions in three formats, the latest first")
def _():
    with Filled() as database:
        rows = database.json("runs")["executions"]
        assert [row["execution"] for row in rows] == [2, 1], rows
        assert rows[1]["duration_us"] == 2500000 and rows[1]["started"] == "2020-07-01T00:10:00Z", rows
        assert rows[0]["parameters"] == "targetDate=2020-07-01" and rows[0]["started_for"] == "", rows
        assert len(database.json("runs", "daily-settlement", "--limit", "1")["executions"]) == 1
        table = database.output("runs").splitlines()
        assert table[0].startswith("Execution  Job") and "2.5 s" in table[3], table
        rows = list(csv.DictReader(io.StringIO(database.output("runs", "--format=csv"))))
        assert rows[1]["duration_s"] == "2.500000" and rows[0]["status"] == "STARTED", rows
        assert "no such job" in database.settlectl("runs", "nothing").expect(3).stderr


@test("show has an execution's steps, partitions and checks")
def _():
    with Filled() as database:
        page = database.json("show", "2")
        assert page["status"] == "STARTED" and page["ended"] is None, page
        assert (page["started_for"], page["cause"], page["restart_at"], page["pid"]) == ("", "", None, None), page
        step, = page["steps"]
        assert (step["step"], step["read"], step["written"], step["skipped"], step["rollbacks"], step["commits"]) == (
            "settlement", 3000, 1234, 1, 2, 3), step
        first, second = page["partitions"]
        assert first["lower_key"] == -2**63 and first["checkpoint_key"] == 250 and first["epoch"] == 2, first
        assert second["checkpoint_key"] is None and second["status"] == "PENDING", second
        assert page["checks"] == [{"check": "views", "expected": "199", "actual": "198", "passed": False}], page
        text = database.output("show", "2")
        assert "1,234" in text and "Partitions" in text and "Checks" in text, text
        assert "no execution 99" in database.settlectl("show", "99").expect(3).stderr


@test("status has the frontier, running executions and days that wait")
def _():
    with Filled() as database:
        status = database.json("status")
        assert status["settled"]["date"] == "2020-07-01", status
        assert [job["execution"] for job in status["jobs"]] == [2], status
        running, = status["running"]
        assert (running["step"], running["done"], running["planned"], running["percent"]) == (
            "settlement", 3000, 8000, 37), running
        assert status["unsettled"] == [
            {"date": "2020-06-29", "view_logs": 1, "ad_logs": 0, "late": True, "over": True, "due_at": None,
             "overdue": False},
            {"date": "2020-07-02", "view_logs": 2, "ad_logs": 0, "late": False, "over": True,
             "due_at": "2020-07-02T15:10:00Z", "overdue": True}], status
        assert status["database"]["name"] == database.name and status["database"]["version"][0].isdigit(), status
        success, = status["last_success"]
        assert (success["execution"], success["parameters"]) == (1, "targetDate=2020-06-30"), status
        text = database.output("status")
        assert "Settled up to" in text and "2020-07-02 00:10:03" in text, text


def add_daemon(database, host, alive=True, status="idle"):
    database.execute("INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status)"
                     " VALUES (UUID(), %s, 4711, '9.9', 'DAEMON', NOW(6) - INTERVAL 2 HOUR, NOW(6), NOW(6)"
                     " + INTERVAL %s HOUR, %s)", host, 1 if alive else -1, status)


def add_schedule(database, **fields):
    row = {"job_name": "daily-settlement", "cron": "10 0 * * *", "timezone": "Asia/Seoul", "misfire": "once",
           "catchup_max": 31, "enabled": 1, "decided_until": "2020-01-01", "next_slot_at": "2099-01-01 15:10:00", **fields}
    lib.insert(database, "job_schedule", ", ".join(row), [tuple(row.values())])


@test("status shows the daemons, and can judge whether one is alive")
def _():
    with Filled() as database:
        database.settlectl("status").expect(0)
        assert "no daemon is alive" in database.settlectl("status", "--check-daemon").expect(1).stderr
        add_daemon(database, "elsewhere")
        add_daemon(database, os.uname().nodename, alive=False)
        assert "elsewhere: 1" in database.settlectl("status", "--check-daemon").expect(1).stderr
        add_daemon(database, os.uname().nodename, status="it works")
        assert "alive on this host" in database.output("status", "--check-daemon")
        assert database.json("status", "--check-daemon")["daemon_here"] is True
        status = database.json("status")
        assert status["daemons_alive"] == 2 and [daemon["alive"] for daemon in status["daemons"]] == [True, True, False]
        here = [daemon for daemon in status["daemons"] if daemon["status"] == "it works"][0]
        assert (here["pid"], here["version"], here["host"]) == (4711, "9.9", os.uname().nodename), here
        assert here["uptime_us"] >= 7200 * 10**6 and "it works" in database.output("status"), here


@test("status --check names what needs attention, and is silent when nothing does")
def _():
    with Filled() as database:
        kinds = [problem["kind"] for problem in database.json("status", "--check", code=1)["problems"]]
        assert kinds == ["daemon", "overdue"], kinds
        add_daemon(database, "host")
        database.execute("INSERT INTO day_close VALUES ('2020-07-02', 'CLOSED', NOW(6), NOW(6), 2, 0, 2, 0)")
        database.settlectl("status", "--check").expect(0)
        database.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'FAILED', END_TIME = NOW(6), EXIT_MESSAGE = 'boom'"
                         " WHERE JOB_EXECUTION_ID = 2")
        database.execute("INSERT INTO job_execution_owner (job_execution_id, node_id, restart_at, restarts)"
                         " VALUES (2, 'n', NOW(6) + INTERVAL 1 HOUR, 1)")
        status = database.json("status", "--check")
        assert [row["execution"] for row in status["restarts"]] == [2] and status["failures"] == [], status
        database.execute("UPDATE job_execution_owner SET restart_at = NULL")
        failed = database.settlectl("status", "--check").expect(1)
        assert "settlectl restart 2" in failed.stdout and "boom" in failed.stdout and "attention" in failed.stderr
        database.settlectl("status").expect(0)


@test("a day is overdue an hour after the slot that should have settled it, unless it is being settled")
def _():
    with Filled() as database:
        def overdue():
            status = database.json("status")
            return [day["date"] for day in status["unsettled"] if day["overdue"]], status["lag"]
        days, lag = overdue()
        assert days == ["2020-07-02"] and (lag["days"], lag["oldest"], lag["late_days"]) == (1, "2020-07-02", 1), lag
        database.execute("UPDATE BATCH_JOB_EXECUTION_PARAMS SET PARAMETER_VALUE = '2020-07-02' WHERE JOB_EXECUTION_ID = 2")
        days, lag = overdue()
        assert days == [] and lag["days"] == 1 and lag["overdue_days"] == 0, lag
        database.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPED', END_TIME = NOW(6) WHERE JOB_EXECUTION_ID = 2")
        assert overdue()[0] == ["2020-07-02"]
        add_schedule(database, cron="0 0 1 1 *", paused_at="2020-07-01", paused_by="alice@host", pause_reason="holiday")
        status = database.json("status")
        assert status["unsettled"][1]["due_at"] == "2020-12-31T15:00:00Z", status
        assert status["schedules"][0]["state"] == "paused by alice@host: holiday", status
        assert status["schedules"][0]["next_slot"] == "2099-01-01T15:10:00Z", status
        database.execute("UPDATE job_schedule SET enabled = 0")
        days, lag = overdue()
        assert days == [] and lag["days"] == 1, lag
        tomorrow = database.value("SELECT CAST(CURRENT_DATE + INTERVAL 2 DAY AS CHAR)")
        database.execute("UPDATE member_content_watch_log SET watched_date = %s WHERE watched_date = '2020-07-02'", tomorrow)
        status = database.json("status")
        assert status["unsettled"][-1]["over"] is False and status["lag"]["days"] == 0, status


@test("status shows requests that are not done with")
def _():
    with Filled() as database:
        lib.insert(database, "job_request", "command, job_name, date_from, date_to, requested_by, requested_at, status,"
                   " on_date, last_execution_id, days_done", [
                       ("BACKFILL", "daily-settlement", "2020-07-01", "2020-07-03", "bob@host", "2020-07-04", "ACCEPTED",
                        "2020-07-02", 2, 1),
                       ("PAUSE", "daily-settlement", None, None, "bob@host", "2020-07-04", "COMPLETED", None, None, 0)])
        request, = database.json("status")["requests"]
        assert (request["command"], request["on_date"], request["execution"], request["days_done"]) == (
            "BACKFILL", "2020-07-02", 2, 1), request


@test("next shows coming slots, what is held, and who paused it")
def _():
    with Filled() as database:
        job, = database.json("next", "--count", "2")["jobs"]
        assert job["recorded"] is False and "no daemon has recorded" in job["note"] and len(job["next"]) == 2, job
        assert job["next"][0]["at"].endswith("T15:10:00Z") and "00:10:00 +09:00" in job["next"][0]["local"], job
        assert job["next"][0]["settles_up_to"] == job["next"][0]["at"][:10], job
        add_daemon(database, "host")
        add_schedule(database, decided_until="2099-02-28 23:00:00", timezone="America/New_York", cron="30 2 * * sun",
                     paused_at="2020-07-01", paused_by="alice@host", pause_reason="holiday",
                     last_decision="slot held", last_decision_at="2020-07-02")
        lib.insert(database, "schedule_slot", "job_name, slot_at, interval_start, interval_end, status, reason, decided_at,"
                   " node_id, days_settled", [
                       ("daily-settlement", "2020-07-01 15:10:00", "2020-06-30", "2020-07-01", "HELD", "paused by alice",
                        "2020-07-02", "n", 0),
                       ("daily-settlement", "2020-06-29 15:10:00", "2020-06-29", "2020-06-29", "DONE", "", "2020-07-02", "n", 1),
                       ("daily-settlement", "2020-06-30 15:10:00", "2020-06-30", "2020-06-30", "OPEN", "waits for execution 2",
                        "2020-07-02", "n", 0)])
        job, = database.json("next", "daily-settlement")["jobs"]
        assert job["paused"] == {"at": "2020-07-01T00:00:00Z", "by": "alice@host", "reason": "holiday"}, job
        assert job["last_decision"] == {"at": "2020-07-02T00:00:00Z", "text": "slot held"} and job["differs"], job
        assert [(slot["at"], slot["status"], slot["from"], slot["to"], slot["reason"]) for slot in job["slots"]] == [
            ("2020-06-30T15:10:00Z", "OPEN", "2020-06-30", "2020-06-30", "waits for execution 2"),
            ("2020-07-01T15:10:00Z", "HELD", "2020-06-30", "2020-07-01", "paused by alice")], job
        # 02:30 does not exist on the first Sunday of daylight saving time: the first instant after the gap.
        assert [(slot["at"], slot["settles_up_to"]) for slot in job["next"][:2]] == [
            ("2099-03-01T07:30:00Z", "2099-02-28"), ("2099-03-08T07:00:00Z", "2099-03-07")], job
        text = database.output("next")
        assert "PAUSED" in text and "alice@host: holiday" in text and "waits for execution 2" in text, text
        assert "there is no job" in database.settlectl("next", "nothing").expect(3).stderr
        database.execute("UPDATE job_schedule SET enabled = 0")
        job, = database.json("next")["jobs"]
        assert job["next"] == [] and "not enabled" in job["note"], job


@test("purge deletes old metadata, and says beforehand how much that is")
def _():
    with Filled() as database:
        database.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'COMPLETED', END_TIME = NOW(6) WHERE JOB_EXECUTION_ID = 2")
        database.execute("UPDATE BATCH_JOB_EXECUTION SET END_TIME = NOW(6) - INTERVAL 85 DAY WHERE JOB_EXECUTION_ID = 1")
        assert database.json("purge", "--older-than", "90d")["instances"] == 0
        before = [database.value(f"SELECT COUNT(*) FROM {table}") for table in ("settlement", "day_close", "reconciliation")]
        for arguments in (("--older-than", "12w", "--dry-run"), ("--older-than", "12w")):
            counts = database.json("purge", *arguments)
            assert counts == {"instances": 1, "executions": 1, "steps": 0, "requests": 0, "slots": 0, "nodes": 0, "days": 84,
                              "dry_run": "--dry-run" in arguments}, counts
        assert [row["execution"] for row in database.json("runs")["executions"]] == [2]
        assert "Job instances" in database.output("purge", "--older-than", "0d")
        assert [row["execution"] for row in database.json("runs")["executions"]] == [2]
        after = [database.value(f"SELECT COUNT(*) FROM {table}") for table in ("settlement", "day_close", "reconciliation")]
        assert before == after, (before, after)


@test("top takes the period that the date lies in, ties in order of content")
def _():
    with Filled() as database:
        page = database.json("top", "--by", "views", "--period", "daily", "--date", "2020-07-01", "--limit", "3")
        assert [(row["content"], row["views"]) for row in page["contents"]] == [(2, 70), (LARGE, 70), (1, 50)], page
        page = database.json("top", "--by", "watch-time", "--period", "weekly", "--date", "2020-07-05")
        assert (page["from"], page["to"]) == ("2020-06-29", "2020-07-05"), page
        assert [(row["content"], row["watch_time_s"]) for row in page["contents"]] == [(1, 1500), (2, 90)], page
        page = database.json("top", "--by", "ad-views", "--period", "daily", "--date", "2020-07-01")
        assert page["contents"][0]["content"] == LARGE and page["contents"][-1]["title"] is None, page
        text = database.output("top", "--by", "watch-time", "--period", "weekly", "--date", "2020-07-01")
        assert "0:25:00" in text, text
        empty = database.settlectl("top", "--by", "views", "--period", "yearly", "--date", "2019-01-01").expect(0)
        assert empty.stdout == "" and "no statistics" in empty.stderr, empty.output


@test("report sums by creator, content and day, with a total")
def _():
    with Filled() as database:
        week = ("report", "settlement", "--period", "weekly", "--date", "2020-07-01")
        page = database.json(*week)
        assert [(row["creator"], row["contents"], row["content_revenue_micros"], row["ad_revenue_micros"],
                 row["total_micros"]) for row in page["creators"]] == [
                     (7, 2, 220000000, 140000000, 360000000), (8, 1, 70000000, 30000000, 100000000)], page
        assert page["total"]["total_micros"] == 460000000 and page["total"]["contents"] == 3, page
        assert (page["days_in_range"], page["settled_days"], page["parked_contents"]) == (7, 2, 1), page
        page = database.json("report", "settlement", "--from", "2020-07-01", "--to", "2020-07-01", "--by", "content")
        assert [row["content"] for row in page["contents"]] == [LARGE, 2, 1], page
        page = database.json(*week, "--by", "day")
        assert [(row["date"], row["total_micros"]) for row in page["days"]] == [
            ("2020-06-30", 200000000), ("2020-07-01", 260000000)], page
        report = database.settlectl(*week).expect(0)
        assert "360.00" in report.stdout and "total" in report.stdout, report.stdout
        assert "2 of 7 days" in report.stderr and "not paid" in report.stderr, report.stderr
        assert database.settlectl("report", "settlement", "--date", "2020-07-02").expect(0).stdout == ""


@test("a report's CSV is for spreadsheets: no formulas, no total, exact amounts")
def _():
    with Filled() as database:
        text = database.output("report", "settlement", "--date", "2020-07-01", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [(row["creator"], row["creator_name"], row["total"]) for row in rows] == [
            ("7", "'=cmd()", "160.00"), ("8", "second", "100.00")], rows
        by_content = database.output("report", "settlement", "--date", "2020-07-01", "--by", "content", "--format", "csv")
        titles = [row["title"] for row in csv.DictReader(io.StringIO(by_content, newline=""))]
        assert titles == ["large", "두번째", 'one, "quoted"'], titles


@test("explain recomputes a day and says that it is equal")
def _():
    with Filled() as database:
        page = database.json("explain", "--content", "1", "--date", "2020-07-01")
        content = page["content_revenue"]
        assert page["state"] == "equal" and page["previous_date"] == "2020-06-30" and content["equal"], page
        assert (content["views_before"], content["views_now"], content["amount_micros"]) == (100, 150, 50000000), page
        assert content["tiers"][0]["price_micros"] == 1000000, page
        assert "equal" in database.output("explain", "--content", "1", "--date", "2020-07-01")
        database.settlectl("explain", "--content", str(LARGE), "--date", "2020-07-01").expect(0)


@test("explain finds one changed figure and one removed row")
def _():
    with Filled() as database:
        database.execute("UPDATE settlement SET content_revenue_micros = 50000001 "
                         "WHERE content_post_id = 1 AND settlement_date = '2020-07-01'")
        broken = database.settlectl("explain", "--content", "1", "--date", "2020-07-01").expect(1)
        assert "expected amount 50.00" in broken.stderr and "stored amount 50.000001" in broken.stderr, broken.stderr
        database.json("explain", "--content", "1", "--date", "2020-07-01", code=1)
        database.execute("DELETE FROM settlement WHERE content_post_id = 2")
        gone = database.settlectl("explain", "--content", "2", "--date", "2020-07-01").expect(1)
        assert "nothing is stored" in gone.stderr, gone.stderr


@test("explain says why a content is parked, and what is not found")
def _():
    with Filled() as database:
        parked = database.settlectl("explain", "--content", "5", "--date", "2020-07-01").expect(0)
        assert "no row in content_post" in parked.stdout and "must add" in parked.stdout, parked.stdout
        assert database.json("explain", "--content", "5", "--date", "2020-07-01")["state"] == "parked"
        missing = database.settlectl("explain", "--content", "2", "--date", "2020-06-30").expect(3)
        assert "no views on 2020-06-30" in missing.stderr, missing.stderr
        for day, words in (("2020-07-02", "settlementd run daily-settlement --date 2020-07-02"), ("2020-06-29", "is not any more")):
            said = database.settlectl("explain", "--content", "1", "--date", day).expect(3).stderr
            assert words in said, said


@test("global options stand before or after the command")
def _():
    with Filled() as database:
        command = ["report", "settlement", "--date", "2020-07-01"]
        after = bare(*command, "--json", "--config=" + database.configuration)
        assert after.returncode == 0 and after.stdout == database.output("--json", *command), after
        named = bare("--format", "json", *command, SETTLEMENTD_CONFIG=database.configuration)
        assert named.stdout == after.stdout, named


@test("an output that cannot be written ends with 1")
def _():
    with Filled() as database, open("/dev/full", "wb") as full:
        for arguments in (["runs"], ["runs", "--json"], ["--help"]):
            ended = subprocess.run([SETTLECTL, "--config", database.configuration, *arguments], stdout=full, text=True,
                                   stderr=subprocess.PIPE, check=False, timeout=60 * lib.FACTOR)
            assert (ended.returncode, ended.stderr) == (1, FULL), (arguments, ended)


@test("a terminal gets the same table as a pipe")
def _():
    with Filled() as database:
        try:
            reader, writer = pty.openpty()
        except OSError as error:                # a chroot without /dev/pts has none to give
            print(f"not tried: {error}", flush=True)
            return
        subprocess.run([SETTLECTL, "--config", database.configuration, "top", "--by", "views", "--period", "daily",
                        "--date", "2020-07-01"], stdout=writer, check=True, timeout=60 * lib.FACTOR)
        os.close(writer)
        text = os.read(reader, 65536).decode().replace("\r\n", "\n")
        os.close(reader)
        assert text == database.output("top", "--by", "views", "--period", "daily", "--date", "2020-07-01"), text


if __name__ == "__main__":
    suite.main()
