#!/usr/bin/python3
"""Every call of a small job fails once: each exchange with the server is refused (1213, 1205, 1020) or loses its connection
(before, while and after it is sent), each file call fails, each piece of memory is refused. The job either copes or says
that it failed, and then the same command completes it; all tables end like those of days that were left alone. Success is
never said of what did not happen.

The faults are injected by the programs themselves (common/fault.h), so that these are of build/asan or build/debug, unless
SETTLEMENTD_BIN and SETTLECTL_BIN name others. FAULT_EVERY (120) is the distance between the calls that are tried, a tenth
of it where there are few, beginning with one that follows from SEED, so that runs differ; with FAULT_EVERY=1 all of them
are.
"""

import os
import random
import re
import signal
import subprocess

import seams  # before lib: it chooses the programs
import lib
import oracle

suite = lib.Suite()

EVERY = int(os.environ.get("FAULT_EVERY", "120"))
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
FIRST = lib.day_of("2021-12-20")
RELEASE = [seams.ROOT / "build" / "release" / name for name in ("settlementd", "settlectl")]
SMALL = {"threads": 1, "chunk_size": 3, "partition_items": 12, "backoff_ms": 1, "backoff_max_ms": 4}

# A process that an injected fault ended by itself, not by SIGKILL: an assertion, a sanitizer, a crash.
CLEAN_EXITS = (0, 1, 78)  # 78: a configuration that cannot be read


class Faulty(lib.Database):
    """Days of a handful of logs each, and programs in which one call fails."""

    def __init__(self, days, **options):
        super().__init__(**{**SMALL, **options})
        self.days = lib.days_from(str(FIRST), days)
        self.counts = os.path.join(self.directory, "counts")
        lib.load(self, lib.generate(5, self.days, contents=8, views=16, ad_views=8, missing=1))
        lib.set_rates(self, "2021-01-01", (0, 3, 20, 1000))

    def start_faulty(self, rules, *arguments):
        environment = {**os.environ, "SETTLEMENTD_TEST_FAULTS": rules, "SETTLEMENTD_TEST_FAULT_COUNTS": self.counts}
        process = lib.Process(arguments, self.directory, environment)
        self.processes.append(process)
        return process

    def run_faulty(self, rules, day):
        return self.start_faulty(rules, lib.SETTLEMENTD, "run", lib.JOB, "--date", str(day), "--config",
                                 self.configuration)

    def settlectl_faulty(self, rules, *arguments):
        return self.start_faulty(rules, lib.SETTLECTL, "--config", self.configuration, *arguments)

    def counted(self, place):
        """How many calls of the place the last process made."""
        with open(self.counts, encoding="utf-8") as file:
            return dict((name, int(count)) for name, count in map(str.split, file))[place]

    def is_closed(self, day):
        return bool(self.rows("SELECT 1 FROM day_close WHERE business_date = %s AND status = 'CLOSED'", str(day)))

    def committed(self, day):
        """What the chunks of the day's steps did, over all of its executions; the reconciliation may be repeated."""
        return self.rows(f"""SELECT SUBSTRING_INDEX(s.STEP_NAME, ':', 1), SUM(s.READ_COUNT), SUM(s.WRITE_COUNT),
                                    SUM(s.PROCESS_SKIP_COUNT), SUM(s.COMMIT_COUNT)
                             FROM BATCH_STEP_EXECUTION s JOIN BATCH_JOB_EXECUTION e USING (JOB_EXECUTION_ID) {lib.DAY_SQL}
                             WHERE s.STEP_NAME LIKE '%%:%%' AND s.STEP_NAME NOT LIKE 'reconciliation%%'
                             GROUP BY 1 ORDER BY 1""", str(day))


def calls_to_try(total, every, salt):
    """Every so many calls, beginning with one of the first; the salt keeps sweeps from trying the same ones."""
    return list(range(1 + (SEED + salt) % every, total + 1, every))


def expect_clean(process, codes=CLEAN_EXITS):
    """Neither a crash nor a hang, and whoever fails says why."""
    code = process.expect(*codes, timeout_s=60).wait()
    if code != 0:
        assert re.search(r"^settle(mentd|ctl): \S", process.stderr, re.MULTILINE), f"{process} said nothing: {process.stderr}"
    return code


def try_day(database, rules, day, codes):
    """One fault on one day; the exit code of the process that had it."""
    code = expect_clean(database.run_faulty(rules, day), codes)
    closed = database.is_closed(day)
    assert code != 0 or closed, f"{rules}: {day} was reported as done and is not closed"
    states = [state for _, state, *_ in database.executions(day)]
    assert code == 0 or "COMPLETED" not in states or closed, f"{rules}: {day} is COMPLETED and not closed"
    if code != 0:
        database.run(day).expect(0)
    states = [state for _, state, *_ in database.executions(day)]
    assert states.count("COMPLETED") == 1 and states[-1] == "COMPLETED", f"{rules}: {states}"
    assert not set(states) & {"STARTING", "STARTED", "STOPPING"}, f"{rules}: {states}"
    return code


def reference(days):
    """The same days, left alone; by the released programs where they are, since nothing is to fail."""
    saved = lib.SETTLEMENTD, lib.SETTLECTL
    if all(os.access(path, os.X_OK) for path in RELEASE):
        lib.SETTLEMENTD, lib.SETTLECTL = map(str, RELEASE)
    try:
        with Faulty(days) as database:
            database.settle(*database.days)
            return database.dump(), {day: database.committed(day) for day in database.days}
    finally:
        lib.SETTLEMENTD, lib.SETTLECTL = saved


def sweep_days(faults, place="db", every=EVERY, codes=CLEAN_EXITS, later=""):
    """Each fault at each of the chosen calls of a day (`later`: and at all after it), a new day for each; then all days are
    compared at once."""
    with Faulty(1) as database:
        expect_clean(database.run_faulty("", database.days[0]), (0,))
        total = database.counted(place)
    trials = [f"{place}:{call}{later}:{fault}" for salt, fault in enumerate(faults) for call in calls_to_try(total, every, 7 * salt + len(later))]
    with Faulty(len(trials)) as database:
        failed = sum(try_day(database, rules, day, codes) != 0 for rules, day in zip(trials, database.days))
        print(f"seed {SEED}: {total} calls, {len(trials)} faults, {failed} runs failed and were completed by the next",
              flush=True)
        database.verify()
        dump, committed = reference(len(trials))
        found = oracle.dump_differences(dump, database.dump())
        assert not found, "differs from days that were left alone:\n" + "\n".join(found[:10])
        for rules, day in zip(trials, database.days):
            assert database.committed(day) == committed[day], f"{rules}: {database.committed(day)} != {committed[day]}"


@suite.test("the released programs have no fault seam")
def release_has_none():
    for path in RELEASE:
        assert path.exists(), f"{path} is not there: build it with make"
        found = re.findall(rb"SETTLEMENTD_TEST[A-Z_]*|injected", path.read_bytes())
        symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        found += re.findall(r" (fault_\w+)", symbols)
        assert not found and " main\n" in symbols, f"{path} has {found}"


@suite.test("a rule that makes no sense is refused: 78, and what is wrong with it")
def bad_rules():
    for program in (lib.SETTLEMENTD, lib.SETTLECTL):
        environment = {**os.environ, "SETTLEMENTD_TEST_FAULTS": "db:1:before:die"}
        process = lib.Process([program, "--version"], "/tmp", environment)
        assert process.expect(78).stdout == ""
        assert "SETTLEMENTD_TEST_FAULTS: `db:1:before:die`: there is no action `die`" in process.stderr, process.stderr


@suite.test("every exchange refused once (1213, 1205, 1020): the day ends as if nothing had been")
def refused():
    sweep_days(("before:error=1213", "before:error=1205", "before:error=1020"))


@suite.test("the connection lost at every exchange, before, while and after it is sent: likewise")
def lost():
    sweep_days(("before:lose", "sent:lose", "after:lose"))


@suite.test("every COMMIT lost, refused, or answered and then lost: likewise")
def commits():
    sweep_days(("before:lose", "sent:lose", "after:lose", "before:error=1213", "before:error=1020"), "commit",
               max(1, EVERY // 10))


@suite.test("who stands still in its launch until the day is settled finds it closed, at whichever call")
def closed_meanwhile():
    with Faulty(20, ttl_s=20) as database:
        first, *days = database.days
        database.run(first).expect(0)
        database.run_faulty("clock:1:before:stall=1", first).expect(0)
        closed = database.counted("db")     # so many calls tell who launches a closed day that it is
        stops = 0
        for call, day in enumerate(days, closed - 8):
            running = database.run_faulty("db:*:before:stall=1", day)
            lib.wait_until(lambda: database.executions(day) or running.ended(), 60, "an execution")
            late = database.run_faulty(f"db:{call}:after:stop", day)
            lib.wait_until(lambda: late.ended() or late.stopped() or running.ended(), 60, f"call {call}")
            running.expect(0)
            stops += late.stopped()
            lib.wait_until(lambda: late.ended() or late.stopped(), 60, f"call {call}, or the end")
            late.signal(signal.SIGCONT)
            assert "is closed already" in late.expect(0).output, f"call {call}: {late.output}"
        assert stops >= 10, stops
        database.verify()


@suite.test("every file that a run reads fails once: it says so, and the next run settles the day")
def files():
    sweep_days(("before:error=EIO", "after:error=EMFILE"), "file", max(1, EVERY // 10))


@suite.test("memory refused at every request for it, once and from then on: likewise, and it is no bad configuration")
def memory():
    faults = ("before:error=ENOMEM",)
    sweep_days(faults, "malloc", codes=(0, 1))
    sweep_days(faults, "malloc", codes=(0, 1), later="+")


if __name__ == "__main__":
    seams.main(suite)
