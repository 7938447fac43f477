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

LARGE = 2**53 + 1  # no floating point on the way
ROWS = (
    "INSERT INTO member VALUES (7, 'a@b.c', '=cmd()', 'CREATOR'), (8, 'b@b.c', 'second', 'CREATOR')",
    "INSERT INTO content_post (content_post_id, member_id, title, duration) VALUES "
    f"(1, 7, 'one, \"quoted\"', 60), (2, 8, '두번째', 60), ({LARGE}, 7, 'large', 60)",
    "INSERT INTO content_statistics VALUES"
    " ('DAILY', '2026-06-30', 1, 100, 1000, 10, 100, 10), ('DAILY', '2026-07-01', 1, 50, 500, 0, 150, 10),"
    f" ('DAILY', '2026-07-01', 2, 70, 90, 3, 70, 3), ('DAILY', '2026-07-01', {LARGE}, 70, 80, 4, 70, 4),"
    " ('DAILY', '2026-07-01', 5, 9, 9, 0, 9, 0),"
    " ('WEEKLY', '2026-06-29', 1, 150, 1500, 10, NULL, NULL), ('WEEKLY', '2026-06-29', 2, 70, 90, 3, NULL, NULL)",
    "INSERT INTO settlement VALUES"
    " ('2026-06-30', 1, 7, 100000000, 100000000, 100000000, 100000000, 'CALCULATED', 1),"
    " ('2026-07-01', 1, 7, 50000000, 0, 150000000, 100000000, 'CALCULATED', 2),"
    " ('2026-07-01', 2, 8, 70000000, 30000000, 70000000, 30000000, 'CALCULATED', 2),"
    f" ('2026-07-01', {LARGE}, 7, 70000000, 40000000, 70000000, 40000000, 'CALCULATED', 2)",
    "INSERT INTO parked_content VALUES ('2026-07-01', 5, 'no row in content_post', 2, NULL)",
    "INSERT INTO day_close VALUES ('2026-06-30', 'CLOSED', NOW(6), NOW(6), 100, 10, 1, 0),"
    " ('2026-07-01', 'CLOSED', '2026-07-02 00:10:03', NOW(6), 199, 7, 2, 0)",
    "INSERT INTO member_content_watch_log (member_id, content_post_id, last_playback_position, total_playback_time,"
    " watched_date, streaming_status) VALUES (1, 1, 1, 1, '2026-06-29', 'STOPPED'), (1, 1, 1, 1, '2026-07-01', 'STOPPED'),"
    " (1, 1, 1, 1, '2026-07-02', 'STOPPED'), (2, 1, 1, 1, '2026-07-02', 'STOPPED')",
    "INSERT INTO BATCH_JOB_INSTANCE VALUES (1, 0, 'daily-settlement', 'a'), (2, 0, 'daily-settlement', 'b')",
    "INSERT INTO BATCH_JOB_EXECUTION VALUES (1, 2, 1, '2026-07-01 00:10:00', '2026-07-01 00:10:00', "
    "'2026-07-01 00:10:02.5', 'COMPLETED', 'COMPLETED', '', NOW(6)), (2, 2, 2, '2026-07-02 00:10:00', "
    "'2026-07-02 00:10:00', NULL, 'STARTED', 'UNKNOWN', '', NOW(6))",
    "INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES (1, 'targetDate', 'java.lang.String', '2026-06-30', 'Y'),"
    " (2, 'targetDate', 'java.lang.String', '2026-07-01', 'Y')",
    "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME, START_TIME,"
    " STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT,"
    " ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE) VALUES (1, 0, 'settlement', 2, NOW(6), NOW(6), 'STARTED',"
    " 0, 0, 0, 0, 0, 0, 0, 0, 'EXECUTING', ''), (2, 0, 'settlement:partition0', 2, NOW(6), NOW(6), 'STARTED',"
    " 3, 3000, 0, 1234, 0, 0, 1, 2, 'EXECUTING', '')",
    "INSERT INTO step_plan VALUES (2, 'settlement', NOW(6), 2, 8000)",
    "INSERT INTO step_partition (job_instance_id, step_name, partition_number, lower_key, upper_key, estimated_items,"
    " checkpoint_key, status, epoch, read_count, write_count, updated_at) VALUES"
    " (2, 'settlement', 0, -9223372036854775808, 500, 6000, 250, 'STARTED', 2, 3000, 1234, NOW(6)),"
    " (2, 'settlement', 1, 500, 9223372036854775807, 2000, NULL, 'PENDING', 0, 0, 0, NOW(6))",
    "INSERT INTO reconciliation VALUES (2, 'views', '2026-07-01', 199, 198, FALSE)",
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
    variables = {"PATH": os.environ["PATH"], **environment}
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
    expect_usage("top", "--by", "views", "--period", "daily", "--date", "2026-02-30", says="--date 2026-02-30")
    expect_usage("top", "--by", "likes", "--period", "daily", "--date", "2026-02-28", says="--by likes")
    expect_usage("top", "--by", "views", "--period", "hourly", "--date", "2026-02-28", says="--period hourly")
    expect_usage("top", "--by", "views", "--date", "2026-02-28", says="top needs --period")
    expect_usage("report", "--date", "2026-07-01", says="settlement")
    expect_usage("report", "views", "--date", "2026-07-01", says="no report views")
    expect_usage("report", "settlement", says="--date D")
    expect_usage("report", "settlement", "--from", "2026-07-01", says="--to D")
    expect_usage("report", "settlement", "--from", "2026-07-02", "--to", "2026-07-01", says="--from is after --to")
    expect_usage("report", "settlement", "--date", "2026-07-01", "--to", "2026-07-01", says="either --date D")
    expect_usage("explain", "--content", "one", "--date", "2026-07-01", says="--content one")


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
        with open(database.configuration, "w", encoding="utf-8") as file:
            file.write(f'database: {{ socket = "{lib.SOCKET}"; user = "{lib.USER}"; name = "a`b"; }};')
        assert "database.name" in database.settlectl("migrate").expect(78).stderr


@test("runs lists executions in three formats, the latest first")
def _():
    with Filled() as database:
        rows = database.json("runs")["executions"]
        assert [row["execution"] for row in rows] == [2, 1], rows
        assert rows[1]["duration_us"] == 2500000 and rows[1]["started"] == "2026-07-01T00:10:00Z", rows
        assert rows[0]["parameters"] == "targetDate=2026-07-01", rows
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
        assert status["settled"]["date"] == "2026-07-01", status
        assert [job["execution"] for job in status["jobs"]] == [2], status
        running, = status["running"]
        assert (running["step"], running["done"], running["planned"], running["percent"]) == (
            "settlement", 3000, 8000, 37), running
        assert status["unsettled"] == [
            {"date": "2026-06-29", "view_logs": 1, "ad_logs": 0, "late": True},
            {"date": "2026-07-02", "view_logs": 2, "ad_logs": 0, "late": False}], status
        text = database.output("status")
        assert "Settled up to" in text and "2026-07-02 00:10:03" in text, text


@test("top takes the period that the date lies in, ties in order of content")
def _():
    with Filled() as database:
        page = database.json("top", "--by", "views", "--period", "daily", "--date", "2026-07-01", "--limit", "3")
        assert [(row["content"], row["views"]) for row in page["contents"]] == [(2, 70), (LARGE, 70), (1, 50)], page
        page = database.json("top", "--by", "watch-time", "--period", "weekly", "--date", "2026-07-05")
        assert (page["from"], page["to"]) == ("2026-06-29", "2026-07-05"), page
        assert [(row["content"], row["watch_time_s"]) for row in page["contents"]] == [(1, 1500), (2, 90)], page
        page = database.json("top", "--by", "ad-views", "--period", "daily", "--date", "2026-07-01")
        assert page["contents"][0]["content"] == LARGE and page["contents"][-1]["title"] is None, page
        text = database.output("top", "--by", "watch-time", "--period", "weekly", "--date", "2026-07-01")
        assert "0:25:00" in text, text
        empty = database.settlectl("top", "--by", "views", "--period", "yearly", "--date", "2020-01-01").expect(0)
        assert empty.stdout == "" and "no statistics" in empty.stderr, empty.output


@test("report sums by creator, content and day, with a total")
def _():
    with Filled() as database:
        week = ("report", "settlement", "--period", "weekly", "--date", "2026-07-01")
        page = database.json(*week)
        assert [(row["creator"], row["contents"], row["content_revenue_micros"], row["ad_revenue_micros"],
                 row["total_micros"]) for row in page["creators"]] == [
                     (7, 2, 220000000, 140000000, 360000000), (8, 1, 70000000, 30000000, 100000000)], page
        assert page["total"]["total_micros"] == 460000000 and page["total"]["contents"] == 3, page
        assert (page["days_in_range"], page["settled_days"], page["parked_contents"]) == (7, 2, 1), page
        page = database.json("report", "settlement", "--from", "2026-07-01", "--to", "2026-07-01", "--by", "content")
        assert [row["content"] for row in page["contents"]] == [LARGE, 2, 1], page
        page = database.json(*week, "--by", "day")
        assert [(row["date"], row["total_micros"]) for row in page["days"]] == [
            ("2026-06-30", 200000000), ("2026-07-01", 260000000)], page
        report = database.settlectl(*week).expect(0)
        assert "360.00" in report.stdout and "total" in report.stdout, report.stdout
        assert "2 of 7 days" in report.stderr and "not paid" in report.stderr, report.stderr
        assert database.settlectl("report", "settlement", "--date", "2026-07-02").expect(0).stdout == ""


@test("a report's CSV is for spreadsheets: no formulas, no total, exact amounts")
def _():
    with Filled() as database:
        text = database.output("report", "settlement", "--date", "2026-07-01", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [(row["creator"], row["creator_name"], row["total"]) for row in rows] == [
            ("7", "'=cmd()", "160.00"), ("8", "second", "100.00")], rows
        by_content = database.output("report", "settlement", "--date", "2026-07-01", "--by", "content", "--format", "csv")
        titles = [row["title"] for row in csv.DictReader(io.StringIO(by_content, newline=""))]
        assert titles == ["large", "두번째", 'one, "quoted"'], titles


@test("explain recomputes a day and says that it is equal")
def _():
    with Filled() as database:
        page = database.json("explain", "--content", "1", "--date", "2026-07-01")
        content = page["content_revenue"]
        assert page["state"] == "equal" and page["previous_date"] == "2026-06-30" and content["equal"], page
        assert (content["views_before"], content["views_now"], content["amount_micros"]) == (100, 150, 50000000), page
        assert content["tiers"][0]["price_micros"] == 1000000, page
        assert "equal" in database.output("explain", "--content", "1", "--date", "2026-07-01")
        database.settlectl("explain", "--content", str(LARGE), "--date", "2026-07-01").expect(0)


@test("explain finds one changed figure and one removed row")
def _():
    with Filled() as database:
        database.execute("UPDATE settlement SET content_revenue_micros = 50000001 "
                         "WHERE content_post_id = 1 AND settlement_date = '2026-07-01'")
        broken = database.settlectl("explain", "--content", "1", "--date", "2026-07-01").expect(1)
        assert "expected amount 50.00" in broken.stderr and "stored amount 50.000001" in broken.stderr, broken.stderr
        database.json("explain", "--content", "1", "--date", "2026-07-01", code=1)
        database.execute("DELETE FROM settlement WHERE content_post_id = 2")
        gone = database.settlectl("explain", "--content", "2", "--date", "2026-07-01").expect(1)
        assert "nothing is stored" in gone.stderr, gone.stderr


@test("explain says why a content is parked, and what is not found")
def _():
    with Filled() as database:
        parked = database.settlectl("explain", "--content", "5", "--date", "2026-07-01").expect(0)
        assert "no row in content_post" in parked.stdout and "must add" in parked.stdout, parked.stdout
        assert database.json("explain", "--content", "5", "--date", "2026-07-01")["state"] == "parked"
        missing = database.settlectl("explain", "--content", "2", "--date", "2026-06-30").expect(3)
        assert "no views on 2026-06-30" in missing.stderr, missing.stderr
        later = database.settlectl("explain", "--content", "1", "--date", "2026-07-02").expect(3)
        assert "settlementd run daily-settlement --date 2026-07-02" in later.stderr, later.stderr


@test("global options stand before or after the command")
def _():
    with Filled() as database:
        command = ["report", "settlement", "--date", "2026-07-01"]
        after = bare(*command, "--json", "--config=" + database.configuration)
        assert after.returncode == 0 and after.stdout == database.output("--json", *command), after
        named = bare("--format", "json", *command, SETTLEMENTD_CONFIG=database.configuration)
        assert named.stdout == after.stdout, named


@test("an output that cannot be written ends with 1")
def _():
    with Filled() as database, open("/dev/full", "wb") as full:
        for arguments in (["runs"], ["runs", "--json"], ["--help"]):
            code = subprocess.run([SETTLECTL, "--config", database.configuration, *arguments], stdout=full,
                                  stderr=subprocess.DEVNULL, check=False, timeout=60 * lib.FACTOR).returncode
            assert code == 1, (arguments, code)


@test("a terminal gets the same table as a pipe")
def _():
    with Filled() as database:
        try:
            reader, writer = pty.openpty()
        except OSError as error:                # a chroot without /dev/pts has none to give
            print(f"not tried: {error}", flush=True)
            return
        subprocess.run([SETTLECTL, "--config", database.configuration, "top", "--by", "views", "--period", "daily",
                        "--date", "2026-07-01"], stdout=writer, check=True, timeout=60 * lib.FACTOR)
        os.close(writer)
        text = os.read(reader, 65536).decode().replace("\r\n", "\n")
        os.close(reader)
        assert text == database.output("top", "--by", "views", "--period", "daily", "--date", "2026-07-01"), text


if __name__ == "__main__":
    suite.main()
