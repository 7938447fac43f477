"""A daemon that helps with an execution of another one: killed or frozen at every database call, with errors at random
ones, drained meanwhile. The one that runs the execution is left alone, and must bring it to its end."""

import signal

import faults
import lib
from kills import ALL, DAY_S, wait_for_request
from scenario import Scenario

SLOW_MS = 3         # which the owner takes longer for each call, so that there is something to help with
FROZEN_S = 2.5      # beyond the lease
STOP_S = 30
PERMILLE = (2, 5, 10, 20)


def begin(case):
    """A daemon whose execution has begun."""
    stage = case.begin("spread")
    stage.ask_by_row(stage.days[0])
    owner = stage.guard(environment={faults.SEAM: f"db:*:before:stall={SLOW_MS}"})
    lib.wait_until(lambda: stage.value("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE STATUS = 'STARTED'"), DAY_S,
                   "I6: an execution")
    return stage, owner


def finish(case, stage, owner, helper):
    """What befell the helper must not cost the owner its execution."""
    wait_for_request(stage)
    status, answer, *_ = stage.request()
    case.expect(status == "COMPLETED", "I6", f"what befell a helper ended the request as {status}: {answer}")
    if status == "COMPLETED":
        stage.claims.append((stage.days[0], "the request is COMPLETED"))
    executions = stage.rows("SELECT JOB_EXECUTION_ID, STATUS FROM BATCH_JOB_EXECUTION")
    case.expect(len(executions) == 1, "I6", f"what befell a helper cost an execution: {executions}")
    case.figure("chunks of helpers", helped(stage, helper))
    owner.stop(timeout_s=STOP_S)
    case.finish()


def helped(stage, helper):
    """How many chunks the helper has committed."""
    return int(stage.value("SELECT COUNT(*) FROM torture_audit WHERE what = 'partition' AND new_chunks > old_chunks"
                           " AND who = %s", helper.user))


def count_helper(case, world, path):
    """A helper that nobody disturbs, from its start to its end."""
    del world
    stage, _ = begin(case)
    helper = stage.guard(environment={faults.COUNTS: path})
    wait_for_request(stage)
    helper.stop()
    assert helped(stage, helper), "nothing was left for a helper"


def helper_point(case):
    """A daemon that helps is killed, or frozen beyond its lease, at each of its database calls."""
    point = faults.point_of(case, "db", count_helper)
    if point is None:
        return False
    number, when = point
    action = case.random.choice(("kill", "kill", "stop"))
    stage, owner = begin(case)
    helper = stage.guard(ready=False, environment=faults.rule("db", number, when, action))
    wait_for_request(stage, lambda: helper.ended() or helper.stopped())
    if not helper.ended() and not helper.stopped():
        helper.signal(signal.SIGTERM)
        lib.wait_until(lambda: helper.ended() or helper.stopped(), DAY_S, "I6: the end of the helper")
    if helper.ended():
        if helper.wait() == -signal.SIGKILL:
            case.fault(f"{helper.user} killed at call {number} {when}")
    else:
        freeze(case, helper)
    finish(case, stage, owner, helper)
    helper.wait()
    return True


def freeze(case, helper):
    """It has stopped itself, and is woken when its lease is over; it may be at work again, or told to end by then."""
    case.fault(f"{helper.user} stopped itself")
    case.lane.sleep(FROZEN_S)
    case.look()
    helper.signal(signal.SIGCONT)
    case.lane.sleep(case.random.random() * 0.2)
    helper.signal(signal.SIGTERM)
    code = helper.wait(STOP_S)
    case.expect(code == 0, "I6", f"the helper, woken up and told to end, ended with {code}:\n{helper.output}")


def helper_errors(case):
    """A daemon that helps meets deadlocks, lock waits, conflicts and lost connections at random calls, and is drained."""
    stage, owner = begin(case)
    path = f"{stage.directory}/counts{case.number}"
    seed, permille = case.random.randrange(2**31), case.random.choice(PERMILLE)
    helper = stage.guard(ready=False, environment={faults.SEAM: f"random:{seed}:{permille}", faults.COUNTS: path})
    case.tell(f"{helper.user}: random:{seed}:{permille}")
    if case.random.random() < 0.4:
        drain(case, stage, helper)
    wait_for_request(stage)
    if not helper.ended():
        helper.signal(signal.SIGTERM)
    code = helper.wait(STOP_S)
    case.expect(code in (0, 1), "I6", f"the helper ended with {code}:\n{helper.output}")
    fired = faults.fired(path)
    case.fault(f"{fired} errors", fired)
    finish(case, stage, owner, helper)


def drain(case, stage, helper):
    """It gives back what it has, whatever it meets."""
    find = "SELECT node_id FROM node WHERE pid = %s"
    lib.wait_until(lambda: helper.ended() or stage.value(find, helper.child.pid), DAY_S, "I6: the helper's node")
    node = stage.value(find, helper.child.pid)
    case.lane.sleep(case.random.random() * 0.5)
    if node is None or helper.ended():
        return
    done = stage.settlectl("drain", node, "--wait")
    code = done.wait(DAY_S)
    case.tell(f"{helper.user} drained: {code}")
    left = stage.value("SELECT COUNT(*) FROM step_partition WHERE node_id = %s AND status = 'STARTED'", node)
    case.expect(code != 0 or left == 0, "I7", f"the helper is drained, and {left} partitions are marked as its own")
    case.expect(code == 0 or helper.ended(), "I6", f"settlectl drain --wait ended with {code}: {done.output}")


SCENARIOS = [
    Scenario("helper-points", helper_point, "SIGKILLs and SIGSTOPs", full=ALL, short=16, weight=3, crowd=6, world="spread"),
    Scenario("helper-errors", helper_errors, "errors", full=1000, short=20, weight=2, crowd=6, world="spread"),
]
