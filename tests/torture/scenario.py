"""What a scenario is: a name, how much of it is enough, and a function that plays one case of it."""

import random
import threading
import time
import traceback

import ground
import oracle
import stage

INVARIANTS = ("I1", "I2", "I3", "I4", "I5", "I6", "I7")


class Scenario:
    """`play(case)` is called with cases 0, 1, … until there are `full` faults (or `short` ones, or as many cases when
    `counts` is "cases"), or until it says that there are no more cases."""

    def __init__(self, name, play, what, **options):
        self.name = name
        self.play = play
        self.what = what                                # what is counted as a fault, in words
        self.counts = options.get("counts", "faults")
        self.full = options["full"]
        self.short = options["short"]
        self.weight = options.get("weight", 1)          # its share of a time budget
        self.crowd = options.get("crowd", 1)            # lanes for each job: cases that mostly wait may be many
        self.world = options.get("world", "small")
        self.own_server = options.get("own_server", False)
        self.needs_root = options.get("needs_root", False)


class Tally:
    """What the cases of a scenario add up to; all lanes add to one."""

    def __init__(self):
        self.lock = threading.Lock()
        self.cases = self.faults = self.restarts = self.failed = 0
        self.figures = {}               # name -> list of measured values
        self.violations = []            # dictionaries: scenario, case, invariant, text, folder
        self.seconds = 0.0
        self.all_played = False

    def add(self, case, seconds):
        with self.lock:
            self.cases += 1
            self.faults += case.faults
            self.restarts += case.restarts
            self.failed += bool(case.violations)
            self.violations.extend(case.violations)
            self.seconds += seconds
            for name, values in case.figures.items():
                self.figures.setdefault(name, []).extend(values)


    def broke(self, one, text):
        """A lane that came to an end by a fault of the torture's own."""
        with self.lock:
            self.failed += 1
            self.violations.append({"scenario": one.name, "case": None, "invariant": "none", "text": text})


class Case:
    """One case: where it plays, its own random numbers, and what it found."""

    def __init__(self, scenario, number, seed, lane):
        self.scenario = scenario
        self.number = number
        self.seed = seed
        self.lane = lane
        self.random = random.Random(f"{seed} {scenario.name} {number}")
        self.faults = self.restarts = 0
        self.figures = {}
        self.violations = []
        self.endings = []               # what has to be put away when everything about the case is known
        self.story = []                 # what was done, for whoever has to find out

    def begin(self, world=None, **options):
        """A database as new."""
        self.stage = self.lane.stage(self.scenario, world or self.scenario.world)
        self.stage.begin(**options)
        return self.stage

    def close(self):
        for ending in reversed(self.endings):
            ending()

    def tell(self, text):
        self.story.append(f"{time.monotonic():.3f} {text}")

    def fault(self, text, count=1):
        self.faults += count
        self.tell(text)

    def figure(self, name, value):
        self.figures.setdefault(name, []).append(value)

    def expect(self, condition, invariant, text):
        if not condition:
            self.violation(invariant, text)

    def violation(self, invariant, text):
        self.violations.append({"scenario": self.scenario.name, "case": self.number, "seed": self.seed,
                                "invariant": invariant, "text": text})

    def look(self):
        """The invariants in the middle of things."""
        self.take(self.stage.check(final=False)[0])

    def finish(self):
        """The invariants at the end, when the days must be done."""
        self.stage.end_all()
        self.stage.calm()
        problems, takeovers = self.stage.check(final=True)
        self.take(problems)
        self.restarts += takeovers

    def take(self, problems):
        for invariant, text in problems[:20]:
            self.violation(invariant, text)


class Lane:
    """A thread's own stages, and its own server where a scenario wants one."""

    def __init__(self, base, number):
        self.ground = base
        self.number = number
        self.stages = {}
        self.own = None

    def sleep(self, seconds):
        ground.sleep(self.ground, seconds)

    def server(self, scenario):
        if not scenario.own_server:
            return self.ground.shared()
        if self.own is None:
            self.own = self.ground.server(f"lane{self.number}", pool=24)
        return self.own

    def stage(self, scenario, world):
        key = (scenario.own_server, world)
        if key not in self.stages:
            spare = None if scenario.own_server else self.ground.take_spare(world)
            self.stages[key] = spare or self.stage_on(self.server(scenario), world)
        return self.stages[key]

    def stage_on(self, server, world):
        """A new stage."""
        with self.ground.making:
            made = stage.Stage(server, world, self.ground.firsts.get(world))
            self.ground.firsts.setdefault(world, made)
        return made

    def forget(self, made):
        """A stage whose server goes."""
        if made is not None:
            discard(made)

    def drop(self, case):
        """A stage on which a case broke is not used again."""
        for key, made in list(self.stages.items()):
            if made is getattr(case, "stage", None):
                del self.stages[key]
                discard(made)

    def close(self):
        for (own_server, world), made in self.stages.items():
            if own_server:
                discard(made)
            else:
                made.end_all()
                self.ground.give_spare(world, made)
        if self.own is not None:
            self.own.remove()


def discard(made):
    try:
        made.close()
    except oracle.pymysql.err.MySQLError:
        pass        # its server is gone, and with it the database
    except FileNotFoundError:
        pass


def play(scenario, number, seed, lane):
    """One case from its beginning to its end; whatever breaks is a violation."""
    case = Case(scenario, number, seed, lane)
    try:
        more = scenario.play(case)
    except ground.Stopped:
        return case, False
    except AssertionError as error:
        if lane.ground.stopping.is_set():
            return case, False
        text = str(error)
        case.violation(text[:2] if text[:2] in INVARIANTS else "I6", text)
        more = True
    except Exception:       # a case that breaks in any way has not shown that the invariants hold
        case.violation("I6", traceback.format_exc(limit=-6))
        more = True
    return case, more is not False


def end_processes(stages):
    """At the end, whatever still runs."""
    for made in list(stages):
        for process in list(made.processes):
            try:
                process.kill()
            except OSError:
                pass
