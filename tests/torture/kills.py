"""Processes that are killed: at random moments, and at every single database call."""

import signal

import faults
import lib
from scenario import Scenario

DAY_S = 60
ALL = 10**9     # as many as there are


def settle_with_kills(case, stage, day, kills):
    """Starts the day again and again and kills it at some chunk, at most so often; then lets it end."""
    for _ in range(kills):
        process = stage.run(day)
        wait_for_chunks(case, stage, process, stage.chunks() + case.random.randrange(0, 40))
        if process.ended():
            break
        process.child.kill()
        process.child.wait()
        case.fault(f"{process.user} killed after {stage.chunks()} chunks")
        if case.random.random() < 0.3:
            stage.calm()
            case.look()
    if day not in stage.closed():
        finish_day(stage, day)


def wait_for_chunks(case, stage, process, chunks):
    """Until there are so many chunks; or a moment more, so that it is not always just after a commit."""
    if case.random.random() < 0.2:
        case.lane.sleep(case.random.random() * 0.5)
        return
    lib.wait_until(lambda: process.ended() or stage.chunks() >= chunks, DAY_S, f"I6: {chunks} chunks")
    case.lane.sleep(case.random.random() * 0.01)


def finish_day(stage, day):
    process = stage.run(day)
    code = stage.claim(process)
    assert code == 0, f"I6: {process.user} ended with {code} when nothing disturbed it:\n{process.output}"


def kill_runs(case):
    """`settlementd run`, killed up to five times a day."""
    stage = case.begin()
    for day in stage.days:
        settle_with_kills(case, stage, day, case.random.randrange(1, 6))
    case.finish()


def kill_daemons(case):
    """The daemon, killed and started again while it works off a backfill."""
    stage = case.begin()
    first = stage.guard()
    asked = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
    guards = [first]
    for _ in range(case.random.randrange(2, 7)):
        wait_for_chunks(case, stage, asked, stage.chunks() + case.random.randrange(0, 80))
        if asked.ended():
            break
        if len(guards) < 2 and case.random.random() < 0.4:
            guards.append(stage.guard())
        victim = guards.pop(case.random.randrange(len(guards)))
        victim.kill()
        case.fault(f"daemon {victim.user} killed after {stage.chunks()} chunks")
        if not guards:
            guards.append(stage.guard())
    finish_request(case, stage, asked)


def finish_request(case, stage, asked, timeout_s=DAY_S):
    """Waits for `settlectl --wait`; what it says must be so."""
    code = asked.wait(timeout_s)
    case.expect(code == 0, "I6", f"the request ended with {code}: {asked.output}")
    if code == 0:
        stage.claims.extend((day, "settlectl --wait ended with 0") for day in stage.days)
    case.finish()


def random_kill(case):
    """Programs that run, and daemons, are killed at random moments of larger days, and start again."""
    (kill_daemons if case.number % 2 else kill_runs)(case)


def kill_point(case):
    """A small job is killed at each of its database calls: before it, after it was sent, after its reply."""
    point = faults.point_of(case, "db")
    if point is None:
        return False
    number, when = point
    stage = case.begin()
    day = stage.days[0]
    first = stage.run(day, environment=faults.rule("db", number, when, "kill"))
    settle_after(case, stage, first, f"call {number} {when}")
    if day not in stage.closed() and case.random.random() < 0.15:
        again = case.random.randrange(1, faults.count_calls(case)["db"])
        second = stage.run(day, environment=faults.rule("db", again, case.random.choice(faults.WHEN), "kill"))
        settle_after(case, stage, second, f"call {again} of the process that went on")
    if day not in stage.closed():
        finish_day(stage, day)
    case.finish()
    return True


def settle_after(case, stage, process, where):
    """The end of a process that was to be killed; whether it was depends on how many calls it made."""
    if stage.claim(process) == -signal.SIGKILL:
        case.fault(f"{process.user} killed at {where}")
        stage.calm()
        case.look()


def count_daemon(case, world, path):
    """A daemon that finds a request, works it off and is stopped."""
    stage = case.begin(world)
    stage.ask_by_row(stage.days[0])
    guard = stage.guard(environment={faults.COUNTS: path})
    wait_for_request(stage)
    guard.stop()


def wait_for_request(stage, meanwhile=lambda: False):
    lib.wait_until(lambda: meanwhile() or stage.request()[0] not in ("PENDING", "ACCEPTED"), DAY_S,
                   "I6: the end of the request")


def daemon_point(case):
    """A daemon that works off a request is killed at each of its database calls, the idle ones and the last included."""
    point = faults.point_of(case, "db", count_daemon)
    if point is None:
        return False
    number, when = point
    stage = case.begin()
    stage.ask_by_row(stage.days[0])
    guard = stage.guard(ready=False, environment=faults.rule("db", number, when, "kill"))
    wait_for_request(stage, guard.ended)
    if not guard.ended():
        guard.signal(signal.SIGTERM)
    if guard.wait(DAY_S) == -signal.SIGKILL:
        case.fault(f"{guard.user} killed at call {number} {when}")
        stage.calm()
        case.look()
    other = stage.guard()
    wait_for_request(stage)
    status, answer, *_ = stage.request()
    case.expect(status == "COMPLETED", "I6", f"the request ended as {status}: {answer}")
    if status == "COMPLETED":
        stage.claims.append((stage.days[0], "the request is COMPLETED"))
    other.stop()
    case.finish()
    return True


SCENARIOS = [
    Scenario("daemon-points", daemon_point, "SIGKILLs", full=ALL, short=20, weight=3, crowd=6, world="tiny"),
    Scenario("kill-points", kill_point, "SIGKILLs", full=ALL, short=30, weight=3, crowd=6, world="tiny"),
    Scenario("random-kills", random_kill, "SIGKILLs", full=2000, short=16, weight=3, crowd=4, world="larger"),
]
