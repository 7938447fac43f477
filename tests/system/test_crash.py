#!/usr/bin/python3
"""Processes that die, freeze, are stopped or meet each other in the middle of a day. Whatever happens, the day must end
with the same tables as one that was left alone, and the oracle must agree.

KILLS (10) is the number of SIGKILLs in one day, SEED their random moments; both are printed.
"""

import contextlib
import os
import random
import re
import signal
import time

import lib
import oracle
from daemon import hold_settlement

suite = lib.Suite()

KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
DAYS = lib.days_from("2021-11-30", 2)
DAY = DAYS[1]
SMALL = {"chunk_size": 5, "partition_items": 200, "threads": 3}


def full_pipe():
    """(where to read, where nothing can be written any more, how many bytes are in it)"""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(writing, bytes(1 << 16))
    os.set_blocking(writing, True)
    return reading, writing, filled


class Slow(lib.Database):
    """A database whose second day takes thousands of small chunks; the first day is settled."""

    def __init__(self, **options):
        super().__init__(**{**SMALL, **options})
        data = lib.generate(21, [DAY], contents=2500, views=20000, ad_views=8000, missing=20)
        data.add_views(DAYS[0], min(data.contents), 25)
        spread = random.Random(22)
        data.views.extend((DAY, content, spread.randrange(1, 999), spread.randrange(60), "STOPPED")
                          for content in data.contents)
        lib.load(self, data)
        lib.set_rates(self, "2021-01-01", (0, 3, 20, 1000))
        self.settle(DAYS[0])

    def run_to(self, chunks, *arguments):
        """Starts the day and waits until so many chunks are committed in all; None when it ended before."""
        process = self.run(DAY, *arguments)
        lib.wait_until(lambda: process.ended() or self.progress(DAY) >= chunks, 120, f"{chunks} chunks")
        return process

    def finish(self, process=None):
        """Lets the day end, then compares it with one that was left alone."""
        (process or self.run(DAY)).expect(0, timeout_s=300)
        self.verify()
        found = oracle.dump_differences(reference(), self.dump())
        assert not found, "differs from the undisturbed run:\n" + "\n".join(found[:10])
        assert self.value("SELECT COUNT(*) FROM settlement WHERE settlement_date = %s", DAY) > 0
        assert not self.rows(f"SELECT p.partition_id {lib.PLAN_SQL} AND p.status <> 'COMPLETED'", str(DAY))

    def batch(self):
        """Everything that a process which has lost its work must leave alone."""
        return [self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in (
            "BATCH_JOB_EXECUTION", "BATCH_STEP_EXECUTION", "step_partition", "day_close", "settlement")]


undisturbed = {}


def reference():
    """The tables of a day that was left alone, settled once; also how many chunks and seconds it took."""
    if not undisturbed:
        with Slow() as database:
            began = time.monotonic()
            database.run(DAY).expect(0, timeout_s=300)
            undisturbed.update(dump=database.dump(), chunks=database.progress(DAY), seconds=time.monotonic() - began,
                               steps=dict(database.rows(f"SELECT p.step_name, SUM(p.chunk_count) {lib.PLAN_SQL}"
                                                        " GROUP BY p.step_name", str(DAY))))
            database.verify()
        print(f"undisturbed: {undisturbed['chunks']} chunks in {undisturbed['seconds']:.1f} s", flush=True)
    return undisturbed["dump"]


def total_chunks():
    reference()
    return undisturbed["chunks"]


def middle_of(step):
    """How many chunks are behind a day that is in the middle of the step."""
    reference()
    before = lib.STEPS[:lib.STEPS.index(step)]
    return int(sum(undisturbed["steps"][name] for name in before) + undisturbed["steps"][step] // 2)


def expect_recovered(database, killed):
    """Executions of killed processes are FAILED, say so, and leave no step running."""
    executions = database.executions(DAY)
    assert executions[-1][1] == "COMPLETED", executions[-1]
    assert len(executions) <= killed + 1, f"{len(executions)} executions after {killed} kills"
    for number, status, code, message, end in executions[:-1]:
        assert status == "FAILED" and code == "FAILED" and end is not None, (number, status, code, end)
        assert re.search(r"died|dead|gone|killed|lost|lease|vanished|disappeared|no longer", message), (number, message)
    unsummed = database.rows("SELECT m.STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION m JOIN BATCH_STEP_EXECUTION w"
                             " ON w.JOB_EXECUTION_ID = m.JOB_EXECUTION_ID"
                             " AND w.STEP_NAME LIKE CONCAT(m.STEP_NAME, ':partition%') GROUP BY m.STEP_EXECUTION_ID"
                             " HAVING MAX(m.READ_COUNT) <> SUM(w.READ_COUNT) OR MAX(m.WRITE_COUNT) <> SUM(w.WRITE_COUNT)"
                             " OR MAX(m.COMMIT_COUNT) < SUM(w.COMMIT_COUNT)")
    assert not unsummed, f"steps without the sums of their partitions: {unsummed}"
    running = database.rows("SELECT * FROM BATCH_STEP_EXECUTION WHERE STATUS NOT IN ('COMPLETED', 'FAILED')")
    assert not running, running


@suite.test(f"a day killed at {KILLS} random moments ends like one that was left alone")
def killed():
    generator = random.Random(SEED)
    moments = sorted(generator.randrange(1, total_chunks() * 9 // 10) for _ in range(KILLS))
    pauses = [generator.random() * 0.02 for _ in moments]
    print(f"seed {SEED}, killed at chunks {moments}", flush=True)
    with Slow() as database:
        done = {}
        with hold_settlement(database, DAY):
            for chunks, pause in zip(moments, pauses):
                process = database.run_to(chunks)
                time.sleep(pause)
                assert not process.ended(), process.output
                process.kill()
                done.update({number: row for number, row in database.partitions(DAY, "COMPLETED").items()
                             if number not in done})
        database.finish()
        after = database.partitions(DAY)
        touched = [number for number, row in done.items() if after[number] != row]
        assert not touched, f"completed partitions were touched: {touched[:5]}"
        expect_recovered(database, KILLS)


@suite.test("a day killed before and while it is planned starts like new")
def killed_early():
    generator = random.Random(SEED + 1)
    with Slow() as database:
        for _ in range(5):
            process = database.run(DAY)
            time.sleep(generator.random() * 0.1)
            process.kill()
        database.finish()


@suite.test("a frozen process whose work another took over ends non-zero and changes nothing")
def frozen():
    with Slow() as database:
        first = database.run_to(total_chunks() // 3)
        assert not first.ended(), first.output
        first.signal(signal.SIGSTOP)
        chunks = database.progress(DAY)
        second = database.run(DAY)
        lib.wait_until(lambda: second.ended() or database.progress(DAY) > chunks + 5, 60, "the takeover")
        second.expect(0, timeout_s=300)
        before, tables = database.batch(), database.dump()
        first.signal(signal.SIGCONT)
        code = first.wait(60)
        assert code != 0, f"the frozen process ended with 0:\n{first.output}"
        assert database.batch() == before and database.dump() == tables, "the frozen process changed something"
        database.finish()


@suite.test("a process that is frozen, overtaken and continued at once commits nothing of its own")
def frozen_and_continued():
    with Slow() as database:
        first = database.run_to(total_chunks() // 3)
        first.signal(signal.SIGSTOP)
        chunks = database.progress(DAY)
        second = database.run(DAY)
        lib.wait_until(lambda: database.progress(DAY) > chunks + 5, 60, "the takeover")
        first.signal(signal.SIGCONT)
        assert first.wait(60) != 0, first.output
        database.finish(second)
        expect_recovered(database, 1)


@suite.test("a short freeze within the lease changes nothing")
def short_freeze():
    with Slow(ttl_s=20, heartbeat_s=5) as database:
        first = database.run_to(total_chunks() // 3)
        first.signal(signal.SIGSTOP)
        time.sleep(1)
        first.signal(signal.SIGCONT)
        database.finish(first)
        assert len(database.executions(DAY)) == 1


@suite.test("SIGTERM and SIGINT stop at a chunk boundary: exit 1, STOPPED; the same command resumes")
def stopped():
    with Slow() as database:
        for number, step in ((signal.SIGTERM, "content-statistics"), (signal.SIGINT, "settlement")):
            process = database.run_to(middle_of(step))
            assert not process.ended(), process.output
            process.signal(number)
            process.expect(1, timeout_s=30)
            execution = database.executions(DAY)[-1]
            assert execution[1:3] == ("STOPPED", "STOPPED") and execution[4] is not None, execution
            steps = {row[0] for row in database.rows(
                "SELECT STATUS FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = %s", execution[0])}
            assert "STOPPED" in steps and steps <= {"STOPPED", "COMPLETED"}, steps
            assert not database.rows("SELECT * FROM step_partition WHERE status = 'STARTED'")
        done = database.partitions(DAY, "COMPLETED")
        database.finish()
        after = database.partitions(DAY)
        assert all(after[number] == row for number, row in done.items()), "a completed partition was touched"
        assert [row[1] for row in database.executions(DAY)] == ["STOPPED", "STOPPED", "COMPLETED"]


@suite.test("a signal that comes when the day is settled changes nothing: exit 0, and the result is printed")
def signalled_late():
    with Slow() as database:
        reading, writing, filled = full_pipe()
        process = database.run(DAY, stdout=writing)     # it cannot print its result yet
        os.close(writing)
        threads = f"/proc/{process.child.pid}/task"
        lib.wait_until(lambda: database.rows("SELECT * FROM day_close WHERE business_date = %s", DAY)
                       and len(os.listdir(threads)) == 1, 120, "a process that has done its work")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.signal(number)
        with os.fdopen(reading, "rb") as pipe:
            printed = pipe.read()[filled:].decode()
        process.expect(0)
        assert "reconciliation" in printed and "rolling back" not in process.stderr, printed + process.stderr


def wait_waiting(process):
    lib.wait_until(lambda: re.search("settlementd: waiting: .*\n", process.stderr), 30, "the second command to wait")


@suite.test("a second command for a running day waits, says for what, and both end with 0")
def second_waits():
    with Slow(ttl_s=10) as database:
        with hold_settlement(database, DAY):
            first = database.run_to(total_chunks() // 4)
            second = database.run(DAY)
            wait_waiting(second)
        first.expect(0, timeout_s=300)
        database.finish(second)
        executions = database.executions(DAY)
        assert [row[1] for row in executions] == ["COMPLETED"], executions
        assert re.search(rf"\b{executions[0][0]}\b", second.output), second.output


@suite.test("a command for the next day waits while this one is run, and is then done; without a live owner it is refused")
def next_day_waits():
    next_day = lib.days_from(str(DAY), 2)[1]
    with Slow(ttl_s=10) as database:
        with hold_settlement(database, DAY):
            first = database.run_to(total_chunks() // 4)
            second = database.run(next_day)
            wait_waiting(second)
            assert f"is run by process {first.child.pid}" in second.stderr, second.stderr
            first.kill()
            assert "run first" in second.expect(1).stderr, second.stderr
            first = database.run(DAY)
            lib.wait_until(lambda: database.executions(DAY)[-1][1] == "STARTED" and len(database.executions(DAY)) == 2, 30,
                           "the day's next execution")
            second = database.run(next_day)
            wait_waiting(second)
        first.expect(0, timeout_s=300)
        second.expect(0)
        assert [row[1] for row in database.executions(next_day)] == ["COMPLETED"]


@suite.test("commands started at the same moment settle the day once, and all end with 0")
def simultaneous():
    with Slow(ttl_s=10) as database:
        processes = [database.run(DAY) for _ in range(4)]
        for process in processes:
            process.expect(0, timeout_s=300)
        database.finish()
        assert [row[1] for row in database.executions(DAY)] == ["COMPLETED"]


@suite.test("a command that waits for one that is killed takes over and ends with 0")
def waits_and_takes_over():
    with Slow() as database:
        with hold_settlement(database, DAY):
            first = database.run_to(total_chunks() // 4)
            second = database.run(DAY)
            wait_waiting(second)
            stopped = database.run(DAY)
            wait_waiting(stopped)
            stopped.signal(signal.SIGTERM)
            assert "stopped while it waited; nothing was begun" in stopped.expect(1).stderr, stopped.stderr
            first.kill()
        database.finish(second)
        expect_recovered(database, 1)


if __name__ == "__main__":
    suite.main()
