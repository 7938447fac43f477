#!/usr/bin/python3
"""What the daemon does when something goes wrong: executions that fail, daemons that die, freeze or are stopped in the
middle of a day. Whatever happens, the day is settled exactly once, and the oracle agrees."""

import signal
import time

import daemon
import lib
from daemon import Held, Served
from lib import wait_until
from test_daemon import DAYS, MANY, says

suite = lib.Suite()
test = suite.test

DAY = DAYS[0]
# A chunk gives up after one lock wait of a second, its partition after two, and then the execution is started again.
IMPATIENT = {"transaction_limit": 1, "restart_limit": 1, "restart_backoff_s": 1, "restart_backoff_max_s": 1}


def ask(database, running):
    """Asks for the day and waits until it cannot go on. The row that is held and who waits for the answer."""
    held = database.hold(DAY)
    asked = database.ask_run(DAY, "--wait")
    held.wait_wanted()
    wait_until(lambda: database.partitions(DAY, "COMPLETED"), 20, "a partition that is done")
    assert not running.ended(), running.output
    return held, asked


# --- executions that fail ---

@test("a transient failure is started again after a pause, from the checkpoints, and who asked gets a 0")
def _():
    with Served(**{**IMPATIENT, "restart_backoff_s": 600, "restart_backoff_max_s": 600}) as database:
        database.fill(DAY)
        running = database.daemon()
        held, asked = ask(database, running)
        with held:
            database.wait_runs(DAY, ("FAILED", "REQUEST", "TRANSIENT", 0, True))
            done = database.partitions(DAY, "COMPLETED")
            running.wait_status("is FAILED and is started again")
            wait_until(lambda: "starts again at" in asked.output, 20, "settlectl's word of the pause")
        event = running.wait_event("execution-restarts", level="warn", date=DAY)
        assert 300000 <= int(event["restart_in_ms"]) <= 600000, event
        database.end_pause()
        asked.expect(0)
        assert database.runs()[1:] == [("COMPLETED", "RESTART", "NONE", 1, False)]
        says(asked, f"{DAY}  execution 1  FAILED .*starts again at", f"{DAY}  execution 2  COMPLETED")
        database.expect_untouched(DAY, done)
        database.verify()


@test("at the limit of restarts a day stays FAILED, loudly; what a person restarts may fail as often again")
def _():
    with Served(**{**IMPATIENT, "restart_backoff_s": 0}) as database:
        database.fill(DAY)
        running = database.daemon()
        held, asked = ask(database, running)
        with held:
            first = [("FAILED", "REQUEST", "TRANSIENT", 0, False), ("FAILED", "RESTART", "TRANSIENT", 1, False)]
            database.wait_runs(DAY, *first)
            says(asked.expect(1), "execution 2")
            running.wait_event("execution-stays-failed", level="error", execution="2")
            running.wait_status("last error of daily-settlement: ")
            database.let_turn()
            assert database.runs() == first
            asked = database.settlectl("restart", "2", "--wait")
            database.wait_runs(DAY, *first, ("FAILED", "REQUEST", "TRANSIENT", 0, False), "STARTED")
        asked.expect(0)
        assert database.runs()[3] == ("COMPLETED", "RESTART", "NONE", 1, False)
        assert "last error" not in running.wait_status("^daemon idle$"), running.said("STATUS")
        database.verify()


@test("a launch that fails for other reasons than the day's is tried again, and refused when that does not help")
def _():
    with Served(restart_limit=1, restart_backoff_s=1) as database:
        database.fill(DAY)
        # The third connection is the first that an execution needs; 1105 is an error that says nothing.
        running = database.daemon(environment={"SETTLEMENTD_TEST_FAULTS": "connect:3:before:error=1105"})
        asked = database.ask_run(DAY, "--wait")
        running.wait_event("launch-refused", level="error", date=DAY)
        asked.expect(0)
        assert database.runs() == [("COMPLETED", "REQUEST", "NONE", 0, False)], database.runs()
        database.verify()
    with Served(restart_limit=1, restart_backoff_s=1) as database:
        database.fill(DAY)
        running = database.daemon(environment={"SETTLEMENTD_TEST_FAULTS": "connect:3+:before:error=1105"})
        says(database.ask_run(DAY, "--wait").expect(1), "REFUSED.*injected")
        assert len(running.events("launch-refused")) == 2, running.output
        assert not database.runs()


@test("a permanent failure is never started again by itself, also not by the next daemon")
def _():
    with Served(restart_backoff_s=0) as database:
        database.fill(DAY)
        running = database.daemon()
        database.refuse()
        says(database.ask_run(DAY, "--wait").expect(1), "the auditors are in")
        running.wait_event("execution-stays-failed", level="error", execution="1")
        running.wait_status("last error of daily-settlement: .*the auditors are in")
        for _ in range(2):
            database.let_turn()
            assert database.runs() == [("FAILED", "REQUEST", "PERMANENT", 0, False)]
            running.stop()
            running = database.daemon()
        database.allow()
        database.settlectl("restart", "1", "--wait").expect(0)
        database.verify()


@test("while a failed day waits to be started again: SIGTERM ends the daemon, stop makes it stay, restart does not wait")
def _():
    with Served(**{**IMPATIENT, "restart_limit": 2, "restart_backoff_s": 600, "restart_backoff_max_s": 600}) as database:
        database.fill(DAY)
        database.configure(transaction_limit=1)
        waiting = ("FAILED", "REQUEST", "TRANSIENT", 0, True)
        running = database.daemon()
        held, asked = ask(database, running)
        with held:
            database.wait_runs(DAY, waiting)
            running.wait_status("is started again in")
            running.stop()
        running = database.daemon()
        database.let_turn()
        assert database.runs() == [waiting]
        says(database.settlectl("stop", "1").expect(0), "stays FAILED")
        says(asked.expect(1), "request 1")
        database.let_turn()
        assert database.runs() == [("FAILED", "REQUEST", "PERSON", 0, False)]
        with database.hold(DAY):
            asked = database.settlectl("restart", "1", "--wait")
            database.wait_runs(DAY, "FAILED", waiting)
        database.end_pause()
        asked.expect(0)
        assert database.runs()[2] == ("COMPLETED", "RESTART", "NONE", 1, False)
        database.verify()


# --- daemons that die ---

@test("a daemon that is killed in a chunk: the next one marks the execution FAILED, says why, and goes on at once")
def _():
    with Served(heartbeat_s=5, ttl_s=20, chunk_size=1, restart_backoff_s=600) as database:
        database.fill(DAY, **MANY)
        running = database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(lambda: database.progress(DAY) > 200, 30, "some chunks")
        running.kill()
        chunks, done = database.progress(DAY), database.partitions(DAY, "COMPLETED")
        began = time.monotonic()
        running = database.daemon()
        wait_until(lambda: database.progress(DAY) > chunks, 30, "a chunk of the next daemon")
        print(f"kill -9 -> first chunk of the next daemon: {time.monotonic() - began:.2f} s (lease of 20 s)", flush=True)
        asked.expect(0)
        assert database.runs() == [("FAILED", "REQUEST", "CRASH", 0, False), ("COMPLETED", "RESTART", "NONE", 1, False)]
        assert "the process that ran it is gone" in database.executions(DAY)[0][3]
        database.expect_untouched(DAY, done)
        database.verify()


@test("a day that kills its daemon again and again is not started any more at the limit of restarts, loudly")
def _():
    with Served(restart_limit=2, restart_backoff_s=0) as database:
        database.fill(DAY)
        running = database.daemon()
        held, asked = ask(database, running)
        crashes = [("FAILED", "REQUEST", "CRASH", 0, False)] + [
            ("FAILED", "RESTART", "CRASH", restarts, False) for restarts in (1, 2)]
        with held:
            for count in (1, 2, 3):
                running.kill()
                running = database.daemon()
                expected = crashes[:count] + ["STARTED"] * (count < 3)
                database.wait_runs(DAY, *expected)
                if count < 3:
                    held.wait_wanted()
        says(asked.expect(1), "is gone")
        database.let_turn()
        assert database.runs() == crashes
        assert [event for event in running.events() if event["level"] == "error"], running.stderr
        database.settlectl("restart", "3", "--wait").expect(0)
        database.verify()


# --- daemons that are stopped ---

@test("SIGTERM in the middle of a day: STOPPED, exit 0, the chunk is finished; the next daemon resumes, and no attempt is lost")
def _():
    with Served(chunk_size=1, threads=4) as database:
        database.fill(DAY, **MANY)
        asked = None
        for chunks in (50, 300):
            running = database.daemon()
            asked = asked or database.ask_run(DAY, "--wait")
            wait_until(lambda: database.progress(DAY) > chunks, 30, f"{chunks} chunks")
            began = time.monotonic()
            running.stop()
            print(f"SIGTERM -> exit with a job running: {time.monotonic() - began:.2f} s", flush=True)
            running.wait_states("READY", "STOPPING")
            assert not database.rows("SELECT 1 FROM step_partition WHERE status = 'STARTED'")
            assert "the next daemon goes on" in database.executions(DAY)[-1][3]
        stopped = database.runs()
        done = database.partitions(DAY, "COMPLETED")
        database.daemon()
        asked.expect(0)
        assert [row[:4] for row in stopped] == [("STOPPED", "REQUEST", "SHUTDOWN", 0), ("STOPPED", "RESUME", "SHUTDOWN", 0)]
        assert stopped[1][4], "no restart is due"
        assert database.runs()[2] == ("COMPLETED", "RESUME", "NONE", 0, False)
        database.expect_untouched(DAY, done)
        database.verify()


@test("SIGTERM without end: it ends with 0 all the same")
def _():
    with Served() as database:
        for _ in range(8):
            running = database.daemon()
            deadline = time.monotonic() + 20
            while not running.ended() and time.monotonic() < deadline:
                running.signal(signal.SIGTERM)
            running.expect(0)


@test("a second SIGTERM rolls back the chunk that runs; patience was asked for before")
def _():
    with Served(ttl_s=120, restart_backoff_s=0) as database:
        database.fill(DAY)
        running = database.daemon()
        held, asked = ask(database, running)
        with held:
            running.signal(signal.SIGTERM)
            running.wait_status("finishing chunks of daily-settlement")
            wait_until(lambda: running.said("EXTEND_TIMEOUT_USEC"), 20, "EXTEND_TIMEOUT_USEC")
            assert not running.ended()
            running.signal(signal.SIGTERM)
            running.expect(0)
            assert database.runs() == [("STOPPED", "REQUEST", "SHUTDOWN", 0, True)]
        database.daemon()
        asked.expect(0)
        assert database.runs()[1:] == [("COMPLETED", "RESUME", "NONE", 0, False)]
        database.verify()


@test("SIGTERM while a step is planned, and while the day is closed: exit 0, and the next daemon resumes")
def _():
    for table, values in (("step_plan", "1, 'settlement', NOW(6), 1, 1, NULL, NULL, ''"),
                          ("day_close", f"'{DAY}', 'CLOSED', NOW(6), NOW(6), 0, 0, 1, 0")):
        with Served(ttl_s=60) as database:
            database.fill(DAY)
            running = database.daemon()
            with database.hold(DAY) as first:
                asked = database.ask_run(DAY, "--wait")
                first.wait_wanted()
                held = Held(database, table, values)
            with held:
                held.wait_wanted()
                running.signal(signal.SIGTERM)
                running.wait_status("finishing|stopping")
                assert not running.ended()
            running.expect(0)
            database.daemon()
            asked.expect(0)
            assert {row[2] for row in database.runs()} <= {"SHUTDOWN", "NONE"}, database.runs()
            database.verify()


@test("a backfill survives its daemons: one is stopped on its second day, one is killed on its third")
def _():
    with Served() as database:
        database.fill(*DAYS[:3])
        asked = None
        for day, leave in ((DAYS[1], signal.SIGTERM), (DAYS[2], signal.SIGKILL)):
            with database.hold(day) as held:
                running = database.daemon()
                asked = asked or database.ask_backfill(DAYS[0], DAYS[2], "--wait")
                held.wait_wanted()
                running.signal(leave)
                wait_until(lambda: running.ended() or "finishing" in str(running.said("STATUS")), 20, "the end")
            running.expect(0, -signal.SIGKILL)
        database.daemon()
        asked.expect(0)
        says(asked, *(f"{day} .*COMPLETED" for day in DAYS[:3]), "request 1 COMPLETED, 3 days done")
        assert database.runs()[1:] == [
            ("STOPPED", "REQUEST", "SHUTDOWN", 0, False), ("COMPLETED", "RESUME", "NONE", 0, False),
            ("FAILED", "REQUEST", "CRASH", 0, False), ("COMPLETED", "RESTART", "NONE", 1, False)]
        assert database.value("SELECT COUNT(DISTINCT request_id) FROM job_execution_owner") == 1
        assert database.closed_days() == list(DAYS[:3])
        database.verify()


# --- daemons that freeze ---

@test("a daemon that freezes beyond its lease is fenced: another one does its work, it changes nothing, and it goes on")
def _():
    with Served() as database:
        database.fill(*DAYS[:2])
        first = database.daemon()
        held, asked = ask(database, first)
        with held:
            first.signal(signal.SIGSTOP)
            database.daemon()
            database.wait_runs(DAY, ("FAILED", "REQUEST", "CRASH", 0, False), "STARTED")
        asked.expect(0)
        before, runs = database.dump(), database.runs()
        assert runs[1:] == [("COMPLETED", "RESTART", "NONE", 1, False)]
        first.forget()
        first.signal(signal.SIGCONT)
        first.wait_status("^daemon idle")
        wait_until(lambda: database.value("SELECT COUNT(*) FROM node WHERE lease_until > NOW(6)") == 2, 20, "both leases")
        assert database.dump() == before and database.runs() == runs
        assert not first.events("execution-stays-failed"), first.stderr
        asked = [database.ask_run(DAYS[1], "--wait") for _ in range(3)]
        for process in asked:
            process.expect(0)
        assert database.runs(DAYS[1]) == [("COMPLETED", "REQUEST", "NONE", 0, False)]
        database.verify()


if __name__ == "__main__":
    suite.main()
