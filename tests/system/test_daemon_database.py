#!/usr/bin/python3
"""The daemon and its database: one that is away, goes away, comes back, hangs, or is locked by somebody. The server is the
tests' own."""

import contextlib
import functools
import signal
import time

import daemon
import lib
import oracle
from daemon import Served
from lib import wait_until
from test_daemon import DAYS, MANY

suite = lib.Suite()
test = suite.test

AWAY = "waiting for the database"


@functools.cache
def server():
    return daemon.Server()


def serve(**options):
    return Served(socket=server().socket, **options)


@test("at the start the daemon waits for the database, says so and asks for patience; SIGTERM ends the waiting at once")
def _():
    with serve() as database:
        database.fill(DAYS[0])
        server().stop()
        waiting = [database.daemon(ready=False) for _ in range(2)]
        for running in waiting:
            running.wait_status(AWAY)
            wait_until(lambda running=running: running.said("EXTEND_TIMEOUT_USEC"), 20, "a request for patience")
            assert not running.states() and not running.ended()
        waiting[0].signal(signal.SIGTERM)
        waiting[0].expect(0, timeout_s=10).wait_states("STOPPING")
        server().start()
        database.reconnect()
        waiting[1].wait_ready()
        waiting[1].wait_status("^daemon idle$")
        database.ask_run(DAYS[0], "--wait").expect(0)
        waiting[1].stop()
        waiting[1].wait_states("READY", "STOPPING")


@test("a database that is stopped and started under an idle daemon is found again, and the next request is answered")
def _():
    with serve() as database:
        database.fill(DAYS[0])
        running, other = database.daemon(), database.daemon()
        server().stop()
        running.wait_status(AWAY)
        other.wait_status(AWAY)
        other.stop()
        running.forget()
        server().start()
        database.reconnect()
        running.wait_status("^daemon idle$")
        running.wait_event("database-back")
        assert len(running.events("database-away")) <= 2, running.stderr
        database.ask_run(DAYS[0], "--wait").expect(0)
        running.stop()
        running.wait_states("READY", "STOPPING")


@test("a database that is stopped, or killed, under a running day: the daemon stays, says so, and the day goes on")
def _():
    for leave in (server().stop, server().kill):
        with serve(chunk_size=1) as database:
            database.fill(DAYS[0], **MANY)
            running = database.daemon()
            asked = database.ask_run(DAYS[0], "--wait")
            wait_until(lambda: database.progress(DAYS[0]) > 100, 60, "100 chunks")
            running.forget()
            leave()
            running.wait_status(AWAY)
            running.forget()
            server().start()
            database.reconnect()
            running.wait_status(f"running {lib.JOB} {DAYS[0]}|^daemon idle$")
            asked.expect(0)
            assert [row[0] for row in database.runs()] == ["COMPLETED"], database.runs()
            database.verify()
            running.stop()
            running.wait_states("READY", "STOPPING")


@test("a server that is started anew, and soon once more, gives old session numbers to others: none of them is cut off")
def _():
    with serve() as database:
        running = database.daemon()
        for count in (0, 20):
            running.forget()
            running.signal(signal.SIGSTOP)
            server().kill()
            server().start()
            database.reconnect()
            strangers = [database.connect() for _ in range(count)]
            running.signal(signal.SIGCONT)
            running.wait_status("^daemon idle$")
        sessions = {row[0] for row in database.rows(daemon.SESSIONS_SQL)}
        lost = [stranger.thread_id() for stranger in strangers if stranger.thread_id() not in sessions]
        assert not lost, f"sessions of others were killed: {lost}"
        for stranger in strangers:
            stranger.close()


@test("a day that cannot wait for the database is started again when it is back; it counts as a transient failure")
def _():
    with serve(chunk_size=1, restart_backoff_s=0) as database:
        database.fill(DAYS[0], **MANY)
        running = database.daemon()
        with database.hold(DAYS[0]) as held:
            asked = database.ask_run(DAYS[0], "--wait")
            held.wait_wanted()
            server().stop()
            held.connection.close()
            running.wait_status(AWAY)
            running.wait_event("run-usage")
        server().start()
        database.reconnect()
        asked.expect(0)
        assert database.runs() == [("FAILED", "REQUEST", "TRANSIENT", 0, False), ("COMPLETED", "RESTART", "NONE", 1, False)]
        database.verify()


@test("SIGTERM while the database is away under a running day: exit 0; the next daemon goes on with it")
def _():
    with serve(chunk_size=1) as database:
        database.fill(DAYS[0], **MANY)
        running = database.daemon()
        asked = database.ask_run(DAYS[0], "--wait")
        wait_until(lambda: database.progress(DAYS[0]) > 100, 60, "100 chunks")
        server().stop()
        running.wait_status(AWAY)
        running.stop(timeout_s=10)
        server().start()
        database.reconnect()
        database.daemon()
        asked.expect(0)
        assert database.runs()[-1][0] == "COMPLETED"
        database.verify()


@test("the watchdog is fed while the coordinator advances, and not while it hangs in a server that does not answer")
def _():
    with serve() as database:
        running = database.daemon(watchdog_s=1)

        def fed(more):
            count = len(running.said("WATCHDOG")) + more
            wait_until(lambda: len(running.said("WATCHDOG")) >= count, 20, f"{more} signs of life")

        def last_fed():
            return max(at for at, name, _ in list(running.manager.messages) if name == "WATCHDOG")

        fed(3)
        server().signal(signal.SIGSTOP)
        try:
            wait_until(lambda: time.monotonic() - last_fed() > 2, 20, "two intervals without a sign of life")
            assert not running.ended()
        finally:
            server().signal(signal.SIGCONT)
        fed(3)


@test("two stop signals end a daemon also while its server does not answer; the next one goes on")
def _():
    with serve() as database:
        database.fill(DAYS[0])
        running = database.daemon()
        with database.hold(DAYS[0]) as held:
            asked = database.ask_run(DAYS[0], "--wait")
            held.wait_wanted()
            server().signal(signal.SIGSTOP)
            try:
                running.signal(signal.SIGTERM)
                running.wait_states("READY", "STOPPING")
                running.signal(signal.SIGTERM)
                running.expect(0)
            finally:
                server().signal(signal.SIGCONT)
        database.daemon()
        asked.expect(0)
        database.verify()


@test("a request that somebody has locked is answered when it is free; meanwhile the daemon lives, and ends what it runs")
def _():
    with serve() as database:
        database.fill(DAYS[0])
        running = database.daemon(watchdog_s=2)
        blocker = database.connect()
        with database.hold(DAYS[0]) as held, contextlib.closing(blocker):
            asked = database.ask_run(DAYS[0], "--wait")
            held.wait_wanted()
            running.signal(signal.SIGSTOP)      # so that it does not answer before the lock is there
            database.execute("INSERT INTO job_request (request_id, command, job_name, requested_by, requested_at)"
                             " VALUES (2, 'PAUSE', %s, 'test', NOW(6))", lib.JOB)
            blocker.begin()
            oracle.rows_of(blocker, "SELECT * FROM job_request WHERE request_id = 2 FOR UPDATE")
            running.signal(signal.SIGCONT)
            fed = len(running.said("WATCHDOG"))
            wait_until(lambda: len(running.said("WATCHDOG")) > fed + 2, 20, "signs of life")
            held.release()
            asked.expect(0)
            assert database.request(2)[0] == "PENDING"
        wait_until(lambda: database.request(2)[0] == "COMPLETED", 20, "the answer")


@test("an idle daemon sends at most two statements a turn")
def _():
    with serve(enabled="true", housekeeping="true", cron="0 0 1 1 *", purge_cron="0 0 1 1 *") as database:
        running = database.daemon()
        wait_until(lambda: database.value("SELECT COUNT(*) FROM job_schedule") == 2, 20, "the schedules")
        sessions = tuple(row[0] for row in database.rows(daemon.SESSIONS_SQL))
        database.execute("SET GLOBAL log_output = 'TABLE'")
        database.execute("SET GLOBAL general_log = ON")
        try:
            def statements():
                found = {}
                for session, text in database.rows(
                        "SELECT thread_id, CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE thread_id IN %s"
                        " AND command_type IN ('Query', 'Execute')", sessions):
                    found.setdefault(session, []).append(text)
                return found

            def turns():
                return [texts for texts in statements().values()
                        if sum("job_request" in text for text in texts) >= 10]

            texts = wait_until(turns, 30, "ten turns")[0]
        finally:
            database.execute("SET GLOBAL general_log = OFF")
        count = sum("job_request" in text for text in texts)
        everything = sum(len(texts) for texts in statements().values())
        print(f"idle: {len(texts)} statements in {count} turns, with the heartbeat's {everything}", flush=True)
        assert len(texts) <= 2 * count, texts
        with open(f"/proc/{running.child.pid}/status", encoding="ascii") as file:
            print(next(line for line in file if line.startswith("VmRSS")).strip(), flush=True)


if __name__ == "__main__":
    suite.main()
