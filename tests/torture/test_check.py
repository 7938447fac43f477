#!/usr/bin/python3
"""The checker finds what it is for: in databases that were settled well, and in one whose process was killed in the middle
of a day, something is falsified on purpose, once for each way in which an invariant can be broken."""

import re
import signal
import socket
import tempfile
from pathlib import Path

import audit
import faults
import ground
import lib
import oracle
import proxy
import stage
import torture

suite = lib.Suite()
test = suite.test

DAY = stage.DAYS[-1]
FIRST = stage.DAYS[0]
ANY = "LIMIT 1"

# invariant, part of the sentence, what is falsified (the audit sees it like everything else, unless it is a DELETE)
SETTLED = (
    ("I1", "settlement", f"UPDATE settlement SET content_revenue_micros = content_revenue_micros + 1 {ANY}"),
    ("I1", "totals", f"UPDATE settlement SET total_ad_revenue_micros = total_ad_revenue_micros - 1 {ANY}"),
    ("I1", "settlement", f"UPDATE settlement SET creator_id = creator_id + 1 {ANY}"),
    ("I1", "parked_content", f"UPDATE parked_content SET paid_on = '{DAY}' {ANY}"),
    ("I3", "settlement", f"DELETE FROM settlement {ANY}"),
    ("I3", "parked_content", f"DELETE FROM parked_content {ANY}"),
    ("I2", "content_statistics", "UPDATE content_statistics SET view_count = view_count + 1, accumulated_views ="
                                 f" accumulated_views + 1 WHERE period = 'DAILY' {ANY}"),
    ("I2", "content_statistics", f"UPDATE content_statistics SET watch_time = watch_time + 1 WHERE period = 'YEARLY' {ANY}"),
    ("I2", "ad_statistics", f"UPDATE ad_statistics SET view_count = view_count * 2 WHERE period = 'WEEKLY' {ANY}"),
    ("I2", "day_close", f"UPDATE day_close SET view_logs = view_logs - 1 {ANY}"),
    ("I2", "overlap or leave", "UPDATE step_partition SET lower_key = lower_key - 1 WHERE step_name = 'settlement' AND"
                               " partition_number = 1 LIMIT 1"),
    ("I3", "content_statistics", f"DELETE FROM content_statistics WHERE period = 'DAILY' {ANY}"),
    ("I3", "ad_statistics", f"DELETE FROM ad_statistics WHERE period = 'MONTHLY' {ANY}"),
    ("I3", "written", "UPDATE step_partition SET write_count = write_count + 1 WHERE step_name = 'ad-statistics' LIMIT 1"),
    ("I3", "read", "UPDATE step_partition SET read_count = read_count - 1 WHERE step_name = 'content-statistics' LIMIT 1"),
    ("I3", "step executions", "UPDATE BATCH_STEP_EXECUTION SET READ_COUNT = READ_COUNT + 1 WHERE STEP_NAME LIKE"
                              " 'settlement:partition%' LIMIT 1"),
    ("I3", "step executions", "UPDATE BATCH_STEP_EXECUTION SET ROLLBACK_COUNT = ROLLBACK_COUNT + 1 WHERE STEP_NAME LIKE"
                              " 'period-statistics:partition%' LIMIT 1"),
    ("I3", "COMPLETED with checkpoint", "UPDATE step_partition SET checkpoint_key = upper_key - 1 WHERE step_name ="
                                        " 'reconciliation' LIMIT 1"),
    ("I4", "the epoch fell", "UPDATE step_partition SET epoch = epoch - 1 WHERE step_name = 'settlement' LIMIT 1"),
    ("I4", "changed after it was COMPLETED", "UPDATE step_partition SET epoch = epoch + 1 WHERE step_name = 'settlement'"
                                             " LIMIT 1"),
    ("I4", "belongs to", "UPDATE step_partition SET chunk_count = chunk_count + 1 WHERE step_name = 'settlement' LIMIT 1"),
    ("I4", "chunks in one commit", "UPDATE step_partition SET chunk_count = chunk_count + 2 LIMIT 1"),
    ("I4", "rows without a checkpoint", f"UPDATE settlement SET status = 'COMPLETED' {ANY}"),
    ("I4", "went from COMPLETED", "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STARTED' LIMIT 1"),
    ("I4", "closed twice", "UPDATE day_close SET late_contents = 1"),
    ("I4", "a commit is missing", f"DELETE FROM {audit.TABLE} WHERE what = 'partition' AND new_chunks = 1 LIMIT 1"),
    ("I5", "day_close", f"UPDATE day_close SET late_contents = late_contents + 1 {ANY}"),
    ("I5", "settlement", f"UPDATE settlement SET status = 'FAILED' {ANY}"),
    ("I5", "late_content", f"INSERT INTO late_content VALUES ('{DAY}', 1)"),
    ("I6", "not done", f"DELETE FROM day_close WHERE business_date = '{DAY}'"),
    ("I7", "day_close names", f"DELETE FROM day_close WHERE business_date = '{DAY}'"),
    ("I7", "END_TIME", "UPDATE BATCH_JOB_EXECUTION SET END_TIME = NULL LIMIT 1"),
    ("I7", "without step", "UPDATE BATCH_STEP_EXECUTION SET STATUS = 'FAILED' WHERE STEP_NAME = 'settlement' LIMIT 1"),
    ("I7", "is COMPLETED while partition", "UPDATE step_partition SET status = 'PENDING' LIMIT 1"),
    ("I7", "is COMPLETED while its step", "UPDATE BATCH_STEP_EXECUTION SET STATUS = 'STARTED' WHERE STEP_NAME LIKE"
                                          " 'settlement:%' LIMIT 1"),
    ("I7", "check", "UPDATE reconciliation SET passed = 0 LIMIT 1"),
    ("I7", "nothing was checked", "DELETE FROM reconciliation"),
    ("I7", "hides that contents were parked", "UPDATE BATCH_JOB_EXECUTION SET EXIT_CODE = 'COMPLETED'"),
)

# In the middle of ad-statistics.
HALF = (
    ("I3", "content_statistics", "UPDATE step_partition SET checkpoint_key = upper_key WHERE step_name = 'ad-statistics'"
                                 " AND COALESCE(checkpoint_key, lower_key) < upper_key"),
    ("I3", "ad_statistics", "UPDATE step_partition SET checkpoint_key = lower_key WHERE step_name = 'ad-statistics'"
                            " AND checkpoint_key IS NOT NULL"),
    ("I4", "taken without a new epoch", "UPDATE step_partition SET status = 'STARTED' WHERE status IN ('PENDING', 'FAILED')"),
    ("I7", "is COMPLETED without step", "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'COMPLETED'"),
)


class Lonely:
    """Ground without a torture on it."""

    def __init__(self):
        self.base = ground.Ground(None)
        self.server = self.base.server("only")


def expect_found(made, wanted, part):
    problems, _ = made.check(final=wanted in ("I5", "I6"))
    assert any(invariant == wanted and part in text for invariant, text in problems), \
        f"nothing like {wanted} {part!r} among {problems[:6]}"


class Picture:
    """A database as it is now, to come back to."""

    def __init__(self, made, final):
        problems, _ = made.check(final)
        assert not problems, problems[:5]
        self.made = made
        self.claims = made.claims
        self.notes = made.rows(f"SELECT * FROM {audit.TABLE}")
        made.kept = {table: made.rows(f"SELECT * FROM {table}") for table in made.tables() if table != audit.TABLE}

    def restore(self):
        self.made.begin()
        self.made.kept[audit.TABLE] = self.notes
        self.made.put_back(audit.TABLE)
        del self.made.kept[audit.TABLE]
        self.made.claims = list(self.claims)


def settle(made):
    made.begin()
    for day in made.days:
        made.claim(made.run(day))
    return Picture(made, final=True)


def break_off(made):
    """A run that is killed when half of ad-statistics is committed."""
    for number in range(30, 400, 10):
        made.begin()
        process = made.run(FIRST, environment=faults.rule("commit", number // 2, "after", "kill"))
        assert process.wait() == -signal.SIGKILL, f"the run ended with {process.child.returncode}"
        made.calm()
        done, open_ones = made.rows("""SELECT SUM(checkpoint_key IS NOT NULL), SUM(COALESCE(checkpoint_key, lower_key) <
            upper_key) FROM step_partition WHERE step_name = 'ad-statistics'""")[0]
        if done and open_ones:
            return Picture(made, final=False)
    raise AssertionError("ad-statistics was never half done")


def commit_foreign_rows(made):
    """A chunk with rows that are not in its range."""
    rival = oracle.connect(made.host.socket, made.name, made.name)
    rival.begin()
    oracle.rows_of(rival, "INSERT INTO settlement VALUES ('2020-01-01', 1, 1, 0, 0, 0, 0, 'CALCULATED', 1)")
    oracle.rows_of(rival, "UPDATE step_partition SET chunk_count = chunk_count + 1 WHERE step_name = 'ad-statistics' LIMIT 1")
    rival.commit()
    rival.close()


def claim_too_much(made):
    made.claims.append((FIRST, "somebody"))


def falsify(prepare, rows):
    """One thing after the other, each in the database as `prepare` leaves it."""
    made = stage.Stage(lonely.server, "small")
    picture = prepare(made)
    for wanted, part, how in rows:
        picture.restore()
        if callable(how):
            how(made)
        else:
            made.execute(how)
        expect_found(made, wanted, part)
    made.close()


@test("each way to falsify settled days is found under the invariant that it breaks")
def _():
    falsify(settle, SETTLED)


@test("likewise in the middle of a day, where checkpoints say what must be there")
def _():
    falsify(break_off, (*HALF, ("I4", "was committed with a chunk of", commit_foreign_rows),
                        ("I7", "the day is not closed", claim_too_much)))


# --- the proxy -------------------------------------------------------------------------------------------------------

class Table:
    """A table of numbers, and what a client sees who inserts one through the proxy."""

    def __init__(self, directory):
        self.root = oracle.connect(lonely.server.socket, None)
        oracle.rows_of(self.root, "CREATE DATABASE IF NOT EXISTS settlementd_system_proxy")
        oracle.rows_of(self.root, "CREATE OR REPLACE TABLE settlementd_system_proxy.t (n INT)")
        self.proxy = proxy.Proxy(f"{directory}/proxy", lonely.server.socket, delay_s=0.3)

    def insert(self, number, commit="COMMIT"):
        """True when the client heard that it was committed."""
        # Not oracle.connect: the client library has a COMMIT of its own after the statement that it begins with.
        client = oracle.pymysql.connect(unix_socket=self.proxy.path, user="root", database="settlementd_system_proxy")
        try:
            client.begin()
            oracle.rows_of(client, f"INSERT INTO t VALUES ({number})")
            oracle.rows_of(client, commit)
            return True
        except oracle.pymysql.err.MySQLError:
            return False
        finally:
            try:
                client.close()
            except oracle.pymysql.err.MySQLError:
                pass

    def numbers(self):
        return {row[0] for row in oracle.rows_of(self.root, "SELECT n FROM settlementd_system_proxy.t")}

    def close(self):
        self.proxy.close()
        oracle.rows_of(self.root, "DROP DATABASE settlementd_system_proxy")
        self.root.close()


@test("the proxy lets all pass but the COMMIT that it is to lose, and loses it as it is told")
def _():
    with tempfile.TemporaryDirectory() as directory:
        table = Table(directory)
        try:
            table.proxy.plan = {2: proxy.LOSE_REQUEST, 3: proxy.LOSE_REPLY, 4: proxy.DELAY_REPLY, 6: proxy.HANG_REQUEST}
            heard = {number: table.insert(number) for number in range(1, 7)}
            assert heard == {1: True, 2: False, 3: False, 4: True, 5: True, 6: False}, heard
            lib.wait_until(lambda: table.numbers() == {1, 3, 4, 5}, 10, f"1, 3, 4, 5; there are {table.numbers()}")
            assert [number for number, _ in table.proxy.done] == [2, 3, 4, 6], table.proxy.done
            assert table.proxy.commits == 6
        finally:
            table.close()


@test("the proxy sees a COMMIT that is prepared, and one in pieces")
def _():
    packet = bytes([6 + 1, 0, 0, 0, proxy.COM_STMT_PREPARE]) + b"COMMIT"
    seen = proxy.Packets()
    assert [found for byte in packet for found in seen.feed(bytes([byte]))] == [packet]
    near, far = socket.socketpair()
    session = proxy.Session(None, near)
    assert not session.sees_commit(packet) and session.preparing
    session.note_reply(bytes([12, 0, 0, 1, 0, 7, 0, 0, 0]) + bytes(8))
    execute = bytes([10, 0, 0, 0, proxy.COM_STMT_EXECUTE, 7, 0, 0, 0]) + bytes(5)
    assert session.sees_commit(execute)
    assert not session.sees_commit(execute.replace(b"\x07", b"\x08"))
    assert session.sees_commit(bytes([8, 0, 0, 0, proxy.COM_QUERY]) + b"commit;")
    assert not session.sees_commit(bytes([8, 0, 0, 1, proxy.COM_QUERY]) + b"commit;")
    near.close()
    far.close()


# --- the whole -------------------------------------------------------------------------------------------------------

@test("a case that finds something ends the torture with 1, names how to repeat it and keeps what was there")
def _():
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "broken.py")
        script.write_text("import sys\n"
                          f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                          "import torture\n"
                          "def break_it(case):\n"
                          "    stage = case.begin()\n"
                          "    stage.run(stage.days[0]).expect(0)\n"
                          "    stage.execute('UPDATE settlement SET ad_revenue_micros = ad_revenue_micros + 1')\n"
                          "    case.finish()\n"
                          "next(one for one in torture.SCENARIOS if one.name == 'kill-points').play = break_it\n"
                          "sys.exit(torture.main(sys.argv[1:]))\n", encoding="utf-8")
        name = lib.Process(["/usr/bin/python3", "-B", str(script), "--only", "kill-points", "--case", "0", "--seed", "5",
                            "--jobs", "1", "--keep", f"{directory}/keep"], directory)
        assert name.wait(60) == 1, name.output
        assert "I1" in name.stderr and "--only kill-points --case 0 --seed 5" in name.stderr, name.stderr
        kept = {path.name for path in Path(directory, "keep", "kill-points-0").iterdir()}
        assert {"violations", "settlement.tsv", "torture_audit.tsv"} <= kept, kept


@test("a scenario of which no case met a fault is a violation")
def _():
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "calm.py")
        script.write_text(f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport torture\n"
                          "next(one for one in torture.SCENARIOS if one.name == 'errors').play = lambda case: None\n"
                          "sys.exit(torture.main(sys.argv[1:]))\n", encoding="utf-8")
        done = lib.Process(["/usr/bin/python3", "-B", str(script), "--only", "errors", "--seconds", "1", "--jobs", "1"],
                           directory)
        assert done.wait(60) == 1, done.output
        assert "no case met a fault" in done.stderr, done.stderr


@test("docs/reliability.md has a row for each scenario, and for nothing else")
def _():
    text = (lib.ROOT / "docs/reliability.md").read_text(encoding="utf-8").partition("| scenario |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(one.name for one in torture.SCENARIOS), rows


lonely = None


def main():
    global lonely
    lib.SOCKET = lib.SOCKET or "its own"    # the list of tests wants one to be named; these bring a server of theirs
    lonely = Lonely()
    try:
        suite.main()
    finally:
        lonely.base.close()


if __name__ == "__main__":
    main()
