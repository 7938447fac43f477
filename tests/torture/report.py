"""What is said: progress on a terminal, a line for each scenario, the table at the end, and what a violation leaves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import lib
import oracle

HEADS = ("scenario", "cases", "faults", "takeovers", "violations", "seconds")
SHOWN = 20
TEXT_LIMIT = 600


def say(text):
    print(text, file=sys.stderr, flush=True)


def commit():
    if not shutil.which("git"):
        return "unknown"
    found = subprocess.run(["git", "-C", lib.ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    return found or "unknown"


def begin(options, chosen):
    how = "full" if options.full else "short" if options.short else f"{options.seconds} s"
    say(f"torture: seed {options.seed}, {how}, {options.jobs} jobs, commit {commit()}: "
        f"{', '.join(one.name for one in chosen)}")


def progress(one, tally, target):
    if not sys.stderr.isatty():
        return
    count = tally.cases if one.counts == "cases" else tally.faults
    sys.stderr.write(f"\r\033[K{one.name}: {tally.cases} cases, {count} of {target} {one.what}, "
                     f"{len(tally.violations)} violations")
    sys.stderr.flush()


def line(one, tally):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    say(f"{one.name}: {tally.cases} cases, {tally.faults} {one.what}, {tally.restarts} takeovers, "
        f"{len(tally.violations)} violations, {tally.seconds:.0f} s"
        + "".join(f", {name} {describe(values)}" for name, values in tally.figures.items()))


def describe(values):
    return f"max {max(values):.2f} of {len(values)}" if isinstance(values[0], float) else f"{sum(values)}"


def keep(case, folder, options):
    """Everything that helps to find out what happened: story, violations, processes' output, tables."""
    own = Path(folder, f"{case.scenario.name}-{case.number}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    again = f"script/torture --only {case.scenario.name} --case {case.number} --seed {options.seed}"
    for violation in case.violations:
        violation["folder"] = str(own)
        violation["again"] = again
    texts = [f"{found['invariant']} {found['text']}" for found in case.violations]
    (own / "violations").write_text("\n".join([again, "", *texts, "", *case.story, ""]), encoding="utf-8")
    stage = getattr(case, "stage", None)
    if stage is None:
        return
    for process in stage.processes:
        name = f"{getattr(process, 'user', 'settlectl').rpartition('_')[2]}-{process.files[0].name}"
        (own / name).write_text(f"{process}\nexit code {process.child.poll()}\n{process.output}", encoding="utf-8")
    try:
        stage.reconnect()
        for table in sorted(row[0] for row in stage.rows("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")):
            rows = stage.rows(f"SELECT * FROM {table} LIMIT 100000")
            (own / f"{table}.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        (own / "reference").write_text("\n".join(map(repr, stage.reference.items())), encoding="utf-8")
    except oracle.pymysql.err.MySQLError as error:
        (own / "tables-not-read").write_text(str(error), encoding="utf-8")


def table(chosen, tallies):
    rows = [HEADS]
    for one in chosen:
        tally = tallies.get(one.name)
        if tally is None:
            continue
        rows.append((one.name, tally.cases, f"{tally.faults} {one.what}", tally.restarts, len(tally.violations),
                     f"{tally.seconds:.0f}"))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(HEADS))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def as_json(options, chosen, tallies, seconds):
    return json.dumps({
        "seed": options.seed, "commit": commit(), "seconds": round(seconds, 1),
        "scenarios": [{"name": one.name, "cases": tallies[one.name].cases, "faults": tallies[one.name].faults,
                       "faults_are": one.what, "takeovers": tallies[one.name].restarts,
                       "seconds": round(tallies[one.name].seconds, 1), "figures": {
                           name: {"count": len(values), "max": max(values), "sum": sum(values)}
                           for name, values in tallies[one.name].figures.items()},
                       "violations": tallies[one.name].violations} for one in chosen if one.name in tallies]}, indent=2)


def end(options, chosen, tallies, seconds):
    """The table; the exit code."""
    violations = [found for tally in tallies.values() for found in tally.violations]
    print(as_json(options, chosen, tallies, seconds) if options.json else table(chosen, tallies), flush=True)
    seen = set()
    for found in violations[:SHOWN]:
        text = found["text"].strip()
        short = text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT // 2] + " … " + text[-TEXT_LIMIT // 2:]
        say(f"{found['invariant']} {found['scenario']} case {found['case']}: {short}")
        if found.get("again") not in seen:
            seen.add(found.get("again"))
            say(f"   again: {found.get('again')}; kept in {found.get('folder')}")
    if len(violations) > SHOWN:
        say(f"and {len(violations) - SHOWN} more")
    faults = sum(tally.faults for tally in tallies.values())
    say(f"torture: {faults} faults in {sum(tally.cases for tally in tallies.values())} cases, {len(violations)} violations, "
        f"seed {options.seed}, {seconds:.0f} s")
    return 1 if violations else 0
