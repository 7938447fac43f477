#!/usr/bin/python3
"""Are slots where they belong? The timetable is compared with zoneinfo and with a cron of our own that shares nothing with
it: around every change of every zone of the tz database from 1970 to 2037 the clock on the wall is read minute by minute.
Needs no server; ask_timetable is built by `make tests`."""

import calendar
import collections
import concurrent.futures
import datetime
import itertools
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zoneinfo
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import lib  # noqa: E402

ASK = os.environ.get("ASK_TIMETABLE_BIN", str(Path(lib.SETTLEMENTD).with_name("ask_timetable")))
FOLDER = Path("/usr/share/zoneinfo")
EPOCH = datetime.datetime(1970, 1, 1)
UTC = datetime.timezone.utc
DAY, HOUR, MINUTE = 86400, 3600, 60
BEGIN, END = 0, 2145916800              # 1970-01-01 and 2038-01-01
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()

# What is known to be unusual: half an hour (Lord Howe), days left out (Apia, Kwajalein), gaps at midnight (Sao Paulo,
# Beirut, Asuncion), winter time that is the exception (Dublin), a month of it (Casablanca), seconds (Monrovia), two hours
# (Troll), a gap that ends at midnight (Pyongyang).
NOTED = ("Australia/Lord_Howe Pacific/Apia Pacific/Kwajalein America/Sao_Paulo Asia/Beirut America/Asuncion Europe/Dublin "
         "Africa/Casablanca Africa/Monrovia Antarctica/Troll Asia/Pyongyang America/New_York Europe/Berlin America/Havana "
         "Asia/Gaza Africa/Cairo America/Nuuk Pacific/Chatham Asia/Tehran Asia/Seoul UTC").split()

suite = lib.Suite()


# ---- cron, written anew ------------------------------------------------------------------------------------------------


def plain(text, first, last, names=()):
    """The values of a field without L, W and #."""
    values = set()
    for item in text.upper().split(","):
        item, _, step = item.partition("/")
        low, _, high = ("%d-%d" % (first, last) if item == "*" else item).partition("-")
        low, high = (names.index(end) + first if end in names else int(end) for end in (low, high or low))
        length = last - first + 1
        values |= {(value - first) % length + first
                   for value in range(low, high + (length if high < low else 0) + 1, int(step or 1))}
    return values


class Cron:
    """Which minutes of the day, and which dates."""

    def __init__(self, text):
        self.text = text
        minutes, hours, self.days, months, self.weekdays = text.split()
        self.fixed = "*" not in minutes + hours
        self.minutes = {hour * 60 + minute for hour in plain(hours, 0, 23) for minute in plain(minutes, 0, 59)}
        self.months = plain(months, 1, 12, MONTHS)
        self.known = {}

    def days_of(self, year, month):
        """The days of a month that the expression means."""
        length = calendar.monthrange(year, month)[1]
        column = [datetime.date(year, month, day).isoweekday() % 7 for day in range(1, length + 1)]
        working = [day for day in range(1, length + 1) if 1 <= column[day - 1] <= 5]
        days, weekdays = set(), set()
        for item in self.days.upper().split(","):
            if item == "LW":
                days.add(working[-1])
            elif item[0] == "L":
                days.add(length - int(item[2:] or 0))
            elif item[-1] == "W":
                if int(item[:-1]) <= length:
                    days.add(min(working, key=lambda day, to=int(item[:-1]): (abs(day - to), to < 15)))
            else:
                days |= plain(item, 1, 31)
        for item in self.weekdays.upper().split(","):
            if "#" in item or item.endswith("L"):
                those = [day for day in range(1, length + 1) if column[day - 1] == WEEKDAYS.index(item[:3])]
                which = -1 if item.endswith("L") else int(item[4:]) - 1
                weekdays |= set(those[which:][:1])
            else:
                wanted = plain({"7": "0", "5-7": "FRI-SUN"}.get(item, item), 0, 6, WEEKDAYS)
                weekdays |= {day for day in range(1, length + 1) if column[day - 1] in wanted}
        both = "*" in (self.days[0], self.weekdays[0])
        return {day for day in (days & weekdays if both else days | weekdays) if 1 <= day <= length}

    def on(self, date):
        """Whether a date (as a number of days since 1970) is meant."""
        if date not in self.known:
            day = (EPOCH + datetime.timedelta(date)).date()
            self.known[date] = day.month in self.months and day.day in self.days_of(day.year, day.month)
        return self.known[date]


# ---- zones -------------------------------------------------------------------------------------------------------------


def local_time(zone, instant):
    """What the clock shows, as seconds since 1970."""
    offset = datetime.datetime.fromtimestamp(instant, zone).utcoffset()
    return instant + offset.days * DAY + offset.seconds


def changes_of(name, zone):
    """Where to look: the instants at which the offset changes. Those in the file, and where the rule at its end has
    changes too (a comma), those that are found by asking day by day."""
    data = (FOLDER / name).read_bytes()
    counts = struct.unpack(">6l", data[20:44])
    start = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
    count = struct.unpack(">l", data[start + 32:start + 36])[0]
    instants = list(struct.unpack(f">{count}q", data[start + 44:start + 44 + 8 * count]))
    day = instants[-1] + 1 if instants else BEGIN
    for day in range(max(day, BEGIN), END if b"," in data.splitlines()[-1] else BEGIN, DAY):
        low, high = day, day + DAY
        if local_time(zone, high) - high == local_time(zone, low) - low:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if local_time(zone, middle) - middle == local_time(zone, low) - low:
                low = middle
            else:
                high = middle
        instants.append(high)
    return [instant for instant in instants if BEGIN < instant < END
            and local_time(zone, instant) != local_time(zone, instant - 1) + 1]


def distinct_zones():
    """All names, and one of each kind of content."""
    names = sorted(name for name in zoneinfo.available_timezones() if name[0].isupper())
    contents = {}
    for name in NOTED + names:
        if (FOLDER / name).is_file():
            contents.setdefault((FOLDER / name).read_bytes(), name)
    return names, sorted(contents.values())


class Window:
    """The clock around one change, or around several that are close together: what it shows at each of its minutes."""

    def __init__(self, zone, changes):
        self.changes = changes
        jumps = [local_time(zone, change) - local_time(zone, change - 1) - 1 for change in changes]
        margin = max(abs(jump) for jump in jumps) + 20 * MINUTE
        self.first = (changes[0] - margin) // MINUTE * MINUTE - 1
        self.last = (changes[-1] + margin) // MINUTE * MINUTE
        whole = all((local_time(zone, instant) - instant) % MINUTE == 0 and instant % MINUTE == 0
                    for change in changes for instant in (change, change - MINUTE))
        times = [(instant, local_time(zone, instant))
                 for instant in range(self.first + 1, self.last + 1, MINUTE if whole else 1)]
        self.shown = collections.defaultdict(list)          # minute of the day → (date, instant), each time
        self.first_shown = collections.defaultdict(list)    # the same, when it or a later one is shown first
        dates = {local // DAY for _, local in times}
        reached = local_time(zone, self.first)
        for instant, local in times:
            if local % MINUTE == 0:
                self.shown[local % DAY // MINUTE].append((local // DAY, instant))
            for passed in range(-(-(reached + 1) // MINUTE) * MINUTE, local + 1, MINUTE):
                if passed // DAY in dates:
                    self.first_shown[passed % DAY // MINUTE].append((passed // DAY, instant))
            reached = max(reached, local)
        self.edges = sorted({end for change, jump in zip(changes, jumps)
                             for end in (local_time(zone, change), local_time(zone, change) - jump)})

    def slots(self, cron):
        """The definition, taken at its word: a job at a fixed time is due when the clock shows that time for the first
        time, or jumps over it unless it jumps over the whole day; any other whenever the clock shows its minute."""
        table = self.first_shown if cron.fixed else self.shown
        return sorted({instant for minute in cron.minutes & table.keys() for date, instant in table[minute]
                       if cron.on(date)})


def windows_of(zone, changes):
    """Changes less than three days apart share one window, so that each begins on a clock that was not put lately."""
    groups = []
    for change in changes:
        if groups and change - groups[-1][-1] < 3 * DAY:
            groups[-1].append(change)
        else:
            groups.append([change])
    return [Window(zone, group) for group in groups]


def crons_around(window):
    """Expressions that have something to do with a change: its ends, its middle, several times in it, its date."""
    low, high = window.edges[0], window.edges[-1]
    middle = (low + high) // 2
    for local in (low - MINUTE, low, middle, high):
        yield f"{local % HOUR // MINUTE} {local % DAY // HOUR} * * *"
    hour = middle % DAY // HOUR
    date = EPOCH + datetime.timedelta(seconds=middle)
    yield f"0,{middle % HOUR // MINUTE},59 {hour} * * *"
    yield f"*/20 {hour} * * *"
    yield f"{middle % HOUR // MINUTE} {hour} {date.day} {date.month} *"
    yield from ("0 * * * *", "*/15 * * * *", "5-59/25 0-23 * * *", "0 0 * * *", "30 0,2 LW,L-1,1W * MON#1,SUNL")


# ---- comparison --------------------------------------------------------------------------------------------------------


class Questions:
    """Questions to the program with the answers that are expected."""

    def __init__(self):
        self.expected = collections.defaultdict(list)       # timetable → (rest of the question, answer)

    def add(self, command, zone, cron, arguments, answer):
        self.expected[zone, cron].append((command, arguments, list(map(str, answer))))

    def ask(self, folder=FOLDER):
        asked = [(command, zone, cron, arguments, answer) for (zone, cron), rows in self.expected.items()
                 for command, arguments, answer in rows]
        text = "".join("\t".join((command, zone, cron, *map(str, arguments))) + "\n"
                       for command, zone, cron, arguments, _ in asked)
        run = subprocess.run([ASK, str(folder)], input=text, capture_output=True, text=True, timeout=300 * lib.FACTOR,
                             check=True)
        answers = run.stdout.splitlines()
        assert len(answers) == len(asked), f"{len(asked)} questions, {len(answers)} answers; it said:\n{run.stderr}"
        for (command, zone, cron, arguments, expected), line in zip(asked, answers):
            got = line.split()
            if got == expected:
                continue
            at = next((i for i, pair in enumerate(zip(expected, got)) if pair[0] != pair[1]), min(len(expected), len(got)))
            raise AssertionError(f"{command} \"{cron}\" in {zone} {list(arguments)[:4]}: {len(got)} answers, expected "
                                 f"{len(expected)}; at {at}: {got[at:at + 3]}, expected {expected[at:at + 3]}")
        return len(asked)


def add_window(questions, name, window, crons, rng):
    """All slots in the window, and from instants beside the changes and anywhere the one that follows."""
    beside = [change + distance for change in window.changes for distance in (-1, 0, 1)]
    beside.append(rng.randrange(window.first, window.last))
    for text in crons_around(window):
        cron = crons[text] = crons.get(text) or Cron(text)
        slots = window.slots(cron)
        questions.add("slots", name, text, (window.first, window.last), slots)
        afters = [after for after in beside if slots and after < slots[-1]]
        if afters:
            questions.add("next", name, text, afters, [min(slot for slot in slots if slot > after) for after in afters])


def add_days(questions, name, zone, window, rng):
    """The dates before those that instants in the window lie in."""
    instants = [change + distance for change in window.changes for distance in (-1, 0)]
    instants += [rng.randrange(window.first, window.last) for _ in range(3)]
    dates = [datetime.datetime.fromtimestamp(instant, zone).date() - datetime.timedelta(1) for instant in instants]
    questions.add("day", name, "@daily", instants, dates)


def compare_zone(name, folders):
    """All about one zone, with the files of each folder that has it; how many changes and how many answers agreed."""
    zone, rng, crons, questions = zoneinfo.ZoneInfo(name), random.Random(name), {}, Questions()
    windows = windows_of(zone, changes_of(name, zone))
    for window in windows:
        add_window(questions, name, window, crons, rng)
        add_days(questions, name, zone, window, rng)
    answers = sum(questions.ask(folder) for folder in folders if (folder / name).is_file())
    return sum(len(window.changes) for window in windows), answers


def slim_folder(directory):
    """The same zones compiled so that every later year comes from the rule at the end of the file; None without zic."""
    zic = shutil.which("zic", path=os.environ.get("PATH", "") + ":/usr/sbin")
    source = FOLDER / "tzdata.zi"
    if zic is None or not source.is_file():
        return None
    subprocess.run([zic, "-b", "slim", "-d", directory, str(source)], check=True, capture_output=True, timeout=60)
    return Path(directory)


@suite.test("around every change of every zone from 1970 to 2037, slots are where the clock on the wall puts them")
def every_change():
    with tempfile.TemporaryDirectory(prefix="settlementd-zones-") as directory:
        folders = [FOLDER, *filter(None, [slim_folder(directory)])]
        with concurrent.futures.ProcessPoolExecutor() as pool:
            counts = list(pool.map(compare_zone, distinct_zones()[1], itertools.repeat(folders)))
    changes, answers = map(sum, zip(*counts))
    print(f"{len(counts)} zones, {changes} changes, {answers} answers with {len(folders)} folder(s) of zone files")
    assert changes > 10000


@suite.test("a job at a fixed time is due once on each day that exists, through all years and beyond the table's end")
def every_day():
    questions = Questions()
    for name in NOTED:
        zone = zoneinfo.ZoneInfo(name)
        for hour, minute in ((0, 10), (2, 30)):
            first, last = BEGIN - 1, END + 30 * 365 * DAY
            slots = [slot for slot in daily(zone, hour, minute, first, last) if first < slot <= last]
            questions.add("slots", name, f"{minute} {hour} * * *", (first, last), slots)
    questions.ask()


def daily(zone, hour, minute, first, last):
    """Date by date through zoneinfo's own conversion: of a time that exists, to its first pass; where it gives another
    time back there is a gap, whose end is searched for, and a gap that swallows the date has no slot."""
    for date in range(first // DAY - 2, last // DAY + 3):
        local = date * DAY + hour * HOUR + minute * MINUTE
        instant = int((EPOCH + datetime.timedelta(seconds=local)).replace(tzinfo=zone).timestamp())
        if local_time(zone, instant) == local:
            yield instant
            continue
        low, high = instant - 2 * DAY, instant + 2 * DAY
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if local_time(zone, middle) >= local else (middle, high)
        if local_time(zone, low) // DAY == date or local_time(zone, high) // DAY == date:
            yield high


def random_field(rng, first, last, names=(), special=()):
    """Text for one field: as people write it, and otherwise."""
    def item():
        low, high = sorted(rng.sample(range(first, last + 1), 2))
        step = rng.randint(1, last - first)
        forms = [f"{low}", f"{low}-{high}", f"{low}-{high}/{step}", f"*/{step}", *special]
        if names:
            low, high = rng.choice(names), rng.choice(names).lower()
            forms += [low, f"{low}-{high}", f"{low}-{high}/{rng.randint(1, len(names) - 1)}"]
        return rng.choice(forms)
    return rng.choice(["*", "*", ",".join(item() for _ in range(rng.randint(1, 3)))])


@suite.test("random expressions mean the same days and times")
def expressions():
    rng, questions = random.Random(5), Questions()
    months = list(itertools.product(range(2023, 2029), range(1, 13)))
    first, last = ((datetime.datetime(year, 1, 1) - EPOCH).days * DAY - 1 for year in (2023, 2029))
    for _ in range(1000):
        minutes = str(rng.randrange(60)) if rng.random() < 0.8 else "5-59/27"
        hours = random_field(rng, 0, 23) if rng.random() < 0.2 else str(rng.randrange(24))
        days = random_field(rng, 1, 31, (), ("L", f"L-{rng.randint(1, 30)}", "LW", f"{rng.randint(1, 31)}W", "lw"))
        weekday = rng.choice(WEEKDAYS)
        weekdays = random_field(rng, 0, 6, WEEKDAYS, (f"{weekday}#{rng.randint(1, 5)}", f"{weekday}L", "7", "5-7"))
        text = f"{minutes} {hours} {days} {random_field(rng, 1, 12, MONTHS)} {weekdays}"
        cron = Cron(text)
        dates = [(datetime.datetime(year, month, day) - EPOCH).days for year, month in months if month in cron.months
                 for day in cron.days_of(year, month)]
        slots = sorted(date * DAY + minute * MINUTE for date in dates for minute in cron.minutes)
        if slots:           # what matches in none of six years is mostly refused
            questions.add("slots", "UTC", text, (first, last), slots)
    assert questions.ask() > 700


@suite.test("every zone of the database can be used by name")
def names():
    questions = Questions()
    for name in distinct_zones()[0]:
        at = 1700000000
        offset = local_time(zoneinfo.ZoneInfo(name), at) - at
        slot = next(slot for slot in range(at + 1, at + HOUR + 1) if (slot + offset) % HOUR == 0)
        questions.add("next", name, "0 * * * *", (at,), (slot,))
    assert questions.ask() > 400


if __name__ == "__main__":
    suite.main(programs=(ASK,), server=False)
