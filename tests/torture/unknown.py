"""COMMITs of which nobody knows whether they were carried out."""

import proxy
from kills import finish_day
from proxy import Proxy
from scenario import Scenario

RUN_S = 60


def count_commits(case):
    """How many COMMITs an undisturbed run of the small job makes, as the proxy sees them; counted once."""
    base = case.lane.ground
    with base.counting:
        if "commits" not in base.calls:
            stage = case.begin()
            watcher = Proxy(f"{stage.directory}/proxy", stage.host.socket)
            try:
                stage.run(stage.days[0], socket=watcher.path).expect(0)
            finally:
                watcher.close()
            base.calls["commits"] = watcher.commits
    return base.calls["commits"]


def plan_of(case, count):
    """Every second case is one COMMIT, each of them each way in turn; the others lose many at once."""
    if case.number % 2 == 0:
        number, way = divmod(case.number // 2, len(proxy.WAYS))
        return {number % count + 1: proxy.WAYS[way]}
    chance = case.random.choice((0.02, 0.1, 0.3))
    return {number: case.random.choice(proxy.WAYS) for number in range(1, 3 * count) if case.random.random() < chance}


def unknown_commit(case):
    """COMMITs whose request is lost, whose reply is lost, or comes late: each of a small job, each way."""
    plan = plan_of(case, count_commits(case))
    stage = case.begin()
    day = stage.days[0]
    between = Proxy(f"{stage.directory}/proxy", stage.host.socket, delay_s=case.random.choice((0.2, 1.2, 2.5)))
    between.plan = plan
    try:
        for _ in range(4):
            process = stage.run(day, socket=between.path)
            if process.wait(RUN_S) == 0:
                break
            stage.claim(process)
            between.plan = {}       # a loss at every turn would never end
        stage.claim(process)
    finally:
        between.close()
    for number, what in between.done:
        case.fault(f"COMMIT {number}: {what}")
    stage.calm()
    if day not in stage.closed():
        finish_day(stage, day)
    case.finish()


SCENARIOS = [
    Scenario("unknown-commits", unknown_commit, "COMMITs", full=1000, short=30, weight=2, crowd=3, world="tiny"),
]
