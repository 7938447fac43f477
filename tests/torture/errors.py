"""Errors of the database, at random calls by seed, and provoked for real by somebody who holds what a chunk needs."""

import threading

import faults
import oracle
from kills import DAY_S, finish_day
from scenario import Scenario

ALONE = 8       # runs with injected errors before one is left alone


def random_errors(case):
    """Deadlocks, lock waits, conflicts and lost connections at random database calls, by seed. A seed counts when it made
    a fault; that an execution met one is certain where a chunk was rolled back or the execution did not get done."""
    stage = case.begin()
    day = stage.days[0]
    permille = case.random.choice((2, 4, 8, 15))
    path = f"{stage.directory}/counts{case.number}"
    rolled_back = 0
    for _ in range(ALONE):
        seed = case.random.randrange(2**31)
        process = stage.run(day, "--quiet", environment={faults.SEAM: f"random:{seed}:{permille}", faults.COUNTS: path})
        code = stage.claim(process)
        fired = faults.fired(path)
        before, rolled_back = rolled_back, count_rollbacks(stage)
        case.tell(f"{process.user}: random:{seed}:{permille} ended with {code} after {fired} faults")
        case.expect(code in (0, 1), "I7", f"{process.user} ended with {code}:\n{process.output}")
        case.faults += fired > 0
        case.figure("faults", fired)
        case.figure("seeds that hit an execution", int(fired > 0 and (rolled_back > before or has_failed(stage, process))))
        if day in stage.closed():
            break
        permille = max(1, permille // 2)
    if day not in stage.closed():
        finish_day(stage, day)
    case.finish()


def count_rollbacks(stage):
    return int(stage.value("SELECT COALESCE(SUM(rollback_count), 0) FROM step_partition"))


def has_failed(stage, process):
    """Whether the process had an execution that it did not complete."""
    began, done = stage.rows("SELECT COUNT(*), SUM(new_status = 'COMPLETED') FROM torture_audit WHERE what = 'execution'"
                             " AND who = %s", process.user)[0]
    return began > 0 and not done


# --- colliding writers -----------------------------------------------------------------------------------------------

LOCKS = ("SELECT * FROM step_partition ORDER BY RAND() LIMIT 2 FOR UPDATE",
         "SELECT * FROM step_partition WHERE status = 'STARTED' FOR UPDATE",
         "SELECT * FROM BATCH_STEP_EXECUTION ORDER BY STEP_EXECUTION_ID DESC LIMIT 3 FOR UPDATE",
         "SELECT * FROM BATCH_JOB_EXECUTION FOR UPDATE",
         "SELECT * FROM content_statistics WHERE content_post_id > {key} ORDER BY content_post_id LIMIT 4 FOR UPDATE",
         "SELECT * FROM settlement WHERE content_post_id > {key} FOR UPDATE")
ROWS = ("INSERT INTO content_statistics VALUES ('DAILY', '{day}', {key}, 0, 0, 0, 0, 0)",
        "INSERT INTO content_statistics VALUES ('WEEKLY', '{week}', {key}, 0, 0, 0, NULL, NULL)",
        "INSERT INTO settlement VALUES ('{day}', {key}, 1, 0, 0, 0, 0, 'CALCULATED', 1)",
        "INSERT INTO ad_statistics VALUES ('DAILY', '{day}', {key}, 1, 0, 0)")


class Rival(threading.Thread):
    """A second writer: takes rows that chunks need, in the wrong order, keeps them a while and lets go. What it writes
    it rolls back. Its transactions are heavy, so that in a deadlock the chunk is the victim."""

    def __init__(self, stage, case):
        super().__init__(daemon=True)
        self.stage, self.case = stage, case
        self.connection = stage.connect()
        self.stop = threading.Event()
        self.keys = [row[0] for row in stage.rows("SELECT content_post_id FROM content_post ORDER BY 1")]
        self.deadlocks = 0

    def run(self):
        oracle.rows_of(self.connection, "SET innodb_lock_wait_timeout = 2")
        while not self.stop.is_set():
            self.connection.begin()
            try:
                self.collide()
            except oracle.pymysql.err.MySQLError as error:
                self.deadlocks += error.args[0] == 1213
            self.connection.rollback()
            self.stop.wait(self.case.random.random() * 0.1)
        self.connection.close()

    def collide(self):
        random = self.case.random
        day = random.choice(self.stage.days)
        week = oracle.first_day("WEEKLY", oracle.datetime.date.fromisoformat(day))
        oracle.rows_of(self.connection, "INSERT INTO torture_ballast SELECT seq FROM seq_1_to_3000")
        for _ in range(random.randrange(1, 5)):
            sql = random.choice(LOCKS if random.random() < 0.5 else ROWS)
            try:
                oracle.rows_of(self.connection, sql.format(key=random.choice(self.keys), day=day, week=week))
            except oracle.pymysql.err.IntegrityError:
                pass    # the row is there; its lock is, too
            self.stop.wait(random.choice((0, 0.01, 0.05)))
        self.stop.wait(random.choice((0, 0.02, 0.3, 1.3)))


def collision(case):
    """Somebody else locks rows of the business tables and of the partitions, in the wrong order."""
    stage = case.begin()
    stage.execute("CREATE TABLE IF NOT EXISTS torture_ballast (number INT)")
    rivals = [Rival(stage, case) for _ in range(case.random.randrange(1, 3))]
    for rival in rivals:
        rival.start()
    try:
        for day in stage.days:
            for _ in range(6):
                process = stage.run(day)
                process.wait(2 * DAY_S)
                if stage.claim(process) == 0:
                    break
    finally:
        for rival in rivals:
            rival.stop.set()
        for rival in rivals:
            rival.join(30)
    deadlocks, waits = stage.rows("SELECT SUM(deadlock_count), SUM(lock_wait_count) FROM step_partition")[0]
    case.fault(f"{deadlocks} deadlocks, {waits} lock waits", int(deadlocks) + int(waits))
    case.figure("deadlocks", int(deadlocks))
    case.figure("lock waits", int(waits))
    for day in stage.days:
        if day not in stage.closed():
            finish_day(stage, day)
    case.finish()


SCENARIOS = [
    Scenario("errors", random_errors, "seeds", full=10000, short=40, weight=4, crowd=2, world="tiny"),
    Scenario("collisions", collision, "deadlocks and lock waits", full=1000, short=8, weight=2, crowd=2, world="small"),
]
