#!/usr/bin/python3
"""Schedules, through the real daemon: what is due, what was missed, and that no step of the clock, no pause, no failure and
no crash loses a day or runs one twice. The clock is the database's, shifted by a file that test builds look at: the programs
of build/asan or build/debug, unless SETTLEMENTD_BIN and SETTLECTL_BIN name others."""

import datetime
import os
import re
import signal
from pathlib import Path

import seams  # before lib: it chooses the programs
import lib
from daemon import Served
from lib import JOB, wait_until

suite = lib.Suite()
test = suite.test

SLOT = datetime.time(0, 10)             # of cron, in Seoul
SEOUL = datetime.timedelta(hours=9)     # ahead of UTC; without summer time
LOGS = ("2021-06-01", "2021-06-02", "2021-06-04")


def local(text):
    return datetime.datetime.fromisoformat(text)


class Clock:
    """The schedules' clock, which runs on from where it is set."""

    def __init__(self, database, now):
        self.database = database
        self.path = os.path.join(database.directory, "clock")
        self.set(now)

    def set(self, now):
        """`now` is Seoul's."""
        real = self.database.value("SELECT NOW(6)")
        shift = (local(now) - SEOUL - real) // datetime.timedelta(microseconds=1)
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(str(shift))
        os.rename(self.path + ".new", self.path)


class Scheduled(Served):
    """A database with logs, a clock that stands before the slot of 5 June, and the schedule of every night."""

    def __init__(self, days=LOGS, now="2021-06-05 00:00:00", **options):
        super().__init__(**{"enabled": "true", "chunk_size": 1000, "partition_items": 100000, "threads": 1, **options})
        self.fill(*days, "2021-06-30", contents=8, views=20, ad_views=10)
        self.clock = Clock(self, now)

    def daemon(self, **options):
        return super().daemon(clock=self.clock, **options)

    def begin(self):
        """Starts a daemon and waits until the schedule is in force."""
        running = self.daemon()
        wait_until(lambda: self.value("SELECT COUNT(*) FROM job_schedule") == 2, 20, "the schedules")
        return running

    def slots(self, job=JOB):
        """(day of the slot in Seoul, status, reason, days settled), oldest first."""
        return [(str((at + SEOUL).date()), *rest) for at, *rest in self.rows(
            "SELECT slot_at, status, reason, days_settled FROM schedule_slot WHERE job_name = %s ORDER BY slot_at", job)]

    def statuses(self, job=JOB):
        return {day: status for day, status, *_ in self.slots(job)}

    def wait_slots(self, **expected):
        """Waits until the slots are these: `_05="DONE"` is the one of 5 June."""
        wanted = {f"2021-06{name.replace('_', '-')}": status for name, status in expected.items()}
        try:
            wait_until(lambda: self.statuses() == wanted, 20, "")
        except AssertionError:
            said = "\n".join(process.stderr for process in self.processes)
            raise AssertionError(f"the slots are {self.slots()}, expected {wanted};\n{said}") from None

    def decision(self):
        return self.value("SELECT last_decision FROM job_schedule WHERE job_name = %s", JOB)


@test("a slot that comes due settles all days with logs up to the day before it, oldest first, and no later one")
def _():
    with Scheduled(days=(*LOGS, "2021-06-05")) as database:
        running = database.begin()
        database.let_turn()
        assert not database.slots() and not database.runs()
        assert database.value("SELECT next_slot_at FROM job_schedule WHERE job_name = %s", JOB) == local("2021-06-04 15:10:00")
        database.clock.set("2021-06-05 00:10:00")
        database.wait_slots(_05="DONE")
        assert database.closed_days() == list(LOGS)
        assert set(database.runs()) == {("COMPLETED", "SLOT", "NONE", 0, False)}
        assert database.rows("SELECT slot_at, interval_start, interval_end, days_settled FROM schedule_slot") == [
            (local("2021-06-04 15:10:00"), lib.day_of("2021-06-04"), lib.day_of("2021-06-04"), 3)]
        assert database.rows("SELECT DISTINCT slot_at FROM job_execution_owner") == [(local("2021-06-04 15:10:00"),)]
        running.wait_event("slot-due", job=JOB)
        database.clock.set("2021-06-06 00:10:00")
        database.wait_slots(_05="DONE", _06="DONE")
        assert database.closed_days() == [*LOGS, "2021-06-05"]
        database.verify()


@test("catchup_max bounds how many days are queued at once, not how many are settled")
def _():
    days = [str(day) for day in lib.days_from("2021-05-31", 5)]
    with Scheduled(days=days, catchup_max=2) as database:
        database.begin()
        database.refuse("day_close")
        database.clock.set("2021-06-05 00:10:00")
        database.wait_runs("%", "FAILED")
        assert re.search("settles 2021-05-31, the first of 2 days queued .*more follow", database.decision())
        database.allow()
        database.settlectl("restart", "1", "--wait").expect(0)
        database.wait_slots(_05="DONE")
        assert database.closed_days() == days and database.slots()[0][3] == 5
        database.verify()


@test("slots that were missed while no daemon ran: once runs the latest for all, skip waits for the next; each says why")
def _():
    for misfire, last, words in (("once", "DONE", "covered by the slot of Mon 2021-06-07"),
                                 ("skip", "SKIPPED", "waits for the next slot")):
        with Scheduled(misfire=misfire) as database:
            database.begin().stop()
            database.clock.set("2021-06-07 01:00:00")
            running = database.daemon()
            database.wait_slots(_05="SKIPPED", _06="SKIPPED", _07=last)
            running.wait_event("slot-missed", level="warn", job=JOB)
            for _, status, reason, _ in database.slots():
                assert status == "DONE" or ("missed" in reason and words in reason), database.slots()
            database.let_turn()
            assert database.closed_days() == (list(LOGS) if misfire == "once" else [])
            database.clock.set("2021-06-08 00:10:00")
            database.wait_slots(_05="SKIPPED", _06="SKIPPED", _07=last, _08="DONE")
            assert database.closed_days() == list(LOGS)
            assert database.rows("SELECT interval_start, interval_end FROM schedule_slot WHERE interval_end = '2021-06-07'") == [
                (lib.day_of("2021-06-07"), lib.day_of("2021-06-07"))]
            database.verify()


@test("slots that come due while the job is paused are held, with who and why; resume runs the latest, or skips all")
def _():
    for misfire, last in (("once", "DONE"), ("skip", "SKIPPED")):
        with Scheduled(misfire=misfire) as database:
            database.begin()
            database.settlectl("pause", JOB, "--reason", "the platform is down").expect(0)
            for day in ("05", "06"):
                database.clock.set(f"2021-06-{day} 00:10:00")
                wait_until(lambda day=day: f"2021-06-{day}" in database.statuses(), 20, "the slot")
            database.let_turn()
            assert database.statuses() == {"2021-06-05": "HELD", "2021-06-06": "HELD"} and not database.runs()
            assert all("paused by " in reason and "the platform is down" in reason for _, _, reason, _ in database.slots())
            database.settlectl("resume", JOB).expect(0)
            database.wait_slots(_05="SKIPPED", _06=last)
            assert "missed while the job was paused" in database.slots()[0][2]
            database.clock.set("2021-06-07 00:10:00")
            database.wait_slots(_05="SKIPPED", _06=last, _07="DONE")
            assert database.closed_days() == list(LOGS)
            database.verify()


@test("a clock that is set forward and back runs no slot twice; one that was days ahead is taken back, with a warning")
def _():
    with Scheduled() as database:
        running = database.begin()
        for now in ("2021-06-05 00:10:00", "2021-06-04 23:00:00", "2021-06-05 00:10:00"):
            database.clock.set(now)
            database.wait_slots(_05="DONE")
            database.let_turn()
        assert len(database.runs()) == 3
        database.clock.set("2021-06-20 00:10:00")
        wait_until(lambda: database.statuses().get("2021-06-20") == "DONE", 20, "the slot of a clock that is wrong")
        database.clock.set("2021-06-05 01:00:00")
        running.wait_event("clock-stepped-back", level="warn", job=JOB)
        late = lib.Dataset()
        late.add_views("2021-06-05", 1, 5)
        lib.load(database, late)
        database.clock.set("2021-06-06 00:10:00")
        wait_until(lambda: "2021-06-05" in database.closed_days(), 20, "the day of the slot that counts again")
        assert database.closed_days() == [*LOGS, "2021-06-05"] and len(database.runs()) == 4
        database.verify()


@test("a day that failed for good blocks the slots, which say so and what helps; after a restart everything after it is done")
def _():
    with Scheduled() as database:
        running = database.begin()
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON day_close FOR EACH ROW IF NEW.business_date = '2021-06-02' THEN"
                         " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the auditors are in'; END IF")
        database.clock.set("2021-06-05 00:10:00")
        wait_until(lambda: "settlectl restart 2" in str(database.slots()), 20, "a reason")
        running.wait_status("settlectl restart 2")
        database.clock.set("2021-06-06 00:10:00")
        wait_until(lambda: len(database.slots()) == 2, 20, "the next slot")
        wait_until(lambda: all(status == "OPEN" and "settlectl restart 2" in reason and "the auditors are in" in reason
                               for _, status, reason, _ in database.slots()), 20, "the reason of both slots")
        database.let_turn()
        assert [row[0] for row in database.runs()] == ["COMPLETED", "FAILED"]
        database.allow()
        database.settlectl("restart", "2", "--wait").expect(0)
        database.wait_slots(_05="DONE", _06="DONE")
        assert database.closed_days() == list(LOGS)
        database.verify()


@test("a day that a person stopped blocks the slots, too, until that person wants it to go on")
def _():
    with Scheduled() as database:
        database.begin()
        with database.hold(LOGS[0]) as held:
            database.clock.set("2021-06-05 00:10:00")
            held.wait_wanted()
            database.settlectl("stop", "1").expect(0)
        wait_until(lambda: "settlectl restart 1" in str(database.slots()), 20, "a reason")
        database.let_turn()
        assert database.runs() == [("STOPPED", "SLOT", "PERSON", 0, False)]
        database.settlectl("restart", "1", "--wait").expect(0)
        database.wait_slots(_05="DONE")
        assert database.closed_days() == list(LOGS)
        database.verify()


@test("two daemons decide a slot once, and settle each day once")
def _():
    with Scheduled(ttl_s=10) as database:
        for _ in range(2):
            database.begin()
        for day in ("05", "06", "07"):
            database.clock.set(f"2021-06-{day} 00:10:00")
            wait_until(lambda day=day: database.statuses().get(f"2021-06-{day}") == "DONE", 20, "the slot")
        assert database.closed_days() == list(LOGS) and len(database.runs()) == 3
        database.verify()


@test("a daemon that is killed at every slot of a fortnight: no slot and no day is lost or done twice")
def _():
    days = [str(day) for day in lib.days_from("2021-06-04", 14)]
    with Scheduled(days=days) as database:
        database.begin().kill()
        for number, day in enumerate(days[1:] + ["2021-06-18"]):
            database.clock.set(f"{day} 00:10:00")
            running = database.daemon()
            if number % 2:
                wait_until(lambda day=day: day in database.statuses(), 20, "the slot")
            else:
                wait_until(lambda number=number: len(database.runs()) > number, 20, "an execution")
            running.kill()
        database.daemon()
        wait_until(lambda: set(database.statuses().values()) == {"DONE"} and len(database.closed_days()) == len(days), 60,
                   f"the end of all slots: {database.slots()}")
        assert list(database.statuses()) == days[1:] + ["2021-06-18"] and database.closed_days() == days
        database.verify()


@test("a schedule that is changed, disabled and enabled again while the daemon runs is followed from then on")
def _():
    with Scheduled(enabled="false") as database:
        running = database.begin()

        def reload(condition, *arguments, **options):
            database.configure(**options)
            running.signal(signal.SIGHUP)
            wait_until(lambda: database.value("SELECT COUNT(*) FROM job_schedule WHERE job_name = %s AND " + condition, JOB,
                                              *arguments), 20, condition)

        database.clock.set("2021-06-05 00:10:00")
        database.let_turn()
        assert not database.slots()
        reload("enabled", enabled="true")
        database.let_turn()
        assert not database.slots(), "what was due while the job was disabled is not made up for"
        reload("cron = '30 0 * * *'", cron="30 0 * * *")
        database.clock.set("2021-06-05 00:30:00")
        database.wait_slots(_05="DONE")
        assert database.closed_days() == list(LOGS)
        reload("timezone = 'America/New_York'", timezone="America/New_York")
        assert database.value("SELECT next_slot_at FROM job_schedule WHERE job_name = %s", JOB) == local("2021-06-05 04:30:00")
        database.verify()


@test("a job that the configuration does not name is not run by the clock; one that this version lacks is left alone, loudly")
def _():
    with Scheduled() as database:
        path = Path(database.configuration)
        path.write_text(path.read_text(encoding="utf-8").replace(f'name = "{JOB}"', 'name = "nightly"'), encoding="utf-8")
        running = database.begin()
        running.wait_event("job-unknown", level="warn", job="nightly")
        database.clock.set("2021-06-05 00:10:00")
        database.let_turn()
        assert not database.slots() and not database.runs()
        assert database.rows("SELECT enabled FROM job_schedule WHERE job_name = %s", JOB) == [(0,)]
        assert not database.value("SELECT COUNT(*) FROM job_schedule WHERE job_name = 'nightly'")


@test("the built-in purge removes old job metadata when it is due, and neither money nor the last success")
def _():
    with Scheduled(housekeeping="true", purge_cron="30 0 * * *") as database:
        database.begin()
        database.clock.set("2021-06-05 00:10:00")
        database.wait_slots(_05="DONE")
        before = database.dump()
        database.execute("UPDATE BATCH_JOB_EXECUTION SET CREATE_TIME = '2020-01-01', START_TIME = '2020-01-01',"
                         " END_TIME = '2020-01-01', LAST_UPDATED = '2020-01-01'")
        database.clock.set("2021-06-05 00:30:00")
        wait_until(lambda: database.statuses("purge") == {"2021-06-05": "DONE"}, 20, "the purge")
        assert database.rows("SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION") == [(3,)]
        assert database.dump() == before


if __name__ == "__main__":
    seams.main(suite)
