"""A server that is there and of no use: stopped for a while, hanging, read-only, full, or with no room for a session."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

import lib
import oracle
from kills import finish_day
from scenario import Scenario

BACK_S = 30             # work goes on so long after the server is back, at the latest
DISK_MIB = 256            # of the disk that is filled



def pause_s(case):
    """How long the trouble lasts: a minute, for each kind in turn, is part of the full count; seconds are enough for the
    rest."""
    if case.lane.ground.options.full and case.number % 40 < len(TROUBLES):
        return 60
    return case.random.choice((1, 3, 5))


def stopped(case, stage):
    stage.host.stop()
    case.lane.sleep(pause_s(case))
    stage.host.start()


def hanging(case, stage):
    stage.host.signal(signal.SIGSTOP)
    try:
        case.lane.sleep(pause_s(case))
    finally:
        stage.host.signal(signal.SIGCONT)


def read_only(case, stage):
    stage.execute("SET GLOBAL read_only = 1")
    try:
        case.lane.sleep(pause_s(case))
    finally:
        stage.execute("SET GLOBAL read_only = 0")


def crowded(case, stage):
    """Every place is taken, and the sessions of the daemon are ended, so that it has to come back."""
    most = stage.value("SELECT @@max_connections")
    taken = []
    stage.execute("SET GLOBAL max_connections = 10")
    try:
        stage.calm_now()
        with contextlib.suppress(oracle.pymysql.err.MySQLError):
            while len(taken) < 40:
                taken.append(oracle.connect(stage.host.socket, None, stage.name))
        case.lane.sleep(pause_s(case))
    finally:
        stage.execute(f"SET GLOBAL max_connections = {most}")
        for connection in taken:
            connection.close()


TROUBLES = (stopped, hanging, read_only, crowded)


def server_trouble(case):
    """The server is stopped for a while, hangs, turns read-only, or has no room for another session."""
    trouble = TROUBLES[case.number % len(TROUBLES)]
    stage = case.begin(restart_backoff_s=1)
    stage.guard()
    asked = stage.ask_backfill(stage.days[0], stage.days[-1])
    asked.expect(0)
    for _ in range(case.random.randrange(1, 3)):
        chunks = stage.chunks() + case.random.randrange(1, 120)
        lib.wait_until(lambda goal=chunks: is_done(stage) or stage.chunks() >= goal, BACK_S, f"I6: {chunks} chunks")
        if is_done(stage):
            break
        before = stage.chunks()
        trouble(case, stage)
        case.fault(f"{trouble.__name__} after {before} chunks")
        stage.reconnect()
        began = time.monotonic()
        here = stage.chunks()
        lib.wait_until(lambda goal=here: is_done(stage) or stage.chunks() > goal, BACK_S,
                       f"I6: a chunk after the server was {trouble.__name__}")
        case.figure(f"s until a chunk after {trouble.__name__}", time.monotonic() - began)
    lib.wait_until(lambda: is_done(stage), 2 * BACK_S, "I6: the days to be closed")
    case.finish()


def is_done(stage):
    return set(stage.days) <= stage.closed()


# --- out of disk -----------------------------------------------------------------------------------------------------

class Disk:
    """A small disk; only root may make one."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", directory],
                                      stderr=subprocess.DEVNULL, check=False).returncode == 0

    def fill(self, leave):
        """Takes all room but so many bytes."""
        with open(os.path.join(self.directory, "ballast"), "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):      # no space left on device
                    while file.write(bytes(size)) == size:
                        pass
            file.truncate(max(0, file.tell() - leave))

    def free(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.directory, "ballast"))

    def remove(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.directory], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def full_disk(case):
    """The disk of the database server is full for a while."""
    base = case.lane.ground
    name = f"full-{case.lane.number}-{case.number}"
    disk = Disk(os.path.join(base.directory, f"disk-{name}"))
    case.endings.append(disk.remove)
    if not disk.mounted:
        case.tell("no disk could be made: not root")
        return False
    server = base.server(name, data=os.path.join(disk.directory, "data"), pool=24)
    case.endings.append(lambda: base.drop(server))
    case.stage = stage = case.lane.stage_on(server, "small")
    case.endings.append(lambda: case.lane.forget(stage))
    stage.begin(restart_backoff_s=2, restart_backoff_max_s=2)
    for day in stage.days:
        fill_and_settle(case, stage, disk, day)
    case.finish()
    return True


def fill_and_settle(case, stage, disk, day):
    """The disk is full from some chunk on; when it is no more, the same command settles the day."""
    process = stage.run(day)
    chunks = stage.chunks() + case.random.randrange(0, 60)
    lib.wait_until(lambda: process.ended() or stage.chunks() >= chunks, BACK_S, f"I6: {chunks} chunks")
    disk.fill(case.random.choice((0, 4096, 65536)))
    case.fault(f"disk full after {stage.chunks()} chunks of {day}")
    # Rows enough for the server to want room: else it would write into what it has.
    greed(stage)
    case.lane.sleep(case.random.choice((0.2, 1, 3)))
    disk.free()
    if stage.host.child.poll() is not None:
        stage.host.start()
    stage.reconnect()
    stage.claim(process)
    stage.execute("DROP TABLE IF EXISTS torture_greed")
    if day not in stage.closed():
        finish_day(stage, day)


def greed(stage):
    connection = stage.connect()
    try:
        oracle.rows_of(connection, "SET lock_wait_timeout = 2")
        oracle.rows_of(connection, "CREATE TABLE IF NOT EXISTS torture_greed (filler LONGTEXT)")
        for _ in range(30):
            oracle.rows_of(connection, "INSERT INTO torture_greed VALUES (REPEAT('x', 300000))")
    except oracle.pymysql.err.MySQLError:
        pass        # that is what was wanted
    finally:
        connection.close()


SCENARIOS = [
    Scenario("server-trouble", server_trouble, "troubles", full=80, short=6, weight=2, crowd=3, world="small",
             own_server=True),
    Scenario("full-disk", full_disk, "times that the disk was full", full=24, short=3, weight=1, crowd=1, world="small",
             needs_root=True),
]
