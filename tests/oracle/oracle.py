#!/usr/bin/python3
"""Recomputes, from the logs alone, what a settled database must hold, and compares it row by row.

This is the settlement's second opinion. It shares nothing with the programs: it reads the raw logs, the contents, the
rates and the list of closed days, and follows docs/settlement-rules.md in plain Python integers. Which contents had no
content_post row on which day cannot be seen afterwards, so it is taken from parked_content (and each of those rows is
checked for what it says), unless a test that knows better passes `absent`.

    oracle.py --socket S --database DB              compare; exit 1 when anything differs
    oracle.py --socket S --database DB --checksum   a checksum of every result table, without execution ids and times
    oracle.py --socket S --database DB --dump       the same rows in full
"""

import argparse
import datetime
import hashlib
import os
import sys
from collections import defaultdict

import pymysql
import pymysql.cursors

PERIODS = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")

# A row of a day that is closed; the last column tells whether it was stored too late for that day's run.
LOGS_SQL = """SELECT l.watched_date, l.content_post_id, {key}, l.{seconds}, l.updated_at > d.ingested_until
              FROM {table} l JOIN day_close d ON d.business_date = l.watched_date"""

# What two databases with the same logs must have in common: everything but execution ids and times. A check that
# failed before somebody mended a row is history, and a repeated check is the same check.
DUMP_SQL = {
    "content_statistics": """SELECT period, statistics_date, content_post_id, view_count, watch_time, ad_view_count,
        accumulated_views, accumulated_ad_views FROM content_statistics ORDER BY 1, 2, 3""",
    "ad_statistics": """SELECT period, statistics_date, content_post_id, advertisement_id, view_count, watch_time
        FROM ad_statistics ORDER BY 1, 2, 3, 4""",
    "settlement": """SELECT settlement_date, content_post_id, creator_id, content_revenue_micros, ad_revenue_micros,
        total_content_revenue_micros, total_ad_revenue_micros, status FROM settlement ORDER BY 1, 2""",
    "parked_content": "SELECT settlement_date, content_post_id, reason, paid_on FROM parked_content ORDER BY 1, 2",
    "reconciliation": """SELECT DISTINCT target_date, check_name, expected, actual FROM reconciliation WHERE passed
        ORDER BY 1, 2, 3, 4""",
    "day_close": """SELECT business_date, status, view_logs, ad_logs, late_contents FROM day_close ORDER BY 1""",
}


class Anything:
    """Equals every value: for a figure that the sources no longer tell."""

    def __eq__(self, other):
        return True

    def __repr__(self):
        return "(anything)"


class Source:
    """What the settlement was given: closed days, their logs, creators, rates, parked contents."""

    def __init__(self):
        self.days = []                  # closed days, in order
        self.views = {}                 # day -> content -> [views, seconds]
        self.ads = {}                   # day -> (content, advertisement) -> [views, seconds]
        self.late_rows = 0              # rows of closed days that were stored after their run began
        self.creators = {}              # content -> creator
        self.rates = []                 # (type, from, until or None, lower bound, price)
        self.parked = {}                # (day, content) -> paid_on, as stored


class Tables:
    """The contents of the result tables: a dictionary from primary key to the other columns for each."""

    def __init__(self):
        self.content_statistics = {}
        self.ad_statistics = {}
        self.settlement = {}
        self.parked_content = {}
        self.day_close = {}


def connect(socket, database, user="root"):
    """A connection that sees timestamps in UTC, as they are stored."""
    return pymysql.connect(unix_socket=socket, user=user, database=database, charset="utf8mb4", autocommit=True,
                           init_command="SET time_zone = '+00:00'")


def rows_of(connection, sql, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments or None)
        return cursor.fetchall()


# --- reading ---------------------------------------------------------------------------------------------------------

def read_logs(connection, source, sql, into):
    """Adds up the logs of closed days, row by row, in `into`: day -> key -> [count, seconds]."""
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute(sql)
        for day, content, advertisement, seconds, late in cursor:
            if late:
                source.late_rows += 1
                continue
            key = content if advertisement is None else (content, advertisement)
            figures = into[day].setdefault(key, [0, 0])
            figures[0] += 1
            figures[1] += seconds


def read_source(connection):
    source = Source()
    source.days = [day for (day,) in rows_of(connection, "SELECT business_date FROM day_close ORDER BY 1")]
    source.views = {day: {} for day in source.days}
    source.ads = {day: {} for day in source.days}
    read_logs(connection, source, LOGS_SQL.format(key="NULL", seconds="total_playback_time",
                                                  table="member_content_watch_log"), source.views)
    read_logs(connection, source, LOGS_SQL.format(key="l.advertisement_id", seconds="playback_position",
                                                  table="member_ad_watch_log"), source.ads)
    source.creators = dict(rows_of(connection, "SELECT content_post_id, member_id FROM content_post"))
    source.rates = list(rows_of(connection, """SELECT settlement_type, applied_from, applied_until, min_views,
                                               price_micros FROM settlement_rate"""))
    source.parked = {(day, content): paid_on for day, content, paid_on in rows_of(
        connection, "SELECT settlement_date, content_post_id, paid_on FROM parked_content")}
    return source


def read_tables(connection):
    """What is stored, in the shape of what is expected."""
    tables = Tables()
    for period, day, content, *figures in rows_of(connection, DUMP_SQL["content_statistics"]):
        tables.content_statistics[period, day, content] = tuple(figures)
    for period, day, content, advertisement, *figures in rows_of(connection, DUMP_SQL["ad_statistics"]):
        tables.ad_statistics[period, day, content, advertisement] = tuple(figures)
    for day, content, *figures, _status in rows_of(connection, DUMP_SQL["settlement"]):
        tables.settlement[day, content] = tuple(figures)
    for day, content, _reason, paid_on in rows_of(connection, DUMP_SQL["parked_content"]):
        tables.parked_content[day, content] = (paid_on,)
    for day, _status, view_logs, ad_logs, _late in rows_of(connection, DUMP_SQL["day_close"]):
        tables.day_close[day] = (view_logs, ad_logs)
    return tables


# --- the rules -------------------------------------------------------------------------------------------------------

def first_day(period, day):
    """The first day of the period that the day lies in; weeks are ISO weeks, which begin on Monday."""
    if period == "DAILY":
        return day
    if period == "WEEKLY":
        year, week, _ = day.isocalendar()
        return datetime.date.fromisocalendar(year, week, 1)
    if period == "MONTHLY":
        return datetime.date(day.year, day.month, 1)
    return datetime.date(day.year, 1, 1)


def tiers_on(rates, kind, day):
    """The tiers in force on the day, as (lower bound, price), lowest first; exactly one rate table may be in force."""
    force = [rate for rate in rates if rate[0] == kind and rate[1] <= day and (rate[2] is None or day < rate[2])]
    tables = {rate[1] for rate in force}
    if len(tables) != 1:
        raise ValueError(f"{len(tables)} {kind} rate tables are in force on {day}, there must be one")
    tiers = sorted((rate[3], rate[4]) for rate in force)
    if tiers[0][0] != 0:
        raise ValueError(f"the {kind} rates of {day} begin at {tiers[0][0]} views, they must begin at 0")
    return tiers


def graduated(tiers, views):
    """T(V): each view at the price of the tier that it falls in, in micros."""
    total = 0
    for position, (lower, price) in enumerate(tiers):
        upper = tiers[position + 1][0] if position + 1 < len(tiers) else views
        total += price * max(0, min(views, upper) - lower)
    return total


class Ledger:
    """What is known of a content between two days."""

    def __init__(self):
        self.views = self.ad_views = 0                      # accumulated up to now
        self.settled_views = self.settled_ad_views = 0      # as they were on the last settled date
        self.total = self.ad_total = 0                      # micros up to the last settled date
        self.open = []                                      # days on which it was parked and that are not paid

    def settle(self, tiers, ad_tiers):
        """The row of a settled day, without the creator."""
        amount = graduated(tiers, self.views) - graduated(tiers, self.settled_views)
        ad_amount = graduated(ad_tiers, self.ad_views) - graduated(ad_tiers, self.settled_ad_views)
        self.settled_views, self.settled_ad_views = self.views, self.ad_views
        self.total += amount
        self.ad_total += ad_amount
        return amount, ad_amount, self.total, self.ad_total


def count_day(source, day, tables):
    """The DAILY rows of a day without the accumulated columns: content -> [views, seconds, ad views]."""
    counted = defaultdict(lambda: [0, 0, 0])
    for content, (views, seconds) in source.views[day].items():
        counted[content][0] += views
        counted[content][1] += seconds
    for (content, advertisement), (views, seconds) in source.ads[day].items():
        counted[content][2] += views
        tables.ad_statistics["DAILY", day, content, advertisement] = (views, seconds)
    tables.day_close[day] = (sum(figures[0] for figures in counted.values()),
                             sum(figures[2] for figures in counted.values()))
    return counted


def is_missing(source, absent, day, content):
    """Whether a content with activity had no content_post row when the day was settled."""
    if absent is None:
        return (day, content) in source.parked
    return content in absent(day)


def is_caught_up(source, absent, day, content, ledger):
    """Whether a content without activity on the day is paid on it what was parked before."""
    if absent is None:
        return any(source.parked.get((parked, content)) == day for parked in ledger.open)
    return content not in absent(day)


def settle_day(source, absent, day, active, ledgers, tables):
    """Settles the day for the contents that are active on it or have something open from before."""
    tiers = tiers_on(source.rates, "CONTENT", day)
    ad_tiers = tiers_on(source.rates, "ADVERTISEMENT", day)
    waiting = {content for content, ledger in ledgers.items() if ledger.open}
    for content in sorted(waiting | set(active)):
        ledger = ledgers[content]
        if content in active and is_missing(source, absent, day, content):
            ledger.open.append(day)
            tables.parked_content[day, content] = (None,)
            continue
        if content not in active and not (active and is_caught_up(source, absent, day, content, ledger)):
            continue  # a day without logs writes nothing
        creator = source.creators.get(content, Anything())
        tables.settlement[day, content] = (creator, *ledger.settle(tiers, ad_tiers))
        for parked in ledger.open:
            tables.parked_content[parked, content] = (day,)
        ledger.open = []


def add_periods(tables):
    """WEEKLY, MONTHLY and YEARLY rows: the sums of the DAILY rows in their dates."""
    content_sums = defaultdict(lambda: [0, 0, 0])
    for (_, day, content), figures in tables.content_statistics.items():
        for period in PERIODS[1:]:
            sums = content_sums[period, first_day(period, day), content]
            for column in range(3):
                sums[column] += figures[column]
    ad_sums = defaultdict(lambda: [0, 0])
    for (_, day, content, advertisement), figures in tables.ad_statistics.items():
        for period in PERIODS[1:]:
            sums = ad_sums[period, first_day(period, day), content, advertisement]
            sums[0] += figures[0]
            sums[1] += figures[1]
    tables.content_statistics.update((key, (*sums, None, None)) for key, sums in content_sums.items())
    tables.ad_statistics.update((key, tuple(sums)) for key, sums in ad_sums.items())


def recompute(source, absent=None):
    """The tables after settling the closed days in order; `absent(day)`: contents without content_post row then."""
    tables = Tables()
    ledgers = defaultdict(Ledger)
    for day in source.days:
        counted = count_day(source, day, tables)
        for content, (views, seconds, ad_views) in counted.items():
            ledger = ledgers[content]
            ledger.views += views
            ledger.ad_views += ad_views
            tables.content_statistics["DAILY", day, content] = (views, seconds, ad_views, ledger.views,
                                                                ledger.ad_views)
        settle_day(source, absent, day, counted, ledgers, tables)
    add_periods(tables)
    return tables


# --- comparing -------------------------------------------------------------------------------------------------------

def spell(key):
    return " ".join(str(part) for part in (key if isinstance(key, tuple) else (key,)))


def differences_of(name, expected, stored):
    """One line for each row that is missing, unexpected or different."""
    lines = []
    for key, value in expected.items():
        if key not in stored:
            lines.append(f"{name} {spell(key)}: no row, expected {value}")
        elif value != stored[key]:
            lines.append(f"{name} {spell(key)}: expected {value}, stored {stored[key]}")
    lines.extend(f"{name} {spell(key)}: unexpected row {stored[key]}" for key in stored if key not in expected)
    return lines


def parked_problems(connection, source):
    """What can be seen to be wrong with the parked rows themselves."""
    lines = []
    active = {day: set(source.views[day]) | {key[0] for key in source.ads[day]} for day in source.days}
    for day, content, reason, execution, paid_on in rows_of(
            connection, """SELECT settlement_date, content_post_id, reason, job_execution_id, paid_on
                           FROM parked_content ORDER BY 1, 2"""):
        row = f"parked_content {day} {content}"
        if day not in active:
            lines.append(f"{row}: that day is not closed")
        elif content not in active[day]:
            lines.append(f"{row}: that content has neither a view nor an advertisement view on that day")
        if paid_on is not None and (paid_on not in active or paid_on <= day):
            lines.append(f"{row}: paid_on {paid_on} is not a later closed day")
        if not reason.strip():
            lines.append(f"{row}: no reason given")
        if execution < 1:
            lines.append(f"{row}: job_execution_id {execution}")
    return lines


def check_problems(connection, source):
    """Each closed day needs checks, and each check must have passed the last time it was made."""
    lines = []
    latest = {}
    for day, name, expected, actual, passed in rows_of(
            connection, """SELECT target_date, check_name, expected, actual, passed FROM reconciliation
                           ORDER BY job_execution_id"""):
        latest[day, name] = passed
        if passed and expected != actual:
            lines.append(f"reconciliation {day} {name}: passed, but {expected} is not {actual}")
    lines.extend(f"reconciliation {day} {name}: failed on a closed day" for (day, name), passed in latest.items()
                 if not passed and day in source.views)
    checked = {day for day, _ in latest}
    lines.extend(f"reconciliation {day}: nothing was checked" for day in source.days if day not in checked)
    return lines


def execution_problems(connection):
    """Every amount names the execution that it came from."""
    return [f"settlement {day} {content}: job_execution_id {execution}" for day, content, execution in rows_of(
        connection, "SELECT settlement_date, content_post_id, job_execution_id FROM settlement "
                    "WHERE job_execution_id < 1")]


def verify(connection, absent=None, checks=True):
    """Compares a database with what its logs say. Returns (differences, summary line)."""
    source = read_source(connection)
    expected = recompute(source, absent)
    stored = read_tables(connection)
    lines = []
    for name in vars(expected):
        lines.extend(differences_of(name, getattr(expected, name), getattr(stored, name)))
    lines.extend(parked_problems(connection, source))
    lines.extend(execution_problems(connection))
    if checks:
        lines.extend(check_problems(connection, source))
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in vars(expected).items())
    summary = f"{len(source.days)} closed days, {source.late_rows} late log rows; expected rows: {counts}"
    return lines, f"{summary}; {len(lines)} differences"


# --- dumps -----------------------------------------------------------------------------------------------------------

def dump(connection):
    """The rows of every result table without execution ids and times, in key order."""
    return {table: [tuple(row) for row in rows_of(connection, sql)] for table, sql in DUMP_SQL.items()}


def checksums(connection):
    """A SHA-256 for each result table, equal for two databases exactly when their dumps are."""
    return {table: hashlib.sha256(repr(rows).encode()).hexdigest() for table, rows in dump(connection).items()}


def dump_differences(left, right):
    """The lines in which two dumps differ."""
    lines = []
    for table, rows in left.items():
        one, other = set(rows), set(right[table])
        lines.extend(f"{table}: only in the first: {row}" for row in sorted(one - other, key=repr))
        lines.extend(f"{table}: only in the second: {row}" for row in sorted(other - one, key=repr))
        if one == other and len(rows) != len(right[table]):
            lines.append(f"{table}: {len(rows)} rows in the first, {len(right[table])} in the second")
    return lines


def print_dump(connection):
    for table, rows in dump(connection).items():
        for row in rows:
            print(table, *(str(value) for value in row), sep="\t")


def print_verdict(connection, limit):
    lines, summary = verify(connection)
    for line in lines[:limit]:
        print(line)
    if len(lines) > limit:
        print(f"and {len(lines) - limit} more")
    print(summary)
    return 1 if lines else 0


def main(arguments):
    parser = argparse.ArgumentParser(description="compares a settled database with what its logs say")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--user", default=os.environ.get("SETTLEMENTD_TEST_USER", "root"))
    parser.add_argument("--limit", type=int, default=20, help="how many differences to print")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--checksum", action="store_true")
    what.add_argument("--dump", action="store_true")
    options = parser.parse_args(arguments)
    connection = connect(options.socket, options.database, options.user)
    if options.checksum:
        for table, value in checksums(connection).items():
            print(value, table)
        return 0
    if options.dump:
        print_dump(connection)
        return 0
    return print_verdict(connection, options.limit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
