"""What must be stored, from the logs and from how far each step has come: exact, in whole numbers."""

from collections import defaultdict

import oracle

CONTENT, ADS, PERIOD, SETTLE, RECONCILE = STEPS = (
    "content-statistics", "ad-statistics", "period-statistics", "settlement", "reconciliation")
KINDS = ("CONTENT", "ADVERTISEMENT")


class Logs:
    """The platform's tables, read whole: day -> key -> [count, seconds]."""

    def __init__(self, connection):
        self.views = defaultdict(dict)
        self.ads = defaultdict(dict)
        for day, content, seconds in oracle.rows_of(
                connection, "SELECT watched_date, content_post_id, total_playback_time FROM member_content_watch_log"):
            add(self.views[day], content, seconds)
        for day, content, advertisement, seconds in oracle.rows_of(
                connection, "SELECT watched_date, content_post_id, advertisement_id, playback_position"
                            " FROM member_ad_watch_log"):
            add(self.ads[day], (content, advertisement), seconds)
        self.creators = dict(oracle.rows_of(connection, "SELECT content_post_id, member_id FROM content_post"))
        self.rates = list(oracle.rows_of(connection, "SELECT settlement_type, applied_from, applied_until, min_views,"
                                                     " price_micros FROM settlement_rate"))

    def ad_views(self, day):
        """Content -> advertisement views."""
        counted = defaultdict(int)
        for (content, _), (count, _) in self.ads[day].items():
            counted[content] += count
        return counted

    def active(self, day):
        return set(self.views[day]) | {content for content, _ in self.ads[day]}

    def keys_of(self, day, step):
        """The contents that a step of the day has to deal with."""
        if step == CONTENT:
            return set(self.views[day])
        if step == ADS:
            return {content for content, _ in self.ads[day]}
        return self.active(day)

    def counters(self, day, part, stored):
        """What the counters of a partition must be, as far as they follow from the rows."""
        upper = part.lower if part.checkpoint is None else part.checkpoint
        inside = {content for content in self.keys_of(day, part.step) if part.lower < content <= upper}
        views = {content: self.views[day].get(content, (0, 0))[0] for content in inside}
        pairs = [figures for (content, _), figures in self.ads[day].items() if content in inside]
        ads = sum(figures[0] for figures in pairs)
        if part.step == CONTENT:
            return {"read": sum(views.values()), "written": len(inside), "skipped": 0}
        if part.step == ADS:
            return {"read": ads, "written": len(pairs) + len(inside), "skipped": 0}
        if part.step == PERIOD:
            return {"read": len(inside), "written": 3 * len(inside), "skipped": 0}
        if part.step == SETTLE:
            return {"written": count_rows(stored.settlement, day, part.lower, upper),
                    "skipped": count_rows(stored.parked_content, day, part.lower, upper)}
        return {"skipped": 0}


def count_rows(rows, day, lower, upper):
    return sum(1 for date, content in rows if date == day and lower < content <= upper)


def add(figures, key, seconds):
    entry = figures.setdefault(key, [0, 0])
    entry[0] += 1
    entry[1] += seconds


class Account:
    """A content, from day to day."""

    def __init__(self):
        self.views = self.ads = 0               # accumulated
        self.paid_views = self.paid_ads = 0     # up to which accumulated figures it is paid
        self.money = self.ad_money = 0
        self.parked = []


def expect(logs, is_covered, days):
    """The rows of the result tables when the steps of these days have come as far as is_covered(day, step, content)
    says. Days are settled in order, so that only the latest can be unfinished."""
    tables = oracle.Tables()
    accounts = defaultdict(Account)
    for day in sorted(days):
        expect_statistics(logs, is_covered, day, accounts, tables)
        if not any(is_covered(day, SETTLE, content) for content in logs.active(day)):
            continue
        prices = [oracle.tiers_on(logs.rates, kind, day) for kind in KINDS]
        for content in sorted(logs.active(day) | {key for key, account in accounts.items() if account.parked}):
            if is_covered(day, SETTLE, content):
                expect_money(logs, day, content, accounts[content], (prices, tables))
    return tables


def expect_statistics(logs, is_covered, day, accounts, tables):
    ads_of = logs.ad_views(day)
    for content in logs.active(day):
        account = accounts[content]
        views, seconds = logs.views[day].get(content, (0, 0)) if is_covered(day, CONTENT, content) else (0, 0)
        ads = ads_of[content] if is_covered(day, ADS, content) else 0
        if not views and not ads:
            continue
        account.views += views
        account.ads += ads
        tables.content_statistics["DAILY", day, content] = (views, seconds, ads, account.views, account.ads)
        if is_covered(day, PERIOD, content):
            add_periods(tables.content_statistics, day, (content,), (views, seconds, ads), (None, None))
    for (content, advertisement), (count, seconds) in logs.ads[day].items():
        if is_covered(day, ADS, content):
            tables.ad_statistics["DAILY", day, content, advertisement] = (count, seconds)
            if is_covered(day, PERIOD, content):
                add_periods(tables.ad_statistics, day, (content, advertisement), (count, seconds), ())


def add_periods(rows, day, key, figures, rest):
    for period in oracle.PERIODS[1:]:
        place = (period, oracle.first_day(period, day), *key)
        sums = rows.get(place, (0,) * len(figures) + rest)
        rows[place] = tuple(old + new for old, new in zip(sums, figures)) + rest


def expect_money(logs, day, content, account, where):
    (view_prices, ad_prices), tables = where
    is_active = content in logs.active(day)
    if content not in logs.creators:
        if is_active:
            account.parked.append(day)
            tables.parked_content[day, content] = (None,)
        return
    if not is_active and not account.parked:
        return
    amount = worth(view_prices, account.views) - worth(view_prices, account.paid_views)
    ad_amount = worth(ad_prices, account.ads) - worth(ad_prices, account.paid_ads)
    account.money += amount
    account.ad_money += ad_amount
    account.paid_views, account.paid_ads = account.views, account.ads
    tables.settlement[day, content] = (logs.creators[content], amount, ad_amount, account.money, account.ad_money)
    for parked in account.parked:
        tables.parked_content[parked, content] = (day,)
    account.parked = []


def worth(tiers, views):
    """T(V) in micros: each view at the price of the tier that it falls into, view by view from the top."""
    total = 0
    for lower, price in sorted(tiers, reverse=True):
        if views > lower:
            total += (views - lower) * price
            views = lower
    return total
