#!/usr/bin/python3
"""settlectl import, with the real program: good files arrive as they are, bad ones change nothing and say why, bad rows
come back byte for byte, and whatever ends an import half way leaves nothing behind."""

import datetime
import json
import os
import signal
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import lib
from lib import Database, Suite, wait_until

suite = Suite()

LOG_HEADER = b"member_id,content_post_id,last_playback_position,total_playback_time,watched_date,streaming_status\n"
MEMBER_HEADER = b"member_id,email,username,role\n"


def log_line(number, **changes):
    row = {"member": number, "content": 7, "position": 10, "time": 20, "date": "2026-07-01", "status": "COMPLETED"}
    row.update(changes)
    return ",".join(str(value) for value in row.values()).encode() + b"\n"


def member_line(number):
    return f"{number},m{number}@example.org,member {number},MEMBER\n".encode()


def write(database, name, *parts):
    path = Path(database.directory) / name
    path.write_bytes(b"".join(parts))
    return path


def load(database, kind, path, *arguments, code=0):
    """Imports and gives what was said, standard output and standard error."""
    return database.settlectl("import", kind, str(path), *arguments).expect(code)


def rejected(path):
    """The reject files of an import, None where there is none."""
    def content(name):
        file = path.with_name(name)
        return file.read_bytes() if file.exists() else None
    return content(path.stem + ".rejected.csv"), content(path.stem + ".rejected.log")


def count(database, table="member_content_watch_log"):
    return database.value(f"SELECT COUNT(*) FROM {table}")


def leftovers(database):
    return sorted(name for name in os.listdir(database.directory) if name.endswith(".part"))


def expect_nothing(database, table="member_content_watch_log"):
    assert count(database, table) == 0, "rows were loaded"
    assert count(database, "import_file") == 0, "the file was recorded"
    assert leftovers(database) == [], leftovers(database)


@contextmanager
def held(database, table, values):
    """Keeps a key of a table occupied by somebody who has not decided yet: an import that brings the same key waits."""
    other = database.connect()
    try:
        other.begin()
        with other.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} VALUES {values}")
        yield other
    finally:
        other.rollback()
        other.close()


def waiting_sessions(database):
    """The sessions that wait for a row of somebody else's. The server looks anew only when it was not asked for 0.1 s."""
    time.sleep(0.15)
    return [session for session, in database.rows(
        "SELECT t.trx_mysql_thread_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
        "ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = %s", database.name)]


def session_ends(database, session):
    wait_until(lambda: not database.value("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s", session), 60,
               "the end of an import's session")


@contextmanager
def blocked_import(database, rows=20000):
    """An import of members that has read the file once, has rows in the table, and waits in the middle."""
    path = write(database, "members.csv", MEMBER_HEADER, *(member_line(number) for number in range(1, rows + 1)))
    with held(database, "member", "(5000, 'x', 'x', 'MEMBER')") as other:
        process = database.settlectl("import", "member", str(path))
        session, = wait_until(lambda: waiting_sessions(database), 30, "an import that waits")
        yield path, process, other, session


# --- good files ------------------------------------------------------------------------------------------------------

@suite.test("every kind loads into its table, columns in any order")
def _():
    with Database() as database:
        files = {
            "member": b"role,username,email,member_id\nCREATOR,\"Kim, \"\"A\"\"\",k@x,5\nANONYMOUS,\xec\x9e\xa5,b@x,6\n",
            "content": b"title,duration,member_id,content_post_id\n\"two\nlines\",60,5,9\n",
            "advertisement": b"price_per_view,title,advertiser_id\n0.000001,ad,1\n999999999999.999999,ad,1\n",
            "watch-log": b"updated_at,created_at,client_ip,streaming_status,watched_date,total_playback_time,"
                         b"last_playback_position,content_post_id,member_id,id\n"
                         b"2026-07-01 12:00:00.5,2026-06-30 23:59:59,,PAUSED,2026-07-01,3,4,9,5,77\n",
            "ad-log": b"member_id,content_post_id,advertisement_id,playback_position,watched_date,streaming_status,client_ip\n"
                      b"-1,9,1,2147483647,2024-02-29,IN_PROGRESS,::1\n"}
        for kind, content in files.items():
            load(database, kind, write(database, f"{kind}.csv", content))
        assert database.rows("SELECT * FROM member ORDER BY 1") == [
            (5, "k@x", 'Kim, "A"', "CREATOR"), (6, "b@x", "\uc7a5", "ANONYMOUS")]
        assert database.rows("SELECT * FROM content_post") == [(9, 5, "two\nlines", 60, "ACTIVE")]
        assert database.rows("SELECT price_per_view FROM advertisement ORDER BY 1") == [
            (Decimal("0.000001"),), (Decimal("999999999999.999999"),)]
        assert database.rows("SELECT * FROM member_content_watch_log") == [
            (77, 5, 9, 4, 3, datetime.date(2026, 7, 1), "PAUSED", None, datetime.datetime(2026, 6, 30, 23, 59, 59),
             datetime.datetime(2026, 7, 1, 12, 0, 0, 500000))]
        assert database.rows("SELECT member_id, playback_position, watched_date, client_ip FROM member_ad_watch_log") == [
            (-1, 2147483647, datetime.date(2024, 2, 29), "::1")]
        age = database.value("SELECT TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()) FROM member_ad_watch_log")
        assert 0 <= age < 60 * lib.FACTOR, age
        assert count(database, "import_file") == 5


@suite.test("line ends, a byte order mark, blank lines and a missing last newline make no difference")
def _():
    with Database() as database:
        body = LOG_HEADER + log_line(1) + log_line(2)
        forms = [body, body.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + body, body[:-1], body.replace(b"\n", b"\n\n"),
                 body[:-1].replace(b"\n", b"\r\n")]
        for number, content in enumerate(forms):
            load(database, "watch-log", write(database, f"form{number}.csv", content))
        assert count(database) == 2 * len(forms)
        assert database.value("SELECT COUNT(DISTINCT streaming_status, watched_date) FROM member_content_watch_log") == 1


@suite.test("more rows than a batch, with texts of every length, arrive complete")
def _():
    with Database() as database:
        rows = [(number, "e" * (number % 255 + 1), "\uac00" * (number % 100 + 1), "MEMBER") for number in range(1, 10001)]
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        load(database, "member", write(database, "members.csv", MEMBER_HEADER, text.encode()))
        assert database.rows("SELECT * FROM member ORDER BY 1") == rows


@suite.test("a file with a header only loads nothing and may come again")
def _():
    with Database() as database:
        path = write(database, "empty.csv", LOG_HEADER[:-1])
        for _ in range(2):
            assert "0 rows loaded, 0 rejected" in load(database, "watch-log", path).stdout
        expect_nothing(database)


@suite.test("the result for programs")
def _():
    with Database() as database:
        path = write(database, "logs.csv", LOG_HEADER, log_line(1), log_line(2, time="x"))
        process = database.start(lib.SETTLECTL, "--config", database.configuration, "--json", "import", "watch-log", str(path),
                                 "--max-rejects", "1").expect(0)
        result = json.loads(process.stdout)
        assert result.pop("seconds") >= 0 and len(result.pop("sha256")) == 64
        assert result == {"kind": "watch-log", "file": str(path), "table": "member_content_watch_log", "rows_loaded": 1,
                          "rows_rejected": 1, "rejected_csv": str(path.with_name("logs.rejected.csv")),
                          "rejected_log": str(path.with_name("logs.rejected.log"))}, result


# --- files that are refused as a whole -------------------------------------------------------------------------------

@suite.test("a header that does not fit the table loads nothing and says why")
def _():
    with Database() as database:
        headers = {
            b"member_id,email,username\n": "does not name the column role",
            b"member_id,email,username,role,age\n": "'age'",
            b"member_id,email,username,role,role\n": "role twice",
            b"MEMBER_ID,email,username,role\n": "'MEMBER_ID'",
            b"member_id;email;username;role\n": "'member_id;email;username;role'",
            b"1,a@b,name,MEMBER": "'1'",
            b"email,us\"er,role\n": "cannot be read",
            b"\x1b[2J\n": "\\x1B",
            b"email,username,role\xff\n": "\\xFF",
            b"\xff\xfee\x00m\x00a\x00i\x00l\x00\n": "\\xFF\\xFE",
            b"\n\r\n\n": "blank lines only",
            b"x" * 200000: "cannot be read"}
        for number, (header, words) in enumerate(headers.items()):
            row = b"1,a@b,name,MEMBER\n" if header.strip() else b""
            path = write(database, f"header{number}.csv", header, row)
            said = load(database, "member", path, "--max-rejects", "1000", code=1).stderr
            assert words in said and "\x1b" not in said, said
            assert rejected(path) == (None, None)
        expect_nothing(database, "member")


@suite.test("what is no file with rows is refused with a clear word")
def _():
    with Database() as database:
        folder = Path(database.directory)
        os.mkfifo(folder / "pipe.csv")
        (folder / "folder.csv").mkdir()
        (folder / "loop.csv").symlink_to("loop.csv")
        write(database, "empty.csv", b"")
        for name, code, words in (("missing.csv", 3, "No such file"), ("folder.csv", 1, "is a directory"), ("pipe.csv", 1, "is a pipe"),
                                  ("empty.csv", 1, "is empty"), ("loop.csv", 1, "symbolic links"),
                                  ("empty.csv/x.csv", 1, "Not a directory")):
            said = load(database, "watch-log", folder / name, code=code).stderr
            assert words in said and name in said, said
        said = load(database, "watch-log", "/dev/null", code=1).stderr
        assert "is a device" in said, said
        if os.geteuid() != 0:
            write(database, "secret.csv", LOG_HEADER).chmod(0)
            assert "Permission denied" in load(database, "watch-log", folder / "secret.csv", code=1).stderr
        expect_nothing(database)


@suite.test("a wrong command line ends with 2")
def _():
    with Database() as database:
        path = write(database, "logs.csv", LOG_HEADER, log_line(1))
        for arguments in (["watchlog", path], ["settlement", path], ["watch-log"], [], ["watch-log", path, path],
                          ["watch-log", path, "--max-rejects"], ["watch-log", path, "--max-rejects", "-1"],
                          ["watch-log", path, "--max-rejects", "many"], ["watch-log", path, "--force"]):
            database.settlectl("import", *map(str, arguments)).expect(2)
        expect_nothing(database)


@suite.test("the same content is refused a second time, under any name, and says when it was loaded")
def _():
    with Database() as database:
        first = write(database, "logs.csv", LOG_HEADER, log_line(1))
        load(database, "watch-log", first)
        copy = write(database, "copy.csv", first.read_bytes())
        for path in (first, copy):
            said = load(database, "watch-log", path, "--max-rejects", "9", code=1).stderr
            assert "already" in said and "UTC" in said and "logs.csv" in said, said
        assert count(database) == 1
        load(database, "watch-log", write(database, "more.csv", first.read_bytes(), log_line(1)))
        assert count(database) == 3


# --- bad rows --------------------------------------------------------------------------------------------------------

BAD_ROWS = [
    (b"1,7,10,20,2026-07-01\n", "5 fields"),
    (b"1,7,10,20,2026-07-01,COMPLETED,\n", "7 fields"),
    (b"x\n", "1 field,"),
    (log_line(1, time="12x"), "'12x' is not a whole number"),
    (log_line(1, time=2**31), "out of range"),
    (log_line(1, time=-1), "out of range"),
    (log_line(2**63), "out of range"),
    (log_line("+1"), "is not a whole number"),
    (log_line(" 1"), "is not a whole number"),
    (log_line(""), "is empty"),
    (log_line(1, date="2026-02-29"), "is not a date that exists"),
    (log_line(1, date="2026-7-1"), "is not a date that exists"),
    (log_line(1, status="REWINDING"), "is none of"),
    (log_line(1, status="completed"), "is none of"),
    (log_line(1, status="\x1b[31m"), "\\x1B[31m"),
    (log_line(1).replace(b"COMPLETED", b"COMP\x00LETED"), "NUL byte"),
    (log_line(1).replace(b"COMPLETED", b"\xff\xfe"), "\\xFF\\xFE"),
    (log_line(1).replace(b"1,7", b"1\r,7"), "carriage return"),
    (log_line(1).replace(b"20,", b"2\"0,"), "quote"),
    (log_line(1).replace(b"20,", b"\"2\"0,"), "quote"),
    (b"1,\"7\n8\",10,20,2026-07-01,COMPLETED\n", "'7\\x0A8' is not a whole number"),
    (b"1,7,10,20,2026-07-01,\"COMPLETED\n", "quote"),
    (b"y" * 70000 + b"\n", "longer than"),
    (b"y" * 700000 + b"\n", "longer than"),
]


@suite.test("bad rows come back byte for byte, each with its line and its reason, and the rest is loaded")
def _():
    with Database() as database:
        parts, lines, line = [LOG_HEADER], [], 2
        for number, (row, _) in enumerate(BAD_ROWS):
            good = log_line(1000 + number)
            lines.append(line + 1)
            parts += [good, row]
            line += 1 + row.count(b"\n")
        parts.append(log_line(9999))
        path = write(database, "logs.csv", *parts)
        said = load(database, "watch-log", path, "--max-rejects", str(len(BAD_ROWS))).output
        assert f"{len(BAD_ROWS) + 1} rows loaded, {len(BAD_ROWS)} rejected" in said, said
        rows, reasons = rejected(path)
        assert rows == LOG_HEADER + b"".join(row for row, _ in BAD_ROWS)
        reasons = reasons.decode().splitlines()
        assert len(reasons) == len(BAD_ROWS), reasons
        for number, reason, (_, words) in zip(lines, reasons, BAD_ROWS):
            assert reason.startswith(f"line {number}: ") and words in reason, (number, words, reason)
        assert not any("\x1b" in reason for reason in reasons)
        assert count(database) == len(BAD_ROWS) + 1
        assert database.rows("SELECT rows_loaded, rows_rejected, file_name, kind FROM import_file") == [
            (len(BAD_ROWS) + 1, len(BAD_ROWS), "logs.csv", "watch-log")]
        assert leftovers(database) == []


@suite.test("one bad row, and nothing is loaded, but all of them are reported")
def _():
    with Database() as database:
        for end, bad in ((b"\n", BAD_ROWS[3][0]), (b"\r\n", BAD_ROWS[3][0].replace(b"\n", b"\r\n"))):
            path = write(database, "logs.csv", b"\xef\xbb\xbf", LOG_HEADER.replace(b"\n", end), bad,
                         *(log_line(number) for number in range(9000)), bad, bad[:-len(end)])
            said = load(database, "watch-log", path, code=1).stderr
            assert "3 of 9,003 rows rejected" in said and "nothing was loaded" in said, said
            rows, reasons = rejected(path)
            assert rows == b"\xef\xbb\xbf" + LOG_HEADER.replace(b"\n", end) + bad + bad + bad[:-len(end)]
            assert [line.split(":")[0] for line in reasons.decode().splitlines()] == ["line 2", "line 9003", "line 9004"]
            load(database, "watch-log", path, "--max-rejects", "2", code=1)
            expect_nothing(database)


@suite.test("rejected rows can be mended and imported; reject files of an earlier import go away")
def _():
    with Database() as database:
        path = write(database, "logs.csv", LOG_HEADER, log_line(1), log_line(2, time="?"))
        load(database, "watch-log", path, "--max-rejects", "1")
        mended = path.with_name("logs.rejected.csv")
        mended.write_bytes(mended.read_bytes().replace(b"?", b"5"))
        load(database, "watch-log", mended)
        assert count(database) == 2
        write(database, "logs.csv", LOG_HEADER, log_line(3, time="!"))
        load(database, "watch-log", path, code=1)
        assert b"!" in rejected(path)[0]
        write(database, "logs.csv", LOG_HEADER, log_line(3))
        load(database, "watch-log", path)
        assert rejected(path) == (None, None)


@suite.test("keys that are there already, in the table or in the file, are rejected rows")
def _():
    with Database() as database:
        load(database, "member", write(database, "first.csv", MEMBER_HEADER, member_line(3), member_line(4500)))
        numbers = list(range(1, 9001))
        numbers[100] = 50
        numbers[8999] = 8999
        bad = b"x,,,\n"
        path = write(database, "members.csv", MEMBER_HEADER, *(member_line(number) for number in numbers[:4600]), bad,
                     *(member_line(number) for number in numbers[4600:]))
        said = load(database, "member", path, code=1).stderr
        assert "5 of 9,001 rows rejected" in said, said
        assert count(database, "member") == 2
        load(database, "member", path, "--max-rejects", "5")
        rows, reasons = rejected(path)
        assert rows == MEMBER_HEADER + b"".join([member_line(3), member_line(50), member_line(4500), bad, member_line(8999)])
        reasons = reasons.decode().splitlines()
        assert [line.split(":")[0] for line in reasons] == ["line 4", "line 102", "line 4501", "line 4602", "line 9002"]
        assert "key" in reasons[0] and "'3'" in reasons[0], reasons[0]
        assert count(database, "member") == 8998
        assert database.value("SELECT COUNT(*) FROM member WHERE member_id NOT IN (101, 9000)") == 8998


@suite.test("reject files that cannot be written are an error, and nothing is loaded")
def _():
    with Database() as database:
        path = write(database, "logs.csv", LOG_HEADER, log_line(1), *(log_line(2, time="x" * 50) for _ in range(1000)))
        full = database.start("prlimit", "--fsize=8192", lib.SETTLECTL, "--config", database.configuration, "import", "watch-log",
                              str(path), "--max-rejects", "1000").expect(1)
        assert "logs.rejected." in full.stderr and "File too large" in full.stderr, full.stderr
        assert rejected(path) == (None, None)
        expect_nothing(database)
        (path.parent / "logs.rejected.log").mkdir()
        said = load(database, "watch-log", path, "--max-rejects", "1000", code=1).stderr
        assert "logs.rejected.log" in said, said
        expect_nothing(database)


# --- imports that do not get to their end ----------------------------------------------------------------------------

@suite.test("a killed import leaves nothing, and can be done again")
def _():
    with Database() as database, blocked_import(database) as (path, process, other, session):
        process.kill()
        other.rollback()
        session_ends(database, session)
        expect_nothing(database, "member")
        load(database, "member", path)
        assert count(database, "member") == 20000


@suite.test("SIGINT and SIGTERM roll back and say so")
def _():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Database() as database, blocked_import(database) as (_, process, other, _):
            process.signal(number)
            other.rollback()
            assert "interrupted; nothing was loaded" in process.expect(1).stderr
            expect_nothing(database, "member")


@suite.test("a lost connection loads nothing and says to do it again")
def _():
    with Database() as database, blocked_import(database) as (path, process, other, session):
        database.execute(f"KILL {session}")
        said = process.expect(1).stderr
        assert "nothing was loaded, import it again" in said, said
        other.rollback()
        session_ends(database, session)
        expect_nothing(database, "member")
        load(database, "member", path)


@suite.test("a deadlock loads nothing and says to do it again")
def _():
    with Database() as database, blocked_import(database) as (_, process, other, _):
        with other.cursor() as cursor:
            cursor.execute("SET innodb_lock_wait_timeout = 30")
            # Heavier than the import, so that the import is the one that the server rolls back.
            cursor.execute("INSERT INTO content_post (member_id, title, duration) SELECT seq, 'x', 1 FROM seq_1_to_20000")
            cursor.execute("UPDATE member SET role = 'CREATOR' WHERE member_id = 1")
        said = process.expect(1).stderr
        assert "nothing was loaded, import it again" in said and "1213" in said, said
        other.rollback()
        expect_nothing(database, "member")


@suite.test("a file that changes meanwhile is not loaded")
def _():
    def change_one_byte(path):
        with path.open("r+b") as file:
            file.seek(700000)
            file.write(b"z")

    def append(path):
        with path.open("ab") as file:
            file.write(member_line(10**6))

    def cut(path):
        os.truncate(path, 500000)

    for change in (change_one_byte, append, cut):
        with Database() as database, blocked_import(database) as (path, process, other, _):
            change(path)
            other.rollback()
            said = process.expect(1).stderr
            assert "changed while it was read" in said, said
            assert rejected(path) == (None, None)
            expect_nothing(database, "member")


@suite.test("a file that disappears meanwhile is loaded as it was opened")
def _():
    with Database() as database, blocked_import(database) as (path, process, other, _):
        path.unlink()
        other.rollback()
        process.expect(0)
        assert count(database, "member") == 20000


@suite.test("imports of one file that wait for another one of it which is ended: one loads it, nobody meets a deadlock")
def _():
    with Database() as database, blocked_import(database) as (path, first, other, session):
        others = [database.settlectl("import", "member", str(path)) for _ in range(3)]
        wait_until(lambda: len(waiting_sessions(database)) == 4, 30, "imports that wait for the first")
        database.execute(f"KILL {session}")
        first.expect(1)
        wait_until(lambda: len(waiting_sessions(database)) == 3, 30, "the next of them to wait where the first did")
        other.rollback()
        said = sorted((process.wait(), "was imported as member already" in process.stderr) for process in others)
        assert said == [(0, False), (1, True), (1, True)], [process.output for process in others]
        assert count(database, "member") == 20000


@suite.test("with standard output and error closed, rejected rows come back as they were all the same")
def _():
    with Database() as database:
        path = write(database, "members.csv", MEMBER_HEADER, member_line(1), b"2,x,x,NOBODY\n")
        database.start_closed("<&- >&- 2>&-", lib.SETTLECTL, "--config", database.configuration, "import", "member",
                              str(path), "--max-rejects", "5").expect(0)
        assert (count(database, "member"), rejected(path)[0]) == (1, MEMBER_HEADER + b"2,x,x,NOBODY\n"), rejected(path)


@suite.test("the same file imported twice at once is loaded once")
def _():
    with Database() as database, blocked_import(database) as (path, process, other, _):
        second = database.settlectl("import", "member", str(path))
        wait_until(lambda: len(waiting_sessions(database)) == 2, 30, "the second import to wait for the first")
        other.rollback()
        process.expect(0)
        assert "already" in second.expect(1).stderr
        assert count(database, "member") == 20000


@suite.test("a database without its tables is refused before anything is read into it")
def _():
    with Database(migrate=False) as database:
        path = write(database, "logs.csv", LOG_HEADER, log_line(1))
        assert "migrate" in load(database, "watch-log", path, code=1).stderr


if __name__ == "__main__":
    suite.main(programs=(lib.SETTLECTL,))
