#!/usr/bin/python3
"""What a database does to a job in the middle of a chunk: deadlocks, lock waits that time out, connections that are
cut. None of it may fail the day or change a figure."""

import random
import time

import lib
import oracle
from test_crash import DAY, SEED, Slow, reference, total_chunks

suite = lib.Suite()

# Workers may wait for each other for a moment; what counts is who waits for the opponent.
WAITING_SQL = """SELECT t.trx_id, t.trx_mysql_thread_id FROM information_schema.innodb_trx t
    JOIN information_schema.innodb_lock_waits w ON w.requesting_trx_id = t.trx_id
    JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id WHERE b.trx_mysql_thread_id = %s"""
WRITING_SQL = """SELECT t.trx_mysql_thread_id FROM information_schema.innodb_trx t
    JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID() AND t.trx_rows_modified > 0"""
SESSIONS_SQL = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"

# The server answers from a copy of innodb_trx that it renews only when nobody has asked for a tenth of a second.
FRESH_S = 0.12

# Rows that a chunk is going to insert: whoever inserts one first makes the chunk wait.
ROWS = {
    "content-statistics": ("content_statistics", "period = 'DAILY' AND statistics_date = '{day}'",
                           "INSERT IGNORE INTO content_statistics VALUES ('DAILY', '{day}', {content}, 0, 0, 0, 0, 0)"),
    "settlement": ("settlement", "settlement_date = '{day}'",
                   "INSERT IGNORE INTO settlement VALUES ('{day}', {content}, 1, 0, 0, 0, 0, 'CALCULATED', 1)"),
}


class Opponent:
    """A second connection that holds what a chunk needs, in a transaction so heavy that the chunk is the victim."""

    def __init__(self, database, step):
        self.database = database
        self.table, self.day, self.insert = (text.replace("{day}", str(DAY)) for text in ROWS[step])
        database.execute("CREATE TABLE IF NOT EXISTS ballast (number INT PRIMARY KEY)")
        self.connection = database.connect()
        self.thread = self.connection.thread_id()

    def begin(self, *contents):
        self.connection.begin()
        self.rows("INSERT INTO ballast SELECT seq FROM seq_1_to_20000")
        for content in contents:
            self.rows(self.insert.replace("{content}", str(content)))

    def rows(self, sql, *arguments):
        return oracle.rows_of(self.connection, sql, *arguments)

    def waiting(self):
        """The transactions that wait for this one, and their sessions."""
        time.sleep(FRESH_S)
        return set(self.database.rows(WAITING_SQL, self.thread))

    def written(self, isolation):
        """The contents that have a row of the day, as a transaction of that isolation level sees it."""
        self.database.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        return {row[0] for row in self.database.rows(f"SELECT content_post_id FROM {self.table} WHERE {self.day}")}

    def close_the_circle(self, neighbours):
        """Asks for rows that waiting chunks hold, so that one of the two must give way: the lighter one."""
        uncommitted = self.written("READ UNCOMMITTED") - self.written("READ COMMITTED")
        held = [content for content in neighbours if content in uncommitted]
        try:
            for content in held:
                self.rows(f"SELECT 1 FROM {self.table} WHERE {self.day} AND content_post_id = %s FOR UPDATE", content)
        except oracle.pymysql.err.OperationalError:
            return False  # it was this side that gave way
        return bool(held)

    def close_a_circle(self, neighbours):
        """Tries for a second, less than a chunk waits for a lock: more and more workers come to wait."""
        deadline = time.monotonic() + 1
        while not self.close_the_circle(neighbours):
            if time.monotonic() > deadline:
                return False
        return True

    def rollback(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


def contents_of_day(database):
    """The day's contents that have a row in content_post, in key order."""
    return [row[0] for row in database.rows(
        """SELECT DISTINCT content_post_id FROM member_content_watch_log JOIN content_post USING (content_post_id)
           WHERE watched_date = %s ORDER BY 1""", DAY)]


def counted(database, column):
    return int(database.value(f"SELECT COALESCE(SUM({column}), 0) {lib.PLAN_SQL}", str(DAY)))


def provoke_deadlocks(step):
    """Four times: holds one in ten of the rows that are not written yet, so that all workers come to wait, and asks for
    the rows before those. A chunk whose first row is held has none that could be asked for; the others have."""
    generator = random.Random(31)
    with Slow() as database:
        contents = contents_of_day(database)
        opponent = Opponent(database, step)
        process = None
        closed = 0
        for _ in range(4):
            written = opponent.written("READ COMMITTED")
            places = [place for place, content in enumerate(contents) if content not in written]
            places = sorted(generator.sample(places, len(places) // 10))
            if not places:
                break
            own = {contents[place] for place in places}
            opponent.begin(*(contents[place] for place in places))
            process = process or database.run(DAY)
            neighbours = [content for place in places for content in contents[max(0, place - 4):place]
                          if content not in own]
            lib.wait_until(lambda: opponent.waiting() or process.ended(), 60, "a chunk that waits")
            closed += opponent.close_a_circle(neighbours)
            opponent.rollback()
        opponent.close()
        database.execute("DROP TABLE ballast")
        database.finish(process)
        assert closed > 0, "no chunk held a row while it waited"
        assert counted(database, "p.deadlock_count") > 0, f"{closed} deadlocks were provoked, none was counted"
        assert len(database.executions(DAY)) == 1


@suite.test("a deadlock (1213) while statistics are written is retried, counted and changes nothing")
def deadlock_in_statistics():
    provoke_deadlocks("content-statistics")


@suite.test("a deadlock (1213) while settlements are written is retried, counted and changes nothing")
def deadlock_in_settlement():
    provoke_deadlocks("settlement")


def provoke_lock_wait(step):
    """Holds a row until the chunk that wants it has given up at least once."""
    with Slow() as database:
        contents = contents_of_day(database)
        opponent = Opponent(database, step)
        opponent.begin(contents[len(contents) // 2])
        process = database.run(DAY)
        seen = set()

        def gave_up():
            seen.update(opponent.waiting())
            return len(seen) > len({session for _, session in seen})

        lib.wait_until(gave_up, 60, "a session that waits a second time")
        opponent.rollback()
        opponent.close()
        database.execute("DROP TABLE ballast")
        database.finish(process)
        assert counted(database, "p.lock_wait_count") >= 1
        assert counted(database, "p.rollback_count") >= 1
        assert len(database.executions(DAY)) == 1


@suite.test("a lock wait that times out (1205) while statistics are written is retried and counted")
def lock_wait_in_statistics():
    provoke_lock_wait("content-statistics")


@suite.test("a lock wait that times out (1205) while settlements are written is retried and counted")
def lock_wait_in_settlement():
    provoke_lock_wait("settlement")


def kill_sessions(database, sql):
    """Cuts the sessions that the statement finds; the number of those that were still there."""
    time.sleep(FRESH_S)
    cut = 0
    for (session,) in database.rows(sql):
        try:
            database.execute(f"KILL {session}")
            cut += 1
        except oracle.pymysql.err.MySQLError:
            pass  # it ended by itself
    return cut


def cut_off(sql, rounds):
    """Cuts sessions at several points of the day, which must then end as if nothing had been."""
    steps = [total_chunks() * number // (rounds + 1) for number in range(1, rounds + 1)]
    with Slow() as database:
        process = database.run(DAY)
        cut = 0
        for chunks in steps:
            lib.wait_until(lambda: process.ended() or database.progress(DAY) >= chunks, 120, f"{chunks} chunks")
            cut += lib.wait_until(lambda: kill_sessions(database, sql) or process.ended(), 60, "sessions to cut")
        database.finish(process)
        assert cut >= rounds, f"only {cut} sessions were cut in {rounds} rounds"
        assert len(database.executions(DAY)) == 1
        return cut


@suite.test("connections cut in the middle of a chunk (2013): it is done again, exactly once")
def sessions_cut():
    cut_off(WRITING_SQL, 12)


@suite.test("all connections of the process cut at once: it comes back and the figures are right")
def all_sessions_cut():
    cut_off(SESSIONS_SQL, 4)


@suite.test("however often everything is cut, the same command ends the day with the right figures")
def cut_anything():
    generator = random.Random(SEED + 2)
    print(f"seed {SEED}", flush=True)
    with Slow() as database:
        process = database.run(DAY)
        for _ in range(40):
            chunks = database.progress(DAY) + generator.randrange(1, 100)
            lib.wait_until(lambda: process.ended() or database.progress(DAY) >= chunks, 60, f"{chunks} chunks")
            time.sleep(generator.random() * 0.01)
            kill_sessions(database, SESSIONS_SQL)
            if process.ended():
                if process.expect(0, 1).wait() == 0:
                    break
                process = database.run(DAY)
        if process.expect(0, 1, timeout_s=300).wait() != 0:
            process = database.run(DAY)
        database.finish(process)
        left = database.rows("SELECT * FROM BATCH_JOB_EXECUTION WHERE STATUS NOT IN ('COMPLETED', 'FAILED')")
        assert not left, left


def act_while_waiting(make_row, what, act):
    """Holds a row that the process wants outside of its chunks, acts while it waits for it, and lets go;
    the act returns the process that is to end the day."""
    with Slow() as database:
        process = database.run_to(1)
        opponent = Opponent(database, "settlement")
        opponent.connection.begin()
        instance = database.value("SELECT MAX(job_instance_id) FROM step_plan")
        opponent.rows(make_row, instance)
        lib.wait_until(lambda: opponent.waiting() or process.ended(), 60, what)
        assert not process.ended(), process.output
        rest = act(database, process, opponent)
        opponent.rollback()
        opponent.close()
        database.execute("DROP TABLE ballast")
        database.finish(rest)


PLAN_ROW = ("INSERT INTO step_plan (job_instance_id, step_name, planned_at, partition_count, estimated_items)"
            " VALUES (%s, 'settlement', NOW(6), 1, 1)")
CLOSE_ROW = f"INSERT INTO day_close VALUES ('{DAY}', 'CLOSED', NOW(6), NOW(6), 0, 0, %s, 0)"


def cut_waiting(database, process, opponent):
    for _, session in opponent.waiting():
        database.execute(f"KILL {session}")
    return process


def kill_waiting(database, process, _):
    process.kill()
    assert not database.rows("SELECT 1 FROM day_close WHERE business_date = %s AND view_logs > 0", DAY)
    return None  # the same command is to be given again


@suite.test("the connection cut while a step is planned (2013): the plan is made again")
def planner_cut():
    act_while_waiting(PLAN_ROW, "the plan of the settlement step", cut_waiting)


@suite.test("the connection cut while the day is closed (2013): it is closed, once")
def close_cut():
    act_while_waiting(CLOSE_ROW, "the close of the day", cut_waiting)


@suite.test("a process killed while it plans a step, and one killed while it closes the day, are resumed")
def killed_between():
    act_while_waiting(PLAN_ROW, "the plan of the settlement step", kill_waiting)
    act_while_waiting(CLOSE_ROW, "the close of the day", kill_waiting)


@suite.test("an undisturbed day has neither deadlocks nor lock waits nor rollbacks")
def undisturbed_day():
    with Slow() as database:
        database.finish()
        for column in ("p.deadlock_count", "p.lock_wait_count", "p.rollback_count"):
            assert counted(database, column) == 0, column
        assert reference() == database.dump()


if __name__ == "__main__":
    suite.main()
