#!/usr/bin/python3
"""The daemon's life and what people ask of it: it starts, gets ready, answers, reads its configuration again and ends."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import daemon
import lib
from daemon import Served
from lib import JOB, wait_until

suite = lib.Suite()
test = suite.test

DAYS = ("2021-06-01", "2021-06-02", "2021-06-03", "2021-06-04")
MANY = {"contents": 300, "views": 3000, "ad_views": 500}    # with one content a chunk: hundreds of chunks


def says(process, *words):
    for word in words:
        assert re.search(word, process.output, re.IGNORECASE), f"{process} did not say {word!r}:\n{process.output}"


# --- start and end ---

@test("ready once, a row for the node, an idle status; any stop signals end an idle daemon with 0, and nothing stays behind")
def _():
    with Served() as database:
        for signals in ((signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)):
            running = database.daemon()
            running.wait_status("idle")
            assert database.rows("SELECT role, pid FROM node") == [("DAEMON", running.child.pid)]
            for number in signals:
                running.signal(number)
            running.expect(0)
            running.wait_states("READY", "STOPPING")
            assert not database.rows("SELECT * FROM node"), running.output
            wait_until(lambda: not database.rows(daemon.SESSIONS_SQL), 10, "the end of all sessions")
            assert not [event for event in running.events() if event["level"] in ("warn", "error")], running.stderr


@test("without a service manager the daemon does its work all the same")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        running = lib.Process([lib.SETTLEMENTD, "--config", database.configuration], database.directory, environment)
        database.processes.append(running)
        wait_until(lambda: database.rows("SELECT * FROM node"), 30, "a daemon")
        database.ask_run(DAYS[0], "--wait").expect(0)
        running.signal(signal.SIGTERM)
        running.expect(0)


@test("without the schema, with an older and with a newer one the daemon ends with 1, says what helps, and was never ready")
def _():
    older = "DELETE FROM schema_migration ORDER BY version DESC LIMIT 1"
    newer = "INSERT INTO schema_migration (version, name, checksum, applied_at) SELECT version + 1, 'next', checksum," \
            " applied_at FROM schema_migration ORDER BY version DESC LIMIT 1"
    for migrate, sql, words in ((False, "DO 0", "settlectl migrate"), (True, older, "settlectl migrate"),
                                (True, newer, "a newer version of settlementd")):
        with Served(migrate=migrate) as database:
            database.execute(sql)
            running = database.daemon(ready=False).expect(1)
            says(running, words)
            assert running.events("cannot-start")[0]["level"] == "error", running.stderr
            wait_until(lambda: running.said("STATUS"), 10, "a status")
            assert words in running.said("STATUS")[-1] and running.states() == [], running.manager.messages


@test("a bad configuration ends the daemon with 78, with file and line")
def _():
    with Served() as database:
        database.configure(chunk_size='"many"')
        says(database.daemon(ready=False).expect(78), r"settlementd\.conf:3: ")
        database.configure(chunk_size=5, name='x"; password_file = "/nonexistent/password')
        says(database.daemon(ready=False).expect(78), "/nonexistent/password")


@test("a cron text that means no time ends the daemon with 78, with file and line")
def _():
    with Served() as database:
        for cron in ("61 * * * *", "0 0 31 2 *", "* * *"):
            database.configure(cron=cron)
            says(database.daemon(ready=False).expect(78), r"settlementd\.conf:\d+: .*cron")


# --- requests ---

@test("a run that is asked for is done at once; --wait tells of its steps and ends with 0")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        database.daemon()
        began = time.monotonic()
        process = database.ask_run(DAYS[0], "--wait", "--reason", "the night failed")
        wait_until(lambda: database.progress(DAYS[0]), 20, "the first chunk")
        print(f"request -> first chunk committed, settlectl's own start included: {time.monotonic() - began:.2f} s", flush=True)
        process.expect(0)
        says(process, *lib.STEPS, rf"{DAYS[0]}  execution 1  COMPLETED", "request 1 COMPLETED, execution 1")
        assert database.runs() == [("COMPLETED", "REQUEST", "NONE", 0, False)]
        assert database.value("SELECT request_id FROM job_execution_owner") == 1
        assert database.rows("SELECT days_done, reason, requested_by <> '' FROM job_request") == [(1, "the night failed", 1)]
        database.verify()


@test("what cannot be done is refused with 1, what does not exist ends with 3, and nothing is begun")
def _():
    with Served() as database:
        database.fill(DAYS[0], DAYS[1], DAYS[3])
        database.daemon()
        database.ask_run(DAYS[0], "--wait").expect(0)
        cases = (
                (0, "closed already", "run", JOB, "--date", DAYS[0]),
                (0, "closed already", "run", JOB, "--date", DAYS[0], "--wait"),
                (1, "before the settled frontier", "run", JOB, "--date", "2021-05-31", "--wait"),
                (1, f"{DAYS[1]} has logs and is not settled", "run", JOB, "--date", DAYS[3], "--wait"),
                (1, "not over", "run", JOB, "--date", "2999-01-01"),
                (3, "no job nightly", "run", "nightly", "--date", DAYS[1], "--wait"),
                (3, "no job nightly", "backfill", "nightly", "--from", DAYS[1], "--to", DAYS[2]),
                (3, "nightly", "pause", "nightly"), (3, "nightly", "resume", "nightly"),
                (3, "no execution 999", "stop", "999"), (3, "no execution 999", "restart", "999", "--wait"),
                (3, "no execution 999", "abandon", "999"), (1, "COMPLETED", "stop", "1"),
                (1, "COMPLETED", "restart", "1"), (1, "COMPLETED", "abandon", "1"))
        processes = [database.settlectl(*command) for _, _, *command in cases]
        for process, (code, words, *_) in zip(processes, cases):
            says(process.expect(code), words)
        assert len(database.runs()) == 1
        database.verify()


@test("requests for the same day at once, also with two daemons, become one execution, and all are answered with 0")
def _():
    with Served(ttl_s=10) as database:
        database.fill(DAYS[0])
        for _ in range(2):
            database.daemon()
        processes = [database.ask_run(DAYS[0], "--wait") for _ in range(4)]
        for process in processes:
            process.expect(0)
        assert database.runs() == [("COMPLETED", "REQUEST", "NONE", 0, False)]
        assert database.rows("SELECT DISTINCT status, last_execution_id FROM job_request") == [("COMPLETED", 1)]
        database.verify()


@test("a backfill is one request: its days run in order, days without logs and closed ones included")
def _():
    with Served() as database:
        database.fill(DAYS[0], DAYS[1], DAYS[3])
        database.daemon()
        database.ask_run(DAYS[0], "--wait").expect(0)
        process = database.ask_backfill("2021-05-30", DAYS[3], "--wait").expect(0)
        says(process, *(rf"{day}  execution \d+  COMPLETED" for day in DAYS[1:]), "6 days done")
        assert database.closed_days() == list(DAYS)
        assert database.rows("SELECT request_id, COUNT(*) FROM job_execution_owner GROUP BY 1") == [(1, 1), (2, 3)]
        database.verify()
        says(database.ask_backfill(DAYS[0], DAYS[3], "--wait").expect(0), "4 days")
        assert len(database.runs()) == 4


@test("a backfill ends with the first day that fails; asked for again, it goes on with that day")
def _():
    with Served() as database:
        database.fill(*DAYS[:3])
        database.daemon()
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON day_close FOR EACH ROW IF NEW.business_date = '2021-06-02' THEN"
                         " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the auditors are in'; END IF")
        says(database.ask_backfill(DAYS[0], DAYS[2], "--wait").expect(1), "request 1 FAILED, 1 day done", "the auditors are in")
        database.let_turn()
        assert [row[0] for row in database.runs()] == ["COMPLETED", "FAILED"]
        database.allow()
        database.ask_backfill(DAYS[0], DAYS[2], "--wait").expect(0)
        assert database.closed_days() == list(DAYS[:3]) and len(database.runs()) == 4
        database.verify()


@test("stopping the day that runs stops its backfill; it stays so with the next daemon, until somebody restarts it")
def _():
    with Served() as database:
        database.fill(*DAYS[:3])
        first = database.daemon()
        with database.hold(DAYS[1]) as held:
            backfill = database.ask_backfill(DAYS[0], DAYS[2], "--wait")
            held.wait_wanted()
            first.wait_status(rf"running {JOB} {DAYS[1]} \(execution 2\): content-statistics \d+ %")
            wait_until(lambda: len(database.partitions(DAYS[1], "COMPLETED")) > 0, 20, "a partition that is done")
            stop = database.settlectl("stop", "2", "--wait", "--reason", "too early")
            wait_until(lambda: "asked to stop" in stop.output, 20, "the answer to the stop")
        stop.expect(0)
        says(backfill.expect(1), f"{DAYS[1]} .*STOPPED", "request 1 STOPPED, 1 day done")
        stopped = ("STOPPED", "REQUEST", "PERSON", 0, False)
        assert database.runs(DAYS[1]) == [stopped] and not database.runs(DAYS[2])
        done = database.partitions(DAYS[1], "COMPLETED")
        first.stop()
        database.daemon()
        database.let_turn()
        assert database.runs(DAYS[1]) == [stopped] and not database.runs(DAYS[2])
        database.settlectl("restart", "2", "--wait").expect(0)
        assert database.runs(DAYS[1]) == [stopped, ("COMPLETED", "REQUEST", "NONE", 0, False)]
        database.expect_untouched(DAYS[1], done)
        says(database.settlectl("restart", "2").expect(1), "not the latest")
        database.ask_backfill(DAYS[0], DAYS[2], "--wait").expect(0)
        assert database.closed_days() == list(DAYS[:3])
        database.verify()


@test("stopping a day ends what else was asked for that day before; a later request runs it again")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        database.daemon()
        with database.hold(DAYS[0]) as held:
            asked = [database.ask_run(DAYS[0], "--wait")]
            held.wait_wanted()
            asked += [database.ask_run(DAYS[0], "--wait") for _ in range(2)]
            database.wait_accepted(3)
            stop = database.settlectl("stop", "1", "--wait")
            wait_until(lambda: "asked to stop" in stop.output, 20, "the answer to the stop")
        says(stop.expect(0), rf"what else was asked for {DAYS[0]} \(2\) ends as well")
        for process in asked:
            process.expect(1)
        says(asked[1], "this day was stopped on request")
        database.let_turn()
        assert database.runs() == [("STOPPED", "REQUEST", "PERSON", 0, False)]
        database.ask_run(DAYS[0], "--wait").expect(0)
        database.verify()


@test("a day with logs cannot be abandoned, since it would leave a hole; one without can, and is not run again")
def _():
    with Served() as database:
        database.fill(DAYS[1])
        database.daemon()
        database.refuse("day_close")
        says(database.ask_run(DAYS[0], "--wait").expect(1), "the auditors are in")
        says(database.ask_run(DAYS[1], "--wait").expect(1), "the auditors are in")
        assert [row[2] for row in database.runs()] == ["PERMANENT", "PERMANENT"]
        says(database.settlectl("abandon", "2").expect(1), f"{DAYS[1]} has logs", "settlectl restart 2")
        database.settlectl("abandon", "1", "--reason", "nothing to settle").expect(0)
        assert [row[0] for row in database.runs()] == ["ABANDONED", "FAILED"]
        database.settlectl("abandon", "1").expect(0)
        database.allow()
        says(database.settlectl("restart", "1").expect(1), "ABANDONED")
        says(database.ask_run(DAYS[0], "--wait").expect(1), "ABANDONED")
        database.settlectl("restart", "2", "--wait").expect(0)
        says(database.settlectl("abandon", "2").expect(1), "not the latest")
        database.verify()


@test("pause and resume keep who asked and why; what people ask for is done all the same")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        database.daemon()
        database.settlectl("pause", JOB, "--reason", "the platform is down").expect(0)
        says(database.settlectl("pause", JOB, "--reason", "again").expect(0), "paused already")
        assert database.rows("SELECT paused_at IS NOT NULL, pause_reason, paused_by = (SELECT requested_by FROM job_request"
                             " WHERE request_id = 1) FROM job_schedule WHERE job_name = %s", JOB) == [
            (1, "the platform is down", 1)]
        database.ask_run(DAYS[0], "--wait").expect(0)
        database.settlectl("resume", JOB).expect(0)
        says(database.settlectl("resume", JOB).expect(0), "was not paused")
        assert database.value("SELECT COUNT(*) FROM job_schedule WHERE paused_at IS NOT NULL OR pause_reason <> ''") == 0


# --- together with runs in the foreground ---

@test("a run in the foreground waits for the daemon's, and the daemon for one in the foreground: one execution, all end with 0")
def _():
    with Served(ttl_s=10) as database:
        database.fill(*DAYS[:2])
        running = database.daemon()
        with database.hold(DAYS[0]) as held:
            asked = database.ask_run(DAYS[0], "--wait")
            held.wait_wanted()
            typed = database.run(DAYS[0])
            wait_until(lambda: "wait" in typed.output, 20, "the run in the foreground to wait")
        for process in (asked, typed):
            process.expect(0)
        with database.hold(DAYS[1]) as held:
            typed = database.run(DAYS[1])
            held.wait_wanted()
            asked = database.ask_run(DAYS[1], "--wait")
            running.wait_status(f"execution 2 of {DAYS[1]} is run by process {typed.child.pid}")
        for process in (asked, typed):
            process.expect(0)
        assert [row[:2] for row in database.runs()] == [("COMPLETED", "REQUEST"), ("COMPLETED", "COMMAND")]
        database.verify()


@test("a run in the foreground that is killed is found by the tick, and what was asked for is done")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        database.daemon()
        with database.hold(DAYS[0]) as held:
            typed = database.run(DAYS[0])
            held.wait_wanted()
            asked = database.ask_run(DAYS[0], "--wait")
            database.wait_accepted()
            typed.kill()
            database.wait_runs(DAYS[0], ("FAILED", "COMMAND", "CRASH", 0, False), "STARTED")
        asked.expect(0)
        assert database.runs()[1][0::2] == ("COMPLETED", "NONE", False), database.runs()
        database.verify()


@test("requests that a killed daemon had accepted are adopted by the next one, and answered")
def _():
    with Served() as database:
        database.fill(*DAYS[:2])
        first = database.daemon()
        with database.hold(DAYS[0]) as held:
            asked = [database.ask_run(day, "--wait") for day in DAYS[:1]]
            held.wait_wanted()
            asked.append(database.ask_run(DAYS[1], "--wait"))
            database.wait_accepted(2)
            first.kill()
        second = database.daemon()
        for process in asked:
            process.expect(0)
        assert database.runs(DAYS[0]) == [("FAILED", "REQUEST", "CRASH", 0, False), ("COMPLETED", "RESTART", "NONE", 1, False)]
        assert database.runs(DAYS[1]) == [("COMPLETED", "REQUEST", "NONE", 0, False)]
        assert database.rows("SELECT DISTINCT r.status, n.pid FROM job_request r JOIN node n USING (node_id)") == [
            ("COMPLETED", second.child.pid)]
        database.verify()


# --- reload ---

def reload(running):
    """Sends a SIGHUP and waits until it is dealt with."""
    running.forget()
    states = running.states()
    running.signal(signal.SIGHUP)
    running.wait_states(*states, "RELOADING", "READY")


def edit(path, *texts):
    """Changes a file: texts to be replaced and their replacements, by turns."""
    file = Path(path)
    content = file.read_text(encoding="utf-8")
    for old, new in zip(texts[::2], texts[1::2]):
        assert old in content, old
        content = content.replace(old, new)
    file.write_text(content, encoding="utf-8")


@test("a good file is taken over: schedule, chunk size, log level; the manager hears RELOADING with its time, then READY")
def _():
    with Served(chunk_size=1000, partition_items=100000) as database:
        database.fill(*DAYS[:2])
        running = database.daemon()
        database.ask_run(DAYS[0], "--wait").expect(0)
        database.configure(chunk_size=1, cron="5 4 * * 1", enabled="true", misfire="skip", level="warn")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        reload(running)
        stamp = int(running.said("MONOTONIC_USEC")[0])
        assert before <= stamp <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        wait_until(lambda: database.rows("SELECT cron, timezone, misfire, enabled, next_slot_at IS NOT NULL FROM job_schedule"
                                         " WHERE job_name = %s", JOB) == [("5 4 * * 1", "Asia/Seoul", "skip", 1, 1)], 20,
                   "the new schedule")
        said = len(running.events())
        database.ask_run(DAYS[1], "--wait").expect(0)
        assert len(running.events()) == said, f"level warn, but: {running.events()[said:]}"
        assert database.progress(DAYS[1]) > 3 * database.progress(DAYS[0])
        database.configure(level="info")
        reload(running)
        running.wait_event("reloaded")


@test("a bad file leaves the old settings in force; log and status say what is wrong, with line, until the file is mended")
def _():
    with Served(chunk_size=1000) as database:
        database.fill(*DAYS[:2])
        own = shutil.copy(database.configuration, f"{database.directory}/daemon.conf")
        running = database.daemon(configuration=own)
        edit(own, "chunk_size = 1000", "chunk_size = 0", 'level = "info"', 'level = "error"')
        reload(running)
        running.wait_states("READY", "RELOADING", "READY")
        assert re.search(r"daemon\.conf:3: .*chunk_size", running.wait_event("reload-failed", level="error")["msg"])
        running.wait_status(r"daemon\.conf:3: .*chunk_size")
        database.ask_run(DAYS[0], "--wait").expect(0)
        running.wait_event("step-ended")    # which level = "error" would have hidden
        edit(own, "timezone =", "time zone =")
        reload(running)
        running.wait_status(r"daemon\.conf:1: ")
        shutil.copy(database.configuration, own)
        reload(running)
        assert "daemon.conf" not in running.wait_status("idle"), running.said("STATUS")
        database.ask_run(DAYS[1], "--wait").expect(0)


@test("another database in the file needs a restart, which the log says; until then the old one is used")
def _():
    with Served() as database:
        database.fill(DAYS[0])
        running = database.daemon()
        name = database.name
        database.configure(name="settlementd_elsewhere")
        reload(running)
        running.wait_event("restart-needed", setting="database")
        database.configure(name=name)
        database.ask_run(DAYS[0], "--wait").expect(0)


@test("2000 hangups while a job runs change nothing but the time; the last configuration is in force")
def _():
    with Served(chunk_size=1) as database:
        database.fill(DAYS[0], **MANY)
        running = database.daemon()
        asked = database.ask_run(DAYS[0], "--wait")
        wait_until(lambda: database.progress(DAYS[0]) > 10, 20, "a running day")
        for number in range(2000):
            if number % 100 == 0:
                database.configure(threads=1 + number // 100 % 4, cron=f"{number // 100} 1 * * *")
            running.signal(signal.SIGHUP)
            time.sleep(0.0005)
        asked.expect(0)
        wait_until(lambda: database.value("SELECT cron FROM job_schedule WHERE job_name = %s", JOB) == "19 1 * * *", 20,
                   "the last schedule")
        wait_until(lambda: running.states()[-1] == "READY", 20, "the end of the last reload")
        assert running.states()[:2] == ["READY", "RELOADING"], running.states()
        running.stop()
        assert len(database.runs()) == 1 and database.runs()[0][0] == "COMPLETED"
        database.verify()


if __name__ == "__main__":
    suite.main()
