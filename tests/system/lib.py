"""What the system tests share: a private database with a configuration that points at it, the real programs, bounded
waits, made-up logs, and a list of tests that prints one line for each.

The server's socket comes from SETTLEMENTD_TEST_SOCKET (script/test starts a sandbox and sets it). The programs are
those of build/release unless SETTLEMENTD_BIN and SETTLECTL_BIN name others. TEST_TIMEOUT_FACTOR stretches every bound,
for instrumented builds.
"""

import datetime
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import pymysql

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import oracle  # noqa: E402  (the path above leads to it)

SOCKET = os.environ.get("SETTLEMENTD_TEST_SOCKET", "")
USER = os.environ.get("SETTLEMENTD_TEST_USER", "root")
SETTLEMENTD = os.environ.get("SETTLEMENTD_BIN", str(ROOT / "build" / "release" / "settlementd"))
SETTLECTL = os.environ.get("SETTLECTL_BIN", str(ROOT / "build" / "release" / "settlectl"))
# What a program gets also where the environment is part of the test.
INSTRUMENTS = {name: value for name, value in os.environ.items() if name == "GCOV_PREFIX" or name.endswith("SAN_OPTIONS")}
PAUSE_S = 0.002     # between two looks at something that is waited for
FACTOR = float(os.environ.get("TEST_TIMEOUT_FACTOR", "1"))
JOB = "daily-settlement"
STEPS = ("content-statistics", "ad-statistics", "period-statistics", "settlement", "reconciliation")
STREAMING = ("IN_PROGRESS", "PAUSED", "STOPPED", "COMPLETED")
LARGEST_ID = 2**63 - 1

CONFIGURATION = """timezone = "Asia/Seoul";
database: {{ socket = "{socket}"; user = "{user}"; name = "{name}"; }};
workers: {{ threads = {threads}; chunk_size = {chunk_size}; partition_items = {partition_items};
            max_partitions = {max_partitions}; }};
retry: {{ transaction_limit = {transaction_limit}; backoff_ms = {backoff_ms}; backoff_max_ms = {backoff_max_ms};
          restart_limit = {restart_limit}; restart_backoff_s = {restart_backoff_s};
          restart_backoff_max_s = {restart_backoff_max_s}; }};
lease: {{ heartbeat_s = {heartbeat_s}; ttl_s = {ttl_s}; }};
settlement: {{ skip_limit = {skip_limit}; }};
housekeeping: {{ enabled = {housekeeping}; cron = "{purge_cron}"; keep_days = {keep_days}; }};
jobs = ( {{ name = "daily-settlement"; cron = "{cron}"; timezone = "{timezone}"; misfire = "{misfire}";
           catchup_max = {catchup_max}; enabled = {enabled}; }} );
log: {{ level = "{level}"; }};
"""
OPTIONS = {"threads": 2, "chunk_size": 100, "partition_items": 500, "max_partitions": 256, "transaction_limit": 5,
           "backoff_ms": 20, "backoff_max_ms": 1000, "restart_limit": 3, "restart_backoff_s": 30,
           "restart_backoff_max_s": 900, "heartbeat_s": 1, "ttl_s": 2, "skip_limit": 1000, "housekeeping": "true",
           "purge_cron": "30 3 * * *", "keep_days": 90, "cron": "10 0 * * *", "timezone": "", "misfire": "once",
           "catchup_max": 31, "enabled": "true", "level": "info"}

numbers = itertools.count(1)


def day_of(text):
    return datetime.date.fromisoformat(text)


def days_from(first, count):
    return [day_of(first) + datetime.timedelta(days=offset) for offset in range(count)]


def wait_until(condition, timeout_s, what):
    """Polls until the condition gives something true and returns that; fails when it takes too long."""
    deadline = time.monotonic() + timeout_s * FACTOR
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s * FACTOR:g} s in vain for: {what}")
        time.sleep(PAUSE_S)


class Process:
    """A program that runs beside the test, with its output in files so that it never blocks on a full pipe, unless the
    test names another stdout."""

    def __init__(self, arguments, directory, environment=None, stdout=None):
        number = next(numbers)
        self.arguments = arguments
        self.files = [Path(directory) / f"{name}{number}" for name in ("stdout", "stderr")]
        with open(self.files[0], "wb") as out, open(self.files[1], "wb") as err:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=err,
                                          cwd=directory, env=environment)

    @property
    def stdout(self):
        return self.files[0].read_text(errors="replace")

    @property
    def stderr(self):
        return self.files[1].read_text(errors="replace")

    @property
    def output(self):
        return self.stdout + self.stderr

    def ended(self):
        return self.child.poll() is not None

    def stopped(self):
        """Whether it stands still, by SIGSTOP."""
        try:
            text = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return False
        return text.rpartition(")")[2].split()[0] == "T"

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, timeout_s=120):
        """The exit code; a program that does not end in time is killed and that is a failure."""
        try:
            return self.child.wait(timeout_s * FACTOR)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self} did not end in {timeout_s * FACTOR:g} s; it said:\n{self.output}") from None

    def kill(self):
        if not self.ended():
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
        self.child.wait()

    def expect(self, *codes, timeout_s=120):
        """Waits and insists on one of the exit codes."""
        code = self.wait(timeout_s)
        assert code in codes, f"{self} ended with {code}, expected {codes}; it said:\n{self.output}"
        return self

    def __str__(self):
        return " ".join(str(argument) for argument in self.arguments)


# What the server's administrator does for a site (migrations/users.sql): roles named after the database, and a worker
# whose account is named like it.
USERS = ("CREATE ROLE {name}_worker", "CREATE ROLE {name}_reader", "CREATE USER {name}@localhost",
         "GRANT {name}_worker TO {name}@localhost", "SET DEFAULT ROLE {name}_worker FOR {name}@localhost")


class Database:
    """A database of the test's own, migrated, with a configuration file; gone at the end of the `with` block, or of the
    test when it never got to one. The programs connect as its worker, with the rights of migrations/grants.sql and no
    others; the test itself, and `settlectl migrate`, as the server's administrator."""

    open = []

    def __init__(self, migrate=True, socket=SOCKET, **options):
        self.name = f"settlementd_system_{os.getpid()}_{next(numbers)}"
        self.directory = tempfile.mkdtemp(prefix="settlementd-system-")
        self.configuration = os.path.join(self.directory, "settlementd.conf")
        self.owner_configuration = os.path.join(self.directory, "owner.conf")
        self.options = {**OPTIONS, "socket": socket}
        self.processes = []
        self.server = oracle.connect(socket, None, USER)
        Database.open.append(self)
        self.execute(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        self.server.select_db(self.name)
        for sql in USERS:
            self.execute(sql.format(name=self.name))
        self.configure(**options)
        if migrate:
            self.settlectl("migrate").expect(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the processes that were started here and removes every trace."""
        Database.open.remove(self)
        for process in self.processes:
            process.kill()
        self.execute(f"DROP DATABASE {self.name}")
        self.execute(f"DROP USER {self.name}@localhost")
        self.execute(f"DROP ROLE {self.name}_worker, {self.name}_reader")
        self.server.close()
        shutil.rmtree(self.directory)

    def configure(self, **options):
        """Writes the configurations, the worker's and the owner's, anew with some options changed."""
        self.options.update(options)
        for path, user in ((self.configuration, self.name), (self.owner_configuration, USER)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(CONFIGURATION.format(**{"user": user, "name": self.name, **self.options}))

    def connect(self):
        """A further connection, for holding locks."""
        return oracle.connect(self.options["socket"], self.name, USER)

    def execute(self, sql, *arguments):
        with self.server.cursor() as cursor:
            return cursor.execute(sql, arguments or None)

    def rows(self, sql, *arguments):
        return [tuple(row) for row in oracle.rows_of(self.server, sql, *arguments)]

    def value(self, sql, *arguments):
        found = self.rows(sql, *arguments)
        return found[0][0] if found else None

    def start(self, program, *arguments, **options):
        process = Process([program, *arguments], self.directory, **options)
        self.processes.append(process)
        return process

    def start_closed(self, closing, program, *arguments):
        """Starts it with some of its standard files closed: `closing` are a shell's words for that."""
        return self.start("/bin/sh", "-c", f'exec "$0" "$@" {closing}', program, *arguments)

    def settlectl(self, *arguments):
        """Starts settlectl as the worker, or as the owner to migrate."""
        configuration = self.owner_configuration if arguments[:1] == ("migrate",) else self.configuration
        return self.start(SETTLECTL, "--config", configuration, *arguments)

    def run(self, day, *arguments, **options):
        """Starts `settlementd run` for the day."""
        return self.start(SETTLEMENTD, "run", JOB, "--date", str(day), "--config", self.configuration, *arguments, **options)

    def settle(self, *days):
        for day in days:
            self.run(day).expect(0)

    def verify(self, absent=None):
        """Insists that the oracle agrees."""
        lines, summary = oracle.verify(self.server, absent)
        assert not lines, "the oracle disagrees:\n" + "\n".join(lines[:10]) + f"\n{summary}"

    def dump(self):
        return oracle.dump(self.server)

    def progress(self, day):
        """How many chunks of the day have been committed; 0 before there is a plan."""
        return int(self.value(f"SELECT COALESCE(SUM(p.chunk_count), 0) {PLAN_SQL}", str(day)))

    def partitions(self, day, status="%"):
        """The day's partitions, whole, by id."""
        return dict((row[0], row) for row in self.rows(
            f"SELECT p.* {PLAN_SQL} AND p.status LIKE %s ORDER BY 1", str(day), status))

    def executions(self, day):
        """(id, status, exit code, exit message, end time) of the day's executions, oldest first."""
        return self.rows(f"""SELECT e.JOB_EXECUTION_ID, e.STATUS, e.EXIT_CODE, e.EXIT_MESSAGE, e.END_TIME
                             FROM BATCH_JOB_EXECUTION e {DAY_SQL} ORDER BY 1""", str(day))


# Joins that lead from a day to its executions and partitions.
DAY_SQL = """JOIN BATCH_JOB_EXECUTION_PARAMS q ON q.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID
             AND q.PARAMETER_NAME = 'targetDate' AND q.PARAMETER_VALUE = %s"""
PLAN_SQL = f"""FROM step_partition p WHERE p.job_instance_id IN
               (SELECT e.JOB_INSTANCE_ID FROM BATCH_JOB_EXECUTION e {DAY_SQL})"""


# --- made-up logs ----------------------------------------------------------------------------------------------------

class Dataset:
    """Rows for the platform's tables."""

    def __init__(self):
        self.contents = {}      # content -> creator
        self.advertisements = []
        self.views = []         # (day, content, member, seconds, status)
        self.ad_views = []      # (day, content, advertisement, member, seconds, status)

    def add_views(self, day, content, count, seconds=7):
        self.views.extend((day, content, number + 1, seconds, "STOPPED") for number in range(count))

    def add_ad_views(self, day, content, advertisement, count, seconds=3):
        self.ad_views.extend((day, content, advertisement, number + 1, seconds, "COMPLETED")
                             for number in range(count))


def make_ids(generator, count):
    """Ids with everything that a range of keys can trip over: dense, sparse, above 2^53, the largest there is."""
    ids = set(range(1, count // 2)) | {2**53 + 1, LARGEST_ID, LARGEST_ID - 1}
    while len(ids) < count:
        ids.add(generator.randrange(10**6, 2**62))
    return sorted(ids)


def generate(seed, days, contents=60, views=600, ad_views=200, missing=3):
    """Logs of some days: a heavy tail of contents, one that holds a sixth of each day, two with advertisements only,
    `missing` without a content_post row."""
    generator = random.Random(seed)
    data = Dataset()
    ids = make_ids(generator, contents)
    generator.shuffle(ids)
    absent, ads_only, watched = ids[:missing], ids[missing:missing + 2], ids[missing + 2:]
    data.contents = {content: generator.randrange(1, 20) for content in ids if content not in absent}
    data.advertisements = [1, 2, 3, 10**12, LARGEST_ID]
    hot = watched[0]
    for day in days:
        for _ in range(views):
            rank = min(int(generator.paretovariate(0.7)) - 1, len(watched) - 1)
            content = hot if generator.random() < 1 / 6 else generator.choice((watched[rank], *absent, *watched[-9:]))
            data.views.append((day, content, generator.randrange(1, 10**6), generator.randrange(0, 7200),
                               generator.choice(STREAMING)))
        for _ in range(ad_views):
            content = generator.choice((hot, *ads_only, *ids))
            data.ad_views.append((day, content, generator.choice(data.advertisements), generator.randrange(1, 10**6),
                                  generator.randrange(0, 60), generator.choice(STREAMING)))
    return data


def insert(database, table, columns, rows):
    with database.server.cursor() as cursor:
        marks = ", ".join(["%s"] * len(columns.split(",")))
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def add_contents(database, contents):
    insert(database, "content_post", "content_post_id, member_id, title, duration",
           [(content, creator, f"content {content}", 600) for content, creator in contents.items()])


def load(database, data):
    """Stores a dataset as the platform would have stored it before the night."""
    database.server.begin()
    add_contents(database, data.contents)
    insert(database, "advertisement", "advertisement_id, advertiser_id, title, price_per_view",
           [(number, 1, f"advertisement {number}", 10) for number in data.advertisements])
    insert(database, "member_content_watch_log", "watched_date, content_post_id, member_id, last_playback_position, "
           "total_playback_time, streaming_status", [(*row[:4], *row[3:]) for row in data.views])
    insert(database, "member_ad_watch_log", "watched_date, content_post_id, advertisement_id, member_id, "
           "playback_position, streaming_status", data.ad_views)
    database.server.commit()


def set_rates(database, first, bounds, kinds=("CONTENT", "ADVERTISEMENT"), prices=(1000000, 1100001, 1300003, 700000)):
    """Puts a rate table into force from a day on and ends the one before it on that day."""
    for kind in kinds:
        database.execute("UPDATE settlement_rate SET applied_until = %s WHERE settlement_type = %s "
                         "AND applied_until IS NULL", str(first), kind)
        insert(database, "settlement_rate", "settlement_type, applied_from, min_views, price_micros",
               [(kind, str(first), bound, price) for bound, price in zip(bounds, prices)])


# --- the list of tests -----------------------------------------------------------------------------------------------

class Suite:
    """Tests in the order in which they were added."""

    def __init__(self):
        self.tests = []

    def test(self, name):
        """Adds a function to the list under a name that says what must hold."""
        def add(function):
            self.tests.append((name, function))
            return function
        return add

    def main(self, programs=(SETTLEMENTD, SETTLECTL), server=True):
        """Runs the tests whose names contain one of the program's arguments, or all of them."""
        if server and not SOCKET:
            sys.exit("SETTLEMENTD_TEST_SOCKET is not set: start a server with script/sandbox and name its socket")
        for program in programs:
            if not os.access(program, os.X_OK):
                sys.exit(f"{program} is not there: build it with make")
        wanted = sys.argv[1:]
        failed = passed = 0
        for name, function in self.tests:
            if wanted and not any(word in name for word in wanted):
                continue
            began = time.monotonic()
            try:
                function()
                passed += 1
                print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception:  # a test that breaks in any way has failed, and the others still run
                failed += 1
                print(f"FAIL {name}\n{traceback.format_exc(limit=-4)}", flush=True)
            for database in list(Database.open):
                database.close()
        print(f"{passed} passed, {failed} failed")
        sys.exit(1 if failed else 0)
