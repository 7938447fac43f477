#!/usr/bin/python3
"""Every call of settlectl's commands fails once: each exchange with the server, each file call, each request for memory.
What then ends with 0 has printed and stored the same as without a fault; everything else says what is wrong. An import is
whole or not there, and so are its reject files.

Programs and sampling are those of test_fault_sweep.py; the distance here is a third of FAULT_EVERY.
"""

from pathlib import Path

import seams  # before lib: it chooses the programs
import lib
import test_fault_sweep
from daemon import Daemon
from test_fault_sweep import EVERY, Faulty, calls_to_try, expect_clean

suite = lib.Suite()

DISTANCE = max(1, EVERY // 3)
FAULTS = {
    "db": ("before:error=1213", "before:error=1205", "before:error=1020", "before:lose", "sent:lose", "after:lose"),
    "file": ("before:error=ENOSPC", "sent:error=EIO"),
    "malloc": ("before:error=ENOMEM",),
}
LAST = test_fault_sweep.FIRST
READING = (
    ("report", "settlement", "--period", "daily", "--date", LAST, "--format", "csv"),
    ("report", "settlement", "--period", "monthly", "--date", LAST),
    ("report", "settlement", "--period", "weekly", "--date", LAST, "--json"),
    ("top", "--by", "views", "--period", "daily", "--date", LAST, "--format", "csv"),
    ("show", "1", "--json"),
    ("explain", "--content", "{content}", "--date", LAST, "--json"),
    ("runs", "--format", "csv"),
)
# What these print depends on the time; that they end with 0 is all that can be compared.
LOOKING = (("status",), ("status", "--json"), ("next",), ("next", "--json"), ("migrate",), ("purge", "--older-than", "30d"))


def trials_of(database, *arguments):
    """Runs the command undisturbed, and gives that process and the rules to try, sampled."""
    process = database.settlectl_faulty("", *arguments).expect(0)
    rules = []
    for salt, (place, faults) in enumerate(FAULTS.items()):
        total = database.counted(place)
        for number, fault in enumerate(faults):
            for later in ("", "+") if place == "malloc" else ("",):
                salt += number + len(later) * 5
                rules.extend(f"{place}:{call}{later}:{fault}" for call in calls_to_try(total, DISTANCE, salt))
    return process, rules


def try_command(database, *arguments, same_output):
    process, rules = trials_of(database, *arguments)
    failed = 0
    for rule in rules:
        faulty = database.settlectl_faulty(rule, *arguments)
        code = expect_clean(faulty, (0, 1, 78))
        failed += code != 0
        if code == 0 and same_output:
            assert faulty.stdout == process.stdout, f"{rule}: {' '.join(arguments)} ended with 0 and printed:\n{faulty.stdout}"
    return len(rules), failed


def try_commands(database, commands, same_output):
    content = database.value("SELECT MIN(content_post_id) FROM settlement WHERE settlement_date = %s", str(LAST))
    tried = failed = 0
    for command in commands:
        words = [str(word).format(content=content) for word in command]
        counts = try_command(database, *words, same_output=same_output)
        tried, failed = tried + counts[0], failed + counts[1]
    print(f"seed {test_fault_sweep.SEED}: {tried} faults, {failed} commands failed and said so", flush=True)


@suite.test("a command that reads prints everything or fails, whatever call of it fails")
def reading():
    with Faulty(3) as database:
        database.settle(*database.days)
        before = database.dump()
        try_commands(database, READING, True)
        assert database.dump() == before


@suite.test("a command that looks at the daemons, the schema or old metadata: likewise, and it changes nothing")
def looking():
    with Faulty(2) as database:
        database.settle(*database.days)
        before = database.dump()
        try_commands(database, LOOKING, False)
        assert database.dump() == before


HEADER = "content_post_id,member_id,last_playback_position,total_playback_time,watched_date,streaming_status\n"
BAD = "{content},x,1,1,2026-07-01,STOPPED\n"


def write_logs(database, number):
    """Three good rows and a bad one, of a content of their own."""
    path = Path(database.directory) / f"logs{number}.csv"
    good = "".join(f"{10**6 + number},{member},1,1,2026-07-01,STOPPED\n" for member in range(3))
    path.write_text(HEADER + good + BAD.format(content=10**6 + number))
    return path


def try_import(database, rule, number):
    path = write_logs(database, number)
    command = ("import", "watch-log", str(path), "--max-rejects", "3")
    code = expect_clean(database.settlectl_faulty(rule, *command), (0, 1, 78))
    rows = "SELECT COUNT(*) FROM member_content_watch_log WHERE content_post_id = %s"
    found = database.value(rows, 10**6 + number)
    assert found in (0, 3), f"{rule}: {found} rows of 3"
    assert code != 0 or found == 3, f"{rule}: success was reported, and nothing is loaded"
    again = database.settlectl(*command)
    again.expect(1 if found else 0)
    assert not found or "imported" in again.stderr, again.stderr
    assert database.value(rows, 10**6 + number) == 3, rule
    if code == 0 or not found:
        bad = HEADER + BAD.format(content=10**6 + number)
        assert path.with_suffix(".rejected.csv").read_text() == bad, rule
    return code, found


@suite.test("an import is whole or not there, whatever call of it fails, and so are its reject files")
def importing():
    with Faulty(1) as database:
        _, rules = trials_of(database, "import", "watch-log", str(write_logs(database, 0)), "--max-rejects", "3")
        ends = [try_import(database, rule, number) for number, rule in enumerate(rules, 1)]
        behind = [rule for rule, (code, found) in zip(rules, ends) if code != 0 and found]
        print(f"seed {test_fault_sweep.SEED}: {len(rules)} faults, {sum(code != 0 for code, _ in ends)} imports failed, behind "
              f"their COMMIT: {' '.join(behind) or 'none'}", flush=True)


@suite.test("a request is done or not, whatever call of it fails, and said to be done only when it is")
def asking():
    with Faulty(1) as database:
        daemon = Daemon(database)
        _, rules = trials_of(database, "pause", lib.JOB, "--reason", "none")
        for number, rule in enumerate(rules):
            reason = f"number {number}"
            code = expect_clean(database.settlectl_faulty(rule, "pause", lib.JOB, "--reason", reason), (0, 1, 4, 78))
            found = database.rows("SELECT status FROM job_request WHERE reason = %s", reason)
            assert len(found) <= 1, f"{rule}: {found}"
            assert code != 0 or found == [("COMPLETED",)], f"{rule}: success was reported: {found}"
        print(f"seed {test_fault_sweep.SEED}: {len(rules)} faults", flush=True)
        daemon.stop()


if __name__ == "__main__":
    seams.main(suite)
