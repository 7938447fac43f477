"""What the tests of the daemon share: `settlementd` started as the service manager would start it, with the test in the
manager's place; a database that it serves, with rows that a test can hold on to; and a server of the test's own, which
may be stopped, frozen and started again."""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lib
import oracle
from lib import JOB, wait_until

STATES = ("READY", "RELOADING", "STOPPING")
FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')

SESSIONS_SQL = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"


def parse_event(line):
    """A log line's fields."""
    return {name: re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for name, quoted, bare in FIELD.findall(line)}


class Manager:
    """The service manager's end of NOTIFY_SOCKET: keeps what the daemon says, with the time at which it came."""

    def __init__(self, path):
        self.messages = []      # (time, variable, value)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            datagram = self.socket.recv(65536)
            if not datagram:
                return
            now = time.monotonic()
            self.messages.extend((now, *line.partition("=")[::2]) for line in datagram.decode().splitlines())

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)


class Daemon(lib.Process):
    """A daemon that was started; ready unless that is not waited for."""

    def __init__(self, database, ready=True, configuration=None, watchdog_s=None, clock=None, program=None,
                 environment=None):
        path = os.path.join(database.directory, f"notify{next(lib.numbers)}")
        self.manager = Manager(path)
        self.mark = 0
        environment = {**os.environ, "NOTIFY_SOCKET": path, **(environment or {})}
        if watchdog_s:
            environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1000000))
        if clock:
            environment["SETTLEMENTD_TEST_CLOCK"] = clock.path
        super().__init__([program or lib.SETTLEMENTD, "--config", configuration or database.configuration], database.directory,
                         environment)
        database.processes.append(self)
        if ready:
            self.wait_ready()

    def kill(self):
        super().kill()
        self.manager.close()

    def expect(self, *codes, timeout_s=30):
        return super().expect(*codes, timeout_s=timeout_s)

    def said(self, variable):
        """Everything that the manager was told under this name, in order."""
        return [value for _, name, value in list(self.manager.messages) if name == variable]

    def states(self):
        return [name for _, name, value in list(self.manager.messages) if name in STATES and value == "1"]

    def wait_states(self, *states):
        """What is told before the end may be read after it."""
        try:
            wait_until(lambda: self.states() == list(states), 20, "")
        except AssertionError:
            raise AssertionError(f"the manager was told {self.states()}, expected {states}; {self.output}") from None

    def wait_ready(self):
        wait_until(lambda: self.said("READY") or self.ended(), 60, "READY=1")
        assert self.said("READY"), f"the daemon ended with {self.wait()}; it said:\n{self.output}"

    def forget(self):
        """The statuses until now are not waited for any more."""
        self.mark = len(self.manager.messages)

    def wait_status(self, pattern, timeout_s=20):
        """Waits for a status line of that pattern, since the start or the last call of forget()."""
        def find():
            recent = [value for _, name, value in self.manager.messages[self.mark:] if name == "STATUS"]
            return [status for status in recent if re.search(pattern, status)]
        try:
            return wait_until(find, timeout_s, "")[0]
        except AssertionError:
            raise AssertionError(f"no status like {pattern!r} but {self.said('STATUS')[-5:]}; {self.stderr}") from None

    def events(self, name=None):
        """The log's lines as dictionaries, oldest first."""
        found = [parse_event(line) for line in self.stderr.splitlines() if line.startswith("time=")]
        return [event for event in found if name in (None, event.get("event"))]

    def wait_event(self, name, timeout_s=20, **fields):
        """The first event of that name and with these values."""
        def find():
            return [event for event in self.events(name) if fields.items() <= event.items()]
        try:
            return wait_until(find, timeout_s, "")[0]
        except AssertionError:
            raise AssertionError(f"no event {name} {fields}; the daemon said:\n{self.stderr}") from None

    def stop(self, timeout_s=30):
        """Ends it as systemctl stop would."""
        self.signal(signal.SIGTERM)
        return self.expect(0, timeout_s=timeout_s)


class Held:
    """A row that somebody else has inserted and not committed: who wants to write it waits. Let go of at the latest at
    the end of the `with` block."""

    def __init__(self, database, table, values):
        self.database = database
        self.waiting = re.compile("HAS BEEN WAITING [0-9]+ us FOR THIS LOCK TO BE GRANTED:\n.* of table "
                                  f"`{database.name}`.`{table}`")
        self.connection = database.connect()
        self.connection.begin()
        oracle.rows_of(self.connection, f"INSERT INTO {table} VALUES ({values})")

    def is_wanted(self):
        """The tables of information_schema would tell of a moment ago, and of no later one while somebody asks."""
        return self.waiting.search(self.database.rows("SHOW ENGINE INNODB STATUS")[0][2])

    def wait_wanted(self):
        wait_until(self.is_wanted, 30, "somebody who wants the row that is held")
        return self

    def release(self):
        if self.connection.open:
            self.connection.rollback()
            self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def hold_settlement(database, day):
    """Holds the last row of the day's settlement: the day does not end before the test lets go of it."""
    content = database.value("SELECT MAX(content_post_id) FROM member_content_watch_log JOIN content_post"
                             " USING (content_post_id) WHERE watched_date = %s", day)
    return Held(database, "settlement", f"'{day}', {content}, 1, 0, 0, 0, 0, 'CALCULATED', 1")


class Served(lib.Database):
    """A database for daemons. No schedule is in force, unless a test wants one."""

    def __init__(self, **options):
        super().__init__(**{"enabled": "false", "housekeeping": "false", "chunk_size": 5, "partition_items": 40,
                            **options})

    def __exit__(self, kind, *_):
        """Unless the test has failed already, whatever still runs has to end well."""
        try:
            if kind is None:
                self.stop_daemons()
        finally:
            self.close()

    def stop_daemons(self):
        left = [process for process in self.processes if isinstance(process, Daemon) and not process.ended()]
        for running in left:
            running.signal(signal.SIGTERM)
        for running in left:
            running.expect(0)
        for process in self.processes:
            assert "Sanitizer" not in process.stderr, process.stderr

    def close(self):
        for process in self.processes:
            process.kill()
        self.reconnect()
        super().close()

    def reconnect(self):
        """The test's own connection, after the server was away."""
        self.server.ping(reconnect=True)
        self.server.select_db(self.name)

    def daemon(self, **options):
        return Daemon(self, **options)

    def fill(self, *days, seed=41, **figures):
        lib.load(self, lib.generate(seed, [lib.day_of(day) for day in days],
                                    **{"contents": 40, "views": 200, "ad_views": 80, **figures}))

    # --- requests ---

    def ask_run(self, day, *arguments):
        return self.settlectl("run", JOB, "--date", day, *arguments)

    def ask_backfill(self, first, last, *arguments):
        return self.settlectl("backfill", JOB, "--from", first, "--to", last, *arguments)

    def request(self, number=None):
        """The status, answer, latest execution and count of days of a request, by default of the latest."""
        rows = self.rows("SELECT status, answer, last_execution_id, days_done FROM job_request"
                         " WHERE request_id = COALESCE(%s, request_id) ORDER BY request_id DESC LIMIT 1", number)
        return rows[0] if rows else (None, "", None, 0)

    def wait_accepted(self, count=1):
        wait_until(lambda: self.value("SELECT COUNT(*) FROM job_request WHERE status = 'ACCEPTED'") >= count, 20,
                   f"{count} accepted requests")

    def let_turn(self):
        """Waits until a daemon has looked around, and has had the chance to start what it wants to start."""
        for _ in range(2):
            self.execute("INSERT INTO job_request (command, job_execution_id, requested_by, requested_at)"
                         " VALUES ('STOP', 999999, 'test', NOW(6))")
            wait_until(lambda: self.request()[0] == "NOT_FOUND", 20, "a turn")

    # --- executions ---

    def runs(self, day="%"):
        """(status, started_for, cause, restarts, whether a restart is due) of the executions, oldest first."""
        return [(*row[:3], int(row[3]), bool(row[4])) for row in self.rows(
            """SELECT e.STATUS, o.started_for, o.cause, o.restarts, o.restart_at IS NOT NULL
               FROM BATCH_JOB_EXECUTION e JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID
               JOIN BATCH_JOB_EXECUTION_PARAMS q ON q.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID
               WHERE q.PARAMETER_VALUE LIKE %s ORDER BY e.JOB_EXECUTION_ID""", day)]

    def wait_runs(self, day, *runs):
        """Waits until the executions of the day are these: a status, or a row of runs(), for each."""
        def alike():
            found = self.runs(day)
            return len(found) == len(runs) and all(
                wanted in (row, row[0]) for row, wanted in zip(found, runs))
        try:
            wait_until(alike, 30, "")
        except AssertionError:
            said = "\n".join(process.output for process in self.processes if isinstance(process, Daemon))
            raise AssertionError(f"the executions of {day} are {self.runs(day)}, expected {runs};\n{said}") from None

    def execution(self, day):
        """The latest execution of the day."""
        return self.executions(day)[-1][0]

    def closed_days(self):
        return [str(row[0]) for row in self.rows("SELECT business_date FROM day_close ORDER BY closed_at, 1")]

    def hold(self, day):
        """Holds a row that a chunk of the first step has to write, so that the day cannot get past it."""
        content = self.value("""SELECT MAX(content_post_id) FROM member_content_watch_log
                                JOIN content_post USING (content_post_id) WHERE watched_date = %s""", day)
        return Held(self, "content_statistics", f"'DAILY', '{day}', {content}, 0, 0, 0, 0, 0")

    def end_pause(self):
        """What is to be started again is due now."""
        self.execute("UPDATE job_execution_owner SET restart_at = NOW(6) WHERE restart_at IS NOT NULL")

    def refuse(self, table="settlement"):
        """From now on nothing can be stored in the table: an error that repetition does not mend."""
        self.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW "
                     "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the auditors are in'")

    def allow(self):
        self.execute("DROP TRIGGER refuse")

    def expect_untouched(self, day, before):
        """Insists that partitions that were complete before are as they were."""
        after = self.partitions(day)
        touched = [number for number, row in before.items() if after[number] != row]
        assert before and not touched, f"of {len(before)} completed partitions were touched: {touched[:5]}"


class Server:
    """A MariaDB of the test's own. It is gone when the tests are."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="settlementd-server-")
        atexit.register(self.remove)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))   # so that the server does not outlive a test that is ended
        self.start()
        self.socket = self.command("socket").strip()

    def command(self, word):
        environment = {**os.environ, "SETTLEMENTD_SANDBOX": self.directory, "SANDBOX_BUFFER_POOL": "64M"}
        return subprocess.run([lib.ROOT / "script" / "sandbox", word], env=environment, check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def start(self):
        self.command("start")

    def stop(self):
        self.command("stop")

    def pid(self):
        return int(Path(self.directory, "mariadb.pid").read_text(encoding="ascii"))

    def signal(self, number):
        os.kill(self.pid(), number)

    def kill(self):
        command = Path("/proc", str(self.pid()), "cmdline")
        self.signal(signal.SIGKILL)
        wait_until(lambda: not command.exists() or not command.read_bytes(), 20, "the end of the server")

    def remove(self):
        if Path(self.directory, "mariadb.pid").exists():
            self.signal(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self.directory)
