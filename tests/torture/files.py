"""Files that cannot be written: those of rejected rows, and reports."""

import os
import random
import subprocess
from pathlib import Path

import faults
import lib
from kills import ALL
from scenario import Scenario

ERRORS = ("ENOSPC", "EIO", "EDQUOT")
GOOD, BAD = 40, 5
OPTIONS = ("--max-rejects", str(BAD))


def write_csv(path):
    """Views of a day that nobody settles here, some of which cannot be."""
    lines = ["content_post_id,member_id,last_playback_position,total_playback_time,watched_date,streaming_status"]
    lines += [f"1,{number},5,5,2024-03-01,STOPPED" for number in range(1, GOOD + 1)]
    lines += [f"1,{number},5,5,2024-02-30,STOPPED" for number in range(1, BAD + 1)]
    random.Random(5).shuffle(lines[1:])
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def import_fault(case):
    """No room for rejected rows: an import is all there, with its files, or nothing of it is."""
    stage = case.begin()
    folder = Path(stage.directory, f"import{case.number}")
    folder.mkdir()
    path = str(folder / "logs.csv")
    write_csv(path)
    number = case.number // 2 + 1
    when = case.random.choice(faults.WHEN)
    chosen = faults.rule("file", str(number) + case.random.choice(("", "+")), when,
                         f"error={case.random.choice(ERRORS)}")
    counts = str(folder / "counts")
    process = lib.Process([lib.SETTLECTL, "--config", stage.configuration, "import", "watch-log", path, *OPTIONS],
                          stage.directory, {**os.environ, **chosen, faults.COUNTS: counts})
    stage.processes.append(process)
    code = process.wait(60)
    case.fault(f"{chosen}: the import ended with {code}")
    loaded = stage.value("SELECT COUNT(*) FROM member_content_watch_log WHERE watched_date = '2024-03-01'")
    noted = stage.value("SELECT COUNT(*) FROM import_file")
    case.expect((loaded, noted) == ((GOOD, 1) if code == 0 else (0, 0)) or is_said(process, loaded, noted), "I7",
                f"the import ended with {code}; {loaded} of {GOOD} rows are there, {noted} files noted:\n{process.output}")
    for name in ("logs.csv.rejected.csv", "logs.rejected.csv"):
        rejected = folder / name
        if rejected.exists() and loaded:
            lines = rejected.read_text(encoding="utf-8").splitlines()
            case.expect(len(lines) == BAD + 1, "I7", f"{name} holds {len(lines)} lines:\n{lines}")
    if not noted:
        again = stage.settlectl("import", "watch-log", path, *OPTIONS).expect(0)
        loaded = stage.value("SELECT COUNT(*) FROM member_content_watch_log WHERE watched_date = '2024-03-01'")
        case.expect(loaded == GOOD, "I2", f"imported again, {loaded} of {GOOD} rows are there:\n{again.output}")
    stage.execute("DELETE FROM member_content_watch_log WHERE watched_date = '2024-03-01'")


def is_said(process, loaded, noted):
    """Loaded, but a file could not be given its name: the import may say so, when it says that the rows are in."""
    return loaded == GOOD and noted == 1 and "loaded" in process.output


def report_fault(case):
    """A report that could not be written whole does not end with 0."""
    stage = case.begin()
    for day in stage.days:
        stage.run(day).expect(0)
    arguments = [lib.SETTLECTL, "--config", stage.configuration, "report", "settlement", "--from", stage.days[0], "--to",
                 stage.days[-1], "--format", case.random.choice(("csv", "json", "table"))]
    whole = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout
    path = Path(stage.directory, "report")
    number = case.number // 2 + 1
    chosen = faults.rule("file", f"{number}+", case.random.choice(faults.WHEN), "error=ENOSPC")
    with open(path, "wb") as file:
        code = subprocess.run(arguments, stdout=file, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, **chosen}).returncode
    case.fault(f"{chosen}: the report ended with {code}")
    case.expect(code != 0 or path.read_bytes() == whole, "I7",
                f"the report ended with 0 and holds {path.stat().st_size} of {len(whole)} bytes ({chosen})")
    with open("/dev/full", "wb") as file:
        code = subprocess.run(arguments, stdout=file, stderr=subprocess.PIPE, check=False).returncode
    case.fault(f"a full device: the report ended with {code}")
    case.expect(code != 0, "I7", "the report was written to a full device and ended with 0")


def file_fault(case):
    """No room for the files of rejected rows and for reports, at each call that writes one."""
    if case.number >= 120:
        return False
    (report_fault if case.number % 2 else import_fault)(case)
    return True


SCENARIOS = [
    Scenario("full-files", file_fault, "files that could not be written", full=ALL, short=16, weight=1, world="tiny"),
]
