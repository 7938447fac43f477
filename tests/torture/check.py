#!/usr/bin/python3
"""The independent checker: reads a database in one snapshot and says which of the invariants do not hold.

    I1  money is conserved: what is paid is the worth of the logs, running totals add up, and every content that is due
        is either paid or parked
    I2  every log is settled exactly once
    I3  checkpoints equal data: each partition's rows are there up to its checkpoint and not beyond, and its counters,
        and those of its step executions, are those of these rows
    I4  nothing was committed under an old epoch, and no rows without the checkpoint that belongs to them
    I5  the final tables are those of an undisturbed run (compare())
    I7  no success is reported that did not happen

It may be asked at any time, also in the middle of a day: what must be there follows from the checkpoints. Nothing is
shared with the programs: rows come from plain SELECTs, everything else is computed here in whole numbers, after
docs/settlement-rules.md and docs/schema.md. I4 needs the audit triggers of the torture; without them it is left out.

    check.py --socket S --database DB        exit 1 when anything is wrong
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))

import commits  # noqa: E402
import oracle  # noqa: E402  (the path above leads to it)
from expected import CONTENT, ADS, PERIOD, SETTLE, RECONCILE, STEPS, Logs, expect  # noqa: E402

RUNNING = ("STARTING", "STARTED", "STOPPING")
COUNTERS = ("READ_COUNT", "WRITE_COUNT", "PROCESS_SKIP_COUNT", "ROLLBACK_COUNT", "COMMIT_COUNT")

RESULT_SQL = {
    **oracle.DUMP_SQL,
    "late_content": "SELECT target_date, content_post_id FROM late_content ORDER BY 1, 2",
}

INSTANCES_SQL = """SELECT DISTINCT e.JOB_INSTANCE_ID, CAST(q.PARAMETER_VALUE AS DATE) FROM BATCH_JOB_EXECUTION e
    JOIN BATCH_JOB_EXECUTION_PARAMS q ON q.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID
    AND q.PARAMETER_NAME = 'targetDate'"""


class Partition:
    """A row of step_partition."""

    COLUMNS = ("partition_id, job_instance_id, step_name, partition_number, lower_key, upper_key, checkpoint_key, status,"
               " epoch, step_execution_id, chunk_count, read_count, write_count, skip_count, rollback_count")

    def __init__(self, row):
        (self.id, self.instance, self.step, self.number, self.lower, self.upper, self.checkpoint, self.status,
         self.epoch, self.step_execution, self.chunks, self.read, self.written, self.skipped, self.rollbacks) = row

    def __str__(self):
        return f"partition {self.number} of {self.step} (id {self.id})"


class Facts:
    """All that is read, in one snapshot."""

    def __init__(self, connection, logs=None):
        self.connection = connection
        self.instances = dict(self.rows(INSTANCES_SQL))
        self.partitions = [Partition(row) for row in self.rows(f"SELECT {Partition.COLUMNS} FROM step_partition")]
        self.executions = self.rows("SELECT JOB_EXECUTION_ID, JOB_INSTANCE_ID, STATUS, EXIT_CODE, END_TIME"
                                    " FROM BATCH_JOB_EXECUTION ORDER BY 1")
        self.steps = self.rows(f"SELECT STEP_EXECUTION_ID, STEP_NAME, JOB_EXECUTION_ID, STATUS, {', '.join(COUNTERS)}"
                               " FROM BATCH_STEP_EXECUTION ORDER BY 1")
        self.closed = {row[0]: row[1:] for row in self.rows(
            "SELECT business_date, job_execution_id, view_logs, ad_logs FROM day_close")}
        self.plans = defaultdict(list)
        for part in self.partitions:
            self.plans[self.instances.get(part.instance), part.step].append(part)
        self.logs = logs or Logs(connection)
        self.notes = commits.read(connection)
        self.checks = defaultdict(list)
        for execution, name, passed in self.rows("SELECT job_execution_id, check_name, passed FROM reconciliation"):
            self.checks[execution].append((name, passed))
        self.stored = oracle.read_tables(connection)

    def rows(self, sql, *arguments):
        return [tuple(row) for row in oracle.rows_of(self.connection, sql, *arguments)]

    def is_covered(self, day, step, content):
        """Whether the step has committed this content of the day, by the word of its checkpoints."""
        return any(part.checkpoint is not None and part.lower < content <= part.checkpoint
                   for part in self.plans.get((day, step), ()))


def result_rows(connection):
    """The final tables without execution ids and times."""
    return {table: [tuple(row) for row in oracle.rows_of(connection, sql)] for table, sql in RESULT_SQL.items()}


def compare(reference, found):
    """I5."""
    return [("I5", line) for line in oracle.dump_differences(reference, found)[:20]]


# --- I1, I2, I3: what is stored is what the checkpoints say ----------------------------------------------------------

def compare_tables(facts):
    wanted = expect(facts.logs, facts.is_covered, facts.instances.values())
    problems = []
    for name, invariant in (("content_statistics", "I2"), ("ad_statistics", "I2"), ("settlement", "I1"),
                            ("parked_content", "I1")):
        rows, stored = getattr(wanted, name), getattr(facts.stored, name)
        for line in oracle.differences_of(name, rows, stored):
            kind = "I3" if "no row" in line or "unexpected row" in line else invariant
            problems.append((kind, line))
    return problems


def check_totals(facts):
    """Money, added up anew: for each content and kind, the running total and the sum over all."""
    problems = []
    paid = defaultdict(lambda: [0, 0])
    for (day, content), (_, amount, ad_amount, total, ad_total) in sorted(facts.stored.settlement.items()):
        sums = paid[content]
        sums[0] += amount
        sums[1] += ad_amount
        if (total, ad_total) != tuple(sums):
            problems.append(("I1", f"settlement {day} {content}: totals {total}, {ad_total}, the amounts up to then make "
                                   f"{sums[0]}, {sums[1]}"))
    for day, (_, view_logs, ad_logs) in facts.closed.items():
        views = sum(figures[0] for figures in facts.logs.views[day].values())
        ads = sum(figures[0] for figures in facts.logs.ads[day].values())
        counted = [row for (period, date, _), row in facts.stored.content_statistics.items()
                   if period == "DAILY" and date == day]
        for what, logs, settled, closed in (("views", views, sum(row[0] for row in counted), view_logs),
                                            ("ad views", ads, sum(row[2] for row in counted), ad_logs)):
            if not logs == settled == closed:
                problems.append(("I2", f"{day}: {logs} {what} in the logs, {settled} in the DAILY rows, {closed} in "
                                       "day_close"))
    return problems


def check_plans(facts):
    """Ranges of a plan are disjoint and leave no key out."""
    problems = []
    for (day, step), parts in facts.plans.items():
        parts.sort(key=lambda part: part.lower)
        for left, right in zip(parts, parts[1:]):
            if left.upper != right.lower:
                problems.append(("I2", f"{day} {step}: ranges ({left.lower}, {left.upper}] and ({right.lower}, "
                                       f"{right.upper}] overlap or leave keys out"))
        keys = facts.logs.keys_of(day, step)
        outside = [key for key in keys if not parts[0].lower < key <= parts[-1].upper]
        if outside:
            problems.append(("I2", f"{day} {step}: contents {outside[:5]} are in no partition"))
    return problems


def check_counters(facts):
    problems = []
    for part in facts.partitions:
        day = facts.instances.get(part.instance)
        if part.status == "COMPLETED" and part.checkpoint != part.upper:
            problems.append(("I3", f"{day} {part}: COMPLETED with checkpoint {part.checkpoint}, not {part.upper}"))
        wanted = facts.logs.counters(day, part, facts.stored)
        for what, stored in (("read", part.read), ("written", part.written), ("skipped", part.skipped)):
            if what in wanted and wanted[what] != stored:
                problems.append(("I3", f"{day} {part} up to {part.checkpoint}: {stored} {what}, the rows say "
                                       f"{wanted[what]}"))
    return problems + check_step_counters(facts)


def check_step_counters(facts):
    """Committed-only counters: a partition's are the sums over its worker step executions."""
    problems = []
    sums = defaultdict(lambda: [0] * len(COUNTERS))
    latest = {}
    instance_of = {execution: instance for execution, instance, *_ in facts.executions}
    for number, name, execution, _, *counts in facts.steps:
        for column, count in enumerate(counts):
            sums[instance_of[execution], name][column] += count
        latest[number] = counts
    for part in facts.partitions:
        counts = sums[part.instance, f"{part.step}:partition{part.number}"]
        if part.step == RECONCILE:      # measured anew by each execution
            own = latest.get(part.step_execution, [0] * len(COUNTERS))
            counts = [*own[:3], counts[3], counts[4]]
        stored = [part.read, part.written, part.skipped, part.rollbacks, part.chunks]
        if counts != stored:
            problems.append(("I3", f"{facts.instances.get(part.instance)} {part}: {stored} are not its step executions' "
                                   f"{counts} ({', '.join(COUNTERS)})"))
    return problems


# --- I7: reports and facts -------------------------------------------------------------------------------------------

def check_reports(facts, claims):
    problems = [("I7", f"{day}: {who}, but the day is not closed") for day, who in claims
                if oracle.datetime.date.fromisoformat(day) not in facts.closed]
    closing = {execution: day for day, (execution, *_) in facts.closed.items()}
    for number, instance, status, code, end in facts.executions:
        day = facts.instances.get(instance)
        if (status == "COMPLETED") != (closing.get(number) == day):
            problems.append(("I7", f"execution {number} of {day} is {status}, day_close names "
                                   f"{facts.closed.get(day, ('nobody',))[0]}"))
        if (end is None) != (status in RUNNING):
            problems.append(("I7", f"execution {number} is {status} with END_TIME {end}"))
        if status == "COMPLETED":
            problems.extend(check_completed(facts, number, instance, code))
    problems.extend(("I7", f"day_close {day} names execution {execution}, which there is not")
                    for execution, day in closing.items() if execution not in {row[0] for row in facts.executions})
    return problems


def check_completed(facts, number, instance, code):
    """An execution that says COMPLETED: all steps, all partitions, all checks."""
    problems = []
    day = facts.instances[instance]
    done = {name for _, name, execution, status, *_ in facts.steps
            if status == "COMPLETED" and instance == dict(row[:2] for row in facts.executions).get(execution)}
    problems.extend(("I7", f"execution {number} of {day} is COMPLETED without step {step}") for step in STEPS
                    if step not in done)
    problems.extend(("I7", f"execution {number} of {day} is COMPLETED while {part} is {part.status}")
                    for part in facts.partitions if part.instance == instance and part.status != "COMPLETED")
    problems.extend(("I7", f"execution {number} is COMPLETED while its step {name} is {status}")
                    for _, name, execution, status, *_ in facts.steps if execution == number and status in RUNNING)
    parked = any(date == day for date, _ in facts.stored.parked_content)
    if parked and code == "COMPLETED":
        problems.append(("I7", f"execution {number} of {day} hides that contents were parked"))
    # An execution that only had to close the day stands on the checks of the one before it.
    own = [execution for execution, of, *_ in facts.executions if of == instance and execution <= number]
    checks = next((facts.checks[execution] for execution in reversed(own) if execution in facts.checks), [])
    problems.extend(("I7", f"execution {number} is COMPLETED although the check {name} failed")
                    for name, passed in checks if not passed)
    if not checks:
        problems.append(("I7", f"execution {number} is COMPLETED, and nothing was checked"))
    return problems


# --- all of it -------------------------------------------------------------------------------------------------------

def read_facts(connection, logs=None):
    """`logs`: read before, where they do not change."""
    oracle.rows_of(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.begin()
    try:
        return Facts(connection, logs)
    finally:
        connection.rollback()


def check(facts, claims=()):
    """(invariant, sentence) for each thing that is wrong; none when all hold. `claims`: (day, who said it was done)."""
    problems = (compare_tables(facts) + check_totals(facts) + check_plans(facts) + check_counters(facts)
                + check_reports(facts, claims))
    states = {part.id: (part.epoch, part.chunks) for part in facts.partitions}
    return problems + [("I4", line) for line in commits.problems(facts.notes, states)]


def main(arguments):
    parser = argparse.ArgumentParser(description="says which invariants of the settlement do not hold in a database")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--user", default="root")
    options = parser.parse_args(arguments)
    problems = check(read_facts(oracle.connect(options.socket, options.database, options.user)))
    for invariant, line in problems:
        print(f"{invariant} {line}")
    print(f"{len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
