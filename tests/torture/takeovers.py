"""Processes that freeze for longer than their lease while others take their work over, and that wake up then."""

import signal

import faults
import lib
from kills import DAY_S, finish_day, finish_request
from scenario import Scenario

# What a process that has lost its work must leave alone; its own lease it may renew.
OTHERS_SQL = {
    "executions": "SELECT JOB_EXECUTION_ID, VERSION, STATUS, EXIT_CODE FROM BATCH_JOB_EXECUTION ORDER BY 1",
    "steps": "SELECT STEP_EXECUTION_ID, VERSION, STATUS, COMMIT_COUNT FROM BATCH_STEP_EXECUTION ORDER BY 1",
    "partitions": "SELECT partition_id, epoch, status, chunk_count, checkpoint_key FROM step_partition ORDER BY 1",
    "closed": "SELECT * FROM day_close ORDER BY 1",
    "settlement": "SELECT * FROM settlement ORDER BY 1, 2",
    "statistics": "SELECT * FROM content_statistics ORDER BY 1, 2, 3",
}

LOST = "the connection to the database was lost"
FROZEN_S = (2.2, 2.5, 3.5)      # beyond the lease
OF_NODE_SQL = "SELECT new_node FROM torture_audit WHERE what = 'node' AND who = %s"
# What a node has; and what was taken from it: another one has a partition that it had, or ended its execution.
HAS_SQL = "SELECT partition_id, epoch FROM step_partition WHERE node_id = %s AND status = 'STARTED'"
RUNS_SQL = """SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e JOIN job_execution_owner o
    ON o.job_execution_id = e.JOB_EXECUTION_ID WHERE o.node_id = %s AND e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')"""


class Belongings:
    """What a process has at the moment at which it stands still."""

    def __init__(self, stage, process):
        self.stage = stage
        node = stage.value(OF_NODE_SQL, process.user)
        self.epochs = dict(stage.rows(HAS_SQL, node))
        self.executions = [row[0] for row in stage.rows(RUNS_SQL, node)]

    def were_taken(self):
        """Whether somebody has put an end to its execution, or a new epoch to one of its partitions."""
        ended = [row[0] for row in self.stage.rows(
            "SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION WHERE STATUS NOT IN ('STARTING', 'STARTED', 'STOPPING')")]
        epochs = dict(self.stage.rows("SELECT partition_id, epoch FROM step_partition"))
        return any(execution in ended for execution in self.executions) or \
            any(epochs[part] > epoch for part, epoch in self.epochs.items())


def picture(stage):
    return {name: stage.rows(sql) for name, sql in OTHERS_SQL.items()}


def frozen_run(case):
    """A run stops itself at a database call; another one finishes the day; the first one wakes up."""
    number = case.random.randrange(1, faults.count_calls(case)["db"] + 1)
    stage = case.begin("tiny")
    day = stage.days[0]
    first = stage.run(day, environment=faults.rule("db", number, case.random.choice(faults.WHEN), "stop"))
    lib.wait_until(lambda: first.ended() or first.stopped(), DAY_S, "I6: the process to stop or to end")
    if first.ended():
        stage.claim(first)
        if day not in stage.closed():
            finish_day(stage, day)
        case.finish()
        return
    had = Belongings(stage, first)
    had_begun = bool(stage.value("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE STATUS IN ('STARTING', 'STARTED')"))
    second = stage.run(day)
    whole = case.random.random() < 0.6
    chunks = stage.chunks() + case.random.randrange(1, 20)
    lib.wait_until(lambda: second.ended() or (not whole and stage.chunks() >= chunks), DAY_S, "I6: the takeover")
    count(case, had, f"{first.user} stopped at call {number}, woken {'after' if second.ended() else 'before'} the end of "
                     f"{second.user}")
    if second.ended():
        code = stage.claim(second)
        assert code == 0, f"I6: {second.user} ended with {code} when it took over:\n{second.output}"
    before = picture(stage) if second.ended() else None
    first.signal(signal.SIGCONT)
    code = stage.claim(first)
    stage.claim(second)
    if before is not None:
        after = picture(stage)
        changed = [name for name, rows in before.items() if rows != after[name]]
        case.expect(not changed, "I4", f"{first.user} woke up and changed {', '.join(changed)}")
        case.expect(code != 0 or not had_begun, "I7", f"{first.user} was taken over and ended with 0:\n{first.output}")
        # Who stood still in its launch has lost its session meanwhile, and says that.
        case.expect(code == 0 or had_begun or LOST in first.output, "I6",
                    f"the day is closed, and {first.user} ended with {code}:\n{first.output}")
    if day not in stage.closed():
        finish_day(stage, day)
    case.finish()


def count(case, had, text):
    """Counts a stop after which something was taken over."""
    taken = had.were_taken()
    case.figure("stops", 1)
    if taken:
        case.fault(text)
    else:
        case.tell(f"{text}; nothing was taken over")


def frozen_daemons(case):
    """Two to four daemons and perhaps a run; one after the other is stopped beyond its lease while the others work."""
    stage = case.begin("small", partition_items=20)
    guards = [stage.guard() for _ in range(case.random.randrange(2, 5))]
    asked = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
    rival = stage.run(stage.days[0]) if case.random.random() < 0.3 else None     # waits, or takes over, or finds it closed
    frozen = []
    for _ in range(case.random.randrange(1, 4)):
        wait_for_progress(case, stage, asked)
        if asked.ended():
            break
        freeze_one(case, stage, guards, frozen)
    case.lane.sleep(case.random.random())
    for guard in frozen:
        guard.signal(signal.SIGCONT)
    if rival is not None:
        rival.wait(DAY_S)
        stage.claim(rival)
    finish_request(case, stage, asked)


def freeze_one(case, stage, guards, frozen):
    """Stops another one beyond its lease; one that is stopped may wake up, and must when nobody else would be left."""
    if frozen and (len(frozen) + 1 == len(guards) or case.random.random() < 0.7):
        frozen.pop().signal(signal.SIGCONT)
    victim = choose(case, stage, [guard for guard in guards if guard not in frozen])
    victim.signal(signal.SIGSTOP)
    lib.wait_until(lambda: victim.stopped(), DAY_S, "I6: a daemon to stand still")
    frozen.append(victim)
    had = Belongings(stage, victim)
    chunks = stage.chunks()
    case.lane.sleep(case.random.choice(FROZEN_S))
    count(case, had, f"{victim.user} stopped after {chunks} chunks")


def wait_for_progress(case, stage, asked):
    chunks = stage.chunks() + case.random.randrange(0, 120)
    lib.wait_until(lambda: asked.ended() or stage.chunks() >= chunks, DAY_S, f"I6: {chunks} chunks")
    case.lane.sleep(case.random.random() * 0.005)


def choose(case, stage, guards):
    """Mostly whoever has work just now: the owner of an execution, or of a partition."""
    rows = stage.rows("""SELECT n.pid FROM BATCH_JOB_EXECUTION e
        JOIN job_execution_owner o ON o.job_execution_id = e.JOB_EXECUTION_ID JOIN node n ON n.node_id = o.node_id
        WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING')
        UNION ALL SELECT n.pid FROM step_partition p JOIN node n ON n.node_id = p.node_id WHERE p.status = 'STARTED'""")
    busy = [guard for guard in guards if guard.child.pid in {row[0] for row in rows}]
    return case.random.choice(busy or guards)


def takeover(case):
    """Processes are frozen beyond their lease, others take over, and they wake up to find the epoch gone."""
    (frozen_daemons if case.number % 3 == 0 else frozen_run)(case)


SCENARIOS = [
    Scenario("takeovers", takeover, "SIGSTOPs with a takeover", full=500, short=12, weight=3, crowd=8, world="small"),
]
