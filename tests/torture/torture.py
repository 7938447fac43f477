#!/usr/bin/python3
"""Plays cases of faults against the real programs and counts what they break. script/torture --help says how.

Everything follows from a seed: case N of a scenario draws from its own random numbers, so that it can be played alone.
What other programs on the machine do at that moment is not part of the seed; a case that failed may need some repeats.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
import traceback

import ground  # before the others: it knows where they are
import errors
import figures
import files
import helpers
import kills
import lib
import report
import scenario
import server_kills
import signals
import takeovers
import trouble
import unknown
from scenario import Lane, Tally, play

SCENARIOS = [one for part in (
    kills, helpers, server_kills, unknown, takeovers, errors, trouble, files, signals, figures) for one in part.SCENARIOS]
END_S = 20                  # for lanes to notice that the torture is over
CASE_LIMIT = 200000         # of a scenario, whatever happens
DEFAULT_S = 600
SHORT_S = 100               # of --short, on two cores: what takes longer plays fewer cases
PATIENCE = 20               # cases beyond the time until one meets a fault
FAILED_LIMIT = 10          # cases with violations; the rest would say nothing new


class Torture(ground.Ground):
    """All lanes, scenarios and their tallies."""

    def __init__(self, options):
        super().__init__(options.keep)
        self.options = options
        self.firsts = {}        # world -> the first stage of it
        self.spare = {}         # world -> stages on the shared server that nobody plays on: the next scenario's
        self.calls = {}         # what an undisturbed process calls, counted once
        self.orders = {}        # the order in which points are tried
        self.counting = threading.RLock()
        self.making = threading.RLock()
        self.sharing = threading.Lock()
        self.common = None
        self.tallies = {}
        self.threads = []
        self.began = time.monotonic()

    def shared(self):
        """The server that all lanes share."""
        with self.sharing:
            if self.common is None:
                self.common = self.server("shared", pool=128)
            return self.common

    def take_spare(self, world):
        with self.sharing:
            found = self.spare.get(world)
            return found.pop() if found else None

    def give_spare(self, world, made):
        with self.sharing:
            self.spare.setdefault(world, []).append(made)

    def deadline(self, one, chosen):
        """When a scenario has to end, by its share of what is left of the budget."""
        if self.options.seconds is None:
            return None
        left = self.options.seconds - (time.monotonic() - self.began)
        rest = chosen[chosen.index(one):]
        return time.monotonic() + max(0, left) * one.weight / sum(other.weight for other in rest)

    def run_scenario(self, one, deadline):
        tally = self.tallies[one.name] = Tally()
        lanes = max(1, min(self.options.jobs * one.crowd, self.target(one) // 2))     # few cases need no crowd
        numbers = iter(range(CASE_LIMIT)) if self.options.case is None else iter([self.options.case])
        lock = threading.Lock()

        def work(number):
            lane = Lane(self, f"{one.name}-{number}")
            try:
                while not self.is_enough(one, tally, deadline):
                    with lock:
                        case_number = next(numbers, None)
                    if case_number is None:
                        return
                    self.play_case(one, case_number, lane, tally)
                lane.close()
            except Exception:   # the torture itself is broken, which must not pass for "nothing found"
                if not self.stopping.is_set():
                    tally.broke(one, traceback.format_exc())

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(lanes)]
        self.threads = threads
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.stopping.wait(0.2)
            if self.stopping.is_set():
                raise SystemExit(130)
            report.progress(one, tally, self.target(one))

    def play_case(self, one, number, lane, tally):
        began = time.monotonic()
        case, more = play(one, number, self.options.seed, lane)
        try:
            if self.stopping.is_set():
                return
            if not more:
                tally.all_played = True
                return
            if case.violations:
                report.keep(case, self.keep, self.options)
                lane.drop(case)
            tally.add(case, time.monotonic() - began)
        finally:
            case.close()

    def insist_on_faults(self, one):
        """What has met no fault has shown nothing."""
        left_out = one.needs_root and os.geteuid() != 0
        if self.tallies[one.name].faults == 0 and self.options.case is None and not left_out:
            self.tallies[one.name].broke(one, f"no case met a fault: no {one.what}")

    def target(self, one):
        return one.short if self.options.short else one.full

    def is_enough(self, one, tally, deadline):
        if self.stopping.is_set() or tally.all_played or tally.failed >= FAILED_LIMIT:
            return True
        count = tally.cases if one.counts == "cases" else tally.faults
        if self.options.case is not None or (deadline is not None and time.monotonic() > deadline):
            return self.options.case is None and tally.cases >= (1 if tally.faults else PATIENCE)
        return count >= self.target(one)

    def end(self):
        """Nothing is left: no process, no server, no file."""
        self.stopping.set()
        deadline = time.monotonic() + END_S
        while any(thread.is_alive() for thread in self.threads) and time.monotonic() < deadline:
            scenario.end_processes(lib.Database.open)
            time.sleep(0.1)
        scenario.end_processes(lib.Database.open)
        self.close()

    def run(self, chosen):
        for one in chosen:
            began = time.monotonic()
            self.run_scenario(one, self.deadline(one, chosen))
            self.tallies[one.name].seconds = time.monotonic() - began
            self.insist_on_faults(one)
            report.line(one, self.tallies[one.name])


def parse(arguments):
    names = [one.name for one in SCENARIOS]
    parser = argparse.ArgumentParser(
        prog="script/torture", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Kills, freezes, cuts off and fills up settlementd and its database, and checks after each case that\n"
                    "no money and no log was lost or doubled (docs/reliability.md). Ends with 1 on any violation.",
        epilog="scenarios:\n" + "\n".join(f"  {one.name:16} {(one.play.__doc__ or '').split('.')[0].strip()}"
                                          f" ({one.what})" for one in SCENARIOS))
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help="until every scenario has its full count: about two hours")
    how.add_argument("--seconds", type=int, metavar="N", help="about so long, shared among the scenarios (default 600)")
    how.add_argument("--short", action="store_true", help="a small count of each: what the tests run, about two minutes")
    parser.add_argument("--seed", type=int, metavar="S", help="any number; the default is a random one, and printed")
    parser.add_argument("--only", metavar="NAME,…", help="these scenarios: " + ", ".join(names))
    parser.add_argument("--case", type=int, metavar="N", help="only this case; needs --only with one scenario")
    parser.add_argument("--jobs", type=int, metavar="N", default=os.cpu_count(), help="cases at a time (one per core)")
    parser.add_argument("--keep", metavar="DIR", help="where tables and logs of violations are kept (a new folder in /tmp)")
    parser.add_argument("--json", action="store_true", help="the table as JSON on stdout")
    options = parser.parse_args(arguments)
    unknown = [name for name in (options.only or "").split(",") if name and name not in names]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [one for one in SCENARIOS if not options.only or one.name in options.only.split(",")]
    if options.case is not None and len(chosen) != 1:
        parser.error("--case needs --only with one scenario")
    if options.jobs < 1:
        parser.error("--jobs: at least 1")
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    if not (options.full or options.seconds):
        options.seconds = SHORT_S if options.short else DEFAULT_S
    options.keep = options.keep or os.path.join(tempfile.gettempdir(), f"settlementd-torture-{options.seed}")
    return options, chosen


def main(arguments):
    options, chosen = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    report.begin(options, chosen)
    torture = Torture(options)
    try:
        torture.run(chosen)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        torture.end()
    return report.end(options, chosen, torture.tallies, time.monotonic() - torture.began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
