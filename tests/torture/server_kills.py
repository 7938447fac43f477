"""The database server is killed: at random moments, around a COMMIT, and again while it recovers."""

import threading
import time

from kills import DAY_S, finish_day, finish_request
from proxy import Proxy
from scenario import Scenario

BACK_S = 90
RECONNECT_S = 20        # how long a run seeks its server: longer than any pause here


class Killer:
    """Kills the server and has it up again after a while, in a thread of its own."""

    def __init__(self, case, server):
        self.case = case
        self.server = server
        self.kills = 0
        self.during_recovery = 0
        self.lock = threading.Lock()        # held while the server is not there

    def strike(self):
        """Kills it now; False when it is being started again just now."""
        if not self.lock.acquire(blocking=False):
            return False
        self.server.kill()
        self.kills += 1
        threading.Thread(target=self.bring_back, daemon=True).start()
        return True

    def bring_back(self):
        try:
            time.sleep(self.case.random.random() * 0.2)
            while self.case.random.random() < 0.3:
                self.server.launch()
                time.sleep(self.case.random.random() * 0.25)
                self.during_recovery += not self.server.answers()
                self.server.kill()
                self.kills += 1
            self.server.start()
        finally:
            self.lock.release()

    def wait(self):
        assert self.lock.acquire(timeout=BACK_S), "I6: the server did not come back"
        self.lock.release()
        assert self.server.answers(), "I6: the server did not come back"


def around_commit(killer, pause_s):
    """What a COMMIT meets: the server dies before it gets it, while it is at it, or after it has replied."""
    def before(_session, _packet):
        killer.strike()
        return False

    def meanwhile(session, packet):
        session.server.sendall(packet)
        time.sleep(pause_s)
        killer.strike()
        return False

    def after(session, packet):
        session.server.sendall(packet)
        reply = session.server.recv(65536)
        killer.strike()
        session.client.sendall(reply)
        return False

    return before, meanwhile, after


def server_kill(case):
    """SIGKILL of the database server under a running day, half of them around a COMMIT, some while it recovers."""
    stage = case.begin(restart_backoff_s=RECONNECT_S, restart_backoff_max_s=RECONNECT_S)
    killer = Killer(case, stage.host)
    between = Proxy(f"{stage.directory}/proxy", stage.host.socket)
    is_daemon = case.number % 2 == 0
    aims = case.number // 2 % 2 == 0
    try:
        if is_daemon:
            stage.guard(socket=between.path, restart_backoff_s=1)
            worker = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
        else:
            worker = stage.run(stage.days[0], socket=between.path)
        for _ in range(case.random.randrange(1, 4)):
            aim(case, between, killer) if aims else case.lane.sleep(case.random.random() * 0.6)
            if not aims and not worker.ended():
                killer.strike()
            killer.wait()
            if worker.ended():
                break
        between.chance = None
        killer.wait()
        stage.reconnect()
        case.fault(f"{killer.kills} kills of the server", killer.kills)
        case.figure("killed while it recovered", killer.during_recovery)
        end(case, stage, worker, is_daemon)
    finally:
        between.close()
        killer.wait()


def aim(case, between, killer):
    """Kills the server at one of the next COMMITs."""
    target = between.commits + case.random.randrange(1, 30)
    what = case.random.choice(around_commit(killer, case.random.choice((0, 0, 0.0003, 0.001))))
    kills = killer.kills
    between.chance = lambda number: what if number == target else None
    deadline = time.monotonic() + 3
    while killer.kills == kills and time.monotonic() < deadline:
        case.lane.sleep(0.005)
    between.chance = None


def end(case, stage, worker, is_daemon):
    """settlectl may have lost its connection before it could ask, or while it waited: it says so, and is asked again."""
    if is_daemon:
        for _ in range(4):
            if worker.wait(DAY_S) == 0:
                break
            worker = stage.ask_backfill(stage.days[0], stage.days[-1], "--wait")
        finish_request(case, stage, worker)
        return
    stage.claim(worker)
    stage.calm()
    case.look()
    for day in stage.days:
        if day not in stage.closed():
            finish_day(stage, day)
    case.finish()


SCENARIOS = [
    Scenario("server-kills", server_kill, "SIGKILLs of the server", full=300, short=8, weight=3, crowd=2,
             world="small", own_server=True),
]
