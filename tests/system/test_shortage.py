#!/usr/bin/python3
"""A server that is short of room: its errors pass, so that a day which meets them is completed without a person, once there
is room again. Injected at random calls of a daemon (common/fault.h), and for real, in a tablespace that somebody fills."""

import contextlib
import os
import random

import seams  # before lib: it chooses the programs
import daemon
import lib
import oracle
import servers
from test_daemon import DAYS, MANY

suite = lib.Suite()
test = suite.test

DAY = DAYS[0]
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
TABLE_FULL = 1114
# Everything is in one file, that may grow to so much.
NARROW = ("--innodb-file-per-table=OFF", "--innodb-data-file-path=ibdata1:12M:autoextend:max:32M")
ROOMY = "--innodb-data-file-path=ibdata1:12M:autoextend:max:256M"


def injected(path):
    """The environment of a daemon in which one statement in a hundred fails; how many did, is in a file at its end."""
    actions = ",".join(f"error={number}" for number in (TABLE_FULL, 1021, 1026, 1030, 1037, 1041, 1206))
    return {"SETTLEMENTD_TEST_FAULTS": f"random:{SEED}:10:{actions}", "SETTLEMENTD_TEST_FAULT_COUNTS": path}


@test("a daemon that meets full tables, full disks and want of memory at random calls: the day is completed all the same")
def _():
    print(f"seed {SEED}", flush=True)
    with daemon.Served(restart_limit=20, restart_backoff_s=0, backoff_ms=1, backoff_max_ms=4) as database:
        database.fill(DAY)
        counts = f"{database.directory}/counts"
        running = database.daemon(environment=injected(counts))
        database.ask_run(DAY, "--wait").expect(0)
        runs = database.runs()
        assert runs[-1][0] == "COMPLETED" and {row[2] for row in runs[:-1]} <= {"TRANSIENT"}, runs
        database.verify()
        running.stop()
        with open(counts, encoding="utf-8") as file:
            fired = int(dict(line.split() for line in file)["fired"])
        assert fired > 0, running.stderr
        print(f"{fired} faults, {len(runs)} executions", flush=True)


def fill_up(database):
    """Takes all the room there is, in ever smaller pieces."""
    with contextlib.closing(database.connect()) as connection:
        oracle.rows_of(connection, "CREATE TABLE filler (piece LONGBLOB) ENGINE=InnoDB")
        for size in (1 << 20, 1 << 16, 1 << 13, 1 << 10):
            with contextlib.suppress(oracle.pymysql.err.OperationalError):  # it is full
                while True:
                    oracle.rows_of(connection, "INSERT INTO filler VALUES (REPEAT('x', %s))", size)


@test("a tablespace that is full while a day runs, also for what is kept about the day: with more room it is completed")
def _():
    server = servers.Server(*NARROW)
    with daemon.Served(socket=server.socket, chunk_size=1, transaction_limit=2, restart_limit=60, restart_backoff_s=1,
                       restart_backoff_max_s=1, backoff_ms=5, backoff_max_ms=20) as database:
        database.fill(DAY, **MANY)
        running = database.daemon()
        held = database.hold(DAY)
        asked = database.ask_run(DAY, "--wait")
        held.wait_wanted()
        fill_up(database)
        held.release()
        running.wait_event("chunk-retry", error="ERR_SHORTAGE")
        running.wait_event("execution-restarts", timeout_s=60)
        running.wait_event("lease-not-renewed", error="ERR_SHORTAGE")
        assert "COMPLETED" not in [row[0] for row in database.runs()], database.runs()
        server.stop()
        server.start(ROOMY)
        database.reconnect()
        asked.expect(0)
        runs = database.runs()
        assert runs[-1][0] == "COMPLETED" and {row[2] for row in runs[:-1]} == {"TRANSIENT"}, runs
        database.verify()


if __name__ == "__main__":
    seams.main(suite)
