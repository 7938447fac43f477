"""What a case plays on: a database of its own with audit and made-up days, put back to its first state before each
case; the real programs, each as a database user of its own; and what these have claimed to have done."""

import contextlib
import itertools
import os
import time

import audit
import check
import commits
import daemon
import expected
import ground
import lib
import oracle

# A Sunday that ends a year, and the two days after it: another week, month and year.
DAYS = ("2023-12-31", "2024-01-01", "2024-01-02")
CALM_S = 30

# name: days, those of them that are settled before a case begins, figures of lib.generate, options
WORLDS = {
    "tiny": ((DAYS[0],), 0, {"contents": 12, "views": 90, "ad_views": 40, "missing": 1},
             {"threads": 1, "chunk_size": 2, "partition_items": 60}),
    "small": (DAYS, 0, {"contents": 30, "views": 400, "ad_views": 120, "missing": 2},
              {"threads": 2, "chunk_size": 1, "partition_items": 60}),
    "spread": ((DAYS[0],), 0, {"contents": 36, "views": 120, "ad_views": 40, "missing": 2},
               {"threads": 1, "chunk_size": 1, "partition_items": 8}),
    "wide": ((DAYS[0],), 0, {"contents": 700, "views": 3000, "ad_views": 1500, "missing": 4},
             {"threads": 2, "chunk_size": 1, "partition_items": 20}),
    "larger": (DAYS, 1, {"contents": 80, "views": 1500, "ad_views": 400, "missing": 4},
               {"threads": 3, "chunk_size": 1, "partition_items": 120}),
}

# Not put back: nobody writes them while a case runs.
STEADY = ("member", "content_post", "advertisement", "member_content_watch_log", "member_ad_watch_log",
          "settlement_rate", "schema_migration")

SEQUENCES = ("BATCH_JOB_SEQ", "BATCH_JOB_EXECUTION_SEQ", "BATCH_STEP_EXECUTION_SEQ")

BASE = {"backoff_ms": 1, "backoff_max_ms": 20, "restart_limit": 100, "restart_backoff_s": 1,
        "restart_backoff_max_s": 1, "heartbeat_s": 1, "ttl_s": 2, "transaction_limit": 10, "housekeeping": "false",
        "enabled": "false"}

SESSIONS_SQL = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s AND ID <> CONNECTION_ID()"


# Each process of a case is a worker with an account of its own, which tells the audit whose a commit is.
ACCOUNT = ("CREATE USER {user}@localhost", "GRANT {name}_worker TO {user}@localhost",
           "SET DEFAULT ROLE {name}_worker FOR {user}@localhost")


class Program(lib.Process):
    """A program that was started, with what it was to do; `user` tells the audit whose work is whose."""

    def __init__(self, stage, user, arguments, environment, day=None):
        self.user = user
        self.day = day
        super().__init__(arguments, stage.directory, {**os.environ, **environment})
        stage.processes.append(self)


class Guard(daemon.Daemon):
    """A daemon; as system tests start it."""

    def __init__(self, stage, configuration, user, **options):
        self.user = user
        self.day = None
        super().__init__(stage, configuration=configuration, **options)


class Stage(daemon.Served):
    """A database for one lane; begin() makes it new for the next case."""

    def __init__(self, server, world, first=None):
        """`first`: a stage of the same world, made before, from which this one takes what it begins and ends with."""
        days, settled, figures, options = WORLDS[world]
        self.accounts = []
        super().__init__(socket=server.socket, **BASE, **options)
        self.host = server
        self.world = world
        self.days = list(days)
        self.settled = list(days[:settled])
        self.first = dict(self.options)
        lib.load(self, lib.generate(11, [lib.day_of(day) for day in days], **figures))
        lib.set_rates(self, days[-1], (0, 3, 20, 1000))
        for sql in audit.statements():
            self.execute(sql)
        self.users = itertools.count(1)
        self.claims = []
        self.logs = None
        if first is None:
            for day in self.settled:
                self.run(day).expect(0)
            self.kept = {table: self.rows(f"SELECT * FROM {table}") for table in self.tables() if table != audit.TABLE}
            self.reference = self.play_undisturbed()
        else:
            self.kept, self.reference = first.kept, first.reference
            for sequence in SEQUENCES:
                self.execute(f"SELECT SETVAL({sequence}, 1000)")

    def close(self):
        for user in self.accounts:
            self.execute(f"DROP USER {user}@localhost")
        super().close()

    def tables(self):
        return [row[0] for row in self.rows(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
            " AND TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME NOT IN %s", STEADY)]

    def play_undisturbed(self):
        """The tables of days that are left alone: what every case has to end with."""
        self.begin()
        for day in self.days:
            self.run(day).expect(0)
        problems = check.check(check.read_facts(self.server))
        assert not problems, f"a run that was left alone is wrong: {problems[:5]}"
        return check.result_rows(self.server)

    def begin(self, **options):
        """Everything as it was before the first case."""
        self.forget_processes()
        self.reconnect()
        self.calm()
        self.options = {**self.first, **options}
        self.configure()
        self.execute("SET foreign_key_checks = 0")
        self.server.begin()
        tables = self.tables()
        for table in tables:
            self.execute(f"DELETE FROM {table}")
        for table in tables:
            self.put_back(table)
        self.execute(f"DELETE FROM {audit.TABLE}")      # the triggers have written down what was put back
        self.server.commit()
        self.execute("SET foreign_key_checks = 1")
        self.users = itertools.count(2)
        self.claims = []

    def put_back(self, table):
        rows = self.kept.get(table)
        if not rows:
            return
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.server.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def forget_processes(self):
        for process in self.processes:
            process.kill()
            for path in process.files:
                path.unlink(missing_ok=True)
        self.processes.clear()

    def calm(self):
        """Ends all sessions and waits until they are gone; what they had open is rolled back then."""
        deadline = time.monotonic() + CALM_S * lib.FACTOR
        while True:
            left = self.rows(SESSIONS_SQL, self.name)
            if not left:
                return
            assert time.monotonic() < deadline, f"sessions are left after {CALM_S} s: {left}"
            self.calm_now()
            time.sleep(0.005)

    def calm_now(self):
        """Ends all sessions of this database, whoever has them."""
        for (session,) in self.rows(SESSIONS_SQL, self.name):
            with contextlib.suppress(oracle.pymysql.err.MySQLError):
                self.execute(f"KILL {session}")

    # --- processes ---

    def next_user(self):
        if self.host.ground.stopping.is_set():
            raise ground.Stopped
        user = f"{self.name}_p{next(self.users)}"
        if user not in self.accounts:
            for sql in ACCOUNT:
                self.execute(sql.format(user=user, name=self.name))
            self.accounts.append(user)
        return user

    def configuration_of(self, user, **options):
        path = os.path.join(self.directory, f"{user}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(lib.CONFIGURATION.format(**{"name": self.name, **self.options, "user": user, **options}))
        return path

    def run(self, day, *arguments, environment=(), **options):
        """`settlementd run` for the day."""
        user = self.next_user()
        return Program(self, user, [lib.SETTLEMENTD, "run", lib.JOB, "--date", str(day), "--config",
                                    self.configuration_of(user, **options), *arguments], dict(environment), str(day))

    def guard(self, ready=True, clock=None, environment=(), **options):
        """A daemon."""
        user = self.next_user()
        return Guard(self, self.configuration_of(user, **options), user, ready=ready, clock=clock, environment=environment)

    def ask_by_row(self, day):
        """What settlectl run does, but for waiting: the request is there before there is a daemon."""
        self.execute("INSERT INTO job_request (command, job_name, date_from, date_to, requested_by, requested_at)"
                     " VALUES ('RUN', %s, %s, %s, 'torture', NOW(6))", lib.JOB, day, day)

    def claim(self, process):
        """Takes the end of a process in: what it says must be so."""
        code = process.wait()
        if process.day is not None and code == 0:
            self.claims.append((process.day, f"{process.user} ended with 0"))
        return code

    def living(self):
        return [process for process in self.processes if not process.ended()]

    def end_all(self):
        for process in self.living():
            process.kill()

    # --- looking ---

    def closed(self):
        return {str(row[0]) for row in self.rows("SELECT business_date FROM day_close")}

    def chunks(self):
        return int(self.value("SELECT COALESCE(SUM(chunk_count), 0) FROM step_partition"))

    def check(self, final):
        """The invariants, now; (problems, takeovers). `final`: the days must be done."""
        if self.logs is None:
            self.logs = expected.Logs(self.server)
        facts = check.read_facts(self.server, self.logs)
        problems = check.check(facts, self.claims)
        if final:
            problems += check.compare(self.reference, check.result_rows(self.server))
            missing = [day for day in self.days if lib.day_of(day) not in facts.closed]
            if missing:
                problems.append(("I6", f"not done: {', '.join(missing)}"))
        return problems, commits.takeovers(facts.notes)
