#!/usr/bin/python3
"""What a day carries on from: each content's latest row before it, which is that of the day before for most contents, and
of months ago, of nowhere, or of a day without a count of its own for the others. The oracle must agree with every row,
and a wrong figure in either of the two rows must fail the checks."""

import lib
from daemon import Served

suite = lib.Suite()

LONG_AGO, EARLIER, ABANDONED, EVE, DAY, NEXT = (lib.day_of(day) for day in (
    "2021-02-10", "2021-06-28", "2021-06-29", "2021-06-30", "2021-07-01", "2021-07-02"))
DAYS = (LONG_AGO, EARLIER, EVE, DAY, NEXT)

DAILY, RETURNING, NEW, OVER_THE_GAP, PARKED, PAID_WITHOUT_VIEWS, UNPAID_EVE, ADS_ON_EVE, PAID_ON_DAY, STILL_PARKED = range(
    11, 21)
VIEWS = {
    DAILY: {LONG_AGO: 4, EARLIER: 5, EVE: 7, DAY: 40, NEXT: 9},
    RETURNING: {LONG_AGO: 25, DAY: 20, NEXT: 8},
    NEW: {DAY: 45, NEXT: 10},
    OVER_THE_GAP: {LONG_AGO: 5, EARLIER: 17, DAY: 30},
    PARKED: {EARLIER: 12, EVE: 13, DAY: 14, NEXT: 15},
    PAID_WITHOUT_VIEWS: {EARLIER: 21, DAY: 19, NEXT: 18},
    UNPAID_EVE: {LONG_AGO: 15, EVE: 20, DAY: 22, NEXT: 1},
    ADS_ON_EVE: {LONG_AGO: 2, DAY: 9},
    PAID_ON_DAY: {LONG_AGO: 3, EVE: 33, NEXT: 10},
    STILL_PARKED: {EARLIER: 11, DAY: 14, NEXT: 35},
}
AD_VIEWS = {
    DAILY: {day: 6 for day in DAYS},
    RETURNING: {LONG_AGO: 30, DAY: 3},
    ADS_ON_EVE: {EVE: 29, DAY: 4},
    PAID_WITHOUT_VIEWS: {EARLIER: 9, NEXT: 9},
}
WITHOUT_POST = {EARLIER: {PARKED, PAID_WITHOUT_VIEWS, STILL_PARKED}, DAY: {STILL_PARKED},
                EVE: {PARKED, UNPAID_EVE, PAID_ON_DAY, STILL_PARKED}}

# The contents that are settled on the day, and the day of the settlement and of the statistics that each carries on from.
BEFORE = {DAILY: (EVE, EVE), RETURNING: (LONG_AGO, LONG_AGO), NEW: (None, None), OVER_THE_GAP: (EARLIER, EARLIER),
          PARKED: (None, EVE), PAID_WITHOUT_VIEWS: (EVE, EARLIER), UNPAID_EVE: (LONG_AGO, EVE), ADS_ON_EVE: (EVE, EVE)}


class Mixed(Served):
    """Logs of all these contents; a day without logs has failed and was abandoned."""

    def __init__(self):
        super().__init__(chunk_size=3, partition_items=40)
        data = lib.Dataset()
        data.advertisements = [1]
        for content in VIEWS:
            for day, count in VIEWS[content].items():
                data.add_views(day, content, count)
            for day, count in AD_VIEWS.get(content, {}).items():
                data.add_ad_views(day, content, 1, count)
        lib.load(self, data)
        lib.set_rates(self, "2021-01-01", (0, 10, 30, 50))

    def bring_to(self, *days):
        """Settles the days, each with the content_post rows that are there then."""
        for day in days:
            self.post(day)
            self.settle(day)
            if day == EARLIER:
                self.abandon(ABANDONED)

    def post(self, day):
        self.execute("DELETE FROM content_post")
        lib.add_contents(self, {content: 70 for content in VIEWS if content not in WITHOUT_POST.get(day, ())})

    def abandon(self, day):
        running = self.daemon()
        self.refuse("day_close")
        self.ask_run(str(day), "--wait").expect(1)
        self.settlectl("abandon", str(self.execution(str(day)))).expect(0)
        self.allow()
        running.stop()

    def stop_before_checks(self, day):
        self.post(day)
        self.refuse("reconciliation_part")
        assert "the auditors are in" in self.run(day).expect(1).output
        self.allow()

    def expect_failure(self, check, content, change, undo):
        """The change makes this check of the day fail, and names the content."""
        assert self.execute(change) == 1, change
        failed = self.run(DAY).expect(1).stderr
        assert f"check {check} failed" in failed and f"one is {content})" in failed, (change, failed)
        assert self.execute(undo) == 1, undo


def compare(database):
    database.verify(lambda day: WITHOUT_POST.get(day, set()))


@suite.test("a content carries on from its latest day, be it yesterday, months ago, over an abandoned day, or none")
def latest_rows():
    with Mixed() as database:
        for day in DAYS:
            database.bring_to(day)
            compare(database)
        assert database.closed_days() == [str(day) for day in DAYS]
        assert database.rows("SELECT settlement_date, content_post_id, paid_on FROM parked_content ORDER BY 2, 1") == [
            (EARLIER, PARKED, DAY), (EVE, PARKED, DAY), (EARLIER, PAID_WITHOUT_VIEWS, EVE), (EVE, UNPAID_EVE, DAY),
            (EVE, PAID_ON_DAY, DAY), (EARLIER, STILL_PARKED, NEXT), (DAY, STILL_PARKED, NEXT)]


@suite.test("a wrong figure fails the checks, of the day or of the latest row before it, wherever that is")
def wrong_rows():
    with Mixed() as database:
        database.bring_to(LONG_AGO, EARLIER, EVE)
        database.stop_before_checks(DAY)
        for content, (paid, counted) in BEFORE.items():
            for day in filter(None, (DAY, counted)):
                change = (f"UPDATE content_statistics SET accumulated_ad_views = accumulated_ad_views {{}} 1 WHERE"
                          f" period = 'DAILY' AND statistics_date = '{day}' AND content_post_id = {content}")
                database.expect_failure("accumulated-ad-views", content, change.format("+"), change.format("-"))
            for day in filter(None, (DAY, paid)):
                change = ("UPDATE settlement SET total_content_revenue_micros = total_content_revenue_micros {} 1"
                          f" WHERE settlement_date = '{day}' AND content_post_id = {content}")
                database.expect_failure("content-revenue-total", content, change.format("+"), change.format("-"))
        database.settle(DAY)
        compare(database)


@suite.test("a row that should not be there between the latest one and the day fails the checks")
def rows_between():
    with Mixed() as database:
        database.bring_to(LONG_AGO, EARLIER, EVE)
        database.stop_before_checks(DAY)
        for content in (RETURNING, OVER_THE_GAP, NEW):
            for day in (ABANDONED, EVE):
                where = f"statistics_date = '{day}' AND content_post_id = {content}"
                database.expect_failure(
                    "accumulated-views", content,
                    f"INSERT INTO content_statistics VALUES ('DAILY', '{day}', {content}, 0, 0, 0, 999, 0)",
                    f"DELETE FROM content_statistics WHERE period = 'DAILY' AND {where}")
                database.expect_failure(
                    "ad-revenue-total", content,
                    f"INSERT INTO settlement VALUES ('{day}', {content}, 70, 0, 0, 0, 999, 'CALCULATED', 1)",
                    f"DELETE FROM settlement WHERE {where.replace('statistics', 'settlement')}")
        database.settle(DAY)
        compare(database)


if __name__ == "__main__":
    suite.main()
