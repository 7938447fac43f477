#!/usr/bin/python3
"""What settlectl does with a request: what it stores, how it waits, what it tells, and its exit codes.

No daemon runs here. The tests play its part with SQL: they accept and answer requests and let executions come and go, so
that each answer is known beforehand. One row stands for a daemon that is alive.
"""

import json
import os
import pty
import signal
import subprocess

import lib
from lib import Database, JOB, SETTLECTL, Suite, wait_until

suite = Suite()
test = suite.test

NODE = "00000000-0000-4000-8000-000000000001"
SOON = "6"       # seconds: a bound that is waited out, with time for an answer before


class Played(Database):
    """A database in which the test plays the daemon."""

    def daemon(self, alive=True):
        self.execute("INSERT INTO node (node_id, host, pid, version, role, started_at, heartbeat_at, lease_until, status)"
                     " VALUES (%s, 'host-1', 4711, '1', 'DAEMON', NOW(6), NOW(6), NOW(6) + INTERVAL %s SECOND,"
                     " '')", NODE, 3600 if alive else -1)
        return self

    def request(self):
        """The request that waits for an answer."""
        return wait_until(lambda: self.value("SELECT request_id FROM job_request WHERE status = 'PENDING'"), 30,
                          "a request")

    def update(self, number, status, answer="", **fields):
        """What a daemon writes into the row."""
        named = "".join(f", {name} = %s" for name in fields)
        ended = status not in ("PENDING", "ACCEPTED")
        self.execute(f"UPDATE job_request SET status = %s, answer = %s, node_id = %s, answered_at = NOW(6),"
                     f" ended_at = IF(%s, NOW(6), NULL){named} WHERE request_id = %s",
                     status, answer, NODE, ended, *fields.values(), number)

    def answer(self, status, answer="", **fields):
        number = self.request()
        self.update(number, status, answer, **fields)
        return number

    def begin(self, number, day, request=None, owner=NODE):
        """An execution of the day begins."""
        self.execute("INSERT IGNORE INTO BATCH_JOB_INSTANCE VALUES (%s, 0, %s, %s)", number, JOB, str(number))
        self.execute("INSERT INTO BATCH_JOB_EXECUTION VALUES (%s, 0, %s, NOW(6), NOW(6), NULL, 'STARTED', 'UNKNOWN', '',"
                     " NOW(6))", number, number)
        self.execute("INSERT INTO BATCH_JOB_EXECUTION_PARAMS VALUES (%s, 'targetDate', 'java.lang.String', %s, 'Y')",
                     number, day)
        self.execute("INSERT INTO job_execution_owner (job_execution_id, node_id, started_for, request_id)"
                     " VALUES (%s, %s, 'REQUEST', %s)", number, owner, request)

    def step(self, execution, name, done, planned, status="STARTED"):
        """A step of it is at work or has ended; its figures move."""
        number = execution * 10 + lib.STEPS.index(name)
        self.execute("INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME,"
                     " START_TIME, STATUS, READ_COUNT) VALUES (%s, 0, %s, %s, NOW(6), NOW(6), %s, %s)"
                     " ON DUPLICATE KEY UPDATE STATUS = VALUES(STATUS), READ_COUNT = VALUES(READ_COUNT)",
                     number, name, execution, status, 0 if status == "STARTED" else done)
        self.execute("INSERT IGNORE INTO step_plan (job_instance_id, step_name, planned_at, partition_count, estimated_items)"
                     " VALUES (%s, %s, NOW(6), 1, %s)", execution, name, planned)
        self.execute("INSERT INTO step_partition (job_instance_id, step_name, partition_number, lower_key, upper_key,"
                     " estimated_items, status, read_count, updated_at) VALUES (%s, %s, 0, 0, 100, %s, 'STARTED', %s, NOW(6))"
                     " ON DUPLICATE KEY UPDATE read_count = VALUES(read_count)", execution, name, planned, done)

    def end(self, number, status="COMPLETED", message="", restart_in_s=None):
        self.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = %s, EXIT_CODE = %s, EXIT_MESSAGE = %s, END_TIME = NOW(6)"
                     " WHERE JOB_EXECUTION_ID = %s", status, status, message, number)
        if restart_in_s is not None:
            self.execute("UPDATE job_execution_owner SET restart_at = NOW(6) + INTERVAL %s SECOND WHERE job_execution_id = %s",
                         restart_in_s, number)


def says(process, text):
    """Waits until a program that runs has said something."""
    wait_until(lambda: text in process.output or process.ended(), 30, f"{text!r} from {process}")
    assert text in process.output, process.output


@test("a request is stored as it was typed, with who asked and why")
def _():
    with Played() as database:
        commands = (
            ("run", JOB, "--date", "2026-07-01"), ("backfill", JOB, "--from", "2026-07-01", "--to", "2026-07-03"),
            ("stop", "7"), ("restart", "8"), ("abandon", "9"), ("pause", JOB), ("resume", JOB))
        for command in commands:
            process = database.settlectl(*command, "--reason", "because of 이유")
            database.answer("COMPLETED", "done")
            process.expect(0)
        rows = database.rows("SELECT command, job_name, job_execution_id, CAST(date_from AS CHAR), CAST(date_to AS CHAR)"
                             " FROM job_request ORDER BY request_id")
        assert rows == [
            ("RUN", JOB, None, "2026-07-01", "2026-07-01"), ("BACKFILL", JOB, None, "2026-07-01", "2026-07-03"),
            ("STOP", "", 7, None, None), ("RESTART", "", 8, None, None), ("ABANDON", "", 9, None, None),
            ("PAUSE", JOB, None, None, None), ("RESUME", JOB, None, None, None)], rows
        who = database.rows("SELECT DISTINCT requested_by, reason FROM job_request")
        assert len(who) == 1 and who[0][0].endswith("@" + os.uname().nodename) and who[0][1] == "because of 이유", who
        assert database.value("SELECT COUNT(*) FROM job_request WHERE requested_at > NOW(6) - INTERVAL 10 MINUTE") == 7


@test("who asks is the person behind sudo")
def _():
    with Played() as database:
        environment = {"PATH": os.environ["PATH"], **lib.INSTRUMENTS, "USER": "root", "SUDO_USER": "alice"}
        with subprocess.Popen([SETTLECTL, "--config", database.configuration, "pause", JOB], env=environment,
                              stdout=subprocess.DEVNULL) as process:
            database.answer("COMPLETED")
            assert process.wait(60 * lib.FACTOR) == 0
        assert database.value("SELECT requested_by FROM job_request") == "alice@" + os.uname().nodename


@test("each answer has its exit code and is told")
def _():
    with Played() as database:
        for status, code, stream in (("ACCEPTED", 0, "stdout"), ("COMPLETED", 0, "stdout"), ("FAILED", 1, "stderr"),
                                     ("STOPPED", 1, "stderr"), ("REFUSED", 1, "stderr"), ("NOT_FOUND", 3, "stderr")):
            process = database.settlectl("run", JOB, "--date", "2026-07-01")
            number = database.answer(status, "a sentence for people", last_execution_id=5)
            process.expect(code)
            told = getattr(process, stream)
            assert f"request {number} {status}" in told and "a sentence for people" in told, process.output
            assert "execution 5" in told, process.output


@test("the JSON of an answer is one object with everything about the request")
def _():
    with Played() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--json", "--reason", "x")
        number = database.answer("REFUSED", "no", last_execution_id=5)
        found = json.loads(process.expect(1).stdout)
        assert found == {
            "request": number, "command": "RUN", "status": "REFUSED", "answer": "no", "job": JOB, "execution": 5,
            "from": "2026-07-01", "to": "2026-07-01", "on_date": None, "days_done": 0,
            "requested_by": found["requested_by"], "reason": "x", "requested_at": found["requested_at"],
            "answered_at": found["answered_at"], "ended_at": found["ended_at"]}, found
        assert found["answered_at"].endswith("Z") and "no" in process.stderr, found
        process = database.settlectl("pause", JOB, "--json")
        database.answer("COMPLETED")
        found = json.loads(process.expect(0).stdout)
        assert (found["execution"], found["from"], found["answer"]) == (None, None, None), found


@test("a request that nobody answers is withdrawn, and the message says whether a daemon is alive")
def _():
    with Played() as database:
        first = database.settlectl("run", JOB, "--date", "2026-07-01")
        second = database.settlectl("pause", JOB, "--json").expect(4)
        first.expect(4)
        assert "none is alive" in first.stderr and "systemctl start" in first.stderr, first.stderr
        assert f"settlementd run {JOB} --date 2026-07-01" in first.stderr, first.stderr
        assert "none is alive" in second.stderr and json.loads(second.stdout)["status"] == "WITHDRAWN", second.output
        rows = database.rows("SELECT DISTINCT status, answer, ended_at IS NOT NULL FROM job_request")
        assert rows == [("WITHDRAWN", "no daemon answered in time", 1)], rows
        database.daemon()
        third = database.settlectl("restart", "7", "--wait", "--timeout", "1").expect(4)
        assert "process 4711 on host-1" in third.stderr and "withdrawn" in third.stderr, third.stderr


@test("a daemon whose lease is over does not count as alive")
def _():
    with Played() as database:
        process = database.daemon(alive=False).settlectl("restart", "7", "--wait", "--timeout", "1").expect(4)
        assert "none is alive" in process.stderr, process.stderr


@test("an interrupt withdraws what nobody has answered, and leaves alone what a daemon has taken on")
def _():
    with Played() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01")
        database.request()
        process.signal(signal.SIGINT)
        process.expect(1)
        assert "withdrawn" in process.stderr and database.value("SELECT status FROM job_request") == "WITHDRAWN", (
            process.output)
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
        number = database.answer("ACCEPTED", "is next", last_execution_id=31)
        says(process, "is next")
        process.signal(signal.SIGINT)
        process.expect(1)
        assert f"request {number} goes on" in process.stderr and "settlectl stop 31" in process.stderr, process.output
        assert database.value("SELECT status FROM job_request WHERE request_id = %s", number) == "ACCEPTED"


@test("waiting has a bound when one is given")
def _():
    with Played() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait", "--timeout", SOON, "--json")
        number = database.answer("ACCEPTED", "is next")
        process.expect(4)
        assert "not done in time" in process.stderr and f"request {number} goes on" in process.stderr, process.output
        assert json.loads(process.stdout)["status"] == "ACCEPTED", process.stdout


@test("--wait follows the steps and takes over the result")
def _():
    for status, message, code in (("COMPLETED", "", 0), ("FAILED", "step settlement failed", 1), ("STOPPED", "", 1)):
        with Played() as database:
            process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
            number = database.answer("ACCEPTED", "started", last_execution_id=1)
            database.begin(1, "2026-07-01", number)
            database.step(1, "content-statistics", 600, 600, "COMPLETED")
            database.step(1, "settlement", 30, 60)
            says(process, "content-statistics")
            assert not process.ended() and "settlement 100" not in process.output, process.output
            database.step(1, "settlement", 60, 60, status)
            database.end(1, status, message)
            database.update(number, status, "that was it", last_execution_id=1, days_done=1)
            process.expect(code)
            assert "content-statistics  COMPLETED  600 items" in process.stderr, process.stderr
            word = {"COMPLETED": "  60 items", "FAILED": "failed", "STOPPED": "stopped"}[status]
            assert word in process.stderr.lower(), process.stderr
            assert f"2026-07-01  execution 1  {status}" in process.stdout, process.stdout
            assert message in process.stdout and "that was it" in process.output, process.output


@test("executions that came and went between two looks are told, automatic restarts among them")
def _():
    with Played() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
        number = database.request()
        database.server.begin()
        database.begin(1, "2026-07-01", number)
        database.step(1, "settlement", 10, 60, "FAILED")
        database.end(1, "FAILED", "the process died", restart_in_s=30)
        database.begin(2, "2026-07-01", number)
        database.step(2, "settlement", 60, 60, "COMPLETED")
        database.end(2)
        database.begin(3, "2026-06-30")  # somebody else's
        database.end(3)
        database.update(number, "COMPLETED", "closed", last_execution_id=2, days_done=1)
        database.server.commit()
        lines = process.expect(0).stdout.splitlines()
        assert len(lines) == 3, lines
        assert lines[0].startswith("2026-07-01  execution 1  FAILED") and "the process died; starts again at" in lines[0]
        assert lines[1].startswith("2026-07-01  execution 2  COMPLETED"), lines
        assert lines[2] == f"request {number} COMPLETED, execution 2: closed", lines


@test("an execution that runs already is followed; one that ended long ago is not told again")
def _():
    with Played() as database:
        database.begin(1, "2026-06-30")
        database.end(1)
        database.begin(2, "2026-07-01")
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
        number = database.answer("ACCEPTED", "it runs already", last_execution_id=2)
        says(process, "it runs already")
        database.step(2, "settlement", 10, 60)
        database.step(2, "settlement", 60, 60, "COMPLETED")
        database.end(2)
        database.update(number, "COMPLETED", "closed", last_execution_id=2)
        assert "2026-07-01  execution 2  COMPLETED" in process.expect(0).stdout, process.output
        process = database.settlectl("run", JOB, "--date", "2026-06-30", "--wait")
        database.answer("COMPLETED", "it is closed already", last_execution_id=1)
        assert process.expect(0).stdout.count("\n") == 1 and "closed already" in process.stdout, process.stdout


@test("a backfill is one line a day and a total")
def _():
    with Played() as database:
        process = database.settlectl("backfill", JOB, "--from", "2026-07-01", "--to", "2026-07-03", "--wait")
        number = database.answer("ACCEPTED", "3 days")
        for index, day in enumerate(("2026-07-01", "2026-07-02", "2026-07-03")):
            database.begin(index + 1, day, number)
            database.step(index + 1, "settlement", 20, 40)
            database.update(number, "ACCEPTED", "3 days", on_date=day, last_execution_id=index + 1, days_done=index)
            database.step(index + 1, "settlement", 40, 40, "COMPLETED")
            database.end(index + 1)
            database.update(number, "ACCEPTED", "3 days", on_date=day, last_execution_id=index + 1, days_done=index + 1)
            says(process, f"{day}  execution {index + 1}  COMPLETED")
        database.update(number, "COMPLETED", "all done", on_date="2026-07-03", last_execution_id=3, days_done=3)
        lines = process.expect(0).stdout.splitlines()
        assert len(lines) == 4 and lines[3] == f"request {number} COMPLETED, 3 days done, execution 3: all done", lines
        assert "items" not in process.stderr, process.stderr


@test("stop --wait ends when the execution has ended, not when the stop was accepted")
def _():
    with Played() as database:
        database.begin(1, "2026-07-01")
        process = database.settlectl("stop", "1", "--wait")
        number = database.answer("COMPLETED", "it finishes its chunks", job_name=JOB, last_execution_id=1)
        database.step(1, "settlement", 10, 60)
        says(process, "it finishes its chunks")
        assert not process.ended(), process.output
        database.step(1, "settlement", 10, 60, "STOPPED")
        database.end(1, "STOPPED")
        process.expect(0)
        assert "2026-07-01  execution 1  STOPPED" in process.stdout and f"request {number} COMPLETED" in process.stdout
        process = database.settlectl("stop", "1", "--wait")
        database.answer("REFUSED", "it does not run")
        assert "it does not run" in process.expect(1).stderr


@test("a terminal gets a bar that is redrawn in place")
def _():
    with Played() as database:
        try:
            reader, writer = pty.openpty()
        except OSError as error:                # a chroot without /dev/pts has none to give
            print(f"not tried: {error}", flush=True)
            return
        with subprocess.Popen([SETTLECTL, "--config", database.configuration, "run", JOB, "--date", "2026-07-01", "--wait"],
                              stdout=writer, stderr=writer, env={**os.environ, "TERM": "xterm"}) as process:
            os.close(writer)
            number = database.answer("ACCEPTED", "started", last_execution_id=1)
            database.begin(1, "2026-07-01", number)
            database.step(1, "settlement", 30, 60)
            text = ""
            while " 50 %" not in text:
                text += os.read(reader, 65536).decode()
            database.step(1, "settlement", 60, 60, "COMPLETED")
            database.end(1)
            database.update(number, "COMPLETED", "closed", last_execution_id=1)
            while "closed" not in text:
                text += os.read(reader, 65536).decode()
            assert process.wait(60 * lib.FACTOR) == 0
        os.close(reader)
        assert "\r" in text and "\033[K" in text and "settlement  [" in text and "100 %" in text, text


@test("a lost connection is found again, and the waiting goes on")
def _():
    with Played() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
        number = database.answer("ACCEPTED", "is next")
        says(process, "is next")
        for session, in database.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s AND ID <> CONNECTION_ID()",
                                      database.name):
            database.execute(f"KILL CONNECTION {session}")
        says(process, "there again")
        database.update(number, "COMPLETED", "closed")
        process.expect(0)
        assert "not to be reached" in process.stderr and "closed" in process.stdout, process.output


class Away(Played):
    """A database that can go away: the programs reach the server through a link to its socket."""

    def __init__(self):
        super().__init__()
        self.link = os.path.join(self.directory, "socket")
        os.symlink(lib.SOCKET, self.link)
        with open(self.configuration, encoding="utf-8") as file:
            text = file.read()
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(text.replace(lib.SOCKET, self.link))

    def go(self):
        os.unlink(self.link)
        for session, in self.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s AND ID <> CONNECTION_ID()",
                                  self.name):
            self.execute(f"KILL CONNECTION {session}")

    def come_back(self):
        os.symlink(lib.SOCKET, self.link)


@test("a database that is away for a while is waited for")
def _():
    with Away() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait")
        number = database.answer("ACCEPTED", "is next")
        says(process, "is next")
        database.go()
        says(process, "not to be reached")
        database.update(number, "COMPLETED", "closed meanwhile")
        assert not process.ended(), process.output
        database.come_back()
        assert "closed meanwhile" in process.expect(0).stdout and "there again" in process.stderr, process.output


@test("who waits for a database that is away can give up")
def _():
    with Away() as database:
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait", "--json")
        database.answer("ACCEPTED", "is next", last_execution_id=5)
        database.go()
        says(process, "not to be reached")
        process.signal(signal.SIGTERM)
        found = json.loads(process.expect(1).stdout)
        assert (found["command"], found["job"], found["from"]) == ("RUN", JOB, "2026-07-01"), found
        assert "interrupted while the database was away" in process.stderr, process.stderr
        database.come_back()
        process = database.settlectl("run", JOB, "--date", "2026-07-01", "--wait", "--timeout", SOON)
        database.answer("ACCEPTED", "is next")
        wait_until(lambda: "is next" in process.output, 20, "the answer's way to who asked")
        database.go()
        assert "gave up while the database was away" in process.expect(4).stderr, process.output
        assert database.rows("SELECT DISTINCT status FROM job_request") == [("ACCEPTED",)]


@test("wrong command lines end with 2 and store nothing, a name that no job can have with 3")
def _():
    with Played() as database:
        for code, text, *arguments in (
                (2, "run needs --date", "run", JOB), (2, "run needs the name of a job", "run", "--date", "2026-07-01"),
                (2, "--date 2026-02-30", "run", JOB, "--date", "2026-02-30"),
                (2, "--from is after --to", "backfill", JOB, "--from", "2026-07-02", "--to", "2026-07-01"),
                (2, "backfill needs --to", "backfill", JOB, "--from", "2026-07-02"),
                (2, "not an id", "stop", "x"), (2, "stop needs the id", "stop"), (2, "not an id", "restart", "0"),
                (2, "unknown option --wait", "pause", JOB, "--wait"), (2, "unknown option --wait", "abandon", "1", "--wait"),
                (2, "--timeout goes with --wait", "stop", "1", "--timeout", "5"),
                (2, "from 1 to", "stop", "1", "--wait", "--timeout", "0"),
                (2, "longer than 255 characters", "pause", JOB, "--reason", "한" * 256),
                (3, "no job \"Daily\"", "run", "Daily", "--date", "2026-07-01"), (3, "no job", "pause", "x" * 101)):
            process = database.settlectl(*arguments).expect(code)
            assert text in process.stderr and process.stdout == "", process.output
        assert database.value("SELECT COUNT(*) FROM job_request") == 0
        process = database.settlectl("pause", JOB, "--reason", "한" * 255)
        database.answer("COMPLETED")
        process.expect(0)


if __name__ == "__main__":
    suite.main(programs=(SETTLECTL,))
