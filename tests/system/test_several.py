#!/usr/bin/python3
"""Several daemons on one database: the partitions of one execution are spread over all of them. Who helps and dies,
freezes or is stopped costs its partitions' chunks and nothing else; who is drained hands over what it has."""

import contextlib
import json
import signal
import time
from pathlib import Path

import lib
import pymysql
from daemon import Served
from lib import JOB, wait_until
from test_daemon import DAYS, says

suite = lib.Suite()
test = suite.test

DAY = DAYS[0]
ALONE_S, SLOW_S = 0.6, 0.25      # what a row takes until all are there, and from then on
SLOW = {"contents": 150, "views": 900, "ad_views": 60}
STEP = "content-statistics"


class Several(Served):
    """Small chunks in many partitions, and a first step that takes its time. Nobody is taken for gone because the machine
    is busy."""

    def __init__(self, **options):
        super().__init__(**{"chunk_size": 1, "partition_items": 30, "threads": 2, "ttl_s": 10, **options})

    def slow_down(self, table="content_statistics"):
        """Each row takes long, until wait_spread() or hurry_up(). No trigger is dropped: that would cost the chunks a
        deadlock."""
        self.execute(f"CREATE TABLE test_pause AS SELECT {ALONE_S} AS seconds")
        self.execute(f"CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW "
                     "SET @slept = (SELECT SLEEP(seconds) FROM test_pause)")

    def set_pause(self, seconds):
        self.execute("UPDATE test_pause SET seconds = %s", seconds)

    def hurry_up(self):
        self.set_pause(0)

    def owner(self):
        """The node that runs what runs."""
        rows = self.rows("SELECT o.node_id FROM job_execution_owner o JOIN BATCH_JOB_EXECUTION e USING (job_execution_id)"
                         " WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')")
        return rows[0][0] if rows else None

    def node_of(self, process):
        return self.value("SELECT node_id FROM node WHERE pid = %s", process.child.pid)

    def working(self, step="%"):
        """The nodes that have had a partition of the step, as far as the rows tell."""
        return {row[0] for row in self.rows("SELECT DISTINCT node_id FROM step_partition WHERE node_id IS NOT NULL"
                                            " AND step_name LIKE %s", step)}

    def wait_spread(self, count):
        wait_until(lambda: len(self.working(STEP)) >= count, 30, f"{count} processes at work on {STEP}")
        self.set_pause(SLOW_S)

    def owner_and_helper(self, *daemons):
        """Which of two daemons runs the execution, and which helps."""
        node = self.owner()
        helping = [process for process in daemons if self.node_of(process) != node]
        running = [process for process in daemons if self.node_of(process) == node]
        assert len(running) == 1 and helping, (node, self.rows("SELECT node_id, pid FROM node"))
        return running[0], helping[0]

    def held_by(self, node):
        """partition_id: epoch of what it is at."""
        return dict(self.rows("SELECT partition_id, epoch FROM step_partition WHERE node_id = %s AND status = 'STARTED'",
                              node))

    def wait_held_by(self, node):
        return wait_until(lambda: self.held_by(node), 20, "a partition that it is at")

    def begin(self, count=2, **options):
        """A day that several daemons are at: those, the one that runs it first, and who asked for it."""
        self.fill(DAY, DAYS[1], **SLOW)
        self.slow_down()
        daemons = [self.daemon(**options) for _ in range(count)]
        asked = self.ask_run(DAY, "--wait")
        self.wait_spread(count)
        running, _ = self.owner_and_helper(*daemons)
        return running, [process for process in daemons if process is not running], asked

    @contextlib.contextmanager
    def begin_known(self):
        """A day with a helper that has a database user of its own: the one that runs it, the helper, that user, and who
        asked for the day."""
        user = f"{self.name}_h"
        for sql in ("CREATE USER {user}@localhost", "GRANT {name}_worker TO {user}@localhost",
                    "SET DEFAULT ROLE {name}_worker FOR {user}@localhost"):
            self.execute(sql.format(user=user, name=self.name))
        path = Path(self.directory, "helper.conf")
        path.write_text(Path(self.configuration).read_text(encoding="utf-8").replace(f'user = "{self.name}"',
                                                                                      f'user = "{user}"'), encoding="utf-8")
        try:
            self.fill(DAY, DAYS[1], **SLOW)
            self.slow_down()
            running = self.daemon()
            asked = self.ask_run(DAY, "--wait")
            wait_until(self.owner, 20, "an execution")
            helper = self.daemon(configuration=str(path))
            self.wait_spread(2)
            yield running, helper, user, asked
            self.stop_daemons()
        finally:
            self.execute(f"DROP USER {user}@localhost")

    def kill_sessions(self, user):
        """Kills those of the user's sessions that are in the middle of a chunk; how many there were."""
        killed = 0
        for (session,) in self.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s"
                                    " AND INFO LIKE '%%content_statistics%%'", user):
            try:
                killed += self.execute(f"KILL {session}") == 0
            except pymysql.MySQLError:
                pass    # gone by itself
        return killed

    def take_rows(self, holder, node):
        """Locks what the node has, and nothing else; what that is, and nothing when it has let go of some meanwhile."""
        held = set(self.held_by(node))
        holder.begin()
        for partition in held:
            lib.oracle.rows_of(holder, "SELECT * FROM step_partition WHERE partition_id = %s FOR UPDATE", partition)
        if held and held <= set(self.held_by(node)):
            return held
        holder.rollback()
        return None

    def kill_until_met(self, helper, user):
        """Kills sessions of the helper's until it says so: one that is just preparing its statements begins anew without
        a word."""
        names = ("chunk-retry", "commit-found", "partition-requeued", "assistance-ended")

        def met():
            self.kill_sessions(user)
            return any(event["event"] in names for event in helper.events())
        wait_until(met, 20, f"one of {names}")

    def expect_one_run(self, status="COMPLETED"):
        assert self.runs() == [(status, "REQUEST", "NONE", 0, False)], self.runs()


@test("the partitions of one execution are spread over three daemons; nobody deadlocks, and the oracle agrees")
def _():
    with Several() as database:
        before = database.value("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                                " WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'")
        running, helpers, asked = database.begin(3)
        for helper in helpers:
            helper.wait_status("helping with execution 1 of daily-settlement")
        running.wait_status(f"running {JOB} {DAY} .*: {STEP} [1-9][0-9]* %")
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        setbacks = database.rows("SELECT step_name, partition_number, rollback_count, deadlock_count, lock_wait_count"
                                 " FROM step_partition WHERE rollback_count > 0")
        assert not setbacks, (setbacks, [process.stderr for process in (running, *helpers)])
        assert database.value("SELECT COUNT(*) FROM step_plan WHERE open_execution_id IS NOT NULL") == 0
        after = database.value("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                               " WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'")
        assert before == after, (before, after)
        database.verify()


@test("a helper that is killed costs only its partitions: others take them over with a higher epoch")
def _():
    with Several() as database:
        running, (helper,), asked = database.begin()
        node = database.node_of(helper)
        held = database.wait_held_by(node)
        helper.kill()
        running.wait_event("partition-taken-away", node=node)
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        after = dict(database.rows("SELECT partition_id, epoch FROM step_partition"))
        taken = int(running.events("partition-taken-away")[0]["partition_id"])
        assert after[taken] > held.get(taken, 0) + 1, (held, after)
        database.verify()


@test("a helper that freezes is fenced when its lease is over; woken up, it changes nothing and works on")
def _():
    with Several(heartbeat_s=1, ttl_s=2) as database:
        running, (helper,), asked = database.begin()
        node = database.node_of(helper)
        database.wait_held_by(node)
        helper.signal(signal.SIGSTOP)
        running.wait_event("partition-taken-away", timeout_s=30, node=node)
        database.hurry_up()
        asked.expect(0)
        before = database.dump()
        helper.signal(signal.SIGCONT)
        helper.wait_status("^daemon idle$")
        assert database.dump() == before
        database.expect_one_run()
        database.verify()
        database.ask_run(DAYS[1], "--wait").expect(0)
        database.verify()


@test("a helper that is told to end gives back what it has at a chunk boundary: nobody has to wait for a lease")
def _():
    with Several(heartbeat_s=20, ttl_s=60) as database:
        running, (helper,), asked = database.begin()
        database.wait_held_by(database.node_of(helper))
        helper.stop()
        database.hurry_up()
        asked.expect(0)
        assert not running.events("partition-taken-away"), running.output
        database.expect_one_run()
        database.verify()


@test("sessions of a helper are killed: it goes on, or gives back; the day is settled by one execution")
def _():
    with Several() as database, database.begin_known() as (_, helper, user, asked):
        for _ in range(5):
            wait_until(lambda: database.held_by(database.node_of(helper)), 20, "a partition of the helper's")
            wait_until(lambda: database.kill_sessions(user), 20, "a session of the helper's at a chunk")
        database.kill_until_met(helper, user)
        assert not helper.ended()
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        database.verify()


@test("a helper is drained while its sessions are killed: it gives back what it has, and the day ends")
def _():
    with Several() as database, database.begin_known() as (_, helper, user, asked):
        node = database.node_of(helper)
        database.kill_until_met(helper, user)
        drained = database.settlectl("drain", node, "--wait")
        while not drained.ended():
            database.kill_sessions(user)
            time.sleep(0.02)
        drained.expect(0)
        assert not database.held_by(node)
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        database.verify()


@test("a helper is drained while somebody holds the row of its partition: it is given back when the row is free")
def _():
    with Several(heartbeat_s=1, ttl_s=4) as database, database.begin_known() as (_, helper, _, asked):
        node = database.node_of(helper)
        holder = database.connect()
        try:
            held = wait_until(lambda: database.take_rows(holder, node), 20, "a partition of the helper's")
            drained = database.settlectl("drain", node, "--wait")
            time.sleep(database.options["ttl_s"] / 2 + 1.5)
            assert not drained.ended() and held <= set(database.held_by(node)), drained.output
            holder.rollback()
        finally:
            holder.close()
        drained.expect(0)
        assert not database.held_by(node)
        helper.wait_status("drained")
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        database.verify()


@test("when the process that runs it dies, the attempt is lost, and what its helpers had is fenced")
def _():
    with Several(restart_backoff_s=0) as database:
        running, (helper,), asked = database.begin()
        running.kill()
        helper.wait_event("execution-recovered")
        database.hurry_up()
        asked.expect(0)
        statuses = [(row[0], row[2]) for row in database.runs()]
        assert statuses == [("FAILED", "CRASH"), ("COMPLETED", "NONE")], statuses
        database.verify()


@test("a run in the foreground is helped by the daemons")
def _():
    with Several() as database:
        database.fill(DAY, **SLOW)
        database.slow_down()
        helper = database.daemon()
        running = database.run(DAY)
        database.wait_spread(2)
        helper.wait_status("helping with execution 1")
        database.hurry_up()
        running.expect(0)
        database.verify()


@test("the limit of skips holds for all processes together")
def _():
    with Several(skip_limit=7, restart_backoff_s=0) as database:
        database.fill(DAY, **SLOW)
        database.execute("DELETE FROM content_post WHERE content_post_id % 3 <> 0")
        unknown = database.value("SELECT COUNT(DISTINCT content_post_id) FROM member_content_watch_log"
                                 " LEFT JOIN content_post c USING (content_post_id) WHERE c.content_post_id IS NULL")
        assert unknown > 15, unknown
        database.slow_down("settlement")
        for _ in range(3):
            database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(lambda: len(database.working("settlement")) >= 2, 30, "two processes at work on settlements")
        database.hurry_up()
        says(asked.expect(1), "the limit .skip_limit. is 7")
        assert database.value("SELECT SUM(skip_count) FROM step_partition") <= 7
        assert database.value("SELECT COUNT(*) FROM parked_content") <= 7


@test("a helper with a skip limit of its own goes by that of the day")
def _():
    with Several() as database:
        database.fill(DAY, **SLOW)
        database.execute("DELETE FROM content_post WHERE content_post_id % 3 <> 0")
        database.slow_down("settlement")
        database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(lambda: database.working("settlement"), 30, "somebody who is at settlements")
        database.configure(skip_limit=0)
        database.daemon()
        wait_until(lambda: len(database.working("settlement")) >= 2, 30, "two processes at work on settlements")
        database.hurry_up()
        asked.expect(0)
        assert [row[0] for row in database.runs()] == ["COMPLETED"]


@test("rates that are changed while a day is settled keep others from helping: it keeps one price")
def _():
    with Several() as database:
        database.fill(DAY, **SLOW)
        database.slow_down("settlement")
        database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(lambda: database.working("settlement"), 30, "somebody who is at settlements")
        rates = database.rows("SELECT settlement_type, applied_from, min_views, price_micros FROM settlement_rate")
        database.execute("UPDATE settlement_rate SET price_micros = price_micros * 2")
        late = database.daemon()
        late.wait_event("assistance-declined", execution="1")
        for kind, first, bound, price in rates:
            database.execute("UPDATE settlement_rate SET price_micros = %s WHERE settlement_type = %s"
                             " AND applied_from = %s AND min_views = %s", price, kind, first, bound)
        database.hurry_up()
        asked.expect(0)
        assert len(database.working("settlement")) == 1
        database.verify()


# --- nodes and drain ---

@test("settlectl nodes lists the processes, what they have and since when; --json for programs")
def _():
    with Several() as database:
        running, (helper,), asked = database.begin()
        says(database.settlectl("nodes").expect(0), "DAEMON", "2", str(running.child.pid), str(helper.child.pid))
        listed = database.settlectl("--json", "nodes").expect(0)
        nodes = {node["pid"]: node for node in json.loads(listed.stdout)["nodes"]}
        assert nodes[running.child.pid]["execution"] == 1, nodes
        assert nodes[helper.child.pid]["execution"] is None, nodes
        assert nodes[helper.child.pid]["partitions"] >= 0 and nodes[helper.child.pid]["alive"], nodes
        assert not nodes[helper.child.pid]["drained"], nodes
        database.hurry_up()
        asked.expect(0)


@test("who is drained hands its execution over without cost, takes on nothing, and is back when that is undone")
def _():
    with Several() as database:
        running, (helper,), asked = database.begin()
        node = database.node_of(running)
        says(database.settlectl("drain", node[:8], "--wait").expect(0), "drained")
        running.wait_status("drained")
        wait_until(lambda: database.owner() == database.node_of(helper), 20, "the other daemon's execution")
        assert not database.held_by(node)
        database.hurry_up()
        asked.expect(0)
        assert [row[:4] for row in database.runs()] == [("STOPPED", "REQUEST", "SHUTDOWN", 0),
                                                         ("COMPLETED", "RESUME", "NONE", 0)], database.runs()
        database.verify()
        helper.stop()
        says(database.ask_run(DAYS[1]).expect(4), f"process {running.child.pid} on .* is drained", f"drain {node} --undo")
        database.settlectl("drain", node, "--undo").expect(0)
        database.ask_run(DAYS[1], "--wait").expect(0)
        database.verify()


@test("a helper that is drained gives its partitions back")
def _():
    with Several() as database:
        _, (helper,), asked = database.begin()
        node = database.node_of(helper)
        database.wait_held_by(node)
        database.settlectl("drain", node, "--wait").expect(0)
        assert not database.held_by(node)
        helper.wait_status("drained")
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        database.verify()


@test("the only daemon, drained, finishes what it runs: there is nobody to go on with it")
def _():
    with Several() as database:
        database.fill(DAY, **SLOW)
        database.slow_down()
        running = database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(database.owner, 20, "an execution")
        database.settlectl("drain", database.node_of(running)).expect(0)
        running.wait_status("drained")
        database.hurry_up()
        asked.expect(0)
        database.expect_one_run()
        database.verify()


@test("draining what is not there is 3, what is ambiguous or no daemon is refused; nothing changes")
def _():
    with Several() as database:
        database.daemon()
        says(database.settlectl("drain", "ffffffff-0000").expect(3), "settlectl nodes")
        for word in ("", "%", "_", "' OR 1 = 1", "ABC"):
            says(database.settlectl("drain", word).expect(2), "NODE")
        assert database.value("SELECT COUNT(*) FROM node WHERE drain_requested_at IS NOT NULL") == 0


if __name__ == "__main__":
    suite.main()
