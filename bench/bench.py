#!/usr/bin/python3
"""Compares settlementd with plain SQL on one connection: same server, same rows out, medians of several rounds. script/bench
builds what is needed and calls this. The result is Markdown on standard output, progress on standard error."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import world
from server import Failed, Server

SECTIONS = ("settlement", "writes", "import", "small", "year")
PAGES_OF_MEMORY = "SC_PHYS_PAGES"


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


class Table:
    """The rows of the result: what, ours, theirs, ratio, target, met."""

    def __init__(self):
        self.rows = []
        self.missed = 0

    def add(self, what, ours, theirs="", ratio="", target="", met=None):
        self.missed += met is False
        self.rows.append((what, ours, theirs, ratio, target, {None: "", True: "yes", False: "**no**"}[met]))

    def show(self):
        print("\n| what | settlementd | compared with | ratio | target | met |\n| --- | --- | --- | --- | --- | --- |")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")


def seconds(values):
    text = f"{median(values):.2f} s"
    return text + (f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else "")


def rate(values):
    return f"{median(values):,.0f} rows/s"


def ratio_of(ours, theirs):
    """The median of the ratios of the rounds: a slow moment of the machine hits both sides of a round."""
    return median([a / b for a, b in zip(ours, theirs)])


def processor():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf(PAGES_OF_MEMORY)


def describe(server, options):
    session = server.connect()
    version, pool, flush = session.run("SELECT VERSION(), @@innodb_buffer_pool_size, @@innodb_flush_log_at_trx_commit")[0]
    session.close()
    commit = shutil.which("git") and subprocess.run(
        ["git", "log", "-1", "--format=%h of %cs"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False).stdout.strip()
    print(f"""# Bench of {time.strftime("%Y-%m-%d", time.gmtime())}{", commit " + commit if commit else ""}

- machine: {os.cpu_count()} cores, {processor()}, {memory_bytes() / (1 << 30):.0f} GiB of memory
- MariaDB {version}, buffer pool {pool >> 20} MiB, innodb_flush_log_at_trx_commit = {flush}, no binary log
- {options.logs:,} watch logs and {max(options.logs // 5, 1):,} advertisement logs of {world.DAY} over {options.contents:,} \
contents; the day before with a tenth of it is settled
- {options.threads} workers; {options.rounds} rounds, in each of which both sides run, in alternating order; medians (lowest–\
highest); a ratio is the median of the rounds' ratios
- both sides wrote the same rows in every round, or the bench would have failed""", flush=True)


class Settlement:
    """Comparison (a) and (b): the step and the whole job, against the scripts."""

    def __init__(self, server, options):
        self.server, self.options = server, options
        self.ours, self.plain_step, self.plain_job = [], [], []
        self.configuration, self.kept = prepare(server, options, "settlement", options.logs)
        world.make_plain(server, "settlement", "plain")

    def _run_ours(self):
        world.restore(self.server, "settlement", "settlement_kept", self.kept)
        self.ours.append(measure.job(self.server, "settlement", self.configuration, world.DAY))

    def _run_step(self):
        world.restore(self.server, "plain", "settlement_kept")
        return measure.plain_script(self.server, "plain", "step_content_statistics.sql", world.DAY)

    def _run_job(self):
        world.restore(self.server, "plain", "settlement_kept")
        return measure.plain_script(self.server, "plain", "whole_job.sql", world.DAY)

    def round(self, number):
        if number % 2 == 0:
            self._run_ours()
        self.plain_step.append(self._run_step())
        if number % 2 == 1:
            self._run_ours()
        measure.require_same_step(self.server, "settlement", "plain", world.DAY)
        self.plain_job.append(self._run_job())
        measure.require_same_results(self.server, "settlement", "plain")
        last = (self.ours[-1], self.plain_step[-1], self.plain_job[-1])
        say(f"round {number + 1}: step {last[0]['steps']['content-statistics']:.2f} against {last[1]['seconds']:.2f} s,"
            f" job {last[0]['seconds']:.2f} against {last[2]['seconds']:.2f} s; CPU of the server: job {last[0]['cpu']:.2f}"
            f" against {last[2]['cpu']:.2f} s")
        if self.options.verbose:
            for took, sql in sorted(last[2]["statements"], reverse=True)[:12]:
                say(f"  {took:6.2f} s  {sql}")

    def report(self, table):
        step = [run["steps"]["content-statistics"] for run in self.ours]
        plain_step = [run["seconds"] for run in self.plain_step]
        job, plain_job = ([run["seconds"] for run in runs] for runs in (self.ours, self.plain_job))
        ratio = ratio_of(step, plain_step)
        table.add("step content-statistics, against one statement", seconds(step), seconds(plain_step), f"{ratio:.2f} ×",
                  "≤ 0.50 ×", ratio <= 0.50)
        ratio = ratio_of(job, plain_job)
        table.add("whole job, against the script", seconds(job), seconds(plain_job), f"{ratio:.2f} ×", "≤ 0.70 ×",
                  ratio <= 0.70)
        report_usage(table, self.ours, f"{self.options.logs:,} logs")
        peak = max(run["peak_kib"] for run in self.ours)
        table.add(f"peak RSS at {self.options.logs:,} logs", f"{peak / 1024:.1f} MiB", target="≤ 48 MiB",
                  met=peak <= 48 * 1024)

    def report_steps(self):
        print("\n| step | settlementd | script |\n| --- | --- | --- |")
        for name in self.ours[0]["steps"]:
            ours = [run["steps"][name] for run in self.ours]
            plain = [run["steps"].get(name, 0.0) for run in self.plain_job]
            print(f"| {name} | {median(ours):.2f} s | {median(plain):.2f} s |")
        cpu, plain_cpu = ([run["cpu"] for run in runs] for runs in (self.ours, self.plain_job))
        print(f"| CPU time of the server, all steps | {median(cpu):.2f} s | {median(plain_cpu):.2f} s |")


def report_usage(table, runs, what):
    usage = runs[-1]["usage"]
    per_chunk = median([run["usage"]["metadata_statements"] / run["usage"]["chunks"] for run in runs])
    share = median([run["usage"]["metadata_us"] / (run["usage"]["elapsed_us"] * run["usage"]["threads"])
                    for run in runs])
    waits = (sum(run["deadlocks"] for run in runs), sum(run["lock_waits"] for run in runs))
    table.add(f"deadlocks, lock-wait timeouts, {what}", f"{waits[0]}, {waits[1]}", target="0", met=sum(waits) == 0)
    table.add(f"COMMITs, chunks, partitions, {what}",
              f"{runs[-1]['commits']:,}, {usage['chunks']:,}, {runs[-1]['partitions']:,}")
    table.add(f"metadata statements for each chunk, {what}", f"{per_chunk:.2f}", target="≤ 2", met=per_chunk <= 2)
    table.add(f"their share of the workers' time, {what}", f"{share * 100:.1f} %", target="≤ 4 %", met=share <= 0.04)


def prepare(server, options, database, logs):
    """A database with two days of logs, the first of which is settled."""
    say(f"{database}: making {logs:,} watch logs")
    configuration = world.make_database(server, database, options.threads)
    world.load_logs(server, database, options.contents, (
        (world.DAY_BEFORE, max(logs // 10, 1), world.SEED_BEFORE), (world.DAY, logs, world.SEED)))
    world.settle(server, configuration, world.DAY_BEFORE)
    return configuration, world.keep_results(server, database, database + "_kept")


def bench_settlement(server, options, table):
    comparison = Settlement(server, options)
    for number in range(options.rounds):
        comparison.round(number)
    comparison.report(table)
    return comparison


def bench_writes(server, options, table):
    say("writes: row at a time and batched")
    runs = [measure.writes(server, "settlement", world.DAY, options.threads) for _ in range(options.rounds)]
    workers = f"{options.threads} workers"
    for batched, single, what, target in (
            ("batched", "row-at-a-time", "one connection each, a COMMIT for each 1,000 rows in both", 25),
            ("batched-by-all", "row-at-a-time", f"{workers} against one connection, a COMMIT for each 1,000 rows in both", 25),
            ("batched", "row-committed", "one connection each, each row committed by itself", None)):
        ours, theirs = [run[batched] for run in runs], [run[single] for run in runs]
        ratio = ratio_of(ours, theirs)
        table.add(f"batched writes, against row-at-a-time, {what}", rate(ours), rate(theirs), f"{ratio:.1f} ×",
                  f"≥ {target} ×" if target else "", ratio >= target if target else None)


def bench_import(server, options, table):
    """Into an empty table, 1 million rows and a tenth of them; in the generator's order, which is the index's: the
    quickest for LOAD DATA INFILE."""
    rows = options.import_rows
    configuration = world.make_database(server, "imported", options.threads)
    files = {count: os.path.join(server.folder, f"watch-{count}.csv") for count in (rows, rows // 10)}
    for count, path in files.items():
        with open(path, "wb") as file:
            subprocess.run([world.generator(), "watch-log", world.DAY, str(count), str(options.contents), "7", "csv"],
                           stdout=file, check=True)
    small = measure.import_file(server, "imported", configuration, files[rows // 10], rows // 10)
    ours, theirs, peaks = [], [], []
    for number in range(options.rounds):
        run = measure.import_file(server, "imported", configuration, files[rows], rows)
        ours.append(run["seconds"])
        peaks.append(run["peak_kib"])
        theirs.append(measure.load_file(server, "imported", files[rows], rows)["seconds"])
        say(f"import {number + 1}: {ours[-1]:.2f} against {theirs[-1]:.2f} s")
    ratio = 1 / ratio_of(ours, theirs)
    table.add(f"import of {rows:,} watch logs, against LOAD DATA INFILE", rate([rows / value for value in ours]),
              rate([rows / value for value in theirs]), f"{ratio:.2f} ×", "≥ 0.50 ×", ratio >= 0.50)
    growth = median(peaks) / small["peak_kib"]
    table.add(f"peak RSS of the import, against {rows // 10:,} rows", f"{median(peaks) / 1024:.1f} MiB",
              f"{small['peak_kib'] / 1024:.1f} MiB", f"{growth:.2f} ×", "constant", growth <= 1.10)


def bench_small(server, options, table, comparison):
    logs = max(options.logs // 10, 1)
    configuration, kept = prepare(server, options, "small", logs)
    runs = []
    for _ in range(options.rounds):
        world.restore(server, "small", "small_kept", kept)
        runs.append(measure.job(server, "small", configuration, world.DAY))
    report_usage(table, runs, f"{logs:,} logs")
    peak = max(run["peak_kib"] for run in runs)
    table.add(f"whole job at {logs:,} logs", seconds([run["seconds"] for run in runs]))
    if comparison is None:
        table.add(f"peak RSS at {logs:,} logs", f"{peak / 1024:.1f} MiB", target="≤ 48 MiB", met=peak <= 48 * 1024)
        return
    large = max(run["peak_kib"] for run in comparison.ours)
    table.add(f"peak RSS, against {logs:,} logs", f"{large / 1024:.1f} MiB", f"{peak / 1024:.1f} MiB", f"{large / peak:.2f} ×",
              "0.90 to 1.10 ×", 0.90 <= large / peak <= 1.10)


def bench_year(server, options, table):
    """The same logs of the same date in two databases: one has nothing before it, the other 364 settled days."""
    contents = min(options.contents, options.year_contents)
    logs = contents * 100
    say(f"year: {contents:,} contents, {logs:,} logs on {world.YEAR_END}")
    configurations = {}
    for database in ("first", "year"):
        configurations[database] = world.make_database(server, database, options.threads)
        world.load_logs(server, database, contents, ((world.YEAR_END, logs, world.SEED),))
    world.make_year(server, "year", contents)
    runs = {"first": [], "year": []}
    for number in range(options.rounds + 2):
        for database in (("first", "year") if number % 2 == 0 else ("year", "first")):
            session = server.connect(database)
            world.forget_day(session, world.YEAR_END)
            session.close()
            runs[database].append(measure.job(server, database, configurations[database], world.YEAR_END))
        last = [runs[database][-1] for database in ("year", "first")]
        say(f"year {number + 1}: {last[0]['seconds']:.2f} against {last[1]['seconds']:.2f} s")
        if options.verbose:
            say(f"  {last[0]['steps']}\n  {last[1]['steps']}")
    year, first = ([run["seconds"] for run in runs[name]] for name in ("year", "first"))
    ratio = ratio_of(year, first)
    table.add(f"{world.YEAR_END} with {world.DAYS_OF_YEAR_BEFORE} days behind it, against the same day as the first"
              f" ({contents:,} contents, {logs:,} logs; before: a view of each content a day)",
              seconds(year), seconds(first), f"{ratio:.2f} ×", "≤ 1.2 ×", ratio <= 1.2)


def run_sections(server, options):
    table, comparison = Table(), None
    if "settlement" in options.only:
        comparison = bench_settlement(server, options, table)
        if "writes" in options.only:
            bench_writes(server, options, table)
    if "import" in options.only:
        bench_import(server, options, table)
    if "small" in options.only:
        bench_small(server, options, table, comparison)
    if "year" in options.only:
        bench_year(server, options, table)
    describe(server, options)
    table.show()
    if comparison is not None:
        comparison.report_steps()
    return table.missed


def parse(arguments):
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.split("script/bench")[0])
    parser.add_argument("--logs", type=int, help="watch logs of the day (10,000,000)")
    parser.add_argument("--contents", type=int, help="contents (100,000)")
    parser.add_argument("--rounds", type=int, help="rounds (3)")
    parser.add_argument("--threads", type=int, default=2, help="workers of settlementd (2)")
    parser.add_argument("--quick", action="store_true", help="1,000,000 logs over 10,000 contents, 1 round")
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="some of " + ", ".join(SECTIONS) + ", with commas (writes needs settlement)")
    parser.add_argument("--verbose", action="store_true", help="show the slowest statements and the steps of each round")
    options = parser.parse_args(arguments)
    options.logs = options.logs or (1_000_000 if options.quick else 10_000_000)
    options.contents = options.contents or (10_000 if options.quick else 100_000)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.import_rows = 100_000 if options.quick else 1_000_000
    options.year_contents = 1_000 if options.quick else 10_000
    options.only = options.only.split(",")
    if min(options.logs, options.contents, options.rounds, options.threads) < 1:
        parser.error("numbers are from 1")
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error("unknown for --only: " + ", ".join(sorted(unknown)))
    if "writes" in options.only and "settlement" not in options.only:
        parser.error("writes needs what settlement leaves behind: --only settlement,writes")
    return options


def main():
    options = parse(sys.argv[1:])
    pool = os.environ.get("SANDBOX_BUFFER_POOL") or f"{max(1, min(6, memory_bytes() >> 31))}G"
    folder = tempfile.mkdtemp(prefix="settlementd-bench-")
    server = Server(folder, pool)
    try:
        say(f"starting a private MariaDB in {folder}")
        server.start()
        missed = run_sections(server, options)
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    finally:
        server.stop()
        shutil.rmtree(folder)
    if missed:
        print(f"\n{missed} of the targets were missed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
