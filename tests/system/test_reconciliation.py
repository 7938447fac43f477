#!/usr/bin/python3
"""One wrong row must not get through. A day is stopped before its checks (a trigger refuses what the reconciliation
step writes), one row is made wrong by hand, and the same command must then fail, naming the check, the expected and the
actual figure; after the row is mended, the same command must close the day."""

import re

import lib

suite = lib.Suite()

EVE, DAY = lib.days_from("2021-06-29", 2)
STOPS = ("reconciliation_part", "reconciliation")
REFUSE = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stopped before the checks'"

DAILY = "period = 'DAILY' AND statistics_date = '{day}' AND content_post_id = {content}"
STARTS = {"WEEKLY": "DATE_SUB('{day}', INTERVAL WEEKDAY('{day}') DAY)",
          "MONTHLY": "DATE_SUB('{day}', INTERVAL DAYOFMONTH('{day}') - 1 DAY)",
          "YEARLY": "DATE_SUB('{day}', INTERVAL DAYOFYEAR('{day}') - 1 DAY)"}


def plus_one(table, column, condition):
    """A change of one figure, and what undoes it."""
    return tuple(f"UPDATE {table} SET {column} = {column} {sign} 1 WHERE {condition}" for sign in "+-")


def period_changes():
    """One figure of a week, a month, a year too high."""
    for period, start in STARTS.items():
        condition = f"period = '{period}' AND statistics_date = {start} AND content_post_id = {{content}}"
        for column in ("view_count", "watch_time", "ad_view_count"):
            yield (f"{period} {column}", period[:4].lower(),
                   *plus_one("content_statistics", column, condition))
        for column in ("view_count", "watch_time"):
            yield (f"{period} advertisement {column}", period[:4].lower(),
                   *plus_one("ad_statistics", column, condition + " AND advertisement_id = {ad}"))


# A name, what the name of the failed check must match, what makes the row wrong, what mends it.
CHANGES = (
    ("DAILY views", "view", *plus_one("content_statistics", "view_count", DAILY)),
    ("DAILY watch time", "watch|time", *plus_one("content_statistics", "watch_time", DAILY)),
    ("DAILY ad views", "ad", *plus_one("content_statistics", "ad_view_count", DAILY)),
    ("advertisement views", "ad", *plus_one("ad_statistics", "view_count", DAILY + " AND advertisement_id = {ad}")),
    ("advertisement watch time", "ad", *plus_one("ad_statistics", "watch_time",
                                                 DAILY + " AND advertisement_id = {ad}")),
    ("accumulated views", "accum", *plus_one("content_statistics", "accumulated_views", DAILY)),
    ("accumulated ad views", "accum", *plus_one("content_statistics", "accumulated_ad_views", DAILY)),
    *(("settlement " + column, "settlement|revenue|amount|total", *plus_one(
        "settlement", column, "settlement_date = '{day}' AND content_post_id = {content}")) for column in (
            "content_revenue_micros", "ad_revenue_micros", "total_content_revenue_micros", "total_ad_revenue_micros")),
    ("a settlement that is missing", "settlement|revenue|amount|total",
     "UPDATE settlement SET content_post_id = -5 WHERE settlement_date = '{day}' AND content_post_id = {content}",
     "UPDATE settlement SET content_post_id = {content} WHERE settlement_date = '{day}' AND content_post_id = -5"),
    ("a settlement for nothing", "settlement|revenue|amount|total",
     "INSERT INTO settlement VALUES ('{day}', 777777, 1, 5, 0, 5, 0, 'CALCULATED', 1)",
     "DELETE FROM settlement WHERE settlement_date = '{day}' AND content_post_id = 777777"),
    ("a content that nobody watched", "view|watch",
     "INSERT INTO content_statistics VALUES ('DAILY', '{day}', 777777, 1, 1, 0, 1, 0)",
     "DELETE FROM content_statistics WHERE content_post_id = 777777"),
    ("a view at the wrong content", "view",
     "UPDATE content_statistics SET view_count = view_count + IF(content_post_id = {content}, 1, -1), "
     "accumulated_views = accumulated_views + IF(content_post_id = {content}, 1, -1) "
     "WHERE period = 'DAILY' AND statistics_date = '{day}' AND content_post_id IN ({content}, {other})",
     "UPDATE content_statistics SET view_count = view_count - IF(content_post_id = {content}, 1, -1), "
     "accumulated_views = accumulated_views - IF(content_post_id = {content}, 1, -1) "
     "WHERE period = 'DAILY' AND statistics_date = '{day}' AND content_post_id IN ({content}, {other})"),
    *period_changes(),
)


class Checked(lib.Database):
    """A database in which the day's eve is settled and the day is not."""

    def __init__(self):
        super().__init__(chunk_size=10, partition_items=40, threads=2)
        data = lib.generate(5, [EVE, DAY], contents=40, views=300, ad_views=150, missing=1)
        lib.load(self, data)
        lib.set_rates(self, "2021-01-01", (0, 20, 50, 100))
        self.settle(EVE)

    def stop_before_checks(self, day):
        for table in STOPS:
            self.execute(f"CREATE TRIGGER stop_{table} BEFORE INSERT ON {table} FOR EACH ROW {REFUSE}")
        stopped = self.run(day).expect(1)
        assert "stopped before the checks" in stopped.output, stopped.output
        for table in STOPS:
            self.execute(f"DROP TRIGGER stop_{table}")
        steps = dict(self.rows(f"""SELECT s.STEP_NAME, s.STATUS FROM BATCH_STEP_EXECUTION s JOIN BATCH_JOB_EXECUTION e
            USING (JOB_EXECUTION_ID) {lib.DAY_SQL} WHERE s.STEP_NAME NOT LIKE '%%:%%'""", str(day)))
        assert steps == {**dict.fromkeys(lib.STEPS[:4], "COMPLETED"), "reconciliation": "FAILED"}, steps

    def names_for(self, day):
        """Contents that have everything on the day, and an advertisement shown with the first."""
        contents = [row[0] for row in self.rows(
            """SELECT s.content_post_id FROM content_statistics s JOIN settlement t USING (content_post_id)
               WHERE s.period = 'DAILY' AND s.statistics_date = %s AND t.settlement_date = %s AND s.view_count > 1
               AND s.ad_view_count > 0 ORDER BY s.view_count DESC LIMIT 2""", day, day)]
        advertisement = self.value("SELECT advertisement_id FROM ad_statistics WHERE period = 'DAILY' "
                                   "AND statistics_date = %s AND content_post_id = %s LIMIT 1", day, contents[0])
        return {"day": day, "content": contents[0], "other": contents[1], "ad": advertisement}

    def change(self, statement, names):
        statement = statement.format(**names)
        assert self.execute(statement) in (1, 2), f"changes no row: {statement}"

    def expect_failed_check(self, day, pattern, failed):
        """The check's name and both figures are in the table, in the step's exit message and on stderr."""
        execution = self.executions(day)[-1]
        assert execution[1] == "FAILED", execution
        checks = self.rows("""SELECT check_name, expected, actual FROM reconciliation
                              WHERE job_execution_id = %s AND NOT passed""", execution[0])
        assert checks, "no failed check in the reconciliation table"
        assert any(re.search(pattern, name) for name, _, _ in checks), f"none of {checks} matches {pattern}"
        message = self.value("""SELECT EXIT_MESSAGE FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = %s
                                AND STEP_NAME = 'reconciliation'""", execution[0])
        for where, text in (("EXIT_MESSAGE", message), ("stderr", failed.stderr)):
            assert any(all(re.search(rf"(?<!\d){re.escape(str(part))}(?!\d)", text) for part in check)
                       for check in checks), f"{where} names none of {checks}:\n{text}"
        assert not self.rows("SELECT 1 FROM day_close WHERE business_date = %s", day)


def add(name, pattern, wrong, mended):
    @suite.test(f"a wrong row fails the checks: {name}")
    def try_it():
        with Checked() as database:
            database.stop_before_checks(DAY)
            names = database.names_for(DAY)
            database.change(wrong, names)
            failed = database.run(DAY).expect(1)
            database.expect_failed_check(DAY, pattern, failed)
            database.change(mended, names)
            database.settle(DAY)
            database.verify()


for one in CHANGES:
    add(*one)


@suite.test("a day whose rows are all right passes every check")
def passes():
    with Checked() as database:
        database.settle(DAY)
        checks = database.rows("SELECT check_name, expected, actual, passed, target_date FROM reconciliation "
                               "WHERE target_date = %s", DAY)
        assert len(checks) >= 9, checks
        assert all(row[3] and row[1] == row[2] and row[4] == DAY for row in checks), checks
        views = database.value("SELECT COUNT(*) FROM member_content_watch_log WHERE watched_date = %s", DAY)
        assert any(row[1] == views for row in checks), (views, checks)


if __name__ == "__main__":
    suite.main()
