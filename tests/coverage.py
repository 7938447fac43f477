#!/usr/bin/python3
"""Which lines of the programs the tests have run: tests/coverage.py COUNTERS [--lines]

COUNTERS is the folder that GCOV_PREFIX named while programs and tests of build/asan ran; script/test does both. Prints a
table of the folders, and what is below its bound; with --lines every line that was never run. Ends with 1 when something is
below its bound.

A line that no test can reach says so, with the reason: GCOV_EXCL_LINE: reason, in a comment on the line, or GCOV_EXCL_START:
reason and GCOV_EXCL_STOP around several. Counters of killed processes are lost, so the figures are rather too low.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OBJECTS = ROOT / "build" / "asan" / "obj"
PROGRAMS = ("common", "daemon", "cli")

# Where a line that no test runs could cost money: what computes amounts, and the way of a chunk into the database.
COMPLETE = re.compile(r"common/domain/.*|daemon/engine/(chunk|claim)\.c|common/db/transaction\.c")
# Elsewhere a folder as a whole, and a file by itself: a short one has few lines that are not for errors.
FOLDER = 90
FILE = 80

EXCUSE = re.compile(r"GCOV_EXCL_(LINE|START|STOP)(: *\S.*)?")


def link_notes(counters):
    """Puts the compiler's notes beside the counters, where gcov wants them; also where nothing was counted."""
    folder = counters / OBJECTS.relative_to("/")
    for note in sorted(OBJECTS.rglob("*.gcno")):
        name = note.relative_to(OBJECTS)
        if name.parts[0] not in PROGRAMS:
            continue
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.symlink(note, place)
        yield place


def counted(counters):
    """{file: {line: how often it was run}}"""
    notes = [str(note) for note in link_notes(counters)]
    if not notes:
        sys.exit(f"{OBJECTS} has no notes of the compiler: build it with make asan")
    done = subprocess.run(["gcov", "--json-format", "--stdout", *notes], cwd=ROOT, check=True, capture_output=True, text=True)
    files = defaultdict(lambda: defaultdict(int))
    for document in done.stdout.splitlines():
        for file in json.loads(document)["files"]:
            if file["file"].split("/")[0] in PROGRAMS:
                for line in file["lines"]:
                    files[file["file"]][line["line_number"]] += line["count"]
    return files


def excused(name):
    """The lines with an excuse, and what is wrong with excuses."""
    lines, wrong, inside = set(), [], False
    for number, text in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        mark = EXCUSE.search(text)
        if mark and mark[1] != "STOP" and not mark[2]:
            wrong.append(f"{name}:{number}: an excuse without a reason")
        if mark and mark[1] in ("START", "STOP"):
            inside = mark[1] == "START"
        if inside or mark:
            lines.add(number)
    if inside:
        wrong.append(f"{name}: GCOV_EXCL_START without GCOV_EXCL_STOP")
    return lines, wrong


def ranges(numbers):
    """3, 4, 5, 9 -> "3-5, 9" """
    found = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


class Tally:
    """Lines of a file or a folder."""

    def __init__(self):
        self.lines = self.run = self.excused = 0

    def add(self, other):
        self.lines += other.lines
        self.run += other.run
        self.excused += other.excused

    @property
    def share(self):
        return 100 * self.run / self.lines if self.lines else 100.0

    def __str__(self):
        return f"{self.lines:7} {self.run:7} {self.share:7.1f} {self.excused:8}"


def measure(name, counts):
    """The file's tally, the lines that were never run, and findings about excuses."""
    excuses, wrong = excused(name)
    tally = Tally()
    missed = {line for line, count in counts.items() if count == 0}
    tally.excused = len(missed & excuses)
    missed -= excuses
    tally.lines = len(counts) - tally.excused
    tally.run = tally.lines - len(missed)
    return tally, missed, wrong


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--lines"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    folders, total, findings = defaultdict(Tally), Tally(), []
    for name, counts in sorted(counted(Path(arguments[0]).resolve()).items()):
        tally, missed, wrong = measure(name, counts)
        folders[os.path.dirname(name)].add(tally)
        total.add(tally)
        findings += wrong
        wanted = 100 if COMPLETE.fullmatch(name) else FILE
        if tally.share < wanted:
            findings.append(f"{name}: {tally.share:.1f} % of {wanted} %; never run: {ranges(missed)}")
        elif missed and "--lines" in sys.argv:
            print(f"{name}: never run: {ranges(missed)}")
    print(f"{'folder':24}   lines     run       %  excused")
    for name, tally in folders.items():
        print(f"{name:24} {tally}")
        if tally.share < FOLDER:
            findings.append(f"{name}: {tally.share:.1f} % of {FOLDER} %")
    print(f"{'all':24} {total}")
    for finding in findings:
        print(finding)
    print(f"coverage: {total.share:.1f} % of {total.lines} lines, {total.excused} excused; {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
