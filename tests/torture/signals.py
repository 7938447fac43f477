"""Signals in every state, and a clock that jumps."""

import datetime
import os
import signal
from pathlib import Path

import faults
import lib
from kills import DAY_S, finish_request
from scenario import Scenario

STOP_S = 30
SUMMER = ("2027-03-28 00:59:57", "2027-10-31 00:59:57")     # UTC; Berlin changes its clock three seconds later
# For each schedule so far that the slots in between are some thousands at most: each gets a row.
JUMPS = {"* * * * *": (1, 60, 3600, 86400, -1, -60, -3600, -7200),
         "0 * * * *": (1, 60, 3600, 86400, 30 * 86400, -1, -60, -3600, -7200),
         "30 2 * * *": (1, 60, 3600, 86400, 30 * 86400, 400 * 86400, -1, -60, -3600, -86400)}
BAD = ("workers: { threads = \"many\"; };\n", "nonsense", "", "timezone = \"Mars/Olympus\";\n")


def descriptors(process):
    return len(os.listdir(f"/proc/{process.child.pid}/fd"))


def replace(path, text):
    Path(path + ".new").write_text(text, encoding="utf-8")
    os.rename(path + ".new", path)


def hup_storm(case):
    """SIGHUPs by the hundred, with good and bad files, while a backfill runs."""
    stage = case.begin()
    guard = stage.guard()
    path = os.path.join(stage.directory, f"{guard.user}.conf")
    good = Path(path).read_text(encoding="utf-8")
    idle = descriptors(guard)
    asked = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
    count = 0
    while not asked.ended():
        replace(path, good if case.random.random() < 0.5 else case.random.choice(BAD))
        for _ in range(case.random.randrange(1, 10)):
            guard.signal(signal.SIGHUP)
            count += 1
        case.lane.sleep(case.random.random() * 0.01)
        assert not guard.ended(), f"I6: the daemon ended with {guard.wait()}:\n{guard.output}"
    case.fault(f"{count} SIGHUPs", count)
    replace(path, good)
    guard.signal(signal.SIGHUP)
    finish = asked.wait(DAY_S)
    case.expect(finish == 0, "I6", f"the request ended with {finish}: {asked.output}")
    lib.wait_until(lambda: descriptors(guard) <= idle, 20,
                   f"I6: {descriptors(guard)} descriptors to be {idle} again")
    guard.stop(timeout_s=STOP_S)
    finish_request(case, stage, asked)


def terminate(case):
    """SIGTERM at random moments, once or twice: the daemon ends with 0, and the next one goes on."""
    stage = case.begin()
    guard = stage.guard(ready=case.random.random() < 0.8)
    asked = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
    for _ in range(case.random.randrange(2, 5)):
        if case.random.random() < 0.8:
            chunks = stage.chunks() + case.random.randrange(0, 100)
            lib.wait_until(lambda goal=chunks: asked.ended() or stage.chunks() >= goal, DAY_S, f"I6: {chunks} chunks")
        if asked.ended():
            break
        early = not guard.output
        guard.signal(signal.SIGTERM)
        case.fault("SIGTERM")
        if case.random.random() < 0.4:
            case.lane.sleep(case.random.random() * 0.05)
            guard.signal(signal.SIGTERM)
            case.fault("a second one")
        expect_end(case, guard, early)
        left = stage.value("SELECT COUNT(*) FROM step_partition WHERE status = 'STARTED'")
        case.expect(left == 0, "I7", f"{left} partitions are STARTED after the daemon has ended with 0")
        left = stage.value("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE STATUS IN ('STARTING', 'STARTED', 'STOPPING')")
        case.expect(left == 0, "I7", f"{left} executions are marked as running after the daemon has ended with 0")
        case.look()
        guard = stage.guard(ready=False)
    finish_request(case, stage, asked)


def expect_end(case, guard, early):
    """One that has not come so far as to handle signals is ended by them."""
    code = guard.wait(STOP_S)
    case.expect(code == 0 or (early and code == -signal.SIGTERM), "I6",
                f"SIGTERM ended the daemon with {code}:\n{guard.output[-2000:]}")


def terminate_waiting(case):
    """SIGTERM while the daemon waits for its database, or is idle, or just starts."""
    stage = case.begin()
    away = stage.guard(ready=False, socket=f"{stage.directory}/nobody")
    idle = stage.guard()
    early = stage.guard(ready=False)
    case.lane.sleep(case.random.random() * 0.1)
    for guard in (early, idle, away):
        guard.signal(signal.SIGTERM)
        case.fault("SIGTERM")
    for guard in (early, idle, away):
        expect_end(case, guard, guard is not idle)
    stage.guard()
    finish_request(case, stage, stage.ask_backfill(stage.days[0], stage.days[-1], "--wait"))


def terminate_run(case):
    """SIGTERM for a run that stops itself for a moment first, at any database call."""
    number = case.random.randrange(1, faults.count_calls(case)["db"] + 1)
    stage = case.begin("tiny")
    day = stage.days[0]
    process = stage.run(day, environment=faults.rule("db", number, "before", "stall=150"))
    case.lane.sleep(0.05 + case.random.random() * 0.4)
    process.signal(signal.SIGTERM)
    case.fault("SIGTERM")
    if case.random.random() < 0.3:
        process.signal(signal.SIGTERM)
    code = process.wait(STOP_S)
    stage.claim(process)
    case.expect(code in (0, 1, -signal.SIGTERM), "I7", f"the run ended with {code}:\n{process.output}")
    stage.calm()
    case.look()
    if day not in stage.closed():
        code = stage.claim(stage.run(day))
        case.expect(code == 0, "I6", f"the next run ended with {code}")
    case.finish()


class Clock:
    """The schedules' clock, ahead of the database's by what is in a file."""

    def __init__(self, stage):
        self.stage = stage
        self.path = os.path.join(stage.directory, "clock")
        self.shift_s = 0
        self.set(0)

    def set(self, seconds):
        self.shift_s = seconds
        replace(self.path, str(int(seconds * 1000000)))

    def go_to(self, text):
        real = self.stage.value("SELECT NOW(6)")
        self.set((datetime.datetime.fromisoformat(text) - real).total_seconds())


def clock_jumps(case):
    """The clock jumps, also over changes to and from summer time, while days are scheduled and settled."""
    cron = case.random.choice(tuple(JUMPS))
    stage = case.begin(enabled="true", cron=cron, timezone="Europe/Berlin", misfire="once")
    clock = Clock(stage)
    clock.go_to(case.random.choice(SUMMER))
    guards = [stage.guard(clock=clock) for _ in range(2)]
    lib.wait_until(lambda: stage.value("SELECT COUNT(*) FROM job_schedule"), 20, "I6: the schedule")
    for _ in range(case.random.randrange(3, 8)):
        case.lane.sleep(case.random.random() * 0.6)
        jump = case.random.choice(JUMPS[cron])
        clock.set(clock.shift_s + jump)
        case.fault(f"the clock jumped by {jump} s")
    clock.set(clock.shift_s + 3 * 86400)
    for day in stage.days:
        lib.wait_until(lambda day=day: day in stage.closed(), DAY_S, f"I6: {day} to be settled by the schedule")
    stage.claims.extend((day, "its slot") for day in stage.days)
    lib.wait_until(lambda: stage.value("SELECT COUNT(*) FROM schedule_slot WHERE job_name = %s AND status = 'DONE'", lib.JOB),
                   DAY_S, "I6: a slot that is DONE")
    for guard in guards:
        guard.stop(timeout_s=STOP_S)
    case.finish()


KINDS = (hup_storm, terminate, terminate_run, clock_jumps, terminate, terminate_run, terminate_waiting)


def signals(case):
    """SIGHUP storms with good and bad files, SIGTERM in every state, clocks that jump."""
    KINDS[case.number % len(KINDS)](case)


SCENARIOS = [
    Scenario("signals", signals, "signals and jumps", counts="cases", full=210, short=7, weight=2, crowd=3, world="small"),
]
