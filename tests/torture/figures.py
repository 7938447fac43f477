"""What is measured: deadlocks among our own writers, and how soon work goes on."""

import time

import lib
from kills import DAY_S, finish_request
from scenario import Scenario

LEASE_S = 2             # of stage.BASE
AFTER_KILL_S = LEASE_S + 5
AFTER_SERVER_S = 30
SMALL_WAIT_S = 0.002


def deadlocks(case):
    """Eight workers in four daemons, chunks of one content, nobody else: no deadlock, no lock wait."""
    stage = case.begin()
    stage.guards = [stage.guard(threads=8) for _ in range(4)]
    before = innodb_deadlocks(stage)
    asked = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
    code = asked.wait(10 * DAY_S)
    case.expect(code == 0, "I6", f"the request ended with {code}: {asked.output}")
    chunks, deadlocked, waited = (int(value) for value in stage.rows(
        "SELECT SUM(chunk_count), SUM(deadlock_count), SUM(lock_wait_count) FROM step_partition")[0])
    server = innodb_deadlocks(stage) - before
    case.fault(f"{chunks} chunks", chunks)
    case.figure("deadlocks", deadlocked + server)
    case.figure("lock waits", waited)
    case.expect(deadlocked + server == 0, "deadlock", f"{deadlocked} chunks met a deadlock, the server counts {server}")
    case.expect(waited == 0, "deadlock", f"{waited} chunks waited too long for a lock")
    finish_request(case, stage, asked)


def innodb_deadlocks(stage):
    return int(stage.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])


def recovery(case):
    """How soon the next chunk is committed after the working daemon was killed, and after the server is back."""
    stage = case.begin(chunk_size=1)
    guards = [stage.guard() for _ in range(2)]
    asked = stage.ask_backfill(stage.days[0], stage.days[-1])
    asked.expect(0)
    chunks = stage.chunks() + case.random.randrange(20, 120)
    lib.wait_until(lambda: stage.chunks() >= chunks, DAY_S, f"I6: {chunks} chunks")
    if case.number % 2:
        stage.host.kill()
        case.lane.sleep(case.random.random() * 5)
        stage.host.start()
        stage.reconnect()
        measure(case, stage, "s until a chunk after the server is back", AFTER_SERVER_S)
    else:
        kill_owner(case, stage, guards)
    for day in stage.days:
        lib.wait_until(lambda day=day: day in stage.closed(), DAY_S, f"I6: {day} to be closed")
    case.finish()


def kill_owner(case, stage, guards):
    """Kills the daemon whose execution runs. Others that help may commit chunks all the while, so what counts is the first
    chunk after the execution was found to be dead and the next one has begun."""
    rows = stage.rows("""SELECT n.pid, e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e JOIN job_execution_owner o
        ON o.job_execution_id = e.JOB_EXECUTION_ID JOIN node n ON n.node_id = o.node_id
        WHERE e.STATUS IN ('STARTING', 'STARTED')""")
    if not rows:
        return      # between two days
    pid, execution = rows[0]
    next(guard for guard in guards if guard.child.pid == pid).kill()
    began = time.monotonic()
    lib.wait_until(lambda: stage.value("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID > %s"
                                       " AND STATUS <> 'STARTING'", execution), AFTER_KILL_S, f"I6: one after {execution}")
    here = stage.chunks()
    lib.wait_until(lambda: stage.chunks() > here or is_done(stage), AFTER_KILL_S, "I6: a chunk of it")
    if stage.chunks() <= here:
        return      # nothing was left but the end of the last day
    case.figure("s until a killed daemon's execution goes on", time.monotonic() - began)
    case.fault("measured after a daemon was killed")
    case.expect(time.monotonic() - began <= AFTER_KILL_S * lib.FACTOR, "I6", "work went on too late")


def is_done(stage):
    return set(stage.days) <= stage.closed()


def measure(case, stage, what, limit_s):
    """Only what others commit counts: chunks that were under way are there by then."""
    began = time.monotonic()
    time.sleep(SMALL_WAIT_S)
    here = stage.chunks()
    lib.wait_until(lambda: stage.chunks() > here or is_done(stage), limit_s, f"I6: {what}")
    if stage.chunks() <= here:
        return      # the last day was done
    case.figure(what, time.monotonic() - began)
    case.fault("measured after the server was killed")


SCENARIOS = [
    Scenario("deadlocks", deadlocks, "chunks", full=10000, short=1, weight=1, world="wide", own_server=True),
    Scenario("recovery", recovery, "recoveries", full=100, short=4, weight=1, crowd=2, world="larger", own_server=True),
]
